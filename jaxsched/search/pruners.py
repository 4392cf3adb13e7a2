"""Pruners: which trials are worth more steps, judged by what they had at a rung."""

import dataclasses
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..imports import extra
from .trials import FINISHED, Board, Status, Trial


class Pruner(Protocol):
    """Decides at some numbers of steps which trials go on."""

    @property
    def patient(self) -> bool:
        """Whether all come to a rung before anybody leaves it.

        Where it is not, it matters who comes first, and a grid is shuffled: the later
        ones of peaks in order may all be better than those before.
        """
        ...

    def rungs(self, steps: int) -> Sequence[int]:
        """Returns after how many of `steps` steps trials are judged."""
        ...

    def status_at(self, steps: int) -> Status:
        """Returns what a trial is once it has come to a rung: paused, or running on."""
        ...

    def decide(
        self, board: Board, metric: str, sign: float, last: bool
    ) -> Mapping[int, Status]:
        """Returns the new status of those trials that have one, by number.

        Args:
            board: All trials.
            metric: What to judge by, in their `history`.
            sign: 1 if less of it is better, else -1.
            last: Whether nothing else is going to come to a rung.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Halving:
    """Lets the best of each rung go on; see `halving` and `asha`."""

    eta: float
    min_steps: int
    asynchronous: bool = False

    def __post_init__(self) -> None:
        if not 1 < self.eta < math.inf:
            raise ValueError(f"`eta` must be a finite number > 1, got {self.eta}.")
        if self.min_steps < 1:
            raise ValueError(f"`min_steps` must be 1 or more, got {self.min_steps}.")

    @property
    def patient(self) -> bool:
        return not self.asynchronous

    def rungs(self, steps: int) -> list[int]:
        rungs: list[int] = []
        while (rung := round(self.min_steps * self.eta ** len(rungs))) < steps:
            rungs.append(rung)
        return rungs

    def status_at(self, steps: int) -> Status:
        del steps
        return Status.PAUSED

    def decide(
        self, board: Board, metric: str, sign: float, last: bool
    ) -> Mapping[int, Status]:
        decided: dict[int, Status] = {}
        candidates = _candidates(board)
        for rung in sorted({t.steps for t in board if t.status is Status.PAUSED}):
            coming = any(t.steps < rung and t.status not in FINISHED for t in board)
            if coming and not self.asynchronous:
                continue
            reached = [c for c in candidates if _has_reached(c, rung)]
            reached.sort(key=lambda c: _mean(c, rung, metric, sign))
            # Somebody has to win, but not while better ones may be on their way.
            kept = math.floor(len(reached) / self.eta)
            kept = kept if coming and not last else max(kept, 1)
            over = last or not (coming or self.asynchronous)
            for place, candidate in enumerate(reached):
                for trial in candidate:
                    if trial.status is Status.PAUSED and trial.steps == rung:
                        if place < kept:
                            decided[trial.number] = Status.WAITING
                        elif over:
                            decided[trial.number] = Status.PRUNED
        return decided


def halving(eta: float = 4, *, min_steps: int) -> Halving:
    """Prunes in rounds: the best `1 / eta` of those at a rung go on to the next.

    Rungs are after `min_steps`, `eta * min_steps`, ... steps. A candidate is judged by
    the mean over its seeds, once all candidates have come to the rung, so the result
    is the same to the bit on any number of devices.

    Args:
        eta: How many compete for one place, more than 1.
        min_steps: Where the first rung is, 1 or more.

    Returns:
        A pruner for `search.run`.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> from jaxsched import search
        >>> search.halving(eta=3, min_steps=50).rungs(1000)
        [50, 150, 450]

    Source:
        Jamieson & Talwalkar, 2016, *Non-stochastic Best Arm Identification and
        Hyperparameter Optimization*, https://arxiv.org/abs/1502.07943.
    """
    return Halving(eta, min_steps)


def asha(eta: float = 4, *, min_steps: int) -> Halving:
    """Prunes without rounds: who is among the best `1 / eta` so far goes on at once.

    No lane ever waits for another, but who goes on depends on who came first, and so
    on the number of lanes.

    Args:
        eta: How many compete for one place, more than 1.
        min_steps: Where the first rung is, 1 or more.

    Returns:
        A pruner for `search.run`.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> from jaxsched import search
        >>> search.asha(min_steps=100).rungs(10_000)
        [100, 400, 1600, 6400]

    Source:
        Li et al., 2020, *A System for Massively Parallel Hyperparameter Tuning*,
        https://arxiv.org/abs/1810.05934.
    """
    return Halving(eta, min_steps, asynchronous=True)


class OptunaPruner:
    """Prunes as a pruner of Optuna does, after every segment.

    Args:
        pruner: Such as `optuna.pruners.MedianPruner()`.

    Example:
        >>> import optuna
        >>> from jaxsched import search
        >>> search.OptunaPruner(optuna.pruners.MedianPruner())
        OptunaPruner(MedianPruner)
    """

    def __init__(self, pruner: Any) -> None:
        with extra("optuna"):
            import optuna  # noqa: PLC0415

        storage = optuna.storages.InMemoryStorage()
        self._study = optuna.create_study(storage=storage, pruner=pruner)
        self._states = optuna.trial.TrialState
        self._name = type(pruner).__name__
        self._told: dict[int, tuple[Any, set[int]]] = {}

    def __repr__(self) -> str:
        return f"OptunaPruner({self._name})"

    @property
    def patient(self) -> bool:
        return False

    def rungs(self, steps: int) -> Sequence[int]:
        return range(1, steps)

    def status_at(self, steps: int) -> Status:
        del steps
        return Status.RUNNING

    def decide(
        self, board: Board, metric: str, sign: float, last: bool
    ) -> Mapping[int, Status]:
        del last
        reported = [trial for trial in board if self._report(trial, metric, sign)]
        return {
            trial.number: Status.PRUNED
            for trial in reported
            if trial.status is Status.RUNNING
            and self._told[trial.number][0].should_prune()
        }

    def _report(self, trial: Trial, metric: str, sign: float) -> bool:
        """Tells Optuna what it does not know yet, and whether there was anything."""
        if not trial.history:
            return False
        if trial.number not in self._told:
            self._told[trial.number] = self._study.ask(), set()
        theirs, told = self._told[trial.number]
        news = {
            step: sign * values[metric]
            for step, values in trial.history.items()
            if step not in told and metric in values
        }
        for step, value in news.items():
            theirs.report(value, step)
        told.update(news)
        if news and trial.status in FINISHED:
            # Values are in the order of their steps, so this is the last one.
            complete = trial.status is Status.COMPLETE
            state = self._states.COMPLETE if complete else self._states.PRUNED
            self._study.tell(theirs, list(news.values())[-1], state)
        return bool(news)


def _candidates(board: Board) -> list[list[Trial]]:
    """The trials of each candidate, one for each seed."""
    candidates: dict[Any, list[Trial]] = {}
    for trial in board:
        candidates.setdefault(trial.candidate, []).append(trial)
    return list(candidates.values())


def _has_reached(candidate: Sequence[Trial], rung: int) -> bool:
    """Tells whether it competes there: who was pruned or lost before does not."""
    came = [rung in trial.history for trial in candidate]
    over = [trial.status in FINISHED for trial in candidate]
    return any(came) and all(map(operator.or_, came, over))


def _mean(candidate: Sequence[Trial], rung: int, metric: str, sign: float) -> float:
    """What is worse with any seed than all finite numbers is so in the mean."""
    values = [t.history.get(rung, {}).get(metric, math.nan) for t in candidate]
    mean = sign * sum(values) / len(values)
    return mean if math.isfinite(mean) else math.inf
