"""How long training is, and how long a part of it is: in steps, whatever the unit.

A step is an update of the optimizer, and nothing else: `duration` and `total_steps`
count updates. Two things count more often.

* `optax.MultiSteps(optimizer, k)` is called with every mini-batch, and advances a
  schedule with every `k`-th only. In terms of mini-batches, `stretch(schedule, k)` is
  the curve, and `staircase(stretch(schedule, k), k)` the rate that is applied.
* PPO makes `epochs * minibatches` updates in each iteration:
  `staircase(schedule, epochs * minibatches)` changes the rate once per iteration.
"""

import dataclasses
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ..domain import FRACTION, NONNEGATIVE, POSITIVE, Domain
from ..errors import echoes, named
from ..hyperparameters import as_leaf, is_concrete
from ..numerics import Steps
from ..schedule import Schedule, ScheduleLike
from ..transforms import staircase, stretch


__all__ = ["Horizon", "per_epoch"]


AT_LEAST_ONE = Domain("a number >= 1", lambda x: (x >= 1) & (x < math.inf))

RATES = {
    "epochs": (
        "steps_per_epoch",
        "`steps_per_epoch`, or `dataset_size` and `batch_size`",
    ),
    "samples": ("samples_per_step", "`batch_size`"),
    "tokens": ("tokens_per_step", "`tokens_per_step`"),
}
"""What converts each unit, and what to give for it."""

RELATIONS = (
    ("total_steps", "epochs", "steps_per_epoch"),
    ("samples", "total_steps", "samples_per_step"),
    ("tokens", "total_steps", "tokens_per_step"),
    ("samples_per_epoch", "steps_per_epoch", "samples_per_step"),
    ("samples", "epochs", "samples_per_epoch"),
)
"""The first of each is the product of the others, so two of them tell the third."""

NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[-+]?\d+)?"


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class Horizon:
    """How long training is, and every way to say how long a part of it is.

    Its methods return numbers of steps: whole ones, as floats, rounded to the nearest
    and halves up; what is more than nothing is at least 1. It consists of plain
    numbers, known before a program is traced, and is no pytree.

    Args:
        total_steps: The length of training, in updates of the optimizer; or else
        epochs: in passes over the data,
        samples: in samples,
        tokens: or in tokens.
        steps_per_epoch: How many updates a pass over the data makes; or else
        dataset_size: how many samples the data has, given the batch size.
        batch_size: How many samples a mini-batch has, on all devices together.
        tokens_per_step: How many tokens an update learns from.
        accumulate: How many mini-batches make one update. They may come from two
            epochs, so an epoch need not make a whole number of updates.
        drop_last: Whether an epoch leaves out its last, smaller mini-batch.

    Raises:
        ValueError: If a number is not positive, or what is given does not suffice, or
            contradicts itself.
        TypeError: If a number is traced, or none.

    Example:
        >>> from jaxsched.training import Horizon
        >>> horizon = Horizon(epochs=90, dataset_size=1_281_167, batch_size=256)
        >>> horizon.total_steps, horizon.epochs(5), horizon.fraction(0.1)
        (450450.0, 25025.0, 45045.0)
        >>> horizon.of("5ep") == horizon.epochs(5)
        True
        >>> horizon
        Horizon(epochs=90.0, dataset_size=1281167.0, batch_size=256.0)
        >>> Horizon(total_steps=1000, epochs=3, steps_per_epoch=500)
        Traceback (most recent call last):
        ValueError: `Horizon(total_steps=1000.0, epochs=3.0, steps_per_epoch=500.0)`
        contradicts itself: by `epochs` training has 1500 steps, by the rest 1000.
    """

    total_steps: float
    steps_per_epoch: float | None
    samples_per_step: float | None
    tokens_per_step: float | None
    given: dict[str, Any] = dataclasses.field(compare=False)

    def __init__(
        self,
        *,
        total_steps: float | None = None,
        epochs: float | None = None,
        samples: float | None = None,
        tokens: float | None = None,
        steps_per_epoch: float | None = None,
        dataset_size: float | None = None,
        batch_size: float | None = None,
        tokens_per_step: float | None = None,
        accumulate: float = 1.0,
        drop_last: bool = False,
    ) -> None:
        numbers = {
            "total_steps": total_steps,
            "epochs": epochs,
            "samples": samples,
            "tokens": tokens,
            "steps_per_epoch": steps_per_epoch,
            "dataset_size": dataset_size,
            "batch_size": batch_size,
            "tokens_per_step": tokens_per_step,
        }
        given = {
            name: _number(number, POSITIVE, name)
            for name, number in numbers.items()
            if number is not None
        }
        per_update = _number(accumulate, AT_LEAST_ONE, "accumulate")
        options: dict[str, Any] = {"accumulate": per_update} if per_update > 1 else {}
        options |= {"drop_last": True} if drop_last else {}
        vars(self).update(given=given | options)

        known = _solved(given | self._counted(per_update, drop_last))
        if "total_steps" not in known:
            raise ValueError(self._unknown(*(unit for unit in RATES if unit in given)))
        vars(self).update(
            total_steps=_whole(known["total_steps"]),
            steps_per_epoch=known.get("steps_per_epoch"),
            samples_per_step=known.get("samples_per_step"),
            tokens_per_step=known.get("tokens_per_step"),
        )
        self._agree()

    def __repr__(self) -> str:
        """The expression that builds it, as it was written."""
        shown = (f"{name}={number!r}" for name, number in self.given.items())
        return f"Horizon({', '.join(shown)})"

    def replace(self, **changes: Any) -> "Horizon":
        """Returns a copy with some of what was given changed; with `None`, left out."""
        given = self.given | changes
        return Horizon(**{name: x for name, x in given.items() if x is not None})

    def steps(self, number: float) -> float:
        """Returns a number of steps, rounded."""
        return _whole(_number(number, NONNEGATIVE, "steps"))

    def epochs(self, number: float) -> float:
        """Returns how many steps a number of passes over the data takes."""
        return self._converted(number, "epochs")

    def samples(self, number: float) -> float:
        """Returns how many steps it takes to see a number of samples.

        If the size of the data is known, a step sees a little less than a full batch
        on average: an epoch sees the data once, its last and smaller batch included.
        """
        return self._converted(number, "samples")

    def tokens(self, number: float) -> float:
        """Returns how many steps it takes to see a number of tokens."""
        return self._converted(number, "tokens")

    def fraction(self, part: float) -> float:
        """Returns how many steps a part of the training takes, from 0 to 1."""
        return _whole(_number(part, FRACTION, "fraction") * self.total_steps)

    def of(self, length: str) -> float:
        """Returns how many steps a length takes that is written with its unit.

        Args:
            length: Steps as "100ba", for batches; or epochs as "10ep", a part of the
                training as "0.1dur", tokens as "2e9tok", samples as "5e4sp". The
                strings are those of MosaicML's Composer.

        Raises:
            ValueError: If there is no such unit, or the number is outside its domain.
            TypeError: If it is no text.
        """
        takes = "`Horizon.of` takes '100ba', '10ep', '0.1dur', '2e9tok' or '5e4sp'"
        if not isinstance(length, str):
            raise TypeError(f"{takes}, got {length!r}.")
        written = re.fullmatch(rf"\s*({NUMBER})\s*([a-z]+)\s*", length.lower())
        if written is None:
            raise ValueError(f"{takes}, got {length!r}.")
        number, unit = written.groups()
        units = {
            "ba": self.steps,
            "ep": self.epochs,
            "dur": self.fraction,
            "tok": self.tokens,
            "sp": self.samples,
        }
        return named("unit", unit, units)(float(number))

    def _rate(self, unit: str) -> float:
        """Returns the steps per epoch, or the samples or tokens per step.

        Raises:
            ValueError: If it is not known; it says what to give.
        """
        name, _ = RATES[unit]
        known: float | None = getattr(self, name)
        if known is None:
            raise ValueError(self._unknown(unit))
        return known

    def _converted(self, number: float, unit: str) -> float:
        amount = _number(number, NONNEGATIVE, unit)
        if amount == 0:
            return 0.0
        rate = self._rate(unit)
        return _whole(amount * rate if unit == "epochs" else amount / rate)

    def _unknown(self, *units: str) -> str:
        """Says what to give, to make steps of these."""
        if not units:
            return f"`{self}` needs `total_steps`, `epochs`, `samples` or `tokens`."
        needs = ", or ".join(f"for `{unit}` {RATES[unit][1]}" for unit in units)
        return f"`{self}` does not tell how many steps that is: it needs {needs}."

    def _counted(self, accumulate: float, drop_last: bool) -> dict[str, float]:
        """What an epoch and a step consist of, counted batch by batch."""
        size, batch = (self.given.get(name) for name in ("dataset_size", "batch_size"))
        counted = {}
        if size and batch:
            batches = _batches(size, batch, drop_last)
            if not batches:
                raise ValueError(f"`{self}` drops the only batch of its epochs.")
            steps = batches / accumulate
            told = self.given.get("steps_per_epoch", steps)
            self._compare("dataset_size", "an epoch", steps, told)
            counted["steps_per_epoch"] = steps
        if size and not (batch and drop_last):
            counted["samples_per_epoch"] = size
        elif batch:
            counted["samples_per_step"] = batch * accumulate
        return counted

    def _agree(self) -> None:
        """Raises an error if what is given contradicts itself."""
        for name, to_steps in self._conversions().items():
            if name in self.given:
                steps = to_steps(self.given[name])
                self._compare(name, "training", steps, self.total_steps)
        size = self.given.get("dataset_size")
        if size and self.steps_per_epoch and self.samples_per_step:
            steps = size / self.samples_per_step
            # The last batch of an epoch may be smaller, or left out.
            if abs(steps - self.steps_per_epoch) > 1:
                self._compare("dataset_size", "an epoch", steps, self.steps_per_epoch)

    def _conversions(self) -> dict[str, Callable[[float], float]]:
        return {
            "total_steps": self.steps,
            "epochs": self.epochs,
            "samples": self.samples,
            "tokens": self.tokens,
        }

    def _compare(self, by: str, what: str, steps: float, others: float) -> None:
        if not math.isclose(steps, others):
            raise ValueError(
                f"`{self}` contradicts itself: by `{by}` {what} has {steps:.12g} "
                f"steps, by the rest {others:.12g}."
            )


@echoes
def per_epoch(
    schedule: ScheduleLike, horizon: Horizon, *, smooth: bool = False
) -> Schedule:
    """Makes a schedule over epochs one over steps.

    Args:
        schedule: What is given in epochs: its values at epoch 0, 1, 2 and so on.
        horizon: What tells how many steps an epoch has.
        smooth: Whether the rate changes with every step, between the epochs too; else
            it is updated once per epoch, and held.

    Returns:
        A schedule over steps, whose value at the first step of each epoch is exactly
        that of the epoch.

    Raises:
        ValueError: If the horizon does not tell how many steps an epoch has.

    Example:
        >>> from jaxsched import linear
        >>> from jaxsched.training import Horizon, per_epoch
        >>> horizon = Horizon(epochs=2, dataset_size=256, batch_size=64)
        >>> lr = per_epoch(linear(1.0, 0.0, steps=2), horizon)
        >>> [float(lr(step)) for step in (0, 3, 4, 7, 8)]
        [1.0, 1.0, 0.5, 0.5, 0.0]
        >>> lr = per_epoch(linear(1.0, 0.0, steps=2), horizon, smooth=True)
        >>> [float(lr(step)) for step in (0, 2, 4, 8)]
        [1.0, 0.75, 0.5, 0.0]
    """
    steps = as_horizon(horizon)._rate("epochs")
    by_step = stretch(schedule, steps)
    return by_step if smooth else staircase(by_step, steps)


def as_horizon(given: Any) -> Horizon:
    """Returns a horizon unchanged.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(given, Horizon):
        raise TypeError(
            f"Expected a horizon, as `Horizon(total_steps=1000)`, got {given!r}."
        )
    return given


def _solved(known: dict[str, float]) -> dict[str, float]:
    """All that follows from what is known, as far as it is not known."""
    for _ in RELATIONS:
        for product, first, second in RELATIONS:
            if first in known and second in known:
                known.setdefault(product, known[first] * known[second])
            elif product in known and first in known:
                known[second] = known[product] / known[first]
            elif product in known and second in known:
                known[first] = known[product] / known[second]
    return known


def _number(given: Any, domain: Domain, name: str) -> float:
    """Returns a plain number within `domain`."""
    leaf = as_leaf(given, domain, f"Horizon.{name}")
    if not is_concrete(leaf):
        raise TypeError(
            f"`Horizon.{name}` must be known before the program is traced, got "
            f"{given!r}: make the horizon, and what is made of it, outside of `jit`."
        )
    if np.ndim(leaf):
        raise TypeError(f"`Horizon.{name}` must be one number, got {given!r}.")
    return float(leaf)


def _batches(size: float, batch: float, drop_last: bool) -> int:
    """Counts the batches of an epoch, the last one too unless it is dropped."""
    whole = size.is_integer() and batch.is_integer()
    # Fractions are decimals: 0.3 makes three batches of 0.1.
    exactly = Fraction(int(size), int(batch)) if whole else round(size / batch, 6)
    return math.floor(exactly) if drop_last else math.ceil(exactly)


def _whole(steps: float) -> float:
    """Rounds to the nearest whole number, halves up, and nothing positive to 0."""
    # What is half a step in decimals may be a little less in binary: 0.29 * 50.
    nearest = math.floor(round(steps, 6) + 0.5)
    return Steps(max(nearest, 1 if steps > 0 else 0))
