"""Shapes apart from rates: the curves, the scores, a task with a known optimum."""

import functools
import math
import warnings

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

import jaxsched as js
from jaxsched.search import SHAPES, Family, gaps, shapes
from jaxsched.search.shaping.scores import Shapes, interval
from jaxsched.search.tasks import regression


EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)
KEY = jax.random.key(0)
STEPS = 24


# Curves through points.


@functools.cache
def points(count):
    """Many sets of so many points: uneven, and some of them at the same height."""
    generator = np.random.default_rng(count)
    boundaries = np.cumsum(generator.integers(1, 40, (60, count)), axis=1)
    values = generator.integers(0, 8, (60, count)) / 8
    return boundaries.astype(float), values


@jax.jit
def cubics(boundaries, values, steps):
    return jax.vmap(lambda b, v: js.piecewise_cubic(b, v)(steps))(boundaries, values)


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_a_spline_is_that_of_scipy(count):
    steps = np.linspace(0.0, 200.0, 1001)
    expected = [
        PchipInterpolator(b, v)(np.clip(steps, b[0], b[-1]))
        for b, v in zip(*points(count), strict=True)
    ]
    rates = cubics(*map(jnp.asarray, points(count)), jnp.asarray(steps))
    # Relative to the greatest value: a step that float32 rounds moves the curve.
    chex.assert_trees_all_close(
        np.asarray(rates), np.array(expected, rates.dtype), rtol=0, atol=64 * EPSILON
    )


def test_a_spline_never_leaves_what_lies_between_two_points():
    boundaries, values = points(7)
    steps = np.linspace(0.0, 300.0, 2001)
    rates = np.asarray(cubics(jnp.asarray(boundaries), jnp.asarray(values), steps))
    for place, height, rate in zip(boundaries, values, rates, strict=True):
        after = np.clip(np.searchsorted(place, steps, side="right"), 1, 6)
        ends = np.stack([height[after - 1], height[after]])
        inside = (steps >= place[0]) & (steps <= place[-1])
        assert (rate >= ends.min(0) * (1 - 4 * EPSILON))[inside].all()
        assert (rate <= ends.max(0) * (1 + 4 * EPSILON))[inside].all()


def test_the_tail_of_a_spline_keeps_its_digits():
    n = 2.0**20
    left = np.array([1.0, 3.0, 10.0, 1e3, 1e5])
    rates = js.piecewise_cubic([0, n, 2 * n], [1.0, 0.25, 0.0])(2 * n - left)
    # There the slope is 0 at the end, and before it -3 / 8, between -3 / 4 and -1 / 4.
    v, u = left / n, 1 - left / n
    expected = v**3 / 4 + 3 * u * v**2 * (1 / 4 - 1 / 8)
    np.testing.assert_allclose(rates, expected, rtol=8 * EPSILON)


def test_gradients_of_a_degenerate_spline_are_finite():
    def rates(boundaries, values):
        return js.piecewise_cubic(boundaries, values)(jnp.arange(-1.0, 11.0))

    boundaries = [[0, 5, 5, 9], [0, 0, 0, 0], [0, 3, 6, 9], [0, 3, 6, 9], [0, 3, 6, 9]]
    values = [
        *([1.0, 0.5, 0.2, 0.0], [1.0, 0.5, 0.2, 0.0], [0.0, 0.0, 0.0, 0.0]),
        *([1.0, 1e-25, 1e-30, 0.0], [-1e-30, -1e-25, -1e-20, -1.0]),
    ]
    slopes = jax.jit(jax.vmap(jax.jacrev(rates, argnums=(0, 1))))
    chex.assert_tree_all_finite(slopes(jnp.array(boundaries, float), jnp.array(values)))


def test_a_spline_through_one_point_is_constant():
    assert js.piecewise_cubic([4.0], [0.5])([0, 4, 9]).tolist() == [0.5, 0.5, 0.5]


def test_points_are_placed_within_what_is_left():
    lr = js.two_point_linear(
        1.0, warmup_steps=20, total_steps=120, delays=[0.4, 0.5], levels=[0.6, 0.5]
    )
    assert [round(float(lr(step)), 6) for step in (10, 20, 60, 90, 105)] == [
        *(0.5, 1.0, 0.6, 0.3, 0.15)
    ]
    end = lr.duration
    assert end == 120.0
    above = js.two_point_linear(
        *(1.0,),
        warmup_steps=20,
        total_steps=120,
        delays=[0.4, 0.5],
        levels=[0.6, 0.5],
        end=0.2,
    )
    steps = np.arange(20, 121)
    np.testing.assert_allclose(above(steps), 0.2 + 0.8 * lr(steps), rtol=1e-6)


def test_the_points_of_a_smooth_shape_come_in_any_order():
    for warmup in (5.0, 30.0, 90.0):
        lr = js.smooth_non_monotonic(
            1.0,
            warmup_steps=warmup,
            total_steps=100,
            delays=[0.2, 0.5],
            levels=[0.5] * 2,
        )
        assert float(lr(warmup)) == 1.0
        assert [float(lr(step)) for step in (20, 60)] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        (js.two_point_linear, {"delays": [0.5]}, r"`delays` must be two numbers"),
        (
            js.two_point_linear,
            {"levels": [0.5, 1.5]},
            r"`levels` must be .* from 0 to 1",
        ),
        (
            js.two_point_spline,
            {"delays": [0.0, 0.5]},
            r"increasing order, got \[0.0, 0",
        ),
        (js.two_point_spline, {"warmup_steps": 200}, r"at least warmup_steps"),
        (js.smooth_non_monotonic, {"warmup_steps": 50}, r"increasing order"),
    ],
)
def test_a_shape_says_what_is_wrong(recipe, changes, message):
    valid = {"warmup_steps": 10, "total_steps": 100, "delays": [0.5] * 2}
    with pytest.raises(ValueError, match=message):
        recipe(1.0, **{**valid, "levels": [0.5] * 2, **changes})


# Families.


DECAYS = {
    "rex": lambda u, beta: (1 - u) / (1 - u * (1 - beta)),
    "sqrt": lambda u, exponent: np.sqrt(1 - u**2) ** exponent,
    "cosine": lambda u, exponent: ((1 + np.cos(np.pi * u)) / 2) ** exponent,
}


@pytest.mark.parametrize("name", DECAYS)
def test_a_family_is_the_formula_of_its_source(name):
    for log_number in (-1.0, 0.0, 0.7):
        lr = SHAPES[name].shape(100, warmup=0.2, log_number=log_number)
        u = np.arange(80) / 80
        np.testing.assert_allclose(
            lr(20 + np.arange(80)), DECAYS[name](u, 10**log_number), rtol=2e-6
        )
        np.testing.assert_allclose(lr(np.arange(20)), np.arange(20) / 20, rtol=1e-6)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_has_a_peak_of_one(name):
    family = SHAPES[name]
    generator = np.random.default_rng(0)
    for _ in range(20):
        numbers = family.draw(generator)
        assert all(
            low <= numbers[number] <= high
            for number, (low, high) in family.ranges.items()
        )
        shape = family.shape(1000, **numbers)
        peak = 1000 * numbers["warmup"]
        rates = np.asarray(shape([*range(1001), peak]))
        assert rates[-1] == pytest.approx(1, abs=4 * EPSILON)
        assert rates.min() >= 0
        assert rates.max() <= 1 + 4 * EPSILON


@pytest.mark.parametrize("name", SHAPES)
def test_a_family_is_differentiable_in_its_numbers(name):
    family = SHAPES[name]

    def rates(numbers):
        return family.shape(50, **numbers)(jnp.arange(51.0))

    drawn = [family.draw(np.random.default_rng(seed)) for seed in range(3)]
    corners = [{n: ends[i] for n, ends in family.ranges.items()} for i in (0, 1)]
    batch = jax.tree.map(lambda *x: jnp.asarray(np.array(x)), *drawn, *corners)
    values, slopes = jax.jit(jax.vmap(lambda x: (rates(x), jax.jacfwd(rates)(x))))(
        batch
    )
    chex.assert_tree_all_finite((values, slopes))


# Scores.


def found(scores, families=None, confirmed=None):
    scores = np.asarray(scores, float)
    count = len(scores)
    return Shapes(
        families=tuple(families or ["one"] * count),
        numbers=tuple({"number": float(i)} for i in range(count)),
        shapes=(js.linear(1.0, 0.0, 5),) * count,
        rates=np.array([0.1, 0.2, 0.4]),
        scores=scores,
        confirmed=confirmed or {},
    )


def test_no_seed_judges_the_rate_that_it_chose():
    # Without the first seed the second rate is best, and so forth.
    result = found([[[0, 9, 9], [5, 1, 2], [9, 4, 6]]])
    assert result.held_out.tolist() == [[5, 1, 2]]
    result = found([[[0, 3, 3], [5, 0, 2], [9, 9, 9]]])
    assert result.held_out.tolist() == [[5, 3, 3]]
    assert result.best_rates.tolist() == [0]
    assert result.table["edge"].tolist() == ["lowest"]


def test_the_score_is_no_luckier_than_a_rate_taken_at_random():
    noise = np.random.default_rng(0).normal(size=(400, 3, 4))
    deviation = 1 / math.sqrt(400 * 4)
    result = found(noise)
    lucky = noise.mean(axis=2).min(axis=1).mean()
    assert lucky < -10 * deviation
    assert abs(result.held_out.mean()) < 4 * deviation


def test_a_rate_that_diverged_for_one_seed_is_out():
    result = found(
        [
            [[1.0, np.nan], [3.0, 3.0], [5.0, 4.0]],
            [[np.nan, np.inf], [-np.inf, 1.0], [np.inf, np.nan]],
            [[4.0, 4.0], [2.0, 2.0], [3.0, np.inf]],
        ],
        families=["one", "two", "one"],
    )
    assert result.best_rates[[0, 2]].tolist() == [1, 1]
    assert result.table["mean"].tolist() == [2.0, 3.0, np.inf]
    assert result.table["status"].tolist() == ["complete", "complete", "diverged"]
    assert result.table["edge"].tolist() == ["", "", ""]
    assert result.table["number"].tolist() == [2.0, 0.0, 1.0]
    assert result.winners == {"one": 2}


def test_the_best_is_what_fresh_seeds_say():
    scores = np.arange(12.0).reshape(2, 3, 2)
    confirmed = {"one": np.array([3.0, 5.0]), "two": np.array([2.0, 4.0])}
    result = found(scores, ["one", "two"], confirmed)
    first, second = result.best_of_each()
    assert [first.family, second.family] == ["two", "one"]
    assert (first.mean, first.rate, first.edge) == (3.0, 0.1, "lowest")
    half = 12.706204736432095  # The quantile of t for one degree of freedom.
    assert (first.low, first.high) == pytest.approx((3 - half, 3 + half))
    assert float(result.best_schedule()(0)) == pytest.approx(0.1)
    diverged = found(
        scores, ["one", "two"], {**confirmed, "two": np.array([np.nan, 1])}
    )
    assert diverged.best().family == "one"


def test_nothing_is_best_if_everything_diverged():
    with pytest.raises(ValueError, match="Every shape diverged at every rate"):
        found(np.full((2, 3, 2), np.nan)).best()


def test_an_interval_covers_the_mean_as_often_as_it_says():
    scores = np.random.default_rng(0).normal(size=(2000, 5))
    _, low, high = interval(scores)
    covered = ((low < 0) & (high > 0)).mean()
    assert abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


# The search.


TASK = regression(STEPS, size=16, batch=2)
RATES = [0.3, 0.6, 1.2, 2.4, 4.8, 9.6]


@functools.cache
def searched(*families):
    return shapes(
        train, families, steps=STEPS, rates=RATES, samples=5, seeds=24, key=KEY
    )


def train(schedule, key):
    return TASK.train(schedule, key)


def test_a_search_finds_what_is_best_in_expectation():
    result = searched("rex", "two_point_spline")
    assert result.scores.shape == (10, 6, 24)
    for shape in result.best_of_each():
        fresh = result.confirmed[shape.family]
        assert shape.mean == pytest.approx(fresh.mean())
        exact = float(TASK.expected_loss(shape.schedule(np.arange(STEPS))))
        error = fresh.std(ddof=1) / math.sqrt(len(fresh))
        assert abs(shape.mean - exact) < 4 * error
        assert shape.edge == ""
    expected = [
        min(float(TASK.expected_loss(rate * rates)) for rate in RATES)
        for rates in (shape(np.arange(STEPS)) for shape in result.shapes)
    ]
    means = result.held_out.mean(axis=1)
    assert np.corrcoef(means, expected)[0, 1] > 0.8


def test_shapes_do_not_depend_on_company_nor_scores_on_it():
    both, alone = searched("rex", "two_point_spline"), searched("two_point_spline")
    assert both.numbers[5:] == alone.numbers
    np.testing.assert_array_equal(both.scores[5:], alone.scores)


def test_the_fresh_seeds_are_others():
    result = searched("rex", "two_point_spline")
    for family, index in result.winners.items():
        seen = result.scores[index, result.best_rates[index]]
        assert not np.isin(result.confirmed[family], seen).any()


def test_every_family_of_any_user_is_one_trace():
    @chex.assert_max_traces(n=2)
    def counted(schedule, key):
        return {"loss": schedule(3) + 1e-3 * jax.random.normal(key)}

    own = Family(
        lambda steps, *, half: (
            js.constant(1.0, half) >> js.linear(1.0, 0.0, steps - half)
        ),
        {"half": (0.0, 4.0)},
    )
    with pytest.warns(UserWarning, match=r"an edge of `rates`.*'own' \(lowest\)"):
        result = shapes(
            *(counted, {"own": own, "rex": SHAPES["rex"]}),
            steps=8,
            rates=[0.2, 0.1],
            samples=3,
            seeds=8,
            key=KEY,
            metric="loss",
        )
    assert result.rates.tolist() == [0.1, 0.2]
    assert result.best().edge == "lowest"
    assert len(result.table["half"]) == 6
    assert np.isnan(result.table["half"]).sum() == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"families": ["rexx"]}, "no family 'rexx', did you mean 'rex'"),
        ({"rates": [0.1, 0.0]}, "`rates` must be a finite number > 0, got 0.0"),
        ({"seeds": 1}, "`seeds` at least 2"),
        ({"samples": 0}, "`samples` must be at least 1"),
    ],
)
def test_a_search_says_what_is_wrong(changes, message):
    valid = {"families": ["rex"], "rates": [0.1], "samples": 1, "seeds": 2}
    with pytest.raises(ValueError, match=message):
        shapes(train, **{**valid, **changes}, steps=STEPS, key=KEY)


# Regression.


def test_the_expected_loss_is_the_mean_of_many_runs():
    task = regression(10, size=16, batch=2)
    lr = js.warmup_cosine(3.0, warmup_steps=3, total_steps=10)
    keys = jax.random.split(KEY, 30_000)
    seen = jax.jit(jax.vmap(lambda key: task.train(lr, key)))(keys)
    losses = np.column_stack([seen["loss"], seen["validation"]]).astype(float)
    expected = np.asarray(task.expected_losses(lr(jnp.arange(10))), float)
    error = losses.std(axis=0) / math.sqrt(len(losses))
    assert (error < 0.01 * expected).all()
    assert (abs(losses.mean(axis=0) - expected) < 4 * error).all()


def test_with_all_examples_it_is_gradient_descent():
    task = regression(6, size=8, batch=8, exponent=0.5)
    rates = np.linspace(2.0, 1.0, 6)
    factors = np.prod(1 - rates[:, None] * task.spectrum, axis=0)
    assert float(task.expected_loss(jnp.asarray(rates))) == pytest.approx(
        (factors**2).mean() / 2, rel=1e-5
    )


def test_gradients_of_the_expected_loss_are_exact():
    with jax.enable_x64(True):
        rates = jnp.linspace(3.0, 0.5, STEPS)
        chex.assert_numerical_grads(TASK.expected_loss, (rates,), order=1, eps=1e-6)


def test_the_optimum_is_one():
    optimum = TASK.optimum
    assert optimum.rates.shape == (STEPS,)
    assert (optimum.rates > 0).all()
    assert optimum.slope < 1e-7
    generator = np.random.default_rng(0)
    for start in (np.linspace(6.0, 0.1, STEPS), generator.uniform(0.0, 5.0, STEPS)):
        other = TASK.descend(start)
        assert other.loss == pytest.approx(optimum.loss, rel=1e-12)
        np.testing.assert_allclose(other.rates, optimum.rates, rtol=1e-5)
    with jax.enable_x64(True):
        for _ in range(20):
            beside = optimum.rates * np.exp(0.01 * generator.normal(size=STEPS))
            assert float(TASK.expected_loss(beside)) > optimum.loss


def test_a_sweep_never_makes_the_loss_greater():
    losses = [TASK.descend(np.full(STEPS, 8.0), sweeps=n).loss for n in range(1, 5)]
    assert (np.diff(losses) < 0).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 0}, "number of steps must be positive"),
        ({"size": 12}, "`size` must be a power of two, got 12"),
        ({"size": 8, "batch": 9}, "`batch` must be from 1 to 8, got 9"),
    ],
)
def test_a_regression_says_what_is_wrong(given, message):
    with pytest.raises(ValueError, match=message):
        regression(**{"steps": 5, **given})


def test_gaps_show_what_each_search_costs_and_misses():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = gaps(
            TASK, ["rex", "two_point_spline"], rates=RATES, samples=12, starts=2
        )
    assert result["search"].tolist() == [*["random", "grid", "descent"] * 2, "optimum"]
    assert result["family"][[0, 3]].tolist() == ["rex", "two_point_spline"]
    assert result["loss"][-1] == TASK.optimum.loss
    assert (result["excess"][:-1] > 1e-4).all()
    # 12 shapes and 6 rates; 3 points in each of 2 ranges, and 2 in each of 5.
    assert result["evaluations"][[0, 1, 3, 4]].tolist() == [72, 54, 72, 192]
    random, grid, descent = result["excess"][:-1].reshape(2, 3).T
    assert (descent < np.minimum(random, grid)).all()
