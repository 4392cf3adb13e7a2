"""A candidate: one point of a space, and its config as plain data."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.tree_util import GetAttrKey

from ...config import from_config, to_config
from ...schedule import Schedule
from ...tree import Tree


class Config:
    """Values by name, as attributes: the argument of a task, and a pytree.

    Example:
        >>> from jaxsched import search
        >>> search.Config(lr=0.1, seed=0).lr
        0.1
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"Config({values})"


jax.tree_util.register_pytree_with_keys(
    Config,
    lambda node: (
        tuple((GetAttrKey(name), value) for name, value in vars(node).items()),
        tuple(vars(node)),
    ),
    lambda names, values: Config(**dict(zip(names, values, strict=True))),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """One point of a space.

    Attributes:
        family: The names of the chosen families, or of the function that was called.
        params: The value of each dimension, by name.
        code: An expression that makes the config.
        make: Makes the config.
        read: Reads the trees that were kept of a seed, or of any.
    """

    family: str
    params: Mapping[str, float | int | str]
    code: str
    make: Callable[[], Any] = dataclasses.field(repr=False)
    read: Callable[[int | None], dict[str, Any]] | None = dataclasses.field(
        default=None, repr=False
    )

    @property
    def key(self) -> tuple[tuple[str, float | int | str], ...]:
        """Tells candidates of one space apart."""
        return tuple(self.params.items())

    @functools.cached_property
    def config(self) -> Any:
        """The argument of a task: a schedule, or a `Config` that holds one.

        Raises:
            ValueError: If it was loaded and could not be written down as data.
        """
        return self.make()

    def load(self, seed: int | None = None) -> dict[str, Any]:
        """Returns the metrics that are trees, such as weights, as dicts and lists.

        Args:
            seed: The seed of the trial; the first unless given.

        Raises:
            ValueError: If the task returned none, or this is no result of a search.
        """
        if self.read is None:
            raise ValueError("This candidate was not trained: take one of results.")
        return self.read(seed)

    @property
    def schedule(self) -> Schedule:
        """The schedule: all of `config`, or its `lr`, or the first that it holds.

        Raises:
            ValueError: If there is none.
        """
        if isinstance(self.config, Schedule):
            return self.config
        values = getattr(self.config, "__dict__", {})
        for value in (values.get("lr"), *values.values()):
            if isinstance(value, Schedule):
                return value
        raise ValueError(f"There is no schedule in {self.config!r}.")


def as_data(config: Any) -> Any:
    """Returns a config as dictionaries, lists and numbers, or `None` if it has others.

    Example:
        >>> as_data(Config(momentum=0.9, layers=[1, 2]))
        {'config': {'momentum': 0.9, 'layers': {'list': [1, 2]}}}
    """
    try:
        return _data(config)
    except (TypeError, ValueError):
        return None


def from_data(data: Any) -> Any:
    """Makes a config of the result of `as_data`."""
    if not isinstance(data, dict):
        return data
    [(kind, value)] = data.items()
    if kind == "schedule":
        return from_config(value)
    if kind == "array":
        return np.array(value["values"], value["dtype"])
    if kind == "config":
        return Config(**{name: from_data(item) for name, item in value.items()})
    if kind == "dict":
        return {name: from_data(item) for name, item in value.items()}
    items = [from_data(item) for item in value]
    return tuple(items) if kind == "tuple" else items


def _data(node: Any) -> Any:
    if isinstance(node, Tree):
        return {"schedule": to_config(node)}
    if isinstance(node, Config):
        return {"config": {name: _data(value) for name, value in vars(node).items()}}
    if type(node) is dict and all(isinstance(name, str) for name in node):
        return {"dict": {name: _data(value) for name, value in node.items()}}
    if type(node) in (list, tuple):
        return {type(node).__name__: [_data(item) for item in node]}
    if isinstance(node, np.ndarray | np.generic | jax.Array):
        array = np.asarray(node)
        return {"array": {"values": array.tolist(), "dtype": str(array.dtype)}}
    if node is None or type(node) in (bool, int, float, str):
        return node
    raise TypeError(f"{node!r} is not plain data.")
