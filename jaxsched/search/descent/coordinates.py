"""Coordinates: each domain laid along a line, so that steps along it stay inside.

A number that can only approach the end of its domain, as a positive one approaches 0,
is moved along a line that has no end there: its logarithm. One that can be at the end,
as a warmup of 0 steps is, is moved along a line that ends there too, and is put back
from where a step leads beyond: so it can be at the end, and leave it again.
"""

import dataclasses
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path

from ...domain import (
    ABOVE_ONE,
    BOUNDARIES,
    COUNT,
    DECAY_RATE,
    FACTOR,
    FRACTION,
    INSIDE,
    MULTIPLIER,
    NONNEGATIVE,
    PORTION,
    POSITIVE,
    REAL,
    VECTOR,
    Domain,
)
from ...errors import named
from ...hyperparameters import as_leaf
from ...numerics import as_float
from ...tree import Tree, hypers


@dataclasses.dataclass(frozen=True)
class Coordinate:
    """The way from a domain to its line and back, in some unit, and the line's ends."""

    to_line: Callable[[jax.Array, jax.Array], jax.Array]
    from_line: Callable[[jax.Array, jax.Array], jax.Array]
    project: Callable[[jax.Array], jax.Array] = lambda z: z


# In units of its own size, a number moves by factors, as its logarithm does; and it
# may be 0, and change its sign.
SIGNED = Coordinate(
    lambda x, unit: jnp.arcsinh(x / unit), lambda z, unit: unit * jnp.sinh(z)
)
LOGARITHM = Coordinate(lambda x, unit: jnp.log(x), lambda z, unit: jnp.exp(z))
GAPS = Coordinate(
    lambda x, unit: jnp.append(x[:1] / unit[:1], jnp.log(jnp.diff(x))),
    lambda z, unit: jnp.cumsum(jnp.append(unit[:1] * z[:1], jnp.exp(z[1:]))),
    lambda z: z.at[0].max(0.0),
)

COORDINATES: dict[Domain, Coordinate] = {
    REAL: SIGNED,
    VECTOR: SIGNED,
    NONNEGATIVE: dataclasses.replace(SIGNED, project=lambda z: jnp.maximum(z, 0.0)),
    POSITIVE: LOGARITHM,
    COUNT: LOGARITHM,
    PORTION: dataclasses.replace(LOGARITHM, project=lambda z: jnp.minimum(z, 0.0)),
    FRACTION: Coordinate(
        lambda x, unit: x, lambda z, unit: z, lambda z: jnp.clip(z, 0.0, 1.0)
    ),
    INSIDE: Coordinate(
        lambda x, unit: jnp.log(x) - jnp.log1p(-x), lambda z, unit: jax.nn.sigmoid(z)
    ),
    ABOVE_ONE: Coordinate(
        lambda x, unit: jnp.log(x - 1), lambda z, unit: 1 + jnp.exp(z)
    ),
    BOUNDARIES: GAPS,
}
COORDINATES |= {
    FACTOR: COORDINATES[POSITIVE],
    MULTIPLIER: COORDINATES[REAL],
    DECAY_RATE: COORDINATES[NONNEGATIVE],
}
"""What there is to move along. In other domains, numbers stay where they are."""

NO_NUMBER = Domain("no floating-point number", lambda x: False)

LENGTHS = ("steps", "boundaries", "begin", "every", "times", "seed")
"""Names of hyperparameters that say when or how often, and not how much."""

Which: TypeAlias = Iterable[str] | Callable[[str], bool] | None
"""Leaves by path, or what tells by the path."""


class Leaf(NamedTuple):
    """A leaf of a tree: where it is, as one reads it and as keys, and what it is."""

    path: str
    keys: tuple[Any, ...]
    value: Any
    domain: Domain
    moves: bool = False

    @property
    def is_movable(self) -> bool:
        """Whether there is a number beside it in its domain."""
        return self.domain in COORDINATES and bool(np.isfinite(self.value).all())

    @property
    def is_length(self) -> bool:
        """Whether it says when, and not how much."""
        name = keystr(self.keys[-1:], simple=True)
        return name in LENGTHS or name.endswith("_steps")


def leaves_of(config: Any, domains: Mapping[str, Domain]) -> list[Leaf]:
    """Returns the leaves of a tree, in order, each with its domain.

    Args:
        config: A schedule, or any tree of schedules and numbers.
        domains: By path, what is not declared, or is to be narrower.

    Raises:
        ValueError: If a leaf is outside its domain, or a path leads to none.
    """
    nodes, _ = tree_flatten_with_path(config, is_leaf=lambda x: isinstance(x, Tree))
    declared = {
        keystr(keys) + path: domain
        for keys, node in nodes
        if isinstance(node, Tree)
        for path, _, domain in hypers(node)
    }
    flat, _ = tree_flatten_with_path(config)
    paths = dict.fromkeys(keystr(keys) for keys, _ in flat)
    for path in domains:
        named("leaf", path, paths)
    declared |= domains
    leaves = []
    for path, (keys, value) in zip(paths, flat, strict=True):
        if jnp.issubdtype(jnp.result_type(value), jnp.floating):
            domain = declared.get(path, REAL)
            leaves.append(Leaf(path, keys, as_leaf(value, domain, path), domain))
        else:
            leaves.append(Leaf(path, keys, value, NO_NUMBER))
    return leaves


def chosen(leaves: Sequence[Leaf], which: Which) -> list[Leaf]:
    """Returns the leaves, such that some move: unless told which, all but lengths.

    Raises:
        ValueError: If none does, or one that is named cannot.
    """
    movable = {leaf.path: leaf for leaf in leaves if leaf.is_movable}
    if which is None:
        paths = {path for path, leaf in movable.items() if not leaf.is_length}
    elif callable(which):
        paths = set(filter(which, movable))
    else:
        given = [which] if isinstance(which, str) else which
        paths = {named("leaf to move", path, movable).path for path in given}
    if not paths:
        raise ValueError(f"No leaf is to move. Known: {', '.join(movable)}.")
    return [leaf._replace(moves=leaf.path in paths) for leaf in leaves]


def batched(leaves: Sequence[Leaf]) -> list[jax.Array]:
    """Returns the leaves with an axis that goes over starts, if only over one.

    Raises:
        ValueError: If leaves differ in that, or have too many axes.
    """
    starts: dict[str, int] = {}
    for leaf in leaves:
        shape = np.shape(leaf.value)
        if len(shape) > leaf.domain.rank + 1:
            raise ValueError(
                f"`{leaf.path}` must be {leaf.domain.text}, or one for each start, "
                f"got the shape {shape}."
            )
        if len(shape) == leaf.domain.rank + 1:
            starts[leaf.path] = shape[0]
    if len(set(starts.values())) > 1:
        raise ValueError(f"All leaves must have as many starts, got {starts}.")
    count = next(iter(starts.values()), 1)
    values = []
    for leaf in leaves:
        value = jnp.asarray(leaf.value)
        value = value if leaf.domain is NO_NUMBER else as_float(value)
        shape = value.shape[leaf.path in starts :]
        values.append(jnp.broadcast_to(value, (count, *shape)))
    return values


def units(leaves: Sequence[Leaf], values: Sequence[Any]) -> list[jax.Array]:
    """Returns the size that each number moves by at first, for one step of its line.

    That is its own size. A zero has none: it moves by a tenth of the size of the
    nearest number of the same domain, as the end of a decay by one of its start. In a
    vector, a tenth of the largest is the least that any number moves by.
    """
    sizes = [
        np.abs(np.asarray(value, float)) if leaf.is_movable else np.zeros(len(value))
        for leaf, value in zip(leaves, values, strict=True)
    ]
    largest = [size.max(axis=tuple(range(1, size.ndim))) for size in sizes]
    found = []
    for leaf, size in zip(leaves, sizes, strict=True):
        near = np.zeros(len(size))
        for other in sorted(range(len(leaves)), key=lambda n: _far(leaf, leaves[n])):
            if leaves[other].domain == leaf.domain:
                near = np.where(near == 0, largest[other], near)
        near = np.where(near == 0, 10.0, near).reshape(-1, *[1] * (size.ndim - 1))
        found.append(as_float(np.maximum(size, near / 10)))
    return found


def _far(leaf: Leaf, other: Leaf) -> tuple[int, int]:
    """How far up their common node is, and how far down the other one is from it."""
    common = sum(itertools.takewhile(bool, map(operator.eq, leaf.keys, other.keys)))
    return -common, len(other.keys)
