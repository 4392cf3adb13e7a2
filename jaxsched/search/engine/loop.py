"""The loop: fills lanes with trials, and refills them as these come to an end."""

import dataclasses
import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from ..objective import Objective
from ..pruners import Pruner
from ..stores.base import Store, Wanted
from ..stores.checkpoints import Checkpoints, Trees, split
from ..trial import FINISHED, Status, Trial, Values
from .data import Feed, Stream
from .program import Program
from .segment import Lanes, Outcome


POLL = 0.5
"""The seconds until other processes are looked at again."""

KEEP = 30.0
"""The seconds until the states of unfinished trials are saved again."""


@dataclasses.dataclass
class Lane:
    """A trial that is being trained.

    Attributes:
        trial: The trial, as it was claimed.
        steps: How many steps are done.
        fresh: Whether it begins with the next segment.
        began: When it was claimed (`time.monotonic`).
        best: The metrics of the best evaluation so far.
    """

    trial: Trial
    steps: int
    fresh: bool
    began: float
    best: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Work:
    """What a loop trains, and by which rules.

    Attributes:
        key: The key that the keys of the seeds are made from.
        data: The arrays for all lanes.
        streams: The streams of batches.
        row: From a trial to the leaves of its config. It raises a `LookupError` if this
            search has no such candidate, and a `ValueError` if that cannot be trained.
        wanted: Whether this process can run a trial, by its id.
        done: The trials that other processes of the job have finished, by id.
        objective: The metric and its direction.
        pruner: The pruner, if any.
        evaluate_every: The steps between two evaluations, if there are several.
        at: Which evaluation counts, "last" or "best".
        ask: Adds about so many trials to the store, and tells whether it added any.
        keep: The seconds until the states of unfinished trials are saved again.
    """

    key: jax.Array
    data: Sequence[Any]
    streams: Sequence[Stream]
    row: Callable[[Trial], Sequence[np.ndarray]]
    wanted: Wanted
    done: Mapping[str, Trial]
    objective: Objective
    pruner: Pruner | None
    evaluate_every: int | None
    at: Literal["last", "best"]
    ask: Callable[[int], bool]
    keep: float = KEEP


class Loop:
    """Trains the trials of a store in the lanes of a program.

    Args:
        program: The program of a segment.
        work: What to train.
        store: The store of the trials.
        checkpoints: The states of unfinished trials.
        trees: The metrics that are trees.
    """

    def __init__(
        self,
        program: Program,
        work: Work,
        store: Store,
        checkpoints: Checkpoints,
        trees: Trees,
    ) -> None:
        self._program, self._work = program, work
        self._store, self._checkpoints, self._trees = store, checkpoints, trees
        segment, lanes = program.segment, program.lanes
        self._length, self._steps = segment.length, segment.task.steps
        self._rungs = self._ends(work.pruner.rungs(self._steps) if work.pruner else ())
        every = work.evaluate_every
        self._evaluated = self._rungs | self._ends(
            range(every, self._steps, every) if every else ()
        )
        self._lanes: list[Lane | None] = [None] * lanes
        self._rows = [
            np.zeros((lanes, *leaf.shape), leaf.dtype) for leaf in segment.layout.leaves
        ]
        self._seeds = np.zeros(lanes, np.int32)
        self._placed = self._place()
        self._shared = program.share(work.key, work.data)
        self._feed = None
        if work.streams:
            self._feed = Feed(
                list(work.streams),
                self._length,
                self._steps,
                lambda chunk: jax.tree.map(program.place_everywhere, chunk),
            )
        self._kept = time.monotonic()

    def run(self, watch: Callable[[Sequence[Trial]], bool]) -> None:
        """Trains until nothing is left, or `watch` says to stop.

        Args:
            watch: Takes the trials of each segment, and returns whether to go on.
        """
        try:
            self._run(watch)
        finally:
            if self._feed:
                self._feed.close()

    def _run(self, watch: Callable[[Sequence[Trial]], bool]) -> None:
        state = self._program.blank()
        while True:
            state = self._fill(state)
            going_on = True
            if not any(self._lanes):
                going_on = watch(())
                if self._is_over():
                    return
            for places in self._groups():
                state, outcome = self._train(state, places)
                going_on = watch(self._harvest(state, outcome, places)) and going_on
            if not going_on:
                self._keep(state)
                return
            if time.monotonic() > self._kept + self._work.keep:
                self._keep(state)

    def _fill(self, state: Any) -> Any:
        """Puts waiting trials into free lanes."""
        free = [place for place, lane in enumerate(self._lanes) if lane is None]
        claimed = self._claim(len(free)) if free else []
        if len(claimed) < len(free) and self._work.ask(len(free) - len(claimed)):
            claimed += self._claim(len(free) - len(claimed))
        for trial in claimed:
            row = self._row(trial)
            if row is None:
                continue
            place = free.pop(0)
            # Unused lanes compute the same as their neighbour, unseen.
            for rows, leaf in zip(self._rows, row, strict=True):
                rows[[place, *free]] = leaf
            self._seeds[[place, *free]] = trial.seed
            found = self._checkpoints.load(trial.id, self._program.taken)
            if found and found[0] > trial.steps:
                # The way to it was never reported, so it has to be trained again.
                found = None
            steps, leaves = found or (0, [])
            if found:
                state = self._program.put(state, place, leaves)
            self._lanes[place] = Lane(trial, steps, not found, time.monotonic())
        if claimed:
            self._placed = self._place()
        return state

    def _claim(self, count: int) -> list[Trial]:
        return self._store.claim(count, self._work.wanted)

    def _place(self) -> Any:
        # Copies: a device may share the memory of arrays that change here.
        rows = [x.copy() for x in self._rows]
        return self._program.place((rows, self._seeds.copy()))

    def _row(self, trial: Trial) -> Sequence[np.ndarray] | None:
        """Returns the leaves of a config, unless the trial is over before it begins."""
        over = self._work.done.get(trial.id)
        if over is None:
            try:
                return self._work.row(trial)
            except LookupError:
                # A worker with another space added it: it is given back.
                over = dataclasses.replace(trial, status=Status.WAITING)
            except ValueError as error:
                over = dataclasses.replace(
                    trial, status=Status.FAILED, error=str(error)
                )
        self._store.record([dataclasses.replace(over, number=trial.number)])
        return None

    def _groups(self) -> list[list[int]]:
        """Returns the lanes that are trained together: all, or those at one step.

        Batches of a stream are those of a step, so lanes at others wait meanwhile.
        """
        busy = [place for place, lane in enumerate(self._lanes) if lane]
        if not self._feed:
            return [busy] if busy else []
        groups: dict[int, list[int]] = {}
        for place in busy:
            groups.setdefault(self._steps_of(place), []).append(place)
        return [groups[step] for step in sorted(groups)]

    def _train(self, state: Any, places: Sequence[int]) -> tuple[Any, Outcome]:
        """Trains some lanes for a segment."""

        def of(kind: Any, number: Callable[[Lane], Any]) -> np.ndarray:
            array = np.zeros(len(self._lanes), kind)
            for place in places:
                lane = self._lanes[place]
                assert lane is not None
                array[place] = number(lane)
            return array

        rows, seeds = self._placed
        lanes = Lanes(
            rows=rows,
            seeds=seeds,
            steps=of(np.int32, lambda lane: lane.steps),
            fresh=of(bool, lambda lane: lane.fresh),
            busy=of(bool, lambda lane: True),
            due=of(bool, lambda lane: self._is_due(self._after(lane))),
        )
        shared = self._shared
        if self._feed:
            first = self._steps_of(places[0])
            shared = shared._replace(batches=self._feed(first, self._next(first)))
        return self._program(state, lanes, shared)

    def _next(self, first: int) -> list[int]:
        """Returns the steps at which batches are needed next, in the order of need."""
        busy = {self._steps_of(p) for p, lane in enumerate(self._lanes) if lane}
        later = sorted(step for step in busy if step > first)
        begins = {0} if first + self._length >= self._steps else set()
        ahead = {first + self._length} if first + self._length < self._steps else begins
        return [*later, *sorted(ahead - busy)]

    def _steps_of(self, place: int) -> int:
        lane = self._lanes[place]
        assert lane is not None
        return lane.steps

    def _after(self, lane: Lane) -> int:
        return min(lane.steps + self._length, self._steps)

    def _is_due(self, steps: int) -> bool:
        return steps == self._steps or steps in self._evaluated

    def _ends(self, steps: Sequence[int] | range) -> set[int]:
        """Returns the ends of the segments in which some steps are."""
        rounded = {-(-step // self._length) * self._length for step in steps}
        return {step for step in rounded if step < self._steps}

    def _harvest(
        self, state: Any, outcome: Outcome, places: Sequence[int]
    ) -> Sequence[Trial]:
        """Records the results of a segment, and frees the lanes that are done."""
        reports = {place: self._report(place, outcome) for place in places}
        paused = [p for p in places if reports[p].status is Status.PAUSED]
        if paused:
            # Before the record: a paused trial of which the state is lost would have
            # to be trained again.
            self._save(state, paused)
        lost = self._store.record(list(reports.values()))
        decided: Mapping[int, Status] = {}
        if self._work.pruner and any(r.steps in self._rungs for r in reports.values()):
            decided = self._decide(last=False)
        for place, report in reports.items():
            status = decided.get(report.number, report.status)
            reports[place] = dataclasses.replace(report, status=status)
            if {report.status, status} != {Status.RUNNING} or report.number in lost:
                self._lanes[place] = None
            if reports[place].is_finished:
                self._checkpoints.drop(report.id)
        return list(reports.values())

    def _report(self, place: int, outcome: Outcome) -> Trial:
        """Returns the record of a trial after the segment, if its lane goes on."""
        lane = self._lanes[place]
        assert lane is not None
        lane.steps, lane.fresh = self._after(lane), False
        watched = {
            # One name is one curve: a mean over steps is no evaluation.
            f"step.{name}" if name in outcome.metrics else name: float(x[place])
            for name, x in outcome.watched.items()
        }
        metrics: dict[str, Any] = {}
        if self._is_due(lane.steps):
            metrics = {
                name: jax.tree.map(lambda x: x[place], tree)
                for name, tree in outcome.metrics.items()
            }
        values = watched | {
            name: float(x)
            for name, x in metrics.items()
            if isinstance(x, np.ndarray | np.generic) and np.ndim(x) == 0
        }
        status = self._status(lane, values)
        finished = status in FINISHED
        if self._work.at == "best" and metrics:
            metrics, finished = self._best(lane, metrics), True
        metrics, trees = split(metrics if finished else {})
        if trees:
            self._trees.save(lane.trial.id, trees)
        return dataclasses.replace(
            lane.trial,
            status=status,
            steps=lane.steps,
            metrics=metrics,
            history={lane.steps: values},
            seconds=time.monotonic() - lane.began,
            host=platform.node(),
            device=self._program.device_of(place),
        )

    def _best(self, lane: Lane, metrics: dict[str, Any]) -> dict[str, Any]:
        """Returns the metrics of the best evaluation so far.

        Those of an evaluation before a resume are in the record of the trial.
        """
        metric = self._work.objective.metric
        best = lane.best or dict(lane.trial.metrics)
        before = float(best[metric]) if best else math.nan
        if self._work.objective.is_better(float(metrics[metric]), before) or not best:
            best = metrics
        lane.best = best
        return best

    def _status(self, lane: Lane, values: Values) -> Status:
        metric = self._work.objective.metric
        judged = {"loss", "step.loss", metric, f"step.{metric}"} & values.keys()
        if not all(np.isfinite(values[name]) for name in judged):
            return Status.DIVERGED
        if lane.steps == self._steps:
            return Status.COMPLETE
        at_rung = lane.steps in self._rungs and lane.steps > lane.trial.steps
        if self._work.pruner and at_rung:
            return self._work.pruner.status_at(lane.steps)
        return Status.RUNNING

    def _decide(self, last: bool) -> Mapping[int, Status]:
        pruner, objective = self._work.pruner, self._work.objective
        assert pruner is not None
        return self._store.decide(
            lambda trials: pruner.decide(self._ours(trials), objective, last)
        )

    def _ours(self, trials: Sequence[Trial]) -> list[Trial]:
        return [trial for trial in trials if self._work.wanted(trial.id)]

    def _is_over(self) -> bool:
        """Tells whether nothing is left, neither here nor in other processes."""
        trials = self._ours(self._store.trials(metrics=False))
        statuses = {trial.status for trial in trials}
        if Status.RUNNING in statuses:
            time.sleep(POLL)
            return False
        if Status.WAITING in statuses:  # Another process has just given it back.
            return False
        return Status.PAUSED not in statuses or not self._decide(last=True)

    def _keep(self, state: Any) -> None:
        """Saves the states of all lanes, to go on from there after a crash."""
        self._kept = time.monotonic()
        if self._steps and self._checkpoints.lasting:
            self._save(state, [p for p, lane in enumerate(self._lanes) if lane])

    def _save(self, state: Any, places: Sequence[int]) -> None:
        taken = self._program.take(state, places)
        for place, leaves in zip(places, taken, strict=True):
            lane = self._lanes[place]
            assert lane is not None
            self._checkpoints.save(lane.trial.id, lane.steps, leaves)
