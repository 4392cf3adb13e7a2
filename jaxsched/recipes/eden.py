"""Eden: a decay in two clocks, the batch and the epoch."""

from ..errors import echoes
from ..leaves import linear, power_law
from ..schedule import Schedule
from ..transforms import staircase
from ..types import Scalar


__all__ = ["eden"]


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
    by_batch = power_law(peak, 0.5, timescale=batches, bend=2.0)
    by_epoch = power_law(1.0, 0.5, timescale=epochs * steps_per_epoch, bend=2.0)
    warmed = linear(start_fraction, 1.0, warmup_steps)
    return by_batch * staircase(by_epoch, steps_per_epoch) * warmed
