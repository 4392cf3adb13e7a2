"""Another horizon: what a schedule becomes when training takes longer than planned."""

from ..domain import NONNEGATIVE
from ..errors import echoes
from ..hyperparameters import as_leaf
from ..recipes.horizon import rest
from ..schedule import Chain, ScheduleLike, as_schedule, require_end
from ..transforms import cooldown, delay, shift, stretch, until
from ..types import Scalar


__all__ = ["cooldown", "extend", "retarget"]


@echoes
def retarget(schedule: ScheduleLike, at: Scalar, total_steps: Scalar) -> Chain:
    """Makes a schedule end at another step, from step `at` on.

    What is left of it is stretched or squeezed: the rate goes on from where it is, by
    the same values, to the same end. For a cooldown from where it is see `cooldown`.

    Args:
        schedule: What is running; it must have an end.
        at: The step from which on it is another, less than its duration.
        total_steps: The step at which it ends, at least `at`.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If the schedule has no end, or is over at step `at`, or `at` is
            more than `total_steps`.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> lr = training.retarget(js.linear(1.0, 0.0, 100), at=50, total_steps=250)
        >>> [float(lr(step)) for step in (0, 50, 150, 250)]
        [1.0, 0.5, 0.25, 0.0]
    """
    whole = require_end(as_schedule(schedule), "No other end has")
    left = rest(whole.duration, at=at)
    longer = rest(total_steps, at=at)
    return until(whole, at) >> stretch(shift(whole, at), longer / left)


@echoes
def extend(schedule: ScheduleLike, at: Scalar, steps: Scalar) -> Chain:
    """Holds the rate of step `at` for more steps, and goes on from there.

    In the stable phase of `wsd` it makes that longer; at the end of a schedule it only
    prolongs it.

    Args:
        schedule: What is running.
        at: The step at which it waits.
        steps: For how many steps.

    Returns:
        A schedule that lasts `steps` steps longer.

    Raises:
        ValueError: If `at` or `steps` is negative.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> lr = js.wsd(1.0, warmup_steps=10, decay_steps=20, total_steps=100)
        >>> lr = training.extend(lr, at=50, steps=900)
        >>> [round(float(lr(step)), 3) for step in (50, 980, 985, 1000)]
        [1.0, 1.0, 0.75, 0.0]
    """
    whole = as_schedule(schedule)
    begin = as_leaf(at, NONNEGATIVE, "at")
    return until(whole, begin) >> delay(shift(whole, begin), steps)
