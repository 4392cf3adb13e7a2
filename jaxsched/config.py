"""Schedules as plain data: for JSON, YAML, and configuration files."""

import dataclasses
import importlib
import math
import typing
from collections.abc import Iterator, Mapping, Sequence
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
        Its class by name, under the key "type", and its fields; infinite numbers are
        the texts "inf" and "-inf". `json.dumps` takes it, and `from_config` makes it a
        schedule again.

    Raises:
        TypeError: If a part of it is no data: a function, NaN, or a traced value.
        ValueError: If it has more than 200 levels.

    Example:
        >>> from jaxsched import linear, to_config
        >>> to_config(linear(0.0, 0.1, steps=100))
        {'type': 'Ramp', 'start': 0.0, 'end': 0.1, 'steps': 100.0,
         'curve': {'type': 'Linear'}}
    """
    return _described(node, 1)


def from_config(config: Mapping[str, Any]) -> Any:
    """Makes a schedule of what `to_config` returned.

    Args:
        config: The description: dictionaries, or any mappings, as those of Hydra.
            Fields that are left out have their defaults.

    Returns:
        The schedule, converted and checked as if it was written in Python.

    Raises:
        ValueError: If there is no such class, a value lies outside its domain, a list
            of schedules is empty, or there are more than 200 levels.
        TypeError: If a field is unknown, missing, no number, or no schedule.

    Example:
        >>> from jaxsched import from_config
        >>> from_config({"type": "Ramp", "start": 0.0, "end": 0.1, "steps": 100})
        Ramp(start=0.0, end=0.1, steps=100.0, curve=curves.Linear())
    """
    return _node(config, 1)


MOST_LEVELS = 200
TOO_DEEP = f"A configuration has at most {MOST_LEVELS} levels"
INFINITE = {"inf": math.inf, "-inf": -math.inf}
"""JSON has no infinite numbers, so they are written as text."""

ELSEWHERE = (".compat.torch", ".training")
"""Modules with classes of nodes, which are loaded on first use."""


def _described(node: Tree, level: int) -> dict[str, Any]:
    if level > MOST_LEVELS:
        raise ValueError(f"{TOO_DEEP}, but the schedule has more.")
    described = {"type": _name(type(node))}
    for field in fields(type(node)):
        where = f"{type(node).__name__}.{field.name}"
        described[field.name] = _plain(getattr(node, field.name), where, level)
    return described


def _plain(value: Any, where: str, level: int) -> Any:
    if isinstance(value, Tree):
        return _described(value, level + 1)
    if isinstance(value, tuple | list):
        plain = []
        for item in value:
            plain.append(_plain(item, where, level))
        return plain
    if isinstance(value, np.ndarray | jax.Array) and is_concrete(value):
        return _plain(np.asarray(value).tolist(), where, level)
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and not math.isnan(value):
        return value
    raise TypeError(f"`{where}` is no data that a configuration can hold: {value!r}.")


def _node(config: Any, level: int) -> Any:
    if level > MOST_LEVELS:
        raise ValueError(f"{TOO_DEEP}: this one has more, or contains itself.")
    if not isinstance(config, Mapping):
        raise ValueError(f'A configuration is a mapping with a "type", got {config!r}.')
    if "type" not in config:
        raise ValueError(f'A configuration needs a "type", got only {[*config]}.')
    cls = _class_of(config["type"])
    kinds = {field.name: field for field in fields(cls)}
    given = {}
    for name, value in config.items():
        if name in kinds:
            given[name] = _built(value, kinds[name], cls, level)
        elif name != "type":
            given[name] = value
    return cls(**given)


def _built(
    value: Any, field: dataclasses.Field[Any], cls: type[Tree], level: int
) -> Any:
    """Makes what is given for a field what its class takes."""
    if "domain" in field.metadata:
        return _numbers(value)
    if "static" in field.metadata:
        return value
    where = f"{cls.__name__}.{field.name}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            raise ValueError(f"`{where}` must have at least one schedule, got none.")
        parts = []
        for part in value:
            parts.append(_node(part, level + 1))
        return tuple(parts)
    if typing.get_origin(field.type) is tuple:
        raise TypeError(f"`{where}` must be a list of schedules, got {value!r}.")
    return _node(value, level + 1) if isinstance(value, Mapping) else value


def _numbers(value: Any) -> Any:
    """Reads numbers, infinite ones too, and lists of them."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [_numbers(item) for item in value]
        # Of anything but numbers, whoever takes them says that it is wrong.
        plain = all(isinstance(item, int | float | np.ndarray) for item in items)
        return np.array(items, float) if plain and items else items
    return INFINITE.get(value, value) if isinstance(value, str) else value


def _class_of(name: Any) -> type[Tree]:
    known = {_name(cls): cls for cls in _nodes(Tree)}
    if isinstance(name, str) and name not in known:
        for module in ELSEWHERE:
            importlib.import_module(module, __package__)
        known = {_name(cls): cls for cls in _nodes(Tree)}
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"`type` must be in {sorted(known)}, got {name!r}.")
    return known[name]


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
