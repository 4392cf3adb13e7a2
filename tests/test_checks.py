"""Restored runs: what makes them other runs than they seem, and what they will do."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest

import jaxsched as js
from jaxsched import training


PARAMS = {"w": jnp.ones(3)}
LR = js.warmup_cosine(0.1, warmup_steps=5, total_steps=40)


@pytest.fixture(autouse=True)
def _rules_of_optax():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def ran(optimizer, updates, state=None):
    state = optimizer.init(PARAMS) if state is None else state

    def update(_, state):
        return optimizer.update(PARAMS, state, PARAMS)[1]

    return jax.jit(jax.lax.fori_loop, static_argnums=2)(0, updates, update, state)


@pytest.fixture
def restored(tmp_path):
    """Writes a state by Orbax, and reads it into another one."""
    folders = map(str, itertools.count())

    def restore(state, like):
        path = tmp_path / next(folders)
        checkpointer = orbax.checkpoint.StandardCheckpointer()
        checkpointer.save(path, state)
        checkpointer.wait_until_finished()
        return checkpointer.restore(path, like)

    return restore


def kinds(*args, **kwargs):
    return {finding.kind for finding in training.check_resume(*args, **kwargs)}


# --- Accidents ------------------------------------------------------------------------


def adam(lr):
    return training.inject(optax.adam)(lr)


def test_a_checkpoint_of_another_kind_of_schedule(restored):
    written = ran(adam(js.linear(0.1, 0.0, 100)), 3)
    code = js.cosine(0.1, 0.0, 1000)
    state = restored(written, adam(code).init(PARAMS))
    (finding,) = training.check_resume(state, code, total_steps=1000)
    assert finding.kind == "kind of schedule"
    assert "Ramp(Linear)" in str(finding)
    assert "Ramp(Cosine)" in str(finding)
    assert kinds(state) == {"kind of schedule"}


def test_other_numbers_and_which_of_them_count(restored):
    written = ran(adam(js.linear(0.1, 0.0, 100)), 50)
    code = js.linear(0.4, 0.0, 100)
    state = restored(written, adam(code).init(PARAMS))
    (finding,) = training.check_resume(state, code, total_steps=100)
    assert finding.kind == "numbers"
    assert "`start` is 0.1 in the state and 0.4 in the code" in str(finding)
    assert "0.05, not 0.2" in str(finding)
    assert not kinds(training.set_schedule(state, code), code, total_steps=100)


def test_a_count_past_the_end(restored):
    lr = js.cosine(0.1, 0.0, 17064)
    written = training.set_step(adam(lr).init(PARAMS), 30000)
    state = restored(written, adam(lr).init(PARAMS))
    (finding,) = training.check_resume(state, lr, total_steps=40000)
    assert finding.kind == "past the end"
    assert "30000 is past the end of the schedule at 17064: the rate is 0" in (
        finding.message
    )


def test_a_decay_that_was_short_is_over_all_the_same():
    lr = js.wsd(0.1, warmup_steps=0, decay_steps=3, total_steps=10_000)
    state = training.set_step(adam(lr).init(PARAMS), 10_001)
    assert kinds(state, lr) == {"past the end"}


@pytest.mark.parametrize("make", [adam, optax.adam])
def test_a_horizon_that_is_what_remains(restored, make):
    written = ran(make(js.linear(0.1, 0.0, 100)), 30)
    code = js.linear(0.1, 0.0, 70)
    state = restored(written, make(code).init(PARAMS))
    assert "remaining steps" in kinds(state, code, total_steps=100)
    # Of what remains, a step may be counted twice, or not at all.
    assert "remaining steps" in kinds(state, js.linear(0.1, 0.0, 69), total_steps=100)
    assert "remaining steps" not in kinds(state, js.linear(0.1, 0.0, 67))


def test_a_total_that_is_what_remains():
    state = ran(adam(js.linear(0.1, 0.0, 100)), 30)
    assert kinds(state, total_steps=70) == {"remaining steps"}


@pytest.mark.parametrize("scheduled", ["ours", "of Optax"])
def test_a_count_that_was_reset(restored, scheduled):
    lr = js.linear(0.1, 0.0, 100)
    if scheduled == "ours":
        optimizer = adam(lr)
        written = ran(optimizer, 30)._replace(scheduled=optimizer.init(PARAMS)[0])
    else:
        optimizer = optax.inject_hyperparams(optax.adam)(lr)
        first = optimizer.init(PARAMS)
        written = first._replace(inner_state=ran(optimizer, 30).inner_state)
    state = restored(written, optimizer.init(PARAMS))
    (finding,) = training.check_resume(state, lr, total_steps=100)
    assert finding.kind == "count"
    assert "30" in finding.message
    assert ("set_step" in finding.message) == (scheduled == "ours")


def test_a_count_that_is_not_that_of_the_loop():
    state = ran(adam(LR), 7)
    assert kinds(state, LR, step=8) == {"count"}
    assert not kinds(state, LR, step=7)


@pytest.mark.parametrize(
    "begin",
    [
        lambda at: js.cooldown(js.constant(0.1), at, steps=20),
        lambda at: js.wsd(0.1, warmup_steps=5, decay_steps=20, total_steps=at + 20),
    ],
)
def test_a_cooldown_that_begins_again(restored, begin):
    written = training.set_step(adam(begin(80)).init(PARAMS), 85)
    state = restored(written, adam(begin(85)).init(PARAMS))
    assert "second cooldown" in kinds(state, begin(85))
    assert not kinds(state, begin(80))


def test_a_cooldown_of_a_cooldown():
    lr = js.cooldown(js.cooldown(js.constant(0.1), 80, 20), 85, 20)
    assert kinds(ran(optax.adam(lr), 90), lr) == {"second cooldown"}


def test_another_batch_size(restored):
    before = training.Horizon(epochs=90, dataset_size=1000, batch_size=10)
    after = before.replace(batch_size=20)
    long, short = (js.cosine(0.1, 0.0, each.total_steps) for each in (before, after))
    state = restored(ran(adam(long), 3), adam(short).init(PARAMS))
    found = training.check_resume(state, short, total_steps=after)
    assert {finding.kind for finding in found} == {"numbers", "horizon"}
    assert "180 epochs of 50" in found[-1].message
    assert not kinds(state, long, total_steps=before)
    assert kinds(state, long, total_steps=after) == {"horizon"}


# --- Correct resumes ------------------------------------------------------------------

SCHEDULES = {
    "cosine": LR,
    "wsd": js.wsd(0.1, warmup_steps=5, decay_steps=10, total_steps=40),
    "steps": js.multi_step(0.1, boundaries=[10, 20], factor=0.1),
    "warmup": js.linear(0.0, 0.1, 10),
    "endless": js.inverse_sqrt(0.1, 10),
    "constant": js.constant(0.1),
    "restarts": js.sgdr(0.1, period=10),
    "cooldown": js.cooldown(js.constant(0.1), 20, 20),
}

OPTIMIZERS = {
    "inject": adam,
    "in a chain": lambda lr: optax.chain(
        optax.clip(1.0), training.inject(optax.adamw)(lr, weight_decay=0.01)
    ),
    "scaled": lambda lr: optax.chain(
        optax.scale_by_adam(), training.scale_by_schedule(lr, flip_sign=True)
    ),
    "accumulated": lambda lr: optax.MultiSteps(adam(lr), 2),
    "of Optax": optax.adamw,
    "injected by Optax": optax.inject_hyperparams(optax.adam),
}


CORRECT = [(kind, "cosine") for kind in OPTIMIZERS] + [
    (kind, name) for kind in ("inject", "of Optax") for name in SCHEDULES
]


@pytest.mark.parametrize(("kind", "name"), CORRECT)
def test_a_correct_resume_finds_nothing(restored, kind, name):
    lr, make = SCHEDULES[name], OPTIMIZERS[kind]
    for updates in (7, 26):
        state = restored(ran(make(lr), updates), make(lr).init(PARAMS))
        assert not training.check_resume(state, lr, total_steps=40)
        assert not training.check_resume(state, total_steps=40)


def test_rates_by_layer_and_reducers_resume():
    layers = training.layerwise(PARAMS, LR, {"w": 0.5})
    optimizer = optax.chain(
        training.scale_by_layers(layers), training.reducing(training.plateau())
    )
    state = optimizer.init(PARAMS)
    _, state = optimizer.update(PARAMS, state, PARAMS, value=jnp.float32(1.0))
    assert not training.check_resume(state, {"w": 0.5 * LR}, total_steps=40)


def test_the_members_of_a_batch_are_looked_at_one_by_one():
    optimizer = adam(LR)
    states = jax.vmap(lambda _: optimizer.init(PARAMS))(jnp.arange(3))
    assert not training.check_resume(states, LR)
    states = training.set_step(states, np.array([0, 50, 3]))
    (finding,) = training.check_resume(states, LR, total_steps=60)
    assert finding.name == "learning_rate[1]"


def test_the_kind_of_a_schedule_survives_what_states_go_through():
    def label(state):
        return np.asarray(state.scheduled["learning_rate"].label)

    optimizer = adam(LR)
    first = label(optimizer.init(PARAMS))
    assert first.shape == (64,)
    assert first.dtype == np.uint8
    jitted = jax.jit(lambda: ran(optimizer, 2))()
    np.testing.assert_array_equal(label(jitted), first)
    batch = jax.vmap(lambda _: optimizer.init(PARAMS))(jnp.arange(2))
    np.testing.assert_array_equal(label(batch), [first, first])
    other = label(training.set_schedule(batch, js.linear(1.0, 0.0, 9)))
    assert other.shape == (2, 64)
    assert (other[0] != first).any()


def test_only_what_is_there_is_looked_at():
    state = adam(LR).init(PARAMS)
    with pytest.raises(ValueError, match="Nothing in this state is scheduled"):
        training.check_resume(optax.adam(0.1).init(PARAMS), LR)
    with pytest.raises(ValueError, match="outside of `jit`"):
        jax.jit(training.check_resume)(state)
    with pytest.raises(ValueError, match=r"'learning_rat'.*learning_rate"):
        training.check_resume(state, {"learning_rat": LR})
    with pytest.raises(TypeError, match="`schedule` must be a schedule, a number, or"):
        training.check_resume(state, "x")
    for number in ({"step": "a"}, {"step": -1}, {"total_steps": "5"}):
        with pytest.raises((TypeError, ValueError), match=f"`{next(iter(number))}`"):
            training.check_resume(state, LR, **number)
    assert not training.check_resume(state, LR, step=jnp.int32(0))
    two = training.inject(optax.sgd)(LR, momentum=js.constant(0.9)).init(PARAMS)
    assert not training.check_resume(two, LR)
    assert kinds(two, {"momentum": js.constant(0.8)}) == {"numbers"}
    counters = optax.contrib.muon(LR, adam_learning_rate=LR).init(PARAMS)
    with pytest.raises(ValueError, match="by these names"):
        training.check_resume(counters, LR)


# --- What a state will do -------------------------------------------------------------


def test_a_preview_has_the_rates_that_are_applied():
    optimizer = training.inject(optax.sgd)(LR, momentum=js.linear(0.9, 0.8, 20))
    state = training.set_scale(ran(optimizer, 3), 0.5)
    seen = training.preview(state, 4)
    for place in range(4):
        state = ran(optimizer, 1, state)
        for name, value in training.applied(state).items():
            chex.assert_trees_all_close(seen[name][place], value, rtol=1e-6)


def test_a_preview_of_optax_of_layers_and_of_batches():
    state = ran(optax.adam(LR), 3)
    rates = training.preview(state, 4, LR)["schedule"]
    np.testing.assert_allclose(rates, LR(np.arange(3, 7)), rtol=1e-6)
    layers = training.layerwise(PARAMS, LR, {"w": 0.5})
    seen = training.preview(training.scale_by_layers(layers).init(PARAMS), 3)
    np.testing.assert_allclose(seen["w"], 0.5 * LR(np.arange(3)), rtol=1e-6)
    batch = jax.vmap(lambda p: adam(js.linear(p, 0.0, 4)).init(PARAMS))(
        jnp.array([1.0, 2.0])
    )
    np.testing.assert_allclose(
        training.preview(batch, 2)["learning_rate"], [[1.0, 0.75], [2.0, 1.5]]
    )
    injected = optax.inject_hyperparams(optax.adam)(LR).init(PARAMS)
    seen = training.preview(injected, 3, LR)
    np.testing.assert_allclose(seen["b1"], [0.9] * 3, rtol=1e-6)
    np.testing.assert_allclose(seen["learning_rate"], LR(np.arange(3)), rtol=1e-6)


def test_a_preview_of_what_a_reducer_has_lowered():
    optimizer = optax.chain(
        training.inject(optax.sgd)(js.constant(0.1)),
        training.reducing(training.plateau(factor=0.5, patience=1)),
    )
    state = optimizer.init(PARAMS)
    for _ in range(4):
        _, state = optimizer.update(PARAMS, state, PARAMS, value=jnp.float32(1.0))
    rate = training.upcoming(state)["learning_rate"]
    assert rate < 0.1
    np.testing.assert_allclose(
        training.preview(state, 3)["learning_rate"], [rate] * 3, rtol=1e-6
    )


@pytest.mark.parametrize("steps", [0, -1, 2.5, "3", jnp.arange(3)])
def test_a_preview_takes_a_number_of_updates(steps):
    with pytest.raises((ValueError, TypeError), match="steps"):
        training.preview(ran(adam(LR), 1), steps)
