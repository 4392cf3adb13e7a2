"""Shapes to search among: curves through a few points that may lie anywhere.

A point is given by what it leaves of what there was, so that any numbers from 0 to 1
are a shape: of the time until the end, and of the rate above the end. The families of
Naganuma et al., 2026, that are nothing but a curve are compositions: `rex`, and `ramp`
with `curves.Power(exponent, curves.Cosine())` or `curves.Power(exponent / 2,
curves.Square())`, which is the power of `sqrt(1 - u**2)`, after a `linear` warmup.
"""

from ..domain import FRACTION, NONNEGATIVE
from ..errors import echoes
from ..hyperparameters import as_leaf, length
from ..leaves import PiecewiseCubic, linear, piecewise_cubic
from ..numerics import host
from ..schedule import Chain
from ..transforms import rescale
from ..types import Scalar, Vector
from .horizon import decaying, rest


__all__ = ["smooth_non_monotonic", "two_point_linear", "two_point_spline"]


@echoes
def two_point_linear(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    total_steps: Scalar,
    delays: Vector,
    levels: Vector,
    start: Scalar = 0.0,
    end: Scalar = 0.0,
) -> Chain:
    """Warms up linearly, then falls in straight lines through two points.

    Args:
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.
        total_steps: The length of the whole, warmup included.
        delays: Two numbers from 0 to 1: at which part of the decay the first point is,
            and at which part of what follows it the second one.
        levels: Two numbers from 0 to 1: how much of the peak, above `end`, is left at
            the first point, and how much of that at the second one.
        start: The rate at step 0.
        end: The rate from step `total_steps` on.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `warmup_steps` is negative, or more than `total_steps`, or if
            there are not two delays and two levels, from 0 to 1.

    Example:
        >>> from jaxsched import two_point_linear
        >>> lr = two_point_linear(
        ...     1.0, warmup_steps=10, total_steps=90, delays=[0.5, 0.5], levels=[0.5, 0]
        ... )
        >>> [round(float(lr(step)), 3) for step in (0, 10, 50, 70, 90)]
        [0.0, 1.0, 0.5, 0.0, 0.0]

    Source:
        Naganuma et al., 2026, *What do near-optimal learning rate schedules look
        like?*, https://arxiv.org/abs/2603.10301; the points are placed as in its code,
        https://github.com/google/init2winit, but not at whole steps.
    """
    decaying(peak, end=end)
    decay_steps = rest(total_steps, warmup_steps=warmup_steps)
    first, second = _points(decay_steps, delays)
    high, low = _levels(peak, end, levels)
    return (
        linear(start, peak, warmup_steps)
        >> linear(peak, high, first)
        >> linear(high, low, second - first)
        >> linear(low, end, decay_steps - second)
    )


@echoes
def two_point_spline(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    total_steps: Scalar,
    delays: Vector,
    levels: Vector,
    start: Scalar = 0.0,
    end: Scalar = 0.0,
) -> Chain:
    """Warms up linearly, then falls smoothly through two points.

    Args:
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.
        total_steps: The length of the whole, warmup included.
        delays: Two numbers between 0 and 1: at which part of the decay the first point
            is, and at which part of what follows it the second one.
        levels: Two numbers from 0 to 1: how much of the peak, above `end`, is left at
            the first point, and how much of that at the second one.
        start: The rate at step 0.
        end: The rate from step `total_steps` on.

    Returns:
        A schedule of `total_steps` steps, whose decay never rises.

    Raises:
        ValueError: If `warmup_steps` is negative, or not less than `total_steps`, or
            if there are not two delays between 0 and 1 and two levels from 0 to 1.

    Example:
        >>> from jaxsched import two_point_spline
        >>> lr = two_point_spline(
        ...     1.0, warmup_steps=10, total_steps=90, delays=[0.5, 0.5], levels=[0.5, 0]
        ... )
        >>> [round(float(lr(step)), 3) for step in (0, 10, 30, 50, 70, 90)]
        [0.0, 1.0, 0.816, 0.5, 0.0, 0.0]

    Source:
        Naganuma et al., 2026, *What do near-optimal learning rate schedules look
        like?*, https://arxiv.org/abs/2603.10301; the points are placed as in its code,
        https://github.com/google/init2winit, but not at whole steps.
    """
    decaying(peak, end=end)
    decay_steps = rest(total_steps, warmup_steps=warmup_steps)
    decay = piecewise_cubic(
        [0.0, *_points(decay_steps, delays), decay_steps],
        [1.0, *_levels(1.0, 0.0, levels), 0.0],
    )
    return linear(start, peak, warmup_steps) >> rescale(decay, end, peak)


@echoes
def smooth_non_monotonic(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    total_steps: Scalar,
    delays: Vector,
    levels: Vector,
    start: Scalar = 0.0,
    end: Scalar = 0.0,
) -> PiecewiseCubic:
    """Goes smoothly through the peak and two points, before or after it.

    Args:
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps it takes to the peak, positive.
        total_steps: The length of the whole.
        delays: Two numbers between 0 and 1: at which part of the whole the first point
            is, and at which part of what follows it the second one.
        levels: Two numbers from 0 to 1: at which part of the peak each point is.
        start: The rate at step 0.
        end: The rate from step `total_steps` on.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If the peak and the two points are not at different steps between
            0 and `total_steps`, or if there are not two levels from 0 to 1.

    Example:
        >>> from jaxsched import smooth_non_monotonic
        >>> lr = smooth_non_monotonic(
        ...     1.0, warmup_steps=4, total_steps=8, delays=[0.25, 0.5], levels=[0.8, 0]
        ... )
        >>> [round(float(lr(step)), 3) for step in (0, 2, 4, 5, 6, 8)]
        [0.0, 0.8, 1.0, 0.0, 0.0, 0.0]

    Source:
        Naganuma et al., 2026, *What do near-optimal learning rate schedules look
        like?*, https://arxiv.org/abs/2603.10301; the points are placed as in its code,
        https://github.com/google/init2winit.
    """
    total = as_leaf(total_steps, NONNEGATIVE, "total_steps")
    warmup = as_leaf(warmup_steps, NONNEGATIVE, "warmup_steps")
    high = [peak * level for level in _pair("levels", levels)]
    steps = [0.0, *_points(total, delays), warmup, total]
    values = [start, *high, peak, end]
    # In the order that the peak and the points happen to have.
    here = host(*steps, *values)
    order = here.argsort(here.stack(steps))
    return piecewise_cubic(here.stack(steps)[order], here.stack(values)[order])


def _points(whole: Scalar, delays: Vector) -> tuple[Scalar, Scalar]:
    """Returns the steps of both points, the second within what the first leaves."""
    delay, next_delay = _pair("delays", delays)
    first = whole * delay
    return first, first + (whole - first) * next_delay


def _levels(peak: Scalar, end: Scalar, levels: Vector) -> tuple[Scalar, Scalar]:
    """Returns the rates at both points, the second of what the first leaves."""
    level, next_level = _pair("levels", levels)
    first = (peak - end) * level
    return end + first, end + first * next_level


def _pair(name: str, numbers: Vector) -> tuple[Scalar, Scalar]:
    if length(numbers) != 2:
        raise ValueError(f"`{name}` must be two numbers, got {numbers!r}.")
    first, second = (as_leaf(number, FRACTION, name) for number in numbers)
    return first, second
