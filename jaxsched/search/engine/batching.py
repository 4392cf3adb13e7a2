"""Batching: configs of many kinds, as rows of the same arrays.

The lanes of one program differ in numbers alone, as schedules of one family do. Where
families differ, each becomes a table of its rates, so the program does not depend on
them: another mix of families compiles nothing. A reducer, which follows a metric, has
no table; `lax.switch` chooses among several.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import keystr, tree_flatten_with_path

from ...domain import NONNEGATIVE
from ...leaves import Table
from ...schedule import Schedule
from ...training.reducers import Reducer
from ...tree import child, hyper
from ...types import Scalar
from .arrays import shaped


Convert: TypeAlias = Callable[[Any], Any]
"""From a part of a config to the same in the form that all of them can have."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a config becomes a row, and a row a config again.

    Attributes:
        outer: The structure around schedules and reducers.
        converts: What is done to each part.
        inner: The structure of all of it then.
        leaves: The shape and dtype of each leaf.
    """

    outer: Any
    converts: tuple[Convert, ...]
    inner: Any
    leaves: tuple[jax.ShapeDtypeStruct, ...]

    @property
    def batched_as(self) -> str:
        """How different configs share a program: as leaves, table, or switch."""
        kinds = {type(convert) for convert in self.converts}
        return "switch" if Switch in kinds else "table" if Rates in kinds else "leaves"

    def row(self, config: Any) -> list[np.ndarray]:
        """Returns the leaves of a config.

        Raises:
            ValueError: If it is built in another way than the others.
        """
        leaves, inner = jax.tree.flatten(self._converted(config))
        if inner != self.inner:
            raise ValueError(f"{config!r} is built in another way than the others.")
        return [
            _fitted(leaf, shape)
            for leaf, shape in zip(leaves, self.leaves, strict=True)
        ]

    def config(self, leaves: Iterable[jax.Array]) -> Any:
        """Returns the config with these leaves."""
        return jax.tree.unflatten(self.inner, leaves)

    def _converted(self, config: Any) -> Any:
        parts, outer = jax.tree.flatten(config, is_leaf=_is_part)
        if outer != self.outer:
            raise ValueError(f"{config!r} is built in another way than the others.")
        pairs = zip(self.converts, parts, strict=True)
        return jax.tree.unflatten(outer, [convert(part) for convert, part in pairs])


def layout_of(configs: Sequence[Any], steps: int | None = None) -> Layout:
    """Finds what all `configs` can be rows of.

    Args:
        configs: One or more.
        steps: The number of steps of a table, where tables are needed; until
            the last schedule is over, unless given.

    Raises:
        TypeError: If a value is neither a number, a schedule nor a reducer.
        ValueError: If they differ in more than their schedules and reducers, or a
            table would have no end.
    """
    first, *others = configs
    outer = jax.tree.structure(first, is_leaf=_is_part)
    for config in others:
        structure: Any = jax.tree.structure(config, is_leaf=_is_part)
        if structure != outer:
            raise ValueError(f"{first!r} and {config!r} are built in different ways.")
    columns = zip(
        *(jax.tree.leaves(config, is_leaf=_is_part) for config in configs), strict=True
    )
    converts = tuple(_convert(column, steps) for column in columns)
    layout = Layout(outer, converts, None, ())
    converted = layout._converted(first)
    leaves, inner = tree_flatten_with_path(converted)
    shapes = tuple(_shape(keystr(path), leaf) for path, leaf in leaves)
    return Layout(outer, converts, inner, shapes)


@dataclasses.dataclass(frozen=True)
class Rates:
    """Makes a schedule a table of its rates, alike for any schedule at whole steps."""

    steps: int

    def __call__(self, schedule: Schedule) -> Table:
        # A call compiles once per kind of schedule, whatever its numbers.
        rates = np.asarray(schedule(np.arange(self.steps)))
        if not np.isfinite(rates).all():
            step = int(np.argmin(np.isfinite(rates)))
            raise ValueError(f"At step {step}, {schedule} is {rates[step]}.")
        return Table(rates)


class Switch:
    """Makes a reducer the one that is meant among one of each kind."""

    def __init__(self, kinds: Iterable[Reducer[Any]]) -> None:
        self.kinds = {jax.tree.structure(kind): kind for kind in kinds}

    def __call__(self, reducer: Reducer[Any]) -> "Switched":
        kind = jax.tree.structure(reducer)
        options = tuple((self.kinds | {kind: reducer}).values())
        return Switched(float(list(self.kinds).index(kind)), options)


class SwitchedState(NamedTuple):
    """The states of all options, of which one is kept up, and the scale of that."""

    scale: jax.Array
    states: tuple[Any, ...]


class Switched(Reducer[SwitchedState]):
    """Reduces as one of `options` does."""

    index: Scalar = hyper(NONNEGATIVE)
    options: tuple[Reducer[Any], ...] = child()

    def init(self) -> SwitchedState:
        states = tuple(option.init() for option in self.options)
        return SwitchedState(states[0].scale, states)

    def react(self, state: SwitchedState, metric: jax.Array) -> SwitchedState:
        def react_as(place: int, states: tuple[Any, ...]) -> SwitchedState:
            reacted = self.options[place].react(states[place], metric)
            states = (*states[:place], reacted, *states[place + 1 :])
            return SwitchedState(reacted.scale, states)

        branches = [
            functools.partial(react_as, place) for place in range(len(self.options))
        ]
        index = jnp.asarray(self.index).astype(int)
        switched: SwitchedState = lax.switch(index, branches, state.states)
        return switched


def _is_part(node: Any) -> bool:
    return isinstance(node, Schedule | Reducer)


def _convert(column: Sequence[Any], steps: int | None) -> Convert:
    if len({jax.tree.structure(part) for part in column}) == 1:
        return _unchanged
    if all(isinstance(part, Schedule) for part in column):
        return Rates(steps or _longest(column))
    if all(isinstance(part, Reducer) for part in column):
        return Switch(column)
    kinds = sorted({type(part).__name__ for part in column})
    raise ValueError(f"One value cannot be all of {', '.join(kinds)}.")


def _unchanged(part: Any) -> Any:
    return part


def _longest(schedules: Iterable[Schedule]) -> int:
    for schedule in schedules:
        if math.isinf(float(schedule.duration)):
            raise ValueError(
                "Schedules of different families become tables of their rates; say for "
                f"how many steps, with `steps=`, since there is no end to {schedule}."
            )
    return max(math.ceil(float(schedule.duration)) for schedule in schedules) + 1


def _shape(path: str, leaf: Any) -> jax.ShapeDtypeStruct:
    """Numbers have the default types: what is an integer stays one."""
    if not isinstance(leaf, bool | int | float | np.ndarray | jax.Array | np.generic):
        raise TypeError(
            f"Lanes differ in numbers and schedules; `config{path}` is {leaf!r}. "
            "Search for each one apart."
        )
    array = jnp.asarray(leaf)
    return shaped(array.shape, array.dtype)


def _fitted(leaf: Any, like: jax.ShapeDtypeStruct) -> np.ndarray:
    array = np.asarray(leaf)
    if array.shape != like.shape or not np.can_cast(array, like.dtype, "same_kind"):
        raise ValueError(f"Where others have {like}, there is {leaf!r}.")
    return array.astype(like.dtype)
