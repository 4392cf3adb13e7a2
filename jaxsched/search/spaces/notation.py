"""Notation: how to write down a space.

In `cosine(logspace(0.01, 1, 5), 0.0, 100)` the call waits until a value is drawn for
the dimension; see `jaxsched.calls`.
"""

import math
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
from jax.tree_util import GetAttrKey

from ...calls import Call
from ...errors import echoes
from .dimensions import Choice, Range


@echoes
def choice(values: Iterable[Any]) -> Any:
    """Makes a dimension of values to choose from.

    Args:
        values: Numbers, or anything else that differs in how it is written: curves,
            schedules, or spaces of their own.

    Returns:
        A dimension, to use in place of a value.

    Raises:
        ValueError: If there are none, or two are the same.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> js.linear(search.choice([0.1, 0.2]), 0.0, steps=10)
        linear(choice([0.1, 0.2]), 0.0, steps=10)
    """
    values = [_plain(value) for value in values]
    # One type, so that all of them share a compilation.
    if any(isinstance(value, float) for value in values):
        values = [float(v) if type(v) is int else v for v in values]
    labels = (v if isinstance(v, float | int | str) else repr(v) for v in values)
    return Choice(tuple(values), tuple(labels))


@echoes
def linspace(low: float, high: float, count: int) -> Any:
    """Makes a dimension of `count` evenly spaced numbers, both ends included.

    Args:
        low: The first.
        high: The last.
        count: How many, one or more.

    Returns:
        A dimension, to use in place of a number.

    Raises:
        ValueError: If there are none, or two are the same.

    Example:
        >>> from jaxsched import search
        >>> search.linspace(0.0, 1.0, 3)
        choice([0.0, 0.5, 1.0])
    """
    return choice(np.linspace(low, high, count).tolist())


@echoes
def logspace(low: float, high: float, count: int) -> Any:
    """Makes a dimension of `count` numbers with equal ratios, both ends included.

    Args:
        low: The first, positive; not an exponent, as NumPy has it.
        high: The last, positive.
        count: How many, one or more.

    Returns:
        A dimension, to use in place of a number.

    Raises:
        ValueError: If an end is not positive, there are none, or two are the same.

    Example:
        >>> from jaxsched import search
        >>> search.logspace(0.01, 1.0, 3)
        choice([0.01, 0.1, 1.0])
    """
    if not (0 < low < math.inf and 0 < high < math.inf):
        raise ValueError(f"Both ends must be finite and > 0, got {low} and {high}.")
    return choice(np.geomspace(low, high, count).tolist())


@echoes
def uniform(low: float, high: float) -> Any:
    """Makes a dimension of all numbers from `low` to `high`, alike likely.

    Args:
        low: The least.
        high: The greatest.

    Returns:
        A dimension, to use in place of a number.

    Raises:
        ValueError: If the ends are not finite, or not in order.

    Example:
        >>> from jaxsched import search
        >>> search.uniform(0.0, 0.5)
        uniform(0.0, 0.5)
    """
    return Range(float(low), float(high))


@echoes
def loguniform(low: float, high: float) -> Any:
    """Makes a dimension of all numbers between, of alike likely orders of magnitude.

    Args:
        low: The least, positive.
        high: The greatest.

    Returns:
        A dimension, to use in place of a number.

    Raises:
        ValueError: If the ends are not finite and positive, or not in order.

    Example:
        >>> from jaxsched import search
        >>> search.loguniform(1e-4, 1e-1)
        loguniform(0.0001, 0.1)
    """
    return Range(float(low), float(high), log=True)


def one_of(*families: Any, **named: Any) -> Any:
    """Makes a dimension of families: of each, only its own dimensions are drawn.

    Args:
        *families: Schedules, or calls with dimensions. They are called by the name of
            their function; a number is appended where that is there already.
        **named: The same, by names of your own.

    Returns:
        A dimension, to use in place of a schedule, or as a space.

    Raises:
        ValueError: If there are none.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> peak = search.logspace(0.01, 1.0, 3)
        >>> search.one_of(js.constant(peak), js.linear(peak, 0.0, steps=10))
        choice(['constant', 'linear'])
    """
    labelled: dict[str, Any] = {}
    for family in families:
        name = name_of(family)
        taken = sum(label.partition(" ")[0] == name for label in labelled)
        labelled[f"{name} {taken + 1}" if taken else name] = family
    labelled |= named
    return Choice(tuple(labelled.values()), tuple(labelled))


class Config:
    """Values by name, as attributes: what a task is given, and a pytree.

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


def space(**values: Any) -> Any:
    """Makes a space of more than a schedule: its `config` has these attributes.

    Args:
        **values: Schedules, numbers, dimensions, or calls with dimensions. One that is
            called `seed` is what the random key is made from: candidates that differ
            in nothing else are ranked as one, by their mean.

    Returns:
        A space for `search.run`.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> search.space(
        ...     lr=js.linear(search.logspace(0.01, 1.0, 3), 0.0, steps=10),
        ...     weight_decay=search.loguniform(1e-5, 1e-1),
        ... )
        Config(lr=linear(choice([0.01, 0.1, 1.0]), 0.0, steps=10),
               weight_decay=loguniform(1e-05, 0.1))
    """
    return Call(Config, (), values)


def name_of(family: Any) -> str:
    """Returns what to call a schedule, or a call of one."""
    if isinstance(family, Call):
        return str(getattr(family.function, "__name__", family.function))
    return type(family).__name__.lower()


def _plain(value: Any) -> Any:
    """Makes Python numbers of NumPy's, which are written differently."""
    return value.item() if isinstance(value, np.generic) else value
