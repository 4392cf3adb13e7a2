"""The space: dimensions with names, and the candidates that are drawn of them."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import jax
from jax.tree_util import DictKey, SequenceKey, tree_leaves_with_path

from ...calls import Call
from .candidate import Candidate
from .dimensions import Choice, Dimension, Label
from .notation import name_of, one_of


Suggest: TypeAlias = "Callable[[str, Dimension], Any]"
"""From a dimension and its name to a coordinate: an index, or a number in a range."""

Path: TypeAlias = tuple[Any, ...]


class Space:
    """What `search.run` was given, with a name for each of its dimensions.

    Args:
        given: A schedule or a call that waits for its dimensions, from `space` or
            not; or several of them in a list, or by name, to compare.
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
        self.names = _named(paths)
        self._paths = paths

    def draw(self, suggest: Suggest, seed: int | None = None) -> Candidate:
        """Makes a candidate of the coordinates that `suggest` returns.

        Args:
            suggest: From the name of a dimension, and that, to a coordinate.
            seed: What the dimension `seed` is, if there is one; the first if not given.
        """
        labels: dict[str, Label] = {}
        values: dict[Any, Any] = {self.seed: seed}
        if seed is None and self.seeds:
            values[self.seed] = self.seeds[0]

        def drawn(leaf: Any) -> Any:
            if not isinstance(leaf, Dimension):
                return leaf
            if leaf not in values:
                name = self.names[leaf]
                coordinate = suggest(name, leaf)
                labels[name] = leaf.label(coordinate)
                values[leaf] = jax.tree.map(drawn, leaf.value(coordinate))
            return values[leaf]

        filled = jax.tree.map(drawn, self.tree)
        config, shown = _resolved(filled)
        families = [str(label) for label in labels.values() if isinstance(label, str)]
        return Candidate(
            family=" / ".join(families) or name_of(filled),
            hyperparameters=labels,
            config=config,
            code=repr(shown),
        )

    def redraw(self, labels: Mapping[str, Label], seed: int | None = None) -> Candidate:
        """Makes the candidate with these labels again.

        Raises:
            ValueError: If this space has no such candidate.
        """

        def suggest(name: str, dimension: Dimension) -> Any:
            if name not in labels:
                raise ValueError(f"`{name}` is missing in {dict(labels)}.")
            return dimension.coordinate(labels[name])

        return self.draw(suggest, seed)

    def unique(self, dimension: Dimension) -> str:
        """Names a dimension so that one name has one range, as Optuna wants it.

        Where families have a name in common that is not, it begins with the family.
        """
        name = self.names[dimension]
        if len({repr(d) for d, other in self.names.items() if other == name}) == 1:
            return name
        path = self._paths[dimension]
        families = [str(part) for part in path if isinstance(part, _Option)]
        return ".".join([*families, name])

    def parameters(
        self, labels: Mapping[str, Label]
    ) -> dict[str, tuple[Dimension, Label]]:
        """Returns the dimensions and labels of a candidate, by their unique names."""
        found = {}

        def suggest(name: str, dimension: Dimension) -> Any:
            found[self.unique(dimension)] = (dimension, labels[name])
            return dimension.coordinate(labels[name])

        self.draw(suggest)
        return found


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


def _resolved(filled: Any) -> tuple[Any, Any]:
    """Makes all calls; returns the value, and how to write it down.

    A call that yields a number is written as that number.
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
    """A step of a path into one of several spaces, of which only one is drawn."""

    label: Label

    def __str__(self) -> str:
        return str(self.label)


def _paths(tree: Any) -> dict[Dimension, Path]:
    """Where each dimension is; of one that is used twice, the first place."""
    paths: dict[Dimension, Path] = {}
    for path, dimension in _dimensions(tree, ()):
        paths.setdefault(dimension, path)
    return paths


def _named(paths: Mapping[Dimension, Path]) -> dict[Dimension, str]:
    """Names each dimension by the argument it stands for, and longer where need be.

    Two may share a name if never both are drawn: they share a column of a table.
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
                for label, value in zip(leaf.labels, leaf.values, strict=True):
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
