"""The ranking: candidates in order, each judged by all its seeds."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..objective import Objective
from ..trial import Status, Trial
from .statistics import mean_interval


UNFINISHED = "unfinished"

OUTCOMES = (
    str(Status.COMPLETE),
    UNFINISHED,
    str(Status.PRUNED),
    str(Status.DIVERGED),
    str(Status.FAILED),
)
"""The status that a candidate may have, from the best to the worst."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ranked:
    """A candidate in a ranking: its trials, one for each seed.

    Attributes:
        trials: The trials.
        objective: The metric that ranks it, and its direction.
    """

    trials: tuple[Trial, ...]
    objective: Objective

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """The metric of its complete trials."""
        complete = [trial for trial in self.trials if trial.status is Status.COMPLETE]
        return np.array([self.objective.final(trial) for trial in complete], float)

    @functools.cached_property
    def status(self) -> str:
        """The worst status of its trials."""
        return max(map(_outcome, self.trials), key=OUTCOMES.index)

    @property
    def complete(self) -> bool:
        """Whether all its trials are complete."""
        return self.status == OUTCOMES[0]

    @property
    def mean(self) -> float:
        """The mean over the complete seeds; NaN if there is none."""
        return float(self.scores.mean()) if len(self.scores) else math.nan

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds; NaN for fewer than two."""
        return float(self.scores.std(ddof=1)) if len(self.scores) > 1 else math.nan

    @functools.cached_property
    def interval(self) -> tuple[float, float]:
        """The confidence interval of the mean over all possible seeds."""
        return mean_interval(self.scores)

    @property
    def steps(self) -> float:
        """The mean number of steps over its trials."""
        return float(np.mean([trial.steps for trial in self.trials]))

    @property
    def place(self) -> tuple[Any, ...]:
        """Sorts the best first; incomplete ones by their steps, then their metric."""
        group, first = OUTCOMES.index(self.status), self.trials[0].number
        if self.complete:
            return group, 0.0, self.objective.cost(self.mean), first
        latest = [self.objective.latest(trial) for trial in self.trials]
        finite = [value for value in latest if math.isfinite(value)]
        return group, -self.steps, self.objective.mean_cost(finite), first


def ranked(trials: Sequence[Trial], objective: Objective) -> tuple[Ranked, ...]:
    """Groups the trials that differ in the seed alone, the best group first."""
    groups: dict[Any, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.candidate, []).append(trial)
    found = [Ranked(tuple(group), objective) for group in groups.values()]
    return tuple(sorted(found, key=lambda one: one.place))


def front(costs: np.ndarray) -> np.ndarray:
    """Tells which rows of costs no other row beats in all columns.

    Args:
        costs: Of shape `[candidates, objectives]`; less is better.

    Returns:
        Booleans of shape `[candidates]`.

    Example:
        >>> import numpy as np
        >>> front(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0]]))
        array([ True,  True, False])
    """
    no_worse = (costs[:, None] <= costs[None]).all(axis=2)
    better = (costs[:, None] < costs[None]).any(axis=2)
    beaten = (no_worse & better).any(axis=0)
    return np.asarray(~beaten)


def _outcome(trial: Trial) -> str:
    return str(trial.status) if trial.is_finished else UNFINISHED
