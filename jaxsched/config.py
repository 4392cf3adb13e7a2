"""Schedules as plain data: for JSON, YAML, and configuration files."""

from collections.abc import Iterator
from typing import Any, TypeVar

import jax
import numpy as np

from .hyperparameters import is_concrete
from .tree import Tree, fields


T = TypeVar("T", bound=Tree)


def to_config(node: Tree) -> dict[str, Any]:
    """Describes a schedule by dictionaries, lists, strings and numbers.

    Args:
        node: A schedule, or a curve.

    Returns:
        Its class by name, under the key "type", and its fields. `json.dumps` takes
        it, and `from_config` makes it a schedule again.

    Raises:
        TypeError: If a part of it is no data: a function, or a traced value.

    Example:
        >>> from jaxsched import linear, to_config
        >>> to_config(linear(0.0, 0.1, steps=100))
        {'type': 'Ramp', 'start': 0.0, 'end': 0.1, 'steps': 100.0,
         'curve': {'type': 'Linear'}}
    """
    described = {
        field.name: _plain(
            getattr(node, field.name), f"{type(node).__name__}.{field.name}"
        )
        for field in fields(type(node))
    }
    return {"type": _name(type(node)), **described}


def from_config(config: dict[str, Any]) -> Any:
    """Makes a schedule of what `to_config` returned.

    Args:
        config: The description. Fields that are left out have their defaults.

    Returns:
        The schedule, converted and checked as if it was written in Python.

    Raises:
        ValueError: If there is no such class, or a value lies outside its domain.
        TypeError: If a field is unknown, missing, or no number.

    Example:
        >>> from jaxsched import from_config
        >>> from_config({"type": "Ramp", "start": 0.0, "end": 0.1, "steps": 100})
        Ramp(start=0.0, end=0.1, steps=100.0, curve=curves.Linear())
    """
    if not isinstance(config, dict) or "type" not in config:
        raise ValueError(f'A configuration is a dict with a "type", got {config!r}.')
    known = {_name(cls): cls for cls in _nodes(Tree)}
    if config["type"] not in known:
        raise ValueError(f"`type` must be in {sorted(known)}, got {config['type']!r}.")
    given = {name: _built(value) for name, value in config.items() if name != "type"}
    return known[config["type"]](**given)


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Tree):
        return to_config(value)
    if isinstance(value, tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, np.ndarray | jax.Array) and is_concrete(value):
        return np.asarray(value).tolist()
    if isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"`{where}` is no data that a configuration can hold: {value!r}.")


def _built(value: Any) -> Any:
    if isinstance(value, dict):
        return from_config(value)
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return tuple(_built(item) for item in value)
    return value


def _nodes(cls: type[Tree]) -> Iterator[type[Tree]]:
    """Yields all classes of nodes that can be made, those of users too."""
    for node in cls.__subclasses__():
        yield from _nodes(node)
        if not node.__abstractmethods__:
            yield node


def _name(cls: type[Tree]) -> str:
    """The class of a user is named with its module, so that it hides none of ours."""
    ours = cls.__module__.split(".")[0] == __package__
    return cls.__qualname__ if ours else f"{cls.__module__}.{cls.__qualname__}"
