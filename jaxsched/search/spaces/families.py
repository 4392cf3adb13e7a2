"""Families: the published schedules that one would try first, as a space."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from ... import recipes
from ...calls import later
from ...errors import named
from .space import one_of


Family: TypeAlias = Callable[[Any, Any, int], Any]
"""From a peak, the steps of the warmup, and the steps of all, to a schedule."""


def _wsd(peak: Any, warmup: Any, steps: int) -> Any:
    """A decay over the last fifth, or over what the warmup leaves of it."""
    return recipes.wsd(
        peak,
        warmup_steps=warmup,
        decay_steps=later(min, steps // 5, steps - warmup),
        total_steps=steps,
    )


def _cyclic(peak: Any, warmup: Any, steps: int) -> Any:
    """Four cycles, or as many as the ascents leave room for."""
    down = later(max, steps / 4 - warmup, warmup, 1)
    return recipes.triangular(0.0, peak, up_steps=warmup, down_steps=down)


FAMILIES: Mapping[str, Family] = {
    "constant": lambda peak, warmup, steps: recipes.warmup_constant(
        peak, warmup_steps=warmup
    ),
    "linear": lambda peak, warmup, steps: recipes.warmup_linear(
        peak, warmup_steps=warmup, total_steps=steps
    ),
    "cosine": lambda peak, warmup, steps: recipes.warmup_cosine(
        peak, warmup_steps=warmup, total_steps=steps
    ),
    "polynomial": lambda peak, warmup, steps: recipes.warmup_polynomial(
        peak, warmup_steps=warmup, total_steps=steps, power=2
    ),
    "exponential": lambda peak, warmup, steps: recipes.warmup_exponential(
        peak, warmup_steps=warmup, total_steps=steps, end=peak / 100
    ),
    "inverse_sqrt": lambda peak, warmup, steps: recipes.warmup_inverse_sqrt(
        peak, warmup_steps=warmup, timescale=later(max, warmup, 1)
    ),
    "wsd": _wsd,
    "cyclic": _cyclic,
}
"""What is compared unless told otherwise: each with a warmup, most with a decay."""


def families(
    names: Iterable[str] = FAMILIES, *, peak: Any, warmup_steps: Any, steps: int
) -> Any:
    """Makes a space of published schedules that share a peak and a warmup.

    Args:
        names: Names out of `FAMILIES`.
        peak: The highest rate: a number, or a dimension.
        warmup_steps: How many steps the warmup takes: a number, or a dimension.
        steps: How many steps are trained.

    Returns:
        A space for `search.run`, or a part of one.

    Raises:
        ValueError: If a family is unknown.

    Example:
        >>> from jaxsched import search
        >>> peak = search.logspace(0.01, 1.0, 3)
        >>> search.families(["linear", "wsd"], peak=peak, warmup_steps=5, steps=50)
        choice(['linear', 'wsd'])
    """
    chosen = {name: named("family", name, FAMILIES) for name in names}
    return one_of(
        **{name: make(peak, warmup_steps, steps) for name, make in chosen.items()}
    )
