"""Workers that share a search on PostgreSQL: how much each trial costs.

    python -m tests.benchmarks.workers [--trials 256] [--workers 1 4 16]

The trials do next to nothing, so that it is the store that is measured. The ratio is
the time of a trial over that with one worker: below 1, workers help even here. A file
of SQLite is measured beside it.
"""

import argparse
import multiprocessing
import tempfile
import time

import jax

import jaxsched as js
from jaxsched import search
from tests import postgres


SEGMENTS = 2


def work(store: str, trials: int, begin: float) -> None:
    """Trains until nothing is left."""
    jax.config.update("jax_num_cpu_devices", 1)
    task = search.Task(
        init=lambda lr, key: jax.random.uniform(key),
        step=lambda lr, x, t: (x - lr(t) * x, {}),
        evaluate=lambda lr, x: {"loss": x},
        steps=10 * SEGMENTS,
    )
    space = js.constant(search.linspace(0.1, 0.9, trials))
    options = {"metric": "loss", "seeds": 1, "width": 8, "segment": 10}
    made = search.Search(task, space, store=store, name="benchmark", **options)
    made.compile()
    time.sleep(max(0.0, begin - time.time()))
    made.run()


def measured(store: str, trials: int, workers: int) -> float:
    """Returns the seconds of a search, from when all workers are ready."""
    begin = time.time() + 5 + 1.5 * workers
    processes = multiprocessing.get_context("spawn")
    started = [
        processes.Process(target=work, args=(store, trials, begin))
        for _ in range(workers)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
        if process.exitcode:
            raise RuntimeError("A worker has failed.")
    return time.time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16])
    chosen = parser.parse_args()
    print(f"{'':12}{'workers':>9}{'seconds':>9}{'ms each':>9}{'ratio':>7}")
    with postgres.running() as server, tempfile.TemporaryDirectory() as folder:
        for kind in ("PostgreSQL", "SQLite"):
            first = None
            for count in chosen.workers:
                store = f"sqlite:///{folder}/{count}.db"
                if kind == "PostgreSQL":
                    store = server.create(f"workers{count}")
                seconds = measured(store, chosen.trials, count)
                first = first or seconds
                each = 1000 * seconds / chosen.trials
                numbers = f"{seconds:9.2f}{each:9.2f}{seconds / first:7.2f}"
                print(f"{kind:12}{count:9}{numbers}", flush=True)


if __name__ == "__main__":
    main()
