"""Cycles: a schedule run again and again, each time as before, or scaled."""

import math
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ..domain import COUNT, MULTIPLIER, POSITIVE
from ..errors import echoes
from ..numerics import (
    LATEST,
    as_float,
    carried,
    elapsed,
    entry,
    fixed,
    host,
    is_endless,
    known,
    last_cycle,
    nearest,
    periods,
    pieces_before,
    plain,
    positive,
    scaled,
    slack,
    where,
    whole_part,
)
from ..powers import lengths_before, limited_power
from ..schedule import Schedule, ScheduleLike, as_schedule, require_end
from ..tree import child, hyper
from ..types import Scalar


__all__ = ["Repeat", "ScaledRepeat", "repeat"]


class Repeat(Schedule):
    """Runs `inner` `times` times in a row, and then holds its final value."""

    inner: Schedule = child()
    times: Scalar = hyper(COUNT, default=math.inf)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_end(self.inner, "Nothing can repeat")

    @property
    def duration(self) -> Scalar:
        return scaled(self.times, self.inner.duration)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        _, since, rest = _cycle(t, left, self.inner.duration, self.times)
        return self.inner.inside(since, rest)


class ScaledRepeat(Schedule):
    """Runs `inner` again and again, each time longer and higher by a factor."""

    inner: Schedule = child()
    times: Scalar = hyper(COUNT, default=math.inf)
    period_multiplier: Scalar = hyper(POSITIVE, default=1.0)
    value_multiplier: Scalar = hyper(MULTIPLIER, default=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_end(self.inner, "Nothing can repeat")
        ratio: Any = self.period_multiplier
        multiplier: Any = self.value_multiplier
        unlimited = is_endless(self.times) and known(ratio, multiplier) and ratio < 1
        if unlimited and (abs(multiplier) > 1 or multiplier == -1):
            raise ValueError(
                "`ScaledRepeat.value_multiplier` must be above -1 and at most 1 where "
                "periods shrink without end, for cycles of ever more height have no "
                f"limit; got {multiplier!r}. `times` gives them an end."
            )

    @property
    def duration(self) -> Scalar:
        ratio = self.period_multiplier
        if is_endless(self.times) and known(ratio):
            cycles = 1 / (1 - ratio) if ratio < 1 else math.inf
            return scaled(self.inner.duration, cycles)
        # More cycles than have a length that is a float are endless.
        ratio = positive(ratio)
        ends = self.times <= _most_cycles(ratio)
        times = where(ends, self.times, 1.0)
        last, _, _ = last_cycle(times)
        cycles = lengths_before(ratio, last) + (times - last) * ratio**last
        shrinking = ratio < 1
        limit = where(shrinking, 1 / where(shrinking, 1 - ratio, 1.0), math.inf)
        return scaled(where(ends, cycles, limit), self.inner.duration)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        ratio, period = positive(self.period_multiplier), self.inner.duration
        if known(ratio) and ratio == 1:
            count, since, rest = _cycle(t, left, period, self.times)
        else:
            count, since, rest = _scaled_cycle(t, left, period, self.times, ratio)
        multiplier: Any = self.value_multiplier
        if is_endless(self.times) and not (known(multiplier) and abs(multiplier) <= 1):
            # What has grown so long changes with its period by more than a float.
            since = where(t < LATEST, since, fixed(since))
        value = self.inner.inside(since, rest)
        if known(multiplier) and multiplier == 1:
            return value
        return value * limited_power(multiplier, count)


Cycle: TypeAlias = tuple[jax.Array, jax.Array, jax.Array]
"""The number of a cycle, from 0, the time since it began, and the time left of it.

Both times are on the clock of the first cycle.
"""


def _cycle(t: jax.Array, left: Scalar, period: Scalar, times: Scalar) -> Cycle:
    """The cycle at time `t`, when all are equally long.

    Cycles of no steps are all over, or never go on if there are ever more of them.
    """
    count, since, rest = periods(t, period)
    goes_on: Any = period > 0
    if is_endless(times):
        return where(goes_on, count, 0.0), where(goes_on, since, 0.0), rest
    last, cut, ends = last_cycle(times)
    count = where(goes_on, count, where(ends, last, 0.0))
    final = count >= last
    since = where(goes_on, where(final, t - last * period, since), 0.0)
    return (
        jnp.minimum(count, last),
        since,
        where(final, _with_cut(left, cut, period), rest),
    )


def _with_cut(left: Any, cut: Any, length: Any) -> Any:
    """What is left of the last cycle, with the part of its length that is cut off."""
    return left if known(cut) and cut == 0 else left + cut * length


def _scaled_cycle(
    t: jax.Array, left: Scalar, period: Any, times: Scalar, ratio: Any
) -> Cycle:
    """The cycle at time `t`, when each is `ratio` times as long as the one before.

    The logarithm that solves for its number may be off by one at a restart, so the
    time itself decides.
    """
    last, cut, ends = last_cycle(times)
    goes_on: Any = period > 0
    most: Any = plain(host(ratio, last).minimum(_most_cycles(ratio), last))
    if known(ratio, period, times) and _reached(ratio, period, most) <= MOST_LISTED:
        count, since, rest, length = _listed(t, period, most, ratio)
    else:
        count, since, rest, length = _solved(t, period, most, ratio)
    count = where(goes_on, count, where(ends, last, 0.0))
    since = where(goes_on, since / length, 0.0)
    grows = known(ratio) and ratio > 1
    if not (is_endless(times) and grows):
        # If they shrink without end, all of them are over at the end.
        over: Any = left <= 0
        final = count >= last if grows else (count >= last) | over
        count = where(final, last, count)
        rest = where(final, _with_cut(left, cut, fixed(length * period)), rest)
        if is_endless(times):
            # Rounding, divided by the length of the last of ever shorter cycles, is
            # no slope.
            since = where(over, period, since)
    return count, since, rest / fixed(length)


MOST_LISTED = 64
"""To compare a time with so many restarts is faster than to solve for the cycle."""


def _listed(
    t: jax.Array, period: float, most: float, ratio: float
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The cycle at time `t`, and its length, from a list of all restarts."""
    numbers = np.arange(_reached(ratio, period, most) + 1.0)
    begins = period * np.array([lengths_before(ratio, count) for count in numbers])
    whole = ratio == round(ratio) and period == round(period)
    early = 0.0 if whole else 6 * float(np.finfo(t.dtype).eps) * begins
    index = pieces_before(t, begins - early) - 1
    since = t - entry(as_float(begins), index)
    length = entry(as_float(ratio**numbers), index)
    rest = length * period - fixed(since)
    return as_float(index), carried(jnp.maximum(fixed(since), 0.0), since), rest, length


def _solved(
    t: jax.Array, period: Scalar, most: Scalar, ratio: Scalar
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The same by a logarithm, which may be off by one at a restart.

    So the time itself decides.
    """
    now, step = fixed(t), fixed(ratio)
    rate = jnp.log1p(step - 1)
    nearly_all = -1 + float(np.finfo(t.dtype).eps)
    cycles = elapsed(now, fixed(period))
    grown = jnp.log1p(jnp.maximum(cycles * (step - 1), nearly_all))
    guess = where(rate == 0, cycles, grown / where(rate == 0, 1.0, rate))
    count = jnp.clip(nearest(guess), 0.0, most)
    length, length_before = ratio**count, ratio ** jnp.maximum(count - 1, 0.0)
    rounding = 6 * float(np.finfo(t.dtype).eps) * now
    before, since, rest = whole_part(
        t - lengths_before(ratio, count) * period,
        length * period,
        length_before * period,
        where(step == nearest(step), slack(now, period), rounding),
    )
    count = count - where(before, 1.0, 0.0)
    return count, since, rest, where(before, length_before, length)


def _reached(ratio: float, period: float, most: float) -> float:
    """Returns how many cycles, of at most so many, begin before the latest step."""
    if ratio <= 1:
        return most
    latest = math.log1p(LATEST * (ratio - 1) / max(period, 1e-30)) / math.log(ratio)
    return min(most, math.ceil(latest))


def _most_cycles(ratio: Scalar) -> Any:
    """Returns how many cycles have a length that is a float."""
    here = host(ratio)
    rate = here.abs(here.log1p(fixed(ratio) - 1))
    return plain(here.floor(80 / here.maximum(rate, 1e-30)))


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
            they are equally high if not given. None is more than 6e17 times as high
            as the first.

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
    cycle = as_schedule(schedule)
    if period_multiplier is None and value_multiplier is None:
        return Repeat(cycle, times)
    longer = 1.0 if period_multiplier is None else period_multiplier
    higher = 1.0 if value_multiplier is None else value_multiplier
    return ScaledRepeat(cycle, times, longer, higher)
