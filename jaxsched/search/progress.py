"""Progress: how far a search is, for a bar, a log, or a callback that may stop it."""

import collections
import contextlib
import dataclasses
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from ..imports import extra
from .objective import Objective
from .trial import FINISHED, Status, Trial


LOGGED = 30.0
"""The seconds between two lines of progress in a file."""


class Stop(Exception):
    """Raised by a callback to stop a search; what is done is kept and returned."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        total: The number of trials.
        done: How many have come to an end, good or bad.
        pruned: How many of these were pruned.
        diverged: How many of these diverged.
        best: The best value of the metric so far; NaN if there is none.
        steps: How many steps this process has trained.
        trials: The trials of the last segment: their `history` has the numbers of the
            segment, and `metrics` those of an evaluation at the end.
    """

    total: int
    done: int
    pruned: int
    diverged: int
    best: float
    steps: int
    trials: Sequence[Trial] = ()


Callback: TypeAlias = Callable[[Progress], object]
"""Called after every segment."""


class Tally:
    """Counts the trials by status, and watches for the end of a search.

    Args:
        total: The number of trials.
        length: The number of steps of a segment.
        objective: The metric and its direction.
        seeds: The number of trials of a candidate.
        end: When the search stops (`time.monotonic`).
        patience: The number of finished candidates without a better one after which it
            stops.
        target: The mean of a candidate at which it stops.
    """

    def __init__(
        self,
        total: int,
        length: int,
        objective: Objective,
        *,
        seeds: int,
        end: float = math.inf,
        patience: int | None = None,
        target: float | None = None,
    ) -> None:
        self._total, self._length, self._objective = total, length, objective
        self._seeds, self._end = seeds, end
        self._patience, self._target = patience, target
        self._known: dict[int, Status] = {}
        self._counts: collections.Counter[Status | None] = collections.Counter()
        self._values: dict[object, list[float]] = {}
        self._finished, self._best_at, self._least = 0, 0, math.inf
        self._best, self._steps = math.nan, 0

    def look(self, trials: Iterable[Trial]) -> None:
        """Counts trials, wherever they were trained."""
        metric = self._objective.metric
        for trial in trials:
            before = self._known.get(trial.number)
            self._counts[before] -= 1
            self._counts[trial.status] += 1
            self._known[trial.number] = trial.status
            if not trial.is_finished:
                continue
            value = math.nan
            if trial.status is Status.COMPLETE:
                value = trial.history.get(trial.steps, {}).get(metric, math.nan)
            if self._objective.is_better(value, self._best):
                self._best = value
            if before is None or not before.is_final:
                self._end_one(trial, value)

    def _end_one(self, trial: Trial, value: float) -> None:
        """Judges a candidate once all its seeds have come to an end."""
        values = self._values.setdefault(trial.candidate, [])
        values.append(value)
        if len(values) == self._seeds:
            self._finished += 1
            cost = self._objective.mean_cost(values)
            if cost < self._least:
                self._least, self._best_at = cost, self._finished

    def count(self, reports: Sequence[Trial]) -> Progress:
        """Counts the trials of a segment, and returns how far the search is."""
        self.look(reports)
        self._steps += len(reports) * self._length
        return Progress(
            total=self._total,
            done=sum(self._counts[status] for status in FINISHED),
            pruned=self._counts[Status.PRUNED],
            diverged=self._counts[Status.DIVERGED],
            best=self._best,
            steps=self._steps,
            trials=reports,
        )

    @property
    def is_over(self) -> bool:
        """Whether the time is over, the patience is lost, or the target is reached."""
        if time.monotonic() > self._end:
            return True
        waited = self._finished - self._best_at
        if self._patience is not None and waited >= self._patience:
            return True
        return self._target is not None and (
            self._least <= self._objective.cost(self._target)
        )


@contextlib.contextmanager
def bar() -> Iterator[Callback]:
    """Shows how far a search is: a bar on a terminal, or a line now and then.

    Raises:
        ImportError: If tqdm is missing.
    """
    with extra("search"):
        from tqdm import tqdm  # noqa: PLC0415

    on_terminal = sys.stderr.isatty()
    pause = 0.1 if on_terminal else LOGGED
    with tqdm(
        unit="trial",
        dynamic_ncols=True,
        file=sys.stderr,
        mininterval=pause,
        maxinterval=max(pause, 10.0),
    ) as shown:
        begun = False

        def update(progress: Progress) -> None:
            nonlocal begun
            best = "" if math.isnan(progress.best) else f"{progress.best:.4g}"
            values = {
                "pruned": progress.pruned,
                "diverged": progress.diverged,
                "best": best,
            }
            texts = [f"{name} {value}" for name, value in values.items() if value]
            shown.total = progress.total
            if not begun:
                # Trials of an earlier run are no part of the speed.
                begun = True
                shown.initial = progress.done - len(
                    [trial for trial in progress.trials if trial.is_finished]
                )
                shown.n = shown.initial
            shown.set_postfix_str(", ".join(texts), refresh=False)
            shown.update(progress.done - shown.n)

        yield update
        if not on_terminal:
            shown.refresh()
