"""Schedulers that go one way: step by step, or along a curve."""

import itertools
import math
from collections import Counter

import jax

from ...domain import NONNEGATIVE
from ...errors import named
from ...hyperparameters import is_concrete
from ...leaves import (
    ExponentialDecay,
    linear,
    piecewise_constant,
    polynomial,
    ramp,
)
from ...recipes import cosine_annealing, multi_step
from ...schedule import Schedule, constant
from ...tree import hyper
from ...types import Scalar, Vector
from .names import ANNEALINGS, NoFactor, scheduler


__all__ = [
    "SWALR",
    "Annealing",
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LinearLR",
    "MultiStepLR",
    "PolynomialLR",
    "StepLR",
]


@scheduler
def ConstantLR(
    base_lr: Scalar, factor: Scalar = 1 / 3, total_iters: Scalar = 5
) -> Schedule:
    """Holds a fraction of the rate for some steps, and then the rate.

    Args:
        base_lr: The learning rate of the optimizer.
        factor: The fraction of it that is held at first.
        total_iters: For how many steps.

    Returns:
        A schedule of `total_iters` steps.

    Raises:
        ValueError: If `total_iters` is negative.

    Example:
        >>> from jaxsched.compat.torch import ConstantLR
        >>> lr = ConstantLR(1.0, factor=0.5, total_iters=2)
        >>> [float(lr(step)) for step in range(4)]
        [0.5, 0.5, 1.0, 1.0]
    """
    return constant(base_lr * factor, total_iters) >> base_lr


@scheduler
def LinearLR(
    base_lr: Scalar,
    start_factor: Scalar = 1 / 3,
    end_factor: Scalar = 1.0,
    total_iters: Scalar = 5,
) -> Schedule:
    """Goes from one fraction of the rate to another in a straight line.

    Args:
        base_lr: The learning rate of the optimizer.
        start_factor: The fraction of it at step 0; it may be 0, unlike PyTorch's.
        end_factor: The fraction of it at the end; it may be more than 1.
        total_iters: How many steps it takes.

    Returns:
        A schedule of `total_iters` steps.

    Raises:
        ValueError: If `total_iters` is negative.

    Example:
        >>> from jaxsched.compat.torch import LinearLR
        >>> lr = LinearLR(1.0, start_factor=0.5, total_iters=2)
        >>> [float(lr(step)) for step in range(4)]
        [0.5, 0.75, 1.0, 1.0]
    """
    return linear(base_lr * start_factor, base_lr * end_factor, total_iters)


@scheduler
def PolynomialLR(
    base_lr: Scalar, total_iters: Scalar = 5, power: Scalar = 1.0
) -> Schedule:
    """Decays to 0 as a power of the steps that remain.

    Args:
        base_lr: The learning rate of the optimizer.
        total_iters: How many steps it takes.
        power: The exponent, positive.

    Returns:
        A schedule of `total_iters` steps.

    Raises:
        ValueError: If `total_iters` is negative, or `power` not positive.

    Example:
        >>> from jaxsched.compat.torch import PolynomialLR
        >>> lr = PolynomialLR(1.0, total_iters=4, power=2.0)
        >>> [float(lr(step)) for step in range(5)]
        [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """
    return polynomial(base_lr, 0.0, total_iters, power=power)


@scheduler
def ExponentialLR(base_lr: Scalar, gamma: Scalar) -> Schedule:
    """Decays by the factor `gamma` with each step.

    Args:
        base_lr: The learning rate of the optimizer.
        gamma: The factor, positive.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `gamma` is not positive.

    Example:
        >>> from jaxsched.compat.torch import ExponentialLR
        >>> lr = ExponentialLR(1.0, gamma=0.5)
        >>> [float(lr(step)) for step in range(4)]
        [1.0, 0.5, 0.25, 0.125]
    """
    return ExponentialDecay(base_lr, gamma, 1.0)


@scheduler
def StepLR(base_lr: Scalar, step_size: Scalar, gamma: Scalar = 0.1) -> Schedule:
    """Multiplies the rate by `gamma` every `step_size` steps.

    Args:
        base_lr: The learning rate of the optimizer.
        step_size: How many steps a rate is held, positive.
        gamma: What it is multiplied by, positive.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `step_size` or `gamma` is not positive.

    Example:
        >>> from jaxsched.compat.torch import StepLR
        >>> lr = StepLR(1.0, step_size=30, gamma=0.5)
        >>> [float(lr(epoch)) for epoch in (0, 29, 30, 60)]
        [1.0, 1.0, 0.5, 0.25]
    """
    return ExponentialDecay(base_lr, gamma, step_size, staircase=True)


@scheduler
def MultiStepLR(base_lr: Scalar, milestones: Vector, gamma: Scalar = 0.1) -> Schedule:
    """Multiplies the rate by `gamma` at each of some steps.

    Args:
        base_lr: The learning rate of the optimizer.
        milestones: The steps, in any order; one that is there twice counts twice. If
            they are traced, they must increase.
        gamma: What the rate is multiplied by.

    Returns:
        A schedule that lasts until the last milestone.

    Raises:
        ValueError: If a milestone is negative.

    Example:
        >>> from jaxsched.compat.torch import MultiStepLR
        >>> lr = MultiStepLR(1.0, milestones=[30, 80], gamma=0.5)
        >>> [float(lr(epoch)) for epoch in (0, 29, 30, 80)]
        [1.0, 1.0, 0.5, 0.25]
    """
    if not all(map(is_concrete, milestones)):
        return multi_step(base_lr, boundaries=milestones, factor=gamma)
    times = sorted(Counter(map(float, milestones)).items())
    if not times:
        return constant(base_lr)
    boundaries, counts = zip(*times, strict=True)
    drops = itertools.accumulate(counts, initial=0)
    return piecewise_constant(boundaries, [base_lr * gamma**drop for drop in drops])


@scheduler
def CosineAnnealingLR(
    base_lr: Scalar, T_max: Scalar, eta_min: Scalar = 0.0
) -> Schedule:
    """Decays along a cosine, and rises along it again, and so forth.

    Args:
        base_lr: The learning rate of the optimizer.
        T_max: How many steps it takes to `eta_min`. As in PyTorch, the rate then rises
            again, for as long: `cosine_annealing` stays there.
        eta_min: The lowest rate.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `T_max` is negative.

    Example:
        >>> from jaxsched.compat.torch import CosineAnnealingLR
        >>> lr = CosineAnnealingLR(1.0, T_max=10)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 15, 20)]
        [1.0, 0.5, 0.0, 0.5, 1.0]
    """
    return Annealing(base_lr, T_max, eta_min)


class Annealing(Schedule):
    """Goes along a cosine to `floor` within `steps` steps, and back, without end."""

    base: Scalar = hyper()
    steps: Scalar = hyper(NONNEGATIVE)
    floor: Scalar = hyper(default=0.0)

    @property
    def duration(self) -> Scalar:
        return math.inf

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        return cosine_annealing(
            self.base, total_steps=self.steps, end=self.floor, periodic=True
        ).evaluate(t, left)


@scheduler
def SWALR(
    base_lr: Scalar,
    swa_lr: Scalar,
    anneal_epochs: Scalar = 10,
    anneal_strategy: str = "cos",
) -> Schedule:
    """Goes to the rate of stochastic weight averaging, and holds it.

    Args:
        base_lr: The learning rate that the optimizer has when it begins.
        swa_lr: The rate that is held in the end.
        anneal_epochs: How many steps it takes.
        anneal_strategy: Along which curve: "cos" or "linear".

    Returns:
        A schedule of `anneal_epochs` steps.

    Raises:
        ValueError: If `anneal_epochs` is negative, or `anneal_strategy` unknown.

    Example:
        >>> from jaxsched.compat.torch import SWALR
        >>> lr = SWALR(1.0, swa_lr=0.5, anneal_epochs=4, anneal_strategy="linear")
        >>> [float(lr(epoch)) for epoch in (0, 2, 4, 5)]
        [1.0, 0.75, 0.5, 0.5]
    """
    curve = named("annealing", anneal_strategy, ANNEALINGS)
    return NoFactor(ramp(base_lr, swa_lr, anneal_epochs, curve), "SWALR")
