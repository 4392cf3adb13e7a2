"""Prepared: a search of which all is known that can be before anything is trained."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import jax
import numpy as np

from .lanes.machine import SAFETY, available_bytes, compilations_kept
from .lanes.program import Program, compiled, fingerprint
from .lanes.segment import Outcome, Segment
from .pruners import Pruner
from .results.results import SIGNS
from .spaces.candidate import Candidate
from .spaces.samplers import Adaptive
from .spaces.space import Space
from .stores.ledgers import merged
from .trials import Trial


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
            "seeds": "one" if self.segment.one_seed else "any number",
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
