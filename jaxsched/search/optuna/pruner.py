"""The pruners of Optuna, as one that a search can ask."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ...imports import extra
from ..objective import Objective
from ..trial import Status, Trial


class OptunaPruner:
    """Prunes as a pruner of Optuna does, after every segment.

    It may be used for several searches, one after another.

    Args:
        pruner: Such as `optuna.pruners.MedianPruner()`.

    Raises:
        ImportError: If Optuna is missing.
        TypeError: If it is no pruner of Optuna.

    Example:
        >>> import optuna
        >>> from jaxsched import search
        >>> search.OptunaPruner(optuna.pruners.ThresholdPruner(upper=3.0))
        OptunaPruner(ThresholdPruner(lower=-inf, upper=3.0, n_warmup_steps=0,
                                     interval_steps=1))
    """

    def __init__(self, pruner: Any) -> None:
        if not callable(getattr(pruner, "prune", None)):
            raise TypeError(
                f"`pruner` must be one of Optuna, such as "
                f"optuna.pruners.MedianPruner(), got {pruner!r}."
            )
        # Some change their settings by what they see.
        self._pruner = copy.deepcopy(pruner)
        self._study: Any = None
        self._told: dict[str, tuple[Any, set[int]]] = {}

    def __repr__(self) -> str:
        return f"OptunaPruner({_described(self._pruner)})"

    def __copy__(self) -> "OptunaPruner":
        return OptunaPruner(self._pruner)

    @property
    def synchronous(self) -> bool:
        return False

    def rungs(self, steps: int) -> Sequence[int]:
        return range(1, steps)

    def status_at(self, steps: int) -> Status:
        del steps
        return Status.RUNNING

    def decide(
        self, trials: Sequence[Trial], objective: Objective, last: bool
    ) -> Mapping[int, Status]:
        from .params import quiet  # noqa: PLC0415

        del last
        with quiet():
            if self._study is None:
                self._study = self._begun(objective)
            reported = [trial for trial in trials if self._report(trial, objective)]
            return {
                trial.number: Status.PRUNED
                for trial in reported
                if trial.status is Status.RUNNING
                and self._told[trial.id][0].should_prune()
            }

    def _begun(self, objective: Objective) -> Any:
        with extra("optuna"):
            import optuna  # noqa: PLC0415

        return optuna.create_study(
            storage=optuna.storages.InMemoryStorage(),
            pruner=copy.deepcopy(self._pruner),
            direction="minimize" if objective.mode == "min" else "maximize",
        )

    def _report(self, trial: Trial, objective: Objective) -> bool:
        """Tells Optuna the news of a trial, and returns whether there were any."""
        from optuna.trial import TrialState  # noqa: PLC0415

        if not trial.history:
            return False
        if trial.id not in self._told:
            self._told[trial.id] = self._study.ask(), set()
        theirs, told = self._told[trial.id]
        news = {
            step: values[objective.metric]
            for step, values in trial.history.items()
            if step not in told and objective.metric in values
        }
        for step, value in news.items():
            theirs.report(value, step)
        told.update(news)
        if news and trial.status is Status.COMPLETE:
            # Values are in the order of their steps.
            self._study.tell(theirs, list(news.values())[-1])
        elif news and trial.is_finished:
            pruned = trial.status is Status.PRUNED
            state = TrialState.PRUNED if pruned else TrialState.FAIL
            self._study.tell(theirs, state=state)
        return bool(news)


def _described(pruner: Any) -> str:
    """Shows a pruner with its settings, which `repr` does not."""
    settings = []
    for name, value in vars(pruner).items():
        shown = _described(value) if hasattr(value, "prune") else repr(value)
        if " at 0x" not in shown:
            settings.append(f"{name.lstrip('_')}={shown}")
    return f"{type(pruner).__name__}({', '.join(settings)})"
