"""Dimensions: what a search chooses, written in place of a number.

In `cosine(logspace(0.01, 1, 5), 0.0, 100)` the call is deferred until a value is chosen
for the dimension; see `jaxsched.calls`.
"""

import abc
import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

from ...calls import Waiting
from ...errors import echoes


Label: TypeAlias = float | int | str
"""A chosen value: a number, or a text that stands for an object."""

NEAR = 0.02
"""A value so near to the end of a range, as a part of it, is at its edge."""


@dataclasses.dataclass(frozen=True, eq=False)
class Dimension(Waiting, abc.ABC):
    """What a search chooses. One that is used twice has one value in both places."""

    @property
    def labels(self) -> Sequence[Label] | None:
        """All values, if they can be counted."""
        return None

    @abc.abstractmethod
    def at(self, fraction: float) -> Label:
        """Returns the value at a fraction of the way, from 0 to 1."""

    @abc.abstractmethod
    def value(self, label: Label) -> Any:
        """Returns the object that a value stands for.

        Raises:
            ValueError: If there is no such value.
        """

    @abc.abstractmethod
    def edge(self, label: Label) -> str:
        """Returns "low" or "high" if a value is the first or the last, else ""."""

    @abc.abstractmethod
    def data(self) -> dict[str, Any]:
        """Describes the dimension for JSON; `from_data` reads it."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Choice(Dimension):
    """One of `values`, which may be spaces themselves."""

    values: tuple[Any, ...]
    names: tuple[Label, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("There is nothing to choose from.")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"Choices must differ, got {list(self.names)}.")

    def __repr__(self) -> str:
        return f"choice({list(self.names)})"

    @property
    def labels(self) -> Sequence[Label]:
        return self.names

    def at(self, fraction: float) -> Label:
        return self.names[min(int(fraction * len(self.names)), len(self.names) - 1)]

    def value(self, label: Label) -> Any:
        if label not in self._places:
            raise ValueError(f"{label!r} is not among {list(self.names)}.")
        return self.values[self._places[label]]

    def edge(self, label: Label) -> str:
        if len(self.names) < 3 or any(isinstance(name, str) for name in self.names):
            return ""
        numbers = [float(name) for name in self.names]
        if float(label) == min(numbers):
            return "low"
        return "high" if float(label) == max(numbers) else ""

    def data(self) -> dict[str, Any]:
        return {"choice": list(self.names)}

    @functools.cached_property
    def _places(self) -> Mapping[Label, int]:
        return {label: place for place, label in enumerate(self.names)}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Range(Dimension):
    """A number from `low` to `high`."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        least = 0.0 if self.log else -math.inf
        if not least < self.low < self.high < math.inf:
            allowed = "0 < low < high" if self.log else "finite low < high"
            raise ValueError(f"{self!r} needs {allowed}.")

    def __repr__(self) -> str:
        name = "loguniform" if self.log else "uniform"
        return f"{name}({self.low!r}, {self.high!r})"

    def at(self, fraction: float) -> float:
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            value = math.exp((1 - fraction) * low + fraction * high)
        else:
            value = self.low + (self.high - self.low) * fraction
        return min(max(value, self.low), self.high)

    def value(self, label: Label) -> float:
        return float(label)

    def edge(self, label: Label) -> str:
        if float(label) <= self.at(NEAR):
            return "low"
        return "high" if float(label) >= self.at(1 - NEAR) else ""

    def data(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Integers(Dimension):
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if name != "log" and not isinstance(value, int):
                raise ValueError(f"`{name}` must be an integer, got {value!r}.")
        if self.step < 1:
            raise ValueError(f"`step` must be 1 or more, got {self.step}.")
        if self.log and self.step != 1:
            raise ValueError("`log=True` needs step=1.")
        if self.low >= self.high or (self.log and self.low < 1):
            allowed = "1 <= low < high" if self.log else "low < high"
            raise ValueError(f"{self!r} needs {allowed}.")

    def __repr__(self) -> str:
        more = f", step={self.step}" if self.step != 1 else ""
        return f"integers({self.low}, {self.high}{', log=True' * self.log}{more})"

    @property
    def labels(self) -> Sequence[int]:
        return range(self.low, self.high + 1, self.step)

    def at(self, fraction: float) -> int:
        if self.log:
            # Each number has the part of the line that rounds to it.
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            number = round(math.exp((1 - fraction) * low + fraction * high))
            return min(max(number, self.low), self.high)
        count = len(self.labels)
        return self.labels[min(int(fraction * count), count - 1)]

    def value(self, label: Label) -> int:
        if isinstance(label, str) or int(label) not in self.labels:
            raise ValueError(f"{label!r} is not among {self!r}.")
        return int(label)

    def edge(self, label: Label) -> str:
        if len(self.labels) < 3:
            return ""
        if int(label) == self.labels[0]:
            return "low"
        return "high" if int(label) == self.labels[-1] else ""

    def data(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def from_data(data: Mapping[str, Any]) -> Dimension:
    """Makes a dimension of its description; texts stand for objects no longer.

    Example:
        >>> from_data(Integers(8, 64, log=True).data())
        integers(8, 64, log=True)
    """
    if "choice" in data:
        return Choice(tuple(data["choice"]), tuple(data["choice"]))
    return Integers(**data) if "step" in data else Range(**data)


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
    """Makes a dimension of all numbers from `low` to `high`, equally likely.

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
    """Makes a dimension of all numbers between, with equally likely logarithms.

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


@echoes
def integers(low: int, high: int, *, log: bool = False, step: int = 1) -> Any:
    """Makes a dimension of the whole numbers from `low` to `high`, both included.

    Args:
        low: The least; with `log`, 1 or more.
        high: The greatest that may be chosen.
        log: Whether orders of magnitude are equally likely, instead of numbers.
        step: The distance between two numbers; 1 with `log`.

    Returns:
        A dimension, to use in place of a number. In a grid it has all its numbers.

    Raises:
        ValueError: If a number is not whole, or out of its range.

    Example:
        >>> from jaxsched import search
        >>> search.integers(16, 128, step=16)
        integers(16, 128, step=16)
    """
    return Integers(_plain(low), _plain(high), log, _plain(step))


def _plain(value: Any) -> Any:
    """Makes Python numbers of scalars of NumPy and JAX."""
    if isinstance(value, np.generic):
        return value.item()
    is_array = isinstance(value, np.ndarray | jax.Array)
    return (
        value.item()
        if is_array and value.dtype.kind in "bif" and not value.ndim
        else value
    )
