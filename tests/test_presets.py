"""The schedules of the papers: their values where the papers give them."""

import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js
from jaxsched import curves
from jaxsched.training import presets
from jaxsched.training.horizon import Horizon

from .documents import sections


EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)

FUNCTIONS = {name: getattr(presets, name) for name in presets.__all__}

IMAGENET = {"dataset_size": 1_281_167}

HORIZONS = {
    "resnet_imagenet": Horizon(epochs=90, **IMAGENET, batch_size=256),
    "vit": Horizon(epochs=300, **IMAGENET, batch_size=4096),
    "bert_pretraining": Horizon(total_steps=1_000_000, batch_size=256),
    "bert_finetuning": Horizon(epochs=3, dataset_size=392_702, batch_size=32),
    "gpt": Horizon(tokens=300e9, tokens_per_step=3.2e6),
    "llm_wsd": Horizon(total_steps=50_000),
    "transfer_learning": Horizon(epochs=50, dataset_size=25_000, batch_size=64),
    "ppo": Horizon(total_steps=488 * 10 * 32),
    "sac": Horizon(total_steps=1_000_000),
    "td3": Horizon(total_steps=1_000_000),
}

NEEDED = {"transfer_learning": {"groups": ("embedding", "encoder", "head")}}


def made(name, **numbers):
    return FUNCTIONS[name](HORIZONS[name], **NEEDED.get(name, {}), **numbers)


def check(schedule, expected, ulps=8):
    steps, rates = np.asarray(list(expected)), np.asarray(list(expected.values()))
    chex.assert_trees_all_close(
        schedule(steps),
        jnp.asarray(rates, jnp.result_type(float)),
        rtol=ulps * EPSILON,
    )


# What all have in common.


@pytest.mark.parametrize("name", FUNCTIONS)
def test_is_documented(name):
    parts = sections(FUNCTIONS[name])
    assert {"Args", "Returns", "Raises", "Example", "Source"} <= parts.keys()
    assert "https://" in parts["Source"]
    horizon, *others = inspect.signature(FUNCTIONS[name]).parameters.values()
    assert horizon.name == "horizon"
    for parameter in (horizon, *others):
        assert f"{parameter.name}: " in parts["Args"]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_needs_a_horizon(name):
    with pytest.raises(TypeError, match=r"`Horizon\(total_steps=1000\)`, got 1000"):
        FUNCTIONS[name](1000, **NEEDED.get(name, {}))
    with pytest.raises(TypeError, match="missing a required argument: 'horizon'"):
        FUNCTIONS[name]()
    with pytest.raises(TypeError, match=f"`{name}` got an unexpected argument"):
        FUNCTIONS[name](HORIZONS[name], nonsense=1, **NEEDED.get(name, {}))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rates_may_be_traced(name):
    names = inspect.signature(FUNCTIONS[name]).parameters.keys()
    (rate,) = names & {"peak", "start", "value"}
    steps = np.linspace(0, HORIZONS[name].total_steps, 9)

    @jax.jit
    @chex.assert_max_traces(1)
    def rates(peaks):
        return jax.vmap(
            lambda peak: jax.tree.map(
                lambda lr: lr(steps),
                made(name, **{rate: peak}),
                is_leaf=lambda node: isinstance(node, js.Schedule),
            )
        )(peaks)

    rates(jnp.asarray([0.3, 0.4]))
    batch = rates(jnp.asarray([0.1, 0.2]))
    chex.assert_tree_all_finite(batch)
    for i, peak in enumerate((0.1, 0.2)):
        alone = jax.tree.map(
            lambda lr: lr(steps),
            made(name, **{rate: peak}),
            is_leaf=lambda node: isinstance(node, js.Schedule),
        )
        chex.assert_trees_all_close(
            jax.tree.map(lambda x, i=i: x[i], batch), alone, rtol=64 * EPSILON
        )


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"transfer_learning"}))
def test_is_as_long_as_training(name):
    # The cosine of GPT-3 ends before it: then, its rate is held.
    ends = {"gpt": HORIZONS["gpt"].tokens(260e9)}
    assert made(name).duration == ends.get(name, HORIZONS[name].total_steps)


@pytest.mark.parametrize(
    ("name", "horizon", "message"),
    [
        (
            "resnet_imagenet",
            Horizon(epochs=60, steps_per_epoch=10),
            r"`boundaries` need 900 steps, .*steps_per_epoch=10.0\)` has 600",
        ),
        ("vit", Horizon(total_steps=9_999), "`total_steps` must be at least warmup"),
        ("bert_pretraining", Horizon(total_steps=9_999), "at least warmup_steps, got"),
        ("gpt", Horizon(tokens=1e6, tokens_per_step=1e3), "at least warmup_steps, got"),
        ("llm_wsd", Horizon(total_steps=374), r"warmup_steps \+ decay_steps, got"),
        (
            "transfer_learning",
            Horizon(epochs=2, steps_per_epoch=10),
            "`groups` need 21 steps, .* has 20",
        ),
        ("ppo", Horizon(total_steps=319), "need 320 steps, .* has 319"),
        ("resnet_imagenet", Horizon(total_steps=900), "for `epochs` `steps_per_epoch`"),
        ("transfer_learning", Horizon(total_steps=900), "for `epochs` `steps_per_"),
        ("gpt", Horizon(total_steps=900), "for `tokens` `tokens_per_step`"),
    ],
)
def test_a_horizon_that_is_too_short_or_tells_too_little_is_refused(
    name, horizon, message
):
    with pytest.raises(ValueError, match=message) as error:
        FUNCTIONS[name](horizon, **NEEDED.get(name, {}))
    assert f"In `{name}(Horizon(" in error.value.__notes__[0]


@pytest.mark.parametrize(
    ("name", "horizon"),
    [
        ("resnet_imagenet", Horizon(epochs=90, steps_per_epoch=1)),
        ("vit", Horizon(total_steps=10_000)),
        ("bert_finetuning", Horizon(total_steps=1)),
        ("llm_wsd", Horizon(total_steps=375)),
        ("transfer_learning", Horizon(epochs=3, steps_per_epoch=1)),
        ("ppo", Horizon(total_steps=320)),
    ],
)
def test_the_shortest_horizon_will_do(name, horizon):
    schedules = FUNCTIONS[name](horizon, **NEEDED.get(name, {}))
    steps = np.arange(horizon.total_steps + 1)
    for schedule in schedules.values() if isinstance(schedules, dict) else [schedules]:
        chex.assert_tree_all_finite(schedule(steps))


# Vision.


def test_resnet():
    epoch = 5005
    check(
        made("resnet_imagenet"),
        {
            0: 0.1,
            5 * epoch: 0.1,
            30 * epoch - 1: 0.1,
            30 * epoch: 0.01,
            60 * epoch - 1: 0.01,
            60 * epoch: 0.001,
            90 * epoch - 1: 0.001,
            90 * epoch: 0.0001,
        },
    )


def test_resnet_with_large_batches_as_goyal_et_al():
    horizon = Horizon(epochs=90, **IMAGENET, batch_size=256, accumulate=32)
    lr = presets.resnet_imagenet(horizon, batch_size=8192, boundaries=(30, 60, 80))
    at = horizon.epochs
    assert horizon.epochs(90) == 14_077
    check(
        lr,
        {
            0: 0.1,
            at(5) / 2: (0.1 + 3.2) / 2,
            at(5): 3.2,
            at(30) - 1: 3.2,
            at(30): 0.32,
            at(60): 0.032,
            at(80) - 1: 0.032,
            at(80): 0.0032,
        },
    )
    # No warmup goes down.
    check(made("resnet_imagenet", batch_size=64), {0: 0.025, 5005: 0.025})


def test_vit():
    assert HORIZONS["vit"].total_steps == 93_900
    middle = (10_000 + 93_900) / 2
    check(made("vit"), {0: 0, 5_000: 1.5e-3, 10_000: 3e-3, middle: 1.5e-3, 93_900: 0})
    line = made("vit", peak=1e-3, end=1e-5, curve=curves.Linear())
    check(line, {0: 0, 10_000: 1e-3, middle: 5.05e-4, 93_900: 1e-5})


# Language.


def test_bert():
    check(
        made("bert_pretraining"),
        {0: 0, 5_000: 5e-5, 10_000: 1e-4, 505_000: 5e-5, 1_000_000: 0},
    )
    horizon = HORIZONS["bert_finetuning"]
    assert horizon.total_steps == 3 * 12_272
    check(made("bert_finetuning"), {0: 0, 3682: 2e-5, horizon.total_steps: 0})
    tiny = presets.bert_finetuning(Horizon(total_steps=3), peak=1.0)
    check(tiny, {0: 0, 1: 1, 2: 0.5, 3: 0})


@pytest.mark.parametrize(
    ("size", "peak", "tokens_per_step"),
    [
        ("125M", 6.0e-4, 0.5e6),
        ("350M", 3.0e-4, 0.5e6),
        ("760M", 2.5e-4, 0.5e6),
        ("1.3B", 2.0e-4, 1e6),
        ("2.7B", 1.6e-4, 1e6),
        ("6.7B", 1.2e-4, 2e6),
        ("13B", 1.0e-4, 2e6),
        ("175B", 0.6e-4, 3.2e6),
    ],
)
def test_gpt(size, peak, tokens_per_step):
    horizon = Horizon(tokens=300e9, tokens_per_step=tokens_per_step)
    lr = presets.gpt(horizon, size=size)
    warm, low = horizon.tokens(375e6), horizon.tokens(260e9)
    middle = (warm + low) / 2
    check(
        lr,
        {
            0: 0,
            warm: peak,
            middle: 0.55 * peak,
            low: 0.1 * peak,
            horizon.total_steps: 0.1 * peak,
        },
    )


def test_gpt_with_fewer_tokens_and_another_peak():
    horizon = Horizon(tokens=10e9, tokens_per_step=0.5e6)
    lr = presets.gpt(horizon, peak=1e-3, end_fraction=0.0, warmup_tokens=0)
    check(lr, {0: 1e-3, 10_000: 5e-4, 20_000: 0})
    assert lr.duration == 20_000
    with pytest.raises(ValueError, match="no model '13b', did you mean '13B'"):
        presets.gpt(horizon, size="13b")


def test_wsd():
    half = 1 - np.sqrt(0.5)
    check(
        made("llm_wsd"),
        {0: 0, 300: 1e-3, 40_000: 1e-3, 42_500: 5e-4, 45_000: 1e-3 * half, 50_000: 0},
    )
    minicpm = made(
        "llm_wsd", peak=0.01, decay_fraction=0.1, end=0.001, curve=curves.Linear()
    )
    check(minicpm, {45_000: 0.01, 47_500: 0.0055, 50_000: 0.001})


def test_transfer_learning():
    horizon = HORIZONS["transfer_learning"]
    epoch = 391
    assert horizon.epochs(1) == epoch
    embedding, encoder, head = made("transfer_learning").values()
    total, top = 50 * epoch, 5 * epoch
    check(head, {0: 0.01 / 32, top: 0.01, total: 0.01 / 32})
    check(encoder, {top: 0.01 / 2.6, total: 0.01 / 2.6 / 32})
    check(embedding, {top: 0.01 / 2.6**2, total: 0.01 / 2.6**2 / 32})
    steps = np.arange(3 * epoch)
    for epochs, schedule in enumerate((head, encoder, embedding)):
        frozen = np.asarray(schedule(steps)) == 0
        np.testing.assert_array_equal(frozen, steps < epochs * epoch)


def test_transfer_learning_leaves_frozen_layers_as_they_are():
    groups = ("first", "last")
    lrs = presets.transfer_learning(Horizon(epochs=4, steps_per_epoch=3), groups=groups)
    assert tuple(lrs) == groups
    optimizer = optax.multi_transform(
        {group: optax.sgd(lr, momentum=0.9) for group, lr in lrs.items()},
        {group: group for group in groups},
    )
    parameters = dict.fromkeys(groups, jnp.ones(()))
    state = optimizer.init(parameters)
    for step in range(4):
        updates, state = optimizer.update(parameters, state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        assert (parameters["first"] == 1) == (step < 3)
        assert parameters["last"] < 1


def test_transfer_learning_all_at_once():
    lrs = presets.transfer_learning(
        Horizon(total_steps=100), groups=["a", "b"], unfreeze_epochs=0
    )
    check(lrs["a"], {0: 0.01 / 2.6 / 32, 10: 0.01 / 2.6})


@pytest.mark.parametrize("groups", [[], "head", ["head", "head"]])
def test_groups_are_different_names(groups):
    with pytest.raises(ValueError, match="`groups` must be a list of different names"):
        presets.transfer_learning(HORIZONS["transfer_learning"], groups=groups)


# Reinforcement learning.


def test_ppo_is_held_in_each_iteration():
    iterations, epochs, minibatches = 6, 3, 4
    horizon = Horizon(total_steps=iterations * epochs * minibatches)
    lr = presets.ppo(horizon, peak=2.5e-4, epochs=epochs, minibatches=minibatches)
    # As the reference implementation counts: iterations from 1.
    expected = [
        2.5e-4 * (1 - (iteration - 1) / iterations)
        for iteration in range(1, iterations + 1)
        for _ in range(epochs * minibatches)
    ]
    check(lr, dict(enumerate(expected)))
    assert lr(horizon.total_steps) == 0


def test_ppo_and_the_constant_ones_have_the_published_rates():
    check(made("ppo"), {0: 3e-4, 319: 3e-4, 488 * 320 - 1: 3e-4 / 488})
    check(made("sac"), {0: 3e-4, 10**6: 3e-4})
    check(made("td3"), {0: 1e-3, 10**6: 1e-3})
