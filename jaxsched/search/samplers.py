"""Samplers: which points of a space to try.

A sampler that knows all its points before anything is trained is a function from a
space, a number of samples and a seed to candidates. One that learns from the results is
an object with `ask`; see `Adaptive`.
"""

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from .objective import Objective
from .spaces.candidate import Candidate
from .spaces.dimensions import Dimension, Label
from .spaces.space import Space
from .trial import Trial


Sampler: TypeAlias = Callable[..., Iterable[Candidate]]
"""From a space, the number of samples, and `seed=`, to candidates."""

PATIENCE = 100
"""After so many repetitions in a row, a sampler has nothing new."""


class Adaptive(Protocol):
    """A sampler that learns: it proposes candidates from the results so far.

    Every process of a search has one of its own. All that they know of each other is
    in `trials`, which are read and extended in one transaction.
    """

    def ask(
        self,
        space: Space,
        count: int,
        trials: Sequence[Trial],
        objective: Objective,
        seed: int,
    ) -> Iterable[Candidate]:
        """Returns candidates to try next.

        Args:
            space: The space.
            count: How many are needed; fewer end the search.
            trials: All trials so far, those that run among them, without metrics that
                are arrays. A candidate has one for each seed.
            objective: The metric and its direction.
            seed: A number from the key of the search and the number of candidates, so
                that no two calls have the same.
        """
        ...


def grid(
    space: Space, samples: int | None = None, *, seed: int = 0
) -> Iterator[Candidate]:
    """Yields every combination once, family by family.

    Args:
        space: A space without ranges.
        samples: How many of them, from the first on; all unless given.
        seed: Not used.

    Raises:
        ValueError: If a dimension is a range.
    """
    del seed

    def values(name: str, dimension: Dimension) -> Sequence[Label]:
        if dimension.labels is not None:
            return dimension.labels
        raise ValueError(
            f"A grid needs dimensions with a number of values, such as `logspace`; "
            f"`{name}` is {dimension!r}. Or take samples, with sampler='random'."
        )

    return itertools.islice(_combinations(space, values), samples)


def structures(space: Space) -> list[Any]:
    """Returns a config of each structure in a space."""

    def kinds(_: str, dimension: Dimension) -> Sequence[Label]:
        labels = dimension.labels
        # Numbers differ in nothing else; texts stand for objects of any structure.
        if labels is not None and any(isinstance(label, str) for label in labels):
            return labels
        return [dimension.at(0.5)]

    return [candidate.config for candidate in _combinations(space, kinds)]


def _combinations(
    space: Space, values: Callable[[str, Dimension], Sequence[Label]]
) -> Iterator[Candidate]:
    """Goes through all `values` like an odometer.

    Which wheels it has may depend on the positions of the wheels before them.
    """
    turned: list[int] = []
    while True:
        wheels: list[Sequence[Label]] = []

        def suggest(name: str, dimension: Dimension) -> Label:
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
    """Yields independent points, each once.

    The first ones are the same for any number of samples.

    Args:
        space: A space of any dimensions.
        samples: How many points; fewer if the space has no more.
        seed: Another seed yields other points.

    Raises:
        ValueError: If `samples` is missing.
    """

    def draw(number: int) -> Candidate:
        generator = np.random.default_rng((seed, number))
        return space.draw(lambda _, dimension: dimension.at(generator.random()))

    needed = _needed(samples, "random")
    return _distinct(map(draw, itertools.count()), needed, space)


def sobol(
    space: Space, samples: int | None = None, *, seed: int = 0
) -> Iterator[Candidate]:
    """Yields points that fill the space evenly, best if they are a power of two.

    Args:
        space: A space of any dimensions.
        samples: How many points; fewer if the space has no more.
        seed: Another seed yields other points.

    Raises:
        ValueError: If `samples` is missing.

    Source:
        Sobol, 1967, *On the distribution of points in a cube*; scrambled as in Owen,
        1998, *Scrambling Sobol' and Niederreiter-Xing points*.
    """
    from scipy.stats import qmc  # type: ignore[import-untyped]  # noqa: PLC0415

    needed = _needed(samples, "sobol")
    columns = {name: column for column, name in enumerate(space.names.values())}
    engine = qmc.Sobol(max(len(columns), 1), rng=seed)

    def rows() -> Iterator[np.ndarray]:
        # A power of two at first, which is balanced, and single points after it.
        yield from engine.random_base2(math.ceil(math.log2(needed)))
        while True:
            yield engine.random(1)[0]

    def draw(row: np.ndarray) -> Candidate:
        return space.draw(lambda name, dimension: dimension.at(row[columns[name]]))

    return _distinct(map(draw, rows()), needed, space)


SAMPLERS: Mapping[str, Sampler] = {"grid": grid, "random": random, "sobol": sobol}
"""Samplers that know all their points before anything is trained."""


def draw(
    sampler: Sampler, space: Space, samples: int | None, seed: int
) -> tuple[Candidate, ...]:
    """Returns the candidates of a sampler, each once.

    Args:
        sampler: One of `SAMPLERS`, or a function of your own of a space and a number
            of samples; it may take `seed`, too.
        space: The space.
        samples: How many candidates.
        seed: The seed.
    """
    parameters = inspect.signature(sampler).parameters.values()
    takes_seed = any(p.name == "seed" or p.kind is p.VAR_KEYWORD for p in parameters)
    drawn = sampler(space, samples, **({"seed": seed} if takes_seed else {}))
    return tuple({candidate.key: candidate for candidate in drawn}.values())


def _distinct(
    draws: Iterator[Candidate], samples: int, space: Space
) -> Iterator[Candidate]:
    """Yields candidates that differ, until there are enough or no more are found."""
    seen: set[Any] = set()
    repeated = 0
    while len(seen) < min(samples, space.size) and repeated < PATIENCE:
        candidate = next(draws)
        repeated += 1
        if candidate.key not in seen:
            seen.add(candidate.key)
            repeated = 0
            yield candidate


def _needed(samples: Any, name: str) -> int:
    if not isinstance(samples, int) or samples < 1:
        raise ValueError(f"sampler={name!r} needs `samples`, 1 or more, got {samples}.")
    return samples
