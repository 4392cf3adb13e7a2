"""The objective: the metric to rank by, and whether less or more of it is better."""

import dataclasses
import math
import re
from typing import Literal

import numpy as np

from ..errors import named
from .trial import Trial


SIGNS = {"min": 1.0, "max": -1.0}

LESS_IS_BETTER = frozenset(
    [
        *("validation", "loss", "error", "err", "perplexity", "ppl", "cost", "risk"),
        *("regret", "energy", "nll", "bpb", "bpc", "mse", "rmse", "mae", "mape"),
        *("wer", "cer", "ter", "fid", "kid", "lpips", "kl", "divergence", "distance"),
        *("entropy", "gap", "rank", "latency", "residual", "penalty"),
    ]
)
MORE_IS_BETTER = frozenset(
    [
        *("accuracy", "acc", "reward", "rewards", "return", "returns", "score", "auc"),
        *("auroc", "auprc", "map", "ndcg", "mrr", "f1", "fbeta", "precision", "recall"),
        *("iou", "miou", "dice", "bleu", "rouge", "meteor", "psnr", "ssim", "r2"),
        *("elbo", "success", "likelihood", "loglikelihood", "correlation", "top1"),
        *("top5", "elo", "winrate"),
    ]
)
"""Words in the name of a metric that tell which way is better."""

NEGATIONS = frozenset(["neg", "negative", "minus"])

Mode = Literal["min", "max"]


@dataclasses.dataclass(frozen=True)
class Objective:
    """A metric to rank by, and its direction.

    Args:
        metric: The name of a scalar metric.
        mode: "min" if less of it is better, "max" if more is. Unless given, the name
            of the metric decides, where it has a word such as `loss` or `accuracy`.

    Raises:
        ValueError: If there is no such mode, or the name does not tell it.

    Example:
        >>> Objective("validation_loss").mode, Objective("accuracy").mode
        ('min', 'max')
        >>> Objective("accuracy").cost(0.9)
        -0.9
    """

    metric: str = "validation"
    mode: Mode | None = None

    def __post_init__(self) -> None:
        mode = direction(self.metric) if self.mode is None else self.mode
        named("mode", mode, SIGNS)
        object.__setattr__(self, "mode", mode)

    @property
    def sign(self) -> float:
        """1 if less of the metric is better, else -1."""
        assert self.mode is not None
        return SIGNS[self.mode]

    def cost(self, value: float) -> float:
        """Returns a value such that less is better."""
        return self.sign * value

    def is_better(self, value: float, other: float) -> bool:
        """Tells whether a value is better than another; any number is better than NaN.

        Example:
            >>> Objective("reward").is_better(2.0, 1.0)
            True
            >>> Objective("reward").is_better(2.0, float("nan"))
            True
        """
        if math.isnan(value):
            return False
        return math.isnan(other) or self.cost(value) < self.cost(other)

    def mean_cost(self, values: list[float]) -> float:
        """Returns the mean cost; infinity if a value is not finite."""
        mean = self.cost(float(np.mean(values))) if values else math.nan
        return mean if math.isfinite(mean) else math.inf

    def final(self, trial: Trial) -> float:
        """Returns the metric at the end of a trial; NaN before."""
        return float(trial.metrics.get(self.metric, math.nan))

    def latest(self, trial: Trial) -> float:
        """Returns the metric when it was last measured; NaN if it never was."""
        if self.metric in trial.metrics:
            return self.final(trial)
        return trial.latest(self.metric)


def direction(metric: str) -> Mode:
    """Returns "min" or "max", as the name of a metric tells.

    Raises:
        ValueError: If it does not tell.

    Example:
        >>> direction("eval/top1"), direction("neg_mean_squared_error")
        ('max', 'max')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", metric)
    words = re.findall(r"[a-z0-9]+", spaced.lower())
    less, more = LESS_IS_BETTER.intersection(words), MORE_IS_BETTER.intersection(words)
    less -= {"validation"} if more or len(less) > 1 else set()
    if bool(less) == bool(more):
        raise ValueError(
            f"Is less of {metric!r} better, or more? The name does not tell: "
            'say mode="min" or mode="max".'
        )
    flipped = len(NEGATIONS.intersection(words)) % 2 == 1
    return "max" if bool(more) != flipped else "min"
