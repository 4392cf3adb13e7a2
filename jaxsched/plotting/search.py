"""The picture of a search: the best schedule of each family, and what it did."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..imports import extra
from .learning import horizon, learning
from .style import COLOURS, INK, STYLE, colours, label_powers, points_of


with extra("plot"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


if TYPE_CHECKING:
    from ..search import Results


def plot_search(
    results: "Results",
    steps: int | None = None,
    *,
    title: str = "",
    pictures: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Draws the best schedule of each family, beside what became of it.

    Args:
        results: What `search.run` returned.
        steps: How many steps were trained; as many as the longest training took, or
            the longest schedule takes, if not given.
        title: What was trained.
        pictures: Images of shape `[height, width, 3]`, by caption, to show beneath.

    Returns:
        A figure: the rates; the losses, if they were watched; the metric against the
        peak, if there is one; and the pictures.

    Raises:
        ValueError: If no candidate is complete, or there are no schedules.
    """
    results.best()  # Or there is nothing to draw.
    steps = horizon(results) if steps is None else steps
    with mpl.rc_context(STYLE):
        figure = Figure((13, 7.6 if pictures else 4.4), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", weight="bold", color=INK)
        heights = [1.3, 1] if pictures else [1]
        parts = figure.subfigures(len(heights), height_ratios=heights, squeeze=False)
        _draw_best(parts[0, 0], results, steps)
        if pictures:
            _draw_pictures(parts[1, 0], pictures)
    return figure


def _draw_best(figure: SubFigure, results: "Results", steps: int) -> None:
    """Up to three panels that share one legend: rates, losses, the choice of a peak."""
    table, watched = results.ranking, learning(results, steps)
    rows = [row for row in results.best_of_each() if results.ranked[row].complete]
    peaked = table.get("peak", np.empty(0, str)).dtype.kind in "if"
    panels = 1 + (watched is not None) + peaked
    left, *others = figure.subplots(1, panels, squeeze=False).ravel()
    looks = [
        # The best one on top.
        {"color": colour, "zorder": 3 - place / len(rows)}
        for place, colour in enumerate(colours(len(rows)))
    ]
    for row, look in zip(rows, looks, strict=True):
        candidate = results.candidates[row]
        points = points_of(candidate.schedule, steps)
        left.plot(*points, label=candidate.family, **look)
    left.set(title="The best of each family", xlabel="step", ylabel="learning rate")
    left.margins(x=0)
    if watched is not None:
        middle, curves = others.pop(0), watched.values[rows]
        for curve, look in zip(curves, looks, strict=True):
            middle.plot(watched.steps, curve, **look)
        name = "training loss" if watched.name.endswith("loss") else watched.name
        middle.set(title="How they learn", xlabel="step", ylabel=name, xlim=(0, steps))
        if np.nanmin(curves) > 0:
            middle.set(yscale="log", ylim=_past_the_start(curves))
            label_powers(middle.yaxis, (1, 2, 3, 4, 5, 7))
    if peaked:
        _draw_peaks(others.pop(), results, [str(table["family"][row]) for row in rows])
    figure.legend(loc="outside upper center", ncols=len(COLOURS))


def _draw_peaks(axes: Axes, results: "Results", families: Sequence[str]) -> None:
    """For each family and peak the best mean there is, and its spread."""
    table = results.ranking
    positive = (table["status"] == "complete") & (table["peak"] > 0)
    for family, colour in zip(families, colours(len(families)), strict=True):
        shown = positive & (table["family"] == family)
        # The table is ranked, so the first row of each peak is the best.
        peaks, first = np.unique(table["peak"][shown], return_index=True)
        means, spreads = table["mean"][shown][first], table["spread"][shown][first]
        axes.errorbar(peaks, means, spreads, fmt="o-", ms=3.5, capsize=2, color=colour)
    axes.set(title="What the peak does", xlabel="peak", ylabel=results.metric)
    axes.set_xscale("log")
    label_powers(axes.xaxis, (1, 2, 5))
    if (table["mean"][positive] > 0).all():
        axes.set_yscale("log")
        label_powers(axes.yaxis, (1, 2, 3, 4, 5, 7))


def _draw_pictures(figure: SubFigure, pictures: Mapping[str, np.ndarray]) -> None:
    panels = figure.subplots(1, len(pictures), squeeze=False).ravel()
    for axes, (caption, picture) in zip(panels, pictures.items(), strict=True):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(caption, weight="normal")
        axes.set_axis_off()


def _past_the_start(curves: np.ndarray) -> tuple[float, float]:
    """Limits that leave out the first losses, beside which all others look alike."""
    start = curves.shape[1] // 8
    return 0.9 * float(np.nanmin(curves)), 1.1 * float(np.nanmax(curves[:, start:]))
