"""Lengths in other units than steps, and schedules that are given in epochs."""

import dataclasses
import math
import pickle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import assume, given, settings, strategies as st

import jaxsched as js
from jaxsched.training import Horizon, per_epoch

from .documents import sections


EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)

IMAGENET = {"dataset_size": 1_281_167, "batch_size": 256}

few = settings(max_examples=50, deadline=None)
counts = st.integers(1, 10**6)


# How long training is.


@pytest.mark.parametrize(
    ("numbers", "total"),
    [
        ({"total_steps": 1000}, 1000),
        ({"epochs": 3, "steps_per_epoch": 500}, 1500),
        ({"epochs": 2.5, "steps_per_epoch": 31}, 78),
        ({"epochs": 90, **IMAGENET}, 90 * 5005),
        ({"epochs": 90, **IMAGENET, "drop_last": True}, 90 * 5004),
        ({"epochs": 90, **IMAGENET, "accumulate": 5}, 90 * 1001),
        ({"epochs": 10, **IMAGENET, "accumulate": 4}, 12_513),
        ({"epochs": 2, "dataset_size": 1024, "batch_size": 256}, 8),
        ({"epochs": 1, "dataset_size": 10_000_001, "batch_size": 10_000_000}, 2),
        ({"epochs": 1, "dataset_size": 2**53, "batch_size": 2**53 - 1}, 2),
        ({"epochs": 1, "dataset_size": 0.3, "batch_size": 0.1}, 3),
        (
            *(
                {
                    "epochs": 3,
                    "dataset_size": 19_999_999,
                    "batch_size": 10_000_000,
                    "drop_last": True,
                },
            ),
            3,
        ),
        ({"samples": 1e6, "batch_size": 256}, 3906),
        ({"samples": 1e6, "batch_size": 64, "accumulate": 4}, 3906),
        ({"samples": 1281167 * 10, **IMAGENET}, 50_050),
        ({"tokens": 300e9, "tokens_per_step": 3.2e6}, 93_750),
        ({"tokens": 300e9, "tokens_per_step": 3.2e6, "total_steps": 93_750}, 93_750),
        ({"epochs": 10, **IMAGENET, "samples": 12_811_670}, 50_050),
        ({"epochs": 10, **IMAGENET, "steps_per_epoch": 5005}, 50_050),
    ],
)
def test_the_length_of_training(numbers, total):
    horizon = Horizon(**numbers)
    assert horizon.total_steps == total
    assert isinstance(horizon.total_steps, float)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (
            {"total_steps": 1000, "epochs": 3, "steps_per_epoch": 500},
            "by `epochs` training has 1500 steps, by the rest 1000",
        ),
        (
            {"total_steps": 999, "tokens": 1e6, "tokens_per_step": 1e3},
            "by `tokens` training has 1000 steps, by the rest 999",
        ),
        (
            {"epochs": 3, "steps_per_epoch": 500, "samples": 320, "batch_size": 32},
            "by `samples` training has 10 steps, by the rest 1500",
        ),
        (
            {"epochs": 3, **IMAGENET, "steps_per_epoch": 5004},
            "by `dataset_size` an epoch has 5005 steps, by the rest 5004",
        ),
        (
            {"total_steps": 100, "epochs": 10, "samples": 9000, "dataset_size": 1000},
            "by `dataset_size` an epoch has 11.11.* steps, by the rest 10",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(numbers, message):
    with pytest.raises(ValueError, match=message) as error:
        Horizon(**numbers)
    for name, number in numbers.items():
        assert f"{name}={float(number)!r}" in str(error.value)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({}, "needs `total_steps`, `epochs`, `samples` or `tokens`"),
        ({"steps_per_epoch": 5}, "needs `total_steps`, `epochs`"),
        ({"epochs": 3}, "for `epochs` `steps_per_epoch`, or `dataset_size` and"),
        ({"epochs": 3, "batch_size": 32}, "for `epochs` `steps_per_epoch`"),
        ({"samples": 3}, "for `samples` `batch_size`"),
        ({"tokens": 3, "samples": 3}, "`batch_size`, or for `tokens` `tokens_per_"),
        ({"total_steps": 0}, "total_steps` must be a finite number > 0, got 0"),
        ({"epochs": math.inf, "steps_per_epoch": 3}, "finite number > 0, got inf"),
        ({"total_steps": 1, "accumulate": 0.5}, "a number >= 1, got 0.5"),
        (
            {"epochs": 1, "dataset_size": 8, "batch_size": 9, "drop_last": True},
            "drops the only batch",
        ),
    ],
)
def test_what_does_not_suffice_is_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        Horizon(**numbers)


def test_what_two_numbers_tell_is_known():
    horizon = Horizon(total_steps=1000, epochs=10, tokens=2e9, samples=32_000)
    assert horizon.epochs(1) == 100
    assert horizon.tokens(2e6) == 1
    assert horizon.samples(320) == 10


# How long a part of it is.


HORIZON = Horizon(total_steps=1000, steps_per_epoch=31.25, batch_size=32)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(0, 0), (1e-9, 1), (0.4, 1), (1.4, 1), (1.5, 2), (2.5, 3), (1e12 + 0.5, 1e12 + 1)],
)
def test_lengths_are_rounded_to_the_nearest_step_and_never_to_none(steps, expected):
    assert HORIZON.steps(steps) == expected


def test_half_a_step_in_decimals_is_rounded_up():
    assert 0.29 * 50 < 14.5
    assert Horizon(total_steps=50).fraction(0.29) == 15


def test_every_unit_has_its_method_and_its_text():
    horizon = Horizon(
        total_steps=1000, steps_per_epoch=31, batch_size=32, tokens_per_step=2e6
    )
    for text, expected in {
        "100ba": horizon.steps(100),
        "10ep": horizon.epochs(10),
        "0.1dur": horizon.fraction(0.1),
        ".1 dur": 100,
        "2e9tok": horizon.tokens(2e9),
        "2_000_000_000 TOK": 1000,
        " 5e4sp ": horizon.samples(5e4),
        "0ep": 0,
    }.items():
        assert horizon.of(text) == expected
    assert horizon.of("10ep") == 310
    assert horizon.of("5e4sp") == 1563


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10", "takes '100ba', '10ep', .* got '10'"),
        ("ep", "got 'ep'"),
        ("10%", "got '10%'"),
        ("1.2.3ep", "got '1.2.3ep'"),
        ("10epp", "no unit 'epp', did you mean 'ep'"),
        ("-1ep", "`Horizon.epochs` must be a finite number >= 0, got -1.0"),
        ("1.1dur", "`Horizon.fraction` must be a number from 0 to 1, got 1.1"),
        ("1tok", "it needs for `tokens` `tokens_per_step`"),
    ],
)
def test_a_text_that_is_no_length_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        HORIZON.of(text)
    with pytest.raises(TypeError, match="got 10"):
        HORIZON.of(10)


def test_nothing_is_nothing_in_any_unit():
    horizon = Horizon(total_steps=10)
    assert horizon.epochs(0) == horizon.samples(0) == horizon.tokens(0) == 0.0


def test_a_traced_number_is_refused():
    with pytest.raises(TypeError, match="total_steps` must be known before"):
        jax.eval_shape(lambda n: Horizon(total_steps=n).total_steps, 3.0)
    with pytest.raises(TypeError, match=r"`Horizon\.epochs` must be known"):
        jax.eval_shape(HORIZON.epochs, 3.0)
    with pytest.raises(TypeError, match="must be one number"):
        Horizon(total_steps=np.ones(2))
    assert Horizon(total_steps=jnp.asarray(3)) == Horizon(total_steps=np.float32(3))


def test_is_a_plain_value_and_no_pytree():
    horizon = Horizon(epochs=3, **IMAGENET, accumulate=2, drop_last=True)
    assert eval(repr(horizon)) == horizon
    assert pickle.loads(pickle.dumps(horizon)) == horizon
    assert hash(eval(repr(horizon))) == hash(horizon)
    assert jax.tree.leaves(horizon) == [horizon]
    assert Horizon(epochs=2, steps_per_epoch=5) == Horizon(
        total_steps=10, steps_per_epoch=5
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        horizon.total_steps = 3


def test_replacing_counts_anew():
    horizon = Horizon(epochs=90, **IMAGENET, accumulate=2)
    assert horizon.replace(epochs=10).total_steps == 25_025
    assert horizon.replace(batch_size=512, accumulate=None).total_steps == 90 * 2503
    assert horizon.total_steps == 90 * 2502.5


@few
@given(size=counts, batch=st.integers(1, 4096), epochs=st.integers(1, 300))
def test_seeing_the_data_again_and_again_is_as_long_as_the_epochs(size, batch, epochs):
    horizon = Horizon(epochs=epochs, dataset_size=size, batch_size=batch)
    assert horizon.total_steps == epochs * -(-size // batch)
    assert horizon.samples(epochs * size) == horizon.total_steps == horizon.of("1dur")
    assert horizon.epochs(epochs) == horizon.total_steps
    assert Horizon(samples=epochs * size, dataset_size=size, batch_size=batch) == (
        horizon
    )


@few
@given(
    size=counts,
    batch=st.integers(1, 4096),
    mini_batches=st.integers(1, 16),
    drop_last=st.booleans(),
    amount=st.floats(1e-3, 1e3),
)
def test_conversions_are_the_nearest_whole_numbers(
    size, batch, mini_batches, drop_last, amount
):
    assume(size >= batch)
    horizon = Horizon(
        epochs=1,
        dataset_size=size,
        batch_size=batch,
        accumulate=mini_batches,
        drop_last=drop_last,
    )
    steps = horizon.epochs(amount)
    exact = amount * horizon.steps_per_epoch
    assert steps == round(steps) >= 1
    assert abs(steps - exact) <= 0.5 * (1 + 1e-6) or (steps == 1 and exact < 1)
    assert horizon.epochs(2 * amount) >= steps
    assert eval(repr(horizon)) == horizon


@few
@given(total=counts, wrong=counts, per_epoch=st.integers(1, 10**4))
def test_any_two_lengths_that_differ_are_refused(total, wrong, per_epoch):
    numbers = {
        "total_steps": total,
        "epochs": wrong / per_epoch,
        "steps_per_epoch": per_epoch,
    }
    if total == wrong:
        assert Horizon(**numbers).epochs(wrong / per_epoch) == total
    else:
        with pytest.raises(ValueError, match="contradicts itself"):
            Horizon(**numbers)


# Schedules that are given in epochs.


EPOCHS = np.arange(91)
STAIRS = js.piecewise_constant(EPOCHS[1:], EPOCHS)


# At 41, 47 and 55, among others, `n * (1 / n) < 1` in float32.
@pytest.mark.parametrize("length", [1, 41, 47, 55, 61, 391, 1251, 5005, 6.4, 1000 / 3])
@pytest.mark.parametrize("jitted", [False, True])
def test_each_epoch_has_exactly_its_own_rate(length, jitted):
    lr = per_epoch(STAIRS, Horizon(epochs=90, steps_per_epoch=length))
    first = np.ceil(np.round(EPOCHS * length, 3))
    last = first[1:] - 1
    rates = (lambda lr, steps: lr(steps)) if not jitted else jax.jit(type(lr).__call__)
    np.testing.assert_array_equal(rates(lr, first), EPOCHS)
    np.testing.assert_array_equal(rates(lr, last), EPOCHS[:-1])


def test_the_rate_of_an_epoch_is_bit_for_bit_that_of_the_schedule():
    decay = js.cosine(0.1, 0.0, 90)
    lr = per_epoch(decay, Horizon(epochs=90, steps_per_epoch=47))
    np.testing.assert_array_equal(lr(EPOCHS * 47), decay(EPOCHS))
    np.testing.assert_array_equal(lr(EPOCHS * 47 + 46), decay(EPOCHS))
    assert lr.duration == 90 * 47


def test_a_smooth_one_changes_with_every_step():
    horizon = Horizon(epochs=90, steps_per_epoch=47)
    lr = per_epoch(js.cosine(0.1, 0.0, 90), horizon, smooth=True)
    steps = np.arange(90 * 47 + 1)
    chex.assert_trees_all_close(
        lr(steps), js.cosine(0.1, 0.0, 90 * 47)(steps), rtol=64 * EPSILON
    )
    assert lr.duration == horizon.total_steps


def test_a_schedule_over_epochs_is_a_schedule():
    lr = per_epoch(js.cosine(0.1, 0.01, 3.0), Horizon(epochs=3, steps_per_epoch=5))
    assert repr(eval(repr(lr), vars(js))) == repr(lr)
    assert repr(js.from_config(js.to_config(lr))) == repr(lr)

    @jax.jit
    @chex.assert_max_traces(1)
    def slopes(lr):
        return jax.vmap(jax.grad(lambda lr, t: lr(t)), (None, 0))(lr, jnp.arange(20.0))

    chex.assert_tree_all_finite(slopes(lr))
    chex.assert_tree_all_finite(
        slopes(per_epoch(js.cosine(0.2, 0.0, 2), Horizon(epochs=3, steps_per_epoch=7)))
    )


def test_a_stretch_has_the_slopes_of_its_formula():
    steps = jnp.arange(1.0, 8.0)
    line = js.linear(0, 4, 4)
    slope = jax.grad(lambda k, t: js.stretch(line, k)(t), (0, 1))
    by_factor, by_step = jax.vmap(slope, (None, 0))(2.0, steps)
    chex.assert_trees_all_close(by_factor, -steps / 4, rtol=4 * EPSILON)
    chex.assert_trees_all_close(by_step, jnp.full(7, 0.5), rtol=4 * EPSILON)


@pytest.mark.parametrize("k", [41, 47, 55, 61, 82])
def test_a_staircase_of_a_stretch_is_exact(k):
    steps = np.arange(40 * k + 1)
    lr = js.staircase(js.stretch(js.step_decay(1.0, factor=0.5, every=1), k), k)
    np.testing.assert_array_equal(jax.jit(lr)(steps), 0.5 ** (steps // k))


def test_an_epoch_of_unknown_length_is_refused():
    with pytest.raises(ValueError, match="for `epochs` `steps_per_epoch`") as error:
        per_epoch(0.1, Horizon(total_steps=10))
    assert "In `per_epoch(0.1, Horizon(total_steps=10.0))`." in error.value.__notes__
    with pytest.raises(TypeError, match=r"as `Horizon\(total_steps=1000\)`, got 100"):
        per_epoch(0.1, 100)


def test_is_documented():
    assert {"Args", "Returns", "Raises", "Example"} <= sections(per_epoch).keys()
    documented = sections(Horizon)["Args"]
    for name in Horizon.__init__.__kwdefaults__:
        assert f"{name}: " in documented


# What counts more often than updates.


@pytest.mark.parametrize("every", [1, 3, 4])
def test_the_rate_of_a_mini_batch_under_multi_steps(every):
    lr = js.warmup_cosine(0.1, warmup_steps=2, total_steps=5)
    updates = 7
    batches = updates * every
    optimizer = optax.MultiSteps(optax.sgd(lr), every)

    # The gradient of each mini-batch is in an entry of its own, and so is its rate.
    def step(carry, gradient):
        parameters, state = carry
        update, state = optimizer.update(gradient, state, parameters)
        return (optax.apply_updates(parameters, update), state), None

    start = jnp.zeros(batches)
    with jax.numpy_dtype_promotion("standard"):
        (end, state), _ = jax.lax.scan(
            step, (start, optimizer.init(start)), jnp.eye(batches)
        )
    steps = np.arange(batches)
    applied = -every * end
    by_batch = js.staircase(js.stretch(lr, every), every)
    # The mean of the gradients is taken in float32, whatever the default.
    for rates in (by_batch(steps), lr(steps // every)):
        chex.assert_trees_all_close(applied, rates, rtol=16 * 2**-23, atol=2**-50)
    assert state.gradient_step == updates


def test_the_inner_epochs_of_ppo_share_a_rate():
    iterations, epochs, minibatches = 5, 3, 4
    updates = epochs * minibatches
    lr = js.linear(1.0, 0.0, iterations * updates)
    rates = js.staircase(lr, updates)(np.arange(iterations * updates))
    expected = np.repeat(1 - np.arange(iterations) / iterations, updates)
    chex.assert_trees_all_close(
        rates, jnp.asarray(expected, rates.dtype), rtol=4 * EPSILON
    )
