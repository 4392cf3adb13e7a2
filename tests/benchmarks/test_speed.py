"""How fast schedules are, beside those of Optax: `pytest tests/benchmarks`.

Run with `--benchmark-only --benchmark-disable-gc --benchmark-columns=min,median`.
"""

import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import optax
import pytest

import jaxsched as js


OPTAX = "optax"
OURS = "jaxsched"

beside_optax = pytest.mark.parametrize("whose", [OURS, OPTAX])


@pytest.fixture(autouse=True)
def _rules_of_optax():
    # Optax relies on promotion, of dtypes and of ranks.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


# --- What is compared --------------------------------------------------------------


def linear():
    return {
        OURS: lambda: js.linear(0.0, 0.1, steps=1000),
        OPTAX: lambda: optax.linear_schedule(0.0, 0.1, 1000),
    }


def cosine():
    return {
        OURS: lambda: js.cosine(0.1, 0.0, steps=1000),
        OPTAX: lambda: optax.cosine_decay_schedule(0.1, 1000),
    }


def warmup_cosine():
    return {
        OURS: lambda: js.warmup_cosine(0.1, warmup_steps=100, total_steps=1000),
        OPTAX: lambda: optax.warmup_cosine_decay_schedule(0.0, 0.1, 100, 1000),
    }


def polynomial():
    return {
        OURS: lambda: js.polynomial(0.1, 0.0, steps=1000, power=2),
        OPTAX: lambda: optax.polynomial_schedule(0.1, 0.0, 2, 1000),
    }


def exponential():
    return {
        OURS: lambda: js.exponential_decay(0.1, factor=0.9, steps=100),
        OPTAX: lambda: optax.exponential_decay(0.1, 100, 0.9),
    }


def wsd():
    parts = (0.0, 0.1, 100), (0.1, 0.1, 1), (0.1, 0.0, 200)
    return {
        OURS: lambda: js.wsd(0.1, warmup_steps=100, decay_steps=200, total_steps=1000),
        OPTAX: lambda: optax.join_schedules(
            [optax.linear_schedule(*part) for part in parts], [100, 800]
        ),
    }


def one_cycle():
    return {
        OURS: lambda: js.one_cycle(0.1, total_steps=1000).rate,
        OPTAX: lambda: optax.cosine_onecycle_schedule(1000, 0.1),
    }


def cycles(growth, period, count):
    cycle = {"init_value": 0.1, "peak_value": 0.1, "warmup_steps": 0}
    lengths = [{"decay_steps": round(period * growth**i)} for i in range(count)]
    return {
        OURS: lambda: js.sgdr(
            0.1, period=period, period_multiplier=growth, cycles=count
        ),
        OPTAX: lambda: optax.sgdr_schedule([cycle | length for length in lengths]),
    }


def sgdr(count=4):
    return cycles(1.0, 250, count)


def growing(count=4):
    return cycles(2.0, 100, count)


def piecewise(pieces=8):
    boundaries = [100 * index for index in range(1, pieces)]
    values = [0.1 * 0.9**index for index in range(pieces)]
    factors = dict.fromkeys(boundaries, 0.9)
    return {
        OURS: lambda: js.piecewise_constant(boundaries, values),
        OPTAX: lambda: optax.piecewise_constant_schedule(0.1, factors),
    }


MAKERS = [
    linear,
    cosine,
    polynomial,
    exponential,
    warmup_cosine,
    wsd,
    one_cycle,
    sgdr,
    growing,
    piecewise,
]

by_schedule = pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)


# --- What of it is measured --------------------------------------------------------


def measure(benchmark, function, *arguments):
    """Measures calls of `function`, all but the first, which may compile."""
    jax.block_until_ready(function(*arguments))
    benchmark(lambda: jax.block_until_ready(function(*arguments)))


@by_schedule
@beside_optax
def test_construction(benchmark, maker, whose):
    benchmark.group = f"construction of {maker.__name__}"
    benchmark(maker()[whose])


@by_schedule
@beside_optax
def test_eager_call(benchmark, maker, whose):
    benchmark.group = f"eager call of {maker.__name__}"
    measure(benchmark, maker()[whose](), 500)


@by_schedule
@beside_optax
@pytest.mark.parametrize("mode", ["eager", "jitted"])
def test_table(benchmark, maker, mode, whose):
    benchmark.group = f"100,000 steps of {maker.__name__}, {mode}"
    schedule = maker()[whose]()
    # This one of Optax takes no arrays.
    scalar = maker is one_cycle and whose == OPTAX
    table = jax.vmap(schedule) if scalar else schedule
    table = jax.jit(table) if mode == "jitted" else table
    measure(benchmark, table, jnp.arange(100_000))


@by_schedule
@beside_optax
def test_dispatch(benchmark, maker, whose):
    """Ours is an argument, so that any other costs no compilation; theirs cannot."""
    benchmark.group = f"jitted call of {maker.__name__}"
    schedule = maker()[whose]()
    step = jnp.asarray(500)
    if whose == OURS:
        rate = jax.jit(lambda schedule, step: schedule(step))
        measure(benchmark, rate, schedule, step)
    else:
        measure(benchmark, jax.jit(schedule), step)


LONG = [(growing, 1), (growing, 16), (sgdr, 256), (piecewise, 8), (piecewise, 512)]


@pytest.mark.parametrize(("maker", "length"), LONG)
@beside_optax
def test_compilation(benchmark, maker, length, whose):
    benchmark.group = f"trace and compilation of {maker.__name__}, {length} long"
    schedule = maker(length)[whose]()
    benchmark.pedantic(
        lambda: jax.jit(schedule).lower(500).compile(),
        setup=jax.clear_caches,
        rounds=5,
    )


# --- Side by side ------------------------------------------------------------------


def loop(schedule, steps=1_000_000):
    """A training loop in which nothing but the rate takes time."""

    def step(number, total):
        return 0.5 * total + schedule(number)

    run = jax.jit(lambda: jax.lax.fori_loop(0, steps, step, jnp.float32(0.0)))
    return lambda: jax.block_until_ready(run())


def long_table(schedule, steps=10_000_000):
    run, counts = jax.jit(jax.vmap(schedule)), jnp.arange(steps) % 1000
    return lambda: jax.block_until_ready(run(counts))


def compilation(schedule):
    def run():
        jax.clear_caches()
        jax.jit(schedule).lower(500).compile()

    return run


WAYS = {"loop": loop, "table": long_table, "compile": compilation}


@by_schedule
@pytest.mark.parametrize("way", WAYS)
def test_ratio(benchmark, capsys, maker, way):
    """In turn with Optax, since the machine may slow down: the ratio of the least."""
    ours, theirs = (WAYS[way](maker()[whose]()) for whose in (OURS, OPTAX))
    seconds = {OURS: [], OPTAX: []}

    def both():
        for whose, run in ((OURS, ours), (OPTAX, theirs)):
            start = time.perf_counter()
            run()
            seconds[whose].append(time.perf_counter() - start)

    both()
    benchmark.group = f"{way} of {maker.__name__}, both"
    benchmark.pedantic(both, rounds=25)
    ratio = min(seconds[OURS][1:]) / min(seconds[OPTAX][1:])
    benchmark.extra_info["times Optax"] = ratio
    with capsys.disabled():
        print(f"\n{maker.__name__:15}{way:>10}{ratio:8.2f} times Optax", end="")


# --- Imports -----------------------------------------------------------------------


def seconds_of(statement):
    code = f"import time; start = time.perf_counter(); {statement}; "
    code += "print(time.perf_counter() - start)"
    python = [sys.executable, "-c", code]
    return float(subprocess.run(python, capture_output=True, check=True).stdout)


def test_import(benchmark, capsys):
    """In turn with that of Optax alone, since the machine may slow down."""
    more = []

    def both():
        alone = seconds_of("import optax")
        more.append(seconds_of("import optax, jaxsched") - alone)

    benchmark.group = "import optax; import optax, jaxsched"
    benchmark.pedantic(both, rounds=9)
    benchmark.extra_info["milliseconds more"] = 1000 * statistics.median(more)
    with capsys.disabled():
        print(f"\n`import jaxsched` takes {benchmark.extra_info}")
