"""The landscape: the metric over the dimensions of one family."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..imports import extra
from .style import INK, PALE, SHADES, colours, suit_scale


with extra("plot"):
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.patches import Rectangle


if TYPE_CHECKING:
    from ..search import Results


FEW = 12
"""Up to how many values a dimension is drawn as cells of a map."""


def varied(results: "Results", family: str) -> list[str]:
    """Returns the dimensions of which a family has several values, the most first."""
    of_it = results.ranking["family"] == family
    sizes = {
        name: len(np.unique(results.ranking[name][of_it]))
        for name in results.params
        if name != "family"
    }
    several = [name for name, size in sizes.items() if size > 1]
    return sorted(several, key=lambda name: -sizes[name])


def draw_landscape(axes: Axes, results: "Results", family: str) -> None:
    """Draws the best mean at each place: a map over two dimensions, or a line.

    Args:
        axes: What to draw on.
        results: What `search.run` returned.
        family: Of which family.
    """
    first, *others = varied(results, family)
    axes.set_title(f"Where {family} does best")
    if not others:
        _draw_line(axes, results, family, first)
    elif _few(results, family, first):
        _draw_map(axes, results, family, first, others[0])
    else:
        _draw_points(axes, results, family, first, others[0])


def _few(results: "Results", family: str, name: str) -> bool:
    column = results.ranking[name][results.ranking["family"] == family]
    return len(np.unique(column)) <= FEW


def _draw_line(axes: Axes, results: "Results", family: str, name: str) -> None:
    """The mean at each value, and its spread."""
    table = results.ranking
    shown = (table["family"] == family) & (table["status"] == "complete")
    at, first = np.unique(table[name][shown], return_index=True)
    means, spreads = table["mean"][shown][first], table["spread"][shown][first]
    axes.errorbar(at, means, spreads, fmt="o-", ms=3.5, capsize=2, color=colours(1)[0])
    axes.set(xlabel=name, ylabel=results.metric)
    suit_scale(axes.yaxis, means)
    _suit(axes.xaxis, results, name, at)


def _draw_map(axes: Axes, results: "Results", family: str, x: str, y: str) -> None:
    """A cell for each pair of values, with the best mean that there is."""
    table = results.ranking
    of_it = table["family"] == family
    shown = of_it & (table["status"] == "complete")
    columns, rows = np.unique(table[x][of_it]), np.unique(table[y][of_it])
    cells = np.full((len(rows), len(columns)), np.nan)
    # From the worst to the best, which stays.
    for row in np.flatnonzero(shown)[::-1]:
        place = (
            np.searchsorted(rows, table[y][row]),
            np.searchsorted(columns, table[x][row]),
        )
        cells[place] = table["mean"][row]
    shades = _shades(results.objective.sign * cells)
    axes.set_facecolor(PALE)
    axes.pcolormesh(shades, cmap=SHADES, vmin=0, vmax=1, edgecolors="white", lw=2)
    axes.grid(visible=False)
    for (down, across), value in np.ndenumerate(cells):
        dark = shades[down, across] > 0.5
        axes.text(
            across + 0.5,
            down + 0.5,
            "" if np.isnan(value) else f"{value:.3g}",
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if dark else INK,
        )
    down, across = divmod(int(np.nanargmax(shades)), len(columns))
    look: Any = {"fill": False, "ec": INK, "lw": 1.6, "clip_on": False}
    axes.add_patch(Rectangle((across, down), 1, 1, **look))
    axes.set_xticks(np.arange(len(columns)) + 0.5, [_tick(v) for v in columns])
    axes.set_yticks(np.arange(len(rows)) + 0.5, [_tick(v) for v in rows])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel=x, ylabel=y)


def _draw_points(axes: Axes, results: "Results", family: str, x: str, y: str) -> None:
    """A point for each candidate, the better the darker; crosses are not complete."""
    table = results.ranking
    of_it = table["family"] == family
    shown = of_it & (table["status"] == "complete")
    lost = of_it & ~shown
    axes.plot(table[x][lost], table[y][lost], "x", ms=4, color=PALE)
    # The best on top.
    worst_first = np.flatnonzero(shown)[::-1]
    axes.scatter(
        table[x][worst_first],
        table[y][worst_first],
        c=_shades(results.objective.sign * table["mean"][worst_first]),
        cmap=SHADES,
        vmin=0,
        vmax=1,
        s=32,
        edgecolors="white",
        linewidths=0.6,
    )
    axes.set(xlabel=x, ylabel=y)
    _suit(axes.xaxis, results, x, table[x][of_it])
    _suit(axes.yaxis, results, y, table[y][of_it])


def _shades(means: np.ndarray) -> np.ndarray:
    """By place, from 0 for the worst to 1 for the best; NaN where there is none.

    On a scale of the means, the few that are wild would make all others look alike.
    """
    shades = np.full(means.shape, np.nan)
    known = np.isfinite(means)
    _, places = np.unique(means[known], return_inverse=True)
    shades[known] = 1 - places / max(places.max(), 1)
    return shades


def _suit(axis: Axis, results: "Results", name: str, values: np.ndarray) -> None:
    """Scales an axis as its dimension is drawn, or else as its values ask for."""
    even = any(
        one.name == name and one.dimension.data().get("log") is False
        for one in results.dimensions
    )
    if values.dtype.kind in "if" and not even:
        suit_scale(axis, values)


def _tick(value: np.generic) -> str:
    return f"{value:.3g}" if isinstance(value, np.number) else str(value)
