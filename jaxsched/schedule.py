"""What a schedule is, and the algebra that every schedule has.

A schedule is a function of time on [0, duration], held constant outside it.
`Schedule` and the nodes its operators build are one closed system: they refer to
each other, and therefore share this file.
"""

import abc
import functools
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from .calls import leaves_waiting
from .domain import NONNEGATIVE
from .errors import echoes
from .hyperparameters import is_concrete
from .numerics import (
    as_float,
    as_time,
    carried,
    fixed,
    in_steps,
    is_endless,
    known,
    limited,
    longest,
    nearest,
    remaining,
    where,
)
from .programs import dispatched, exact_leaves, inlined, lost_by, packed, shaped
from .tree import Tree, child, hyper
from .types import Scalar


NUMBER = (int, float, np.integer, np.floating)


class Schedule(Tree):
    """A function of the step, whose hyperparameters are the leaves of a pytree.

    A schedule is an `optax.Schedule`: pass it where Optax takes a learning rate.
    It is a value, too: differentiate, batch and jit over the schedule itself.

    To write a new one, subclass this and define `duration` and `evaluate`.
    """

    # Else `np.float32(2) * schedule` would yield an array of objects.
    __array_ufunc__ = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls).get("duration")
        if isinstance(own, property) and own.fget:
            setattr(cls, "duration", property(in_steps(own.fget)))  # noqa: B010

    @property
    @abc.abstractmethod
    def duration(self) -> Scalar:
        """The step from which on the value stays the same; `inf` if there is none."""

    @abc.abstractmethod
    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        """Returns the value at time `t`, when `left` remains, elementwise.

        Implement this, but call the schedule. Here `t` and `left` are floating-point,
        of any shape, within [0, duration], and sum to it: a formula needs no
        clipping, and only has to be finite, in value and in gradient, on that
        interval. Both are given because `duration - t` loses the low digits of a small
        difference: with `left`, the last steps of a decay keep them. `left` is a
        constant, for derivatives go through `t`; it is the number `inf` if the
        schedule has no end.
        """

    @final
    def __call__(self, step: ArrayLike, /) -> jax.Array:
        """Returns the value at `step`: floating-point, and of the same shape.

        Args:
            step: How many updates came before; of any shape, integer or float.

        Raises:
            TypeError: If `step` is not real.
        """
        if isinstance(step, NUMBER) and self._numbers is not None:
            program, numbers = self._numbers
            numbers = numbers.copy()
            numbers[-1] = step
            return program(numbers)
        leaves, structure = jax.tree.flatten(self)
        step = as_time(step)
        if any(isinstance(leaf, Tracer) for leaf in (step, *leaves)):
            # Part of a larger program, which may know some of the numbers.
            here = tuple(leaf if known(leaf) else None for leaf in leaves)
            others = [leaf for leaf in leaves if not known(leaf)]
            value: jax.Array = inlined(structure, here, self._end)(others, step)
            return value
        rate: jax.Array = dispatched(structure)(self._on_device, step)
        return rate

    @functools.cached_property
    def _numbers(self) -> "tuple[Callable[[np.ndarray], jax.Array], np.ndarray] | None":
        """What a call with a Python number dispatches, if all leaves are numbers too.

        They travel in one array, with room for the step at its end: each argument of
        a compiled program takes time of its own.
        """
        leaves, structure = jax.tree.flatten(self)
        if all(isinstance(leaf, float) for leaf in leaves):
            lost = [lost_by(leaves[index]) for index in exact_leaves(structure)]
            return packed(structure), np.array([*leaves, *lost, self._end, 0.0])
        return None

    @functools.cached_property
    def _end(self) -> float | None:
        """The duration, if all that it depends on is on the host."""
        if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(self)):
            return None
        return float(self.duration)

    @functools.cached_property
    def _on_device(self) -> list[Any]:
        """The leaves, and what rounding takes from some: vectors are copied once."""
        leaves, structure = jax.tree.flatten(self)
        lost = [lost_by(leaves[index]) for index in exact_leaves(structure)]
        end = [] if self._end is None else [self._end]
        dtype = jnp.result_type(float)
        with jax.ensure_compile_time_eval():
            return [
                jax.device_put(leaf.astype(dtype))
                if isinstance(leaf, np.ndarray)
                else leaf
                for leaf in (*leaves, *lost, *end)
            ]

    def at(
        self, t: jax.Array, left: Scalar | None = None, duration: Scalar | None = None
    ) -> jax.Array:
        """Evaluates at any `t`, held constant outside [0, duration].

        For nodes that evaluate other nodes. `left` is the time until the end, where
        the caller knows it better than `duration - t`: a constant, since derivatives
        go through `t` alone. Where nothing is left, the schedule is at its end, even
        if `t` was rounded to a time before it, and its derivative is that of the
        duration. Whoever has computed the duration gives that, too.
        """
        t = where(t < 0, 0.0, t)
        duration = self.duration if duration is None else duration
        if not (left is None or is_endless(duration)):
            t = where(t > duration, duration, t)
        return self.held(t, left, duration)

    def held(
        self, t: jax.Array, left: Scalar | None = None, duration: Scalar | None = None
    ) -> jax.Array:
        """The same, of a `t` that is at least 0, and not after the end if `left` is."""
        duration = self.duration if duration is None else duration
        if is_endless(duration):
            return self.evaluate(t, math.inf)
        if left is None:
            left = remaining(duration, fixed(t))
        return self.evaluate(where(left <= 0, duration, t), limited(left, duration))

    def inside(self, t: jax.Array, left: Scalar) -> jax.Array:
        """The same, of a `t` in [0, duration] that keeps its derivative at the end."""
        duration = self.duration
        if is_endless(duration):
            return self.evaluate(t, math.inf)
        over = where(left <= 0, fixed(duration), fixed(t))
        return self.evaluate(carried(over, t), limited(left, duration))

    def as_function(self) -> Callable[[ArrayLike], jax.Array]:
        """Returns a plain function, which is no pytree.

        For places where a tree comes apart into its leaves: a schedule as the leaf of
        another tree, or where Optax takes "a tree or a callable".
        """
        return self.__call__

    def then(self, other: "ScheduleLike") -> "Chain":
        """Runs this schedule, and once it is over `other`, from its own time zero."""
        return chain(self, other)

    def __rshift__(self, other: "ScheduleLike") -> "Chain":
        return chain(self, other)

    def __rrshift__(self, other: "ScheduleLike") -> "Chain":
        return chain(other, self)

    @leaves_waiting
    def __add__(self, other: "ScheduleLike") -> "Sum":
        return Sum(splice(Sum, (self, other)))

    def __radd__(self, other: Scalar) -> "Sum":
        return Sum(splice(Sum, (other, self)))

    @leaves_waiting
    def __mul__(self, other: "ScheduleLike") -> "Product":
        return Product(splice(Product, (self, other)))

    def __rmul__(self, other: Scalar) -> "Product":
        return Product(splice(Product, (other, self)))

    @leaves_waiting
    def __truediv__(self, other: "ScheduleLike") -> "Quotient":
        return Quotient((self, as_schedule(other)))

    def __rtruediv__(self, other: Scalar) -> "Quotient":
        return Quotient((as_schedule(other), self))

    @leaves_waiting
    def __pow__(self, other: "ScheduleLike") -> "Raised":
        return Raised((self, as_schedule(other)))

    def __rpow__(self, other: Scalar) -> "Raised":
        return Raised((as_schedule(other), self))

    def __neg__(self) -> "Product":
        return -1.0 * self

    @leaves_waiting
    def __sub__(self, other: "ScheduleLike") -> "Sum":
        return self + -as_schedule(other)

    def __rsub__(self, other: Scalar) -> "Sum":
        return other + -self


ScheduleLike: TypeAlias = Schedule | Scalar
"""A schedule, or a number that stands for a constant one."""


class Constant(Schedule):
    """Holds `level`, for `steps` steps if something follows.

    A bare number in an expression is a `Constant` of no steps, so it prolongs no
    sum and no product.
    """

    level: Scalar = hyper()
    steps: Scalar = hyper(NONNEGATIVE, default=0.0)

    @property
    def duration(self) -> Scalar:
        return self.steps

    def held(self, t: jax.Array, *_: Scalar | None, **__: Scalar | None) -> jax.Array:
        return self.evaluate(t, 0.0)

    at = inside = held

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        return shaped(as_float(self.level), t)


class Chain(Schedule):
    """Runs `parts` one after another, each from its own time zero."""

    parts: tuple[Schedule, ...] = child()

    def __post_init__(self) -> None:
        super().__post_init__()
        for part in self.parts[:-1]:
            require_end(part, "Nothing can follow")

    @property
    def duration(self) -> Scalar:
        durations: Iterable[Any] = (part.duration for part in self.parts)
        return sum(durations, start=0.0)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        begins = [0.0, *itertools.accumulate(part.duration for part in self.parts[:-1])]
        since = [t, *(_after(t, begin) for begin in begins[1:])]
        value, now = self.parts[-1].inside(since[-1], left), fixed(t)
        for index in reversed(range(len(begins) - 1)):
            part = self.parts[index]
            if is_empty(part):
                continue
            # A part that is over is evaluated at its end, and one that has not begun
            # at its beginning: the value that is not taken is finite, too.
            rest = remaining(begins[index + 1], now)
            value = where(rest <= 0, value, part.held(since[index], rest))
        return value


def _after(t: jax.Array, begin: Scalar) -> jax.Array:
    """Returns the time since `begin`, at least 0."""
    since = t - begin
    return where(since < 0, 0.0, since)


class Pointwise(Schedule):
    """Combines the values that `parts` have at the same time, until all have ended."""

    parts: tuple[Schedule, ...] = child()

    @property
    def duration(self) -> Scalar:
        return functools.reduce(longest, (part.duration for part in self.parts))

    @abc.abstractmethod
    def combine(self, first: jax.Array, second: jax.Array, /) -> jax.Array:
        """Returns the combination of two values, elementwise."""

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        end = self.duration
        values = (part.inside(*within(part, t, left, end)) for part in self.parts)
        return functools.reduce(self.combine, values)


def is_empty(schedule: Schedule) -> bool:
    """Tells whether a schedule is known to take no steps."""
    return known(schedule.duration) and not schedule.duration


def within(part: Schedule, t: jax.Array, left: Scalar, end: Scalar) -> Any:
    """Returns the time of a part, and the time left of it: its whole ends at `end`.

    Where they end together, what is left is that of the whole, to all its digits. At
    the end, each part is at its own: the largest of equal lengths has a derivative that
    they share. A part that ends sooner stays there.
    """
    duration, now = part.duration, fixed(t)
    if known(duration, end) and duration == end:
        return t, left
    together = fixed(duration) == fixed(end)
    rest = where(together, left, remaining(duration, now))
    own = where(together, carried(now, t + (duration - end)), duration)
    return where(rest <= 0, own, t), rest


class Sum(Pointwise):
    """Adds `parts` pointwise, and lasts as long as the longest of them."""

    def combine(self, first: jax.Array, second: jax.Array, /) -> jax.Array:
        return first + second


class Product(Pointwise):
    """Multiplies `parts` pointwise, and lasts as long as the longest of them."""

    def combine(self, first: jax.Array, second: jax.Array, /) -> jax.Array:
        return first * second


class Quotient(Pointwise):
    """Divides the first of `parts` by the others pointwise."""

    def combine(self, first: jax.Array, second: jax.Array, /) -> jax.Array:
        return first / second


class Raised(Pointwise):
    """Raises the first of `parts` to the power of the second pointwise.

    Where the first is 0, slopes that are infinite are taken for 0. Where it is
    negative, the second must be a whole number, and has no slope.
    """

    def combine(self, first: jax.Array, second: jax.Array, /) -> jax.Array:
        negative = first < 0
        exponent = where(negative, fixed(second), second)
        odd = where(exponent % 2 == 1, -1.0, 1.0)
        sign = where(exponent == nearest(exponent), odd, math.nan)
        sign = where(negative, fixed(sign), 1.0)
        # `where` differentiates both branches, so neither may take the log of 0.
        size = where(first == 0, 1.0, abs(first)) ** exponent
        limit = where(second > 0, 0.0, where(second == 0, 1.0, math.inf))
        at_zero = where(second == 1, first, fixed(limit))
        return where(first == 0, at_zero, sign * size)


def as_schedule(value: Any) -> Schedule:
    """Returns a schedule unchanged, and a number as a constant schedule.

    Raises:
        TypeError: If `value` is neither.
    """
    if isinstance(value, Schedule):
        return value
    if callable(value):
        raise TypeError(
            f"Expected a schedule or a number, got the function {value!r}: "
            "`custom` makes a schedule of it."
        )
    return Constant(value)


@echoes
def as_function(schedule: ScheduleLike) -> Callable[[ArrayLike], jax.Array]:
    """Returns a plain function of the step, which is no pytree.

    For places where a tree comes apart into its leaves: a schedule as the leaf of
    another tree, or where Optax takes "a tree or a callable".

    Args:
        schedule: What the function returns the value of.

    Returns:
        A function from a step, of any shape, to the value.

    Raises:
        TypeError: If `schedule` is neither a schedule nor a number.

    Example:
        >>> import jax
        >>> from jaxsched import as_function, linear
        >>> rates = {"weights": as_function(linear(1.0, 0.0, steps=4)), "biases": 0.1}
        >>> [callable(leaf) for leaf in jax.tree.leaves(rates)]
        [False, True]
    """
    return as_schedule(schedule).as_function()


@echoes
def constant(level: Scalar, steps: Scalar = 0.0) -> Constant:
    """Holds `level`.

    Args:
        level: The rate.
        steps: For how many steps, if something follows.

    Returns:
        A schedule of `steps` steps, whose value is the same ever after.

    Raises:
        ValueError: If `level` is not finite, or `steps` is negative.

    Example:
        >>> from jaxsched import constant, linear
        >>> lr = constant(0.1, steps=5) >> linear(0.1, 0.0, steps=5)
        >>> [round(float(lr(step)), 2) for step in (0, 5, 6, 10)]
        [0.1, 0.1, 0.08, 0.0]
    """
    return Constant(level, steps)


@echoes
def chain(*schedules: ScheduleLike) -> Chain:
    """Runs `schedules` one after another, each from its own time zero.

    The operator `>>` does the same for two: `chain(a, b, c)` is `a >> b >> c`.

    Args:
        *schedules: One or more; each but the last must end.

    Returns:
        A schedule whose duration is the sum of theirs.

    Raises:
        ValueError: If there are none, or if one without end is not the last.

    Example:
        >>> from jaxsched import chain, cosine, linear
        >>> lr = chain(linear(0.0, 1.0, steps=10), cosine(1.0, 0.0, steps=90))
        >>> lr.duration
        100.0
    """
    parts = splice(Chain, schedules)
    if not parts:
        raise ValueError("`chain` needs at least one schedule, got none.")
    return Chain(parts)


def splice(
    kind: type[Chain] | type[Pointwise], parts: Iterable[ScheduleLike]
) -> tuple[Schedule, ...]:
    """Inlines nested nodes of `kind`, so that `(a + b) + c` is `a + (b + c)`."""
    spliced: list[Schedule] = []
    for part in map(as_schedule, parts):
        spliced.extend(part.parts if isinstance(part, kind) else [part])
    return tuple(spliced)


def require_end(schedule: Schedule, purpose: str) -> Schedule:
    """Returns `schedule`, if it ends or may be traced to end.

    Raises:
        ValueError: If it has no end.
    """
    duration = schedule.duration
    if is_concrete(duration) and np.any(np.isinf(np.asarray(duration))):
        raise ValueError(f"{purpose} a schedule without end: {schedule}.")
    return schedule
