"""MaxText (repository, 2026-08): `create_learning_rate_schedule`.

Fractions of the schedule are rounded down to steps. The warmup reaches its peak *at*
its end, but a decay of n steps arrives at its last one, n - 1, so that update
`learning_rate_schedule_steps - 1` has the final rate. If training goes on after that,
for `steps` steps in all, the rate is 0; if it was not meant to, a cosine goes up again.
A linear decay of one step never decays.
"""

import math

import jax.numpy as jnp

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "maxtext"

WSD_CURVES = {"linear": curves.Linear(), "cosine": curves.Cosine()}


def cosine(
    *,
    learning_rate,
    learning_rate_final_fraction,
    warmup_steps_fraction,
    steps,
    learning_rate_schedule_steps=None,
):
    total = learning_rate_schedule_steps
    total = steps if total is None else total
    warmup_steps = jnp.floor(total * warmup_steps_fraction)
    decay = js.cosine_annealing(
        learning_rate,
        total_steps=total - warmup_steps - 1,
        end=learning_rate * learning_rate_final_fraction,
        periodic=True,
    )
    schedule = js.linear(0.0, learning_rate, warmup_steps) >> decay
    return then_zero(schedule, learning_rate_schedule_steps)


def wsd(
    *,
    learning_rate,
    learning_rate_final_fraction,
    warmup_steps_fraction,
    wsd_decay_steps_fraction,
    wsd_decay_style,
    steps,
    learning_rate_schedule_steps=None,
):
    total = learning_rate_schedule_steps
    total = steps if total is None else total
    schedule = js.wsd(
        learning_rate,
        warmup_steps=jnp.floor(total * warmup_steps_fraction),
        decay_steps=jnp.floor(total * wsd_decay_steps_fraction) - 1,
        total_steps=total - 1,
        end=learning_rate * learning_rate_final_fraction,
        curve=WSD_CURVES[wsd_decay_style],
    )
    return then_zero(schedule, learning_rate_schedule_steps)


def then_zero(schedule, learning_rate_schedule_steps):
    if learning_rate_schedule_steps is None:
        return schedule
    return js.switch([schedule, 0.0], [learning_rate_schedule_steps])


def rate(
    step,
    *,
    learning_rate,
    learning_rate_final_fraction,
    warmup_steps_fraction,
    steps,
    learning_rate_schedule_steps=None,
    wsd_decay_steps_fraction=None,
    wsd_decay_style="cosine",
):
    """What the peer computes; without a `wsd_decay_steps_fraction` all is decay."""
    total = learning_rate_schedule_steps or steps
    if total <= step < steps:
        return 0.0
    warmup = int(total * warmup_steps_fraction)
    if step < warmup:
        return learning_rate * step / warmup
    decay = total - warmup
    if wsd_decay_steps_fraction is not None:
        decay = int(total * wsd_decay_steps_fraction)
    if step < total - decay:
        return learning_rate
    passed = (step - (total - decay)) / (decay - 1)
    if wsd_decay_style == "linear":
        left = max(0.0, 1 - passed)
    else:
        left = (1 + math.cos(math.pi * passed)) / 2
    final = learning_rate * learning_rate_final_fraction
    return learning_rate * left + final * (1 - left)


PEAKS = (
    {
        "learning_rate": 1.0,
        "learning_rate_final_fraction": 0.1,
        "warmup_steps_fraction": 0.2,
        "steps": 60,
    },
    {
        "learning_rate": 3e-4,
        "learning_rate_final_fraction": 0.01,
        "warmup_steps_fraction": 0.1,
        "steps": 60,
    },
)
WITHIN = tuple(
    {**case, "steps": total} for case, total in zip(PEAKS, (20, 50), strict=True)
)
LONGER = tuple(
    {**case, "learning_rate_schedule_steps": total}
    for case, total in zip(PEAKS, (20, 50), strict=True)
)


def decaying(cases, style):
    return tuple(
        {**case, "wsd_decay_steps_fraction": fraction, "wsd_decay_style": style}
        for case, fraction in zip(cases, (0.4, 0.5), strict=True)
    )


FORMULAS = {
    "cosine": Formula(cosine, rate, WITHIN),
    "cosine, then zero": Formula(cosine, rate, LONGER),
    "wsd, linear": Formula(wsd, rate, decaying(WITHIN, "linear")),
    "wsd, linear, then zero": Formula(wsd, rate, decaying(LONGER, "linear")),
    "wsd, cosine, then zero": Formula(wsd, rate, decaying(LONGER, "cosine")),
}

SETTING = {
    "learning_rate": 1.0,
    "learning_rate_final_fraction": 0.1,
    "warmup_steps_fraction": 0.2,
    "steps": 10,
}

GOLDENS = {
    "cosine 10": cosine(**SETTING),
    "wsd": wsd(**SETTING, wsd_decay_steps_fraction=0.4, wsd_decay_style="linear"),
}
