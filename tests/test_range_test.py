"""The range test: where it stops, what it keeps, and what is read off its curve."""

import functools
import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxsched as js
from jaxsched.plotting import plot_range_test
from jaxsched.training.sweeps import (
    RangeTest,
    minimum,
    range_test,
    range_test_stream,
    slide,
    steepest,
    suggestions,
    valley,
)


EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)
STEPS = 60
KEY = jax.random.key(0)


def descend(x, batch, rate, curvature=1.0):
    """Gradient descent on a parabola, which is stable at rates below 2 / curvature."""
    return x - rate * curvature * x, curvature * x**2 / 2


def echo(state, batch, rate):
    """Trains nothing: the batches are the losses."""
    return state, batch


def regress(state, batch, rate):
    """One update with noise, momentum and a count: a state of everything."""
    inputs, targets = batch["inputs"], batch["targets"]

    def loss(weights):
        return jnp.mean((inputs @ weights - targets) ** 2)

    key, now = jax.random.split(state["key"])
    value, slope = jax.value_and_grad(loss)(state["weights"])
    velocity = 0.9 * state["velocity"] + slope
    velocity = velocity + 0.01 * jax.random.normal(now, velocity.shape)
    weights = state["weights"] - rate * velocity
    after = {"key": key, "weights": weights, "velocity": velocity}
    return {**after, "count": state["count"] + 1}, value


def task(key=KEY, count=STEPS):
    start, noise, inputs = jax.random.split(key, 3)
    state = {
        "key": noise,
        "weights": jax.random.normal(start, (5,)),
        "velocity": jnp.zeros(5),
        "count": jnp.asarray(0),
    }
    inputs = jax.random.normal(inputs, (count, 64, 5))
    return state, {"inputs": inputs, "targets": jnp.tanh(inputs.sum(axis=2))}


def one_by_one(batches):
    """A generator, whose length nobody knows."""
    for index in range(jax.tree.leaves(batches)[0].shape[0]):
        yield jax.tree.map(lambda leaf, at=index: leaf[at], batches)


def assert_same(ours, theirs, ulps=16):
    chex.assert_trees_all_equal(ours.diverged_at, theirs.diverged_at)
    chex.assert_trees_all_equal_shapes_and_dtypes(ours, theirs)
    chex.assert_trees_all_close(ours, theirs, rtol=ulps * EPSILON)


def until_divergence(losses, smoothing, diverged):
    """The rule as fastai has it, in float64: the averages, and where it stops."""
    average, lowest, smoothed = 0.0, math.inf, []
    for index, loss in enumerate(losses):
        average = smoothing * average + (1 - smoothing) * loss
        smoothed.append(average / (1 - smoothing ** (index + 1)))
        lowest = min(lowest, smoothed[-1])
        if not math.isfinite(loss) or smoothed[-1] > diverged * lowest:
            return smoothed, index
    return smoothed, len(losses)


# The sweep.


@pytest.mark.parametrize("curvature", [0.25, 1.0, 40.0])
def test_a_parabola_diverges_right_after_two_over_its_curvature(curvature):
    stable = 2 / curvature
    result = range_test(
        functools.partial(descend, curvature=curvature),
        1.0,
        start=0.6 * stable,
        end=5 * stable,
        smoothing=0.0,
    )
    rates, at = np.asarray(result.rates), int(result.diverged_at)
    assert stable < rates[at] < 1.25 * stable
    # It is the losses that the rates below lower, and those above raise.
    rises = np.diff(result.losses[: at + 1]) > 0
    np.testing.assert_array_equal(rises, rates[:at] > stable)
    assert np.isfinite(result.losses[: at + 1]).all()
    assert np.isnan(result.losses[at + 1 :]).all()
    np.testing.assert_array_equal(result.smoothed, result.losses)


@pytest.mark.parametrize("smoothing", [0.0, 0.5, 0.98])
@pytest.mark.parametrize("diverged", [1.5, 4.0, math.inf])
def test_it_stops_where_the_rule_says(smoothing, diverged):
    walk = np.random.default_rng(3).normal(-0.02, 0.3, STEPS).cumsum()
    walk[STEPS // 2 :] += np.arange(STEPS // 2) / 3
    losses = np.exp(walk).astype(np.float32)
    seen = range_test(
        echo, 0.0, losses, steps=STEPS, smoothing=smoothing, diverged=diverged
    )
    expected, at = until_divergence(losses.tolist(), smoothing, diverged)
    assert seen.diverged_at == at
    count = len(expected)
    np.testing.assert_array_equal(seen.losses[:count], losses[:count])
    np.testing.assert_allclose(seen.smoothed[:count], expected, rtol=64 * EPSILON)
    assert np.isnan(seen.losses[count:]).all()
    assert np.isnan(seen.smoothed[count:]).all()
    assert (at < STEPS) == (diverged < math.inf)


def test_a_constant_loss_is_its_own_average_from_the_start():
    result = range_test(echo, 0.0, jnp.full(200, 2.5), steps=200)
    np.testing.assert_allclose(result.smoothed, 2.5, rtol=16 * EPSILON)
    assert result.diverged_at == 200


def test_a_loss_below_zero_may_fall_and_not_rise():
    falls = -1 - jnp.arange(30.0)
    keywords = {"steps": 30, "smoothing": 0.0, "diverged": 4.0}
    assert range_test(echo, 0.0, falls, **keywords).diverged_at == 30
    # From -30 three times its size is allowed, so the first above 60 is too much.
    rises = jnp.concatenate([falls[-1:], jnp.asarray([0.0, 59.0, 61.0]), falls[:26]])
    assert range_test(echo, 0.0, rises, **keywords).diverged_at == 3


def test_both_ends_are_reached():
    exponential = range_test(echo, 0.0, jnp.ones(STEPS), steps=STEPS).rates
    np.testing.assert_array_equal(
        exponential, js.exponential(1e-7, 10.0, STEPS - 1)(np.arange(STEPS))
    )
    assert exponential[0] == exponential.dtype.type(1e-7)
    assert exponential[-1] == 10
    linear = range_test(
        echo, 0.0, jnp.ones(STEPS), start=0, end=2, steps=STEPS, spacing="linear"
    ).rates
    np.testing.assert_allclose(linear, np.linspace(0, 2, STEPS), rtol=4 * EPSILON)


def test_the_rates_are_what_the_updates_get():
    def record(state, batch, rate):
        return state, rate

    result = range_test(record, 0.0, steps=STEPS, diverged=math.inf)
    np.testing.assert_array_equal(result.losses, result.rates)


def test_the_state_stays_as_it_is():
    state, batches = task()
    raw = {**state, "key": jax.random.key_data(state["key"])}
    before = jax.tree.map(lambda leaf: np.asarray(leaf).tobytes(), raw)
    range_test(regress, state, batches, steps=STEPS)
    range_test_stream(regress, state, one_by_one(batches), steps=STEPS)
    raw = {**state, "key": jax.random.key_data(state["key"])}
    after = jax.tree.map(lambda leaf: np.asarray(leaf).tobytes(), raw)
    assert before == after


def test_other_numbers_are_no_other_trace():
    state, batches = task()
    step_fn = chex.assert_max_traces(regress, n=1)
    for start, smoothing, diverged in [(1e-5, 0.9, 4), (1e-3, 0.0, math.inf)]:
        range_test(
            *(step_fn, state, batches),
            start=start,
            steps=STEPS,
            smoothing=smoothing,
            diverged=diverged,
        )


def test_a_stream_is_one_trace():
    step_fn = chex.assert_max_traces(descend, n=1)
    for end in (1.0, 10.0):
        range_test_stream(step_fn, 1.0, itertools.repeat(None), end=end, steps=20)


@pytest.mark.parametrize("end", [0.1, 10.0])
def test_a_stream_gives_the_same(end):
    state, batches = task()
    whole = range_test(regress, state, batches, start=1e-4, end=end, steps=STEPS)
    parts = one_by_one(batches)
    stream = range_test_stream(regress, state, parts, start=1e-4, end=end, steps=STEPS)
    assert (20 < whole.diverged_at < STEPS) == (end == 10)
    assert_same(stream, whole)


@pytest.mark.parametrize("end", [0.1, 10.0])
def test_a_stream_is_read_no_further_than_needed(end):
    state, batches = task(count=2 * STEPS)
    reads = itertools.count()
    # Which `zip` counts up only once there was a batch to read.
    stream = (batch for batch, _ in zip(one_by_one(batches), reads, strict=False))
    result = range_test_stream(regress, state, stream, start=1e-4, end=end, steps=STEPS)
    assert next(reads) == min(int(result.diverged_at) + 1, STEPS)


def test_more_batches_than_steps_are_not_used():
    state, batches = task(count=2 * STEPS)
    first = jax.tree.map(lambda leaf: leaf[:STEPS], batches)
    assert_same(
        range_test(regress, state, batches, steps=STEPS),
        range_test(regress, state, first, steps=STEPS),
        ulps=0,
    )


def test_many_sweeps_are_what_each_one_is():
    keys = jax.random.split(KEY, 3)

    def sweep(key):
        state, batches = task(key)
        return range_test(regress, state, batches, start=1e-4, steps=STEPS)

    band = jax.jit(jax.vmap(sweep))(keys)
    assert band.losses.shape == (3, STEPS)
    assert np.all((band.diverged_at > 20) & (band.diverged_at < STEPS))
    single = [sweep(key) for key in keys]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *single)
    # What is about to diverge amplifies what rounding there is.
    assert_same(band, stacked, ulps=2**10)


def test_every_number_may_be_traced():
    state, batches = task()

    def sweep(start, end, smoothing, diverged):
        return range_test(
            *(regress, state, batches),
            start=start,
            end=end,
            steps=STEPS,
            smoothing=smoothing,
            diverged=diverged,
        )

    numbers = [(1e-4, 0.01, 0.9, 4.0), (1e-3, 0.02, 0.0, 2.0)]
    columns = [jnp.asarray(column) for column in zip(*numbers, strict=True)]
    traced = jax.jit(jax.vmap(sweep))(*columns)
    single = [sweep(*row) for row in numbers]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *single)
    assert_same(traced, stacked, ulps=2**8)


# The end of it.


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 1, 7, STEPS - 1])
def test_a_loss_that_is_not_finite_ends_it(bad, at):
    losses = jnp.ones(STEPS).at[at].set(bad)
    sweep = functools.partial(range_test, echo, 0.0, steps=STEPS, diverged=math.inf)
    scanned = sweep(losses)
    streamed = range_test_stream(
        echo, 0.0, list(losses), steps=STEPS, diverged=math.inf
    )
    batched = jax.vmap(sweep)(jnp.stack([losses, jnp.ones(STEPS)]))
    for result in (scanned, streamed, jax.tree.map(lambda leaf: leaf[0], batched)):
        assert result.diverged_at == at
        np.testing.assert_array_equal(result.losses[: at + 1], losses[: at + 1])
        assert np.isnan(result.losses[at + 1 :]).all()
        assert np.isfinite(result.smoothed[:at]).all()
        assert not np.isfinite(result.smoothed[at:]).any()
    assert batched.diverged_at[1] == STEPS
    np.testing.assert_array_equal(batched.smoothed[1], 1.0)


def test_nothing_is_computed_after_the_end():
    seen = []

    def recorded(x, batch, rate):
        jax.debug.callback(lambda x: seen.append(float(x)), x)
        return descend(x, batch, rate)

    result = range_test(recorded, 1.0, start=0.5, smoothing=0.0)
    jax.effects_barrier()
    assert len(seen) == result.diverged_at + 1 < 100


def test_no_update_starts_from_what_is_not_finite():
    seen = []

    def explode(x, batch, rate):
        jax.debug.callback(lambda x: seen.append(float(x)), x)
        return x * 1e30, x**2

    result = jax.vmap(lambda x: range_test(explode, x, steps=20, diverged=math.inf))(
        jnp.asarray([1.0, 1e-6])
    )
    jax.effects_barrier()
    assert np.all(result.diverged_at < 20)
    assert len(seen) == 2 * 20
    assert np.isfinite(seen).all()


# What is wrong with a call.


def test_too_few_batches_are_counted():
    few = {"inputs": jnp.ones((100, 2)), "targets": jnp.ones(64)}
    message = r"100 steps need 100 batches, but `batches\['targets'\]` has 64"
    with pytest.raises(ValueError, match=message):
        range_test(regress, 0.0, few)
    with pytest.raises(ValueError, match=r"100 batches, .* has no leading axis"):
        range_test(echo, 0.0, 1.0)
    message = "100 steps need 100 batches, but `batches` has 3"
    with pytest.raises(ValueError, match=message):
        range_test_stream(echo, 0.0, iter([1.0, 2.0, 3.0]))

    def never(*given):
        raise AssertionError

    # A length that is known is looked at before anything is trained.
    with pytest.raises(ValueError, match=message):
        range_test_stream(never, 0.0, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("sweep", [range_test, range_test_stream])
@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"start": 0}, ValueError, "`start` must be a finite number > 0, got 0"),
        ({"start": -1, "spacing": "linear"}, ValueError, "`start` .* >= 0, got -1"),
        ({"end": math.inf}, ValueError, "`end` must be a finite number > 0, got inf"),
        ({"start": 2, "end": 2}, ValueError, "`end` .* more than `start`, got 2 and 2"),
        ({"steps": 1}, ValueError, "`steps` must be at least 2, got 1"),
        ({"steps": 2.5}, TypeError, "`steps` must be a whole number, .* got 2.5"),
        ({"smoothing": 1}, ValueError, "`smoothing` .* >= 0 and < 1, got 1"),
        ({"smoothing": -0.1}, ValueError, "`smoothing` .* >= 0 and < 1, got -0.1"),
        ({"diverged": 1}, ValueError, "`diverged` .* > 1, `inf` included, got 1"),
        ({"spacing": "expo"}, ValueError, "no spacing 'expo'. Known: exponential, li"),
        ({"stpes": 9}, TypeError, r"'stpes'.* Did you mean 'steps'\?"),
    ],
)
def test_bad_numbers_are_named(sweep, changes, kind, message):
    with pytest.raises(kind, match=message):
        sweep(echo, 0.0, jnp.ones(100), **changes)


def test_the_number_of_steps_is_no_traced_one():
    with pytest.raises(TypeError, match="`steps` must be a whole number, and not trac"):
        jax.jit(lambda steps: range_test(descend, 1.0, steps=steps))(10)


@pytest.mark.parametrize("sweep", [range_test, range_test_stream])
@pytest.mark.parametrize(
    ("step_fn", "message"),
    [
        (lambda x, batch, rate: x, r"must return `\(state, loss\)`, got"),
        (lambda x, batch, rate: (x, x), r"scalar loss, got one of shape \(3,\)"),
        (
            lambda x, batch, rate: (x[:2], x.sum()),
            r"a state like the one it got, of \['float.*\[3\]'\] in .*\[2\]'\]",
        ),
        (lambda x, batch, rate: ((x,), x.sum()), "a state like the one it got"),
        (lambda x, batch, rate: (x.astype(bool), x.sum()), "a state like the one"),
    ],
)
def test_a_step_function_must_be_one(sweep, step_fn, message):
    with pytest.raises(TypeError, match=message):
        sweep(step_fn, jnp.ones(3), jnp.ones(100))


# Suggestions.


INDEX = np.arange(100)
RATES = 1e-7 * 1e8 ** (INDEX / 100)
FALL = 2.3 - 2 / (1 + np.exp(-3 * (np.log10(RATES) + 2.5)))
CURVES = {
    "smooth": FALL + 0.01 * RATES**2,
    "wavy": FALL + 0.01 * RATES**2 + 0.03 * np.sin(1.7 * INDEX),
    "bumpy": FALL + 0.05 * RATES + 0.4 * np.cos(INDEX / 5) ** 2,
    "rough": FALL + 0.02 * RATES + 0.2 * ((INDEX**3 % 101) / 101 - 0.5),
    "falling": FALL,
    "rising": 1 + np.log10(RATES) / 10 + 0.02 * np.sin(INDEX),
    "short": (FALL + 30 * RATES**2)[:78],
}

RULES = {
    "steep": steepest,
    "valley": valley,
    "minimum": minimum,
    "slide": slide,
    "torch-lr-finder": functools.partial(steepest, per="index"),
    "lightning": functools.partial(steepest, per="rate"),
    "ignite": functools.partial(steepest, per="descent"),
}

# What fastai 2.8.12, torch-lr-finder 0.2.2, Lightning 2.6.6 and Ignite 0.5.5 make of
# these curves; `None` is an error.
PEERS = {
    "smooth": (3.0200e-3, 3.9811e-4, 4.3652e-2, 1e-3, 3.0200e-3, 6.9183e-4, 3.0200e-3),
    "wavy": (
        *(3.6308e-3, 1.9055e-2, 5.2481e-2, 1.2023e-1),
        *(3.6308e-3, 1.0965e-6, 3.6308e-3),
    ),
    "bumpy": (
        *(1.2023e-3, 2.2909e-2, 7.5858e-2, 8.3176e-2),
        *(1.4454e-3, 3.3113e-6, 1.4454e-3),
    ),
    "rough": (
        *(4.3652e-3, 5.7544e-2, 3.6308e-2, 4.3652e-5),
        *(6.3096e-7, 6.3096e-7, 1.2023e-3),
    ),
    "falling": (
        *(3.0200e-3, 1.2023e-3, 3.3113e-1, 2.0893e-1),
        *(3.0200e-3, 6.9183e-4, 3.0200e-3),
    ),
    "rising": (
        *(1.7378e-1, 4.3652e-5, 7.5858e-8, 5.7544e-2),
        *(5.7544e-6, 1.9055e-6, None),
    ),
    "short": (
        *(3.0200e-3, 1.3183e-4, 3.9811e-3, 6.9183e-6),
        *(3.0200e-3, 6.9183e-4, 3.0200e-3),
    ),
}


def curve(losses, rates=RATES):
    """What a sweep would have returned, the last loss being the one too many."""
    full = np.full(len(rates), np.nan)
    full[: len(losses)] = losses
    at = len(losses) - (len(losses) < len(rates))
    return RangeTest(rates, full, full, np.asarray(at))


@pytest.mark.parametrize("name", CURVES)
def test_rules_say_what_their_sources_say(name):
    result = curve(CURVES[name])
    for rule, expected in zip(RULES, PEERS[name], strict=True):
        if expected is None:
            with pytest.raises(ValueError, match="no descent"):
                RULES[rule](result)
        else:
            assert f"{RULES[rule](result):.4e}" == f"{expected:.4e}", rule


def longest_valley(losses):
    """The index, out of the descending subsequences themselves."""
    best = [1]
    for end in range(1, len(losses)):
        above = [best[i] for i in range(end) if losses[i] > losses[end]]
        best.append(1 + max(above, default=0))
    length = max(best)
    if length == 1:
        return 0
    begin = best.index(length) - length
    return max(begin + math.floor(length / 3) + math.floor(length / 6), 0)


def slopes_of(points, losses):
    """Of the parabola through each point and its neighbours; of lines at the ends."""
    slopes = [(losses[1] - losses[0]) / (points[1] - points[0])]
    for i in range(1, len(points) - 1):
        (x, y, z), (f, g, h) = points[i - 1 : i + 2], losses[i - 1 : i + 2]
        slopes.append(
            f * (y - z) / ((x - y) * (x - z))
            + g * (2 * y - x - z) / ((y - x) * (y - z))
            + h * (y - x) / ((z - x) * (z - y))
        )
    return [*slopes, (losses[-1] - losses[-2]) / (points[-1] - points[-2])]


def slid(losses, distance, threshold):
    """The index, step by step."""
    slopes = slopes_of(range(len(losses)), losses)
    low = found = len(losses) - 1 - distance
    while low >= 0 and abs(slopes[low + distance] - slopes[low]) > threshold:
        found, low = low, low - 1
    return found


@pytest.mark.parametrize("seed", range(20))
def test_rules_are_their_definitions(seed):
    random = np.random.default_rng(seed)
    losses = random.normal(-0.01, 0.3, 100).cumsum() + random.normal(0, 0.1, 100)
    result, looked_at, rates = curve(losses), losses[10:-5].tolist(), RATES[10:-5]
    assert valley(result) == rates[longest_valley(looked_at)]
    for distance, threshold in [(15, 0.005), (3, 0.3), (1, 0.05)]:
        found = slide(result, distance=distance, threshold=threshold, factor=2.0)
        assert found == 2 * rates[slid(looked_at, distance, threshold)]
    assert minimum(result) == rates[np.argmin(looked_at)] / 10
    falls = np.diff(looked_at) / np.log(rates[1:] / rates[:-1])
    assert steepest(result) == rates[falls.argmin()]
    by_index = np.argmin(slopes_of(INDEX[10:-5], looked_at))
    assert steepest(result, per="index") == rates[by_index]
    by_rate = np.argmin(slopes_of(RATES[10:-1], losses[10:-1]))
    assert steepest(result, per="rate") == RATES[10:-1][by_rate]
    lowest = int(losses.argmin())
    if lowest > 1:
        in_descent = np.argmin(slopes_of(INDEX, losses)[1:lowest]) + 1
        assert steepest(result, per="descent") == RATES[in_descent]


@pytest.mark.parametrize("steps", [100, 150])
@pytest.mark.parametrize(
    ("per", "share", "start", "end"),
    [
        ("log_rate", 0.1, 0, 5),
        ("index", 0, 10, 5),
        ("rate", 0, 10, 1),
        ("descent", 0, 0, 0),
    ],
)
def test_a_rule_skips_what_its_source_does(per, share, start, end, steps):
    rates = np.linspace(1, 2, steps)
    first, last = start + int(share * steps), steps - 1 - end

    def found(cliff):
        """What is suggested where the loss falls by one at an index."""
        losses = -1e-3 * np.tanh(10 * rates - 15) - (np.arange(steps) >= cliff)
        return np.searchsorted(rates, steepest(curve(losses, rates), per=per))

    assert first <= found(first + 1) <= first + 1
    assert last - 1 <= found(last) <= last
    # One that is not seen leaves the middle.
    assert {*map(found, (first, last + 1))} <= {*range(steps // 2 - 2, steps // 2 + 2)}


def test_a_valley_of_two_points_is_not_the_highest_rate():
    losses = np.r_[2.0, 1.0, np.linspace(3, 9, 30)]
    rates = np.geomspace(1e-3, 1, 32)
    assert valley(curve(losses, rates), skip_start=0, skip_end=0) == rates[0]


def test_all_suggestions_by_name():
    result = curve(CURVES["smooth"])
    found = suggestions(result)
    assert found == {
        "steepest": steepest(result),
        "valley": valley(result),
        "minimum": minimum(result),
        "slide": slide(result),
    }
    assert all(type(rate) is float for rate in found.values())
    cut = suggestions(result, skip_start=40, skip_end=30)
    assert cut["minimum"] == RATES[69] / 10


def test_what_has_too_few_points_is_left_out():
    steps = [*range(1, 6), 10, 17, 25, 30]
    count = {
        seen: len(suggestions(curve(CURVES["smooth"][:seen]), skip_start=0))
        for seen in steps
    }
    assert count == {1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 10: 3, 17: 3, 25: 4, 30: 4}
    message = "at least 16 points is needed, and 2 are left: the sweep made 17 of 100"
    with pytest.raises(ValueError, match=message):
        slide(curve(CURVES["smooth"][:17]))


def test_a_sweep_that_diverged_at_once_suggests_nothing():
    result = range_test(echo, 0.0, jnp.full(100, jnp.nan))
    assert suggestions(result) == {}
    with pytest.raises(ValueError, match="1 of 100 updates"):
        valley(result)


def test_bad_rules_are_named():
    result = curve(CURVES["smooth"])
    with pytest.raises(ValueError, match="no derivative 'rates', did you mean 'rate'"):
        steepest(result, per="rates")
    with pytest.raises(ValueError, match="at least 0, got -1 and 5"):
        valley(result, skip_start=-1)
    with pytest.raises(ValueError, match="`distance` must be at least 1, got 0"):
        slide(result, distance=0)


def test_a_rate_of_zero_is_no_warning():
    rates = np.linspace(0, 1, 100)
    result = curve((rates - 0.5) ** 2, rates)
    assert len(suggestions(result, skip_start=0)) == 4


def stack(*results):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *results)


def test_a_band_is_read_at_its_mean():
    one, other = (curve(CURVES[name]) for name in ("smooth", "wavy"))
    mean = curve((CURVES["smooth"] + CURVES["wavy"]) / 2)
    assert suggestions(stack(one, one, one)) == suggestions(one)
    assert suggestions(stack(one, other)) == suggestions(mean)
    assert suggestions(stack(stack(one, other), stack(other, one))) == suggestions(mean)


def test_a_sweep_that_ends_early_makes_no_cliff():
    high = curve(CURVES["smooth"][:50] + 100)
    low = curve(CURVES["smooth"])
    found = suggestions(stack(high, low))
    assert found == suggestions(curve(CURVES["smooth"][:50]))
    assert found["steepest"] < RATES[45]


def test_sweeps_at_different_rates_have_no_mean():
    one, other = curve(FALL), curve(FALL, 2 * RATES)
    with pytest.raises(ValueError, match="where their rates are the same"):
        suggestions(stack(one, other))


# The picture.


def saved(axes, path):
    axes.figure.savefig(path / "figure.png")
    return (path / "figure.png").stat().st_size > 1000


def test_a_picture_of_one_sweep(tmp_path):
    result = curve(CURVES["bumpy"])
    axes = plot_range_test(result)
    assert axes.get_xscale() == "log"
    raw, mean, *marks = axes.get_lines()
    np.testing.assert_array_equal(raw.get_ydata(), result.losses)
    np.testing.assert_array_equal(mean.get_ydata(), result.smoothed)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [f"{name} {x:.2g}" for name, x in suggestions(result).items()]
    assert [mark.get_xdata()[0] for mark in marks[1::2]] == [
        *suggestions(result).values()
    ]
    assert not axes.collections
    assert saved(axes, tmp_path)


def test_a_picture_of_a_band(tmp_path):
    losses = [CURVES[name].copy() for name in ("smooth", "wavy", "short")]
    losses[2][-1] = 9.0
    band = stack(*map(curve, losses))
    axes = plot_range_test(band, {"mine": 1e-3})
    assert len(axes.collections) == 1
    *raw, mean, line, dot = axes.get_lines()
    assert len(raw) == 3
    assert len(mean.get_xdata()) == 78
    np.testing.assert_allclose(line.get_xdata(), 1e-3)
    np.testing.assert_allclose(
        dot.get_ydata()[0], band.smoothed[:, 50].mean(), rtol=1e-6
    )
    # The end of the short one would leave nothing to see of the others.
    assert axes.get_ylim()[1] < 4
    assert saved(axes, tmp_path)


@pytest.mark.parametrize("end", [math.nan, 1e30])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_a_picture_of_what_diverged(end, count, tmp_path):
    losses = jnp.ones(100).at[count].set(end)
    result = range_test(echo, 0.0, losses, smoothing=0.0, diverged=math.inf)
    axes = plot_range_test(result)
    assert np.isfinite(axes.get_ylim()).all()
    assert saved(axes, tmp_path)


def test_axes_that_are_given_are_drawn_on():
    axes = Figure().add_subplot()
    result = curve(CURVES["smooth"])
    assert plot_range_test(result, {}, axes) is axes
    assert len(axes.get_lines()) == 2
    assert axes.get_legend() is None


def test_as_many_rates_are_marked_as_are_given():
    marks = {f"rate {index}": RATES[index] for index in range(10, 30)}
    axes = plot_range_test(curve(CURVES["smooth"]), marks)
    assert len(axes.get_legend().get_texts()) == 20
