"""The samplers of Optuna, as one that a search can ask."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...imports import extra
from ..objective import Objective
from ..spaces.candidate import Candidate
from ..spaces.dimensions import Dimension, Label
from ..spaces.space import Space
from ..trial import Trial
from .params import Names, quiet


with extra("optuna"):
    import optuna
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
    from optuna.trial import TrialState


SAMPLERS = {"tpe": "TPESampler", "cmaes": "CmaEsSampler", "gp": "GPSampler"}
"""Samplers of Optuna by short names."""

OWN_GRID = ("GridSampler", "BruteForceSampler")

TRIES = 64
"""After so many proposals that are not new, a sampler has nothing new."""


class OptunaSampler:
    """Asks a sampler of Optuna, in a study of this process.

    The study repeats what all processes have tried: finished candidates with the mean
    of their seeds, and the others as running. A proposal that exists already is told to
    the sampler with its result, and not trained again.

    Args:
        sampler: A short name in `SAMPLERS`, or an object such as
            `optuna.samplers.TPESampler()`. A name is seeded by the key of the search;
            an object as its maker has said, and by chance after a resume.

    Raises:
        ImportError: If Optuna is missing.
        ValueError: If it is one with a grid of its own.
    """

    def __init__(self, sampler: Any) -> None:
        if type(sampler).__name__ in OWN_GRID:
            raise ValueError(
                f"{type(sampler).__name__} walks a grid of its own: take "
                "sampler='grid'."
            )
        self._sampler = sampler
        self._study: Any = None
        self._asked: dict[Any, Any] = {}
        self._told: set[Any] = set()

    def __repr__(self) -> str:
        return f"OptunaSampler({self._sampler!r})"

    def ask(
        self,
        space: Space,
        count: int,
        trials: Sequence[Trial],
        objective: Objective,
        seed: int,
    ) -> list[Candidate]:
        found: list[Candidate] = []
        with quiet():
            if self._study is None:
                self._study = self._begun(trials, objective, seed)
                self._names = Names(space.dimensions)
            self._follow(trials, objective)
            known = {trial.candidate for trial in trials}
            tries = 0
            while len(found) < count and tries < TRIES and len(known) < space.size:
                candidate, theirs = self._proposed(space)
                key = tuple(sorted(candidate.params.items()))
                tries += 1
                if key in known:
                    self._repeat(theirs, key, trials, objective)
                    continue
                self._asked[key] = theirs
                known.add(key)
                found.append(candidate)
                tries = 0
        return found

    def _begun(self, trials: Sequence[Trial], objective: Objective, seed: int) -> Any:
        sampler = self._sampler
        if isinstance(sampler, str):
            options: dict[str, Any] = {"seed": seed}
            if sampler == "tpe":
                # Takes running trials for bad, so that workers keep apart.
                options["constant_liar"] = True
            sampler = getattr(optuna.samplers, SAMPLERS[sampler])(**options)
        elif trials:
            # It would draw what it drew before.
            sampler.reseed_rng()
        return optuna.create_study(
            sampler=sampler,
            storage=optuna.storages.InMemoryStorage(),
            direction="minimize" if objective.mode == "min" else "maximize",
        )

    def _follow(self, trials: Sequence[Trial], objective: Objective) -> None:
        """Tells the study what all processes have tried."""
        for key, group in _candidates(trials).items():
            if key in self._told:
                continue
            if key not in self._asked:
                params, distributions = self._names.params(group[0].params)
                self._study.enqueue_trial(params)
                # Its own way to draw: some samplers remember what they draw.
                self._asked[key] = self._study.ask(distributions)
            if all(trial.is_finished for trial in group):
                self._told.add(key)
                self._tell(self._asked[key], group, objective)

    def _tell(self, theirs: Any, group: Sequence[Trial], objective: Objective) -> None:
        mean = float(np.mean([objective.latest(trial) for trial in group]))
        if np.isfinite(mean):
            self._study.tell(theirs, mean)
        else:
            self._study.tell(theirs, state=TrialState.FAIL)

    def _repeat(
        self, theirs: Any, key: Any, trials: Sequence[Trial], objective: Objective
    ) -> None:
        group = _candidates(trials).get(key, [])
        if group and all(trial.is_finished for trial in group):
            self._tell(theirs, group, objective)
        else:
            self._study.tell(theirs, state=TrialState.FAIL)

    def _proposed(self, space: Space) -> tuple[Candidate, Any]:
        theirs = self._study.ask()

        def suggest(_: str, dimension: Dimension) -> Label:
            name, kind = self._names.of(dimension)
            suggested: Label
            if isinstance(kind, FloatDistribution):
                suggested = theirs.suggest_float(
                    name, kind.low, kind.high, log=kind.log
                )
            elif isinstance(kind, IntDistribution):
                suggested = theirs.suggest_int(
                    name, kind.low, kind.high, step=kind.step, log=kind.log
                )
            else:
                assert isinstance(kind, CategoricalDistribution)
                suggested = theirs.suggest_categorical(name, kind.choices)
            return suggested

        return space.draw(suggest), theirs


def _candidates(trials: Sequence[Trial]) -> dict[Any, list[Trial]]:
    groups: dict[Any, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.candidate, []).append(trial)
    return groups
