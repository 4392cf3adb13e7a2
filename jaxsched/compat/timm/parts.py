"""What the schedulers of timm share: cycles, a warmup, noise, and what they refuse."""

from collections.abc import Sequence
from typing import TypeAlias

from ...curves import Curve
from ...domain import POSITIVE
from ...hyperparameters import as_leaf
from ...leaves import linear, ramp
from ...schedule import Schedule
from ...transforms import noise, repeat, switch
from ...types import Scalar
from ..ported import ported


Range: TypeAlias = Scalar | Sequence[Scalar] | None
"""From which step on, or from which to which; or nowhere."""

scheduler = ported(
    t_in_epochs="a schedule is a function of one count, whatever that counts",
    initialize="a schedule has no optimizer to write to",
)


def cycled(
    base_lr: Scalar,
    lr_min: Scalar,
    t_initial: Scalar,
    curve: Curve,
    cycle_limit: Scalar | None,
    cycle_mul: Scalar,
    cycle_decay: Scalar,
    high: tuple[Scalar, Scalar] = (1.0, 0.0),
    low: tuple[Scalar, Scalar] = (0.0, 1.0),
) -> Schedule:
    """Goes from one mixture of two rates to another, once or in cycles.

    `high` is the weight of `base_lr` in them, and `low` that of `lr_min`, which is the
    same in all cycles, and held after the last.
    """
    steps = as_leaf(t_initial, POSITIVE, "t_initial")
    (begin, end), (rest_begin, rest_end) = high, low
    if cycle_limit is None:
        start = base_lr * begin + lr_min * rest_begin
        return ramp(start, base_lr * end + lr_min * rest_end, steps, curve) >> lr_min
    peaks = repeat(
        ramp(base_lr * begin, base_lr * end, steps, curve),
        cycle_limit,
        period_multiplier=cycle_mul,
        value_multiplier=cycle_decay,
    )
    floors = repeat(
        ramp(lr_min * rest_begin, lr_min * rest_end, steps, curve),
        cycle_limit,
        period_multiplier=cycle_mul,
    )
    return peaks + floors >> lr_min


def warmed(
    decay: Schedule,
    base_lr: Scalar,
    warmup_t: Scalar | None,
    warmup_lr_init: Scalar,
    warmup_prefix: bool,
) -> Schedule:
    """Warms up to the rate, before the decay or over its first steps."""
    if warmup_t is None:
        return decay
    rise = linear(warmup_lr_init, base_lr, warmup_t)
    return rise >> decay if warmup_prefix else switch([rise, decay], [warmup_t])


def noisy(
    schedule: Schedule,
    noise_range_t: Range,
    noise_pct: Scalar,
    noise_std: Scalar,
    noise_seed: Scalar,
) -> Schedule:
    """Adds noise within the range."""
    if noise_range_t is None:
        return schedule
    ends = [*noise_range_t] if isinstance(noise_range_t, Sequence) else [noise_range_t]
    drawn = noise(schedule, noise_std, limit=noise_pct, seed=noise_seed)
    return switch([schedule, drawn, schedule][: len(ends) + 1], ends)
