"""A warmup, and then a cosine."""

from ...leaves import cosine, linear
from ...numerics import at_least
from ...recipes import cosine_annealing
from ...schedule import Schedule, chain
from ...transforms import repeat, shift, stretch, until
from ...types import Scalar
from ..ported import one_of
from .names import schedule


__all__ = [
    "get_cosine_schedule_with_warmup",
    "get_cosine_with_hard_restarts_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
]


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
    follows = wave(base_lr, 0.0, num_training_steps - num_warmup_steps, num_cycles)
    return linear(0.0, base_lr, num_warmup_steps) >> follows


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
    follows = wave(base_lr, floor, num_training_steps - num_warmup_steps, num_cycles)
    return linear(0.0, base_lr, num_warmup_steps) >> follows


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
    follows = wave(base_lr, floor, num_training_steps - num_warmup_steps, num_cycles)
    if warmup_lr_rate is None:
        return shift(linear(0.0, base_lr, num_warmup_steps) >> follows, 1)
    rise = at_least(1.0, num_warmup_steps - 1)
    warmup = linear(base_lr * warmup_lr_rate, base_lr, rise)
    return until(warmup, num_warmup_steps) >> shift(follows, 1)


def wave(peak: Scalar, floor: Scalar, steps: Scalar, num_cycles: Scalar) -> Schedule:
    """A cosine of so many periods in `steps` steps, which goes on after them."""
    half = cosine_annealing(
        peak, total_steps=at_least(1.0, steps), end=floor, periodic=True
    )
    return stretch(half, 1 / (2 * num_cycles))


def _floor(base_lr: Scalar, rate: Scalar | None, fraction: Scalar | None) -> Scalar:
    name, value = one_of(min_lr=rate, min_lr_rate=fraction)
    return value if name == "min_lr" else base_lr * value
