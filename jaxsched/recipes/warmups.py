"""A linear warmup, and what follows it: the schedules most networks train with."""

from ..errors import echoes
from ..leaves import cosine, exponential, linear, polynomial
from ..schedule import Chain, Constant
from ..types import Scalar
from .horizon import decaying, rest


__all__ = [
    "warmup_constant",
    "warmup_cosine",
    "warmup_exponential",
    "warmup_linear",
    "warmup_polynomial",
]


@echoes
def warmup_constant(
    peak: Scalar, *, warmup_steps: Scalar, start: Scalar = 0.0
) -> Chain:
    """Warms up linearly, then holds the peak.

    Args:
        peak: The rate from step `warmup_steps` on.
        warmup_steps: How many steps the warmup takes; may be 0.
        start: The rate at step 0.

    Returns:
        A schedule of `warmup_steps` steps.

    Raises:
        ValueError: If `warmup_steps` is negative.

    Example:
        >>> from jaxsched import warmup_constant
        >>> lr = warmup_constant(0.1, warmup_steps=10)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 1000)]
        [0.0, 0.05, 0.1, 0.1]

    Source:
        Goyal et al., 2017, *Accurate, Large Minibatch SGD*, section 2.2,
        https://arxiv.org/abs/1706.02677.
    """
    return linear(start, peak, warmup_steps) >> Constant(peak)


@echoes
def warmup_linear(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    total_steps: Scalar,
    start: Scalar = 0.0,
    end: Scalar = 0.0,
) -> Chain:
    """Warms up linearly, then decays linearly, as BERT and GPT were trained.

    Args:
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.
        total_steps: The length of the whole, warmup included.
        start: The rate at step 0.
        end: The rate from step `total_steps` on.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `warmup_steps` is negative, or more than `total_steps`.

    Example:
        >>> from jaxsched import warmup_linear
        >>> lr = warmup_linear(0.1, warmup_steps=10, total_steps=110)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.05, 0.1, 0.05, 0.0]

    Source:
        Devlin et al., 2019, *BERT*, appendix A.2, https://arxiv.org/abs/1810.04805.
    """
    decaying(peak, end=end)
    decay_steps = rest(total_steps, warmup_steps=warmup_steps)
    return linear(start, peak, warmup_steps) >> linear(peak, end, decay_steps)


@echoes
def warmup_cosine(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    total_steps: Scalar,
    start: Scalar = 0.0,
    end: Scalar = 0.0,
) -> Chain:
    """Warms up linearly, then decays along a cosine.

    Args:
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.
        total_steps: The length of the whole, warmup included.
        start: The rate at step 0.
        end: The rate from step `total_steps` on.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `warmup_steps` is negative, or more than `total_steps`.

    Example:
        >>> from jaxsched import warmup_cosine
        >>> lr = warmup_cosine(0.1, warmup_steps=10, total_steps=110)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.05, 0.1, 0.05, 0.0]

    Source:
        Loshchilov & Hutter, 2017, *SGDR*, https://arxiv.org/abs/1608.03983; with
        warmup, Brown et al., 2020, *GPT-3*, appendix B,
        https://arxiv.org/abs/2005.14165.
    """
    decaying(peak, end=end)
    decay_steps = rest(total_steps, warmup_steps=warmup_steps)
    return linear(start, peak, warmup_steps) >> cosine(peak, end, decay_steps)


@echoes
def warmup_polynomial(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    total_steps: Scalar,
    power: Scalar,
    start: Scalar = 0.0,
    end: Scalar = 0.0,
) -> Chain:
    """Warms up linearly, then decays as a power of the steps that remain.

    Args:
        peak: The highest rate, reached at step `warmup_steps`.
        warmup_steps: How many steps the warmup takes; may be 0.
        total_steps: The length of the whole, warmup included.
        power: The exponent, positive: 1 is linear, more hurries at first.
        start: The rate at step 0.
        end: The rate from step `total_steps` on.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `warmup_steps` is negative, or more than `total_steps`, or if
            `power` is not positive.

    Example:
        >>> from jaxsched import warmup_polynomial
        >>> lr = warmup_polynomial(0.1, warmup_steps=10, total_steps=110, power=2)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.05, 0.1, 0.025, 0.0]

    Source:
        Chen et al., 2018, *DeepLab*, section 4.1, https://arxiv.org/abs/1606.00915.
    """
    decaying(peak, end=end)
    decay_steps = rest(total_steps, warmup_steps=warmup_steps)
    decay = polynomial(peak, end, decay_steps, power=power)
    return linear(start, peak, warmup_steps) >> decay


@echoes
def warmup_exponential(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    total_steps: Scalar,
    start: Scalar = 0.0,
    end: Scalar | None = None,
) -> Chain:
    """Warms up linearly, then decays by the same factor each step.

    Args:
        peak: The highest rate, reached at step `warmup_steps`; positive.
        warmup_steps: How many steps the warmup takes; may be 0.
        total_steps: The length of the whole, warmup included.
        start: The rate at step 0.
        end: The rate from step `total_steps` on, positive; one hundredth of the peak
            if not given.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `warmup_steps` is negative, or more than `total_steps`, or if
            `peak` or `end` is not positive.

    Example:
        >>> from jaxsched import warmup_exponential
        >>> lr = warmup_exponential(0.1, warmup_steps=10, total_steps=110)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.05, 0.1, 0.01, 0.001]

    Source:
        Tan & Le, 2019, *EfficientNet*, section 5.2, https://arxiv.org/abs/1905.11946.
    """
    decaying(peak, end=end)
    decay_steps = rest(total_steps, warmup_steps=warmup_steps)
    end = peak / 100 if end is None else end
    return linear(start, peak, warmup_steps) >> exponential(peak, end, decay_steps)
