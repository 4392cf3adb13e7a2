"""Cycles: a schedule run again and again, each time as before, or scaled."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..domain import COUNT, POSITIVE, REAL
from ..errors import echoes
from ..numerics import host, periods, scaled
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
    """Runs `inner` again and again, each time longer and higher by a factor.

    The cycle that a step belongs to is found by bisection over the binary digits of
    its number. Lengths are added up exactly, as far as they are whole numbers, so a
    restart is at its step, where a logarithm would miss it; and 1 is no special case.
    """

    inner: Schedule = child()
    times: Scalar = hyper(COUNT, default=math.inf)
    period_multiplier: Scalar = hyper(POSITIVE, default=1.0)
    value_multiplier: Scalar = hyper(REAL, default=1.0)

    @property
    def duration(self) -> Scalar:
        here = host(self.times, self.period_multiplier, self.inner.duration)
        finite = here.isfinite(self.times)
        times = here.where(finite, self.times, 0.0)
        cycles, scale, _ = self._cycles(lambda count, _: count <= times)
        whole = here.floor(times)
        total = (cycles + (times - whole) * scale) * self.inner.duration
        duration: Scalar = here.where(finite, total, math.inf)
        return duration

    def evaluate(self, t: jax.Array, left: jax.Array) -> jax.Array:
        period = self.inner.duration
        last = jnp.ceil(self.times) - 1
        before, length, height = self._cycles(
            lambda count, total: (count <= last) & (total * period <= t)
        )
        since = t - before * period
        left = (before + length) * period - t
        value = self.inner.at(since / length, left / length)
        return value * height

    def _cycles(
        self, reached: Callable[[Any, Any], Any]
    ) -> tuple[Scalar, Scalar, Scalar]:
        """Finds the last cycle that is `reached`, given its number and its begin.

        Returns when it begins and how long it is, in units of the first period, and
        what it multiplies the values by.
        """
        here = host(self.period_multiplier, self.value_multiplier)
        length, height = self.period_multiplier, self.value_multiplier
        total: Any = 1.0
        doubled = []
        for _ in range(DIGITS):
            doubled.append((total, length, height))
            total = here.minimum(total * (1 + length), HUGE)
            length = here.minimum(length * length, HUGE)
            height = here.minimum(height * height, HUGE)

        count, before, length, height = 0.0, 0.0, 1.0, 1.0
        for digit in reversed(range(DIGITS)):
            total, longer, higher = doubled[digit]
            number, begin = count + 2.0**digit, before + length * total
            later = reached(number, begin)
            here = host(later)
            count = here.where(later, number, count)
            before = here.where(later, begin, before)
            length = here.where(later, here.minimum(length * longer, HUGE), length)
            height = here.where(later, here.minimum(height * higher, HUGE), height)
        return before, length, height


DIGITS = 24
"""As many cycles as a float32 counts: 2**24."""

HUGE = 1e18
"""Where lengths and values stop growing: their products are still finite."""


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
