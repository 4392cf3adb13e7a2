"""Preparing a search: everything that is known before anything is trained."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import jax
import numpy as np

from ..errors import named
from .lanes.layout import layout_of
from .lanes.machine import SAFETY, available_bytes, compilations_kept, use_all_cores
from .lanes.program import Outcome, Program, Segment, compiled, fingerprint
from .lanes.task import Train, Trainable, as_task
from .pruners import Pruner
from .results.results import SIGNS
from .spaces.candidate import Candidate
from .spaces.samplers import ADAPTIVE, SAMPLERS, Adaptive, structures
from .spaces.space import Space
from .stores.ledgers import merged
from .trials import Trial


SEEDS = 3
"""How often each candidate is trained unless told otherwise."""

SEGMENT = 100
"""How many steps a segment has at most unless told otherwise."""

WIDTHS = {"cpu": 8}
WIDTH = 64
"""How many lanes a device has at most, by its platform, unless told otherwise."""


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """A search that is ready to run.

    Attributes:
        space: What is searched.
        key: What the keys of the seeds are made from.
        metric: What trials are ranked by.
        mode: Whether less of it is better, "min", or more, "max".
        seeds: What each candidate is trained with.
        candidates: What is tried, as far as it is known.
        configs: One config of each kind, or all of them.
        adaptive: What says what to try next, if it depends on what came of the rest.
        samples: How many candidates there are to be.
        pruner: Which trials go on at a rung; all unless given.
        segment: What is compiled.
        width: How many lanes a device has.
        devices: Where to run.
    """

    space: Space
    key: jax.Array
    metric: str
    mode: Literal["min", "max"]
    seeds: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    configs: tuple[Any, ...]
    adaptive: Adaptive | None
    samples: int
    pruner: Pruner | None
    segment: Segment
    width: int
    devices: tuple[Any, ...]

    @property
    def total(self) -> int:
        """How many trials there are to be."""
        return self.samples * len(self.seeds)

    @property
    def sign(self) -> float:
        """1 if less of the metric is better, else -1."""
        return SIGNS[self.mode]

    @functools.cached_property
    def planned(self) -> tuple[Trial, ...]:
        """The trials of all candidates that are known."""
        return tuple(trials_of(self.candidates, self.seeds))

    @property
    def share(self) -> Sequence[Trial]:
        """Those of them that this process of a job trains: each takes them in turn."""
        return self.planned[jax.process_index() :: jax.process_count()]

    def own(self, trials: Iterable[Trial]) -> tuple[Trial, ...]:
        """Returns the trials of this search among all that a store has, each once.

        A grid that has grown or shrunk leaves others there.
        """
        if self.adaptive:
            return tuple(merged(trials))
        places = {trial.digest: trial.number for trial in self.planned}
        return tuple(
            merged(
                dataclasses.replace(trial, number=places[trial.digest])
                for trial in trials
                if trial.digest in places
            )
        )

    def row(self, trial: Trial) -> list[np.ndarray]:
        """Returns the leaves of the config of a trial."""
        return self.segment.layout.row(
            self.space.redraw(trial.labels, trial.seed).config
        )

    def compile(self) -> Program:
        """Compiles the program.

        Raises:
            ValueError: If `metric` is no scalar that it yields.
            MemoryError: If it needs more memory than there is; it says what fits.
        """
        impl = str(jax.random.key_impl(self.key))
        x64 = bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]
        with compilations_kept():
            program = compiled(self.segment, self.width, self.devices, impl, x64)
        _check(program.outcome, self.metric)
        room = available_bytes(self.devices)
        if SAFETY * program.bytes > room:
            lane = SAFETY * program.bytes / self.width
            fits = int(room / lane)
            raise MemoryError(
                f"{self.width} lanes on each device need {self.width * lane / 1e9:.3g} "
                f"GB, of {room / 1e9:.3g} GB that it has left: "
                + (f"width={fits} fits." if fits else "not even one of them fits.")
            )
        return program

    def facts(self) -> dict[str, Any]:
        """Returns what has to be the same for results to be the same to the bit."""
        return {
            "program": fingerprint(self.segment, self.key, self.width),
            "width": self.width,
            "seeds": "one" if self.segment.one_seed else "several",
            "segment": self.segment.length,
            "families as": self.segment.layout.mode,
            "key": jax.random.key_data(self.key).tolist(),
            "metric": self.metric,
            "mode": self.mode,
            "pruner": repr(self.pruner),
            "jax": jax.__version__,
            "jaxlib": importlib.metadata.version("jaxlib"),
            "platform": self.devices[0].platform,
            "x64": bool(jax.config.jax_enable_x64),  # type: ignore[attr-defined]
        }


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
    whole = Segment(task, layout, length, one_seed=len(drawn_with) == 1)
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


def trials_of(
    candidates: Iterable[Candidate],
    seeds: Sequence[int],
    known: Iterable[str] = (),
    first: int = 0,
) -> Iterator[Trial]:
    """Yields a trial for each candidate and seed.

    Args:
        candidates: What is tried. The same once more is another trial.
        seeds: What each is trained with.
        known: The digests of the trials there are.
        first: How many there are.
    """
    seen = set(known)
    pairs = itertools.product(candidates, seeds)
    for number, (candidate, seed) in enumerate(pairs, first):
        digests = (digest(candidate, seed, again) for again in itertools.count())
        new = next(found for found in digests if found not in seen)
        seen.add(new)
        yield Trial(number, new, dict(candidate.hyperparameters), seed)


def digest(candidate: Candidate, seed: int, repetition: int) -> str:
    """Says what a trial is, by its numbers to the bit."""
    numbers = [np.asarray(leaf) for leaf in jax.tree.leaves(candidate.config)]
    facts = [
        dict(candidate.hyperparameters),
        [[number.shape, number.tobytes().hex()] for number in numbers],
        seed,
        repetition,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


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


def _check(outcome: Outcome, metric: str) -> None:
    """Looks at what a task returns.

    Raises:
        TypeError: If it is not a dict.
        ValueError: If there is no such metric, or what is to be scalar is not.
    """
    for found in outcome:
        if not isinstance(found, dict):
            raise TypeError(f"A task returns metrics as a dict, got {found!r}.")
    known = ", ".join(map(str, outcome.metrics))
    if metric not in outcome.metrics:
        raise ValueError(f"There is no metric {metric!r}. Known: {known}.")
    for name, leaf in [(metric, outcome.metrics[metric]), *outcome.watched.items()]:
        if len(leaf.shape) > 1:
            what = "The metric" if name == metric else "What `step` returns as"
            raise ValueError(f"{what} {name!r} is not a scalar.")
