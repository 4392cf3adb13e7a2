"""Noise: a rate that is drawn around the value of a schedule, anew at each step."""

import math

import jax
import jax.numpy as jnp

from ..domain import NONNEGATIVE, POSITIVE
from ..errors import echoes
from ..numerics import positive
from ..schedule import Schedule, ScheduleLike, as_schedule
from ..tree import child, hyper
from ..types import Scalar


__all__ = ["Noise", "noise"]


class Noise(Schedule):
    """Multiplies `inner` by `1 + e`, with `e` from a normal distribution cut off.

    It never ends, though `inner` may: each step has a number of its own.
    """

    inner: Schedule = child()
    deviation: Scalar = hyper(NONNEGATIVE)
    limit: Scalar = hyper(POSITIVE, default=1.0)
    seed: Scalar = hyper(NONNEGATIVE, default=0.0)

    @property
    def duration(self) -> Scalar:
        return math.inf

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        key = jax.random.key(jnp.asarray(self.seed).astype(jnp.uint32))
        # Beyond 5 deviations, float32 has hardly a number left to draw.
        bound = jnp.minimum(positive(self.limit) / positive(self.deviation), 5.0)

        def draw(step: jax.Array) -> jax.Array:
            at_step = jax.random.fold_in(key, step)
            return jax.random.truncated_normal(at_step, -bound, bound, dtype=t.dtype)

        steps = jnp.minimum(t, 2.0**31 - 128).astype(jnp.uint32)
        drawn = jax.vmap(draw)(steps.ravel()).reshape(t.shape)
        return self.inner.at(t) * (1 + self.deviation * drawn)


@echoes
def noise(
    schedule: ScheduleLike,
    deviation: Scalar,
    *,
    limit: Scalar = 1.0,
    seed: Scalar = 0.0,
) -> Noise:
    """Multiplies the rate by `1 + e`, with another `e` at each step.

    There is no state: the random number is a function of the seed and of the step, so
    it is the same whenever that step is asked for. Another seed is another leaf.

    Args:
        schedule: What the noise is added to.
        deviation: The standard deviation of `e`, relative to the rate, at least 0.
        limit: The greatest `e`, to both sides, positive: what lies beyond is drawn
            again. With at most 1 no rate changes its sign.
        seed: Which random numbers, a whole number from 0 to 2**24.

    Returns:
        A schedule without end: where the other one has ended, its last value goes on
        to be multiplied. `until` gives it an end.

    Raises:
        ValueError: If `deviation` or `seed` is negative, or `limit` not positive.

    Example:
        >>> from jaxsched import constant, noise
        >>> lr = noise(constant(1.0), 0.1, limit=0.2)
        >>> rates = lr(range(1000))
        >>> bool((0.8 < rates.min()) & (rates.max() < 1.2) & (rates.std() > 0.05))
        True
        >>> bool(lr(7) == rates[7])
        True

    Source:
        Wightman, 2019, *PyTorch Image Models*, noise of the learning rate,
        https://doi.org/10.5281/zenodo.4414861.
    """
    return Noise(as_schedule(schedule), deviation, limit, seed)
