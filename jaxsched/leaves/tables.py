"""Tables: schedules given by their values at some steps."""

from typing import Any

import jax
import jax.numpy as jnp

from ..curves import Curve, Linear
from ..domain import BOUNDARIES, VECTOR
from ..errors import echoes
from ..hyperparameters import length
from ..numerics import as_float, entry, fixed, last, pieces_before, progress, where
from ..schedule import Schedule
from ..tree import child, hyper
from ..types import Scalar, Vector


__all__ = [
    "PiecewiseConstant",
    "PiecewiseRamp",
    "Table",
    "piecewise_constant",
    "piecewise_linear",
    "table",
]


class PiecewiseConstant(Schedule):
    """Holds `values[i]` between `boundaries[i - 1]` and `boundaries[i]`."""

    boundaries: Vector = hyper(BOUNDARIES)
    values: Vector = hyper(VECTOR)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_lengths(self, 1)

    @property
    def duration(self) -> Scalar:
        return last(self.boundaries)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        return entry(as_float(self.values), pieces_before(t, self.boundaries))


class PiecewiseRamp(Schedule):
    """Passes through `values[i]` at step `boundaries[i]`, along `curve` in between."""

    boundaries: Vector = hyper(BOUNDARIES)
    values: Vector = hyper(VECTOR)
    curve: Curve = child(default_factory=Linear)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_lengths(self, 0)

    @property
    def duration(self) -> Scalar:
        return last(self.boundaries)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        steps, values = as_float(self.boundaries), as_float(self.values)
        before, after, passed, rest = piece_of(t, steps)
        width = entry(steps, after) - entry(steps, before)
        to_end, to_start = self.curve(*progress(passed, rest, width))
        return entry(values, before) * to_start + entry(values, after) * to_end


class Table(Schedule):
    """Holds `values[i]` from step `i` to step `i + 1`, and the last one after that."""

    values: Vector = hyper(VECTOR)

    @property
    def duration(self) -> Scalar:
        return float(length(self.values))

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        values = as_float(self.values)
        return entry(values, jnp.minimum(t.astype(int), values.shape[-1] - 1))


@echoes
def piecewise_constant(boundaries: Vector, values: Vector) -> PiecewiseConstant:
    """Jumps from value to value at given steps.

    Args:
        boundaries: The steps of the jumps, increasing; a new value applies *at* its
            boundary.
        values: The rates, one more than boundaries; not factors.

    Returns:
        A schedule that lasts until the last boundary, and then keeps its last value.

    Raises:
        ValueError: If `boundaries` do not increase, or the numbers do not match.

    Example:
        >>> from jaxsched import piecewise_constant
        >>> lr = piecewise_constant([30, 60], [0.1, 0.01, 0.001])
        >>> [round(float(lr(step)), 3) for step in (0, 29, 30, 60)]
        [0.1, 0.1, 0.01, 0.001]
    """
    return PiecewiseConstant(boundaries, values)


@echoes
def piecewise_linear(
    boundaries: Vector, values: Vector, curve: Curve = Linear()
) -> PiecewiseRamp:
    """Draws straight lines through given points.

    Args:
        boundaries: The steps of the points, increasing.
        values: The rates at those steps, as many.
        curve: How to go from point to point, from `jaxsched.curves`.

    Returns:
        A schedule that holds its first value until the first boundary, and its last
        one from the last boundary on.

    Raises:
        ValueError: If `boundaries` do not increase, or the numbers do not match.

    Example:
        >>> from jaxsched import piecewise_linear
        >>> lr = piecewise_linear([0, 10, 30], [0.0, 1.0, 0.5])
        >>> [round(float(lr(step)), 2) for step in (5, 10, 20, 40)]
        [0.5, 1.0, 0.75, 0.5]
    """
    return PiecewiseRamp(boundaries, values, curve)


@echoes
def table(values: Vector) -> Table:
    """Reads the rate of each step from a table.

    Args:
        values: The rates at steps 0, 1, 2, ...

    Returns:
        A schedule of as many steps as there are values, which keeps its last one.

    Raises:
        ValueError: If a value is not finite, or if there are none.

    Example:
        >>> from jaxsched import table
        >>> lr = table([0.0, 1.0, 0.5])
        >>> lr([0, 1, 2, 3]).tolist()
        [0.0, 1.0, 0.5, 0.5]
    """
    return Table(values)


def require_lengths(node: Any, more: int) -> None:
    """Checks that `node` has as many values as boundaries, and so many `more`."""
    boundaries, values = length(node.boundaries), length(node.values)
    if values != boundaries + more:
        wanted = "one more value than boundaries" if more else "one value per boundary"
        raise ValueError(
            f"`{type(node).__name__}` needs {wanted}, "
            f"got {values} values and {boundaries} boundaries."
        )


def piece_of(
    t: jax.Array, steps: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Returns the points before and after `t`, and the time since, and until then."""
    after = jnp.minimum(pieces_before(t, steps), steps.shape[-1] - 1)
    before = jnp.maximum(after - 1, 0)
    begin, end = entry(steps, before), entry(steps, after)
    # Before the first boundary, and from the last one on, the way is done.
    now = where((t < begin) | (before == after), end, t)
    return before, after, now - begin, fixed(end) - fixed(now)
