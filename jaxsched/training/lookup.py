"""What is scheduled in the state of an optimizer, found by name."""

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import DictKey, GetAttrKey, SequenceKey, keystr
from jax.typing import ArrayLike

from ..errors import named
from ..schedule import Schedule, ScheduleLike, as_schedule
from .reducers import ReducingState
from .state import Scheduled
from .variables import contents


State: TypeAlias = Any
"""The state of any Optax transformation, with something scheduled in it."""

Schedules: TypeAlias = ScheduleLike | Mapping[str, ScheduleLike]
"""The schedule of an optimizer of Optax itself, or those of its counters by name."""

Path: TypeAlias = tuple[Any, ...]


class Found(NamedTuple):
    """The value that something scheduled had last, and what tells those to come."""

    applied: jax.Array
    ahead: Callable[[ArrayLike], jax.Array]
    """The values after so many more updates."""


def is_scheduled(node: Any) -> bool:
    """Tells whether a node of a state is a schedule, and where it is at."""
    return isinstance(node, Scheduled)


def nodes(state: State, is_wanted: Callable[[Any], bool]) -> dict[Path, Any]:
    """Returns the nodes of a kind, by their paths."""
    flat, _ = jax.tree_util.tree_flatten_with_path(state, is_leaf=is_wanted)
    return {path: node for path, node in flat if is_wanted(node)}


def by_name(paths: Mapping[Path, Any]) -> dict[str, Path]:
    """Names paths by their hyperparameters, or in full if a name is there twice."""
    names = [_name(path) for path in paths]
    if len({*names}) < len(names):
        names = [keystr(path, simple=True, separator=".") for path in paths]
    return dict(zip(names, paths, strict=True))


def find(state: State, schedules: Schedules | None = None) -> dict[str, Found]:
    """Finds all that is scheduled in a state, of ours and of Optax.

    Raises:
        ValueError: If there is nothing, or several things count steps for Optax, and
            one schedule is given.
    """
    state = contents(state)
    ours = {
        path: Found(each.applied, each.ahead)
        for path, each in nodes(state, is_scheduled).items()
    }
    found = ours | _hyperparameters_of_optax(state) | _of_optax(state, schedules)
    if not found:
        raise ValueError(
            "Nothing in this state is scheduled: that takes an optimizer of `inject` "
            "or `scale_by_schedule`, or the schedule itself for one of Optax."
        )
    reducers = nodes(state, lambda node: isinstance(node, ReducingState))
    return {
        name: _reduced(found[path], _reductions(path, reducers))
        for name, path in by_name(found).items()
    }


def _name(path: Path) -> str:
    *_, last = (None, *path)
    return str(last.key) if isinstance(last, DictKey) else "schedule"


# --- What Optax keeps of its own ------------------------------------------------------


def is_counter(node: Any) -> bool:
    """Tells whether a state of Optax is the step of a schedule, and nothing else."""
    return isinstance(node, tuple) and getattr(node, "_fields", None) == ("count",)


def _of_optax(state: State, schedules: Schedules | None) -> dict[Path, Found]:
    """Puts schedules to the steps that Optax keeps of its own."""
    counters = nodes(state, is_counter)
    if schedules is None or not counters:
        return {}
    names = by_name(counters)
    if not isinstance(schedules, Mapping):
        if len(names) > 1:
            raise ValueError(
                f"Optax counts the steps of {len(names)} schedules in this state: say "
                f"which is which, by these names: {', '.join(map(repr, names))}."
            )
        schedules = dict.fromkeys(names, schedules)
    found = {}
    for name, schedule in schedules.items():
        path = named("schedule", name, names)
        count, whole = counters[path].count, as_schedule(schedule)
        found[_of_value(path)] = Found(
            jnp.where(count > 0, whole(jnp.maximum(count - 1, 0)), 0.0),
            functools.partial(_later, whole, count),
        )
    return found


def _hyperparameters_of_optax(state: State) -> dict[Path, Found]:
    """Returns all that `optax.inject_hyperparams` keeps."""
    kind = optax.schedules.InjectStatefulHyperparamsState
    found = {}
    for path, node in nodes(state, lambda node: isinstance(node, kind)).items():
        for name, value in node.hyperparams.items():
            follows = name in node.hyperparams_states
            ahead = functools.partial(_unknown if follows else _same, name, value)
            place = (*path, GetAttrKey("hyperparams"), DictKey(name))
            found[place] = Found(value, ahead)
    return found


def _of_value(path: Path) -> Path:
    """Returns where the value is that a counter is for."""
    injected = GetAttrKey("hyperparams_states")
    return tuple(GetAttrKey("hyperparams") if key == injected else key for key in path)


def _later(schedule: Schedule, count: jax.Array, updates: ArrayLike) -> jax.Array:
    """Returns the values of a schedule after so many more updates."""
    return schedule(jnp.expand_dims(count, range(-jnp.ndim(updates), 0)) + updates)


def _same(name: str, value: jax.Array, updates: ArrayLike) -> jax.Array:
    """Returns a number as it is after any updates."""
    spread = jnp.expand_dims(value, range(-jnp.ndim(updates), 0))
    return jnp.broadcast_to(spread, (*jnp.shape(value), *jnp.shape(updates)))


def _unknown(name: str, *_: Any) -> jax.Array:
    raise ValueError(
        f"{name!r} follows a schedule that the state does not hold: give the schedule."
    )


# --- What reducers make of it ---------------------------------------------------------


def _reductions(path: Path, reducers: dict[Path, ReducingState]) -> list[jax.Array]:
    """Returns the factors of the reducers that come after what is at `path`."""
    if _is_beside_the_rate(path):
        return []
    return [
        node.state.scale
        for place, node in reducers.items()
        if _comes_after(place, path)
    ]


def _is_beside_the_rate(path: Path) -> bool:
    """Tells whether a hyperparameter is none that updates are multiplied by."""
    holders = GetAttrKey("scheduled"), GetAttrKey("hyperparams")
    injected = len(path) > 1 and path[-2] in holders
    return injected and not _name(path).endswith("learning_rate")


def _comes_after(place: Path, path: Path) -> bool:
    """Tells whether one transformation of a chain comes after another."""
    depth = max(len(place) - 1, 0)
    if place[:depth] != path[:depth]:
        return False
    later, sooner = place[depth:][:1], path[depth:][:1]
    indices = [key.idx for key in sooner + later if isinstance(key, SequenceKey)]
    return len(indices) == 2 and indices[0] < indices[1]


def _reduced(found: Found, factors: list[jax.Array]) -> Found:
    if not factors:
        return found
    factor = functools.reduce(operator.mul, factors)

    def ahead(updates: ArrayLike) -> jax.Array:
        return found.ahead(updates) * jnp.expand_dims(
            factor, range(-jnp.ndim(updates), 0)
        )

    return Found(found.applied * factor, ahead)
