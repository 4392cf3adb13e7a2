"""Progress: how far a search is, while it runs."""

import contextlib
import dataclasses
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from ..imports import extra
from .trials import FINISHED, Status, Trial


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        total: How many trials there are to be.
        done: How many have come to an end, whatever that was.
        pruned: How many of these were pruned.
        diverged: How many of these diverged.
        best: The best value of the metric so far; NaN if there is none.
        steps: How many steps were trained since the search began, or went on.
    """

    total: int
    done: int
    pruned: int
    diverged: int
    best: float
    steps: int


Watch: TypeAlias = Callable[[Progress], object]
"""What is called after every segment."""


@dataclasses.dataclass
class Tally:
    """Counts what has become of the trials.

    Attributes:
        total: How many there are to be.
        length: How many steps a segment has.
        metric: What they are ranked by.
        sign: 1 if less of it is better, else -1.
        known: What has become of each, by number.
        best: The best value so far.
        steps: How many steps were trained.
    """

    total: int
    length: int
    metric: str
    sign: float
    known: dict[int, Status] = dataclasses.field(default_factory=dict)
    best: float = math.nan
    steps: int = 0

    def look(self, trials: Iterable[Trial]) -> None:
        """Takes what has become of trials, wherever they were trained."""
        for trial in trials:
            self.known[trial.number] = trial.status
            values = trial.history.get(trial.steps, {})
            if trial.status is Status.COMPLETE and self.metric in values:
                value = values[self.metric]
                if not self.sign * value >= self.sign * self.best:
                    self.best = value

    def count(self, reports: Sequence[Trial]) -> None:
        """Takes what has become of the trials of a segment."""
        self.look(reports)
        self.steps += len(reports) * self.length

    def progress(self) -> Progress:
        """Returns what there is to show."""
        statuses = list(self.known.values())
        return Progress(
            total=self.total,
            done=sum(status in FINISHED for status in statuses),
            pruned=statuses.count(Status.PRUNED),
            diverged=statuses.count(Status.DIVERGED),
            best=self.best,
            steps=self.steps,
        )


@contextlib.contextmanager
def bar() -> Iterator[Watch]:
    """Shows how far a search is, and how long it is going to take.

    Raises:
        ImportError: If tqdm is missing.
    """
    with extra("search"):
        from tqdm import tqdm  # noqa: PLC0415

    with tqdm(unit="trial", dynamic_ncols=True, file=sys.stderr) as shown:

        def update(progress: Progress) -> None:
            best = "" if math.isnan(progress.best) else f"{progress.best:.4g}"
            values = {
                "pruned": progress.pruned,
                "diverged": progress.diverged,
                "best": best,
            }
            texts = [f"{name} {value}" for name, value in values.items() if value]
            shown.total = progress.total
            shown.set_postfix_str(", ".join(texts), refresh=False)
            shown.update(progress.done - shown.n)

        yield update
