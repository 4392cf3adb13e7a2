"""`optax.schedules`, by its names: a drop-in for `from optax import ...`.

Names, order and defaults of the arguments, and values are those of Optax 0.2.8
(https://optax.readthedocs.io/en/latest/api/optimizer_schedules.html). What is more:
steps may be arrays of any shape, any number may be traced, and values and gradients are
finite. What differs: before step 0 all have their value of step 0, where Optax's
cosine goes up and down again and its interpolations are 0.
"""

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..curves import Cosine, Linear, Power
from ..domain import NONNEGATIVE, POSITIVE, REAL
from ..errors import echoes, named
from ..hyperparameters import as_leaf
from ..leaves import (
    Ramp,
    cosine,
    custom,
    exponential_decay as exponential,
    linear,
    piecewise_constant,
    piecewise_linear,
)
from ..numerics import at_least, host, positive
from ..schedule import Chain, Schedule, chain, constant
from ..transforms import Delay, delay, maximum
from ..types import Scalar
from .ported import joined


__all__ = [
    "constant_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "exponential_decay",
    "join_schedules",
    "linear_onecycle_schedule",
    "linear_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "sgdr_schedule",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
]

INTERPOLATIONS = {"linear": Linear(), "cosine": Cosine()}


@echoes
def constant_schedule(value: Scalar) -> Schedule:
    """Holds `value`.

    Args:
        value: The rate.

    Returns:
        A schedule of no steps.

    Example:
        >>> from jaxsched.compat.optax import constant_schedule
        >>> float(constant_schedule(0.5)(10))
        0.5
    """
    return constant(value)


@echoes
def linear_schedule(
    init_value: Scalar,
    end_value: Scalar,
    transition_steps: Scalar,
    transition_begin: Scalar = 0,
) -> Schedule:
    """Goes from `init_value` to `end_value` in a straight line.

    Args:
        init_value: The rate until step `transition_begin`.
        end_value: The rate `transition_steps` later, and ever after.
        transition_steps: How many steps it takes. With none it stays at `init_value`
            for ever, as in Optax; elsewhere in this library it is at its end.
        transition_begin: How many steps it waits.

    Returns:
        A schedule of `transition_begin + transition_steps` steps.

    Example:
        >>> from jaxsched.compat.optax import linear_schedule
        >>> lr = linear_schedule(1.0, 0.0, transition_steps=4, transition_begin=2)
        >>> [float(lr(step)) for step in (0, 2, 3, 6)]
        [1.0, 1.0, 0.75, 0.0]
    """
    return _transition(
        init_value, end_value, transition_steps, transition_begin, Linear()
    )


@echoes
def polynomial_schedule(
    init_value: Scalar,
    end_value: Scalar,
    power: Scalar,
    transition_steps: Scalar,
    transition_begin: Scalar = 0,
) -> Schedule:
    """Goes from `init_value` to `end_value` as a power of the steps that remain.

    Args:
        init_value: The rate until step `transition_begin`.
        end_value: The rate `transition_steps` later, and ever after.
        power: The exponent, positive.
        transition_steps: How many steps it takes. With none it stays at `init_value`
            for ever, as in Optax.
        transition_begin: How many steps it waits.

    Returns:
        A schedule of `transition_begin + transition_steps` steps.

    Raises:
        ValueError: If `power` is not positive.

    Example:
        >>> from jaxsched.compat.optax import polynomial_schedule
        >>> lr = polynomial_schedule(1.0, 0.0, power=2, transition_steps=4)
        >>> [float(lr(step)) for step in range(5)]
        [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """
    return _transition(
        init_value, end_value, transition_steps, transition_begin, Power(power)
    )


@echoes
def piecewise_constant_schedule(
    init_value: Scalar, boundaries_and_scales: Mapping[int, Scalar] | None = None
) -> Schedule:
    """Multiplies the rate by a factor at each of some steps.

    Args:
        init_value: The rate at first.
        boundaries_and_scales: Factors, at least 0, by the step *at* which each is
            applied to what the rate was before.

    Returns:
        A schedule that lasts until the last boundary.

    Raises:
        ValueError: If a factor or a boundary is negative.

    Example:
        >>> from jaxsched.compat.optax import piecewise_constant_schedule
        >>> lr = piecewise_constant_schedule(1.0, {3: 0.5, 6: 0.5})
        >>> [float(lr(step)) for step in (0, 2, 3, 6)]
        [1.0, 1.0, 0.5, 0.25]
    """
    if not boundaries_and_scales:
        return constant(init_value)
    return piecewise_constant(*_levels(init_value, boundaries_and_scales))


@echoes
def exponential_decay(
    init_value: Scalar,
    transition_steps: Scalar,
    decay_rate: Scalar,
    transition_begin: Scalar = 0,
    staircase: bool = False,
    end_value: Scalar | None = None,
) -> Schedule:
    """Decays, or grows, by the factor `decay_rate` every `transition_steps` steps.

    Args:
        init_value: The rate until step `transition_begin`.
        transition_steps: How many steps it takes to change by `decay_rate`. With none
            the rate stays the same, as in Optax.
        decay_rate: The factor, at least 0. With 0 the rate stays the same, as in Optax.
        transition_begin: How many steps it waits.
        staircase: Whether to change at the multiples of `transition_steps` only.
        end_value: Where it is cut off: the least rate if `decay_rate` is less than 1,
            and else the greatest.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `decay_rate` is negative.

    Example:
        >>> from jaxsched.compat.optax import exponential_decay
        >>> lr = exponential_decay(1.0, 2, decay_rate=0.25, end_value=0.1)
        >>> [float(lr(step)) for step in (0, 1, 2)]
        [1.0, 0.5, 0.25]
        >>> round(float(lr(10)), 3)
        0.1
    """
    rate = as_leaf(decay_rate, NONNEGATIVE, "decay_rate")
    steps = as_leaf(transition_steps, REAL, "transition_steps")
    here = host(rate, steps)
    moves = (rate > 0) & (steps > 0)
    factor = here.where(moves, rate, 1.0)
    decay: Schedule = delay(
        exponential(init_value, factor, positive(steps), staircase),
        at_least(0.0, transition_begin),
    )
    if end_value is None:
        return decay
    sign: Scalar = here.where(rate < 1, 1.0, -1.0)
    end = host(moves, end_value, init_value).where(moves, end_value, init_value)
    return sign * maximum(sign * decay, sign * end)


@echoes
def cosine_decay_schedule(
    init_value: Scalar, decay_steps: Scalar, alpha: Scalar = 0.0, exponent: Scalar = 1.0
) -> Schedule:
    """Decays along half a period of a cosine.

    Args:
        init_value: The rate at step 0.
        decay_steps: How many steps it takes, positive.
        alpha: The rate at the end, as a fraction of `init_value`.
        exponent: The power to which the cosine is raised, positive.

    Returns:
        A schedule of `decay_steps` steps.

    Raises:
        ValueError: If `decay_steps` or `exponent` is not positive.

    Example:
        >>> from jaxsched.compat.optax import cosine_decay_schedule
        >>> lr = cosine_decay_schedule(1.0, decay_steps=10, alpha=0.1)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10)]
        [1.0, 0.55, 0.1]
    """
    steps = as_leaf(decay_steps, POSITIVE, "decay_steps")
    return Ramp(init_value, init_value * alpha, steps, Power(exponent, Cosine()))


@echoes
def piecewise_interpolate_schedule(
    interpolate_type: str,
    init_value: Scalar,
    boundaries_and_scales: Mapping[int, Scalar] | None = None,
) -> Schedule:
    """Goes from level to level, each a factor of the one before.

    Args:
        interpolate_type: How to get there: "linear" or "cosine".
        init_value: The rate at step 0.
        boundaries_and_scales: Factors, at least 0, by the step at which the rate is
            that many times what it was at the boundary before.

    Returns:
        A schedule that lasts until the last boundary.

    Raises:
        ValueError: If `interpolate_type` is neither, or a factor or a boundary is
            negative.

    Example:
        >>> from jaxsched.compat.optax import piecewise_interpolate_schedule
        >>> lr = piecewise_interpolate_schedule("linear", 1.0, {4: 0.5, 8: 0.0})
        >>> [float(lr(step)) for step in (0, 2, 4, 6, 8)]
        [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    curve = named("interpolation", interpolate_type, INTERPOLATIONS)
    if not boundaries_and_scales:
        return constant(init_value)
    boundaries, values = _levels(init_value, boundaries_and_scales)
    if boundaries[0] == 0:
        return piecewise_linear(boundaries, values[1:], curve)
    return piecewise_linear([0, *boundaries], values, curve)


@echoes
def linear_onecycle_schedule(
    transition_steps: Scalar,
    peak_value: Scalar,
    pct_start: Scalar = 0.3,
    pct_final: Scalar = 0.85,
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
) -> Schedule:
    """Rises to the peak, falls as far, and then falls further, in straight lines.

    Args:
        transition_steps: The length of the whole, positive.
        peak_value: The highest rate.
        pct_start: Which part of the whole the rate rises; as in Optax, the phases end
            at the whole step before.
        pct_final: Until which part of the whole it has fallen to its first value, at
            least `pct_start`.
        div_factor: How many times lower than the peak the first rate is.
        final_div_factor: How many times lower than the first rate the last one is;
            not than the peak, as the documentation of Optax has it.

    Returns:
        A schedule of `transition_steps` steps.

    Raises:
        ValueError: If `transition_steps` is not positive, or `pct_final` is less than
            `pct_start`.

    Example:
        >>> from jaxsched.compat.optax import linear_onecycle_schedule
        >>> lr = linear_onecycle_schedule(100, 1.0)
        >>> [round(float(lr(step)), 6) for step in (0, 30, 85, 100)]
        [0.04, 1.0, 0.04, 4e-06]
    """
    total = as_leaf(transition_steps, POSITIVE, "transition_steps")
    here = host(total, pct_start, pct_final, peak_value, div_factor, final_div_factor)
    up, back = here.floor(pct_start * total), here.floor(pct_final * total)
    start = peak_value / div_factor
    # Optax keys the phases by their last step: of two that end at one, it has only
    # the second.
    peak = here.where(up == back, start / div_factor, peak_value)
    low = here.where(up == back, peak, start)
    end = here.where(back == total, peak, low) / final_div_factor
    low = here.where(back == total, end, low)
    return (
        linear(start, peak, up)
        >> linear(peak, low, back - up)
        >> linear(low, end, total - back)
    )


@echoes
def cosine_onecycle_schedule(
    transition_steps: Scalar,
    peak_value: Scalar,
    pct_start: Scalar = 0.3,
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
) -> Schedule:
    """Rises to the peak and falls to the end, along cosines.

    Args:
        transition_steps: The length of the whole, positive.
        peak_value: The highest rate.
        pct_start: Which part of the whole the rate rises; as in Optax, until the whole
            step before.
        div_factor: How many times lower than the peak the first rate is.
        final_div_factor: How many times lower than the first rate the last one is.

    Returns:
        A schedule of `transition_steps` steps.

    Raises:
        ValueError: If `transition_steps` is not positive.

    Example:
        >>> from jaxsched.compat.optax import cosine_onecycle_schedule
        >>> lr = cosine_onecycle_schedule(100, 1.0)
        >>> [round(float(lr(step)), 6) for step in (0, 30, 65, 100)]
        [0.04, 1.0, 0.500002, 4e-06]
    """
    total = as_leaf(transition_steps, POSITIVE, "transition_steps")
    here = host(total, pct_start, peak_value, div_factor, final_div_factor)
    up = here.floor(pct_start * total)
    start = peak_value / div_factor
    whole = up == total
    end = start / here.where(whole, div_factor, 1.0) / final_div_factor
    peak = here.where(whole, end, peak_value)
    return cosine(start, peak, up) >> cosine(peak, end, total - up)


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


def _transition(
    start: Scalar, end: Scalar, steps: Scalar, begin: Scalar, curve: Linear | Power
) -> Delay:
    """A ramp after a wait; one of no steps has no end."""
    length = as_leaf(steps, REAL, "transition_steps")
    reached = host(length, end, start).where(length > 0, end, start)
    return delay(
        Ramp(start, reached, at_least(0.0, length), curve), at_least(0.0, begin)
    )


def _levels(
    start: Scalar, scales: Mapping[int, Scalar]
) -> tuple[list[int], list[Scalar]]:
    """The boundaries in order, and the values before, between and after them."""
    boundaries = sorted(scales)
    factors = (
        as_leaf(scales[at], NONNEGATIVE, f"boundaries_and_scales[{at}]")
        for at in boundaries
    )
    values: Iterator[Scalar] = itertools.accumulate(
        factors, operator.mul, initial=start
    )
    return boundaries, [*values]
