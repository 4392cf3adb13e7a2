"""The cookbook against the peers' formulas, with numbers and with traced arguments."""

import importlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from . import peers


MODULES = {
    info.name: importlib.import_module(f"{peers.__name__}.{info.name}")
    for info in pkgutil.iter_modules(peers.__path__)
}
FORMULAS = {
    (name, curve): formula
    for name, module in MODULES.items()
    for curve, formula in getattr(module, "FORMULAS", {}).items()
}
NEAR = {"rtol": 1e-6, "atol": 1e-12}


@jax.jit
def values(schedule, steps):
    return schedule(steps)


def numbers_of(case):
    """The arguments that may be traced: numbers, and lists of them."""
    return {
        name: jnp.asarray(value, float)
        for name, value in case.items()
        if type(value) in (int, float, list)
    }


@pytest.mark.parametrize(("peer", "curve"), FORMULAS)
def test_is_the_peers_formula(peer, curve):
    ours, theirs, cases, steps, _ = FORMULAS[peer, curve]
    steps = np.array([*steps])
    expected = [[theirs(step, **case) for step in steps.tolist()] for case in cases]
    for case, rates in zip(cases, expected, strict=True):
        np.testing.assert_allclose(values(ours(**case), steps), rates, **NEAR)

    traced = jax.tree.map(lambda *x: jnp.stack(x), *map(numbers_of, cases))
    structure = {k: v for k, v in cases[0].items() if k not in traced}
    batched = jax.jit(jax.vmap(lambda given: ours(**given, **structure)(steps)))
    np.testing.assert_allclose(batched(traced), expected, **NEAR)
