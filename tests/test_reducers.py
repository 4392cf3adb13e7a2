"""Reducers: what the peers answer to the same metrics, and what JAX asks of them."""

import itertools
import json
import os
import pickle
import random
import types
import warnings
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import jaxsched as js
from jaxsched.training.reducers import (
    Reducer,
    adaptive_kl,
    greedy,
    new_bob,
    plateau,
    reducing,
)
from jaxsched.tree import hypers


NAN, INF = float("nan"), float("inf")


@jax.jit
def follow(reducer, metrics):
    """The state after each of the metrics."""

    def evaluate(state, metric):
        state = reducer.update(state, metric)
        return state, state

    return jax.lax.scan(evaluate, reducer.init(), metrics)[1]


def scales(reducer, metrics):
    return np.asarray(follow(reducer, np.asarray(metrics, float)).scale)


def walk(rng, length, mode="min", *, missing=0.05):
    """Positive metrics that improve at first and then hardly, with some that are NaN.

    They are exact in float32, so that a peer compares the same numbers in float64.
    """
    level, metrics = 40.0, []
    for _ in range(length):
        level = max(1.0, level + rng.choice([-4.0, -1.0, -0.25, 0.0, 0.0, 0.5, 2.0]))
        metrics.append(NAN if rng.random() < missing else level)
    return metrics if mode == "min" else [100 - metric for metric in metrics]


def agree(reducer, metrics, rates):
    """Asserts that a peer's rates are ours, until float32 has no such number."""
    np.testing.assert_allclose(
        scales(reducer, metrics), rates, rtol=1e-5, atol=1e-37, err_msg=str(reducer)
    )


KINDS = {
    "torch": plateau(0.5, patience=1, cooldown=1, floor=0.1),
    "keras": plateau(0.5, patience=2, cooldown=1, floor=0.1, convention="keras"),
    "optax": plateau(0.5, patience=2, cooldown=1, floor=0.1, convention="optax"),
    "max": plateau(0.5, patience=1, mode="max", threshold_mode="absolute"),
    "new_bob": new_bob(0.5, threshold=0.05, patience=1),
    "greedy": greedy(
        *(0.5,),
        patience=1,
        cooldown=1,
        warmup=1,
        lowest=0.25,
        highest=4.0,
        reset_after=2,
        window=3,
    ),
    "adaptive_kl": adaptive_kl(12.0, lowest=0.1, highest=4.0),
}


# --- The peers ------------------------------------------------------------------------

FILE = Path(__file__).parent / "goldens" / "peers.json"
GOLDENS = {
    (case["peer"], case["case"]): case["values"]
    for case in json.loads(FILE.read_text())["cases"]
    if case.get("no_schedule") == "it is driven by a metric"
}

NEGATIVE = [-1.0, -1.05, -1.1, -1.15, -1.2]

OURS = {
    ("torch", "ReduceLROnPlateau patience=2 cooldown=2"): (
        plateau(0.5, patience=2, cooldown=2),
        [1.0] * 14,
    ),
    ("torch", "ReduceLROnPlateau patience=0"): (plateau(0.5, patience=0), [1.0] * 5),
    ("torch", "nan metric"): (plateau(0.5, patience=1), [1.0, NAN] * 4),
    ("optax", "optax patience=2"): (
        plateau(0.5, patience=2, convention="optax"),
        [1.0] * 10,
    ),
    ("optax", "optax patience=2 cooldown=2"): (
        plateau(0.5, patience=2, cooldown=2, convention="optax"),
        [1.0] * 14,
    ),
    # With `rtol=0.1`, Optax asks for less than 0.9 * -1 = -0.9 after a best of -1, and
    # finds that in whatever is not much worse: in each of these, as without threshold.
    ("optax", "optax neg metric rtol .1"): (
        plateau(0.5, patience=1, threshold=0.0, convention="optax"),
        NEGATIVE,
    ),
    ("paddle", "ReduceOnPlateau p2 c2"): (
        plateau(0.5, patience=2, cooldown=2),
        [1.0] * 14,
    ),
}


def test_every_golden_is_covered():
    assert OURS.keys() == GOLDENS.keys()


@pytest.mark.parametrize(("peer", "case"), OURS)
def test_agrees_with_the_peers_own_numbers(peer, case):
    reducer, metrics = OURS[peer, case]
    np.testing.assert_allclose(
        scales(reducer, metrics), GOLDENS[peer, case], rtol=1e-6, atol=0
    )


def test_a_tenth_better_than_a_negative_best_is_a_tenth_below_it():
    # The metrics of Optax's golden, with its threshold: -1.05 is not less than -1.1,
    # nor is -1.1, but -1.15 is; and -1.2 is not less than -1.265.
    reducer = plateau(0.5, patience=1, threshold=0.1, convention="optax")
    expected = [1.0, 0.5, 0.25, 0.25, 0.125]
    np.testing.assert_array_equal(scales(reducer, NEGATIVE), expected)


STALLING = [8, 7, 6, 5, *[4] * 14, 3, 2, 1]

RECORDED = {
    "Keras 3.15, patience=2, cooldown=2": (
        plateau(0.5, patience=2, cooldown=2, convention="keras"),
        [1] * 14,
        [1, 1, *[1 / 2] * 3, *[1 / 4] * 3, *[1 / 8] * 3, *[1 / 16] * 3],
    ),
    "Keras 3.15, patience=0": (
        plateau(0.5, patience=0, convention="keras"),
        [1] * 6,
        [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32],
    ),
    "Keras 3.15, max, min_delta=0.1, min_lr=0.2": (
        plateau(
            *(0.5,),
            patience=2,
            mode="max",
            threshold=0.1,
            floor=0.2,
            convention="keras",
        ),
        [1, 2, 1.5, 2.05, 2.2, 2.25, 2.2, 3, 3, 3],
        [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2],
    ),
    "Transformers 5.23, counters and a reset": (
        greedy(
            *(0.5,),
            patience=1,
            cooldown=1,
            warmup=1,
            lowest=0.25,
            highest=2,
            reset_after=2,
        ),
        STALLING,
        [1, *[2] * 6, *[1] * 3, *[0.5] * 3, *[0.25] * 3, *[1] * 3, 2, 2],
    ),
    "Transformers 5.23, smooth": (
        greedy(
            *(0.5,),
            patience=0,
            lowest=0.25,
            highest=8,
            reset_after=3,
            window=3,
        ),
        STALLING,
        [2, 4, *[8] * 5, 4, 2, 1, 0.5, 0.25, 0.25, 1, 2, 1, 0.5, 0.25, 0.5, 1, 2],
    ),
    # Its best is not 4, met in a warmup; and the rise at 8 begins the count anew.
    "Transformers 5.23, warmup and a count begun again": (
        greedy(
            *(0.5,),
            patience=0,
            warmup=2,
            lowest=0.5,
            highest=2,
            reset_after=2,
        ),
        [10, 5, 4, 9, 20, 20, 20, 20, 8, 20, 20, 20, 20, 20],
        [2, 2, 2, 2, 2, 2, 1, 0.5, 1, 1, 1, 0.5, 1, 2],
    ),
    "the docstring of SpeechBrain's NewBobScheduler": (
        new_bob(),
        [10, 2, 2.5],
        [1, 1, 0.5],
    ),
}


@pytest.mark.parametrize("case", RECORDED)
def test_agrees_with_what_the_peers_answered(case):
    reducer, metrics, expected = RECORDED[case]
    np.testing.assert_allclose(scales(reducer, metrics), expected, rtol=1e-6)


def test_agrees_with_optax_itself():
    rng = random.Random(0)
    metrics = np.array([walk(rng, 60) for _ in range(4)])
    axes = np.meshgrid([0.0, 1, 2, 5], [0.0, 1, 3], [0.0, 0.2], range(4))
    patience, cooldown, floor, row = (axis.ravel() for axis in axes)
    fed = metrics[row.astype(int)]

    def theirs(patience, cooldown, floor, metrics):
        transformation = optax.contrib.reduce_on_plateau(
            0.5, patience, rtol=0.05, cooldown=cooldown, min_scale=floor
        )

        def evaluate(state, metric):
            update, state = transformation.update(jnp.ones(()), state, value=metric)
            return state, update

        return jax.lax.scan(evaluate, transformation.init(jnp.ones(())), metrics)[1]

    def ours(patience, cooldown, floor, metrics):
        reducer = plateau(
            *(0.5,),
            patience=patience,
            threshold=0.05,
            cooldown=cooldown,
            floor=floor,
            convention="optax",
        )
        return follow(reducer, metrics).scale

    with jax.numpy_dtype_promotion("standard"):
        expected = jax.jit(jax.vmap(theirs))(patience, cooldown, floor, fed)
    answered = jax.jit(jax.vmap(ours))(patience, cooldown, floor, fed)
    assert len(np.unique(expected)) > 5
    np.testing.assert_array_equal(answered, expected)


def rate_of(scheduler):
    return scheduler.optimizer.param_groups[0]["lr"]


def scheduled(kind, **arguments):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    # Changes of less than `eps` are not made, and a reducer does not know the rate.
    return kind(optimizer, eps=0.0, **arguments)


def stepped(scheduler, metrics):
    rates = []
    for metric in metrics:
        scheduler.step(metric)
        rates.append(rate_of(scheduler))
    return rates


def shifted(rng, metrics, threshold_mode):
    """Makes some negative, but for relative thresholds: of those we do not agree."""
    shift = 0.0 if threshold_mode == "relative" else rng.choice([0.0, -60.0])
    return [metric + shift for metric in metrics]


MODES = [(m, t) for m in ("min", "max") for t in ("relative", "absolute")]


@pytest.mark.live
@pytest.mark.parametrize(("mode", "threshold_mode"), MODES)
def test_agrees_with_torch_itself(mode, threshold_mode):
    lr_scheduler = pytest.importorskip("torch.optim.lr_scheduler")
    rng = random.Random(mode + threshold_mode)
    for _ in range(40):
        given = {
            "factor": rng.choice([0.1, 0.5, 0.9]),
            "patience": rng.randrange(5),
            "threshold": rng.choice([0.0, 1e-4, 0.0371, 0.3]),
            "cooldown": rng.randrange(4),
        }
        floor = rng.choice([0.0, 0.05])
        metrics = shifted(rng, walk(rng, 80, mode), threshold_mode)
        theirs = scheduled(
            lr_scheduler.ReduceLROnPlateau,
            mode=mode,
            threshold_mode=threshold_mode[:3],
            min_lr=floor,
            **given,
        )
        reducer = plateau(
            mode=mode, threshold_mode=threshold_mode, floor=floor, **given
        )
        agree(reducer, metrics, stepped(theirs, metrics))


@pytest.mark.live
@pytest.mark.parametrize(("mode", "threshold_mode"), MODES)
def test_agrees_with_transformers_itself(mode, threshold_mode):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimization = pytest.importorskip("transformers.optimization")
    rng = random.Random(mode + threshold_mode)
    resets = 0
    for _ in range(40):
        given = {
            "factor": rng.choice([0.5, 0.8]),
            "patience": rng.randrange(4),
            "threshold": rng.choice([1e-6, 0.0371]),
            "cooldown": rng.randrange(3),
            "warmup": rng.randrange(3),
        }
        lowest, highest = rng.choice([0.1, 0.4]), rng.choice([1.0, 3.0])
        reset_after, window = rng.choice([1, 3, 500]), rng.choice([1, 4])
        # One NaN makes its smoothed metric NaN for ever.
        missing = 0.05 if window == 1 else 0.0
        metrics = walk(rng, 100, mode, missing=missing)
        metrics = shifted(rng, metrics, threshold_mode)
        theirs = scheduled(
            optimization.GreedyLR,
            mode=mode,
            threshold_mode=threshold_mode[:3],
            min_lr=lowest,
            max_lr=highest,
            reset_start=reset_after,
            smooth=window > 1,
            window_size=window,
            **given,
        )
        reducer = greedy(
            mode=mode,
            threshold_mode=threshold_mode,
            lowest=lowest,
            highest=highest,
            reset_after=reset_after,
            window=window,
            **given,
        )
        expected = stepped(theirs, metrics)
        resets += any(
            after == 1.0 and before <= lowest
            for before, after in itertools.pairwise(expected)
        )
        agree(reducer, metrics, expected)
    assert resets > 1


@pytest.mark.live
@pytest.mark.parametrize("mode", ["min", "max"])
def test_agrees_with_keras_itself(mode, monkeypatch):
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "jax")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras")
    rng = random.Random(mode)
    for _ in range(40):
        factor, floor = rng.choice([0.1, 0.5, 0.9]), rng.choice([0.0, 0.05])
        patience, cooldown = rng.randrange(5), rng.randrange(4)
        threshold = rng.choice([0.0, 1e-4, 0.371])
        # A NaN that comes first stays the best for ever, there.
        metrics = shifted(rng, [50.0, *walk(rng, 80, mode)], "absolute")
        callback = keras.callbacks.ReduceLROnPlateau(
            "m", factor, patience, 0, mode, threshold, cooldown, floor
        )
        optimizer = types.SimpleNamespace(learning_rate=1.0)
        callback.set_model(types.SimpleNamespace(optimizer=optimizer))
        callback.on_train_begin()
        expected = []
        for epoch, metric in enumerate(metrics):
            callback.on_epoch_end(epoch, {"m": metric})
            expected.append(float(optimizer.learning_rate))
        reducer = plateau(
            factor,
            patience=patience,
            mode=mode,
            threshold=threshold,
            cooldown=cooldown,
            floor=floor,
            convention="keras",
        )
        agree(reducer, metrics, expected)


def new_bob_rates(metrics, factor, threshold, patience):
    """What SpeechBrain's rule says, for metrics that are positive."""
    rate, patient, rates = 1.0, patience, [1.0]
    for previous, metric in itertools.pairwise(metrics):
        if (previous - metric) / previous < threshold:
            if patient == 0:
                rate, patient = rate * factor, patience
            else:
                patient -= 1
        rates.append(rate)
    return rates


def test_new_bob_is_speechbrains_rule():
    rng = random.Random(0)
    for _ in range(20):
        metrics = walk(rng, 50, missing=0.0)
        rules = rng.choice([0.5, 0.9]), rng.choice([0.0, 0.0371]), rng.randrange(4)
        factor, threshold, patience = rules
        reducer = new_bob(factor, threshold=threshold, patience=patience)
        agree(reducer, metrics, new_bob_rates(metrics, *rules))


# --- Metrics of any kind --------------------------------------------------------------


@pytest.mark.parametrize("convention", ["torch", "keras", "optax"])
@pytest.mark.parametrize("threshold_mode", ["relative", "absolute"])
def test_more_is_better_of_the_negatives(convention, threshold_mode):
    rng = random.Random(0)
    metrics = np.array(walk(rng, 60)) - 20
    less, more = (
        plateau(
            *(0.5,),
            patience=2,
            mode=mode,
            threshold=0.1,
            threshold_mode=threshold_mode,
            cooldown=1,
            convention=convention,
        )
        for mode in ("min", "max")
    )
    assert scales(less, metrics)[-1] < 1
    np.testing.assert_array_equal(scales(less, metrics), scales(more, -metrics))


@pytest.mark.parametrize("mode", ["min", "max"])
def test_nothing_worse_is_an_improvement_whatever_the_sign(mode):
    reducer = plateau(0.5, patience=0, mode=mode, threshold=0.1)
    step = 1.0 if mode == "min" else -1.0
    worse = step * np.arange(-2.0, 3.0)
    np.testing.assert_array_equal(scales(reducer, worse), 0.5 ** np.arange(5))
    np.testing.assert_array_equal(scales(reducer, worse[::-1]), np.ones(5))


def test_a_relative_threshold_is_a_fraction_of_the_magnitude_for_greedy_and_new_bob():
    metrics = [-10.0, -10.5, -11.5]
    greedily = greedy(
        *(0.5,),
        patience=0,
        threshold=0.1,
        threshold_mode="relative",
        lowest=0.1,
        highest=8,
    )
    np.testing.assert_array_equal(scales(greedily, metrics), [2, 1, 2])
    previous = new_bob(0.5, threshold=0.07)
    np.testing.assert_array_equal(scales(previous, metrics), [1, 0.5, 0.5])


def test_new_bob_improves_on_zero_by_any_amount_but_none():
    metrics = [0.0, 0.0, 1.0, 0.0, -1e-20]
    np.testing.assert_array_equal(
        scales(new_bob(), metrics), [1, 0.5, 0.25, 0.25, 0.25]
    )


def test_new_bob_lowers_the_rate_of_what_stays_infinite():
    metrics = [INF, INF, INF, 3.0, INF, INF, 2.0, -INF, -INF]
    expected = [1, 0.5, 0.25, 0.25, 0.125, 0.0625, 0.0625, 0.0625, 0.03125]
    np.testing.assert_array_equal(scales(new_bob(), metrics), expected)
    states = follow(new_bob(), np.array(metrics))
    chex.assert_tree_all_finite(jax.tree.map(lambda leaf: leaf[1:], states))


@pytest.mark.parametrize("name", KINDS)
def test_nan_is_no_improvement_and_never_kept(name):
    states = follow(KINDS[name], np.array([NAN, 9.0, NAN, 8.0, NAN, 7.0, NAN, NAN]))
    assert not any(np.isnan(leaf).any() for leaf in jax.tree.leaves(states[:3]))
    if name == "greedy":
        np.testing.assert_array_equal(states.recent[-1], [9, 8, 7])
    elif name in ("torch", "keras", "optax"):
        np.testing.assert_array_equal(states.best, [INF, 9, 9, 8, 8, 7, 7, 7])
    elif name == "new_bob":
        np.testing.assert_array_equal(states.previous, [INF, 9, 9, 8, 8, 7, 7, 7])
    elif name == "adaptive_kl":
        assert states.scale[0] == 1
        np.testing.assert_array_equal(states.scale[2::2], states.scale[1:-1:2])


@pytest.mark.parametrize(
    "reducer",
    [
        plateau(0.5, patience=1),
        plateau(0.5, patience=1, convention="keras"),
        new_bob(),
        greedy(0.5, patience=0, lowest=0.01, highest=2),
    ],
)
def test_a_loss_that_stays_nan_lowers_the_rate(reducer):
    assert scales(reducer, [3.0, *[NAN] * 4])[-1] < 0.5


def test_adaptive_kl_lowers_and_raises_and_holds():
    reducer = adaptive_kl(0.01, factor=2, tolerance=4, lowest=0.2, highest=1.5)
    divergences = [0.041, 0.039, 0.01, 0.0026, NAN, 1.0, 1.0, 1.0, 0.0024, 0.0, 1e-9]
    expected = [0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.2, 0.2, 0.4, 0.4, 0.8]
    np.testing.assert_allclose(scales(reducer, divergences), expected, rtol=1e-6)


def test_greedy_never_resets_if_so_told():
    reducer = greedy(0.5, patience=0, lowest=0.25, highest=1, reset_after=INF)
    assert (scales(reducer, [1.0] * 200)[3:] == 0.25).all()


# --- JAX ------------------------------------------------------------------------------


def batched(reducer):
    """Three of the kind, which differ in every number, each within its domain."""
    lanes = [
        jax.tree.map(lambda leaf, by=by: jnp.asarray(leaf * by), reducer)
        for by in (0.8, 0.9, 1.0)
    ]
    return lanes, jax.tree.map(lambda *leaves: jnp.stack(leaves), *lanes)


@pytest.mark.parametrize("name", KINDS)
def test_batches_over_every_number_and_over_metrics(name):
    lanes, batch = batched(KINDS[name])
    rng = random.Random(0)
    metrics = np.array([walk(rng, 40) for _ in lanes])
    answered = jax.vmap(follow)(batch, metrics)
    for index, lane in enumerate(lanes):
        expected = follow(lane, metrics[index])
        chex.assert_trees_all_close(
            jax.tree.map(lambda leaf, index=index: leaf[index], answered),
            expected,
            rtol=1e-6,
        )
    assert len(np.unique(answered.scale)) > 3


@pytest.mark.parametrize("name", KINDS)
def test_another_number_is_no_other_program(name):
    chex.clear_trace_counter()
    update = jax.jit(
        chex.assert_max_traces(lambda r, s, m: r.update(s, m), n=1), inline=False
    )
    reducer = js.as_arrays(KINDS[name])
    state = reducer.init()
    for by in (1.0, 0.9, 0.8):
        other = jax.tree.map(lambda leaf, by=by: leaf * by, reducer)
        for metric in (jnp.asarray(3.0), jnp.asarray(NAN), jnp.asarray(-2.0)):
            state = update(other, state, metric)


@pytest.mark.parametrize("name", KINDS)
def test_eager_and_compiled_and_metrics_of_any_dtype_agree(name):
    reducer = KINDS[name]
    compiled = follow(reducer, np.array([9.0, 9.0, 8.0]))
    state = reducer.init()
    for metric in (9, jnp.asarray(9, jnp.int32), np.float64(8)):
        before, state = state, reducer.update(state, metric)
        chex.assert_trees_all_equal_shapes_and_dtypes(before, state)
    chex.assert_trees_all_close(
        state, jax.tree.map(lambda leaf: leaf[-1], compiled), rtol=1e-6
    )
    assert state.scale.dtype == jnp.result_type(float)


@pytest.mark.parametrize("name", KINDS)
def test_gradients_are_finite_and_reach_the_factor(name):
    metrics = np.array([9.0, 9.0, 9.0, NAN, 30.0, 9.0])

    def last(reducer, metrics):
        return follow(reducer, metrics).scale[-1]

    slopes = jax.grad(last, argnums=(0, 1))(js.as_arrays(KINDS[name]), metrics)
    chex.assert_tree_all_finite(slopes)
    assert slopes[0].factor != 0


def test_the_slope_of_the_scale_is_that_of_a_power():
    reducer = js.as_arrays(plateau(0.5, patience=0))
    slope = jax.grad(lambda r: follow(r, np.ones(4)).scale[-1])(reducer)
    np.testing.assert_allclose(slope.factor, 3 * 0.5**2, rtol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_is_a_value(name):
    reducer = KINDS[name]
    chex.assert_trees_all_equal(pickle.loads(pickle.dumps(reducer)), reducer)
    chex.assert_trees_all_equal(js.from_config(js.to_config(reducer)), reducer)
    numbers = {path for path, _, _ in hypers(reducer)}
    assert len(numbers) == len(jax.tree.leaves(reducer))


@pytest.mark.parametrize("name", KINDS)
def test_takes_traced_numbers_for_all_arguments(name):
    leaves, structure = jax.tree.flatten(KINDS[name])

    @jax.jit
    def rebuilt(*numbers):
        reducer = structure.unflatten(numbers)
        fields = {path[1:]: value for path, value, _ in hypers(reducer)}
        reducer = reducer.replace(**fields)
        return reducer.update(reducer.init(), 3.0).scale

    expected = KINDS[name].update(KINDS[name].init(), 3.0).scale
    np.testing.assert_allclose(rebuilt(*leaves), expected, rtol=1e-6)


# --- Optax ----------------------------------------------------------------------------

SCHEDULE = js.linear(0.5, 0.0, steps=20)
PARAMS = {"w": jnp.ones(3), "b": jnp.ones(())}
LOSSES = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0]


def test_multiplies_what_any_optimizer_yields():
    reducer = plateau(0.5, patience=1)
    plain = optax.adam(SCHEDULE)
    reduced = optax.chain(optax.adam(SCHEDULE), reducing(reducer))
    factors = scales(reducer, LOSSES)

    @jax.jit
    @jax.numpy_dtype_promotion("standard")
    def both(states, loss):
        theirs, plain_state = plain.update(PARAMS, states[0], PARAMS)
        ours, state = reduced.update(PARAMS, states[1], PARAMS, value=loss)
        return theirs, ours, (plain_state, state)

    states = plain.init(PARAMS), reduced.init(PARAMS)
    for loss, factor in zip(LOSSES, factors, strict=True):
        theirs, ours, states = both(states, loss)
        expected = jax.tree.map(lambda leaf, by=factor: leaf * by, theirs)
        chex.assert_trees_all_close(ours, expected, rtol=1e-6)
    assert factors[-1] == 0.5


def test_the_rate_is_the_schedule_times_the_scale():
    reducer = plateau(0.5, patience=0)
    optimizer = optax.chain(optax.sgd(SCHEDULE), reducing(reducer))
    state = optimizer.init(jnp.ones(()))
    rates = []
    for loss in LOSSES:
        update, state = optimizer.update(jnp.ones(()), state, value=loss)
        rates.append(-update)
    expected = SCHEDULE(np.arange(len(LOSSES))) * scales(reducer, LOSSES)
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_without_a_value_the_scale_stays():
    transformation = reducing(plateau(0.5, patience=0))
    state = transformation.init(PARAMS)
    for value in ({}, {"value": 1.0}, {}, {"value": 1.0}, {"other": 3}, {}):
        updates, state = transformation.update(PARAMS, state, PARAMS, **value)
    chex.assert_trees_all_close(updates["w"], jnp.full(3, 0.5), rtol=1e-6)
    assert optax.tree.get(state, "scale") == 0.5


def test_updates_keep_their_dtypes():
    updates = {
        "half": jnp.ones(2, jnp.bfloat16),
        "single": jnp.ones((2, 2), jnp.float32),
        "complex": jnp.ones(2, jnp.complex64),
        "none": None,
    }
    transformation = reducing(plateau(0.5, patience=0))
    state = transformation.init(updates)
    for _ in range(3):
        reduced, state = transformation.update(updates, state, value=1.0)
        chex.assert_trees_all_equal_shapes_and_dtypes(reduced, updates)
    expected = jax.tree.map(lambda leaf: leaf / jnp.asarray(4, leaf.dtype), updates)
    chex.assert_trees_all_equal(reduced, expected)


def test_a_batch_of_reducers_is_a_batch_of_states():
    patience = jnp.asarray([0.0, 1.0, 2.0])
    factor = jnp.asarray([0.5, 0.25, 0.1])

    @jax.vmap
    def start(patience, factor):
        return reducing(plateau(factor, patience=patience)).init(PARAMS)

    transformation = reducing(plateau())

    @jax.jit
    @chex.assert_max_traces(n=1)
    def train(state):
        def step(state, loss):
            updates, state = transformation.update(PARAMS, state, value=loss)
            return state, updates["b"]

        return jax.lax.scan(step, state, jnp.asarray(LOSSES))[1]

    answered = jax.vmap(train)(start(patience, factor))
    for lane, scale in enumerate(answered):
        lone = plateau(float(factor[lane]), patience=float(patience[lane]))
        np.testing.assert_allclose(scale, scales(lone, LOSSES), rtol=1e-6)


def test_a_number_changed_in_the_state_counts_and_compiles_nothing():
    transformation = reducing(plateau(0.5, patience=0))

    @jax.jit
    @chex.assert_max_traces(n=1)
    def step(state):
        return transformation.update(PARAMS, state, value=1.0)[1]

    state = step(step(transformation.init(PARAMS)))
    other = js.as_arrays(plateau(0.1, patience=0))
    changed = state._replace(reducer=other)
    np.testing.assert_allclose(step(changed).state.scale, 0.05, rtol=1e-6)
    np.testing.assert_allclose(step(state).state.scale, 0.25, rtol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_the_state_may_be_donated(name):
    transformation = reducing(KINDS[name])
    step = jax.jit(
        lambda state: transformation.update(PARAMS, state, value=1.0)[1],
        donate_argnums=0,
    )
    state = step(step(transformation.init(PARAMS)))
    assert np.isfinite(state.state.scale)


# --- Bad input ------------------------------------------------------------------------

BOUNDS = {"lowest": 0.1, "highest": 2.0}

BAD = [
    (
        lambda: plateau(1.5),
        r"`plateau`: `factor` must be a number > 0 and < 1, got 1.5",
    ),
    (lambda: plateau(patience=-1), "`plateau`: `patience` .* >= 0, got -1"),
    (lambda: plateau(threshold=NAN), "`plateau`: `threshold` .* got nan"),
    (lambda: plateau(floor=2.0), "`plateau`: `floor` .* from 0 to 1, got 2.0"),
    (lambda: plateau(mode="mim"), "no mode 'mim', did you mean 'min'"),
    (lambda: plateau(threshold_mode="rel"), "no threshold mode 'rel'.*Known: relative"),
    (
        lambda: plateau(convention="pytorch"),
        "no convention 'pytorch', did you mean 'torch'.*Known: torch, keras, optax",
    ),
    (lambda: new_bob(0.0), "`new_bob`: `factor` must be a number > 0 and < 1, got 0.0"),
    (lambda: new_bob(patience=INF), "`new_bob`: `patience` .* got inf"),
    (lambda: greedy(lowest=2, highest=3), "`greedy`: `lowest` .* at most 1, got 2"),
    (lambda: greedy(lowest=0.1, highest=0.5), "`greedy`: `highest` .* >= 1, got 0.5"),
    (lambda: greedy(reset_after=0, **BOUNDS), "`greedy`: `reset_after` .* > 0.* got 0"),
    (lambda: greedy(window=0, **BOUNDS), "`Greedy.window` .* >= 1, got 0"),
    (lambda: greedy(mode="least", **BOUNDS), "no mode 'least'"),
    (lambda: adaptive_kl(0.0, **BOUNDS), "`adaptive_kl`: `target` .* > 0, got 0.0"),
    (lambda: adaptive_kl(0.01, factor=0.5, **BOUNDS), "`adaptive_kl`: `factor` .* > 1"),
    (lambda: adaptive_kl(0.01, tolerance=0.5, **BOUNDS), "tolerance` .* >= 1, got 0.5"),
]

WRONG = [
    (lambda: plateau("half"), "`plateau`: `factor` must be a number, got 'half'"),
    (lambda: plateau(patient=3), "Did you mean 'patience'"),
    (lambda: plateau(0.5, 3), "It takes .factor=0.1, "),
    (greedy, "missing a required argument: 'lowest'"),
    (lambda: greedy(window=2.5, **BOUNDS), "`Greedy.window` must be a `int`, got 2.5"),
    (lambda: reducing(0.5), "`reducing` needs a reducer, got 0.5"),
    (Reducer, "abstract"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_values_that_are_not_allowed(call, message):
    with pytest.raises(ValueError, match=message) as raised:
        call()
    assert raised.value.__notes__[0].startswith("In `")


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_what_is_no_number_and_what_is_no_argument(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_metrics_that_are_none():
    reducer = plateau()
    state = reducer.init()
    with pytest.raises(ValueError, match=r"one number, got an array of shape \(3,\)"):
        reducer.update(state, jnp.ones(3))
    for metric in ("loss", None, 1j, jnp.ones((), complex)):
        with pytest.raises(TypeError, match="A metric must be a real number, got"):
            reducer.update(state, metric)
