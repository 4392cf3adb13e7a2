"""What a reducer is, how Optax takes one, and when a metric has improved."""

import abc
import functools
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from ...domain import INFINITY, Domain
from ...errors import echoes
from ...numerics import as_float
from ...serialization import register_with_flax
from ...tree import Tree, as_arrays
from ...types import Scalar


__all__ = ["Reducer", "ReducingState", "reducing"]


class Scaled(Protocol):
    """What every reducer remembers, whatever else it does."""

    @property
    def scale(self) -> jax.Array: ...


S = TypeVar("S", bound=Scaled)


class Reducer(Tree, Generic[S]):
    """A factor of the rate that follows a metric; its numbers are leaves of a pytree.

    The rate is `schedule(step) * state.scale`, with any schedule. Nothing changes
    inside a reducer: what it remembers is the state, a tuple of arrays that goes
    through `jit`, `vmap`, `scan` and a checkpoint.

    To write a new one, subclass this and define `init` and `react`.
    """

    @abc.abstractmethod
    def init(self) -> S:
        """Returns the state before the first evaluation: its scale is 1."""

    @abc.abstractmethod
    def react(self, state: S, metric: jax.Array) -> S:
        """Returns the state after an evaluation that yielded `metric`.

        Implement this, but call `update`. Here the leaves and the metric are scalars
        of the default float type. A metric that is NaN must not enter the state.
        """

    @final
    def update(self, state: S, metric: ArrayLike) -> S:
        """Returns the state after an evaluation.

        Args:
            state: From `init`, or from the last call of this.
            metric: What was evaluated, one number; traced, if need be.

        Raises:
            ValueError: If `metric` is an array of several numbers.
            TypeError: If it is no real number.
        """
        updated: S = _updated(self, state, _as_metric(metric))
        return updated


class ReducingState(NamedTuple):
    """What `reducing` keeps: the reducer, as arrays, and what that remembers."""

    reducer: Reducer[Any]
    state: Any
    total: jax.Array
    """The sum of the metrics since the last evaluation."""
    metrics: jax.Array
    """How many there were."""


@echoes
def reducing(
    reducer: Reducer[Any], *, accumulation_size: int = 1
) -> optax.GradientTransformationExtraArgs:
    """Makes a reducer a transformation of Optax, to chain after any optimizer.

    The updates are multiplied by the scale, each in its own dtype. Its state holds
    the reducer too, as arrays, and that is the one that counts: put another there, of
    `as_arrays`, and nothing is compiled anew; to train with a hundred reducers,
    `jax.vmap` over a hundred states.

    Args:
        reducer: From `plateau`, or any other.
        accumulation_size: How many metrics to average for one evaluation: with the
            loss of each step, as many as an epoch has steps. It is structure.

    Returns:
        A transformation that takes the metric as `update(updates, state, params,
        value=metric)`. Without it, as between two evaluations, the scale stays. In one
        compiled step, `update(..., value=metric, evaluated=step % 100 == 0)` says when
        there is one; a metric of NaN would be a bad evaluation.

    Raises:
        TypeError: If `reducer` is none.
        ValueError: If `accumulation_size` is no whole number, or less than 1.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> from jaxsched import cosine
        >>> from jaxsched.training.reducers import plateau, reducing
        >>> halving = reducing(plateau(0.5, patience=0))
        >>> optimizer = optax.chain(optax.sgd(cosine(1.0, 0.0, steps=9)), halving)
        >>> params = jnp.ones(2)
        >>> state = optimizer.init(params)
        >>> for loss in (3.0, 2.0, 2.0):
        ...     updates, state = optimizer.update(params, state, params, value=loss)
        >>> optax.tree.get(state, "scale")
        Array(0.5, dtype=float...)
    """
    if not isinstance(reducer, Reducer):
        raise TypeError(f"`reducing` needs a reducer, got {reducer!r}.")
    if not isinstance(accumulation_size, int) or accumulation_size < 1:
        raise ValueError(
            "`accumulation_size` must be a whole number >= 1, got "
            f"{accumulation_size!r}."
        )

    def init(params: Any) -> Any:
        del params
        register_with_flax()
        kept = as_arrays(reducer)
        return ReducingState(kept, reducer.init(), number(0.0), number(0.0))

    def update(
        updates: Any,
        state: Any,
        params: Any = None,
        *,
        value: ArrayLike | None = None,
        evaluated: ArrayLike = True,
        **others: Any,
    ) -> tuple[Any, Any]:
        del params, others
        if value is not None:
            state = _given(state, value, evaluated, accumulation_size)

        def reduced(update: ArrayLike) -> jax.Array:
            array = jnp.asarray(update)
            return array * jnp.asarray(state.state.scale).astype(array.dtype)

        return jax.tree.map(reduced, updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def _given(
    state: ReducingState, metric: ArrayLike, evaluated: ArrayLike, size: int
) -> ReducingState:
    """Takes a metric, if there is one now, and evaluates after as many as `size`."""
    there = jnp.asarray(evaluated, bool)
    total = state.total + jnp.where(there, as_float(_as_metric(metric)), 0.0)
    metrics = state.metrics + jnp.where(there, 1.0, 0.0)
    due = there & (metrics >= size)
    after = state.reducer.update(state.state, total / size)
    return ReducingState(
        state.reducer,
        jax.tree.map(lambda new, old: jnp.where(due, new, old), after, state.state),
        jnp.where(due, 0.0, total),
        jnp.where(due, 0.0, metrics),
    )


# --- What reducers share --------------------------------------------------------------

AT_LEAST_ONE = Domain("a finite number >= 1", lambda x: (x >= 1) & (x < INFINITY))

Mode = Literal["min", "max"]

SIGNS = {"min": 1.0, "max": -1.0}

ThresholdMode = Literal["relative", "absolute"]

RELATIVE = {"relative": True, "absolute": False}


def improves(
    metric: jax.Array,
    best: jax.Array,
    mode: Mode,
    threshold: Scalar,
    threshold_mode: ThresholdMode,
) -> jax.Array:
    """Tells whether `metric` is better than `best`, by more than the threshold.

    A relative one is a fraction of the magnitude of the best. Anything but NaN is
    better than an infinite best, which is what there is before the first evaluation.
    """
    cost, least = SIGNS[mode] * metric, SIGNS[mode] * best
    if RELATIVE[threshold_mode]:
        bar = least * (1 - threshold * jnp.sign(least))
    else:
        bar = least - threshold
    return cost < jnp.where(least == INFINITY, INFINITY, bar)


def number(value: float) -> jax.Array:
    """Returns a scalar for a state, in a buffer of its own, so it can be donated."""
    return jnp.full((), value, jnp.result_type(float))


def _as_metric(metric: ArrayLike) -> Any:
    """Readies a metric for a compiled program: one trace serves for all its dtypes."""
    if np.ndim(metric):
        raise ValueError(
            f"A metric must be one number, got an array of shape {np.shape(metric)}."
        )
    if isinstance(metric, jax.Array) and not jnp.iscomplexobj(metric):
        return as_float(metric)
    try:
        return np.asarray(float(metric))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"A metric must be a real number, got {metric!r}.") from None


@functools.partial(jax.jit, inline=True)
def _updated(reducer: Reducer[S], state: S, metric: jax.Array) -> S:
    """One dispatch when called eagerly; inlined, it leaves no trace in a program."""
    # Leaves may have become anything numeric since they were checked.
    floats: Reducer[S] = jax.tree.map(as_float, reducer)
    return floats.react(state, as_float(metric))
