"""Scenic (repository): `compound_lr_scheduler`, a product of named factors.

Each factor has the whole configuration, and takes what it needs; the clock of all of
them starts at step 0. "linear_decay" is no factor: it moves what stands before it
towards an absolute end. A new value of "piecewise_constant" applies one step after its
event, and "linear_cooldown" goes on below zero.
"""

import itertools
import math

import jax.numpy as jnp

import jaxsched as js

from ..rows import Formula, On


PEER = "scenic"


def compound(*, factors, **config):
    ratio = js.constant(1.0)
    for name in factors.split("*"):
        ratio = FACTORS[name](ratio, **config)
    return ratio


def constant(ratio, *, base_learning_rate, **_):
    return ratio * base_learning_rate


def polynomial(ratio, *, decay_steps, end_factor, power, **_):
    return ratio * js.polynomial(1.0, end_factor, decay_steps, power=power)


def piecewise_constant(ratio, *, decay_events, decay_factors, **_):
    boundaries = [event + 1 for event in decay_events]
    return ratio * js.piecewise_constant(boundaries, [1.0, *decay_factors])


def piecewise_linear(ratio, *, decay_events, decay_factors, **_):
    return ratio * js.piecewise_linear([0.0, *decay_events], [1.0, *decay_factors])


def linear_warmup(ratio, *, warmup_steps, warmup_alpha=0.0, **_):
    return ratio * js.linear(warmup_alpha, 1.0, warmup_steps)


def rsqrt_decay(ratio, *, timescale=10_000, warmup_steps=0.0, **_):
    return ratio * js.delay(js.inverse_sqrt(1.0, timescale), warmup_steps)


def decay_every(ratio, *, steps_per_decay, decay_factor, **_):
    return ratio * js.step_decay(1.0, factor=decay_factor, every=steps_per_decay)


def exponential_decay(ratio, *, decay_steps, decay_rate, staircase=False, **_):
    return ratio * js.exponential_decay(
        1.0, factor=decay_rate, steps=decay_steps, staircase=staircase
    )


def cosine_decay(
    ratio,
    *,
    steps_per_cycle,
    t_mul=1.0,
    m_mul=1.0,
    alpha=0.0,
    warmup_steps=0.0,
    start_decay_step=0.0,
    total_steps=None,
    **_,
):
    total_steps = steps_per_cycle if total_steps is None else total_steps
    shorter = jnp.floor(warmup_steps / (total_steps / steps_per_cycle))
    decay = js.sgdr(
        1.0,
        period=steps_per_cycle - shorter,
        period_multiplier=t_mul,
        peak_multiplier=m_mul,
    )
    begin = warmup_steps + start_decay_step
    return ratio * js.delay(js.rescale(decay, alpha, 1.0), begin)


def linear_decay(ratio, *, total_steps, warmup_steps=0.0, end_learning_rate=0.0, **_):
    line = js.delay(js.linear(1.0, 0.0, total_steps - warmup_steps), warmup_steps)
    return (ratio - end_learning_rate) * line + end_learning_rate


def linear_cooldown(ratio, *, total_steps, cooldown_steps, **_):
    line = js.linear(1.0, 0.0, cooldown_steps)
    return ratio * js.delay(line, total_steps - cooldown_steps)


FACTORS = {
    "constant": constant,
    "polynomial": polynomial,
    "piecewise_constant": piecewise_constant,
    "piecewise_linear": piecewise_linear,
    "linear_warmup": linear_warmup,
    "rsqrt_decay": rsqrt_decay,
    "decay_every": decay_every,
    "exponential_decay": exponential_decay,
    "cosine_decay": cosine_decay,
    "linear_decay": linear_decay,
    "linear_cooldown": linear_cooldown,
}


def rate(step, *, factors, **config):
    """What the peer computes."""
    ratio = 1.0
    for name in factors.split("*"):
        if name == "linear_decay":
            ratio = moved_to_the_end(ratio, step, **config)
        else:
            ratio *= PLAIN[name](step, **config)
    return ratio


def moved_to_the_end(
    ratio, step, *, total_steps, end_learning_rate, warmup_steps=0, **_
):
    passed = max(0, step - warmup_steps) / (total_steps - warmup_steps)
    return end_learning_rate + (ratio - end_learning_rate) * max(0, 1 - passed)


def plain_polynomial(step, *, decay_steps, end_factor, power, **_):
    left = max(0, 1 - step / decay_steps)
    return end_factor + (1 - end_factor) * left**power


def plain_piecewise_constant(step, *, decay_events, decay_factors, **_):
    return [1.0, *decay_factors][sum(step > event for event in decay_events)]


def plain_piecewise_linear(step, *, decay_events, decay_factors, **_):
    points = [(0, 1.0), *zip(decay_events, decay_factors, strict=True)]
    for (begin, high), (end, low) in itertools.pairwise(points):
        if step <= end:
            return high + (low - high) * (step - begin) / (end - begin)
    return decay_factors[-1]


def plain_linear_warmup(step, *, warmup_steps, warmup_alpha=0, **_):
    return min(1, warmup_alpha + (1 - warmup_alpha) * step / warmup_steps)


def plain_rsqrt_decay(step, *, timescale, warmup_steps=0, **_):
    return 1 / math.sqrt(1 + max(0, step - warmup_steps) / timescale)


def plain_exponential_decay(step, *, decay_steps, decay_rate, staircase=False, **_):
    times = step // decay_steps if staircase else step / decay_steps
    return decay_rate**times


def plain_cosine_decay(
    step,
    *,
    steps_per_cycle,
    t_mul=1,
    m_mul=1,
    alpha=0,
    warmup_steps=0,
    start_decay_step=0,
    total_steps=None,
    **_,
):
    length = steps_per_cycle
    length -= int(warmup_steps * steps_per_cycle / (total_steps or steps_per_cycle))
    since = max(0, step - warmup_steps - start_decay_step)
    peak = 1.0
    while since >= length:
        since -= length
        length *= t_mul
        peak *= m_mul
    wave = peak * (1 + math.cos(math.pi * since / length)) / 2
    return alpha + (1 - alpha) * wave


PLAIN = {
    "constant": lambda _, base_learning_rate, **__: base_learning_rate,
    "polynomial": plain_polynomial,
    "piecewise_constant": plain_piecewise_constant,
    "piecewise_linear": plain_piecewise_linear,
    "linear_warmup": plain_linear_warmup,
    "rsqrt_decay": plain_rsqrt_decay,
    "decay_every": lambda step, steps_per_decay, decay_factor, **_: (
        decay_factor ** (step // steps_per_decay)
    ),
    "exponential_decay": plain_exponential_decay,
    "cosine_decay": plain_cosine_decay,
    "linear_cooldown": lambda step, total_steps, cooldown_steps, **_: min(
        1, (total_steps - step) / cooldown_steps
    ),
}


def formula(factors, *cases, steps=range(60), elsewhere=""):
    given = tuple({"factors": factors, **case} for case in cases)
    return Formula(compound, rate, given, steps, elsewhere)


FORMULAS = {
    "polynomial": formula(
        "constant*polynomial",
        {"base_learning_rate": 1, "decay_steps": 20, "end_factor": 0.1, "power": 2},
        {"base_learning_rate": 3e-4, "decay_steps": 50, "end_factor": 0, "power": 0.9},
    ),
    "piecewise_constant": formula(
        "constant*piecewise_constant",
        {
            "base_learning_rate": 1.0,
            "decay_events": [4, 8],
            "decay_factors": [0.5, 0.1],
        },
        {
            "base_learning_rate": 3e-4,
            "decay_events": [10, 50],
            "decay_factors": [0.3, 0.03],
        },
    ),
    "piecewise_linear": formula(
        "constant*piecewise_linear",
        {
            "base_learning_rate": 1.0,
            "decay_events": [4, 8],
            "decay_factors": [0.5, 0.1],
        },
        {
            "base_learning_rate": 3e-4,
            "decay_events": [10, 50],
            "decay_factors": [0.3, 0.03],
        },
    ),
    "linear_warmup": formula(
        "constant*linear_warmup",
        {"base_learning_rate": 1.0, "warmup_steps": 4, "warmup_alpha": 0.0},
        {"base_learning_rate": 3e-4, "warmup_steps": 7, "warmup_alpha": 0.1},
    ),
    "rsqrt_decay": formula(
        "constant*linear_warmup*rsqrt_decay",
        {"base_learning_rate": 1.0, "warmup_steps": 4, "timescale": 10},
        {"base_learning_rate": 3e-4, "warmup_steps": 7, "timescale": 10_000},
    ),
    "decay_every": formula(
        "constant*decay_every",
        {"base_learning_rate": 1.0, "steps_per_decay": 3, "decay_factor": 0.5},
        {"base_learning_rate": 3e-4, "steps_per_decay": 20, "decay_factor": 0.1},
    ),
    "exponential_decay": formula(
        "constant*exponential_decay",
        {"base_learning_rate": 1.0, "decay_steps": 5, "decay_rate": 0.5},
        {"base_learning_rate": 3e-4, "decay_steps": 30, "decay_rate": 0.1},
    ),
    "exponential_decay, staircase": formula(
        "constant*exponential_decay",
        {
            "base_learning_rate": 1.0,
            "decay_steps": 5,
            "decay_rate": 0.5,
            "staircase": True,
        },
        {
            "base_learning_rate": 3e-4,
            "decay_steps": 30,
            "decay_rate": 0.1,
            "staircase": True,
        },
    ),
    "cosine_decay": formula(
        "constant*linear_warmup*cosine_decay",
        {
            "base_learning_rate": 1.0,
            "warmup_steps": 4,
            "steps_per_cycle": 24,
            "alpha": 0.1,
        },
        {
            "base_learning_rate": 3e-4,
            "warmup_steps": 7,
            "steps_per_cycle": 50,
            "alpha": 0.0,
        },
    ),
    "cosine_decay, cycles": formula(
        "constant*linear_warmup*cosine_decay",
        {
            "base_learning_rate": 1.0,
            "warmup_steps": 4,
            "steps_per_cycle": 10,
            "total_steps": 40,
            "t_mul": 2.0,
            "m_mul": 0.5,
            "alpha": 0.1,
            "start_decay_step": 3,
        },
        {
            "base_learning_rate": 3e-4,
            "warmup_steps": 6,
            "steps_per_cycle": 20,
            "total_steps": 60,
            "t_mul": 1.0,
            "m_mul": 0.8,
            "alpha": 0.01,
            "start_decay_step": 0,
        },
    ),
    "linear_decay": formula(
        "constant*linear_warmup*linear_decay",
        {
            "base_learning_rate": 1.0,
            "warmup_steps": 4,
            "total_steps": 24,
            "end_learning_rate": 0.1,
        },
        {
            "base_learning_rate": 3e-4,
            "warmup_steps": 7,
            "total_steps": 50,
            "end_learning_rate": 1e-5,
        },
    ),
    "linear_cooldown": formula(
        "constant*linear_warmup*rsqrt_decay*linear_cooldown",
        {
            "base_learning_rate": 1.0,
            "warmup_steps": 4,
            "timescale": 10,
            "total_steps": 40,
            "cooldown_steps": 8,
        },
        {
            "base_learning_rate": 3e-4,
            "warmup_steps": 7,
            "timescale": 10_000,
            "total_steps": 40,
            "cooldown_steps": 20,
        },
        steps=range(41),
        elsewhere="it goes on below zero",
    ),
}

GOLDENS = {
    "rsqrt w2 ts4": compound(
        factors="constant*linear_warmup*rsqrt_decay",
        base_learning_rate=1.0,
        warmup_steps=2,
        timescale=4,
    ),
    "linear_cooldown": On(
        compound(
            factors="constant*linear_cooldown",
            base_learning_rate=1.0,
            total_steps=10,
            cooldown_steps=4,
        ),
        steps=range(11),
        because="after the horizon it falls below zero",
    ),
    "piecewise_linear [4,8]": compound(
        factors="constant*piecewise_linear",
        base_learning_rate=1.0,
        decay_events=[4, 8],
        decay_factors=[0.5, 0.1],
    ),
}
