"""Schedules after a warmup, and one after another."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...curves import Cosine, Power
from ...domain import POSITIVE
from ...errors import echoes
from ...hyperparameters import as_leaf
from ...leaves import (
    Ramp,
    custom,
    linear,
)
from ...numerics import host
from ...schedule import Chain, Schedule, chain
from ...types import Scalar
from ..ported import joined
from .transitions import exponential_decay, linear_schedule


__all__ = [
    "join_schedules",
    "sgdr_schedule",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
]


@echoes
def warmup_constant_schedule(
    init_value: Scalar, peak_value: Scalar, warmup_steps: Scalar
) -> Schedule:
    """Warms up linearly, then holds the peak.

    Args:
        init_value: The rate at step 0.
        peak_value: The rate from step `warmup_steps` on.
        warmup_steps: How many steps the warmup takes. With none the rate stays at
            `init_value` for ever, as in Optax: `warmup_constant` is at its peak.

    Returns:
        A schedule of `warmup_steps` steps.

    Example:
        >>> from jaxsched.compat.optax import warmup_constant_schedule
        >>> lr = warmup_constant_schedule(0.0, 1.0, warmup_steps=4)
        >>> [float(lr(step)) for step in (0, 1, 4, 9)]
        [0.0, 0.25, 1.0, 1.0]
    """
    return linear_schedule(init_value, peak_value, warmup_steps)


@echoes
def warmup_cosine_decay_schedule(
    init_value: Scalar,
    peak_value: Scalar,
    warmup_steps: Scalar,
    decay_steps: Scalar,
    end_value: Scalar = 0.0,
    exponent: Scalar = 1.0,
) -> Schedule:
    """Warms up linearly, then decays along a cosine.

    Args:
        init_value: The rate at step 0.
        peak_value: The highest rate. With 0 there is no decay to `end_value`, as in
            Optax.
        warmup_steps: How many steps the warmup takes; may be 0.
        decay_steps: The length of the whole, warmup included: more than that.
        end_value: The rate from step `decay_steps` on.
        exponent: The power to which the cosine is raised, positive.

    Returns:
        A schedule of `decay_steps` steps.

    Raises:
        ValueError: If `decay_steps` is not more than `warmup_steps`.

    Example:
        >>> from jaxsched.compat.optax import warmup_cosine_decay_schedule
        >>> lr = warmup_cosine_decay_schedule(0.0, 1.0, 10, 110, end_value=0.1)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.5, 1.0, 0.55, 0.1]
    """
    steps = as_leaf(decay_steps - warmup_steps, POSITIVE, "decay_steps - warmup_steps")
    here = host(peak_value, end_value)
    end = here.where(peak_value == 0, 0.0, end_value)
    decay = Ramp(peak_value, end, steps, Power(exponent, Cosine()))
    return linear(init_value, peak_value, warmup_steps) >> decay


@echoes
def warmup_exponential_decay_schedule(
    init_value: Scalar,
    peak_value: Scalar,
    warmup_steps: Scalar,
    transition_steps: Scalar,
    decay_rate: Scalar,
    transition_begin: Scalar = 0,
    staircase: bool = False,
    end_value: Scalar | None = None,
) -> Schedule:
    """Warms up linearly, then decays by a factor every `transition_steps` steps.

    Args:
        init_value: The rate at step 0.
        peak_value: The rate at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.
        transition_steps: How many steps it takes to change by `decay_rate`.
        decay_rate: The factor, at least 0.
        transition_begin: How many steps the peak is held.
        staircase: Whether to change at the multiples of `transition_steps` only.
        end_value: Where the decay is cut off.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `warmup_steps` or `decay_rate` is negative.

    Example:
        >>> from jaxsched.compat.optax import warmup_exponential_decay_schedule
        >>> lr = warmup_exponential_decay_schedule(0.0, 1.0, 4, 2, decay_rate=0.25)
        >>> [float(lr(step)) for step in (0, 2, 4, 5, 6)]
        [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    decay = exponential_decay(
        peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value
    )
    return linear(init_value, peak_value, warmup_steps) >> decay


@echoes
def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Chain:
    """Runs several `warmup_cosine_decay_schedule`s one after another.

    Args:
        cosine_kwargs: The arguments of each.

    Returns:
        A schedule as long as all of them.

    Raises:
        ValueError: If there are none.

    Example:
        >>> from jaxsched.compat.optax import sgdr_schedule
        >>> cycle = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 2}
        >>> lr = sgdr_schedule([cycle | {"decay_steps": n} for n in (6, 10)])
        >>> [round(float(lr(step)), 3) for step in (0, 2, 4, 6, 8, 16)]
        [0.0, 1.0, 0.5, 0.0, 1.0, 0.0]
    """
    return chain(*(warmup_cosine_decay_schedule(**kwargs) for kwargs in cosine_kwargs))


@echoes
def join_schedules(
    schedules: Sequence[Schedule | Callable[[Any], Any]], boundaries: Sequence[Scalar]
) -> Chain:
    """Runs schedules one after another, each from its own step 0.

    Args:
        schedules: One or more, ours or plain functions of the step.
        boundaries: The steps at which the next one takes over; one less than schedules.

    Returns:
        A schedule that lasts until the last one ends.

    Raises:
        ValueError: If the numbers do not match, or the boundaries decrease.

    Example:
        >>> import optax
        >>> from jaxsched.compat.optax import join_schedules, linear_schedule
        >>> lr = join_schedules(
        ...     [linear_schedule(0.0, 1.0, 4), optax.constant_schedule(0.5)], [4])
        >>> [float(lr(step)) for step in (0, 2, 4, 5)]
        [0.0, 0.5, 0.5, 0.5]
    """
    parts = [
        custom(part) if callable(part) and not isinstance(part, Schedule) else part
        for part in schedules
    ]
    return joined(parts, boundaries)
