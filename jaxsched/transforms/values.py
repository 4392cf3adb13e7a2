"""Transforms of the value: at the same steps, another rate."""

import jax
import jax.numpy as jnp

from ..errors import echoes
from ..numerics import mixed, where
from ..schedule import Pointwise, Schedule, ScheduleLike, as_schedule, splice
from ..tree import child, hyper
from ..types import Scalar


__all__ = [
    "Clip",
    "Maximum",
    "Minimum",
    "Rescale",
    "clip",
    "maximum",
    "minimum",
    "rescale",
]


class Minimum(Pointwise):
    """The least value of `parts` at each step."""

    def combine(self, first: jax.Array, second: jax.Array, /) -> jax.Array:
        return jnp.minimum(first, second)


class Maximum(Pointwise):
    """The greatest value of `parts` at each step."""

    def combine(self, first: jax.Array, second: jax.Array, /) -> jax.Array:
        return jnp.maximum(first, second)


class Clip(Schedule):
    """Limits the value of `inner` to [low, high]."""

    inner: Schedule = child()
    low: Scalar = hyper()
    high: Scalar = hyper()

    @property
    def duration(self) -> Scalar:
        return self.inner.duration

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        value = self.inner.evaluate(t, left)
        # Where all three are equal, the mean that JAX takes of ties is no slope.
        value = where(value < self.low, self.low, value)
        return where(value < self.high, value, self.high)


class Rescale(Schedule):
    """Takes the values 0 and 1 of `inner` to `low` and `high`."""

    inner: Schedule = child()
    low: Scalar = hyper()
    high: Scalar = hyper()

    @property
    def duration(self) -> Scalar:
        return self.inner.duration

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        value = self.inner.evaluate(t, left)
        return mixed(self.low, 1 - value, self.high, value)


@echoes
def minimum(*schedules: ScheduleLike) -> Minimum:
    """Takes the least value of several schedules at each step.

    Args:
        *schedules: One or more schedules or numbers.

    Returns:
        A schedule that lasts as long as the longest of them.

    Example:
        >>> from jaxsched import linear, minimum
        >>> lr = minimum(linear(1.0, 0.0, steps=4), 0.6)
        >>> [round(float(lr(step)), 2) for step in range(5)]
        [0.6, 0.6, 0.5, 0.25, 0.0]
    """
    return Minimum(_some(splice(Minimum, schedules)))


@echoes
def maximum(*schedules: ScheduleLike) -> Maximum:
    """Takes the greatest value of several schedules at each step.

    A floor that is put under a schedule like this cuts it off; to decay *towards* a
    floor, give it as the end of the decay.

    Args:
        *schedules: One or more schedules or numbers.

    Returns:
        A schedule that lasts as long as the longest of them.

    Example:
        >>> from jaxsched import linear, maximum
        >>> lr = maximum(linear(1.0, 0.0, steps=4), 0.3)
        >>> [round(float(lr(step)), 2) for step in range(5)]
        [1.0, 0.75, 0.5, 0.3, 0.3]
    """
    return Maximum(_some(splice(Maximum, schedules)))


@echoes
def clip(schedule: ScheduleLike, low: Scalar, high: Scalar) -> Clip:
    """Limits the rate to an interval.

    Args:
        schedule: What is limited.
        low: The least rate.
        high: The greatest rate; it wins where it is less than `low`.

    Returns:
        A schedule as long.

    Example:
        >>> from jaxsched import clip, linear
        >>> lr = clip(linear(1.0, 0.0, steps=4), low=0.2, high=0.8)
        >>> [round(float(lr(step)), 2) for step in range(5)]
        [0.8, 0.75, 0.5, 0.25, 0.2]
    """
    return Clip(as_schedule(schedule), low, high)


@echoes
def rescale(schedule: ScheduleLike, low: Scalar, high: Scalar) -> Rescale:
    """Takes a schedule from the range [0, 1] to another range.

    Args:
        schedule: A factor, 0 where the result is `low` and 1 where it is `high`.
        low: The rate where the factor is 0.
        high: The rate where the factor is 1; it may be less than `low`.

    Returns:
        A schedule as long.

    Example:
        >>> from jaxsched import cosine, rescale
        >>> momentum = rescale(cosine(0.0, 1.0, steps=2), low=0.95, high=0.85)
        >>> [round(float(momentum(step)), 2) for step in range(3)]
        [0.95, 0.9, 0.85]
    """
    return Rescale(as_schedule(schedule), low, high)


def _some(parts: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
    if not parts:
        raise ValueError("At least one schedule is needed, got none.")
    return parts
