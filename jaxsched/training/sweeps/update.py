"""One update of a sweep: what it makes of the loss, and whether it was the last."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ...domain import Domain
from ...hyperparameters import as_leaf
from ...numerics import as_float
from ...types import Scalar


__all__ = ["Limits", "StepFn", "Sweep", "advance", "begin", "limits_of"]


StepFn: TypeAlias = Callable[[Any, Any, jax.Array], tuple[Any, Any]]
"""From a state, a batch and a rate to the next state, and a loss."""

MEMORY = Domain("a number >= 0 and < 1", lambda x: (x >= 0) & (x < 1))
MULTIPLE = Domain("a number > 1, `inf` included", lambda x: x > 1)


class Limits(NamedTuple):
    """How much of the average each update keeps, and how far that may rise."""

    smoothing: jax.Array
    diverged: jax.Array


class Sweep(NamedTuple):
    """A sweep between two updates: what is trained, and what the losses came to."""

    state: Any
    smoothed: jax.Array
    weight: jax.Array
    lowest: jax.Array
    stopped: jax.Array


Losses: TypeAlias = tuple[jax.Array, jax.Array]
"""The loss of an update, and the average of all until then."""


def limits_of(smoothing: Scalar, diverged: Scalar) -> Limits:
    """Returns the limits of a sweep.

    Raises:
        ValueError: If one is out of its domain.
    """
    return Limits(
        as_float(as_leaf(smoothing, MEMORY, "smoothing")),
        as_float(as_leaf(diverged, MULTIPLE, "diverged")),
    )


def begin(state: Any) -> Sweep:
    """Returns a sweep before its first update."""
    zero, infinity = as_float(0.0), as_float(jnp.inf)
    return Sweep(jax.tree.map(_strong, state), zero, zero, infinity, jnp.asarray(False))


def advance(
    step_fn: StepFn, sweep: Sweep, batch: Any, rate: jax.Array, limits: Limits
) -> tuple[Sweep, Losses]:
    """Makes one update, or none if the sweep has ended; losses are NaN from then on.

    Raises:
        TypeError: If `step_fn` does not return a state like that of the sweep, and a
            scalar loss.
    """
    smoothing, diverged = limits

    def update() -> tuple[Sweep, Losses]:
        state, loss = _checked(sweep.state, step_fn(sweep.state, batch, rate))
        # The weights of all losses add up to one, so the average has no bias.
        weight = smoothing * sweep.weight + (1 - smoothing)
        gain = (1 - smoothing) / weight
        smoothed = (1 - gain) * sweep.smoothed + gain * loss
        lowest = jnp.minimum(sweep.lowest, smoothed)
        # Below zero too, the bound is above the lowest, in the same proportion to it.
        bound = jnp.where(lowest < 0, 2 - diverged, diverged) * lowest
        stopped = ~jnp.isfinite(loss) | (smoothed > bound)
        # Under `vmap` there are updates after the end, thrown away: they start from
        # the last good state, so that none computes with NaN.
        state = jax.tree.map(functools.partial(jnp.where, stopped), sweep.state, state)
        return Sweep(state, smoothed, weight, lowest, stopped), (loss, smoothed)

    def rest() -> tuple[Sweep, Losses]:
        return sweep, (as_float(jnp.nan), as_float(jnp.nan))

    advanced: tuple[Sweep, Losses] = lax.cond(sweep.stopped, rest, update)
    return advanced


def _checked(before: Any, returned: Any) -> tuple[Any, jax.Array]:
    """Returns the state and the loss that `step_fn` returned, if they are that."""
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(f"`step_fn` must return `(state, loss)`, got {returned!r}.")
    state, loss = returned
    if np.shape(loss) != ():
        raise TypeError(
            f"`step_fn` must return a scalar loss, got one of shape {np.shape(loss)}."
        )
    was, became = _kinds(before), _kinds(state)
    if was != became:
        raise TypeError(
            f"`step_fn` must return a state like the one it got, of {was[0]} in "
            f"{was[1]}, got {became[0]} in {became[1]}."
        )
    return state, as_float(loss)


def _kinds(state: Any) -> tuple[list[str], Any]:
    """The types and shapes of the leaves of a state, and how it holds them."""
    leaves, structure = jax.tree.flatten(state)
    kinds = map(jax.typeof, leaves)
    return [f"{kind.dtype}{list(kind.shape)}" for kind in kinds], structure


def _strong(leaf: Any) -> jax.Array:
    """Makes a Python number the array that it becomes with the first update."""
    array = jnp.asarray(leaf)
    # A key is no number, and knows nothing of weak types.
    weak = getattr(array, "weak_type", False)
    return array.astype(array.dtype) if weak else array
