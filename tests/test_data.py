"""Data of a search: arguments of its program, batches from the host, kept trees."""

import os
import subprocess
import sys
import threading

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js
from jaxsched import search
from jaxsched.search.engine import devices
from jaxsched.search.engine.segment import Shared


STEPS, BATCH = 12, 4
GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(64, 50)).astype(np.float32)
RATES = js.linear(search.logspace(0.01, 1.0, 3), 0.0, steps=STEPS)


def loss(weights, rows):
    return jnp.mean((rows @ weights - 1) ** 2)


def init(schedule, key):
    del schedule
    return jax.random.normal(key, (50,))


def rows_at(t, data):
    return jax.lax.dynamic_slice_in_dim(data, t * BATCH, BATCH)


def step(schedule, weights, t, data):
    value, slope = jax.value_and_grad(loss)(weights, rows_at(t, data))
    return weights - schedule(t) * slope, {"loss": value}


def step_on_batch(schedule, weights, t, batch):
    value, slope = jax.value_and_grad(loss)(weights, batch)
    return weights - schedule(t) * slope, {"loss": value}


def evaluate(schedule, weights):
    del schedule
    return {"validation": jnp.sum(weights**2), "weights": {"first": weights}}


def batch_of(t):
    assert 0 <= t < STEPS
    return INPUTS[t * BATCH : (t + 1) * BATCH]


def task(data, **changes):
    functions = {"init": init, "step": step, "evaluate": evaluate} | changes
    return search.Task(**functions, steps=STEPS, data=data)


def run(task, space=RATES, **options):
    return search.run(task, space, **{"key": 0, "seeds": 2, "width": 4} | options)


def values(results):
    return results.table["validation"]


@pytest.fixture(scope="module")
def expected():
    def train(rate, key):
        schedule = js.linear(rate, 0.0, steps=STEPS)
        weights = init(schedule, key)
        for t in range(STEPS):
            weights, _ = step_on_batch(schedule, weights, t, jnp.asarray(batch_of(t)))
        return jnp.sum(weights**2)

    keys = [jax.random.fold_in(jax.random.key(0), seed) for seed in range(2)]
    rates = np.geomspace(0.01, 1.0, 3)
    return np.array([train(rate, key) for rate in rates for key in keys])


# Arrays.


@pytest.mark.parametrize("kind", ["numpy", "jax", "memmap", "tree", "closure", "jit"])
def test_data_of_any_kind_are_trained_on(kind, expected, tmp_path):
    if kind in ("closure", "jit"):
        inner = jax.jit(step) if kind == "jit" else step
        array = jnp.asarray(INPUTS)
        # Captured twice: within the function that is traced, and within one of its own.
        captured = jax.jit(lambda s, w, t: inner(s, w, t, array))
        found = run(task(None, step=captured))
    elif kind == "memmap":
        INPUTS.tofile(tmp_path / "inputs")
        mapped = np.memmap(tmp_path / "inputs", np.float32, "r", shape=INPUTS.shape)
        found = run(task(mapped))
    elif kind == "tree":
        in_tree = {"x": [INPUTS], "scale": 1.0}
        found = run(task(in_tree, step=lambda s, w, t, d: step(s, w, t, d["x"][0])))
    else:
        found = run(task(INPUTS if kind == "numpy" else jnp.asarray(INPUTS)))
    np.testing.assert_allclose(values(found), expected, rtol=1e-5)


def test_every_function_that_takes_data_gets_them():
    def init_scaled(schedule, key, data):
        return init(schedule, key) * data.mean()

    def evaluate_on(schedule, weights, data):
        del schedule
        return {"validation": loss(weights, data)}

    found = run(task(INPUTS, init=init_scaled, evaluate=evaluate_on))
    assert np.isfinite(values(found)).all()


def test_a_function_that_trains_at_once_gets_data():
    def train(schedule, key, data):
        return {"validation": schedule(0) * data.sum() + 0 * jax.random.normal(key)}

    found = search.run(train, RATES, data=np.ones(3, np.float32), key=0, seeds=1)
    np.testing.assert_allclose(values(found), 3 * np.geomspace(0.01, 1.0, 3), rtol=1e-6)


def lowered(made, data=()):
    shared = Shared(made.key, (), list(data), [])
    constants = made.segment.traced(shared).constants
    return constants, made.compile()


@pytest.mark.parametrize("where", ["plain", "jit", "scan", "cond", "while"])
def test_captured_arrays_are_no_part_of_the_program(where):
    array = jnp.asarray(GENERATOR.normal(size=(2000, 50)), jnp.float32)
    inner = {
        "plain": lambda w: w @ array.T,
        "jit": jax.jit(lambda w: w @ array.T),
        "scan": lambda w: jax.lax.scan(
            lambda c, _: (c, jax.jit(lambda v: v @ array.T)(c)), w, None, length=1
        )[1][0],
        "cond": lambda w: jax.lax.cond(
            w[0] > 9, lambda v: v @ array.T, jax.jit(lambda v: v @ array.T * 1), w
        ),
        "while": lambda w: jax.lax.while_loop(
            lambda c: c[0] < 1,
            lambda c: (c[0] + 1, jax.jit(lambda v: v @ array.T)(w)),
            (0, jnp.zeros(2000)),
        )[1],
    }[where]

    def captured(schedule, weights, t):
        slope = (inner(weights)[:, None] * array).mean(axis=0)
        return weights - schedule(t) * slope, {}

    made = search.Search(task(None, step=captured), RATES, key=0, seeds=2)
    (_, of_step, _), program = lowered(made)
    assert [x.shape for x in of_step] == [array.shape]
    assert len(program._run.as_text()) < 200_000
    assert program.shared_bytes >= array.nbytes
    assert made.plan().bytes_shared >= array.nbytes

    def by_hand(rate):
        schedule, weights = js.linear(rate, 0.0, STEPS), init(None, made_key)
        for t in range(STEPS):
            weights, _ = captured(schedule, weights, t)
        return jnp.sum(weights**2)

    made_key = jax.random.fold_in(jax.random.key(0), 0)
    rates = np.geomspace(0.01, 1.0, 3)
    found = values(made.run())[::2]
    np.testing.assert_allclose(found, [by_hand(rate) for rate in rates], rtol=1e-4)


def test_a_large_array_that_cannot_be_an_argument_is_refused(monkeypatch):
    monkeypatch.setattr("jaxsched.search.engine.tracing.HUGE", 10_000)
    array = jnp.asarray(GENERATOR.normal(size=(2000, 50)), jnp.float32)

    @jax.custom_jvp
    def opaque(weights):
        return jax.jit(lambda w: (w @ array.T).sum())(weights)

    opaque.defjvp(lambda primals, tangents: (opaque(*primals), tangents[0].sum()))

    def captured(schedule, weights, t):
        return weights - schedule(t) * opaque(weights), {}

    with pytest.raises(ValueError, match=r"`step` captures 0 MB .*data=\.\.\."):
        run(task(None, step=captured))


def test_data_are_hashed_as_bytes_and_others_are_refused(tmp_path):
    before = run(task(INPUTS), out=tmp_path)
    chex.assert_trees_all_equal(
        values(run(task(INPUTS.copy()), out=tmp_path)), values(before)
    )
    other = INPUTS.copy()
    other[-1, -1] += 1
    with pytest.raises(ValueError, match=r"`data` is \"\w+\" there and \"\w+\" here"):
        run(task(other), out=tmp_path)


def test_captured_arrays_are_hashed_too(tmp_path):
    def captured_by(array):
        return task(None, step=lambda s, w, t: step(s, w, t, array))

    run(captured_by(jnp.asarray(INPUTS)), out=tmp_path)
    run(captured_by(jnp.asarray(INPUTS)), out=tmp_path)
    with pytest.raises(ValueError, match="`program` is"):
        run(captured_by(jnp.asarray(INPUTS + 1)), out=tmp_path)


def test_other_data_of_the_same_shape_compile_nothing():
    traced = []

    def counted(schedule, weights, t, data):
        traced.append(t)
        return step(schedule, weights, t, data)

    first, second = task(INPUTS, step=counted), task(INPUTS + 1, step=counted)
    one, other = run(first), run(second)
    assert len(traced) == 2
    assert (values(one) != values(other)).all()


def test_devices_of_a_cpu_share_one_copy():
    made = search.Search(task(INPUTS), RATES, key=0, width=1)
    assert len(made.devices) == 2
    shared = made.compile().share(made.key, made.data)
    [array] = shared.data
    places = {shard.data.unsafe_buffer_pointer() for shard in array.addressable_shards}
    assert len(array.addressable_shards) == 2
    assert len(places) == 1


def test_memory_for_lanes_is_what_data_leave(monkeypatch):
    monkeypatch.setattr(devices, "_host_bytes", lambda: 10e9)
    # All devices of a CPU have the data together.
    assert devices.available_bytes(jax.devices()[:2], 2_000_000_000) == 4e9
    made = search.Search(task(INPUTS), RATES, key=0)
    plan = made.plan()
    assert plan.bytes_available == (10e9 - plan.bytes_shared) / len(made.devices)
    assert INPUTS.nbytes <= plan.bytes_shared < INPUTS.nbytes + 1000


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match="`data` is a pytree of arrays and streams"):
        run(task({"x": "text"}))


# Numbers of the trace.


def numbers():
    yield from range(10**6)


@pytest.mark.parametrize(
    "draw",
    [
        lambda it: jnp.full(3, next(it), jnp.float32).sum(),
        lambda it: np.full(50, next(it), np.float32),
        lambda it: float(next(it)),
        lambda it: np.random.default_rng(next(it)).normal(size=50).astype(np.float32),
        lambda it: jax.jit(lambda x: x + np.float32(next(it)))(jnp.zeros(50)),
    ],
    ids=["array", "numpy", "number", "random", "inside"],
)
@pytest.mark.parametrize("function", ["init", "step", "evaluate"])
def test_numbers_that_every_trace_draws_anew_are_refused(draw, function):
    it = numbers()
    changed = {
        "init": lambda s, key: init(s, key) + draw(it),
        "step": lambda s, w, t: (w - s(t) * draw(it), {}),
        "evaluate": lambda s, w: {"validation": (w + draw(it)).sum()},
    }
    given = {"step": lambda s, w, t: (w, {})} | {function: changed[function]}
    with pytest.raises(
        ValueError, match=rf"`{function}` captures other numbers.*stream"
    ):
        run(task(None, **given))


@pytest.mark.parametrize("precision", [None, "highest"])
def test_a_function_that_was_jitted_before_is_looked_into(precision):
    it = numbers()
    jitted = jax.jit(lambda w: w + jnp.full(50, next(it), jnp.float32))
    jitted(jnp.zeros(50))
    drawn = task(None, step=lambda s, w, t: (jitted(w), {}))
    with jax.default_matmul_precision(precision):
        for _ in range(2):
            with pytest.raises(ValueError, match="`step` captures other numbers"):
                run(drawn)
        fixed = jax.jit(lambda w: w + jnp.full(50, 3, jnp.float32))
        run(task(None, step=lambda s, w, t: (fixed(w), {})))


# Streams.


class Loader:
    """Batches in the same order each time, as a `DataLoader` without shuffling."""

    def __iter__(self):
        return (batch_of(t) for t in range(STEPS))


def generate():
    for t in range(STEPS):
        yield batch_of(t)


STREAMS = {"function": batch_of, "generator": generate, "loader": Loader()}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("segment", [1, 5, 12])
def test_a_stream_is_as_good_as_arrays(kind, segment, expected):
    given = task(search.stream(STREAMS[kind]), step=step_on_batch)
    # Fewer lanes than trials: some are refilled, at another step than their neighbours.
    found = run(given, segment=segment, width=1)
    np.testing.assert_allclose(values(found), expected, rtol=1e-5)


def test_a_stream_beside_arrays():
    def evaluate_on(schedule, weights, data):
        assert data["batch"] is None
        return {"validation": loss(weights, data["rows"])}

    def step_on(schedule, weights, t, data):
        return step_on_batch(schedule, weights, t, data["batch"])

    data = {"batch": search.stream(batch_of), "rows": INPUTS}
    found = run(task(data, step=step_on, evaluate=evaluate_on))
    assert np.isfinite(values(found)).all()


def test_a_stream_of_trees():
    def step_on(schedule, weights, t, data):
        return step_on_batch(schedule, weights, t, data["x"] * data["one"])

    data = search.stream(lambda t: {"x": batch_of(t), "one": np.float32(1)})
    one = run(task(data, step=step_on))
    other = run(task(search.stream(batch_of), step=step_on_batch))
    np.testing.assert_allclose(values(one), values(other), rtol=1e-6)


def test_each_segment_is_asked_for_once_in_order_and_in_a_thread_of_its_own():
    asked = []

    def source(t):
        asked.append((t, threading.current_thread().name))
        return batch_of(t)

    run(task(search.stream(source), step=step_on_batch), segment=4, width=3)
    steps = [t for t, name in asked if name.startswith("jaxsched-stream")]
    assert steps[:STEPS] == list(range(STEPS))
    # All six trials fit into the lanes of the two devices; the first batch was asked
    # for once more, for its shape.
    assert [t for t, _ in asked].count(5) == 1
    assert not [
        t for t in threading.enumerate() if t.name.startswith("jaxsched-stream")
    ]


def test_pruned_and_refilled_lanes_get_the_batches_of_their_steps():
    space = js.linear(search.logspace(0.001, 1.0, 16), 0.0, steps=STEPS)
    given = task(search.stream(batch_of), step=step_on_batch)
    whole = run(given, space, seeds=1, segment=2)
    pruned = run(given, space, seeds=1, segment=2, pruner=search.asha(2, min_steps=2))
    exact = {trial.id: trial for trial in whole.trials}
    assert len({trial.steps for trial in pruned.trials}) > 2
    for trial in pruned.trials:
        watched = {step: values["loss"] for step, values in trial.history.items()}
        full = {t: values["loss"] for t, values in exact[trial.id].history.items()}
        assert watched.items() <= full.items()


def test_a_stream_goes_on_by_step_after_an_interrupt(tmp_path):
    given = task(search.stream(generate), step=step_on_batch)
    whole = run(given, segment=3, width=1)

    def stop(progress):
        if progress.steps >= 12:
            raise search.Stop

    options = {"segment": 3, "width": 1, "out": tmp_path}
    some = run(given, **options, callbacks=[stop])
    assert some.counts().get("complete", 0) < len(whole.candidates)
    chex.assert_trees_all_equal(values(run(given, **options)), values(whole))


def test_an_error_of_a_stream_is_raised():
    def source(t):
        if t == 7:
            raise OSError("The disk is gone.")
        return batch_of(t)

    with pytest.raises(OSError, match="The disk is gone"):
        run(task(search.stream(source), step=step_on_batch), segment=2)


def test_batches_of_different_shapes_are_refused():
    ragged = search.stream(lambda t: INPUTS[: 4 + (t == 3)])
    with pytest.raises(ValueError, match=r"that of step 3 has \(5, 50\), and that of"):
        run(task(ragged, step=step_on_batch), segment=6)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (lambda: iter([1]), "An iterator can be read only once"),
        (generate, "An iterator can be read only once"),
        (lambda: 3, "a function of the step, or from an object to iterate over, not"),
    ],
)
def test_what_cannot_be_read_again_is_refused(source, message):
    with pytest.raises(TypeError, match=message):
        search.stream(source())


def test_a_stream_needs_steps():
    with pytest.raises(ValueError, match="A stream has a batch for each step"):
        search.run(lambda s, k, d: {"loss": s(0)}, RATES, data=search.stream(batch_of))


def test_a_grain_loader_is_read():
    grain = pytest.importorskip("grain")
    dataset = grain.MapDataset.source(list(INPUTS)).batch(BATCH)
    one = run(task(search.stream(dataset.__getitem__), step=step_on_batch))
    other = run(task(search.stream(dataset.to_iter_dataset()), step=step_on_batch))
    plain = run(task(search.stream(batch_of), step=step_on_batch))
    chex.assert_trees_all_equal(values(one), values(plain))
    chex.assert_trees_all_equal(values(other), values(plain))


LARGE = """
import resource, sys
import jax, numpy as np
import jaxsched as js
from jaxsched import search

path, rows = sys.argv[1], 600_000
data = np.memmap(path, np.float32, "w+", shape=(rows, 256))  # 614 MB.

def batches():
    for start in range(0, rows, 6000):
        data[start : start + 6000] = start
        yield np.array(data[start : start + 6000])
        data.flush()
        # Pages of the file are no memory of this process.
        data._mmap.madvise(4)

task = search.Task(
    init=lambda lr, key: jax.numpy.zeros(()),
    step=lambda lr, x, t, batch: (x + lr(t) * batch.mean() / 1e6, {}),
    evaluate=lambda lr, x: {"loss": x},
    steps=100,
    data=search.stream(batches),
)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
options = {"metric": "loss", "seeds": 1, "segment": 5, "width": 2}
results = search.run(task, js.constant(search.choice([1.0, 2.0])), **options)
expected = np.arange(0, rows, 6000, dtype=float).sum() / 1e6
np.testing.assert_allclose(results.table["loss"], [expected, 2 * expected], rtol=1e-5)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_stream_of_more_than_the_memory(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path / "large")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},
    )
    assert done.returncode == 0, done.stderr
    # Of 614 MB there were never more than a few segments of 31 MB.
    assert int(done.stdout) < 350_000


# Trees.


def test_trees_are_kept_and_loaded(tmp_path):
    here = run(task(INPUTS))
    there = run(task(INPUTS), out=tmp_path)
    for results in (here, there, search.load(tmp_path)):
        weights = results.best().load()["weights"]["first"]
        assert weights.shape == (50,)
        best = results.ranked[0].trials[0].metrics["validation"]
        np.testing.assert_allclose(np.sum(weights**2), best, rtol=1e-5)
    with pytest.raises(ValueError, match="No trees of arrays were kept of it"):
        run(task(INPUTS, evaluate=lambda s, w: {"validation": w.sum()})).best().load()


def test_trees_need_a_folder(tmp_path):
    with pytest.raises(ValueError, match=r"returns trees as 'weights'.* with `out`"):
        run(task(INPUTS), store=f"sqlite:///{tmp_path}/search.db")


def test_metrics_that_are_no_arrays_are_refused_before_training():
    with pytest.raises(TypeError, match="`evaluate` must return numbers and arrays"):
        run(task(INPUTS, evaluate=lambda s, w: {"validation": w.sum(), "f": len}))
    with pytest.raises(TypeError, match="A task returns metrics as a dict, got"):
        run(task(INPUTS, evaluate=lambda s, w: w.sum()))
    with pytest.raises(TypeError, match="`step` must return a state and a dict"):
        run(task(INPUTS, step=lambda s, w, t, d: w))
    with pytest.raises(
        TypeError, match=r"state like that of `init`: `state` is .*\[51\]"
    ):
        run(task(INPUTS, step=lambda s, w, t, d: (jnp.append(w, 0.0), {})))
