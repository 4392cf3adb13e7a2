"""The program: many lanes of one training, a segment of steps at a time.

Lanes are `jax.vmap`, spread over devices by `jax.shard_map`; no lane depends on
another. XLA may compute in another order at another width, so what the bits of a
result depend on is the number of lanes per device, and nothing else: not the
neighbours, not the order, not how many devices there are.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from .layout import Layout, shaped
from .task import Metrics, Trainable


LANE, EVERYWHERE = PartitionSpec("lane"), PartitionSpec()  # type: ignore[no-untyped-call]

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
                stepped = _where(count < left, stepped, state)
                total = _where(count < left, total, sums)
            return stepped, total

        sums = jax.tree.map(
            lambda x: jnp.zeros(x.shape, jnp.result_type(float)), watched
        )
        state, sums = lax.fori_loop(0, jnp.max(left), one_step, (state, sums))
        metrics = lax.cond(
            jnp.any(lanes.due),
            self._evaluate,
            lambda *args: _zeros(jax.eval_shape(self._evaluate, *args)),
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
        return _where(lanes.fresh, self.begin(lanes.rows, lanes.seeds, key), state)

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


class Program:
    """A segment, compiled for `width` lanes on each of `devices`.

    Attributes:
        segment: What was compiled.
        width: How many lanes a device has.
        lanes: How many there are.
        bytes: How many bytes a device needs.
        outcome: The shapes of what comes of a segment.
    """

    def __init__(
        self, segment: Segment, key: jax.Array, width: int, devices: Sequence[Any]
    ) -> None:
        self.segment = segment
        self.width = width
        self.lanes = width * len(devices)
        self._devices = devices
        mesh = Mesh(np.array(devices), ("lane",), axis_types=(AxisType.Auto,))
        lane, everywhere = NamedSharding(mesh, LANE), NamedSharding(mesh, EVERYWHERE)
        spread = functools.partial(jax.shard_map, mesh=mesh, check_vma=False)
        work = _work(segment, self.lanes)
        begin = spread(segment.begin, in_specs=(LANE, LANE, EVERYWHERE), out_specs=LANE)
        # In the same surroundings as below, so that the task is traced once for both.
        self._state = jax.eval_shape(begin, work.rows, work.seeds, key)
        lowered = jax.jit(
            spread(
                segment,
                in_specs=(LANE, LANE, EVERYWHERE),
                out_specs=(LANE, LANE),
            ),
            donate_argnums=0,
            in_shardings=(lane, lane, everywhere),
        ).lower(self._state, work, key)
        self.outcome = Outcome(*lowered.out_info[1])
        self._run = lowered.compile()
        self._put = jax.jit(_put, donate_argnums=0, out_shardings=lane)
        self._lane, self._everywhere = lane, everywhere
        self.bytes = _bytes(self._run)

    def __call__(
        self, state: State, lanes: Lanes, key: jax.Array
    ) -> tuple[State, Outcome]:
        """Runs a segment; `state` is used up, and what comes of it is on the host."""
        state, outcome = self._run(state, self.place(lanes), key)
        return state, jax.device_get(outcome)

    def place(self, arrays: Any) -> Any:
        """Puts arrays whose first axis goes over lanes where these are."""
        return jax.device_put(arrays, self._lane)

    def place_everywhere(self, key: jax.Array) -> jax.Array:
        """Puts what all lanes need where they are."""
        placed: jax.Array = jax.device_put(key, self._everywhere)
        return placed

    def device_of(self, lane: int) -> str:
        """Returns the name of the device that a lane is on."""
        return str(self._devices[lane // self.width])

    def blank(self) -> State:
        """Returns a state in which no lane has begun."""
        blank = _zeros(self._state, np)
        return self.place(blank)

    def put(self, state: State, lane: int, leaves: Sequence[np.ndarray]) -> State:
        """Puts what `take` returned into a lane; `state` is used up."""
        return self._put(state, lane, leaves)

    def take(self, state: State, lanes: Sequence[int]) -> list[list[np.ndarray]]:
        """Returns what there is in each of some lanes, as arrays on the host."""
        leaves = jax.device_get([_numbers(leaf) for leaf in jax.tree.leaves(state)])
        return [[leaf[lane] for leaf in leaves] for lane in lanes]

    @functools.cached_property
    def taken(self) -> list[jax.ShapeDtypeStruct]:
        """The shapes and dtypes of what `take` returns of a lane."""
        shapes = [jax.eval_shape(_numbers, x) for x in jax.tree.leaves(self._state)]
        return [shaped(x.shape[1:], x.dtype) for x in shapes]


@functools.lru_cache(maxsize=4)
def compiled(
    segment: Segment, width: int, devices: tuple[Any, ...], impl: str, x64: bool
) -> Program:
    """Compiles a program, or finds it: a second search compiles nothing.

    Args:
        segment: What to compile.
        width: How many lanes a device has.
        devices: Where to run.
        impl: The kind of random key.
        x64: Whether there are 64 bits: another program.
    """
    del x64
    return Program(segment, jax.random.key(0, impl=impl), width, devices)


def fingerprint(segment: Segment, key: jax.Array, width: int) -> str:
    """Returns a digest of the program of one device, the data in it included."""
    work = _work(segment, width)
    state = jax.eval_shape(segment.begin, work.rows, work.seeds, key)
    lowered = jax.jit(segment).lower(state, work, key)
    return hashlib.sha256(lowered.as_text().encode()).hexdigest()


def _work(segment: Segment, lanes: int) -> Lanes:
    """What there is to do in a segment, without the numbers."""

    def of(shape: tuple[int, ...], dtype: Any) -> Any:
        return shaped((lanes, *shape), dtype)

    rows = [of(leaf.shape, leaf.dtype) for leaf in segment.layout.leaves]
    count, flag = of((), np.dtype(np.int32)), of((), np.dtype(bool))
    return Lanes(rows, count, count, flag, flag, flag)


def _bytes(compiled: Any) -> int:
    """What there is while it runs, and what is used twice counted once."""
    found = compiled.memory_analysis()
    given, returned = found.argument_size_in_bytes, found.output_size_in_bytes
    return int(given + returned + found.temp_size_in_bytes - found.alias_size_in_bytes)


def _is_key(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _numbers(leaf: jax.Array) -> jax.Array:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _put(state: State, lane: int, leaves: Sequence[jax.Array]) -> State:
    """Writes `leaves` into one lane of `state`."""

    def written(leaf: jax.Array, new: jax.Array) -> Any:
        if _is_key(leaf):
            data = jax.random.key_data(leaf).at[lane].set(new)
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        return leaf.at[lane].set(new)

    here, structure = jax.tree.flatten(state)
    return jax.tree.unflatten(structure, map(written, here, leaves))


def _where(condition: jax.Array, chosen: Any, other: Any) -> Any:
    """Chooses lane by lane."""

    def choose(x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.where(jnp.reshape(condition, (-1,) + (1,) * (x.ndim - 1)), x, y)

    return jax.tree.map(choose, chosen, other)


def _zeros(shapes: Any, numpy: Any = jnp) -> Any:
    """Arrays of some shapes, on the host if made by NumPy; and keys, which are not."""

    def zeros(leaf: Any) -> Any:
        if _is_key(leaf):
            data = jax.eval_shape(jax.random.key_data, leaf)
            zero = jnp.zeros(data.shape, data.dtype)
            return jax.random.wrap_key_data(zero, impl=_impl(leaf))
        return numpy.zeros(leaf.shape, leaf.dtype)

    return jax.tree.map(zeros, shapes)


def _impl(leaf: Any) -> Any:
    """Of what kind a key is, which only keys can tell, and there is one in a trace."""
    found: list[Any] = []

    def look(key: jax.Array) -> jax.Array:
        found.append(jax.random.key_impl(key))
        return jax.random.key_data(key)

    jax.eval_shape(look, leaf)
    return found[0]
