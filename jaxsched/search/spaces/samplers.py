"""Samplers: which points of a space to try."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ...imports import extra
from .candidate import Candidate
from .dimensions import Choice, Dimension, Label, Range
from .space import Space


Sampler: TypeAlias = Callable[[Space, int | None], Iterable[Candidate]]
"""From a space and how many samples are wanted, to what to try."""


def grid(space: Space, samples: int | None = None) -> Iterator[Candidate]:
    """Yields every combination once; of families, those of each one after another.

    Args:
        space: Whose dimensions are all finite.
        samples: How many of them, from the first on; all unless given.

    Raises:
        ValueError: If a dimension is a range.
    """

    def values(name: str, dimension: Dimension) -> Sequence[Any]:
        if isinstance(dimension, Choice):
            return range(len(dimension.values))
        raise ValueError(
            f"A grid needs dimensions with a number of values, such as `logspace`; "
            f"`{name}` is {dimension!r}. Or take samples, with sampler='random'."
        )

    return itertools.islice(_combinations(space, values), samples)


def structures(space: Space) -> list[Any]:
    """Returns a config of each kind that there is in a space."""

    def kinds(_: str, dimension: Dimension) -> Sequence[Any]:
        if isinstance(dimension, Choice):
            # Those that are numbers are all of one kind.
            varied = any(isinstance(label, str) for label in dimension.labels)
            return range(len(dimension.values) if varied else 1)
        return [dimension.at(0.5)]

    return [candidate.config for candidate in _combinations(space, kinds)]


def _combinations(
    space: Space, values: Callable[[str, Dimension], Sequence[Any]]
) -> Iterator[Candidate]:
    """Goes through all of `values`, as an odometer with wheels on wheels does.

    Which dimensions there are may depend on what was drawn for the ones before.
    """
    turned: list[int] = []
    while True:
        wheels: list[Sequence[Any]] = []

        def suggest(name: str, dimension: Dimension) -> Any:
            wheels.append(values(name, dimension))  # noqa: B023
            if len(turned) < len(wheels):  # noqa: B023
                turned.append(0)
            place = len(wheels) - 1  # noqa: B023
            return wheels[place][turned[place]]  # noqa: B023

        yield space.draw(suggest)
        del turned[len(wheels) :]
        while turned and turned[-1] + 1 == len(wheels[len(turned) - 1]):
            turned.pop()
        if not turned:
            return
        turned[-1] += 1


def random(
    space: Space, samples: int | None = None, *, seed: int = 0
) -> Iterator[Candidate]:
    """Yields independent points; the first ones are the same for any number of them.

    Args:
        space: Of any dimensions.
        samples: How many.
        seed: Another seed yields other points.

    Raises:
        ValueError: If `samples` is missing.
    """
    for number in range(_needed(samples, "random")):
        generator = np.random.default_rng((seed, number))

        def suggest(_: str, dimension: Dimension, generator: Any = generator) -> Any:
            return dimension.at(generator.random())

        yield space.draw(suggest)


def sobol(
    space: Space, samples: int | None = None, *, seed: int = 0
) -> Iterator[Candidate]:
    """Yields points that fill the space evenly, best if they are a power of two.

    Args:
        space: Of any dimensions.
        samples: How many.
        seed: Another seed yields other points.

    Raises:
        ValueError: If `samples` is missing.

    Source:
        Sobol, 1967, *On the distribution of points in a cube*; scrambled as in Owen,
        1998, *Scrambling Sobol' and Niederreiter-Xing points*.
    """
    from scipy.stats import qmc  # type: ignore[import-untyped]  # noqa: PLC0415

    count = _needed(samples, "sobol")
    columns = {name: column for column, name in enumerate(space.names.values())}
    if not columns:
        yield from random(space, count)
        return
    engine = qmc.Sobol(len(columns), rng=seed)
    for row in engine.random_base2(math.ceil(math.log2(count)))[:count]:

        def suggest(name: str, dimension: Dimension, row: Any = row) -> Any:
            return dimension.at(row[columns[name]])

        yield space.draw(suggest)


SAMPLERS: Mapping[str, Sampler] = {"grid": grid, "random": random, "sobol": sobol}
"""Those that know all their points before anything is trained."""


class Adaptive:
    """Asks Optuna what to try next, given what came of the rest.

    Args:
        sampler: Such as `optuna.samplers.TPESampler(seed=0)`; or the name of one, in
            `ADAPTIVE`.
        space: What to search.
    """

    def __init__(self, sampler: Any, space: Space) -> None:
        with extra("optuna"):
            import optuna  # noqa: PLC0415

        if isinstance(sampler, str):
            sampler = getattr(optuna.samplers, ADAPTIVE[sampler])(seed=0)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = optuna.storages.InMemoryStorage()
        self._study = optuna.create_study(sampler=sampler, storage=storage)
        self._space = space
        self._asked: dict[Any, list[Any]] = {}

    def ask(self, count: int) -> list[Candidate]:
        """Returns what to try next."""
        return [self._asked_for(self._study.ask()) for _ in range(count)]

    def _asked_for(self, trial: Any) -> Candidate:
        def suggest(_: str, dimension: Dimension) -> Any:
            name = self._space.unique(dimension)
            if isinstance(dimension, Range):
                low, high = dimension.low, dimension.high
                return trial.suggest_float(name, low, high, log=dimension.log)
            assert isinstance(dimension, Choice)
            label = trial.suggest_categorical(name, dimension.labels)
            return dimension.coordinate(label)

        candidate = self._space.draw(suggest)
        self._asked.setdefault(candidate.key, []).append(trial)
        return candidate

    def tell(self, labels: Mapping[str, Label], value: float) -> None:
        """Says what came of a candidate: less is better, and infinity that it diverged.

        It may have been asked for by another process, or before a crash.
        """
        key = tuple(labels.items())
        if not self._asked.get(key):
            parameters = self._space.parameters(labels)
            self._study.enqueue_trial(
                {n: label for n, (_, label) in parameters.items()}
            )
            self.ask(1)
        self._study.tell(self._asked[key].pop(), value)


ADAPTIVE = {"tpe": "TPESampler", "cmaes": "CmaEsSampler", "gp": "GPSampler"}
"""Samplers of Optuna, by short names."""


def _needed(samples: Any, name: str) -> int:
    if not isinstance(samples, int) or samples < 1:
        raise ValueError(f"sampler={name!r} needs `samples`, 1 or more, got {samples}.")
    return samples
