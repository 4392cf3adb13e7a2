"""Ramps: from one value to another, within a number of steps."""

from typing import Any

import jax

from ..curves import Cosine, Curve, Linear, Power
from ..domain import NONNEGATIVE, POSITIVE
from ..errors import echoes, refusal
from ..numerics import carried, known, mixed, progress, where
from ..powers import power
from ..schedule import Schedule
from ..tree import child, hyper
from ..types import Scalar


__all__ = [
    "ExponentialRamp",
    "Ramp",
    "cosine",
    "exponential",
    "linear",
    "polynomial",
    "ramp",
]


class Ramp(Schedule):
    """Moves from `start` to `end` within `steps` steps, along `curve`."""

    start: Scalar = hyper()
    end: Scalar = hyper()
    steps: Scalar = hyper(NONNEGATIVE)
    curve: Curve = child(default_factory=Linear)

    @property
    def duration(self) -> Scalar:
        return self.steps

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        to_end, to_start = self.curve(*progress(t, left, self.steps))
        return mixed(self.start, to_start, self.end, to_end)


class ExponentialRamp(Schedule):
    """Moves from `start` to `end` within `steps` steps, by a constant factor each."""

    start: Scalar = hyper(POSITIVE)
    end: Scalar = hyper(POSITIVE)
    steps: Scalar = hyper(NONNEGATIVE)

    @property
    def duration(self) -> Scalar:
        return self.steps

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        late, before = left <= t, self.steps - t
        before = where(late, carried(left, before), before)
        # Both add up to all steps, even if `t` and `left` have lost digits.
        passed = where(late, self.steps - before, t)
        mean = power(self.start, before, self.steps) * power(
            self.end, passed, self.steps
        )
        return where(left <= 0, self.end, carried(where(t > 0, mean, self.start), mean))


@echoes
def ramp(start: Scalar, end: Scalar, steps: Scalar, curve: Curve) -> Ramp:
    """Moves from `start` to `end` along any curve.

    Args:
        start: The rate at step 0.
        end: The rate at step `steps`, and after it.
        steps: How many steps it takes; with 0 it is at its end.
        curve: The shape, from `jaxsched.curves`.

    Returns:
        A schedule of `steps` steps.

    Raises:
        TypeError: If `curve` is not a curve.
        ValueError: If `start` or `end` is not finite, or `steps` is negative.

    Example:
        >>> from jaxsched import curves, ramp
        >>> lr = ramp(1.0, 0.0, steps=4, curve=curves.Sqrt())
        >>> [round(float(lr(step)), 3) for step in range(5)]
        [1.0, 0.5, 0.293, 0.134, 0.0]
    """
    _require_order(end, steps)
    return Ramp(start, end, steps, curve)


@echoes
def linear(start: Scalar, end: Scalar, steps: Scalar) -> Ramp:
    """Moves from `start` to `end` by an equal amount each step.

    Args:
        start: The rate at step 0.
        end: The rate at step `steps`, and after it.
        steps: How many steps it takes; with 0 it is at its end.

    Returns:
        A schedule of `steps` steps.

    Raises:
        ValueError: If `start` or `end` is not finite, or `steps` is negative.

    Example:
        >>> from jaxsched import linear
        >>> lr = linear(0.0, 1.0, steps=4)
        >>> [float(lr(step)) for step in (0, 1, 4, 5)]
        [0.0, 0.25, 1.0, 1.0]
    """
    _require_order(end, steps)
    return Ramp(start, end, steps, Linear())


@echoes
def cosine(start: Scalar, end: Scalar, steps: Scalar) -> Ramp:
    """Moves from `start` to `end` along half a period of a cosine.

    Args:
        start: The rate at step 0.
        end: The rate at step `steps`, and after it.
        steps: How many steps it takes; with 0 it is at its end.

    Returns:
        A schedule of `steps` steps.

    Raises:
        ValueError: If `start` or `end` is not finite, or `steps` is negative.

    Example:
        >>> from jaxsched import cosine
        >>> lr = cosine(1.0, 0.0, steps=4)
        >>> [round(float(lr(step)), 3) for step in range(5)]
        [1.0, 0.854, 0.5, 0.146, 0.0]

    Source:
        Loshchilov & Hutter, 2017, *SGDR*, https://arxiv.org/abs/1608.03983.
    """
    _require_order(end, steps)
    return Ramp(start, end, steps, Cosine())


@echoes
def polynomial(start: Scalar, end: Scalar, steps: Scalar, *, power: Scalar) -> Ramp:
    """Moves from `start` to `end` as `(1 - t / steps)**power` falls to zero.

    Args:
        start: The rate at step 0.
        end: The rate at step `steps`, and after it.
        steps: How many steps it takes; with 0 it is at its end.
        power: The exponent, positive: 1 is linear, more hurries at first.

    Returns:
        A schedule of `steps` steps.

    Raises:
        ValueError: If `start` or `end` is not finite, `steps` is negative, or
            `power` is not positive.

    Example:
        >>> from jaxsched import polynomial
        >>> lr = polynomial(1.0, 0.0, steps=4, power=2)
        >>> [round(float(lr(step)), 4) for step in range(5)]
        [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """
    _require_order(end, steps)
    return Ramp(start, end, steps, Power(power))


@echoes
def exponential(start: Scalar, end: Scalar, steps: Scalar) -> ExponentialRamp:
    """Moves from `start` to `end` by the same factor each step.

    It is a straight line in log space, as in a learning-rate range test. For a decay
    without end, given by its factor, see `exponential_decay`.

    Args:
        start: The rate at step 0, positive.
        end: The rate at step `steps`, and after it; positive.
        steps: How many steps it takes; with 0 it is at its end.

    Returns:
        A schedule of `steps` steps.

    Raises:
        ValueError: If `start` or `end` is not positive, or `steps` is negative.

    Example:
        >>> from jaxsched import exponential
        >>> lr = exponential(1.0, 0.0001, steps=4)
        >>> [round(float(lr(step)), 4) for step in range(5)]
        [1.0, 0.1, 0.01, 0.001, 0.0001]
    """
    _require_order(end, steps)
    return ExponentialRamp(start, end, steps)


def _require_order(end: Any, steps: Any) -> None:
    """Refuses a rate where a length belongs, and a length where a rate does."""
    if known(end, steps) and 0 < steps < 1 < abs(end):
        allowed = f"a number of steps; rates come before it, one of which is {end!r}"
        raise refusal(ValueError, "`steps`", allowed, steps)
