"""Schedulers of schedulers: one after another, and all at once."""

import functools
import math
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ...domain import NONNEGATIVE, POSITIVE
from ...hyperparameters import as_leaf, is_concrete
from ...numerics import held, where
from ...schedule import Schedule, as_schedule
from ...transforms import switch
from ...tree import child, hyper, static
from ...types import Scalar, Vector
from ..ported import joined
from .decays import Annealing
from .names import NoFactor, scheduler


__all__ = ["ChainedScheduler", "SequentialLR", "Since"]


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
    return NoFactor(joined(schedulers, milestones), "SequentialLR")


@scheduler
def ChainedScheduler(base_lr: Scalar, schedulers: Sequence[Schedule]) -> Schedule:
    """Applies several schedulers at each step, one after another.

    PyTorch's schedulers change the rate that they find. Those that multiply it by
    numbers of their own are factors: `StepLR`, `MultiStepLR`, `ConstantLR`, `LinearLR`,
    `ExponentialLR`, `PolynomialLR`, `MultiplicativeLR`, and `CosineAnnealingLR` without
    `eta_min`, which starts anew from `base_lr` after it was at 0. `LambdaLR`,
    `CosineAnnealingWarmRestarts`, `OneCycleLR` and `CyclicLR` replace the rate, so that
    nothing before them counts. Anything else has no formula, and is an error.

    Args:
        base_lr: The learning rate of the optimizer, positive, which all share.
        schedulers: One or more schedules of this module, each with that rate, in
            PyTorch's order. Any other schedule is a factor.

    Returns:
        A schedule that lasts as long as the longest of them.

    Raises:
        ValueError: If there are none, `base_lr` is not positive, or one of several
            is no factor where it stands.

    Example:
        >>> from jaxsched.compat import torch
        >>> factors = torch.ConstantLR(0.5, 0.5, 2), torch.ExponentialLR(0.5, 0.5)
        >>> lr = torch.ChainedScheduler(0.5, factors)
        >>> [float(lr(step)) for step in range(4)]
        [0.25, 0.125, 0.125, 0.0625]
        >>> replaced = torch.LambdaLR(0.5, lambda step: 1 / (1 + step))
        >>> lr = torch.ChainedScheduler(0.5, [*factors, replaced])
        >>> [float(lr(step)) for step in (0, 1, 3)]
        [0.5, 0.25, 0.125]
    """
    if not schedulers:
        raise ValueError("At least one schedule is needed, got none.")
    base = as_leaf(base_lr, POSITIVE, "base_lr")
    parts = [*map(as_schedule, schedulers)]
    begin = last_replacing([*map(scheduler_of, parts)])
    first, *others = parts[begin:]
    if not others:
        late = begin > 0 and scheduler_of(first) == "CyclicLR"
        # One that is made after others leaves the first rate as they found it.
        return NoFactor(switch([base, first], [1]), "CyclicLR") if late else first
    return product(base, [first, *others])


REPLACING = {"LambdaLR", "CosineAnnealingWarmRestarts", "OneCycleLR", "CyclicLR"}
"""These set the rate at each step, whatever it was."""

NO_FACTOR = {
    "SWALR": "it moves the rate that it finds towards `swa_lr`",
    "SequentialLR": "it sets the rate anew at its milestones",
    "ChainedScheduler": "its `CosineAnnealingLR` starts anew after it was at 0",
    "CosineAnnealingLR": "with an `eta_min`, it moves the rate that it finds",
    **dict.fromkeys(
        REPLACING,
        "it sets the rate at each step, so that what comes after it changes single "
        "steps only; chain it last, and without those that come before it",
    ),
}


def scheduler_of(part: Schedule) -> str | None:
    """Returns the name of the scheduler that is no factor, or that is one for a while.

    Of one that is a factor for ever it returns `None`.
    """
    if isinstance(part, Annealing):
        return "CosineAnnealingLR"
    return part.by if isinstance(part, NoFactor) else None


def last_replacing(names: Sequence[str | None]) -> int:
    """Returns the place of the last scheduler that replaces the rate, or 0."""
    return max((i for i, name in enumerate(names) if name in REPLACING), default=0)


def product(base: Scalar, parts: Sequence[Schedule]) -> Schedule:
    """Multiplies several factors of `base`, one of which may be a cosine.

    Raises:
        ValueError: If one of them is no factor.
    """
    cosines = [part for part in parts if isinstance(part, Annealing)]
    for part in parts:
        name = scheduler_of(part)
        plain = isinstance(part, Annealing) and is_zero(part.floor)
        if name is not None and not plain:
            raise ValueError(f"`{name}` cannot be chained: {NO_FACTOR[name]}.")
    if len(cosines) > 1:
        raise ValueError(
            "Only one `CosineAnnealingLR` can be chained: it starts anew from the rate "
            "of the optimizer after it was at 0, whatever the others have made of it."
        )
    if not cosines:
        first, *others = parts
        return functools.reduce(operator.mul, (other / base for other in others), first)
    (cosine,) = cosines
    place = next(i for i, part in enumerate(parts) if part is cosine)
    factors = (
        Since(part / base, cosine.steps, i < place)
        for i, part in enumerate(parts)
        if i != place
    )
    chained: Schedule = functools.reduce(operator.mul, factors, cosine)
    return NoFactor(chained, "ChainedScheduler")


def is_zero(value: Scalar) -> bool:
    """Tells whether `value` is known to be 0."""
    return is_concrete(value) and bool(np.all(np.asarray(value) == 0))


class Since(Schedule):
    """The part of the factor `inner` since the cosine beside it last started anew.

    PyTorch's cosine of `steps` steps is at 0 at `steps`, and with it the rate. One step
    later the cosine adds to the rate, so that nothing of the factors before remains:
    not of that step either, if they come `earlier` than the cosine in the chain.
    """

    inner: Schedule = child()
    steps: Scalar = hyper(NONNEGATIVE)
    earlier: bool = static()

    @property
    def duration(self) -> Scalar:
        return math.inf

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        begin = self.steps + 1
        value = self.inner.at(t)
        anew = begin + held(jnp.maximum(t - begin, 0.0), 2 * self.steps)
        before = self.inner.at(anew if self.earlier else anew - 1)
        # A factor that has come to 0 is over, and changes nothing any more.
        over = before == 0
        since = where(over, 1.0, value / where(over, 1.0, before))
        return where(t < begin, value, since)
