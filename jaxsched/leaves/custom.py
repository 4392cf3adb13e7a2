"""Custom schedules: any function of the step, with leaves of its own."""

import functools
import inspect
import math
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

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
        refuse_tracers(self.function)
        leaves = {
            name: as_leaf(leaf, REAL, f"Custom.{name}")
            for name, leaf in self.leaves.items()
        }
        vars(self)["leaves"] = leaves

    @property
    def duration(self) -> Scalar:
        return math.inf

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        return jnp.broadcast_to(as_float(self.function(t, **self.leaves)), t.shape)


def refuse_tracers(function: Callable[..., Any]) -> None:
    """Raises an error if a function refers to traced values from outside of it.

    It is kept as structure, also in caches, and would outlive their trace.
    """
    seen: dict[int, Any] = {}
    todo: list[tuple[str, Any]] = [("", function)]
    while todo:
        name, value = todo.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, Tracer):
            raise TypeError(
                f"`Custom.function` refers to `{name}`, a traced value from outside of "
                "it: make it an argument of the function, and give it as a leaf, "
                f"`custom(function, {name}=...)`."
            )
        todo += _captured(name, value)


def _captured(name: str, value: Any) -> list[tuple[str, Any]]:
    """Returns what a function, or a tree with functions, holds, each with its name."""
    if isinstance(value, functools.partial):
        args = [(name or "value", arg) for arg in value.args]
        return [("", value.func), *args, *value.keywords.items()]
    if inspect.ismethod(value):
        return [("self", value.__self__), ("", value.__func__)]
    if inspect.isfunction(value):
        names = value.__code__.co_freevars
        cells = zip(names, value.__closure__ or (), strict=True)
        held = [(name, cell.cell_contents) for name, cell in cells if _is_full(cell)]
        defaults = [("value", default) for default in value.__defaults__ or ()]
        return held + defaults + [*(value.__kwdefaults__ or {}).items()]
    if hasattr(value, "__wrapped__"):
        return [(name, value.__wrapped__)]
    leaves = jax.tree.leaves(value)
    return [(name or "value", leaf) for leaf in leaves if leaf is not value]


def _is_full(cell: types.CellType) -> bool:
    """Tells whether a variable of an enclosing function has a value yet."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


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
        TypeError: If `function` is not callable, or refers to a traced value that is
            no leaf, or if a leaf is not a number.

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
