"""Splines: smooth curves through given points."""

import jax
import jax.numpy as jnp

from ..domain import BOUNDARIES, VECTOR
from ..errors import echoes
from ..numerics import as_float, entry, fixed, last, positive, progress, where
from ..schedule import Schedule
from ..tree import hyper
from ..types import Scalar, Vector
from .tables import piece_of, require_lengths


__all__ = ["PiecewiseCubic", "piecewise_cubic"]


class PiecewiseCubic(Schedule):
    """Passes through `values[i]` at step `boundaries[i]`, smoothly, without overshoot.

    Each piece is a cubic in the form of Bernstein: a mean of four numbers with weights
    that sum to one. No weight is negative, and the numbers lie between the two values,
    so the curve does too, and a decay to 0 keeps its digits.
    """

    boundaries: Vector = hyper(BOUNDARIES)
    values: Vector = hyper(VECTOR)

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
        u, v = progress(passed, rest, width)
        first, last = entry(values, before), entry(values, after)
        slopes, third = _slopes(steps, values), width / 3
        return (
            v**3 * first
            + 3 * u * v**2 * (first + third * entry(slopes, before))
            + 3 * u**2 * v * (last - third * entry(slopes, after))
            + u**3 * last
        )


@echoes
def piecewise_cubic(boundaries: Vector, values: Vector) -> PiecewiseCubic:
    """Draws a smooth curve through given points, which never overshoots them.

    Between two points it rises or falls as they do; where the direction changes, at a
    point, it is flat. It is made of cubics, with a continuous slope, as SciPy's
    `PchipInterpolator` is.

    Args:
        boundaries: The steps of the points, increasing.
        values: The rates at those steps, as many.

    Returns:
        A schedule that holds its first value until the first boundary, and its last
        one from the last boundary on.

    Raises:
        ValueError: If `boundaries` do not increase, or the numbers do not match.

    Example:
        >>> from jaxsched import piecewise_cubic
        >>> lr = piecewise_cubic([0, 10, 30], [0.0, 1.0, 0.5])
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 20, 30)]
        [0.0, 0.677, 1.0, 0.938, 0.5]

    Source:
        Fritsch & Butland, 1984, *A Method for Constructing Local Monotone Piecewise
        Cubic Interpolants*, https://doi.org/10.1137/0905021.
    """
    return PiecewiseCubic(boundaries, values)


def _slopes(steps: jax.Array, values: jax.Array) -> jax.Array:
    """The slope at each point: steep enough to be smooth, and not to overshoot."""
    if steps.shape[-1] < 2:
        return jnp.zeros_like(values)
    widths = jnp.diff(steps)
    chords = jnp.diff(values) / positive(widths)
    if steps.shape[-1] == 2:
        return jnp.concatenate([chords, chords])
    inner = _inner(widths[:-1], widths[1:], chords[:-1], chords[1:])
    first = _outer(widths[0], widths[1], chords[0], chords[1])
    last_one = _outer(widths[-1], widths[-2], chords[-1], chords[-2])
    return jnp.concatenate([first[None], inner, last_one[None]])


def _inner(
    width: jax.Array, next_width: jax.Array, chord: jax.Array, next_chord: jax.Array
) -> jax.Array:
    """The harmonic mean of the two chords at a point, weighted by their widths.

    Fritsch & Butland, 1984; it is flat where one rises and the other does not.
    """
    weight, next_weight = width + 2 * next_width, 2 * width + next_width
    along = jnp.sign(chord) * jnp.sign(next_chord) > 0
    # In units of the steeper one: products of small slopes underflow.
    steeper = where(abs(chord) > abs(next_chord), chord, next_chord)
    unit = fixed(where(along, steeper, 1.0))
    part = where(along, chord / unit, 1.0)
    next_part = where(along, next_chord / unit, 1.0)
    mean = (weight + next_weight) * part * next_part
    mean = unit * mean / positive(weight * next_part + next_weight * part)
    return where(along, mean, 0.0)


def _outer(
    width: jax.Array, next_width: jax.Array, chord: jax.Array, next_chord: jax.Array
) -> jax.Array:
    """The slope at an end of the parabola through three points, if it will do.

    It will not where it has another sign than the chord, or overshoots.
    """
    slope = (2 * width + next_width) * chord - width * next_chord
    slope = slope / positive(width + next_width)
    slope = where(jnp.sign(slope) == jnp.sign(chord), slope, 0.0)
    steep = abs(slope) > 3 * abs(chord)
    turns = jnp.sign(chord) != jnp.sign(next_chord)
    return where(turns & steep, 3 * chord, slope)
