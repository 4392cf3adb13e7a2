"""Noise: how much of a difference the seeds alone would make."""

import math

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]


CONFIDENCE = 0.95
"""How sure it must be that a difference is one."""


def least_difference(scores: np.ndarray) -> float:
    """Returns how far apart two means must be for the seeds not to explain it.

    That is Fisher's least significant difference, of a design in blocks: what all
    candidates do better or worse with the same seed is no noise between them. It is
    estimated from the better half of the candidates, since those are compared, and
    the worst are often wild.

    Args:
        scores: Of shape `[candidates, seeds]`, finite; less is better.

    Returns:
        A difference of means; `inf` if there is nothing to estimate it from.

    Example:
        >>> import numpy as np
        >>> scores = np.array([[1.0, 2.0, 3.0], [1.5, 2.6, 3.4]])
        >>> round(least_difference(scores), 3)
        0.248

    Source:
        Fisher, 1935, *The Design of Experiments*.
    """
    seeds = scores.shape[1]
    half = max(2, math.ceil(len(scores) / 2))
    if len(scores) < 2 or seeds < 2:
        return math.inf
    better = scores[np.argsort(scores.mean(axis=1))[:half]]
    freedom = (half - 1) * (seeds - 1)
    expected = better.mean(axis=1, keepdims=True) + better.mean(axis=0, keepdims=True)
    residuals = better - expected + better.mean()
    variance = (residuals**2).sum() / freedom
    return _quantile(freedom) * math.sqrt(2 * variance / seeds)


def mean_interval(scores: np.ndarray) -> tuple[float, float]:
    """Returns the confidence interval of the mean that seeds were drawn around.

    Args:
        scores: Of shape `[seeds]`, finite.

    Returns:
        Its ends; NaN if there are fewer than two seeds.

    Example:
        >>> import numpy as np
        >>> low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
        >>> round(low, 3), round(high, 3)
        (-0.484, 4.484)

    Source:
        Student, 1908, *The Probable Error of a Mean*.
    """
    seeds = len(scores)
    if seeds < 2:
        return math.nan, math.nan
    mean = float(scores.mean())
    reach = _quantile(seeds - 1) * float(scores.std(ddof=1)) / math.sqrt(seeds)
    return mean - reach, mean + reach


def _quantile(freedom: int) -> float:
    """How many standard errors a mean is off at most, with this confidence."""
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
