"""The tables of results: which columns they have, and how to make them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..trial import Trial
from .ranking import Ranked


Columns = Mapping[str, np.ndarray]

TRIAL: Mapping[str, tuple[type, Callable[[Trial], Any]]] = {
    "trial": (int, lambda trial: trial.number),
    "id": (str, lambda trial: trial.id),
    "family": (str, lambda trial: trial.family),
    "seed": (int, lambda trial: trial.seed),
    "status": (str, lambda trial: str(trial.status)),
    "steps": (int, lambda trial: trial.steps),
    "seconds": (float, lambda trial: trial.seconds),
    "host": (str, lambda trial: trial.host),
    "device": (str, lambda trial: trial.device),
    "attempt": (int, lambda trial: trial.attempt),
    "code": (str, lambda trial: trial.code),
}
"""The columns of a table of trials, besides params and metrics."""

CIRCUMSTANCES = ("seconds", "host", "device", "attempt")
"""Columns that tell how a trial was run, and not its result."""

RANKED: Mapping[str, tuple[type, Callable[[Ranked], Any]]] = {
    "family": (str, lambda ranked: ranked.trials[0].family),
    "mean": (float, lambda ranked: ranked.mean),
    "spread": (float, lambda ranked: ranked.spread),
    "low": (float, lambda ranked: ranked.interval[0]),
    "high": (float, lambda ranked: ranked.interval[1]),
    "seeds": (int, lambda ranked: len(ranked.scores)),
    "steps": (float, lambda ranked: ranked.steps),
    "status": (str, lambda ranked: ranked.status),
    "code": (str, lambda ranked: ranked.trials[0].code),
}
"""The columns of a ranking, besides `rank`, params and `tied`."""

RESERVED = frozenset([*TRIAL, *RANKED, "rank", "tied"])
"""Names of columns that every table has, whatever was searched."""


def column(
    schema: Mapping[str, tuple[type, Callable[[Any], Any]]],
    name: str,
    rows: Sequence[Any],
) -> np.ndarray:
    """Makes a column of a schema."""
    kind, value = schema[name]
    return np.array([value(row) for row in rows], kind)


def own_name(kind: str, name: str, taken: Iterable[str] = RESERVED) -> str:
    """Returns a name for a column that is none of those `taken`.

    Example:
        >>> own_name("space", "peak"), own_name("space", "steps")
        ('peak', 'space.steps')
    """
    return f"{kind}.{name}" if name in taken else name


def param_columns(
    rows: Sequence[Mapping[str, Any]], names: Iterable[str]
) -> dict[str, np.ndarray]:
    """Makes a column of each param that any row has.

    Returns:
        Numbers, with NaN for those that lack it; or texts if any value is one, with
        empty ones.

    Example:
        >>> rows = [{"peak": 0.1}, {"peak": 0.2, "curve": "Cosine()"}]
        >>> param_columns(rows, ["peak", "curve", "power"])
        {'peak': array([0.1, 0.2]), 'curve': array(['', 'Cosine()'], dtype='<U8')}
    """
    names = dict.fromkeys([*names, *(name for row in rows for name in row)])
    known = [name for name in names if any(name in row for row in rows)]
    return {name: _param_column([row.get(name) for row in rows]) for name in known}


def stacked(values: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Stacks arrays, with NaN for those that are missing.

    Returns:
        An array of their dtype, if that has a NaN or none is missing; `None` if their
        shapes differ.

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


def _param_column(values: Sequence[Any]) -> np.ndarray:
    if any(isinstance(value, str) for value in values):
        return np.array(["" if value is None else str(value) for value in values])
    return np.array([math.nan if value is None else value for value in values])
