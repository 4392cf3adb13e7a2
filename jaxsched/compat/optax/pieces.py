"""Schedules of pieces: by factors, or along lines and cosines; one cycle of them."""

import itertools
import operator
from collections.abc import Iterator, Mapping

from ...curves import Cosine, Linear
from ...domain import NONNEGATIVE, POSITIVE
from ...errors import echoes, named
from ...hyperparameters import as_leaf
from ...leaves import (
    cosine,
    linear,
    piecewise_constant,
    piecewise_linear,
)
from ...numerics import host
from ...schedule import Schedule, constant
from ...types import Scalar


__all__ = [
    "cosine_onecycle_schedule",
    "linear_onecycle_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
]


INTERPOLATIONS = {"linear": Linear(), "cosine": Cosine()}


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
