"""Scores: what came of shapes at their base rates, without a seed judging its choice.

The least of several noisy means is too low, by more the more of them there are. So the
score of a shape at one seed is at the base rate that all *other* seeds would choose.
And the best shape of each family, which is the least of many again, is judged by fresh
seeds that nothing was chosen by.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping

import numpy as np

from ...schedule import Schedule
from ..results.statistics import half_width


@dataclasses.dataclass(frozen=True, eq=False)
class Shape:
    """The best shape of a family, as seeds see it that did not choose it.

    Attributes:
        family: The name of its family.
        numbers: What tells it from the others of its family.
        shape: A schedule whose peak is 1.
        rate: The best base rate.
        mean: The mean of the metric over the fresh seeds.
        low: The lower end of its confidence interval, of 95 %.
        high: The upper end of that.
        edge: "lowest" or "highest" if `rate` is that of all, so that the best one may
            lie beyond; else "".
    """

    family: str
    numbers: Mapping[str, float]
    shape: Schedule
    rate: float
    mean: float
    low: float
    high: float
    edge: str

    @property
    def schedule(self) -> Schedule:
        """The schedule, ready for an optimizer."""
        return self.rate * self.shape


@dataclasses.dataclass(frozen=True, eq=False)
class Shapes:
    """What came of every shape, base rate and seed.

    Attributes:
        families: The name of the family of each shape.
        numbers: What tells each shape from the others of its family.
        shapes: The shapes, schedules whose peak is 1.
        rates: The base rates, increasing.
        scores: The metric, of shape `[shapes, rates, seeds]`; less is better.
        confirmed: For the best shape of each family, by the name of that, the metric
            at its best rate with fresh seeds, of shape `[seeds]`.
    """

    families: tuple[str, ...]
    numbers: tuple[Mapping[str, float], ...]
    shapes: tuple[Schedule, ...]
    rates: np.ndarray
    scores: np.ndarray
    confirmed: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def best_rates(self) -> np.ndarray:
        """The index of the base rate with the least mean, of each shape.

        Rates at which a seed diverged are out.
        """
        return np.asarray(self._sums.argmin(axis=1))

    @functools.cached_property
    def held_out(self) -> np.ndarray:
        """The score of each shape and seed, at the rate that other seeds choose.

        It is of shape `[shapes, seeds]`, and infinite if no rate was good for all.
        """
        complete = np.isfinite(self._sums)[..., None]
        others = self._sums[..., None] - np.where(complete, self.scores, 0.0)
        chosen = others.argmin(axis=1, keepdims=True)
        scores = np.where(complete, self.scores, math.inf)
        return np.take_along_axis(scores, chosen, axis=1)[:, 0]

    @functools.cached_property
    def order(self) -> np.ndarray:
        """The shapes from the best to the worst, and then those that diverged."""
        return np.argsort(self.held_out.mean(axis=1), kind="stable")

    @functools.cached_property
    def winners(self) -> dict[str, int]:
        """The best shape of each family, unless all of them diverged."""
        complete = [i for i in self.order if np.isfinite(self.held_out[i]).all()]
        return {self.families[i]: int(i) for i in reversed(complete)}

    @functools.cached_property
    def table(self) -> dict[str, np.ndarray]:
        """One row per shape, the best first, as columns.

        They are `rank`, `family`, the numbers of the families, `rate` (the best one),
        `edge` (whether it is the lowest or the highest of all), `mean`, `low` and
        `high` (of the held-out scores, and its confidence interval) and `status`
        (complete or diverged).
        """
        order, held_out = self.order, self.held_out[self.order]
        names = dict.fromkeys(name for numbers in self.numbers for name in numbers)
        numbers = {
            name: np.array([self.numbers[i].get(name, math.nan) for i in order])
            for name in names
        }
        mean, low, high = interval(held_out)
        return {
            "rank": np.arange(1, len(order) + 1),
            "family": np.array([self.families[i] for i in order]),
            **numbers,
            "rate": self.rates[self.best_rates[order]],
            "edge": np.array([self._edge(i) for i in order]),
            "mean": mean,
            "low": low,
            "high": high,
            "status": np.where(np.isfinite(mean), "complete", "diverged"),
        }

    def best_of_each(self) -> list[Shape]:
        """Returns the best shape of each family, the best of them first.

        They are in the order of what the fresh seeds say of them, and the families of
        which everything diverged are missing.
        """
        found = []
        for family, scores in self.confirmed.items():
            index = self.winners[family]
            mean, low, high = interval(np.where(np.isfinite(scores), scores, math.inf))
            rate = float(self.rates[self.best_rates[index]])
            found.append(
                Shape(
                    family=family,
                    numbers=self.numbers[index],
                    shape=self.shapes[index],
                    rate=rate,
                    mean=float(mean),
                    low=float(low),
                    high=float(high),
                    edge=self._edge(index),
                )
            )
        return sorted(found, key=lambda shape: shape.mean)

    def best(self) -> Shape:
        """Returns the best shape of all families.

        Raises:
            ValueError: If all of them diverged.
        """
        found = self.best_of_each()
        if not found:
            raise ValueError(
                "Every shape diverged at every rate: there is no best one."
            )
        return found[0]

    def best_schedule(self) -> Schedule:
        """Returns the best shape at its best rate, ready for an optimizer."""
        return self.best().schedule

    @functools.cached_property
    def _sums(self) -> np.ndarray:
        """Over the seeds, of shape `[shapes, rates]`; infinite if one diverged."""
        with np.errstate(invalid="ignore", over="ignore"):
            sums = self.scores.sum(axis=2)
        return np.where(np.isfinite(sums), sums, math.inf)

    def _edge(self, index: int) -> str:
        place = self.best_rates[index]
        if not np.isfinite(self._sums[index, place]):
            return ""
        if place == 0:
            return "lowest"
        return "highest" if place == len(self.rates) - 1 else ""


def interval(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns means over the last axis, and their intervals of Student's t.

    Args:
        scores: Of shape `[..., seeds]`, of at least 2 seeds.

    Example:
        >>> import numpy as np
        >>> from jaxsched.search.shaping.scores import interval
        >>> [round(float(x), 3) for x in interval(np.array([1.0, 2.0, 3.0]))]
        [2.0, -0.484, 4.484]
    """
    with np.errstate(invalid="ignore"):
        mean, half = scores.mean(axis=-1), half_width(scores)
        return mean, mean - half, mean + half
