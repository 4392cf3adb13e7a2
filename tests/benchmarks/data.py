"""A search on much data, beside what is written by hand: time, memory and disk.

    python -m tests.benchmarks.data [--megabytes 600] [--steps 50] [--lanes 8]

Each way runs in a process of its own, twice: the second time all is compiled. Memory is
the most that the process had. Ratios are those to the first way, by hand with the data
as an argument.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxsched as js
from jaxsched import search


WIDTH, ROWS = 500, 2000
"""The numbers of a row, and the rows of a step."""


def loss(weights: Any, rows: Any) -> Any:
    return jnp.mean(jax.nn.softplus(rows @ weights))


def batch(data: Any, t: Any) -> Any:
    first = (t * ROWS) % (len(data) - ROWS)
    return jax.lax.dynamic_slice_in_dim(data, first, ROWS)


def stepped(schedule: Any, weights: Any, t: Any, rows: Any) -> Any:
    value, slope = jax.value_and_grad(loss)(weights, rows)
    return weights - schedule(t) * slope, {"loss": value}


def init(schedule: Any, key: jax.Array) -> jax.Array:
    del schedule
    return jax.random.normal(key, (WIDTH, 64))


def evaluate(schedule: Any, weights: Any) -> dict[str, Any]:
    del schedule
    return {"validation": jnp.sum(weights**2)}


def by_hand(data: np.ndarray, steps: int, lanes: int) -> Callable[[Any], Any]:
    @jax.jit
    def train(rates: Any, keys: Any, data: Any) -> Any:
        def one(rate: Any, key: Any) -> Any:
            def step(weights: Any, t: Any) -> Any:
                schedule = js.linear(rate, 0.0, steps)
                return stepped(schedule, weights, t, batch(data, t))

            weights, _ = jax.lax.scan(step, init(None, key), jnp.arange(steps))
            return jnp.sum(weights**2)

        return jax.vmap(one)(rates, keys)

    keys, rates = jax.random.split(jax.random.key(0), lanes), _rates(lanes)
    return lambda _: jax.block_until_ready(train(rates, keys, data))


def searched(task: search.Task, lanes: int, keeps: bool) -> Callable[[Any], Any]:
    space = js.linear(search.choice(_rates(lanes).tolist()), 0.0, task.steps)
    return lambda out: search.run(task, space, seeds=1, out=out if keeps else None)


def as_argument(data: np.ndarray, steps: int) -> search.Task:
    return search.Task(
        init,
        lambda s, w, t, d: stepped(s, w, t, batch(d, t)),
        evaluate,
        steps,
        data=data,
    )


def captured(data: np.ndarray, steps: int) -> search.Task:
    array = jnp.asarray(data)
    return search.Task(
        init, lambda s, w, t: stepped(s, w, t, batch(array, t)), evaluate, steps
    )


def streamed(data: np.ndarray, steps: int) -> search.Task:
    def batch_of(t: int) -> np.ndarray:
        first = (t * ROWS) % (len(data) - ROWS)
        return data[first : first + ROWS]

    return search.Task(init, stepped, evaluate, steps, data=search.stream(batch_of))


SEARCHES = {
    "data as an argument": (as_argument, False),
    "the same, with out=": (as_argument, True),
    "captured by closure": (captured, False),
    "captured, with out=": (captured, True),
    "a stream": (streamed, False),
}
BY_HAND = "by hand, as an argument"


def _rates(lanes: int) -> np.ndarray:
    return np.geomspace(1e-3, 1e-1, lanes)


def measured(way: str, megabytes: int, steps: int, lanes: int) -> dict[str, float]:
    """Runs a way in this process, twice."""
    search.use_all_cores()
    rows = megabytes * 1_000_000 // 4 // WIDTH
    data = np.random.default_rng(0).standard_normal((rows, WIDTH), np.float32)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        if way == BY_HAND:
            run = by_hand(data, steps, lanes)
        else:
            make, keeps = SEARCHES[way]
            run = searched(make(data, steps), lanes, keeps)
        for turn in ("first", "second"):
            run(f"{folder}/{turn}")
            found[turn] = time.perf_counter() - start
            start = time.perf_counter()
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        found["disk"] = sum(path.stat().st_size for path in files) / 1e6
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=600)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    sizes = (chosen.megabytes, chosen.steps, chosen.lanes)
    if chosen.way:
        print(json.dumps(measured(chosen.way, *sizes)))
        return
    print(f"{'':28}{'first':>16}{'second':>16}{'memory':>17}{'disk':>12}")
    floor: dict[str, float] = {}
    for way in (BY_HAND, *SEARCHES):
        command = [sys.executable, "-m", __spec__.name, "--way", way]
        for name, size in zip(("megabytes", "steps", "lanes"), sizes, strict=True):
            command += [f"--{name}", str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        floor = floor or found
        cells = "".join(
            f"{found[name]:9.2f} {unit} {found[name] / floor[name]:4.2f}"
            for name, unit in (("first", "s"), ("second", "s"), ("memory", "GB"))
        )
        print(f"{way:28}{cells}{found['disk']:9.2f} MB", flush=True)


if __name__ == "__main__":
    main()
