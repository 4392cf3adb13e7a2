"""Power laws of what has been seen: tokens, or batches and epochs."""

import math

from ..curves import Curve, Linear
from ..errors import echoes
from ..leaves import linear, power_law
from ..schedule import Constant, Schedule
from ..transforms import cooldown, staircase, warmup
from ..types import Scalar
from .horizon import decaying, divisor, rest


__all__ = ["eden", "power_scheduler"]


@echoes
def power_scheduler(
    peak: Scalar,
    *,
    batch_size: Scalar,
    tokens_per_step: Scalar,
    warmup_steps: Scalar,
    decay_steps: Scalar = 0.0,
    total_steps: Scalar = math.inf,
    amplitude: Scalar = 4.6,
    exponent: Scalar = 0.51,
    end: Scalar = 0.0,
    curve: Curve = Linear(),
) -> Schedule:
    """Follows `min(peak, amplitude * batch_size / tokens**exponent)`.

    A power law in the tokens seen, with which one tuned rate serves any batch size
    and any number of tokens; a warmup before it, and a decay at the end.

    Args:
        peak: The highest rate, positive.
        batch_size: How many sequences make a batch, positive.
        tokens_per_step: How many tokens make a batch, positive.
        warmup_steps: How many steps the warmup takes; it rises in a straight line to
            the rate that the law has then.
        decay_steps: How many steps the decay takes, at the end.
        total_steps: The length of the whole; without it there is no decay and no end.
        amplitude: The factor `a` of the paper, positive.
        exponent: The negative of its exponent `b`, positive.
        end: The rate from step `total_steps` on.
        curve: The shape of the decay, from `jaxsched.curves`; linear if not given.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If a length is negative, the phases are longer than the whole, there
            is a decay without `total_steps`, or one of the others is not positive.

    Example:
        >>> from jaxsched import power_scheduler
        >>> lr = power_scheduler(0.02, batch_size=128, tokens_per_step=2**19,
        ...     warmup_steps=100, decay_steps=1000, total_steps=10_000)
        >>> [round(float(lr(step)), 4) for step in (0, 50, 100, 4000, 9000, 10_000)]
        [0.0, 0.01, 0.02, 0.0104, 0.0069, 0.0]
        >>> law = power_scheduler(0.02, batch_size=128, tokens_per_step=2**19,
        ...     warmup_steps=100)
        >>> [round(float(law(step)), 4) for step in (0, 50, 4000, 9000, 10_000)]
        [0.0, 0.01, 0.0104, 0.0069, 0.0065]

    Source:
        Shen et al., 2024, *Power Scheduler*, https://arxiv.org/abs/2408.13359.
    """
    decaying(peak, end=end)
    bend = divisor(amplitude, "amplitude") * divisor(batch_size, "batch_size")
    tokens = (bend / divisor(peak, "peak")) ** (1 / divisor(exponent, "exponent"))
    flat = tokens / divisor(tokens_per_step, "tokens_per_step")
    law = Constant(peak, flat) >> power_law(peak, exponent=exponent, timescale=flat)
    warmed = warmup(law, warmup_steps, join="overlay")
    if isinstance(total_steps, float) and total_steps == math.inf:
        if not isinstance(decay_steps, int | float) or decay_steps != 0:
            raise ValueError(
                "`decay_steps` needs `total_steps`, at which the decay ends, "
                f"got decay_steps={decay_steps!r} alone."
            )
        return warmed
    rest(total_steps, warmup_steps=warmup_steps, decay_steps=decay_steps)
    begin = rest(total_steps, decay_steps=decay_steps)
    return cooldown(warmed, begin, decay_steps, end, curve)


@echoes
def eden(
    peak: Scalar,
    *,
    steps_per_epoch: Scalar,
    batches: Scalar = 5000.0,
    epochs: Scalar = 6.0,
    warmup_steps: Scalar = 500.0,
    start_fraction: Scalar = 0.5,
) -> Schedule:
    """Decays with the batch and with the epoch, as one over the square root of each.

    It is `peak * ((b**2 + batches**2) / batches**2)**-0.25` at batch b, times the
    same of the epoch, which counts whole ones, times a linear warmup.

    Args:
        peak: The rate that the rest are factors of.
        steps_per_epoch: How many steps make an epoch, positive.
        batches: Until when the batch hardly matters, in steps; positive.
        epochs: Until when the epoch hardly matters, in epochs; positive.
        warmup_steps: How many steps the warmup takes; may be 0.
        start_fraction: Which part of the rate there is at step 0.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If a length is not positive, or `warmup_steps` is negative.

    Example:
        >>> from jaxsched import eden
        >>> lr = eden(0.05, steps_per_epoch=1000)
        >>> [round(float(lr(step)), 4) for step in (0, 500, 5000, 50_000)]
        [0.025, 0.0499, 0.0369, 0.0054]

    Source:
        Yao et al., 2024, *Zipformer*, https://arxiv.org/abs/2310.11230.
    """
    by_batch = power_law(peak, exponent=0.5, timescale=batches, bend=2.0)
    by_epoch = power_law(
        1.0, exponent=0.5, timescale=epochs * steps_per_epoch, bend=2.0
    )
    warmed = linear(start_fraction, 1.0, warmup_steps)
    return by_batch * staircase(by_epoch, steps_per_epoch) * warmed
