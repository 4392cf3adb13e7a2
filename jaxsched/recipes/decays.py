"""Decays from the first step to the horizon, with no warmup of their own."""

from ..curves import Cosine, Curve, Hyperbolic, KDecay, Rex
from ..domain import POSITIVE
from ..errors import echoes, refusal
from ..hyperparameters import as_leaf, length
from ..leaves import PiecewiseConstant, Ramp, cosine, linear, ramp
from ..numerics import at_least, known, where
from ..schedule import Schedule
from ..transforms import repeat, until
from ..types import Scalar, Vector
from .horizon import decaying, divisor


__all__ = [
    "cosine_annealing",
    "hyperbolic",
    "k_decay",
    "linear_cosine",
    "multi_step",
    "rex",
]


@echoes
def multi_step(
    start: Scalar, *, boundaries: Vector, factor: Scalar
) -> PiecewiseConstant:
    """Multiplies the rate by `factor` at each of some steps.

    Args:
        start: The rate at step 0.
        boundaries: The steps at which it is multiplied, increasing; the new rate
            applies *at* them.
        factor: What it is multiplied by.

    Returns:
        A schedule that lasts until the last boundary, and then keeps its last rate.

    Raises:
        ValueError: If `boundaries` do not increase.

    Example:
        >>> from jaxsched import multi_step
        >>> lr = multi_step(0.1, boundaries=[30, 60, 90], factor=0.1)
        >>> [round(float(lr(epoch)), 4) for epoch in (0, 29, 30, 60, 90)]
        [0.1, 0.1, 0.01, 0.001, 0.0001]

    Source:
        He et al., 2016, *Deep Residual Learning*, section 3.4,
        https://arxiv.org/abs/1512.03385.
    """
    pieces = length(boundaries) + 1
    try:
        rates = [start * factor**piece for piece in range(pieces)]
    except OverflowError:
        allowed = "a number whose powers are finite"
        raise refusal(ValueError, "`factor`", allowed, factor) from None
    return PiecewiseConstant(boundaries, rates)


@echoes
def cosine_annealing(
    start: Scalar, *, total_steps: Scalar, end: Scalar = 0.0, periodic: bool = False
) -> Schedule:
    """Decays along half a period of a cosine, and stops there or goes on.

    Args:
        start: The rate at step 0.
        total_steps: How many steps it takes to `end`.
        end: The lowest rate.
        periodic: Whether the cosine goes on, back to `start` and so forth without
            end; else the rate stays at `end`.

    Returns:
        A schedule of `total_steps` steps, or one without end.

    Raises:
        ValueError: If `total_steps` is negative.

    Example:
        >>> from jaxsched import cosine_annealing
        >>> lr = cosine_annealing(1.0, total_steps=10)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 15, 20)]
        [1.0, 0.5, 0.0, 0.0, 0.0]
        >>> lr = cosine_annealing(1.0, total_steps=10, periodic=True)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 15, 20)]
        [1.0, 0.5, 0.0, 0.5, 1.0]

    Source:
        Loshchilov & Hutter, 2017, *SGDR*, https://arxiv.org/abs/1608.03983.
    """
    decaying(start, end=end)
    decay = cosine(start, end, total_steps)
    return repeat(decay >> cosine(end, start, total_steps)) if periodic else decay


@echoes
def rex(
    start: Scalar, *, total_steps: Scalar, beta: Scalar = 0.5, end: Scalar = 0.0
) -> Ramp:
    """Decays as a reflected exponential: late, and then fast.

    Args:
        start: The rate at step 0.
        total_steps: How many steps the decay takes.
        beta: How late, positive: 1 is linear, and less is later.
        end: The rate from step `total_steps` on.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `total_steps` is negative, or `beta` not positive.

    Example:
        >>> from jaxsched import rex
        >>> lr = rex(1.0, total_steps=8)
        >>> [round(float(lr(step)), 4) for step in (0, 4, 6, 8)]
        [1.0, 0.6667, 0.4, 0.0]

    Source:
        Chen et al., 2022, *REX*, https://arxiv.org/abs/2107.04197.
    """
    decaying(start, end=end)
    return ramp(start, end, total_steps, Rex(beta))


@echoes
def k_decay(
    start: Scalar,
    *,
    total_steps: Scalar,
    k: Scalar,
    end: Scalar = 0.0,
    curve: Curve = Cosine(),
) -> Ramp:
    """Decays along a curve of the `k`-th power of the steps.

    Args:
        start: The rate at step 0.
        total_steps: How many steps the decay takes.
        k: How late, positive: 1 leaves the curve as it is, and more delays it.
        end: The rate from step `total_steps` on.
        curve: The shape, from `jaxsched.curves`.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `total_steps` is negative, or `k` not positive.

    Example:
        >>> from jaxsched import k_decay
        >>> lr = k_decay(1.0, total_steps=10, k=2)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10)]
        [1.0, 0.854, 0.0]

    Source:
        Zhang & Li, 2020, *k-decay*, https://arxiv.org/abs/2004.05909.
    """
    decaying(start, end=end)
    return ramp(start, end, total_steps, KDecay(k, curve))


@echoes
def hyperbolic(
    start: Scalar, *, total_steps: Scalar, upper_bound: Scalar, end: Scalar = 0.0
) -> Ramp:
    """Decays along a hyperbola that hardly depends on the horizon at first.

    Args:
        start: The rate at step 0.
        total_steps: How many steps the decay takes.
        upper_bound: The longest horizon to be compared with, in steps, at least
            `total_steps`: with the same one, schedules of different lengths begin
            alike.
        end: What the rate would be at the end if the horizon were the upper bound;
            shorter ones end higher.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `total_steps` is not positive, or more than `upper_bound`.

    Example:
        >>> from jaxsched import hyperbolic
        >>> lr = hyperbolic(1.0, total_steps=10, upper_bound=20, end=0.01)
        >>> [round(float(lr(step)), 4) for step in (0, 5, 9, 10)]
        [1.0, 0.6961, 0.3695, 0.1426]

    Source:
        Kim, 2024, *HyperbolicLR*, https://arxiv.org/abs/2407.15200.
    """
    decaying(start, end=end)
    total = as_leaf(total_steps, POSITIVE, "total_steps")
    bound = divisor(upper_bound, "upper_bound")
    if known(total, bound) and total > bound:
        allowed = f"at most `upper_bound`, {bound!r}"
        raise refusal(ValueError, "`total_steps`", allowed, total_steps)
    part = total / bound
    ratio = where(part > 1, 1.0, at_least(0.0, part))
    reached = (ratio * (2 - ratio)) ** 0.5
    # It is `start + (end - start) * reached`, which would cancel where `end` is near.
    last = start * (1 - ratio) ** 2 / (1 + reached) + end * reached
    return ramp(start, last, total_steps, Hyperbolic(ratio))


@echoes
def linear_cosine(
    start: Scalar,
    *,
    total_steps: Scalar,
    periods: Scalar = 0.5,
    offset: Scalar = 0.0,
    floor: Scalar = 0.001,
) -> Schedule:
    """Decays as the product of a line and a cosine.

    It is `start * ((offset + 1 - u) * (1 + cos(2 pi periods u)) / 2 + floor)`, where
    `u` is the part of `total_steps` that has passed.

    Args:
        start: The rate at step 0, but for the floor.
        total_steps: How many steps the decay takes, positive.
        periods: How many periods of the cosine there are, positive.
        offset: What is added to the line.
        floor: What is added to the product.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `total_steps` or `periods` is not positive.

    Example:
        >>> from jaxsched import linear_cosine
        >>> lr = linear_cosine(1.0, total_steps=10)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10)]
        [1.001, 0.251, 0.001]

    Source:
        Bello et al., 2017, *Neural Optimizer Search with Reinforcement Learning*,
        https://arxiv.org/abs/1709.07417.
    """
    total = as_leaf(total_steps, POSITIVE, "total_steps")
    half = total / (2 * divisor(periods, "periods"))
    wave = repeat(cosine(1.0, 0.0, half) >> cosine(0.0, 1.0, half))
    line = linear(1.0 + offset, offset, total)
    return start * until(line * wave + floor, total)
