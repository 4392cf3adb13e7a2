"""The segment: some steps of many lanes, as a function for JAX to compile."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from .arrays import where, zeros
from .layout import Layout
from .task import Metrics, Trainable


State: TypeAlias = Any
"""What a task calls its state, with a leading axis of lanes."""


class Lanes(NamedTuple):
    """What there is to do in each lane: arrays whose first axis goes over lanes.

    Attributes:
        rows: The leaves of the configs.
        seeds: What the random keys are made from.
        steps: How many steps are behind the lane.
        fresh: Whether the lane begins.
        busy: Whether it is in use.
        due: Whether it is to be evaluated after the segment.
    """

    rows: list[Any]
    seeds: Any
    steps: Any
    fresh: Any
    busy: Any
    due: Any


class Outcome(NamedTuple):
    """What came of a segment, with a leading axis of lanes.

    Attributes:
        watched: The mean of what `step` returned, over the segment.
        metrics: What `evaluate` returned, zeros unless it was due on that device.
    """

    watched: Metrics
    metrics: Metrics


@dataclasses.dataclass(frozen=True)
class Segment:
    """A segment of `length` steps, as a function of the state, the lanes and a key.

    Attributes:
        task: What is trained.
        layout: How the leaves of a lane become its config.
        length: How many steps.
        one_seed: Whether all lanes have the same seed. Then they have one key, and what
            is drawn from it is drawn once for all of them.
    """

    task: Trainable
    layout: Layout
    length: int
    one_seed: bool

    def __call__(
        self, state: State, lanes: Lanes, key: jax.Array
    ) -> tuple[State, Outcome]:
        """Begins fresh lanes, does the steps, and evaluates if any lane is due."""
        config = self.layout.config(lanes.rows)
        state = lax.cond(
            jnp.any(lanes.fresh), self._begun, lambda *args: args[0], state, lanes, key
        )
        left = jnp.clip(self.task.steps - lanes.steps, 0, self.length)
        left = jnp.where(lanes.busy, left, 0)
        _, watched = jax.eval_shape(self._step, config, state, lanes.steps)

        def one_step(count: Any, carry: Any) -> Any:
            state, sums = carry
            stepped, watched = self._step(config, state, lanes.steps + count)
            total = jax.tree.map(lambda x, y: x + y.astype(x.dtype), sums, watched)
            if self.task.steps % self.length:
                stepped = where(count < left, stepped, state)
                total = where(count < left, total, sums)
            return stepped, total

        sums = jax.tree.map(
            lambda x: jnp.zeros(x.shape, jnp.result_type(float)), watched
        )
        state, sums = lax.fori_loop(0, jnp.max(left), one_step, (state, sums))
        metrics = lax.cond(
            jnp.any(lanes.due),
            self._evaluate,
            lambda *args: zeros(jax.eval_shape(self._evaluate, *args)),
            config,
            state,
        )
        done = jnp.maximum(left, 1).astype(jnp.result_type(float))
        return state, Outcome(jax.tree.map(lambda x: x / done, sums), metrics)

    def begin(self, rows: Sequence[Any], seeds: jax.Array, key: jax.Array) -> State:
        """Returns the states of lanes that begin."""
        keys = jax.vmap(functools.partial(jax.random.fold_in, key))(seeds)
        config = self.layout.config(rows)
        return self._init(config, keys[0] if self.one_seed else keys)

    def _begun(self, state: State, lanes: Lanes, key: jax.Array) -> State:
        return where(lanes.fresh, self.begin(lanes.rows, lanes.seeds, key), state)

    # What the task does, in all lanes; however often they are used, JAX traces it once.

    @functools.cached_property
    def _init(self) -> Any:
        axes = (0, None if self.one_seed else 0)
        return jax.jit(jax.vmap(self.task.init, axes), inline=True)

    @functools.cached_property
    def _step(self) -> Any:
        return jax.jit(jax.vmap(self.task.step), inline=True)

    @functools.cached_property
    def _evaluate(self) -> Any:
        return jax.jit(jax.vmap(self.task.evaluate), inline=True)
