"""Results: tables that hold everything, and rankings that claim no more than is so."""

import csv
import dataclasses
import itertools
import sys

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js
from jaxsched import search
from jaxsched.search import Objective, Space, Status, report, samplers
from jaxsched.search.optuna.sampler import OptunaSampler
from jaxsched.search.results.report import noise_note, ranking, summary
from jaxsched.search.results.statistics import (
    dunnett,
    least_difference,
    mean_interval,
)

from .searched import STEPS, families, found, history, of_scores, of_trials, trial


# One row per trial.


def test_a_grid_of_n_has_exactly_n_rows():
    table = found(seeds=3).table
    assert {len(column) for column in table.values()} == {(2 * 3 * 2 + 3) * 3}
    assert [*table] == [
        *("trial", "id", "family", "peak", "warmup_steps", "seed", "status"),
        *("steps", "validation", "seconds", "host", "device", "attempt", "code"),
    ]


def test_rows_are_in_the_order_of_their_numbers():
    results = found()
    shuffled = of_trials(results.trials[::-1], results.space)
    assert shuffled.table["trial"].tolist() == [*range(len(results.trials))]
    for name, column in results.table.items():
        np.testing.assert_array_equal(shuffled.table[name], column)


def test_what_a_family_does_not_have_is_empty():
    table = found().table
    constant = table["family"] == "constant"
    np.testing.assert_array_equal(np.isnan(table["warmup_steps"]), constant)
    space = Space(
        {
            "ramp": js.ramp(
                0.1, 0.0, 9, search.choice([js.curves.Cosine(), js.curves.Sqrt()])
            ),
            "constant": js.constant(0.1),
        }
    )
    table = of_scores([[1.0], [2.0], [3.0]], space).table
    assert table["curve"].tolist() == ["curves.Cosine()", "curves.Sqrt()", ""]


def test_a_metric_is_missing_where_a_trial_did_not_come_to_it():
    results = found()
    validation, status = results.table["validation"], results.table["status"]
    assert validation.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(validation), status == "diverged")


def test_columns_keep_their_names_whatever_is_searched():
    space = Space(js.linear(0.1, 0.0, steps=search.choice([10, 20])))
    trials = [trial(0, {"steps": 10}, 0, 1.0), trial(1, {"steps": 20}, 0, 2.0)]
    more = {
        "validation": np.float64(1),
        "seed": np.int64(7),
        "space.steps": np.ones(()),
    }
    trials[0] = dataclasses.replace(trials[0], metrics=more)
    table = of_trials(trials, space).table
    assert table["space.steps"].tolist() == [10, 20]
    assert table["steps"].tolist() == [STEPS, STEPS]
    assert table["seed"].tolist() == [0, 0]
    np.testing.assert_array_equal(table["metric.seed"], [7, np.nan])
    np.testing.assert_array_equal(table["metric.space.steps"], [1, np.nan])


def test_how_it_was_run_makes_no_difference_to_what_came_of_it():
    results = found()
    again = [
        dataclasses.replace(t, attempt=3, host="there", device="gpu", seconds=9.0)
        for t in results.trials
    ]
    resumed = of_trials(again, results.space)
    assert [*results.reproducible] == [
        *("trial", "id", "family", "peak", "warmup_steps", "seed", "status"),
        *("steps", "validation", "code"),
    ]
    for name, column in results.reproducible.items():
        assert column.tobytes() == resumed.reproducible[name].tobytes()


def test_arrays_are_stacked_where_their_shapes_agree():
    losses = {"loss": np.ones(4, np.float32), "odd": np.ones(2)}
    trials = [
        trial(0, {}, 0, None, metrics=losses | {"validation": np.float32(1)}),
        trial(1, {}, 1, None, metrics={"validation": np.ones(()), "odd": np.ones(3)}),
        trial(2, {}, 2, None, Status.FAILED),
    ]
    metrics = of_trials(trials, Space(js.constant(0.1))).metrics
    assert [*metrics] == ["validation", "loss"]
    assert metrics["loss"].dtype == np.float32
    np.testing.assert_array_equal(np.isnan(metrics["loss"][:, 0]), [False, True, True])


def test_curves_end_where_a_trial_does():
    results = found()
    assert results.curve_steps.tolist() == [15, 30, 45, 60]
    loss = results.curves["loss"]
    assert loss.shape == (len(results.trials), 4)
    hot = results.table["peak"] == 9.0
    assert np.isfinite(loss[:, 0]).all()
    np.testing.assert_array_equal(np.isnan(loss[:, 1:]), np.tile(hot[:, None], (1, 3)))
    assert loss[0].tolist() == [
        results.trials[0].history[s]["loss"] for s in (15, 30, 45, 60)
    ]


def test_nothing_yet_is_no_error():
    empty = of_trials((), families())
    assert len(empty.table["trial"]) == len(empty.ranking["rank"]) == 0
    waiting = [trial(0, {"peak": 0.1, "family": "constant"}, 0, None, Status.WAITING)]
    results = of_trials(waiting, families())
    assert results.ranking["status"].tolist() == ["unfinished"]
    assert np.isnan(results.table["validation"]).all()
    for none in (empty, results):
        with pytest.raises(ValueError, match="No candidate is complete"):
            none.best()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "validaton"}, "no metric 'validaton', did you mean 'validation'"),
        ({"metric": "loss"}, "'loss' is not a scalar"),
        ({"mode": "mni"}, r"no mode 'mni', did you mean 'min'\? Known: min, max"),
    ],
)
def test_the_metric_must_be_a_scalar_there_is(options, message):
    metrics = {"validation": np.float32(1), "loss": np.ones(3)}
    trials = (trial(0, {}, 0, None, metrics=metrics),)
    with pytest.raises(ValueError, match=message):
        of_trials(trials, Space(js.constant(0.1)), **options)


# One row per candidate.


def test_candidates_are_ranked_by_their_means():
    results = of_scores([[3, 5], [1, 2], [np.nan, 0], [2, 4], [np.inf, 0]])
    table = results.ranking
    order = [f"family{index}" for index in (1, 3, 0, 2, 4)]
    assert table["family"].tolist() == order
    assert [candidate.family for candidate in results.candidates] == order
    assert table["mean"][:3].tolist() == [1.5, 3.0, 4.0]
    assert table["spread"][:3] == pytest.approx(np.sqrt([0.5, 2, 2]))
    assert table["status"].tolist() == ["complete"] * 3 + ["diverged"] * 2
    assert table["seeds"].tolist() == [2, 2, 2, 1, 1]
    assert results.scores[:3].tolist() == [[1, 2], [2, 4], [3, 5]]
    assert results.best().family == "family1"
    assert [candidate.family for candidate in results.top(9)] == order[:3]


def test_more_may_be_better():
    results = of_scores([[3, 5], [1, 2], [np.nan, 0], [2, 4]], mode="max")
    assert results.ranking["mean"][:3].tolist() == [4.0, 3.0, 1.5]
    assert results.ranking["status"][-1] == "diverged"
    scores = np.array([[0.9, 0.8], [0.89, 0.79], [0.1, 0.2]])
    best, worst = of_scores(scores, mode="max"), of_scores(-scores)
    assert best.noise == worst.noise
    assert best.ranking["tied"].tolist() == worst.ranking["tied"].tolist()


def test_the_interval_is_students():
    # By hand: t = 12.7062 with one degree of freedom, and 4.3027 with two.
    assert mean_interval(np.array([1.0, 3.0])) == pytest.approx(
        (2 - 12.706204736432095, 2 + 12.706204736432095), rel=1e-9
    )
    results = of_scores([[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]])
    reach = 4.302652729911275 / np.sqrt(3)
    assert results.ranking["low"] == pytest.approx([2 - reach, 4], rel=1e-9)
    assert results.ranking["high"] == pytest.approx([2 + reach, 4], rel=1e-9)
    assert np.isnan(of_scores([[1.0], [2.0]]).ranking["low"]).all()


def test_what_came_of_a_candidate_is_the_worst_that_came_of_a_seed():
    names = ["failed", "diverged", "early", "late", "worse", "waiting", "complete"]
    space = Space({name: js.constant(0.1) for name in names})
    done, pruned = Status.COMPLETE, Status.PRUNED
    cases = {
        "failed": [(done, 1.0, 60), (Status.FAILED, None, 0)],
        "diverged": [(Status.DIVERGED, None, 30), (pruned, None, 30)],
        "early": [(pruned, None, 15), (pruned, None, 15)],
        "worse": [(pruned, None, 30), (pruned, None, 30)],
        "late": [(done, 1.0, 60), (pruned, None, 30)],
        "waiting": [(done, 5.0, 60), (Status.PAUSED, None, 15)],
        "complete": [(done, 9.0, 60), (done, 9.0, 60)],
    }
    trials = [
        trial(
            number,
            {"family": name},
            number % 2,
            score,
            status,
            steps=steps,
            history={steps: {"validation": 3.0 if name == "worse" else 2.0}},
        )
        for number, (name, (status, score, steps)) in enumerate(
            (name, case) for name in names for case in cases[name]
        )
    ]
    table = of_trials(trials, space).ranking
    found = dict(zip(table["family"].tolist(), table["status"].tolist(), strict=True))
    assert found == {
        "complete": "complete",
        "waiting": "unfinished",
        "late": "pruned",
        "worse": "pruned",
        "early": "pruned",
        "diverged": "diverged",
        "failed": "failed",
    }
    assert [*found] == [
        *("complete", "waiting", "late", "worse", "early", "diverged", "failed")
    ]
    assert table["steps"].tolist() == [60, 37.5, 45, 30, 15, 30, 30]


def test_among_pruned_ones_that_came_as_far_the_better_is_first():
    space = Space({name: js.constant(0.1) for name in "abc"})
    values = {"a": 0.5, "b": np.nan, "c": 0.7}

    def order(mode):
        trials = tuple(
            trial(
                number,
                {"family": name},
                0,
                None,
                Status.PRUNED,
                history={15: {"validation": 0.6}, 30: {"validation": value}},
            )
            for number, (name, value) in enumerate(values.items())
        )
        results = of_trials(trials, space, mode=mode)
        return "".join(results.ranking["family"].tolist())

    assert (order("min"), order("max")) == ("acb", "cab")


def test_what_ends_without_a_number_has_diverged():
    trials = (trial(0, {}, 0, np.inf), trial(1, {}, 1, 0.5))
    results = of_trials(trials, Space(js.constant(0.1)))
    assert results.table["status"].tolist() == ["diverged", "complete"]
    with pytest.raises(ValueError, match="Every candidate diverged"):
        results.best()


def test_candidates_that_differ_in_the_seed_alone_are_one():
    space = Space(
        search.space(
            lr=js.constant(search.choice([0.1, 0.2])), seed=search.choice([4, 7])
        )
    )
    trials = []
    for value in (0.1, 0.2):
        for seed in (4, 7):
            trials.append(trial(len(trials), {"level": value}, seed, value + seed))
    results = of_trials(trials, space)
    assert results.ranking["level"].tolist() == [0.1, 0.2]
    assert results.ranking["mean"] == pytest.approx([5.6, 5.7])
    assert results.ranking["seeds"].tolist() == [2, 2]
    assert "space.seed" not in results.table
    assert results.table["code"][1] == "Config(lr=constant(0.1), seed=7)"


def test_the_first_of_each_family_is_its_best():
    results = found()
    rows = results.best_of_each()
    assert rows == sorted(rows)
    assert rows[0] == 0
    table = results.ranking
    for row in rows:
        same = table["family"] == table["family"][row]
        assert table["mean"][row] == np.nanmin(table["mean"][same])
    assert len(rows) == 3


def test_the_best_schedule_drives_an_optimizer():
    results = found()
    schedule = results.best_schedule()
    assert results.best().code == results.ranking["code"][0]
    built = eval(results.best().code, vars(js))
    np.testing.assert_array_equal(built(np.arange(STEPS)), schedule(np.arange(STEPS)))
    optimizer = optax.sgd(schedule)
    updates, _ = optimizer.update(jnp.ones(3), optimizer.init(jnp.ones(3)))
    np.testing.assert_array_equal(updates, -jnp.ones(3) * schedule(0))


def test_nothing_is_best_if_everything_diverged():
    results = of_scores([[np.nan, 1], [np.inf, np.inf]])
    with pytest.raises(ValueError, match="Every candidate diverged"):
        results.best_schedule()
    assert not results.ranking["tied"].any()
    assert results.top(3) == ()
    both = of_scores([[np.nan, 1.0]])
    pruned = dataclasses.replace(both.trials[0], status=Status.PRUNED)
    with pytest.raises(ValueError, match=r"No candidate is complete \(1 pruned\)"):
        of_trials((pruned, both.trials[1]), both.space).best()


# Noise.


def test_noise_is_that_of_comparisons_with_the_best():
    # By hand: residuals of +-0.5 and 0, 2 degrees of freedom; of two candidates, the
    # quantile of Dunnett is the one-sided one of Student, t = 2.91999.
    scores = np.array([[1.0, 2.0, 3.0], [3.0, 3.0, 6.0]])
    residuals = scores - scores.mean(1)[:, None] - scores.mean(0)[None] + scores.mean()
    variance = (residuals**2).sum() / 2
    expected = 2.9199855803537251 * np.sqrt(2 * variance / 3)
    assert least_difference(scores) == pytest.approx(expected, rel=2e-6)
    assert of_scores(scores).noise == pytest.approx(expected, rel=1e-6)


# Dunnett, 1955, table 1a: one-sided, 95 %.
@pytest.mark.parametrize(
    ("others", "freedom", "expected"),
    [(1, 5, 2.02), (2, 5, 2.44), (3, 10, 2.34), (5, 20, 2.39), (9, 60, 2.48)],
)
def test_quantiles_are_those_of_the_table_of_dunnett(others, freedom, expected):
    assert dunnett(others, freedom) == pytest.approx(expected, abs=0.0051)


def test_noise_is_of_those_that_are_complete_with_every_seed():
    scores = [[1.0, 2.0, 3.0], [3.0, 3.0, 6.0]]
    results = of_scores([*scores, [np.nan, 50.0, 2.0], [0.0, 0.0, 9.0]])
    fewer = of_trials(results.trials[:-1], results.space)
    assert fewer.ranking["status"].tolist().count("complete") == 3
    assert fewer.noise == of_scores(scores).noise


def test_what_a_seed_does_to_all_is_no_noise():
    effects = np.array([0.0, 5.0, -3.0])
    scores = np.array([1.0, 1.5, 2.0])[:, None] + effects[None]
    assert least_difference(scores) == pytest.approx(0, abs=1e-12)
    assert of_scores(scores).ranking["tied"].tolist() == [True, False, False]


def test_wild_candidates_at_the_bottom_are_no_noise_at_the_top():
    calm = [[1.0, 1.1, 1.0], [1.2, 1.1, 1.2]]
    wild = [[50.0, 90.0, 20.0], [10.0, 300.0, 80.0]]
    both, alone = (
        least_difference(np.array(calm + wild)),
        least_difference(np.array(calm)),
    )
    assert both / dunnett(3, 2) == pytest.approx(alone / dunnett(1, 2))


def test_one_seed_or_one_candidate_says_nothing():
    assert least_difference(np.array([[1.0], [2.0], [3.0]])) == np.inf
    assert least_difference(np.array([[1.0, 2.0]])) == np.inf


@pytest.mark.parametrize("candidates", [2, 5, 20])
def test_the_truly_best_is_tied_with_the_best_mean(candidates):
    generator = np.random.default_rng(candidates)
    missed = 0
    for _ in range(1000):
        scores = generator.normal(size=(candidates, 5)) + generator.normal(size=5)[None]
        # All are equally good, so the first is as good as any.
        worse = scores[0].mean() - scores.mean(axis=1).min()
        missed += worse > least_difference(scores)
    # 50 of 1000 are expected, with a deviation of 6.9.
    assert 25 <= missed <= 75


FLAT = Space(
    search.space(x=search.linspace(0.0, 1.0, 4), y=search.linspace(0.0, 1.0, 3))
)
WIDE = Space(search.space(x=search.uniform(0.0, 1.0), y=search.uniform(0.0, 1.0)))
SIMULATED, SEEDS = 400, 4


def truth(params):
    """The mean over all seeds: nearly flat, or nothing but the best would compete."""
    return 0.02 * (params["x"] + params["y"])


def simulated(sampler, number):
    """Results of a search in which each score is the truth and a lot of noise."""
    generator = np.random.default_rng(number)
    effects = generator.normal(size=SEEDS)
    trials = []

    def add(candidates):
        for candidate, seed in itertools.product(candidates, range(SEEDS)):
            score = truth(candidate.params) + effects[seed] + generator.normal()
            known = {"history": {STEPS: {"validation": score}}}
            made = trial(len(trials), dict(candidate.params), seed, score, **known)
            trials.append(dataclasses.replace(made, metrics={"validation": score}))

    if sampler == "tpe":
        asked = OptunaSampler("tpe")
        for turn in range(12):
            add(asked.ask(WIDE, 1, trials, Objective(), 1000 * number + turn))
    else:
        space = FLAT if sampler == "grid" else WIDE
        add(samplers.SAMPLERS[sampler](space, 12, seed=number))
    return search.Results(tuple(trials))


@pytest.mark.parametrize("sampler", ["grid", "random", "sobol", "tpe"])
def test_intervals_and_ties_hold_as_often_as_they_say(sampler):
    if sampler == "tpe":
        pytest.importorskip("optuna")
    held, tied = [], []
    for number in range(SIMULATED):
        ranking = simulated(sampler, number).ranking
        true = 0.02 * (ranking["x"] + ranking["y"])
        assert ranking["seeds"].tolist() == [SEEDS] * 12
        held.append(np.mean((ranking["low"] <= true) & (true <= ranking["high"])))
        tied.append(ranking["tied"][np.argmin(true)])
    assert 0.92 <= np.mean(tied) <= 0.98
    # The seeds do the same to all candidates of a search, so intervals are wide.
    assert 0.92 <= np.mean(held) <= 0.98


# In other forms.


@pytest.mark.parametrize("which", ["table", "ranking"])
def test_csv_holds_every_number(which, tmp_path):
    results = found()
    results.to_csv(tmp_path / "results.csv", ranking=which == "ranking")
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name, column in getattr(results, which).items():
        kind = type(column[0].item())
        if kind is bool:
            assert [row[name] == "True" for row in rows] == column.tolist()
        else:
            read = [kind(row[name]) for row in rows]
            np.testing.assert_array_equal(read, column.tolist())


@pytest.mark.parametrize("which", ["table", "ranking"])
def test_pandas_and_parquet_hold_every_number(which, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    results, of_candidates = found(), which == "ranking"
    results.to_parquet(tmp_path / "results.parquet", ranking=of_candidates)
    frames = [
        results.to_pandas(ranking=of_candidates),
        pandas.read_parquet(tmp_path / "results.parquet"),
    ]
    for frame in frames:
        assert [*frame] == [*getattr(results, which)]
        for name, column in getattr(results, which).items():
            np.testing.assert_array_equal(frame[name].to_numpy(column.dtype), column)


def test_xarray_has_an_axis_for_each_dimension():
    pytest.importorskip("xarray")
    results = found()
    data = results.to_xarray()
    sizes = {"family": 3, "peak": 3, "warmup_steps": 3, "seed": 2}
    assert dict(data.validation.sizes) == sizes
    names = ["warmup_cosine", "warmup_linear", "constant"]
    assert data.family.values.tolist() == names
    assert data.peak.values.tolist() == [0.1, 0.2, 9.0]
    np.testing.assert_array_equal(data.warmup_steps, [0, 5, np.nan])
    for row, one in enumerate(results.trials):
        cell = data.isel(
            family=names.index(one.params["family"]),
            peak=[0.1, 0.2, 9.0].index(one.params["peak"]),
            warmup_steps=[0, 5, None].index(one.params.get("warmup_steps")),
            seed=one.seed,
        )
        assert cell.validation.values == results.table["validation"][row] or (
            one.status is Status.DIVERGED and np.isnan(cell.validation)
        )
        assert str(cell.status.values) == one.status
        np.testing.assert_array_equal(cell.loss_curve, results.curves["loss"][row])
    assert (data.status != "").sum() == len(results.trials)
    assert data.loss_curve.dims[-1] == "step"
    assert data.step.values.tolist() == [15, 30, 45, 60]


def test_a_range_has_no_axis():
    pytest.importorskip("xarray")
    space = Space(js.constant(search.uniform(0.0, 1.0)))
    results = of_trials((trial(0, {"level": 0.3}, 0, 1.0),), space)
    with pytest.raises(ValueError, match=r"`level` is uniform\(0.0, 1.0\)"):
        results.to_xarray()


@pytest.fixture(name="optuna")
def _optuna():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def test_optuna_has_a_trial_for_each(optuna, tmp_path, request):
    results = found()
    # An object, since connections of an address stay open, of which Python 3.13 warns.
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/study.db")
    request.addfinalizer(storage.engine.dispose)
    results.to_optuna(storage, name="mine")
    study = optuna.load_study(study_name="mine", storage=storage)
    assert len(study.trials) == len(results.trials)
    assert study.best_trial.user_attrs["code"] == results.best().code
    for theirs, ours in zip(study.trials, results.trials, strict=True):
        assert theirs.params == ours.params
        assert theirs.user_attrs["seed"] == ours.seed
        assert theirs.user_attrs["status"] == ours.status
        complete = ours.status is Status.COMPLETE
        assert theirs.value == (ours.metrics["validation"] if complete else None)
        assert theirs.state.name == ("COMPLETE" if complete else "FAIL")
    family = study.trials[0].distributions["family"]
    assert family.choices == ("warmup_cosine", "warmup_linear", "constant")


def test_optuna_knows_ranges_and_what_was_on_the_way(optuna):
    space = Space(
        {
            "low": js.constant(search.loguniform(1e-3, 1e-1)),
            "high": js.constant(search.loguniform(1e-2, 1.0)),
            "given": js.constant(search.choice([0.5, 2.0])),
        }
    )
    watched = {step: {"validation": 1 / step} for step in history(1.0)}
    cases = [
        ("low", 0.005, Status.PRUNED, "PRUNED"),
        ("high", 0.5, Status.PAUSED, "RUNNING"),
        ("given", 2.0, Status.WAITING, "WAITING"),
    ]
    trials = tuple(
        trial(number, {"family": f, "level": v}, 0, None, status, history=watched)
        for number, (f, v, status, _) in enumerate(cases)
    )
    study = of_trials(trials, space, mode="max").to_optuna()
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert [theirs.state.name for theirs in study.trials] == [case[3] for case in cases]
    # One name has one range.
    expected = optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True)
    assert study.trials[0].distributions["low.level"] == expected
    assert study.trials[2].params == {"family": "given", "given.level": 2.0}
    assert study.trials[0].intermediate_values == {s: 1 / s for s in (15, 30, 45, 60)}


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "jaxsched\[table\]"'):
        found().to_pandas()


# The report.

NAMES = ("cosine", "inverse_sqrt", "wsd")


def named(scores):
    return of_scores(scores, Space({name: js.constant(0.1) for name in NAMES}))


DISTINCT = named([[0.30, 0.31], [0.10, 0.11], [0.20, 0.22]])
TIED = named([[0.30, 0.41], [0.35, 0.30], [0.37, 0.33]])
DIVERGED = named([[0.30, 0.31], [np.nan, 0.11], [0.20, 0.22]])


def test_the_report_ranks_and_recommends():
    text = report(DISTINCT, measure="error of held-out pixels", rows=2, width=80)
    first, second = text.split("The best 2 of 3 candidates:")
    assert first.startswith("The best of each family")
    assert first.index("inverse_sqrt") < first.index("wsd") < first.index("cosine")
    assert "wsd" in second.split("Ranked")[0]
    assert "cosine" not in second.split("Ranked")[0]
    assert "Ranked by error of held-out pixels" in second
    assert second.endswith(f"Train with: {DISTINCT.best().code}")


def test_the_report_says_when_differences_are_noise():
    assert "~" not in ranking(DISTINCT)
    assert "All others are worse by more than the noise" in noise_note(DISTINCT)
    assert ranking(TIED).count("~") == 3
    assert "Note: 2 candidates (~) cannot be told from the best" in noise_note(TIED)
    assert "inverse_sqrt, wsd" in noise_note(TIED)


def test_the_report_says_that_one_of_a_kind_says_nothing():
    assert "one seed says nothing" in noise_note(named([[1.0], [2.0], [3.0]]))
    lost = named([[1.0, 2.0], [np.nan, np.nan], [np.nan, np.nan]])
    assert "one candidate that is complete says nothing" in noise_note(lost)


def test_what_diverged_is_marked_and_not_chosen():
    text = report(DIVERGED, width=80)
    assert "inverse_sqrt  diverged" in text
    assert "Diverged, and never chosen: 1 candidate." in text
    assert f"Train with: {DIVERGED.best().code}" in text
    text = report(named(np.full((3, 2), np.nan)), width=80)
    assert "Every candidate diverged" in text
    assert "Train with" not in text


def test_the_report_says_what_became_of_the_others():
    done = named([[1.0], [1.0], [1.0]]).trials
    error = "Traceback\n  line 3\nValueError: out of luck."
    changes = [{"status": Status.PRUNED, "steps": 15}, {"status": Status.RUNNING}]
    changes += [{"status": Status.FAILED, "error": error}]
    trials = tuple(
        dataclasses.replace(*pair[:1], **pair[1])
        for pair in zip(done, changes, strict=True)
    )
    text = report(of_trials(trials, Space(dict.fromkeys(NAMES, js.constant(0.1)))))
    assert "cosine        pruned at 15" in text
    assert "Pruned before the end: 1 candidate." in text
    assert "Not finished yet: 1 candidate." in text
    assert "Failed: 1 candidate, with ValueError: out of luck." in text
    assert text.endswith("None is complete.")


def test_the_report_leaves_empty_what_a_family_does_not_have():
    lines = ranking(found()).splitlines()
    assert lines[0].split()[-2:] == ["peak", "warmup_steps"]
    assert [line.split()[-1] for line in lines[1:]] == ["5", "5", "0.1"]


def test_the_notes_fit_the_terminal():
    *notes, code = summary(TIED, width=40).splitlines()
    assert max(map(len, notes)) <= 40
    assert code == f"Train with: {TIED.best().code}"


@pytest.mark.parametrize("width", [20, 40, 60])
def test_the_table_fits_the_terminal(width):
    lines = ranking(DISTINCT, width=width).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= width
