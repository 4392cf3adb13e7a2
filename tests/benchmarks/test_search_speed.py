"""The search beside other ways to do the same, with everything that is to be compiled.

    pytest tests/benchmarks/test_search_speed.py --benchmark-only

`python -m tests.benchmarks.search` measures them in turn, and writes a table of ratios.
"""

import jax
import pytest

from .sweeps import COMPARISONS, forget


WAYS = [
    pytest.param(comparison, way, id=f"{name}-{way.name}")
    for name, make in COMPARISONS.items()
    for comparison in [make()]
    for way in comparison.ways
]


@pytest.fixture(autouse=True)
def _rules_of_others():
    # Optax and the peers rely on promotion, of dtypes and of ranks.
    cache = jax.config.jax_enable_compilation_cache
    jax.config.update("jax_enable_compilation_cache", False)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
    jax.config.update("jax_enable_compilation_cache", cache)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("comparison", "way"), WAYS)
def test_search_speed(benchmark, comparison, way):
    if way.missing:
        pytest.skip(way.missing)
    measured = min(comparison.count, way.most or comparison.count)
    benchmark.group = comparison.name
    benchmark.extra_info["schedules"] = measured
    with way.around():
        benchmark.pedantic(
            way.train, args=(measured,), setup=forget, rounds=comparison.rounds
        )
