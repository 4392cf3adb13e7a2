"""The picture of results: all candidates at once, in four panels."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..imports import extra
from .landscape import draw_landscape, varied
from .learning import horizon, learning, scheduled
from .style import FAINT, INK, PALE, STYLE, colours, points_of, shades, suit_scale


with extra("plot"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


if TYPE_CHECKING:
    from ..search import Results


Draw: TypeAlias = Callable[[Axes], None]


def plot_results(results: "Results", *, title: str = "", count: int = 5) -> Figure:
    """Draws all candidates: how they learn, what matters, and the best schedules.

    Args:
        results: What `search.run` returned.
        title: What was trained.
        count: Of how many of the best candidates to show the rates.

    Returns:
        A figure with up to four panels: the curves that were watched, coloured by rank,
        or the means if none were; the metric over two dimensions of the best family;
        the candidates of each family as a box; and the rates of the best.

    Raises:
        ValueError: If no candidate is complete.
    """
    best = results.best()  # Or there is nothing to draw.
    steps = horizon(results)
    panels: list[Draw] = [lambda axes: _draw_learning(axes, results, steps)]
    if varied(results, best.family):
        panels.append(lambda axes: draw_landscape(axes, results, best.family))
    panels.append(lambda axes: _draw_families(axes, results))
    if scheduled(results, count):
        panels.append(lambda axes: _draw_top(axes, results, steps, count))
    rows = -(-len(panels) // 2)
    with mpl.rc_context(STYLE):
        figure = Figure((11, 3.9 * rows))
        figure.set_layout_engine("constrained", h_pad=0.12, w_pad=0.12)
        figure.suptitle(title, x=0.01, ha="left", weight="bold", color=INK)
        figure.text(
            0.99, 0.99, "the darker, the better", ha="right", va="top", color=FAINT
        )
        grid = figure.subplots(rows, 2).ravel()
        for axes, draw in zip(grid, panels, strict=False):
            draw(axes)
        for axes in grid[len(panels) :]:
            axes.remove()
    return figure


def _draw_learning(axes: Axes, results: "Results", steps: int) -> None:
    """The curves of all candidates, the better the darker; or else their means."""
    watched = learning(results, steps)
    if watched is None:
        _draw_means(axes, results)
        return
    look = shades(len(results.candidates))
    for row in reversed(range(len(results.candidates))):
        width = 2.4 if row == 0 else 1.0
        axes.plot(watched.steps, watched.values[row], color=look[row], lw=width)
    axes.set(title="How they learn", xlabel="step")
    axes.set(ylabel=watched.name, xlim=(0, steps))
    late = watched.values[:, watched.values.shape[1] // 8 :]
    late = late[np.isfinite(late)]
    if late.size:
        suit_scale(axes.yaxis, late)
        # Without the worst, beside which all others would look alike.
        rising = results.mode == "max" and watched.name == results.metric
        low, high = np.quantile(late, [0.02, 1.0] if rising else [0.0, 0.98])
        axes.set_ylim(low * 0.95 if low > 0 else low, high * 1.05 if high > 0 else high)


def _draw_means(axes: Axes, results: "Results") -> None:
    """The means by rank, and between which limits the true ones are."""
    table = results.ranking
    shown = table["status"] == "complete"
    colour, *_ = colours(1)
    ranks, means = table["rank"][shown], table["mean"][shown]
    axes.fill_between(
        ranks, table["low"][shown], table["high"][shown], color=colour, alpha=0.15, lw=0
    )
    axes.plot(ranks, means, color=colour)
    axes.set(title="How they rank", xlabel="rank", ylabel=results.metric)
    suit_scale(axes.yaxis, means)
    axes.margins(x=0)


def _draw_families(axes: Axes, results: "Results") -> None:
    """A box for each family, and a point for each candidate that is complete."""
    table = results.ranking
    complete = table["status"] == "complete"
    names = [str(table["family"][row]) for row in results.best_of_each()]
    names = [name for name in names if (complete & (table["family"] == name)).any()]
    means = [table["mean"][complete & (table["family"] == name)] for name in names]
    thin = {"color": FAINT, "linewidth": 1}
    axes.boxplot(
        means,
        widths=0.5,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": PALE, "alpha": 0.5, "linewidth": 0},
        medianprops={"color": INK, "linewidth": 1.2},
        whiskerprops=thin,
        capprops=thin,
    )
    look = np.array(shades(len(table["rank"])))
    for place, (name, values) in enumerate(zip(names, means, strict=True), 1):
        # Side by side, so that none hides another.
        sides = place + 0.3 * (np.arange(len(values)) * 0.618 % 1 - 0.5)
        dots = look[complete & (table["family"] == name)]
        axes.scatter(sides, values, c=dots, s=18, ec="white", lw=0.4, zorder=3)
    lost = [int((~complete & (table["family"] == name)).sum()) for name in names]
    labels = [
        name + (f"\n{count} not complete" if count else "")
        for name, count in zip(names, lost, strict=True)
    ]
    crowded = max(map(len, names)) * len(names) > 60
    axes.set_xticks(range(1, len(names) + 1), labels)
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    if crowded:
        axes.tick_params(axis="x", labelrotation=20, labelsize=7)
    axes.set(title="What each family comes to", ylabel=results.metric)
    suit_scale(axes.yaxis, np.concatenate(means))
    axes.grid(visible=False, axis="x")


def _draw_top(axes: Axes, results: "Results", steps: int, count: int) -> None:
    """The rates of the best candidates."""
    top = scheduled(results, count)
    # The palest of all would be hard to see.
    look = shades(len(top) + 2)
    for rank in reversed(range(len(top))):
        label = f"{rank + 1}  {results.candidates[rank].family}"
        width = 2.4 if rank == 0 else 1.6
        axes.plot(*points_of(top[rank], steps), color=look[rank], lw=width, label=label)
    axes.set(title="The best schedules", xlabel="step", ylabel="learning rate")
    axes.margins(x=0)
    axes.legend(reverse=True)
