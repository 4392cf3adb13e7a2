"""Candidates: the schedules that a search compares, and grids of them."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from .. import recipes as published
from ..errors import named
from ..schedule import Schedule


Call: TypeAlias = functools.partial[Any]
"""A call of a function that returns a schedule."""

Recipe: TypeAlias = Callable[[float, float, float], Schedule | Call]
"""From a peak, the steps of the warmup, and the steps of all, to a schedule.

It may return the call that makes the schedule instead, so that this can be shown.
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """A schedule, what to call it, and how to write it down."""

    recipe: str
    hyperparameters: Mapping[str, float]
    schedule: Schedule
    code: str


def _cyclic(peak: float, warmup: float, steps: float) -> Call:
    """Four cycles, or as many as the ascents leave room for."""
    down = max(steps / 4 - warmup, warmup, 1)
    return functools.partial(
        published.triangular, 0.0, peak, up_steps=warmup, down_steps=down
    )


def _wsd(peak: float, warmup: float, steps: float) -> Call:
    """A decay over the last fifth, or over what the warmup leaves of it."""
    return functools.partial(
        published.wsd,
        peak,
        warmup_steps=warmup,
        decay_steps=min(steps // 5, steps - warmup),
        total_steps=steps,
    )


RECIPES: Mapping[str, Recipe] = {
    "constant": lambda peak, warmup, steps: functools.partial(
        published.warmup_constant, peak, warmup_steps=warmup
    ),
    "linear": lambda peak, warmup, steps: functools.partial(
        published.warmup_linear, peak, warmup_steps=warmup, total_steps=steps
    ),
    "cosine": lambda peak, warmup, steps: functools.partial(
        published.warmup_cosine, peak, warmup_steps=warmup, total_steps=steps
    ),
    "polynomial": lambda peak, warmup, steps: functools.partial(
        published.warmup_polynomial,
        peak,
        warmup_steps=warmup,
        total_steps=steps,
        power=2,
    ),
    "exponential": lambda peak, warmup, steps: functools.partial(
        published.warmup_exponential,
        peak,
        warmup_steps=warmup,
        total_steps=steps,
        end=peak / 100,
    ),
    "inverse_sqrt": lambda peak, warmup, steps: functools.partial(
        published.warmup_inverse_sqrt,
        peak,
        warmup_steps=warmup,
        timescale=max(warmup, 1),
    ),
    "wsd": _wsd,
    "cyclic": _cyclic,
}
"""What is compared unless told otherwise: each with a warmup, most with a decay."""


def grid(
    recipes: Mapping[str, Recipe] | Iterable[str] = RECIPES,
    *,
    peaks: Sequence[float],
    warmups: Sequence[float],
    steps: int,
) -> list[Candidate]:
    """Makes every combination of a recipe, a peak and a warmup.

    Args:
        recipes: Names out of `RECIPES`, or recipes of your own by name: functions of
            the peak, the steps of the warmup and the steps of all.
        peaks: The highest rates, positive.
        warmups: How many steps the warmups take, from 0 to `steps`.
        steps: How many steps are trained, positive.

    Returns:
        One candidate for each.

    Raises:
        ValueError: If a recipe is unknown, or a number is out of its range.

    Example:
        >>> from jaxsched import search
        >>> found = search.grid(["cosine"], peaks=[0.1, 0.2], warmups=[5], steps=50)
        >>> [candidate.code for candidate in found]
        ['warmup_cosine(0.1, warmup_steps=5, total_steps=50)',
         'warmup_cosine(0.2, warmup_steps=5, total_steps=50)']
    """
    _check(peaks, warmups, steps)
    if not isinstance(recipes, Mapping):
        recipes = {name: named("recipe", name, RECIPES) for name in recipes}
    return [
        _candidate(name, recipe, peak, warmup, steps)
        for (name, recipe), peak, warmup in itertools.product(
            recipes.items(), dict.fromkeys(peaks), dict.fromkeys(warmups)
        )
    ]


def as_candidates(
    given: Mapping[str, Candidate | Schedule] | Iterable[Candidate | Schedule],
) -> list[Candidate]:
    """Gives names to schedules that have none."""
    if not isinstance(given, Mapping):
        given = {f"schedule {number}": item for number, item in enumerate(given)}
    return [
        item
        if isinstance(item, Candidate)
        else Candidate(str(name), {}, item, repr(item))
        for name, item in given.items()
    ]


def _check(peaks: Sequence[float], warmups: Sequence[float], steps: int) -> None:
    if steps <= 0:
        raise ValueError(f"The number of steps must be positive, got {steps}.")
    for peak in peaks:
        if not 0 < peak < float("inf"):
            raise ValueError(f"A peak must be a finite number > 0, got {peak}.")
    for warmup in warmups:
        if not 0 <= warmup <= steps:
            raise ValueError(
                f"A warmup must take from 0 to {steps} steps, as many as are trained, "
                f"got {warmup}."
            )


def _candidate(
    name: str, recipe: Recipe, peak: float, warmup: float, steps: float
) -> Candidate:
    made = recipe(peak, warmup, steps)
    hyperparameters = {"peak": peak, "warmup_steps": warmup}
    if isinstance(made, Schedule):
        return Candidate(name, hyperparameters, made, repr(made))
    return Candidate(name, hyperparameters, made(), _written(made))


def _written(call: Call) -> str:
    values = [f"{value:g}" for value in call.args]
    values += [f"{name}={value:g}" for name, value in call.keywords.items()]
    return f"{call.func.__name__}({', '.join(values)})"
