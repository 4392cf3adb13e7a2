"""The program: many lanes of one training, a segment of steps at a time.

Lanes are `jax.vmap`, spread over devices by `jax.shard_map`; no lane depends on
another. XLA may compute in another order at another width, so what the bits of a
result depend on is the number of lanes per device, and nothing else: not the
neighbours, not the order, not how many devices there are.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from .arrays import as_numbers, put, shaped, zeros
from .segment import Lanes, Outcome, Segment, State


LANE, EVERYWHERE = PartitionSpec("lane"), PartitionSpec()  # type: ignore[no-untyped-call]


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
        self._put = jax.jit(put, donate_argnums=0, out_shardings=lane)
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
        blank = zeros(self._state, np)
        return self.place(blank)

    def put(self, state: State, lane: int, leaves: Sequence[np.ndarray]) -> State:
        """Puts what `take` returned into a lane; `state` is used up."""
        return self._put(state, lane, leaves)

    def take(self, state: State, lanes: Sequence[int]) -> list[list[np.ndarray]]:
        """Returns what there is in each of some lanes, as arrays on the host."""
        leaves = jax.device_get([as_numbers(leaf) for leaf in jax.tree.leaves(state)])
        return [[leaf[lane] for leaf in leaves] for lane in lanes]

    @functools.cached_property
    def taken(self) -> list[jax.ShapeDtypeStruct]:
        """The shapes and dtypes of what `take` returns of a lane."""
        shapes = [jax.eval_shape(as_numbers, x) for x in jax.tree.leaves(self._state)]
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
