"""Lanes: descents from many starts at once, each of which keeps to itself."""

import dataclasses
import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax

from ...domain import Domain
from ...errors import named
from ...numerics import as_float
from ..task import Train
from .coordinates import COORDINATES, Coordinate
from .hypergradient import Leaves, hypergradient


T = TypeVar("T")


class Start(NamedTuple):
    """Where a lane starts: the leaves that move, on their lines too, and the others."""

    leaves: Leaves
    units: Leaves
    here: Leaves
    fixed: tuple[Any, ...]


class Best(NamedTuple):
    """The best leaves so far, their score, and its derivatives by them."""

    leaves: Leaves
    score: jax.Array
    gradient: Leaves


class Lane(NamedTuple):
    """A descent between two steps: from `here` it goes a `part` of the `direction`.

    `felt` tells of each leaf whether the score has depended on it anywhere.
    """

    here: Leaves
    direction: Leaves
    part: jax.Array
    memory: Any
    best: Best
    skipped: jax.Array
    felt: tuple[jax.Array, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a descent is compiled for, and what it does with the numbers of one lane."""

    train: Train
    structure: Any
    moves: tuple[bool, ...]
    domains: tuple[Domain, ...]
    metric: str
    sign: float
    reverse: bool
    optimizer: optax.GradientTransformation

    @property
    def lines(self) -> list[Coordinate]:
        """What the leaves that move, move along."""
        return [COORDINATES[domain] for domain in self.domains]

    def set_off(
        self, values: Sequence[Any], sizes: Sequence[jax.Array]
    ) -> tuple[Start, Lane]:
        """Lays the leaves along their lines, given all of them and their units."""
        leaves = tuple(itertools.compress(values, self.moves))
        fixed = tuple(itertools.compress(values, map(operator.not_, self.moves)))
        sizes = tuple(itertools.compress(sizes, self.moves))
        here = tuple(
            line.to_line(leaf, unit)
            for line, leaf, unit in zip(self.lines, leaves, sizes, strict=True)
        )
        nowhere = jax.tree.map(jnp.zeros_like, here)
        with jax.numpy_dtype_promotion("standard"):
            memory = self.optimizer.init(here)
        best = Best(leaves, as_float(jnp.inf), nowhere)
        felt = tuple(jnp.asarray(False) for _ in leaves)
        lane = Lane(here, nowhere, as_float(1.0), memory, best, jnp.asarray(0), felt)
        return Start(leaves, sizes, here, fixed), lane

    def advance(
        self, start: Start, lane: Lane, keys: jax.Array
    ) -> tuple[Lane, jax.Array]:
        """Tries the next step, and prepares the one after it."""
        tried = tuple(
            line.project(z + lane.part * step)
            for line, z, step in zip(self.lines, lane.here, lane.direction, strict=True)
        )
        reached, pull_back = jax.vjp(functools.partial(self.reach, start), tried)
        # A leaf that has not moved is what was written, to the bit.
        leaves = tuple(
            jnp.where(jnp.all(z == began), written, leaf)
            for z, began, written, leaf in zip(
                tried, start.here, start.leaves, reached, strict=True
            )
        )
        score, gradient = hypergradient(
            functools.partial(self.score, start, keys), leaves, reverse=self.reverse
        )
        (slopes,) = pull_back(gradient)
        sound = jnp.isfinite(score) & self.inside(leaves)
        usable = sound & _finite((gradient, slopes))
        with jax.numpy_dtype_promotion("standard"):
            updated: Any = self.optimizer.update(slopes, lane.memory, tried)
        here, (step, memory), part = _where(
            usable,
            (tried, updated, jnp.minimum(2 * lane.part, 1.0)),
            (lane.here, (lane.direction, lane.memory), lane.part / 2),
        )
        better = sound & (score < lane.best.score)
        best = _where(better, Best(leaves, score, gradient), lane.best)
        skipped = lane.skipped + jnp.where(usable, 0, 1)
        felt = tuple(
            felt | jnp.any(slope != 0)
            for felt, slope in zip(lane.felt, gradient, strict=True)
        )
        return Lane(here, step, part, memory, best, skipped, felt), score

    def reach(self, start: Start, here: Leaves) -> Leaves:
        """Returns the leaves that are at some place of their lines."""
        return tuple(
            line.from_line(z, unit)
            for line, z, unit in zip(self.lines, here, start.units, strict=True)
        )

    def inside(self, leaves: Leaves) -> jax.Array:
        """Whether no leaf was rounded out of its domain, or overflowed."""
        contained = [
            jnp.all(domain.contains(leaf))
            for domain, leaf in zip(self.domains, leaves, strict=True)
        ]
        return jnp.all(jnp.stack(contained))

    def score(self, start: Start, keys: jax.Array, leaves: Leaves) -> jax.Array:
        """Returns the mean metric over the seeds, such that less is better."""

        def train_once(key: jax.Array) -> jax.Array:
            metrics = self.train(self.config(leaves, start.fixed), key)
            value = named("metric", self.metric, metrics)
            if jnp.shape(value):
                raise ValueError(f"The metric {self.metric!r} is not a scalar.")
            return self.sign * as_float(value)

        return jnp.mean(jax.vmap(train_once)(keys))

    def config(self, leaves: Leaves, fixed: tuple[Any, ...]) -> Any:
        """Puts the leaves that move and the others together again."""
        moving, others = iter(leaves), iter(fixed)
        return self.structure.unflatten(
            [next(moving if moves else others) for moves in self.moves]
        )


@functools.partial(jax.jit, static_argnames="plan")
def set_off(
    values: Sequence[Any], sizes: Sequence[jax.Array], *, plan: Plan
) -> tuple[Start, Lane]:
    """Returns where all lanes start, and all lanes."""
    lanes: tuple[Start, Lane] = jax.vmap(plan.set_off)(values, sizes)
    return lanes


@functools.partial(jax.jit, static_argnames="plan")
def advance(
    start: Start, lanes: Lane, keys: jax.Array, *, plan: Plan
) -> tuple[Lane, jax.Array]:
    """Returns all lanes after one step each, and the scores that this led to."""
    advance_lane = jax.vmap(plan.advance, in_axes=(0, 0, None))
    advanced: tuple[Lane, jax.Array] = advance_lane(start, lanes, keys)
    return advanced


def _finite(tree: Any) -> jax.Array:
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]
    return jnp.all(jnp.stack(finite))


def _where(condition: jax.Array, there: T, otherwise: T) -> T:
    picked: T = jax.tree.map(functools.partial(jnp.where, condition), there, otherwise)
    return picked
