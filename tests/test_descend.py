"""Descent: derivatives that are right, steps that stay inside, and optima known."""

from collections import namedtuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js
from jaxsched import domain
from jaxsched.search.descent import as_train, descend
from jaxsched.search.descent.coordinates import COORDINATES

from .catalogue import RECIPES


EPSILON = float(np.finfo(jnp.result_type(float)).eps)
KEY = jax.random.key(0)
DATA = np.random.default_rng(0).normal(size=(3, 4, 4))

Task = namedtuple("Task", ["init", "step", "evaluate", "steps"])


def train(schedule, key):
    """Momentum on one layer, where nothing is linear in the rates."""
    inputs, labels, weights = jnp.asarray(DATA, jnp.result_type(float))
    # Other numbers would be drawn in another precision.
    drawn = jax.random.uniform(key, dtype=jnp.float32).astype(inputs.dtype)
    weights = (1 + drawn) * weights

    def loss(weights):
        return jnp.mean((jnp.tanh(inputs @ weights) - labels) ** 2)

    def step(count, state):
        weights, velocity = state
        velocity = 0.8 * velocity + jax.grad(loss)(weights)
        return weights - schedule(count) * velocity, velocity

    state = (weights, jnp.zeros_like(weights))
    weights, _ = jax.lax.fori_loop(0, 12, step, state)
    return {"validation": loss(weights)}


def on_a_line(schedule, key):
    """Gradient descent on `x**2 / 2`: a rate of 1 arrives at once."""
    x = jax.lax.fori_loop(0, 5, lambda t, x: x - schedule(t) * x, 1.0)
    return {"validation": x**2 / 2, "goodness": 1 - x**2, "path": jnp.zeros(2)}


def everything(path):
    return True


START = js.linear(0.3, 0.01, steps=10.0)
RATES = [".start", ".end"]
STILL = {"key": KEY, "iterations": 1, "optimizer": optax.sgd(0.0)}


def test_gradients_match_each_other_and_differences_in_float64():
    start = START.replace(steps=10.5)  # At a whole step, the rate has a kink.
    forward, reverse = (
        descend(train, start, leaves=everything, derivative=mode, **STILL).gradients
        for mode in ("forward", "reverse")
    )
    chex.assert_trees_all_close(forward, reverse, rtol=512 * EPSILON)
    leaves, structure = jax.tree.flatten(start)
    assert len(forward) == len(leaves) == 3
    with jax.enable_x64(True):
        key = jax.random.fold_in(KEY, 0)

        @jax.jit
        @jax.vmap
        def scores(leaves):
            return train(structure.unflatten(leaves), key)["validation"]

        steps = 1e-5 * np.eye(3)
        around = leaves + np.append(steps, -steps, axis=0)
        above, below = np.split(np.asarray(scores(around)), 2)
    assert (above != below).all()
    np.testing.assert_allclose(
        [slope.item() for slope in forward.values()],
        (above - below) / 2e-5,
        rtol=max(2048 * EPSILON, 1e-8),
    )


def test_the_mode_goes_by_how_many_numbers_move():
    def loops(count):
        """A loop with an end unknown can be differentiated forward only."""

        def train(schedule, key):
            rate = schedule(0)
            end = jnp.where(rate > 0, 3, 2)
            x = jax.lax.fori_loop(0, end, lambda t, x: x * (1 - rate), 1.0)
            return {"validation": x**2}

        return descend(train, js.table(np.full(count, 0.1)), **STILL)

    assert loops(8).gradients[".values"].shape == (1, 8)
    with pytest.raises(ValueError, match="Reverse-mode differentiation"):
        loops(9)


def test_the_optimum_of_a_constant_rate_is_found_from_near_and_far():
    starts = js.constant(jnp.array([0.01, 0.1, 1.9, 2.5, 10.0]))
    found = descend(on_a_line, starts, key=KEY)
    np.testing.assert_allclose(found.schedules.level, 1, rtol=0.05)
    best = int(found.scores.argmin())
    assert found.schedule.level == found.schedules.level[best]
    assert found.scores[best] < 1e-12
    np.testing.assert_array_equal(found.skipped, 0)


def test_chebyshev_steps_are_found():
    # With the eigenvalues at Chebyshev nodes, gradient descent from 0 on
    # `x A x / 2 - sum(x)` does best with these steps, in any order: the residual,
    # a polynomial of the eigenvalue, is then orthogonal to all of less degree.
    known = js.chebyshev(0.1, largest=1.0, total_steps=4)
    nodes = np.cos(np.pi * (np.arange(16) + 0.5) / 16)
    eigenvalues = jnp.asarray((1.1 + 0.9 * nodes) / 2)

    def train(schedule, key):
        x = jnp.zeros(16)
        x = jax.lax.fori_loop(
            0, 4, lambda t, x: x - schedule(t) * (eigenvalues * x - 1), x
        )
        return {"validation": jnp.mean(eigenvalues * (x - 1 / eigenvalues) ** 2)}

    least = train(known, KEY)["validation"]
    start = js.table([4.0, 3.0, 2.0, 1.0])
    found = descend(train, start, key=KEY, iterations=200)
    assert (1 - 64 * EPSILON) * least <= found.scores[0] <= 1.001 * least
    assert found.history[0, 0] > 1.5 * least
    rates = np.sort(found.schedule.values)
    np.testing.assert_allclose(rates, np.sort(known(np.arange(4))), rtol=0.1)


# The end of each domain, where it has one, and numbers inside.
DOMAINS = {
    "real": (domain.REAL, [-3.0, 0.0, 1e-6, 1e6]),
    "positive": (domain.POSITIVE, [1e-6, 0.1, 1.0, 1e6]),
    "nonnegative": (domain.NONNEGATIVE, [0.0, 1e-6, 1.0, 1e6]),
    "factor": (domain.FACTOR, [1e-6, 0.1, 1.0, 1e6]),
    "multiplier": (domain.MULTIPLIER, [-3.0, 0.0, 1e-6, 1e6]),
    "decay_rate": (domain.DECAY_RATE, [0.0, 1e-6, 1.0, 1e6]),
    "fraction": (domain.FRACTION, [0.0, 0.3, 0.999, 1.0]),
    "portion": (domain.PORTION, [1e-6, 0.3, 0.999, 1.0]),
    "inside": (domain.INSIDE, [1e-6, 0.3, 0.7, 0.999]),
    "above_one": (domain.ABOVE_ONE, [1.001, 2.0, 10.0, 1e6]),
    "count": (domain.COUNT, [1e-6, 1.0, 3.0, 1e6]),
    "vector": (domain.VECTOR, [[-1.0, 0.0], [0.0, 0.0], [1.0, 1e-6], [1e6, 1.0]]),
    "boundaries": (
        domain.BOUNDARIES,
        [[0.0, 1.0], [0.0, 1e-3], [5.0, 1000.0], [999.0, 1000.0]],
    ),
}


def test_leaves_stay_in_their_domains():
    domains = {f"[{name!r}]": kind for name, (kind, _) in DOMAINS.items()}
    # All of them, pushed up and down, by steps of many sizes.
    start = {name: jnp.asarray([*xs, *xs]) for name, (_, xs) in DOMAINS.items()}
    ways = jnp.repeat(jnp.array([1, -1]), 4)

    def train(config, key):
        leaves = {name: config[name] for name in DOMAINS}
        inside = [DOMAINS[name][0].contains(x).all() for name, x in leaves.items()]
        push = sum(jnp.sum(jnp.arctan(leaf)) for leaf in leaves.values())
        push *= config["way"].astype(push.dtype)
        # Nothing is as good as to be outside.
        return {"validation": jnp.where(jnp.stack(inside).all(), push, -1e9)}

    optimizer = optax.sgd(js.exponential(0.01, 1000.0, steps=16))
    found = descend(
        train,
        {**start, "way": ways},
        key=KEY,
        domains=domains,
        iterations=16,
        optimizer=optimizer,
    )
    assert found.unmoved == ()
    assert ((found.scores > -1e9) & (found.scores < found.history[0])).all()
    for name, (kind, _) in DOMAINS.items():
        assert np.all(kind.contains(np.asarray(found.schedules[name]))), name
    chex.assert_tree_all_finite(found.gradients)


def test_every_domain_that_has_numbers_beside_a_number_can_be_moved_in():
    kinds = vars(domain).values()
    known = {kind for kind in kinds if isinstance(kind, domain.Domain)}
    assert set(COORDINATES) == {kind for kind, _ in DOMAINS.values()}
    assert known - set(COORDINATES) == {domain.POWER_OF_TWO}


def test_what_is_at_the_end_of_its_domain_leaves_it():
    start = js.natural_exponential(0.0, rate=0.0, end=0.0)

    def train(schedule, key):
        return {"validation": (schedule.rate - 2.0) ** 2 + (schedule.end + 0.5) ** 2}

    found = descend(train, start, key=KEY, iterations=60)
    np.testing.assert_allclose(found.schedule.rate, 2.0, rtol=0.05)
    np.testing.assert_allclose(found.schedule.end, -0.5, rtol=0.05)
    assert found.unmoved == (".start",)
    assert found.schedule.start == 0.0


def test_a_warmup_of_no_steps_can_become_one():
    start = js.warmup_linear(0.5, warmup_steps=0, total_steps=6)
    found = descend(on_a_line, start, key=KEY, leaves=everything)
    assert ".parts[0].steps" not in found.unmoved
    chex.assert_tree_all_finite([found.schedules, found.gradients, found.history])


def test_starts_keep_to_themselves():
    peaks = [0.01, 0.3, 2.0]
    options = {"key": KEY, "iterations": 4}
    starts = START.replace(start=jnp.array(peaks))
    together = descend(train, starts, **options)
    for lane, peak in enumerate(peaks):
        alone = descend(train, START.replace(start=peak), **options)
        mine = jax.tree.map(
            lambda leaf, lane=lane: leaf[lane : lane + 1],
            (together.schedules, together.history.T, together.gradients),
        )
        chex.assert_trees_all_close(
            (alone.schedules, alone.history.T, alone.gradients), mine, rtol=1e-3
        )
    best = int(together.scores.argmin())
    chex.assert_trees_all_equal(
        together.schedule, jax.tree.map(lambda leaf: leaf[best], together.schedules)
    )


def test_lengths_stay_unless_they_are_named():
    options = {"key": KEY, "iterations": 4}
    found = descend(train, START, **options)
    assert list(found.gradients) == RATES
    assert found.schedule.steps == START.steps
    assert found.schedule.start != START.start
    named = descend(train, START, leaves=".steps", **options)
    assert list(named.gradients) == [".steps"]
    assert named.schedule.steps != START.steps
    chex.assert_trees_all_equal(named.schedule.replace(steps=START.steps), START)
    assert all(type(leaf) is float for leaf in jax.tree.leaves(named.schedule))


def test_the_arguments_of_a_recipe_are_descended_on():
    def train_recipe(config, key):
        return on_a_line(js.warmup_linear(**config, total_steps=10), key)

    found = descend(
        train_recipe,
        {"peak": 0.01, "warmup_steps": 5.0},
        leaves=["['peak']", "['warmup_steps']"],
        domains={"['warmup_steps']": domain.NONNEGATIVE},
        key=KEY,
        iterations=10,
    )
    assert found.scores < found.history[0]
    assert 0 <= found.schedule["warmup_steps"] != 5
    optax.sgd(js.warmup_linear(**found.schedule, total_steps=10))


def test_it_is_never_worse_than_the_start():
    uphill = optax.sgd(-1e3)
    start = js.constant(jnp.array([0.9, 1.0]))
    found = descend(on_a_line, start, key=KEY, optimizer=uphill, iterations=5)
    np.testing.assert_array_equal(found.schedules.level, start.level)
    np.testing.assert_array_equal(found.scores, found.history[0])
    assert (found.history[1:, 0] > found.history[0, 0]).any()
    alone = descend(on_a_line, js.constant(0.9), key=KEY, optimizer=uphill)
    assert alone.schedule.level == 0.9


def test_a_step_into_nothing_is_taken_back_and_halved():
    def train(schedule, key):
        rate = schedule.level
        return {"validation": jnp.where(rate < 1.2, -rate, jnp.nan)}

    start = js.constant(jnp.array([1.0, 3.0]))
    found = descend(train, start, key=KEY, iterations=20)
    good, bad = found.skipped
    assert 0 < good < 20
    assert bad == 21
    assert 1.15 < found.schedule.level < 1.2
    assert np.isnan(found.history[:, 0]).sum() == good
    assert found.scores[1] == np.inf
    chex.assert_tree_all_finite([found.schedules, found.gradients])
    np.testing.assert_array_equal(found.schedules.level[1], 3.0)


def test_gradients_of_any_size_are_followed():
    def train(schedule, key):
        scale = jnp.where(schedule.level < 0.2, 1e30, 1e-10)
        return {"validation": scale * (schedule.level - 0.5) ** 2}

    found = descend(train, js.constant(0.1), key=KEY)
    np.testing.assert_allclose(found.schedule.level, 0.5, rtol=0.05)


@pytest.mark.parametrize("size", [1e-35, 1e-25, 1e25, 1e35])
def test_gradients_whose_squares_are_no_floats_are_followed(size):
    def train(schedule, key):
        off = (schedule.start - 0.5) ** 2 + (schedule.end - 0.2) ** 2
        return {"validation": size * off}

    found = descend(train, js.linear(0.3, 0.3, 10), key=KEY)
    np.testing.assert_allclose(found.schedule.start, 0.5, rtol=0.05)
    np.testing.assert_allclose(found.schedule.end, 0.2, rtol=0.05)


def test_many_iterations_of_any_numbers_are_one_compilation():
    @chex.assert_max_traces(n=1)
    def train(schedule, key):
        return on_a_line(schedule, key)

    seen = []
    for rate in (0.1, 0.3):
        descend(
            train,
            js.linear(rate, 0.0, 5),
            key=jax.random.key(int(10 * rate)),
            iterations=4,
            progress=lambda *counts: seen.append(counts),
        )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)] * 2


def test_the_seeds_are_those_of_a_search_and_their_metric_is_averaged():
    def train(schedule, key):
        return {"validation": schedule.level * jax.random.uniform(key)}

    found = descend(train, js.constant(2.0), seeds=3, **STILL)
    keys = jax.vmap(lambda seed: jax.random.fold_in(KEY, seed))(jnp.arange(3))
    each = jax.vmap(jax.random.uniform)(keys)
    np.testing.assert_allclose(found.history[0], 2 * each.mean(), rtol=16 * EPSILON)
    np.testing.assert_allclose(found.gradients[".level"], each.mean(), rtol=1e-6)


def test_more_can_be_better():
    options = {"key": KEY, "iterations": 4, "metric": "goodness", "mode": "max"}
    found = descend(on_a_line, js.constant(0.1), **options)
    assert found.history[0, 0] < found.scores[0] == found.history.max() <= 1
    assert found.gradients[".level"] > 0
    assert 0.1 < found.schedule.level < 1


def adam(schedule, key):
    with jax.numpy_dtype_promotion("standard"):
        optimizer = optax.adamw(schedule, eps_root=1e-16)

    def step(state, _):
        x, memory = state
        with jax.numpy_dtype_promotion("standard"):
            updates, memory = optimizer.update(x * jnp.array([1.0, 0.0]), memory, x)
        return (optax.apply_updates(x, updates), memory), None

    x = jnp.ones(2)
    (x, _), _ = jax.lax.scan(step, (x, optimizer.init(x)), length=20)
    return {"validation": jnp.sum(x**2)}


def test_it_goes_through_adam_if_that_is_told_to_be_smooth():
    start = js.linear(0.01, 0.0, steps=20)
    found = descend(adam, start, key=KEY)
    assert found.scores < 0.7 * found.history[0]

    def root(schedule, key):
        return {"validation": jnp.sqrt(0 * schedule.start)}

    with pytest.raises(ValueError, match=r"by \.start, .* not finite.* `eps_root` > 0"):
        descend(root, start, key=KEY)


def task_of(steps):
    weights = jnp.asarray(DATA[0])

    def step(schedule, state, t):
        moved = state - schedule(t) * jnp.tanh(state @ weights.T) @ weights
        return moved, {"loss": jnp.sum(moved)}

    return Task(
        init=lambda schedule, key: jnp.asarray(DATA[1]),
        step=step,
        evaluate=lambda schedule, state: {"validation": jnp.mean(state**2)},
        steps=steps,
    )


def plain(task):
    def train(config, key):
        state = task.init(config, key)
        state, _ = jax.lax.scan(
            lambda state, t: task.step(config, state, t), state, jnp.arange(task.steps)
        )
        return task.evaluate(config, state)

    return train


def test_a_task_in_segments_is_the_task():
    task = task_of(7)
    runs = [plain(task), *(as_train(task, segment=n) for n in (None, 3, 9))]

    @jax.jit
    def slopes(start):
        return [
            jax.value_and_grad(lambda lr, run=run: run(lr, KEY)["validation"])(start)
            for run in runs
        ]

    expected, *others = slopes(js.linear(0.1, 0.0, 7))
    for found in others:
        chex.assert_trees_all_close(found, expected, rtol=64 * EPSILON, atol=EPSILON)


def test_a_task_in_segments_needs_less_memory():
    task, start = task_of(1024), js.as_arrays(js.linear(0.01, 0.0, 1024))

    def temporary(train):
        slope = jax.grad(lambda lr: train(lr, KEY)["validation"])
        compiled = jax.jit(slope).lower(start).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert 8 * temporary(as_train(task)) < temporary(plain(task))


def test_a_task_is_descended_on():
    task, start = task_of(10), js.constant(0.01)
    options = {"key": KEY, "iterations": 4, "derivative": "reverse"}
    found = descend(task, start, **options)
    assert found.scores < found.history[0]
    for schedule, score in ((start, found.history[0]), (found.schedule, found.scores)):
        expected = jax.jit(plain(task))(schedule, KEY)["validation"]
        np.testing.assert_allclose(score, expected, rtol=64 * EPSILON)


def test_custom_leaves_and_other_numbers_move_too():
    def train(config, key):
        return on_a_line(lambda t: config["lr"](t) * config["factor"], key)

    config = {
        "lr": js.custom(lambda step, peak: peak + 0 * step, peak=0.1),
        "factor": 1.0,
        "count": 3,
    }
    found = descend(train, config, key=KEY, iterations=5)
    assert list(found.gradients) == ["['factor']", "['lr'].leaves['peak']"]
    assert found.schedule["count"] == 3
    assert found.scores < found.history[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"leaves": [".stat"]},
            r"move '\.stat', did you mean '\.start'\? Known: \.start",
        ),
        ({"leaves": []}, r"No leaf is to move. Known: \.start, \.end, \.steps"),
        ({"leaves": lambda path: False}, "No leaf is to move"),
        ({"domains": {".peak": domain.REAL}}, r"no leaf '\.peak'"),
        ({"domains": {".start": domain.INSIDE}}, r"\.start` must be a number > 0 and"),
        ({"metric": "loss"}, "no metric 'loss'. Known: validation"),
        ({"mode": "least"}, "no mode 'least'. Known: min, max"),
        ({"derivative": "backward"}, "no derivative 'backward'.*Known: auto"),
        ({"iterations": 0}, "at least 1, got 0 and 1"),
        ({"seeds": 0}, "at least 1, got 30 and 0"),
    ],
)
def test_errors_say_what_is_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        descend(train, START.replace(start=3.0), **{"key": KEY, **options})


def test_errors_say_what_is_wrong_with_starts_metrics_and_tasks():
    start = js.linear(jnp.ones(2), jnp.ones(3), 4)
    with pytest.raises(ValueError, match=r"as many starts, got \{'.start': 2, '.end'"):
        descend(train, start, key=KEY)
    with pytest.raises(ValueError, match=r"one for each start, got the shape \(2, 2\)"):
        descend(train, js.constant(jnp.ones((2, 2))), key=KEY)
    with pytest.raises(ValueError, match="'path' is not a scalar"):
        descend(on_a_line, js.constant(1.0), key=KEY, metric="path", mode="min")
    with pytest.raises(ValueError, match=r"the metric 'validation' is \[nan\]\.$"):
        descend(lambda *_: {"validation": jnp.nan}, js.constant(1.0), key=KEY)
    with pytest.raises(ValueError, match=r"no leaf to move '\.times'"):
        descend(train, js.repeat(js.linear(0, 1, 2)), key=KEY, leaves=".times")
    with pytest.raises(TypeError, match="must have `init`, `step`"):
        as_train(train)
    with pytest.raises(ValueError, match="`segment` must be at least 1, got 0"):
        as_train(task_of(3), segment=0)


# --- Every recipe ------------------------------------------------------------------


def train_on(schedule, key):
    """Descent on a curved valley, past the end of most recipes."""

    def step(count, x):
        return x - 0.05 * schedule(count) * jnp.sin(x) * jnp.array([1.0, 0.1])

    x = jax.lax.fori_loop(0, 110, step, jnp.array([1.0, 2.0]))
    return {"validation": jnp.sum(x**2)}


def sides_of(loss, x):
    """The slopes on the two sides of a number; none on a side where the loss jumps."""
    here, size = loss(x), 1e-6 * max(abs(x), 1.0)
    for step in (size, -size):
        whole, half = (float(loss(x + part) - here) for part in (step, step / 2))
        if abs(half) <= 0.8 * abs(whole) + 1e-15:
            yield (4 * half - whole) / step


def is_empty(leaf, path):
    return path.endswith("steps") and leaf == 0


@pytest.mark.parametrize("name", RECIPES)
def test_hypergradients_of_every_recipe_agree_with_differences(name):
    schedule = RECIPES[name].schedule
    leaves, structure = jax.tree.flatten(schedule)
    with jax.enable_x64(True):

        @jax.jit
        def loss(*leaves):
            return train_on(structure.unflatten(leaves), KEY)["validation"]

        slopes = jax.grad(lambda lr: train_on(lr, KEY)["validation"])(schedule)
        paths = jax.tree_util.tree_flatten_with_path(slopes)[0]
        named = {jax.tree_util.keystr(path): np.asarray(x) for path, x in paths}
        descended = descend(train_on, schedule, leaves=everything, **STILL).gradients
        for path, slope in descended.items():
            same = np.reshape(slope, named[path].shape)
            chex.assert_trees_all_close(same, named[path], rtol=1e-6, atol=1e-9)
        slopes = [*named.values()]
        places = [place for place, x in enumerate(leaves) if np.isfinite(x).all()]
        assert len(descended) == len(places)
        # A phase of no steps jumps to its end, or does not.
        places = [
            place for place in places if not is_empty(leaves[place], [*named][place])
        ]
        compared = 0
        for place in places:
            slope = slopes[place]
            for index in np.ndindex(slope.shape):

                def moved(x, place=place, index=index):
                    leaf = np.array(leaves[place], float)
                    leaf[index] = x
                    return loss(*leaves[:place], leaf, *leaves[place + 1 :])

                sides = [*sides_of(moved, np.asarray(leaves[place])[index])]
                slack = 1e-5 * max([*map(abs, sides), 1e-2])
                if sides:
                    assert min(sides) - slack <= slope[index] <= max(sides) + slack
                compared += len(sides)
        assert compared
