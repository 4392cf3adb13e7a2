"""Data: arrays for all lanes, one copy on each device, or batches from the host."""

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from .arrays import as_numbers, is_key, shaped


BUDGET = 256_000_000
"""The most bytes of batches in one segment, unless told how long a segment is."""

PART = 1 << 24
"""The bytes of an array that are hashed at a time: it may be larger than the memory."""


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """Batches that the host provides, step by step; made by `stream`."""

    source: Any

    def reader(self) -> Callable[[int, int], list[Any]]:
        """Returns a function from a first step and a count to batches."""
        if _is_function_of_step(self.source):
            return lambda first, count: [
                self.source(t) for t in range(first, first + count)
            ]
        return _Reader(self.source)

    @property
    def one(self) -> Any:
        """The first batch."""
        [batch] = self.reader()(0, 1)
        return batch


def stream(source: Any) -> Any:
    """Feeds a search with batches from the host, for data that do not fit a device.

    The host is asked for the batches of a segment, in a thread of its own while the
    device works, and once for all lanes that are at the same step. All trials see the
    same batch at the same step, also after a resume. The content of a stream is not
    compared when a search goes on: keep another one elsewhere.

    Args:
        source: One of

            - a function `source(step)` that returns the batch of a step, a pytree of
              arrays of the same shapes for every step: the best choice, since a resumed
              trial can start anywhere; a `grain.MapDataset` is `dataset.__getitem__`;
            - an object to iterate over, such as a `DataLoader`, again and again, in the
              same order each time; or a function without arguments that returns an
              iterator, such as a generator function. A resumed trial reads the batches
              before it again.

    Returns:
        A `data=` for `search.Task` or `search.run`, or a part of one.

    Raises:
        TypeError: If it is an iterator, which can be read only once.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> task = search.Task(
        ...     init=lambda lr, key: jnp.zeros(()),
        ...     step=lambda lr, x, t, batch: (x + lr(t) * batch.mean(), {}),
        ...     evaluate=lambda lr, x: {"validation": x},
        ...     steps=4,
        ...     data=search.stream(lambda step: np.full(8, step, np.float32)),
        ... )
        >>> results = search.run(task, js.constant(search.choice([1.0, 2.0])), seeds=1)
        >>> results.table["validation"]
        array([ 6., 12.], dtype=float32)
    """
    if isinstance(source, Iterator):
        raise TypeError(
            "An iterator can be read only once, and trials start at different times: "
            "give a function from the step to its batch, or one without arguments that "
            "returns a new iterator."
        )
    if not callable(source) and not isinstance(source, Iterable):
        raise TypeError(
            f"A stream reads from a function of the step, or from an object to iterate "
            f"over, not from {source!r}."
        )
    return Stream(source)


class _Reader:
    """Reads an iterable in pieces; one that goes on where it was goes on reading."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._at: dict[int, Iterator[Any]] = {}

    def __call__(self, first: int, count: int) -> list[Any]:
        batches = self._at.pop(first, None)
        if batches is None:
            batches = self._endless()
            for _ in range(first):
                next(batches)
        found = [next(batches) for _ in range(count)]
        self._at[first + count] = batches
        return found

    def _endless(self) -> Iterator[Any]:
        while True:
            empty = True
            batches: Any = self._source() if callable(self._source) else self._source
            for batch in batches:
                empty = False
                yield batch
            if empty:
                raise ValueError("The stream has no batch.")


class Feed:
    """Provides the batches of segments, and reads the next ones ahead.

    Args:
        streams: The streams.
        length: The number of steps of a segment.
        steps: The number of steps of a trial: no batch is asked for beyond.
        place: Puts arrays where the lanes need them.
    """

    def __init__(
        self,
        streams: list[Stream],
        length: int,
        steps: int,
        place: Callable[[Any], Any],
    ) -> None:
        self._readers = [stream.reader() for stream in streams]
        self._length, self._steps = length, steps
        self._place = place
        # One thread: a source need not be safe for several.
        self._thread = ThreadPoolExecutor(1, "jaxsched-stream")
        self._read: dict[int, Future[Any]] = {}

    def __call__(self, first: int, next_: Iterable[int]) -> Any:
        """Returns the batches from a step on, and starts to read others.

        Args:
            first: The first step.
            next_: The steps at which the next segments begin, in the order of need.
        """
        chunk = self._ahead(first).result()
        self._read = {step: self._read[step] for step in next_ if step in self._read}
        for step in next_:
            self._ahead(step)
        return self._place(chunk)

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _ahead(self, first: int) -> "Future[Any]":
        if first not in self._read:
            self._read[first] = self._thread.submit(self._chunk, first)
        return self._read[first]

    def _chunk(self, first: int) -> list[Any]:
        count = min(self._length, self._steps - first)
        pieces = [reader(first, count) for reader in self._readers]
        # The last segment may be shorter, and the program is not.
        more = self._length - count
        return [
            _stacked([*batches, *[batches[-1]] * more], first) for batches in pieces
        ]


def _stacked(batches: list[Any], first: int) -> Any:
    """Stacks the batches of some steps.

    Raises:
        ValueError: If they differ in structure or shape.
    """
    shapes = [jax.tree.map(np.shape, batch) for batch in batches]
    for t, shape in enumerate(shapes, first):
        if shape != shapes[0]:
            raise ValueError(
                f"All batches of a stream must have the same shapes: that of step {t} "
                f"has {shape}, and that of step {first} has {shapes[0]}."
            )
    return jax.tree.map(lambda *xs: np.stack([np.asarray(x) for x in xs]), *batches)


def split(data: Any) -> tuple[list[Stream], list[Any], Any]:
    """Splits data into streams, arrays, and what puts them together again."""
    leaves, structure = jax.tree.flatten(data, is_leaf=_is_stream)
    streams = [leaf for leaf in leaves if _is_stream(leaf)]
    arrays = [leaf for leaf in leaves if not _is_stream(leaf)]
    for leaf in arrays:
        if not isinstance(
            leaf, np.ndarray | np.generic | jax.Array | bool | int | float
        ):
            raise TypeError(
                f"`data` is a pytree of arrays and streams, got {leaf!r} in it."
            )
    places = tuple(_is_stream(leaf) for leaf in leaves)
    return streams, arrays, (structure, places)


def joined(form: Any, arrays: Iterable[Any], batches: Iterable[Any] | None) -> Any:
    """Puts data together: with batches in place of streams, or with `None`."""
    structure, places = form
    of_arrays = iter(arrays)
    of_streams = iter(batches) if batches is not None else None
    return structure.unflatten(
        (next(of_streams) if of_streams else None) if is_stream else next(of_arrays)
        for is_stream in places
    )


def shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    """Returns the shape and the dtype that JAX gives an array; reads no numbers."""
    dtype = (
        jax.dtypes.canonicalize_dtype(np.result_type(leaf))
        if not isinstance(leaf, jax.Array)
        else leaf.dtype
    )
    return shaped(np.shape(leaf), dtype)


def hashed(leaves: Iterable[Any]) -> str:
    """Returns a digest of the bytes of arrays, part by part."""
    digest = hashlib.sha256()
    for leaf in leaves:
        array = np.asarray(as_numbers(leaf) if isinstance(leaf, jax.Array) else leaf)
        digest.update(repr((array.shape, str(array.dtype))).encode())
        # A view, unless its memory is not in one piece.
        flat = array.reshape(-1).view(np.uint8) if array.size else array.reshape(-1)
        for start in range(0, flat.size, PART):
            digest.update(np.ascontiguousarray(flat[start : start + PART]).data)
    return digest.hexdigest()


def sent(leaves: Iterable[Any], device: Any) -> list[Any]:
    """Begins to copy arrays to a device, which goes on while a program compiles."""
    return [jax.device_put(leaf, device) for leaf in leaves]


def placed(leaf: Any, sharding: Any) -> Any:
    """Puts an array on every device; those of a CPU share one copy in its memory."""
    on_cpu = next(iter(sharding.device_set)).platform == "cpu"
    if on_cpu and not (isinstance(leaf, jax.Array) and is_key(leaf)):
        # The buffer of an array of JAX is aligned such that it can be shared.
        leaf = np.asarray(jax.device_put(leaf, jax.local_devices(backend="cpu")[0]))
    return jax.device_put(leaf, sharding)


def size(leaves: Iterable[Any]) -> int:
    """Returns how many bytes arrays take on a device."""
    shapes = [shape_of(leaf) for leaf in leaves]
    shapes = [shape for shape in shapes if not is_key(shape)]
    return sum(shape.size * shape.dtype.itemsize for shape in shapes)


def _is_function_of_step(source: Any) -> bool:
    if not callable(source):
        return False
    try:
        inspect.signature(source).bind(0)
    except (TypeError, ValueError):
        return False
    return True


def _is_stream(node: Any) -> bool:
    return isinstance(node, Stream)
