"""A trial: one training, of a candidate with a seed, and all that is known of it."""

import dataclasses
import enum
import functools
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

from ..schedule import Schedule
from .spaces.candidate import Candidate, as_data
from .spaces.dimensions import Label


class Status(enum.StrEnum):
    """Where a trial is on its way."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether a trial keeps this status; only `retry` starts a failed one again."""
        return self in FINISHED


FINISHED = (Status.COMPLETE, Status.PRUNED, Status.DIVERGED, Status.FAILED)
"""The final statuses."""

LOOKED_AT = np.unique(np.geomspace(1, 2**20, 400).astype(int)) - 1
"""The steps at which schedules are compared that cannot be read."""

Values: TypeAlias = Mapping[str, float]
"""Metrics that are numbers, by name."""

Params: TypeAlias = Mapping[str, Label]
"""The value that was chosen for each dimension, by name."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """One training: a candidate and a seed.

    Attributes:
        number: Its place in the search, from 0.
        id: A digest of its config and seed: the same in every search that has it.
        params: The value of each dimension, by name.
        seed: The number that its random key is made from.
        family: The family of its schedule.
        code: An expression that makes its config.
        config: Its config as data for JSON; `None` if it cannot be written as such.
        status: Where it is on its way.
        steps: How many steps are done.
        attempt: How many times it was started.
        metrics: The metrics at the end: arrays by name, scalars of shape `[]`.
        history: The numbers that were reported, by name, for each step of a report.
        seconds: How long it took, including the time its lane waited for others.
        host: The machine that ran it.
        device: The device that ran it.
        error: Why it failed.
    """

    number: int
    id: str
    params: Params
    seed: int
    family: str = ""
    code: str = ""
    config: Any = None
    status: Status = Status.WAITING
    steps: int = 0
    attempt: int = 0
    metrics: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    history: Mapping[int, Values] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    host: str = ""
    device: str = ""
    error: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether it has come to an end, good or bad."""
        return self.status.is_final

    @functools.cached_property
    def candidate(self) -> tuple[tuple[str, Label], ...]:
        """Identifies its candidate: equal for trials that differ in the seed alone."""
        return tuple(sorted(self.params.items()))

    def latest(self, metric: str) -> float:
        """Returns what was last reported of a metric; NaN if nothing was."""
        reported = [step for step, values in self.history.items() if metric in values]
        return self.history[max(reported)][metric] if reported else math.nan


def trials_of(
    candidates: Iterable[Candidate],
    seeds: Sequence[int],
    known: Iterable[str] = (),
    first: int = 0,
) -> Iterator[Trial]:
    """Yields a trial for each candidate and seed, unless there is one already.

    Args:
        candidates: The candidates.
        seeds: The seeds of each.
        known: The ids of the trials that exist.
        first: The number of the first new trial.
    """
    seen, numbers = set(known), itertools.count(first)
    for candidate, seed in itertools.product(candidates, seeds):
        if (id_ := id_of(candidate, seed)) not in seen:
            seen.add(id_)
            yield Trial(
                next(numbers),
                id_,
                dict(candidate.params),
                seed,
                candidate.family,
                candidate.code,
                as_data(candidate.config),
            )


def id_of(candidate: Candidate, seed: int) -> str:
    """Returns a digest of a candidate and a seed.

    It follows the bits of all numbers and the kinds of all schedules; of a schedule
    with a function of the caller, which cannot be read, it follows the rates.
    """
    nodes = jax.tree.leaves(candidate.config, is_leaf=lambda x: isinstance(x, Schedule))
    facts = [dict(candidate.params), list(map(_identity, nodes)), seed]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _identity(node: Any) -> Any:
    """Returns what tells a schedule or a number from others, as data for JSON."""
    kind = as_data(node) if isinstance(node, Schedule) else None
    leaves = jax.tree.leaves(node)
    if isinstance(node, Schedule) and kind is None:
        leaves = [*leaves, node(LOOKED_AT)]
    numbers = [np.asarray(leaf) for leaf in leaves]
    return [kind, [[number.shape, number.tobytes().hex()] for number in numbers]]
