"""Decays without end: laws of the step alone, with no horizon to arrive at."""

import math

import jax
import jax.numpy as jnp
from jax import lax

from ..domain import DECAY_RATE, FACTOR, NONNEGATIVE, PORTION, POSITIVE
from ..errors import echoes
from ..hyperparameters import as_leaf
from ..numerics import (
    at_least,
    elapsed,
    fixed,
    held,
    known,
    mixed,
    periods,
    positive,
    where,
)
from ..powers import (
    GREATEST,
    Digits,
    digits,
    expm1,
    exponential,
    limited_power,
    raised,
)
from ..schedule import Schedule
from ..tree import hyper, static
from ..types import Scalar


__all__ = [
    "Endless",
    "ExponentialDecay",
    "InverseSqrt",
    "InverseTime",
    "NaturalExponential",
    "PowerLaw",
    "exponential_decay",
    "inverse_sqrt",
    "inverse_time",
    "natural_exponential",
    "power_law",
    "step_decay",
]


class Endless(Schedule):
    """A schedule without end."""

    @property
    def duration(self) -> Scalar:
        return math.inf


class ExponentialDecay(Endless):
    """Decays as `start * factor**(t / steps)`, every `steps` only if `staircase`."""

    start: Scalar = hyper()
    factor: Scalar = hyper(FACTOR)
    steps: Scalar = hyper(POSITIVE)
    staircase: bool = static(default=False)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        if self.staircase:
            count, _, _ = periods(t, self.steps)
            return self.start * limited_power(self.factor, count)
        return self.start * limited_power(self.factor, t, self.steps)


class NaturalExponential(Endless):
    """Nears `end` as `end + (start - end) * exp(-rate * t)`."""

    start: Scalar = hyper()
    rate: Scalar = hyper(DECAY_RATE)
    end: Scalar = hyper(default=0.0)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        high, low = digits(self.rate)
        rate = Digits(at_least(0.0, high), low)
        power_of_e = exponential(rate, -t)
        return mixed(self.start, power_of_e, -self.end, expm1(-rate.high * t))


class InverseTime(Endless):
    """Decays as `start / (1 + rate * t / steps)`, every `steps` only if `staircase`."""

    start: Scalar = hyper()
    rate: Scalar = hyper(NONNEGATIVE)
    steps: Scalar = hyper(POSITIVE)
    staircase: bool = static(default=False)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        t = held(t, self.steps) if self.staircase else t
        steps = positive(self.steps)
        return self.start * (steps / positive(steps + self.rate * t))


class PowerLaw(Endless):
    """Decays as `start * (1 + (t / timescale)**bend)**(-exponent / bend)`."""

    start: Scalar = hyper()
    exponent: Scalar = hyper()
    timescale: Scalar = hyper(POSITIVE)
    bend: Scalar = hyper(POSITIVE, default=1.0)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        times, bend = elapsed(t, self.timescale), positive(self.bend)
        # A power of a large number is taken of its inverse, lest it overflows.
        late = times > 1
        long = where(late, times, 1.0)
        bent = raised(where(late, 1 / long, times), bend)
        exponent, most = self.exponent, False
        if not (known(exponent) and exponent >= 0):
            growth = -exponent * (jnp.log(long) + jnp.log1p(bent) / bend)
            most = fixed(growth) > math.log(GREATEST)
            long, bent = where(most, 1.0, long), where(most, 0.0, bent)
            exponent = where(most, 0.0, exponent)
        law = long**-exponent * (1 + bent) ** (-exponent / bend)
        return self.start * where(most, GREATEST, law)


class InverseSqrt(Endless):
    """Decays as `start / sqrt(1 + t / timescale)`."""

    start: Scalar = hyper()
    timescale: Scalar = hyper(POSITIVE)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        return self.start * lax.rsqrt(1 + elapsed(t, self.timescale))


@echoes
def exponential_decay(
    start: Scalar, *, factor: Scalar, steps: Scalar, staircase: bool = False
) -> ExponentialDecay:
    """Decays by `factor` every `steps` steps, without end.

    For a rate that grows, see `exponential`.

    Args:
        start: The rate at step 0.
        factor: What is left after `steps` steps, positive and at most 1: the rate is
            `start * factor**(step / steps)`.
        steps: How many steps it takes to decay by `factor`, positive.
        staircase: Whether to decay at the multiples of `steps` only.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `factor` is not positive, or more than 1, or if `steps` is not
            positive.

    Example:
        >>> from jaxsched import exponential_decay
        >>> lr = exponential_decay(1.0, factor=0.25, steps=10)
        >>> [round(float(lr(step)), 4) for step in (0, 5, 10, 20)]
        [1.0, 0.5, 0.25, 0.0625]
    """
    return ExponentialDecay(start, as_leaf(factor, PORTION, "factor"), steps, staircase)


@echoes
def step_decay(start: Scalar, *, factor: Scalar, every: Scalar) -> ExponentialDecay:
    """Multiplies the rate by `factor` every so many steps, without end.

    Args:
        start: The rate at step 0.
        factor: What the rate is multiplied by, positive and at most 1; the new rate
            applies *at* the steps `every`, `2 * every`, and so on.
        every: How many steps a rate is held, positive.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `factor` is not positive, or more than 1, or if `every` is not
            positive.

    Example:
        >>> from jaxsched import step_decay
        >>> lr = step_decay(1.0, factor=0.5, every=30)
        >>> [round(float(lr(step)), 3) for step in (0, 29, 30, 60)]
        [1.0, 1.0, 0.5, 0.25]

    Source:
        He et al., 2016, *Deep Residual Learning*, section 3.4,
        https://arxiv.org/abs/1512.03385.
    """
    factor = as_leaf(factor, PORTION, "factor")
    return ExponentialDecay(start, factor, every, staircase=True)


@echoes
def natural_exponential(
    start: Scalar, *, rate: Scalar, end: Scalar = 0.0
) -> NaturalExponential:
    """Decays as `start * exp(-rate * step)`, without end.

    Args:
        start: The rate at step 0.
        rate: The inverse of a timescale in steps, at least 0.
        end: What it nears and never reaches; more than `start` makes a warmup.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `rate` is negative.

    Example:
        >>> from jaxsched import natural_exponential
        >>> lr = natural_exponential(1.0, rate=0.5)
        >>> [round(float(lr(step)), 4) for step in (0, 1, 2)]
        [1.0, 0.6065, 0.3679]
    """
    return NaturalExponential(start, rate, end)


@echoes
def inverse_time(
    start: Scalar, *, rate: Scalar, steps: Scalar, staircase: bool = False
) -> InverseTime:
    """Decays as `start / (1 + rate * step / steps)`, without end.

    Args:
        start: The rate at step 0.
        rate: How fast it decays, at least 0.
        steps: The unit of time, in steps; positive.
        staircase: Whether to decay at the multiples of `steps` only.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `rate` is negative, or `steps` is not positive.

    Example:
        >>> from jaxsched import inverse_time
        >>> lr = inverse_time(1.0, rate=1.0, steps=10)
        >>> [round(float(lr(step)), 4) for step in (0, 10, 30)]
        [1.0, 0.5, 0.25]

    Source:
        Robbins & Monro, 1951, *A Stochastic Approximation Method*,
        https://doi.org/10.1214/aoms/1177729586.
    """
    return InverseTime(start, rate, steps, staircase)


@echoes
def inverse_sqrt(start: Scalar, timescale: Scalar) -> InverseSqrt:
    """Decays as `start / sqrt(1 + step / timescale)`, without end.

    After a warmup of `timescale` steps it continues as one over the square root of
    the step, see `warmup_inverse_sqrt`.

    Args:
        start: The rate at step 0.
        timescale: In how many steps the square of the rate halves; positive.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `timescale` is not positive.

    Example:
        >>> from jaxsched import inverse_sqrt
        >>> lr = inverse_sqrt(1.0, timescale=100)
        >>> [round(float(lr(step)), 4) for step in (0, 300, 800)]
        [1.0, 0.5, 0.3333]

    Source:
        Zhai et al., 2022, *Scaling Vision Transformers*, section 3.5,
        https://arxiv.org/abs/2106.04560.
    """
    return InverseSqrt(start, timescale)


@echoes
def power_law(
    start: Scalar, *, exponent: Scalar, timescale: Scalar, bend: Scalar = 1.0
) -> PowerLaw:
    """Decays as `start * (1 + step / timescale)**-exponent`, without end.

    Args:
        start: The rate at step 0.
        exponent: How fast it decays; 1/2 is `inverse_sqrt`, 1 is `inverse_time`. If it
            is negative the rate grows, up to 6e17-fold.
        timescale: Until when the rate hardly changes, in steps; positive.
        bend: How sharply the law sets in, positive: in full it is
            `start * (1 + (step / timescale)**bend)**(-exponent / bend)`.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `timescale` or `bend` is not positive.

    Example:
        >>> from jaxsched import power_law
        >>> lr = power_law(1.0, exponent=2.0, timescale=10)
        >>> [round(float(lr(step)), 4) for step in (0, 10, 30)]
        [1.0, 0.25, 0.0625]

    Source:
        Bottou, 2012, *Stochastic Gradient Descent Tricks*, section 5.2,
        https://doi.org/10.1007/978-3-642-35289-8_25.
    """
    return PowerLaw(start, exponent, timescale, bend)
