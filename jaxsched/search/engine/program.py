"""The program: many lanes of one training, a segment of steps at a time.

Lanes are `jax.vmap`, spread over devices by `jax.shard_map`; no lane depends on
another. XLA may compute in another order at another width, so the bits of a result
depend on the number of lanes per device, and on nothing else: not on the neighbours,
the order, or the number of devices.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from . import data as arrays_of
from .arrays import as_numbers, put, shaped, zeros
from .segment import Lanes, Outcome, Segment, Shared, State


LANE, EVERYWHERE = PartitionSpec("lane"), PartitionSpec()  # type: ignore[no-untyped-call]


class Program:
    """A segment, compiled for `width` lanes on each of `devices`.

    Args:
        segment: The segment.
        shared: Like what all lanes share: a key, and the shapes of data and batches.
        width: The number of lanes of a device.
        devices: The devices.

    Attributes:
        lanes: The number of lanes.
        bytes: The bytes that a device needs, without `shared_bytes`.
        shared_bytes: The bytes of what all its lanes share: data and captured arrays.
        outcome: The shapes of the results of a segment.
    """

    def __init__(
        self, segment: Segment, shared: Shared, width: int, devices: Sequence[Any]
    ) -> None:
        self.segment = segment
        self.width = width
        self._shared = shared
        self.lanes = width * len(devices)
        self._devices = devices
        mesh = Mesh(np.array(devices), ("lane",), axis_types=(AxisType.Auto,))
        lane, everywhere = NamedSharding(mesh, LANE), NamedSharding(mesh, EVERYWHERE)
        self._lane, self._everywhere = lane, everywhere
        spread = functools.partial(jax.shard_map, mesh=mesh, check_vma=False)
        shared, work = _shapes(segment, shared), _work(segment, self.lanes)
        begin = spread(segment.begin, in_specs=(LANE, LANE, EVERYWHERE), out_specs=LANE)
        self._state = jax.eval_shape(begin, work.rows, work.seeds, shared)
        lowered = jax.jit(
            spread(
                segment,
                in_specs=(LANE, LANE, EVERYWHERE),
                out_specs=(LANE, LANE),
            ),
            donate_argnums=0,
            in_shardings=(lane, lane, everywhere),
        ).lower(self._state, work, shared)
        self.outcome = Outcome(*lowered.out_info[1])
        self._run = lowered.compile()
        self._put = jax.jit(put, donate_argnums=0, out_shardings=lane)
        self.shared_bytes = arrays_of.size(jax.tree.leaves(shared))
        self.bytes = _bytes(self._run) - self.shared_bytes

    def __call__(
        self, state: State, lanes: Lanes, shared: Shared
    ) -> tuple[State, Outcome]:
        """Runs a segment; `state` is used up, and the outcome is on the host."""
        state, outcome = self._run(state, self.place(lanes), shared)
        return state, jax.device_get(outcome)

    def place(self, arrays: Any) -> Any:
        """Puts arrays whose first axis goes over lanes on the devices of these."""
        return jax.device_put(arrays, self._lane)

    def share(self, key: jax.Array, data: Sequence[Any]) -> Shared:
        """Puts what all lanes share on every device; batches are put later."""
        constants = self.segment.traced(self._shared).constants
        shared = Shared(key, constants, [*data], [])
        placed: Shared = jax.tree.map(self.place_everywhere, shared)
        return placed

    def blank_batches(self) -> list[Any]:
        """Returns batches of zeros on every device."""
        blank: list[Any] = zeros(self._shared.batches, np)
        return [jax.tree.map(self.place_everywhere, batch) for batch in blank]

    def place_everywhere(self, leaf: Any) -> Any:
        """Puts an array on every device."""
        return arrays_of.placed(leaf, self._everywhere)

    def device_of(self, lane: int) -> str:
        """Returns the name of the device of a lane."""
        return str(self._devices[lane // self.width])

    def blank(self) -> State:
        """Returns a state in which no lane has begun."""
        blank: State = self.place(zeros(self._state, np))
        return blank

    def put(self, state: State, lane: int, leaves: Sequence[np.ndarray]) -> State:
        """Puts the result of `take` into a lane; `state` is used up."""
        placed: State = self._put(state, lane, leaves)
        return placed

    def take(self, state: State, lanes: Sequence[int]) -> list[list[np.ndarray]]:
        """Returns the state of each of some lanes, as arrays on the host."""
        leaves = jax.device_get([as_numbers(leaf) for leaf in state])
        return [[leaf[lane] for leaf in leaves] for lane in lanes]

    @functools.cached_property
    def taken(self) -> list[jax.ShapeDtypeStruct]:
        """The shapes and dtypes of the result of `take`, for a lane."""
        shapes = [jax.eval_shape(as_numbers, x) for x in self._state]
        return [shaped(x.shape[1:], x.dtype) for x in shapes]


@functools.lru_cache(maxsize=4)
def compiled(
    segment: Segment,
    width: int,
    devices: tuple[Any, ...],
    *,
    impl: str,
    x64: bool,
    shapes: tuple[Any, Any],
) -> Program:
    """Compiles a program, or finds it: a second search compiles nothing.

    Args:
        segment: The segment.
        width: The number of lanes of a device.
        devices: The devices.
        impl: The kind of random key.
        x64: Whether there are 64 bits: another program.
        shapes: The shapes of the arrays of the data, and of the batches of a segment,
            as leaves and a structure.
    """
    del x64
    data, (leaves, structure) = shapes
    key = jax.random.key(0, impl=impl)
    shared = Shared(key, (), list(data), structure.unflatten(leaves))
    return Program(segment, shared, width, devices)


def fingerprint(segment: Segment, shared: Shared, width: int) -> str:
    """Returns a digest of the program of one device, and of the captured arrays."""
    shapes, work = _shapes(segment, shared), _work(segment, width)
    state = jax.eval_shape(segment.begin, work.rows, work.seeds, shapes)
    lowered = jax.jit(segment).lower(state, work, shapes)
    text = hashlib.sha256(lowered.as_text().encode()).hexdigest()
    captured = jax.tree.leaves(segment.traced(shapes).constants)
    return f"{text}{arrays_of.hashed(captured)}" if captured else text


def _shapes(segment: Segment, shared: Shared) -> Shared:
    """Completes what all lanes share, without the numbers but for the key."""
    data = [arrays_of.shape_of(x) for x in shared.data]
    shared = shared._replace(data=data)
    constants = segment.traced(shared).constants
    return shared._replace(constants=jax.tree.map(arrays_of.shape_of, constants))


def _work(segment: Segment, lanes: int) -> Lanes:
    """The work of a segment, without the numbers."""

    def of(shape: tuple[int, ...], dtype: Any) -> Any:
        return shaped((lanes, *shape), dtype)

    rows = [of(leaf.shape, leaf.dtype) for leaf in segment.layout.leaves]
    count, flag = of((), np.dtype(np.int32)), of((), np.dtype(bool))
    return Lanes(rows, count, count, flag, flag, flag)


def _bytes(compiled: Any) -> int:
    """The bytes of a running program; those that are used twice count once."""
    found = compiled.memory_analysis()
    given, returned = found.argument_size_in_bytes, found.output_size_in_bytes
    return int(given + returned + found.temp_size_in_bytes - found.alias_size_in_bytes)
