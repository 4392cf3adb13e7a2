"""Curves: how a transition gets from its start to its end.

A curve divides the weight between the two: it maps the parts of the way that have
passed, `u`, and that remain, `v = 1 - u`, to the weight of the end and the weight
of the start, `c(u)` and `1 - c(u)`, with `c(0) = 0` and `c(1) = 1`. Both are given
and both returned, because `1 - x` forgets what a small number was: so the tail of a
decay keeps its digits, and the foot of a warmup too. A curve knows neither steps nor
rates.
"""

import abc
from typing import TypeAlias

import jax
import jax.numpy as jnp

from .domain import ABOVE_ONE, PORTION, POSITIVE, REAL
from .numerics import expm1, positive, powers
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
        root = jnp.where(u > 0, jnp.sqrt(positive(u)), 0.0)
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
        rate = jnp.log(positive(self.ratio))
        curved = abs(rate) > 0
        rate = jnp.where(curved, rate, 1.0)
        whole = expm1(rate)
        to_end = jnp.where(curved, expm1(rate * u) / whole, u)
        to_start = jnp.where(curved, jnp.exp(rate * u) * expm1(rate * v) / whole, v)
        return to_end, to_start


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

    `s(low + x) - s(low)` is `s(low) (1 - exp(-x)) / (1 + exp(-low - x))`, which does
    not cancel. Beyond 80, `s` is 1 to any number of digits, and `exp` overflows.
    """
    low, high = jnp.clip(low, -80.0, 80.0), jnp.clip(high, -80.0, 80.0)
    width = high - low
    curved = width != 0
    width = jnp.where(curved, width, 1.0)

    def rise(part: jax.Array, below: jax.Array) -> jax.Array:
        passed = expm1(-width * part) / (1 + below * jnp.exp(-width * part))
        return passed * (1 + below * jnp.exp(-width)) / expm1(-width)

    to_end, to_start = rise(u, jnp.exp(-low)), rise(v, jnp.exp(high))
    return jnp.where(curved, to_end, u), jnp.where(curved, to_start, v)


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
        grown = positive(self.base - 1)
        whole = jnp.log1p(grown)
        to_start = jnp.log1p(grown * v / (1 + grown * u)) / whole
        return jnp.log1p(grown * u) / whole, to_start


class Hyperbolic(Curve):
    """`c(u) = 1 - sqrt((1 - u) (2 - ratio (1 + u)) / (2 - ratio))`.

    The ratio is that of the steps to an upper bound of them. Kim, 2024, *HyperbolicLR*,
    arXiv:2407.15200.
    """

    ratio: Scalar = hyper(PORTION)

    def __call__(self, u: jax.Array, v: jax.Array, /) -> Weights:
        whole = positive(2 - self.ratio)
        square = v * (2 * (1 - self.ratio) + self.ratio * v) / whole
        to_start = jnp.where(square > 0, jnp.sqrt(positive(square)), 0.0)
        return u * (2 - self.ratio * u) / (whole * (1 + to_start)), to_start


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
        near, far = jnp.minimum(u, v), jnp.maximum(u, v)
        passed, remaining = self.curve(2 * near, far - near)
        less, more = passed / 2, remaining + passed / 2
        first = u < v
        return jnp.where(first, less, more), jnp.where(first, more, less)
