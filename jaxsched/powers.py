"""Powers, exponentials and sums of them, to the last digits."""

import math
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .numerics import carried, fixed, is_endless, known, nearest, plain, positive, where
from .types import Scalar


class Digits(NamedTuple):
    """A number in two parts: the nearest one of the float type, and what that lost."""

    high: Any
    low: Any


Exact: TypeAlias = Scalar | Digits
"""A hyperparameter of which no digit may be lost, since high powers of it are taken."""


def digits(x: Exact) -> Digits:
    """Splits a number; of one that has been rounded, nothing is known to be lost."""
    if isinstance(x, Digits):
        return x
    if isinstance(x, jax.Array):
        return Digits(x, 0.0)
    high = np.asarray(x).astype(jnp.result_type(float)).astype(float)
    return Digits(plain(high[()]), plain((x - high)[()]))


def power(base: Exact, numerator: Any, denominator: Any = 1.0) -> jax.Array:
    """Returns `base ** (numerator / denominator)`.

    The base is positive, unless the exponent is whole. High powers of one near 1 need
    all its digits: 0.9999, as a float32, to the power 100,000 is off by 0.2 %. And
    rounding the quotient costs `log(base) / 2` ulps, 9 of them on the way from 1e-8
    to 1. So what both lost is put back.
    """
    if not isinstance(base, Digits) and known(base, denominator) and base > 0:
        if denominator == 1 and digits(base).low == 0:
            return base**numerator
        return exponential(math.log(base) / positive(denominator), numerator)
    high, low = digits(base)
    if known(denominator) and denominator == 1:
        # JAX has NaN for the slope of `base ** 0` where the base is 0.
        high = where(numerator == 0, 1.0, high)
        correction: Any = 0.0
        exponent = numerator
    else:
        high = positive(high)
        exponent, lost = divided(numerator, positive(denominator))
        correction = jnp.log(fixed(high)) * lost
    if not (known(low) and low == 0):
        correction += exponent * (low / fixed(where(high == 0, 1.0, high)))
    if known(correction) and correction == 0:
        return high**exponent
    # The limit holds only where the power itself has become 0.
    return high**exponent * jnp.exp(jnp.minimum(correction, 80.0))


GREATEST = math.exp(41.0)
"""How high a rate may grow without end: 6e17-fold."""


def limited_power(base: Exact, numerator: Any, denominator: Any = 1.0) -> jax.Array:
    """Returns `power`, whose exponent stops before it has grown `GREATEST`-fold.

    So what grows without end is finite at any time, and so are its derivatives.
    """
    most = _last_power(abs(digits(base).high))
    if is_endless(most):
        return power(base, numerator, denominator)
    steps = denominator if known(denominator) else positive(denominator)
    over = fixed(numerator) > most * fixed(steps)
    if not known(steps):
        steps = where(over, fixed(steps), steps)
    return power(base, where(over, most * fixed(steps), numerator), steps)


def _last_power(base: Scalar) -> Scalar:
    """Returns the last whole power of `base` up to `GREATEST`, however far off."""
    most = math.log(GREATEST)
    if known(base):
        return most // math.log(base) if base > 1 else math.inf
    return jnp.floor(most / jnp.maximum(jnp.log(fixed(base)), 1e-30))


def exponential(rate: Exact, t: Any) -> jax.Array:
    """Returns `exp(rate * t)`, to the digits that rounding the product would take."""
    high, low = digits(rate)
    product, now = high * t, fixed(t)
    (rate_high, rate_low), (t_high, t_low) = _halves(fixed(high)), _halves(now)
    lost = rate_high * t_high - fixed(product) + rate_high * t_low
    lost = lost + (rate_low + fixed(low)) * now
    return jnp.exp(product) * (1 + lax.clamp(-0.5, lost, 0.5))


def divided(numerator: Any, denominator: Any) -> tuple[jax.Array, jax.Array]:
    """Returns a quotient, and what rounding took from it, as a constant."""
    ratio = numerator / denominator
    # Without rounding nothing is lost, so what is has no derivative.
    ratio_high, ratio_low = _halves(fixed(ratio))
    high, low = _halves(fixed(denominator))
    lost = fixed(numerator) - ratio_high * high
    lost = lost - ratio_high * low - ratio_low * high - ratio_low * low
    return ratio, lost / fixed(denominator)


def counted(total: Digits, count: Any, each: Any) -> jax.Array:
    """Returns `total + count * each`, rounded once, however many digits it has."""
    result = total.high + count * each
    (count_high, count_low), (each_high, each_low) = (
        _halves(fixed(x)) for x in (count, each)
    )
    first = count_high * each_high
    most = fixed(total.high) + first
    lost = _lost(fixed(total.high), first, most) + fixed(total.low)
    lost = lost + (count_high * each_low + count_low * each_high)
    return carried(most + (lost + count_low * each_low), result)


def _lost(first: Any, second: Any, total: Any) -> Any:
    """Returns what rounding took from the sum of two numbers (Knuth's)."""
    part = total - first
    return (first - (total - part)) + (second - part)


def _halves(x: Any) -> tuple[Any, Any]:
    """Splits `x` into two numbers of half its digits, whose products are exact."""
    kind: Any = np.finfo(jnp.result_type(float))
    bits = kind.nmant // 2
    if known(x):
        mantissa, exponent = math.frexp(x)
        high: Any = math.ldexp(round(math.ldexp(mantissa, bits)), exponent - bits)
    else:
        high = lax.reduce_precision(x, exponent_bits=kind.nexp, mantissa_bits=bits)
    return high, x - high


def raised(x: Any, exponent: Scalar) -> jax.Array:
    """Returns `x ** exponent`, for `x` from 0 to 1.

    An infinite slope at 0 is taken for 0, since `0 * inf` would make a gradient NaN.
    """
    if is_short(exponent):
        base, order = _root_of(x, exponent)
        return base**order
    gentle = known(exponent) and exponent >= 1
    steep = False if gentle else (x <= 0) & (exponent < 1)
    return where(steep, 0.0, where(steep, 1.0, x) ** exponent)


def powers(x: Any, rest: Any, exponent: Scalar) -> tuple[jax.Array, jax.Array]:
    """Returns `x ** exponent` and `1 - x ** exponent`, given `x` and `rest = 1 - x`.

    Both keep their digits where they are small.
    """
    if is_short(exponent):
        base, order = _root_of(x, exponent)
        lower: Any = 1.0
        rest = rest if base is x else rest / (1 + base)
        for _ in range(order - 1):
            lower = 1 + base * lower
        return base**order, rest * lower
    power_of_x = raised(x, exponent)
    # Where little remains of 1, its logarithm is not needed, and may be infinite.
    large = power_of_x > 0.5
    logarithm = exponent * _log(x, where(large, rest, 0.0))
    return power_of_x, -_less_one(power_of_x, where(large, logarithm, -1.0))


def _log(x: Any, rest: Any) -> jax.Array:
    """Returns the logarithm of `1 - rest`, of which `x` is the rounded value.

    XLA's `log1p` of float64 loses 120 ulps below -0.29.
    """
    near = rest < 0.25
    nearby = where(near, 1.0, x)
    lost = fixed((1 - nearby) - where(near, 0.0, rest))
    far = jnp.log(nearby) + lost / fixed(nearby)
    return where(near, jnp.log1p(-where(near, rest, 0.0)), far)


def is_short(exponent: Scalar) -> bool:
    """Tells whether a power is known to be a few multiplications, and maybe a root."""
    return known(exponent) and 2 * exponent in range(1, 9)


def _root_of(x: Any, exponent: Scalar) -> tuple[Any, int]:
    """Writes a short power as a whole power of `x`, or of its root."""
    if exponent == round(exponent):
        return x, int(exponent)
    some = x > 0
    return where(some, jnp.sqrt(where(some, x, 1.0)), 0.0), int(2 * exponent)


def expm1(x: Any) -> jax.Array:
    """Returns `exp(x) - 1`, to 2 ulps: XLA's own is off by 5."""
    return _less_one(jnp.exp(x), x)


def _less_one(grown: Any, logarithm: Any) -> jax.Array:
    """Returns `grown - 1`, given its logarithm: near 1 the difference would cancel."""
    near = abs(logarithm) < 0.7
    x = where(near, logarithm, 0.0)
    return where(near, x * _growth(x), grown - 1)


def growth(x: Any) -> jax.Array:
    """Returns `(exp(x) - 1) / x`, which is smooth where `x` is 0."""
    near = abs(x) < 0.7
    far = where(near, 1.0, x)
    return where(near, _growth(where(near, x, 0.0)), (jnp.exp(far) - 1) / far)


def _growth(x: Any) -> jax.Array:
    """The same as a series, for `abs(x) < 0.7`."""
    total: Any = 1.0
    for order in range(9 if jnp.result_type(float) == np.float32 else 17, 0, -1):
        total = total * x * (1 / (order + 1)) + 1
    return total


def geometric_sum(ratio: Any, count: Any) -> jax.Array:
    """Returns `(ratio ** count - 1) / (ratio - 1)`, for `ratio > 0`.

    Of a whole count it is `1 + ratio + ... + ratio ** (count - 1)`. It is smooth where
    the ratio is 1: there, the binomial series serves.
    """
    excess = ratio - 1
    if known(excess) and excess == 0:
        return count
    if known(ratio, count):
        return _sum_on_host(ratio, count)
    near = abs(excess) * jnp.maximum(fixed(count), 1.0) < 0.125
    small, far = where(near, excess, 0.0), where(near, 1.0, excess)
    series = count * _binomial(small, count)
    raised = positive(ratio) ** count
    logarithm = count * jnp.log(positive(ratio))
    return where(near, series, _less_one(raised, logarithm) / far)


def _sum_on_host(ratio: float, count: float) -> Any:
    logarithm = count * math.log(ratio)
    if logarithm > 700:
        return math.inf
    steep = abs(logarithm) > 0.5
    return (ratio**count - 1 if steep else math.expm1(logarithm)) / (ratio - 1)


def _binomial(x: Any, count: Any) -> jax.Array:
    """Returns `((1 + x) ** count - 1) / (count x)`, for `count abs(x) < 1/8`."""
    total: Any = 1.0
    for order in range(8 if jnp.result_type(float) == np.float32 else 17, 0, -1):
        total = 1 + x * (count - order) * (1 / (order + 1)) * total
    return total


def lengths_before(ratio: Scalar, count: Any) -> jax.Array:
    """Returns `1 + ratio + ... + ratio ** (count - 1)`, of a whole count.

    It is exact if the powers are, as those of 2 and 3/2: for a steep ratio, the plain
    quotient has lost nothing.
    """
    total = geometric_sum(ratio, count)
    if known(ratio, count):
        return total
    step = fixed(ratio)
    steep = abs(step - 1) > 0.2
    plain_quotient = (where(steep, step, 2.0) ** count - 1) / where(
        steep, step - 1, 1.0
    )
    total_now = where(steep, plain_quotient, fixed(total))
    whole = step == nearest(step)
    return carried(where(whole, nearest(total_now), total_now), total)
