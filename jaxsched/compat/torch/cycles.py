"""Schedulers that go up and down: restarts, one cycle, and many."""

from collections.abc import Callable, Sequence
from typing import Any

from ...curves import Curve
from ...domain import POSITIVE
from ...errors import named
from ...hyperparameters import as_leaf
from ...leaves import ExponentialDecay, custom, linear, ramp
from ...numerics import at_least
from ...recipes import OneCycle, sgdr
from ...schedule import Chain, Schedule, chain
from ...transforms import repeat, rescale, shift, staircase, stretch
from ...types import Scalar
from ..ported import one_of
from .names import ANNEALINGS, NoFactor, scheduler


__all__ = ["CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]

WAVES: dict[str, Callable[[Schedule, Scalar], Schedule]] = {
    "triangular": lambda cycle, _: repeat(cycle),
    "triangular2": lambda cycle, _: repeat(cycle, value_multiplier=0.5),
    "exp_range": lambda cycle, gamma: repeat(cycle) * ExponentialDecay(1.0, gamma, 1.0),
}
CLOCKS: dict[str, Callable[[Schedule, Scalar], Schedule]] = {
    "iterations": lambda height, _: height,
    "cycle": lambda height, period: staircase(
        stretch(shift(height, 1), period), period
    ),
}


@scheduler
def CosineAnnealingWarmRestarts(
    base_lr: Scalar, T_0: Scalar, T_mult: Scalar = 1, eta_min: Scalar = 0.0
) -> Schedule:
    """Decays along a cosine again and again, restarting at the rate: SGDR.

    Every restart is at the rate, at its step. In PyTorch, `scheduler.step(epoch)` with
    the epoch given has `eta_min` at some of them instead, since it rounds a logarithm
    (with `T_mult=3` at the fifth, say).

    Args:
        base_lr: The learning rate of the optimizer, at each restart.
        T_0: How many steps the first cycle takes, positive.
        T_mult: How many times as long as the one before each cycle is; any positive
            number, unlike PyTorch's.
        eta_min: The rate that each cycle nears.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `T_0` is negative, or `T_mult` not positive.

    Example:
        >>> from jaxsched.compat.torch import CosineAnnealingWarmRestarts
        >>> lr = CosineAnnealingWarmRestarts(1.0, T_0=10, T_mult=2)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 20, 30)]
        [1.0, 0.5, 1.0, 0.5, 1.0]
    """
    cycles = sgdr(base_lr, period=T_0, period_multiplier=T_mult, end=eta_min)
    return NoFactor(cycles, "CosineAnnealingWarmRestarts")


@scheduler
def OneCycleLR(
    max_lr: Scalar,
    total_steps: Scalar | None = None,
    epochs: Scalar | None = None,
    steps_per_epoch: Scalar | None = None,
    pct_start: Scalar = 0.3,
    anneal_strategy: str = "cos",
    cycle_momentum: bool = True,
    base_momentum: Scalar = 0.85,
    max_momentum: Scalar = 0.95,
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
    three_phase: bool = False,
) -> OneCycle:
    """Raises the rate and lowers the momentum, then does the reverse, once.

    As in PyTorch, the phases end one step before their part of the whole: the peak at
    step `pct_start * total_steps - 1`, which may be between two steps, and the last
    rate at step `total_steps - 1`. `one_cycle` ends at step `total_steps`.

    Args:
        max_lr: The highest rate; that of the optimizer does not matter.
        total_steps: How many steps there are; or give the next two.
        epochs: How many epochs there are.
        steps_per_epoch: How many steps make one.
        pct_start: Which part of the steps the rate rises, from 0 to 1.
        anneal_strategy: The shape of each phase: "cos" or "linear".
        cycle_momentum: Whether the momentum moves too; if not, its schedule holds
            `max_momentum`, where PyTorch leaves that of the optimizer alone.
        base_momentum: The lowest momentum, at the peak of the rate.
        max_momentum: The highest momentum.
        div_factor: How many times lower than the peak the first rate is.
        final_div_factor: How many times lower than the first rate the last one is.
        three_phase: Whether the rate first falls as it rose.

    Returns:
        Two schedules of `total_steps - 1` steps, `rate` and `momentum`.

    Raises:
        ValueError: If the number of steps is given twice, or not at all, or is not
            positive, or `anneal_strategy` is unknown.

    Example:
        >>> from jaxsched.compat.torch import OneCycleLR
        >>> rate, momentum = OneCycleLR(1.0, total_steps=100)
        >>> [round(float(rate(step)), 3) for step in (0, 29, 64, 99)]
        [0.04, 1.0, 0.5, 0.0]
        >>> [round(float(momentum(step)), 3) for step in (0, 29, 64, 99)]
        [0.95, 0.85, 0.9, 0.95]
    """
    name, length = one_of(total_steps=total_steps, epochs=epochs)
    total = as_leaf(length, POSITIVE, name)
    if name == "epochs":
        total = total * as_leaf(steps_per_epoch, POSITIVE, "steps_per_epoch")
    curve = named("annealing", anneal_strategy, ANNEALINGS)
    start = max_lr / div_factor
    end = start / final_div_factor
    high = max_momentum
    low = base_momentum if cycle_momentum else high
    if three_phase:
        ends = [pct_start * total - 1, 2 * pct_start * total - 2, total - 1]
        rates = [(start, max_lr), (max_lr, start), (start, end)]
        momenta = [(high, low), (low, high), (high, high)]
    else:
        ends = [pct_start * total - 1, total - 1]
        rates = [(start, max_lr), (max_lr, end)]
        momenta = [(high, low), (low, high)]
    rate = NoFactor(phases(rates, ends, curve), "OneCycleLR")
    return OneCycle(rate, phases(momenta, ends, curve))


@scheduler
def CyclicLR(
    base_lr: Scalar,
    max_lr: Scalar,
    step_size_up: Scalar = 2000,
    step_size_down: Scalar | None = None,
    mode: str = "triangular",
    gamma: Scalar = 1.0,
    scale_fn: Callable[[Any], Any] | None = None,
    scale_mode: str = "cycle",
    cycle_momentum: bool = True,
    base_momentum: Scalar = 0.8,
    max_momentum: Scalar = 0.9,
) -> OneCycle:
    """Goes up and down in straight lines, and the momentum down and up, without end.

    Args:
        base_lr: The lowest rate, at step 0; that of the optimizer does not matter.
        max_lr: The highest rate.
        step_size_up: How many steps the way up takes.
        step_size_down: How many steps the way back takes; as many if not given.
        mode: How high the cycles go: all as high with "triangular", each half as high
            as the one before with "triangular2", and with "exp_range" less high by a
            factor with each step.
        gamma: That factor, positive.
        scale_fn: A function to use instead, one that JAX can trace.
        scale_mode: What that is a function of: the number of the cycle, from 1, with
            "cycle", or the step with "iterations".
        cycle_momentum: Whether the momentum moves too; if not, its schedule holds
            `max_momentum`, where PyTorch leaves that of the optimizer alone.
        base_momentum: The lowest momentum, where the rate is highest.
        max_momentum: The highest momentum.

    Returns:
        Two schedules without end, `rate` and `momentum`.

    Raises:
        ValueError: If a length is negative, `gamma` is not positive, or `mode` or
            `scale_mode` unknown.

    Example:
        >>> from jaxsched.compat.torch import CyclicLR
        >>> rate, momentum = CyclicLR(0.0, 1.0, step_size_up=2)
        >>> [float(rate(step)) for step in range(6)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]
        >>> [round(float(momentum(step)), 2) for step in range(6)]
        [0.9, 0.85, 0.8, 0.85, 0.9, 0.85]
    """
    down = step_size_up if step_size_down is None else step_size_down
    triangle = linear(0.0, 1.0, step_size_up) >> linear(1.0, 0.0, down)
    if scale_fn is None:
        wave = named("mode", mode, WAVES)(triangle, gamma)
    else:
        clock = named("scale mode", scale_mode, CLOCKS)
        wave = repeat(triangle) * clock(custom(scale_fn), triangle.duration)
    low = base_momentum if cycle_momentum else max_momentum
    rate = NoFactor(rescale(wave, base_lr, max_lr), "CyclicLR")
    return OneCycle(rate, rescale(wave, max_momentum, low))


def phases(
    values: Sequence[tuple[Scalar, Scalar]], ends: Sequence[Scalar], curve: Curve
) -> Chain:
    """Goes from value to value, each reached at its step: maybe before step 0."""
    begins = [0.0, *ends[:-1]]
    return chain(
        *(
            shift(
                ramp(start, stop, at_least(0.0, end - begin), curve),
                at_least(0.0, 0.0 - begin),
            )
            for (start, stop), begin, end in zip(values, begins, ends, strict=True)
        )
    )
