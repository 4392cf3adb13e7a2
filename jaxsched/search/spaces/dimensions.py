"""Dimensions: what goes where a number does, and is searched."""

import abc
import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from ...calls import Waiting


Label: TypeAlias = float | int | str
"""What is written into a table for a value."""


@dataclasses.dataclass(frozen=True, eq=False)
class Dimension(Waiting, abc.ABC):
    """What a search chooses. One that is used twice has one value in both places."""

    @abc.abstractmethod
    def at(self, fraction: float) -> Any:
        """Returns the coordinate at a fraction of the way, from 0 to 1."""

    @abc.abstractmethod
    def value(self, coordinate: Any) -> Any:
        """Returns what there is at a coordinate."""

    @abc.abstractmethod
    def label(self, coordinate: Any) -> Label:
        """Returns what to write into a table for it."""

    @abc.abstractmethod
    def coordinate(self, label: Label) -> Any:
        """Returns where the value with this label is."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Choice(Dimension):
    """One of `values`, which may be spaces themselves; its coordinate is an index."""

    values: tuple[Any, ...]
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("There is nothing to choose from.")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"Choices must differ, got {list(self.labels)}.")

    def __repr__(self) -> str:
        return f"choice({list(self.labels)})"

    def at(self, fraction: float) -> int:
        return min(int(fraction * len(self.values)), len(self.values) - 1)

    def value(self, coordinate: int) -> Any:
        return self.values[coordinate]

    def label(self, coordinate: int) -> Label:
        return self.labels[coordinate]

    def coordinate(self, label: Label) -> int:
        if label not in self._places:
            raise ValueError(f"{label!r} is not among {list(self.labels)}.")
        return self._places[label]

    @functools.cached_property
    def _places(self) -> Mapping[Label, int]:
        return {label: place for place, label in enumerate(self.labels)}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Range(Dimension):
    """A number from `low` to `high`; it is its own coordinate."""

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
            value = math.exp(
                (1 - fraction) * math.log(self.low) + fraction * math.log(self.high)
            )
        else:
            value = self.low + (self.high - self.low) * fraction
        return min(max(value, self.low), self.high)

    def value(self, coordinate: float) -> float:
        return coordinate

    def label(self, coordinate: float) -> float:
        return coordinate

    def coordinate(self, label: Label) -> float:
        return float(label)
