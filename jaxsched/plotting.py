"""Pictures: of schedules, of a zoo of them, of a search, and of a range test."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .imports import extra
from .schedule import Schedule
from .search import Results
from .training.sweeps import RangeTest, suggestions as suggested
from .training.sweeps.curve import curve_of


with extra("plot"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.ticker import LogLocator, NullLocator


COLOURS = (
    "#3366cc",
    "#d9542b",
    "#2a9d6f",
    "#8e56b5",
    "#e0a11b",
    "#1c9fbf",
    "#c2437f",
    "#6b7a8f",
)
INK = "#33373d"
PALE = "#d8dce2"

STYLE: Any = {
    "axes.edgecolor": PALE,
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "grid.color": "#eef0f3",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "xtick.color": "#8a919c",
    "xtick.labelsize": 8,
    "ytick.color": "#8a919c",
    "ytick.labelsize": 8,
}


def plot(
    schedules: Schedule | Mapping[str, Schedule],
    steps: int,
    axes: Axes | None = None,
) -> Axes:
    """Draws schedules over the step.

    Args:
        schedules: One, or several by name.
        steps: How many steps to draw.
        axes: What to draw on; on a new figure if not given.

    Returns:
        The axes, with a line for each schedule.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched.plotting import plot
        >>> axes = plot({"cosine": js.cosine(1.0, 0.0, steps=90)}, steps=100)
        >>> axes.get_xlabel()
        'step'
    """
    several = isinstance(schedules, Mapping)
    named = schedules if isinstance(schedules, Mapping) else {"": schedules}
    with mpl.rc_context(STYLE):
        if axes is None:
            axes = Figure((6.4, 3.2), layout="constrained").add_subplot()
        for name, colour in zip(named, _colours(len(named)), strict=True):
            axes.plot(*_points(named[name], steps), color=colour, label=name)
        axes.set(xlabel="step", ylabel="learning rate")
        axes.margins(x=0)
        if several:
            axes.legend()
    return axes


def plot_zoo(
    schedules: Mapping[str, Schedule], steps: int, *, columns: int = 5
) -> Figure:
    """Draws each schedule in a small panel of its own.

    Args:
        schedules: The schedules by name.
        steps: How many steps to draw.
        columns: How many panels stand side by side.

    Returns:
        A figure.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched.plotting import plot_zoo
        >>> zoo = {"linear": js.linear(1.0, 0.0, 90), "cosine": js.cosine(1.0, 0.0, 90)}
        >>> len(plot_zoo(zoo, steps=100).axes)
        2
    """
    columns = min(columns, len(schedules))
    rows = -(-len(schedules) // columns)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure((2.1 * columns, 1.5 * rows + 0.3))
        figure.set_layout_engine("constrained", h_pad=0.1, w_pad=0.08)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(schedules) :]:
            axes.remove()
        colours = _colours(len(schedules))
        for axes, name, colour in zip(grid, schedules, colours, strict=False):
            _panel(axes, name, *_points(schedules[name], steps), colour)
        figure.supxlabel(f"step, from 0 to {steps:,}", fontsize=9, color=INK)
    return figure


def plot_search(
    results: Results,
    steps: int,
    *,
    title: str = "",
    pictures: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Draws the best schedule of each recipe, beside what became of it.

    Args:
        results: What `search.run` returned, with the curve `loss`.
        steps: How many steps were trained.
        title: What was trained.
        pictures: Images of shape `[height, width, 3]`, by caption, to show beneath.

    Returns:
        A figure: the rates, the losses, and the metric against the peak, if there is
        one; and the pictures.

    Raises:
        ValueError: If every candidate diverged.
    """
    results.best()  # Or there is nothing to draw.
    with mpl.rc_context(STYLE):
        figure = Figure((13, 7.6 if pictures else 4.4), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", weight="bold", color=INK)
        heights = [1.3, 1] if pictures else [1]
        parts = figure.subfigures(len(heights), height_ratios=heights, squeeze=False)
        _draw_best(parts[0, 0], results, steps)
        if pictures:
            _draw_pictures(parts[1, 0], pictures)
    return figure


def plot_range_test(
    result: RangeTest,
    suggestions: Mapping[str, float] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Draws the loss over the rate.

    Args:
        result: What `range_test` returned; of several sweeps, with leading axes, also
            the band that they lie in, and their mean until the first of them ends.
        suggestions: Rates to mark, by name; those of all rules if not given.
        axes: What to draw on; on a new figure if not given.

    Returns:
        The axes, with the losses as they were, their moving average, and the marks.

    Raises:
        ValueError: If the sweeps are not at the same rates.

    Example:
        >>> from jaxsched.plotting import plot_range_test
        >>> from jaxsched.training import range_test
        >>> descend = lambda x, batch, rate: (x - rate * x, 1 + x**2)
        >>> axes = plot_range_test(range_test(descend, 1.0))
        >>> axes.get_xlabel()
        'learning rate'
    """
    suggestions = suggested(result) if suggestions is None else suggestions
    rates, mean = curve_of(result, skip_start=0, skip_end=0, needed=0)
    steps = np.shape(result.losses)[-1]
    losses = np.asarray(result.losses, float).reshape(-1, steps)
    smoothed = np.asarray(result.smoothed, float).reshape(-1, steps)
    all_rates = np.asarray(result.rates, float).reshape(-1, steps)[0]
    colour, *others = _colours(1 + len(suggestions))
    with mpl.rc_context(STYLE):
        if axes is None:
            axes = Figure((6.4, 3.6), layout="constrained").add_subplot()
        axes.plot(all_rates, losses.T, color=colour, alpha=0.3, lw=0.8)
        if len(smoothed) > 1:
            band = np.fmin.reduce(smoothed), np.fmax.reduce(smoothed)
            axes.fill_between(all_rates, *band, color=colour, alpha=0.15, lw=0)
        axes.plot(rates, mean, color=colour, lw=2.2)
        for (name, rate), look in zip(suggestions.items(), others, strict=True):
            axes.axvline(rate, color=look, lw=1, ls=":")
            at = np.interp(rate, rates, mean) if len(rates) else np.nan
            axes.plot(rate, at, "o", color=look, label=f"{name} {rate:.2g}")
        axes.set(xlabel="learning rate", ylabel="loss", xscale="log")
        axes.set_xlim(all_rates[all_rates > 0][[0, -1]])
        axes.set_ylim(_before_the_end(losses, smoothed))
        if suggestions:
            axes.legend()
    return axes


def _draw_best(figure: SubFigure, results: Results, steps: int) -> None:
    """Three panels that share one legend: rates, losses, and the choice of a peak."""
    panels = 3 if "peak" in results.table else 2
    left, middle, *others = figure.subplots(1, panels)
    rows = results.best_of_each()
    chosen = [index for index in results.order[rows] if results.complete[index]]
    curves = _smooth(results.metrics["loss"][chosen].mean(axis=1))
    middles = (np.arange(curves.shape[1]) + 0.5) * steps / curves.shape[1]
    for place, (index, colour) in enumerate(
        zip(chosen, _colours(len(chosen)), strict=True)
    ):
        candidate = results.candidates[index]
        # The best one on top.
        look = {"color": colour, "zorder": 3 - place / len(chosen)}
        left.plot(*_points(candidate.schedule, steps), label=candidate.recipe, **look)
        middle.plot(middles, curves[place], **look)
    left.set(title="The best of each recipe", xlabel="step", ylabel="learning rate")
    left.margins(x=0)
    middle.set(title="How they learn", xlabel="step", ylabel="training loss")
    middle.set(yscale="log", xlim=(0, steps), ylim=_past_the_start(curves))
    _label_powers(middle.yaxis, (1, 2, 3, 4, 5, 7))
    for right in others:
        _draw_peaks(right, results, [results.candidates[i].recipe for i in chosen])
    figure.legend(loc="outside upper center", ncols=len(COLOURS))


def _draw_peaks(axes: Axes, results: Results, recipes: Sequence[str]) -> None:
    """For each recipe and peak the best mean there is, and its spread."""
    table = results.table
    for recipe, colour in zip(recipes, _colours(len(recipes)), strict=True):
        shown = (table["recipe"] == recipe) & (table["status"] == "complete")
        # The table is ranked, so the first row of each peak is the best.
        peaks, first = np.unique(table["peak"][shown], return_index=True)
        means, spreads = table["mean"][shown][first], table["spread"][shown][first]
        axes.errorbar(peaks, means, spreads, fmt="o-", ms=3.5, capsize=2, color=colour)
    axes.set(title="What the peak does", xlabel="peak", ylabel=results.metric)
    axes.set(xscale="log", yscale="log")
    _label_powers(axes.xaxis, (1, 2, 5))
    _label_powers(axes.yaxis, (1, 2, 3, 4, 5, 7))


def _label_powers(axis: Axis, digits: Sequence[float]) -> None:
    """Labels a logarithmic axis with plain numbers that start with `digits`."""
    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _draw_pictures(figure: SubFigure, pictures: Mapping[str, np.ndarray]) -> None:
    panels = figure.subplots(1, len(pictures), squeeze=False).ravel()
    for axes, (caption, picture) in zip(panels, pictures.items(), strict=True):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(caption, weight="normal")
        axes.set_axis_off()


def _smooth(curves: np.ndarray) -> np.ndarray:
    """The mean over each fortieth of a curve."""
    pieces = np.array_split(curves, min(40, curves.shape[1]), axis=1)
    return np.stack([piece.mean(axis=1) for piece in pieces], axis=1)


def _past_the_start(curves: np.ndarray) -> tuple[float, float]:
    """Limits that leave out the first losses, beside which all others look alike."""
    start = curves.shape[1] // 8
    return 0.9 * float(curves.min()), 1.1 * float(curves[:, start:].max())


def _before_the_end(losses: np.ndarray, smoothed: np.ndarray) -> tuple[float, float]:
    """Limits that leave out how a sweep ends, beside which all else looks flat."""
    for left_out in (5, 0):
        end = losses.shape[1] - left_out
        calm = np.isfinite(smoothed[:, left_out:])
        if calm.any():
            low, high = losses[:, :end][calm].min(), smoothed[:, :end][calm].max()
            room = 0.2 * (high - low) or 0.5
            return low - room, high + room
    return 0.0, 1.0


def _panel(
    axes: Axes, name: str, steps: np.ndarray, rates: np.ndarray, colour: str
) -> None:
    axes.plot(steps, rates, color=colour)
    axes.fill_between(steps, rates, color=colour, alpha=0.15, lw=0)
    axes.set_title(name, fontsize=min(9.0, 200 / len(name)))
    axes.set(xticks=[], yticks=[], xlim=(0, steps[-1]))
    low, high = min(0.0, rates.min()), max(0.0, rates.max())
    axes.set_ylim(low, high + 0.08 * (high - low or 1))
    axes.spines["left"].set_visible(False)


def _points(schedule: Schedule, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """As many as a picture can show, between steps too where there are few."""
    at = np.linspace(0, steps, 1001)
    return at, np.asarray(schedule(at))


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]
