"""Asking: adaptive samplers say what to try, given what came of the rest."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from .prepared import Search, trials_of
from .spaces.samplers import Adaptive
from .trials import FINISHED, Store, Trial


@dataclasses.dataclass
class Asking:
    """Adds trials that depend on what came of the others."""

    search: Search
    store: Store
    told: set[int] = dataclasses.field(default_factory=set)

    def __call__(self, count: int) -> bool:
        """Adds enough candidates for `count` trials, if there are to be more."""
        adaptive, seeds = self.search.adaptive, self.search.seeds
        if adaptive is None:
            return False
        board = self.store.trials()
        for place in range(0, len(board), len(seeds)):
            self._tell(adaptive, board[place : place + len(seeds)])
        left = self.search.total - len(board)
        wanted = min(left, count + -count % len(seeds)) // len(seeds)
        known = [trial.digest for trial in board]
        candidates = adaptive.ask(wanted)
        self.store.add(trials_of(candidates, seeds, known, first=len(board)))
        return bool(candidates)

    def _tell(self, adaptive: Adaptive, trials: Sequence[Trial]) -> None:
        """Tells what came of a candidate, once: the mean over its seeds."""
        first = trials[0]
        if first.number in self.told or any(t.status not in FINISHED for t in trials):
            return
        self.told.add(first.number)
        values = [_value(trial, self.search.metric) for trial in trials]
        mean = self.search.sign * float(np.mean(values))
        adaptive.tell(first.labels, mean if np.isfinite(mean) else np.inf)


def _value(trial: Trial, metric: str) -> float:
    """What a trial had at the end, or when it was last evaluated."""
    if metric in trial.metrics:
        return float(trial.metrics[metric])
    values = [values[metric] for values in trial.history.values() if metric in values]
    return values[-1] if values else np.nan
