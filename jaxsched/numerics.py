"""The few numerical idioms that nodes share, each with its reason."""

import functools
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from .types import Scalar, Vector


LATEST = 2.0**63
"""The latest step that a schedule without end distinguishes: it keeps `inf` finite."""


REAL_KINDS = (np.bool_, np.integer, np.floating)


# --- Numbers, on the host and on a device ------------------------------------------


def as_time(step: ArrayLike) -> Any:
    """Readies a step count of any dtype and size for a compiled program.

    Whatever is on the host becomes float64 there, since a Python integer beyond
    2**31 would overflow on its way to a device.

    Raises:
        TypeError: If `step` is not real.
    """
    if isinstance(step, jax.Array):
        return step
    if isinstance(step, float | int):
        return float(step)
    real = np.asarray(step)
    if real.dtype == object and all(isinstance(item, int) for item in real.flat):
        real = real.astype(float)
    if not any(jnp.issubdtype(real.dtype, kind) for kind in REAL_KINDS):
        raise TypeError(
            f"A step must be a real number, or an array of them, got {step!r}."
        )
    return real.astype(float) if real.ndim else float(real)


def as_float(x: ArrayLike | Vector) -> jax.Array:
    """Casts to the default float type, strongly typed.

    float32 holds every step up to 2**24 (16.8 million) exactly; with
    `jax_enable_x64` it is float64, exact up to 2**53.
    """
    dtype = jnp.result_type(float)
    if isinstance(x, jax.Array):
        return x.astype(dtype)
    # A conversion on a device would be a program of its own.
    return jnp.asarray(np.asarray(x, dtype))


def host(*values: Scalar) -> ModuleType:
    """Returns `numpy` if all `values` are on the host, and else `jax.numpy`.

    What is computed from a schedule's hyperparameters then needs no device.
    """
    return jnp if any(isinstance(value, jax.Array) for value in values) else np


def known(*values: Any) -> bool:
    """Tells whether all `values` are plain numbers, so that one may ask what they are.

    A formula may then be a shorter one, and what follows from them alone is computed
    in float64, before anything is traced.
    """
    return all(isinstance(value, float | int) for value in values)


def plain(x: Any) -> Any:
    """Returns a number of NumPy as one of Python, which takes the type of any array."""
    return x.item() if isinstance(x, np.generic) else x


class Steps(float):
    """A whole number of steps: a float that Python takes for an integer, too."""

    def __index__(self) -> int:
        return int(self)


def as_steps(x: Any) -> Any:
    """Returns a float that is whole as such, and anything else unchanged."""
    return Steps(x) if isinstance(x, float) and x.is_integer() else x


def in_steps(duration: Callable[[Any], Scalar]) -> Callable[[Any], Scalar]:
    """Makes what is whole a whole number, so that `range(lr.duration)` takes it."""

    @functools.wraps(duration)
    def whole(self: Any) -> Scalar:
        steps: Scalar = as_steps(duration(self))
        return steps

    return whole


def where(condition: Any, x: Any, y: Any) -> jax.Array:
    """Returns `x` where `condition` holds, and else `y`: one equation, or none."""
    if isinstance(condition, bool | np.bool_):
        return x if condition else y
    if host(condition, x, y) is np:
        return np.where(condition, x, y)
    dtype = jnp.result_type(float)
    shape = np.broadcast_shapes(np.shape(condition), np.shape(x), np.shape(y))
    cases = [
        value if isinstance(value, jax.Array) else np.asarray(value, dtype)
        for value in (y, x)
    ]
    if sharded(condition, x, y):
        return jnp.where(condition, cases[1], cases[0])
    if shape:
        cases = [jnp.broadcast_to(value, shape) for value in cases]
        condition = jnp.broadcast_to(condition, shape)
    return lax.select_n(condition, *cases)


def sharded(*values: Any) -> bool:
    """Tells whether an axis of any array is explicitly sharded over a mesh."""
    arrays = (value for value in values if isinstance(value, jax.Array))
    return any(any(jax.typeof(array).sharding.spec) for array in arrays)


def last(boundaries: Vector) -> Scalar:
    """Returns the last boundary, on the host if it is there."""
    final: Scalar = plain(boundaries[-1])
    return final


def entry(values: jax.Array, index: jax.Array) -> jax.Array:
    """Returns the values at indices that are all within."""
    placed = {"out_sharding": jax.typeof(index).sharding} if sharded(index) else {}
    return values.at[index].get(
        mode="promise_in_bounds", wrap_negative_indices=False, **placed
    )


def pieces_before(t: jax.Array, boundaries: Vector) -> jax.Array:
    """Counts the boundaries that `t` has reached.

    A handful that is known is compared one by one, and few are in one sum, both fused
    with what follows. Many are searched, so that memory is that of the steps and of
    the pieces, not of their product.
    """
    now = fixed(t)
    if isinstance(boundaries, np.ndarray) and len(boundaries) <= 8:
        known_steps: list[float] = boundaries.tolist()
        over = [(now >= boundary).astype(int) for boundary in known_steps]
        return functools.reduce(jnp.add, over)
    steps = as_float(boundaries)
    if steps.shape[-1] <= 32:
        reached = now[..., None] >= jnp.expand_dims(steps, range(now.ndim))
        return jnp.sum(reached, axis=-1)
    return jnp.searchsorted(steps, now, side="right", method="scan")


def longest(first: Any, second: Any) -> Scalar:
    """Returns the larger of two lengths, on the host if it is known."""
    if is_endless(first) or is_endless(second):
        return math.inf
    return max(first, second) if known(first, second) else jnp.maximum(first, second)


def positive(x: Scalar) -> jax.Array:
    """Returns `x` where it is positive, and else 1: a denominator that is safe."""
    return where(x > 0, x, 1.0)


def at_least(bound: float, x: Scalar) -> Scalar:
    """Returns `x` where it is more than `bound`, and else that."""
    more: Scalar = where(x < bound, bound, x)
    return more


# --- Derivatives -------------------------------------------------------------------


def fixed(x: Scalar) -> Any:
    """Returns `x` as a constant: its derivative is 0."""
    return lax.stop_gradient(x) if isinstance(x, jax.Array) else x


def carried(value: Any, along: Any) -> jax.Array:
    """Returns `value`, a constant, with the derivative of `along`.

    So a value may be computed as it is most exact, and still changes as it must.
    """
    return _carried(value, along) if isinstance(along, jax.Array) else value


@jax.custom_jvp
def _carried(value: Any, along: jax.Array) -> jax.Array:
    return value


_carried.defjvps(None, lambda rate, value, _value, _along: rate)


# --- Time --------------------------------------------------------------------------


def remaining(end: Any, now: jax.Array) -> jax.Array:
    """Returns the time until `end`, a constant as `now` is."""
    return end if is_endless(end) else fixed(end) - now


def is_endless(duration: Any) -> bool:
    """Tells whether a duration is known to be infinite."""
    return known(duration) and math.isinf(duration)


def progress(t: jax.Array, left: Scalar, steps: Scalar) -> tuple[jax.Array, jax.Array]:
    """Returns the fractions of `steps` that have passed and that remain.

    The smaller one is `t / steps` or `left / steps`, accurate where it is small and
    exactly 0 at its end, and the other one is the rest: they add up to 1, even if `t`
    and `left` have lost digits of their own. A transition of no steps is done.
    """
    late = left <= t
    rest = steps - t
    if not (known(steps) and steps > 0):
        # A transition of no steps has no slope, either.
        rest = where(steps > 0, rest, fixed(rest))
    safe = positive(steps)
    near = where(late, carried(left, rest) / safe, t / safe)
    far = 1 - near
    return where(late, far, near), where(late, near, far)


def elapsed(t: jax.Array, timescale: Scalar) -> jax.Array:
    """Returns `t / timescale`, at most 2**60, so that no derivative overflows."""
    if known(timescale) and timescale > 2.0**-60:
        return t / timescale
    safe = positive(timescale)
    within, long = t < 2.0**60 * safe, safe > 2.0**-60
    near = where(within, t, 0.0)
    # The square of a shorter one, by which a derivative is divided, may be 0.
    ratio = where(long, near / where(long, safe, 1.0), near / fixed(safe))
    return where(within, ratio, 2.0**60)


def quotient(t: Scalar, divisor: Scalar) -> jax.Array:
    """Returns `t / divisor`, a whole number where `t` is a multiple.

    XLA may multiply by `1 / divisor`, and would then fall short of it.
    """
    ratio: Any = t / divisor
    whole = nearest(fixed(ratio))
    exact = where(whole * fixed(divisor) == fixed(t), whole, fixed(ratio))
    result: jax.Array = carried(exact, ratio)
    return result


def periods(t: jax.Array, period: Scalar) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns how many whole periods are over at `t >= 0`, the time since, and left.

    A new period begins *at* its step. The nearest multiple of the period is exact
    where the period is whole, unlike the quotient, so it decides. A fractional period
    is rounded, so its multiples are inexact: within rounding, the period has begun.
    """
    safe = positive(period)
    count = nearest(t / safe)
    since = t - count * safe
    before, since, rest = whole_part(since, safe, safe, slack(t, period))
    return count - where(before, 1.0, 0.0), since, rest


def held(t: jax.Array, steps: Scalar) -> jax.Array:
    """Returns the latest multiple of `steps` until `t`."""
    safe = positive(steps)
    count = nearest(t / safe)
    before = t - count * safe < -slack(t, steps)
    return (count - where(before, 1.0, 0.0)) * safe


def nearest(x: Any) -> Any:
    """Returns the nearest whole number, a constant."""
    if known(x):
        return float(round(x)) if math.isfinite(x) else x
    return lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


def last_cycle(times: Scalar) -> tuple[jax.Array, jax.Array, Any]:
    """Returns the number of the last cycle, the part cut off, and if there is a last.

    Of cycles without end the number is that of the latest step.
    """
    ends: Any = times < LATEST
    times = where(ends, times, LATEST)
    whole = plain(host(times).ceil(times))
    return fixed(whole - 1), fixed(whole - times), ends


def next_multiple(length: Scalar, steps: Scalar) -> Scalar:
    """Returns the least multiple of `steps` that is no less than `length`."""
    if is_endless(length):
        return math.inf
    count = fixed(length) / fixed(positive(steps))
    here = host(count)
    whole = here.round(count)
    kind: Any = getattr(count, "dtype", float)
    exact = here.abs(whole - count) <= 4 * float(np.finfo(kind).eps) * whole
    return scaled(plain(where(exact, whole, here.ceil(count))), steps)


def whole_part(
    since: jax.Array, period: Scalar, period_before: Scalar, early: Scalar
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Steps back into the period before, where `since` is further than `early` from 0.

    Returns where it did, the time since the period began, at least 0, and the time
    left.
    """
    before = since < -early
    short = fixed(since)
    rest = where(before, -short, fixed(period) - short)
    since = where(before, since + period_before, since)
    return before, carried(jnp.maximum(fixed(since), 0.0), since), rest


def slack(t: jax.Array, period: Scalar) -> Any:
    """Returns how far the multiples of `period` are off at `t`: 0 if it is whole."""
    whole = fixed(period) == nearest(fixed(period))
    if known(period) and whole:
        return 0.0
    return where(whole, 0.0, 2 * float(np.finfo(t.dtype).eps) * fixed(t))


def mixed(first: Scalar, weight: Any, second: Scalar, other: Any) -> jax.Array:
    """Returns `first * weight + second * other`, of which known zeros are left out."""
    if known(first) and first == 0:
        return second * other
    if known(second) and second == 0:
        return first * weight
    return first * weight + second * other


def limited(left: Any, duration: Scalar) -> jax.Array:
    """Returns the time that is left, a constant, clipped to [0, duration]."""
    most = jnp.asarray(fixed(duration), left.dtype)
    if most.ndim and most.shape != left.shape:
        return jnp.clip(left, 0.0, most)
    return lax.clamp(jnp.zeros_like(most), left, most)


def scaled(length: Any, factor: Any) -> Scalar:
    """Returns `length * factor`, of numbers that may be infinite.

    For an infinite length the derivative is 0: an infinite one would make other
    gradients NaN.
    """
    if is_endless(length) or is_endless(factor):
        return math.inf
    if known(length, factor):
        return length * factor
    finite = abs(length) < math.inf
    return where(finite, where(finite, length, 0.0) * factor, math.inf)
