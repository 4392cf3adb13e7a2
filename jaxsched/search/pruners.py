"""Pruners: which trials are worth more steps, judged by their metric at a rung."""

import dataclasses
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .objective import Objective
from .trial import Status, Trial


class Pruner(Protocol):
    """Decides at some numbers of steps which trials go on.

    Its `repr` is a part of the fingerprint of a search, so it shows all settings. Each
    run of a search works with a `copy.copy` of it.
    """

    @property
    def synchronous(self) -> bool:
        """Whether a rung is judged once all candidates have come to it.

        Where it is not, the order of arrival matters, and a grid is shuffled: the later
        ones of ordered peaks may all be better than those before.
        """
        ...

    def rungs(self, steps: int) -> Sequence[int]:
        """Returns after how many of `steps` steps trials are judged."""
        ...

    def status_at(self, steps: int) -> Status:
        """Returns the status of a trial that has come to a rung: paused, or running."""
        ...

    def decide(
        self, trials: Sequence[Trial], objective: Objective, last: bool
    ) -> Mapping[int, Status]:
        """Returns the new status of those trials that change it, by number.

        Args:
            trials: All trials, without metrics that are arrays.
            objective: The metric, in the `history` of a trial, and its direction.
            last: Whether no other trial is going to come to a rung.
        """
        ...


def check(pruner: Any) -> None:
    """Checks that an argument is a pruner.

    Raises:
        TypeError: If it is none.
    """
    if pruner is not None and not callable(getattr(pruner, "decide", None)):
        raise TypeError(
            f"`pruner` must be `search.halving(min_steps=...)`, "
            f"`search.asha(min_steps=...)` or `search.OptunaPruner(...)`, "
            f"got {pruner!r}."
        )


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
    def synchronous(self) -> bool:
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
        self, trials: Sequence[Trial], objective: Objective, last: bool
    ) -> Mapping[int, Status]:
        decided: dict[int, Status] = {}
        candidates = _candidates(trials)
        for rung in sorted({t.steps for t in trials if t.status is Status.PAUSED}):
            coming = any(t.steps < rung and not t.is_finished for t in trials)
            if coming and not self.asynchronous:
                continue
            reached = [c for c in candidates if _has_reached(c, rung)]
            reached.sort(key=lambda c: _cost(c, rung, objective))
            # At least one is kept, but not while better ones may be on their way.
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
    """Prunes without rounds: the best `1 / eta` of those so far go on at once.

    No lane ever waits for another, but the choice depends on the order of arrival, and
    so on the number of lanes.

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


def _candidates(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Returns the trials of each candidate, one for each seed."""
    candidates: dict[Any, list[Trial]] = {}
    for trial in trials:
        candidates.setdefault(trial.candidate, []).append(trial)
    return list(candidates.values())


def _has_reached(candidate: Sequence[Trial], rung: int) -> bool:
    """Tells whether a candidate competes at a rung.

    It does once all its seeds have come there, or have ended before.
    """
    came = [rung in trial.history for trial in candidate]
    over = [trial.is_finished for trial in candidate]
    return any(came) and all(map(operator.or_, came, over))


def _cost(candidate: Sequence[Trial], rung: int, objective: Objective) -> float:
    """Returns the mean cost at a rung; infinity if that of one seed is not finite."""
    metric = objective.metric
    values = [t.history.get(rung, {}).get(metric, math.nan) for t in candidate]
    return objective.mean_cost(values)
