"""`transformers.optimization`, by its names: the learning rate first, then as there.

Names, order and defaults of the arguments, and values are those of Hugging Face
Transformers 5.23 (https://huggingface.co/docs/transformers/main_classes/optimizer_schedules).
`num_training_steps` includes the warmup, which starts at 0. What differs: where the
phases are longer than `num_training_steps`, or there is none left after the warmup,
nothing divides by zero.
"""

from collections.abc import Callable
from typing import Any

from ..curves import Cosine, Curve, Linear, Reversed, Sqrt
from ..domain import REAL
from ..errors import named
from ..hyperparameters import as_leaf
from ..leaves import cosine, inverse_sqrt, linear, polynomial, ramp
from ..numerics import at_least, host
from ..recipes import cosine_annealing
from ..schedule import Schedule, chain, constant
from ..transforms import repeat, shift, stretch, until
from ..types import Scalar
from .ported import METRICS, one_of, ported, without


__all__ = [
    "get_constant_schedule",
    "get_constant_schedule_with_warmup",
    "get_cosine_schedule_with_warmup",
    "get_cosine_with_hard_restarts_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
    "get_inverse_sqrt_schedule",
    "get_linear_schedule_with_warmup",
    "get_polynomial_decay_schedule_with_warmup",
    "get_scheduler",
    "get_wsd_schedule",
]

schedule = ported(
    last_epoch="a schedule has no position, call it with the step that you are at"
)


@schedule
def get_constant_schedule(base_lr: Scalar) -> Schedule:
    """Holds the rate: "constant".

    Args:
        base_lr: The learning rate of the optimizer.

    Returns:
        A schedule of no steps.

    Example:
        >>> from jaxsched.compat.transformers import get_constant_schedule
        >>> float(get_constant_schedule(0.5)(10))
        0.5
    """
    return constant(base_lr)


@schedule
def get_constant_schedule_with_warmup(
    base_lr: Scalar, num_warmup_steps: Scalar
) -> Schedule:
    """Warms up linearly, then holds the rate: "constant_with_warmup".

    Args:
        base_lr: The learning rate of the optimizer, after the warmup.
        num_warmup_steps: How many steps the warmup takes; may be 0.

    Returns:
        A schedule of `num_warmup_steps` steps.

    Raises:
        ValueError: If `num_warmup_steps` is negative.

    Example:
        >>> from jaxsched.compat.transformers import get_constant_schedule_with_warmup
        >>> lr = get_constant_schedule_with_warmup(1.0, num_warmup_steps=4)
        >>> [float(lr(step)) for step in (0, 1, 4, 9)]
        [0.0, 0.25, 1.0, 1.0]
    """
    return linear(0.0, base_lr, num_warmup_steps) >> base_lr


@schedule
def get_linear_schedule_with_warmup(
    base_lr: Scalar, num_warmup_steps: Scalar, num_training_steps: Scalar
) -> Schedule:
    """Warms up linearly, then decays linearly to 0: "linear".

    Args:
        base_lr: The learning rate of the optimizer, after the warmup.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_training_steps: The length of the whole, warmup included.

    Returns:
        A schedule of `num_training_steps` steps.

    Raises:
        ValueError: If `num_warmup_steps` is negative.

    Example:
        >>> from jaxsched.compat.transformers import get_linear_schedule_with_warmup
        >>> lr = get_linear_schedule_with_warmup(1.0, 4, num_training_steps=12)
        >>> [float(lr(step)) for step in (0, 1, 4, 8, 12)]
        [0.0, 0.25, 1.0, 0.5, 0.0]
    """
    decay_steps = at_least(0.0, num_training_steps - num_warmup_steps)
    return linear(0.0, base_lr, num_warmup_steps) >> linear(base_lr, 0.0, decay_steps)


@schedule
def get_cosine_schedule_with_warmup(
    base_lr: Scalar,
    num_warmup_steps: Scalar,
    num_training_steps: Scalar,
    num_cycles: Scalar = 0.5,
) -> Schedule:
    """Warms up linearly, then follows a cosine: "cosine".

    As in Transformers, the cosine goes on after `num_training_steps`, where it rises
    again: `warmup_cosine` stays at 0.

    Args:
        base_lr: The learning rate of the optimizer, after the warmup.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_training_steps: The length of the whole, warmup included.
        num_cycles: How many periods of the cosine there are until then, positive.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `num_warmup_steps` is negative.

    Example:
        >>> from jaxsched.compat.transformers import get_cosine_schedule_with_warmup
        >>> lr = get_cosine_schedule_with_warmup(1.0, 4, num_training_steps=12)
        >>> [round(float(lr(step)), 3) for step in (0, 1, 4, 8, 12, 16)]
        [0.0, 0.25, 1.0, 0.5, 0.0, 0.5]
    """
    wave = _wave(base_lr, 0.0, num_training_steps - num_warmup_steps, num_cycles)
    return linear(0.0, base_lr, num_warmup_steps) >> wave


@schedule
def get_cosine_with_hard_restarts_schedule_with_warmup(
    base_lr: Scalar,
    num_warmup_steps: Scalar,
    num_training_steps: Scalar,
    num_cycles: Scalar = 1,
) -> Schedule:
    """Warms up linearly, then decays along cosines to 0: "cosine_with_restarts".

    A restart that falls on a step is at the rate. Where the fraction of the steps is
    rounded, Transformers may have 0 there, or just before.

    Args:
        base_lr: The learning rate of the optimizer, after the warmup and each restart.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_training_steps: The length of the whole, warmup included.
        num_cycles: How many decays there are until then, all as long; positive.

    Returns:
        A schedule of `num_training_steps` steps.

    Raises:
        ValueError: If `num_warmup_steps` is negative, or `num_cycles` not positive.

    Example:
        >>> from jaxsched.compat.transformers import (
        ...     get_cosine_with_hard_restarts_schedule_with_warmup)
        >>> lr = get_cosine_with_hard_restarts_schedule_with_warmup(1.0, 4, 12, 2)
        >>> [round(float(lr(step)), 3) for step in (0, 4, 6, 8, 10, 12)]
        [0.0, 1.0, 0.5, 1.0, 0.5, 0.0]
    """
    decay_steps = at_least(0.0, num_training_steps - num_warmup_steps)
    decays = repeat(cosine(base_lr, 0.0, decay_steps / num_cycles), num_cycles)
    warmup = linear(0.0, base_lr, num_warmup_steps)
    return chain(warmup, until(decays, decay_steps), 0.0)


@schedule
def get_polynomial_decay_schedule_with_warmup(
    base_lr: Scalar,
    num_warmup_steps: Scalar,
    num_training_steps: Scalar,
    lr_end: Scalar = 1e-7,
    power: Scalar = 1.0,
) -> Schedule:
    """Warms up linearly, then decays as a power of what remains: "polynomial".

    Args:
        base_lr: The learning rate of the optimizer, after the warmup. Transformers
            takes the default of the optimizer even where a parameter group has its own.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_training_steps: The length of the whole, warmup included.
        lr_end: The rate from there on.
        power: The exponent, positive.

    Returns:
        A schedule of `num_training_steps` steps.

    Raises:
        ValueError: If `num_warmup_steps` is negative, or `power` not positive.

    Example:
        >>> from jaxsched.compat.transformers import (
        ...     get_polynomial_decay_schedule_with_warmup)
        >>> lr = get_polynomial_decay_schedule_with_warmup(1.0, 4, 12, 0.0, power=2)
        >>> [float(lr(step)) for step in (0, 1, 4, 8, 12)]
        [0.0, 0.25, 1.0, 0.25, 0.0]
    """
    decay_steps = at_least(0.0, num_training_steps - num_warmup_steps)
    decay = polynomial(base_lr, lr_end, decay_steps, power)
    return linear(0.0, base_lr, num_warmup_steps) >> decay


@schedule
def get_inverse_sqrt_schedule(
    base_lr: Scalar, num_warmup_steps: Scalar, timescale: Scalar | None = None
) -> Schedule:
    """Warms up linearly, then decays as one over the square root: "inverse_sqrt".

    Args:
        base_lr: The learning rate of the optimizer, after the warmup.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        timescale: In how many steps after it the square of the rate halves, positive;
            `num_warmup_steps` if not given, or 10,000 if there is no warmup.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `num_warmup_steps` is negative, or `timescale` not positive.

    Example:
        >>> from jaxsched.compat.transformers import get_inverse_sqrt_schedule
        >>> lr = get_inverse_sqrt_schedule(1.0, num_warmup_steps=4)
        >>> [float(lr(step)) for step in (0, 2, 4, 16, 64)]
        [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    if timescale is None:
        warmup = as_leaf(num_warmup_steps, REAL, "num_warmup_steps")
        scale: Scalar = host(warmup).where(warmup == 0, 10_000.0, warmup)
    else:
        scale = timescale
    return linear(0.0, base_lr, num_warmup_steps) >> inverse_sqrt(base_lr, scale)


@schedule
def get_cosine_with_min_lr_schedule_with_warmup(
    base_lr: Scalar,
    num_warmup_steps: Scalar,
    num_training_steps: Scalar,
    num_cycles: Scalar = 0.5,
    min_lr: Scalar | None = None,
    min_lr_rate: Scalar | None = None,
) -> Schedule:
    """Warms up linearly, then follows a cosine to a floor: "cosine_with_min_lr".

    As in Transformers, the cosine goes on after `num_training_steps`, where it rises
    again.

    Args:
        base_lr: The learning rate of the optimizer, after the warmup.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_training_steps: The length of the whole, warmup included.
        num_cycles: How many periods of the cosine there are until then, positive.
        min_lr: The lowest rate of the cosine; or give the next one.
        min_lr_rate: The same, as a fraction of `base_lr`.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If the lowest rate is given twice, or not at all, or
            `num_warmup_steps` is negative.

    Example:
        >>> from jaxsched.compat.transformers import (
        ...     get_cosine_with_min_lr_schedule_with_warmup)
        >>> lr = get_cosine_with_min_lr_schedule_with_warmup(1.0, 4, 12, min_lr=0.5)
        >>> [round(float(lr(step)), 3) for step in (0, 1, 4, 8, 12)]
        [0.0, 0.25, 1.0, 0.75, 0.5]
    """
    floor = _floor(base_lr, min_lr, min_lr_rate)
    wave = _wave(base_lr, floor, num_training_steps - num_warmup_steps, num_cycles)
    return linear(0.0, base_lr, num_warmup_steps) >> wave


@schedule
def get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
    base_lr: Scalar,
    num_warmup_steps: Scalar,
    num_training_steps: Scalar,
    num_cycles: Scalar = 0.5,
    min_lr: Scalar | None = None,
    min_lr_rate: Scalar | None = None,
    warmup_lr_rate: Scalar | None = None,
) -> Schedule:
    """The same, one step ahead: "cosine_warmup_with_min_lr".

    As in Transformers, the first step has a rate already, the last step of the warmup
    has `base_lr`, and the step after that is on the cosine.

    Args:
        base_lr: The learning rate of the optimizer, after the warmup.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_training_steps: The length of the whole, warmup included.
        num_cycles: How many periods of the cosine there are until then, positive.
        min_lr: The lowest rate of the cosine; or give the next one.
        min_lr_rate: The same, as a fraction of `base_lr`.
        warmup_lr_rate: The first rate, as a fraction of `base_lr`; one over
            `num_warmup_steps` if not given.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If the lowest rate is given twice, or not at all, or
            `num_warmup_steps` is negative.

    Example:
        >>> from jaxsched.compat.transformers import (
        ...     get_cosine_with_min_lr_schedule_with_warmup_lr_rate)
        >>> lr = get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
        ...     1.0, 4, 12, min_lr=0.5)
        >>> [round(float(lr(step)), 3) for step in (0, 1, 3, 7, 11)]
        [0.25, 0.5, 1.0, 0.75, 0.5]
    """
    floor = _floor(base_lr, min_lr, min_lr_rate)
    wave = _wave(base_lr, floor, num_training_steps - num_warmup_steps, num_cycles)
    if warmup_lr_rate is None:
        return shift(linear(0.0, base_lr, num_warmup_steps) >> wave, 1)
    rise = at_least(1.0, num_warmup_steps - 1)
    warmup = linear(base_lr * warmup_lr_rate, base_lr, rise)
    return until(warmup, num_warmup_steps) >> shift(wave, 1)


@schedule
def get_wsd_schedule(
    base_lr: Scalar,
    num_warmup_steps: Scalar,
    num_decay_steps: Scalar,
    num_training_steps: Scalar | None = None,
    num_stable_steps: Scalar | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: Scalar = 0,
    num_cycles: Scalar = 0.5,
) -> Schedule:
    """Warms up, holds the rate, then decays: "warmup_stable_decay".

    Args:
        base_lr: The learning rate of the optimizer, which is held.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_decay_steps: How many steps the decay takes, at the end.
        num_training_steps: The length of the whole; or give the next one. If both are
            given, this one does not matter, as in Transformers.
        num_stable_steps: How many steps the rate is held.
        warmup_type: The shape of the warmup: "linear", "cosine" or "1-sqrt".
        decay_type: The shape of the decay: the same.
        min_lr_ratio: The first and the last rate, as a fraction of `base_lr`: as in
            Transformers, the warmup starts there too.
        num_cycles: How many periods there are of a cosine decay, positive.

    Returns:
        A schedule of all three phases.

    Raises:
        ValueError: If neither length is given, a length is negative, or a type unknown.

    Example:
        >>> from jaxsched.compat.transformers import get_wsd_schedule
        >>> lr = get_wsd_schedule(1.0, 4, 4, num_training_steps=20)
        >>> [round(float(lr(step)), 3) for step in (0, 1, 4, 16, 18, 20)]
        [0.0, 0.25, 1.0, 1.0, 0.5, 0.0]
    """
    if num_stable_steps is None:
        _, total_steps = one_of(
            num_training_steps=num_training_steps, num_stable_steps=None
        )
        stable_steps = total_steps - num_warmup_steps - num_decay_steps
    else:
        stable_steps = num_stable_steps
    floor = base_lr * min_lr_ratio
    rise = named("warmup type", warmup_type, RISES)
    fall = named("decay type", decay_type, FALLS)
    decay: Schedule = ramp(base_lr, floor, num_decay_steps, fall)
    if decay_type == "cosine":
        decay = until(
            _wave(base_lr, floor, num_decay_steps, num_cycles), num_decay_steps
        )
    return chain(
        ramp(floor, base_lr, num_warmup_steps, rise),
        constant(base_lr, stable_steps),
        decay,
        floor,
    )


@schedule
def get_scheduler(
    name: str,
    base_lr: Scalar,
    num_warmup_steps: Scalar | None = None,
    num_training_steps: Scalar | None = None,
    **scheduler_specific_kwargs: Any,
) -> Schedule:
    """Returns the schedule of a name, as in `TrainingArguments(lr_scheduler_type=...)`.

    Args:
        name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant",
            "constant_with_warmup", "inverse_sqrt", "cosine_with_min_lr",
            "cosine_warmup_with_min_lr" or "warmup_stable_decay".
        base_lr: The learning rate of the optimizer.
        num_warmup_steps: How many steps the warmup takes.
        num_training_steps: The length of the whole, warmup included.
        **scheduler_specific_kwargs: What the function of that name takes besides; in a
            dictionary called like this too, as in Transformers.

    Returns:
        The schedule.

    Raises:
        TypeError: If the function of that name needs an argument that is not given, or
            does not take one that is.
        ValueError: If there is no such name, or it depends on metrics.

    Example:
        >>> from jaxsched.compat.transformers import get_scheduler
        >>> lr = get_scheduler("polynomial", 1.0, 4, 12, power=2, lr_end=0.0)
        >>> [float(lr(step)) for step in (0, 1, 4, 8, 12)]
        [0.0, 0.25, 1.0, 0.25, 0.0]
    """
    name = getattr(name, "value", name)
    if name in ("reduce_lr_on_plateau", "greedy"):
        raise ValueError(f"{name!r} is no schedule: {METRICS}.")
    function, takes = named("schedule", name, SCHEDULES)
    nested = scheduler_specific_kwargs.pop("scheduler_specific_kwargs", None) or {}
    lengths = {
        "num_warmup_steps": num_warmup_steps,
        "num_training_steps": num_training_steps,
    }
    needed = {key: lengths[key] for key in takes if lengths[key] is not None}
    return function(base_lr, **needed, **nested, **scheduler_specific_kwargs)


def _wave(peak: Scalar, floor: Scalar, steps: Scalar, num_cycles: Scalar) -> Schedule:
    """A cosine of so many periods in `steps` steps, which goes on after them."""
    half = cosine_annealing(
        peak, total_steps=at_least(1.0, steps), end=floor, periodic=True
    )
    return stretch(half, 1 / (2 * num_cycles))


def _floor(base_lr: Scalar, rate: Scalar | None, fraction: Scalar | None) -> Scalar:
    name, value = one_of(min_lr=rate, min_lr_rate=fraction)
    return value if name == "min_lr" else base_lr * value


RISES: dict[str, Curve] = {
    "linear": Linear(),
    "cosine": Cosine(),
    "1-sqrt": Reversed(Sqrt()),
}
FALLS: dict[str, Curve] = {"linear": Linear(), "cosine": Cosine(), "1-sqrt": Sqrt()}

LENGTHS = ("num_warmup_steps", "num_training_steps")
SCHEDULES: dict[str, tuple[Callable[..., Schedule], tuple[str, ...]]] = {
    "linear": (get_linear_schedule_with_warmup, LENGTHS),
    "cosine": (get_cosine_schedule_with_warmup, LENGTHS),
    "cosine_with_restarts": (
        get_cosine_with_hard_restarts_schedule_with_warmup,
        LENGTHS,
    ),
    "polynomial": (get_polynomial_decay_schedule_with_warmup, LENGTHS),
    "constant": (get_constant_schedule, ()),
    "constant_with_warmup": (get_constant_schedule_with_warmup, LENGTHS[:1]),
    "inverse_sqrt": (get_inverse_sqrt_schedule, LENGTHS[:1]),
    "cosine_with_min_lr": (get_cosine_with_min_lr_schedule_with_warmup, LENGTHS),
    "cosine_warmup_with_min_lr": (
        get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
        LENGTHS,
    ),
    "warmup_stable_decay": (get_wsd_schedule, LENGTHS),
}

__getattr__ = without(
    __name__, get_reduce_on_plateau_schedule=METRICS, get_greedy_schedule=METRICS
)
