"""MXNet 1.9.1: `mxnet.lr_scheduler`.

The warmup is of the first `warmup_steps` of the updates that the decay counts too: a
factor that is due meanwhile has been applied when it ends, and `max_update` includes
it. A new rate applies one update after its boundary. After the horizon the rate stays.
A scheduler remembers the rates that it has passed: asked for an earlier update than
before, it gives a later one's.
"""

import math

import jaxsched as js

from ..rows import Formula


PEER = "mxnet"


def warmup(base_lr, warmup_steps, warmup_begin_lr, warmup_mode):
    if warmup_mode == "constant":
        return js.constant(warmup_begin_lr, warmup_steps)
    return js.linear(warmup_begin_lr, base_lr, warmup_steps)


def factor(
    *,
    step,
    factor=1.0,
    stop_factor_lr=1e-8,
    base_lr=0.01,
    warmup_steps=0.0,
    warmup_begin_lr=0.0,
    warmup_mode="linear",
):
    decay = js.delay(js.step_decay(base_lr, factor=factor, every=step), 1)
    warm = warmup(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
    return js.switch([warm, js.maximum(decay, stop_factor_lr)], [warmup_steps])


def multi_factor(
    *,
    step,
    factor=1.0,
    base_lr=0.01,
    warmup_steps=0.0,
    warmup_begin_lr=0.0,
    warmup_mode="linear",
):
    after = [boundary + 1 for boundary in step]
    decay = js.multi_step(base_lr, boundaries=after, factor=factor)
    warm = warmup(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
    return js.switch([warm, decay], [warmup_steps])


def poly(
    *,
    max_update,
    base_lr=0.01,
    pwr=2.0,
    final_lr=0.0,
    warmup_steps=0.0,
    warmup_begin_lr=0.0,
    warmup_mode="linear",
):
    warm = warmup(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
    return warm >> js.polynomial(
        base_lr, final_lr, max_update - warmup_steps, power=pwr
    )


def cosine(
    *,
    max_update,
    base_lr=0.01,
    final_lr=0.0,
    warmup_steps=0.0,
    warmup_begin_lr=0.0,
    warmup_mode="linear",
):
    warm = warmup(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
    return warm >> js.cosine(base_lr, final_lr, max_update - warmup_steps)


def after_warmup(decay):
    """The rate at an update, given what follows the warmup."""

    def rate(
        update, /, *, base_lr, warmup_steps, warmup_begin_lr, warmup_mode, **given
    ):
        if update >= warmup_steps:
            return decay(update, base_lr=base_lr, begin=warmup_steps, **given)
        if warmup_mode == "constant":
            return warmup_begin_lr
        return warmup_begin_lr + (base_lr - warmup_begin_lr) * update / warmup_steps

    return rate


@after_warmup
def their_factor(update, /, *, begin, base_lr, step, factor, stop_factor_lr):
    decays = max(0, math.ceil(update / step) - 1)
    return max(base_lr * factor**decays, stop_factor_lr)


@after_warmup
def their_multi_factor(update, /, *, begin, base_lr, step, factor):
    return base_lr * factor ** sum(update > boundary for boundary in step)


@after_warmup
def their_poly(update, /, *, begin, base_lr, max_update, pwr, final_lr):
    passed = (min(update, max_update) - begin) / (max_update - begin)
    return final_lr + (base_lr - final_lr) * (1 - passed) ** pwr


@after_warmup
def their_cosine(update, /, *, begin, base_lr, max_update, final_lr):
    passed = (min(update, max_update) - begin) / (max_update - begin)
    return final_lr + (base_lr - final_lr) * (1 + math.cos(math.pi * passed)) / 2


WARMUPS = (
    {"base_lr": 1.0, "warmup_steps": 4, "warmup_begin_lr": 0.1},
    {"base_lr": 3e-4, "warmup_steps": 9, "warmup_begin_lr": 1e-5},
    {"base_lr": 0.01, "warmup_steps": 0, "warmup_begin_lr": 0.0},
)

FORMULAS = {
    f"{name}, {mode} warmup": Formula(
        ours,
        theirs,
        tuple(
            {**decay, **warmup, "warmup_mode": mode}
            for decay, warmup in zip(decays, WARMUPS, strict=True)
        ),
    )
    for mode in ("linear", "constant")
    for name, ours, theirs, decays in (
        (
            "FactorScheduler",
            factor,
            their_factor,
            (
                {"step": 5, "factor": 0.5, "stop_factor_lr": 0.1},
                {"step": 7, "factor": 0.7, "stop_factor_lr": 1e-8},
                {"step": 1, "factor": 0.875, "stop_factor_lr": 1e-4},
            ),
        ),
        (
            "MultiFactorScheduler",
            multi_factor,
            their_multi_factor,
            (
                {"step": [3, 6, 20], "factor": 0.5},
                {"step": [10, 30, 45], "factor": 0.1},
                {"step": [1, 2, 3], "factor": 0.9},
            ),
        ),
        (
            "PolyScheduler",
            poly,
            their_poly,
            (
                {"max_update": 24, "pwr": 2.0, "final_lr": 0.1},
                {"max_update": 50, "pwr": 0.9, "final_lr": 0.0},
                {"max_update": 59, "pwr": 1.0, "final_lr": 1e-4},
            ),
        ),
        (
            "CosineScheduler",
            cosine,
            their_cosine,
            (
                {"max_update": 24, "final_lr": 0.1},
                {"max_update": 50, "final_lr": 0.0},
                {"max_update": 59, "final_lr": 1e-4},
            ),
        ),
    )
}

GOLDENS = {
    "Multi [3,6]": multi_factor(step=[3, 6], factor=0.5, base_lr=1.0),
    "cosine": cosine(max_update=8, base_lr=1.0, warmup_steps=2),
}
