"""The schedule in the optimizer's state: applied, changed, batched and resumed."""

import functools
import pickle
import subprocess
import sys
import textwrap

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest

import jaxsched as js
from jaxsched import training


PARAMS = {"w": jnp.ones(3), "b": jnp.zeros(())}
LR = js.warmup_cosine(0.1, warmup_steps=3, total_steps=10)


@pytest.fixture(autouse=True)
def _rules_of_optax():
    # Optax relies on promotion, of dtypes and of ranks.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def grads(params):
    return jax.tree.map(lambda x: x - 2.0, params)


def steps(optimizer, state, params, count):
    """Trains, and returns what was upcoming before and applied after each update."""

    @jax.jit
    def step(params, state):
        before = training.upcoming(state)
        updates, state = optimizer.update(grads(params), state, params)
        after = training.applied(state)
        return optax.apply_updates(params, updates), state, before, after

    seen = []
    for _ in range(count):
        params, state, before, after = step(params, state)
        chex.assert_trees_all_equal(before, after)
        seen.append({name: float(value) for name, value in after.items()})
    return params, state, seen


WRAPPED = {
    "alone": lambda o: o,
    "chain": lambda o: optax.chain(optax.clip_by_global_norm(1.0), o),
    "masked": lambda o: optax.masked(o, {"w": True, "b": False}),
    "partition": lambda o: optax.partition(
        {"all": o, "none": optax.set_to_zero()}, {"w": "all", "b": "none"}
    ),
    "multi_transform": lambda o: optax.multi_transform(
        {"all": o, "none": optax.set_to_zero()}, {"w": "all", "b": "none"}
    ),
    "finite": lambda o: optax.apply_if_finite(o, 3),
    "nested": lambda o: optax.chain(
        optax.identity(), optax.chain(optax.masked(o, True))
    ),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_the_applied_rate_is_found_in_any_nest(wrap):
    optimizer = wrap(training.inject(optax.adam)(LR, b1=js.linear(0.9, 0.95, 4)))
    _, state, seen = steps(optimizer, optimizer.init(PARAMS), PARAMS, 6)
    rates = np.asarray(LR(np.arange(7)))
    np.testing.assert_array_equal([each["learning_rate"] for each in seen], rates[:6])
    assert training.upcoming(state)["learning_rate"] == rates[6]


def test_it_is_found_in_multi_steps_once_per_update():
    optimizer = optax.MultiSteps(training.inject(optax.sgd)(LR), 2)
    state = optimizer.init(PARAMS)
    seen = []
    for _ in range(6):
        _, state = optimizer.update(grads(PARAMS), state, PARAMS)
        seen.append(float(training.applied(state)["learning_rate"]))
    np.testing.assert_allclose(seen, [0, *LR([0, 0, 1, 1, 2])])


def test_it_is_found_in_an_optimizer_of_optax_given_the_schedule():
    optimizer = optax.chain(optax.clip(1.0), optax.adam(LR))
    state = optimizer.init(PARAMS)
    assert training.applied(state, LR) == {"schedule": 0.0}
    for step in range(4):
        assert training.upcoming(state, LR)["schedule"] == LR(step)
        _, state = optimizer.update(grads(PARAMS), state, PARAMS)
        assert training.applied(state, LR)["schedule"] == LR(step)


@pytest.mark.parametrize("factory", [optax.sgd, optax.adam, optax.adamw, optax.lion])
def test_injected_is_the_same_as_optax_with_the_schedule(factory):
    ours, theirs = training.inject(factory)(LR), factory(LR)
    params, _, _ = steps(ours, ours.init(PARAMS), PARAMS, 8)
    expected, state = PARAMS, theirs.init(PARAMS)
    for _ in range(8):
        updates, state = theirs.update(grads(expected), state, expected)
        expected = optax.apply_updates(expected, updates)
    chex.assert_trees_all_close(params, expected, rtol=1e-5)


def test_scaling_is_that_of_optax():
    ours = training.scale_by_schedule(LR, flip_sign=True)
    updates, state = ours.update(PARAMS, training.set_step(ours.init(PARAMS), 5))
    chex.assert_trees_all_close(updates["w"], -LR(5) * PARAMS["w"])
    assert state.position == 6
    assert training.applied(state) == {"schedule": LR(5)}


def test_another_schedule_of_the_same_kind_is_no_new_trace():
    optimizer = training.inject(optax.adam)(LR)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def step(state):
        return optimizer.update(PARAMS, state, PARAMS)[1]

    state = step(optimizer.init(PARAMS))
    state = training.set_schedule(state, LR.replace(parts=LR.parts))
    state = step(
        training.set_schedule(
            state, js.warmup_cosine(0.4, warmup_steps=2, total_steps=20)
        )
    )
    assert training.applied(state)["learning_rate"] == 0.2
    state = step(training.set_scale(state, 0.5))
    assert training.applied(state)["learning_rate"] == 0.2
    state = step(training.set_step(state, 11))
    np.testing.assert_allclose(training.applied(state)["learning_rate"], 0.1, rtol=1e-6)


def test_another_kind_of_schedule_is_one_new_trace():
    optimizer = training.inject(optax.sgd)(js.constant(0.1))
    state = training.set_schedule(optimizer.init(PARAMS), LR)
    _, _, seen = steps(optimizer, state, PARAMS, 3)
    np.testing.assert_allclose([x["learning_rate"] for x in seen], LR([0, 1, 2]))


def test_a_batch_of_schedules_is_a_batch_of_states():
    optimizer = training.inject(optax.adam)(js.constant(0.1))
    state = optimizer.init(PARAMS)

    def final(rate):
        return steps_scanned(optimizer, training.set_schedule(state, js.constant(rate)))

    rates = jnp.asarray([0.01, 0.1, 0.2])
    batched = jax.vmap(final)(rates)
    one_by_one = jnp.stack([final(rate) for rate in rates])
    chex.assert_trees_all_close(batched, one_by_one, rtol=1e-6)


def steps_scanned(optimizer, state):
    def step(carry, _):
        params, state = carry
        updates, state = optimizer.update(grads(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.lax.scan(step, (PARAMS, state), length=5)
    return params["w"]


def test_a_hypergradient_reaches_the_schedule():
    optimizer = training.inject(optax.sgd)(js.linear(0.1, 0.0, 5))
    state = optimizer.init(PARAMS)

    def loss(schedule):
        return steps_scanned(optimizer, training.set_schedule(state, schedule)).sum()

    slope = jax.grad(loss)(js.as_arrays(js.linear(0.1, 0.0, 5)))
    assert slope.start > 0


def test_hyperparameters_are_float32_and_updates_keep_their_dtype():
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), PARAMS)
    optimizer = training.inject(optax.adamw)(LR, b2=js.constant(0.999), weight_decay=LR)
    state = optimizer.init(params)
    updates, after = optimizer.update(params, state, params)
    chex.assert_trees_all_equal_dtypes(updates, params)
    chex.assert_trees_all_equal_dtypes(after, state)
    assert training.applied(after)["b2"] == np.float32(0.999)


def test_the_state_is_alike_for_all_numbers_of_a_schedule():
    states = [
        training.inject(optax.adam)(js.cosine(peak, 0.0, n)).init(PARAMS)
        for peak, n in ((0.1, 10), (0.2, 1000))
    ]
    chex.assert_trees_all_equal_structs(*states)


def test_only_what_is_named_is_scheduled():
    optimizer = training.inject(optax.adamw)(0.1, b1=js.constant(0.9))
    assert set(training.applied(optimizer.init(PARAMS))) == {"b1"}


def test_what_is_changed_is_the_learning_rate_unless_another_name_is_given():
    rate, momentum = js.one_cycle(0.1, total_steps=10)
    state = training.inject(optax.sgd)(rate, momentum=momentum).init(PARAMS)
    halved = training.upcoming(training.set_scale(state, 0.5))
    assert halved["learning_rate"] == rate(0) / 2
    assert halved["momentum"] == momentum(0)


def test_a_name_that_is_there_twice_has_its_path():
    optimizer = optax.chain(
        training.inject(optax.sgd)(LR), training.inject(optax.sgd)(LR)
    )
    state = optimizer.init(PARAMS)
    first, second = training.applied(state)
    assert first != second
    changed = training.set_scale(state, 0.5, name=second)
    assert training.upcoming(training.set_step(changed, 3))[first] == LR(3)
    assert training.upcoming(training.set_step(changed, 3))[second] == LR(3) / 2
    with pytest.raises(ValueError, match="Give the `name` of one of these"):
        training.set_scale(state, 0.5)


def test_says_what_is_wrong():
    with pytest.raises(TypeError, match="Did you mean 'learning_rate'"):
        training.inject(optax.adam)(learning_rat=LR)
    state = optax.adam(0.1).init(PARAMS)
    with pytest.raises(ValueError, match="Nothing in this state is scheduled"):
        training.applied(state)
    injected = training.inject(optax.adam)(LR).init(PARAMS)
    with pytest.raises(ValueError, match="no schedule 'b1'"):
        training.set_scale(injected, 0.5, name="b1")


# --- Another horizon ----------------------------------------------------------------


def test_retargeted_it_goes_on_from_where_it_is_to_the_same_end():
    lr = training.retarget(LR, at=6, total_steps=30)
    assert lr.duration == 30
    np.testing.assert_array_equal(lr(np.arange(7)), LR(np.arange(7)))
    np.testing.assert_allclose(lr([12, 18, 24]), LR([7, 8, 9]), rtol=1e-5)
    assert lr(30) == 0
    with pytest.raises(ValueError, match="at least at"):
        training.retarget(LR, at=6, total_steps=5)
    with pytest.raises(ValueError, match="without end"):
        training.retarget(js.inverse_sqrt(1.0, 10), at=6, total_steps=50)


@pytest.mark.parametrize(
    "change",
    [
        lambda lr, at: training.retarget(lr, at=at, total_steps=lr.duration + 13),
        lambda lr, at: training.extend(lr, at=at, steps=13),
    ],
    ids=["retarget", "extend"],
)
def test_changed_again_and_again_a_schedule_grows_by_a_constant(change):
    def size(lr):
        equations = len(jax.make_jaxpr(lr)(0.0).jaxpr.eqns)
        return len(jax.tree.leaves(lr)), equations

    sizes, lr = [], LR
    for times in range(8):
        lr = change(lr, 2 + times)
        sizes.append(size(lr))
    assert lr.duration == LR.duration + 8 * 13
    assert lr(lr.duration) == LR(LR.duration)
    growth = np.diff(sizes, axis=0)
    assert (growth == growth[0]).all()
    assert growth[0, 0] <= 5


@pytest.mark.parametrize("seed", range(10))
def test_a_schedule_that_is_changed_again_is_the_changed_one_on_another_clock(seed):
    random = np.random.default_rng(seed)
    whole = js.warmup_cosine(1.0, warmup_steps=20, total_steps=100)
    lr = js.on_clock(whole, js.piecewise_constant([30, 50], [1.0, 0.5, 2.0]))
    for _ in range(4):
        before, wait = lr, 0
        at = int(random.integers(0, int(lr.duration)))
        at = 30 if seed == 0 else at
        if random.random() < 0.5:
            wait = int(random.integers(1, 20))
            lr, speed = training.extend(lr, at, wait), 1.0
        else:
            end = at + int(random.integers(1, 200))
            speed = (lr.duration - at) / (end - at)
            lr = training.retarget(lr, at, end)
        steps = np.arange(0.0, lr.duration + 20, 0.5)
        then = at + np.maximum(steps - at - wait, 0) * speed
        expected = before(np.where(steps < at, steps, then))
        np.testing.assert_allclose(lr(steps), expected, rtol=1e-4, atol=1e-5)
        assert lr.inner is whole


@pytest.mark.parametrize(
    ("at", "total_steps", "remedy"),
    [
        (10, 25, "rise again"),
        (12, 25, "rise again"),
        (6, 6, "ends at once"),
        (6, 5, "total_steps"),
    ],
)
def test_what_is_over_is_not_stretched(at, total_steps, remedy):
    with pytest.raises(ValueError, match=remedy):
        training.retarget(LR, at=at, total_steps=total_steps)

    def rate(at, total_steps, step):
        return training.retarget(LR, at, total_steps)(step)

    for step in (0.0, 6.0, 11.0, 40.0):
        traced = jax.jit(jax.value_and_grad(rate, (0, 1, 2)))
        value, slopes = traced(float(at), float(total_steps), step)
        chex.assert_tree_all_finite(slopes)
        if at >= LR.duration and step >= LR.duration:
            assert value == LR(LR.duration)


def test_an_end_is_extended_and_what_is_over_is_not():
    assert training.extend(LR, at=10, steps=5).duration == 15
    assert training.extend(LR, at=4, steps=0).duration == 10
    assert training.extend(js.inverse_sqrt(1.0, 10), at=4, steps=5).duration == np.inf
    with pytest.raises(ValueError, match="is over"):
        training.extend(LR, at=10.5, steps=5)
    traced = jax.jit(jax.grad(lambda at: training.extend(LR, at, 5.0)(12.0)))
    chex.assert_tree_all_finite(traced(11.0))


def test_retargeted_jumps_stay_at_their_seams():
    lr = js.multi_step(1.0, boundaries=[30, 60, 90], factor=0.1)
    slower = training.retarget(lr, at=21, total_steps=21 + 69 * 3)
    begins = np.array([21 + 9 * 3, 21 + 39 * 3, 21 + 69 * 3])
    np.testing.assert_allclose(slower(begins - 1), [1.0, 0.1, 0.01], rtol=1e-6)
    np.testing.assert_allclose(slower(begins), [0.1, 0.01, 0.001], rtol=1e-6)


def test_many_cooldowns_branch_off_one_run():
    run = js.warmup_constant(1.0, warmup_steps=5)
    branches = jax.vmap(lambda at: js.cooldown(run, at, 10))(jnp.asarray([20.0, 40.0]))
    rates = jax.vmap(lambda lr: lr(jnp.asarray([20, 30, 40, 50])))(branches)
    assert rates.tolist() == [[1, 0, 0, 0], [1, 1, 1, 0]]


RUN = textwrap.dedent(
    """
    import os, pickle, shutil, sys
    from pathlib import Path
    import jax, jax.numpy as jnp, optax, orbax.checkpoint
    import jaxsched as js
    from jaxsched import training

    folder, by, die_at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    folder.mkdir(exist_ok=True)
    optimizer = training.inject(optax.adam)(
        js.cosine(0.1, 0.0, 20), b1=js.linear(0.8, 0.9, 9))
    params = jnp.arange(4.0)
    everything = (jnp.zeros((), int), params, optimizer.init(params))

    def save(everything):
        n = int(everything[0])
        if by == "pickle":
            (folder / "new").write_bytes(pickle.dumps(everything))
            (folder / "new").rename(folder / f"{n:02}")
        else:
            with orbax.checkpoint.StandardCheckpointer() as checkpointer:
                checkpointer.save(folder / f"{n:02}", everything)

    def load(path):
        if by == "pickle":
            return pickle.loads(path.read_bytes())
        with orbax.checkpoint.StandardCheckpointer() as checkpointer:
            return checkpointer.restore(path, everything)

    saved = sorted(path for path in folder.iterdir() if path.name.isdigit())
    if saved:
        everything = load(saved[-1])
    step = jax.jit(lambda p, s: optimizer.update(jnp.sin(p), s, p))
    for n in range(int(everything[0]), 20):
        if n == die_at:
            os.kill(os.getpid(), 9)
        _, params, state = everything
        updates, state = step(params, state)
        everything = (jnp.asarray(n + 1), params + updates, state)
        if n % 3 == 0:
            save(everything)
    print([x.hex() for x in everything[1].tolist()])
    """
)


@pytest.mark.parametrize("by", ["pickle", "orbax"])
def test_a_killed_run_resumes_to_the_bit(tmp_path, by):
    def run(name, die_at):
        command = [sys.executable, "-c", RUN, str(tmp_path / name), by, str(die_at)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = run("whole", -1)
    assert whole.returncode == 0, whole.stderr
    assert run("killed", 12).returncode == -9
    assert [*(tmp_path / "killed").iterdir()]
    assert run("killed", -1).stdout == whole.stdout


def test_a_checkpoint_with_another_schedule_is_restored_as_it_was_saved(tmp_path):
    wsd = js.wsd(0.1, warmup_steps=3, decay_steps=3, total_steps=10)
    before = training.inject(optax.adam)(js.constant(0.1))
    _, state, _ = steps(before, before.init(PARAMS), PARAMS, 5)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", state)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "state", before.init(PARAMS))
    after = training.inject(optax.adam)(wsd)
    state = training.set_schedule(restored, wsd)
    chex.assert_trees_all_equal_structs(state, after.init(PARAMS))
    _, _, seen = steps(after, state, PARAMS, 3)
    np.testing.assert_array_equal([x["learning_rate"] for x in seen], wsd([5, 6, 7]))


def test_a_checkpoint_of_orbax_has_the_schedule(tmp_path):
    optimizer = training.inject(optax.adam)(LR)
    _, state, _ = steps(optimizer, optimizer.init(PARAMS), PARAMS, 4)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", state)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "state", state)
    chex.assert_trees_all_equal(restored, state)
    chex.assert_trees_all_equal(pickle.loads(pickle.dumps(state)), state)
    more = functools.partial(steps, optimizer, params=PARAMS, count=3)
    chex.assert_trees_all_equal(more(state=restored)[0], more(state=state)[0])
