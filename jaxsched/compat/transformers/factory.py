"""The schedules by the names that a configuration has for them."""

from collections.abc import Callable
from typing import Any

from ...errors import named
from ...schedule import Schedule
from ...types import Scalar
from ..ported import METRICS
from .cosines import (
    get_cosine_schedule_with_warmup,
    get_cosine_with_hard_restarts_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
)
from .names import schedule
from .stages import get_wsd_schedule
from .warmups import (
    get_constant_schedule,
    get_constant_schedule_with_warmup,
    get_inverse_sqrt_schedule,
    get_linear_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
)


__all__ = ["get_scheduler"]


LENGTHS = ("num_warmup_steps", "num_training_steps")


SCHEDULES: dict[str, tuple[Callable[..., Schedule], tuple[str, ...]]] = {
    "linear": (get_linear_schedule_with_warmup, LENGTHS),
    "cosine": (get_cosine_schedule_with_warmup, LENGTHS),
    "cosine_with_restarts": (
        get_cosine_with_hard_restarts_schedule_with_warmup,
        LENGTHS,
    ),
    "polynomial": (get_polynomial_decay_schedule_with_warmup, LENGTHS),
    "constant": (get_constant_schedule, ()),
    "constant_with_warmup": (get_constant_schedule_with_warmup, LENGTHS[:1]),
    "inverse_sqrt": (get_inverse_sqrt_schedule, LENGTHS[:1]),
    "cosine_with_min_lr": (get_cosine_with_min_lr_schedule_with_warmup, LENGTHS),
    "cosine_warmup_with_min_lr": (
        get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
        LENGTHS,
    ),
    "warmup_stable_decay": (get_wsd_schedule, LENGTHS),
}


@schedule
def get_scheduler(
    name: str,
    base_lr: Scalar,
    num_warmup_steps: Scalar | None = None,
    num_training_steps: Scalar | None = None,
    **scheduler_specific_kwargs: Any,
) -> Schedule:
    """Returns the schedule of a name, as in `TrainingArguments(lr_scheduler_type=...)`.

    Args:
        name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant",
            "constant_with_warmup", "inverse_sqrt", "cosine_with_min_lr",
            "cosine_warmup_with_min_lr" or "warmup_stable_decay".
        base_lr: The learning rate of the optimizer.
        num_warmup_steps: How many steps the warmup takes.
        num_training_steps: The length of the whole, warmup included.
        **scheduler_specific_kwargs: What the function of that name takes besides; in a
            dictionary called like this too, as in Transformers.

    Returns:
        The schedule.

    Raises:
        TypeError: If the function of that name needs an argument that is not given, or
            does not take one that is.
        ValueError: If there is no such name, or it depends on metrics.

    Example:
        >>> from jaxsched.compat.transformers import get_scheduler
        >>> lr = get_scheduler("polynomial", 1.0, 4, 12, power=2, lr_end=0.0)
        >>> [float(lr(step)) for step in (0, 1, 4, 8, 12)]
        [0.0, 0.25, 1.0, 0.25, 0.0]
    """
    name = getattr(name, "value", name)
    if name in ("reduce_lr_on_plateau", "greedy"):
        raise ValueError(f"{name!r} is no schedule: {METRICS}.")
    function, takes = named("schedule", name, SCHEDULES)
    nested = scheduler_specific_kwargs.pop("scheduler_specific_kwargs", None) or {}
    lengths = {
        "num_warmup_steps": num_warmup_steps,
        "num_training_steps": num_training_steps,
    }
    needed = {key: lengths[key] for key in takes if lengths[key] is not None}
    return function(base_lr, **needed, **nested, **scheduler_specific_kwargs)
