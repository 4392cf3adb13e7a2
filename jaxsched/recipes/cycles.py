"""Cycles of the learning rate: one, several, or without end."""

import math
from typing import NamedTuple, NoReturn

import numpy as np

from ..curves import Cosine, Curve
from ..domain import NONNEGATIVE
from ..errors import echoes, refusal
from ..hyperparameters import as_leaf, is_concrete
from ..leaves import ExponentialDecay, WarmRestarts, cosine, linear, ramp
from ..numerics import at_least
from ..schedule import Chain, Constant, Schedule
from ..transforms import repeat, rescale
from ..types import Scalar
from .horizon import decaying, divisor, split


__all__ = [
    "OneCycle",
    "cosine_cyclic",
    "exp_range",
    "one_cycle",
    "sgdr",
    "triangular",
    "triangular2",
    "warm_restarts",
]


@echoes
def sgdr(
    peak: Scalar,
    *,
    period: Scalar,
    period_multiplier: Scalar = 1.0,
    peak_multiplier: Scalar = 1.0,
    end: Scalar = 0.0,
    cycles: Scalar = math.inf,
) -> Schedule:
    """Decays along a cosine again and again, restarting at the peak: warm restarts.

    Args:
        peak: The rate at step 0.
        period: How many steps the first cycle takes, positive.
        period_multiplier: How many times as long as the one before each cycle is,
            positive.
        peak_multiplier: How many times as high above `end` as the one before each
            peak is, up to 6e17 times the first.
        end: The rate that each cycle nears, and the last one reaches.
        cycles: How many there are; without end if not given.

    Returns:
        A schedule of all the cycles. A restart is *at* its step, the first of them at
        step `period`. Thousands of cycles cost what one does.

    Raises:
        ValueError: If `period` is negative, or `period_multiplier` or `cycles` is not
            positive.

    Example:
        >>> from jaxsched import sgdr
        >>> lr = sgdr(1.0, period=10, period_multiplier=2, peak_multiplier=0.5)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 20, 30)]
        [1.0, 0.5, 0.5, 0.25, 0.25]

    Source:
        Loshchilov & Hutter, 2017, *SGDR*, https://arxiv.org/abs/1608.03983.
    """
    decaying(peak, end=end)
    heights = repeat(
        cosine(1.0, 0.0, period),
        cycles,
        period_multiplier=period_multiplier,
        value_multiplier=peak_multiplier,
    )
    return rescale(heights, end, peak)


@echoes
def warm_restarts(
    peak: Scalar,
    *,
    period: Scalar,
    warmup_steps: Scalar,
    period_multiplier: Scalar = 1.0,
    peak_multiplier: Scalar = 1.0,
    start: Scalar = 0.0,
    end: Scalar = 0.0,
    cycles: Scalar = math.inf,
) -> WarmRestarts:
    """Warms up and decays along a cosine again and again, with equally long warmups.

    Cycle number c takes `warmup_steps` for the warmup, and then
    `(period - warmup_steps) * period_multiplier**c` for the decay. Where the warmups
    are to grow as well, `repeat` a `warmup_cosine`.

    Args:
        peak: The rate at the end of the first warmup.
        period: How many steps the first cycle takes, its warmup included.
        warmup_steps: How many steps the warmup of each cycle takes; may be 0.
        period_multiplier: How many times as long as the one before each decay is,
            positive.
        peak_multiplier: How many times as far from `end` as the one before each peak
            is, at least 0.
        start: The rate at which each cycle starts.
        end: The rate that each cycle nears, and the last one reaches.
        cycles: How many there are; without end if not given.

    Returns:
        A schedule of all the cycles. A restart is *at* its step, the first of them at
        step `period`. Thousands of cycles cost what one does.

    Raises:
        ValueError: If a length is negative, `period` is shorter than its warmup, or
            `period_multiplier` or `cycles` is not positive.

    Example:
        >>> from jaxsched import warm_restarts
        >>> lr = warm_restarts(1.0, period=6, warmup_steps=2, period_multiplier=2)
        >>> [round(float(lr(step)), 2) for step in (0, 1, 2, 4, 6, 7, 8, 12, 16, 17)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.5, 1.0, 0.5, 0.0, 0.5]

    Source:
        Loshchilov & Hutter, 2017, *SGDR*, https://arxiv.org/abs/1608.03983, with the
        warmups of https://github.com/katsura-jp/pytorch-cosine-annealing-with-warmup,
        whose peaks are `peak_multiplier` times as far from 0 instead.
    """
    decaying(peak, end=end)
    whole = as_leaf(period, NONNEGATIVE, "period")
    decay = whole - as_leaf(warmup_steps, NONNEGATIVE, "warmup_steps")
    if is_concrete(decay) and np.any(np.asarray(decay) < 0):
        raise ValueError(
            f"`period` must be at least `warmup_steps`, got {period!r} and "
            f"{warmup_steps!r}."
        )
    return WarmRestarts(
        peak,
        at_least(0.0, decay),
        warmup_steps,
        period_multiplier,
        peak_multiplier,
        start,
        end,
        cycles,
    )


class OneCycle(NamedTuple):
    """A rate, and the momentum that moves against it."""

    rate: Schedule
    momentum: Schedule

    def __rmul__(self, other: object) -> NoReturn:
        """Refuses to be a rate: Optax multiplies what it is given by -1."""
        raise TypeError(
            "`one_cycle` returns a rate and a momentum: "
            "give its `.rate` where a rate is asked for."
        )


@echoes
def one_cycle(
    peak: Scalar,
    *,
    total_steps: Scalar,
    warmup_fraction: Scalar = 0.3,
    start_divisor: Scalar = 25.0,
    end_divisor: Scalar = 1e4,
    momentum: tuple[Scalar, Scalar] = (0.85, 0.95),
    three_phase: bool = False,
    curve: Curve = Cosine(),
) -> OneCycle:
    """Raises the rate and lowers the momentum, then does the reverse, once.

    Args:
        peak: The highest rate, reached at step `warmup_fraction * total_steps`, which
            may fall between two steps.
        total_steps: The length of the whole.
        warmup_fraction: Which part of it the rate rises, from 0 to 1.
        start_divisor: How many times lower than the peak the first rate is.
        end_divisor: How many times lower than the first rate the last one is.
        momentum: The lowest momentum, at the peak of the rate, and the highest.
        three_phase: Whether the rate first falls as it rose, back to the first rate,
            and then on to the last; else it falls to the last at once.
        curve: The shape of each phase, from `jaxsched.curves`; `Linear()` is that of
            the paper.

    Returns:
        A named tuple of two schedules of `total_steps` steps, `rate` and `momentum`.

    Raises:
        ValueError: If `total_steps` is negative, or `warmup_fraction` not from 0 to 1,
            nor to 1/2 with three phases.

    Example:
        >>> import optax
        >>> from jaxsched import one_cycle
        >>> rate, momentum = one_cycle(1.0, total_steps=100)
        >>> [round(float(rate(step)), 3) for step in (0, 30, 65, 100)]
        [0.04, 1.0, 0.5, 0.0]
        >>> [round(float(momentum(step)), 3) for step in (0, 30, 65, 100)]
        [0.95, 0.85, 0.9, 0.95]
        >>> optimizer = optax.inject_hyperparams(optax.sgd)(rate, momentum=momentum)

    Source:
        Smith & Topin, 2018, *Super-Convergence*, https://arxiv.org/abs/1708.07120.
    """
    up, down = split(total_steps, warmup_fraction=warmup_fraction)
    if three_phase and is_concrete(warmup_fraction) and np.any(warmup_fraction > 0.5):
        allowed = "from 0 to 1/2 with three phases"
        raise refusal(ValueError, "`warmup_fraction`", allowed, warmup_fraction)
    start = peak / divisor(start_divisor, "start_divisor")
    end = start / divisor(end_divisor, "end_divisor")
    low, high = momentum
    rising = ramp(start, peak, up, curve)
    easing = ramp(high, low, up, curve)
    if not three_phase:
        rate = rising >> ramp(peak, end, down, curve)
        return OneCycle(rate, easing >> ramp(low, high, down, curve))
    last = at_least(0.0, down - up)
    rate = rising >> ramp(peak, start, up, curve) >> ramp(start, end, last, curve)
    return OneCycle(rate, easing >> ramp(low, high, up, curve) >> Constant(high, last))


@echoes
def triangular(
    low: Scalar, high: Scalar, *, up_steps: Scalar, down_steps: Scalar | None = None
) -> Schedule:
    """Goes up and down between two rates, in straight lines, without end.

    Args:
        low: The rate at step 0, and whenever a cycle starts.
        high: The rate at step `up_steps` of each cycle.
        up_steps: How many steps it takes from `low` to `high`.
        down_steps: How many steps it takes back; `up_steps` if not given.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If a length is negative.

    Example:
        >>> from jaxsched import triangular
        >>> lr = triangular(0.0, 1.0, up_steps=2, down_steps=4)
        >>> [float(lr(step)) for step in range(8)]
        [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.5]

    Source:
        Smith, 2017, *Cyclical Learning Rates*, https://arxiv.org/abs/1506.01186.
    """
    return repeat(_triangle(low, high, up_steps, down_steps))


@echoes
def triangular2(
    low: Scalar, high: Scalar, *, up_steps: Scalar, down_steps: Scalar | None = None
) -> Schedule:
    """Goes up and down between two rates, half as high with each cycle.

    Args:
        low: The rate at step 0, and whenever a cycle starts.
        high: The rate at step `up_steps` of the first cycle.
        up_steps: How many steps the way up takes.
        down_steps: How many steps the way back takes; `up_steps` if not given.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If a length is negative.

    Example:
        >>> from jaxsched import triangular2
        >>> lr = triangular2(0.0, 1.0, up_steps=2)
        >>> [float(lr(step)) for step in range(8)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25]

    Source:
        Smith, 2017, *Cyclical Learning Rates*, https://arxiv.org/abs/1506.01186.
    """
    triangle = _triangle(0.0, 1.0, up_steps, down_steps)
    return rescale(repeat(triangle, value_multiplier=0.5), low, high)


@echoes
def exp_range(
    low: Scalar,
    high: Scalar,
    *,
    up_steps: Scalar,
    down_steps: Scalar | None = None,
    gamma: Scalar,
) -> Schedule:
    """Goes up and down between two rates, less high by a factor with each step.

    Args:
        low: The rate at step 0, and whenever a cycle starts.
        high: What it goes up to, but for the factor.
        up_steps: How many steps the way up takes.
        down_steps: How many steps the way back takes; `up_steps` if not given.
        gamma: The factor per step, positive, for the distance from `low`, which
            grows 6e17-fold at most.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If a length is negative, or `gamma` not positive.

    Example:
        >>> from jaxsched import exp_range
        >>> lr = exp_range(0.0, 1.0, up_steps=2, gamma=0.5)
        >>> [float(lr(step)) for step in range(7)]
        [0.0, 0.25, 0.25, 0.0625, 0.0, 0.015625, 0.015625]

    Source:
        Smith, 2017, *Cyclical Learning Rates*, https://arxiv.org/abs/1506.01186.
    """
    triangle = _triangle(0.0, 1.0, up_steps, down_steps)
    decay = ExponentialDecay(1.0, divisor(gamma, "gamma"), 1.0)
    return rescale(repeat(triangle) * decay, low, high)


@echoes
def cosine_cyclic(
    low: Scalar, high: Scalar, *, up_steps: Scalar, down_steps: Scalar | None = None
) -> Schedule:
    """Goes up and down between two rates, along cosines, without end.

    Args:
        low: The rate at step 0, and whenever a cycle starts.
        high: The rate at step `up_steps` of each cycle.
        up_steps: How many steps it takes from `low` to `high`.
        down_steps: How many steps it takes back; `up_steps` if not given.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If a length is negative.

    Example:
        >>> from jaxsched import cosine_cyclic
        >>> lr = cosine_cyclic(0.0, 1.0, up_steps=2)
        >>> [round(float(lr(step)), 3) for step in range(6)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]

    Source:
        Smith, 2017, *Cyclical Learning Rates*, https://arxiv.org/abs/1506.01186, with
        the shape of *SGDR*, https://arxiv.org/abs/1608.03983.
    """
    down = up_steps if down_steps is None else down_steps
    return repeat(cosine(low, high, up_steps) >> cosine(high, low, down))


def _triangle(low: Scalar, high: Scalar, up: Scalar, down: Scalar | None) -> Chain:
    """One cycle, up and down."""
    return linear(low, high, up) >> linear(high, low, up if down is None else down)
