"""What a peer's module lists of its schedules, to be compared with the peer."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jaxsched as js


class Formula(NamedTuple):
    """One of our expressions, and what the peer computes, one step at a time.

    Both take the same keywords: `ours(**case)` is a schedule, and
    `theirs(step, **case)` the rate of the peer, in plain Python.
    """

    ours: Callable[..., js.Schedule]
    theirs: Callable[..., float]
    cases: tuple[dict[str, Any], ...]
    steps: Iterable[int] = range(60)
    elsewhere: str = ""
    """What the peer does at the steps that are left out."""


class On(NamedTuple):
    """A schedule that agrees with a peer on some `steps` only."""

    schedule: js.Schedule
    steps: Iterable[int]
    because: str
