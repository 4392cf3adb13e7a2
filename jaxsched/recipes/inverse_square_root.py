"""One over the square root of the step: with warmup, and with a cooldown."""

from ..curves import Curve, Linear
from ..errors import echoes
from ..leaves import inverse_sqrt, linear
from ..numerics import at_least
from ..schedule import Chain, Schedule
from ..transforms import cooldown
from ..types import Scalar
from .horizon import decaying, divisor, rest


__all__ = ["inverse_sqrt_cooldown", "noam", "warmup_inverse_sqrt"]


@echoes
def warmup_inverse_sqrt(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    timescale: Scalar | None = None,
    start: Scalar = 0.0,
) -> Chain:
    """Warms up linearly, then decays as one over the square root of the step.

    Args:
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.
        timescale: In how many steps after the warmup the square of the rate halves;
            `warmup_steps` if not given (1 if that is less), so that the rate is
            `peak * sqrt(warmup_steps / step)`.
        start: The rate at step 0.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `warmup_steps` is negative, or `timescale` not positive.

    Example:
        >>> from jaxsched import warmup_inverse_sqrt
        >>> lr = warmup_inverse_sqrt(0.1, warmup_steps=10)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 40, 1000)]
        [0.0, 0.05, 0.1, 0.05, 0.01]

    Source:
        Raffel et al., 2020, *T5*, section 3.1.2, https://arxiv.org/abs/1910.10683.
    """
    scale = at_least(1.0, warmup_steps) if timescale is None else timescale
    return linear(start, peak, warmup_steps) >> inverse_sqrt(peak, scale)


@echoes
def noam(*, d_model: Scalar, warmup_steps: Scalar, scale: Scalar = 1.0) -> Chain:
    """The schedule of the Transformer: linear warmup, then inverse square root.

    Its rate is `scale * d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)`,
    so the first update has rate 0.

    Args:
        d_model: The width of the model, positive.
        warmup_steps: How many steps the warmup takes; less than 1 is none, and what
            follows starts as after 1.
        scale: A factor.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `d_model` is not positive, or `warmup_steps` negative.

    Example:
        >>> from jaxsched import noam
        >>> lr = noam(d_model=512, warmup_steps=4000)
        >>> [round(float(lr(step)), 6) for step in (0, 2000, 4000, 16000)]
        [0.0, 0.000349, 0.000699, 0.000349]

    Source:
        Vaswani et al., 2017, section 5.3, https://arxiv.org/abs/1706.03762.
    """
    width = divisor(d_model, "d_model")
    peak = scale * (width * at_least(1.0, warmup_steps)) ** -0.5
    return warmup_inverse_sqrt(peak, warmup_steps=warmup_steps)


@echoes
def inverse_sqrt_cooldown(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    cooldown_steps: Scalar,
    total_steps: Scalar,
    timescale: Scalar | None = None,
    start: Scalar = 0.0,
    end: Scalar = 0.0,
    curve: Curve = Linear(),
) -> Schedule:
    """Warms up, decays as one over the square root of the step, and cools down.

    Args:
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.
        cooldown_steps: How many steps the cooldown takes, at the end.
        total_steps: The length of the whole, warmup and cooldown included.
        timescale: In how many steps after the warmup the square of the rate halves;
            `warmup_steps` if not given.
        start: The rate at step 0.
        end: The rate from step `total_steps` on.
        curve: The shape of the cooldown, from `jaxsched.curves`.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If a length is negative, or the phases are longer than the whole.

    Example:
        >>> from jaxsched import inverse_sqrt_cooldown
        >>> lr = inverse_sqrt_cooldown(
        ...     0.1, warmup_steps=10, cooldown_steps=10, total_steps=50)
        >>> [round(float(lr(step)), 3) for step in (0, 10, 40, 45, 50)]
        [0.0, 0.1, 0.05, 0.025, 0.0]

    Source:
        Zhai et al., 2022, *Scaling Vision Transformers*, section 3.5,
        https://arxiv.org/abs/2106.04560.
    """
    decaying(peak, end=end)
    rest(total_steps, warmup_steps=warmup_steps, cooldown_steps=cooldown_steps)
    begin = rest(total_steps, cooldown_steps=cooldown_steps)
    decay = warmup_inverse_sqrt(
        peak, warmup_steps=warmup_steps, timescale=timescale, start=start
    )
    return cooldown(decay, begin, cooldown_steps, end, curve)
