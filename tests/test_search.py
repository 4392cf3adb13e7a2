"""Search: lanes that are independent, ranked honestly, in one program."""

import csv
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js
from jaxsched import search
from jaxsched.search.noise import least_difference
from jaxsched.search.tasks import TASKS


STEPS = 40
KEY = jax.random.key(0)
GRID = search.grid(peaks=[0.003, 0.3], warmups=[0, 5], steps=STEPS)


def train(schedule, key):
    """Logistic regression on random data: chaotic enough to show a stray bit."""
    drawn = jax.random.normal(key, (3 * 32 + 8, 8))
    inputs, noise, labels, initial = jnp.split(drawn, [32, 64, 96])
    labels = jnp.sign(labels[:, 0] + inputs[:, 0])

    def loss(weights, rows):
        margins = jnp.tanh(rows @ weights).sum(axis=1) * labels
        return jnp.mean(jax.nn.softplus(-margins)) + 1e-6 * jnp.sum(weights**2)

    def step(state, count):
        weights, velocity = state
        value, slope = jax.value_and_grad(loss)(weights, inputs)
        velocity = 0.9 * velocity + slope
        return (weights - schedule(count) * velocity, velocity), value

    (weights, _), losses = jax.lax.scan(
        step, (initial, jnp.zeros((8, 8))), jnp.arange(STEPS)
    )
    return {"validation": loss(weights, inputs + 0.1 * noise), "loss": losses}


def results_of(scores, **metrics):
    scores = np.asarray(scores, float)
    candidates = search.grid(
        {
            f"recipe{index}": lambda peak, *_: js.constant(peak)
            for index in range(len(scores))
        },
        peaks=[0.1],
        warmups=[0],
        steps=1,
    )
    return search.Results(tuple(candidates), {"validation": scores, **metrics})


@functools.cache
def full():
    return search.run(train, GRID, steps=STEPS, key=KEY, width=4)


# Candidates.


def test_a_grid_is_every_combination():
    assert len(GRID) == len(search.RECIPES) * 2 * 2
    written = {candidate.code for candidate in GRID}
    assert len(written) == len(GRID)


@pytest.mark.parametrize("candidate", GRID, ids=lambda candidate: candidate.code)
def test_the_code_of_a_candidate_builds_its_schedule(candidate):
    built = eval(candidate.code, vars(js))
    steps = np.arange(STEPS)
    np.testing.assert_array_equal(built(steps), candidate.schedule(steps))


@pytest.mark.parametrize("warmup", [0, 1, STEPS // 2, STEPS])
@pytest.mark.parametrize("recipe", search.RECIPES)
def test_a_recipe_takes_any_warmup_and_never_exceeds_its_peak(recipe, warmup):
    [candidate] = search.grid([recipe], peaks=[0.25], warmups=[warmup], steps=STEPS)
    rates = np.asarray(candidate.schedule(np.arange(STEPS + 1)))
    assert np.isfinite(rates).all()
    assert (rates >= 0).all()
    assert rates.max() <= 0.25
    assert rates[warmup] == 0.25 or warmup == STEPS


def test_a_repeated_value_makes_no_repeated_candidate():
    found = search.grid(["wsd"], peaks=[0.1, 0.1], warmups=[3, 3.0], steps=STEPS)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"recipes": ["cosin"]},
            r"no recipe 'cosin', did you mean 'cosine'\? Known: .* wsd",
        ),
        ({"recipes": ["?"]}, r"no recipe '\?'\. Known: constant, linear"),
        ({"peaks": [0.1, -0.1]}, "peak must be a finite number > 0, got -0.1"),
        ({"peaks": [float("nan")]}, "peak must be a finite number > 0, got nan"),
        ({"warmups": [41]}, r"from 0 to 40 steps, .* got 41"),
        ({"warmups": [-1]}, r"from 0 to 40 steps, .* got -1"),
        ({"steps": 0}, "number of steps must be positive, got 0"),
    ],
)
def test_a_grid_says_what_is_wrong(changes, message):
    valid = {"recipes": ["wsd"], "peaks": [0.1], "warmups": [0], "steps": STEPS}
    with pytest.raises(ValueError, match=message):
        search.grid(**{**valid, **changes})


# The engine.


def test_a_table_holds_the_rates_of_every_kind_of_schedule():
    schedules = [candidate.schedule for candidate in GRID]
    schedules += [js.table([1.0, 2.0]), js.table([3.0, 4.0, 5.0]), js.constant(2)]
    table = search.tabulate(schedules, STEPS)
    expected = [schedule(np.arange(STEPS)) for schedule in schedules]
    np.testing.assert_array_equal(
        np.asarray(table.values, np.asarray(expected).dtype), expected
    )


def test_a_rate_that_is_not_finite_is_named():
    bad = js.custom(lambda step: 1 / (step - 3))
    with pytest.raises(ValueError, match=r"At step 3, Custom.* is inf"):
        search.tabulate([js.constant(1), bad], 5)


def test_every_mix_of_families_is_one_trace():
    @chex.assert_max_traces(n=1)
    def counted(schedule, key):
        return {"validation": schedule(3) * jax.random.uniform(key)}

    for grid in (GRID, GRID[::-1], [GRID[5]] * 9):
        search.run(counted, grid, steps=STEPS, key=KEY, width=4)
    with pytest.raises(AssertionError, match="traced > 1"):
        search.run(counted, GRID, steps=STEPS, key=KEY, width=5)


@pytest.mark.parametrize("width", [4, 32])
def test_a_grid_of_n_has_exactly_n_rows(width):
    seen = []
    results = search.run(
        train,
        GRID[:7],
        steps=STEPS,
        key=KEY,
        width=width,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert len(results.table["rank"]) == 7
    assert results.metrics["loss"].shape == (7, 3, STEPS)
    assert seen[-1] == (21, 21)
    assert sorted(seen) == seen


def test_a_run_is_what_training_by_hand_gives():
    by_hand = jax.jit(jax.vmap(train, in_axes=(None, 0)))
    keys = jax.vmap(lambda seed: jax.random.fold_in(KEY, seed))(jnp.arange(3))
    expected = by_hand(GRID[13].schedule, keys)["validation"]
    np.testing.assert_allclose(full().scores[13], expected, rtol=1e-4)


def test_results_do_not_depend_on_devices_order_or_company():
    devices = jax.devices()
    assert len(devices) == 2
    one = search.run(train, GRID, steps=STEPS, key=KEY, width=4, devices=devices[:1])
    chex.assert_trees_all_equal(full().metrics, one.metrics)
    some = [5, 2, 17, 30, 11]
    few = search.run(train, [GRID[i] for i in some], steps=STEPS, key=KEY, width=4)
    expected = jax.tree.map(lambda leaf: leaf[some], full().metrics)
    chex.assert_trees_all_equal(expected, few.metrics)


def test_a_lane_that_diverges_leaves_the_others_alone():
    hot = js.constant(1e38)
    beside = [*GRID[:3], hot, *GRID[3:8]]
    results = search.run(train, beside, steps=STEPS, key=KEY, width=4)
    assert not np.isfinite(results.scores[3]).any()
    others = [0, 1, 2, 4, 5, 6, 7, 8]
    chex.assert_trees_all_equal(
        jax.tree.map(lambda leaf: leaf[others], results.metrics),
        jax.tree.map(lambda leaf: leaf[:8], full().metrics),
    )
    assert results.table["status"].tolist() == ["complete"] * 8 + ["diverged"]
    assert not results.table["tied"][-1]


def test_schedules_need_no_grid():
    named = {"low": js.constant(1e-5), "high": js.constant(0.3)}
    results = search.run(train, named, steps=STEPS, key=KEY, width=4)
    assert results.best_schedule() is named["high"]
    listed = search.run(train, list(named.values()), steps=STEPS, key=KEY, width=4)
    assert listed.best().recipe == "schedule 1"


def test_nothing_to_train_is_an_error():
    with pytest.raises(ValueError, match="0 candidates, 3 seeds"):
        search.run(train, [], steps=STEPS, key=KEY)
    with pytest.raises(ValueError, match="2 candidates, 0 seeds"):
        search.run(train, GRID[:2], steps=STEPS, key=KEY, seeds=0)


@pytest.mark.parametrize(
    ("metric", "message"),
    [("accuracy", "no metric 'accuracy'"), ("loss", "'loss' is not a scalar")],
)
def test_the_metric_must_be_a_scalar_there_is(metric, message):
    with pytest.raises(ValueError, match=message):
        search.run(train, GRID[:8], steps=STEPS, key=KEY, metric=metric, width=4)


# Results.


def test_the_best_schedule_drives_an_optimizer():
    results = full()
    schedule = results.best_schedule()
    assert any(schedule is candidate.schedule for candidate in GRID)
    assert results.best().code == results.table["code"][0]
    optimizer = optax.sgd(schedule)
    updates, _ = optimizer.update(jnp.ones(3), optimizer.init(jnp.ones(3)))
    np.testing.assert_array_equal(updates, -jnp.ones(3) * schedule(0))


def test_rows_are_ranked_by_their_means():
    results = results_of([[3, 5], [1, 2], [np.nan, 0], [2, 4], [np.inf, 0]])
    assert results.order.tolist() == [1, 3, 0, 2, 4]
    assert results.table["mean"][:3].tolist() == [1.5, 3.0, 4.0]
    assert results.table["spread"][:3] == pytest.approx(np.sqrt([0.5, 2, 2]))
    assert results.table["status"].tolist() == ["complete"] * 3 + ["diverged"] * 2
    assert results.best().recipe == "recipe1"


def test_nothing_is_best_if_everything_diverged():
    results = results_of([[np.nan, 1], [np.inf, np.inf]])
    with pytest.raises(ValueError, match="Every candidate diverged"):
        results.best_schedule()
    assert not results.table["tied"].any()


def test_csv_holds_every_number(tmp_path):
    full().to_csv(tmp_path / "results.csv")
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(GRID)
    for name, column in full().table.items():
        kind = type(column[0].item())
        if kind is bool:
            assert [row[name] == "True" for row in rows] == column.tolist()
        else:
            assert [kind(row[name]) for row in rows] == column.tolist()
    first = [float(rows[0][f"seed_{seed}"]) for seed in range(3)]
    assert first == full().scores[full().order[0]].tolist()


# Noise.


def test_noise_is_fishers_least_significant_difference():
    # By hand: residuals of +-0.5 and 0, 2 degrees of freedom, t = 4.3027.
    scores = np.array([[1.0, 2.0, 3.0], [3.0, 3.0, 6.0]])
    residuals = scores - scores.mean(1)[:, None] - scores.mean(0)[None] + scores.mean()
    variance = (residuals**2).sum() / 2
    expected = 4.302652729911275 * np.sqrt(2 * variance / 3)
    assert least_difference(scores) == pytest.approx(expected, rel=1e-9)


def test_what_a_seed_does_to_all_is_no_noise():
    effects = np.array([0.0, 5.0, -3.0])
    scores = np.array([1.0, 1.5, 2.0])[:, None] + effects[None]
    assert least_difference(scores) == pytest.approx(0, abs=1e-12)
    assert results_of(scores).table["tied"].tolist() == [True, False, False]


def test_wild_candidates_at_the_bottom_are_no_noise_at_the_top():
    calm = [[1.0, 1.1, 1.0], [1.2, 1.1, 1.2]]
    wild = [[50.0, 90.0, 20.0], [10.0, 300.0, 80.0]]
    assert least_difference(np.array(calm + wild)) == least_difference(np.array(calm))


def test_one_seed_or_one_candidate_says_nothing():
    assert least_difference(np.array([[1.0], [2.0], [3.0]])) == np.inf
    assert least_difference(np.array([[1.0, 2.0]])) == np.inf


def test_noise_alone_is_rarely_taken_for_a_difference():
    generator = np.random.default_rng(0)
    worse = 0
    for _ in range(400):
        scores = generator.normal(size=(2, 8)) + generator.normal(size=8)[None]
        worse += abs(scores[0].mean() - scores[1].mean()) > least_difference(scores)
    # 20 of 400 are expected at a confidence of 95 %, with a deviation of 4.4.
    assert 7 <= worse <= 33


# Tasks.


@pytest.mark.parametrize("name", ["digits", "text"])
def test_a_task_is_learned(name):
    steps = 30
    task = TASKS[name](steps)
    candidates = {"none": js.constant(0.0), "some": js.constant(0.005)}
    results = search.run(task.train, candidates, steps=steps, key=KEY, seeds=1, width=1)
    assert results.best().recipe == "some"
    losses = results.metrics["loss"][1, 0]
    assert losses.shape == (steps,)
    assert losses[-5:].mean() < losses[:5].mean()
    assert results.scores[1, 0] < 0.9 * results.scores[0, 0]


@pytest.mark.parametrize("name", TASKS)
def test_nothing_is_both_trained_and_validated_on(name):
    task = TASKS[name](1)
    assert len(task.training.inputs) == len(task.training.targets)
    rows = [
        np.column_stack([data.inputs, data.targets])
        for data in (task.training, task.validation)
    ]
    assert len(rows[0]) > 2 * len(rows[1]) > 500
    if name != "text":  # Phrases may well occur twice.
        seen, held_out = ({row.tobytes() for row in data} for data in rows)
        assert not seen & held_out


def test_the_best_and_the_worst_paint_the_photograph():
    task = TASKS["photo"](20)
    names = {"none": js.constant(0.0), "some": js.constant(0.01)}
    candidates = tuple(search.Candidate(n, {}, s, n) for n, s in names.items())
    results = search.Results(candidates, {"validation": np.array([[2.0], [1.0]])})
    original, best, worst = task.paint(results, KEY).values()
    assert original.shape == best.shape == worst.shape == (106, 160, 3)
    errors = [np.square(picture - original).mean() for picture in (best, worst)]
    assert errors[0] < errors[1] / 2
    diverged = search.Results(candidates, {"validation": np.full((2, 1), np.nan)})
    assert task.paint(diverged, KEY) == {}
