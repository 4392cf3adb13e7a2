"""The tests that Optax has of its schedules, run on ours."""

import unittest

import jax
import pytest

from jaxsched import compat


theirs = pytest.importorskip("optax.schedules._schedule_test")
joined = pytest.importorskip("optax.schedules._join_test")

CASES = [
    case
    for module in (theirs, joined)
    for suite in unittest.defaultTestLoader.loadTestsFromModule(module)
    for case in suite
    # That one is about optimizers, and takes them all.
    if type(case).__name__ != "ScheduleAsLearningRateTest"
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id().split("_test.")[-1])
def test_holds_of_ours(case, monkeypatch):
    monkeypatch.setattr(theirs, "_schedule", compat.optax)
    monkeypatch.setattr(joined, "_schedule", compat.optax)
    monkeypatch.setattr(joined, "_join", compat.optax)
    # They mix dtypes and ranks, as do the schedules they are about.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        result = case.run()
    assert result.testsRun == 1
    assert not result.failures + result.errors, result
