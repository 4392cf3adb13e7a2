"""Cycles: a schedule run again and again, each time as before, or scaled."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from ..domain import COUNT, POSITIVE, REAL
from ..errors import echoes
from ..numerics import fixed, geometric_sum, host, periods, positive, scaled
from ..schedule import Schedule, ScheduleLike, as_schedule, require_end
from ..tree import child, hyper
from ..types import Scalar


__all__ = ["Repeat", "ScaledRepeat", "repeat"]


class Repeat(Schedule):
    """Runs `inner` `times` times in a row, and then holds its final value."""

    inner: Schedule = child()
    times: Scalar = hyper(COUNT, default=math.inf)

    @property
    def duration(self) -> Scalar:
        return scaled(self.times, self.inner.duration)

    def evaluate(self, t: jax.Array, left: jax.Array) -> jax.Array:
        period = self.inner.duration
        cycle, _ = periods(t, period)
        # At the very end, stay in the last cycle instead of starting another one.
        cycle = jnp.minimum(cycle, jnp.ceil(self.times) - 1)
        return self.inner.at(t - cycle * period)


class ScaledRepeat(Schedule):
    """Runs `inner` again and again, each time longer and higher by a factor."""

    inner: Schedule = child()
    times: Scalar = hyper(COUNT, default=math.inf)
    period_multiplier: Scalar = hyper(POSITIVE, default=1.0)
    value_multiplier: Scalar = hyper(REAL, default=1.0)

    @property
    def duration(self) -> Scalar:
        here = host(self.times, self.period_multiplier)
        finite = here.isfinite(self.times)
        times = here.where(finite, self.times, 0.0)
        whole = here.floor(times)
        last = (times - whole) * self.period_multiplier**whole
        cycles = geometric_sum(self.period_multiplier, whole) + last
        return scaled(here.where(finite, cycles, math.inf), self.inner.duration)

    def evaluate(self, t: jax.Array, left: jax.Array) -> jax.Array:
        period, ratio = self.inner.duration, self.period_multiplier
        cycle = jnp.minimum(self._cycle(t), jnp.ceil(self.times) - 1)
        begin = geometric_sum(ratio, cycle) * period
        length = positive(ratio) ** cycle
        since = t - begin
        value = self.inner.at(since / length, (length * period - since) / length)
        return value * self.value_multiplier**cycle

    def _cycle(self, t: jax.Array) -> jax.Array:
        """Returns how many cycles are over at time `t`.

        The logarithm that solves for it may be off by one at a restart, so that the
        cycles around it are compared with the time itself; where lengths are not
        whole, as far as rounding lets them.
        """
        t, period = fixed(t), fixed(self.inner.duration)
        ratio = fixed(positive(self.period_multiplier))
        grown = jnp.log(positive(1 + t / positive(period) * (ratio - 1)))
        rate = jnp.where(ratio == 1, 1.0, jnp.log(ratio))
        guess = jnp.where(ratio == 1, t / positive(period), grown / rate)
        lower = jnp.clip(jnp.floor(guess) - 1, 0.0, MOST_CYCLES)
        rounding = jnp.where(
            ratio == jnp.round(ratio), 0.0, 8 * float(np.finfo(t.dtype).eps)
        )
        later = jnp.stack([lower + 1, lower + 2, lower + 3])
        begun = geometric_sum(ratio, later) * period <= (t * (1 + rounding))[None]
        return lower + jnp.sum(begun, axis=0, dtype=t.dtype)


MOST_CYCLES = 2.0**24
"""As many as a float32 counts."""


@echoes
def repeat(
    schedule: ScheduleLike,
    times: Scalar = math.inf,
    *,
    period_multiplier: Scalar | None = None,
    value_multiplier: Scalar | None = None,
) -> Repeat | ScaledRepeat:
    """Runs a schedule again and again.

    Args:
        schedule: One cycle; it must have an end.
        times: How many cycles, positive; without end if not given. A fraction cuts
            the last one off.
        period_multiplier: How many times as long as the one before each cycle is,
            positive; they are equally long if not given.
        value_multiplier: How many times as high as the one before each cycle is;
            they are equally high if not given.

    Returns:
        A schedule of all the cycles. A new one begins *at* its step, and only the
        last one reaches its end. Thousands of cycles cost what one does.

    Raises:
        ValueError: If the schedule has no end, or `times` or `period_multiplier` is
            not positive.

    Example:
        >>> from jaxsched import linear, repeat
        >>> lr = repeat(linear(1.0, 0.0, steps=2), 2, period_multiplier=2)
        >>> [float(lr(step)) for step in range(7)]
        [1.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    cycle = require_end(as_schedule(schedule), "Nothing can repeat")
    if period_multiplier is None and value_multiplier is None:
        return Repeat(cycle, times)
    longer = 1.0 if period_multiplier is None else period_multiplier
    higher = 1.0 if value_multiplier is None else value_multiplier
    return ScaledRepeat(cycle, times, longer, higher)
