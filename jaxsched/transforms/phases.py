"""Phases put before, after and over a schedule: warmup, cooldown, and switching."""

from collections.abc import Sequence
from typing import Literal, get_args

import jax

from ..curves import Curve, Linear
from ..domain import BOUNDARIES, NONNEGATIVE
from ..errors import echoes
from ..hyperparameters import as_leaf, length
from ..numerics import (
    as_float,
    fixed,
    last,
    limited,
    longest,
    mixed,
    progress,
    remaining,
    where,
)
from ..schedule import Schedule, ScheduleLike, as_schedule, within
from ..tree import child, hyper, static
from ..types import Scalar, Vector


__all__ = ["Cooldown", "Switch", "Warmup", "cooldown", "switch", "warmup"]


Join = Literal["prefix", "overlay", "multiply"]
CooldownJoin = Literal["hold", "multiply"]


class Warmup(Schedule):
    """Rises from `start` to the value of `inner` within `steps` steps."""

    inner: Schedule = child()
    steps: Scalar = hyper(NONNEGATIVE)
    start: Scalar = hyper(default=0.0)
    curve: Curve = child(default_factory=Linear)
    join: Join = static(default="prefix")

    def __post_init__(self) -> None:
        super().__post_init__()
        joins = get_args(Join)
        if self.join not in joins:
            raise ValueError(f"`Warmup.join` must be in {joins}, got {self.join!r}.")

    @property
    def duration(self) -> Scalar:
        if self.join == "prefix":
            return self.steps + self.inner.duration
        return longest(self.steps, self.inner.duration)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        rising = remaining(self.steps, fixed(t))
        risen = where(rising > 0, t, self.steps)
        way = progress(risen, limited(rising, self.steps), self.steps)
        to_end, to_start = self.curve(*way)
        return mixed(self.start, to_start, self._aim(t, left, rising), to_end)

    def _aim(self, t: jax.Array, left: Scalar, rising: Scalar) -> jax.Array:
        """The value that is warmed up to, at this time."""
        if self.join == "prefix":
            return self.inner.inside(where(t < self.steps, 0.0, t - self.steps), left)
        if self.join == "overlay":
            t = where(rising > 0, self.steps, t)
            left = where(rising > 0, remaining(self.duration, fixed(self.steps)), left)
        return self.inner.inside(*within(self.inner, t, left, self.duration))


class Cooldown(Schedule):
    """Falls from the value of `inner` at step `begin` to `end` within `steps` steps.

    With `join="multiply"`, `inner` goes on meanwhile.
    """

    inner: Schedule = child()
    begin: Scalar = hyper(NONNEGATIVE)
    steps: Scalar = hyper(NONNEGATIVE)
    end: Scalar = hyper(default=0.0)
    curve: Curve = child(default_factory=Linear)
    join: CooldownJoin = static(default="hold")

    def __post_init__(self) -> None:
        super().__post_init__()
        joins = get_args(CooldownJoin)
        if self.join not in joins:
            raise ValueError(f"`Cooldown.join` must be in {joins}, got {self.join!r}.")

    @property
    def duration(self) -> Scalar:
        return self.begin + self.steps

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        falling = t >= self.begin
        fallen = where(falling, t - self.begin, 0.0)
        way = progress(fallen, limited(left, self.steps), self.steps)
        to_end, to_start = self.curve(*way)
        holds = self.join == "hold"
        value = self.inner.at(where(falling, self.begin, t) if holds else t)
        cooled = mixed(value, to_start, self.end, to_end)
        # What `inner` is after the end, maybe infinite, does not matter.
        return where(falling, where(left <= 0, self.end, cooled), value)


class Switch(Schedule):
    """Takes turns between `parts` at `boundaries`, all on the same clock."""

    parts: tuple[Schedule, ...] = child()
    boundaries: Vector = hyper(BOUNDARIES)

    @property
    def duration(self) -> Scalar:
        return longest(last(self.boundaries), self.parts[-1].duration)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        end = self.duration
        first, *rest = (part.inside(*within(part, t, left, end)) for part in self.parts)
        value = first
        for other, begin in zip(rest, as_float(self.boundaries), strict=True):
            value = where(t < begin, value, other)
        return value


@echoes
def warmup(
    schedule: ScheduleLike,
    steps: Scalar,
    *,
    join: Join = "prefix",
    start: Scalar = 0.0,
    curve: Curve = Linear(),
) -> Warmup:
    """Warms up to any schedule.

    Args:
        schedule: What is warmed up to.
        steps: How many steps the warmup takes; with 0 there is none.
        join: What the schedule does meanwhile. With "prefix" it waits, so that the
            whole lasts `steps` longer and the rate rises to its first value; with
            "overlay" its first steps are replaced, and the rate rises to the value
            it has at step `steps`; with "multiply" it goes on, and the rate is its
            own times the part of the warmup that has passed, if `start` is 0.
        start: The rate at step 0.
        curve: The shape, from `jaxsched.curves`.

    Returns:
        A schedule that is continuous where the warmup ends.

    Raises:
        ValueError: If `steps` is negative, or `join` is unknown.

    Example:
        >>> from jaxsched import linear, warmup
        >>> decay = linear(1.0, 0.0, steps=4)
        >>> [float(warmup(decay, 2)(step)) for step in range(5)]
        [0.0, 0.5, 1.0, 0.75, 0.5]
        >>> [float(warmup(decay, 2, join="overlay")(step)) for step in range(5)]
        [0.0, 0.25, 0.5, 0.25, 0.0]
        >>> [float(warmup(decay, 2, join="multiply")(step)) for step in range(5)]
        [0.0, 0.375, 0.5, 0.25, 0.0]
    """
    return Warmup(as_schedule(schedule), steps, start, curve, join)


@echoes
def cooldown(
    schedule: ScheduleLike,
    at: Scalar,
    steps: Scalar,
    end: Scalar = 0.0,
    curve: Curve = Linear(),
    *,
    join: CooldownJoin = "hold",
) -> Cooldown:
    """Runs a schedule until step `at`, and lets the rate fall from there.

    Args:
        schedule: What is cooled down; it need not have an end.
        at: The step of the last value that is its own, at least 0.
        steps: How many steps the cooldown takes; with 0 the rate jumps to `end`.
        end: The rate at step `at + steps`, and after it.
        curve: The shape, from `jaxsched.curves`.
        join: What the schedule does meanwhile. With "hold" it stops, and the rate falls
            from the value at step `at`; with "multiply" it goes on, and the rate is its
            own times the part of the cooldown that remains, if `end` is 0.

    Returns:
        A schedule of `at + steps` steps.

    Raises:
        ValueError: If `at` or `steps` is negative, or `join` is unknown.

    Example:
        >>> from jaxsched import constant, cooldown, linear
        >>> lr = cooldown(constant(1.0), at=6, steps=4)
        >>> [float(lr(step)) for step in (0, 6, 7, 8, 10)]
        [1.0, 1.0, 0.75, 0.5, 0.0]
        >>> decay = linear(1.0, 0.0, steps=8)
        >>> [float(cooldown(decay, 4, 2)(step)) for step in range(3, 7)]
        [0.625, 0.5, 0.25, 0.0]
        >>> lr = cooldown(decay, 4, 2, join="multiply")
        >>> [float(lr(step)) for step in range(3, 7)]
        [0.625, 0.5, 0.1875, 0.0]

    Source:
        Hägele et al., 2024, https://arxiv.org/abs/2405.18392; with "multiply", Zhai et
        al., 2022, *Scaling Vision Transformers*, https://arxiv.org/abs/2106.04560.
    """
    return Cooldown(as_schedule(schedule), at, steps, end, curve, join)


@echoes
def switch(schedules: Sequence[ScheduleLike], boundaries: Vector) -> Switch:
    """Takes turns between schedules that all run on the same clock.

    Unlike in a `chain`, where each part begins at its own time zero, every schedule
    is evaluated at the step itself.

    Args:
        schedules: One or more.
        boundaries: The steps at which the next one takes over, increasing; one less
            than schedules.

    Returns:
        A schedule that lasts until the last one ends.

    Raises:
        ValueError: If `boundaries` do not increase, or the numbers do not match.

    Example:
        >>> from jaxsched import linear, switch
        >>> lr = switch([linear(1.0, 0.0, steps=4), 0.1], boundaries=[3])
        >>> [round(float(lr(step)), 2) for step in range(5)]
        [1.0, 0.75, 0.5, 0.1, 0.1]
    """
    parts = tuple(map(as_schedule, schedules))
    boundaries = as_leaf(boundaries, BOUNDARIES, "boundaries")
    if len(parts) != length(boundaries) + 1:
        raise ValueError(
            "`switch` needs one more schedule than boundaries, "
            f"got {len(parts)} schedules and {length(boundaries)} boundaries."
        )
    return Switch(parts, boundaries)
