"""Transforms of time: the same values, at other steps."""

import jax

from ..domain import NONNEGATIVE, POSITIVE
from ..errors import echoes
from ..numerics import (
    at_least,
    carried,
    fixed,
    held,
    is_endless,
    next_multiple,
    positive,
    quotient,
    remaining,
    scaled,
    where,
)
from ..schedule import Schedule, ScheduleLike, as_schedule, require_end, within
from ..tree import child, hyper
from ..types import Scalar


__all__ = [
    "Ahead",
    "Delay",
    "Reverse",
    "Shift",
    "Staircase",
    "Stretch",
    "Until",
    "ahead",
    "delay",
    "reverse",
    "shift",
    "staircase",
    "stretch",
    "until",
]


class Delay(Schedule):
    """Holds the initial value for `steps` steps, then runs `inner`."""

    inner: Schedule = child()
    steps: Scalar = hyper(NONNEGATIVE)

    @property
    def duration(self) -> Scalar:
        return self.steps + self.inner.duration

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        return self.inner.inside(where(t < self.steps, 0.0, t - self.steps), left)


class Shift(Schedule):
    """Runs `inner` from its step `steps` on."""

    inner: Schedule = child()
    steps: Scalar = hyper(NONNEGATIVE)

    @property
    def duration(self) -> Scalar:
        return at_least(0.0, self.inner.duration - self.steps)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        end = self.inner.duration
        return self.inner.inside(where(self.steps > end, end, t + self.steps), left)


class Ahead(Schedule):
    """Runs `inner` from its step `steps` on, and as long as it lasts from its start."""

    inner: Schedule = child()
    steps: Scalar = hyper(NONNEGATIVE)

    @property
    def duration(self) -> Scalar:
        return self.inner.duration

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        rest = left - fixed(self.steps)
        over = (rest <= 0) & (self.steps > 0)
        return self.inner.inside(where(over, self.inner.duration, t + self.steps), rest)


class Until(Schedule):
    """Runs `inner` for exactly `steps` steps: cut off, or its last value held."""

    inner: Schedule = child()
    steps: Scalar = hyper(NONNEGATIVE)

    @property
    def duration(self) -> Scalar:
        return self.steps

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        return self.inner.inside(*within(self.inner, t, left, self.steps))


class Stretch(Schedule):
    """Runs `inner` slower by `factor`, and so `factor` times as long."""

    inner: Schedule = child()
    factor: Scalar = hyper(POSITIVE)

    @property
    def duration(self) -> Scalar:
        return scaled(self.inner.duration, self.factor)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        factor = positive(self.factor)
        rest = left if is_endless(left) else quotient(left, fixed(factor))
        return self.inner.inside(quotient(t, factor), rest)


class Reverse(Schedule):
    """Runs `inner` backwards in time."""

    inner: Schedule = child()

    def __post_init__(self) -> None:
        super().__post_init__()
        require_end(self.inner, "Nothing can start at the end of")

    @property
    def duration(self) -> Scalar:
        return self.inner.duration

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        ahead = self.inner.duration - t
        return self.inner.inside(carried(left, ahead), fixed(t))


class Staircase(Schedule):
    """Updates the value only at the multiples of `every` steps."""

    inner: Schedule = child()
    every: Scalar = hyper(POSITIVE)

    @property
    def duration(self) -> Scalar:
        return next_multiple(self.inner.duration, self.every)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        stair = held(t, self.every)
        # At the end, rounding could hold the last stair but one.
        rest = remaining(self.inner.duration, fixed(stair))
        return self.inner.held(stair, where(left <= 0, 0.0, rest))


@echoes
def delay(schedule: ScheduleLike, steps: Scalar) -> Delay:
    """Holds the initial value for some steps, and then runs the schedule.

    Args:
        schedule: What is delayed.
        steps: For how many steps, at least 0.

    Returns:
        A schedule that lasts `steps` steps longer.

    Example:
        >>> from jaxsched import delay, linear
        >>> lr = delay(linear(1.0, 0.0, steps=4), steps=10)
        >>> [float(lr(step)) for step in (0, 10, 12, 14)]
        [1.0, 1.0, 0.5, 0.0]
    """
    return Delay(as_schedule(schedule), steps)


@echoes
def shift(schedule: ScheduleLike, steps: Scalar) -> Shift:
    """Skips the first steps of a schedule.

    Args:
        schedule: What is shifted.
        steps: How many of its steps are skipped, at least 0.

    Returns:
        A schedule that ends `steps` steps sooner.

    Example:
        >>> from jaxsched import linear, shift
        >>> lr = shift(linear(1.0, 0.0, steps=4), steps=1)
        >>> [float(lr(step)) for step in range(4)]
        [0.75, 0.5, 0.25, 0.0]
    """
    return Shift(as_schedule(schedule), steps)


@echoes
def ahead(schedule: ScheduleLike, steps: Scalar) -> Ahead:
    """Runs a schedule some steps ahead, and lets it last as long as before.

    `shift` ends sooner. Here the last value is held instead, so that what follows
    begins at the same step. A warmup whose first update has 1/n of the peak, and whose
    update number k has (k + 1)/n, is the straight line from 0, one step ahead.

    Args:
        schedule: What is run ahead.
        steps: By how many steps, at least 0.

    Returns:
        A schedule as long as the other.

    Raises:
        ValueError: If `steps` is negative.

    Example:
        >>> from jaxsched import ahead, cosine, linear
        >>> lr = ahead(linear(0.0, 1.0, steps=4), steps=1) >> cosine(1.0, 0.0, steps=4)
        >>> [round(float(lr(step)), 2) for step in range(9)]
        [0.25, 0.5, 0.75, 1.0, 1.0, 0.85, 0.5, 0.15, 0.0]
    """
    return Ahead(as_schedule(schedule), steps)


@echoes
def until(schedule: ScheduleLike, steps: Scalar) -> Until:
    """Gives a schedule another length: cuts it off, or holds its last value.

    Args:
        schedule: What is cut off; it need not have an end.
        steps: How many steps it lasts, at least 0.

    Returns:
        A schedule of `steps` steps.

    Example:
        >>> from jaxsched import inverse_sqrt, linear, until
        >>> lr = until(inverse_sqrt(1.0, timescale=1), 3) >> linear(0.5, 0.0, steps=2)
        >>> [round(float(lr(step)), 2) for step in range(6)]
        [1.0, 0.71, 0.58, 0.5, 0.25, 0.0]
    """
    return Until(as_schedule(schedule), steps)


@echoes
def stretch(schedule: ScheduleLike, factor: Scalar) -> Stretch:
    """Runs a schedule slower.

    With gradients accumulated over `k` steps, `stretch(schedule, k)` is the same
    curve in terms of the inner steps.

    Args:
        schedule: What is stretched.
        factor: How many times as long it takes, positive.

    Returns:
        A schedule `factor` times as long.

    Example:
        >>> from jaxsched import linear, stretch
        >>> lr = stretch(linear(0.0, 1.0, steps=2), factor=4)
        >>> [float(lr(step)) for step in (0, 2, 4, 8)]
        [0.0, 0.25, 0.5, 1.0]
    """
    return Stretch(as_schedule(schedule), factor)


@echoes
def reverse(schedule: ScheduleLike) -> Reverse:
    """Runs a schedule backwards.

    Args:
        schedule: What is reversed; it must have an end.

    Returns:
        A schedule as long, from the last value to the first.

    Raises:
        ValueError: If the schedule has no end.

    Example:
        >>> from jaxsched import exponential, reverse
        >>> lr = reverse(exponential(1.0, 0.01, steps=2))
        >>> [round(float(lr(step)), 2) for step in range(3)]
        [0.01, 0.1, 1.0]
    """
    return Reverse(as_schedule(schedule))


@echoes
def staircase(schedule: ScheduleLike, every: Scalar) -> Staircase:
    """Updates the rate every so many steps only, and holds it in between.

    Args:
        schedule: What is sampled.
        every: For how many steps each value is held, positive.

    Returns:
        A schedule that reaches the end of the other at a multiple of `every`.

    Example:
        >>> from jaxsched import linear, staircase
        >>> lr = staircase(linear(1.0, 0.0, steps=4), every=2)
        >>> [float(lr(step)) for step in range(6)]
        [1.0, 1.0, 0.5, 0.5, 0.0, 0.0]
    """
    return Staircase(as_schedule(schedule), every)
