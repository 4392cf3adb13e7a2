"""A study of Optuna that holds the results of a search."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...imports import extra
from ..trial import Status
from .params import Names, quiet


with extra("optuna"):
    import optuna
    from optuna.trial import TrialState


if TYPE_CHECKING:
    from ..results.results import Results

STATES: Mapping[Status, str] = {
    Status.WAITING: "WAITING",
    Status.RUNNING: "RUNNING",
    Status.PAUSED: "RUNNING",
    Status.COMPLETE: "COMPLETE",
    Status.PRUNED: "PRUNED",
    Status.DIVERGED: "FAIL",
    Status.FAILED: "FAIL",
}
"""The states of Optuna."""


def study_of(results: "Results", storage: Any, name: str) -> Any:
    """Returns an `optuna.Study` with a trial for each trial."""
    names, objective = Names(results.dimensions), results.objective
    with quiet():
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="minimize" if objective.mode == "min" else "maximize",
        )
        for row, trial in enumerate(results.trials):
            complete = trial.status is Status.COMPLETE
            params, distributions = names.params(trial.params)
            study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState[STATES[trial.status]],
                    value=objective.final(trial) if complete else None,
                    params=params,
                    distributions=distributions,
                    intermediate_values={
                        step: values[objective.metric]
                        for step, values in trial.history.items()
                        if objective.metric in values
                    },
                    user_attrs=_attributes(results.table, row, params),
                )
            )
    return study


def _attributes(
    columns: Mapping[str, np.ndarray], row: int, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the other values of a row, as far as it has them."""
    values = {name: column[row] for name, column in columns.items()}
    plain = {n: v.item() if hasattr(v, "item") else v for n, v in values.items()}
    return {
        name: value
        for name, value in plain.items()
        if name not in params and value not in ("", None) and value == value  # noqa: PLR0124
    }
