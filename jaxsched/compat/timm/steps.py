"""Schedulers that multiply the rate by a factor now and then."""

from ...leaves import ExponentialDecay
from ...numerics import at_least
from ...schedule import Schedule
from ...types import Scalar, Vector
from ..torch import MultiStepLR
from .parts import Range, noisy, scheduler, warmed


__all__ = ["MultiStepLRScheduler", "StepLRScheduler"]


@scheduler
def StepLRScheduler(
    base_lr: Scalar,
    decay_t: Scalar,
    decay_rate: Scalar = 1.0,
    warmup_t: Scalar | None = None,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = True,
    *,
    noise_range_t: Range = None,
    noise_pct: Scalar = 0.67,
    noise_std: Scalar = 1.0,
    noise_seed: Scalar = 42,
) -> Schedule:
    """Multiplies the rate by a factor every so many steps: "step".

    Args:
        base_lr: The learning rate of the optimizer.
        decay_t: How many steps a rate is held, positive.
        decay_rate: What it is multiplied by, positive.
        warmup_t: How many steps the warmup takes; there is none if not given.
        warmup_lr_init: The first rate of the warmup.
        warmup_prefix: Whether the decay waits for the warmup.
        noise_range_t: From which step on there is noise, or from which to which;
            nowhere if not given.
        noise_pct: The greatest noise, relative to the rate, positive.
        noise_std: Its standard deviation, before that limit, at least 0.
        noise_seed: Which random numbers.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If a number is outside its range.

    Example:
        >>> from jaxsched.compat.timm import StepLRScheduler
        >>> lr = StepLRScheduler(1.0, decay_t=30, decay_rate=0.5, warmup_t=5)
        >>> [float(lr(step)) for step in (0, 5, 34, 35, 65)]
        [0.0, 1.0, 1.0, 0.5, 0.25]
    """
    decay = ExponentialDecay(base_lr, decay_rate, decay_t, staircase=True)
    risen = warmed(decay, base_lr, warmup_t, warmup_lr_init, warmup_prefix)
    return noisy(risen, noise_range_t, noise_pct, noise_std, noise_seed)


@scheduler
def MultiStepLRScheduler(
    base_lr: Scalar,
    decay_t: Vector,
    decay_rate: Scalar = 1.0,
    warmup_t: Scalar | None = None,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = True,
    *,
    noise_range_t: Range = None,
    noise_pct: Scalar = 0.67,
    noise_std: Scalar = 1.0,
    noise_seed: Scalar = 42,
) -> Schedule:
    """Multiplies the rate by a factor one step before each of some: "multistep".

    As in timm, which counts its milestones from 1: that of 30 is at step 29.

    Args:
        base_lr: The learning rate of the optimizer.
        decay_t: The milestones; one that is there twice counts twice.
        decay_rate: What the rate is multiplied by.
        warmup_t: How many steps the warmup takes; there is none if not given.
        warmup_lr_init: The first rate of the warmup.
        warmup_prefix: Whether the decay waits for the warmup.
        noise_range_t: From which step on there is noise, or from which to which;
            nowhere if not given.
        noise_pct: The greatest noise, relative to the rate, positive.
        noise_std: Its standard deviation, before that limit, at least 0.
        noise_seed: Which random numbers.

    Returns:
        A schedule that lasts until the last milestone.

    Raises:
        ValueError: If a number is outside its range.

    Example:
        >>> from jaxsched.compat.timm import MultiStepLRScheduler
        >>> lr = MultiStepLRScheduler(1.0, decay_t=[30, 60], decay_rate=0.5)
        >>> [float(lr(step)) for step in (0, 28, 29, 59)]
        [1.0, 1.0, 0.5, 0.25]
    """
    milestones = [at_least(0.0, milestone - 1) for milestone in decay_t]
    decay = MultiStepLR(base_lr, milestones, decay_rate)
    risen = warmed(decay, base_lr, warmup_t, warmup_lr_init, warmup_prefix)
    return noisy(risen, noise_range_t, noise_pct, noise_std, noise_seed)
