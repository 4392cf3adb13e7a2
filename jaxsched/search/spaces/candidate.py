"""A candidate: one point of a space, and how to write it down."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ...schedule import Schedule


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """One point of a space.

    Attributes:
        family: The names of the families that were chosen, or what was called.
        hyperparameters: What was drawn for each dimension, by name.
        config: What a task is given: a schedule, or a `Config` that holds one.
        code: An expression that makes it.
    """

    family: str
    hyperparameters: Mapping[str, float | int | str]
    config: Any
    code: str

    @property
    def key(self) -> tuple[tuple[str, float | int | str], ...]:
        """What was drawn, to tell candidates of one space apart."""
        return tuple(self.hyperparameters.items())

    @property
    def schedule(self) -> Schedule:
        """The schedule: all of `config`, or what it calls `lr`, or the first it holds.

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
