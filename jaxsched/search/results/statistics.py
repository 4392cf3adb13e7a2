"""Statistics: what may be said of means over a few seeds."""

import functools
import math
from typing import Any

import numpy as np
from scipy.optimize import brentq  # type: ignore[import-untyped]
from scipy.special import chdtri, ndtr, stdtrit  # type: ignore[import-untyped]


CONFIDENCE = 0.95
"""The probability that an interval holds its mean, and the tied ones the best."""


def least_difference(scores: np.ndarray) -> float:
    """Returns how much worse than the best mean the best candidate may be, by chance.

    With a probability of 95 %, the candidate that is truly the best, over all possible
    seeds, is worse than the best mean by no more than this: multiple comparisons with
    the best. The design has blocks: what a seed does to all candidates is no noise
    between them. The noise is estimated from the better half of the candidates, since
    those are compared, and the worst are often wild.

    Args:
        scores: Of shape `[candidates, seeds]`, finite; less is better.

    Returns:
        A difference of means; `inf` if there is nothing to estimate it from.

    Example:
        >>> import numpy as np
        >>> scores = np.array([[1.0, 2.0, 3.0], [1.5, 2.6, 3.4]])
        >>> round(least_difference(scores), 3)
        0.169

    Source:
        Hsu, 1984, *Constrained Simultaneous Confidence Intervals for Multiple
        Comparisons with the Best*; Dunnett, 1955, *A Multiple Comparison Procedure for
        Comparing Several Treatments with a Control*.
    """
    candidates, seeds = scores.shape
    if candidates < 2 or seeds < 2:
        return math.inf
    half = max(2, math.ceil(candidates / 2))
    better = scores[np.argsort(scores.mean(axis=1))[:half]]
    freedom = (half - 1) * (seeds - 1)
    expected = better.mean(axis=1, keepdims=True) + better.mean(axis=0, keepdims=True)
    residuals = better - expected + better.mean()
    variance = (residuals**2).sum() / freedom
    return dunnett(candidates - 1, freedom) * math.sqrt(2 * variance / seeds)


@functools.lru_cache(maxsize=1024)
def dunnett(others: int, freedom: int) -> float:
    """Returns the one-sided 95 % quantile of Dunnett.

    It bounds the greatest of the standardised differences between `others` means and
    one more, if all expected means are equal.

    Args:
        others: The number of other means.
        freedom: The degrees of freedom of the estimated variance.

    Example:
        >>> round(dunnett(2, 10), 2), round(dunnett(9, 20), 2)
        (2.15, 2.6)
    """
    nodes, weights = np.polynomial.legendre.leggauss(128)
    # The standard deviation by its quantiles, the common mean by its density.
    fractions = (nodes + 1) / 2
    deviations = np.sqrt(chdtri(freedom, fractions) / freedom)[:, None]
    points = 9 * nodes
    density = 9 * weights * np.exp(-(points**2) / 2) / math.sqrt(2 * math.pi)

    def excess(quantile: float) -> float:
        below = ndtr(points + math.sqrt(2) * quantile * deviations) ** others
        return float(weights / 2 @ below @ density) - CONFIDENCE

    root: Any = brentq(excess, 0.0, 1000.0, xtol=1e-9)
    return float(root)


def mean_interval(scores: np.ndarray) -> tuple[float, float]:
    """Returns the 95 % confidence interval of the mean over all possible seeds.

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
    mean, reach = float(scores.mean()), float(half_width(scores))
    return mean - reach, mean + reach


def half_width(scores: np.ndarray) -> np.ndarray:
    """Returns half the width of the interval of a mean, along the last axis."""
    seeds = scores.shape[-1]
    quantile = stdtrit(seeds - 1, (1 + CONFIDENCE) / 2)
    return np.asarray(quantile * scores.std(axis=-1, ddof=1) / math.sqrt(seeds))
