"""Inside what people train with: Flax, Equinox, dictionaries, scans and meshes."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import jaxsched as js
from jaxsched import training

from .catalogue import CATALOGUE


LR = js.warmup_cosine(0.1, warmup_steps=2, total_steps=8)
X = jnp.linspace(0.0, 1.0, 8)[:, None]
Y = 3 * X


@pytest.fixture(autouse=True)
def _rules_of_others():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def rates_in(states):
    return [float(training.applied(state)["learning_rate"]) for state in states]


EXPECTED = np.asarray(LR(np.arange(4))).tolist()


@pytest.mark.filterwarnings("ignore")
def test_flax_nnx():
    nnx = pytest.importorskip("flax.nnx")
    model = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, training.inject(optax.adam)(LR), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        loss, grads = nnx.value_and_grad(lambda m: ((m(X) - Y) ** 2).mean())(model)
        optimizer.update(model, grads)
        return loss

    seen = []
    for _ in range(4):
        step(model, optimizer)
        seen.append(nnx.pure(optimizer.opt_state))
    assert rates_in(seen) == EXPECTED


def test_equinox():
    eqx = pytest.importorskip("equinox")
    model = eqx.nn.Linear(1, 1, key=jax.random.key(0))
    optimizer = training.inject(optax.adam)(LR)
    state = optimizer.init(eqx.filter(model, eqx.is_array))

    @eqx.filter_jit
    def step(model, state):
        loss = lambda m: ((jax.vmap(m)(X) - Y) ** 2).mean()  # noqa: E731
        grads = eqx.filter_grad(loss)(model)
        updates, state = optimizer.update(grads, state, model)
        return eqx.apply_updates(model, updates), state

    seen = []
    for _ in range(4):
        model, state = step(model, state)
        seen.append(state)
    assert rates_in(seen) == EXPECTED


def test_a_schedule_is_an_argument_of_equinox():
    eqx = pytest.importorskip("equinox")

    @eqx.filter_jit
    @chex.assert_max_traces(n=1)
    def rate(schedule, step):
        return schedule(step)

    for peak in (0.1, 0.2):
        lr = js.as_arrays(js.linear(peak, 0.0, 4))
        assert rate(lr, jnp.asarray(2)) == np.float32(peak / 2)


HAIKU = {"linear": {"w": jnp.zeros((1, 1)), "b": jnp.zeros(1)}}


def loss(params, x, y):
    return ((x @ params["linear"]["w"] + params["linear"]["b"] - y) ** 2).mean()


def step(optimizer, params, state, x, y):
    updates, state = optimizer.update(jax.grad(loss)(params, x, y), state, params)
    return optax.apply_updates(params, updates), state


def test_haiku_style_parameters_in_a_scan():
    optimizer = training.inject(optax.adam)(LR)

    def body(carry, _):
        params, state = step(optimizer, *carry, X, Y)
        return (params, state), training.applied(state)["learning_rate"]

    _, rates = jax.lax.scan(body, (HAIKU, optimizer.init(HAIKU)), length=4)
    assert rates.tolist() == EXPECTED


def test_multi_steps_of_mini_batches():
    optimizer = optax.MultiSteps(training.inject(optax.adam)(LR), 2)
    state, seen = optimizer.init(HAIKU), []
    for _ in range(8):
        _, state = step(optimizer, HAIKU, state, X, Y)
        seen.append(state)
    assert rates_in(seen[1::2]) == EXPECTED


def test_a_mesh_of_devices():
    mesh = jax.make_mesh((2,), ("data",))
    optimizer = training.inject(optax.adam)(LR)
    each = PartitionSpec("data")

    @jax.jit
    @functools.partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(), each, each),
        out_specs=(PartitionSpec(), PartitionSpec()),
    )
    def parallel(params, state, x, y):
        grads = jax.lax.pmean(jax.grad(loss)(params, x, y), "data")
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    x, y = jax.device_put((X, Y), NamedSharding(mesh, each))
    params, state = HAIKU, optimizer.init(HAIKU)
    expected, other = HAIKU, optimizer.init(HAIKU)
    seen = []
    for _ in range(4):
        params, state = parallel(params, state, x, y)
        expected, other = step(optimizer, expected, other, X, Y)
        seen.append(state)
    assert rates_in(seen) == EXPECTED
    chex.assert_trees_all_close(params, expected, rtol=1e-5)


def test_bfloat16_parameters():
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), HAIKU)
    optimizer = training.inject(optax.adamw)(LR, weight_decay=js.constant(1e-4))
    seen, state = [], optimizer.init(params)
    for _ in range(4):
        params, state = step(optimizer, params, state, X, Y)
        seen.append(state)
    assert rates_in(seen) == EXPECTED
    assert {x.dtype for x in jax.tree.leaves(params)} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize(
    ("what", "value"),
    {
        "epsilon of DQN": js.linear(1.0, 0.05, 100),
        "weight of a KL term": js.triangular(0.0, 1.0, up_steps=50),
        "decay of an average": js.minimum(0.999, 1 - 1 / js.linear(2.0, 102.0, 100)),
        "dropout": js.cosine(0.3, 0.0, 100),
    }.items(),
)
def test_any_value_is_the_same_object(what, value):
    values = jax.jit(value)(jnp.arange(100))
    assert np.isfinite(values).all(), what


def test_the_norm_to_clip_at_is_scheduled():
    optimizer = training.inject(optax.clip_by_global_norm)(js.linear(1.0, 0.5, 2))
    state, seen = optimizer.init(jnp.zeros(1)), []
    for _ in range(3):
        updates, state = optimizer.update(jnp.full(1, 10.0), state)
        seen.append(float(updates[0]))
    np.testing.assert_allclose(seen, [1.0, 0.75, 0.5], rtol=1e-6)


@pytest.mark.parametrize("name", CATALOGUE)
def test_sharded_steps_have_sharded_rates_under_an_explicit_mesh(name):
    schedule = CATALOGUE[name].schedule
    mesh = jax.make_mesh((2,), ("x",), axis_types=(jax.sharding.AxisType.Explicit,))
    expected = schedule(jnp.arange(8))
    with jax.set_mesh(mesh):
        steps = jax.device_put(jnp.arange(8), NamedSharding(mesh, PartitionSpec("x")))
        rates = jax.jit(schedule)(steps)
    assert rates.sharding.spec == PartitionSpec("x")
    chex.assert_trees_all_close(np.asarray(rates), np.asarray(expected), rtol=1e-6)
