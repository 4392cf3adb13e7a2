"""Schedulers of schedulers: one after another, and all at once."""

import functools
import operator
from collections.abc import Sequence

from ...domain import POSITIVE
from ...hyperparameters import as_leaf
from ...schedule import Schedule, as_schedule
from ...types import Scalar, Vector
from ..ported import joined
from .names import scheduler


__all__ = ["ChainedScheduler", "SequentialLR"]


@scheduler
def SequentialLR(schedulers: Sequence[Schedule], milestones: Vector) -> Schedule:
    """Runs schedules one after another, each from its own step 0.

    Args:
        schedulers: One or more schedules, with their own rates.
        milestones: The steps at which the next one takes over; one less.

    Returns:
        A schedule that lasts until the last one ends.

    Raises:
        ValueError: If the numbers do not match, or the milestones decrease.

    Example:
        >>> from jaxsched.compat.torch import ExponentialLR, LinearLR, SequentialLR
        >>> lr = SequentialLR(
        ...     [LinearLR(1.0, 0.5, 1.0, total_iters=2), ExponentialLR(1.0, 0.5)], [2])
        >>> [float(lr(step)) for step in range(5)]
        [0.5, 0.75, 1.0, 0.5, 0.25]
    """
    return joined(schedulers, milestones)


@scheduler
def ChainedScheduler(base_lr: Scalar, schedulers: Sequence[Schedule]) -> Schedule:
    """Applies the factors of several schedules at once.

    Args:
        base_lr: The learning rate of the optimizer, positive, which all share.
        schedulers: One or more schedules, each with that rate; what they make of it
            are the factors. PyTorch's `CosineAnnealingLR` with an `eta_min` is no
            factor, and depends on the others there.

    Returns:
        A schedule that lasts as long as the longest of them.

    Raises:
        ValueError: If there are none, or `base_lr` is not positive.

    Example:
        >>> from jaxsched.compat import torch
        >>> factors = torch.ConstantLR(0.5, 0.5, 2), torch.ExponentialLR(0.5, 0.5)
        >>> lr = torch.ChainedScheduler(0.5, factors)
        >>> [float(lr(step)) for step in range(4)]
        [0.25, 0.125, 0.125, 0.0625]
    """
    if not schedulers:
        raise ValueError("At least one schedule is needed, got none.")
    base = as_leaf(base_lr, POSITIVE, "base_lr")
    first, *others = map(as_schedule, schedulers)
    return functools.reduce(operator.mul, (other / base for other in others), first)
