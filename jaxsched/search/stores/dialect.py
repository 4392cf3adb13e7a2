"""Dialect: trials as Optuna writes them, for its dashboard and samplers to read.

Optuna does not run a trial again: if one is given up, another is made in its place.
So a trial of ours is all of Optuna's with its digest, of which one counts.
"""

import base64
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...imports import extra
from ..spaces.dimensions import Choice, Dimension, Range
from ..spaces.space import Space
from ..trials import FINISHED, Status, Trial, Values
from .packing import as_json, from_json, pack_metrics, unpack_metrics


with extra("postgres"):
    from optuna import create_trial
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
    )
    from optuna.trial import FrozenTrial, TrialState


STATES = {
    Status.WAITING: TrialState.WAITING,
    Status.RUNNING: TrialState.RUNNING,
    Status.COMPLETE: TrialState.COMPLETE,
    # With no value Optuna lets no trial be complete, and a sampler shall keep away.
    Status.DIVERGED: TrialState.PRUNED,
    Status.PRUNED: TrialState.PRUNED,
    Status.FAILED: TrialState.FAIL,
}
"""What Optuna has for each status; it cannot pause a trial."""

SPARE = {"status": "spare"}
"""The result of what was made twice, and is not needed."""


class Parameters:
    """Names and distributions for the dimensions of a space.

    In Optuna a name stands for one distribution. Dimensions of one name that differ,
    since they are those of different families, are told apart by a number.

    Args:
        space: The space.
        known: The distributions that have a name already.
    """

    def __init__(self, space: Space, known: Mapping[str, BaseDistribution]) -> None:
        self._space = space
        self._names: dict[Dimension, str] = {}
        self._distributions = dict(known)
        for dimension, name in space.names.items():
            self._names[dimension] = self._name(name, _distribution(dimension))

    def template(self, number: int, trial: Trial) -> FrozenTrial:
        """Makes what waits in Optuna for a trial."""
        params: dict[str, Any] = {}

        def suggest(name: str, dimension: Dimension) -> Any:
            params[self._names[dimension]] = trial.labels[name]
            return dimension.coordinate(trial.labels[name])

        self._space.draw(suggest)
        return create_trial(
            state=TrialState.WAITING,
            params=params,
            distributions={name: self._distributions[name] for name in params},
            user_attrs={
                "number": number,
                "digest": trial.digest,
                "labels": dict(trial.labels),
                "seed": trial.seed,
            },
        )

    def _name(self, name: str, distribution: BaseDistribution) -> str:
        count, numbered = 1, name
        while self._distributions.setdefault(numbered, distribution) != distribution:
            count += 1
            numbered = f"{name} {count}"
        return numbered


def grouped(frozen: Iterable[FrozenTrial]) -> dict[str, list[FrozenTrial]]:
    """Groups those that stand for the same trial by its digest; leaves out others."""
    groups: dict[str, list[FrozenTrial]] = {}
    for one in frozen:
        if "digest" in one.user_attrs and one.user_attrs.get("result") != SPARE:
            groups.setdefault(one.user_attrs["digest"], []).append(one)
    return groups


def counting(group: Sequence[FrozenTrial]) -> FrozenTrial:
    """Returns the one that counts: finished before running before waiting."""
    order = (TrialState.RUNNING, TrialState.WAITING, TrialState.FAIL)
    return min(
        group,
        key=lambda one: 0 if is_finished(one) else 1 + order.index(one.state),
    )


def is_finished(one: FrozenTrial) -> bool:
    """Tells whether it came to an end."""
    return one.state.is_finished() and not is_given_up(one)


def is_given_up(one: FrozenTrial) -> bool:
    """Tells whether it failed for want of a sign of life, and for nothing else."""
    return one.state == TrialState.FAIL and "result" not in one.user_attrs


def trial_of(group: Sequence[FrozenTrial], *, retries: int, metrics: bool) -> Trial:
    """Makes a trial, with its metrics or without, of those that stand for it."""
    one = counting(group)
    attributes = one.user_attrs
    history = {
        int(steps): from_json(values)
        for steps, values in attributes.get("history", {}).items()
    }
    given_up = sum(map(is_given_up, group))
    trial = Trial(
        number=attributes["number"],
        digest=attributes["digest"],
        labels=attributes["labels"],
        seed=attributes["seed"],
        steps=max(history, default=0),
        attempt=given_up,
        history=history,
        host=attributes.get("host", ""),
        device=attributes.get("device", ""),
    )
    if is_finished(one):
        result = {"status": one.state.name.lower(), **attributes.get("result", {})}
        return dataclasses.replace(
            trial,
            status=Status(result["status"]),
            steps=result.get("steps", trial.steps),
            attempt=given_up + 1,
            metrics=_metrics(attributes) if metrics else {},
            seconds=result.get("seconds", 0.0),
            error=result.get("error", ""),
        )
    if one.state == TrialState.RUNNING:
        return dataclasses.replace(trial, status=Status.RUNNING, attempt=given_up + 1)
    if is_given_up(one) and given_up > retries:
        error = f"It was begun {given_up} times, and each time its process died."
        return dataclasses.replace(trial, status=Status.FAILED, error=error)
    return trial


def attributes_of(trial: Trial, history: Mapping[int, Values]) -> dict[str, Any]:
    """Makes what is written about a trial besides its state."""
    attributes: dict[str, Any] = {
        "host": trial.host,
        "device": trial.device,
        "history": {str(steps): as_json(values) for steps, values in history.items()},
    }
    if trial.status in FINISHED:
        attributes |= {
            "metrics": base64.b64encode(pack_metrics(trial.metrics)).decode("ascii"),
            # The last one, since it says that the others are there.
            "result": {
                "status": trial.status,
                "steps": trial.steps,
                "seconds": trial.seconds,
                "error": trial.error,
            },
        }
    return attributes


def _metrics(attributes: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if "metrics" not in attributes:
        return {}
    return unpack_metrics(base64.b64decode(attributes["metrics"]), attributes["number"])


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.labels)
    if isinstance(dimension, Range):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    raise TypeError(f"Optuna has no distribution for {dimension!r}.")
