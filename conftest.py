"""Strict settings under which the whole suite runs, the examples of docstrings too."""

import os
from collections.abc import Iterator

import chex
import jax
import matplotlib as mpl
import pytest


mpl.use("agg")
jax.config.update("jax_enable_x64", os.environ.get("JAXSCHED_TEST_X64") == "1")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)


@pytest.fixture(autouse=True)
def _fresh_trace_counter() -> None:
    # Chex counts traces per line of source, across all cases of a parametrized test.
    chex.clear_trace_counter()


@pytest.fixture(autouse=True)
def _promotion_for_optax(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lets pages show optimizers of Optax, which rely on promotion."""
    if request.node.path.parent.name != "docs":
        yield
        return
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
