"""What every part of the library means, to 50 digits: a second opinion.

It is written from the documentation, and shares no code and no idea with the library:
one clock, no care for rounding, and a sum over cycles where the library has a formula.
A `Meaning` is a function on [0, duration]. A `Word` is a public name: how to draw
arguments for it, the call, and what the call means. An `Expression` is a tree of words.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import numpy as np
from mpmath import MPContext

import jaxsched as js
from jaxsched import curves


mp = MPContext()
mp.dps = 50
Real = Any
ZERO, ONE, INFINITY = mp.mpf(0), mp.mpf(1), mp.inf
LATEST = mp.mpf(2) ** 63
"""A schedule without end has at infinity the value that it has at this step."""


class Meaning(NamedTuple):
    """A function on [0, duration], constant outside, and where it may have a seam."""

    duration: Real
    inside: Callable[[Real], Real]
    seams: tuple[Real, ...] = ()

    def __call__(self, t: Real) -> Real:
        return self.inside(min(max(t, ZERO), self.duration, LATEST))


Curve = Callable[[Real], Real]
"""The weight of the end, as a function of the part of the way that has passed."""


# --- Curves ------------------------------------------------------------------------


def logistic(x: Real) -> Real:
    return 1 / (1 + mp.exp(-x))


def from_to(function: Curve, low: Real, high: Real) -> Curve:
    """The part of a function from `low` to `high`, scaled; straight if it is none."""
    if low == high:
        return lambda u: u
    first, last = function(low), function(high)
    return lambda u: (function(low + (high - low) * u) - first) / (last - first)


def exponential_curve(ratio: Real, curve: Curve) -> Curve:
    if ratio == 1:
        return curve
    return lambda u: (1 - ratio ** curve(u)) / (1 - ratio)


def mirrored(curve: Curve) -> Curve:
    return lambda u: curve(2 * u) / 2 if u < 0.5 else 1 - curve(2 * (1 - u)) / 2


def hyperbolic_curve(ratio: Real) -> Curve:
    return lambda u: 1 - mp.sqrt((1 - u) * (2 - ratio * (1 + u)) / (2 - ratio))


def rex_curve(beta: Real) -> Curve:
    return lambda u: 1 - (1 - u) / (beta + (1 - beta) * (1 - u))


def linear_curve(u: Real) -> Real:
    return u


def cosine_curve(u: Real) -> Real:
    return (1 - mp.cos(mp.pi * u)) / 2


# --- Leaves ------------------------------------------------------------------------


def grown(factor: Real, count: Real) -> Real:
    """A power, which stops before it is `exp(41)`-fold."""
    size = abs(factor)
    return factor ** (min(count, mp.floor(41 / mp.log(size))) if size > 1 else count)


def constant(value: Real, steps: Real = ZERO) -> Meaning:
    return Meaning(steps, lambda t: value, (steps,))


def endless(law: Curve, seams: tuple[Real, ...] = ()) -> Meaning:
    return Meaning(INFINITY, law, seams)


def ramp(start: Real, end: Real, steps: Real, curve: Curve = linear_curve) -> Meaning:
    def inside(t: Real) -> Real:
        return end if t == steps else start + (end - start) * curve(t / steps)

    return Meaning(steps, inside, (steps,))


def geometric(start: Real, end: Real, steps: Real) -> Meaning:
    def inside(t: Real) -> Real:
        return end if t == steps else start * (end / start) ** (t / steps)

    return Meaning(steps, inside, (steps,))


def stairs(law: Curve, every: Real) -> Meaning:
    """A law that is held between the multiples of `every`."""
    seams = tuple(every * count for count in range(1, 5))
    return endless(lambda t: law(mp.floor(t / every) * every), seams)


def jumps(boundaries: list[Real], values: list[Real]) -> Meaning:
    def inside(t: Real) -> Real:
        return values[sum(t >= boundary for boundary in boundaries)]

    return Meaning(boundaries[-1], inside, tuple(boundaries))


def points(steps: list[Real], values: list[Real], curve: Curve) -> Meaning:
    def inside(t: Real) -> Real:
        if t <= steps[0]:
            return values[0]
        after = next(place for place, step in enumerate(steps) if t <= step)
        before, width = after - 1, steps[after] - steps[after - 1]
        way = curve((t - steps[before]) / width)
        return values[before] + (values[after] - values[before]) * way

    return Meaning(steps[-1], inside, tuple(steps))


def smooth_points(steps: list[Real], values: list[Real]) -> Meaning:
    """The interpolant of Fritsch & Butland, as a cubic of Hermite in each piece."""
    slopes = pchip_slopes(steps, values)

    def inside(t: Real) -> Real:
        if t <= steps[0]:
            return values[0]
        after = next(place for place, step in enumerate(steps) if t <= step)
        before, width = after - 1, steps[after] - steps[after - 1]
        u = (t - steps[before]) / width
        return (
            (2 * u**3 - 3 * u**2 + 1) * values[before]
            + (3 * u**2 - 2 * u**3) * values[after]
            + width * (u**3 - 2 * u**2 + u) * slopes[before]
            + width * (u**3 - u**2) * slopes[after]
        )

    return Meaning(steps[-1], inside, tuple(steps))


def pchip_slopes(steps: list[Real], values: list[Real]) -> list[Real]:
    if len(steps) == 1:
        return [ZERO]
    widths = [b - a for a, b in itertools.pairwise(steps)]
    rises = [b - a for a, b in itertools.pairwise(values)]
    chords = [rise / width for rise, width in zip(rises, widths, strict=True)]
    if len(chords) == 1:
        return [chords[0], chords[0]]
    slopes = [edge_slope(widths[:2], chords[:2])]
    for place in range(1, len(chords)):
        (left, right), (h, k) = chords[place - 1 : place + 1], widths[place - 1 :][:2]
        if left * right <= 0:
            slopes.append(ZERO)
        else:
            slopes.append(3 * (h + k) / ((2 * k + h) / left + (k + 2 * h) / right))
    return [*slopes, edge_slope(widths[:-3:-1], chords[:-3:-1])]


def edge_slope(widths: list[Real], chords: list[Real]) -> Real:
    (h, k), (first, second) = widths, chords
    slope = ((2 * h + k) * first - h * second) / (h + k)
    if mp.sign(slope) != mp.sign(first):
        return ZERO
    steep = mp.sign(first) != mp.sign(second) and abs(slope) > 3 * abs(first)
    return 3 * first if steep else slope


def silver_law(scale: Real) -> Curve:
    def law(t: Real) -> Real:
        number = int(mp.floor(t)) + 1
        twos = (number & -number).bit_length() - 1
        return scale * (1 + (1 + mp.sqrt(2)) ** (twos - 1))

    return law


def chebyshev(low: Real, high: Real, total: Real, fractal: bool) -> Meaning:
    count = int(total)
    order = [0] if fractal else list(range(count))
    while len(order) < count:
        last = 2 * len(order) - 1
        order = [node for place in order for node in (place, last - place)]

    def inside(t: Real) -> Real:
        node = order[min(int(mp.floor(t)), count - 1)]
        angle = mp.pi * (2 * node + 1) / (2 * count)
        return 1 / ((high + low) / 2 - (high - low) / 2 * mp.cos(angle))

    return Meaning(total, inside, tuple(mp.mpf(step) for step in range(1, count + 1)))


def rectification(rate: Real) -> Curve:
    """Liu et al., 2020: the variance of the adaptive rate, after t + 1 updates."""
    infinite = 2 / rate - 1

    def law(t: Real) -> Real:
        updates, beta2 = t + 1, 1 - rate
        kept = beta2**updates
        length = infinite - 2 * updates * kept / (1 - kept)
        if length <= 4:
            return ZERO
        more = (length - 4) * (length - 2) * infinite
        return mp.sqrt(more / ((infinite - 4) * (infinite - 2) * length))

    return law


# --- Algebra -----------------------------------------------------------------------


def chain(*parts: Meaning) -> Meaning:
    begins = [
        sum((part.duration for part in parts[:i]), ZERO) for i in range(len(parts))
    ]

    def inside(t: Real) -> Real:
        on = max(place for place, begin in enumerate(begins) if t >= begin)
        return parts[on](t - begins[on])

    pairs = zip(begins, parts, strict=True)
    seams = [begin + seam for begin, part in pairs for seam in (ZERO, *part.seams)]
    return Meaning(begins[-1] + parts[-1].duration, inside, tuple(seams))


def together(combine: Callable[..., Real], *parts: Meaning) -> Meaning:
    seams = tuple(seam for part in parts for seam in (*part.seams, part.duration))
    duration = max(part.duration for part in parts)
    return Meaning(duration, lambda t: combine(*(part(t) for part in parts)), seams)


def transformed(inner: Meaning, value: Callable[[Real], Real]) -> Meaning:
    return inner._replace(inside=lambda t: value(inner(t)))


# --- Time --------------------------------------------------------------------------


def in_time(inner: Meaning, duration: Real, then: Curve, now: Curve) -> Meaning:
    """Another clock: `then` tells the inner time, and `now` the outer one."""
    seams = tuple(now(seam) for seam in (ZERO, *inner.seams) if now(seam) >= 0)
    return Meaning(duration, lambda t: inner(then(t)), (*seams, duration))


def delay(inner: Meaning, steps: Real) -> Meaning:
    end = inner.duration + steps
    return in_time(inner, end, lambda t: t - steps, lambda t: t + steps)


def shift(inner: Meaning, steps: Real, *, shorter: bool = True) -> Meaning:
    end = max(inner.duration - steps, ZERO) if shorter else inner.duration
    return in_time(inner, end, lambda t: t + steps, lambda t: t - steps)


def until(inner: Meaning, steps: Real) -> Meaning:
    return in_time(inner, steps, lambda t: t, lambda t: t)


def stretch(inner: Meaning, factor: Real) -> Meaning:
    end = inner.duration * factor
    return in_time(inner, end, lambda t: t / factor, lambda t: t * factor)


def on_clock(inner: Meaning, steps: list[Real], amounts: list[Real]) -> Meaning:
    begins = [ZERO, *map(mp.mpf, steps)]
    pieces = [*zip(begins, [*begins[1:], INFINITY], amounts, strict=True)]

    def shown(t: Real) -> Real:
        return sum(
            (min(t, until) - begin) * a for begin, until, a in pieces if t > begin
        )

    def when(amount: Real) -> Real:
        begun = [piece for piece in pieces if amount >= shown(piece[0])]
        begin, _, each = (begun or pieces)[-1 if begun else 0]
        return begin + (amount - shown(begin)) / each

    end = INFINITY if mp.isinf(inner.duration) else when(inner.duration)
    clocked = in_time(inner, end, shown, when)
    return clocked._replace(seams=(*clocked.seams, *begins))


def reverse(inner: Meaning) -> Meaning:
    end = inner.duration
    return in_time(inner, end, lambda t: end - t, lambda t: end - t)


def staircase(inner: Meaning, every: Real) -> Meaning:
    end = (
        inner.duration
        if mp.isinf(inner.duration)
        else (mp.ceil(inner.duration / every) * every)
    )
    seams = tuple(every * count for count in range(1, 5))
    at = lambda t: inner(mp.floor(t / every) * every)  # noqa: E731
    return Meaning(end, at, (*seams, end))


def repeat(
    inner: Meaning, times: Real, longer: Real = ONE, higher: Real = ONE
) -> Meaning:
    """Each cycle by itself, one after another."""
    period = inner.duration
    if mp.isinf(times):
        duration = period / (1 - longer) if longer < 1 else INFINITY
    else:
        whole = int(mp.floor(times))
        duration = sum((period * longer**i for i in range(whole)), ZERO)
        duration += (times - whole) * period * longer**whole

    def inside(t: Real) -> Real:
        cycle, begin = cycle_of(t, period, longer, times)
        if cycle is None:
            return ZERO if higher != 1 else inner(period)
        return grown(higher, cycle) * inner((t - begin) / longer**cycle)

    # Where they shrink, more and more restarts are nearer than rounding.
    begins, cycles = [], min(times, 4 if longer >= 1 else 60)
    for cycle in range(int(mp.ceil(cycles))):
        begins.append(sum((period * longer**i for i in range(cycle)), ZERO))
    seams = [
        begin + seam * longer**cycle
        for cycle, begin in enumerate(begins)
        for seam in ((ZERO, *inner.seams) if cycle < 4 else (ZERO,))
    ]
    return Meaning(duration, inside, (*seams, duration))


def cycle_of(t: Real, period: Real, longer: Real, times: Real) -> tuple[Any, Real]:
    """The number of the cycle at a time, and its beginning; none if all are over."""
    last = mp.ceil(times) - 1
    if period == 0:
        if mp.isinf(last):
            return (None if longer < 1 else ZERO), ZERO
        return last, ZERO
    if longer == 1:
        cycle = min(mp.floor(t / period), last)
        return cycle, cycle * period
    if longer < 1 and mp.isinf(last) and t >= period / (1 - longer):
        return None, ZERO
    cycle, begin, length = 0, ZERO, period
    while cycle < last and begin + length <= t:
        begin, length, cycle = begin + length, length * longer, cycle + 1
        if cycle > 400:
            return None, begin
    return cycle, begin


# --- Phases ------------------------------------------------------------------------


def warmup(
    inner: Meaning, steps: Real, start: Real, curve: Curve, join: str
) -> Meaning:
    prefix = join == "prefix"
    later = delay(inner, steps) if prefix else inner

    def inside(t: Real) -> Real:
        if t >= steps:
            return later(t)
        aim = {"prefix": ZERO, "overlay": steps, "multiply": t}[join]
        return start + (inner(aim) - start) * curve(t / steps)

    return Meaning(max(steps, later.duration), inside, (steps, *later.seams))


def cooldown(
    inner: Meaning, at: Real, steps: Real, end: Real, curve: Curve, join: str
) -> Meaning:
    def inside(t: Real) -> Real:
        if t < at:
            return inner(t)
        if t == at + steps:
            return end
        value = inner(at if join == "hold" else t)
        return value + (end - value) * curve((t - at) / steps)

    seams = tuple(seam for seam in inner.seams if seam < at)
    return Meaning(at + steps, inside, (*seams, at, at + steps))


def switch(parts: list[Meaning], boundaries: list[Real]) -> Meaning:
    def inside(t: Real) -> Real:
        return parts[sum(t >= boundary for boundary in boundaries)](t)

    seams = tuple(seam for part in parts for seam in part.seams)
    duration = max(boundaries[-1], parts[-1].duration)
    return Meaning(duration, inside, (*seams, *boundaries))


# --- Recipes -----------------------------------------------------------------------


def warmed(start: Real, peak: Real, steps: Real, *rest: Meaning) -> Meaning:
    return chain(ramp(start, peak, steps), *rest)


def sgdr(
    peak: Real, period: Real, longer: Real, higher: Real, end: Real, cycles: Real
) -> Meaning:
    """Each cycle decays along a cosine, from `higher` times as far above the end."""
    cycle = repeat(ramp(ONE, ZERO, period, cosine_curve), cycles, longer, higher)
    return transformed(cycle, lambda value: end + (peak - end) * value)


def warm_restarts(
    peak: Real, decay: Real, warm: Real, longer: Real, higher: Real,
    start: Real, end: Real, cycles: Real,
) -> Meaning:  # fmt: skip
    """One cycle after another, each with a warmup of the same length."""

    def cycle(number: int) -> Meaning:
        top = end + (peak - end) * higher**number
        falling = ramp(top, end, decay * longer**number, cosine_curve)
        return warmed(start, top, warm, falling)

    count = int(cycles)
    return chain(*map(cycle, range(count)))


def wave(low: Real, high: Real, up: Real, down: Real, curve: Curve) -> Meaning:
    rising = ramp(low, high, up, curve)
    return repeat(chain(rising, ramp(high, low, down, curve)), INFINITY)


def damped(low: Real, high: Real, up: Real, gamma: Real) -> Meaning:
    """A triangle whose height is multiplied by `gamma` with each step."""
    triangle = wave(ZERO, ONE, up, up, linear_curve)
    law = lambda t: low + (high - low) * grown(gamma, t) * triangle(t)  # noqa: E731
    return Meaning(INFINITY, law, triangle.seams)


def one_cycle(peak: Real, total: Real, part: Real, three: bool) -> Meaning:
    up, start = total * part, peak / 25
    end = start / 10000
    rising = ramp(start, peak, up, cosine_curve)
    if not three:
        return chain(rising, ramp(peak, end, total - up, cosine_curve))
    falling = ramp(peak, start, up, cosine_curve)
    return chain(rising, falling, ramp(start, end, total - 2 * up, cosine_curve))


def linear_cosine(start: Real, total: Real, periods: Real, offset: Real, floor: Real):
    def law(u: Real) -> Real:
        return (offset + 1 - u) * (1 + mp.cos(2 * mp.pi * periods * u)) / 2 + floor

    inside = lambda t: start * law(t / total if total else ONE)  # noqa: E731
    return Meaning(total, inside, (total,))


def eden(peak: Real, epoch: Real, batches: Real, epochs: Real, warm: Real) -> Meaning:
    def law(t: Real) -> Real:
        rising = ONE if t >= warm else (1 + t / warm) / 2
        by_batch = ((t**2 + batches**2) / batches**2) ** mp.mpf(-0.25)
        count = mp.floor(t / epoch)
        return (
            peak
            * rising
            * by_batch
            * ((count**2 + epochs**2) / epochs**2) ** mp.mpf(-0.25)
        )

    return endless(law, (warm, epoch, 2 * epoch))


def power_scheduler(
    peak: Real, batch: Real, tokens: Real, warm: Real, decay: Real, total: Real,
    end: Real,
) -> Meaning:  # fmt: skip
    amplitude, exponent = mp.mpf(4.6), mp.mpf(0.51)

    def law(t: Real) -> Real:
        seen = tokens * t
        return min(peak, amplitude * batch / seen**exponent) if seen else peak

    met = (amplitude * batch / peak) ** (1 / exponent) / tokens
    whole = warmup(endless(law, (met,)), warm, ZERO, linear_curve, "overlay")
    return cooldown(whole, total - decay, decay, end, linear_curve, "hold")


# --- Drawing -----------------------------------------------------------------------


class Limit(float):
    """A number at which a limit jumps, so that it has no slope."""


class Length(float):
    """A number of steps: it may not be less than 0."""


class Draw:
    """Numbers of every kind, reproducibly. What is drawn may be drawn again."""

    def __init__(self, seed: int, whole: bool) -> None:
        self.random = Random(seed)
        self.whole = whole
        self.lengths: list[Length] = []

    def single(self, number: float) -> float:
        """A number that a float32 holds, so that all programs are given the same."""
        return float(np.float32(number))

    def value(self) -> float:
        kind = self.random.random()
        if kind < 0.3:
            return float(self.random.choice([0, 1, -1, 0.5, 0.25, 2, 3]))
        size = 10 ** self.random.uniform(-9, 6 if kind > 0.95 else 1)
        return self.single(size if kind < 0.8 else -size)

    def positive(self, low: float = 1e-6, high: float = 1e2) -> float:
        if self.random.random() < 0.3:
            return float(self.random.choice([0.25, 0.5, 1, 2, 4]))
        log = self.random.uniform(math.log(low), math.log(high))
        return self.single(math.exp(log))

    def length(self) -> Length:
        """A number of steps: whole or not, maybe 0, maybe equal to another one."""
        kind = self.random.random()
        if self.lengths and kind < 0.3:
            return self.random.choice(self.lengths)
        if kind < 0.35:
            steps = 0.0
        elif self.whole:
            steps = self.random.choice([1, 2, 3, 5, 7, 10, 100, 1000, 12345])
        else:
            steps = self.single(10 ** self.random.uniform(-1, 5))
        self.lengths.append(Length(steps))
        return self.lengths[-1]

    def some_length(self) -> float:
        return self.length() or Length(4)

    def count(self) -> float:
        return float(self.random.choice([1, 2, 3, 5])) + (
            self.random.choice([0, 0.5, 0.25]) if self.random.random() < 0.3 else 0.0
        )

    def growth(self) -> float:
        return float(self.random.choice([0.5, 1, 1.5, 2, 3, 1.25]))

    def part(self) -> float:
        return float(self.random.choice([0, 0.25, 0.5, 0.375, 1, self.single(0.3)]))

    def boundaries(self, number: int) -> list[float]:
        widths = [self.some_length() for _ in range(number)]
        sums = np.cumsum(np.asarray(widths, np.float32), dtype=np.float32)
        return [Length(step) for step in sums]

    def amounts(self, number: int) -> list[float]:
        return [
            self.random.choice([0.25, 1.0, 2.0, 3.0, 7.0, self.positive(0.1)])
            for _ in range(number)
        ]

    def phases(self, number: int, *, fill: bool = True) -> list[float]:
        """Some lengths and a whole that they fill, or that is longer."""
        steps = [self.length() for _ in range(number)]
        spare = self.length() if self.random.random() < 0.7 else 0.0
        spare = spare or (0.0 if fill else 3.0)
        total = sum(steps) + spare
        # A length below 1 of a longer whole is refused: it could be meant as a part.
        steps = [step if step >= 1 else Length(0) for step in steps]
        rounded = self.single(total)
        if rounded < total:
            rounded = float(np.nextafter(np.float32(total), np.float32(np.inf)))
        return [*steps, Length(rounded)]

    def rates(self, number: int) -> list[float]:
        """Positive rates in decreasing order."""
        rates = [self.positive(1e-4, 10.0) for _ in range(number)]
        return sorted(rates, reverse=True)


# --- Words -------------------------------------------------------------------------


class Word(NamedTuple):
    """A public name: the call, what it means, and how to draw its numbers.

    Both take the children first and then the numbers. `kids` has a letter for each
    child: a schedule `s`, one that ends `e`, a curve `c`. A word ends always, never, or
    (`None`) if its children do.
    """

    make: Callable[..., Any]
    mean: Callable[..., Any]
    draw: Callable[[Draw], list[float]] = lambda draw: []
    kids: str = ""
    ends: bool | None = True


CURVES = {
    "Linear": Word(curves.Linear, lambda: linear_curve),
    "Cosine": Word(curves.Cosine, lambda: cosine_curve),
    "Sqrt": Word(curves.Sqrt, lambda: mp.sqrt),
    "Square": Word(curves.Square, lambda: lambda u: u**2),
    "Power": Word(
        lambda curve, e: curves.Power(e, curve),
        lambda curve, e: lambda u: 1 - (1 - curve(u)) ** e,
        lambda d: [d.random.choice([0.5, 1.0, 1.5, 2.0, 3.0, d.positive(0.3, 8.0)])],
        "c",
    ),
    "Exponential": Word(
        lambda curve, ratio: curves.Exponential(ratio, curve),
        lambda curve, ratio: exponential_curve(ratio, curve),
        lambda d: [d.random.choice([1.0, 0.01, d.positive(1e-4, 1e4)])],
        "c",
    ),
    "Sigmoid": Word(
        curves.Sigmoid,
        lambda low, high: from_to(logistic, low, high),
        lambda d: [d.single(d.random.uniform(-20, 20)), d.random.choice([-6.0, 6.0])],
    ),
    "Tanh": Word(
        curves.Tanh,
        lambda low, high: from_to(mp.tanh, low, high),
        lambda d: [d.single(d.random.uniform(-9, 9)), d.random.choice([-3.0, 3.0])],
    ),
    "Rex": Word(curves.Rex, rex_curve, lambda d: [d.positive(0.1, 4.0)]),
    "Reciprocal": Word(
        curves.Reciprocal,
        lambda ratio: lambda u: u / (u + ratio * (1 - u)),
        lambda d: [d.positive(0.01, 100.0)],
    ),
    "Log": Word(
        curves.Log,
        lambda base: lambda u: mp.log(1 + (base - 1) * u) / mp.log(base),
        lambda d: [1.0 + d.positive(0.25, 100.0)],
    ),
    "Hyperbolic": Word(
        curves.Hyperbolic,
        hyperbolic_curve,
        lambda d: [d.random.choice([1.0, 0.5, 0.25, d.positive(0.1, 1.0)])],
    ),
    "KDecay": Word(
        lambda curve, k: curves.KDecay(k, curve),
        lambda curve, k: lambda u: curve(u**k),
        lambda d: [d.random.choice([0.5, 1.0, 2.0, d.positive(0.3, 5.0)])],
        "c",
    ),
    "Reversed": Word(
        curves.Reversed, lambda curve: lambda u: 1 - curve(1 - u), kids="c"
    ),
    "Mirrored": Word(curves.Mirrored, mirrored, kids="c"),
}

RATES_AND_STEPS = {
    "constant": Word(js.constant, constant, lambda d: [d.value(), d.length()]),
    "linear": Word(js.linear, ramp, lambda d: [d.value(), d.value(), d.length()]),
    "cosine": Word(
        js.cosine,
        lambda a, b, n: ramp(a, b, n, cosine_curve),
        lambda d: [d.value(), d.value(), d.length()],
    ),
    "polynomial": Word(
        lambda a, b, n, p: js.polynomial(a, b, n, power=p),
        lambda a, b, n, p: ramp(a, b, n, lambda u: 1 - (1 - u) ** p),
        lambda d: [d.value(), d.value(), d.length(), d.positive(0.4, 6.0)],
    ),
    "exponential": Word(
        js.exponential,
        geometric,
        lambda d: [d.positive(), d.positive(), d.length()],
    ),
    "ramp": Word(
        lambda curve, a, b, n: js.ramp(a, b, n, curve),
        lambda curve, a, b, n: ramp(a, b, n, curve),
        lambda d: [d.value(), d.value(), d.length()],
        "c",
    ),
    "piecewise_constant": Word(
        lambda *x: js.piecewise_constant([*x[:3]], [*x[3:]]),
        lambda *x: jumps([*x[:3]], [*x[3:]]),
        lambda d: [*d.boundaries(3), *(d.value() for _ in range(4))],
    ),
    "piecewise_linear": Word(
        lambda curve, *x: js.piecewise_linear([*x[:3]], [*x[3:]], curve),
        lambda curve, *x: points([*x[:3]], [*x[3:]], curve),
        lambda d: [*d.boundaries(3), *(d.value() for _ in range(3))],
        "c",
    ),
    "piecewise_cubic": Word(
        lambda *x: js.piecewise_cubic([*x[:4]], [*x[4:]]),
        lambda *x: smooth_points([*x[:4]], [*x[4:]]),
        lambda d: [*d.boundaries(4), *(d.value() for _ in range(4))],
    ),
    "table": Word(
        lambda *x: js.table([*x]),
        lambda *x: jumps([mp.mpf(i) for i in range(1, 5)], [*x, x[-1]]),
        lambda d: [d.value() for _ in range(4)],
    ),
    "multi_step": Word(
        lambda a, f, *x: js.multi_step(a, boundaries=[*x], factor=f),
        lambda a, f, *x: jumps([*x], [a * f**i for i in range(4)]),
        lambda d: [d.value(), d.random.choice([0.1, 0.5, 2.0]), *d.boundaries(3)],
    ),
    "chebyshev": Word(
        lambda a, b: js.chebyshev(smallest=a, largest=a + b, total_steps=8.0),
        lambda a, b: chebyshev(a, a + b, mp.mpf(8), True),
        lambda d: [d.positive(0.1, 1.0), d.positive(1.0, 10.0)],
    ),
    "chebyshev, in order": Word(
        lambda a, b: js.chebyshev(
            smallest=a, largest=a + b, total_steps=7.0, fractal=False
        ),
        lambda a, b: chebyshev(a, a + b, mp.mpf(7), False),
        lambda d: [d.positive(0.1, 1.0), d.positive(1.0, 10.0)],
    ),
}

ENDLESS = {
    "exponential_decay": Word(
        lambda a, f, n: js.exponential_decay(a, factor=f, steps=n),
        lambda a, f, n: endless(lambda t: a * f ** (t / n)),
        lambda d: [d.value(), d.random.choice([0.5, 1.0, 0.999]), d.some_length()],
        ends=False,
    ),
    "step_decay": Word(
        lambda a, f, n: js.step_decay(a, factor=f, every=n),
        lambda a, f, n: stairs(lambda t: a * f ** mp.nint(t / n), n),
        lambda d: [d.value(), d.random.choice([0.5, 1.0, 0.9]), d.some_length()],
        ends=False,
    ),
    "natural_exponential": Word(
        lambda a, r, b: js.natural_exponential(a, rate=r, end=b),
        lambda a, r, b: endless(lambda t: b + (a - b) * mp.exp(-r * t)),
        lambda d: [d.value(), d.positive(1e-5, 1.0), d.value()],
        ends=False,
    ),
    "inverse_time": Word(
        lambda a, r, n: js.inverse_time(a, rate=r, steps=n),
        lambda a, r, n: endless(lambda t: a / (1 + r * t / n)),
        lambda d: [d.value(), d.positive(), d.some_length()],
        ends=False,
    ),
    "inverse_time, in stairs": Word(
        lambda a, r, n: js.inverse_time(a, rate=r, steps=n, staircase=True),
        lambda a, r, n: stairs(lambda t: a / (1 + r * mp.nint(t / n)), n),
        lambda d: [d.value(), d.positive(), d.some_length()],
        ends=False,
    ),
    "inverse_sqrt": Word(
        js.inverse_sqrt,
        lambda a, n: endless(lambda t: a / mp.sqrt(1 + t / n)),
        lambda d: [d.value(), d.some_length()],
        ends=False,
    ),
    "power_law": Word(
        lambda a, e, n, b: js.power_law(a, exponent=e, timescale=n, bend=b),
        lambda a, e, n, b: endless(lambda t: a * (1 + (t / n) ** b) ** (-e / b)),
        lambda d: [
            d.value(),
            d.positive(0.25, 2.0),
            d.some_length(),
            d.random.choice([1.0, 2.0, 5.0, 0.5]),
        ],
        ends=False,
    ),
    "silver": Word(
        js.silver,
        lambda a: endless(silver_law(a), tuple(mp.mpf(i) for i in (1, 2, 3, 4))),
        lambda d: [d.positive()],
        ends=False,
    ),
    "custom": Word(
        lambda a, n: js.custom(lambda t, a, n: a / (1 + t / n) ** 2, a=a, n=n),
        lambda a, n: endless(lambda t: a / (1 + t / n) ** 2),
        lambda d: [d.value(), d.some_length()],
        ends=False,
    ),
}


def signed(negative: bool) -> Callable[[Real, Real], Real]:
    return (lambda x, y: x - y) if negative else (lambda x, y: x + y)


NODES = {
    ">>": Word(lambda a, b: a >> b, chain, kids="es", ends=None),
    "chain": Word(js.chain, chain, kids="ees", ends=None),
    "+": Word(
        lambda a, b: a + b,
        lambda a, b: together(signed(False), a, b),
        kids="ss",
        ends=None,
    ),
    "-": Word(
        lambda a, b: a - b,
        lambda a, b: together(signed(True), a, b),
        kids="ss",
        ends=None,
    ),
    "*": Word(
        lambda a, b: a * b,
        lambda a, b: together(lambda x, y: x * y, a, b),
        kids="ss",
        ends=None,
    ),
    "/": Word(
        lambda a, b, p: a / js.maximum(b, p),
        lambda a, b, p: together(lambda x, y: x / max(y, p), a, b),
        lambda d: [d.positive(0.1, 1.0)],
        "ss",
        None,
    ),
    "**": Word(
        lambda a, b, p: js.maximum(a, p) ** js.clip(b, -2.0, 2.0),
        lambda a, b, p: together(lambda x, y: max(x, p) ** min(max(y, -2), 2), a, b),
        lambda d: [d.positive(0.1, 1.0)],
        "ss",
        None,
    ),
    "square": Word(
        lambda a: a**2, lambda a: transformed(a, lambda x: x**2), kids="s", ends=None
    ),
    "number *": Word(
        lambda a, x: x * a,
        lambda a, x: transformed(a, lambda y: x * y),
        lambda d: [d.value()],
        "s",
        None,
    ),
    "number -": Word(
        lambda a, x: x - a,
        lambda a, x: transformed(a, lambda y: x - y),
        lambda d: [d.value()],
        "s",
        None,
    ),
    "maximum": Word(js.maximum, lambda *x: together(max, *x), kids="ss", ends=None),
    "minimum": Word(js.minimum, lambda *x: together(min, *x), kids="ss", ends=None),
    "clip": Word(
        js.clip,
        lambda a, low, high: transformed(a, lambda x: min(max(x, low), high)),
        lambda d: sorted([d.value(), d.value()]),
        "s",
        None,
    ),
    "rescale": Word(
        js.rescale,
        lambda a, low, high: transformed(a, lambda x: low + (high - low) * x),
        lambda d: [d.value(), d.value()],
        "s",
        None,
    ),
    "noise": Word(
        lambda a: js.noise(a, 0.0),
        lambda a: Meaning(INFINITY, a, (*a.seams, a.duration)),
        kids="s",
        ends=False,
    ),
    "delay": Word(js.delay, delay, lambda d: [d.length()], "s", None),
    "shift": Word(js.shift, shift, lambda d: [d.length()], "s", None),
    "ahead": Word(
        js.ahead,
        lambda a, n: shift(a, n, shorter=False),
        lambda d: [d.length()],
        "s",
        None,
    ),
    "until": Word(js.until, until, lambda d: [d.length()], "s"),
    "stretch": Word(
        js.stretch,
        stretch,
        lambda d: [d.random.choice([0.25, 0.5, 1.0, 2.0, 3.0, 7.0, d.positive(0.1)])],
        "s",
        None,
    ),
    "on_clock": Word(
        lambda a, x, y, p, q, r: js.on_clock(
            a, js.piecewise_constant([x, y], [p, q, r])
        ),
        lambda a, x, y, p, q, r: on_clock(a, [x, y], [p, q, r]),
        lambda d: [*d.boundaries(2), *d.amounts(3)],
        "s",
        None,
    ),
    "reverse": Word(js.reverse, reverse, kids="e"),
    "staircase": Word(js.staircase, staircase, lambda d: [d.some_length()], "s", None),
    "repeat": Word(js.repeat, lambda a: repeat(a, INFINITY), kids="e", ends=False),
    "repeat, some times": Word(js.repeat, repeat, lambda d: [d.count()], "e"),
    "repeat, scaled": Word(
        lambda a, n, r, v: js.repeat(a, n, period_multiplier=r, value_multiplier=v),
        repeat,
        lambda d: [d.count(), d.growth(), d.random.choice([0.5, 1.0, -0.5, 0.0, 3.0])],
        "e",
    ),
    "repeat, growing": Word(
        lambda a, r, v: js.repeat(a, period_multiplier=r, value_multiplier=v),
        lambda a, r, v: repeat(a, INFINITY, r, v),
        lambda d: [
            d.random.choice([1.0, 1.5, 2.0, 3.0]),
            d.random.choice([0.5, 1.0, 2.0, -1.5]),
        ],
        "e",
        False,
    ),
    "repeat, shrinking": Word(
        lambda a, r, v: js.repeat(a, period_multiplier=r, value_multiplier=v),
        lambda a, r, v: repeat(a, INFINITY, r, v),
        lambda d: [d.random.choice([0.5, 0.75]), d.random.choice([0.5, Limit(1)])],
        "e",
    ),
    "switch": Word(
        lambda a, b, c, *x: js.switch([a, b, c], [*x]),
        lambda a, b, c, *x: switch([a, b, c], [*x]),
        lambda d: d.boundaries(2),
        "sss",
        None,
    ),
    "cooldown": Word(
        lambda a, c, at, n, end: js.cooldown(a, at, n, end, c),
        lambda a, c, *x: cooldown(a, *x, c, "hold"),
        lambda d: [d.length(), d.length(), d.value()],
        "sc",
    ),
    "cooldown, multiplied": Word(
        lambda a, c, *x: js.cooldown(a, *x, c, join="multiply"),
        lambda a, c, *x: cooldown(a, *x, c, "multiply"),
        lambda d: [d.length(), d.length(), d.value()],
        "sc",
    ),
} | {
    f"warmup, {join}": Word(
        lambda a, c, n, x, join=join: js.warmup(a, n, start=x, curve=c, join=join),
        lambda a, c, n, x, join=join: warmup(a, n, x, c, join),
        lambda d: [d.length(), d.value()],
        "sc",
        None,
    )
    for join in ("prefix", "overlay", "multiply")
}


def curved(name: str, draw: Callable[[Draw], list[float]]) -> Word:
    """A decay of a peak after a warmup, which is straight if nothing else is said."""
    curve = {"cosine": cosine_curve, "linear": linear_curve}[name]
    recipe = getattr(js, f"warmup_{name}")
    return Word(
        lambda p, e, w, n: recipe(p, warmup_steps=w, total_steps=n, end=e),
        lambda p, e, w, n: warmed(ZERO, p, w, ramp(p, e, n - w, curve)),
        draw,
    )


def peak_and_phases(number: int) -> Callable[[Draw], list[float]]:
    return lambda d: [*d.rates(2), *d.phases(number)]


def two_levels(d: Draw) -> list[float]:
    return [*d.rates(2), *d.phases(1), 0.25, 0.5, 0.75, 0.375]


def straight_points(steps: list[Real], rates: list[Real]) -> Meaning:
    pieces = zip(itertools.pairwise(steps), itertools.pairwise(rates), strict=True)
    return chain(*(ramp(a, b, end - begin) for (begin, end), (a, b) in pieces))


def falling_points(p: Real, e: Real, n: Real, x: Real, y: Real, k: Real, m: Real):
    """The decay through two points of delays x, y and levels k, m, in n steps."""
    first = n * x
    second = first + (n - first) * y
    steps, levels = [ZERO, first, second, n], [ONE, k, k * m, ZERO]
    return steps, [e + (p - e) * level for level in levels]


RECIPES = {
    "warmup_constant": Word(
        lambda p, w: js.warmup_constant(p, warmup_steps=w),
        lambda p, w: warmed(ZERO, p, w, constant(p)),
        lambda d: [d.positive(), d.length()],
    ),
    "warmup_cosine": curved("cosine", peak_and_phases(1)),
    "warmup_linear": curved("linear", peak_and_phases(1)),
    "warmup_polynomial": Word(
        lambda p, e, w, n, k: js.warmup_polynomial(
            p, warmup_steps=w, total_steps=n, power=k, end=e
        ),
        lambda p, e, w, n, k: warmed(
            ZERO, p, w, ramp(p, e, n - w, lambda u: 1 - (1 - u) ** k)
        ),
        lambda d: [*d.rates(2), *d.phases(1), d.positive(0.5, 4.0)],
    ),
    "warmup_exponential": Word(
        lambda p, e, w, n: js.warmup_exponential(
            p, warmup_steps=w, total_steps=n, end=e
        ),
        lambda p, e, w, n: warmed(ZERO, p, w, geometric(p, e, n - w)),
        peak_and_phases(1),
    ),
    "warmup_inverse_sqrt": Word(
        lambda p, w, n: js.warmup_inverse_sqrt(p, warmup_steps=w, timescale=n),
        lambda p, w, n: warmed(ZERO, p, w, endless(lambda t: p / mp.sqrt(1 + t / n))),
        lambda d: [d.positive(), d.length(), d.some_length()],
        ends=False,
    ),
    "noam": Word(
        lambda m, w, s: js.noam(d_model=m, warmup_steps=w, scale=s),
        lambda m, w, s: warmed(
            ZERO,
            s / mp.sqrt(m * w),
            w,
            endless(lambda t: s / mp.sqrt(m * (w + t))),
        ),
        lambda d: [512.0, max(d.some_length(), 1.0), d.positive()],
        ends=False,
    ),
    "inverse_sqrt_cooldown": Word(
        lambda p, e, w, c, n: js.inverse_sqrt_cooldown(
            p, warmup_steps=w, cooldown_steps=c, total_steps=n, timescale=10.0, end=e
        ),
        lambda p, e, w, c, n: cooldown(
            warmed(ZERO, p, w, endless(lambda t: p / mp.sqrt(1 + t / 10))),
            *(n - c, c, e, linear_curve, "hold"),
        ),
        lambda d: [d.positive(), 0.0, *d.phases(2, fill=False)],
    ),
    "power_scheduler": Word(
        lambda p, b, k, w, c, n: js.power_scheduler(
            p,
            batch_size=b,
            tokens_per_step=k,
            warmup_steps=w,
            decay_steps=c,
            total_steps=n,
        ),
        lambda p, b, k, w, c, n: power_scheduler(p, b, k, w, c, n, ZERO),
        lambda d: [d.positive(1e-3, 1e-1), 32.0, 65536.0, *d.phases(2, fill=False)],
    ),
    "wsd": Word(
        lambda p, e, w, c, n: js.wsd(
            p, warmup_steps=w, decay_steps=c, total_steps=n, end=e
        ),
        lambda p, e, w, c, n: warmed(ZERO, p, w, constant(p, n - w - c), ramp(p, e, c)),
        peak_and_phases(2),
    ),
    "wsd_s": Word(
        lambda p, e, w, c, n: js.wsd_s(
            p, warmup_steps=w, period=n, decay_steps=c, end=e, cycles=3
        ),
        lambda p, e, w, c, n: warmed(
            ZERO, p, w, repeat(chain(constant(p, n - c), ramp(p, e, c)), mp.mpf(3))
        ),
        peak_and_phases(2),
    ),
    "infinite": Word(
        lambda p, q, e, w, c, a, n: js.infinite(
            p,
            plateau=q,
            end=e,
            warmup_steps=w,
            cooldown_steps=c,
            anneal_steps=a,
            total_steps=n,
        ),
        lambda p, q, e, w, c, a, n: warmed(
            ZERO, p, w, ramp(p, q, c), constant(q, n - w - c - a), geometric(q, e, a)
        ),
        lambda d: [*d.rates(3), *d.phases(3)],
    ),
    "flat_cosine": Word(
        lambda p, e, c, n: js.flat_cosine(p, decay_steps=c, total_steps=n, end=e),
        lambda p, e, c, n: chain(constant(p, n - c), ramp(p, e, c, cosine_curve)),
        peak_and_phases(1),
    ),
    "tri_stage": Word(
        lambda p, e, w, c, n: js.tri_stage(
            p, warmup_steps=w, decay_steps=c, total_steps=n, end=e
        ),
        lambda p, e, w, c, n: warmed(
            p / 100, p, w, constant(p, n - w - c), geometric(p, e, c)
        ),
        peak_and_phases(2),
    ),
    "sgdr": Word(
        lambda p, e, n, r, k: js.sgdr(
            p, period=n, period_multiplier=r, peak_multiplier=k, end=e
        ),
        lambda p, e, n, r, k: sgdr(p, n, r, k, e, INFINITY),
        lambda d: [
            *d.rates(2),
            d.some_length(),
            d.random.choice([1.0, 1.5, 2.0]),
            d.random.choice([1.0, 0.5]),
        ],
        ends=False,
    ),
    "sgdr, some cycles": Word(
        lambda p, e, n, r, k, c: js.sgdr(
            p, period=n, period_multiplier=r, peak_multiplier=k, end=e, cycles=c
        ),
        lambda p, e, n, r, k, c: sgdr(p, n, r, k, e, c),
        lambda d: [
            *d.rates(2),
            d.some_length(),
            d.growth(),
            d.random.choice([1.0, 0.5, 0.0, 2.0]),
            d.count(),
        ],
    ),
    "warm_restarts": Word(
        lambda p, e, w, n, r, k: js.warm_restarts(
            p,
            period=n,
            warmup_steps=w,
            period_multiplier=r,
            peak_multiplier=k,
            end=e,
            cycles=3,
        ),
        lambda p, e, w, n, r, k: warm_restarts(p, n - w, w, r, k, ZERO, e, mp.mpf(3)),
        lambda d: [
            *d.rates(2),
            *d.phases(1),
            d.growth(),
            d.random.choice([1.0, 0.5, 2.0]),
        ],
    ),
    "triangular": Word(
        lambda a, b, n, m: js.triangular(a, b, up_steps=n, down_steps=m),
        lambda a, b, n, m: wave(a, b, n, m, linear_curve),
        lambda d: [d.value(), d.value(), d.some_length(), d.length()],
        ends=False,
    ),
    "triangular2": Word(
        lambda a, b, n, m: js.triangular2(a, b, up_steps=n, down_steps=m),
        lambda a, b, n, m: transformed(
            repeat(
                chain(ramp(ZERO, ONE, n), ramp(ONE, ZERO, m)), INFINITY, ONE, ONE / 2
            ),
            lambda x: a + (b - a) * x,
        ),
        lambda d: [d.value(), d.value(), d.some_length(), d.length()],
        ends=False,
    ),
    "cosine_cyclic": Word(
        lambda a, b, n, m: js.cosine_cyclic(a, b, up_steps=n, down_steps=m),
        lambda a, b, n, m: wave(a, b, n, m, cosine_curve),
        lambda d: [d.value(), d.value(), d.some_length(), d.length()],
        ends=False,
    ),
    "exp_range": Word(
        lambda a, b, n, g: js.exp_range(a, b, up_steps=n, gamma=g),
        damped,
        lambda d: [
            d.value(),
            d.value(),
            d.some_length(),
            d.random.choice([0.9921875, 1.0078125, 1.5]),
        ],
        ends=False,
    ),
    "one_cycle": Word(
        lambda p, n, f: js.one_cycle(p, total_steps=n, warmup_fraction=f).rate,
        lambda p, n, f: one_cycle(p, n, f, False),
        lambda d: [d.positive(), d.length(), d.part()],
    ),
    "one_cycle, three phases": Word(
        lambda p, n, f: (
            js.one_cycle(p, total_steps=n, warmup_fraction=f, three_phase=True).rate
        ),
        lambda p, n, f: one_cycle(p, n, f, True),
        lambda d: [d.positive(), d.length(), d.random.choice([0.25, 0.375, 0.5])],
    ),
    "one_cycle, momentum": Word(
        lambda a, b, n, f: (
            js.one_cycle(
                1.0, total_steps=n, warmup_fraction=f, momentum=(a, b)
            ).momentum
        ),
        lambda a, b, n, f: chain(
            ramp(b, a, n * f, cosine_curve), ramp(a, b, n - n * f, cosine_curve)
        ),
        lambda d: [0.85, 0.95, d.length(), d.part()],
    ),
    "slanted_triangular": Word(
        lambda p, n, f, r: js.slanted_triangular(
            p, total_steps=n, cut_fraction=f, ratio=r
        ),
        lambda p, n, f, r: chain(ramp(p / r, p, n * f), ramp(p, p / r, n - n * f)),
        lambda d: [d.positive(), d.length(), d.part(), 32.0],
    ),
    "two_point_linear": Word(
        lambda p, e, w, n, x, y, k, m: js.two_point_linear(
            p, warmup_steps=w, total_steps=n, delays=[x, y], levels=[k, m], end=e
        ),
        lambda p, e, w, n, *x: warmed(
            ZERO,
            p,
            w,
            straight_points(*falling_points(p, e, n - w, *x)),
        ),
        two_levels,
    ),
    "two_point_spline": Word(
        lambda p, e, w, n, x, y, k, m: js.two_point_spline(
            p, warmup_steps=w, total_steps=n + 8, delays=[x, y], levels=[k, m], end=e
        ),
        lambda p, e, w, n, *x: warmed(
            ZERO, p, w, smooth_points(*falling_points(p, e, n + 8 - w, *x))
        ),
        two_levels,
    ),
    "smooth_non_monotonic": Word(
        lambda p, n, k, m: js.smooth_non_monotonic(
            p, warmup_steps=n / 8, total_steps=n, delays=[0.25, 0.5], levels=[k, m]
        ),
        lambda p, n, k, m: smooth_points(
            [ZERO, n / 8, n / 4, n / 4 + 3 * n / 8, n], [ZERO, p, p * k, p * m, ZERO]
        ),
        lambda d: [d.positive(), d.some_length(), 0.75, 0.375],
    ),
    "cosine_annealing": Word(
        lambda a, e, n: js.cosine_annealing(a, total_steps=n, end=e),
        lambda a, e, n: ramp(a, e, n, cosine_curve),
        lambda d: [*d.rates(2), d.length()],
    ),
    "cosine_annealing, periodic": Word(
        lambda a, e, n: js.cosine_annealing(a, total_steps=n, end=e, periodic=True),
        lambda a, e, n: endless(
            lambda t: e + (a - e) * (1 + mp.cos(mp.pi * t / n)) / 2, (n, 2 * n)
        ),
        lambda d: [*d.rates(2), d.some_length()],
        ends=False,
    ),
    "linear_cosine": Word(
        lambda a, n, p, o, f: js.linear_cosine(
            a, total_steps=n, periods=p, offset=o, floor=f
        ),
        linear_cosine,
        lambda d: [
            d.positive(),
            d.some_length(),
            d.random.choice([0.5, 2.5]),
            0.25,
            0.125,
        ],
    ),
    "k_decay": Word(
        lambda a, e, n, k: js.k_decay(a, total_steps=n, k=k, end=e),
        lambda a, e, n, k: ramp(a, e, n, lambda u: cosine_curve(u**k)),
        lambda d: [*d.rates(2), d.length(), d.positive(0.5, 4.0)],
    ),
    "rex": Word(
        lambda a, e, n, b: js.rex(a, total_steps=n, beta=b, end=e),
        lambda a, e, n, b: ramp(a, e, n, rex_curve(b)),
        lambda d: [*d.rates(2), d.length(), d.positive(0.25, 1.0)],
    ),
    "hyperbolic": Word(
        lambda a, e, n, m: js.hyperbolic(a, total_steps=n, upper_bound=n + m, end=e),
        lambda a, e, n, m: Meaning(
            n,
            lambda t: (
                a
                + (a - e)
                * (
                    mp.sqrt((n - t) / (n + m) * (2 - (n + t) / (n + m)))
                    - mp.sqrt(n / (n + m) * (2 - n / (n + m)))
                )
            ),
            (n,),
        ),
        lambda d: [*d.rates(2), d.some_length(), d.some_length()],
    ),
    "eden": Word(
        lambda p, n, w: js.eden(
            p, steps_per_epoch=n, batches=50.0, epochs=6.0, warmup_steps=w
        ),
        lambda p, n, w: eden(p, n, mp.mpf(50), mp.mpf(6), w),
        lambda d: [d.positive(), d.some_length(), d.length()],
        ends=False,
    ),
    "radam_warmup": Word(
        lambda p, b: js.radam_warmup(p, beta2=b),
        lambda p, b: transformed(endless(rectification(1 - b)), lambda x: p * x),
        lambda d: [d.positive(), d.random.choice([0.9375, 0.984375, 0.9990234375])],
        ends=False,
    ),
    "untuned_exponential_warmup": Word(
        lambda p, b: js.untuned_exponential_warmup(p, beta2=b),
        lambda p, b: endless(lambda t: p * (1 - mp.exp(-(t + 1) * (1 - b)))),
        lambda d: [d.positive(), d.random.choice([0.9375, 0.984375, 0.9990234375])],
        ends=False,
    ),
    "untuned_linear_warmup": Word(
        lambda p, b: js.untuned_linear_warmup(p, beta2=b),
        lambda p, b: Meaning(
            2 / (1 - b) - 1, lambda t: p * (t + 1) * (1 - b) / 2, (2 / (1 - b) - 1,)
        ),
        lambda d: [d.positive(), d.random.choice([0.9375, 0.984375, 0.9990234375])],
    ),
}

LEAVES = RATES_AND_STEPS | ENDLESS | RECIPES
WORDS = CURVES | LEAVES | NODES


# --- Expressions -------------------------------------------------------------------


class Shape(NamedTuple):
    """A tree of words, whose numbers are not drawn yet: one compiled program."""

    word: str
    kids: tuple["Shape", ...] = ()


def draw_shape(random: Random, depth: int, ends: bool = False) -> Shape:
    """A tree of at most so many words above one another."""
    names = LEAVES if depth == 1 or random.random() < 0.15 else NODES
    allowed = [n for n, word in names.items() if not ends or word.ends is not False]
    name = random.choice(allowed)
    word = WORDS[name]
    inherits = ends and word.ends is None
    kids = [
        draw_curve(random, 2)
        if kid == "c"
        else draw_shape(random, depth - 1, kid == "e" or inherits)
        for kid in word.kids
    ]
    return Shape(name, tuple(kids))


def draw_curve(random: Random, depth: int) -> Shape:
    name = random.choice([n for n, w in CURVES.items() if depth > 1 or not w.kids])
    return Shape(name, tuple(draw_curve(random, 1) for _ in CURVES[name].kids))


def words(shape: Shape) -> Iterator[str]:
    """The words of an expression, from the outermost inwards, as its numbers are."""
    yield shape.word
    for kid in shape.kids:
        yield from words(kid)


def draw_numbers(shape: Shape, draw: Draw) -> list[list[float]]:
    """The numbers of each word, from the outermost inwards."""
    own = WORDS[shape.word].draw(draw)
    return [own, *(n for kid in shape.kids for n in draw_numbers(kid, draw))]


def built(shape: Shape, numbers: list[list[Any]]) -> Any:
    """The schedule of an expression, by the public calls."""
    return read(shape, iter(numbers), "make")


def meant(shape: Shape, numbers: list[list[float]]) -> Meaning:
    """What it means."""
    exact = [[mp.mpf(number) for number in own] for own in numbers]
    meaning: Meaning = read(shape, iter(exact), "mean")
    return meaning


def read(shape: Shape, numbers: Iterator[list[Any]], how: str) -> Any:
    own = next(numbers)
    kids = [read(kid, numbers, how) for kid in shape.kids]
    return getattr(WORDS[shape.word], how)(*kids, *own)


def shown(shape: Shape, numbers: list[list[float]]) -> str:
    """The expression as text."""
    rest = iter(numbers)

    def show(shape: Shape) -> str:
        own = next(rest)
        return f"{shape.word}({', '.join([*map(show, shape.kids), *map(repr, own)])})"

    return show(shape)
