"""The engine: fills lanes with trials, and refills them as these come to an end."""

import dataclasses
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ..pruners import Pruner
from ..stores.states import States
from ..trials import FINISHED, Status, Store, Trial, Values
from .program import Program
from .segment import Lanes, Outcome


POLL = 0.5
"""After how many seconds to look again for what other processes still have."""

KEEP = 30.0
"""After how many seconds states in the middle of a trial are kept again."""


@dataclasses.dataclass
class Lane:
    """A trial on its way.

    Attributes:
        trial: As it was claimed.
        steps: How many steps are behind it.
        fresh: Whether it begins with the next segment.
        began: When it came here, on a clock of no date.
    """

    trial: Trial
    steps: int
    fresh: bool
    began: float


@dataclasses.dataclass
class Engine:
    """Trains the trials of a store in the lanes of a program.

    Attributes:
        program: What runs a segment.
        key: What the keys of the seeds are made from.
        store: Where trials come from, and where results go.
        states: Where states in the middle of a trial are kept.
        done: What was finished elsewhere, by digest: it is only written down here.
        row: From a trial to the leaves of its config.
        metric: What trials are ranked by.
        sign: 1 if less of it is better, else -1.
        pruner: Which trials go on at a rung; all of them unless given.
        ask: Adds so many trials to the store if it can, and says whether it did.
        keep: After how many seconds states are kept again.
    """

    program: Program
    key: jax.Array
    store: Store
    states: States
    done: Mapping[str, Trial]
    row: Callable[[Trial], Sequence[np.ndarray]]
    metric: str
    sign: float
    pruner: Pruner | None
    ask: Callable[[int], bool]
    keep: float = KEEP

    def __post_init__(self) -> None:
        segment, lanes = self.program.segment, self.program.lanes
        self.length, self.steps = segment.length, segment.task.steps
        wanted = self.pruner.rungs(self.steps) if self.pruner else ()
        rounded = {-(-rung // self.length) * self.length for rung in wanted}
        self.rungs = {rung for rung in rounded if rung < self.steps}
        self.lanes: list[Lane | None] = [None] * lanes
        self.rows = [
            np.zeros((lanes, *leaf.shape), leaf.dtype) for leaf in segment.layout.leaves
        ]
        self.seeds = np.zeros(lanes, np.int32)
        self.placed = self._placed()
        self.key = self.program.place_everywhere(self.key)
        self.kept = time.monotonic()

    def run(self, watch: Callable[[Sequence[Trial]], bool]) -> None:
        """Trains until there is nothing left to do, or `watch` says to stop.

        Args:
            watch: Takes what has become of the trials of each segment, and returns
                whether to go on.
        """
        state = self.program.blank()
        while True:
            state = self._fill(state)
            if any(self.lanes):
                state, outcome = self.program(state, self._work(), self.key)
                going_on = watch(self._harvest(state, outcome))
            else:
                going_on = watch(())
                if self._is_over():
                    return
            if not going_on:
                self._keep(state)
                return
            if time.monotonic() > self.kept + self.keep:
                self._keep(state)

    def _fill(self, state: Any) -> Any:
        """Puts trials that wait into the lanes that are free."""
        free = [place for place, lane in enumerate(self.lanes) if lane is None]
        claimed = self.store.claim(len(free)) if free else []
        if len(claimed) < len(free) and self.ask(len(free) - len(claimed)):
            claimed += self.store.claim(len(free) - len(claimed))
        for trial in claimed:
            row = self._row(trial)
            if row is None:
                continue
            place = free.pop(0)
            # Lanes that are not in use yet do as the others do, unseen.
            for rows, leaf in zip(self.rows, row, strict=True):
                rows[[place, *free]] = leaf
            self.seeds[[place, *free]] = trial.seed
            found = self.states.load(trial.digest, self.program.taken)
            if found and found[0] > trial.steps:
                # What led there was never written down, and has to be seen again.
                found = None
            steps, leaves = found or (0, [])
            if found:
                state = self.program.put(state, place, leaves)
            self.lanes[place] = Lane(trial, steps, not found, time.monotonic())
        if claimed:
            self.placed = self._placed()
        return state

    def _placed(self) -> Any:
        # Of copies: a device may share the memory with what changes here.
        return self.program.place(([x.copy() for x in self.rows], self.seeds.copy()))

    def _row(self, trial: Trial) -> Sequence[np.ndarray] | None:
        """The leaves of a config, unless the trial is over before it begins."""
        over = self.done.get(trial.digest)
        if over is None:
            try:
                return self.row(trial)
            except ValueError as error:
                # It has no config: it has failed.
                over = dataclasses.replace(
                    trial, status=Status.FAILED, error=str(error)
                )
        self.store.record([dataclasses.replace(over, number=trial.number)])
        return None

    def _work(self) -> Lanes:
        """What there is to do in the next segment."""

        def of(kind: Any, number: Callable[[Lane], Any]) -> np.ndarray:
            return np.array([number(lane) if lane else 0 for lane in self.lanes], kind)

        rows, seeds = self.placed
        return Lanes(
            rows=rows,
            seeds=seeds,
            steps=of(np.int32, lambda lane: lane.steps),
            fresh=of(bool, lambda lane: lane.fresh),
            busy=of(bool, lambda lane: True),
            due=of(bool, lambda lane: self._is_due(self._after(lane))),
        )

    def _after(self, lane: Lane) -> int:
        return min(lane.steps + self.length, self.steps)

    def _is_due(self, steps: int) -> bool:
        return steps == self.steps or steps in self.rungs

    def _harvest(self, state: Any, outcome: Outcome) -> Sequence[Trial]:
        """Writes down what came of a segment, and frees the lanes that are done."""
        places = [place for place, lane in enumerate(self.lanes) if lane]
        reports = {place: self._report(place, outcome) for place in places}
        paused = [p for p in places if reports[p].status is Status.PAUSED]
        if paused:
            self._save(state, paused)
        lost = self.store.record(list(reports.values()))
        decided: Mapping[int, Status] = {}
        if self.pruner and any(r.steps in self.rungs for r in reports.values()):
            decided = self._settle(last=False)
        for place, report in reports.items():
            status = decided.get(report.number, report.status)
            reports[place] = dataclasses.replace(report, status=status)
            if {report.status, status} != {Status.RUNNING} or report.number in lost:
                self.lanes[place] = None
            if status in FINISHED:
                self.states.drop(report.digest)
        return list(reports.values())

    def _report(self, place: int, outcome: Outcome) -> Trial:
        """What has become of the trial in a lane, which goes on as if it did."""
        lane = self.lanes[place]
        assert lane is not None
        lane.steps, lane.fresh = self._after(lane), False
        watched = {name: float(x[place]) for name, x in outcome.watched.items()}
        metrics: dict[str, np.ndarray] = {}
        if self._is_due(lane.steps):
            metrics = {name: x[place] for name, x in outcome.metrics.items()}
        values = watched | {
            name: float(x) for name, x in metrics.items() if np.ndim(x) == 0
        }
        return dataclasses.replace(
            lane.trial,
            status=self._status(lane, values),
            steps=lane.steps,
            metrics=metrics,
            history={lane.steps: values},
            seconds=time.monotonic() - lane.began,
            host=platform.node(),
            device=self.program.device_of(place),
        )

    def _status(self, lane: Lane, values: Values) -> Status:
        judged = {"loss", self.metric} & values.keys()
        if not all(np.isfinite(values[name]) for name in judged):
            return Status.DIVERGED
        if lane.steps == self.steps:
            return Status.COMPLETE
        if self.pruner and lane.steps in self.rungs and lane.steps > lane.trial.steps:
            return self.pruner.status_at(lane.steps)
        return Status.RUNNING

    def _settle(self, last: bool) -> Mapping[int, Status]:
        assert self.pruner is not None
        decide = self.pruner.decide
        return self.store.settle(
            lambda board: decide(board, self.metric, self.sign, last)
        )

    def _is_over(self) -> bool:
        """Whether there is nothing left, neither here nor in other processes."""
        statuses = {trial.status for trial in self.store.board()}
        if Status.RUNNING in statuses:
            time.sleep(POLL)
            return False
        if Status.WAITING in statuses:  # Somebody has just given it back.
            return False
        return Status.PAUSED not in statuses or not self._settle(last=True)

    def _keep(self, state: Any) -> None:
        """Keeps the states of all lanes, to go on from there after a crash."""
        self.kept = time.monotonic()
        if self.steps and self.states.lasting:
            self._save(state, [p for p, lane in enumerate(self.lanes) if lane])

    def _save(self, state: Any, places: Sequence[int]) -> None:
        taken = self.program.take(state, places)
        for place, leaves in zip(places, taken, strict=True):
            lane = self.lanes[place]
            assert lane is not None
            self.states.save(lane.trial.digest, lane.steps, leaves)
