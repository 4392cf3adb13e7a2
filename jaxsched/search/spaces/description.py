"""The description: a space as plain data, so that a search can be looked at later.

Nothing in it is run but what makes schedules: the public functions and classes of
this package, and arithmetic.
"""

import importlib
import operator
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ...calls import SYMBOLS, Call
from ...config import from_config, to_config
from ...tree import Tree
from .dimensions import Choice, Dimension, Range
from .notation import Config
from .space import Space


ARITHMETIC: tuple[Any, ...] = (*SYMBOLS, operator.neg, min, max, abs, round)

HARMLESS: dict[str, Callable[..., Any]] = {
    **{function.__name__: function for function in ARITHMETIC},
    "Config": Config,
}


def describe(space: Space) -> dict[str, Any]:
    """Describes a space by dictionaries, lists, strings and numbers.

    Args:
        space: Of functions of this package.

    Returns:
        What `json.dumps` takes, and `rebuild` makes a space again.

    Raises:
        TypeError: If there is something else in it, as a function of one's own.
    """
    known: dict[Dimension, int] = {}

    def described(node: Any) -> Any:
        if isinstance(node, Dimension):
            return dimension(node)
        if isinstance(node, Call):
            kwargs = {name: described(value) for name, value in node.kwargs.items()}
            args = [described(value) for value in node.args]
            return {"call": _name(node.function), "args": args, "kwargs": kwargs}
        if isinstance(node, Tree):
            return {"schedule": to_config(node)}
        if isinstance(node, list | tuple):
            return [described(item) for item in node]
        if isinstance(node, np.ndarray | np.generic | jax.Array):
            return np.asarray(node).tolist()
        if isinstance(node, float | int | str | None):
            return node
        raise TypeError(f"A search cannot be looked at later with {node!r} in it.")

    def dimension(node: Dimension) -> Any:
        if node in known:
            return {"same": known[node]}
        known[node] = len(known)
        if isinstance(node, Range):
            return {"low": node.low, "high": node.high, "log": node.log}
        assert isinstance(node, Choice)
        return {"labels": list(node.labels), "values": described(node.values)}

    return {"space": described(space.tree)}


def rebuild(description: dict[str, Any]) -> Space:
    """Makes a space of what `describe` returned.

    Raises:
        ValueError: If there is something in it that makes no schedule.
    """
    known: list[Dimension] = []

    def built(node: Any) -> Any:
        if isinstance(node, list):
            return [built(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "same" in node:
            return known[node["same"]]
        if "schedule" in node:
            return from_config(node["schedule"])
        if "call" in node:
            kwargs = {name: built(value) for name, value in node["kwargs"].items()}
            return Call(
                _function(node["call"]), tuple(map(built, node["args"])), kwargs
            )
        place = len(known)
        known.append(Range(0.0, 1.0))
        if "labels" in node:
            made: Dimension = Choice(
                tuple(built(node["values"])), tuple(node["labels"])
            )
        else:
            made = Range(node["low"], node["high"], node["log"])
        known[place] = made
        return made

    return Space(built(description["space"]))


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", repr(function))
    if HARMLESS.get(name) is function:
        return name
    name = f"{function.__module__}.{name}"
    _function(name)
    return name


def _function(name: str) -> Callable[..., Any]:
    """Finds what makes a schedule, or a part of one, by its name."""
    if name in HARMLESS:
        return HARMLESS[name]
    module, _, attribute = name.rpartition(".")
    package = __name__.partition(".")[0]
    if module.split(".")[0] == package and not attribute.startswith("_"):
        found = getattr(importlib.import_module(module), attribute, None)
        is_node = isinstance(found, type) and issubclass(found, Tree)
        if is_node or hasattr(found, "echoes"):
            return found  # type: ignore[return-value]
    raise ValueError(f"{name!r} is no function that makes a schedule.")
