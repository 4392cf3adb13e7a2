"""Warm up, hold, and decay."""

from ...curves import Cosine, Curve, Linear, Reversed, Sqrt
from ...errors import named
from ...leaves import ramp
from ...schedule import Schedule, chain, constant
from ...transforms import until
from ...types import Scalar
from ..ported import one_of
from .cosines import wave
from .names import schedule


__all__ = ["get_wsd_schedule"]


RISES: dict[str, Curve] = {
    "linear": Linear(),
    "cosine": Cosine(),
    "1-sqrt": Reversed(Sqrt()),
}


FALLS: dict[str, Curve] = {"linear": Linear(), "cosine": Cosine(), "1-sqrt": Sqrt()}


@schedule
def get_wsd_schedule(
    base_lr: Scalar,
    num_warmup_steps: Scalar,
    num_decay_steps: Scalar,
    num_training_steps: Scalar | None = None,
    num_stable_steps: Scalar | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: Scalar = 0,
    num_cycles: Scalar = 0.5,
) -> Schedule:
    """Warms up, holds the rate, then decays: "warmup_stable_decay".

    Args:
        base_lr: The learning rate of the optimizer, which is held.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_decay_steps: How many steps the decay takes, at the end.
        num_training_steps: The length of the whole; or give the next one. If both are
            given, this one does not matter, as in Transformers.
        num_stable_steps: How many steps the rate is held.
        warmup_type: The shape of the warmup: "linear", "cosine" or "1-sqrt".
        decay_type: The shape of the decay: the same.
        min_lr_ratio: The first and the last rate, as a fraction of `base_lr`: as in
            Transformers, the warmup starts there too.
        num_cycles: How many periods there are of a cosine decay, positive.

    Returns:
        A schedule of all three phases.

    Raises:
        ValueError: If neither length is given, a length is negative, or a type unknown.

    Example:
        >>> from jaxsched.compat.transformers import get_wsd_schedule
        >>> lr = get_wsd_schedule(1.0, 4, 4, num_training_steps=20)
        >>> [round(float(lr(step)), 3) for step in (0, 1, 4, 16, 18, 20)]
        [0.0, 0.25, 1.0, 1.0, 0.5, 0.0]
    """
    if num_stable_steps is None:
        _, total_steps = one_of(
            num_training_steps=num_training_steps, num_stable_steps=None
        )
        stable_steps = total_steps - num_warmup_steps - num_decay_steps
    else:
        stable_steps = num_stable_steps
    floor = base_lr * min_lr_ratio
    rise = named("warmup type", warmup_type, RISES)
    fall = named("decay type", decay_type, FALLS)
    decay: Schedule = ramp(base_lr, floor, num_decay_steps, fall)
    if decay_type == "cosine":
        decay = until(
            wave(base_lr, floor, num_decay_steps, num_cycles), num_decay_steps
        )
    return chain(
        ramp(floor, base_lr, num_warmup_steps, rise),
        constant(base_lr, stable_steps),
        decay,
        floor,
    )
