"""Shapes: which shape of a schedule is best, apart from how high it is.

The base rate matters more than the shape, so that to compare shapes at one rate would
be to compare how well it suits them. Each is scored at its own best base rate.
"""

import dataclasses
import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence

import jax
import numpy as np

from ...domain import POSITIVE
from ...errors import echoes, named
from ...hyperparameters import as_leaf
from ...schedule import Schedule
from ..search import run
from ..task import Train
from .families import SHAPES, Family
from .scores import Shapes


@echoes
def shapes(
    train: Train,
    families: Mapping[str, Family] | Iterable[str] = SHAPES,
    *,
    steps: int,
    rates: Sequence[float],
    samples: int,
    key: jax.Array,
    seeds: int = 3,
    metric: str = "validation",
) -> Shapes:
    """Searches for the best shape, each at its own best base rate.

    It draws shapes at random, multiplies each with each base rate, trains with each
    product and each seed, and then with the best of each family again.

    Args:
        train: Trains once: `train(schedule, key)` returns a dict of metrics, as for
            `run`.
        families: Names out of `SHAPES`, or families of your own by name.
        steps: How many steps `train` takes.
        rates: The base rates, positive: the grid should go beyond the best one of
            every shape that is any good.
        samples: How many shapes of each family are drawn.
        key: The key that shapes and seeds are drawn with. All schedules meet the same
            seeds, and the shapes of a family do not depend on which others there are.
        seeds: How many times each schedule is trained, at least 2.
        metric: The metric to rank by: a scalar; less is better.

    Returns:
        The shapes, ranked. That takes `(samples * len(rates) + 1) * seeds` runs for
        each family.

    Raises:
        ValueError: If a family is unknown, a number is out of its range, or `metric`
            is no scalar metric.

    Warns:
        UserWarning: If the best shape of a family is best at the lowest or the highest
            of the rates: the grid was too narrow.

    Example:
        >>> import jax
        >>> from jaxsched.search import shapes
        >>> def train(schedule, key):  # noisy gradient descent on x**2 / 2
        ...     noise = jax.random.normal(key, (50,))
        ...     step = lambda count, x: x - schedule(count) * (x + noise[count])
        ...     return {"validation": jax.lax.fori_loop(0, 50, step, 9.0) ** 2 / 2}
        >>> found = shapes(
        ...     train, ["rex", "cosine"], steps=50, rates=[0.03, 0.1, 0.3, 1.0],
        ...     samples=8, seeds=8, key=jax.random.key(0),
        ... )
        >>> found.best().rate
        0.3

    Source:
        Naganuma et al., 2026, *What do near-optimal learning rate schedules look
        like?*, https://arxiv.org/abs/2603.10301. Its code takes medians over all seeds;
        means over held-out seeds, and to confirm with fresh ones, are added here.
    """
    if samples < 1 or seeds < 2:
        raise ValueError(
            "`samples` must be at least 1, and `seeds` at least 2, so that some can "
            f"choose a rate for others, got {samples!r} and {seeds!r}."
        )
    if not isinstance(families, Mapping):
        families = {name: named("family", name, SHAPES) for name in families}
    grid = sorted({as_leaf(rate, POSITIVE, "rates") for rate in rates})
    drawn, chosen, fresh = jax.random.split(key, 3)
    numbers = [
        (name, family.draw(generator))
        for name, family in families.items()
        for generator in [_generator(drawn, name)]
        for _ in range(samples)
    ]
    made = [families[name].shape(steps, **given) for name, given in numbers]
    scored = functools.partial(_train, train, steps=steps, seeds=seeds, metric=metric)
    scores = scored([rate * shape for shape in made for rate in grid], key=chosen)
    found = Shapes(
        families=tuple(name for name, _ in numbers),
        numbers=tuple(given for _, given in numbers),
        shapes=tuple(made),
        rates=np.array(grid),
        scores=scores.reshape(len(made), len(grid), seeds),
    )
    if found.winners:
        best = [grid[found.best_rates[i]] * made[i] for i in found.winners.values()]
        confirmed = dict(zip(found.winners, scored(best, key=fresh), strict=True))
        found = dataclasses.replace(found, confirmed=confirmed)
    _warn_of_edges(found)
    return found


def _train(
    train: Train,
    schedules: Sequence[Schedule],
    *,
    steps: int,
    key: jax.Array,
    seeds: int,
    metric: str,
) -> np.ndarray:
    """Trains with every schedule and every seed: `[schedules, seeds]` scores."""
    results = run(
        train, schedules, steps=steps, key=key, seeds=seeds, metric=metric, mode="min"
    )
    return results.metrics[metric].reshape(len(schedules), seeds).astype(float)


def _generator(key: jax.Array, name: str) -> np.random.Generator:
    """A generator for the family called `name`, whatever others there are."""
    words = np.asarray(jax.random.bits(key, (4,), "uint32"))
    return np.random.default_rng([*words.tolist(), *name.encode()])


def _warn_of_edges(found: Shapes) -> None:
    edges = [f"{s.family!r} ({s.edge})" for s in found.best_of_each() if s.edge]
    if edges:
        warnings.warn(
            "The best shape is best at an edge of `rates`, and may be better beyond: "
            f"{', '.join(edges)}.",
            stacklevel=4,
        )
