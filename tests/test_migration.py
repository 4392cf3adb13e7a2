"""From Optax's own optimizers to ours, in the middle of a run."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest
from flax import nnx

import jaxsched as js
from jaxsched import training


PARAMS = {"w": jnp.arange(6.0).reshape(2, 3) / 6, "b": jnp.ones(3)}
LR = js.warmup_cosine(0.1, warmup_steps=5, total_steps=40)
DECAY = js.linear(0.1, 0.0, 40)

PAIRS = {
    "sgd": (optax.sgd(LR, 0.9), training.inject(optax.sgd)(LR, 0.9)),
    "adam": (optax.adam(LR), training.inject(optax.adam)(LR)),
    "adamw": (
        optax.adamw(LR, weight_decay=0.1),
        training.inject(optax.adamw)(LR, weight_decay=0.1),
    ),
    "adamw with inject_hyperparams": (
        optax.inject_hyperparams(optax.adamw)(LR, weight_decay=DECAY),
        training.inject(optax.adamw)(LR, weight_decay=DECAY),
    ),
    "a constant rate": (optax.adam(0.1), training.inject(optax.adam)(js.constant(0.1))),
    "a chain with clipping": (
        optax.chain(optax.clip_by_global_norm(1.0), optax.adam(LR)),
        optax.chain(optax.clip_by_global_norm(1.0), training.inject(optax.adam)(LR)),
    ),
    "MultiSteps": (
        optax.MultiSteps(optax.adam(LR), 2).gradient_transformation(),
        optax.MultiSteps(training.inject(optax.adam)(LR), 2).gradient_transformation(),
    ),
    "Muon": (
        optax.contrib.muon(LR, adam_learning_rate=LR),
        training.inject(optax.contrib.muon)(LR, adam_learning_rate=LR),
    ),
    "scaled": (
        optax.chain(optax.scale_by_adam(), optax.scale_by_learning_rate(LR)),
        optax.chain(
            optax.scale_by_adam(), training.scale_by_schedule(LR, flip_sign=True)
        ),
    ),
    "by layers": (
        optax.chain(optax.scale_by_adam(), optax.scale_by_learning_rate(LR)),
        optax.chain(
            optax.scale_by_adam(),
            training.scale_by_layers(training.layerwise(PARAMS, LR, {".*": 1.0})),
        ),
    ),
}


@pytest.fixture(autouse=True)
def _rules_of_optax():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def trained(optimizer, params, state, steps):
    @jax.jit
    def step(params, state):
        grads = jax.tree.map(lambda p: jnp.sin(3 * p) + 0.1, params)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(steps):
        params, state = step(params, state)
    return params, state


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("steps", [0, 7])
def test_a_run_goes_on_as_if_it_had_begun_with_the_new_optimizer(name, steps, tmp_path):
    before, after = PAIRS[name]
    params, state = trained(before, PARAMS, before.init(PARAMS), steps)
    checkpointer = orbax.checkpoint.StandardCheckpointer()
    checkpointer.save(tmp_path / "state", state)
    checkpointer.wait_until_finished()
    state = checkpointer.restore(tmp_path / "state", before.init(PARAMS))
    migrated = training.migrate(state, after.init(PARAMS))
    chex.assert_trees_all_equal_structs(migrated, after.init(PARAMS))
    expected, all_along = trained(after, PARAMS, after.init(PARAMS), steps)
    chex.assert_trees_all_close(migrated, all_along, rtol=1e-4, atol=1e-6)
    if steps:
        chex.assert_trees_all_close(
            training.applied(migrated), training.applied(all_along), rtol=1e-6
        )
    expected, _ = trained(before, params, state, 6)
    seen, _ = trained(after, params, migrated, 6)
    # `inject_hyperparams` rounds whatever is a number, as `b2` is, before it is used.
    atol = 1e-5 if "inject_hyperparams" in name else 1e-6
    chex.assert_trees_all_close(seen, expected, rtol=1e-5, atol=atol)
    schedules = dict.fromkeys(training.applied(migrated), LR)
    if "weight_decay" in schedules:
        schedules["weight_decay"] = DECAY
    if name not in ("a constant rate", "by layers"):
        assert not training.check_resume(migrated, schedules)


def test_variables_of_flax_stay_variables():
    model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    before = nnx.Optimizer(model, optax.adam(LR), wrt=nnx.Param)
    grads = jax.tree.map(jnp.ones_like, nnx.state(model, nnx.Param))
    before.update(model, grads)
    after = nnx.Optimizer(model, training.inject(optax.adam)(LR), wrt=nnx.Param)
    after.opt_state = training.migrate(before.opt_state, after.opt_state)
    assert training.preview(after.opt_state, 1)["learning_rate"][0] == LR(1)
    after.update(model, grads)
    assert training.applied(after.opt_state)["learning_rate"] == LR(1)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (optax.adam(LR), training.inject(optax.sgd)(LR), "scheduled"),
        (optax.sgd(LR), training.inject(optax.sgd)(LR, momentum=0.9), "scheduled"),
        (
            optax.chain(optax.clip(1.0), optax.adam(LR)),
            training.inject(optax.adam)(LR),
            "scheduled",
        ),
    ],
)
def test_another_optimizer_is_refused(before, after, what):
    with pytest.raises(ValueError, match=what):
        training.migrate(before.init(PARAMS), after.init(PARAMS))


def test_other_parameters_are_refused():
    after = training.inject(optax.adam)(LR)
    state = optax.adam(LR).init({**PARAMS, "b": jnp.ones(4)})
    with pytest.raises(ValueError, match=r"mu\.b.*\(4,\).*\(3,\)"):
        training.migrate(state, after.init(PARAMS))


def test_steps_that_are_counted_in_several_ways_are_not_guessed():
    muon = PAIRS["Muon"][0].init(PARAMS)
    inner = muon.inner_states["adam"].inner_state
    other = (*inner[:2], inner[2]._replace(count=jnp.int32(3)))
    states = muon.inner_states | {
        "adam": muon.inner_states["adam"]._replace(inner_state=other)
    }
    with pytest.raises(ValueError, match="several ways, as"):
        training.migrate(
            muon._replace(inner_states=states), PAIRS["Muon"][1].init(PARAMS)
        )


def test_nothing_is_shared_with_what_is_migrated():
    before, after = PAIRS["adam"]
    state = before.init(PARAMS)
    migrated = training.migrate(state, after.init(PARAMS))
    donated = jax.jit(lambda s: jax.tree.map(lambda x: x + 1, s), donate_argnums=0)
    donated(migrated)
    np.testing.assert_array_equal(state[0].count, 0)


def test_what_has_counted_nothing_begins_at_0_and_is_set():
    before, after = optax.sgd(0.1), training.inject(optax.sgd)(LR)
    _, state = trained(before, PARAMS, before.init(PARAMS), 3)
    migrated = training.migrate(state, after.init(PARAMS))
    assert training.preview(migrated, 1)["learning_rate"][0] == LR(0)
    migrated = training.set_step(migrated, 3)
    assert training.preview(migrated, 1)["learning_rate"][0] == LR(3)
