"""Suggestions: the rules by which other libraries read a rate off the curve."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from ...errors import echoes, named
from .curve import TooShort, curve_of
from .sweep import RangeTest


__all__ = ["minimum", "slide", "steepest", "suggestions", "valley"]


Per = Literal["log_rate", "index", "descent", "rate"]


def _per_log_rate(rates: np.ndarray, losses: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):  # From a rate of 0, the way is infinite.
        slopes: np.ndarray = np.diff(losses) / np.diff(np.log(rates))
    return slopes


def _per_index(rates: np.ndarray, losses: np.ndarray) -> np.ndarray:
    return np.asarray(np.gradient(losses))


def _per_rate(rates: np.ndarray, losses: np.ndarray) -> np.ndarray:
    return np.asarray(np.gradient(losses, rates))


def _in_descent(rates: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Differences of both neighbours, which the first and the lowest do not have."""
    descent = losses[: int(losses.argmin()) + 1]
    if len(descent) < 3:
        raise TooShort("The loss is lowest among the first two points: no descent.")
    slopes: np.ndarray = np.gradient(descent)
    slopes[[0, -1]] = np.inf
    return slopes


Slopes = Callable[[np.ndarray, np.ndarray], np.ndarray]

# With how many points their sources skip at both ends; `None` is a tenth of the steps.
SLOPES: Mapping[str, tuple[Slopes, int | None, int]] = {
    "log_rate": (_per_log_rate, None, 5),
    "index": (_per_index, 10, 5),
    "descent": (_in_descent, 0, 0),
    "rate": (_per_rate, 10, 1),
}


@echoes
def steepest(
    result: RangeTest,
    *,
    per: Per = "log_rate",
    skip_start: int | None = None,
    skip_end: int | None = None,
) -> float:
    """Suggests the rate at which the loss falls fastest.

    Args:
        result: Of one sweep, or of several.
        per: What the loss is differentiated by. "log_rate" is fastai's, and tells
            alike however the rates are spaced; "index" is torch-lr-finder's;
            "descent" is Ignite's, by the index, and only until the lowest loss;
            "rate" is Lightning's, and much prefers small rates.
        skip_start: How many points to leave out at the start; what the source does
            if not given: a tenth of the steps, 10, 0, 10.
        skip_end: How many points to leave out at the end of what was seen; what the
            source does if not given: 5, 5, 0, 1.

    Returns:
        One of the rates of the sweep.

    Raises:
        ValueError: If too few points are left, or `per` is unknown.

    Example:
        >>> import numpy as np
        >>> from jaxsched.training import RangeTest, steepest
        >>> rates = 10 ** np.linspace(-7, 1, 100)
        >>> losses = 1 / (1 + rates / 1e-3) + rates
        >>> seen = RangeTest(rates, losses, losses, 100)
        >>> [f"{steepest(seen, per=per):.0e}" for per in ("log_rate", "rate")]
        ['9e-04', '6e-07']

    Source:
        https://docs.fast.ai/callback.schedule.html,
        https://github.com/davidtvs/pytorch-lr-finder,
        https://pytorch.org/ignite/generated/ignite.handlers.lr_finder.html,
        https://lightning.ai/docs/pytorch/stable/advanced/training_tricks.html.
    """
    slopes, start, end = named("derivative", per, SLOPES)
    skip_start = start if skip_start is None else skip_start
    skip_end = end if skip_end is None else skip_end
    rates, losses = curve_of(result, skip_start, skip_end, needed=2)
    return float(rates[slopes(rates, losses).argmin()])


@echoes
def valley(
    result: RangeTest, *, skip_start: int | None = None, skip_end: int = 5
) -> float:
    """Suggests a rate half way down the longest valley.

    The valley is the longest run of points each lower than the one before, with any
    others between them. Its middle third is where to be, and the rate in the middle
    of that.

    Args:
        result: Of one sweep, or of several.
        skip_start: How many points to leave out at the start; a tenth of the steps if
            not given.
        skip_end: How many points to leave out at the end of what was seen.

    Returns:
        One of the rates of the sweep.

    Raises:
        ValueError: If no point is left.

    Example:
        >>> import numpy as np
        >>> from jaxsched.training import RangeTest, valley
        >>> rates = 10 ** np.linspace(-7, 1, 100)
        >>> losses = 1 / (1 + rates / 1e-3) + rates
        >>> f"{valley(RangeTest(rates, losses, losses, 100)):.0e}"
        '1e-04'

    Source:
        ESRI, https://forums.fast.ai/t/automated-learning-rate-suggester/44199/30, as
        fastai has it, https://docs.fast.ai/callback.schedule.html.
    """
    rates, losses = curve_of(result, skip_start, skip_end, needed=1)
    runs = np.ones(len(losses), int)
    for index, loss in enumerate(losses):
        before = runs[:index][losses[:index] > loss]
        runs[index] = 1 + before.max(initial=0)
    # As its source has it: the run is taken to have no gaps, and to begin one early.
    end = int(runs.argmax())
    begin = end - int(runs[end]) if end else 0
    third = (end - begin) / 3
    # There a run of two from the first point leads to -1: the highest rate of all.
    return float(rates[max(begin + int(third) + int(third / 2), 0)])


@echoes
def minimum(
    result: RangeTest, *, skip_start: int | None = None, skip_end: int = 5
) -> float:
    """Suggests a tenth of the rate at which the loss is lowest.

    Args:
        result: Of one sweep, or of several.
        skip_start: How many points to leave out at the start; a tenth of the steps if
            not given.
        skip_end: How many points to leave out at the end of what was seen.

    Returns:
        A rate, which may be below all those of the sweep.

    Raises:
        ValueError: If no point is left.

    Example:
        >>> import numpy as np
        >>> from jaxsched.training import RangeTest, minimum
        >>> rates = 10 ** np.linspace(-7, 1, 100)
        >>> losses = 1 / (1 + rates / 1e-3) + rates
        >>> f"{minimum(RangeTest(rates, losses, losses, 100)):.0e}"
        '3e-03'

    Source:
        fastai, https://docs.fast.ai/callback.schedule.html.
    """
    rates, losses = curve_of(result, skip_start, skip_end, needed=1)
    return float(rates[losses.argmin()]) / 10


@echoes
def slide(
    result: RangeTest,
    *,
    skip_start: int | None = None,
    skip_end: int = 5,
    distance: int = 15,
    threshold: float = 0.005,
    factor: float = 1.0,
) -> float:
    """Suggests a rate by sliding an interval down from the highest one.

    It goes on as long as the slopes, per index, at its two ends differ.

    Args:
        result: Of one sweep, or of several.
        skip_start: How many points to leave out at the start; a tenth of the steps if
            not given.
        skip_end: How many points to leave out at the end of what was seen.
        distance: How many points apart the ends of the interval are, at least 1.
        threshold: How much the slopes must differ, in units of the loss.
        factor: What to multiply the rate by.

    Returns:
        The rate at the lower end of the last interval that did differ, or else of the
        first one, times `factor`.

    Raises:
        ValueError: If too few points are left, or `distance` is less than 1.

    Example:
        >>> import numpy as np
        >>> from jaxsched.training import RangeTest, slide
        >>> rates = 10 ** np.linspace(-7, 1, 100)
        >>> losses = 2 / (1 + rates / 1e-3) + rates
        >>> f"{slide(RangeTest(rates, losses, losses, 100)):.0e}"
        '3e-04'

    Source:
        Chang, https://forums.fast.ai/t/automated-learning-rate-suggester/44199, as
        fastai has it, https://docs.fast.ai/callback.schedule.html.
    """
    if distance < 1:
        raise ValueError(f"`distance` must be at least 1, got {distance!r}.")
    rates, losses = curve_of(result, skip_start, skip_end, needed=max(distance + 1, 2))
    slopes = np.gradient(losses)
    differ = abs(slopes[distance:] - slopes[:-distance]) > threshold
    # The highest intervals that do, up to the first from above that does not.
    count = len(differ) if differ.all() else int(differ[::-1].argmin())
    return float(rates[len(differ) - max(count, 1)]) * factor


@echoes
def suggestions(
    result: RangeTest, *, skip_start: int | None = None, skip_end: int = 5
) -> dict[str, float]:
    """Suggests rates by every rule, as fastai has them.

    Args:
        result: Of one sweep, or of several.
        skip_start: How many points to leave out at the start; a tenth of the steps if
            not given.
        skip_end: How many points to leave out at the end of what was seen.

    Returns:
        The rate that each rule suggests, by name; without those that have too few
        points to do so.

    Raises:
        ValueError: If the sweeps are not at the same rates.

    Example:
        >>> import numpy as np
        >>> from jaxsched.training import RangeTest, suggestions
        >>> rates = 10 ** np.linspace(-7, 1, 100)
        >>> losses = 1 / (1 + rates / 1e-3) + rates
        >>> list(suggestions(RangeTest(rates, losses, losses, 100)))
        ['steepest', 'valley', 'minimum', 'slide']
    """
    found = {}
    for rule in (steepest, valley, minimum, slide):
        try:
            rate = rule(result, skip_start=skip_start, skip_end=skip_end)
        except TooShort:
            continue
        found[rule.__name__] = rate
    return found
