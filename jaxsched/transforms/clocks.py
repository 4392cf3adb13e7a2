"""Clocks: schedules of what is counted, where a step may count more than another."""

import bisect
import functools
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import echoes, refusal
from ..hyperparameters import is_concrete
from ..leaves.tables import PiecewiseConstant
from ..numerics import (
    LATEST,
    as_float,
    as_time,
    carried,
    entry,
    fixed,
    host,
    is_endless,
    nearest,
    pieces_before,
    plain,
    positive,
    quotient,
    where,
)
from ..powers import Digits, counted
from ..schedule import Constant, Product, Schedule, ScheduleLike, as_schedule
from ..tree import child
from ..types import Scalar


__all__ = ["OnClock", "on_clock"]


AMOUNTS = "a list of finite numbers >= 0, the last one > 0"


class OnClock(Schedule):
    """Runs `inner` on a clock that each step moves on by what `clock` is there."""

    inner: Schedule = child()
    clock: PiecewiseConstant = child()

    def __post_init__(self) -> None:
        super().__post_init__()
        amounts = self.clock.values
        if is_concrete(amounts):
            there = np.asarray(amounts)
            if np.any(there < 0) or np.any(there[..., -1] <= 0):
                raise refusal(ValueError, "`OnClock.clock`", AMOUNTS, amounts)

    @property
    def duration(self) -> Scalar:
        end = self.inner.duration
        if is_endless(end):
            return math.inf
        ends: Any = end < math.inf
        end = where(ends, end, 0.0)
        last = _piece_after(self.clock, end)
        begin, before, amount = (_of(each, last) for each in _lists(self.clock))
        duration = _whole_if_near(begin + (end - before) / positive(amount))
        return where(ends, duration, math.inf)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        amount, index = _amount_at(self.clock, t)
        end = self.inner.duration
        if is_endless(end):
            return self.inner.evaluate(jnp.minimum(amount, LATEST), math.inf)
        last = _piece_after(self.clock, end)
        *_, amounts = _lists(self.clock)
        # In the last piece, what is left of the time tells it to all its digits.
        rest = where(
            index >= last, left * fixed(_of(amounts, last)), fixed(end) - fixed(amount)
        )
        return self.inner.inside(amount, rest)


@echoes
def on_clock(schedule: ScheduleLike, clock: ScheduleLike) -> OnClock:
    """Runs a schedule that counts samples or tokens, of which steps have ever more.

    Args:
        schedule: What counts something else than steps.
        clock: How much of it each step takes: a number, or `piecewise_constant`, as a
            plan of batch sizes is; or one of them times a number, as the length of
            the sequences.

    Returns:
        A schedule of steps. It ends when the amount is reached at which the other one
        ends, maybe between two steps.

    Raises:
        ValueError: If an amount is negative, or the last one is not positive.
        TypeError: If the clock is another schedule.

    Example:
        >>> import jaxsched as js
        >>> batch_size = js.piecewise_constant([10], [256, 512])
        >>> by_samples = js.linear(1.0, 0.0, steps=256 * 10 + 512 * 20)
        >>> lr = js.on_clock(by_samples, batch_size)
        >>> lr.duration
        30.0
        >>> [round(float(lr(step)), 2) for step in (0, 10, 20, 30)]
        [1.0, 0.8, 0.4, 0.0]
    """
    return OnClock(as_schedule(schedule), _as_clock(clock))


@echoes
def elapsed(clock: ScheduleLike, step: Any) -> Any:
    """Returns what a clock shows at a step: the sum of all steps before it.

    Args:
        clock: How much each step takes, as for `on_clock`.
        step: How many steps came before, of any shape.

    Returns:
        Of the same shape. For integers of Python or NumPy, if all steps take whole
        amounts, integers without rounding. Else floats of the default type: the
        nearest one, where the clock is known.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> batch_size = js.piecewise_constant([10_000], [768, 1536])
        >>> training.elapsed(4096 * batch_size, 1_000_000)
        6259998720000
    """
    plan = _as_clock(clock)
    if _is_exact(plan, step):
        return _each(step, functools.partial(_elapsed_exactly, _whole_lists(plan)))
    amount, _ = _amount_at(plan, jnp.maximum(as_float(as_time(step)), 0.0))
    return amount


@echoes
def reached(clock: ScheduleLike, amount: Any) -> Any:
    """Returns the first step before which so much has elapsed, as `elapsed` tells it.

    Args:
        clock: How much each step takes, as for `on_clock`.
        amount: How much, of any shape.

    Returns:
        Of the same shape: integers or floats, as for `elapsed`. The time it takes
        grows with the logarithm of the number of pieces.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> batch_size = js.piecewise_constant([10_000], [768, 1536])
        >>> training.reached(4096 * batch_size, 6_259_998_720_000)
        1000000
    """
    plan = _as_clock(clock)
    if _is_exact(plan, amount):
        return _each(amount, functools.partial(_reached_exactly, _whole_lists(plan)))
    amount = as_float(as_time(amount))
    begins, totals, amounts = map(_exact_array, _lists(plan))
    index = _pieces_begun(totals.high, amount, side="left")
    since = (amount - entry(totals.high, index)) - entry(totals.low, index)
    steps = jnp.ceil(quotient(since, positive(entry(amounts.high, index))))
    return jnp.maximum(entry(begins.high, index) + steps, 0.0)


# --- What a clock is -----------------------------------------------------------------


def _as_clock(clock: Any) -> PiecewiseConstant:
    """Returns the amounts of all steps, as they are piecewise constant."""
    if isinstance(clock, PiecewiseConstant):
        return clock
    if isinstance(clock, Product):
        factors = [part for part in clock.parts if isinstance(part, Constant)]
        others: list[Any] = [
            part for part in clock.parts if not isinstance(part, Constant)
        ]
        if len(others) <= 1:
            plan = _as_clock(*(others or [1.0]))
            values: Any = plan.values
            for factor in factors:
                values = values * factor.level
            return PiecewiseConstant(plan.boundaries, values)
    schedule = as_schedule(clock)
    if isinstance(schedule, Constant):
        return PiecewiseConstant([0.0], [schedule.level, schedule.level])
    raise TypeError(
        "`clock` must be a number, `piecewise_constant`, or a multiple of it, got "
        f"{clock!r}."
    )


def _lists(clock: PiecewiseConstant) -> tuple[Any, Any, Any]:
    """Returns where each piece begins, what has elapsed there, and what steps take."""
    boundaries, amounts = clock.boundaries, clock.values
    here: Any = jnp if _is_traced(boundaries, amounts) else np
    begins = here.concatenate([here.zeros(1), here.asarray(boundaries)])
    elapsed_in = here.diff(begins) * here.asarray(amounts)[:-1]
    return begins, here.concatenate([here.zeros(1), here.cumsum(elapsed_in)]), amounts


def _piece_after(clock: PiecewiseConstant, end: Scalar) -> Any:
    """Returns the number of the piece after which an amount is not there any more."""
    _, totals, _ = _lists(clock)
    return _pieces_begun(totals, end, side="right")


def _pieces_begun(totals: Any, amount: Any, *, side: Any) -> Any:
    here: Any = host(totals, amount)
    method = {} if here is np else {"method": "scan"}
    found = here.searchsorted(totals[1:], fixed(amount), side=side, **method)
    if here is jnp:
        return found.astype(int)
    return int(found) if not np.ndim(found) else found


def _of(values: Any, index: Any) -> Any:
    """Returns an entry, as a number of Python if it is known."""
    if isinstance(index, int):
        return plain(values[index])
    return entry(as_float(values), index)


# --- Reading it ----------------------------------------------------------------------


def _amount_at(clock: PiecewiseConstant, t: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns what has elapsed at a time, and the number of its piece."""
    begins, totals, amounts = _lists(clock)
    index = pieces_before(t, clock.boundaries)
    since = t - entry(as_float(begins), index)
    each = entry(as_float(amounts), index)
    if _is_small(amounts):
        amount = entry(as_float(totals), index) + since * each
    else:
        high, low = (entry(part, index) for part in _exact_array(totals))
        amount = counted(Digits(high, low), since, each)
    if not _is_whole(amounts):
        amount = _whole_if_near(amount)
    return amount, index


def _is_traced(*lists: Any) -> bool:
    return any(isinstance(numbers, jax.Array) for numbers in lists)


def _is_small(amounts: Any) -> bool:
    """Tells whether nothing is lost where steps are multiplied by them."""
    return isinstance(amounts, np.ndarray) and bool(np.all(amounts <= 1))


def _is_whole(*lists: Any) -> bool:
    return all(
        isinstance(numbers, np.ndarray) and bool(np.all(numbers == np.round(numbers)))
        for numbers in lists
    )


def _whole_if_near(x: Any) -> Any:
    """Returns a whole number, where rounding alone has made it another one."""
    whole = nearest(fixed(x))
    kind = getattr(x, "dtype", float)
    near = abs(fixed(x) - whole) <= 4 * float(np.finfo(kind).eps) * abs(whole)
    return carried(where(near, whole, fixed(x)), x)


def _exact_array(values: Any) -> Digits:
    """Splits each of many numbers: the nearest float, and what that lost."""
    if isinstance(values, jax.Array):
        return Digits(values, jnp.zeros_like(values))
    high = np.asarray(values).astype(jnp.result_type(float))
    return Digits(as_float(high), as_float(values - high.astype(float)))


# --- Integers, on the host -----------------------------------------------------------


def _is_exact(clock: PiecewiseConstant, given: Any) -> bool:
    """Tells whether all is known, and whole."""
    if isinstance(given, jax.Array):
        return False
    # Integers that no type of NumPy has are objects there.
    numbers = np.asarray(given)
    integer = numbers.dtype.kind in "iu" or all(type(x) is int for x in numbers.flat)
    return integer and _is_whole(clock.boundaries, clock.values)


WholeLists: TypeAlias = tuple[list[int], list[int], list[int]]


def _whole_lists(clock: PiecewiseConstant) -> WholeLists:
    """Returns the same lists, of integers that have no bounds."""
    begins, amounts = ([int(x) for x in xs] for xs in (clock.boundaries, clock.values))
    begins = [0, *begins]
    widths = map(operator.sub, begins[1:], begins)
    totals = itertools.accumulate(map(operator.mul, widths, amounts), initial=0)
    return begins, [*totals], amounts


def _each(given: Any, function: Callable[[int], int]) -> Any:
    if not np.ndim(given):
        return function(int(given))
    array = np.asarray(given)
    return np.array([function(int(x)) for x in array.flat]).reshape(array.shape)


def _elapsed_exactly(lists: WholeLists, step: int) -> int:
    begins, totals, amounts = lists
    index = bisect.bisect_right(begins, step, lo=1) - 1
    return totals[index] + max(step - begins[index], 0) * amounts[index]


def _reached_exactly(lists: WholeLists, amount: int) -> int:
    begins, totals, amounts = lists
    index = bisect.bisect_left(totals, amount, lo=1) - 1
    missing = max(amount - totals[index], 0)
    return begins[index] + -(-missing // max(amounts[index], 1))
