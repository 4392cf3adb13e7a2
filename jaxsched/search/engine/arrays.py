"""Arrays whose first axis goes over lanes, random keys among them."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp


def shaped(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    """Returns the shape and dtype of an array, without the numbers."""
    return jax.ShapeDtypeStruct(shape, dtype)  # type: ignore[no-untyped-call]


def as_numbers(leaf: jax.Array) -> jax.Array:
    """Returns an array as it is, and of random keys their data."""
    return jax.random.key_data(leaf) if is_key(leaf) else leaf


def put(state: Any, lane: int, leaves: Sequence[jax.Array]) -> Any:
    """Writes `leaves` into one lane of `state`."""

    def written(leaf: jax.Array, new: jax.Array) -> Any:
        if is_key(leaf):
            data = jax.random.key_data(leaf).at[lane].set(new)
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        return leaf.at[lane].set(new)

    here, structure = jax.tree.flatten(state)
    return jax.tree.unflatten(structure, map(written, here, leaves))


def where(condition: jax.Array, chosen: Any, other: Any) -> Any:
    """Chooses lane by lane, by a condition of shape `[lanes]`."""

    def choose(x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.where(jnp.reshape(condition, (-1,) + (1,) * (x.ndim - 1)), x, y)

    return jax.tree.map(choose, chosen, other)


def zeros(shapes: Any, numpy: Any = jnp) -> Any:
    """Makes zeros of some shapes: arrays on the host by NumPy, except for keys."""

    def zero(leaf: Any) -> Any:
        if is_key(leaf):
            data = jax.eval_shape(jax.random.key_data, leaf)
            numbers = jnp.zeros(data.shape, data.dtype)
            return jax.random.wrap_key_data(numbers, impl=_impl(leaf))
        return numpy.zeros(leaf.shape, leaf.dtype)

    return jax.tree.map(zero, shapes)


def is_key(leaf: Any) -> bool:
    """Tells whether an array holds random keys."""
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _impl(leaf: Any) -> Any:
    """Returns the implementation of a key; `key_impl` needs a key, so one is traced."""
    found: list[Any] = []

    def look(key: jax.Array) -> jax.Array:
        found.append(jax.random.key_impl(key))
        return jax.random.key_data(key)

    jax.eval_shape(look, leaf)
    return found[0]
