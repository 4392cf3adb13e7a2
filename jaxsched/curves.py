"""Curves: how a transition gets from its start to its end.

A curve divides the weight between the two: it maps the parts of the way that have
passed, `u`, and that remain, `v = 1 - u`, to the weight of the end and the weight
of the start, `c(u)` and `1 - c(u)`, with `c(0) = 0` and `c(1) = 1`. Both are given
and both returned, because `1 - x` loses the low digits of a small `x`: so the tail of a
decay keeps its digits, and the foot of a warmup too. A curve knows neither steps nor
rates.
"""

import abc
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from .domain import ABOVE_ONE, PORTION, POSITIVE, REAL
from .numerics import carried, fixed, positive, where
from .powers import geometric_sum, growth, powers
from .tree import Tree, child, hyper
from .types import Scalar


Weights: TypeAlias = tuple[jax.Array, jax.Array]
"""The weight of the end, and the weight of the start: they sum to one."""


class Curve(Tree):
    """The shape of a transition."""

    @abc.abstractmethod
    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        """Returns `c(u)` and `1 - c(u)`, given `u` and `v = 1 - u` in [0, 1]."""

    def __repr__(self) -> str:
        return f"curves.{super().__repr__()}"


class Linear(Curve):
    """`c(u) = u`."""

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        return u, v


class Cosine(Curve):
    """`c(u) = (1 - cos(pi u)) / 2` (Loshchilov & Hutter, 2017, arXiv:1608.03983)."""

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        return jnp.sin(jnp.pi / 2 * u) ** 2, jnp.sin(jnp.pi / 2 * v) ** 2


class Power(Curve):
    """`c(u) = 1 - (1 - u)**exponent`, which is polynomial decay.

    Of another curve it raises the weight of the start, `1 - c(u)`, to that power.
    """

    exponent: Scalar = hyper(POSITIVE)
    curve: Curve = child(default_factory=Linear)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        passed, remaining = self.curve(u, v)
        to_start, to_end = powers(remaining, passed, self.exponent)
        return to_end, to_start


class Sqrt(Curve):
    """`c(u) = sqrt(u)`: cooldown by 1-sqrt (Hägele et al., 2024, arXiv:2405.18392)."""

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        # The slope of sqrt is infinite at 0, and `0 * inf` would make gradients NaN.
        root = where(u > 0, jnp.sqrt(positive(u)), 0.0)
        return root, v / (1 + root)


class Square(Curve):
    """`c(u) = u**2`: cooldown by 1-square (Dremov et al., 2025, arXiv:2508.01483)."""

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        return u**2, v * (1 + u)


class Exponential(Curve):
    """`c(u) = (1 - ratio**u) / (1 - ratio)`: a geometric decay, made to arrive.

    With the ratio of the end to the start it is a straight line in log space, or there
    another curve.
    """

    ratio: Scalar = hyper(POSITIVE)
    curve: Curve = child(default_factory=Linear)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        u, v = self.curve(u, v)
        ratio = positive(self.ratio)
        to_end, to_start = geometric_sum(ratio, u), geometric_sum(ratio, v)
        return _arriving(to_end, ratio**u * to_start, u, v)


class Sigmoid(Curve):
    """`c(u) = (s(x) - s(low)) / (s(high) - s(low))`, with `x = low + (high - low) u`.

    `s` is the logistic function, `s(x) = 1 / (1 + exp(-x))`.
    """

    low: Scalar = hyper(REAL, default=-6.0)
    high: Scalar = hyper(REAL, default=6.0)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        return _logistic(u, v, self.low, self.high)


class Tanh(Curve):
    """`c(u) = (tanh(x) - tanh(low)) / (tanh(high) - tanh(low))`.

    Here `x = low + (high - low) u`. Hsueh et al., 2019, *Stochastic Gradient Descent
    with Hyperbolic-Tangent Decay*, arXiv:1806.01593, with the bounds that they
    recommend; made to arrive.
    """

    low: Scalar = hyper(REAL, default=-6.0)
    high: Scalar = hyper(REAL, default=3.0)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        return _logistic(u, v, 2 * self.low, 2 * self.high)


def _logistic(u: jax.Array, v: jax.Array, low: Scalar, high: Scalar) -> Weights:
    """The part of the logistic function from `low` to `high`, scaled to [0, 1].

    A difference of two values of `s` is that of hyperbolic functions, which does not
    cancel: `2 (s(b) - s(a)) = sinh((b - a) / 2) / (cosh(a / 2) cosh(b / 2))`. Their
    exponents are combined before any power is taken, so that none overflows.
    """
    sign = where(low > high, -1.0, 1.0)
    low, high = sign * low, sign * high
    width = high - low
    # From the nearer end, so that neither of them loses its digits.
    x = where(u < v, low + width * u, high - width * v)

    def rise(part: jax.Array, x: Any, end: Scalar) -> Any:
        exponent = where(x < 0, x, 0.0) - where(end < 0, end, 0.0)
        slope = part * growth(-width * part) / growth(-width)
        return jnp.exp(exponent) * slope * _bend(end) / _bend(x)

    return _arriving(rise(u, x, high), rise(v, -x, -low), u, v)


def _bend(x: Any) -> Any:
    """Returns `1 + exp(-abs(x))`."""
    return 1 + jnp.exp(where(x < 0, x, -x))


def _arriving(to_end: Any, to_start: Any, u: jax.Array, v: jax.Array) -> Weights:
    """Makes weights exactly 1 where they are, for quotients may round below that."""
    at_end, at_start = where(v <= 0, 1.0, to_end), where(u <= 0, 1.0, to_start)
    return carried(fixed(at_end), to_end), carried(fixed(at_start), to_start)


class Rex(Curve):
    """`c(u) = 1 - v / (beta + (1 - beta) v)`, with `v = 1 - u`.

    Chen et al., 2022, *REX: Revisiting Budgeted Training with an Improved Schedule*,
    arXiv:2107.04197, where `beta` is 1/2; with 1 it is linear.
    """

    beta: Scalar = hyper(POSITIVE, default=0.5)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        whole = positive(self.beta) * u + v
        return positive(self.beta) * u / whole, v / whole


class Reciprocal(Curve):
    """`c(u) = u / (u + ratio (1 - u))`: a straight line in one over the value.

    It is that if the end is `ratio` times the start. Wen et al., 2024, *Understanding
    Warmup-Stable-Decay Learning Rates*, arXiv:2410.05192, for the decays of WSD-S.
    """

    ratio: Scalar = hyper(POSITIVE)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        whole = u + positive(self.ratio) * v
        return u / whole, positive(self.ratio) * v / whole


class Log(Curve):
    """`c(u) = log(1 + (base - 1) u) / log(base)`: fast at first, then slow."""

    base: Scalar = hyper(ABOVE_ONE, default=10.0)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        grown = self.base - 1
        # A base that is 1 after rounding is nearly linear.
        grown = where(grown > 0, grown, 2.0**-60)
        whole = jnp.log1p(grown)
        to_start = jnp.log1p(grown * v / (1 + grown * u)) / whole
        return _arriving(jnp.log1p(grown * u) / whole, to_start, u, v)


class Hyperbolic(Curve):
    """`c(u) = 1 - sqrt((1 - u) (2 - ratio (1 + u)) / (2 - ratio))`.

    The ratio is that of the steps to an upper bound of them. Kim, 2024, *HyperbolicLR*,
    arXiv:2407.15200.
    """

    ratio: Scalar = hyper(PORTION)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        whole = positive(2 - self.ratio)
        square = v * (2 * (1 - self.ratio) + self.ratio * v) / whole
        to_start = where(square > 0, jnp.sqrt(positive(square)), 0.0)
        to_end = u * (2 - self.ratio * u) / (whole * (1 + to_start))
        return _arriving(to_end, to_start, u, v)


class KDecay(Curve):
    """`c(u**k)`: delays another curve if `k > 1`, and hastens it if `k < 1`.

    Zhang & Li, 2020, *k-decay: A New Method for Learning Rate Schedule*,
    arXiv:2004.05909.
    """

    k: Scalar = hyper(POSITIVE)
    curve: Curve = child(default_factory=Linear)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        return self.curve(*powers(u, v, self.k))


class Reversed(Curve):
    """`1 - c(1 - u)`: goes the way of another curve from its end to its start."""

    curve: Curve = child()

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        to_end, to_start = self.curve(v, u)
        return to_start, to_end


class Mirrored(Curve):
    """`c(2 u) / 2` in the first half, then the same reversed: a symmetric S."""

    curve: Curve = child()

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        first = u < v
        near, far = where(first, u, v), where(first, v, u)
        passed, remaining = self.curve(2 * near, far - near)
        less, more = passed / 2, remaining + passed / 2
        return where(first, less, more), where(first, more, less)
