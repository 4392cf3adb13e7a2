"""Pictures: that they hold what was asked for."""

import dataclasses

import jax
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.figure import Figure

import jaxsched as js
from jaxsched import search
from jaxsched.plotting import plot, plot_results, plot_search, plot_zoo
from jaxsched.search import samplers
from jaxsched.search.spaces.space import Space

from .searched import POINTS, STEPS, families, found, of_scores, of_trials, trial


SCHEDULES = {
    "linear": js.linear(1.0, 0.0, STEPS),
    "wsd": js.wsd(1.0, warmup_steps=5, decay_steps=20, total_steps=STEPS),
    "steps": js.step_decay(1.0, factor=0.5, every=10),
}


def saved(figure, path):
    figure.savefig(path / "figure.png")
    return (path / "figure.png").stat().st_size > 1000


def test_a_line_is_its_schedule(tmp_path):
    axes = plot(SCHEDULES, STEPS)
    for line, (name, schedule) in zip(axes.get_lines(), SCHEDULES.items(), strict=True):
        assert line.get_label() == name
        steps, rates = line.get_data()
        assert steps[0] == 0
        assert steps[-1] == STEPS
        np.testing.assert_array_equal(rates, schedule(steps))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [*SCHEDULES]
    assert saved(axes.figure, tmp_path)


def test_one_schedule_needs_no_name():
    axes = plot(SCHEDULES["wsd"], STEPS)
    assert len(axes.get_lines()) == 1
    assert axes.get_legend() is None


def test_axes_that_are_given_are_drawn_on():
    axes = Figure().add_subplot()
    assert plot(SCHEDULES, STEPS, axes) is axes
    assert len(axes.get_lines()) == 3


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_a_zoo_has_a_panel_for_each(columns, tmp_path):
    figure = plot_zoo(SCHEDULES, STEPS, columns=columns)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [*SCHEDULES]
    assert saved(figure, tmp_path)


def test_a_zoo_may_hold_a_flat_zero_and_what_is_negative(tmp_path):
    figure = plot_zoo({"zero": js.constant(0.0), "below": js.constant(-1.0)}, STEPS)
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert low < high
    assert saved(figure, tmp_path)


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def watched(results):
    """The same results, with the loss of every step."""
    trials = tuple(
        dataclasses.replace(
            t,
            history={},
            metrics=t.metrics | {"loss": np.linspace(2, 1 + t.number, STEPS)},
        )
        for t in results.trials
    )
    return of_trials(trials, results.space)


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("watch", ["history", "whole"])
def test_a_search_shows_the_best_of_each_family(seeds, watch, tmp_path):
    results = found(seeds) if watch == "history" else watched(found(seeds))
    figure = plot_search(results, title="what")
    rates, losses, peaks = figure.axes
    names = results.ranking["family"][results.best_of_each()].tolist()
    assert [line.get_label() for line in rates.get_lines()] == names
    best = rates.get_lines()[0]
    np.testing.assert_array_equal(
        best.get_ydata(), results.best_schedule()(best.get_xdata())
    )
    assert best.get_xdata()[-1] == STEPS
    assert len(losses.get_lines()) == 3
    [*steps] = losses.get_lines()[0].get_xdata()
    if watch == "history":
        assert steps == [*POINTS]
        rows = [t.number for t in results.ranked[0].trials]
        np.testing.assert_allclose(
            losses.get_lines()[0].get_ydata(),
            results.curves["loss"][rows].mean(axis=0),
            rtol=1e-12,
        )
    else:
        assert len(steps) == 40
        assert 0 < steps[0] < steps[-1] < STEPS
    assert len(peaks.containers) == 3
    drawn = peaks.containers[0].lines[0].get_xdata()
    np.testing.assert_array_equal(drawn, [0.1, 0.2])
    assert saved(figure, tmp_path)


def test_pictures_stand_beneath(tmp_path):
    pictures = {name: np.zeros((4, 6, 3)) for name in ("original", "best")}
    figure = plot_search(found(), STEPS, pictures=pictures)
    assert titles(figure)[3:] == [*pictures]
    assert saved(figure, tmp_path)


def test_what_was_neither_watched_nor_searched_has_no_panel(tmp_path):
    figure = plot_search(of_scores([[1.0, 2.0], [2.0, 3.0]]))
    assert titles(figure) == ["The best of each family"]
    assert saved(figure, tmp_path)


@pytest.mark.parametrize("draw", [plot_search, plot_results])
def test_there_is_no_picture_of_nothing(draw):
    with pytest.raises(ValueError, match="Every candidate diverged"):
        draw(of_scores([[np.nan], [np.inf]]))


def test_results_have_four_panels(tmp_path):
    results = found()
    figure = plot_results(results, title="what", count=3)
    assert titles(figure) == [
        "How they learn",
        f"Where {results.best().family} does best",
        "What each family comes to",
        "The best schedules",
    ]
    learned, landscape, boxes, rates = figure.axes
    assert len(learned.get_lines()) == len(results.candidates)
    # The best is drawn last, on top of all others, and darkest.
    darkness = [np.sum(mpl.colors.to_rgb(x.get_color())) for x in learned.get_lines()]
    assert darkness == sorted(darkness, reverse=True)
    [cells] = [c for c in landscape.collections if isinstance(c, QuadMesh)]
    assert cells.get_array().shape == (2, 3)
    assert cells.get_array().argmax() == 3  # More warmup, and the least peak.
    assert np.ma.getmaskarray(cells.get_array())[:, 2].all()
    complete = results.ranking["status"] == "complete"
    dots = [c for c in boxes.collections if isinstance(c, PathCollection)]
    heights = np.concatenate([c.get_offsets()[:, 1] for c in dots])
    assert sorted(heights) == sorted(results.ranking["mean"][complete])
    labels = [label.get_text() for label in boxes.get_xticklabels()]
    assert [label.split("\n") for label in labels] == [
        ["warmup_cosine", "2 not complete"],
        ["warmup_linear", "2 not complete"],
        ["constant", "1 not complete"],
    ]
    best = rates.get_lines()[-1]
    np.testing.assert_array_equal(
        best.get_ydata(), results.best_schedule()(best.get_xdata())
    )
    texts = [text.get_text() for text in rates.get_legend().get_texts()]
    top = results.top(3)
    assert texts == [f"{n}  {one.family}" for n, one in enumerate(top, start=1)]
    assert saved(figure, tmp_path)


def test_what_was_trained_at_once_has_no_curve(tmp_path):
    def train(schedule, key):
        return {"validation": schedule(3) + jax.random.uniform(key)}

    results = search.run(train, js.constant(search.choice([0.1, 0.2])))
    figure = plot_results(results)
    assert titles(figure)[0] == "How they rank"
    assert "How they learn" not in titles(plot_search(results))
    assert saved(figure, tmp_path)


def test_a_landscape_of_many_values_has_a_point_for_each(tmp_path):
    space = Space(
        js.warmup_linear(
            search.loguniform(1e-3, 1.0),
            warmup_steps=search.uniform(0, 9),
            total_steps=STEPS,
        )
    )
    drawn = enumerate(samplers.random(space, 20))
    trials = [trial(n, c.params, 0, 1 + n / 9) for n, c in drawn]
    results = of_trials(tuple(trials), space)
    figure = plot_results(results)
    assert titles(figure)[0] == "How they rank"
    landscape = figure.axes[1]
    [points] = landscape.collections
    assert len(points.get_offsets()) == 20
    assert points.get_array().argmax() == 19  # The best is drawn last.
    assert landscape.get_xlabel() == "peak"
    assert (landscape.get_xscale(), landscape.get_yscale()) == ("log", "linear")
    assert saved(figure, tmp_path)


def test_a_landscape_of_one_dimension_is_a_line(tmp_path):
    space = families(warmups=(5,))
    figure = plot_results(found(space=space, mode="max"))
    [line] = figure.axes[1].containers
    assert line.lines[0].get_xdata().tolist() == [0.1, 0.2]
    assert saved(figure, tmp_path)


def test_a_picture_is_as_wide_as_what_there_is():
    results = found(watched=False)
    atonce = tuple(dataclasses.replace(t, steps=0) for t in results.trials)
    figure = plot_search(of_trials(atonce, results.space))
    assert figure.axes[0].get_lines()[0].get_xdata()[-1] == STEPS
    space = Space(search.space(lr=js.linear(search.choice([0.1, 0.2]), 0, 33), wd=0.1))
    results = of_scores([[1.0], [2.0]], space)
    atonce = tuple(dataclasses.replace(t, steps=0) for t in results.trials)
    figure = plot_results(of_trials(atonce, space))
    assert figure.axes[-1].get_lines()[0].get_xdata()[-1] == 33


def test_results_without_dimensions_or_schedules_have_fewer_panels(tmp_path):
    figure = plot_results(of_scores([[1.0, 2.0], [2.0, 3.0]]))
    panels = ["How they rank", "What each family comes to", "The best schedules"]
    assert titles(figure) == panels
    space = Space(search.space(decay=search.choice([0.1, 0.2])))
    figure = plot_results(of_scores([[1.0, 2.0], [2.0, 3.0]], space))
    assert len(figure.axes) == 3
    assert "The best schedules" not in titles(figure)
    assert saved(figure, tmp_path)
