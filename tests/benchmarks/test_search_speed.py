"""A sweep as one program, beside one program per schedule.

    pytest tests/benchmarks/test_search_speed.py --benchmark-only

Both train the same network on the same data with the same grid of warmup + cosine;
the loop is what one writes with schedules that are closures: each is a constant of
the program, so each is compiled anew.
"""

import functools

import jax
import numpy as np
import optax
import pytest

from jaxsched import search
from jaxsched.search.tasks import digits


STEPS = 200
PEAKS = np.geomspace(0.001, 0.1, 8).tolist()
KEY = jax.random.key(0)


def in_one_program(task):
    grid = search.grid(["cosine"], peaks=PEAKS, warmups=[20], steps=STEPS)
    results = search.run(task.train, grid, steps=STEPS, key=KEY, seeds=1)
    return results.scores[:, 0]


def in_a_loop(task):
    scores = []
    for peak in PEAKS:
        schedule = optax.schedules.warmup_cosine_decay_schedule(0.0, peak, 20, STEPS)
        train = jax.jit(functools.partial(task.train, schedule))
        scores.append(train(jax.random.fold_in(KEY, 0))["validation"])
    return np.array(scores)


@pytest.mark.parametrize("sweep", [in_one_program, in_a_loop])
def test_a_sweep_of_eight(benchmark, sweep):
    benchmark.group = f"a sweep of {len(PEAKS)}, compilation included"
    task = digits(STEPS)
    scores = benchmark.pedantic(
        sweep, args=(task,), setup=jax.clear_caches, rounds=3, iterations=1
    )
    assert np.isfinite(scores).all()
