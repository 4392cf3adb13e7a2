"""Schedules of several phases: warm up, hold, and decay, once or again and again."""

import math

from ..curves import Curve, Linear
from ..errors import echoes
from ..leaves import cosine, exponential, linear, ramp
from ..schedule import Chain, Constant
from ..transforms import repeat
from ..types import Scalar
from .horizon import decaying, divisor, rest, split


__all__ = [
    "flat_cosine",
    "infinite",
    "slanted_triangular",
    "tri_stage",
    "wsd",
    "wsd_s",
]


@echoes
def wsd(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    decay_steps: Scalar,
    total_steps: Scalar,
    start: Scalar = 0.0,
    end: Scalar = 0.0,
    curve: Curve = Linear(),
) -> Chain:
    """Warms up, holds the peak, then decays: warmup-stable-decay, or trapezoid.

    Args:
        peak: The rate that is held.
        warmup_steps: How many steps the warmup takes; may be 0.
        decay_steps: How many steps the decay takes, at the end.
        total_steps: The length of the whole, warmup and decay included.
        start: The rate at step 0.
        end: The rate from step `total_steps` on.
        curve: The shape of the decay, from `jaxsched.curves`. Linear, it is a
            trapezoid; `Sqrt()` is called 1-sqrt.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If a length is negative, or the phases are longer than the whole.

    Example:
        >>> from jaxsched import wsd
        >>> lr = wsd(0.1, warmup_steps=10, decay_steps=20, total_steps=100)
        >>> [round(float(lr(step)), 3) for step in (0, 10, 80, 85, 100)]
        [0.0, 0.1, 0.1, 0.075, 0.0]

    Source:
        Hu et al., 2024, *MiniCPM*, https://arxiv.org/abs/2404.06395; the curve from
        Hägele et al., 2024, https://arxiv.org/abs/2405.18392.
    """
    decaying(peak, end=end)
    stable = rest(total_steps, warmup_steps=warmup_steps, decay_steps=decay_steps)
    decay = ramp(peak, end, decay_steps, curve)
    return linear(start, peak, warmup_steps) >> Constant(peak, stable) >> decay


@echoes
def wsd_s(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    period: Scalar,
    decay_steps: Scalar,
    cycles: Scalar = math.inf,
    start: Scalar = 0.0,
    end: Scalar | None = None,
    curve: Curve = Linear(),
) -> Chain:
    """Warms up, then holds and decays in turn, back at the peak after each decay.

    Args:
        peak: The rate that is held.
        warmup_steps: How many steps the warmup takes, once; may be 0.
        period: How many steps holding and decaying take together.
        decay_steps: How many steps of each period the decay takes.
        cycles: How many periods; without end if not given.
        start: The rate at step 0.
        end: The rate that each decay nears, and the last one reaches; a tenth of the
            peak if not given.
        curve: The shape of the decay, from `jaxsched.curves`; that of the paper is
            `Reciprocal(end / peak)`, which is linear in one over the rate.

    Returns:
        A schedule of `warmup_steps + cycles * period` steps.

    Raises:
        ValueError: If a length is negative, or `decay_steps` more than `period`.

    Example:
        >>> from jaxsched import wsd_s
        >>> lr = wsd_s(1.0, warmup_steps=10, period=100, decay_steps=10)
        >>> [round(float(lr(step)), 3) for step in (0, 10, 100, 109, 110)]
        [0.0, 1.0, 1.0, 0.19, 1.0]

    Source:
        Wen et al., 2024, *Understanding Warmup-Stable-Decay Learning Rates*,
        https://arxiv.org/abs/2410.05192.
    """
    decaying(peak, end=end)
    stable = rest(period, decay_steps=decay_steps)
    end = peak / 10 if end is None else end
    cycle = Constant(peak, stable) >> ramp(peak, end, decay_steps, curve)
    return linear(start, peak, warmup_steps) >> repeat(cycle, cycles)


@echoes
def infinite(
    peak: Scalar,
    *,
    plateau: Scalar,
    end: Scalar,
    warmup_steps: Scalar,
    cooldown_steps: Scalar,
    anneal_steps: Scalar,
    total_steps: Scalar,
    start: Scalar = 0.0,
    curve: Curve = Linear(),
) -> Chain:
    """Warms up, cools down to a constant rate to stay at, and anneals in the end.

    Training goes on from the constant phase, with other data, as long as one likes.

    Args:
        peak: The highest rate, reached at step `warmup_steps`.
        plateau: The constant rate, positive.
        end: The rate from step `total_steps` on, positive.
        warmup_steps: How many steps the warmup takes; may be 0.
        cooldown_steps: How many steps it takes from the peak to the plateau.
        anneal_steps: How many steps the exponential decay takes, at the end.
        total_steps: The length of the whole.
        start: The rate at step 0.
        curve: The shape of the cooldown, from `jaxsched.curves`; that of the paper is
            `Cosine()`.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If a length is negative, the phases are longer than the whole, or
            `plateau` or `end` is not positive.

    Example:
        >>> from jaxsched import infinite
        >>> lr = infinite(1.0, plateau=0.5, end=0.005, warmup_steps=10,
        ...               cooldown_steps=40, anneal_steps=20, total_steps=100)
        >>> [round(float(lr(step)), 3) for step in (10, 30, 50, 80, 90, 100)]
        [1.0, 0.75, 0.5, 0.5, 0.05, 0.005]

    Source:
        Ibrahim et al., 2024, *Simple and Scalable Strategies to Continually Pre-train
        Large Language Models*, section 7, https://arxiv.org/abs/2403.08763.
    """
    decaying(peak, plateau=plateau)
    decaying(plateau, end=end)
    stable = rest(
        total_steps,
        warmup_steps=warmup_steps,
        cooldown_steps=cooldown_steps,
        anneal_steps=anneal_steps,
    )
    return (
        linear(start, peak, warmup_steps)
        >> ramp(peak, plateau, cooldown_steps, curve)
        >> Constant(plateau, stable)
        >> exponential(plateau, end, anneal_steps)
    )


@echoes
def flat_cosine(
    peak: Scalar, *, decay_steps: Scalar, total_steps: Scalar, end: Scalar = 0.0
) -> Chain:
    """Holds the peak, then decays along a cosine.

    Args:
        peak: The rate from step 0 on.
        decay_steps: How many steps the decay takes, at the end.
        total_steps: The length of the whole.
        end: The rate from step `total_steps` on.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `decay_steps` is negative, or more than `total_steps`.

    Example:
        >>> from jaxsched import flat_cosine
        >>> lr = flat_cosine(0.1, decay_steps=50, total_steps=100)
        >>> [round(float(lr(step)), 3) for step in (0, 50, 75, 100)]
        [0.1, 0.1, 0.05, 0.0]

    Source:
        Howard & Gugger, 2020, *fastai: A Layered API for Deep Learning*,
        https://arxiv.org/abs/2002.04688.
    """
    decaying(peak, end=end)
    flat = rest(total_steps, decay_steps=decay_steps)
    return Constant(peak, flat) >> cosine(peak, end, decay_steps)


@echoes
def tri_stage(
    peak: Scalar,
    *,
    warmup_steps: Scalar,
    decay_steps: Scalar,
    total_steps: Scalar,
    start: Scalar | None = None,
    end: Scalar | None = None,
) -> Chain:
    """Warms up linearly, holds the peak, then decays by the same factor each step.

    Args:
        peak: The rate that is held, positive.
        warmup_steps: How many steps the warmup takes; may be 0.
        decay_steps: How many steps the decay takes, at the end.
        total_steps: The length of the whole, warmup and decay included.
        start: The rate at step 0; one hundredth of the peak if not given.
        end: The rate from step `total_steps` on, positive; one hundredth of the peak
            if not given.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If a length is negative, the phases are longer than the whole, or
            `peak` or `end` is not positive.

    Example:
        >>> from jaxsched import tri_stage
        >>> lr = tri_stage(1.0, warmup_steps=10, decay_steps=50, total_steps=100)
        >>> [round(float(lr(step)), 3) for step in (0, 10, 50, 75, 100)]
        [0.01, 1.0, 1.0, 0.1, 0.01]

    Source:
        Park et al., 2019, *SpecAugment*, https://arxiv.org/abs/1904.08779.
    """
    decaying(peak, end=end)
    stable = rest(total_steps, warmup_steps=warmup_steps, decay_steps=decay_steps)
    start = peak / 100 if start is None else start
    end = peak / 100 if end is None else end
    return (
        linear(start, peak, warmup_steps)
        >> Constant(peak, stable)
        >> exponential(peak, end, decay_steps)
    )


@echoes
def slanted_triangular(
    peak: Scalar,
    *,
    total_steps: Scalar,
    cut_fraction: Scalar = 0.1,
    ratio: Scalar = 32.0,
) -> Chain:
    """Rises fast and falls slowly, in straight lines, to fine-tune a language model.

    Args:
        peak: The highest rate, reached at step `cut_fraction * total_steps`.
        total_steps: The length of the whole.
        cut_fraction: Which part of it the rate rises, from 0 to 1.
        ratio: How many times lower than the peak the first and last rates are.

    Returns:
        A schedule of `total_steps` steps.

    Raises:
        ValueError: If `total_steps` is negative, or `cut_fraction` not from 0 to 1.

    Example:
        >>> from jaxsched import slanted_triangular
        >>> lr = slanted_triangular(0.32, total_steps=100)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 55, 100)]
        [0.01, 0.165, 0.32, 0.165, 0.01]

    Source:
        Howard & Ruder, 2018, *ULMFiT*, section 3.2, https://arxiv.org/abs/1801.06146.
    """
    up, down = split(total_steps, cut_fraction=cut_fraction)
    low = peak / divisor(ratio, "ratio")
    return linear(low, peak, up) >> linear(peak, low, down)
