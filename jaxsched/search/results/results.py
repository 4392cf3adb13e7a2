"""Results: the candidates ranked, with what the seeds alone explain."""

import dataclasses
import functools
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import named
from ...schedule import Schedule
from ..spaces.candidate import Candidate
from ..trials import Status
from . import export
from .noise import least_difference
from .records import Records, but_family
from .standing import OUTCOMES, Standing, columns, final, ranked


SIGNS: Mapping[str, float] = {"min": 1.0, "max": -1.0}
"""What to multiply a metric with, for less of it to be better."""


@dataclasses.dataclass(frozen=True, eq=False)
class Results(Records):
    """What came of a search, as tables: one row per trial, or one per candidate.

    Attributes:
        trials: All of them, finished or not, in the order of their numbers.
        space: What they were drawn from.
        metric: The name of the one to rank by.
        mode: Whether less of it is better, `"min"`, or more, `"max"`.

    Raises:
        ValueError: If there is no such metric or mode, or the metric is no scalar.

    Example:
        >>> import numpy as np
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> from jaxsched.search.trials import Status, Trial
        >>> def trial(number, peak, seed, loss):
        ...     return Trial(
        ...         number, f"trial-{number}", {"start": peak}, seed, Status.COMPLETE,
        ...         steps=50, metrics={"validation": np.array(loss)},
        ...     )
        >>> space = search.Space(js.linear(search.choice([0.1, 0.2]), 0.0, steps=50))
        >>> trials = [trial(0, 0.1, 0, 0.5), trial(1, 0.1, 1, 0.7),
        ...           trial(2, 0.2, 0, 0.3), trial(3, 0.2, 1, 0.2)]
        >>> results = search.Results(tuple(trials), space)
        >>> results.ranking["start"], results.ranking["mean"]
        (array([0.2, 0.1]), array([0.25, 0.6 ]))
        >>> results.best_schedule()
        Ramp(start=0.2, end=0.0, steps=50.0, curve=curves.Linear())
    """

    mode: str = "min"

    def __post_init__(self) -> None:
        super().__post_init__()
        named("mode", self.mode, SIGNS)

    @functools.cached_property
    def ranking(self) -> dict[str, np.ndarray]:
        """One row per candidate, the best first, as columns.

        They are `rank`, `family`, the dimensions of the space, `mean` and `spread` (the
        standard deviation) of the metric over the seeds, `low` and `high` (between
        which the true mean is, at 95 %), `seeds` (how many are complete), `steps` (how
        many each took, on average), `status`, `tied` (with the best one, within the
        noise) and `code`.

        The status of a candidate is the worst that came of a seed: complete,
        unfinished, pruned, diverged or failed, and they are ranked in this order.
        """
        rows = {trial.number: row for row, trial in enumerate(self.trials)}
        first = [rows[standing.trials[0].number] for standing in self.standings]
        known = columns(self.standings)
        worse = self.sign * (known["mean"] - known["mean"][:1])
        complete = known["status"] == OUTCOMES[0]
        return {
            "rank": np.arange(1, len(first) + 1),
            "family": np.array([drawn.family for drawn in self.candidates], str),
            **but_family({n: column[first] for n, column in self.dimensions.items()}),
            **known,
            "tied": complete & (worse <= self.noise),
            "code": np.array([drawn.code for drawn in self.candidates], str),
        }

    @functools.cached_property
    def standings(self) -> tuple[Standing, ...]:
        """For each row of `ranking` the candidate and its trials."""
        return ranked(self.trials, self.drawn, self.metric, self.sign)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidate of each row of `ranking`: the best first."""
        return tuple(standing.candidate for standing in self.standings)

    @property
    def seeds(self) -> np.ndarray:
        """The seeds that there are, in order."""
        return np.array(sorted({trial.seed for trial in self.trials}), int)

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """The metric, of shape `[candidates, seeds]`, the best first, or NaN.

        Only trials that are complete have one.
        """
        places = {seed: place for place, seed in enumerate(self.seeds.tolist())}
        scores = np.full((len(self.standings), len(places)), np.nan)
        for row, standing in enumerate(self.standings):
            for trial in standing.trials:
                if trial.status is Status.COMPLETE:
                    scores[row, places[trial.seed]] = final(trial, self.metric)
        return scores

    @functools.cached_property
    def noise(self) -> float:
        """How far apart two means must be for the seeds not to explain it.

        It is estimated from the candidates that are complete with every seed.
        """
        return least_difference(
            self.sign * self.scores[np.isfinite(self.scores).all(axis=1)]
        )

    @property
    def sign(self) -> float:
        """1 if less of the metric is better, else -1."""
        return SIGNS[self.mode]

    def counts(self) -> dict[str, int]:
        """Returns of how many candidates came what, from the best to the worst."""
        found = self.ranking["status"].tolist()
        return {status: found.count(status) for status in OUTCOMES if status in found}

    def best(self) -> Candidate:
        """Returns the candidate with the best mean.

        Raises:
            ValueError: If none is complete.
        """
        counts = self.counts()
        if OUTCOMES[0] in counts:
            return self.candidates[0]
        if list(counts) == [str(Status.DIVERGED)]:
            raise ValueError("Every candidate diverged: there is no best one.")
        came = ", ".join(f"{count} {status}" for status, count in counts.items())
        raise ValueError(
            f"No candidate is complete ({came or 'there is none'}): "
            "there is no best one."
        )

    def best_schedule(self) -> Schedule:
        """Returns the schedule of the best candidate, ready for an optimizer.

        Raises:
            ValueError: If no candidate is complete, or it holds no schedule.
        """
        return self.best().schedule

    def best_of_each(self) -> list[int]:
        """Returns the row of `ranking` in which each family first appears, in order."""
        _, rows = np.unique(self.ranking["family"], return_index=True)
        return sorted(rows.tolist())

    def top(self, count: int) -> tuple[Candidate, ...]:
        """Returns the best candidates, as many as are complete and no more."""
        return self.candidates[: min(count, self.counts().get(OUTCOMES[0], 0))]

    # As other libraries have it.

    def to_csv(self, path: str | os.PathLike[str], *, ranking: bool = False) -> None:
        """Writes `table`, or else `ranking`, as CSV."""
        export.to_csv(self.ranking if ranking else self.table, path)

    def to_pandas(self, *, ranking: bool = False) -> Any:
        """Returns `table`, or else `ranking`, as a `pandas.DataFrame`.

        Raises:
            ImportError: If pandas is missing.
        """
        return export.to_pandas(self.ranking if ranking else self.table)

    def to_parquet(
        self, path: str | os.PathLike[str], *, ranking: bool = False
    ) -> None:
        """Writes `table`, or else `ranking`, as Parquet.

        Raises:
            ImportError: If PyArrow is missing.
        """
        export.to_parquet(self.ranking if ranking else self.table, path)

    def to_xarray(self) -> Any:
        """Returns an `xarray.Dataset` with an axis for each dimension, and the seed.

        It holds the metrics and the curves, `status`, `steps` and `seconds`; NaN, or
        empty, where there is no trial. Families that lack a dimension have the
        coordinate NaN, or an empty one, there.

        Raises:
            ImportError: If xarray is missing.
            ValueError: If a dimension is a range, which has no places on an axis.
        """
        return export.to_xarray(self)

    def to_optuna(self, storage: Any = None, *, name: str = "jaxsched") -> Any:
        """Returns an `optuna.Study` with a trial for each row of `table`.

        What diverged or failed is a failed trial there. The rest of a row, the seed
        among it, is in the attributes of the trial.

        Args:
            storage: Where to write it, such as `"sqlite:///study.db"`, for
                optuna-dashboard to show; in memory unless given.
            name: What to call it; there must be no such study yet.

        Raises:
            ImportError: If Optuna is missing.
        """
        return export.to_optuna(self, storage, name)
