"""Contracts that a store, a sampler or a pruner of your own can be tested against.

Each function raises an `AssertionError` that says what is expected. `stores.base` and
`samplers` explain why.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .objective import Objective
from .pruners import Pruner
from .samplers import Adaptive, Sampler, draw
from .spaces.space import Space
from .stores.base import Store
from .trial import Status, Trial, trials_of


def check_store(make: Callable[[], Store]) -> None:
    """Checks the protocol of a store.

    Args:
        make: Opens the same store, empty at first: two calls return two connections, as
            two processes have them.

    Raises:
        AssertionError: If it does not keep the protocol.

    Example:
        >>> import tempfile
        >>> from jaxsched import search
        >>> from jaxsched.search.testing import check_store
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     check_store(lambda: search.SQLiteStore(f"{folder}/search.db"))
    """
    given = [
        Trial(
            number,
            f"trial {number}",
            {"family": "linear", "start": 0.1 * number},
            seed=number % 2,
            family="linear",
            code=f"linear({0.1 * number}, 0.0, steps=10)",
            config={"schedule": {"type": "Linear"}},
        )
        for number in range(6)
    ]
    with contextlib.closing(make()) as mine, contextlib.closing(make()) as theirs:
        _check_identity(mine, theirs)
        _check_addition(mine, theirs, given)
        _check_claims(mine, theirs)
        _check_decisions(mine, theirs)
        _check_retry(mine)
    with contextlib.closing(make()) as again:
        statuses = [trial.status for trial in again.trials()]
        _expect(Status.RUNNING not in statuses, "close() gives back what is claimed")


def check_sampler(
    sampler: Sampler | Adaptive, space: Any, *, samples: int = 16
) -> None:
    """Checks a sampler: its candidates are those of the space, and are repeatable.

    Args:
        sampler: A function from a space and `samples` to candidates, or an object with
            a method `ask`.
        space: A space as for `search.run`.
        samples: The number of candidates.

    Raises:
        AssertionError: If it is no sampler of this space.

    Example:
        >>> from jaxsched import search
        >>> from jaxsched.search.testing import check_sampler
        >>> check_sampler(search.samplers.random, search.uniform(0.0, 1.0))
    """
    whole = space if isinstance(space, Space) else Space(space)
    if callable(getattr(sampler, "ask", None)):
        _check_asking(sampler, whole, samples)  # type: ignore[arg-type]
        return
    found = draw(sampler, whole, samples, 0)  # type: ignore[arg-type]
    _expect(len(found) > 0, "a sampler returns candidates")
    for candidate in found:
        code = whole.redraw(candidate.params).code
        _expect(code == candidate.code, "candidates are drawn by space.draw(...)")
    again = draw(sampler, whole, samples, 0)  # type: ignore[arg-type]
    same = [c.params for c in found] == [c.params for c in again]
    _expect(same, "the same seed draws the same candidates")


def check_pruner(pruner: Pruner, *, steps: int = 100) -> None:
    """Checks a pruner: better trials are not pruned before worse ones, in both modes.

    Args:
        pruner: The pruner.
        steps: The number of steps of a trial.

    Raises:
        AssertionError: If it prunes the best, or anything that is not at a rung.

    Example:
        >>> from jaxsched import search
        >>> from jaxsched.search.testing import check_pruner
        >>> check_pruner(search.halving(2, min_steps=10))
    """
    rungs = pruner.rungs(steps)
    _expect(len(rungs) > 0, "a pruner has a rung before the last step")
    _expect(all(0 < rung < steps for rung in rungs), "rungs are before the last step")
    at = pruner.status_at(rungs[0])
    _expect(at in (Status.PAUSED, Status.RUNNING), "status_at: paused or running")
    for objective in (Objective("loss", "min"), Objective("reward", "max")):
        metric, sign = objective.metric, objective.sign
        trials = [
            Trial(
                number,
                f"trial {number} {metric}",
                {"start": float(number)},
                0,
                status=at,
                steps=rungs[0],
                history={rungs[0]: {metric: sign * (number + 1.0)}},
            )
            for number in range(8)
        ]
        decided = pruner.decide(trials, objective, True)
        _expect(set(decided) <= set(range(8)), "decisions are by number")
        _expect(decided.get(0) is not Status.PRUNED, f"the best {metric} goes on")


def _check_identity(mine: Store, theirs: Store) -> None:
    _expect(not mine.fingerprint(), "a new search has an empty fingerprint")
    mine.identify({"width": 8})
    theirs.identify({"width": 8})
    try:
        theirs.identify({"width": 16})
    except ValueError as error:
        _expect("width" in str(error), "the error names what differs")
    else:
        _expect(False, "another fingerprint is refused")
    theirs.identify({"width": 16}, force=True)
    _expect(dict(mine.fingerprint()) == {"width": 16}, "force accepts a fingerprint")
    mine.describe({"dimensions": []})
    _expect(dict(theirs.description()) == {"dimensions": []}, "a description is kept")


def _check_addition(mine: Store, theirs: Store, given: Sequence[Trial]) -> None:
    mine.add(given[:4])
    theirs.add(given[:5])
    found = mine.trials()
    _expect([t.id for t in found] == [t.id for t in given[:5]], "a trial is added once")
    for trial, like in zip(found, given, strict=False):
        for field in ("params", "seed", "family", "code", "config"):
            same = getattr(trial, field) == getattr(like, field)
            _expect(same, f"`{field}` comes back")
    numbers: list[int] = []

    def propose(trials: Sequence[Trial]) -> Iterable[Trial]:
        numbers.extend(trial.number for trial in trials)
        return given[5:]

    theirs.extend(propose)
    _expect(numbers == [0, 1, 2, 3, 4], "extend() shows all trials, by number")
    _expect(len(mine.trials(metrics=False)) == 6, "extend() adds the proposals")


def _check_claims(mine: Store, theirs: Store) -> None:
    first = mine.claim(2)
    _expect([t.number for t in first] == [0, 1], "claim() takes the first that wait")
    running = all(t.status == Status.RUNNING and t.attempt == 1 for t in first)
    _expect(running, "a claimed trial is running, and `attempt` counts")
    wanted = theirs.claim(8, lambda id_: id_ == "trial 3")
    _expect([t.number for t in wanted] == [3], "claim() takes only what is wanted")
    metrics = {"loss": np.array(0.1, "f4"), "curve": np.arange(3.0)}
    done = dataclasses.replace(
        first[0],
        status=Status.COMPLETE,
        steps=10,
        metrics=metrics,
        history={5: {"loss": 0.5}, 10: {"loss": float("nan")}},
    )
    _expect(theirs.record([done]) == [0], "only the owner writes")
    _expect(mine.record([done]) == [], "the owner writes")
    found = theirs.trials()[0]
    _expect(found.status == Status.COMPLETE, "a record is there")
    for name, array in metrics.items():
        same = found.metrics[name].tobytes() == array.tobytes()
        _expect(same, "metrics come back to the bit")
    _expect(found.history[5] == {"loss": 0.5}, "the history comes back")
    _expect(np.isnan(found.history[10]["loss"]), "NaN comes back")
    _expect(mine.record([done]) == [0], "a finished trial stays as it is")
    light = mine.trials(metrics=False)[0]
    _expect(not light.metrics, "trials(metrics=False) has none")


def _check_decisions(mine: Store, theirs: Store) -> None:
    def judge(trials: Sequence[Trial]) -> Mapping[int, Status]:
        return dict.fromkeys([trial.number for trial in trials], Status.PRUNED)

    try:
        mine.decide(lambda _: {2: Status.RUNNING})
    except ValueError:
        pass
    else:
        _expect(False, "decide() starts no trial")
    changed = theirs.decide(lambda trials: {1: judge(trials)[1]})
    _expect(dict(changed) == {1: Status.PRUNED}, "decide() returns the changes")
    [running] = [t for t in mine.trials() if t.number == 1]
    _expect(mine.record([running]) == [1], "a decision takes a trial from its owner")
    _expect(dict(mine.decide(lambda _: {0: Status.PRUNED})) == {}, "final is final")


def _check_retry(store: Store) -> None:
    [claimed] = store.claim(1, lambda id_: id_ == "trial 2")
    store.record([dataclasses.replace(claimed, status=Status.FAILED, error="no luck")])
    _expect(store.retry(lambda id_: False) == 0, "retry() minds what is wanted")
    _expect(store.retry() == 1, "retry() returns how many wait again")
    [again] = store.claim(1, lambda id_: id_ == "trial 2")
    _expect(again.steps == 0 and not again.error, "a retried trial starts again")


def _check_asking(sampler: Adaptive, space: Space, samples: int) -> None:
    trials: list[Trial] = []
    objective = Objective("loss", "min")
    for turn in range(samples):
        [candidate] = sampler.ask(space, 1, trials, objective, turn)
        space.redraw(candidate.params)
        [trial] = trials_of([candidate], [0], [t.id for t in trials], first=turn)
        trials.append(
            dataclasses.replace(
                trial,
                status=Status.COMPLETE,
                steps=1,
                history={1: {"loss": float(turn)}},
            )
        )
    different = {trial.candidate for trial in trials}
    _expect(len(different) == samples, "no candidate is proposed twice")


def _expect(kept: bool, law: str) -> None:
    if not kept:
        raise AssertionError(f"The contract is broken: {law}.")
