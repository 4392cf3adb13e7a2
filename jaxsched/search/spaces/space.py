"""The space: dimensions with names, and the candidates that are drawn from them."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import jax
from jax.tree_util import DictKey, SequenceKey, tree_leaves_with_path

from ...calls import Call
from .candidate import Candidate, Config
from .dimensions import Choice, Dimension, Label, from_data


Suggest: TypeAlias = "Callable[[str, Dimension], Label]"
"""From the name of a dimension, and the dimension, to a value of it."""

Path: TypeAlias = tuple[Any, ...]


def one_of(*families: Any, **named: Any) -> Any:
    """Makes a dimension of families: of each, only its own dimensions are drawn.

    Args:
        *families: Schedules, or calls with dimensions. Each has the name of its
            function, with a number if the name is taken.
        **named: The same, by names of your own.

    Returns:
        A dimension, to use in place of a schedule, or as a space.

    Raises:
        ValueError: If there are none.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> peak = search.logspace(0.01, 1.0, 3)
        >>> search.one_of(js.constant(peak), js.linear(peak, 0.0, steps=10))
        choice(['constant', 'linear'])
    """
    labelled: dict[str, Any] = {}
    for family in families:
        name = name_of(family)
        taken = sum(label.partition(" ")[0] == name for label in labelled)
        labelled[f"{name} {taken + 1}" if taken else name] = family
    labelled |= named
    return Choice(tuple(labelled.values()), tuple(labelled))


def space(**values: Any) -> Any:
    """Makes a space of more than a schedule: its `config` has these attributes.

    Args:
        **values: Schedules, numbers, dimensions, or calls with dimensions. A value
            called `seed` makes the random key: candidates that differ in nothing else
            are ranked as one, by their mean.

    Returns:
        A space for `search.run`.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> search.space(
        ...     lr=js.linear(search.logspace(0.01, 1.0, 3), 0.0, steps=10),
        ...     weight_decay=search.loguniform(1e-5, 1e-1),
        ... )
        Config(lr=linear(choice([0.01, 0.1, 1.0]), 0.0, steps=10),
               weight_decay=loguniform(1e-05, 0.1))
    """
    return Call(Config, (), values)


def name_of(family: Any) -> str:
    """Returns the name of a schedule, or of a call of one."""
    if isinstance(family, Call):
        return str(getattr(family.function, "__name__", family.function))
    return type(family).__name__.lower()


@dataclasses.dataclass(frozen=True)
class NamedDimension:
    """A dimension of a space, and where it is.

    Attributes:
        name: The name of the param, which several families may share.
        families: For each place of it the options that lead there, from the outermost
            on.
        dimension: The dimension.
    """

    name: str
    families: tuple[tuple[str, ...], ...]
    dimension: Dimension

    def applies(self, params: Mapping[str, Label]) -> bool:
        """Tells whether a candidate with these params has this dimension."""
        chosen = {str(label) for label in params.values()}
        return self.name in params and any(map(chosen.issuperset, self.families))

    def data(self) -> dict[str, Any]:
        """Describes it for JSON."""
        return {
            "name": self.name,
            "families": [list(options) for options in self.families],
            "dimension": self.dimension.data(),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "NamedDimension":
        """Makes one of its description."""
        dimension = from_data(data["dimension"])
        return cls(data["name"], tuple(map(tuple, data["families"])), dimension)


class Space:
    """The space of `search.run`, with a name for each of its dimensions.

    Args:
        given: A schedule or a deferred call, from `space` or not; or several of them
            in a list, or by name, to compare.

    Attributes:
        tree: The space as a pytree with dimensions for leaves.
        seed: The dimension `seed`, if there is one.
        seeds: Its values.
        names: The name of each dimension.
    """

    def __init__(self, given: Any) -> None:
        if isinstance(given, Mapping):
            given = one_of(**{str(name): item for name, item in given.items()})
        elif isinstance(given, list | tuple):
            names = (f"schedule {number}" for number in range(len(given)))
            given = Choice(tuple(given), tuple(names))
        self.tree = given
        self.seed, self.seeds = _seeds(given)
        paths = _paths(given)
        if self.seed is not None:
            del paths[self.seed]
        self.names = _named(
            {dimension: places[0] for dimension, places in paths.items()}
        )
        self._families = {
            dimension: tuple(
                tuple(str(part) for part in place if isinstance(part, _Option))
                for place in places
            )
            for dimension, places in paths.items()
        }

    def draw(self, suggest: Suggest, seed: int | None = None) -> Candidate:
        """Makes a candidate of the values that `suggest` returns.

        Args:
            suggest: From the name of a dimension, and the dimension, to a value.
            seed: The value of the dimension `seed`, if there is one; its first unless
                given.
        """
        params: dict[str, Label] = {}
        values: dict[Any, Any] = {self.seed: seed}
        if seed is None and self.seeds:
            values[self.seed] = self.seeds[0]

        def drawn(leaf: Any) -> Any:
            if not isinstance(leaf, Dimension):
                return leaf
            if leaf not in values:
                name = self.names[leaf]
                params[name] = suggest(name, leaf)
                values[leaf] = jax.tree.map(drawn, leaf.value(params[name]))
            return values[leaf]

        filled = jax.tree.map(drawn, self.tree)
        config, shown = _resolved(filled)
        families = [str(label) for label in params.values() if isinstance(label, str)]
        return Candidate(
            family=" / ".join(families) or name_of(filled),
            params=params,
            code=repr(shown),
            make=lambda: config,
        )

    def redraw(self, params: Mapping[str, Label], seed: int | None = None) -> Candidate:
        """Makes the candidate with these params again.

        Raises:
            ValueError: If this space has no such candidate.
        """

        def suggest(name: str, dimension: Dimension) -> Label:
            del dimension
            if name not in params:
                raise ValueError(f"`{name}` is missing in {dict(params)}.")
            return params[name]

        return self.draw(suggest, seed)

    @functools.cached_property
    def size(self) -> float:
        """How many candidates there are: infinite if a dimension is a range."""
        return _size(self.tree, frozenset([self.seed]))

    @functools.cached_property
    def dimensions(self) -> tuple[NamedDimension, ...]:
        """The dimensions, each with its name and the families that have it."""
        return tuple(
            NamedDimension(name, self._families[dimension], dimension)
            for dimension, name in self.names.items()
        )


def _seeds(tree: Any) -> tuple[Dimension | None, tuple[int, ...]]:
    """The dimension that `space(seed=...)` has, and its values."""
    given = tree.kwargs.get("seed") if isinstance(tree, Call) else None
    if given is None:
        return None, ()
    if isinstance(given, int):
        return None, (given,)
    if isinstance(given, Choice) and all(isinstance(v, int) for v in given.values):
        return given, given.values
    raise ValueError(f"`seed` must be an integer, or a choice of them, got {given!r}.")


def _size(tree: Any, known: frozenset[Any]) -> float:
    """Counts the candidates of a tree, whose `known` dimensions have one value."""
    size: float = 1
    for leaf in jax.tree.leaves(tree):
        if isinstance(leaf, Dimension) and leaf not in known:
            known |= {leaf}
            if isinstance(leaf, Choice):
                size *= sum(_size(value, known) for value in leaf.values)
            else:
                size *= math.inf if leaf.labels is None else len(leaf.labels)
    return size


def _resolved(filled: Any) -> tuple[Any, Any]:
    """Makes all calls; returns the value, and the expression that makes it.

    A call that returns a number is written as that number.
    """
    if isinstance(filled, list | tuple):
        pairs = [_resolved(item) for item in filled]
        made, shown = ([pair[side] for pair in pairs] for side in (0, 1))
        return type(filled)(made), type(filled)(shown)
    if not isinstance(filled, Call):
        return filled, filled
    args, shown_args = _resolved(filled.args)
    both = {name: _resolved(value) for name, value in filled.kwargs.items()}
    value = filled.function(*args, **{name: made for name, (made, _) in both.items()})
    if isinstance(value, int | float):
        return value, value
    shown_kwargs = {name: shown for name, (_, shown) in both.items()}
    return value, Call(filled.function, shown_args, shown_kwargs)


@dataclasses.dataclass(frozen=True)
class _Option:
    """A part of a path: into one of several spaces, of which only one is drawn."""

    label: Label

    def __str__(self) -> str:
        return str(self.label)


def _paths(tree: Any) -> dict[Dimension, list[Path]]:
    """Returns the places of each dimension; one may be used several times."""
    paths: dict[Dimension, list[Path]] = {}
    for path, dimension in _dimensions(tree, ()):
        paths.setdefault(dimension, []).append(path)
    return paths


def _named(paths: Mapping[Dimension, Path]) -> dict[Dimension, str]:
    """Names each dimension by the argument that it stands for, or by its whole path.

    Two may share a name, and so a column of a table, if they are never drawn together.
    """
    names = {}
    for dimension, path in paths.items():
        written = [str(part) for part in path if str(part)]
        rivals = [p for p in paths.values() if p != path and _last(p) == _last(path)]
        if not all(_exclude(path, rival) for rival in rivals):
            names[dimension] = ".".join(written)
        elif isinstance(dimension, Choice):
            names[dimension] = _last(path) or "family"
        else:
            names[dimension] = _last(path) or "value"
    return names


def _last(path: Path) -> str:
    return next((str(part) for part in reversed(path) if str(part)), "")


def _dimensions(tree: Any, path: Path) -> Iterator[tuple[Path, Dimension]]:
    for keys, leaf in tree_leaves_with_path(tree):
        if isinstance(leaf, Dimension):
            here = (*path, *map(_key, keys))
            yield here, leaf
            if isinstance(leaf, Choice):
                for label, value in zip(leaf.names, leaf.values, strict=True):
                    yield from _dimensions(value, (*here, _Option(label)))


def _key(key: Any) -> str:
    if isinstance(key, DictKey):
        return str(key.key)
    if isinstance(key, SequenceKey):
        return str(key.idx)
    return str(key.name)


def _exclude(path: Path, other: Path) -> bool:
    """Tells whether two paths part at an option, so that only one can be drawn."""
    parting = next(((a, b) for a, b in zip(path, other, strict=False) if a != b), None)
    return parting is not None and all(isinstance(part, _Option) for part in parting)
