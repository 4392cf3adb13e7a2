"""Warm restarts whose cycles grow, while the warmup in each of them does not."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..curves import Cosine, Curve
from ..domain import COUNT, NONNEGATIVE, POSITIVE
from ..numerics import (
    carried,
    fixed,
    host,
    is_endless,
    known,
    last_cycle,
    limited,
    mixed,
    nearest,
    plain,
    positive,
    progress,
    remaining,
    scaled,
    where,
)
from ..powers import lengths_before, limited_power
from ..schedule import Schedule
from ..tree import child, hyper
from ..types import Scalar


__all__ = ["WarmRestarts"]

DOUBLINGS = 24
"""There are fewer than 2**24 cycles: as many as a float32 counts."""
MOST_GROWN = 80.0
"""The logarithm of a number of which a float32 can still hold a sum."""
SHORTEST = 1e-15
"""A decay of fewer steps than that is none: shrinking ones become as short."""


class WarmRestarts(Schedule):
    """Rises to `peak` within `warmup_steps`, decays to `end`, and starts anew.

    In cycle c the decay takes `decay_steps * period_multiplier**c` steps, and the peak
    is `peak_multiplier**c` times as far from `end`. The warmup is always the same.

    So cycle c begins at `c * warmup_steps + decay_steps * (m**c - 1) / (m - 1)`, with m
    for `period_multiplier`. Two unlike terms in c: no formula solves it for the cycle
    of a time. As it increases with c, bisection does, in as many rounds for any length.
    """

    peak: Scalar = hyper()
    decay_steps: Scalar = hyper(NONNEGATIVE)
    warmup_steps: Scalar = hyper(NONNEGATIVE, default=0.0)
    period_multiplier: Scalar = hyper(POSITIVE, default=1.0)
    peak_multiplier: Scalar = hyper(NONNEGATIVE, default=1.0)
    start: Scalar = hyper(default=0.0)
    end: Scalar = hyper(default=0.0)
    times: Scalar = hyper(COUNT, default=math.inf)
    curve: Curve = child(default_factory=Cosine)

    @property
    def duration(self) -> Scalar:
        if is_endless(self.times):
            return math.inf
        times = where(self.times < math.inf, self.times, 0.0)
        whole = plain(host(times).floor(times))
        growth = self._growth(whole)
        decays = lengths_before(growth, whole) + (times - whole) * growth**whole
        length = times * self.warmup_steps + scaled(self.decay_steps, decays)
        end: Scalar = plain(where(self.times < math.inf, length, math.inf))
        return end

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        last, cut, _ = last_cycle(self.times)
        count = jnp.minimum(self._cycle(fixed(t)), last)
        since = t - self._begin(count)
        since = carried(jnp.maximum(fixed(since), 0.0), since)
        length = self.decay_steps * self._growth(count) ** count
        # The square of a shorter one, by which a derivative is divided, may be 0.
        length = where(length < SHORTEST, 0.0, length)
        # The last cycle knows better how long it lasts.
        whole = fixed(self.warmup_steps + length)
        rest = where(count >= last, left + cut * whole, whole - fixed(since))

        scale = limited_power(self.peak_multiplier, count)
        peak = self.peak * scale + self.end * (1 - scale)
        rising = remaining(self.warmup_steps, fixed(since))
        risen = where(rising > 0, since, self.warmup_steps)
        way = progress(risen, limited(rising, self.warmup_steps), self.warmup_steps)
        rate = mixed(self.start, way[1], peak, way[0])
        fallen = where(rising > 0, 0.0, since - self.warmup_steps)
        fallen = where(rest <= 0, length, fallen)
        way = self.curve(*progress(fallen, limited(rest, length), length))
        return where(rising > 0, rate, mixed(peak, way[1], self.end, way[0]))

    def _begin(self, count: Any) -> Any:
        """Returns the step at which a cycle begins."""
        decays = lengths_before(self._growth(count), count)
        return count * self.warmup_steps + self.decay_steps * decays

    def _growth(self, count: Any) -> Any:
        """Returns `period_multiplier`, or 1 where a decay of no steps grows too much.

        What it would be times 0 must be a number.
        """
        growth = positive(self.period_multiplier)
        if known(self.decay_steps) and self.decay_steps > 0:
            return growth
        grown = host(growth, count).log(growth) * count
        return where((self.decay_steps > 0) | (grown < MOST_GROWN), growth, 1.0)

    def _cycle(self, now: jax.Array) -> jax.Array:
        """Returns how many cycles are over."""
        constant: WarmRestarts = jax.tree.map(fixed, self)
        whole: Any = True
        for number in (self.warmup_steps, self.decay_steps, self.period_multiplier):
            whole = whole & (fixed(number) == nearest(fixed(number)))
        # Where lengths are not whole, restarts are as far as rounding lets them.
        reached = now * (1 + where(whole, 0.0, 8 * float(np.finfo(now.dtype).eps)))

        def halve(_: int, bracket: tuple[jax.Array, jax.Array]) -> tuple[Any, Any]:
            over, half = bracket
            begun = constant._begin(over + half) <= reached
            return where(begun, over + half, over), half / 2

        first = jnp.zeros_like(reached), jnp.full_like(reached, 2.0 ** (DOUBLINGS - 1))
        over: jax.Array
        over, _ = lax.fori_loop(0, DOUBLINGS, halve, first)
        return over
