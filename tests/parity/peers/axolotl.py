"""Axolotl (0.19.0): `axolotl.utils.schedulers`.

REX counts updates from 1, and jagged restarts make what they wrap count so. The cosines
are factors of `lr`; after the horizon they go up again, except for the one that ends in
a constant rate.
"""

import math

import jax.numpy as jnp

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "axolotl"


def rex(*, max_lr, min_lr, total_steps, num_warmup_steps=0):
    decay = js.rex(
        max_lr, total_steps=total_steps - num_warmup_steps, beta=0.1, end=min_lr
    )
    return js.shift(js.linear(0.0, max_lr, num_warmup_steps) >> decay, 1)


def interpolating_log(*, num_steps, min_lr, max_lr):
    return js.delay(js.exponential(min_lr, max_lr, num_steps - 1), 1)


def cosine_with_quadratic_warmup(
    *, lr, num_warmup_steps, num_training_steps, num_cycles=0.5
):
    decay = waves(lr, num_training_steps - num_warmup_steps, num_cycles)
    return js.ramp(0.0, lr, num_warmup_steps, curves.Square()) >> decay


def cosine_with_min_lr(*, lr, num_warmup_steps, num_training_steps, min_lr_ratio):
    decay = js.cosine_annealing(
        lr,
        total_steps=num_training_steps - num_warmup_steps,
        end=lr * min_lr_ratio,
        periodic=True,
    )
    return js.linear(0.0, lr, num_warmup_steps) >> decay


def cosine_with_warmup_decay_constant(
    *,
    lr,
    num_warmup_steps,
    num_training_steps,
    constant_lr_ratio,
    min_lr_ratio,
    num_cycles=0.5,
):
    decay_steps = jnp.floor(num_training_steps * constant_lr_ratio) - num_warmup_steps
    decay = js.until(
        waves(lr, decay_steps, num_cycles, end=lr * min_lr_ratio), decay_steps
    )
    return js.linear(0.0, lr, num_warmup_steps) >> decay


def waves(lr, steps, num_cycles, end=0.0):
    """So many periods of a cosine in so many steps, and on."""
    half = js.cosine_annealing(lr, total_steps=steps, end=end, periodic=True)
    return js.stretch(half, 1 / (2 * num_cycles))


def jagged_restart(
    inner,
    *,
    jagged_restart_steps,
    jagged_restart_warmup_steps,
    jagged_restart_anneal_steps=1,
    min_lr_scale=0.001,
):
    """The factor begins with the first restart, at its anneal."""
    held = jagged_restart_steps - jagged_restart_anneal_steps
    cycle = (
        js.linear(min_lr_scale, 1.0, jagged_restart_warmup_steps)
        >> js.constant(1.0, held - jagged_restart_warmup_steps)
        >> js.linear(1.0, min_lr_scale, jagged_restart_anneal_steps)
    )
    return js.shift(inner * js.switch([1.0, js.repeat(cycle)], [held]), 1)


def jagged_cosine(
    *, lr, num_warmup_steps, num_training_steps, min_lr_ratio, **restarts
):
    cosine = cosine_with_min_lr(
        lr=lr,
        num_warmup_steps=num_warmup_steps,
        num_training_steps=num_training_steps,
        min_lr_ratio=min_lr_ratio,
    )
    return jagged_restart(cosine, **restarts)


def rex_rate(step, *, max_lr, min_lr, total_steps, num_warmup_steps):
    number = step + 1
    if number <= num_warmup_steps:
        return max_lr * number / num_warmup_steps
    left = max(0.0, (total_steps - number) / (total_steps - num_warmup_steps))
    return min_lr + (max_lr - min_lr) * left / (0.1 + 0.9 * left)


def log_rate(step, *, num_steps, min_lr, max_lr):
    passed = min(1.0, max(0, step - 1) / (num_steps - 1))
    return min_lr * (max_lr / min_lr) ** passed


def cosine_rate(
    step,
    power=1,
    *,
    lr,
    num_warmup_steps,
    num_training_steps,
    min_lr_ratio=0.0,
    constant_lr_ratio=None,
    num_cycles=0.5,
):
    """What the peer computes, of the cosines."""
    if step < num_warmup_steps:
        return lr * (step / num_warmup_steps) ** power
    end = num_training_steps
    if constant_lr_ratio is not None:
        end = int(end * constant_lr_ratio)
        step = min(step, end)
    passed = (step - num_warmup_steps) / (end - num_warmup_steps)
    left = (1 + math.cos(2 * math.pi * num_cycles * passed)) / 2
    return lr * (min_lr_ratio + (1 - min_lr_ratio) * left)


def jagged_rate(
    step,
    *,
    jagged_restart_steps,
    jagged_restart_warmup_steps,
    jagged_restart_anneal_steps,
    min_lr_scale,
    **cosine,
):
    number, scale = step + 1, 1.0
    if number >= jagged_restart_steps - jagged_restart_anneal_steps:
        since = number % jagged_restart_steps
        to_go = jagged_restart_steps - since
        full = min(
            1.0,
            since / jagged_restart_warmup_steps,
            to_go / jagged_restart_anneal_steps,
        )
        scale = min_lr_scale + (1 - min_lr_scale) * full
    return scale * cosine_rate(number, **cosine)


def each(cases, *added):
    return tuple({**case, **more} for case, more in zip(cases, added, strict=True))


COSINES = (
    {"lr": 1.0, "num_warmup_steps": 4, "num_training_steps": 24},
    {"lr": 3e-4, "num_warmup_steps": 7, "num_training_steps": 50},
)
FLOORS = each(COSINES, {"min_lr_ratio": 0.1}, {"min_lr_ratio": 0.0})
CYCLES = ({"num_cycles": 0.5}, {"num_cycles": 2.0})

FORMULAS = {
    "RexLR": Formula(
        rex,
        rex_rate,
        (
            {"max_lr": 1.0, "min_lr": 0.0, "total_steps": 24, "num_warmup_steps": 4},
            {"max_lr": 3e-4, "min_lr": 1e-5, "total_steps": 50, "num_warmup_steps": 0},
        ),
    ),
    "InterpolatingLogScheduler": Formula(
        interpolating_log,
        log_rate,
        (
            {"num_steps": 5, "min_lr": 1e-3, "max_lr": 1.0},
            {"num_steps": 40, "min_lr": 1e-7, "max_lr": 3e-4},
        ),
    ),
    "cosine_schedule_with_quadratic_warmup": Formula(
        cosine_with_quadratic_warmup,
        lambda step, **case: cosine_rate(step, 2, **case),
        each(COSINES, *CYCLES),
    ),
    "cosine_schedule_with_min_lr": Formula(cosine_with_min_lr, cosine_rate, FLOORS),
    "cosine_schedule_with_warmup_decay_constant": Formula(
        cosine_with_warmup_decay_constant,
        cosine_rate,
        each(
            FLOORS,
            {"constant_lr_ratio": 0.75, "num_cycles": 0.5},
            {"constant_lr_ratio": 0.9, "num_cycles": 1.5},
        ),
    ),
    "JaggedLRRestartScheduler": Formula(
        jagged_cosine,
        jagged_rate,
        each(
            FLOORS,
            {
                "jagged_restart_steps": 10,
                "jagged_restart_warmup_steps": 3,
                "jagged_restart_anneal_steps": 2,
                "min_lr_scale": 0.001,
            },
            {
                "jagged_restart_steps": 20,
                "jagged_restart_warmup_steps": 5,
                "jagged_restart_anneal_steps": 1,
                "min_lr_scale": 0.1,
            },
        ),
    ),
}

GOLDENS = {
    "LogSweep n=5": interpolating_log(num_steps=5, min_lr=1e-3, max_lr=1.0),
}
