"""The scheduler of three stages: warm up, stay, decay."""

from collections.abc import Callable
from typing import Any

from ...curves import Cosine, Curve, Exponential, KDecay, Linear, Sqrt
from ...errors import named
from ...leaves import custom, power_law, ramp
from ...recipes.horizon import rest
from ...schedule import Schedule, constant
from ...transforms import delay, maximum, stretch, until
from ...types import Scalar
from .parts import Range, noisy, scheduler, warmed


__all__ = ["WSDLRScheduler"]

LAWS: dict[str, Callable[[Scalar, Scalar, Any], Schedule]] = {
    "constant": lambda rate, power, timescale: constant(rate),
    "rsqrt": lambda rate, power, timescale: power_law(
        rate, exponent=0.5, timescale=timescale
    ),
    "power": lambda rate, power, timescale: power_law(
        rate, exponent=power, timescale=timescale
    ),
}
CURVES: dict[str, Callable[[Scalar, Scalar], Curve]] = {
    "linear": lambda power, ratio: Linear(),
    "1-sqrt": lambda power, ratio: Sqrt(),
    "cosine": lambda power, ratio: Cosine(),
    "power": lambda power, ratio: KDecay(power),
    "exp": lambda power, ratio: Exponential(ratio),
}


@scheduler
def WSDLRScheduler(
    base_lr: Scalar,
    t_initial: Scalar,
    decay_t: Scalar,
    lr_min: Scalar = 0.0,
    stable_fn: str = "constant",
    stable_timescale: Scalar | None = None,
    stable_power: Scalar = 0.5,
    decay_fn: str | Callable[[Any], Any] = "1-sqrt",
    decay_power: Scalar = 0.5,
    decay_ratio: Scalar = 0.1,
    warmup_t: Scalar | None = None,
    warmup_lr_init: Scalar = 0.0,
    *,
    noise_range_t: Range = None,
    noise_pct: Scalar = 0.67,
    noise_std: Scalar = 1.0,
    noise_seed: Scalar = 42,
) -> Schedule:
    """Warms up, stays, or nearly, then decays: "wsd" and "rsqrt".

    Args:
        base_lr: The learning rate of the optimizer.
        t_initial: How many steps follow the warmup.
        decay_t: How many of them the decay takes, at the end.
        lr_min: The rate at the end, and the least one before.
        stable_fn: What the rate does after the warmup: it is held with "constant", and
            otherwise falls as `(1 + t / stable_timescale)` to the power -1/2 with
            "rsqrt", or `-stable_power` with "power"; and goes on so in the decay.
        stable_timescale: That timescale, in steps, positive; `warmup_t` if not given.
        stable_power: That exponent.
        decay_fn: The factor of the decay: "linear", "1-sqrt", "cosine", "power", "exp",
            or a function of the part of the decay that has passed, which is 1 at 0.
        decay_power: The exponent of "power", `1 - u**decay_power`; positive.
        decay_ratio: Where "exp" would end, had it not been made to end at 0; positive.
        warmup_t: How many steps the warmup takes; there is none if not given.
        warmup_lr_init: The first rate of the warmup.
        noise_range_t: From which step on there is noise, or from which to which;
            nowhere if not given.
        noise_pct: The greatest noise, relative to the rate, positive.
        noise_std: Its standard deviation, before that limit, at least 0.
        noise_seed: Which random numbers.

    Returns:
        A schedule of the warmup and `t_initial` steps.

    Raises:
        ValueError: If a number is outside its range, or a name unknown.

    Example:
        >>> from jaxsched.compat.timm import WSDLRScheduler
        >>> lr = WSDLRScheduler(1.0, t_initial=90, decay_t=20, warmup_t=10)
        >>> [round(float(lr(step)), 3) for step in (0, 10, 80, 85, 100)]
        [0.0, 1.0, 1.0, 0.5, 0.0]
    """
    steady = rest(t_initial, decay_t=decay_t)
    timescale = warmup_t if stable_timescale is None else stable_timescale
    stable = named("stable function", stable_fn, LAWS)
    law = until(maximum(stable(base_lr, stable_power, timescale), lr_min), t_initial)
    if callable(decay_fn):
        fall: Schedule = delay(
            until(stretch(custom(decay_fn), decay_t), decay_t), steady
        )
        floor: Schedule = lr_min * (1.0 - fall)
    else:
        curve = named("decay function", decay_fn, CURVES)(decay_power, decay_ratio)
        fall = delay(ramp(1.0, 0.0, decay_t, curve), steady)
        floor = delay(ramp(0.0, lr_min, decay_t, curve), steady)
    risen = warmed(law * fall + floor, base_lr, warmup_t, warmup_lr_init, True)
    return noisy(risen, noise_range_t, noise_pct, noise_std, noise_seed)
