"""The store on PostgreSQL, for many machines: a study of Optuna, with its dashboard.

It follows the protocol in `stores.base`, by other means. The lock of a claim or a
decision is an advisory lock of the server, and a lease is a heartbeat of Optuna.

Optuna does not run a trial again: it fails the trial of a dead worker, and another one
takes its place. So one of our trials is all of Optuna's with its `id`, of which one
counts: a finished one before a running, a running before a waiting one, among those of
the last `retry`.
"""

import base64
import contextlib
import copy
import dataclasses
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...imports import extra
from ..objective import Objective
from ..spaces.space import NamedDimension
from ..stores.base import Judge, Propose, Wanted, anything, checked
from ..stores.leases import Heartbeat
from ..stores.packing import as_json, from_json, pack_metrics, unpack_metrics
from ..trial import FINISHED, Status, Trial, Values
from .params import Names, quiet
from .server import TROUBLE, Away, Server


with extra("postgres"):
    import optuna
    from optuna import create_trial
    from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
    from optuna.storages import (
        RDBStorage,
        RetryHeartbeatStaleTrialCallback,
        fail_stale_trials,
    )
    from optuna.trial import FrozenTrial, TrialState


STATES = {
    Status.WAITING: TrialState.WAITING,
    Status.RUNNING: TrialState.RUNNING,
    # Optuna has no pauses: a paused trial waits, and an attribute keeps it from others.
    Status.PAUSED: TrialState.WAITING,
    Status.COMPLETE: TrialState.COMPLETE,
    # Optuna needs a value to complete a trial; a pruned one keeps samplers away.
    Status.DIVERGED: TrialState.PRUNED,
    Status.PRUNED: TrialState.PRUNED,
    Status.FAILED: TrialState.FAIL,
}
"""The states of Optuna."""

SPARE = {"status": "spare"}
"""The result of a trial of Optuna that was made twice, and is not needed."""


@dataclasses.dataclass
class _Held:
    """A trial that this process runs.

    Attributes:
        key: Its key in the storage of Optuna.
        pauses: How many times it was paused.
        history: All that was recorded of it.
        written: Its attributes, as they were written.
    """

    key: int
    pauses: int
    history: dict[int, Values]
    written: dict[str, Any]


class OptunaStore:
    """A `Store` in a study of Optuna on PostgreSQL, which its dashboard shows.

    A worker gives a sign of life for all of its trials. Those of a silent one fail, and
    wait again under another number of Optuna's. While the server is away, records wait
    in memory, and all other calls wait for the server.

    Args:
        url: `postgresql://user@host/database`, with a password or without.
        name: The name of the study.
        dimensions: The dimensions of the space, as samplers and dashboards see them.
        objective: The metric that Optuna sees, and its direction.
        lease: The seconds for which a worker without a sign of life keeps its trials.
        retries: How many times a trial whose worker died is started again.
        patience: The seconds to wait for the server if it goes away.
        new: Whether the study may be created.

    Raises:
        ValueError: If `url` is none of PostgreSQL, or the study has another direction.
        FileNotFoundError: If there is no such study, and it may not be created.
        StoreError: If the server cannot be reached, or refuses.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        dimensions: Sequence[NamedDimension] = (),
        objective: Objective | None = None,
        lease: float = 60.0,
        retries: int = 10,
        patience: float = 600.0,
        new: bool = True,
    ) -> None:
        self._server = Server(url, patience=patience)
        self._name = name
        self._dimensions = dimensions
        self._metric = objective.metric if objective else ""
        self._lease = lease
        self._retries = retries
        self._held: dict[int, _Held] = {}
        self._unwritten: list[Trial] = []
        with contextlib.ExitStack() as opened:
            opened.callback(self._server.close)
            self._storage, self._retry = self._server.persist(self._begin)
            opened.callback(self._storage.engine.dispose)
            self._study = self._server.persist(
                lambda: _study(self._storage, name, objective, new)
            )
            self._opened = opened.pop_all()
        self._heartbeat = _heartbeat(self, self._storage, self._held, lease / 4)

    def __repr__(self) -> str:
        return f"OptunaStore({self._name!r} on {self._server!r})"

    @property
    def pauses(self) -> bool:
        return True

    def fingerprint(self) -> Mapping[str, Any]:
        return self._attribute("fingerprint")

    def identify(self, fingerprint: Mapping[str, Any], force: bool = False) -> None:
        def compare() -> None:
            with self._server.lock(self._name):
                known = self._study.user_attrs.get("fingerprint")
                stated = checked(known, fingerprint, repr(self), force)
                self._study.set_user_attr("fingerprint", stated)

        self._server.persist(compare)

    def describe(self, description: Mapping[str, Any]) -> None:
        self._server.persist(
            lambda: self._study.set_user_attr("description", description)
        )

    def description(self) -> Mapping[str, Any]:
        return self._attribute("description")

    def add(self, trials: Iterable[Trial]) -> None:
        given = list(trials)
        self.extend(lambda _: given)

    def extend(self, propose: Propose) -> None:
        # What was proposed is kept: if the server goes away in the middle, the rest is
        # added when it is back, and a sampler is not asked for the same again.
        proposed: list[Trial] = []

        def add_missing() -> None:
            with self._server.lock(f"{self._name}: add") as check:
                frozen = self._study.get_trials(deepcopy=False)
                groups = grouped(frozen)
                known = {n: d for one in frozen for n, d in one.distributions.items()}
                names = Names(self._dimensions, known)
                numbers = {
                    id_: counting(group).user_attrs["number"]
                    for id_, group in groups.items()
                }
                if not proposed:
                    board = [self._trial(group) for group in groups.values()]
                    proposed.extend(propose(sorted(board, key=lambda t: t.number)))
                for trial in proposed:
                    if trial.id not in numbers:
                        check()
                        number, taken = trial.number, numbers.values()
                        number = max(taken) + 1 if number in taken else number
                        self._study.add_trial(template(number, trial, names))
                        numbers[trial.id] = number

        self._server.persist(add_missing)

    def claim(self, count: int, wanted: Wanted = anything) -> list[Trial]:
        self._flush()
        claimed: list[Trial] = []

        def claim_more() -> None:
            with self._server.lock(self._name):
                board = self._mended()
                for trial, one in sorted(board, key=_order):
                    if len(claimed) >= count:
                        break
                    waits = trial.status == Status.WAITING and wanted(trial.id)
                    if waits and self._start(trial, one):
                        claimed.append(
                            dataclasses.replace(
                                trial,
                                status=Status.RUNNING,
                                attempt=trial.attempt + 1,
                            )
                        )

        self._server.persist(claim_more)
        return claimed

    def record(self, trials: Sequence[Trial]) -> list[int]:
        self._unwritten += trials
        lost = self._server.attempt(self._write)
        return [] if isinstance(lost, Away) else lost

    def decide(self, judge: Judge) -> Mapping[int, Status]:
        self._flush()
        decided: dict[int, Status] = {}

        def look_and_change() -> None:
            with self._server.lock(self._name):
                board = self._mended()
                trials = {trial.number: (trial, one) for trial, one in board}
                for number, status in judge([trial for trial, _ in board]).items():
                    trial, one = trials[number]
                    if trial.status in FINISHED or trial.status == status:
                        continue
                    if status == Status.RUNNING:
                        raise ValueError(
                            f"Trial {number} cannot be set running: claim it."
                        )
                    if status in FINISHED:
                        self._end(one, {"status": status}, STATES[status])
                    else:
                        self._wait(one._trial_id, status, _pauses(one))
                    self._held.pop(number, None)
                    decided[number] = status

        self._server.persist(look_and_change)
        return decided

    def retry(self, wanted: Wanted = anything) -> int:
        self._flush()
        retried: list[str] = []

        def add_again() -> None:
            with self._server.lock(f"{self._name}: add"):
                frozen = self._study.get_trials(deepcopy=False)
                for id_, group in grouped(frozen).items():
                    one = counting(group)
                    failed = self._trial(group).status == Status.FAILED
                    if failed and wanted(id_) and id_ not in retried:
                        self._study.add_trial(again(one))
                        retried.append(id_)

        self._server.persist(add_again)
        return len(retried)

    def trials(self, *, metrics: bool = True) -> list[Trial]:
        self._flush()
        frozen = self._server.persist(lambda: self._study.get_trials(deepcopy=False))
        return sorted(
            (self._trial(group, metrics=metrics) for group in grouped(frozen).values()),
            key=lambda trial: trial.number,
        )

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._heartbeat.stop()
            # If it cannot be written now, others will miss the signs of life.
            with contextlib.suppress(*TROUBLE):
                for held in self._held.values():
                    with contextlib.suppress(UpdateFinishedTrialError):
                        self._storage.set_trial_state_values(
                            held.key, TrialState.WAITING
                        )
            self._held.clear()
            self._opened.close()

    def _attribute(self, name: str) -> Mapping[str, Any]:
        return dict(self._server.persist(lambda: self._study.user_attrs).get(name, {}))

    def _begin(self) -> tuple[RDBStorage, RetryHeartbeatStaleTrialCallback]:
        # Without the lock, the first workers would all create the tables.
        with self._server.lock("jaxsched"), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            storage = RDBStorage(
                self._server.address,
                dict(self._server.options),
                heartbeat_interval=max(1, round(self._lease / 4)),
                grace_period=self._lease,  # type: ignore[arg-type]
            )
            return storage, RetryHeartbeatStaleTrialCallback()

    def _mended(self) -> list[tuple[Trial, FrozenTrial]]:
        """Makes trials of dead workers wait again; returns all, and which counts."""
        for held in self._held.values():
            self._storage.record_heartbeat(held.key)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            fail_stale_trials(self._study)
        groups = grouped(self._study.get_trials(deepcopy=False)).values()
        for group in groups:
            one = counting(group)
            # Optuna's own callback would not do: a worker may die before it is called.
            if is_given_up(one) and self._trial(group).status == Status.WAITING:
                self._retry(self._study, copy.deepcopy(group[-1]))
            for other in group:
                if other.state == TrialState.WAITING and other is not one:
                    self._end(other, SPARE, TrialState.FAIL)
        groups = grouped(self._study.get_trials(deepcopy=False)).values()
        return [(self._trial(group), counting(group)) for group in groups]

    def _start(self, trial: Trial, one: FrozenTrial) -> bool:
        # In this order, since Optuna never misses a trial without a sign of life.
        self._storage.record_heartbeat(one._trial_id)
        try:
            started = self._storage.set_trial_state_values(
                one._trial_id, TrialState.RUNNING
            )
        except UpdateFinishedTrialError:
            return False
        if started:
            self._held[trial.number] = _Held(
                one._trial_id, _pauses(one), dict(trial.history), {}
            )
        return started

    def _wait(self, key: int, status: Status, pauses: int) -> None:
        """Makes a trial wait for anybody, or for a pruner if it is paused."""
        # The number of pauses, negative when the last one is over. It comes first, so
        # that nobody claims a paused trial in between.
        paused = pauses + 1 if status == Status.PAUSED else -pauses
        self._storage.set_trial_user_attr(key, "paused", paused)
        self._storage.set_trial_state_values(key, TrialState.WAITING)

    def _end(
        self, one: FrozenTrial, result: Mapping[str, str], state: TrialState
    ) -> None:
        self._storage.set_trial_user_attr(one._trial_id, "result", result)
        self._storage.set_trial_state_values(one._trial_id, state)

    def _flush(self) -> None:
        if self._unwritten:
            self._server.persist(self._write)

    def _write(self) -> list[int]:
        """Writes what is not yet written; returns the numbers of lost trials."""
        lost = []
        with self._server.lock(self._name, shared=True):
            while self._unwritten:
                trial = self._unwritten[0]
                held = self._held.get(trial.number)
                is_lost = held is None or not self._is_written(trial, held)
                if is_lost:
                    lost.append(trial.number)
                if is_lost or trial.status != Status.RUNNING:
                    self._held.pop(trial.number, None)
                del self._unwritten[0]
        return lost

    def _is_written(self, trial: Trial, held: _Held) -> bool:
        """Writes a trial, unless it was given up or is finished."""
        held.history.update(trial.history)
        try:
            for steps, values in trial.history.items():
                if self._metric in values:
                    self._storage.set_trial_intermediate_value(
                        held.key, steps, float(values[self._metric])
                    )
            for name, value in attributes_of(trial, held.history).items():
                if held.written.get(name) != value:
                    self._storage.set_trial_user_attr(held.key, name, value)
                    held.written[name] = value
            if trial.status in (Status.PAUSED, Status.WAITING):
                self._wait(held.key, trial.status, held.pauses)
            elif trial.status != Status.RUNNING:
                self._storage.set_trial_state_values(
                    held.key, STATES[trial.status], self._objective(trial)
                )
        except UpdateFinishedTrialError:
            return False
        return True

    def _objective(self, trial: Trial) -> list[float] | None:
        value = np.asarray(trial.metrics.get(self._metric, np.nan))
        if trial.status != Status.COMPLETE or value.ndim or np.isnan(value):
            return None
        return [float(value)]

    def _trial(self, group: Sequence[FrozenTrial], *, metrics: bool = False) -> Trial:
        return trial_of(group, retries=self._retries, metrics=metrics)


def _study(
    storage: RDBStorage, name: str, objective: Objective | None, new: bool
) -> optuna.Study:
    most = objective is not None and objective.mode == "max"
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        if not new:
            raise FileNotFoundError(f"There is no study {name!r}.") from None
        with quiet():
            return optuna.create_study(
                study_name=name,
                storage=storage,
                direction="maximize" if most else "minimize",
                load_if_exists=True,
            )
    trials = study.get_trials(deepcopy=False)
    if new and trials and not grouped(trials):
        raise ValueError(
            f"There is a study {name!r} in this database that is no search of "
            f"jaxsched: choose another name."
        )
    return study


def _heartbeat(
    store: OptunaStore, storage: RDBStorage, held: Mapping[int, _Held], seconds: float
) -> Heartbeat:
    def beat() -> None:
        # While the server is away, the next beat tries again.
        with contextlib.suppress(*TROUBLE):
            for one in tuple(held.values()):
                storage.record_heartbeat(one.key)

    return Heartbeat(store, beat, seconds)


def _order(row: tuple[Trial, FrozenTrial]) -> tuple[int, int]:
    trial, _ = row
    return -trial.steps, trial.number


def grouped(frozen: Iterable[FrozenTrial]) -> dict[str, list[FrozenTrial]]:
    """Groups those that stand for one trial by its id; leaves out foreign ones.

    After a retry, only what came after it stands for a trial.
    """
    groups: dict[str, list[FrozenTrial]] = {}
    for one in frozen:
        if "id" in one.user_attrs and one.user_attrs.get("result") != SPARE:
            groups.setdefault(one.user_attrs["id"], []).append(one)
    for id_, group in groups.items():
        last = max(map(_retry, group))
        groups[id_] = [one for one in group if _retry(one) == last]
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
    """Tells whether it failed since its worker gave no sign of life."""
    return one.state == TrialState.FAIL and "result" not in one.user_attrs


def trial_of(group: Sequence[FrozenTrial], *, retries: int, metrics: bool) -> Trial:
    """Makes a trial of those that stand for it, with its metrics or without."""
    one = counting(group)
    attributes = one.user_attrs
    history = {
        int(steps): from_json(values)
        for steps, values in attributes.get("history", {}).items()
    }
    given_up = sum(map(is_given_up, group))
    begun = given_up + _pauses(one)
    trial = Trial(
        number=attributes["number"],
        id=attributes["id"],
        params=attributes["params"],
        seed=attributes["seed"],
        family=attributes["family"],
        code=attributes["code"],
        config=attributes["config"],
        steps=max(history, default=0),
        attempt=begun,
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
            attempt=begun + 1,
            metrics=_metrics(attributes) if metrics else {},
            seconds=result.get("seconds", 0.0),
            error=result.get("error", ""),
        )
    if one.state == TrialState.RUNNING:
        return dataclasses.replace(trial, status=Status.RUNNING, attempt=begun + 1)
    if is_given_up(one) and given_up > retries:
        error = f"It was started {given_up} times, and each time its process died."
        return dataclasses.replace(trial, status=Status.FAILED, error=error)
    if attributes.get("paused", 0) > 0:
        return dataclasses.replace(trial, status=Status.PAUSED)
    return trial


def template(number: int, trial: Trial, names: Names) -> FrozenTrial:
    """Makes the trial of Optuna that waits in place of ours."""
    params, distributions = names.params(trial.params)
    return create_trial(
        state=TrialState.WAITING,
        params=params,
        distributions=distributions,
        user_attrs={
            "number": number,
            "id": trial.id,
            "params": dict(trial.params),
            "seed": trial.seed,
            "family": trial.family,
            "code": trial.code,
            "config": trial.config,
        },
    )


def again(one: FrozenTrial) -> FrozenTrial:
    """Makes the trial of Optuna that waits after a failed one."""
    kept = ("number", "id", "params", "seed", "family", "code", "config")
    attributes = {name: one.user_attrs[name] for name in kept}
    return create_trial(
        state=TrialState.WAITING,
        params=one.params,
        distributions=one.distributions,
        user_attrs=attributes | {"retry": _retry(one) + 1},
    )


def attributes_of(trial: Trial, history: Mapping[int, Values]) -> dict[str, Any]:
    """Returns what is written about a trial besides its state."""
    attributes: dict[str, Any] = {
        "host": trial.host,
        "device": trial.device,
        "history": {str(steps): as_json(values) for steps, values in history.items()},
    }
    if trial.status in FINISHED or trial.metrics:
        packed = base64.b64encode(pack_metrics(trial.metrics)).decode("ascii")
        attributes["metrics"] = packed
    if trial.status in FINISHED:
        attributes |= {
            # Written last, since it says that the others are complete.
            "result": {
                "status": trial.status,
                "steps": trial.steps,
                "seconds": trial.seconds,
                "error": trial.error,
            },
        }
    return attributes


def _pauses(one: FrozenTrial) -> int:
    return abs(int(one.user_attrs.get("paused", 0)))


def _retry(one: FrozenTrial) -> int:
    return int(one.user_attrs.get("retry", 0))


def _metrics(attributes: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if "metrics" not in attributes:
        return {}
    return unpack_metrics(base64.b64decode(attributes["metrics"]), attributes["number"])
