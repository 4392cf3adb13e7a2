"""Optimizers that are running: the values that were applied, and other ones to come."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import DictKey, keystr, tree_flatten_with_path

from ..domain import REAL
from ..errors import echoes, named
from ..hyperparameters import as_leaf
from ..schedule import Schedule, ScheduleLike, as_schedule
from ..tree import as_arrays
from ..types import Scalar
from .state import Scheduled


__all__ = ["applied", "set_scale", "set_schedule", "set_step", "upcoming"]

State: TypeAlias = Any
"""The state of any Optax transformation, with a `Scheduled` somewhere in it."""


def applied(state: State, schedule: ScheduleLike | None = None) -> dict[str, jax.Array]:
    """Returns the values that the last update had, of all that is scheduled.

    Args:
        state: The state of an optimizer after the update, in any nest of Optax's
            wrappers; traced or not.
        schedule: The one that was given to an optimizer of Optax itself, which keeps
            only the step: `applied(state, lr)` after `optax.adam(lr)`.

    Returns:
        The values, by the names of the hyperparameters; by their paths in the state, if
        one is there twice. Before the first update they are 0.

    Raises:
        ValueError: If nothing in the state is scheduled.

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
    return {name: each.value for name, each in _found(state, schedule).items()}


def upcoming(
    state: State, schedule: ScheduleLike | None = None
) -> dict[str, jax.Array]:
    """Returns the values that the next update will have, of all that is scheduled.

    Args:
        state: The state of an optimizer, as for `applied`.
        schedule: The one that was given to an optimizer of Optax itself.

    Returns:
        The values, by the same names.

    Raises:
        ValueError: If nothing in the state is scheduled.
    """
    return {name: each.upcoming() for name, each in _found(state, schedule).items()}


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
            there are several, none of them the learning rate, and there is no name.
    """
    new = as_arrays(as_schedule(schedule))
    return _changed(state, name, lambda each: each._replace(schedule=new))


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
            there are several, none of them the learning rate, and there is no name.
    """
    factor = jnp.asarray(as_leaf(scale, REAL, "scale"), float)
    return _changed(state, name, lambda each: each._replace(scale=factor))


@echoes
def set_step(state: State, step: Scalar, *, name: str | None = None) -> State:
    """Returns the state with its schedules at another step.

    Args:
        state: The state of an optimizer, as for `applied`.
        step: How many updates came before the next one.
        name: Which one to change; all if not given.

    Raises:
        ValueError: If nothing in the state is scheduled, or nothing of that name is.
    """
    count = jnp.asarray(step).astype(jnp.int32)
    for each in _found(state) if name is None else [name]:
        state = _changed(state, each, lambda it: it._replace(step=count))
    return state


def _found(state: State, schedule: ScheduleLike | None = None) -> dict[str, Scheduled]:
    """Finds all that is scheduled, by name, or by path if a name is there twice."""
    if schedule is not None:
        state = _of_optax(state, as_schedule(schedule))
    paths = {
        path: node for path, node in _nodes(state)[0] if isinstance(node, Scheduled)
    }
    if not paths:
        raise ValueError(
            "Nothing in this state is scheduled: that takes an optimizer of `inject` "
            "or `scale_by_schedule`, or the schedule itself for one of Optax."
        )
    names = [_name(path) for path in paths]
    if len({*names}) < len(names):
        names = [keystr(path, simple=True, separator=".") for path in paths]
    return dict(zip(names, paths.values(), strict=True))


def _nodes(state: State) -> tuple[list[tuple[Any, Any]], Any]:
    return tree_flatten_with_path(
        state, is_leaf=lambda node: isinstance(node, Scheduled)
    )


def _name(path: tuple[Any, ...]) -> str:
    *_, last = (None, *path)
    return str(last.key) if isinstance(last, DictKey) else "schedule"


def _changed(
    state: State, name: str | None, change: Callable[[Scheduled], Scheduled]
) -> State:
    """Changes the one of a name, or the learning rate, or the only one there is."""
    found = _found(state)
    if name is None and "learning_rate" in found:
        name = "learning_rate"
    if name is None and len(found) > 1:
        raise ValueError(f"Give the `name` of one of these: {', '.join(found)}.")
    wanted = named("schedule", name or next(iter(found)), found)
    nodes, structure = _nodes(state)
    return structure.unflatten(
        [change(node) if node is wanted else node for _, node in nodes]
    )


def _of_optax(state: State, schedule: Schedule) -> State:
    """Puts a schedule to the steps that Optax keeps of its own."""

    def scheduled(node: Any) -> Any:
        if not isinstance(node, optax.ScaleByScheduleState):
            return node
        before = Scheduled.start(schedule)._replace(step=jnp.maximum(node.count - 1, 0))
        after = before.advance()
        begun = jnp.asarray(node.count) > 0
        return after._replace(
            step=node.count, value=jnp.where(begun, after.value, before.value)
        )

    kind = optax.ScaleByScheduleState
    return jax.tree.map(scheduled, state, is_leaf=lambda node: isinstance(node, kind))
