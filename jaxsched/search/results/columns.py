"""Columns: what rows know, as arrays, where some rows do not know all of it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


RESERVED = frozenset(
    [
        *("trial", "digest", "family", "seed", "status", "steps", "code"),
        *("seconds", "host", "device", "attempt"),
        *("rank", "mean", "spread", "low", "high", "seeds", "tied"),
    ]
)
"""What the columns of every table of results are called, whatever was searched."""


def own_name(kind: str, name: str, taken: Iterable[str] = RESERVED) -> str:
    """Returns a name for a column that is none of those `taken`.

    Example:
        >>> own_name("space", "peak"), own_name("space", "steps")
        ('peak', 'space.steps')
    """
    return f"{kind}.{name}" if name in taken else name


def label_columns(
    rows: Sequence[Mapping[str, Any]], names: Iterable[str]
) -> dict[str, np.ndarray]:
    """Makes a column of each name that any row has a label for.

    Returns:
        Numbers, with NaN where there is none; or if any label is text all as text,
        with an empty one where there is none.

    Example:
        >>> rows = [{"peak": 0.1}, {"peak": 0.2, "curve": "Cosine()"}]
        >>> label_columns(rows, ["peak", "curve", "power"])
        {'peak': array([0.1, 0.2]), 'curve': array(['', 'Cosine()'], dtype='<U8')}
    """
    known = [name for name in dict.fromkeys(names) if any(name in row for row in rows)]
    return {name: _label_column([row.get(name) for row in rows]) for name in known}


def stacked(values: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Stacks arrays, with NaN for those that are missing.

    Returns:
        An array of the dtype that they have, if that has a NaN or none is missing;
        `None` if their shapes differ.

    Example:
        >>> import numpy as np
        >>> stacked([np.float32(0.5), None])
        array([0.5, nan], dtype=float32)
    """
    there = [np.asarray(value) for value in values if value is not None]
    shape = there[0].shape if there else ()
    if any(value.shape != shape for value in there):
        return None
    if there and len(there) == len(values):
        return np.stack(there)
    dtype = np.result_type(*there) if there else np.dtype(float)
    dtype = dtype if dtype.kind in "fc" else np.dtype(float)
    whole = np.full((len(values), *shape), math.nan, dtype)
    whole[[value is not None for value in values]] = there or math.nan
    return whole


def _label_column(labels: Sequence[Any]) -> np.ndarray:
    if any(isinstance(label, str) for label in labels):
        return np.array(["" if label is None else str(label) for label in labels])
    return np.array([math.nan if label is None else label for label in labels])
