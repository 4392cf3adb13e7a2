"""Preparing: what is asked for is completed, and checked."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np

from ..errors import named
from .lanes.layout import layout_of
from .lanes.machine import use_all_cores
from .lanes.segment import Segment
from .lanes.task import Train, Trainable, as_task
from .prepared import Search
from .pruners import Pruner
from .results.results import SIGNS
from .spaces.samplers import ADAPTIVE, SAMPLERS, Adaptive, structures
from .spaces.space import Space


SEEDS = 3
"""How often each candidate is trained unless told otherwise."""

SEGMENT = 100
"""How many steps a segment has at most unless told otherwise."""

WIDTHS = {"cpu": 8}
WIDTH = 64
"""How many lanes a device has at most, by its platform, unless told otherwise."""


def prepare(
    task: Trainable | Train,
    space: Space,
    *,
    key: jax.Array | int = 0,
    metric: str = "validation",
    mode: Literal["min", "max"] = "min",
    seeds: int | None = None,
    sampler: Any = "grid",
    samples: int | None = None,
    pruner: Pruner | None = None,
    steps: int | None = None,
    width: int | None = None,
    segment: int | None = None,
    devices: Sequence[Any] | None = None,
) -> Search:
    """Makes a search ready; see `search.run` for the arguments, and what is raised."""
    task = as_task(task)
    named("mode", mode, SIGNS)
    if devices is None:
        use_all_cores()
        devices = jax.local_devices()
    # Not before: to make a key starts JAX, with as many devices as it has then.
    key = jax.random.key(key) if isinstance(key, int) else key
    drawn_with = _seeds(space, seeds)
    adaptive = _adaptive(sampler, space)
    if adaptive is None:
        choose = (
            named("sampler", sampler, SAMPLERS) if isinstance(sampler, str) else sampler
        )
        candidates = tuple(choose(space, samples))
        if pruner and not pruner.patient:
            order = np.random.default_rng(0).permutation(len(candidates))
            candidates = tuple(candidates[place] for place in order)
        samples = len(candidates)
        configs = [candidate.config for candidate in candidates]
    else:
        if jax.process_count() > 1:
            raise ValueError(
                f"sampler={sampler!r} needs to know what came of all trials, but the "
                "processes of one job do not wait for each other: start workers that "
                "share a store."
            )
        candidates, configs = (), structures(space)
        if samples is None:
            raise ValueError(f"sampler={sampler!r} needs `samples`, 1 or more.")
    if not samples:
        raise ValueError("There is nothing to train: 0 candidates.")
    layout = layout_of(configs, steps or task.steps or None)
    rungs = pruner.rungs(task.steps) if pruner else ()
    if pruner and not task.steps:
        raise ValueError(
            f"{pruner!r} judges trainings in the middle, and a function does all of "
            "one at once: take a `search.Task`."
        )
    if pruner and not rungs:
        raise ValueError(
            f"{pruner!r} has no rung before step {task.steps}, where a trial ends."
        )
    length = segment or _length(task.steps, rungs)
    # A task in steps draws little at once, and may get more seeds later.
    one_seed = not task.steps and len(drawn_with) == 1
    whole = Segment(task, layout, length, one_seed)
    most = WIDTHS.get(devices[0].platform, WIDTH)
    trials = samples * len(drawn_with)
    width = width or min(most, math.ceil(trials / len(devices)))
    # An idle device would train padding.
    needed = math.ceil(trials / jax.process_count() / width)
    return Search(
        space=space,
        key=key,
        metric=metric,
        mode=mode,
        seeds=drawn_with,
        candidates=candidates,
        configs=tuple(configs),
        adaptive=adaptive,
        samples=samples,
        pruner=pruner,
        segment=whole,
        width=width,
        devices=tuple(devices[:needed]),
    )


def _seeds(space: Space, seeds: int | None) -> tuple[int, ...]:
    if space.seeds:
        if seeds is not None:
            raise ValueError(
                f"seeds={seeds}, but the space has its own: {list(space.seeds)}."
            )
        return space.seeds
    seeds = SEEDS if seeds is None else seeds
    if seeds < 1:
        raise ValueError(f"`seeds` must be 1 or more, got {seeds}.")
    return tuple(range(seeds))


def _adaptive(sampler: Any, space: Space) -> Adaptive | None:
    """Those of Optuna, by name or not."""
    if hasattr(sampler, "sample_relative") or (
        isinstance(sampler, str) and sampler in ADAPTIVE
    ):
        return Adaptive(sampler, space)
    return None


def _length(steps: int, rungs: Sequence[int]) -> int:
    """The longest segment that steps and rungs are multiples of, if it is not short."""
    common = math.gcd(steps, *rungs)
    fitting = max((n for n in range(1, SEGMENT + 1) if common % n == 0), default=1)
    return fitting if fitting >= SEGMENT / 10 else max(1, min(SEGMENT // 2, steps))
