"""Batch sizes that grow: plans of them, and rates that know how much has been seen."""

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import jax
import numpy as np

from ..domain import ABOVE_ONE, FRACTION, POSITIVE
from ..errors import echoes, refusal
from ..hyperparameters import as_leaf
from ..leaves.tables import piecewise_constant
from ..schedule import Constant, Schedule, ScheduleLike, as_schedule, require_end
from ..transforms import on_clock
from ..transforms.clocks import elapsed, reached


__all__ = ["Seesaw", "batch_ramp", "batch_sizes", "elapsed", "reached", "seesaw"]


Unit = Literal["samples", "tokens", "steps"]

Stages: TypeAlias = str | Mapping[float, int] | Sequence[tuple[float, int]]
"""When each batch size begins: as text, or in pairs."""

SUFFIXES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
ENTRY = re.compile(r"([\d.]+)([KMBT]?):([\d.]+)([KMBT]?)", re.IGNORECASE)
STAGES = "stages like '0:768 250B:1536', or pairs (begin, batch size), from 0 on"


@echoes
def batch_sizes(
    stages: Stages, *, unit: Unit = "samples", sequence_length: int | None = None
) -> Schedule:
    """Makes a plan of batch sizes: how many samples each step has.

    Args:
        stages: When each batch size begins, the first one at 0: a text in Megatron-LM's
            form, with K, M, B and T for 1e3 to 1e12; or pairs.
        unit: In what the beginnings are counted. A stage begins with the first step
            before which so much has been seen.
        sequence_length: How many tokens a sample has, where tokens are counted.

    Returns:
        A schedule whose values are batch sizes. `js.on_clock(lr, plan)` runs a schedule
        that counts samples, and `js.on_clock(lr, sequence_length * plan)` one that
        counts tokens; `elapsed` and `reached` convert steps. `lr * (plan / 768) ** 0.5`
        is a rate that grows with the square root of the batch size.

    Raises:
        ValueError: If there is no such stage or unit, beginnings do not increase, or
            `sequence_length` is missing or useless.

    Example:
        >>> from jaxsched import training
        >>> plan = training.batch_sizes(
        ...     "0:768 250B:1536", unit="tokens", sequence_length=4096)
        >>> plan([0, 79_472, 79_473]).tolist()
        [768.0, 768.0, 1536.0]
        >>> training.elapsed(4096 * plan, 100_000)
        379145158656
        >>> training.batch_sizes({0: 8, 100: 16}, unit="steps")(100)
        Array(16., dtype=float32)

    Source:
        NVIDIA, *Megatron-LM*, `--step-batch-size-schedule`,
        https://github.com/NVIDIA/Megatron-LM.
    """
    if unit not in get_args(Unit):
        raise refusal(ValueError, "`unit`", f"in {get_args(Unit)}", unit)
    if (sequence_length is not None) != (unit == "tokens"):
        needs = "needs" if unit == "tokens" else "needs no"
        raise ValueError(f"`unit={unit!r}` {needs} `sequence_length`.")
    begins, sizes = zip(*_read(stages), strict=True)
    if sequence_length is not None:
        length = _positive_integer(sequence_length, "sequence_length")
        begins = tuple(begin // length for begin in begins)
    if begins[0] != 0 or any(b >= a for b, a in itertools.pairwise(begins)):
        raise refusal(ValueError, "`stages`", STAGES, stages)
    if unit == "steps":
        return _plan(begins[1:], sizes)
    return _by_samples(begins, sizes)


@echoes
def batch_ramp(
    start: int, end: int, *, increment: int, samples: int, restart: bool = False
) -> Schedule:
    """Makes a plan of batch sizes that grow by equal amounts, after equal parts.

    Args:
        start: The first batch size.
        end: The last one.
        increment: By how many samples it grows at a time.
        samples: Over how many samples it grows: each batch size has an equal part.
        restart: Whether each batch size counts its part anew, as in MaxText; in
            Megatron-LM and NeMo, what the last batch took too much counts.

    Returns:
        A plan like that of `batch_sizes`.

    Raises:
        ValueError: If a number is not a whole one > 0, or the ramp has no whole number
            of increments.

    Example:
        >>> from jaxsched import training
        >>> plan = training.batch_ramp(16, 32, increment=8, samples=100)
        >>> plan([0, 3, 4, 6, 7]).tolist()
        [16.0, 16.0, 24.0, 32.0, 32.0]

    Source:
        NVIDIA, *Megatron-LM*, `--rampup-batch-size`; Google, *MaxText*,
        `enable_rampup_batch_size`, https://github.com/AI-Hypercomputer/maxtext.
    """
    numbers = {"start": start, "end": end, "increment": increment, "samples": samples}
    for name, number in numbers.items():
        _positive_integer(number, name)
    times, rest = divmod(end - start, increment)
    if rest or times < 0:
        raise ValueError(
            f"`end` must be `start` and some times `increment`, got {start} to {end} "
            f"by {increment}."
        )
    sizes = [start + increment * index for index in range(times + 1)]
    if restart:
        part = Fraction(samples, max(times, 1))
        steps = [math.ceil(part / size) for size in sizes[:-1]]
        return _plan(np.cumsum(steps), sizes)
    begins = [
        math.ceil(Fraction(samples * index, times or 1)) for index in range(times + 1)
    ]
    return _by_samples(begins, sizes)


class Seesaw(NamedTuple):
    """A decay that is traded for larger batches, and what that saves."""

    schedule: Schedule
    """The rate, by steps."""
    batch_sizes: Schedule
    """How many samples each step has."""
    saved: float
    """The part of the steps that is saved."""
    saved_at_most: float
    """The same if the batch grew with every step: one minus the mean of the decay."""


@echoes
def seesaw(
    schedule: ScheduleLike,
    batch_size: int,
    *,
    factor: float = 2.0,
    largest: float = math.inf,
    power: float = 0.5,
) -> Seesaw:
    """Lets the batch grow where the rate would fall: the same training in fewer steps.

    Whenever the rate has fallen by `factor`, the batch becomes larger by it, and the
    rate is multiplied by `factor ** power`: for Adam, and whatever normalizes its
    updates, a rate by the square root of the batch size has the same effect.

    Args:
        schedule: The rate by samples: `js.stretch(lr, batch_size)` of one by steps. It
            must end, and must not rise after its peak.
        batch_size: How many samples a step has at first.
        factor: By how much the batch grows at a time, more than 1.
        largest: The largest batch size there may be.
        power: How the rate follows the batch size: 0.5 for Adam, 1 for SGD.

    Returns:
        The rate and the batch size by steps, and the part of the steps that is saved.

    Raises:
        ValueError: If the schedule has no end or rises after its peak, or a number is
            outside its domain.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> by_samples = js.cosine(1e-3, 0.0, steps=1_000_000)
        >>> plan = training.seesaw(by_samples, 100)
        >>> round(plan.saved, 3), round(plan.saved_at_most, 6)
        (0.377, 0.5)
        >>> plan.batch_sizes([0, 5_000, 6_000]).tolist()
        [100.0, 200.0, 400.0]

    Source:
        Meterez et al., 2025, *Seesaw*, https://arxiv.org/abs/2510.14717.
    """
    whole = require_end(as_schedule(schedule), "`seesaw` trades no decay of")
    first = _positive_integer(batch_size, "batch_size")
    growth = as_leaf(factor, ABOVE_ONE, "factor")
    follows = as_leaf(power, FRACTION, "power")
    most = largest if largest == math.inf else as_leaf(largest, POSITIVE, "largest")
    decay = _Decay.of(whole)
    times: list[float] = []
    sizes = [first]
    while True:
        size = round(first * growth ** len(sizes))
        begin = decay.falls_to(growth ** -len(sizes))
        if size > most or begin is None or decay.samples - begin < size:
            break
        times.append(begin)
        sizes.append(size)
    plan = _by_samples([0, *map(math.ceil, times)], sizes)
    by_steps = on_clock(whole, plan)
    steps = float(by_steps.duration)
    return Seesaw(
        schedule=by_steps * (plan / first) ** follows if times else by_steps,
        batch_sizes=plan,
        saved=1 - steps * first / decay.samples,
        saved_at_most=1 - decay.mean(at_least=first / most),
    )


class _Decay(NamedTuple):
    """A schedule relative to its peak, in double precision: 1 until there."""

    relative: Callable[[np.ndarray], np.ndarray]
    samples: float
    peak: float
    """Where the peak is, or ends."""

    @classmethod
    def of(cls, schedule: Schedule) -> "_Decay":
        samples = float(schedule.duration)
        if not samples:
            raise ValueError(f"`schedule` takes no samples: {schedule}.")
        place = np.linspace(0.0, samples, 4097)
        rates = _exactly(schedule, place)
        peak, highest = _highest(schedule, place, rates)
        if not highest > 0:
            raise ValueError(f"`schedule` has no rate above 0: {schedule}.")
        after = place > peak
        if np.any(np.diff(rates[after]) > 1e-9 * highest):
            raise ValueError(
                f"`schedule` must not rise after its peak, at {peak:g}: {schedule}."
            )

        def relative(x: np.ndarray) -> np.ndarray:
            rates = np.minimum(_exactly(schedule, x) / highest, 1.0)
            return np.where(x < peak, 1.0, rates)

        return cls(relative, samples, peak)

    def falls_to(self, level: float) -> float | None:
        """Returns when it has fallen to some level, by bisection; `None` if never."""
        low, high = self.peak, self.samples
        if self.relative(np.array([high])).item() > level:
            return None
        for _ in range(60):
            middle = (low + high) / 2
            fallen = self.relative(np.array([middle])).item() <= level
            low, high = (low, middle) if fallen else (middle, high)
        return high

    def mean(self, *, at_least: float) -> float:
        """Returns its mean, or that of what is at least so much, to about 1e-14.

        Intervals are halved until Gauss' rule of ten nodes sees no difference.
        """
        nodes, weights = np.polynomial.legendre.leggauss(10)

        def integrals(begins: np.ndarray, width: float) -> np.ndarray:
            x = begins[:, None] + width * (nodes + 1) / 2
            values = np.maximum(self.relative(self.samples * x), at_least)
            return np.asarray(values @ weights) * width / 2

        width, total = 1 / 64, 0.0
        begins = np.arange(64) * width
        while len(begins):
            wholes = integrals(begins, width)
            halves = np.stack(
                [integrals(begins + half, width / 2) for half in (0.0, width / 2)]
            ).sum(0)
            done = (np.abs(wholes - halves) < 1e-16) | (width < 1e-15)
            total += float(halves[done].sum())
            width /= 2
            begins = np.concatenate([begins[~done], begins[~done] + width])
        return total


def _highest(
    schedule: Schedule, place: np.ndarray, rates: np.ndarray
) -> tuple[float, float]:
    """Returns where the rate is highest, the last such place, and how high it is."""
    here, found = place, rates
    for _ in range(6):
        best = int(np.argmax(found))
        low, high = here[max(best - 1, 0)], here[min(best + 1, len(here) - 1)]
        here = np.linspace(low, high, 1024)
        found = _exactly(schedule, here)
    highest = float(max(rates.max(), found.max()))
    last = place[rates >= highest * (1 - 1e-12)]
    return float(max([here[np.argmax(found)], *last[-1:]])), highest


def _exactly(schedule: Schedule, x: np.ndarray) -> np.ndarray:
    """Returns the values at some times in double precision, of any number of them."""
    flat = x.ravel()
    # One shape is one program.
    padded = np.resize(flat, 1024 * math.ceil(len(flat) / 1024)).reshape(-1, 1024)
    with jax.enable_x64(True):
        values = np.concatenate([np.asarray(schedule(row)) for row in padded])
    return values[: len(flat)].reshape(x.shape)


# --- Stages --------------------------------------------------------------------------


def _read(stages: Any) -> list[tuple[int, int]]:
    """Returns the pairs that are written, or given."""
    if isinstance(stages, str):
        entries = [
            ENTRY.fullmatch(entry) for entry in re.split(r"[\s,]+", stages.strip())
        ]
        if not all(entries):
            raise refusal(ValueError, "`stages`", STAGES, stages)
        pairs: Any = [
            (
                int(Fraction(entry[1]) * SUFFIXES[entry[2].upper()]),
                int(Fraction(entry[3]) * SUFFIXES[entry[4].upper()]),
            )
            for entry in entries
            if entry
        ]
    else:
        pairs = stages.items() if isinstance(stages, Mapping) else stages
    try:
        read = [(begin, size) for begin, size in pairs]
    except (TypeError, ValueError):
        raise refusal(TypeError, "`stages`", STAGES, stages) from None
    if not read or not all(_is_whole(begin) and begin >= 0 for begin, _ in read):
        raise refusal(ValueError, "`stages`", STAGES, stages)
    sizes = [_positive_integer(size, "stages") for _, size in read]
    return [(int(begin), size) for (begin, _), size in zip(read, sizes, strict=True)]


def _is_whole(number: Any) -> bool:
    real = isinstance(number, int | float | np.integer | np.floating)
    return real and math.isfinite(number) and number == int(number)


def _positive_integer(number: Any, name: str) -> int:
    if not _is_whole(number) or number <= 0:
        raise refusal(ValueError, f"`{name}`", "a whole number > 0", number)
    return int(number)


def _by_samples(begins: Sequence[int], sizes: Sequence[int]) -> Schedule:
    """Returns the plan of batch sizes that begin once so many samples were seen.

    A stage that is over within one step of the stage before is left out.
    """
    steps, seen = [0], 0
    kept = [sizes[0]]
    for begin, size in zip(begins[1:], sizes[1:], strict=True):
        taken = max(-(-(begin - seen) // kept[-1]), 0)
        seen += taken * kept[-1]
        if taken:
            steps.append(steps[-1] + taken)
            kept.append(size)
        else:
            kept[-1] = size
    return _plan(steps[1:], kept)


def _plan(boundaries: Any, sizes: Sequence[int]) -> Schedule:
    if not len(boundaries):
        return Constant(sizes[0])
    return piecewise_constant([*map(float, boundaries)], [*map(float, sizes)])
