"""Export: results as files, and as the tables of other libraries."""

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...imports import extra
from .table import Columns


if TYPE_CHECKING:
    from .results import Results


def save(columns: Columns, path: Path) -> None:
    """Writes columns in the format that the ending of a path says.

    Raises:
        ValueError: If it says none.
    """
    write = FORMATS.get(path.suffix.lower())
    if write is None:
        raise ValueError(
            f"A table is written to a file that ends in {', '.join(FORMATS)}, "
            f"not to {str(path)!r}."
        )
    write(columns, path)


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


FORMATS: Mapping[str, Callable[[Columns, Path], object]] = {
    ".csv": to_csv,
    ".parquet": to_parquet,
    ".json": lambda columns, path: to_pandas(columns).to_json(
        path, orient="records", indent=1, double_precision=15
    ),
    ".xlsx": lambda columns, path: to_pandas(columns).to_excel(path, index=False),
    ".md": lambda columns, path: path.write_text(markdown(columns), encoding="utf-8"),
    ".html": lambda columns, path: to_pandas(columns).to_html(path, index=False),
}
"""How to write a table, by the ending of the file."""


def markdown(columns: Columns) -> str:
    """Returns columns as a table of Markdown.

    Example:
        >>> import numpy as np
        >>> print(markdown({"rank": np.array([1]), "peak": np.array([0.1])}))
        | rank | peak |
        | --- | --- |
        | 1 | 0.1 |
    """
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    lines = [list(columns), ["---"] * len(columns), *rows]
    cells = ([str(cell).replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def to_xarray(results: "Results") -> Any:
    """Returns an `xarray.Dataset` with an axis for each dimension, and the seed."""
    with extra("table"):
        import xarray as xr  # noqa: PLC0415

    for one in results.dimensions:
        if one.dimension.labels is None:
            raise ValueError(
                f"`to_xarray` needs dimensions with a number of values; `{one.name}` "
                f"is {one.dimension!r}. Use `to_pandas`: it has a row for each trial."
            )
    axes, places = {}, []
    for name, column in (results.params | {"seed": results.table["seed"]}).items():
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
