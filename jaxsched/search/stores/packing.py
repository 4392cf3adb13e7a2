"""Packing: arrays as bytes and numbers as text, each to the bit, and no pickles."""

import io
import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from .base import StoreError


MAGIC = b"jaxsched"
"""The first bytes of packed arrays."""


def pack(file: BinaryIO, about: Any, arrays: Sequence[np.ndarray]) -> None:
    """Writes arrays, of any shapes and data types.

    A header of JSON says what they are; their bytes follow, and a checksum of all.

    Args:
        file: The file.
        about: More to write, as data for JSON.
        arrays: Arrays of numbers, or of anything else but Python objects.

    Raises:
        TypeError: If there are Python objects, which only a pickle could hold.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> pack(file, "two numbers", [np.array([1.0, np.nan])])
        >>> _ = file.seek(0)
        >>> unpack(file)
        ('two numbers', [array([ 1., nan])])
    """
    kinds = [(_code(array.dtype), array.shape) for array in arrays]
    header = json.dumps({"about": about, "arrays": kinds}).encode()
    file.write(MAGIC + struct.pack("<Q", len(header)) + header)
    checksum = zlib.crc32(header)
    for array in arrays:
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        checksum = zlib.crc32(data, checksum)
        file.write(data)
    file.write(struct.pack("<L", checksum))


def unpack(file: BinaryIO) -> tuple[Any, list[np.ndarray]]:
    """Reads the result of `pack`, and nothing else.

    Raises:
        ValueError: If it is anything else, or damaged. Nothing of it was executed.
    """
    data = memoryview(file.read())
    try:
        if bytes(data[: len(MAGIC)]) != MAGIC:
            raise ValueError("This does not begin as packed arrays do.")
        start = len(MAGIC) + 8
        (size,) = struct.unpack("<Q", data[len(MAGIC) : start])
        (checksum,) = struct.unpack("<L", data[-4:])
        if zlib.crc32(data[start:-4]) != checksum:
            raise ValueError("The checksum is another one.")
        header = json.loads(bytes(data[start : start + size]))
        place, arrays = start + size, []
        for code, shape in header["arrays"]:
            dtype = np.dtype(code)
            if dtype.hasobject:
                raise ValueError("Python objects are not read.")
            end = place + math.prod(shape) * dtype.itemsize
            whole = np.frombuffer(data[place:end], np.uint8).copy()
            arrays.append(whole.view(dtype).reshape(shape))
            place = end
        return header["about"], arrays
    except Exception as error:  # There is no end to what may be wrong with a file.
        raise ValueError("This does not hold packed arrays, or is damaged.") from error


def pack_metrics(metrics: Mapping[str, np.ndarray]) -> bytes:
    """Makes bytes of the metrics of a trial."""
    buffer = io.BytesIO()
    pack(buffer, list(metrics), list(metrics.values()))
    return buffer.getvalue()


def unpack_metrics(packed: bytes, number: int) -> dict[str, np.ndarray]:
    """Makes the metrics of trial `number` of what `pack_metrics` made of them.

    Raises:
        StoreError: If they are damaged.
    """
    try:
        names, arrays = unpack(io.BytesIO(packed))
        return dict(zip(names, arrays, strict=True))
    except (TypeError, ValueError) as error:
        raise StoreError(f"The metrics of trial {number} are damaged.") from error


def as_json(values: Mapping[str, float]) -> dict[str, float | str]:
    """Makes numbers ready for JSON, which has none that are infinite or NaN.

    Example:
        >>> as_json({"loss": 0.1, "norm": float("inf")})
        {'loss': 0.1, 'norm': '7ff0000000000000'}
    """
    numbers = {name: float(value) for name, value in values.items()}
    return {
        name: value if np.isfinite(value) else struct.pack(">d", value).hex()
        for name, value in numbers.items()
    }


def from_json(written: Mapping[str, float | str]) -> dict[str, float]:
    """Makes numbers of what `as_json` made of them."""
    return {
        name: struct.unpack(">d", bytes.fromhex(value))[0]
        if isinstance(value, str)
        else value
        for name, value in written.items()
    }


def _code(dtype: np.dtype[Any]) -> str:
    if dtype.hasobject:
        raise TypeError(f"Only arrays without Python objects are kept, not of {dtype}.")
    known_to_numpy = dtype.isbuiltin != 2
    return dtype.str if known_to_numpy else dtype.name
