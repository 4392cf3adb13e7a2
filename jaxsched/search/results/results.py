"""Results: the trials of a search as tables, and its candidates ranked."""

import dataclasses
import functools
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import named
from ...schedule import Schedule
from ..objective import Mode, Objective
from ..spaces.candidate import Candidate, from_data
from ..spaces.space import NamedDimension, Space
from ..stores.checkpoints import Trees
from ..trial import Status, Trial
from . import export
from .ranking import OUTCOMES, Ranked, front, ranked
from .report import as_html, report, short
from .statistics import least_difference
from .table import (
    CIRCUMSTANCES,
    RANKED,
    RESERVED,
    TRIAL,
    Columns,
    column,
    own_name,
    param_columns,
    stacked,
)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Results:
    """The results of a search, as tables: one row per trial, or one per candidate.

    Args:
        trials: All trials, finished or not.
        objective: The metric to rank by, and its direction.
        dimensions: The dimensions of the space; some columns and exports need them.
        space: The space, for configs that could not be written down as data.
        trees: The metrics that are trees of arrays.

    Raises:
        ValueError: If there is no such metric, or it is no scalar.

    Example:
        >>> import jax
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> train = lambda schedule, key: {"validation": schedule(3)}
        >>> space = js.linear(search.choice([0.1, 0.2]), 0.0, steps=50)
        >>> results = search.run(train, space, key=0, seeds=1)
        >>> results.ranking["start"]
        array([0.1, 0.2])
        >>> results.best_schedule()
        Ramp(start=0.1, end=0.0, steps=50.0, curve=curves.Linear())
    """

    trials: tuple[Trial, ...]
    objective: Objective = dataclasses.field(default_factory=Objective)
    dimensions: tuple[NamedDimension, ...] = ()
    space: Space | None = None
    trees: Trees = dataclasses.field(default_factory=lambda: Trees(None))

    def __post_init__(self) -> None:
        metric = self.objective.metric
        measured = {name: trial for trial in self.trials for name in trial.metrics}
        if measured:
            named("metric", metric, measured)
        if any(np.ndim(trial.metrics.get(metric, 0.0)) for trial in self.trials):
            raise ValueError(f"The metric {metric!r} is not a scalar.")
        trials = sorted(map(self._judged, self.trials), key=lambda trial: trial.number)
        object.__setattr__(self, "trials", tuple(trials))

    def __repr__(self) -> str:
        return short(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def metric(self) -> str:
        """The name of the metric that ranks."""
        return self.objective.metric

    @property
    def mode(self) -> Mode:
        """Whether less of the metric is better, "min", or more, "max"."""
        assert self.objective.mode is not None
        return self.objective.mode

    # One row per trial.

    @functools.cached_property
    def table(self) -> dict[str, np.ndarray]:
        """One row per trial, as columns.

        They are `trial` (its number), `id`, `family`, the params, `seed`, `status`,
        `steps`, the scalar metrics, `seconds`, `host`, `device`, `attempt` and `code`.
        A missing value is NaN, or empty. A param with the name of another column
        becomes `space.steps`, say, and a metric `metric.steps`.
        """
        taken = RESERVED.union(self.params)
        metrics = {
            own_name("metric", name, taken): values
            for name, values in self.metrics.items()
            if values.ndim == 1
        }
        columns = {name: column(TRIAL, name, self.trials) for name in TRIAL}
        table: dict[str, np.ndarray] = {}
        for name, values in columns.items():
            table[name] = values
            if name == "family":
                table |= self._params_but_family()
            if name == "steps":
                table |= metrics
        return table

    @property
    def reproducible(self) -> dict[str, np.ndarray]:
        """The columns of `table` that are the same, to the bit, in every run."""
        columns = self.table.items()
        return {name: column for name, column in columns if name not in CIRCUMSTANCES}

    @functools.cached_property
    def params(self) -> dict[str, np.ndarray]:
        """A column of each param of the trials, but the seed."""
        names = [dimension.name for dimension in self.dimensions]
        columns = param_columns([trial.params for trial in self.trials], names)
        # The names of families are in the column `family` anyway.
        families = columns.get("family", np.array(0)).dtype.kind == "U"
        taken = RESERVED - {"family"} if families else RESERVED
        return {
            own_name("space", name, taken): values for name, values in columns.items()
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
        """The numbers of steps at which some trial has a point of a curve."""
        return np.array(sorted({step for t in self.trials for step in t.history}), int)

    @functools.cached_property
    def curves(self) -> dict[str, np.ndarray]:
        """The reported numbers, of shape `[trials, points]`; NaN where one has none."""
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
        """The number of steps of the longest training."""
        return max((trial.steps for trial in self.trials), default=0)

    # One row per candidate.

    @functools.cached_property
    def ranking(self) -> dict[str, np.ndarray]:
        """One row per candidate, the best first, as columns.

        They are `rank`, `family`, the params, `mean` and `spread` (the standard
        deviation) of the metric over the seeds, `low` and `high` (the 95 % interval of
        the mean), `seeds` (how many are complete), `steps` (the mean over the seeds),
        `status`, `tied` and `code`. With a probability of 95 % the truly best candidate
        is among the tied ones.

        The status of a candidate is the worst of its seeds: complete, unfinished,
        pruned, diverged or failed, and they are ranked in this order.
        """
        rows = {trial.number: row for row, trial in enumerate(self.trials)}
        first = [rows[one.trials[0].number] for one in self.ranked]
        columns = {name: column(RANKED, name, self.ranked) for name in RANKED}
        worse = self.objective.sign * (columns["mean"] - columns["mean"][:1])
        complete = columns["status"] == OUTCOMES[0]
        family, code = columns.pop("family"), columns.pop("code")
        params = {name: values[first] for name, values in self.params.items()}
        return {
            "rank": np.arange(1, len(first) + 1),
            "family": family,
            **{name: values for name, values in params.items() if name != "family"},
            **columns,
            "tied": complete & (worse <= self.noise),
            "code": code,
        }

    @functools.cached_property
    def ranked(self) -> tuple[Ranked, ...]:
        """The trials of each row of `ranking`."""
        return ranked(self.trials, self.objective)

    @functools.cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidate of each row of `ranking`: the best first."""
        return tuple(self.candidate(one.trials[0]) for one in self.ranked)

    def candidate(self, trial: Trial) -> Candidate:
        """Returns the candidate of a trial; its `config` is the argument of the task.

        A config of schedules of this package, numbers and arrays is kept as data. One
        that is not is made again by the space, if that is known.
        """
        return Candidate(
            trial.family,
            trial.params,
            trial.code,
            functools.partial(self._config, trial),
            functools.partial(self._load, trial.candidate),
        )

    def _load(self, candidate: Any, seed: int | None) -> dict[str, Any]:
        for trial in self.trials:
            is_one = trial.candidate == candidate and seed in (None, trial.seed)
            if is_one and (found := self.trees.load(trial.id)):
                return found
        raise ValueError(
            "No trees of arrays were kept of it: `evaluate` must return some."
        )

    @property
    def seeds(self) -> np.ndarray:
        """The seeds, in order."""
        return np.array(sorted({trial.seed for trial in self.trials}), int)

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """The metric, of shape `[candidates, seeds]`, the best first.

        NaN for a trial that is not complete.
        """
        return self._scores_of(self.metric)

    @functools.cached_property
    def noise(self) -> float:
        """How much worse than the best mean the truly best candidate may be, by chance.

        It is estimated from the candidates that are complete with every seed.
        """
        complete = np.isfinite(self.scores).all(axis=1)
        return least_difference(self.objective.sign * self.scores[complete])

    def counts(self) -> dict[str, int]:
        """Returns how many candidates have each status, from the best to the worst."""
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
        shown = ", ".join(f"{count} {status}" for status, count in counts.items())
        raise ValueError(
            f"No candidate is complete ({shown or 'there is none'}): "
            "there is no best one."
        )

    def best_schedule(self) -> Schedule:
        """Returns the schedule of the best candidate, ready for an optimizer.

        Raises:
            ValueError: If no candidate is complete, or it holds no schedule.
        """
        return self.best().schedule

    def recommended(self) -> int:
        """Returns the row of the simplest candidate among those tied with the best.

        The simplest has the shortest expression without its numbers, and among equals
        the best mean.

        Raises:
            ValueError: If no candidate is complete.
        """
        self.best()
        tied = np.flatnonzero(self.ranking["tied"]).tolist() or [0]
        if len(self.seeds) < 2:
            tied = [0]
        return min(tied, key=lambda row: (_complexity(self.candidates[row]), row))

    def edges(self, row: int = 0) -> dict[str, str]:
        """Returns which params of a candidate are at the edge of their dimension.

        Args:
            row: Its row in `ranking`; the best unless given.

        Returns:
            "low" or "high", by the name of the param: a better value may lie beyond.
        """
        params = self.ranked[row].trials[0].params
        found = {
            one.name: one.dimension.edge(params[one.name])
            for one in self.dimensions
            if one.applies(params)
        }
        return {name: edge for name, edge in found.items() if edge}

    def best_of_each(self) -> list[int]:
        """Returns the row of `ranking` in which each family first appears, in order."""
        _, rows = np.unique(self.ranking["family"], return_index=True)
        return sorted(rows.tolist())

    def top(self, count: int) -> tuple[Candidate, ...]:
        """Returns the best candidates, as many as are complete and no more."""
        return self.candidates[: min(count, self.counts().get(OUTCOMES[0], 0))]

    # By other metrics.

    def rank_by(self, metric: str, mode: Mode | None = None) -> "Results":
        """Returns the same results, ranked by another metric.

        Args:
            metric: Its name.
            mode: "min" or "max"; unless given, the name tells.

        Raises:
            ValueError: If there is no such metric, or its name does not tell the mode.
        """
        return dataclasses.replace(self, objective=Objective(metric, mode))

    def pareto(self, metrics: Mapping[str, Mode] | Sequence[str]) -> Columns:
        """Returns the candidates that no other one beats in all of several metrics.

        Args:
            metrics: The names of scalar metrics, with their modes or without.

        Returns:
            A table of `family`, the params, the mean of each metric and `code`, with a
            row for each candidate on the front, sorted by the first metric.

        Raises:
            ValueError: If there is no such metric, or its name does not tell the mode.
        """
        modes = metrics if isinstance(metrics, Mapping) else dict.fromkeys(metrics)
        objectives = [Objective(name, mode) for name, mode in modes.items()]
        for objective in objectives:
            named("metric", objective.metric, self.metrics)
        complete = np.flatnonzero(self.ranking["status"] == OUTCOMES[0])
        means = {
            o.metric: self._scores_of(o.metric)[complete].mean(axis=1)
            for o in objectives
        }
        costs = np.stack([o.sign * means[o.metric] for o in objectives], axis=1)
        on_front = np.flatnonzero(front(costs))
        rows = on_front[np.argsort(costs[on_front, 0], kind="stable")]
        known = {"rank", "tied", *RANKED} - {"family", "code"}
        table = {
            n: c[complete[rows]] for n, c in self.ranking.items() if n not in known
        }
        code = table.pop("code")
        return {**table, **{n: c[rows] for n, c in means.items()}, "code": code}

    # To look at, and as other libraries have it.

    def report(self, *, measure: str = "", rows: int = 10) -> str:
        """Says which schedule to train with; see `search.report`."""
        return report(self, measure=measure, rows=rows)

    def plot(self, **options: Any) -> Any:
        """Draws all candidates; see `plotting.plot_results`.

        Raises:
            ImportError: If matplotlib is missing.
            ValueError: If no candidate is complete.
        """
        from ...plotting import plot_results  # noqa: PLC0415

        return plot_results(self, **options)

    def save(self, path: str | os.PathLike[str], *, ranking: bool = False) -> None:
        """Writes `table`, or else `ranking`, in the format that the ending says.

        Args:
            path: A file that ends in .csv, .parquet, .json, .xlsx, .md or .html.
            ranking: Whether to write the ranking.

        Raises:
            ValueError: If the ending is none of these.
            ImportError: If a library for it is missing.
        """
        export.save(self.ranking if ranking else self.table, Path(path))

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

        A diverged or failed trial is a failed one there. The rest of a row, with the
        seed, is in the attributes of the trial.

        Args:
            storage: Where to write it, such as `"sqlite:///study.db"`, for
                optuna-dashboard to show; in memory unless given.
            name: The name of a new study.

        Raises:
            ImportError: If Optuna is missing.
        """
        from ..optuna.study import study_of  # noqa: PLC0415

        return study_of(self, storage, name)

    def _judged(self, trial: Trial) -> Trial:
        """Returns a trial as diverged if its metric is not finite at the end."""
        finite = math.isfinite(self.objective.final(trial))
        if trial.status is Status.COMPLETE and not finite:
            return dataclasses.replace(trial, status=Status.DIVERGED)
        return trial

    def _params_but_family(self) -> dict[str, np.ndarray]:
        return {name: c for name, c in self.params.items() if name != "family"}

    def _scores_of(self, metric: str) -> np.ndarray:
        places = {seed: place for place, seed in enumerate(self.seeds.tolist())}
        scores = np.full((len(self.ranked), len(places)), np.nan)
        for row, one in enumerate(self.ranked):
            for trial in one.trials:
                if trial.status is Status.COMPLETE:
                    value = trial.metrics.get(metric, np.nan)
                    scores[row, places[trial.seed]] = float(value)
        return scores

    def _config(self, trial: Trial) -> Any:
        if trial.config is not None:
            return from_data(trial.config)
        if self.space is not None:
            return self.space.redraw(trial.params, trial.seed).config
        raise ValueError(
            f"The config of trial {trial.number} holds objects of your own, which were "
            f"not written down: {trial.code}. Load the results with the space, to make "
            "it again: search.load(out, space)."
        )


def _complexity(candidate: Candidate) -> int:
    """Counts the names in the expression of a candidate."""
    words = "".join(c if c.isalpha() or c == "_" else " " for c in candidate.code)
    return len(words.split())
