"""Costs that can be counted: equations, traces, compilations and imports."""

import functools
import operator
import os
import subprocess
import sys
from collections import Counter

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

import jaxsched as js
from jaxsched.search.engine import devices
from jaxsched.search.engine.devices import cores


# --- Equations ---------------------------------------------------------------------


def is_inlined(equation):
    """Tells whether a call is compiled as if it were written out, as older JAX does."""
    inline = equation.params.get("inline", False)
    return getattr(inline, "value", inline) not in (False, "auto")


def count_equations(jaxpr):
    """Counts the equations of `jaxpr`, and of all that it calls."""
    inner = jax.tree.leaves(
        [equation.params for equation in jaxpr.eqns],
        is_leaf=lambda param: isinstance(param, ClosedJaxpr | Jaxpr),
    )
    jaxprs = [
        getattr(param, "jaxpr", param)
        for param in inner
        if isinstance(param, ClosedJaxpr | Jaxpr)
    ]
    own = sum(not is_inlined(equation) for equation in jaxpr.eqns)
    return own + sum(map(count_equations, jaxprs))


def equations_of(schedule):
    """Counts those of a program that closes over a schedule, and of one it is given."""
    closed_over = jax.make_jaxpr(schedule)(7)
    given = jax.make_jaxpr(lambda schedule, step: schedule(step))(schedule, 7)
    return count_equations(closed_over.jaxpr), count_equations(given.jaxpr)


COUNTED = {
    "constant": (js.constant(0.1), 1, 6),
    "linear": (js.linear(0.0, 0.1, 1000), 18, 33),
    "cosine": (js.cosine(0.1, 0.0, 1000), 24, 39),
    "polynomial": (js.polynomial(0.1, 0.0, 1000, power=2), 22, 92),
    "polynomial, with a root": (js.polynomial(0.1, 0.0, 1000, power=1.5), 30, 92),
    "exponential_decay": (js.ExponentialDecay(0.1, 0.9, 100), 20, 54),
    "warmup_cosine": (
        js.warmup_cosine(0.1, warmup_steps=100, total_steps=1000),
        *(49, 80),
    ),
    "wsd": (
        js.wsd(
            *(0.1,),
            warmup_steps=100,
            decay_steps=200,
            total_steps=1000,
            curve=js.curves.Linear(),
        ),
        *(49, 85),
    ),
    "one_cycle": (js.one_cycle(0.1, total_steps=1000).rate, 59, 86),
    "sgdr, equal periods": (js.sgdr(0.1, period=100), 43, 417),
    "sgdr, growing periods": (js.sgdr(0.1, period=100, period_multiplier=2), 66, 417),
    "staircase": (js.staircase(js.linear(0.1, 0.0, 1000), 10), 33, 79),
}
"""Schedules, and how many equations they have: numbers that may only fall."""


@pytest.mark.parametrize("name", COUNTED)
def test_programs_are_small(name):
    if name == "sgdr, growing periods" and jax.__version_info__ < (0, 9, 2):
        pytest.skip("To index an array takes this JAX three more equations.")
    schedule, closed_over, given = COUNTED[name]
    counted = equations_of(schedule)
    assert counted[0] <= closed_over, counted
    assert counted[1] <= given, counted


LONG = {
    "repeat": lambda n: js.repeat(js.cosine(1.0, 0.0, steps=10), n),
    "repeat, scaled": lambda n: js.repeat(
        js.cosine(1.0, 0.0, steps=10), n, period_multiplier=1.1, value_multiplier=0.9
    ),
    "sgdr": lambda n: js.sgdr(1.0, period=10, period_multiplier=1.1, cycles=n),
    "table": lambda n: js.table(np.linspace(1.0, 0.0, n)),
    "piecewise_constant": lambda n: js.piecewise_constant(
        np.arange(1.0, n + 1), np.linspace(1.0, 0.0, n + 1)
    ),
    "piecewise_linear": lambda n: js.piecewise_linear(
        np.arange(n), np.linspace(1.0, 0.0, n)
    ),
    "piecewise_cubic": lambda n: js.piecewise_cubic(
        np.arange(n + 1), np.linspace(1.0, 0.0, n + 1)
    ),
    "multi_step": lambda n: js.multi_step(
        1.0, boundaries=np.arange(1.0, n + 1), factor=0.9
    ),
    "chebyshev": lambda n: js.chebyshev(0.05, largest=1.0, total_steps=2.0**n),
}
"""Schedules of `n` cycles, pieces or digits."""


@pytest.mark.parametrize("name", LONG)
def test_no_program_grows_with_the_length(name):
    def count(n):
        program = jax.make_jaxpr(lambda schedule, step: schedule(step))
        return count_equations(program(LONG[name](n), 7).jaxpr)

    assert 0 < count(2) == count(3) == count(23)


PIECES = {
    "piecewise_constant": js.piecewise_constant(
        np.arange(1.0, 10_000), np.linspace(1.0, 0.0, 10_000)
    ),
    "piecewise_linear": js.piecewise_linear(
        np.arange(10_000.0), np.linspace(1.0, 0.0, 10_000)
    ),
    "piecewise_cubic": js.piecewise_cubic(
        np.arange(10_000.0), np.linspace(1.0, 0.0, 10_000)
    ),
}


@pytest.mark.parametrize("name", PIECES)
def test_memory_is_that_of_steps_and_pieces_and_not_of_their_product(name):
    steps = jnp.zeros(100_000)
    program = jax.jit(PIECES[name]).lower(steps).compile()
    taken = program.memory_analysis().temp_size_in_bytes
    assert taken < 16 * 4 * (10_000 + 100_000)


def test_a_sum_and_a_chain_grow_by_a_part_at_a_time():
    def count(whole):
        return count_equations(jax.make_jaxpr(whole)(7).jaxpr)

    parts = [js.linear(1.0, 0.0, index + 1) for index in range(30)]
    for make in (js.chain, lambda *some: functools.reduce(operator.add, some)):
        few, more, most = (count(make(*parts[:size])) for size in (10, 20, 30))
        assert most - more == more - few < 10 * 40


def test_equations_are_counted_within_equations():
    def program(x):
        y = jnp.where(x > 0, x, 0.0)  # A comparison, and a select within a call.
        return jax.lax.cond(x > 1, lambda: y, lambda: jnp.sin(y) + 1)

    nested = jax.make_jaxpr(jax.jit(program))(2.0).jaxpr
    flat = jax.make_jaxpr(jnp.sin)(2.0).jaxpr
    assert count_equations(flat) == 1
    assert len(nested.eqns) == 1 < count_equations(nested)


# --- Traces and compilations -------------------------------------------------------


SCHEDULES = {
    "constant": js.constant(0.1),
    "linear": js.linear(0.0, 0.1, steps=10),
    "polynomial": js.polynomial(0.1, 0.0, steps=10, power=2),
    "exponential": js.exponential(0.1, 0.01, steps=10),
    "step_decay": js.step_decay(0.1, factor=0.5, every=3),
    "inverse_sqrt": js.inverse_sqrt(0.1, timescale=10),
    "custom": js.custom(lambda step, scale: scale / (step + 1), scale=2.0),
    "table": js.table([0.1, 0.2, 0.3]),
    "piecewise_constant": js.piecewise_constant([2, 4], [0.1, 0.2, 0.3]),
    "piecewise_linear": js.piecewise_linear([2, 4], [0.1, 0.2]),
    "piecewise_cubic": js.piecewise_cubic([2, 4, 7], [0.1, 0.2, 0.0]),
    "warmup_cosine": js.warmup_cosine(0.1, warmup_steps=3, total_steps=10),
    "wsd": js.wsd(0.1, warmup_steps=2, decay_steps=3, total_steps=10),
    "noam": js.noam(d_model=64, warmup_steps=3),
    "one_cycle": js.one_cycle(0.1, total_steps=10).rate,
    "sgdr": js.sgdr(0.1, period=5, period_multiplier=2, peak_multiplier=0.5),
    "cooldown": js.cooldown(js.inverse_sqrt(0.1, timescale=5), at=6, steps=4),
    "warmup": js.warmup(js.cosine(0.1, 0.0, steps=8), 2, join="multiply"),
    "switch": js.switch([js.linear(1.0, 0.0, steps=4), 0.1], boundaries=[3]),
    "time": js.delay(js.stretch(js.reverse(js.linear(0.0, 1.0, steps=3)), 2), 4),
    "staircase": js.staircase(js.shift(js.linear(0.0, 1.0, steps=9), 2), every=3),
    "values": 2 * js.clip(js.linear(0.0, 1.0, steps=4), 0.2, 0.8) / js.constant(3) - 1,
}


def others(schedule):
    """Returns `schedule` with its leaves as they are, and with others."""
    return [
        jax.tree.map(lambda leaf, factor=factor: leaf * factor, schedule)
        for factor in (1.0, 1.25, 2.0)
    ]


@pytest.mark.parametrize("name", SCHEDULES)
def test_other_params_are_not_traced_again(name):
    @jax.jit
    @chex.assert_max_traces(1)
    def rate(schedule, step):
        return schedule(step)

    for schedule in others(SCHEDULES[name]):
        rate(schedule, 3)


def test_all_numbers_of_python_share_a_trace():
    @jax.jit
    @chex.assert_max_traces(1)
    def rate(schedule):
        return schedule(3)

    for one in (1, 1.0, True, np.float32(1), np.int64(1)):
        rate(js.warmup_cosine(one, warmup_steps=one, total_steps=10 * one))


EVENTS = Counter()
jax.monitoring.register_event_duration_secs_listener(
    lambda event, duration, **kwargs: EVENTS.update([event])
)


def count_compilations(function):
    """Counts the programs that are compiled when `function()` is called."""
    before = EVENTS.copy()
    jax.block_until_ready(function())
    return (EVENTS - before)["/jax/core/compile/backend_compile_duration"]


@pytest.mark.parametrize("name", SCHEDULES)
def test_an_eager_call_is_one_program(name):
    jax.clear_caches()  # Else one of its operations may have been compiled before.
    schedule, *rest = others(SCHEDULES[name])
    assert count_compilations(lambda: schedule(3)) == 1

    assert count_compilations(lambda: [schedule(step) for step in (4, 5.5, 2**40)]) == 0
    assert count_compilations(lambda: [each(3) for each in rest]) == 0


STEPS = {
    "NumPy integers": (np.int32(3), np.int64(4)),
    "NumPy arrays": (np.arange(3), np.linspace(0.0, 1.0, 3)),
    "lists": ([1, 2, 3], [4.0, 5.0, 6.0]),
    "JAX arrays": (jnp.arange(3), jnp.arange(3, 6)),
}


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("name", ["table", "warmup_cosine"])
def test_steps_of_a_kind_share_a_program(name, kind):
    jax.clear_caches()
    schedule, other, _ = others(SCHEDULES[name])
    step, another = STEPS[kind]
    assert count_compilations(lambda: schedule(step)) == 1
    assert count_compilations(lambda: [other(step), schedule(another)]) == 0


def test_compilations_are_counted():
    jax.clear_caches()
    assert count_compilations(lambda: jnp.sin(jnp.float32(1)) + jnp.cos(1.0)) > 2


# --- Imports -----------------------------------------------------------------------


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


NOT_NEEDED = {
    "chex",
    "flax",
    "jaxsched.compat",
    "jaxsched.plotting",
    "jaxsched.report",
    "jaxsched.search",
    "matplotlib",
    "optax",
    "optuna",
    "pandas",
    "pyarrow",
    "sklearn",
    "tqdm",
    "xarray",
}


def test_import_loads_no_more_than_the_core_and_the_recipes():
    result = run("import sys, jaxsched; print(*sys.modules)")
    loaded = set(result.stdout.split())
    assert loaded >= {"jaxsched", "jaxsched.recipes"}, result.stderr
    assert not loaded & NOT_NEEDED


def test_no_backend_starts_until_a_schedule_is_called():
    make = """if True:
        import jaxsched as js
        lr = js.warmup_cosine(0.1, warmup_steps=2, total_steps=10) >> js.table([1, 2])
        lr = 2 * js.sgdr(0.1, period=5, period_multiplier=2, cycles=3) + lr
        print(lr, lr.duration, lr.replace(parts=lr.parts[:1]))
    """
    assert run(make, JAX_PLATFORMS="none").returncode == 0
    assert "none" in run(make + "    lr(3)", JAX_PLATFORMS="none").stderr


# --- Devices -----------------------------------------------------------------------

SEARCH = """
import jax
import jaxsched as js
from jaxsched import search
key = {key}
train = lambda schedule, key: {{"validation": schedule(0)}}
found = search.run(train, js.constant(search.choice([0.1, 0.2])), key=key)
print(*{{trial.device for trial in found.trials}})
"""


@pytest.mark.skipif(cores() == 1, reason="There is one core only.")
@pytest.mark.parametrize("key", ["0", "jax.random.key(0)"])
def test_all_cores_are_devices_unless_jax_was_used_before(key):
    result = run(SEARCH.format(key=key))
    assert result.returncode == 0
    assert ("begin with `search.use_all_cores()`" in result.stderr) == (key != "0")
    assert len(result.stdout.split()) == (cores() if key == "0" else 1)


@pytest.mark.parametrize(
    ("limit", "expected"), [("max 100000", None), ("50000 100000", 1), ("", None)]
)
def test_a_container_may_have_a_part_of_the_cores(
    tmp_path, monkeypatch, limit, expected
):
    (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(devices, "GROUP", tmp_path / "elsewhere")
    all_of_them = cores()
    monkeypatch.setattr(devices, "GROUP", tmp_path)
    assert cores() == (expected or all_of_them)
