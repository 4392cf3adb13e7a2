"""Options of a search: what stops it, what it tries, what it says, what it refuses."""

import csv
import itertools
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js
from jaxsched import search
from jaxsched.search import Objective, Status, StoreError, testing
from jaxsched.search.objective import direction


STEPS = 20
PEAKS = search.logspace(0.01, 1.0, 8)
GRID = js.linear(PEAKS, 0.0, steps=STEPS)
SPREAD = search.space(x=search.uniform(-1.0, 1.0), y=search.uniform(-1.0, 1.0))


def quadratic(schedule, key):
    start = jax.random.uniform(key, minval=1.0, maxval=2.0)
    step = lambda t, x: x - schedule(t) * x  # noqa: E731
    return {"loss": jax.lax.fori_loop(0, STEPS, step, start) ** 2, "rate": schedule(0)}


TASK = search.Task(
    init=lambda schedule, key: jax.random.uniform(key, minval=1.0, maxval=2.0),
    step=lambda schedule, x, t: (x - schedule(t) * x, {"loss": x**2}),
    evaluate=lambda schedule, x: {"loss": x**2, "reward": -(x**2), "array": x[None]},
    steps=STEPS,
)


def bowl(config, key):
    return {"loss": config.x**2 + config.y**2 + 0.01 * jax.random.normal(key)}


def run(task=quadratic, space=GRID, **options):
    return search.run(task, space, **{"metric": "loss", "key": 0, "width": 2} | options)


# The direction of a metric.


@pytest.mark.parametrize(
    ("metric", "mode"),
    [
        *[(name, "min") for name in ("loss", "val_loss", "error", "perplexity", "NLL")],
        *[
            (name, "max")
            for name in ("accuracy", "evalAccuracy", "reward", "top1", "F1")
        ],
        *[("validation", "min"), ("validation_accuracy", "max"), ("valLoss", "min")],
        *[("neg_mean_squared_error", "max"), ("negative_log_likelihood", "min")],
        *[("test/return", "max"), ("bits per byte (bpb)", "min")],
    ],
)
def test_the_name_of_a_metric_tells_its_direction(metric, mode):
    assert direction(metric) == mode


@pytest.mark.parametrize("metric", ["score_loss", "thing", "", "lossy", "accuracies2"])
def test_a_name_that_does_not_tell_asks(metric):
    with pytest.raises(ValueError, match='say mode="min" or mode="max"'):
        Objective(metric)
    assert Objective(metric, "max").cost(2.0) == -2.0


def test_accuracy_ranks_the_best_first_and_prunes_the_worst():
    task = search.Task(
        init=lambda s, k: 0.0 * jax.random.uniform(k),
        step=lambda s, x, t: (x + s(t), {}),
        evaluate=lambda s, x: {"accuracy": x},
        steps=STEPS,
    )
    pruner = search.halving(4, min_steps=5)
    results = run(task, metric="accuracy", seeds=1, segment=5, pruner=pruner)
    assert results.best().params["start"] == 1.0
    complete = [t for t in results.trials if t.status is Status.COMPLETE]
    assert sorted(t.params["start"] for t in complete) == list(PEAKS.values[-2:])


# What stops a search.


def test_a_time_limit_stops_and_the_rest_goes_on_later(tmp_path):
    slow = search.stream(lambda t: (time.sleep(0.02), np.zeros(1, np.float32))[1])
    task = search.Task(
        TASK.init,
        lambda s, x, t, batch: (x - s(t) * x + batch.sum(), {}),
        TASK.evaluate,
        STEPS,
        data=slow,
    )
    options = {"seeds": 1, "segment": 5, "out": tmp_path, "width": 1}
    some = run(task, timeout=0.3, **options)
    assert "unfinished" in some.counts()
    assert run(task, **options).counts() == {"complete": 8}


@pytest.mark.parametrize("seeds", [1, 2])
def test_patience_counts_candidates_without_a_better_one(seeds):
    rates = js.constant(search.choice([0.5, 0.9, *np.linspace(0.01, 0.4, 30).tolist()]))
    options = {"seeds": seeds, "width": 1, "devices": jax.devices()[:1]}
    results = run(space=rates, patience=4, **options)
    # The second one is the best.
    assert results.counts() == {"complete": 6, "unfinished": 26}


@pytest.mark.parametrize(("mode", "target"), [("min", 0.5), ("max", 1.0)])
def test_a_target_stops(mode, target):
    rates = js.constant(search.linspace(0.01, 0.9, 20))
    options = {"metric": "rate", "mode": mode, "width": 1, "devices": jax.devices()[:1]}
    space = rates if mode == "max" else js.constant(search.linspace(0.9, 0.01, 20))
    results = run(space=space, seeds=1, target=min(target, 0.6), **options)
    best = float(results.ranking["mean"][0])
    assert best <= 0.5 if mode == "min" else best >= 0.6
    assert 5 < results.counts()["complete"] < 18


def test_callbacks_see_the_trials_of_a_segment(tmp_path):
    path = tmp_path / "log.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)

        def log(progress):
            for trial in progress.trials:
                [(step, values)] = trial.history.items()
                row = (trial.number, trial.seed, trial.params["start"], step)
                writer.writerow([*row, values["step.loss"], trial.status])

        results = run(TASK, seeds=2, segment=5, callbacks=[log])
    rows = list(csv.reader(path.read_text().splitlines()))
    assert len(rows) == 16 * STEPS // 5
    logged = {(int(n), int(s)): float(x) for n, _, _, s, x, _ in rows}
    for trial in results.trials:
        for step, values in trial.history.items():
            assert logged[trial.number, step] == values["step.loss"]


def test_a_callback_may_stop_the_search():
    seen = []

    def stop(progress):
        seen.append(progress.done)
        if progress.done >= 4:
            raise search.Stop

    results = run(TASK, seeds=1, callbacks=[stop])
    assert 4 <= results.counts()["complete"] < 8
    assert len(seen) < 8


def test_a_callback_that_raises_loses_nothing(tmp_path):
    def fail(progress):
        if progress.done >= 4:
            raise OSError("The disk of the logger is full.")

    with pytest.raises(OSError, match="the logger is full"):
        run(TASK, seeds=1, out=tmp_path, callbacks=[fail])
    kept = search.load(tmp_path)
    assert {t.status for t in kept.trials} == {Status.COMPLETE, Status.WAITING}
    finished = {t.id: t.seconds for t in kept.trials if t.is_finished}
    again = run(TASK, seeds=1, out=tmp_path)
    assert again.counts() == {"complete": 8}
    assert finished.items() <= {t.id: t.seconds for t in again.trials}.items()


def test_tensorboard_is_logged_to(tmp_path):
    tensorboard = pytest.importorskip("tensorboardX")
    with tensorboard.SummaryWriter(str(tmp_path)) as writer:

        def log(progress):
            for trial in progress.trials:
                for step, values in trial.history.items():
                    for name, value in values.items():
                        writer.add_scalar(f"{trial.number}/{name}", value, step)

        run(TASK, seeds=1, segment=5, callbacks=[log])
    [written] = tmp_path.glob("events*")
    assert written.stat().st_size > 8 * 4 * 40


def test_mlflow_is_logged_to(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    client = mlflow.tracking.MlflowClient(tracking_uri=(tmp_path / "runs").as_uri())
    experiment, runs = client.create_experiment("search"), {}

    def log(progress):
        for trial in progress.trials:
            if trial.id not in runs:
                runs[trial.id] = client.create_run(experiment).info.run_id
                for name, value in trial.params.items():
                    client.log_param(runs[trial.id], name, value)
            for step, values in trial.history.items():
                client.log_metric(
                    runs[trial.id], "loss", values["step.loss"], step=step
                )

    results = run(
        TASK,
        space=js.constant(search.choice([0.1, 0.5])),
        seeds=1,
        segment=5,
        callbacks=[log],
    )
    for trial in results.trials:
        logged = client.get_metric_history(runs[trial.id], "loss")
        assert {m.step: m.value for m in logged} == pytest.approx(
            {step: values["step.loss"] for step, values in trial.history.items()}
        )


# What is tried, and how often.


def test_known_good_candidates_come_first():
    known = [{"x": 0.0, "y": 0.0}, {"x": 0.5, "y": -0.5}]
    for sampler in ("random", "sobol", "tpe"):
        results = run(bowl, SPREAD, sampler=sampler, samples=6, first=known, seeds=1)
        assert [dict(t.params) for t in results.trials[:2]] == known
        assert len(results.candidates) == (6 if sampler == "tpe" else 8)
    with pytest.raises(ValueError, match="`y` is missing"):
        run(bowl, SPREAD, sampler="random", samples=2, first=[{"x": 0.0}])


def test_failed_trials_are_run_again_when_asked(tmp_path):
    space = {"good": js.constant(0.1), "bad": js.constant(0.2)}
    layout = search.engine.batching.Layout
    original = layout.row

    def unlucky(self, config):
        if float(config.level) > 0.15:
            raise ValueError("No luck.")
        return original(self, config)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(layout, "row", unlucky)
        before = run(space=space, seeds=1, out=tmp_path)
    assert before.counts() == {"complete": 1, "failed": 1}
    assert run(space=space, seeds=1, out=tmp_path).counts() == before.counts()
    again = run(space=space, seeds=1, out=tmp_path, retry=True)
    assert again.counts() == {"complete": 2}
    assert [t.attempt for t in again.trials] == [1, 2]


def test_a_grid_narrowed_and_widened_again_destroys_nothing(tmp_path):
    def stop(progress):
        if progress.done >= 2:
            raise search.Stop

    options = {"seeds": 1, "out": tmp_path}
    run(**options, callbacks=[stop])
    narrow = js.linear(search.choice(list(PEAKS.values[4:7])), 0.0, steps=STEPS)
    assert run(space=narrow, **options).counts() == {"complete": 3}
    # What is no longer wanted waits, and is there to read without the space.
    kept = search.load(tmp_path)
    assert kept.counts()["unfinished"] > 0
    assert "failed" not in kept.counts()
    wide = run(**options)
    assert wide.counts() == {"complete": 8}
    chex.assert_trees_all_equal(wide.table["loss"], run(seeds=1).table["loss"])


def test_halving_of_a_narrowed_grid_does_not_wait_for_the_rest(tmp_path):
    def stop(progress):
        raise search.Stop

    pruner = search.halving(2, min_steps=5)
    options = {"seeds": 1, "out": tmp_path, "pruner": pruner, "segment": 5}
    run(TASK, **options, callbacks=[stop])
    narrow = js.linear(search.choice(list(PEAKS.values[:4])), 0.0, steps=STEPS)
    assert run(TASK, narrow, **options).counts() == {"complete": 1, "pruned": 3}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (js.linear(0.1, 0.0, STEPS), js.cosine(0.1, 0.0, STEPS)),
        (js.custom(lambda t: 0.1 + 0 * t), js.custom(lambda t: 0.3 + 0 * t)),
        (
            js.until(js.custom(lambda t: 0.1 / (1 + t)), 9),
            js.until(js.custom(lambda t: 0.1 / (1 + t**2)), 9),
        ),
        (js.linear(0.1, 0.0, STEPS), js.ramp(0.1, 0.0, STEPS, js.curves.Square())),
    ],
    ids=["family", "function", "within", "curve"],
)
def test_another_schedule_by_the_same_name_is_trained(one, other, tmp_path):
    def train(schedule, key):
        return {"loss": schedule(6)}

    # Of another family, so that both are tables, and their program is the same.
    beside = js.exponential(0.1, 0.01, STEPS)
    found = [
        run(train, {"mine": lr, "beside": beside}, steps=STEPS, seeds=1, out=tmp_path)
        for lr in (one, other, one)
    ]
    for results, lr in zip(found, (one, other, one), strict=True):
        [trial, _] = results.trials
        assert trial.metrics["loss"] == lr(6)
    assert [t.attempt for t in found[2].trials] == [1, 1]


def test_two_searches_in_one_file_keep_to_themselves(tmp_path):
    store = f"sqlite:///{tmp_path}/both.db"
    first = run(seeds=1, store=store, name="first")
    second = run(space=js.constant(PEAKS), seeds=1, store=store, name="second")
    for name, results in (("first", first), ("second", second)):
        found = search.load(store=store, name=name)
        chex.assert_trees_all_equal(found.table["loss"], results.table["loss"])
    assert first.table["loss"].tolist() != second.table["loss"].tolist()
    with pytest.raises(FileNotFoundError, match="has 'first', 'second'"):
        search.load(store=store, name="third")


@pytest.mark.parametrize("sampler", ["tpe", "random", "sobol"])
def test_a_point_is_never_trained_twice(sampler, tmp_path):
    options = {"sampler": sampler, "seeds": 1, "out": tmp_path}
    for samples in (4, 16):
        results = run(bowl, SPREAD, samples=samples, **options)
        assert len({t.candidate for t in results.trials}) == samples
        assert len(results.trials) == samples


def test_a_sampler_object_of_optuna_goes_on_after_a_resume(tmp_path):
    optuna = pytest.importorskip("optuna")
    # Its random numbers begin again, and there are more of them than it may repeat.
    for samples in (70, 140):
        made = optuna.samplers.RandomSampler(seed=0)
        options = {"sampler": made, "samples": samples, "width": 35}
        results = run(bowl, SPREAD, **options, seeds=1, out=tmp_path)
        assert len({t.candidate for t in results.trials}) == samples


def test_a_finite_space_is_never_exceeded():
    space = search.space(x=search.choice([0.1, 0.2, 0.3]), y=search.choice([0.0]))
    for sampler in ("random", "sobol", "tpe"):
        with pytest.warns(UserWarning, match="samples=42, but only 3 different cand"):
            results = run(bowl, space, sampler=sampler, samples=42)
        assert results.ranking["seeds"].tolist() == [3, 3, 3]
        assert len(results.trials) == 9


def test_a_sampler_that_repeats_itself_is_told():
    def twice(space, samples):
        return [c for c in search.samplers.random(space, samples) for _ in range(2)]

    assert len(run(bowl, SPREAD, sampler=twice, samples=4, seeds=1).trials) == 4
    with pytest.warns(UserWarning, match="samples=4, but only 2 different candidates"):
        run(
            bowl,
            SPREAD,
            sampler=lambda space, samples: twice(space, samples // 2),
            samples=4,
            seeds=1,
        )


def test_samplers_follow_the_key():
    def points(key, sampler):
        results = run(bowl, SPREAD, key=key, sampler=sampler, samples=6, seeds=1)
        return [tuple(t.params.values()) for t in results.trials]

    for sampler in ("random", "sobol", "tpe"):
        assert points(0, sampler) == points(0, sampler)
        assert not set(points(0, sampler)) & set(points(1, sampler))


def work(out, number, told):
    jax.config.update("jax_num_cpu_devices", 1)
    results = run(bowl, SPREAD, sampler="tpe", samples=24, seeds=2, out=out)
    told.put((number, len(results.trials)))


def test_six_workers_with_tpe_make_exactly_as_many(tmp_path):
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    told = processes.Queue()
    workers = [
        processes.Process(target=work, args=(tmp_path, number, told))
        for number in range(6)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(180)
        assert worker.exitcode == 0
    results = search.load(tmp_path)
    assert len(results.trials) == 48
    assert len({t.candidate for t in results.trials}) == 24
    assert {t.attempt for t in results.trials} == {1}
    assert results.counts() == {"complete": 24}


# Evaluations on the way.


def test_the_best_of_several_evaluations_counts(tmp_path):
    wave = search.Task(
        init=lambda s, k: jnp.zeros(()),
        step=lambda s, x, t: (t.astype(float), {}),
        evaluate=lambda s, x: {"loss": s(0) * (x - 9) ** 2, "at": x[None]},
        steps=STEPS,
    )
    options = {
        "space": js.constant(search.choice([1.0, 2.0])),
        "seeds": 1,
        "segment": 5,
    }
    last = run(wave, **options)
    best = run(wave, **options, evaluate_every=5, at="best", out=tmp_path)
    assert last.table["loss"].tolist() == [100.0, 200.0]
    assert best.table["loss"].tolist() == [0.0, 0.0]
    assert best.metrics["at"].ravel().tolist() == [9.0, 9.0]
    for results in (best, search.load(tmp_path)):
        found = [values["loss"] for values in results.trials[0].history.values()]
        assert found == [25.0, 0.0, 25.0, 100.0]
    with pytest.raises(ValueError, match="must be a multiple of segment=4, got 5"):
        run(wave, **options | {"segment": 4}, evaluate_every=5)
    with pytest.raises(ValueError, match="`evaluate_every` looks at trainings in the"):
        run(evaluate_every=5)


def test_the_best_evaluation_survives_an_interrupt(tmp_path):
    wave = search.Task(
        init=lambda s, k: jnp.zeros(()),
        step=lambda s, x, t: (t.astype(float), {}),
        evaluate=lambda s, x: {"loss": s(0) * (x - 9) ** 2, "at": x[None]},
        steps=STEPS,
    )

    def stop(progress):
        if progress.trials[0].steps == 15:
            raise search.Stop

    options = {"space": js.constant(search.choice([1.0])), "seeds": 1, "segment": 5}
    options |= {"evaluate_every": 10, "at": "best", "out": tmp_path}
    run(wave, **options, callbacks=[stop])
    results = run(wave, **options)
    assert results.trials[0].attempt == 2
    assert results.metrics["at"].ravel().tolist() == [9.0]


def test_what_step_and_evaluate_both_name_is_two_curves():
    task = search.Task(
        init=lambda s, k: jnp.zeros(()),
        step=lambda s, x, t: (x + s(t), {"loss": t.astype(float)}),
        evaluate=lambda s, x: {"loss": x},
        steps=STEPS,
    )
    rates = js.constant(search.choice([1.0, 2.0]))
    results = run(task, rates, seeds=1, segment=5, evaluate_every=10)
    assert results.curve_steps.tolist() == [5, 10, 15, 20]
    means = [2.0, 7.0, 12.0, 17.0]
    np.testing.assert_array_equal(results.curves["step.loss"], [means, means])
    expected = [[np.nan, 10.0, np.nan, 20.0], [np.nan, 20.0, np.nan, 40.0]]
    np.testing.assert_array_equal(results.curves["loss"], expected)
    # A picture shows the one that has a point for every segment.
    axes = results.plot().axes[0]
    assert {tuple(line.get_ydata()) for line in axes.lines} == {tuple(means)}


# Several metrics.


def test_results_are_ranked_by_any_metric():
    results = run(TASK, seeds=2)
    other = results.rank_by("reward")
    assert other.mode == "max"
    assert [c.params for c in other.candidates] == [
        c.params for c in results.candidates
    ]
    worst = results.rank_by("reward", "min")
    assert worst.candidates[0].params == results.candidates[-1].params
    with pytest.raises(ValueError, match="no metric 'rewards'"):
        results.rank_by("rewards", "max")


def test_the_pareto_front_has_what_nothing_beats():
    def trade(config, key):
        return {"loss": config.x**2, "cost": (config.x - 1) ** 2, "unit": config.y * 0}

    space = search.space(x=search.linspace(-0.5, 1.5, 9), y=search.choice([0.0]))
    results = run(trade, space, seeds=2)
    front = results.pareto(["loss", "cost"])
    np.testing.assert_allclose(front["x"], [0.0, 0.25, 0.5, 0.75, 1.0], atol=1e-7)
    assert front["loss"].tolist() == sorted(front["loss"].tolist())
    assert len(results.pareto({"loss": "min", "cost": "max"})["x"]) == 3
    with pytest.raises(ValueError, match="The name does not tell"):
        results.pareto(["loss", "unit"])


# What it says.


def test_the_winner_at_an_edge_is_reported():
    results = run(space=js.constant(search.linspace(0.1, 0.5, 5)))
    assert results.edges() == {"level": "high"}
    assert "level = 0.5 is the highest that was tried" in results.report()
    inside = run(space=js.constant(search.linspace(0.5, 1.5, 5)))
    assert inside.edges() == {}
    assert "est that was tried" not in inside.report()


def test_ranges_and_integers_have_edges_too():
    def valley(config, key):
        return {"loss": config.x}

    space = search.space(x=search.loguniform(1e-3, 1.0), n=search.integers(1, 9))
    first = [{"x": 1.05e-3, "n": 5}]
    results = run(valley, space, sampler="random", samples=4, first=first, seeds=1)
    assert results.edges() == {"x": "low"}
    inside = run(
        valley,
        space,
        sampler=lambda *_: [],
        first=[{"x": 0.002, "n": 9}, {"x": 0.9, "n": 5}],
        seeds=1,
    )
    assert [inside.edges(row) for row in (0, 1)] == [{"n": "high"}, {"x": "high"}]
    assert search.uniform(0.0, 1.0).edge(0.9) == ""


def test_among_ties_the_simplest_is_recommended():
    def luck(config, key):
        own = jax.random.fold_in(key, (1000 * config(5)).astype(int))
        return {"loss": jax.random.normal(own)}

    space = search.one_of(
        js.warmup_cosine(search.choice([0.1]), warmup_steps=3, total_steps=STEPS),
        js.constant(search.choice([0.5])),
        js.wsd(search.choice([0.2]), warmup_steps=3, decay_steps=3, total_steps=STEPS),
    )
    results = run(luck, space, steps=STEPS, seeds=4, key=1)
    assert results.ranking["tied"].all()
    row = results.recommended()
    assert results.candidates[row].family == "constant"
    assert results.report().endswith("Train with: constant(0.5)")
    assert f"at rank {row + 1}." in results.report().replace("\n", " ")


def test_of_one_seed_the_best_is_recommended():
    space = {"long": js.linear(0.9, 0.5, STEPS), "short": js.constant(0.1)}
    results = run(space=space, steps=STEPS, seeds=1)
    assert results.ranking["tied"].all()
    assert results.recommended() == 0
    assert results.candidates[0].family == "long"


def test_results_print_in_a_few_lines_and_as_html():
    results = run(seeds=2)
    assert len(repr(results).splitlines()) == 8
    assert len(repr(results)) < 1500
    html = results._repr_html_()
    assert html.count("<tr>") == 9
    assert "linear" in html
    assert results.plot().axes


def test_loading_needs_no_space(tmp_path):
    class Mine(js.Schedule):
        def at(self, t, left, duration):
            return 0.1 + 0 * t

    made = {"own": js.custom(lambda t: 0.1 + 0 * t), "ours": js.constant(0.2)}
    space = search.one_of(**{**made, "choice": js.constant(search.choice([0.3, 0.4]))})
    there = run(space=space, steps=STEPS, out=tmp_path)
    found = search.load(tmp_path)
    for name in ("ranking", "table"):
        for one, other in zip(
            getattr(found, name).values(), getattr(there, name).values(), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    by_family = {c.family: c for c in found.candidates}
    assert by_family["ours"].schedule(3) == np.float32(0.2)
    with pytest.raises(ValueError, match="holds objects of your own"):
        _ = by_family["own"].config
    whole = {c.family: c for c in search.load(tmp_path, space).candidates}
    assert whole["own"].schedule(3) == np.float32(0.1)


# Interrupts.


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_is_minded_after_the_segment(sent, tmp_path):
    def interrupt(progress):
        if progress.done >= 2:
            signal.raise_signal(getattr(signal, sent))

    before = signal.getsignal(getattr(signal, sent))
    with pytest.raises(search.Interrupted) as stopped:
        run(TASK, seeds=1, out=tmp_path, callbacks=[interrupt])
    assert 2 <= stopped.value.results.counts()["complete"] < 8
    assert signal.getsignal(getattr(signal, sent)) is before
    assert run(TASK, seeds=1, out=tmp_path).counts() == {"complete": 8}


def test_an_interrupt_while_it_compiles_trains_nothing(tmp_path):
    traced = []

    def init(schedule, key):
        if not traced:  # A second one would interrupt at once.
            signal.raise_signal(signal.SIGINT)
        traced.append(key)
        return TASK.init(schedule, key)

    task = search.Task(init, TASK.step, TASK.evaluate, STEPS)
    with pytest.raises(search.Interrupted) as stopped:
        run(task, out=tmp_path)
    assert stopped.value.results.counts() == {"unfinished": 8}


# Pruners.


@pytest.mark.parametrize(("count", "kept"), [(10, 3), (8, 2), (4, 1), (2, 1)])
def test_halving_keeps_whole_candidates(count, kept):
    rates = js.constant(search.linspace(0.05, 0.9, count))
    pruner = search.halving(3, min_steps=10)
    results = run(TASK, rates, seeds=2, segment=10, pruner=pruner)
    best = list(np.linspace(0.05, 0.9, count)[-kept:])
    complete = results.ranking["level"][results.ranking["status"] == "complete"]
    assert sorted(complete) == pytest.approx(best)


def test_a_plan_counts_rounds_and_segments(monkeypatch):
    monkeypatch.setattr(search.search, "timed", lambda *_: 2.0)
    made = search.Search(TASK, GRID, metric="loss", seeds=2, width=3, segment=6)
    # 16 trials in 6 lanes of 2 devices, of 20 steps in segments of 6.
    assert made.plan().seconds == 3 * 4 * 2.0


# Pruners of Optuna.


def pruners():
    optuna = pytest.importorskip("optuna")
    made = optuna.pruners
    return [
        made.MedianPruner(n_startup_trials=2),
        made.NopPruner(),
        made.PercentilePruner(25.0, n_startup_trials=2),
        made.SuccessiveHalvingPruner(),
        made.HyperbandPruner(max_resource=STEPS),
        made.ThresholdPruner(upper=100.0, lower=-100.0),
        made.PatientPruner(made.MedianPruner(n_startup_trials=2), patience=1),
        made.WilcoxonPruner(p_threshold=0.1),
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("metric", ["loss", "reward"])
def test_a_diverging_trial_harms_no_other_under_any_pruner(number, metric, tmp_path):
    pruner = search.OptunaPruner(pruners()[number])
    rates = js.constant(search.choice([3e38, 0.1, 0.2, 0.5, 0.9, 1e38]))
    options = {"space": rates, "metric": metric, "seeds": 1, "segment": 5}
    results = run(TASK, **options, pruner=pruner, out=tmp_path)
    statuses = dict(zip(results.table["level"], results.table["status"], strict=True))
    assert statuses[3e38] == statuses[1e38] == "diverged"
    assert statuses[0.9] == "complete"
    assert results.best().params["level"] == 0.9
    assert (
        run(TASK, **options, pruner=pruner, out=tmp_path).counts() == results.counts()
    )


@pytest.mark.filterwarnings("ignore")
def test_a_threshold_is_that_of_the_metric_in_both_modes():
    optuna = pytest.importorskip("optuna")
    for metric, limits in (("loss", {"upper": 0.1}), ("reward", {"lower": -0.1})):
        pruner = search.OptunaPruner(optuna.pruners.ThresholdPruner(**limits))
        rates = js.constant(search.choice([0.01, 0.5, 0.9]))
        options = {"metric": metric, "seeds": 1, "segment": 10, "space": rates}
        results = run(TASK, **options, pruner=pruner)
        assert results.counts() == {"complete": 2, "pruned": 1}
        # A pruner that was used before has forgotten that.
        assert run(TASK, **options, pruner=pruner).counts() == results.counts()


def test_the_settings_of_a_pruner_are_a_part_of_the_search(tmp_path):
    optuna = pytest.importorskip("optuna")
    for number in (3, 4):
        median = optuna.pruners.MedianPruner(n_startup_trials=number)
        options = {"seeds": 1, "out": tmp_path, "pruner": search.OptunaPruner(median)}
        if number == 3:
            run(TASK, **options, segment=5)
        else:
            with pytest.raises(ValueError, match=r"`pruner` is .*n_startup_trials=3"):
                run(TASK, **options, segment=5)


# What is refused, by name.


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sampler": "tep"}, ValueError, "did you mean 'tpe'.* random, sobol, tpe, cm"),
        ({"pruner": "halving"}, TypeError, r"`pruner` must be `search.halving\(min_st"),
        ({"segment": -5}, ValueError, "`segment` must be 1 or more, got -5"),
        ({"segment": 2.5}, TypeError, "`segment` must be an integer, got 2.5"),
        ({"width": 0}, ValueError, "`width` must be 1 or more, got 0"),
        ({"key": "zero"}, TypeError, "`key` must be a random key, such as"),
        ({"key": np.zeros(2)}, TypeError, "`key` must be a random key, such as"),
        ({"sede": 3}, TypeError, "unexpected argument 'sede'. Did you mean 'seeds'"),
        ({"key": True}, TypeError, "`key` must be a random key, such as"),
        (
            {"callbacks": [3]},
            TypeError,
            "A callback is a function of a Progress, got 3",
        ),
        ({"at": "first"}, ValueError, "no at 'first'.*last, best"),
        ({"sampler": "tpe"}, ValueError, "sampler='tpe' needs `samples`, 1 or more"),
    ],
)
def test_a_wrong_option_is_named(options, error, message):
    with pytest.raises(error, match=message):
        run(TASK, **options)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["GridSampler", "BruteForceSampler"])
def test_samplers_with_a_grid_of_their_own_are_refused(name):
    optuna = pytest.importorskip("optuna")
    grid = {"x": [0.0], "y": [0.0]}
    made = getattr(optuna.samplers, name)(*([grid] if name == "GridSampler" else []))
    with pytest.raises(ValueError, match=f"{name} walks a grid of its own"):
        run(bowl, SPREAD, sampler=made, samples=3)


@pytest.mark.parametrize(
    "key",
    [np.int64, np.uint32, jax.random.PRNGKey, jnp.asarray],
    ids=lambda make: make.__name__,
)
def test_any_key_of_any_kind_is_taken(key):
    one, other = run(key=key(7)), run(key=jax.random.key(7))
    chex.assert_trees_all_equal(one.table["loss"], other.table["loss"])


def test_counts_may_be_integers_of_numpy(tmp_path):
    counts = {"seeds": np.int64(1), "width": np.int32(2), "segment": np.int64(5)}
    for _ in range(2):
        assert run(TASK, **counts, out=tmp_path).counts() == {"complete": 8}


def test_choices_may_be_arrays_and_dictionaries():
    def train(config, key):
        return {"loss": config.weights.sum() + config.layer["scale"]}

    space = search.space(
        weights=search.choice([jnp.arange(3.0), jnp.ones(3)]),
        layer=search.choice([{"scale": 1.0}, {"scale": 2.0}]),
    )
    results = run(train, space, seeds=1)
    assert sorted(results.table["loss"].tolist()) == [4.0, 4.0, 5.0, 5.0]
    assert results.best().config.layer == {"scale": 1.0}


def test_no_home_folder_is_needed(monkeypatch, tmp_path):
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: 1 / 0)
    assert run(seeds=1, out=tmp_path).counts() == {"complete": 8}


def test_nothing_is_left_outside_of_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    optuna = pytest.importorskip("optuna")
    before = optuna.logging.get_verbosity()
    run(bowl, SPREAD, sampler="tpe", samples=3, out=tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert optuna.logging.get_verbosity() == before
    assert jax.config.jax_compilation_cache_dir is None


def test_an_older_file_is_refused(tmp_path):
    import sqlite3  # noqa: PLC0415

    run(seeds=1, out=tmp_path)
    database = sqlite3.connect(tmp_path / "search.db")
    database.execute("PRAGMA user_version = 1")
    database.close()
    with pytest.raises(StoreError, match="made by an older version of jaxsched"):
        search.load(tmp_path)


# Parts of one's own.


class Midpoint:
    """Asks for the middle of the widest gap between the values so far."""

    def ask(self, space, count, trials, objective, seed):
        del objective, seed
        known = sorted({t.params["x"] for t in trials})
        found = []
        for _ in range(count):
            ends = [-1.0, *known, 1.0]
            low, high = max(itertools.pairwise(ends), key=lambda ab: ab[1] - ab[0])
            known = sorted([*known, (low + high) / 2])
            found.append(space.redraw({"x": (low + high) / 2}))
        return found


def test_a_sampler_of_ones_own_is_asked():
    space = search.space(x=search.uniform(-1.0, 1.0))
    train = lambda config, key: {"loss": config.x**2}  # noqa: E731
    results = run(train, space, sampler=Midpoint(), samples=7, seeds=1)
    expected = [-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75]
    assert sorted(results.table["x"].tolist()) == expected
    testing.check_sampler(Midpoint(), space)
    testing.check_sampler(search.samplers.sobol, SPREAD)
    with pytest.raises(AssertionError, match="the same seed draws the same"):
        testing.check_sampler(
            lambda space, samples: search.samplers.random(
                space, samples, seed=time.monotonic_ns()
            ),
            space,
        )


class Counted(search.SQLiteStore):
    """A store that counts what is recorded."""

    recorded = 0

    def record(self, trials):
        self.recorded += len(trials)
        return super().record(trials)


class Careless(search.SQLiteStore):
    """A store that lets anybody write."""

    def record(self, trials):
        super().record(trials)
        return []


def test_a_store_of_ones_own_is_kept_to(tmp_path):
    store = Counted(tmp_path / "mine.db")
    assert run(seeds=2, store=store).counts() == {"complete": 8}
    assert store.recorded == 16
    testing.check_store(lambda: Counted(tmp_path / "checked.db"))
    with pytest.raises(AssertionError, match="only the owner writes"):
        testing.check_store(lambda: Careless(tmp_path / "careless.db"))


def test_the_store_on_a_server_keeps_the_contract(postgres):
    pytest.importorskip("optuna")
    from jaxsched.search.optuna.store import OptunaStore  # noqa: PLC0415

    url = postgres.create("contract")
    space = search.Space(js.linear(search.uniform(0.0, 1.0), 0.0, steps=10))
    testing.check_store(
        lambda: OptunaStore(
            url, "contract", dimensions=space.dimensions, objective=Objective("loss")
        )
    )


@pytest.mark.parametrize(
    "pruner", [search.halving(3, min_steps=7), search.asha(2, min_steps=10)]
)
def test_pruners_keep_their_contract(pruner):
    testing.check_pruner(pruner)


def test_threads_end_with_their_search():
    before = threading.active_count()
    run(TASK, seeds=1)
    assert threading.active_count() <= before


def test_a_log_file_gets_a_line_now_and_then(capsys):
    run(TASK, seeds=3, segment=1, progress=True)
    written = capsys.readouterr().err
    assert "24/24" in written
    # On a terminal it would be written again at each of 40 segments.
    assert written.count("trial/s") + written.count("s/trial") <= 4


def test_the_trials_of_an_earlier_run_are_no_part_of_the_speed(tmp_path, monkeypatch):
    import tqdm  # noqa: PLC0415

    def stop(progress):
        if progress.done >= 4:
            raise search.Stop

    started = []

    class Bar(tqdm.tqdm):
        def close(self):
            started.append(self.initial)
            super().close()

    run(TASK, seeds=1, out=tmp_path, callbacks=[stop])
    monkeypatch.setattr(tqdm, "tqdm", Bar)
    run(TASK, seeds=1, out=tmp_path, progress=True)
    assert set(started) == {4}


# Processes.

FRESH = """
import sys
import jax
import jaxsched as js
from jaxsched import search
from jaxsched.search.engine.devices import cores

train = lambda schedule, key: {"loss": schedule(0)}
space = js.constant(search.linspace(0.1, 1.0, 8))
results = search.run(train, space, metric="loss", seeds=1, width=1, out=sys.argv[1])
assert len({trial.device for trial in results.trials}) == cores(), results.table
"""


def test_a_search_in_a_fresh_process_uses_all_cores(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FRESH, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={k: v for k, v in os.environ.items() if k != "JAX_NUM_CPU_DEVICES"},
    )
    assert done.returncode == 0, done.stderr


EDITED = """
import sys
import jax
import jaxsched as js
from jaxsched import search

task = search.Task(
    init=lambda lr, key: jax.random.uniform(key),
    step=lambda lr, x, t: (x - lr(t) * x, {}),
    evaluate=lambda lr, x: {"loss": x},
    steps=200_000,
)
space = js.constant(search.choice(eval(sys.argv[2])))
options = {"metric": "loss", "seeds": 1, "width": 1, "segment": 20_000}
results = search.run(task, space, store=f"sqlite:///{sys.argv[1]}", **options)
assert results.counts() == {"complete": len(eval(sys.argv[2]))}, results
"""


def test_an_edited_file_among_workers_harms_nobody(tmp_path):
    levels = [0.001 * number for number in range(1, 13)]
    others = [*levels[6:9], 0.5, 0.6]
    command = [sys.executable, "-W", "error", "-c", EDITED, str(tmp_path / "s.db")]
    workers = [
        subprocess.Popen([*command, repr(given)], stderr=subprocess.PIPE, text=True)
        for given in (levels, levels, others)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=180)
        assert worker.returncode == 0, errors
    found = search.load(store=f"sqlite:///{tmp_path}/s.db")
    assert found.counts() == {"complete": 14}
    assert sorted(found.table["level"]) == sorted({*levels, *others})
    assert set(found.table["attempt"]) == {1}
