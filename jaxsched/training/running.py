"""Optimizers that are running: the values that were applied, and other ones to come."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_map_with_path

from ..domain import REAL
from ..errors import echoes, named, refusal
from ..hyperparameters import as_leaf, is_concrete
from ..schedule import Schedule, ScheduleLike, as_schedule
from ..tree import as_arrays, hypers
from ..types import Scalar
from .lookup import Schedules, State, by_name, find, is_scheduled, nodes
from .state import Scheduled
from .variables import contents, held_like


__all__ = ["applied", "preview", "set_scale", "set_schedule", "set_step", "upcoming"]


def applied(state: State, schedule: Schedules | None = None) -> dict[str, jax.Array]:
    """Returns the values that the last update had, of all that is scheduled.

    Args:
        state: The state of an optimizer after the update, in any nest of Optax's
            wrappers, or in variables of Flax NNX; traced or not. Of a batch of states
            there is a value for each.
        schedule: The one that was given to an optimizer of Optax itself, which keeps
            only the step: `applied(state, lr)` after `optax.adam(lr)`. Where it counts
            for several schedules, they are given by the names that the error lists.

    Returns:
        The values, by the names of the hyperparameters; by their paths in the state, if
        one is there twice. Before the first update they are 0. What `reducing` has
        lowered is shown as it is applied. Of `optax.inject_hyperparams` there are all
        hyperparameters.

    Raises:
        ValueError: If nothing in the state is scheduled, or Optax counts for several
            schedules and one was given.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> optimizer = optax.chain(
        ...     optax.clip(1.0), training.inject(optax.sgd)(js.linear(1.0, 0.0, 4)))
        >>> state = optimizer.init(jnp.ones(2))
        >>> _, state = optimizer.update(jnp.ones(2), state)
        >>> float(training.applied(state)["learning_rate"])
        1.0
        >>> float(training.upcoming(state)["learning_rate"])
        0.75
    """
    return {name: each.applied for name, each in find(state, schedule).items()}


def upcoming(state: State, schedule: Schedules | None = None) -> dict[str, jax.Array]:
    """Returns the values that the next update will have, of all that is scheduled.

    Args:
        state: The state of an optimizer, as for `applied`.
        schedule: The one that was given to an optimizer of Optax itself.

    Returns:
        The values, by the same names. A reducer may still lower them.

    Raises:
        ValueError: If nothing in the state is scheduled, or what it is is not known.
    """
    return {name: each.ahead(0) for name, each in find(state, schedule).items()}


def preview(
    state: State, steps: int, schedule: Schedules | None = None
) -> dict[str, jax.Array]:
    """Returns the values that the next updates will have, of all that is scheduled.

    So it is seen before a run goes on what this very state will do: its schedules, at
    its step, with its factors.

    Args:
        state: The state of an optimizer, as for `applied`.
        steps: How many updates.
        schedule: The one that was given to an optimizer of Optax itself.

    Returns:
        The values, by the same names, each of shape `(steps,)`; of a batch of states,
        `(batch, steps)`. What reducers have lowered stays so low.

    Raises:
        ValueError: If nothing in the state is scheduled, or what it is is not known, or
            `steps` is not a whole number > 0.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> state = training.inject(optax.sgd)(js.linear(1.0, 0.0, 4)).init(jnp.ones(2))
        >>> training.preview(state, 5)["learning_rate"].tolist()
        [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    if not (isinstance(steps, int) and steps > 0):
        raise refusal(ValueError, "`steps`", "a whole number > 0", steps)
    updates = jnp.arange(steps)
    return {name: each.ahead(updates) for name, each in find(state, schedule).items()}


@echoes
def set_schedule(
    state: State, schedule: ScheduleLike, *, name: str | None = None
) -> State:
    """Returns the state with another schedule, at the same step.

    Args:
        state: The state of an optimizer, as for `applied`.
        schedule: The new one. If it is built like the old one, of other numbers,
            nothing is traced again.
        name: Which one to change, a name that `applied` has; if not given, the learning
            rate, or the only one there is.

    Raises:
        ValueError: If nothing in the state is scheduled, nothing of that name is, or
            there are several, not one of them the learning rate, and there is no name;
            or the numbers are those of a batch of another size.
    """
    new = as_schedule(schedule)

    def change(each: Scheduled) -> Scheduled:
        return each.following(_for_each(new, each.position.shape))

    return _changed(state, name, change)


@echoes
def set_scale(state: State, scale: Scalar, *, name: str | None = None) -> State:
    """Returns the state with a factor for all values of a schedule to come.

    Args:
        state: The state of an optimizer, as for `applied`.
        scale: The factor, instead of the one before: 1 at first.
        name: Which one to change, a name that `applied` has; if not given, the learning
            rate, or the only one there is.

    Raises:
        ValueError: If nothing in the state is scheduled, nothing of that name is, or
            there are several, not one of them the learning rate, and there is no name;
            or the numbers are those of a batch of another size.
    """
    factor = as_leaf(scale, REAL, "scale")

    def change(each: Scheduled) -> Scheduled:
        return each._replace(multiplier=_spread("scale", factor, each.multiplier))

    return _changed(state, name, change)


@echoes
def set_step(state: State, step: Scalar, *, name: str | None = None) -> State:
    """Returns the state with its schedules at another step.

    Args:
        state: The state of an optimizer, as for `applied`.
        step: How many updates came before the next one: a whole number, less than
            2**31; of a batch of states, one for all or one for each.
        name: Which one to change; all if not given.

    Raises:
        ValueError: If nothing in the state is scheduled, or nothing of that name is, or
            `step` is not such a number.
        TypeError: If `step` is traced and no integer.
    """
    count = _as_count(step)

    def change(each: Scheduled) -> Scheduled:
        return each._replace(position=_spread("step", count, each.position))

    for each in by_name(nodes(state, is_scheduled)) if name is None else [name]:
        state = _changed(state, each, change)
    return state


def _changed(
    state: State, name: str | None, change: Callable[[Scheduled], Scheduled]
) -> State:
    """Changes the one of a name, or the learning rate, or the only one there is."""
    names = by_name(nodes(state, is_scheduled))
    if not names:
        find(state)
        raise ValueError(
            "Nothing in this state can be changed: it is a state of Optax itself, "
            "which keeps no schedule. `training.inject` makes an optimizer that does."
        )
    rates = [each for each in names if each.endswith("learning_rate")]
    if name is None and len(rates or names) > 1:
        raise ValueError(f"Give the `name` of one of these: {', '.join(names)}.")
    wanted = named("schedule", name or (rates or [*names])[0], names)

    def changed(path: Any, node: Any) -> Any:
        if path != wanted:
            return node
        return held_like(node.position, change(contents(node)))

    return tree_map_with_path(changed, state, is_leaf=is_scheduled)


def _spread(where: str, value: Any, like: jax.Array) -> jax.Array:
    """Returns a number for each member of a batch, in an array of its own."""
    if np.ndim(value) and np.shape(value) != like.shape:
        raise ValueError(
            f"`{where}` must be one number, or one for each of a batch of shape "
            f"{like.shape}, got shape {np.shape(value)}."
        )
    return jnp.array(jnp.broadcast_to(value, like.shape), like.dtype)


def _for_each(schedule: Schedule, batch: tuple[int, ...]) -> Schedule:
    """Returns a schedule for each member of a batch, if it is one for all.

    Raises:
        ValueError: If it is a batch of another size.
    """
    ranks = {path: domain.rank for path, _, domain in hypers(schedule)}

    def spread(path: Any, leaf: jax.Array) -> jax.Array:
        # A leaf of `custom` may be of any rank.
        rank = ranks.get(keystr(path), max(leaf.ndim - len(batch), 0))
        lead = leaf.shape[: leaf.ndim - rank]
        if lead == batch:
            return leaf
        if keystr(path) in ranks and lead:
            raise ValueError(
                f"A batch of schedules of shape {lead} is not one for each state of a "
                f"batch of shape {batch}."
            )
        return jnp.array(jnp.broadcast_to(leaf, (*batch, *leaf.shape)))

    each: Schedule = tree_map_with_path(spread, as_arrays(schedule))
    return each


MOST_STEPS = 2**31 - 1


def _as_count(step: Any) -> jax.Array:
    """Makes a step what is counted, without rounding it."""
    allowed = f"a whole number from 0 to {MOST_STEPS}"
    array = jnp.asarray(step) if isinstance(step, jax.Array) else np.asarray(step)
    if not is_concrete(array):
        if not jnp.issubdtype(array.dtype, jnp.integer):
            raise TypeError(f"`step` must be {allowed}, got a traced {array.dtype}.")
        most = min(MOST_STEPS, int(np.iinfo(array.dtype).max))
        return jnp.clip(array, 0, most).astype(jnp.int32)
    there = np.asarray(array)
    if there.dtype.kind not in "iuf":
        raise refusal(TypeError, "`step`", allowed, step)
    if not np.all((there >= 0) & (there <= MOST_STEPS) & (there == np.floor(there))):
        raise refusal(ValueError, "`step`", allowed, step)
    return jnp.asarray(there.astype(np.int32))
