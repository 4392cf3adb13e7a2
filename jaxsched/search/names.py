"""Looking things up by the names that people type."""

import difflib
from collections.abc import Mapping
from typing import TypeVar


T = TypeVar("T")


def named(kind: str, name: str, among: Mapping[str, T]) -> T:
    """Returns what is called `name`.

    Args:
        kind: What it is, for the error.
        name: What somebody wrote.
        among: What there is, by name.

    Raises:
        ValueError: If there is no such thing; it shows what there is.

    Example:
        >>> named("fruit", "aple", {"apple": 1, "pear": 2})
        Traceback (most recent call last):
        ValueError: There is no fruit 'aple', did you mean 'apple'? Known: apple, pear.
    """
    if name in among:
        return among[name]
    near = difflib.get_close_matches(name, among, n=1)
    guess = f", did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"There is no {kind} {name!r}{guess} Known: {', '.join(among)}.")
