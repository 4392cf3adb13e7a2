"""New-bob: the rate falls when a metric has hardly improved since the last time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...domain import INFINITY, INSIDE, NONNEGATIVE
from ...errors import echoes
from ...tree import hyper
from ...types import Scalar
from .reducer import Reducer, number


__all__ = ["NewBob", "NewBobState", "new_bob"]


class NewBobState(NamedTuple):
    """What `NewBob` remembers, all scalars."""

    scale: jax.Array
    previous: jax.Array
    """The last metric that was a number, as a finite one; infinite before the first."""
    bad: jax.Array
    """How many evaluations were no improvement since the rate fell."""


class NewBob(Reducer[NewBobState]):
    """Lowers the scale by `factor` when a metric improves by less than `threshold`."""

    factor: Scalar = hyper(INSIDE, default=0.5)
    threshold: Scalar = hyper(NONNEGATIVE, default=0.0025)
    patience: Scalar = hyper(NONNEGATIVE, default=0.0)

    def init(self) -> NewBobState:
        return NewBobState(number(1.0), number(INFINITY), number(0.0))

    def react(self, state: NewBobState, metric: jax.Array) -> NewBobState:
        first = state.previous == INFINITY
        # One that stays infinite is compared like any other that stays what it is.
        most = float(np.finfo(metric.dtype).max)
        metric = jnp.clip(metric, -most, most)
        missing = jnp.isnan(metric)
        previous = jnp.where(first, 0.0, state.previous)
        # Of a previous 0, any improvement is infinite, and staying there is none.
        least = float(np.finfo(metric.dtype).tiny)
        improvement = (previous - metric) / jnp.maximum(jnp.abs(previous), least)
        improved = (first | (improvement >= self.threshold)) & ~missing
        bad = jnp.where(improved, state.bad, state.bad + 1)
        reduced = bad > self.patience
        return NewBobState(
            scale=jnp.where(reduced, state.scale * self.factor, state.scale),
            previous=jnp.where(missing, state.previous, metric),
            bad=jnp.where(reduced, 0.0, bad),
        )


@echoes
def new_bob(
    factor: Scalar = 0.5, *, threshold: Scalar = 0.0025, patience: Scalar = 0.0
) -> NewBob:
    """Reduces the rate when a metric has hardly improved since the last evaluation.

    It is compared with the *previous* metric and not with the best, so a metric that
    comes back from a bad evaluation has improved. One that is NaN has not, and the next
    is compared with the last that was a number. Nor has one that stays infinite.

    Args:
        factor: What the scale is multiplied by, between 0 and 1.
        threshold: By which fraction of the previous metric's magnitude the metric must
            fall at least. Less is better: if more is, give its negative.
        patience: How many bad evaluations to let pass before the rate falls, in a row
            or not: a good one in between does not restore patience, only the fall does.

    Returns:
        A reducer. For metrics that are positive it does what SpeechBrain does.

    Raises:
        ValueError: If a number is not allowed.

    Example:
        >>> from jaxsched.training.reducers import new_bob
        >>> halving = new_bob()
        >>> state = halving.init()
        >>> for loss in (10.0, 2.0, 2.5, 2.4):
        ...     state = halving.update(state, loss)
        ...     print(state.scale)
        1.0
        1.0
        0.5
        0.5

    Source:
        Ravanelli et al., 2021, *SpeechBrain*, https://arxiv.org/abs/2106.04624, whose
        `NewBobScheduler` it is.
    """
    return NewBob(factor, threshold, patience)
