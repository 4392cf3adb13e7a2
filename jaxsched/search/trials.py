"""Trials: what is to be trained and what came of it, and the store that keeps them."""

import dataclasses
import enum
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np


class Status(enum.StrEnum):
    """Where a trial is on its way."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    FAILED = "failed"


FINISHED = (Status.COMPLETE, Status.PRUNED, Status.DIVERGED, Status.FAILED)
"""What a trial stays once it is that."""

Values: TypeAlias = Mapping[str, float]
"""Metrics that are numbers, by name."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """One training: a candidate and a seed.

    Attributes:
        number: Its place in the search, from 0.
        digest: What it is: the same in every search that has it.
        labels: The candidate, as `Candidate.hyperparameters`.
        seed: What the random key is made from.
        status: Where it is on its way.
        steps: How many steps are behind it.
        attempt: How often it was begun.
        metrics: At the end: arrays of any shape, and numbers of shape `[]`, by name.
        history: While it ran: numbers by name, by how many steps were behind it.
        seconds: How long it took, waiting for others in its lanes included.
        host: Where it ran.
        device: On what it ran.
        error: Why it failed.
    """

    number: int
    digest: str
    labels: Mapping[str, float | int | str]
    seed: int
    status: Status = Status.WAITING
    steps: int = 0
    attempt: int = 0
    metrics: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    history: Mapping[int, Values] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    host: str = ""
    device: str = ""
    error: str = ""

    @functools.cached_property
    def candidate(self) -> tuple[tuple[str, float | int | str], ...]:
        """What it has in common with those of other seeds."""
        return tuple(sorted(self.labels.items()))


Board: TypeAlias = Sequence[Trial]
"""All trials, without their metrics, for a pruner to look at."""

Decide: TypeAlias = Callable[[Board], Mapping[int, Status]]
"""From all trials to the new status of some, by number."""


class StoreError(Exception):
    """A store cannot be read or written; what it held before is intact."""


class Store(Protocol):
    """What keeps the trials of one search, for one process or for many.

    Everything that a method writes is there when it returns, or nothing of it is. What
    cannot be read or written raises a `StoreError`, or an `OSError`.
    """

    @property
    def pauses(self) -> bool:
        """Whether a trial may be paused, to go on later."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Returns what is written down of what the search is; nothing of a new one."""
        ...

    def identify(self, facts: Mapping[str, Any], force: bool = False) -> None:
        """Writes down what the search is, or checks that it is the same.

        Raises:
            ValueError: If it is another, naming each fact that differs; not if `force`.
        """

    def add(self, trials: Iterable[Trial]) -> None:
        """Adds trials that wait; one whose digest is there already stays as it is.

        However many processes add the same at once, each is there once. A new one
        keeps its number; if that is taken, it is numbered on from those that are there.
        """

    def claim(self, count: int) -> list[Trial]:
        """Takes up to `count` trials that wait, or whose process died, to run them.

        They are this process's for as long as it lives and until it gives them back.
        Those with the most steps behind them come first.
        """
        ...

    def record(self, trials: Sequence[Trial]) -> list[int]:
        """Writes what has become of trials that this process has claimed.

        What is `RUNNING` stays claimed; what is anything else is given back. `history`
        holds what is new; `metrics` counts if the trial is finished. A trial that
        another process has taken over, or finished, stays as that left it.

        Returns:
            The numbers of those: there is no use in training them any further.
        """
        ...

    def settle(self, decide: Decide) -> Mapping[int, Status]:
        """Gives trials the status that `decide` has for them, and returns it.

        Between the look at the board and the change nobody else writes. A trial that
        is finished stays so, and one that runs is taken from whoever runs it; only
        what has changed is returned.

        Raises:
            ValueError: If a trial is to be `RUNNING`, for which it must be claimed.
        """
        ...

    def board(self) -> list[Trial]:
        """Returns all trials, by number, without their metrics."""
        ...

    def trials(self) -> list[Trial]:
        """Returns all trials, by number."""
        ...

    def close(self) -> None:
        """Gives back what is claimed, as waiting."""
