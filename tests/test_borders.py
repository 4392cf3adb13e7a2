"""Where other people's code begins: what Optax and Flax do with our states."""

import copy
import functools
import importlib
import pickle
import pkgutil
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import jaxsched as js
from jaxsched import training
from jaxsched.training import reducers
from jaxsched.tree import Tree, fields


PARAMS = {"w": jnp.ones((3, 3)), "b": jnp.zeros(3)}
ONES = jax.tree.map(jnp.ones_like, PARAMS)


@pytest.fixture(autouse=True)
def _rules_of_optax():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def arrays_of(peak=0.1):
    """A schedule whose leaves are arrays, one of them twice."""
    rate = jnp.float32(peak)
    return js.linear(0.0, rate, 3) >> js.cosine(rate, 0.0, jnp.float32(10))


def by_layers(lr):
    layers = training.layerwise(PARAMS, lr, {"w": 0.5, "b": 1.0})
    return training.scale_by_layers(layers)


# --- Buffers --------------------------------------------------------------------------

BRIDGES = {
    "inject": lambda lr: training.inject(optax.adamw)(lr, b1=lr),
    "scale": training.scale_by_schedule,
    "layers": by_layers,
    "decay": training.decay_weights,
    "both": lambda lr: optax.chain(training.inject(optax.sgd)(lr), by_layers(lr)),
    "plateau": lambda lr: reducers.reducing(reducers.plateau(lr.parts[1].start)),
    "greedy": lambda lr: reducers.reducing(
        reducers.greedy(lowest=lr.parts[1].start, highest=jnp.float32(4.0))
    ),
}


def buffers(tree):
    leaves = jax.tree.leaves(tree)
    return [x.unsafe_buffer_pointer() for x in leaves if isinstance(x, jax.Array)]


def assert_apart(state, *others):
    inside = buffers(state)
    assert len({*inside}) == len(inside)
    assert not {*inside} & {*buffers(others)}


STARTS = {
    "at once": lambda make, lr: make(lr).init(PARAMS),
    "compiled": lambda make, lr: jax.jit(make(lr).init)(PARAMS),
    "given": lambda make, lr: jax.jit(lambda lr: make(lr).init(PARAMS))(lr),
    "batched": lambda make, lr: jax.vmap(lambda _: make(lr).init(PARAMS))(jnp.ones(2)),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("make", BRIDGES.values(), ids=BRIDGES)
def test_no_two_leaves_of_a_state_share_a_buffer(make, start):
    lr = arrays_of()
    state = start(make, lr)
    assert_apart(state, lr, PARAMS, start(make, lr))


@pytest.mark.parametrize("batch", [(), (2,)], ids=["one", "batch"])
def test_nor_do_they_after_a_change(batch):
    lr, factor, step = arrays_of(), jnp.float32(0.5), jnp.int32(4)
    state = BRIDGES["inject"](lr).init(PARAMS)
    if batch:
        state = jax.vmap(lambda _: BRIDGES["inject"](lr).init(PARAMS))(jnp.ones(batch))
    for name in ("learning_rate", "b1"):
        state = training.set_schedule(state, lr, name=name)
        state = training.set_scale(state, factor, name=name)
    state = training.set_step(state, step)
    assert_apart(state, lr, factor, step)


@pytest.mark.parametrize("make", BRIDGES.values(), ids=BRIDGES)
def test_a_donated_state_leaves_the_schedule_alone(make):
    lr = arrays_of()
    optimizer = make(lr)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state):
        updates, state = optimizer.update(ONES, state, params)
        return optax.apply_updates(params, updates), state

    params, state = jax.tree.map(jnp.array, PARAMS), optimizer.init(PARAMS)
    for _ in range(3):
        params, state = step(params, state)
    assert float(lr(3)) == np.float32(0.1)
    chex.assert_trees_all_equal(optimizer.init(PARAMS), make(arrays_of()).init(PARAMS))


def test_arrays_of_a_schedule_are_its_own():
    lr = arrays_of()
    assert_apart(js.as_arrays(lr), lr)


# --- Names ----------------------------------------------------------------------------


def names_of_optax():
    """The names in all states of Optax, and those of what an update may be given."""
    names = {"value", "grad", "value_fn", "obj_fn", "params", "updates"}
    for module in pkgutil.walk_packages(optax.__path__, "optax."):
        if not module.name.endswith("_test"):
            for name, kind in vars(importlib.import_module(module.name)).items():
                if "State" in name and isinstance(kind, type):
                    names |= {*getattr(kind, "_fields", ())}
    return names


def below(kind):
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


@pytest.mark.filterwarnings("ignore")
def test_no_name_in_a_state_or_a_schedule_is_one_of_optax():
    theirs = names_of_optax()
    assert {"count", "scale", "trace", "hyperparams", "step"} <= theirs
    for kind in below(js.Schedule):
        assert not {field.name for field in fields(kind)} & theirs, kind
    assert not {*training.Scheduled._fields} & theirs
    assert {*training.InjectState._fields} & theirs == {"inner_state"}
    assert not {*training.LayersState._fields} & theirs
    for kind in below(Tree):
        assert "value" not in {field.name for field in fields(kind)}, kind


def test_line_searches_and_reducers_find_their_own():
    optimizer = optax.chain(
        training.inject(optax.sgd)(js.constant(1.0)),
        reducers.reducing(reducers.plateau(0.5)),
        optax.scale_by_backtracking_linesearch(15, store_grad=True),
    )

    def loss(x):
        return (x**2).sum()

    value_and_grad = optax.value_and_grad_from_state(loss)
    x = jnp.ones(2)
    state = optimizer.init(x)
    for _ in range(3):
        value, grad = value_and_grad(x, state=state)
        updates, state = optimizer.update(
            grad, state, x, value=value, grad=grad, value_fn=loss
        )
        x = optax.apply_updates(x, updates)
    assert loss(x) < 0.1 * loss(jnp.ones(2))
    assert optax.tree.get(state, "scale") == 1
    assert optax.tree.get(state, "grad") is not None


@pytest.mark.parametrize("inner", [optax.lbfgs, training.inject(optax.lbfgs)])
def test_lbfgs_takes_a_shape_beside_its_line_search(inner):
    shape = js.linear(1.0, 0.5, steps=4)
    optimizer = inner(shape)

    def loss(x):
        return ((x - jnp.arange(1.0, 3.0)) ** 4).sum()

    @jax.jit
    def step(x, state):
        value, grad = optax.value_and_grad_from_state(loss)(x, state=state)
        updates, state = optimizer.update(
            grad, state, x, value=value, grad=grad, value_fn=loss
        )
        return optax.apply_updates(x, updates), state

    x = jnp.zeros(2)
    state = optimizer.init(x)
    for _ in range(8):
        x, state = step(x, state)
    assert loss(x) < 1e-3 * loss(jnp.zeros(2))


@pytest.mark.parametrize("make", BRIDGES.values(), ids=BRIDGES)
def test_optax_tells_what_follows_the_parameters(make):
    optimizer = make(arrays_of())
    state = optimizer.init(PARAMS)
    marked = optax.tree.map_params(
        optimizer, lambda _: True, state, transform_non_params=lambda _: False
    )
    chex.assert_trees_all_equal_structs(marked, state)
    for path, is_like_params in jax.tree_util.tree_leaves_with_path(marked):
        moments = {"mu", "nu"} & {getattr(key, "name", None) for key in path}
        assert is_like_params == bool(moments)


def test_what_is_set_by_name_in_place_of_a_schedule_is_refused():
    optimizer = training.inject(optax.sgd)(arrays_of())
    state = optimizer.init(PARAMS)
    assert isinstance(optax.tree.get(state, "learning_rate"), training.Scheduled)
    broken = optax.tree.set(state, learning_rate=0.5)
    with pytest.raises(TypeError, match=r"'learning_rate'.*set_schedule"):
        optimizer.update(ONES, broken, PARAMS)


def test_hyperparameters_are_read_where_trainers_read_them():
    lr = arrays_of()
    optimizer = optax.chain(optax.clip(1.0), training.inject(optax.adam)(lr, b1=0.8))
    state = optimizer.init(PARAMS)
    for step in range(3):
        _, state = optimizer.update(ONES, state, PARAMS)
        assert state[1].hyperparams["learning_rate"] == lr(step)
    with pytest.raises(TypeError, match=r"learning_rate.*set_schedule"):
        state[1].hyperparams["learning_rate"] = 0.1
    assert {*state[1].hyperparams} == {"learning_rate"}


# --- States of Optax ------------------------------------------------------------------


def after(optimizer, updates=3):
    state = optimizer.init(PARAMS)
    for _ in range(updates):
        _, state = optimizer.update(ONES, state, PARAMS)
    return state


A, B = js.linear(0.1, 0.0, 10), js.linear(0.5, 0.0, 10)


def test_several_counters_of_optax_are_told_apart_by_name():
    state = after(optax.contrib.muon(A, adam_learning_rate=B))
    with pytest.raises(ValueError, match="steps of 2 schedules") as caught:
        training.applied(state, A)
    names = [name for name in str(caught.value).split("'") if "inner" in name]
    each = {name: A if "muon" in name else B for name in names}
    applied, upcoming = training.applied(state, each), training.upcoming(state, each)
    for name, schedule in each.items():
        assert applied[name] == schedule(2)
        assert upcoming[name] == schedule(3)
    with pytest.raises(ValueError, match="no schedule 'adam'"):
        training.applied(state, {"adam": B})

    decayed = after(optax.adamw(A, weight_decay=B))
    with pytest.raises(ValueError, match="'1', '2'"):
        training.applied(decayed, A)
    assert training.applied(decayed, {"1": B, "2": A}) == {"1": B(2), "2": A(2)}


def test_what_optax_injects_is_read():
    state = after(optax.inject_hyperparams(optax.adam)(A, b1=0.8))
    applied = training.applied(state)
    assert applied["learning_rate"] == A(2)
    assert applied["b1"] == np.float32(0.8)
    with pytest.raises(ValueError, match="'learning_rate' follows a schedule"):
        training.upcoming(state)
    upcoming = training.upcoming(state, A)
    assert upcoming["learning_rate"] == A(3)
    assert upcoming["b1"] == np.float32(0.8)
    with pytest.raises(ValueError, match="a state of Optax itself"):
        training.set_scale(state, 0.5)


def test_two_rates_are_not_scaled_as_one():
    optimizer = training.inject(optax.contrib.muon)(A, adam_learning_rate=B)
    state = after(optimizer)
    with pytest.raises(ValueError, match="Give the `name` of one of these"):
        training.set_scale(state, 0.5)
    state = training.set_scale(state, 0.5, name="adam_learning_rate")
    rates = training.upcoming(state)
    assert rates["learning_rate"] == A(3)
    assert rates["adam_learning_rate"] == B(3) / 2


# --- Factories ------------------------------------------------------------------------


def positional(learning_rate, /, *more, decay=0.0, **others):
    del others
    factors = [optax.scale(factor) for factor in more]
    return optax.chain(
        optax.sgd(learning_rate), *factors, optax.add_decayed_weights(decay)
    )


def test_factories_of_any_signature():
    optimizer = training.inject(positional)(A, 2.0, B, decay=A, unused=B, name="x")
    state = after(optimizer)
    applied = training.applied(state)
    assert {*applied} == {"learning_rate", "more[1]", "decay", "unused"}
    assert applied["more[1]"] == B(2)
    updates, _ = optimizer.update(ONES, state, PARAMS)
    np.testing.assert_allclose(updates["b"], -A(3) * 2 * B(3), rtol=1e-6)
    np.testing.assert_allclose(updates["w"], -A(3) * 2 * B(3) + A(3), rtol=1e-6)


def test_a_typed_key_stays_in_the_state():
    optimizer = training.inject(optax.noisy_sgd)(A, key=jax.random.key(0))
    state = jax.jit(lambda: after(optimizer))()
    assert training.applied(state)["learning_rate"] == A(2)


def test_what_makes_no_optimizer_is_refused():
    with pytest.raises(TypeError, match=r"as in `inject\(optax.adam\)\(lr\)`"):
        training.inject(optax.adam(A))
    with pytest.raises(TypeError, match="`custom` makes a schedule of it"):
        training.inject(optax.adam)(optax.cosine_decay_schedule(0.1, 10))
    mask = training.inject(optax.adamw)(A, mask=lambda p: jax.tree.map(lambda _: 1, p))
    assert training.applied(after(mask))["learning_rate"] == A(2)


# --- Batches --------------------------------------------------------------------------


def batch_of(schedules):
    make = lambda lr: training.inject(optax.adam)(lr).init(PARAMS)  # noqa: E731
    return jax.vmap(make)(schedules)


def tables(steepness):
    return js.table([steepness, steepness / 2, 0.0, 1.0, 2.0])


def test_the_values_of_a_batch_are_those_of_each():
    steepness = jnp.asarray([0.1, 0.2, 0.3])
    batch = batch_of(jax.vmap(tables)(steepness))
    assert training.applied(batch)["learning_rate"].tolist() == [0.0, 0.0, 0.0]
    for step in range(3):
        upcoming = training.upcoming(training.set_step(batch, step))["learning_rate"]
        each = [tables(one)(step) for one in steepness]
        np.testing.assert_array_equal(upcoming, np.asarray(each))


def test_a_batch_is_changed_all_at_once_or_each_by_its_own():
    batch = batch_of(jax.vmap(tables)(jnp.asarray([0.1, 0.2, 0.3])))

    optimizer = training.inject(optax.adam)(A)

    @jax.jit
    @chex.assert_max_traces(1)
    def step(batch):
        return jax.vmap(lambda one: optimizer.update(ONES, one, PARAMS)[1])(batch)

    batch = step(batch)
    scaled = step(training.set_scale(batch, 0.5))
    np.testing.assert_allclose(
        training.applied(scaled)["learning_rate"], [0.025, 0.05, 0.075], rtol=1e-6
    )
    each = step(training.set_scale(batch, jnp.asarray([1.0, 2.0, 4.0])))
    np.testing.assert_allclose(
        training.applied(each)["learning_rate"], [0.05, 0.2, 0.6], rtol=1e-6
    )
    steps = step(training.set_step(batch, np.array([0, 1, 3])))
    np.testing.assert_allclose(
        training.applied(steps)["learning_rate"], [0.1, 0.1, 1.0], rtol=1e-6
    )
    one = training.set_schedule(batch, tables(0.8))
    assert training.upcoming(one)["learning_rate"].tolist() == [np.float32(0.4)] * 3
    chex.assert_trees_all_equal_shapes(one, batch)
    own = training.set_schedule(batch, jax.vmap(tables)(jnp.asarray([2.0, 4.0, 6.0])))
    assert training.upcoming(own)["learning_rate"].tolist() == [1, 2, 3]
    other = training.set_schedule(batch, js.linear(jnp.asarray([1.0, 2.0, 3.0]), 0, 2))
    assert training.upcoming(other)["learning_rate"].tolist() == [0.5, 1.0, 1.5]
    with pytest.raises(ValueError, match=r"shape \(2,\) is not one for each"):
        training.set_schedule(batch, js.constant(jnp.ones(2)))
    with pytest.raises(ValueError, match=r"`scale` must be one number, or one for"):
        training.set_scale(batch, jnp.ones(2))


# --- Steps ----------------------------------------------------------------------------


@pytest.mark.parametrize("step", [150e9, 2**31, 0.5, -1, np.array([0.5, 1])])
def test_a_step_that_cannot_be_counted_is_refused(step):
    state = training.inject(optax.sgd)(A).init(PARAMS)
    with pytest.raises(ValueError, match="`step` must be a whole number from 0 to"):
        training.set_step(state, step)
    with pytest.raises(TypeError, match="`step` must be"):
        training.set_step(state, "3")
    with pytest.raises(ValueError, match="`step` must be"):
        training.set_step(state, np.nan)
    with pytest.raises(TypeError, match="a traced float32"):
        jax.jit(lambda step: training.set_step(state, step))(1.0)


def test_a_step_is_set_exactly():
    state = training.inject(optax.sgd)(js.linear(0.0, 1.0, 2**24)).init(PARAMS)
    for step in (7, 7.0, np.int64(7), np.float32(7), jnp.asarray(7), 2**24 - 1):
        changed = training.set_step(state, step)
        assert changed.scheduled["learning_rate"].position == step
        assert changed.scheduled["learning_rate"].position.dtype == jnp.int32
    traced = jax.jit(lambda step: training.set_step(state, step))
    for step in (np.uint32(2**31 + 5), np.uint8(200), np.int8(-3), np.int16(300)):
        counted = traced(step).scheduled["learning_rate"].position
        assert counted == min(max(int(step), 0), 2**31 - 1)


# --- Reducers -------------------------------------------------------------------------


def test_what_a_reducer_lowered_is_what_is_applied():
    halving = reducers.reducing(reducers.plateau(0.5, patience=0))
    optimizer = optax.chain(training.inject(optax.sgd)(A, momentum=B), halving)
    params, state = PARAMS, optimizer.init(PARAMS)
    for step, scale in enumerate((1.0, 0.5, 0.25)):
        updates, state = optimizer.update(ONES, state, params, value=1.0)
        applied = training.applied(state)
        assert applied["learning_rate"] == A(step) * scale
        assert applied["momentum"] == B(step)
        if step == 0:
            np.testing.assert_allclose(updates["b"], -applied["learning_rate"])
    assert training.upcoming(state)["learning_rate"] == A(3) * 0.25
    theirs = optax.chain(optax.sgd(A), halving)
    state = theirs.init(PARAMS)
    for _ in range(2):
        _, state = theirs.update(ONES, state, PARAMS, value=1.0)
    assert training.applied(state, A)["schedule"] == A(1) * 0.5


def test_a_reducer_elsewhere_lowers_nothing():
    halving = reducers.reducing(reducers.plateau(0.5, patience=0))
    groups = {"w": "first", "b": "second"}
    optimizer = optax.partition(
        {
            "first": optax.chain(training.inject(optax.sgd)(A), halving),
            "second": training.inject(optax.sgd)(A),
        },
        groups,
    )
    state = optimizer.init(PARAMS)
    for _ in range(2):
        _, state = optimizer.update(ONES, state, PARAMS, value=1.0)
    first, second = training.applied(state).values()
    assert (first, second) == (A(1) * 0.5, A(1))


def test_a_reducer_before_an_optimizer_lowers_its_gradients_and_no_rate():
    halving = reducers.reducing(reducers.plateau(0.5, patience=0))
    optimizer = optax.chain(halving, training.inject(optax.adam)(A))
    state = optimizer.init(PARAMS)
    for _ in range(2):
        _, state = optimizer.update(ONES, state, PARAMS, value=1.0)
    assert training.applied(state)["learning_rate"] == A(1)


def by_pickle(state, like, path):
    path.write_bytes(pickle.dumps(state))
    return pickle.loads(path.read_bytes())


def by_orbax(state, like, path):
    checkpoint = pytest.importorskip("orbax.checkpoint")
    with checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, state)
        checkpointer.wait_until_finished()
        return checkpointer.restore(path, like)


def by_equinox(state, like, path):
    equinox = pytest.importorskip("equinox")
    equinox.tree_serialise_leaves(path, state)
    return equinox.tree_deserialise_leaves(path, like)


def by_flax(state, like, path):
    serialization = pytest.importorskip("flax.serialization")
    path.write_bytes(serialization.to_bytes(state))
    return serialization.from_bytes(like, path.read_bytes())


@pytest.mark.parametrize("way", [by_pickle, by_orbax, by_equinox, by_flax])
@pytest.mark.parametrize("make", [BRIDGES["inject"], BRIDGES["layers"]])
def test_what_is_saved_is_restored_to_the_same_rates(way, make, tmp_path):
    # Flax is told of our trees when a state is made, if it is there.
    pytest.importorskip("flax.serialization")
    optimizer, like = make(arrays_of()), make(arrays_of(0.3)).init(PARAMS)
    state = optimizer.init(PARAMS)
    for _ in range(2):
        _, state = optimizer.update(ONES, state, PARAMS)
    state = training.set_scale(state, 0.5, name=next(iter(training.applied(state))))
    read = way(state, like, tmp_path / "state")
    chex.assert_trees_all_equal(training.preview(read, 12), training.preview(state, 12))
    chex.assert_trees_all_equal(training.applied(read), training.applied(state))
    assert not training.check_resume(read)


def test_states_survive_pickle_and_copies():
    state = after(BRIDGES["both"](arrays_of()))
    chex.assert_trees_all_equal(pickle.loads(pickle.dumps(state)), state)
    chex.assert_trees_all_equal(copy.deepcopy(state), state)


# --- Metrics that are averaged, or are not there --------------------------------------


def scales(transformation, metrics, **extra):
    """The scale after each update of a compiled step."""

    @jax.jit
    def step(state, metric, evaluated):
        given = {"evaluated": evaluated} if extra else {}
        return transformation.update(ONES, state, value=metric, **given)[1]

    state, seen = transformation.init(PARAMS), []
    whens = extra.get("evaluated", [True] * len(metrics))
    for metric, when in zip(metrics, whens, strict=True):
        state = step(state, metric, when)
        seen.append(float(optax.tree.get(state, "scale")))
    return seen


def test_metrics_are_averaged_as_optax_averages_them():
    noise = np.random.default_rng(0).uniform(0.0, 1.0, 60)
    metrics = (noise + np.linspace(1.0, 0.0, 60)).astype(np.float32)
    rules = {"factor": 0.5, "patience": 2}
    ours = reducers.reducing(
        reducers.plateau(**rules, convention="optax"), accumulation_size=4
    )
    theirs = optax.contrib.reduce_on_plateau(**rules, accumulation_size=4)
    expected = scales(theirs, metrics)
    assert 2**-4 < expected[-1] < 1
    assert scales(ours, metrics) == expected


def test_between_two_evaluations_the_scale_stays_in_one_program():
    ours = reducers.reducing(reducers.plateau(0.5, patience=1))
    whens = [step % 4 == 0 for step in range(16)]
    metrics = [1.0 if when else np.nan for when in whens]
    assert scales(ours, metrics, evaluated=whens)[-1] == 0.5
    assert scales(ours, [*metrics[:1], 1.0, np.nan])[-1] == 0.5


def test_the_size_of_an_average_is_a_whole_number():
    for size in (0, 1.5, "2"):
        with pytest.raises((TypeError, ValueError), match="accumulation_size"):
            reducers.reducing(reducers.plateau(), accumulation_size=size)


def test_a_divergence_of_0_changes_nothing():
    reducer = reducers.adaptive_kl(0.01, lowest=0.1, highest=10)
    state = reducer.init()
    assert reducer.update(state, 0.0).scale == 1
    assert reducer.update(state, -1e-9).scale == 1
    assert reducer.update(state, 1e-9).scale == 1.5


# --- Bytes of Flax --------------------------------------------------------------------


def scheduled(state):
    nodes = jax.tree.leaves(
        state, is_leaf=lambda node: isinstance(node, training.Scheduled)
    )
    return [node for node in nodes if isinstance(node, training.Scheduled)]


@pytest.mark.parametrize("make", BRIDGES.values(), ids=BRIDGES)
def test_flax_writes_and_reads_states(make):
    serialization = pytest.importorskip("flax.serialization")
    state = after(make(arrays_of()))
    written = serialization.to_bytes(state)
    fresh = make(arrays_of(0.7)).init(PARAMS)
    # What a schedule has kept of its old numbers is not read into the new one.
    for each in scheduled(fresh):
        each.upcoming()
    read = serialization.from_bytes(fresh, written)
    chex.assert_trees_all_equal(read, state)
    for one, other in zip(scheduled(read), scheduled(state), strict=True):
        assert one.upcoming() == other.upcoming()


def test_what_flax_reads_trains_on_as_what_was_written():
    serialization = pytest.importorskip("flax.serialization")
    lr = js.noise(js.warmup(js.table([1.0, 0.5, 0.25]), 2, join="multiply"), 0.1)
    optimizer = training.inject(optax.adam)(lr)
    state = after(optimizer, 2)
    read = serialization.from_bytes(
        optimizer.init(PARAMS), serialization.to_bytes(state)
    )
    step = jax.jit(optimizer.update)
    for _ in range(3):
        updates, state = step(ONES, state, PARAMS)
        again, read = step(ONES, read, PARAMS)
        chex.assert_trees_all_equal(again, updates)
    chex.assert_trees_all_equal(read, state)


@pytest.mark.parametrize(
    "other", [js.cosine(0.1, 0.0, 10), js.step_decay(0.1, factor=0.5, every=3)]
)
def test_flax_reads_no_other_kind_of_schedule(other):
    serialization = pytest.importorskip("flax.serialization")
    written = serialization.to_bytes(training.inject(optax.sgd)(A).init(PARAMS))
    state = training.inject(optax.sgd)(other).init(PARAMS)
    with pytest.raises(ValueError, match=r"was saved, and cannot.*set_schedule"):
        serialization.from_bytes(state, written)


def test_flax_may_be_imported_after_a_schedule_was_made():
    script = """if True:
        import jax.numpy as jnp, optax, jaxsched as js
        from jaxsched import training
        optimizer = training.inject(optax.sgd)(js.linear(0.5, 0.0, 4))
        from flax import serialization
        state = optimizer.init(jnp.ones(2))
        state = training.set_step(state, 2)
        read = serialization.from_bytes(
            optimizer.init(jnp.ones(2)), serialization.to_bytes(state))
        print(training.upcoming(read)["learning_rate"])
    """
    run = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "0.25", done.stderr
