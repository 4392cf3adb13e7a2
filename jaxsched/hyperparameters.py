"""What is given for a hyperparameter: made a leaf, and checked where it can be seen."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from .domain import Domain
from .errors import refusal
from .types import Vector


def as_leaf(given: Any, domain: Domain, where: str) -> Any:
    """Makes `given` real without moving it to a device, and checks it if it is there.

    Python and NumPy scalars become Python floats: `100` and `100.0` then share a
    compilation, and `jax.grad` takes both. Lists become NumPy arrays. Arrays and
    tracers of JAX stay that, cast to the default float type.
    """
    if type(given) in (float, int) and domain.rank == 0:
        try:
            value: Any = float(given)
        except OverflowError:
            raise refusal(ValueError, f"`{where}`", domain.text, given) from None
        allowed = domain.contains(value)
    else:
        try:
            value = _as_real(given)
        except (TypeError, ValueError):
            value = None
        many = domain.rank == 0 and isinstance(given, list | tuple)
        if many or value is None or np.ndim(value) < domain.rank or np.size(value) == 0:
            raise refusal(TypeError, f"`{where}`", domain.text, given)
        allowed = not is_concrete(value) or np.all(domain.contains(np.asarray(value)))
    if not allowed:
        raise refusal(ValueError, f"`{where}`", domain.text, given)
    return value


def length(vector: Vector) -> int:
    """Returns how many numbers there are in `vector`, leading axes aside.

    Raises:
        TypeError: If it is no vector.
    """
    if isinstance(vector, np.ndarray | jax.Array) and vector.ndim:
        return vector.shape[-1]
    if isinstance(vector, Sequence):
        return len(vector)
    raise TypeError(f"Expected a list of numbers, got {vector!r}.")


def is_concrete(value: Any) -> bool:
    """Tells whether `value` can be looked at: no tracer, nor on another host."""
    if isinstance(value, Tracer):
        return False
    return not isinstance(value, jax.Array) or value.is_fully_addressable


def _as_real(given: Any) -> Any:
    if isinstance(given, jax.Array):
        dtype = jnp.result_type(float)
        if jnp.issubdtype(given.dtype, jnp.complexfloating):
            raise TypeError
        return given if given.dtype == dtype else given.astype(dtype)
    if isinstance(given, str | bytes):
        raise TypeError
    if isinstance(given, list | tuple):
        if any(isinstance(item, str | bytes | list | tuple) for item in given):
            raise TypeError
        if any(isinstance(item, jax.Array) for item in given):
            return _as_real(jnp.stack([jnp.asarray(item) for item in given]))
    # A copy, so that no array of the caller is kept.
    kept = np.array(given, float)
    if kept.ndim == 0:
        return kept.item()
    kept.setflags(write=False)
    return kept
