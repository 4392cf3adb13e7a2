"""Another horizon: what a schedule becomes when training takes longer than planned."""

from typing import Any

import numpy as np

from ..domain import NONNEGATIVE
from ..errors import echoes
from ..hyperparameters import as_leaf, is_concrete
from ..leaves.tables import PiecewiseConstant
from ..numerics import known, positive
from ..recipes.horizon import rest
from ..schedule import Schedule, ScheduleLike, as_schedule, require_end
from ..transforms import OnClock, cooldown
from ..types import Scalar


__all__ = ["cooldown", "extend", "retarget"]


@echoes
def retarget(schedule: ScheduleLike, at: Scalar, total_steps: Scalar) -> OnClock:
    """Makes a schedule end at another step, from step `at` on.

    What is left of it is stretched or squeezed: the rate goes on from where it is, by
    the same values, to the same end. For a cooldown from where it is see `cooldown`.

    Args:
        schedule: What is running; it must have an end.
        at: The step from which on it is another, less than its duration.
        total_steps: The step at which it ends, more than `at`.

    Returns:
        A schedule of `total_steps` steps: the other one on another clock, which may
        be changed again and again.

    Raises:
        ValueError: If the schedule has no end, or is over at step `at`, or `at` is
            not less than `total_steps`. What is over may rise again; see the example.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> decay = js.linear(1.0, 0.0, 100)
        >>> lr = training.retarget(decay, at=50, total_steps=250)
        >>> [float(lr(step)) for step in (0, 50, 150, 250)]
        [1.0, 0.5, 0.25, 0.0]

        Longer after the end: the rate rises again (rewarming), and decays once more.

        >>> again = js.warmup_cosine(0.5, warmup_steps=20, total_steps=150)
        >>> lr = js.until(decay, 100) >> again
        >>> [float(lr(step)) for step in (50, 100, 120, 250)]
        [0.5, 0.0, 0.5, 0.0]
    """
    whole = require_end(
        as_schedule(schedule), "`until` gives an end, which `retarget` needs, to"
    )
    begin = as_leaf(at, NONNEGATIVE, "at")
    left: Any = whole.duration - begin
    if _holds(left <= 0):
        raise ValueError(
            f"`at` must be less than {whole.duration!r}, when the schedule is over, "
            f"got {at!r}: nothing is left to be stretched. To train on, let the rate "
            "rise again: `until(schedule, at) >> warmup_cosine(...)`."
        )
    longer: Any = rest(total_steps, at=at)
    if _holds(longer <= 0):
        raise ValueError(
            f"`total_steps` must be more than {at!r}, where it is another schedule, "
            f"got {total_steps!r}: `until(schedule, at)` ends at once."
        )
    return _retimed(whole, begin, 0.0, left / positive(longer))


@echoes
def extend(schedule: ScheduleLike, at: Scalar, steps: Scalar) -> OnClock:
    """Holds the rate of step `at` for more steps, and goes on from there.

    In the stable phase of `wsd` it makes that longer; at the end of a schedule it only
    prolongs it.

    Args:
        schedule: What is running.
        at: The step at which it waits, at most its duration.
        steps: For how many steps.

    Returns:
        A schedule that lasts `steps` steps longer: the other one on another clock,
        which may be changed again and again.

    Raises:
        ValueError: If `at` or `steps` is negative, or the schedule is over before `at`.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> lr = js.wsd(1.0, warmup_steps=10, decay_steps=20, total_steps=100)
        >>> lr = training.extend(lr, at=50, steps=900)
        >>> [round(float(lr(step)), 3) for step in (50, 980, 985, 1000)]
        [1.0, 1.0, 0.75, 0.0]
    """
    whole = as_schedule(schedule)
    begin: Any = as_leaf(at, NONNEGATIVE, "at")
    waits: Any = as_leaf(steps, NONNEGATIVE, "steps")
    if _holds(begin > whole.duration):
        raise ValueError(
            f"`at` must be at most {whole.duration!r}, when the schedule is over, got "
            f"{at!r}: from there on it holds its last value in any case."
        )
    return _retimed(whole, begin, waits, 1.0)


def _retimed(whole: Schedule, at: Any, wait: Any, speed: Any) -> OnClock:
    """Returns a schedule that waits at a step, and goes on at another speed.

    One that is on such a clock already, all of it known, gets one clock for both.
    """
    inner, boundaries, amounts = whole, np.empty(0), np.ones(1)
    before = gone = 0
    if isinstance(whole, OnClock) and known(at, wait, speed):
        clock = whole.clock
        if all(isinstance(x, np.ndarray) for x in (clock.boundaries, clock.values)):
            inner = whole.inner
            boundaries, amounts = np.array(clock.boundaries), np.array(clock.values)
            before, gone = int(np.sum(boundaries < at)), int(np.sum(boundaries <= at))
    waiting = [] if _holds(wait == 0) else [at + wait]
    later = [at + wait + (begin - at) / speed for begin in boundaries[gone:]]
    return OnClock(
        inner,
        PiecewiseConstant(
            [*boundaries[:before], at, *waiting, *later],
            [
                *amounts[: before + 1],
                *(0.0 for _ in waiting),
                *(amount * speed for amount in amounts[gone:]),
            ],
        ),
    )


def _holds(condition: Any) -> bool:
    """Tells whether a condition holds, as far as it can be seen."""
    return is_concrete(condition) and bool(np.any(np.asarray(condition)))
