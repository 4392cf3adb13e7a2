"""The compiled programs that evaluate a schedule, each made once for a structure.

They differ in what they know: a part of a larger program knows the numbers that are not
traced; one that is dispatched takes all of them, so that others cost no compilation.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .numerics import (
    LATEST,
    as_float,
    fixed,
    is_endless,
    known,
    remaining,
    sharded,
    where,
)
from .powers import Digits
from .tree import hypers
from .types import Scalar


@functools.lru_cache(maxsize=1024)
def inlined(
    structure: Any, numbers: tuple[float | None, ...], duration: float | None
) -> Callable[..., Any]:
    """A program of the other leaves and the step, which leaves no trace in a larger."""

    @functools.partial(jax.jit, inline=True)
    def value(others: list[Any], step: ArrayLike) -> jax.Array:
        rest = map(as_float, others)
        leaves = [next(rest) if number is None else number for number in numbers]
        return _evaluated(structure.unflatten(leaves), step, duration)

    return value


@functools.lru_cache
def dispatched(structure: Any) -> Callable[[list[Any], ArrayLike], jax.Array]:
    """A program of all leaves, what rounding took from some, and the step."""

    @functools.partial(jax.jit, inline=True)
    def value(numbers: list[Any], step: ArrayLike) -> jax.Array:
        return _given(structure, [*map(as_float, numbers)], step)

    return value


@functools.lru_cache
def packed(structure: Any) -> Callable[[np.ndarray], jax.Array]:
    """The same, of one array."""

    @functools.partial(jax.jit, inline=True)
    def value(numbers: jax.Array) -> jax.Array:
        *leaves, step = as_float(numbers)
        return _given(structure, leaves, step)

    return value


def _evaluated(
    schedule: Any, step: ArrayLike, duration: Scalar | None = None
) -> jax.Array:
    """The value at a step; where the end is known better than the parts tell, to it."""
    t, own, left = as_float(step), schedule.duration, None
    end = own if known(own) or duration is None else duration
    if end is not own and not is_endless(end):
        left = remaining(end, fixed(t))
    if not known(end) or is_endless(end):
        t = jnp.minimum(t, where(end < math.inf, math.inf, LATEST))
    return shaped(schedule.at(t, left, own), t)


def _given(structure: Any, numbers: list[Any], step: ArrayLike) -> jax.Array:
    """The value, of the leaves, what rounding took of some, and maybe the duration.

    The sum of rounded lengths is not always their rounded sum, at which one asks.
    """
    exact, count = exact_leaves(structure), structure.num_leaves
    leaves, others = numbers[:count], numbers[count:]
    wide = jnp.result_type(float) != np.float32
    for index, low in zip(exact, others, strict=False):
        leaves[index] = Digits(leaves[index], 0.0 if wide else low)
    duration = others[len(exact)] if len(others) > len(exact) else None
    return _evaluated(structure.unflatten(leaves), step, duration)


def shaped(value: jax.Array, t: jax.Array) -> jax.Array:
    """Returns a value for each time; one of a batch of schedules has more axes."""
    shape = np.broadcast_shapes(value.shape, t.shape)
    if shape == t.shape and sharded(t):
        return jnp.broadcast_to(value, shape, out_sharding=jax.typeof(t).sharding)
    return jnp.broadcast_to(value, shape)


@functools.lru_cache
def exact_leaves(structure: Any) -> tuple[int, ...]:
    """Which leaves need more digits than a float32 has: their domains say so."""
    indices = structure.unflatten(range(structure.num_leaves))
    return tuple(int(index) for _, index, domain in hypers(indices) if domain.exact)


def lost_by(leaf: Any) -> Any:
    """Returns what a float32 loses of a leaf that is on the host."""
    return 0.0 if isinstance(leaf, jax.Array) else leaf - np.float32(leaf).astype(float)
