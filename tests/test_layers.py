"""Rates by layer, and weight decay."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js
from jaxsched import training


PARAMS = {
    "embed": jnp.ones(2),
    "layers": [{"w": jnp.ones(2), "b": jnp.ones(())} for _ in range(3)],
    "head": {"w": jnp.ones(2)},
}
LR = js.linear(1.0, 0.0, 10)
RULES = {
    "head/.*": 1.0,
    ".*/b": 0.0,
    "layers/[12]/.*": 0.5,
    "layers/.*": 0.25,
    "embed": js.constant(0.125),
}


@pytest.fixture(autouse=True)
def _rules_of_optax():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def rates(layers, step):
    """What each parameter's updates of 1 are multiplied by."""
    optimizer = training.scale_by_layers(layers, flip_sign=False)
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    state = training.set_step(optimizer.init(PARAMS), step)
    return optimizer.update(ones, state)[0]


def test_the_first_rule_that_matches_counts():
    found = rates(training.layerwise(PARAMS, LR, RULES), 4)
    assert found["head"]["w"][0] == LR(4)
    assert [float(layer["w"][0]) for layer in found["layers"]] == [
        LR(4) * 0.25,
        LR(4) * 0.5,
        LR(4) * 0.5,
    ]
    assert [float(layer["b"]) for layer in found["layers"]] == [0.0, 0.0, 0.0]
    assert found["embed"][0] == 0.125


def test_each_layer_has_a_part_of_the_next_one():
    def depth(path):
        places = {"embed": 0, "head": 4}
        head, *rest = path.split("/")
        return places[head] if head in places else 1 + int(rest[0])

    rules = training.by_depth(PARAMS, depth, decay=0.5)
    found = rates(training.layerwise(PARAMS, LR, rules), 0)
    assert found["embed"][0] == 0.5**4
    assert [float(layer["w"][0]) for layer in found["layers"]] == [0.125, 0.25, 0.5]
    assert found["head"]["w"][0] == 1


def test_labels_serve_as_well():
    labels = jax.tree.map(lambda _: "body", PARAMS) | {"head": {"w": "head"}}
    layers = training.layerwise(PARAMS, LR, {"head": 1.0, "body": 0.1}, labels=labels)
    assert rates(layers, 0)["embed"][0] == np.float32(0.1)


def test_labels_are_those_of_their_paths():
    rules = {"head": 1.0, "body": 0.1}
    others = {"z": "body", "y": "body", "x": "body", "w": "head"}
    params = {"z": 1.0, "y": 1.0, "x": 1.0, "v": 1.0}
    with pytest.raises(ValueError, match=r"got 4 labels for 4 .*'v', 'w' are only in"):
        training.layerwise(params, LR, rules, labels=others)
    with pytest.raises(TypeError, match="label of 'v' must be a string, got 3"):
        training.layerwise(params, LR, rules, labels=others | {"v": 3, "w": None})


def test_no_two_parameters_have_one_path():
    params = {"mlp/w": jnp.ones(2), "mlp": {"w": jnp.ones(2)}}
    rules = {"mlp/w": 1.0}
    with pytest.raises(ValueError, match="more than one has the path 'mlp/w'"):
        training.layerwise(params, LR, rules)
    with pytest.raises(ValueError, match="more than one has the path 'mlp/w'"):
        training.by_depth(params, len, decay=0.5)
    layers = training.layerwise({"mlp/w": jnp.ones(2)}, LR, rules)
    with pytest.raises(ValueError, match="more than one has the path 'mlp/w'"):
        training.scale_by_layers(layers).init(params)


def test_frozen_means_from_weight_decay_too():
    rules = {"head/.*": 1.0, "layers/0/.*": training.unfreeze(LR, at=2), ".*": 0.0}
    optimizer = optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(0.1),
        training.scale_by_layers(training.layerwise(PARAMS, LR, rules)),
    )
    params, state = PARAMS, optimizer.init(PARAMS)
    for step in range(4):
        grads = jax.tree.map(jnp.ones_like, params)
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        chex.assert_trees_all_equal(params["embed"], PARAMS["embed"])
        moved = (params["layers"][0]["w"] != PARAMS["layers"][0]["w"]).any()
        assert moved == (step >= 2)
        assert training.applied(state)["layers/0/.*"] == (LR(step) if step >= 2 else 0)
    assert (params["head"]["w"] != PARAMS["head"]["w"]).all()


def test_factors_are_leaves():
    def head(factor):
        layers = training.layerwise(PARAMS, LR, {"head/.*": factor, ".*": 0.0})
        return rates(layers, 0)["head"]["w"].sum()

    once = jax.jit(chex.assert_max_traces(head, n=1))
    assert [float(once(x)) for x in (0.5, 0.25)] == [1.0, 0.5]
    assert jax.grad(head)(0.5) == 2.0
    assert jax.vmap(head)(jnp.asarray([0.5, 0.25])).tolist() == [1.0, 0.5]


def test_a_rate_is_changed_by_its_rule():
    optimizer = training.scale_by_layers(training.layerwise(PARAMS, LR, RULES))
    state = training.set_scale(optimizer.init(PARAMS), 0.5, name="head/.*")
    assert training.upcoming(state)["head/.*"] == 0.5
    assert training.upcoming(state)["layers/.*"] == 0.25


def test_updates_keep_their_dtype():
    halves = jax.tree.map(lambda x: x.astype(jnp.bfloat16), PARAMS)
    optimizer = training.scale_by_layers(training.layerwise(halves, LR, RULES))
    updates, _ = optimizer.update(halves, optimizer.init(halves))
    chex.assert_trees_all_equal_dtypes(updates, halves)


def test_explains_itself():
    table = training.explain(training.layerwise(PARAMS, LR, RULES), step=4).splitlines()
    rows = [line.split() for line in table]
    assert rows[0] == ["parameter", "rule", "factor", "rate"]
    assert rows[1] == ["embed", "embed", "0.125"]
    assert rows[2] == ["head/w", "head/.*", "1", "0.6"]
    assert len(rows) == 1 + len(jax.tree.leaves(PARAMS))


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="No rule matches 'embed'"):
        training.layerwise(PARAMS, LR, {"head/.*": 1.0})
    with pytest.raises(ValueError, match="Nothing is left for 'hed/"):
        training.layerwise(PARAMS, LR, {"hed/.*": 1.0, ".*": 1.0})
    with pytest.raises(ValueError, match=r"rules.*>= 0, got -1"):
        training.layerwise(PARAMS, LR, {".*": -1})
    optimizer = training.scale_by_layers(training.layerwise(PARAMS, LR, RULES))
    with pytest.raises(ValueError, match="not those of `layerwise`"):
        optimizer.init(PARAMS | {"other": jnp.ones(1)})


# --- Weight decay -------------------------------------------------------------------


def test_decay_that_follows_the_rate_is_that_of_adamw():
    ours = optax.chain(
        optax.scale_by_adam(),
        training.scale_by_schedule(LR, flip_sign=True),
        training.decay_weights(LR * 0.1),
    )
    theirs = optax.adamw(LR, weight_decay=0.1)
    params = [PARAMS, PARAMS]
    states = [ours.init(PARAMS), theirs.init(PARAMS)]
    for _ in range(5):
        for n, optimizer in enumerate((ours, theirs)):
            grads = jax.tree.map(jnp.sin, params[n])
            updates, states[n] = optimizer.update(grads, states[n], params[n])
            params[n] = optax.apply_updates(params[n], updates)
    chex.assert_trees_all_close(*params, rtol=1e-5)


def test_decay_may_be_independent_of_the_rate():
    optimizer = optax.chain(
        training.scale_by_schedule(js.constant(0.0)), training.decay_weights(0.5)
    )
    params, state = jnp.ones(2), optimizer.init(jnp.ones(2))
    for _ in range(3):
        updates, state = optimizer.update(jnp.ones(2), state, params)
        params = params + updates
    assert params.tolist() == [0.125, 0.125]
    with pytest.raises(ValueError, match="must be given the parameters"):
        optimizer.update(jnp.ones(2), state)


def test_what_is_not_trained_does_not_decay():
    optimizer = training.decay_weights(0.5)
    params = {"w": jnp.ones(2), "frozen": {"a": jnp.ones(2), "b": jnp.ones(2)}}
    updates = {"w": jnp.zeros(2), "frozen": {"a": None, "b": jnp.zeros(2)}}
    updates, _ = jax.jit(optimizer.update)(updates, optimizer.init(params), params)
    assert updates["frozen"]["a"] is None
    assert updates["w"].tolist() == updates["frozen"]["b"].tolist() == [-0.5, -0.5]
    updates, _ = optimizer.update(
        {"w": jnp.zeros(2), "frozen": None}, optimizer.init(params), params
    )
    assert updates["frozen"] is None
