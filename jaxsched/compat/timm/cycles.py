"""Schedulers that decay along a curve, once or in cycles."""

from ...curves import Cosine, KDecay, Power, Tanh
from ...numerics import host
from ...schedule import Schedule
from ...transforms import warmup
from ...types import Scalar
from .parts import Range, cycled, noisy, scheduler, warmed


__all__ = ["CosineLRScheduler", "PolyLRScheduler", "TanhLRScheduler"]


@scheduler
def CosineLRScheduler(
    base_lr: Scalar,
    t_initial: Scalar,
    lr_min: Scalar = 0.0,
    cycle_mul: Scalar = 1.0,
    cycle_decay: Scalar = 1.0,
    cycle_limit: Scalar | None = None,
    warmup_t: Scalar | None = None,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = False,
    *,
    noise_range_t: Range = None,
    noise_pct: Scalar = 0.67,
    noise_std: Scalar = 1.0,
    noise_seed: Scalar = 42,
    k_decay: Scalar = 1.0,
) -> Schedule:
    """Decays along a cosine, once or in cycles: "cosine".

    Args:
        base_lr: The learning rate of the optimizer.
        t_initial: How many steps the first cycle takes, positive.
        lr_min: The rate at the end of each cycle, and after the last.
        cycle_mul: How many times as long as the one before each cycle is, positive.
        cycle_decay: How many times as high as the one before each peak is.
        cycle_limit: How many cycles there are; one if not given.
        warmup_t: How many steps the warmup takes; there is none if not given.
        warmup_lr_init: The first rate of the warmup.
        warmup_prefix: Whether the decay waits for the warmup. If not, it is hidden by
            it, and as in timm, the rate jumps from `base_lr` to where the decay is.
        noise_range_t: From which step on there is noise, or from which to which;
            nowhere if not given.
        noise_pct: The greatest noise, relative to the rate, positive.
        noise_std: Its standard deviation, before that limit, at least 0.
        noise_seed: Which random numbers.
        k_decay: The power of the steps that passed, positive: more than 1 decays later.

    Returns:
        A schedule of all the cycles.

    Raises:
        ValueError: If a number is outside its range.

    Example:
        >>> from jaxsched.compat.timm import CosineLRScheduler
        >>> lr = CosineLRScheduler(1.0, t_initial=100, lr_min=0.5)
        >>> [round(float(lr(step)), 3) for step in (0, 50, 100)]
        [1.0, 0.75, 0.5]
        >>> lr = CosineLRScheduler(1.0, t_initial=10, cycle_decay=0.5, cycle_limit=2)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 15, 20)]
        [1.0, 0.5, 0.5, 0.25, 0.0]
    """
    decay = cycled(
        base_lr,
        lr_min,
        t_initial,
        KDecay(k_decay, Cosine()),
        cycle_limit,
        cycle_mul,
        cycle_decay,
    )
    risen = warmed(decay, base_lr, warmup_t, warmup_lr_init, warmup_prefix)
    return noisy(risen, noise_range_t, noise_pct, noise_std, noise_seed)


@scheduler
def TanhLRScheduler(
    base_lr: Scalar,
    t_initial: Scalar,
    lb: Scalar = -7.0,
    ub: Scalar = 3.0,
    lr_min: Scalar = 0.0,
    cycle_mul: Scalar = 1.0,
    cycle_decay: Scalar = 1.0,
    cycle_limit: Scalar | None = None,
    warmup_t: Scalar | None = None,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = False,
    *,
    noise_range_t: Range = None,
    noise_pct: Scalar = 0.67,
    noise_std: Scalar = 1.0,
    noise_seed: Scalar = 42,
) -> Schedule:
    """Decays along a hyperbolic tangent, once or in cycles: "tanh".

    As in timm, it neither starts at `base_lr` nor ends at `lr_min`, but as far from
    them as the tangent is from its limits, and jumps to `lr_min` in the end.

    Args:
        base_lr: The learning rate of the optimizer.
        t_initial: How many steps the first cycle takes, positive.
        lb: Where on the tangent it starts.
        ub: Where on the tangent it ends.
        lr_min: The rate that each cycle nears, and that after the last.
        cycle_mul: How many times as long as the one before each cycle is, positive.
        cycle_decay: How many times as high as the one before each peak is.
        cycle_limit: How many cycles there are; one if not given.
        warmup_t: How many steps the warmup takes; there is none if not given.
        warmup_lr_init: The first rate of the warmup.
        warmup_prefix: Whether the decay waits for the warmup. If not, it is hidden by
            it, and the rate rises to where the decay is then.
        noise_range_t: From which step on there is noise, or from which to which;
            nowhere if not given.
        noise_pct: The greatest noise, relative to the rate, positive.
        noise_std: Its standard deviation, before that limit, at least 0.
        noise_seed: Which random numbers.

    Returns:
        A schedule of all the cycles.

    Raises:
        ValueError: If a number is outside its range.

    Example:
        >>> from jaxsched.compat.timm import TanhLRScheduler
        >>> lr = TanhLRScheduler(1.0, t_initial=10)
        >>> [round(float(lr(step)), 4) for step in (0, 5, 7, 9, 10)]
        [1.0, 0.982, 0.5, 0.018, 0.0]
    """
    high = (_logistic(-2 * lb), _logistic(-2 * ub))
    low = (_logistic(2 * lb), _logistic(2 * ub))
    decay = cycled(
        base_lr,
        lr_min,
        t_initial,
        Tanh(lb, ub),
        cycle_limit,
        cycle_mul,
        cycle_decay,
        high,
        low,
    )
    risen = warmed(decay, base_lr, warmup_t, warmup_lr_init, warmup_prefix)
    if warmup_t is not None and not warmup_prefix:
        risen = warmup(decay, warmup_t, join="overlay", start=warmup_lr_init)
    return noisy(risen, noise_range_t, noise_pct, noise_std, noise_seed)


@scheduler
def PolyLRScheduler(
    base_lr: Scalar,
    t_initial: Scalar,
    power: Scalar = 0.5,
    lr_min: Scalar = 0.0,
    cycle_mul: Scalar = 1.0,
    cycle_decay: Scalar = 1.0,
    cycle_limit: Scalar | None = None,
    warmup_t: Scalar | None = None,
    warmup_lr_init: Scalar = 0.0,
    warmup_prefix: bool = False,
    *,
    noise_range_t: Range = None,
    noise_pct: Scalar = 0.67,
    noise_std: Scalar = 1.0,
    noise_seed: Scalar = 42,
    k_decay: Scalar = 1.0,
) -> Schedule:
    """Decays as a power of what remains, once or in cycles: "poly".

    Args:
        base_lr: The learning rate of the optimizer.
        t_initial: How many steps the first cycle takes, positive.
        power: The exponent, positive.
        lr_min: The rate at the end of each cycle, and after the last.
        cycle_mul: How many times as long as the one before each cycle is, positive.
        cycle_decay: How many times as high as the one before each peak is.
        cycle_limit: How many cycles there are; one if not given.
        warmup_t: How many steps the warmup takes; there is none if not given.
        warmup_lr_init: The first rate of the warmup.
        warmup_prefix: Whether the decay waits for the warmup. If not, it is hidden by
            it, and as in timm, the rate jumps from `base_lr` to where the decay is.
        noise_range_t: From which step on there is noise, or from which to which;
            nowhere if not given.
        noise_pct: The greatest noise, relative to the rate, positive.
        noise_std: Its standard deviation, before that limit, at least 0.
        noise_seed: Which random numbers.
        k_decay: The power of the steps that passed, positive: more than 1 decays later.

    Returns:
        A schedule of all the cycles.

    Raises:
        ValueError: If a number is outside its range.

    Example:
        >>> from jaxsched.compat.timm import PolyLRScheduler
        >>> lr = PolyLRScheduler(1.0, t_initial=100, power=2.0)
        >>> [round(float(lr(step)), 3) for step in (0, 50, 100)]
        [1.0, 0.25, 0.0]
    """
    decay = cycled(
        base_lr,
        lr_min,
        t_initial,
        KDecay(k_decay, Power(power)),
        cycle_limit,
        cycle_mul,
        cycle_decay,
    )
    risen = warmed(decay, base_lr, warmup_t, warmup_lr_init, warmup_prefix)
    return noisy(risen, noise_range_t, noise_pct, noise_std, noise_seed)


def _logistic(x: Scalar) -> Scalar:
    value: Scalar = 1 / (1 + host(x).exp(-x))
    return value
