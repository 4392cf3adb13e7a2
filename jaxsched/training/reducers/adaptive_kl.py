"""Adaptive KL: the rate keeps the steps of a policy at a given size."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ...domain import ABOVE_ONE, PORTION, POSITIVE
from ...errors import echoes
from ...numerics import positive
from ...tree import hyper
from ...types import Scalar
from .reducer import AT_LEAST_ONE, Reducer, number


__all__ = ["AdaptiveKL", "AdaptiveKLState", "adaptive_kl"]


class AdaptiveKLState(NamedTuple):
    """What `AdaptiveKL` remembers."""

    scale: jax.Array


class AdaptiveKL(Reducer[AdaptiveKLState]):
    """Lowers the scale where a divergence is above `target`, and raises it below."""

    target: Scalar = hyper(POSITIVE)
    lowest: Scalar = hyper(PORTION)
    highest: Scalar = hyper(AT_LEAST_ONE)
    factor: Scalar = hyper(ABOVE_ONE, default=1.5)
    tolerance: Scalar = hyper(AT_LEAST_ONE, default=2.0)

    def init(self) -> AdaptiveKLState:
        return AdaptiveKLState(number(1.0))

    def react(self, state: AdaptiveKLState, metric: jax.Array) -> AdaptiveKLState:
        too_far = metric > self.target * self.tolerance
        # A divergence of 0 is one that was not measured.
        too_near = (metric > 0) & (metric < self.target / positive(self.tolerance))
        lower = jnp.maximum(state.scale / positive(self.factor), self.lowest)
        higher = jnp.minimum(state.scale * self.factor, self.highest)
        held = jnp.where(too_near, higher, state.scale)
        return AdaptiveKLState(jnp.where(too_far, lower, held))


@echoes
def adaptive_kl(
    target: Scalar,
    *,
    factor: Scalar = 1.5,
    tolerance: Scalar = 2.0,
    lowest: Scalar,
    highest: Scalar,
) -> AdaptiveKL:
    """Reduces the rate where a policy has moved too far, and raises it otherwise.

    The metric is the KL divergence between the policies before and after an update. The
    rate stays while it is within a factor of `tolerance` of the target, and if it is
    NaN or not positive: an exact 0 was not measured.

    Args:
        target: The divergence to aim at, positive: often 0.01.
        factor: What the scale is divided by to lower it, and multiplied by to raise
            it; more than 1.
        tolerance: The rate falls above `tolerance * target`, and rises below
            `target / tolerance`; at least 1.
        lowest: The least scale, at most 1.
        highest: The greatest scale, at least 1.

    Returns:
        A reducer. It does what RSL-RL does, whose bounds are rates where these are
        factors.

    Raises:
        ValueError: If a number is not allowed.

    Example:
        >>> from jaxsched.training.reducers import adaptive_kl
        >>> reducer = adaptive_kl(0.01, factor=2, lowest=0.01, highest=10)
        >>> state = reducer.init()
        >>> for kl in (0.03, 0.01, 0.004, 0.004):
        ...     state = reducer.update(state, kl)
        ...     print(state.scale)
        0.5
        0.5
        1.0
        2.0

    Source:
        Schulman et al., 2017, *PPO*, section 4, which adapts a penalty so,
        https://arxiv.org/abs/1707.06347; of the learning rate, Rudin et al., 2022,
        *Learning to Walk in Minutes*, https://arxiv.org/abs/2109.11978.
    """
    return AdaptiveKL(target, lowest, highest, factor, tolerance)
