"""Weight decay apart from the learning rate."""

from typing import Any

import jax
import optax

from ..errors import echoes
from ..schedule import ScheduleLike, as_schedule
from .state import Scheduled


__all__ = ["decay_weights"]


@echoes
def decay_weights(schedule: ScheduleLike) -> optax.GradientTransformation:
    """Takes a scheduled fraction away from the parameters with each update.

    It comes after the learning rate, which does not change it. So it says itself
    what the decay follows: `decay_weights(lr * 0.1)` is that of `optax.adamw`, where it
    is the rate times 0.1; `decay_weights(1e-4)` is independent of the rate; and with a
    peak of 1 for the shape of the rate, `decay_weights(1e-4 * shape)` is that of the
    paper, which follows the shape and not the peak.

    Args:
        schedule: Which fraction, a schedule or a number.

    Returns:
        An Optax transformation whose state is a `Scheduled`; `optax.masked` applies it
        to some parameters only.

    Raises:
        ValueError: If an update is asked for without parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> lr = js.linear(1.0, 0.0, 10)
        >>> optimizer = optax.chain(
        ...     training.scale_by_schedule(lr, flip_sign=True),
        ...     training.decay_weights(0.25))
        >>> params = jnp.ones(2)
        >>> updates, _ = optimizer.update(jnp.zeros(2), optimizer.init(params), params)
        >>> updates.tolist()
        [-0.25, -0.25]

    Source:
        Loshchilov & Hutter, 2019, *Decoupled Weight Decay Regularization*,
        https://arxiv.org/abs/1711.05101.
    """
    fraction = as_schedule(schedule)

    def init(params: Any) -> Any:
        return Scheduled.start(fraction)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        if params is None:
            raise ValueError("To decay weights, `update` must be given the parameters.")
        after = state.advance()

        def decayed(update: jax.Array | None, param: Any) -> jax.Array | None:
            if update is None:
                return None
            decay: jax.Array = after.applied * param
            return update - decay.astype(update.dtype)

        # Of a parameter that is not trained there may be no update.
        return jax.tree.map(
            decayed, updates, params, is_leaf=lambda update: update is None
        ), after

    return optax.GradientTransformation(init, update)
