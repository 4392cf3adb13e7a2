"""The store: the trials of a search, shared by any number of processes.

The protocol, on one page. Every store follows it, and `search.testing` checks it.

**A trial is a row.** It is added once, by its `id`, however many processes add it. Its
number never changes. Its way is

    waiting -> running -> complete | diverged | failed        (its process decides)
               running -> paused -> waiting | pruned          (a pruner decides)
               running -> pruned                              (a pruner decides)
               failed  -> waiting                             (`retry` decides)

**A claim is a lease.** `claim` makes waiting trials running, and this process their
owner. While it lives, a thread renews the lease every quarter of its time, however long
the device computes. If a lease runs out, or a process on this machine is known to be
dead, the next `claim` of anybody makes its trials waiting again (`attempt` counts the
starts). A process with a normal end gives back what it has not finished.

**Only the owner writes.** `record` changes a trial only if this process still owns it:
a process that was taken for dead, and wakes up, changes nothing. It learns so from the
numbers that `record` returns, and frees those lanes.

**Pruners and samplers see a still picture.** `decide` and `extend` read all trials,
call a function, and write its answer in one transaction: nobody else writes in between.
So two workers never promote the same trial twice, and never exceed `samples`.

**Written is written.** When a method returns, all its changes are on the disk; when it
raises, none is. A finished trial stays as it is.

**Everyone minds its own.** Several searches may share a store under names. A process
claims only what it `wants`: the trials of a grid that was narrowed stay as they are.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from ..trial import Status, Trial


Judge: TypeAlias = Callable[[Sequence[Trial]], Mapping[int, Status]]
"""From all trials, without metrics, to the new status of some, by number."""

Propose: TypeAlias = Callable[[Sequence[Trial]], Iterable[Trial]]
"""From all trials, without metrics, to new ones."""

Wanted: TypeAlias = Callable[[str], bool]
"""From the id of a trial to whether this process can run it."""


def anything(id_: str) -> bool:
    """Wants every trial."""
    del id_
    return True


class StoreError(Exception):
    """A store cannot be read or written; its earlier content is intact."""


class Store(Protocol):
    """Keeps the trials of one search; the module describes the protocol.

    A method that cannot read or write raises a `StoreError`, or an `OSError`.
    """

    @property
    def pauses(self) -> bool:
        """Whether a trial may be paused, to go on later."""
        ...

    def fingerprint(self) -> Mapping[str, Any]:
        """Returns the fingerprint that was written; empty for a new search."""
        ...

    def identify(self, fingerprint: Mapping[str, Any], force: bool = False) -> None:
        """Writes the fingerprint of a search, or checks that it is the same.

        Raises:
            ValueError: If it is another, naming each fact that differs; not if `force`.
        """

    def describe(self, description: Mapping[str, Any]) -> None:
        """Writes what a reader needs, as data for JSON; the last writer counts."""

    def description(self) -> Mapping[str, Any]:
        """Returns the description; empty if there is none."""
        ...

    def add(self, trials: Iterable[Trial]) -> None:
        """Adds waiting trials; one whose `id` exists stays as it is.

        A new trial keeps its number; if that is taken, it gets the next free one.
        """

    def extend(self, propose: Propose) -> None:
        """Adds the trials that `propose` returns for the trials that exist.

        Nobody else writes between the look and the addition.
        """

    def claim(self, count: int, wanted: Wanted = anything) -> list[Trial]:
        """Makes up to `count` waiting trials running, with this process their owner.

        Those of dead processes are among them. Those with the most steps come first.
        """
        ...

    def record(self, trials: Sequence[Trial]) -> list[int]:
        """Writes trials that this process owns.

        A running trial stays owned; any other is released. `history` holds only what
        is new. `metrics` replace the earlier ones, unless there are none.

        Returns:
            The numbers of trials that this process owns no longer: those are unchanged.
        """
        ...

    def decide(self, judge: Judge) -> Mapping[int, Status]:
        """Gives trials the status that `judge` returns, and returns the changes.

        Nobody else writes between the look and the change. A finished trial stays as
        it is; a running one is taken from its owner.

        Raises:
            ValueError: If a trial is to be running: for that it must be claimed.
        """
        ...

    def retry(self, wanted: Wanted = anything) -> int:
        """Makes failed trials waiting again, from step 0, and returns how many."""
        ...

    def trials(self, *, metrics: bool = True) -> list[Trial]:
        """Returns all trials, by number, with their metrics or without."""
        ...

    def close(self) -> None:
        """Gives back what is claimed, as waiting."""


def checked(
    known: Mapping[str, Any] | None, stated: Mapping[str, Any], where: str, force: bool
) -> dict[str, Any]:
    """Compares the fingerprint of a search with a known one, and returns it.

    Args:
        known: The one that was written before, if any.
        stated: The present one, as data for JSON.
        where: The place of the search, for the error.
        force: Whether to accept a difference.

    Raises:
        ValueError: If they differ.

    Example:
        >>> checked({"width": 8, "steps": 50}, {"width": 16, "steps": 50}, "it", False)
        Traceback (most recent call last):
        ValueError: Another search is kept in it: `width` is 8 there and 16 here. ...
    """
    stated = json.loads(json.dumps(dict(stated)))
    if not known or force or known == stated:
        return dict(stated)
    differences = [
        f"`{name}` is {_shown(known, name)} there and {_shown(stated, name)} here"
        for name in dict.fromkeys([*known, *stated])
        if _shown(known, name) != _shown(stated, name)
    ]
    raise ValueError(
        f"Another search is kept in {where}: {'; '.join(differences)}. "
        'Make it the same, keep the new one elsewhere, or mix them: resume="force".'
    )


def _shown(fingerprint: Mapping[str, Any], name: str) -> str:
    if name not in fingerprint:
        return "missing"
    return json.dumps(fingerprint[name], sort_keys=True)
