"""Custom schedules: any function of the step, with leaves of its own."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..domain import REAL
from ..errors import echoes
from ..hyperparameters import as_leaf
from ..numerics import as_float
from ..schedule import Schedule
from ..tree import child, static
from ..types import Scalar


__all__ = ["Custom", "custom"]


class Custom(Schedule):
    """Evaluates `function(step, **leaves)`, without end."""

    function: Callable[..., jax.Array] = static()
    leaves: dict[str, Any] = child(default_factory=dict)

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"`Custom.function` must be one, got {self.function!r}.")
        leaves = {
            name: as_leaf(leaf, REAL, f"Custom.{name}")
            for name, leaf in self.leaves.items()
        }
        vars(self)["leaves"] = leaves

    @property
    def duration(self) -> Scalar:
        return math.inf

    def evaluate(self, t: jax.Array, left: jax.Array) -> jax.Array:
        return jnp.broadcast_to(as_float(self.function(t, **self.leaves)), t.shape)


@echoes
def custom(function: Callable[..., jax.Array], /, **leaves: Any) -> Custom:
    """Makes a schedule of any function that JAX can trace.

    Args:
        function: Called as `function(step, **leaves)`, with a floating-point step of
            any shape, at least 0; it returns an array of that shape, or one number for
            all steps. It is structure: another function compiles anew, a named one
            can be pickled.
        **leaves: The hyperparameters, numbers or arrays: differentiated, batched and
            changed like those of any schedule.

    Returns:
        A schedule without end; `until` gives it one.

    Raises:
        TypeError: If `function` is not callable, or a leaf is not a number.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from jaxsched import custom
        >>> lr = custom(lambda step, peak, width: peak * jnp.exp(-step / width),
        ...             peak=0.1, width=50)
        >>> round(float(lr(50)), 4)
        0.0368
        >>> round(float(jax.grad(lambda lr: lr(50))(lr).leaves["peak"]), 4)
        0.3679
    """
    return Custom(function, leaves)
