"""Results: what came of each candidate, ranked, with what the seeds alone explain."""

import csv
import dataclasses
import functools
import math
import os
from pathlib import Path

import numpy as np

from ..schedule import Schedule
from .candidates import Candidate
from .noise import least_difference


@dataclasses.dataclass(frozen=True, eq=False)
class Results:
    """What `train` returned for every candidate and seed; ranked by one metric.

    Attributes:
        candidates: The candidates, in the order in which they were given.
        metrics: Every metric, of shape `[candidates, seeds, ...]`.
        metric: The name of the one to rank by; less is better.
    """

    candidates: tuple[Candidate, ...]
    metrics: dict[str, np.ndarray]
    metric: str = "validation"

    def __post_init__(self) -> None:
        if self.metric not in self.metrics:
            known = ", ".join(self.metrics)
            raise ValueError(f"There is no metric {self.metric!r}. Known: {known}.")
        if self.scores.ndim != 2:
            raise ValueError(f"The metric {self.metric!r} is not a scalar.")

    @property
    def scores(self) -> np.ndarray:
        """The metric to rank by, of shape `[candidates, seeds]`."""
        return self.metrics[self.metric]

    @property
    def complete(self) -> np.ndarray:
        """Whether a candidate got through with all seeds; else it diverged."""
        return np.asarray(np.isfinite(self.scores).all(axis=1))

    @functools.cached_property
    def order(self) -> np.ndarray:
        """The candidates from the best to the worst, and then those that diverged."""
        means = np.where(self.complete, self._means, np.inf)
        return np.argsort(means, kind="stable")

    @functools.cached_property
    def table(self) -> dict[str, np.ndarray]:
        """One row per candidate, the best first, as columns.

        They are `rank`, `recipe`, the hyperparameters, `mean` and `spread` (the
        standard deviation) of the metric over the seeds, `status` (complete or
        diverged), `tied` (with the best one, within the noise) and `code`.
        """
        ranked = [self.candidates[index] for index in self.order]
        means, complete = self._means[self.order], self.complete[self.order]
        names = dict.fromkeys(
            name for candidate in ranked for name in candidate.hyperparameters
        )
        hypers = {
            name: np.array([row.hyperparameters.get(name, math.nan) for row in ranked])
            for name in names
        }
        return {
            "rank": np.arange(1, len(ranked) + 1),
            "recipe": np.array([row.recipe for row in ranked]),
            **hypers,
            "mean": means,
            "spread": self._spreads[self.order],
            "status": np.where(complete, "complete", "diverged"),
            "tied": complete & (means <= means[0] + self.noise),
            "code": np.array([row.code for row in ranked]),
        }

    def best(self) -> Candidate:
        """Returns the candidate with the least mean.

        Raises:
            ValueError: If all of them diverged.
        """
        if not self.complete.any():
            raise ValueError("Every candidate diverged: there is no best one.")
        return self.candidates[int(self.order[0])]

    def best_schedule(self) -> Schedule:
        """Returns the schedule of the best candidate, ready for an optimizer."""
        return self.best().schedule

    def best_of_each(self) -> list[int]:
        """Returns the row of `table` in which each recipe first appears, in order."""
        _, rows = np.unique(self.table["recipe"], return_index=True)
        return sorted(rows.tolist())

    @functools.cached_property
    def noise(self) -> float:
        """How far apart two means must be for the seeds not to explain it."""
        return least_difference(self.scores[self.complete].astype(float))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes `table` as CSV, and the metric for each seed beside it."""
        scores = self.scores[self.order].T
        seeds = {f"seed_{seed}": column for seed, column in enumerate(scores)}
        columns = {**self.table, **seeds}
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(
                zip(*(column.tolist() for column in columns.values()), strict=True)
            )

    @functools.cached_property
    def _means(self) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(self.scores.astype(float).mean(axis=1))

    @functools.cached_property
    def _spreads(self) -> np.ndarray:
        """Standard deviations; of a single seed there is none."""
        seeds = self.scores.shape[1]
        if seeds == 1:
            return np.full(len(self.scores), math.nan)
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(self.scores.astype(float).std(axis=1, ddof=1))
