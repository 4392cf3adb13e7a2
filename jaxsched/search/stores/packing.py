"""Packing: arrays as bytes and numbers as text, each to the bit, and no pickles."""

import io
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from .base import StoreError


def pack(file: BinaryIO, about: Any, arrays: Sequence[np.ndarray]) -> None:
    """Writes arrays, of any shapes and data types, as an npz file.

    NumPy's own format forgets types such as bfloat16. So all are written as bytes,
    and what they are is written beside them.

    Args:
        file: Where to.
        about: What else to write down, for `json.dumps`.
        arrays: Of numbers, or of anything else but Python objects.

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
    np.savez(
        file,
        np.frombuffer(header, np.uint8),
        *(np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in arrays),
    )


def unpack(file: BinaryIO) -> tuple[Any, list[np.ndarray]]:
    """Reads what `pack` wrote, and nothing else.

    Raises:
        ValueError: If it is anything else, or damaged. Nothing of it was executed.
    """
    try:
        with np.load(file, allow_pickle=False) as members:
            header = json.loads(members["arr_0"].tobytes())
            arrays = [
                members[f"arr_{place}"].view(np.dtype(code)).reshape(shape)
                for place, (code, shape) in enumerate(header["arrays"], start=1)
            ]
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
