"""Plateaus: the rate falls when a metric has not improved for a while."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from ...domain import FRACTION, INSIDE, NONNEGATIVE
from ...errors import echoes, named
from ...tree import hyper, static
from ...types import Scalar
from .reducer import (
    RELATIVE,
    SIGNS,
    Mode,
    Reducer,
    ThresholdMode,
    improves,
    number,
)


__all__ = ["Plateau", "PlateauState", "plateau"]


Count = Callable[[jax.Array, Scalar], jax.Array]


class Rules(NamedTuple):
    """Where the peers disagree."""

    too_many: Count
    """Whether so many bad evaluations are more than the patience."""
    last_of_cooldown: float
    """How much cooldown may be left when evaluations count again."""
    threshold_mode: ThresholdMode
    """What a threshold is, unless it is said."""


RULES = {
    "torch": Rules(lambda bad, patience: bad > patience, 0.0, "relative"),
    # The evaluation that ends the cooldown counts already; and patience begins with a
    # bad evaluation, never with a good one.
    "keras": Rules(
        lambda bad, patience: bad >= jnp.maximum(patience, 1.0), 1.0, "absolute"
    ),
    # Not `>=`: with no patience, it is good evaluations that reduce the rate.
    "optax": Rules(lambda bad, patience: bad == jnp.ceil(patience), 0.0, "relative"),
}

Convention = Literal["torch", "keras", "optax"]


class PlateauState(NamedTuple):
    """What `Plateau` remembers, all scalars."""

    scale: jax.Array
    best: jax.Array
    bad: jax.Array
    """How many evaluations in a row were no improvement."""
    cooldown: jax.Array
    """How many evaluations of the cooldown are left."""


class Plateau(Reducer[PlateauState]):
    """Lowers the scale by `factor` when a metric has not improved for `patience`."""

    factor: Scalar = hyper(INSIDE, default=0.1)
    patience: Scalar = hyper(NONNEGATIVE, default=10.0)
    mode: Mode = static(default="min")
    threshold: Scalar = hyper(NONNEGATIVE, default=1e-4)
    threshold_mode: ThresholdMode = static(default="relative")
    cooldown: Scalar = hyper(NONNEGATIVE, default=0.0)
    floor: Scalar = hyper(FRACTION, default=0.0)
    convention: Convention = static(default="torch")

    def __post_init__(self) -> None:
        super().__post_init__()
        named("mode", self.mode, SIGNS)
        named("threshold mode", self.threshold_mode, RELATIVE)
        named("convention", self.convention, RULES)

    def init(self) -> PlateauState:
        worst = SIGNS[self.mode] * jnp.inf
        return PlateauState(number(1.0), number(worst), number(0.0), number(0.0))

    def react(self, state: PlateauState, metric: jax.Array) -> PlateauState:
        rules = RULES[self.convention]
        improved = improves(
            metric, state.best, self.mode, self.threshold, self.threshold_mode
        )
        cooling = state.cooldown > rules.last_of_cooldown
        bad = jnp.where(improved | cooling, 0.0, state.bad + 1)
        reduced = ~cooling & rules.too_many(bad, self.patience)
        lower = jnp.maximum(state.scale * self.factor, self.floor)
        cooled = jnp.maximum(state.cooldown - 1, 0.0)
        return PlateauState(
            scale=jnp.where(reduced, lower, state.scale),
            best=jnp.where(improved, metric, state.best),
            bad=jnp.where(reduced, 0.0, bad),
            cooldown=jnp.where(reduced, self.cooldown, cooled),
        )


@echoes
def plateau(
    factor: Scalar = 0.1,
    *,
    patience: Scalar = 10.0,
    mode: Mode = "min",
    threshold: Scalar = 1e-4,
    threshold_mode: ThresholdMode | None = None,
    cooldown: Scalar = 0.0,
    floor: Scalar = 0.0,
    convention: Convention = "torch",
) -> Plateau:
    """Reduces the rate when a metric has stopped improving.

    A metric that is NaN is no improvement, and never the best.

    Args:
        factor: What the scale is multiplied by, between 0 and 1.
        patience: How many evaluations may pass without improvement; the convention
            says which one reduces the rate.
        mode: Whether less is better, "min", or more, "max".
        threshold: By how much a metric must be better than the best one to be an
            improvement.
        threshold_mode: What the threshold is. With "relative", a fraction of the
            magnitude of the best: of a best of -10, a threshold of 0.1 asks for less
            than -11. The peers ask for less than -9 then, so that what is worse is an
            improvement; of positive metrics, they say the same. With "absolute", it
            is a difference. As in the convention, if not given.
        cooldown: For how many evaluations, after the rate fell, none counts as bad.
        floor: The least scale, from 0 to 1.
        convention: How to count. With "torch", the rate falls when more than
            `patience` evaluations in a row were bad; `threshold` is relative, if not
            said otherwise. With "keras", it falls when `patience` were, and the
            evaluation that ends the cooldown counts already; `threshold` is absolute.
            With "optax", it falls when `patience` were, and if that is 0, whenever a
            metric *is* an improvement; `threshold` is relative. In all of them a
            metric may become the best during the cooldown, too.

    Returns:
        A reducer. PyTorch does not change a rate by less than 1e-8; a reducer does not
        know the rate, and changes any.

    Raises:
        ValueError: If a number is not allowed, or a name unknown.

    Example:
        >>> from jaxsched.training.reducers import plateau
        >>> halving = plateau(0.5, patience=1)
        >>> state = halving.init()
        >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
        ...     state = halving.update(state, loss)
        ...     print(state.scale)
        1.0
        1.0
        1.0
        0.5
        0.5
    """
    if threshold_mode is None:
        threshold_mode = named("convention", convention, RULES).threshold_mode
    return Plateau(
        factor, patience, mode, threshold, threshold_mode, cooldown, floor, convention
    )
