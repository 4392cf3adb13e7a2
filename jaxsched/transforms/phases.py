"""Phases put before, after and over a schedule: warmup, cooldown, and switching."""

from collections.abc import Sequence
from typing import Literal, get_args

import jax
import jax.numpy as jnp

from ..curves import Curve, Linear
from ..domain import BOUNDARIES, NONNEGATIVE
from ..errors import echoes
from ..hyperparameters import length
from ..numerics import clamp, progress
from ..schedule import Schedule, ScheduleLike, as_schedule, longest
from ..tree import child, hyper, static
from ..types import Scalar, Vector


__all__ = ["Cooldown", "Switch", "Warmup", "cooldown", "switch", "warmup"]


Join = Literal["prefix", "overlay", "multiply"]


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
        return longest((self.steps, self.inner.duration))

    def evaluate(self, t: jax.Array, left: jax.Array) -> jax.Array:
        risen = clamp(t, self.steps)
        to_end, to_start = self.curve(*progress(risen, self.steps - risen, self.steps))
        if self.join == "prefix":
            value = self.inner.at(t - self.steps, left)
        else:
            until = self.steps if self.join == "overlay" else 0.0
            value = self.inner.at(jnp.maximum(t, until))
        return self.start * to_start + value * to_end


class Cooldown(Schedule):
    """Falls from the value of `inner` at step `begin` to `end` within `steps` steps."""

    inner: Schedule = child()
    begin: Scalar = hyper(NONNEGATIVE)
    steps: Scalar = hyper(NONNEGATIVE)
    end: Scalar = hyper(default=0.0)
    curve: Curve = child(default_factory=Linear)

    @property
    def duration(self) -> Scalar:
        return self.begin + self.steps

    def evaluate(self, t: jax.Array, left: jax.Array) -> jax.Array:
        fallen = clamp(t - self.begin, self.steps)
        way = progress(fallen, clamp(left, self.steps), self.steps)
        to_end, to_start = self.curve(*way)
        value = self.inner.at(clamp(t, self.begin))
        cooled = value * to_start + self.end * to_end
        return jnp.where(t < self.begin, value, cooled)


class Switch(Schedule):
    """Takes turns between `parts` at `boundaries`, all on the same clock."""

    parts: tuple[Schedule, ...] = child()
    boundaries: Vector = hyper(BOUNDARIES)

    @property
    def duration(self) -> Scalar:
        return longest((self.boundaries[-1], self.parts[-1].duration))

    def evaluate(self, t: jax.Array, left: jax.Array) -> jax.Array:
        first, *rest = self.parts
        value = first.at(t)
        for part, begin in zip(rest, self.boundaries, strict=True):
            value = jnp.where(t < begin, value, part.at(t))
        return value


@echoes
def warmup(
    schedule: ScheduleLike,
    steps: Scalar,
    *,
    join: Join = "prefix",
    start: Scalar = 0.0,
    curve: Curve | None = None,
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
        curve: The shape, from `jaxsched.curves`; linear if not given.

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
    shape = Linear() if curve is None else curve
    return Warmup(as_schedule(schedule), steps, start, shape, join)


@echoes
def cooldown(
    schedule: ScheduleLike,
    at: Scalar,
    steps: Scalar,
    end: Scalar = 0.0,
    curve: Curve | None = None,
) -> Cooldown:
    """Runs a schedule until step `at`, and lets the rate fall from there.

    Args:
        schedule: What is cooled down; it need not have an end.
        at: The step of the last value that is its own, at least 0.
        steps: How many steps the cooldown takes; with 0 the rate jumps to `end`.
        end: The rate at step `at + steps`, and after it.
        curve: The shape, from `jaxsched.curves`; linear if not given.

    Returns:
        A schedule of `at + steps` steps.

    Raises:
        ValueError: If `at` or `steps` is negative.

    Example:
        >>> from jaxsched import constant, cooldown
        >>> lr = cooldown(constant(1.0), at=6, steps=4)
        >>> [float(lr(step)) for step in (0, 6, 7, 8, 10)]
        [1.0, 1.0, 0.75, 0.5, 0.0]

    Source:
        Hägele et al., 2024, https://arxiv.org/abs/2405.18392.
    """
    shape = Linear() if curve is None else curve
    return Cooldown(as_schedule(schedule), at, steps, end, shape)


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
    if len(parts) != length(boundaries) + 1:
        raise ValueError(
            "`switch` needs one more schedule than boundaries, "
            f"got {len(parts)} schedules and {length(boundaries)} boundaries."
        )
    return Switch(parts, boundaries)
