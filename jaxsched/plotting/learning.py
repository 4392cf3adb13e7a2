"""Learning curves: what was watched while candidates were trained."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..schedule import Schedule


if TYPE_CHECKING:
    from ..search import Results


PIECES = 40
"""How many points a curve of every step is averaged to."""


@dataclasses.dataclass(frozen=True, eq=False)
class Learning:
    """What was watched.

    Attributes:
        name: What it is called.
        steps: After how many steps there is a point.
        values: The means over the seeds, of shape `[candidates, steps]`; NaN where one
            of the seeds has none.
    """

    name: str
    steps: np.ndarray
    values: np.ndarray


def learning(results: "Results", steps: int) -> Learning | None:
    """Returns how each row of `results.ranking` learned, if that was watched.

    It is the `loss`, of every step or of those steps that there is a history of; else
    the metric, or whatever there is.

    Args:
        results: What `search.run` returned.
        steps: How many steps were trained.

    Returns:
        None if there are no curves: what is trained at once has an end only.
    """
    whole = results.metrics.get("loss", np.empty(0))
    if whole.ndim == 2:
        smooth = _smooth(whole)
        middles = (np.arange(smooth.shape[1]) + 0.5) * steps / smooth.shape[1]
        return Learning("loss", middles, _means(results, smooth))
    if len(results.curve_steps) < 2:
        return None
    # What `step` reports has a point for every segment.
    for name in ("step.loss", "loss", results.metric, *results.curves):
        if name in results.curves:
            return Learning(
                name, results.curve_steps, _means(results, results.curves[name])
            )
    return None


def horizon(results: "Results") -> int:
    """Returns for how many steps there is something to draw of a search."""
    whole = results.metrics.get("loss", np.empty(0))
    if results.steps or whole.ndim == 2:
        return results.steps or whole.shape[1]
    lengths = [float(s.duration) for s in scheduled(results, len(results.candidates))]
    return math.ceil(max([1.0, *filter(math.isfinite, lengths)]))


def scheduled(results: "Results", count: int) -> Sequence[Schedule]:
    """Returns the schedules of the best; none if only other things were tried."""
    try:
        return [candidate.schedule for candidate in results.top(count)]
    except ValueError:
        return []


def _means(results: "Results", curves: np.ndarray) -> np.ndarray:
    rows = {trial.number: row for row, trial in enumerate(results.trials)}
    return np.stack(
        [
            curves[[rows[trial.number] for trial in one.trials]].mean(axis=0)
            for one in results.ranked
        ]
    )


def _smooth(curves: np.ndarray) -> np.ndarray:
    """The mean over each fortieth of a curve."""
    pieces = np.array_split(curves, min(PIECES, curves.shape[1]), axis=1)
    return np.stack([piece.mean(axis=1) for piece in pieces], axis=1)
