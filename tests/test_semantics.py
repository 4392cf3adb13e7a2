"""Random expressions against what they mean, to 50 digits.

A value is right if it is within 8 ulps of what the numbers mean, or within what 8 ulps
of any number, or of the step, make of it. So an expression that cancels may lose what
its parts have lost, and no more. Where all seams are whole, steps are counted exactly:
of the two sides to which a number may move, the one that changes less counts, and a new
part begins at its step. Elsewhere a step may fall to either side of a seam that is
nearer than rounding.

What is reversed is counted from its end, to the digits that a step has there. What is
less than 1e-8 of the rates around it may be off by 1e-8 of their ulps.

A slope is right if it is that of the meaning, in float64. At a kink, it may be anything
between those of the two sides; where several kinks meet, those are the slopes for all
numbers nearby (the generalized gradient: Clarke, 1975).

`pytest -m fuzz` tries `JAXSCHED_FUZZ` expressions, from `JAXSCHED_SEED` on.
"""

import functools
import itertools
import math
import os
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js
from jaxsched.curves import Curve

from .documents import KINDS, constructors
from .semantics import (
    WORDS,
    Draw,
    Length,
    Limit,
    Meaning,
    Shape,
    built,
    draw_numbers,
    draw_shape,
    meant,
    mp,
    shown,
    words,
)


ULPS = 8
POINTS = 32
FEW, MANY = 10, 100
"""How many sets of numbers a shape is given in a short and in a long run."""
SEED = int(os.environ.get("JAXSCHED_SEED", "0"))

LARGEST = 1e15
"""Slopes of what has grown more are looked at in `test_faults.py`: later, of powers and
products of such, they may be no floats."""

Numbers = list[list[float]]


class Fault(NamedTuple):
    """What is wrong, of which expression, at which step."""

    kind: str
    expression: str
    step: float
    seen: float
    right: Any

    def __str__(self) -> str:
        right = (
            mp.nstr(self.right, 10) if isinstance(self.right, mp.mpf) else self.right
        )
        return (
            f"{self.kind}: {self.expression} at {self.step!r}: "
            f"{self.seen!r}, right {right}"
        )


class Expression:
    """A shape with numbers, its meaning, and the steps at which it is looked at."""

    def __init__(self, shape: Shape, numbers: Numbers, random: Random) -> None:
        self.shape, self.numbers = shape, numbers
        self.meaning = meant(shape, numbers)
        seams = {float(seam) for seam in self.meaning.seams if 0 <= seam < 1e30}
        self.seams = sorted(seams)
        self.whole = all(seam == round(seam) and seam < 2**23 for seam in seams)
        self.latest = max([*self.seams, 10.0])
        self.steps = np.float32(self._steps(random)).astype(float)

    def _steps(self, random: Random) -> list[float]:
        near = [
            step
            for seam in self.seams
            for step in (seam, seam * (1 - 1e-4), seam * (1 + 1e-4), seam - 1, seam + 1)
        ]
        within = [random.uniform(0, 1.2 * self.latest) for _ in range(8)]
        if self.whole:
            within = [*map(round, within[:4]), *within[4:]]
        fixed = [0.0, -3.0, 2.0 * self.latest, 2.0**31, math.inf]
        some = random.sample(near, min(len(near), POINTS - len(fixed) - len(within)))
        steps = [*fixed, *some, *within]
        return [*steps, *[0.0] * (POINTS - len(steps))]

    def __str__(self) -> str:
        return shown(self.shape, self.numbers)

    @functools.cached_property
    def largest(self) -> Any:
        """The largest rate at its seams."""
        return max(abs(self.meaning(mp.mpf(seam))) for seam in [0.0, *self.seams])

    @functools.cached_property
    def largest_number(self) -> float:
        """The largest number in it, a length say, which need not be one of a seam."""
        return max([1.0, *(abs(number) for own in self.numbers for number in own)])

    @property
    def rounding(self) -> float:
        """What rounding leaves of slopes that cancel: an ulp of the largest number."""
        return 1e-15 * self.largest_number

    def nearby(self, random: Random) -> "Expression":
        """The same of numbers that differ in the ninth digit."""
        numbers = [
            [type(n)(n * (1 + random.uniform(-1e-9, 1e-9))) for n in own]
            for own in self.numbers
        ]
        return Expression(self.shape, numbers, random)

    def close(self, step: float) -> bool:
        """Tells whether a step is near enough for its phase to be known."""
        if self.hides_growth or (self.begins_in_no_time and self.at_seam(step)):
            return False
        ends = mp.isfinite(self.meaning.duration)
        over = ends and step >= self.meaning.duration * 1.0001
        return bool(step <= 4 * self.latest or over)

    @functools.cached_property
    def begins_in_no_time(self) -> bool:
        """Tells whether it begins with cycles of which ever more take no time."""
        return {"reverse", "repeat, shrinking"} <= {*words(self.shape)}

    def at_seam(self, step: float) -> bool:
        """Tells whether a step is as near to a seam as rounding takes it."""
        return any(abs(seam - step) <= 1e-5 * self.latest for seam in self.seams)

    @functools.cached_property
    def hides_growth(self) -> bool:
        """Tells whether what may have grown `LARGEST`-fold is brought back to size.

        Then the last digit of the step decides what that is.
        """
        names = [*words(self.shape)]
        grows = any(
            name in ("exp_range", "repeat, growing") and abs(own[-1]) > 1
            for name, own in zip(names, self.numbers, strict=True)
        )
        return grows and not {"**", "clip", "minimum", "maximum"}.isdisjoint(names)

    @functools.cached_property
    def changes(self) -> list[tuple[float, Callable[[Any], Meaning]]]:
        """Each number, and the meaning as a function of it."""

        def changed(place: int, index: int, x: Any) -> Meaning:
            numbers = [[*own] for own in self.numbers]
            numbers[place][index] = x
            return meant(self.shape, numbers)

        return [
            (number, functools.cache(functools.partial(changed, place, index)))
            for place, own in enumerate(self.numbers)
            for index, number in enumerate(own)
        ]

    def tolerance(self, step: float, epsilon: float, *, in_time: bool = True) -> Any:
        """How far a value may be off."""
        t, unit = mp.mpf(step), mp.mpf(ULPS * epsilon)
        value, takes = self.meaning(t), min if self.whole or not in_time else max
        total = unit * max(abs(value), 1e-8 * self.largest) + mp.mpf(1e-36)
        if in_time and "reverse(" in str(self):
            late = unit * max(self.latest, self.largest_number)
            total += max(abs(self.meaning(t + by) - value) for by in (late, -late))
        if in_time:
            # Behind a jump that is near, the value may come back within the unit.
            parts = (1,) if self.whole else (1, 0.5, 0.25, 0.1, 0.03)
            total += takes(
                abs(self.meaning(t * (1 + sign * part * unit)) - value)
                for sign in (1, -1)
                for part in parts
            )
            near = [seam for seam in self.seams if abs(seam - step) <= unit * step]
            total += sum(
                abs(self.meaning(mp.mpf(seam) * (1 + mp.mpf(sign))) - value)
                for seam in near[:3]
                for sign in (1e-12, -1e-12)
            )
        for number, change in self.changes:
            x = mp.mpf(number)
            total += takes(
                abs(change(x * (1 + sign * unit))(t) - value) for sign in (1, -1)
            )
        return total

    def wrong_value(
        self, seen: float, step: float, epsilon: float, *, in_time: bool = True
    ) -> bool:
        """Tells whether a value is not what the expression means."""
        right = self.meaning(mp.mpf(step))
        off = abs(mp.mpf(seen) - right) if math.isfinite(seen) else mp.inf
        if off <= ULPS * epsilon * abs(right):
            return False
        return bool(off > self.tolerance(step, epsilon, in_time=in_time))


def slopes(function: Callable[[Any], Any], x: float) -> list[Any]:
    """The slopes on the two sides of `x`; none if the value jumps there.

    A side on which a number would not be allowed has no slope. A phase of no steps
    has two slopes at once, of which only one is allowed: it is not asked for.
    """
    if (isinstance(x, Length) and x == 0) or isinstance(x, Limit):
        return []
    value = function(mp.mpf(x))
    sides = []
    for sign in (1, -1):
        step = mp.mpf(sign * (1e-12 * abs(x) if x else 1e-20))
        try:
            rise, half = (function(x + part) - value for part in (step, step / 2))
        except (ValueError, ZeroDivisionError):
            continue
        if not isinstance(rise, mp.mpf):
            continue
        if abs(half) > 0.8 * abs(rise) or abs(rise) > 1e-6 * abs(value) + 1e-12:
            return []
        # What the curvature makes of the difference is taken out.
        sides.append((4 * half - rise) / step)
    return sides


def is_slope(seen: float, sides: list[Any], scale: Any, rounding: float) -> bool:
    """Tells whether a slope lies between those of the two sides."""
    slack = mp.mpf(1e-5) * max(map(abs, sides)) + mp.mpf(1e-9) * scale + rounding
    return bool(min(sides) - slack <= mp.mpf(seen) <= max(sides) + slack)


# --- Programs ----------------------------------------------------------------------


def program(shape: Shape) -> Callable[..., Any]:
    """Values and slopes, for sets of numbers and steps, of one compiled program."""

    def value(numbers: Any, step: jax.Array) -> jax.Array:
        return built(shape, numbers)(step)

    both = jax.value_and_grad(value, argnums=(0, 1))
    return jax.jit(jax.vmap(jax.vmap(both, (None, 0)), (0, 0)))


def run(shape: Shape, expressions: list[Expression]) -> Any:
    """All values and slopes of some expressions of one shape, as NumPy arrays."""
    numbers = [
        [jnp.asarray(same, float) for same in zip(*own, strict=True)]
        for own in zip(*(e.numbers for e in expressions), strict=True)
    ]
    steps = jnp.asarray(np.stack([e.steps for e in expressions]), float)
    return jax.tree.map(np.asarray, program(shape)(numbers, steps))


def check(shape: Shape, expressions: list[Expression], random: Random) -> list[Fault]:
    faults = []
    with jax.enable_x64(False):
        rates, slopes_of = run(shape, expressions)
    faults += wrong_values(expressions, rates, 2.0**-23)
    for leaf in jax.tree.leaves(slopes_of):
        for row, place in np.argwhere(~np.isfinite(leaf)):
            expression = expressions[row]
            step = expression.steps[place].item()
            rate = abs(expression.meaning(mp.mpf(step)))
            grown = math.isinf(step) and rate > 1e9 * expression.largest
            if rate > LARGEST or grown or expression.hides_growth:
                continue
            faults.append(
                Fault("slope, not finite", str(expression), step, math.nan, "finite")
            )
    with jax.enable_x64(True):
        rates, slopes_of = run(shape, expressions)
    faults += wrong_values(expressions, rates, 2.0**-52)
    for row, expression in enumerate(expressions):
        places = random.sample(range(POINTS), 3)
        own = jax.tree.map(lambda leaf, row=row: leaf[row], slopes_of)
        faults += wrong_slopes(expression, own, places)
    return faults


def wrong_values(
    expressions: list[Expression], rates: np.ndarray, epsilon: float
) -> list[Fault]:
    faults = []
    for expression, row in zip(expressions, rates, strict=True):
        for step, seen in zip(expression.steps.tolist(), row.tolist(), strict=True):
            if not math.isfinite(seen):
                faults.append(
                    Fault("value, not finite", str(expression), step, seen, "finite")
                )
            elif expression.close(step) and expression.wrong_value(seen, step, epsilon):
                right = expression.meaning(mp.mpf(step))
                faults.append(Fault("value", str(expression), step, seen, right))
    return faults


def wrong_slopes(expression: Expression, own: Any, places: list[int]) -> list[Fault]:
    of_numbers, of_step = own
    faults = []
    for place in places:
        step = expression.steps[place].item()
        if not expression.close(step) or math.isinf(step):
            continue
        seen = [of_step[place].item()]
        seen += [leaf[place].item() for leaf in jax.tree.leaves(of_numbers)]
        size = abs(expression.meaning(mp.mpf(step))) + 1e-3 * expression.largest
        for index, (name, x, sides) in enumerate(sides_of(expression, step)):
            if name == "step" and step == 0 and ties_at_0(expression):
                continue
            scale = size / (abs(x) or 1)
            right_here = functools.partial(
                is_slope, seen[index], scale=scale, rounding=expression.rounding
            )
            if not sides or right_here(sides):
                continue
            if right_here(sides + sides_nearby(expression, step, index)):
                continue
            right = ", ".join(mp.nstr(side, 8) for side in sides)
            faults.append(
                Fault(f"slope of {name}", str(expression), step, seen[index], right)
            )
    return faults


def ties_at_0(expression: Expression) -> bool:
    """Tells whether parts may be equal there, or what is before it may matter.

    Of a tie JAX takes the mean. What is reversed has slope 0 there: as before it.
    """
    words = ("minimum(", "maximum(", "clip(", "reverse(")
    return any(word in str(expression) for word in words)


def sides_of(expression: Expression, step: float) -> Iterator[tuple[str, float, Any]]:
    """The slopes of the two sides of the step, and of each number."""
    yield "step", step, slopes(expression.meaning, step)
    for number, change in expression.changes:
        at_step = functools.partial(value_at, change, mp.mpf(step))
        yield f"number {number!r}", number, slopes(at_step, number)


def sides_nearby(expression: Expression, step: float, index: int) -> list[Any]:
    """The slopes of one of them, where the numbers and the step are others nearby."""
    random = Random(index)
    sides: list[Any] = []
    for _ in range(12):
        try:
            other = expression.nearby(random)
            at = step * (1 + random.uniform(-1e-9, 1e-9)) or 1e-9
            sides += [*sides_of(other, at)][index][2]
        except (ValueError, ZeroDivisionError):
            # Out of their domains.
            continue
    return sides


def value_at(change: Callable[[Any], Meaning], t: Any, x: Any) -> Any:
    return change(x)(t)


def check_calls(expression: Expression, random: Random) -> list[Fault]:
    """A schedule of Python numbers: called, closed over, in a batch, and in a scan."""
    schedule = built(expression.shape, expression.numbers)
    steps = np.asarray(random.sample(expression.steps.tolist(), 8), np.float32)
    over = jnp.asarray(steps)
    ways = {
        "called": np.array([schedule(step.item()) for step in steps]),
        "called with an array": np.asarray(schedule(steps)),
        "closed over": np.asarray(jax.jit(schedule)(over)),
        "mapped": np.asarray(jax.jit(jax.vmap(schedule))(over)),
        "scanned": np.asarray(
            jax.jit(lambda t: jax.lax.scan(lambda _, s: (_, schedule(s)), 0, t)[1])(
                over
            )
        ),
        "given": np.asarray(jax.jit(lambda lr, t: lr(t))(schedule, over)),
    }
    faults = []
    for way, rates in ways.items():
        for step, seen in zip(steps.tolist(), rates.tolist(), strict=True):
            if expression.close(step) and expression.wrong_value(seen, step, 2.0**-23):
                right = expression.meaning(mp.mpf(step))
                faults.append(Fault(way, str(expression), step, seen, right))
    end = schedule.duration
    faults += (
        []
        if same(end, expression.meaning.duration)
        else [Fault("duration", str(expression), 0.0, end, expression.meaning.duration)]
    )
    if math.isfinite(end):
        for way, rate in {
            "end, called": schedule(end),
            "end, called with an array": schedule(np.array([end]))[0],
            "end, closed over": jax.jit(schedule)(jnp.asarray(end, float)),
        }.items():
            after = 2 * float(expression.meaning.duration) + 1
            if expression.wrong_value(float(rate), after, 2.0**-23, in_time=False):
                right = expression.meaning(mp.mpf(after))
                faults.append(Fault(way, str(expression), end, float(rate), right))
    return faults


IDENTITIES: dict[str, Callable[[js.Schedule], js.Schedule]] = {
    "1 * a": lambda a: 1 * a,
    "a + 0": lambda a: a + 0,
    "a ** 1": lambda a: a**1,
    "-1 * -a": lambda a: -1 * -a,
    "rescale(a, 0, 1)": lambda a: js.rescale(a, 0, 1),
    "minimum(a, a)": lambda a: js.minimum(a, a),
    "maximum(a, a)": lambda a: js.maximum(a, a),
    "stretch(a, 1)": lambda a: js.stretch(a, 1),
    "stretch(stretch(a, 2), 0.5)": lambda a: js.stretch(js.stretch(a, 2), 0.5),
    "shift(a, 0)": lambda a: js.shift(a, 0),
    "delay(a, 0)": lambda a: js.delay(a, 0),
    "warmup(a, 0)": lambda a: js.warmup(a, 0),
    "switch([a, a], [3])": lambda a: js.switch([a, a], [min(3, a.duration)]),
}
"""What changes nothing."""

IDENTITIES_OF_WHAT_ENDS: dict[str, Callable[[js.Schedule], js.Schedule]] = {
    "until(a, a.duration)": lambda a: js.until(a, a.duration),
    "repeat(a, 1)": lambda a: js.repeat(a, 1),
    "reverse(reverse(a))": lambda a: js.reverse(js.reverse(a)),
    "delay(a, 3) shifted": lambda a: js.shift(js.delay(a, 3), 3),
    "a in two parts": lambda a: (
        js.until(a, a.duration // 2) >> js.shift(a, a.duration // 2)
    ),
}
"""What changes nothing, of whole lengths: seams are moved and moved back."""


def check_identities(expression: Expression) -> list[Fault]:
    """The algebra: what changes nothing has the values and the duration it had."""
    schedule = built(expression.shape, expression.numbers)
    changes = dict(IDENTITIES)
    if expression.whole and 1 <= schedule.duration < 2**20:
        changes |= IDENTITIES_OF_WHAT_ENDS
    others = {name: change(schedule) for name, change in changes.items()}
    steps = expression.steps
    own, rates = jax.jit(
        lambda t: (schedule(t), {name: other(t) for name, other in others.items()})
    )(jnp.asarray(steps, float))
    faults = []
    for name, other in others.items():
        if not same(other.duration, expression.meaning.duration):
            right = expression.meaning.duration
            faults.append(
                Fault(
                    f"duration of {name}", str(expression), 0.0, other.duration, right
                )
            )
        for place in np.flatnonzero(rates[name] != own):
            step, seen = steps[place].item(), rates[name][place].item()
            if expression.close(step) and expression.wrong_value(seen, step, 2.0**-23):
                right = expression.meaning(mp.mpf(step))
                faults.append(Fault(name, str(expression), step, seen, right))
    return faults


def same(duration: float, right: Any) -> bool:
    if math.isinf(duration):
        return bool(mp.isinf(right))
    return bool(abs(mp.mpf(duration) - right) <= mp.mpf(1e-12) * right)


# --- Tests -------------------------------------------------------------------------


def some_expressions(seed: int, sets: int) -> tuple[Shape, list[Expression]]:
    """Expressions of one shape, 1 to 5 deep."""
    random = Random(seed)
    shape = draw_shape(random, 1 + seed % 5)
    expressions: list[Expression] = []
    for attempt in range(2 * sets):
        draw = Draw(1000 * seed + attempt, whole=attempt % 2 == 0)
        numbers = draw_numbers(shape, draw)
        try:
            built(shape, numbers)
        except ValueError:
            # Refused, as a ratio that is no length is.
            continue
        expressions.append(Expression(shape, numbers, random))
        if len(expressions) == sets:
            break
    return shape, expressions


def tried(
    seeds: Iterator[int], count: int, sets: int
) -> tuple[dict[str, int], list[Fault]]:
    """Tries expressions until there were so many, or ten kinds of fault."""
    counts = {"shapes": 0, "expressions": 0, "steps": 0, "expressions called": 0}
    faults: list[Fault] = []
    for seed in seeds:
        shape, expressions = some_expressions(seed, sets)
        if not expressions:
            continue
        random = Random(seed)
        faults += check(shape, expressions, random)
        if seed % 2 == 0:
            faults += check_calls(expressions[0], random)
            faults += check_identities(expressions[0])
            counts["expressions called"] += 1
        counts["shapes"] += 1
        counts["expressions"] += len(expressions)
        counts["steps"] += len(expressions) * POINTS
        if seed % 50 == 0:
            jax.clear_caches()
        if counts["expressions"] >= count or len({f.expression for f in faults}) >= 10:
            break
    return counts, faults


def test_every_public_name_has_a_meaning():
    tried_here = {word.split(",")[0] for word in WORDS}
    shapes = {curve.__name__ for curve in Curve.__subclasses__()}
    functions = {name for kind in KINDS for name in constructors(kind)}
    assert functions | shapes <= tried_here


@pytest.mark.parametrize("part", range(4))
def test_expressions_mean_what_is_documented(part):
    _, faults = tried(itertools.count(SEED + part, 4), 50, FEW)
    assert not faults, "\n".join(map(str, faults[:20]))


@pytest.mark.fuzz
def test_many_expressions_mean_what_is_documented(capsys):
    count = int(os.environ.get("JAXSCHED_FUZZ", "20000"))
    counts, faults = tried(itertools.count(SEED), count, MANY)
    with capsys.disabled():
        print("\n" + ", ".join(f"{n:,} {what}" for what, n in counts.items()))
    assert not faults, "\n".join(map(str, faults[:20]))
