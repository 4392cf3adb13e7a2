"""torchtitan (0.3.0): `LRSchedulersContainer`.

It counts updates from 1, so the first has `lr / warmup_steps`, and the last one of the
warmup the peak. It holds that for one step more than the rest asks for, and arrives at
the end after the last update.
"""

import math

import jax.numpy as jnp

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "torchtitan"

DECAY_CURVES = {
    "linear": curves.Linear(),
    "sqrt": curves.Sqrt(),
    "cosine": curves.Cosine(),
}


def linear_warmup_stable_decay(
    *,
    lr,
    total_steps,
    warmup_steps,
    decay_ratio=None,
    decay_type="linear",
    min_lr_factor=0.0,
):
    decay_steps = total_steps - warmup_steps
    if decay_ratio is not None:
        decay_steps = jnp.round(total_steps * decay_ratio)
    counted = js.wsd(
        lr,
        warmup_steps=warmup_steps,
        decay_steps=decay_steps,
        total_steps=total_steps + 1,
        end=lr * min_lr_factor,
        curve=DECAY_CURVES[decay_type],
    )
    return js.shift(counted, 1)


def rate(
    step,
    *,
    lr,
    total_steps,
    warmup_steps,
    decay_ratio=None,
    decay_type="linear",
    min_lr_factor=0.0,
):
    """What the peer computes."""
    decay_steps = total_steps - warmup_steps
    if decay_ratio is not None:
        decay_steps = round(total_steps * decay_ratio)
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    passed = (step - (total_steps - decay_steps)) / decay_steps
    if passed <= 0:
        return lr
    left = {
        "linear": 1 - passed,
        "sqrt": 1 - math.sqrt(passed),
        "cosine": (1 + math.cos(math.pi * passed)) / 2,
    }[decay_type]
    return lr * (min_lr_factor + (1 - min_lr_factor) * left)


CASES = (
    {"lr": 1.0, "total_steps": 40, "warmup_steps": 4, "min_lr_factor": 0.0},
    {"lr": 3e-4, "total_steps": 40, "warmup_steps": 7, "min_lr_factor": 0.1},
)

FORMULAS = {
    "no stable phase": Formula(
        linear_warmup_stable_decay,
        rate,
        CASES,
        steps=range(41),
        elsewhere="it goes on below its end",
    ),
    **{
        decay_type: Formula(
            linear_warmup_stable_decay,
            rate,
            tuple(
                {**case, "decay_ratio": ratio, "decay_type": decay_type}
                for case, ratio in zip(CASES, (0.2, 0.5), strict=True)
            ),
            steps=range(41),
            elsewhere="it goes on below its end, and a cosine up again",
        )
        for decay_type in DECAY_CURVES
    },
}

SETTING = {"lr": 1.0, "total_steps": 10, "warmup_steps": 2, "decay_ratio": 0.4}

GOLDENS = {
    "T10 w2 d4": linear_warmup_stable_decay(**SETTING),
    "T10 w2 d4 sqrt": linear_warmup_stable_decay(**SETTING, decay_type="sqrt"),
}
