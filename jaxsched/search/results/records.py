"""Records: what came of each trial, as arrays with a row for each."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import named
from ..spaces.candidate import Candidate
from ..spaces.space import Space
from ..trials import Trial
from .columns import RESERVED, label_columns, own_name, stacked
from .standing import judged


CIRCUMSTANCES = ("seconds", "host", "device", "attempt")
"""Columns that tell how a trial was run, and not what came of it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """What came of each trial.

    Attributes:
        trials: All of them, finished or not, in the order of their numbers.
        space: What they were drawn from.
        metric: The name of the one that counts.
    """

    trials: tuple[Trial, ...]
    space: Space
    metric: str = "validation"

    def __post_init__(self) -> None:
        measured = {name: trial for trial in self.trials for name in trial.metrics}
        if measured:
            named("metric", self.metric, measured)
        if any(np.ndim(trial.metrics.get(self.metric, 0.0)) for trial in self.trials):
            raise ValueError(f"The metric {self.metric!r} is not a scalar.")
        trials = sorted(self.trials, key=lambda trial: trial.number)
        # Frozen, but for this: what is not finite counts as diverged from here on.
        object.__setattr__(
            self, "trials", tuple(judged(trial, self.metric) for trial in trials)
        )

    @functools.cached_property
    def table(self) -> dict[str, np.ndarray]:
        """One row per trial, as columns.

        They are `trial` (its number), `digest`, `family`, the dimensions of the space,
        `seed`, `status`, `steps`, the metrics that are scalars, `seconds`, `host`,
        `device`, `attempt` and `code`. What a trial does not have is NaN, or empty.
        A dimension that is called as a column is becomes `space.steps`, say, and a
        metric `metric.steps`.
        """
        trials, dimensions = self.trials, self.dimensions
        taken = RESERVED.union(dimensions)
        return {
            "trial": np.array([trial.number for trial in trials], int),
            "digest": np.array([trial.digest for trial in trials], str),
            "family": np.array([drawn.family for drawn in self.drawn], str),
            **but_family(dimensions),
            "seed": np.array([trial.seed for trial in trials], int),
            "status": np.array([str(trial.status) for trial in trials], str),
            "steps": np.array([trial.steps for trial in trials], int),
            **{
                own_name("metric", name, taken): column
                for name, column in self.metrics.items()
                if column.ndim == 1
            },
            "seconds": np.array([trial.seconds for trial in trials], float),
            "host": np.array([trial.host for trial in trials], str),
            "device": np.array([trial.device for trial in trials], str),
            "attempt": np.array([trial.attempt for trial in trials], int),
            "code": np.array([drawn.code for drawn in self.drawn], str),
        }

    @property
    def reproducible(self) -> dict[str, np.ndarray]:
        """The columns of `table` that are the same, to the bit, in every run of it."""
        columns = self.table.items()
        return {name: column for name, column in columns if name not in CIRCUMSTANCES}

    @functools.cached_property
    def dimensions(self) -> dict[str, np.ndarray]:
        """What was drawn for each trial: a column for each dimension but the seed."""
        labels = [drawn.hyperparameters for drawn in self.drawn]
        columns = label_columns(labels, self.space.names.values())
        # The names of families are what the column of that name is there for.
        families = columns.get("family", np.array(0)).dtype.kind == "U"
        taken = RESERVED - {"family"} if families else RESERVED
        return {
            own_name("space", name, taken): column for name, column in columns.items()
        }

    @functools.cached_property
    def metrics(self) -> dict[str, np.ndarray]:
        """Every metric, of shape `[trials, ...]`; NaN for trials that have none.

        One whose shape differs between trials is left out.
        """
        names = dict.fromkeys(
            [self.metric, *(n for t in self.trials for n in t.metrics)]
        )
        stacks = {
            name: stacked([trial.metrics.get(name) for trial in self.trials])
            for name in names
        }
        return {name: stack for name, stack in stacks.items() if stack is not None}

    @functools.cached_property
    def curve_steps(self) -> np.ndarray:
        """After how many steps there is a point of the curves of some trial."""
        return np.array(sorted({step for t in self.trials for step in t.history}), int)

    @functools.cached_property
    def curves(self) -> dict[str, np.ndarray]:
        """What was watched, of shape `[trials, points]`; NaN where there is nothing."""
        places = {step: place for place, step in enumerate(self.curve_steps.tolist())}
        curves: dict[str, np.ndarray] = {}
        for row, trial in enumerate(self.trials):
            for step, values in trial.history.items():
                for name, value in values.items():
                    if name not in curves:
                        curves[name] = np.full((len(self.trials), len(places)), np.nan)
                    curves[name][row, places[step]] = value
        return curves

    @property
    def steps(self) -> int:
        """How many steps the longest training took."""
        return max((trial.steps for trial in self.trials), default=0)

    @functools.cached_property
    def drawn(self) -> tuple[Candidate, ...]:
        """The candidate of each trial."""
        seeded = self.space.seed is not None
        known: dict[Any, Candidate] = {}
        drawn = []
        for trial in self.trials:
            key = (*trial.labels.items(), trial.seed if seeded else None)
            if key not in known:
                known[key] = self.space.redraw(trial.labels, trial.seed)
            drawn.append(known[key])
        return tuple(drawn)


def but_family(dimensions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the others: tables have a column of that name, which says more."""
    return {name: column for name, column in dimensions.items() if name != "family"}
