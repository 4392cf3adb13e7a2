"""GreedyLR: the rate falls while a metric stalls, and rises while it improves."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ...domain import COUNT, INFINITY, INSIDE, NONNEGATIVE, PORTION
from ...errors import echoes, named
from ...numerics import positive
from ...tree import hyper, static
from ...types import Scalar
from .reducer import (
    AT_LEAST_ONE,
    RELATIVE,
    SIGNS,
    Mode,
    Reducer,
    ThresholdMode,
    improves,
    number,
)


__all__ = ["Greedy", "GreedyState", "greedy"]


class GreedyState(NamedTuple):
    """What `Greedy` remembers: scalars, and the last metrics."""

    scale: jax.Array
    best: jax.Array
    good: jax.Array
    """How many evaluations in a row were improvements."""
    bad: jax.Array
    """How many in a row were none."""
    waiting: jax.Array
    """How many evaluations of the warmup or of the cooldown are left."""
    stuck: jax.Array
    """How many reductions ended at the lowest scale, since the rate last rose."""
    recent: jax.Array
    """The metrics to average, the last one last; infinite where there is none yet."""


class Greedy(Reducer[GreedyState]):
    """Lowers the scale when a metric has not improved, and raises it when it has."""

    lowest: Scalar = hyper(PORTION)
    highest: Scalar = hyper(AT_LEAST_ONE)
    factor: Scalar = hyper(INSIDE, default=0.95)
    patience: Scalar = hyper(NONNEGATIVE, default=10.0)
    mode: Mode = static(default="min")
    threshold: Scalar = hyper(NONNEGATIVE, default=1e-6)
    threshold_mode: ThresholdMode = static(default="absolute")
    cooldown: Scalar = hyper(NONNEGATIVE, default=0.0)
    warmup: Scalar = hyper(NONNEGATIVE, default=0.0)
    reset_after: Scalar = hyper(COUNT, default=500.0)
    window: int = static(default=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        named("mode", self.mode, SIGNS)
        named("threshold mode", self.threshold_mode, RELATIVE)
        if self.window < 1:
            raise ValueError(
                f"`Greedy.window` must be a whole number >= 1, got {self.window!r}."
            )

    def init(self) -> GreedyState:
        return GreedyState(
            scale=number(1.0),
            best=number(SIGNS[self.mode] * INFINITY),
            good=number(0.0),
            bad=number(0.0),
            waiting=number(0.0),
            stuck=number(0.0),
            recent=jnp.full(self.window, INFINITY, jnp.result_type(float)),
        )

    def react(self, state: GreedyState, metric: jax.Array) -> GreedyState:
        later = jnp.append(state.recent[1:], metric)
        recent = jnp.where(jnp.isnan(metric), state.recent, later)
        smooth = jnp.where(jnp.isfinite(metric), _mean_of_finite(recent), metric)

        # Nothing counts during a warmup or a cooldown, and nothing becomes the best.
        waiting = state.waiting > 0
        improved = improves(
            smooth, state.best, self.mode, self.threshold, self.threshold_mode
        )
        good = jnp.where(improved & ~waiting, state.good + 1, 0.0)
        bad = jnp.where(improved | waiting, 0.0, state.bad + 1)
        raised, lowered = good > self.patience, bad > self.patience

        higher = jnp.minimum(state.scale / positive(self.factor), self.highest)
        lower = jnp.maximum(state.scale * self.factor, self.lowest)
        at_lowest = lowered & (lower <= self.lowest)
        left = jnp.maximum(state.waiting - 1, 0.0)
        after = GreedyState(
            scale=jnp.where(raised, higher, jnp.where(lowered, lower, state.scale)),
            best=jnp.where(improved & ~waiting, smooth, state.best),
            good=jnp.where(raised, 0.0, good),
            bad=jnp.where(lowered, 0.0, bad),
            waiting=jnp.where(
                raised, self.warmup, jnp.where(lowered, self.cooldown, left)
            ),
            stuck=jnp.where(raised, 0.0, state.stuck + jnp.where(at_lowest, 1.0, 0.0)),
            recent=recent,
        )
        anew = at_lowest & (after.stuck >= self.reset_after)
        start = self.init()._replace(waiting=after.waiting)
        pairs = zip(start, after, strict=True)
        return GreedyState(*(jnp.where(anew, new, old) for new, old in pairs))


def _mean_of_finite(x: jax.Array) -> jax.Array:
    there = jnp.isfinite(x)
    count = jnp.where(there, 1.0, 0.0).sum()
    return jnp.where(there, x, 0.0).sum() / positive(count)


@echoes
def greedy(
    factor: Scalar = 0.95,
    *,
    patience: Scalar = 10.0,
    mode: Mode = "min",
    threshold: Scalar = 1e-6,
    threshold_mode: ThresholdMode = "absolute",
    cooldown: Scalar = 0.0,
    warmup: Scalar = 0.0,
    lowest: Scalar,
    highest: Scalar,
    reset_after: Scalar = 500.0,
    window: int = 1,
) -> Greedy:
    """Reduces the rate while a metric stalls, and raises it while it improves.

    A metric that is NaN is no improvement, never the best, and not averaged.

    Args:
        factor: What the scale is multiplied by to lower it, and divided by to raise
            it; between 0 and 1.
        patience: The rate falls after more than so many bad evaluations in a row, and
            rises after more than so many good ones.
        mode: Whether less is better, "min", or more, "max".
        threshold: By how much a metric must be better than the best one to be an
            improvement.
        threshold_mode: What the threshold is: a difference if "absolute"; a fraction
            of the magnitude of the best if "relative", also where that is negative.
        cooldown: How many evaluations to ignore after the rate fell.
        warmup: How many evaluations to ignore after the rate rose.
        lowest: The least scale, at most 1.
        highest: The greatest scale, at least 1.
        reset_after: After so many reductions that left the rate at its lowest, all
            starts anew, at a scale of 1; `inf` for never. A rise begins that count
            again.
        window: How many of the last metrics to average. It is structure, so another
            one compiles anew.

    Returns:
        A reducer. It does what `GreedyLR` of Transformers does, whose bounds are rates
        where these are factors, and which does not change a rate by less than 1e-8.

    Raises:
        ValueError: If a number is not allowed, or a name unknown.
        TypeError: If `window` is no whole number.

    Example:
        >>> from jaxsched.training.reducers import greedy
        >>> reducer = greedy(0.5, patience=1, lowest=0.1, highest=4)
        >>> state = reducer.init()
        >>> for loss in (4.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0):
        ...     state = reducer.update(state, loss)
        ...     print(state.scale)
        1.0
        2.0
        2.0
        2.0
        1.0
        1.0
        0.5

    Source:
        Subramanian et al., 2025, *Dynamic Learning Rate Scheduling based on Loss
        Changes Leads to Faster Convergence*, https://arxiv.org/abs/2512.14527.
    """
    return Greedy(
        lowest=lowest,
        highest=highest,
        factor=factor,
        patience=patience,
        mode=mode,
        threshold=threshold,
        threshold_mode=threshold_mode,
        cooldown=cooldown,
        warmup=warmup,
        reset_after=reset_after,
        window=window,
    )
