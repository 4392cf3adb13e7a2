"""How fast schedules are, beside those of Optax: `pytest tests/benchmarks`.

Run with `--benchmark-only --benchmark-disable-gc --benchmark-columns=min,median`.
"""

import statistics
import subprocess
import sys

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


def one_cycle():
    return {
        OURS: lambda: js.one_cycle(0.1, total_steps=1000).rate,
        OPTAX: lambda: optax.cosine_onecycle_schedule(1000, 0.1),
    }


def sgdr(cycles=4):
    cycle = {"init_value": 0.1, "peak_value": 0.1, "warmup_steps": 0}
    lengths = [{"decay_steps": 100 + 10 * index} for index in range(cycles)]
    return {
        OURS: lambda: js.sgdr(0.1, period=100, period_multiplier=1.1, cycles=cycles),
        OPTAX: lambda: optax.sgdr_schedule([cycle | length for length in lengths]),
    }


def piecewise(pieces=8):
    boundaries = [100 * index for index in range(1, pieces)]
    values = [0.1 * 0.9**index for index in range(pieces)]
    factors = dict.fromkeys(boundaries, 0.9)
    return {
        OURS: lambda: js.piecewise_constant(boundaries, values),
        OPTAX: lambda: optax.piecewise_constant_schedule(0.1, factors),
    }


MAKERS = [linear, cosine, warmup_cosine, one_cycle, sgdr, piecewise]

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


LONG = [(sgdr, 1), (sgdr, 16), (sgdr, 256), (piecewise, 8), (piecewise, 512)]


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
