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
        scores: Of shape `[candidates, seeds]`, finite.

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
    quantile = stdtrit(freedom, (1 + CONFIDENCE) / 2)
    return float(quantile * math.sqrt(2 * variance / seeds))
