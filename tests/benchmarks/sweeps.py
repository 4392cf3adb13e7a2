"""The ways to train with many schedules: ours, by hand, and with other libraries.

Each takes how many there are, and returns when all are trained. Libraries that are not
installed are left out; to have all of them, `pip install hyperoptax jax-grid-search
"ray[tune]" optuna`.
"""

import contextlib
import dataclasses
import functools
import importlib.util
import io
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec

from jaxsched import search
from jaxsched.search.engine.program import compiled

from .digits import (
    FAMILIES,
    STEPS,
    families,
    grid,
    key,
    peaks,
    task,
    train,
    train_by_hand,
    train_with_optax,
    wide_grid,
)


CHUNK = 16
"""How many schedules are trained at once, where that is what is compared."""


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to train with many schedules.

    Attributes:
        name: What it is called.
        train: Trains with so many.
        needs: The package that it is made with.
        most: With how many it is measured, if with less than there are: what compiles
            or starts a process for each takes so many times longer.
        around: What has to be there meanwhile, and is not measured.
        cold: How many times as long as ours it should take, or more.
        warm: The same, once all is compiled.
    """

    name: str
    train: Callable[[int], Any]
    needs: str = ""
    most: int | None = None
    around: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
    cold: float | None = None
    warm: float | None = None

    @property
    def title(self) -> str:
        """Its name, and whether all of it is measured."""
        return f"~ {self.name}, from {self.most}" if self.most else self.name

    @property
    def missing(self) -> str:
        """Why it cannot be measured, if it cannot."""
        found = not self.needs or importlib.util.find_spec(self.needs)
        return "" if found else f"{self.needs} is not installed"

    def measure(self, count: int) -> tuple[float, Any]:
        """Returns how many seconds it takes, all of it, and what came of it."""
        measured = min(count, self.most or count)
        with self.around():
            start = time.perf_counter()
            came = self.train(measured)
            seconds = time.perf_counter() - start
        return seconds * count / measured, came


def forget() -> None:
    """Forgets all that was traced and compiled."""
    jax.clear_caches()
    compiled.cache_clear()


def search_for(
    task: Any, space: Callable[[int], Any], **options: Any
) -> Callable[[int], search.Results]:
    """Returns what searches a space of so many, each trained once."""
    return lambda count: search.run(task, space(count), key=key(), seeds=1, **options)


def all_at_once(count: int) -> search.Results:
    """One program of as many lanes on one device, as is written by hand."""
    one = jax.devices()[:1]
    return search_for(train, grid, devices=one, width=count)(count)


def in_chunks(count: int) -> search.Results:
    return search_for(train, grid, width=CHUNK // len(jax.devices()))(count)


# --- By hand -----------------------------------------------------------------------


def vmapped(train: Callable[..., Any]) -> Callable[[int], Any]:
    """One program of as many lanes, each with a key of its own, as ours have."""
    program = jax.jit(jax.vmap(train))
    return lambda count: np.asarray(
        program(peaks(count), jax.random.split(key(), count))
    )


def vmapped_with_one_key(train: Callable[..., Any]) -> Callable[[int], Any]:
    """The same for one seed: all lanes have the same batches, and less to compute."""
    program = jax.jit(jax.vmap(train, in_axes=(0, None)))
    return lambda count: np.asarray(program(peaks(count), key()))


def spread_with_one_key(train: Callable[..., Any]) -> Callable[[int], Any]:
    """The same on all devices: the most that one can do by hand."""
    mesh = Mesh(np.array(jax.devices()), ("lane",), axis_types=(AxisType.Auto,))
    lanes, everywhere = PartitionSpec("lane"), PartitionSpec()
    program = jax.jit(
        jax.shard_map(
            jax.vmap(train, in_axes=(0, None)),
            mesh=mesh,
            in_specs=(lanes, everywhere),
            out_specs=lanes,
            check_vma=False,
        )
    )
    return lambda count: np.asarray(program(peaks(count), key()))


def family_by_family() -> Callable[[int], Any]:
    """A program for each family, since their schedules are not built alike."""
    ways = [
        vmapped(lambda peak, key, make=make: train(make(peak), key)["validation"])
        for make in FAMILIES.values()
    ]
    return lambda count: [way(count // len(ways)) for way in ways]


def one_by_one(count: int) -> None:
    for peak in peaks(count):
        train_with_optax(peak, key())


def in_two_processes(count: int) -> None:
    """A traced peak: each process compiles once."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_trained_alone, peaks(count).tolist(), chunksize=count // 2)


def _trained_alone(peak: float) -> float:
    return float(_train_alone(peak, key()))


_train_alone = jax.jit(train_by_hand)


# --- With other libraries ----------------------------------------------------------


def with_optuna(count: int) -> None:
    import optuna  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(
        lambda trial: train_with_optax(
            trial.suggest_float("peak", *peaks(2).tolist(), log=True), key()
        ),
        n_trials=count,
    )


@contextlib.contextmanager
def started_ray() -> Iterator[None]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AIR_NEW_OUTPUT": "0"}
    import ray  # noqa: PLC0415

    level = logging.ERROR
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=level
    )
    try:
        yield
    finally:
        ray.shutdown()


def with_ray(count: int) -> None:
    from ray import tune  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            _reported,
            param_space={"peak": tune.grid_search(peaks(count).tolist())},
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
    if results.errors:
        raise results.errors[0]


def _reported(config: dict[str, float]) -> None:
    from ray import tune  # noqa: PLC0415

    tune.report({"validation": train_with_optax(config["peak"], key())})


def with_hyperoptax(count: int, *, jitted: bool = False) -> None:
    import hyperoptax  # noqa: PLC0415

    def train(key: jax.Array, config: dict[str, jax.Array]) -> jax.Array:
        return train_by_hand(config["peak"], key)

    space = {"peak": hyperoptax.DiscreteSpace(tuple(peaks(count).tolist()))}
    state, optimizer = hyperoptax.GridSearch.init(space, n_parallel=CHUNK)
    function = jax.jit(train) if jitted else train
    rounds = count // CHUNK
    jax.block_until_ready(optimizer.optimize(state, key(), function, rounds)[1])


def with_jax_grid_search(count: int, *, jitted: bool = False) -> None:
    import jax_grid_search  # noqa: PLC0415

    only = key()

    def train(peak: jax.Array) -> dict[str, jax.Array]:
        return {"value": train_by_hand(peak, only)}

    quiet = contextlib.redirect_stdout(io.StringIO())
    with quiet, tempfile.TemporaryDirectory() as folder:
        jax_grid_search.DistributedGridSearch(
            jax.jit(train) if jitted else train,
            {"peak": peaks(count)},
            batch_size=CHUNK,
            progress_bar=False,
            result_dir=folder,
        ).run()


# --- What is compared --------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Ways to do the same, of which ours, the first, is what others are measured by.

    Attributes:
        name: What they do.
        count: With how many schedules.
        ways: How.
        rounds: How often each is measured, in turn with the others.
        note: What else to tell of what came of it, by name.
    """

    name: str
    count: int
    ways: Sequence[Way]
    rounds: int = 3
    note: Callable[[Any], dict[str, float]] = lambda came: {}


def against_the_floor(count: int) -> Comparison:
    goal = {"cold": 1 / 1.1, "warm": 1 / 1.1} if count == 64 else {}
    return Comparison(
        f"{count} peaks, beside what is written by hand",
        count,
        [
            Way("jaxsched", search_for(train, grid)),
            Way("jaxsched, in segments", search_for(task(), grid)),
            Way("jaxsched, all at once on one device", all_at_once),
            Way("jit(vmap), by hand", vmapped(train_by_hand), **goal),
            Way("the same, one key", vmapped_with_one_key(train_by_hand), **goal),
            Way("the same, one key, all devices", spread_with_one_key(train_by_hand)),
        ],
    )


def against_programs_and_processes(count: int) -> Comparison:
    # Of a few, one compilation is more than a fortieth.
    goal = {"cold": 40, "warm": 40} if count >= 64 else {}
    return Comparison(
        f"{count} peaks, beside one program or process for each",
        count,
        [
            Way("jaxsched", search_for(train, grid)),
            Way("Optax, one by one", one_by_one, most=2, **goal),
            Way("Optuna, one by one", with_optuna, "optuna", most=2, **goal),
            Way("Ray Tune", with_ray, "ray", most=4, around=started_ray, **goal),
            Way("multiprocessing, compiled once", in_two_processes),
            Way("shard_map(vmap), by hand", spread_with_one_key(train_by_hand)),
        ],
        rounds=2,
    )


def against_chunks(count: int) -> Comparison:
    hyperoptax = functools.partial(Way, needs="hyperoptax")
    gridsearch = functools.partial(Way, needs="jax_grid_search")
    jitted = {"jitted": True}
    return Comparison(
        f"{count} peaks, {CHUNK} at once",
        count,
        [
            Way("jaxsched", in_chunks),
            hyperoptax("hyperoptax", with_hyperoptax, cold=1.7),
            hyperoptax(
                "hyperoptax, jitted", functools.partial(with_hyperoptax, **jitted)
            ),
            gridsearch("jax-grid-search", with_jax_grid_search, cold=1.7),
            gridsearch(
                "jax-grid-search, jitted",
                functools.partial(with_jax_grid_search, **jitted),
            ),
        ],
    )


def with_families(count: int) -> Comparison:
    return Comparison(
        f"{count} schedules of {len(FAMILIES)} families",
        count,
        [
            Way("jaxsched", search_for(train, families, steps=STEPS)),
            Way("jaxsched, in segments", search_for(task(), families)),
            Way("by hand, a program for each", family_by_family()),
            Way("by hand, of one family only", vmapped(train_by_hand)),
        ],
        rounds=2,
    )


PRUNED_STEPS = 800


def pruned(count: int, pruner: Any) -> search.Results:
    space = wide_grid(count, PRUNED_STEPS)
    return search.run(task(PRUNED_STEPS), space, key=key(), seeds=1, pruner=pruner)


def quality(results: search.Results) -> dict[str, float]:
    """How good the winner is, with seeds that it was not chosen by."""
    keys = jax.random.split(jax.random.key(1), 3)
    train_all = jax.vmap(functools.partial(train, steps=PRUNED_STEPS), (None, 0))
    losses = jax.jit(train_all)(results.best().schedule, keys)["validation"]
    return {"loss of the winner": float(losses.mean())}


def with_pruning(count: int) -> Comparison:
    pruners = {
        "halving": search.halving(4, min_steps=50),
        "asha": search.asha(4, min_steps=50),
    }
    return Comparison(
        f"{count} schedules, {PRUNED_STEPS} steps, pruned",
        count,
        [
            *(
                Way(f"jaxsched, {name}", functools.partial(pruned, pruner=pruner))
                for name, pruner in pruners.items()
            ),
            Way(
                "jaxsched, not pruned",
                functools.partial(pruned, pruner=None),
                warm=3,
            ),
        ],
        rounds=2,
        note=quality,
    )


def kept(count: int) -> search.Results:
    """A search of next to nothing, kept in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        return search_for(train_nothing, grid, out=folder)(count)


def train_nothing(schedule: Any, key: jax.Array) -> dict[str, jax.Array]:
    del key
    return {"validation": schedule(0)}


def with_a_store(count: int) -> Comparison:
    return Comparison(
        f"{count} schedules and next to no training, kept on disk",
        count,
        [
            Way("jaxsched, kept", kept),
            Way("jaxsched", search_for(train_nothing, grid)),
        ],
    )


COMPARISONS: dict[str, Callable[[], Comparison]] = {
    "floor-8": lambda: against_the_floor(8),
    "floor-64": lambda: against_the_floor(64),
    "floor-256": lambda: against_the_floor(256),
    "loops-8": lambda: against_programs_and_processes(8),
    "loops-64": lambda: against_programs_and_processes(64),
    "loops-256": lambda: against_programs_and_processes(256),
    "chunks-64": lambda: against_chunks(64),
    "chunks-256": lambda: against_chunks(256),
    "families": lambda: with_families(64),
    "pruning": lambda: with_pruning(256),
    "store": lambda: with_a_store(256),
    "store-10000": lambda: with_a_store(10_000),
}
"""By name; made when needed, since they ask for devices."""
