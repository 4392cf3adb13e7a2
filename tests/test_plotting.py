"""Pictures: that they hold what was asked for."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxsched as js
from jaxsched import search
from jaxsched.plotting import plot, plot_search, plot_zoo


STEPS = 60
SCHEDULES = {
    "linear": js.linear(1.0, 0.0, STEPS),
    "wsd": js.wsd(1.0, warmup_steps=5, decay_steps=20, total_steps=STEPS),
    "steps": js.step_decay(1.0, 0.5, 10),
}


def found(seeds=2):
    """Results in which everything at the highest peak diverged."""
    candidates = search.grid(
        ["linear", "wsd"], peaks=[0.1, 0.2, 9], warmups=[0, 5], steps=STEPS
    )
    scores = 1 + np.arange(len(candidates) * seeds, dtype=float).reshape(-1, seeds) / 10
    scores[[c.hyperparameters["peak"] == 9 for c in candidates]] = np.nan
    loss = scores[:, :, None] / (1 + np.arange(STEPS))
    return search.Results(tuple(candidates), {"validation": scores, "loss": loss})


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


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_search_shows_the_best_of_each_recipe(seeds, tmp_path):
    results = found(seeds)
    figure = plot_search(results, STEPS, title="what")
    rates, losses, peaks = figure.axes
    assert [line.get_label() for line in rates.get_lines()] == ["linear", "wsd"]
    best = rates.get_lines()[0]
    np.testing.assert_array_equal(
        best.get_ydata(), results.best_schedule()(best.get_xdata())
    )
    assert len(losses.get_lines()) == 2
    assert len(peaks.containers) == 2
    drawn = peaks.containers[0].lines[0].get_xdata()
    np.testing.assert_array_equal(drawn, [0.1, 0.2])
    assert saved(figure, tmp_path)


def test_pictures_stand_beneath(tmp_path):
    pictures = {name: np.zeros((4, 6, 3)) for name in ("original", "best")}
    figure = plot_search(found(), STEPS, pictures=pictures)
    captions = [axes.get_title(loc="left") for axes in figure.axes[3:]]
    assert captions == [*pictures]
    assert saved(figure, tmp_path)


def test_candidates_without_a_peak_are_drawn_too(tmp_path):
    results = found()
    candidates = tuple(
        search.Candidate(c.recipe, {}, c.schedule, c.code) for c in results.candidates
    )
    figure = plot_search(search.Results(candidates, results.metrics), STEPS)
    assert len(figure.axes) == 2
    assert saved(figure, tmp_path)


def test_there_is_no_picture_of_nothing():
    results = found()
    metrics = {**results.metrics, "validation": np.full_like(results.scores, np.nan)}
    with pytest.raises(ValueError, match="Every candidate diverged"):
        plot_search(search.Results(results.candidates, metrics), STEPS)
