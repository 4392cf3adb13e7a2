"""Export: results as files, and as what other libraries work with."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...imports import extra
from ..spaces.dimensions import Choice, Dimension, Range
from ..trials import Status, Trial
from .standing import final


if TYPE_CHECKING:
    from .results import Results

Columns = Mapping[str, np.ndarray]

STATES: Mapping[Status, str] = {
    Status.WAITING: "WAITING",
    Status.RUNNING: "RUNNING",
    Status.PAUSED: "RUNNING",
    Status.COMPLETE: "COMPLETE",
    Status.PRUNED: "PRUNED",
    Status.DIVERGED: "FAIL",
    Status.FAILED: "FAIL",
}
"""What Optuna calls it."""


def to_csv(columns: Columns, path: str | os.PathLike[str]) -> None:
    """Writes columns as CSV, every number to its last digit."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(c.tolist() for c in columns.values()), strict=True))


def to_pandas(columns: Columns) -> Any:
    """Returns columns as a `pandas.DataFrame`."""
    with extra("table"):
        import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415

    return pd.DataFrame(dict(columns))


def to_parquet(columns: Columns, path: str | os.PathLike[str]) -> None:
    """Writes columns as Parquet."""
    with extra("table"):
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415

    parquet.write_table(pa.table(dict(columns)), path)


def to_xarray(results: "Results") -> Any:
    """Returns an `xarray.Dataset` with an axis for each dimension, and the seed."""
    with extra("table"):
        import xarray as xr  # noqa: PLC0415

    for dimension, name in results.space.names.items():
        if isinstance(dimension, Range):
            raise ValueError(
                f"`to_xarray` needs dimensions with a number of values; `{name}` is "
                f"{dimension!r}. Use `to_pandas`, which has a row for each trial."
            )
    axes, places = {}, []
    for name, column in (results.dimensions | {"seed": results.table["seed"]}).items():
        axes[name], place = _axis(column)
        places.append(place)
    shape, where = tuple(map(len, axes.values())), tuple(places)
    points = {f"{name}_curve": curve for name, curve in results.curves.items()}
    columns = results.metrics | points
    columns |= {name: results.table[name] for name in ("status", "steps", "seconds")}
    variables = {}
    for name, column in columns.items():
        more = [f"{name}_{axis}" for axis in range(column.ndim - 1)]
        more = ["step"] if name in points else more
        variables[name] = ([*axes, *more], _spread(column, shape, where))
    coordinates = axes | ({"step": results.curve_steps} if points else {})
    return xr.Dataset(variables, coordinates)


def to_optuna(results: "Results", storage: Any, name: str) -> Any:
    """Returns an `optuna.Study` with a trial for each trial."""
    with extra("optuna"):
        import optuna  # noqa: PLC0415

    named: dict[str, list[Dimension]] = {}
    for dimension, called in results.space.names.items():
        named.setdefault(called, []).append(dimension)
    distributions = {
        called: _distribution(optuna.distributions, dimensions)
        for called, dimensions in named.items()
    }
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="minimize" if results.mode == "min" else "maximize",
    )
    rows = zip(results.trials, results.drawn, strict=True)
    for row, (trial, candidate) in enumerate(rows):
        params = dict(candidate.hyperparameters)
        state = optuna.trial.TrialState[STATES[trial.status]]
        complete = trial.status is Status.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=final(trial, results.metric) if complete else None,
                params=params,
                distributions={called: distributions[called] for called in params},
                intermediate_values=_watched(trial, results.metric),
                user_attrs=_attributes(results.table, row, apart_from=params),
            )
        )
    return study


def _axis(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of a column, numbers in order, text as it comes; and where each is."""
    values, first, places = np.unique(column, return_index=True, return_inverse=True)
    if column.dtype.kind != "U":
        return values, places
    order = np.argsort(first)
    return values[order], np.argsort(order)[places]


def _spread(
    column: np.ndarray, shape: tuple[int, ...], where: tuple[np.ndarray, ...]
) -> np.ndarray:
    """Puts the rows of a column where they belong on a grid."""
    missing = "" if column.dtype.kind == "U" else np.nan
    dtype = column.dtype if column.dtype.kind in "Ufc" else float
    whole = np.full(shape + column.shape[1:], missing, dtype)
    whole[where] = column
    return whole


def _distribution(distributions: Any, dimensions: Sequence[Dimension]) -> Any:
    """One that holds what all dimensions of a name hold: Optuna allows but one."""
    labels = [x for d in dimensions if isinstance(d, Choice) for x in d.labels]
    ranges = [d for d in dimensions if isinstance(d, Range)]
    if not ranges:
        return distributions.CategoricalDistribution(list(dict.fromkeys(labels)))
    ends = [*map(float, labels), *(end for d in ranges for end in (d.low, d.high))]
    log = all(d.log for d in ranges) and min(ends) > 0
    return distributions.FloatDistribution(min(ends), max(ends), log=log)


def _attributes(
    columns: Columns, row: int, apart_from: Mapping[str, Any]
) -> dict[str, Any]:
    """What else a row has, and only that."""
    values = {name: column[row].item() for name, column in columns.items()}
    return {
        name: value
        for name, value in values.items()
        if name not in apart_from and (value != "") and value == value  # noqa: PLR0124
    }


def _watched(trial: Trial, metric: str) -> dict[int, float]:
    """What the metric was on the way."""
    return {
        step: values[metric]
        for step, values in trial.history.items()
        if metric in values
    }
