"""`jaxsched.compat` against the peers that are installed: `pytest -m live`."""

import importlib.util
import random

import jax
import numpy as np
import pytest

from .live import DRAWS, STEPS, drawn, rates_of, schedules_of


pytestmark = pytest.mark.live

CALLS = [(peer, function) for peer in DRAWS for function in DRAWS[peer]]
NEEDS = {"timm": ("timm", "torch"), "transformers": ("transformers", "torch")}
DRAWN = 50


@jax.jit
def values(schedule, steps):
    return schedule(steps)


@pytest.mark.parametrize(("peer", "function"), CALLS)
def test_agrees_with_the_peer(peer, function):
    missing = [m for m in NEEDS.get(peer, (peer,)) if not importlib.util.find_spec(m)]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    # Parts of Keras compute in float32, whatever they are given.
    exact = jax.config.jax_enable_x64 and peer != "keras"
    rng = random.Random(f"{peer}.{function}")
    for _ in range(DRAWN):
        arguments = drawn(peer, function, rng)
        theirs = rates_of(peer, function, arguments)
        for schedule, expected in zip(
            schedules_of(peer, function, arguments), theirs, strict=True
        ):
            rates = values(schedule, np.arange(STEPS))[: len(expected)]
            # In float32, within an ulp of the greatest rate where that is more.
            near = 1e-15 if exact else 1e-7
            np.testing.assert_allclose(
                rates,
                expected,
                rtol=1e-9 if exact else 1e-6,
                atol=near * abs(expected).max(),
                err_msg=str(arguments),
            )
