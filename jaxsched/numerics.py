"""The few numerical idioms that nodes share, each with its reason."""

import math
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from .types import Scalar


def as_time(step: ArrayLike) -> Any:
    """Readies a step count of any dtype and size for a compiled program.

    Whatever is on the host becomes float64 there, since a Python integer beyond
    2**31 would overflow on its way to a device.

    Raises:
        TypeError: If `step` is not real.
    """
    if isinstance(step, jax.Array):
        return step
    try:
        real = np.asarray(step, float)
    except (TypeError, ValueError):
        raise TypeError(
            f"A step must be a real number, or an array of them, got {step!r}."
        ) from None
    return real if real.ndim else float(real)


def as_float(x: ArrayLike) -> jax.Array:
    """Casts to the default float type, strongly typed.

    float32 holds every step up to 2**24 (16.8 million) exactly; with
    `jax_enable_x64` it is float64, exact up to 2**53.
    """
    return jnp.asarray(x).astype(jnp.result_type(float))


def clamp(t: Scalar, duration: Scalar) -> jax.Array:
    """Clips `t` to [0, duration], with slope 1 on both ends of that interval.

    `jnp.clip` has slope 1/2 where `t` equals a bound, and 1/4 where two are nested:
    the derivative at step 0 would depend on how deep a schedule is composed.
    """
    t = jnp.where(t > duration, duration, t)
    return jnp.where(t < 0, 0.0, t)


def progress(
    t: jax.Array, left: jax.Array, steps: Scalar
) -> tuple[jax.Array, jax.Array]:
    """Returns the fractions of `steps` that have passed and that remain.

    They are `t / steps` and `left / steps`, each accurate where it is small, and
    exactly 0 and 1 at the two ends: XLA may multiply by `1 / steps`, and
    `n * (1 / n)` is often 0.99999994. A transition of no steps is done.
    """
    # `where` differentiates both branches, so neither may divide by zero.
    safe = positive(steps)
    done = left <= 0
    passed = jnp.where(done, 1.0, t / safe)
    remaining = jnp.where(done, 0.0, jnp.where(t > 0, left / safe, 1.0))
    return passed, remaining


def positive(x: Scalar) -> jax.Array:
    """Returns `x` where it is positive, and else 1: a denominator that is safe."""
    safe: jax.Array = host(x).where(x > 0, x, 1.0)
    return safe


def at_least(bound: float, x: Scalar) -> Scalar:
    """Returns `x` where it is more than `bound`, and else that."""
    more: Scalar = host(x).where(x > bound, x, bound)
    return more


def scaled(length: Scalar, factor: Scalar) -> Scalar:
    """Returns `length * factor` of a length that may be infinite.

    Then the derivative is 0 instead of infinite, which would make gradients NaN of
    whatever does not depend on where the end is.
    """
    here = host(length, factor)
    finite = here.isfinite(length)
    product = here.where(finite, length, 0.0) * factor
    result: Scalar = here.where(finite, product, math.inf)
    return result


def periods(t: jax.Array, period: Scalar) -> tuple[jax.Array, jax.Array]:
    """Returns how many whole periods have passed at `t >= 0`, and the time since.

    The rounded quotient of a multiple of the period may fall short of the whole
    number, so the time since is what decides: a new period begins *at* its step. One
    that is no whole number is itself rounded, and so is where its multiples are.
    """
    safe = positive(period)
    rounding = float(np.finfo(t.dtype).eps) * t
    early = jnp.where(safe == jnp.round(safe), 0.0, rounding)
    count = jnp.floor(t / safe)
    since = t - count * safe
    later = jnp.where(since < -early, -1.0, 0.0)
    count = count + jnp.where(since >= safe - early, 1.0, later)
    since = t - count * safe
    return count, jnp.where(since < 0, 0.0, since)


def held(t: jax.Array, steps: Scalar) -> jax.Array:
    """Returns the latest multiple of `steps` until `t`."""
    count, _ = periods(t, steps)
    return count * positive(steps)


def power(base: Scalar, numerator: jax.Array, denominator: Scalar) -> jax.Array:
    """Returns `base ** (numerator / denominator)`, for `base > 0`.

    Rounding the quotient costs `log(base) / 2` ulps, 9 of them on the way from 1e-8
    to 1. So what it lost is computed, without further rounding, and put back.
    """
    base, denominator = positive(base), positive(denominator)
    quotient = numerator / denominator
    # Without rounding, nothing is lost: what is has no derivative.
    quotient_high, quotient_low = _halves(fixed(quotient))
    high, low = _halves(fixed(denominator))
    lost = fixed(numerator) - quotient_high * high
    lost = lost - quotient_high * low - quotient_low * high - quotient_low * low
    correction: jax.Array = jnp.log(fixed(base)) * (lost / fixed(denominator))
    return base**quotient * (1 + correction)


def _halves(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Splits `x` into two numbers of half its digits, whose products are exact."""
    kind: Any = np.finfo(x.dtype)
    high = lax.reduce_precision(
        x, exponent_bits=kind.nexp, mantissa_bits=kind.nmant // 2
    )
    return high, x - high


def powers(
    x: jax.Array, rest: jax.Array, exponent: Scalar
) -> tuple[jax.Array, jax.Array]:
    """Returns `x ** exponent` and `1 - x ** exponent`, given `x` and `rest = 1 - x`.

    Both keep their digits where they are small. The slope at `x = 0`, which may be
    infinite, is taken for 0, since `0 * inf` would make a gradient NaN.
    """
    raised = jnp.where(x > 0, positive(x) ** exponent, 0.0)
    large = raised > 0.5
    logarithm = exponent * jnp.log1p(-jnp.where(large, rest, 0.0))
    return raised, jnp.where(large, -expm1(logarithm), 1 - raised)


def expm1(x: jax.Array) -> jax.Array:
    """Returns `exp(x) - 1`, to 2 ulps: XLA's own is off by 6.

    Its series serves where the difference would cancel.
    """
    small = abs(x) < 1
    near = jnp.where(small, x, 0.0)
    series = jnp.ones_like(near)
    for order in range(18, 1, -1):
        series = 1 + near / order * series
    return jnp.where(small, near * series, jnp.exp(x) - 1)


def growth(x: Scalar) -> jax.Array:
    """Returns `(exp(x) - 1) / x`, which is smooth where `x` is 0."""
    here = host(x)
    small = here.abs(x) < 1e-2
    near = here.where(small, x, 0.0)
    far = here.where(small, 1.0, x)
    series = 1 + near / 2 * (1 + near / 3 * (1 + near / 4 * (1 + near / 5)))
    quotient: jax.Array = here.where(small, series, here.expm1(far) / far)
    return quotient


def geometric_sum(ratio: Scalar, count: Scalar) -> jax.Array:
    """Returns `1 + ratio + ... + ratio ** (count - 1)`, for `ratio > 0`.

    It is smooth where the ratio is 1. A whole ratio has a whole sum, which no rounding
    may take away from it, and one like 3/2 a sum that is exact.
    """
    here = host(ratio, count)
    rate = here.log(positive(ratio))
    smooth: jax.Array = count * growth(count * rate) / growth(rate)
    ratio = fixed(ratio)
    steep = here.where(ratio > 1.2, ratio, 2.0)
    exact = (steep**count - 1) / (steep - 1)
    exact = here.where(ratio == here.round(ratio), here.round(exact), exact)
    exact = here.where(ratio == 1, count, exact)
    better = (ratio > 1.2) | (ratio == 1)
    # The value is that of the plain quotient, the derivative that of the smooth one.
    total: jax.Array = smooth + here.where(better, exact - fixed(smooth), 0.0)
    return total


def fixed(x: Scalar) -> Any:
    """Returns `x` as a constant: its derivative is 0."""
    return lax.stop_gradient(x) if isinstance(x, jax.Array) else x


def host(*values: Scalar) -> ModuleType:
    """Returns `numpy` if all `values` are on the host, and else `jax.numpy`.

    What is computed from a schedule's hyperparameters then needs no device.
    """
    return jnp if any(isinstance(value, jax.Array) for value in values) else np
