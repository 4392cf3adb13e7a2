"""Search: lanes that are independent, refilled, pruned, and the same to the bit."""

import functools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js
from jaxsched import search
from jaxsched.search import Status
from jaxsched.search.engine.program import Program
from jaxsched.search.engine.segment import Shared
from jaxsched.training.reducers import new_bob, plateau


STEPS = 40
KEY = jax.random.key(0)
PEAK = search.logspace(0.003, 0.3, 2)
GRID = search.families(peak=PEAK, warmup_steps=search.choice([0, 5]), steps=STEPS)
COSINE = js.warmup_cosine(
    search.logspace(0.003, 0.3, 7), warmup_steps=5, total_steps=STEPS
)


def init(schedule, key):
    """Logistic regression on random data: chaotic enough to show a stray bit."""
    del schedule
    drawn = jax.random.normal(key, (3 * 32 + 8, 8))
    inputs, noise, labels, weights = jnp.split(drawn, [32, 64, 96])
    data = inputs, noise, jnp.sign(labels[:, 0] + inputs[:, 0])
    return weights, jnp.zeros((8, 8)), data


def loss(weights, rows, labels):
    margins = jnp.tanh(rows @ weights).sum(axis=1) * labels
    return jnp.mean(jax.nn.softplus(-margins)) + 1e-6 * jnp.sum(weights**2)


def step(schedule, state, t):
    weights, velocity, (inputs, noise, labels) = state
    value, slope = jax.value_and_grad(loss)(weights, inputs, labels)
    velocity = 0.9 * velocity + slope
    moved = weights - schedule(t) * velocity
    return (moved, velocity, (inputs, noise, labels)), {"loss": value}


def evaluate(schedule, state):
    del schedule
    weights, _, (inputs, noise, labels) = state
    return {"validation": loss(weights, inputs + 0.1 * noise, labels)}


def train(schedule, key):
    state, watched = jax.lax.scan(
        functools.partial(step, schedule), init(schedule, key), jnp.arange(STEPS)
    )
    return evaluate(schedule, state) | watched


TASK = search.Task(init, step, evaluate, STEPS)


def run(task=TASK, space=COSINE, **options):
    return search.run(task, space, **{"key": KEY, "width": 4} | options)


def outcomes(results):
    """What has to be the same to the bit, by candidate and seed."""
    return {
        (tuple(trial.params.items()), trial.seed): (
            trial.status,
            trial.steps,
            {name: np.asarray(x) for name, x in trial.metrics.items()},
            trial.history,
        )
        for trial in results.trials
    }


@functools.cache
def full(task=TASK, space=COSINE):
    return run(task, space, steps=STEPS)


def counted():
    # Once for the program, and once to see whether it is the same again.
    @chex.assert_max_traces(n=2)
    def train_counted(schedule, key):
        return train(schedule, key)

    return train_counted


def assert_same(one, other):
    chex.assert_trees_all_equal(outcomes(one), outcomes(other))


# One program.


@pytest.mark.parametrize("kind", ["whole", "steps"])
def test_a_lane_does_what_one_would_write_by_hand(kind):
    task = train if kind == "whole" else TASK
    trial = full(task, GRID).trials[13]
    schedule = full(task, GRID).space.redraw(trial.params).config
    by_hand = jax.jit(train)(schedule, jax.random.fold_in(KEY, trial.seed))
    np.testing.assert_allclose(
        trial.metrics["validation"], by_hand["validation"], rtol=1e-4
    )
    if kind == "whole":
        np.testing.assert_allclose(trial.metrics["loss"], by_hand["loss"], rtol=1e-4)
    else:
        [(steps, values)] = trial.history.items()
        assert steps == STEPS
        np.testing.assert_allclose(values["loss"], by_hand["loss"].mean(), rtol=1e-4)


def test_all_families_share_one_trace():
    traced = counted()
    results = search.run(traced, GRID, key=KEY, steps=STEPS)
    assert len({trial.params["family"] for trial in results.trials}) == 8
    # Other numbers and another mix trace only what says of which shape metrics are.
    chex.clear_trace_counter()
    again = counted()
    peak = search.choice([0.01, 0.02])
    for names in (["linear", "wsd"], ["cosine", "cyclic", "linear"]):
        space = search.families(names, peak=peak, warmup_steps=3, steps=STEPS)
        search.run(again, space, key=KEY, width=4, steps=STEPS)


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("space", [COSINE, GRID], ids=["leaves", "table"])
def test_results_do_not_depend_on_devices(devices, space):
    assert len(jax.devices()) == 2
    assert_same(full(TASK, space), run(space=space, devices=jax.devices()[:devices]))


def test_results_do_not_depend_on_order_or_company():
    space = full(TASK, GRID).space
    everything = outcomes(full(TASK, GRID))
    chosen = [full(TASK, GRID).trials[place * 3] for place in (5, 2, 17, 30, 11)]
    configs = [space.redraw(trial.params).config for trial in chosen]
    few = run(space=configs)
    for trial, config in zip(chosen, range(5), strict=True):
        for seed in range(3):
            ours = outcomes(few)[(("family", f"schedule {config}"),), seed]
            theirs = everything[tuple(trial.params.items()), seed]
            chex.assert_trees_all_equal(ours, theirs)


@pytest.mark.parametrize("task", [train, TASK], ids=["whole", "steps"])
def test_a_lane_that_diverges_leaves_the_others_alone(task):
    hot = {"hot": js.constant(1e38)}
    others = {f"{rate}": js.constant(rate) for rate in (0.01, 0.02, 0.05, 0.1, 0.3)}
    with_hot, without = run(task, hot | others), run(task, others)
    beside = {
        key: value
        for key, value in outcomes(with_hot).items()
        if "hot" not in key[0][0]
    }
    chex.assert_trees_all_equal(beside, outcomes(without))
    diverged = [t for t in with_hot.trials if t.status is Status.DIVERGED]
    assert [t.params["family"] for t in diverged] == ["hot"] * 3


def test_what_diverges_is_not_trained_any_further():
    hot = {"hot": js.constant(1e38), "cold": js.constant(0.01)}
    results = run(space=hot, segment=5)
    assert [t.steps for t in results.trials] == [5] * 3 + [STEPS] * 3


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("task", [train, TASK], ids=["whole", "steps"])
def test_a_grid_of_n_has_n_rows_whatever_the_width(task, width):
    results = run(task, seeds=1, width=width)
    assert [t.number for t in results.trials] == list(range(7))
    assert {t.status for t in results.trials} == {Status.COMPLETE}


@pytest.mark.parametrize("segment", [1, 7, 20, 64])
def test_segments_need_not_divide_the_steps(segment):
    results = run(seeds=1, segment=segment)
    ends = [*range(segment, STEPS, segment), STEPS]
    for trial, whole in zip(results.trials, full().trials[::3], strict=True):
        assert list(trial.history) == ends
        np.testing.assert_allclose(
            trial.metrics["validation"], whole.metrics["validation"], rtol=1e-4
        )
        weights = np.diff([0, *ends])
        losses = [values["loss"] for values in trial.history.values()]
        whole_loss = whole.history[STEPS]["loss"]
        np.testing.assert_allclose(
            np.average(losses, weights=weights), whole_loss, rtol=1e-4
        )


def test_the_state_is_not_kept_twice():
    made = search.Search(TASK, COSINE, key=KEY, width=4)
    program = Program(made.segment, Shared(KEY, (), [], []), 4, made.devices)
    assert "input_output_alias" in program._run.as_text()


def test_lanes_of_one_seed_have_one_key_and_draw_once():
    def drawn(seeds):
        segment = search.Search(train, COSINE, key=KEY, seeds=seeds).segment
        shared = Shared(KEY, ((), (), ()), [], [])
        rows = [
            np.zeros((4, *leaf.shape), leaf.dtype) for leaf in segment.layout.leaves
        ]
        begun = jax.make_jaxpr(segment.begin)(rows, np.zeros(4, np.int32), shared)
        return re.findall(r":(\S*) = random_bits", str(begun))

    assert drawn(seeds=1) == ["u32[104,8]"]
    assert drawn(seeds=2) == ["u32[4,104,8]"]


@pytest.mark.parametrize("task", [train, TASK], ids=["whole", "steps"])
def test_the_one_seed_is_that_of_the_space(task):
    peak = search.choice([0.01, 0.03, 0.1])
    lr = js.warmup_cosine(peak, warmup_steps=5, total_steps=STEPS)
    space = search.space(lr=lr, seed=search.choice([5]))
    results = run(_of_lr(task), space, width=2)
    for trial in results.trials:
        schedule = results.space.redraw(trial.params, 5).config.lr
        by_hand = jax.jit(train)(schedule, jax.random.fold_in(KEY, 5))
        found = trial.metrics["validation"]
        np.testing.assert_allclose(found, by_hand["validation"], rtol=1e-4)


def _of_lr(task):
    """The same task, of a config that has the schedule as an attribute."""
    if task is train:
        return lambda config, key: train(config.lr, key)
    return search.Task(
        init=lambda config, key: init(config.lr, key),
        step=lambda config, state, t: step(config.lr, state, t),
        evaluate=lambda config, state: evaluate(config.lr, state),
        steps=STEPS,
    )


# Configs.


def test_a_config_is_what_was_asked_for():
    def train(config, key):
        del key
        assert isinstance(config.lr, js.Schedule)
        assert jnp.issubdtype(config.count.dtype, jnp.integer)
        assert config.decay.dtype == jnp.result_type(float)
        score = config.lr(3) * config.count.astype(float) + config.decay
        return {"validation": score, "seed": config.seed}

    space = search.space(
        lr=js.linear(search.choice([1.0, 2.0]), 0.0, 6),
        count=search.choice([1, 10]),
        decay=search.choice([0, 0.5]),
        seed=search.choice([7, 9]),
    )
    results = search.run(train, space, key=KEY)
    assert len(results.trials) == 16
    for trial in results.trials:
        labels = trial.params
        expected = labels["start"] / 2 * labels["count"] + labels["decay"]
        assert trial.metrics["validation"] == expected
        assert trial.metrics["seed"] == trial.seed
    assert results.best().params == {"start": 1.0, "count": 1, "decay": 0.0}


def test_optimizers_of_optax_take_the_schedule():
    def train(config, key):
        optimizer = optax.chain(
            optax.clip_by_global_norm(1.0),
            optax.adamw(config.lr, weight_decay=config.weight_decay),
        )
        params = jax.random.normal(key, (3,))

        def step(state, _):
            params, memory = state
            with jax.numpy_dtype_promotion("standard"):
                updates, memory = optimizer.update(params, memory, params)
            return (optax.apply_updates(params, updates), memory), None

        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), None, 30)
        return {"validation": jnp.sum(params**2)}

    lr = search.one_of(js.constant(0.001), js.cosine(PEAK, 0.0, 30))
    space = search.space(lr=lr, weight_decay=search.loguniform(1e-5, 1e-1))
    results = search.run(train, space, key=KEY, sampler="random", samples=16)
    assert results.best().params["lr"] == "cosine"


def test_tables_are_right_for_optimizers_that_count_slower():
    def init(schedule, key):
        optimizer = optax.MultiSteps(optax.sgd(schedule), 4)
        return jnp.ones(()), optimizer.init(jnp.ones(()))

    def step(schedule, state, t):
        params, memory = state
        optimizer = optax.MultiSteps(optax.sgd(schedule), 4)
        with jax.numpy_dtype_promotion("standard"):
            updates, memory = optimizer.update(jnp.ones(()), memory, params)
        return (optax.apply_updates(params, updates), memory), {}

    task = search.Task(init, step, lambda _, state: {"validation": state[0]}, 24)
    schedules = [js.linear(1.0, 0.0, 6), js.cosine(1.0, 0.0, 6)]
    results = run(task, schedules, seeds=1, segment=6)
    for trial, schedule in zip(results.trials, schedules, strict=True):
        expected = 1 - np.asarray(schedule(np.arange(6))).sum()
        np.testing.assert_allclose(trial.metrics["validation"], expected, rtol=1e-5)


def test_what_follows_a_metric_is_switched():
    losses = jnp.asarray([5.0, 4.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0, 2.99, 2.99])

    def init(config, key):
        return config.reducer.init()

    def step(config, state, t):
        state = config.reducer.update(state, losses[t])
        return state, {"scale": state.scale}

    options = {
        "patient": plateau(0.5, patience=3),
        "eager": plateau(0.1, patience=0),
        "bob": new_bob(0.3),
    }
    task = search.Task(init, step, lambda c, s: {"validation": s.scale}, 10)
    results = run(
        task, search.space(reducer=search.one_of(**options)), segment=1, seeds=1
    )
    for trial, reducer in zip(results.trials, options.values(), strict=True):
        state, scales = reducer.init(), []
        for value in losses:
            state = reducer.update(state, value)
            scales.append(float(state.scale))
        np.testing.assert_array_equal(
            [v["scale"] for v in trial.history.values()], scales
        )
    assert (
        len({tuple(v["scale"] for v in t.history.values()) for t in results.trials})
        == 3
    )


@pytest.mark.parametrize(
    ("space", "error", "message"),
    [
        (search.space(lr=COSINE, name="adam"), TypeError, "`config.name` is 'adam'"),
        (
            [js.constant(1.0), search.space(lr=js.constant(1.0))],
            ValueError,
            "built in different ways",
        ),
        ([], ValueError, "nothing to choose from"),
        (
            search.space(lr=search.one_of(js.constant(1.0), plateau=plateau())),
            ValueError,
            "One value cannot be all of Constant, Plateau",
        ),
    ],
)
def test_what_no_lane_can_do_is_an_error(space, error, message):
    with pytest.raises(error, match=message):
        run(train, space)


def test_a_table_needs_an_end():
    forever = [js.constant(1.0), js.inverse_sqrt(1.0, timescale=3)]
    if np.isfinite(float(forever[1].duration)):
        pytest.fail("The example is none.")
    with pytest.raises(ValueError, match="with `steps=`, since there is no end to"):
        run(train, forever)
    assert len(run(train, forever, steps=STEPS, seeds=1).trials) == 2


def test_a_rate_that_is_not_finite_fails_its_trial_only():
    overflowing = js.custom(lambda t: jnp.where(t > 3, jnp.inf, 1.0))
    results = run(
        train, {"good": js.constant(0.1), "bad": overflowing}, steps=9, seeds=1
    )
    good, bad = results.trials
    assert good.status is Status.COMPLETE
    assert bad.status is Status.FAILED
    assert "At step 4," in bad.error


# Samplers.


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "gp"])
def test_optuna_says_what_to_try_next(sampler):
    pytest.importorskip("optuna")
    if sampler != "tpe":
        pytest.importorskip({"cmaes": "cmaes", "gp": "torch"}[sampler])

    def train(config, key):
        return {"validation": (jnp.log10(config.rate) + 2) ** 2 + config.other**2}

    space = search.space(rate=search.loguniform(1e-4, 1.0), other=search.uniform(-1, 1))
    results = search.run(
        train, space, key=KEY, sampler=sampler, samples=48, seeds=1, width=2
    )
    values = [float(trial.metrics["validation"]) for trial in results.trials]
    assert len(values) == 48
    assert np.median(values[24:]) < 0.5 * np.median(values[:12])


def test_optuna_learns_from_the_mean_over_seeds():
    optuna = pytest.importorskip("optuna")

    def train(config, key):
        del key
        return {"validation": config.rate}

    space = search.space(rate=search.uniform(0, 1), seed=search.choice([3, 5]))
    sampler = optuna.samplers.RandomSampler(seed=0)
    results = search.run(train, space, key=KEY, sampler=sampler, samples=5, mode="max")
    assert [trial.seed for trial in results.trials] == [3, 5] * 5
    rates = [trial.params["rate"] for trial in results.trials]
    assert rates[::2] == rates[1::2]
    assert results.best().params["rate"] == max(rates)


# Pruning.


def test_halving_keeps_the_best_of_each_rung():
    pruned = run(space=GRID, pruner=search.halving(4, min_steps=10), segment=10)
    reached = {rung: [t for t in pruned.trials if t.steps >= rung] for rung in (10, 40)}
    assert len(reached[10]) == 32 * 3
    assert len(reached[40]) == 8 * 3
    means = {}
    for trial in reached[10]:
        value = trial.history[10]["validation"]
        means.setdefault(tuple(trial.params.items()), []).append(value)
    best = sorted(means, key=lambda labels: np.mean(means[labels]))[:8]
    assert {tuple(t.params.items()) for t in reached[40]} == set(best)


def test_halving_halves_at_every_rung():
    results = run(space=GRID, pruner=search.halving(2, min_steps=10), segment=10)
    steps = [trial.steps for trial in results.trials]
    assert {rung: steps.count(rung) // 3 for rung in steps} == {10: 16, 20: 8, 40: 8}


def test_who_survives_is_trained_as_if_nobody_was_pruned():
    unpruned = run(space=GRID, segment=10)
    for devices in (1, 2):
        pruned = run(
            space=GRID,
            pruner=search.halving(4, min_steps=10),
            segment=10,
            devices=jax.devices()[:devices],
        )
        expected = outcomes(unpruned)
        survivors = [t for t in pruned.trials if t.status is Status.COMPLETE]
        assert survivors
        for trial in survivors:
            key = tuple(trial.params.items()), trial.seed
            metrics = {name: np.asarray(x) for name, x in trial.metrics.items()}
            chex.assert_trees_all_equal(metrics, expected[key][2])


def test_asha_prunes_most_of_the_steps():
    results = run(
        space=js.constant(search.loguniform(1e-4, 1.0)),
        sampler="random",
        samples=64,
        seeds=1,
        pruner=search.asha(4, min_steps=5),
        segment=5,
    )
    steps = [trial.steps for trial in results.trials]
    assert set(steps) == {5, 20, STEPS}
    assert sum(steps) < 64 * STEPS / 3
    finished = [t for t in results.trials if t.status is Status.COMPLETE]
    assert all(t.status in (Status.COMPLETE, Status.PRUNED) for t in results.trials)
    values = [t.history[5]["validation"] for t in results.trials]
    median = np.median([t.history[5]["validation"] for t in finished])
    assert median < np.quantile(values, 0.25)


def test_asha_is_not_fooled_by_a_grid_that_gets_better_and_better():
    peaks = search.logspace(1e-4, 0.1, 64)
    pruner = search.asha(4, min_steps=5)
    results = run(space=js.constant(peaks), seeds=1, pruner=pruner, segment=5)
    rungs = [trial.steps for trial in results.trials]
    assert rungs.count(5) > 32
    assert rungs.count(STEPS) < 16


def test_a_pruner_of_optuna_prunes():
    optuna = pytest.importorskip("optuna")
    results = run(
        space=js.constant(search.logspace(1.0, 1e-4, 24)),
        seeds=1,
        pruner=search.OptunaPruner(optuna.pruners.MedianPruner(n_startup_trials=3)),
        segment=5,
    )
    statuses = [trial.status for trial in results.trials]
    assert statuses.count(Status.PRUNED) > 4
    assert statuses.count(Status.PRUNED) + statuses.count(Status.COMPLETE) == 24


@pytest.mark.parametrize(
    ("pruner", "message"),
    [
        (lambda: search.halving(1, min_steps=3), "`eta` must be a finite number > 1"),
        (lambda: search.asha(4, min_steps=0), "`min_steps` must be 1 or more, got 0"),
        (lambda: search.asha(4, min_steps=40), "no rung before step 40"),
    ],
)
def test_a_bad_pruner_is_an_error(pruner, message):
    with pytest.raises(ValueError, match=message):
        run(pruner=pruner())


def test_what_is_done_at_once_cannot_be_pruned():
    with pytest.raises(ValueError, match="does all of one at once"):
        run(train, pruner=search.halving(4, min_steps=10))


# Asking for it.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "accuracy"}, "no metric 'accuracy'. Known: loss, validation"),
        ({"metric": "loss"}, "'loss' is not a scalar"),
        ({"mode": "best"}, "no mode 'best'"),
        ({"seeds": 0}, "`seeds` must be 1 or more, got 0"),
        ({"sampler": "rnadom"}, "no sampler 'rnadom', did you mean 'random'"),
        ({"sampler": "random"}, "`samples`, 1 or more, got None"),
        ({"samples": 0}, "nothing to train: 0 candidates"),
    ],
)
def test_a_bad_request_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        run(train, **options)


def test_a_task_is_a_function_or_has_steps():
    with pytest.raises(TypeError, match="Expected a function"):
        run(3)
    with pytest.raises(ValueError, match="must be 0 or more, got -1"):
        search.Task(init, step, evaluate, -1)


def test_too_many_lanes_are_refused_and_it_is_said_how_many_fit():
    with pytest.raises(MemoryError, match=r"width=\d+ fits") as raised:
        run(width=10**11)
    fits = int(str(raised.value).rpartition("width=")[2].split()[0])
    assert 10**4 < fits < 10**11


def test_progress_counts_what_is_done():
    seen = []
    hot = {
        "hot": js.constant(1e38),
        "cold": js.constant(0.01),
        "warm": js.constant(0.1),
    }
    results = run(space=hot, progress=seen.append, segment=20)
    assert [p.total for p in seen] == [9] * len(seen)
    assert (seen[-1].done, seen[-1].diverged, seen[-1].pruned) == (9, 3, 0)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    values = [float(t.metrics["validation"]) for t in results.trials[3:]]
    assert seen[-1].best == min(values)


def test_a_plan_says_what_would_be_done():
    plan = search.plan(TASK, GRID, key=KEY, width=4, segment=10)
    assert (plan.trials, plan.candidates, plan.batched_as) == (96, 32, "table")
    assert (plan.width, plan.devices, plan.steps, plan.segment) == (4, 2, 40, 10)
    # Weights, velocities and data, and the same once more while a segment runs.
    assert 4 * (8 * 8 * 2 + 32 * 8 * 2 + 32) < plan.bytes_per_lane < 100_000
    assert "96 (32 candidates)" in str(plan)
    assert "8 lanes, 4 on each of 2 devices" in str(plan)
