"""Megatron-LM (megatron-core 0.16.1): `OptimizerParamScheduler`.

It counts samples, and so do these if a step is one. After the horizon the rate is
`min_lr`; of "inverse-square-root" that is a jump.
"""

import math

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "megatron-core"

WSD_CURVES = {
    "exponential": curves.Exponential(0.5),
    "linear": curves.Linear(),
    "cosine": curves.Cosine(),
    "minus_sqrt": curves.Sqrt(),
}


def constant(*, max_lr, lr_warmup_steps, init_lr=0.0):
    return js.warmup_constant(max_lr, warmup_steps=lr_warmup_steps, start=init_lr)


def linear(*, max_lr, min_lr, lr_warmup_steps, lr_decay_steps, init_lr=0.0):
    return js.warmup_linear(
        max_lr,
        warmup_steps=lr_warmup_steps,
        total_steps=lr_decay_steps,
        start=init_lr,
        end=min_lr,
    )


def cosine(*, max_lr, min_lr, lr_warmup_steps, lr_decay_steps, init_lr=0.0):
    return js.warmup_cosine(
        max_lr,
        warmup_steps=lr_warmup_steps,
        total_steps=lr_decay_steps,
        start=init_lr,
        end=min_lr,
    )


def inverse_square_root(
    *, max_lr, min_lr, lr_warmup_steps, lr_decay_steps, init_lr=0.0
):
    decay = js.maximum(js.inverse_sqrt(max_lr, timescale=lr_warmup_steps), min_lr)
    warmed = js.linear(init_lr, max_lr, lr_warmup_steps) >> decay
    return js.switch([warmed, min_lr], [lr_decay_steps + 1])


def wsd(
    *,
    max_lr,
    min_lr,
    lr_warmup_steps,
    lr_decay_steps,
    wsd_decay_steps,
    lr_wsd_decay_style,
    init_lr=0.0,
):
    return js.wsd(
        max_lr,
        warmup_steps=lr_warmup_steps,
        decay_steps=wsd_decay_steps,
        total_steps=lr_decay_steps,
        start=init_lr,
        end=min_lr,
        curve=WSD_CURVES[lr_wsd_decay_style],
    )


def rate(step, style, *, max_lr, lr_warmup_steps, init_lr=0.0, min_lr=0.0, **arguments):
    """What the peer computes, style by style."""
    if step <= lr_warmup_steps and lr_warmup_steps > 0:
        return init_lr + (max_lr - init_lr) * step / lr_warmup_steps
    if style == "constant":
        return max_lr
    total = arguments["lr_decay_steps"]
    if step > total:
        return min_lr
    if style == "inverse-square-root":
        return max(min_lr, max_lr * math.sqrt(max(lr_warmup_steps, 1) / max(step, 1)))
    passed = (step - lr_warmup_steps) / (total - lr_warmup_steps)
    if style == "WSD":
        decay_steps = arguments["wsd_decay_steps"]
        passed = max(0.0, (step - (total - decay_steps)) / decay_steps)
        style = arguments["lr_wsd_decay_style"]
    left = {
        "linear": 1 - passed,
        "cosine": (1 + math.cos(math.pi * passed)) / 2,
        "exponential": 2 * 0.5**passed - 1,
        "minus_sqrt": 1 - math.sqrt(passed),
    }[style]
    return min_lr + left * (max_lr - min_lr)


def of(style):
    return lambda step, **case: rate(step, style, **case)


DECAYS = (
    {"max_lr": 1.0, "min_lr": 0.1, "lr_warmup_steps": 4, "lr_decay_steps": 24},
    {"max_lr": 3e-4, "min_lr": 3e-5, "lr_warmup_steps": 7, "lr_decay_steps": 50},
)

FORMULAS = {
    "constant": Formula(
        constant, of("constant"), ({"max_lr": 1.0, "lr_warmup_steps": 5},)
    ),
    "linear": Formula(linear, of("linear"), DECAYS),
    "cosine": Formula(cosine, of("cosine"), DECAYS),
    "inverse-square-root": Formula(
        inverse_square_root, of("inverse-square-root"), DECAYS
    ),
    **{
        f"WSD, {style}": Formula(
            wsd,
            of("WSD"),
            tuple(
                {**case, "wsd_decay_steps": 8.0, "lr_wsd_decay_style": style}
                for case in DECAYS
            ),
        )
        for style in WSD_CURVES
    },
}

GOLDENS = {
    "cosine": cosine(max_lr=1.0, min_lr=0.1, lr_warmup_steps=2, lr_decay_steps=10),
    "constant": constant(max_lr=1.0, lr_warmup_steps=2),
    "WSD exponential": wsd(
        max_lr=1.0,
        min_lr=0.1,
        lr_warmup_steps=2,
        lr_decay_steps=10,
        wsd_decay_steps=4,
        lr_wsd_decay_style="exponential",
    ),
    "WSD minus_sqrt": wsd(
        max_lr=1.0,
        min_lr=0.1,
        lr_warmup_steps=2,
        lr_decay_steps=10,
        wsd_decay_steps=4,
        lr_wsd_decay_style="minus_sqrt",
    ),
}
