"""PostgreSQL: the trials of a search in a study of Optuna, for many machines."""

import contextlib
import copy
import dataclasses
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ...imports import extra
from ..spaces.space import Space
from ..trials import FINISHED, Decide, Status, Trial, Values
from .dialect import (
    SPARE,
    STATES,
    Parameters,
    attributes_of,
    counting,
    grouped,
    is_given_up,
    trial_of,
)
from .facts import checked
from .heartbeat import Heartbeat
from .server import TROUBLE, Away, Server


with extra("postgres"):
    import optuna
    from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
    from optuna.storages import (
        RDBStorage,
        RetryHeartbeatStaleTrialCallback,
        fail_stale_trials,
    )
    from optuna.trial import FrozenTrial, TrialState


@dataclasses.dataclass
class _Held:
    """A trial that this process runs.

    Attributes:
        key: What Optuna's storage knows it by.
        history: All that was recorded of it.
        written: Its attributes, as they are there.
    """

    key: int
    history: dict[int, Values]
    written: dict[str, Any]


class OptunaStore:
    """A `Store` in a study of Optuna on PostgreSQL, which its dashboard shows.

    A worker gives a sign of life for all of its trials. Those of one that gives none
    are failed, and wait again under another number of Optuna's. While the server is
    away, what is recorded waits in memory, and whatever else is asked waits for it.

    Args:
        url: `postgresql://user@host/database`, with a password or without.
        name: What to call the study.
        space: What the trials are drawn from.
        metric: The metric that Optuna is to see, if any.
        mode: Whether less of it is better, `"min"`, or more, `"max"`.
        lease: For how many seconds a worker without a sign of life keeps its trials.
        retries: How often a trial whose worker died is begun again; then it has failed.
        patience: For how many seconds to wait if the server goes away.
        new: Whether the study may be made.

    Raises:
        ValueError: If `url` is none of PostgreSQL.
        FileNotFoundError: If there is no such study, and it may not be made.
        StoreError: If the server cannot be reached, or refuses.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        space: Space,
        metric: str | None = None,
        mode: Literal["min", "max"] = "min",
        lease: float = 60.0,
        retries: int = 10,
        patience: float = 600.0,
        new: bool = True,
    ) -> None:
        self._server = Server(url, patience=patience)
        self._name = name
        self._space = space
        self._metric = metric or ""
        self._lease = lease
        self._retries = retries
        self._held: dict[int, _Held] = {}
        self._unwritten: list[Trial] = []
        with contextlib.ExitStack() as opened:
            opened.callback(self._server.close)
            self._storage, self._retry = self._server.persist(self._begin)
            opened.callback(self._storage.engine.dispose)
            self._study = self._server.persist(
                lambda: _study(self._storage, name, mode, new)
            )
            self._opened = opened.pop_all()
        self._heartbeat = _heartbeat(self, self._storage, self._held, lease / 4)

    def __repr__(self) -> str:
        return f"OptunaStore({self._name!r} on {self._server!r})"

    @property
    def pauses(self) -> bool:
        return False

    def facts(self) -> Mapping[str, Any]:
        return dict(
            self._server.persist(lambda: self._study.user_attrs).get("facts", {})
        )

    def identify(self, facts: Mapping[str, Any], force: bool = False) -> None:
        def compare() -> None:
            with self._server.lock(self._name):
                known = self._study.user_attrs.get("facts")
                stated = checked(known, facts, repr(self), force)
                self._study.set_user_attr("facts", stated)

        self._server.persist(compare)

    def add(self, trials: Iterable[Trial]) -> None:
        trials = list(trials)

        def add_missing() -> None:
            with self._server.lock(f"{self._name}: add") as check:
                frozen = self._study.get_trials(deepcopy=False)
                known = {n: d for one in frozen for n, d in one.distributions.items()}
                parameters = Parameters(self._space, known)
                there = {
                    digest: counting(group).user_attrs["number"]
                    for digest, group in grouped(frozen).items()
                }
                for trial in trials:
                    if trial.digest not in there:
                        check()
                        number, taken = trial.number, there.values()
                        number = max(taken) + 1 if number in taken else number
                        self._study.add_trial(parameters.template(number, trial))
                        there[trial.digest] = number

        self._server.persist(add_missing)

    def claim(self, count: int) -> list[Trial]:
        self._flush()
        claimed: list[Trial] = []

        def claim_more() -> None:
            with self._server.lock(self._name):
                board = self._mended()
                for trial, one in sorted(board, key=_order):
                    if len(claimed) >= count:
                        break
                    if trial.status == Status.WAITING and self._start(trial, one):
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
        for trial in trials:
            if trial.status not in STATES:
                raise _impossible(trial.status)
        self._unwritten += trials
        lost = self._server.attempt(self._write)
        return [] if isinstance(lost, Away) else lost

    def settle(self, decide: Decide) -> Mapping[int, Status]:
        self._flush()
        settled: dict[int, Status] = {}

        def look_and_change() -> None:
            with self._server.lock(self._name):
                board = self._mended()
                trials = {trial.number: (trial, one) for trial, one in board}
                for number, status in decide([trial for trial, _ in board]).items():
                    trial, one = trials[number]
                    if trial.status in FINISHED or trial.status == status:
                        continue
                    if status not in FINISHED:
                        raise _impossible(status)
                    self._end(one, {"status": status}, STATES[status])
                    self._held.pop(number, None)
                    settled[number] = status

        self._server.persist(look_and_change)
        return settled

    def board(self) -> list[Trial]:
        return self._all(metrics=False)

    def trials(self) -> list[Trial]:
        return self._all(metrics=True)

    def _all(self, *, metrics: bool) -> list[Trial]:
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
            # If that cannot be written now, others will miss the signs of life.
            with contextlib.suppress(*TROUBLE):
                for held in self._held.values():
                    with contextlib.suppress(UpdateFinishedTrialError):
                        self._storage.set_trial_state_values(
                            held.key, TrialState.WAITING
                        )
            self._held.clear()
            self._opened.close()

    def _begin(self) -> tuple[RDBStorage, RetryHeartbeatStaleTrialCallback]:
        # The first workers would all make the tables; what is used is experimental.
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
        """Makes trials that were given up wait again; returns all, and what counts."""
        for held in self._held.values():
            self._storage.record_heartbeat(held.key)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            fail_stale_trials(self._study)
        groups = grouped(self._study.get_trials(deepcopy=False)).values()
        for group in groups:
            one = counting(group)
            # Not by a callback of that: a worker may die before it is called.
            if is_given_up(one) and self._trial(group).status == Status.WAITING:
                self._retry(self._study, copy.deepcopy(group[-1]))
            for other in group:
                if other.state == TrialState.WAITING and other is not one:
                    self._end(other, SPARE, TrialState.FAIL)
        groups = grouped(self._study.get_trials(deepcopy=False)).values()
        return [(self._trial(group), counting(group)) for group in groups]

    def _start(self, trial: Trial, one: FrozenTrial) -> bool:
        # In this order: what runs without a sign of life is never missed.
        self._storage.record_heartbeat(one._trial_id)
        try:
            started = self._storage.set_trial_state_values(
                one._trial_id, TrialState.RUNNING
            )
        except UpdateFinishedTrialError:
            return False
        if started:
            self._held[trial.number] = _Held(one._trial_id, dict(trial.history), {})
        return started

    def _end(
        self, one: FrozenTrial, result: Mapping[str, str], state: TrialState
    ) -> None:
        self._storage.set_trial_user_attr(one._trial_id, "result", result)
        self._storage.set_trial_state_values(one._trial_id, state)

    def _flush(self) -> None:
        if self._unwritten:
            self._server.persist(self._write)

    def _write(self) -> list[int]:
        """Writes what is not yet written; returns the numbers of what is lost."""
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
            if trial.status != Status.RUNNING:
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


def _study(storage: RDBStorage, name: str, mode: str, new: bool) -> optuna.Study:
    try:
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        if not new:
            raise FileNotFoundError(f"There is no study {name!r}.") from None
        return optuna.create_study(
            study_name=name,
            storage=storage,
            direction="maximize" if mode == "max" else "minimize",
            load_if_exists=True,
        )


def _heartbeat(
    store: OptunaStore, storage: RDBStorage, held: Mapping[int, _Held], seconds: float
) -> Heartbeat:
    def beat() -> None:
        # While the server is away, there is nothing to do but to try again.
        with contextlib.suppress(*TROUBLE):
            for one in tuple(held.values()):
                storage.record_heartbeat(one.key)

    return Heartbeat(store, beat, seconds)


def _impossible(status: Status) -> ValueError:
    return ValueError(
        f"On PostgreSQL a trial cannot be made {status}: Optuna has no pauses, so a "
        f"trial that runs can only be stopped for good. Take another pruner, or a "
        f"store in a file."
    )


def _order(row: tuple[Trial, FrozenTrial]) -> tuple[int, int]:
    trial, _ = row
    return -trial.steps, trial.number
