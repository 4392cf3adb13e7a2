"""Schedulers by the name that a configuration has for them."""

from collections.abc import Callable, Sequence
from typing import Any

from ...domain import POSITIVE
from ...errors import named
from ...hyperparameters import as_leaf, is_concrete
from ...numerics import host
from ...schedule import Schedule, constant
from ...types import Scalar, Vector
from ..ported import METRICS, ported
from .cycles import CosineLRScheduler, PolyLRScheduler, TanhLRScheduler
from .parts import Range
from .stages import WSDLRScheduler
from .steps import MultiStepLRScheduler, StepLRScheduler


__all__ = ["create_scheduler_v2"]

SCHEDULERS: dict[str, Callable[..., Schedule]] = {
    "cosine": CosineLRScheduler,
    "tanh": TanhLRScheduler,
    "poly": PolyLRScheduler,
    "step": StepLRScheduler,
    "multistep": MultiStepLRScheduler,
    "wsd": WSDLRScheduler,
    "rsqrt": WSDLRScheduler,
    "constant": StepLRScheduler,
    "none": constant,
}


@ported(patience_epochs=METRICS, plateau_mode=METRICS)
def create_scheduler_v2(
    base_lr: Scalar,
    sched: str = "cosine",
    num_epochs: Scalar = 300,
    decay_epochs: Scalar | None = None,
    decay_milestones: Vector = (90, 180, 270),
    cooldown_epochs: Scalar = 0,
    *,
    decay_rate: Scalar = 0.1,
    min_lr: Scalar = 0.0,
    warmup_lr: Scalar = 1e-5,
    warmup_epochs: Scalar | None = None,
    warmup_prefix: bool = False,
    noise: Range = None,
    noise_pct: Scalar = 0.67,
    noise_std: Scalar = 1.0,
    noise_seed: Scalar = 42,
    cycle_mul: Scalar = 1.0,
    cycle_decay: Scalar = 0.1,
    cycle_limit: Scalar | None = None,
    k_decay: Scalar = 1.0,
    decay_fn: str | None = None,
    stable_timescale: Scalar | None = None,
    step_on_epochs: bool = True,
    updates_per_epoch: Scalar = 0,
) -> tuple[Schedule, Scalar]:
    """Returns the schedule of a name, and how many epochs to train.

    Args:
        base_lr: The learning rate of the optimizer.
        sched: "cosine", "tanh", "poly", "step", "multistep", "wsd", "rsqrt",
            "constant", or "none", which holds the rate without a warmup.
        num_epochs: How many epochs the schedule takes; with `warmup_prefix` without the
            warmup.
        decay_epochs: How many epochs "step" holds a rate, 90 if not given, or the decay
            takes of "wsd" and "rsqrt": less than 1 is a fraction, 0.2 if not given.
        decay_milestones: The epochs of "multistep".
        cooldown_epochs: How many epochs to train after the end.
        decay_rate: The factor of "step" and "multistep"; the *power* of "poly".
        min_lr: The rate at the end.
        warmup_lr: The first rate of the warmup.
        warmup_epochs: How many epochs the warmup takes; there is none if not given.
        warmup_prefix: Whether the warmup comes before the schedule, or is part of it.
        noise: From which fraction of the epochs on there is noise, or from which to
            which; nowhere if not given.
        noise_pct: The greatest noise, relative to the rate, positive.
        noise_std: Its standard deviation, before that limit, at least 0.
        noise_seed: Which random numbers.
        cycle_mul: How many times as long as the one before each cycle is.
        cycle_decay: How many times as high as the one before each peak is.
        cycle_limit: How many cycles there are; one if not given.
        k_decay: The power of the steps that passed, for "cosine" and "poly".
        decay_fn: The decay of "wsd" ("1-sqrt" if not given) and "rsqrt" ("linear").
        stable_timescale: The timescale of "rsqrt", in epochs; `warmup_epochs` if not
            given.
        step_on_epochs: Whether a step is an epoch, or an update.
        updates_per_epoch: How many updates make an epoch, if it is an update.

    Returns:
        The schedule, and the number of epochs to train, warmup, cycles and cooldown
        included.

    Raises:
        ValueError: If there is no such name, or a number is outside its range.

    Example:
        >>> from jaxsched.compat.timm import create_scheduler_v2
        >>> lr, epochs = create_scheduler_v2(
        ...     1.0, "cosine", num_epochs=100, warmup_epochs=10, warmup_prefix=True)
        >>> epochs
        110
        >>> [round(float(lr(epoch)), 3) for epoch in (0, 10, 60, 110)]
        [0.0, 1.0, 0.5, 0.0]
    """
    if sched == "plateau":
        raise ValueError(f"'plateau' is no schedule: {METRICS}.")
    function = named("schedule", sched, SCHEDULERS)
    unit: Scalar = 1
    if not step_on_epochs:
        unit = as_leaf(updates_per_epoch, POSITIVE, "updates_per_epoch")
    total = num_epochs * unit
    before = 0 if warmup_epochs is None else warmup_epochs
    ramped = {
        "warmup_t": None if warmup_epochs is None else warmup_epochs * unit,
        "warmup_lr_init": warmup_lr,
        "noise_range_t": _times(noise, total),
        "noise_pct": noise_pct,
        "noise_std": noise_std,
        "noise_seed": noise_seed,
    }
    stepped = ramped | {"warmup_prefix": warmup_prefix}
    cyclic = stepped | {
        "t_initial": total,
        "lr_min": min_lr,
        "cycle_mul": cycle_mul,
        "cycle_decay": cycle_decay,
        "cycle_limit": cycle_limit,
    }
    length = total if warmup_prefix else total - before * unit
    part = 0.2 if decay_epochs is None else decay_epochs
    here = host(part, length)
    staged = ramped | {
        "t_initial": length,
        "decay_t": here.round(here.where(part < 1, part * length, part * unit)),
        "lr_min": min_lr,
    }
    every = 90 if decay_epochs is None else decay_epochs
    arguments: dict[str, dict[str, Any]] = {
        "cosine": cyclic | {"k_decay": k_decay},
        "tanh": cyclic,
        "poly": cyclic | {"k_decay": k_decay, "power": decay_rate},
        "step": stepped | {"decay_t": every * unit, "decay_rate": decay_rate},
        "multistep": stepped
        | {
            "decay_t": [epoch * unit for epoch in decay_milestones],
            "decay_rate": decay_rate,
        },
        "wsd": staged | {"decay_fn": decay_fn or "1-sqrt"},
        "rsqrt": staged
        | {
            "decay_fn": decay_fn or "linear",
            "stable_fn": "rsqrt",
            "stable_timescale": (
                None if stable_timescale is None else stable_timescale * unit
            ),
        },
        "constant": stepped | {"decay_t": 1},
        "none": {},
    }
    schedule = function(base_lr, **arguments[sched])
    if "t_initial" in arguments[sched]:
        epochs = schedule.duration / unit + cooldown_epochs
    else:
        epochs = num_epochs + before if warmup_prefix else num_epochs
    return schedule, int(epochs) if is_concrete(epochs) else epochs


def _times(noise: Range, total: Scalar) -> Range:
    """Fractions of the whole in steps."""
    if isinstance(noise, Sequence):
        return [part * total for part in noise]
    return None if noise is None else noise * total
