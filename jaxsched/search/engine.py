"""The engine: many runs of one training function, in one compiled program.

Schedules of any families become one batched `Table`, so the program does not know
them: another mix, another peak or another warmup compiles nothing. Runs are lanes
of `jax.vmap`, spread over devices by `jax.shard_map`; no lane depends on another.

XLA may compute in another order at another width, so what the bits of a result
depend on is the number of lanes per device, and nothing else: not the neighbours,
not the order, not how many devices there are.
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from ..leaves import Table
from ..schedule import Schedule
from .candidates import Candidate, as_candidates
from .results import Results


Metrics: TypeAlias = dict[str, Any]
"""What a run yields: the metric to rank by, a scalar, and arrays of any shape."""

Train: TypeAlias = Callable[[Schedule, jax.Array], Metrics]
"""From a schedule and a random key to metrics: pure, for JAX to trace."""

LANE, EVERYWHERE = PartitionSpec("lane"), PartitionSpec()  # type: ignore[no-untyped-call]


def run(
    train: Train,
    candidates: Mapping[str, Candidate | Schedule] | Iterable[Candidate | Schedule],
    *,
    steps: int,
    key: jax.Array,
    seeds: int = 3,
    metric: str = "validation",
    width: int | None = None,
    devices: Sequence[Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Results:
    """Trains with every candidate and every seed, and ranks the candidates.

    Args:
        train: Trains once: `train(schedule, key)` returns a dict of metrics. It is
            traced once, however many candidates and families there are.
        candidates: From `grid`, or schedules, by name or not.
        steps: How many steps `train` takes: the schedules are tabulated for these.
        key: The key that the keys of the seeds are made from. All candidates meet the
            same ones, so that they can be compared seed by seed.
        seeds: How many times each candidate is trained.
        metric: The metric to rank by: a scalar; less is better.
        width: How many runs a device does at once, 8 on a CPU and else 64 unless
            given. More need more memory. At the same width, results are the same to
            the bit on any number of devices and in any company.
        devices: Where to run; unless given all that this process has.
        progress: Called with the number of runs done and the number of all.

    Returns:
        Everything that `train` returned, ranked.

    Raises:
        ValueError: If there is nothing to train, or `metric` is no scalar metric.

    Example:
        >>> import jax
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> def train(schedule, key):  # gradient descent on x**2 / 2
        ...     start = jax.random.uniform(key, minval=1.0, maxval=2.0)
        ...     step = lambda count, x: x - schedule(count) * x
        ...     return {"validation": jax.lax.fori_loop(0, 10, step, start) ** 2 / 2}
        >>> results = search.run(
        ...     train,
        ...     {"slow": js.constant(0.1), "fast": js.linear(0.9, 0.0, steps=10)},
        ...     steps=10, key=jax.random.key(0),
        ... )
        >>> results.best().recipe
        'fast'
    """
    candidates = as_candidates(candidates)
    if not candidates or seeds < 1:
        raise ValueError(
            f"There is nothing to train: {len(candidates)} candidates, {seeds} seeds."
        )
    rates = tabulate([candidate.schedule for candidate in candidates], steps)
    which, seed = np.divmod(np.arange(len(candidates) * seeds), seeds)
    devices = jax.local_devices() if devices is None else devices
    if width is None:
        width = 8 if devices[0].platform == "cpu" else 64
    mesh = _mesh(devices, width, runs=len(which))
    done: list[Metrics] = []
    for lanes in _chunks(len(which), width * mesh.size):
        batch = jax.tree.map(lambda leaf, at=which[lanes]: leaf[at], rates)
        metrics = _train_lanes(batch, seed[lanes], key, train=train, mesh=mesh)
        done.append(jax.device_get(metrics))
        if progress is not None:
            progress(min(len(done) * len(lanes), len(which)), len(which))
    gathered = jax.tree.map(lambda *parts: np.concatenate(parts)[: len(which)], *done)
    shape = (len(candidates), seeds)
    return Results(
        tuple(candidates),
        jax.tree.map(lambda leaf: leaf.reshape(shape + leaf.shape[1:]), gathered),
        metric,
    )


def tabulate(schedules: Sequence[Schedule], steps: int) -> Table:
    """Makes one batched schedule out of many, of whatever kinds.

    Args:
        schedules: One or more.
        steps: For how many steps.

    Returns:
        A table with leaves of shape `f32[schedules, steps]`: a schedule for `jax.vmap`
        to go over.

    Raises:
        ValueError: If a rate is not finite.

    Example:
        >>> from jaxsched import constant, linear
        >>> from jaxsched.search import tabulate
        >>> tabulate([constant(2), linear(0.0, 1.0, steps=2)], steps=3).values.tolist()
        [[2.0, 2.0, 2.0], [0.0, 0.5, 1.0]]
    """
    count = np.arange(steps)
    # A call compiles once per kind of schedule, whatever its numbers.
    rates = np.stack([np.asarray(schedule(count)) for schedule in schedules])
    for schedule, row in zip(schedules, rates, strict=True):
        if not np.isfinite(row).all():
            step = int(np.argmin(np.isfinite(row)))
            raise ValueError(f"At step {step}, {schedule} is {row[step]}.")
    return Table(rates)


@functools.partial(jax.jit, static_argnames=("train", "mesh"))
def _train_lanes(
    batch: Schedule, seeds: jax.Array, key: jax.Array, *, train: Train, mesh: Mesh
) -> Metrics:
    """One lane per schedule and seed; as many lanes on each device of `mesh`."""

    def train_all(batch: Schedule, seeds: jax.Array, key: jax.Array) -> Metrics:
        keys = jax.vmap(functools.partial(jax.random.fold_in, key))(seeds)
        return jax.vmap(train)(batch, keys)

    spread = jax.shard_map(
        train_all,
        mesh=mesh,
        in_specs=(LANE, LANE, EVERYWHERE),
        out_specs=LANE,
        check_vma=False,
    )
    metrics: Metrics = spread(batch, seeds, key)
    return metrics


def _mesh(devices: Sequence[Any], width: int, runs: int) -> Mesh:
    """As many devices as there is work for: on an idle one, padding would run."""
    needed = math.ceil(runs / width)
    return Mesh(np.array(devices[:needed]), ("lane",))


def _chunks(runs: int, size: int) -> Iterator[np.ndarray]:
    """The runs in pieces of one size; the last run fills up what the last one lacks."""
    for begin in range(0, runs, size):
        yield np.minimum(np.arange(begin, begin + size), runs - 1)
