"""Rates by layer and changes in mid-run, in each home: Flax, Equinox, dictionaries."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest

import jaxsched as js
from jaxsched import training

from . import homes


nnx = pytest.importorskip("flax.nnx")
eqx = pytest.importorskip("equinox")
linen = pytest.importorskip("flax.linen")
train_state = pytest.importorskip("flax.training.train_state")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LR = js.linear(1.0, 0.0, steps=8)
RULES = {"layers/0/.*": 0.5, ".*bias": js.constant(0.0), ".*": 1.0}
X = jnp.ones((3, 2))


@pytest.fixture(autouse=True)
def _rules_of_others():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def optimizer_of(layers):
    """Of updates of 1, each parameter's are its rates; and the others are at `LR`."""
    return optax.chain(training.inject(optax.sgd)(LR), training.scale_by_layers(layers))


class Net(nnx.Module):
    """Layers, and what holds variables that are no parameters."""

    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(2, 2, rngs=rngs) for _ in range(2)])
        self.norm = nnx.BatchNorm(2, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.dropout(self.norm(x))


def paths_of(model):
    return {
        "module": model,
        "state": nnx.state(model, nnx.Param),
        "pure": nnx.to_pure_dict(nnx.state(model, nnx.Param)),
    }


class Home:
    """A model with an optimizer of Flax NNX, and one update of them."""

    def __init__(self, given, *, both, jitted):
        self.model = Net(nnx.Rngs(0))
        self.layers = training.layerwise(paths_of(self.model)[given], LR, RULES)
        kind = nnx.ModelAndOptimizer if both else nnx.Optimizer
        self.optimizer = kind(self.model, optimizer_of(self.layers), wrt=nnx.Param)

        def step(model, optimizer):
            grads = nnx.grad(lambda model: model(X).sum())(model)
            given = (grads,) if both else (model, grads)
            optimizer.update(*given)

        self._step = nnx.jit(step) if jitted else step

    def step(self):
        self._step(self.model, self.optimizer)
        return self.optimizer.opt_state

    @property
    def state(self):
        return self.optimizer.opt_state

    @state.setter
    def state(self, state):
        self.optimizer.opt_state = state


HOMES = {
    "eager": {"both": False, "jitted": False},
    "jit": {"both": False, "jitted": True},
    "both": {"both": True, "jitted": True},
}


@pytest.mark.parametrize("given", ["module", "state", "pure"])
@pytest.mark.parametrize("home", HOMES)
def test_flax_nnx_from_the_first_update_to_another_schedule(home, given):
    home = Home(given, **HOMES[home])
    table = training.explain(home.layers, step=4)
    rows = [row.split() for row in table.splitlines()[1:]]
    assert rows[0] == ["layers/0/bias", "layers/0/.*", "0.5", "0.25"]
    assert rows[2] == ["layers/1/bias", ".*bias", "0"]
    assert [row[0] for row in rows] == sorted(
        [f"layers/{i}/{name}" for i in (0, 1) for name in ("bias", "kernel")]
        + ["norm/bias", "norm/scale"]
    )
    for step in range(2):
        rates = training.applied(home.step())
        assert rates["learning_rate"] == LR(step)
        assert rates["layers/0/.*"] == LR(step) / 2
        assert rates[".*bias"] == 0
        assert all(isinstance(rate, jax.Array) for rate in rates.values())
    assert training.upcoming(home.state)[".*"] == LR(2)
    assert training.upcoming(home.optimizer)[".*"] == LR(2)

    home.state = training.set_scale(home.state, 0.5)
    assert training.applied(home.step())["learning_rate"] == LR(2) / 2
    home.state = training.set_step(home.state, 6)
    assert training.applied(home.step())[".*"] == LR(6)
    later = training.retarget(LR, at=7, total_steps=13)
    home.state = training.set_schedule(home.state, later)
    home.state = training.set_schedule(home.state, js.cosine(0.5, 0.0, 8), name=".*")
    rates = training.applied(home.step())
    np.testing.assert_allclose(rates["learning_rate"], later(7) / 2)
    np.testing.assert_allclose(rates[".*"], js.cosine(0.5, 0.0, 8)(7))


def test_a_frozen_group_of_flax_nnx_stays_until_it_is_unfrozen():
    model = Net(nnx.Rngs(0))
    rules = {"layers/0/.*": training.unfreeze(LR, at=2), ".*": 1.0}
    layers = training.layerwise(model, LR, rules)
    optimizer = nnx.Optimizer(model, training.scale_by_layers(layers), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        grads = nnx.grad(lambda model: model.layers[1](model.layers[0](X)).sum())(model)
        optimizer.update(model, grads)

    kernels = []
    for _ in range(4):
        kernels.append(np.asarray(model.layers[0].kernel[...]))
        step(model, optimizer)
    np.testing.assert_array_equal(kernels[1], kernels[0])
    np.testing.assert_array_equal(kernels[2], kernels[0])
    assert (kernels[3] != kernels[0]).any()


@pytest.mark.parametrize("jitted", [False, True], ids=["eager", "jit"])
def test_flax_nnx_comes_back_from_a_checkpoint(tmp_path, jitted):
    home = Home("module", both=False, jitted=jitted)
    for _ in range(3):
        home.step()
    _, saved = nnx.split((home.model, home.optimizer))
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", nnx.to_pure_dict(saved))
        checkpointer.wait_until_finished()
        fresh = Home("module", both=False, jitted=jitted)
        graph, state = nnx.split((fresh.model, fresh.optimizer))
        read = checkpointer.restore(tmp_path / "state", nnx.to_pure_dict(state))
    nnx.replace_by_pure_dict(state, read)
    fresh.model, fresh.optimizer = nnx.merge(graph, state)
    chex.assert_trees_all_equal(
        training.applied(fresh.step()), training.applied(home.step())
    )
    assert training.applied(fresh.state)["learning_rate"] == LR(3)


def test_weight_decay_and_reducers_in_flax_nnx():
    model = Net(nnx.Rngs(0))
    optimizer = nnx.Optimizer(
        model,
        optax.chain(
            training.scale_by_schedule(LR, flip_sign=True),
            training.decay_weights(0.1 * LR),
            training.reducing(training.plateau(0.5, patience=0)),
        ),
        wrt=nnx.Param,
    )

    @nnx.jit
    def step(model, optimizer):
        loss, grads = nnx.value_and_grad(lambda model: model(X).sum())(model)
        optimizer.update(model, grads, value=0.0 * loss)

    for index, scale in enumerate((1.0, 0.5, 0.25)):
        step(model, optimizer)
        rate, decay = training.applied(optimizer.opt_state).values()
        np.testing.assert_allclose(rate, LR(index) * scale)
        np.testing.assert_allclose(decay, 0.1 * LR(index) * scale, rtol=1e-6)


class Model(eqx.Module):
    """Layers with what Equinox takes for static between them."""

    layers: list
    act: callable = jax.nn.relu

    def __init__(self, key):
        keys = jax.random.split(key, 2)
        self.layers = [eqx.nn.Linear(2, 2, key=key) for key in keys]

    def __call__(self, x):
        return self.layers[1](self.act(self.layers[0](x)))


def test_equinox_with_everything_donated():
    model = Model(jax.random.key(0))
    params = eqx.filter(model, eqx.is_inexact_array)
    lr = js.as_arrays(LR)
    layers = training.layerwise(params, lr, RULES)
    optimizer = optimizer_of(layers)
    state = optimizer.init(params)

    @eqx.filter_jit(donate="all")
    def step(model, state):
        grads = eqx.filter_grad(lambda model: jax.vmap(model)(X).sum())(model)
        updates, state = optimizer.update(
            grads, state, eqx.filter(model, eqx.is_inexact_array)
        )
        return eqx.apply_updates(model, updates), state

    for index in range(3):
        model, state = step(model, state)
        rates = training.applied(state)
        assert rates["learning_rate"] == LR(index)
        assert rates["layers/0/.*"] == LR(index) / 2
        state = training.set_scale(state, jnp.float32(1.0))
    assert lr(1) == LR(1)
    changed = training.set_schedule(state, lr >> js.constant(0.5))
    changed = training.set_step(changed, 9)
    _, changed = step(model, changed)
    assert training.applied(changed)["learning_rate"] == 0.5
    assert lr(1) == LR(1)


def test_train_state_of_flax_linen(tmp_path):
    model = linen.Sequential([linen.Dense(2), linen.Dense(2)])
    params = model.init(jax.random.key(0), X)["params"]
    rules = {"layers_0/.*": 0.5, ".*": 1.0}
    optimizer = optimizer_of(training.layerwise(params, LR, rules))
    state = train_state.TrainState.create(
        apply_fn=model.apply, params=params, tx=optimizer
    )

    @jax.jit
    def step(state):
        grads = jax.grad(lambda p: model.apply({"params": p}, X).sum())(state.params)
        return state.apply_gradients(grads=grads)

    for index in range(3):
        state = step(state)
        assert training.applied(state.opt_state)["layers_0/.*"] == LR(index) / 2
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", state)
        checkpointer.wait_until_finished()
        read = checkpointer.restore(tmp_path / "state", state)
    chex.assert_trees_all_equal(step(read).params, step(state).params)
    halved = state.replace(opt_state=training.set_scale(state.opt_state, 0.5))
    assert training.applied(step(halved).opt_state)["learning_rate"] == LR(3) / 2


def test_parameters_that_are_left_out_need_no_rate_and_others_do():
    params = {"a": jnp.ones(2), "b": jnp.ones(2)}
    layers = training.layerwise(params, LR, {"a": 0.5, "b": 1.0})
    masked = optax.masked(training.scale_by_layers(layers), {"a": True, "b": False})
    updates, state = masked.update(params, masked.init(params), params)
    np.testing.assert_allclose(updates["a"], -0.5)
    np.testing.assert_allclose(updates["b"], 1.0)
    assert training.applied(state)["a"] == 0.5
    with pytest.raises(ValueError, match="not those of `layerwise`: 'c' are not"):
        training.scale_by_layers(layers).init(params | {"c": 1.0})


@pytest.mark.parametrize("part", homes.PARTS)
@pytest.mark.parametrize("home", homes.HOMES)
def test_what_works_where(home, part, tmp_path):
    given = (tmp_path,) if part == "a checkpoint of Orbax" else ()
    homes.PARTS[part](homes.HOMES[home], *given)
