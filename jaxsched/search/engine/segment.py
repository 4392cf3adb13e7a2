"""The segment: some steps of many lanes, as a function for JAX to compile."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from ..task import Metrics, Trainable
from .arrays import shaped, where, zeros
from .batching import Layout
from .tracing import Traced


State: TypeAlias = list[Any]
"""The arrays of the state of a task, with a leading axis of lanes."""


class Lanes(NamedTuple):
    """The work of each lane: arrays whose first axis goes over lanes.

    Attributes:
        rows: The leaves of the configs.
        seeds: The numbers that the random keys are made from.
        steps: How many steps of the trial are done.
        fresh: Whether the trial begins.
        busy: Whether the lane is in use.
        due: Whether the trial is evaluated after the segment.
    """

    rows: list[Any]
    seeds: Any
    steps: Any
    fresh: Any
    busy: Any
    due: Any


class Shared(NamedTuple):
    """What all lanes share.

    Attributes:
        key: The key that the keys of the seeds are made from.
        constants: The arrays that the functions of the task captured.
        data: The arrays of the data.
        batches: The batches of the segment, with a leading axis of steps.
    """

    key: Any
    constants: Any
    data: list[Any]
    batches: list[Any]


class Outcome(NamedTuple):
    """The results of a segment, with a leading axis of lanes.

    Attributes:
        watched: The means of the numbers that `step` returned, over the segment.
        metrics: The metrics of `evaluate`; zeros unless a lane of the device was due.
    """

    watched: Metrics
    metrics: Metrics


@dataclasses.dataclass(frozen=True)
class Segment:
    """A segment of `length` steps, as a function of the state, the lanes and the rest.

    Attributes:
        task: The task.
        layout: How the leaves of a lane become its config.
        length: The number of steps.
        one_seed: Whether all lanes have the same seed. Then they have one key, and
            random numbers are drawn once for all of them.
        form: How the data are put together; `None` without data.
    """

    task: Trainable
    layout: Layout
    length: int
    one_seed: bool
    form: Any = None

    def traced(self, shared: Shared) -> Traced:
        """Returns the functions of the task, for one lane, traced once."""
        if "_traced" not in vars(self):
            traced = Traced(
                self.task,
                self.layout,
                shared.key,
                data=shared.data,
                batches=jax.tree.map(
                    lambda x: shaped(x.shape[1:], x.dtype), shared.batches
                ),
                form=self.form,
            )
            vars(self)["_traced"] = traced
        found: Traced = vars(self)["_traced"]
        return found

    def __call__(
        self, state: State, lanes: Lanes, shared: Shared
    ) -> tuple[State, Outcome]:
        """Begins fresh lanes, does the steps, and evaluates if any lane is due."""
        traced = self.traced(shared)
        _, of_step, of_evaluate = shared.constants
        step = _batched(
            lambda *xs: traced.step(of_step, *xs),
            (0,) * (len(lanes.rows) + len(state) + 1) + (None,) * _count(shared),
        )
        state = lax.cond(
            jnp.any(lanes.fresh),
            self._begun,
            lambda *args: args[0],
            state,
            lanes,
            shared,
        )
        left = jnp.clip(self.task.steps - lanes.steps, 0, self.length)
        left = jnp.where(lanes.busy, left, 0)
        # Lanes may stop within a segment, or wait for the batches of others.
        masked = self.task.steps % self.length or shared.batches

        def one_step(count: Any, carry: Any) -> Any:
            state, sums = carry
            batches = jax.tree.map(lambda x: x[count], shared.batches)
            found = step(
                *lanes.rows,
                *state,
                (lanes.steps + count).astype(jnp.int32),
                *shared.data,
                *jax.tree.leaves(batches),
            )
            stepped, watched = found[: len(state)], found[len(state) :]
            total = [x + y.astype(x.dtype) for x, y in zip(sums, watched, strict=True)]
            if masked:
                stepped = where(count < left, stepped, state)
                total = where(count < left, total, sums)
            return stepped, total

        zero = jnp.result_type(float)
        sums = [jnp.zeros((len(left), *x.shape), zero) for x in traced.watched.values()]
        state, sums = lax.fori_loop(0, jnp.max(left), one_step, (state, sums))

        def evaluated(rows: Any, state: Any, data: Any) -> Any:
            evaluate = _batched(
                lambda *xs: traced.evaluate(of_evaluate, *xs),
                (0,) * (len(rows) + len(state)) + (None,) * len(data),
            )
            return evaluate(*rows, *state, *data)

        metrics = lax.cond(
            jnp.any(lanes.due),
            evaluated,
            lambda *args: zeros(jax.eval_shape(evaluated, *args)),
            lanes.rows,
            state,
            shared.data,
        )
        done = jnp.maximum(left, 1).astype(zero)
        means = traced.named([x / _beside(done, x) for x in sums])
        return state, Outcome(means, traced.tree(metrics))

    def begin(self, rows: Sequence[Any], seeds: jax.Array, shared: Shared) -> State:
        """Returns the states of lanes that begin."""
        traced = self.traced(shared)
        keys = jax.vmap(functools.partial(jax.random.fold_in, shared.key))(seeds)
        of_init, *_ = shared.constants
        begin = _batched(
            lambda *xs: traced.init(of_init, *xs),
            (
                *[0] * len(rows),
                None if self.one_seed else 0,
                *[None] * len(shared.data),
            ),
            axis_size=len(seeds),
        )
        state: State = begin(*rows, keys[0] if self.one_seed else keys, *shared.data)
        return state

    def _begun(self, state: State, lanes: Lanes, shared: Shared) -> State:
        begun = self.begin(lanes.rows, lanes.seeds, shared)
        chosen: State = where(lanes.fresh, begun, state)
        return chosen


def _count(shared: Shared) -> int:
    return len(shared.data) + len(jax.tree.leaves(shared.batches))


def _beside(done: jax.Array, sums: jax.Array) -> jax.Array:
    return jnp.reshape(done, (-1,) + (1,) * (sums.ndim - 1))


def _batched(function: Callable[..., list[Any]], axes: Any, **options: Any) -> Any:
    """Returns a function of one lane as one of all lanes."""
    return jax.vmap(function, axes, **options)
