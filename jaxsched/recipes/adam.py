"""Warmups that Adam needs no tuning for: they follow from its decay rate `beta2`."""

import jax
import jax.numpy as jnp

from ..domain import INSIDE
from ..errors import echoes
from ..hyperparameters import as_leaf
from ..leaves import Endless, linear, natural_exponential
from ..numerics import positive, where
from ..schedule import Schedule
from ..transforms import shift
from ..tree import hyper
from ..types import Scalar


__all__ = [
    "Rectification",
    "radam_warmup",
    "untuned_exponential_warmup",
    "untuned_linear_warmup",
]


@echoes
def untuned_linear_warmup(peak: Scalar, *, beta2: Scalar) -> Schedule:
    """Warms up linearly over `2 / (1 - beta2)` updates of Adam.

    Update k, counted from 0, has the rate `peak * (k + 1) * (1 - beta2) / 2`, until
    that is `peak`. With a peak of 1 it is a factor for any schedule.

    Args:
        peak: The rate after the warmup.
        beta2: The decay rate of Adam's second moment, between 0 and 1.

    Returns:
        A schedule of `2 / (1 - beta2) - 1` steps.

    Raises:
        ValueError: If `beta2` is not between 0 and 1.

    Example:
        >>> from jaxsched import cosine, untuned_linear_warmup
        >>> lr = untuned_linear_warmup(1.0, beta2=0.999) * cosine(0.1, 0.0, 10_000)
        >>> [round(float(lr(step)), 5) for step in (0, 999, 1999, 10_000)]
        [5e-05, 0.04878, 0.09046, 0.0]

    Source:
        Ma & Yarats, 2021, *On the Adequacy of Untuned Warmup for Adaptive
        Optimization*, section 5, https://arxiv.org/abs/1910.04209.
    """
    steps = 2 / (1 - as_leaf(beta2, INSIDE, "beta2"))
    return linear(peak / steps, peak, steps - 1)


@echoes
def untuned_exponential_warmup(peak: Scalar, *, beta2: Scalar) -> Schedule:
    """Warms up exponentially, with the time constant of Adam's second moment.

    Update k, counted from 0, has the rate `peak * (1 - exp(-(k + 1) (1 - beta2)))`.
    With a peak of 1 it is a factor for any schedule.

    Args:
        peak: The rate that is neared.
        beta2: The decay rate of Adam's second moment, between 0 and 1.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `beta2` is not between 0 and 1.

    Example:
        >>> from jaxsched import untuned_exponential_warmup
        >>> lr = untuned_exponential_warmup(1.0, beta2=0.999)
        >>> [round(float(lr(step)), 4) for step in (0, 999, 9999)]
        [0.001, 0.6321, 1.0]

    Source:
        Ma & Yarats, 2021, *On the Adequacy of Untuned Warmup for Adaptive
        Optimization*, section 5, https://arxiv.org/abs/1910.04209.
    """
    rate = 1 - as_leaf(beta2, INSIDE, "beta2")
    return shift(natural_exponential(0.0, rate=rate, end=peak), 1)


@echoes
def radam_warmup(peak: Scalar, *, beta2: Scalar) -> Schedule:
    """Warms up as rectified Adam does, by the variance of its adaptive rate.

    With a peak of 1 it is a factor for any schedule. It is 0 for the first few
    updates, in which RAdam does not adapt; `shift(radam_warmup(...), 4)` skips those.

    Args:
        peak: The rate that is neared.
        beta2: The decay rate of Adam's second moment, between 0 and 1.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `beta2` is not between 0 and 1.

    Example:
        >>> from jaxsched import radam_warmup
        >>> lr = radam_warmup(1.0, beta2=0.999)
        >>> [round(float(lr(step)), 4) for step in (0, 4, 9, 99, 999)]
        [0.0, 0.0173, 0.049, 0.2153, 0.6453]

    Source:
        Liu et al., 2020, *On the Variance of the Adaptive Learning Rate and Beyond*,
        section 4.2, https://arxiv.org/abs/1908.03265.
    """
    return peak * Rectification(1 - as_leaf(beta2, INSIDE, "beta2"))


class Rectification(Endless):
    """`sqrt((r - 4) (r - 2) s / ((s - 4) (s - 2) r))`, and 0 where `r <= 4`.

    With `n = t + 1` and `beta2 = 1 - rate`, these are `s = 2 / (1 - beta2) - 1` and
    `r = s - 2 n beta2**n / (1 - beta2**n)`.
    """

    rate: Scalar = hyper(INSIDE)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        n, s = t + 1, 2 / positive(self.rate) - 1
        # As it stands, `r` is the small difference of two large numbers. With
        # `beta2 = exp(-2 y)` it is `coth(y) - n (coth(n y) - 1)`.
        y = -jnp.log1p(-self.rate) / 2
        r = n * _coth_short_of_its_bound(n * y) + 1 - _coth_short_of_its_bound(y)
        able = r > 4
        r = where(able, r, 5.0)
        variance = (r - 4) * (r - 2) * s / positive((s - 4) * (s - 2) * r)
        return where(able, jnp.sqrt(variance), 0.0)


def _coth_short_of_its_bound(y: jax.Array) -> jax.Array:
    """Returns `1 + 1 / y - coth(y)`, for `y >= 0`."""
    small = y < 0.25
    near, far = where(small, y, 0.0), where(small, 1.0, y)
    # The coefficients are those of the Laurent series of `coth`.
    square = near**2
    series = -1382 / 638512875 * square + 2 / 93555
    for coefficient in (-1 / 4725, 2 / 945, -1 / 45, 1 / 3):
        series = coefficient + square * series
    distance = jnp.exp(-2 * far)
    short = 1 / far - 2 * distance / (1 - distance)
    result: jax.Array = where(small, 1 - near * series, short)
    return result
