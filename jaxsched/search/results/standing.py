"""Standing: what came of one candidate, over all its seeds."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..spaces.candidate import Candidate
from ..trials import FINISHED, Status, Trial
from .noise import mean_interval


UNFINISHED = "unfinished"

OUTCOMES = (
    str(Status.COMPLETE),
    UNFINISHED,
    str(Status.PRUNED),
    str(Status.DIVERGED),
    str(Status.FAILED),
)
"""What can come of a candidate, from the best to the worst."""


def outcome(trial: Trial) -> str:
    """Returns which of `OUTCOMES` came of a trial."""
    return str(trial.status) if trial.status in FINISHED else UNFINISHED


def judged(trial: Trial, metric: str) -> Trial:
    """Returns a trial as diverged if it ended without a number to rank it by."""
    if trial.status is Status.COMPLETE and not math.isfinite(final(trial, metric)):
        return dataclasses.replace(trial, status=Status.DIVERGED)
    return trial


def final(trial: Trial, metric: str) -> float:
    """Returns what a metric was at the end; NaN if it came to none."""
    return float(trial.metrics.get(metric, math.nan))


@dataclasses.dataclass(frozen=True, eq=False)
class Standing:
    """A candidate, and its trials: one for each seed.

    Attributes:
        candidate: What was trained with.
        trials: What came of it.
        metric: What to judge it by.
    """

    candidate: Candidate
    trials: tuple[Trial, ...]
    metric: str

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """The metric of those trials that are complete."""
        ended = [trial for trial in self.trials if trial.status is Status.COMPLETE]
        return np.array([final(trial, self.metric) for trial in ended], float)

    @property
    def status(self) -> str:
        """What came of it: the worst that came of any of its trials."""
        return max(map(outcome, self.trials), key=OUTCOMES.index)

    @property
    def complete(self) -> bool:
        return self.status == OUTCOMES[0]

    @property
    def mean(self) -> float:
        """Of those seeds that are complete; NaN if none is."""
        return float(self.scores.mean()) if len(self.scores) else math.nan

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds; of fewer than two there is none."""
        return float(self.scores.std(ddof=1)) if len(self.scores) > 1 else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Where the mean over all possible seeds may be."""
        return mean_interval(self.scores)

    @property
    def steps(self) -> float:
        """How far it came, on average over its trials."""
        return float(np.mean([trial.steps for trial in self.trials]))

    def place(self, sign: float) -> tuple[Any, ...]:
        """Returns what to sort by, so that the best comes first.

        What is not complete is sorted by how far it came, and then by what it had
        there.

        Args:
            sign: 1 if less of the metric is better, else -1.
        """
        group, first = OUTCOMES.index(self.status), self.trials[0].number
        if self.complete:
            return group, 0.0, sign * self.mean, first
        return group, -self.steps, sign * self._last(sign), first

    def _last(self, sign: float) -> float:
        """The mean of the last known values; what has none comes after all others."""
        values = [self._last_of(trial) for trial in self.trials]
        finite = [value for value in values if math.isfinite(value)]
        return sum(finite) / len(finite) if finite else sign * math.inf

    def _last_of(self, trial: Trial) -> float:
        """What the metric was when last measured."""
        measured = [step for step, at in trial.history.items() if self.metric in at]
        if self.metric in trial.metrics or not measured:
            return final(trial, self.metric)
        return trial.history[max(measured)][self.metric]


def ranked(
    trials: Sequence[Trial], drawn: Sequence[Candidate], metric: str, sign: float
) -> tuple[Standing, ...]:
    """Puts together the trials that differ in the seed alone, and sorts what is left.

    Args:
        trials: All of them.
        drawn: The candidate of each.
        metric: What to judge by.
        sign: 1 if less of it is better, else -1.

    Returns:
        A standing for each candidate, the best first.
    """
    groups: dict[Any, list[int]] = {}
    for row, candidate in enumerate(drawn):
        groups.setdefault(candidate.key, []).append(row)
    standings = [
        Standing(drawn[rows[0]], tuple(trials[row] for row in rows), metric)
        for rows in groups.values()
    ]
    return tuple(sorted(standings, key=lambda standing: standing.place(sign)))


def columns(standings: Sequence[Standing]) -> dict[str, np.ndarray]:
    """Returns what is known of each, as columns."""
    intervals = [standing.interval for standing in standings]
    return {
        "mean": np.array([standing.mean for standing in standings], float),
        "spread": np.array([standing.spread for standing in standings], float),
        "low": np.array([low for low, _ in intervals], float),
        "high": np.array([high for _, high in intervals], float),
        "seeds": np.array([len(standing.scores) for standing in standings], int),
        "steps": np.array([standing.steps for standing in standings], float),
        "status": np.array([standing.status for standing in standings], str),
    }
