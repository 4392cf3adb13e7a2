"""lrsched 0.5.0: its functions, under their names.

Conventions are ours: rates end at `total_steps`, and stay there. The peak of
`one_cycle` is at a whole step, and its final divisor is that of the peak; `sequential`
ends one step early. Steps must be whole, and not negative.
"""

import itertools
import math

import jax.numpy as jnp

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "lrsched"

DECAY_SHAPES = {"linear": curves.Linear(), "1-sqrt": curves.Sqrt()}


def constant(*, lr):
    return js.constant(lr)


def step_decay(*, base_lr, drop, step_size):
    return js.step_decay(base_lr, factor=drop, every=step_size)


def multi_step(*, base_lr, milestones, gamma):
    return js.multi_step(base_lr, boundaries=milestones, factor=gamma)


def exponential(*, base_lr, gamma):
    return js.exponential_decay(base_lr, factor=gamma, steps=1)


def exponential_decay(*, base_lr, decay_rate, decay_steps):
    return js.exponential_decay(base_lr, factor=decay_rate, steps=decay_steps)


def linear(*, base_lr, end_lr, total_steps):
    return js.linear(base_lr, end_lr, total_steps)


def polynomial(*, base_lr, end_lr, total_steps, power):
    return js.polynomial(base_lr, end_lr, total_steps, power=power)


def polynomial_decay(*, start_lr, end_lr, total_steps, power):
    return js.polynomial(start_lr, end_lr, total_steps, power=power)


def cosine(*, base_lr, min_lr, total_steps):
    return js.cosine(base_lr, min_lr, total_steps)


def cosine_restarts(*, base_lr, min_lr, period, t_mult):
    return js.sgdr(base_lr, period=period, period_multiplier=t_mult, end=min_lr)


def inverse_sqrt(*, base_lr, warmup_steps):
    return js.warmup_inverse_sqrt(base_lr, warmup_steps=warmup_steps)


def one_cycle(*, max_lr, total_steps, pct_start, initial_div, final_div):
    up = jnp.clip(jnp.round(pct_start * total_steps), 1, total_steps - 1)
    down = total_steps - up
    return js.cosine(max_lr / initial_div, max_lr, up) >> js.cosine(
        max_lr, max_lr / final_div, down
    )


def warmup_stable_decay(
    *,
    base_lr,
    warmup_steps,
    decay_steps,
    total_steps,
    final_lr,
    warmup_start,
    decay_shape,
):
    return js.wsd(
        base_lr,
        warmup_steps=warmup_steps,
        decay_steps=decay_steps,
        total_steps=total_steps,
        start=warmup_start,
        end=final_lr,
        curve=DECAY_SHAPES[decay_shape],
    )


def triangular(*, min_lr, max_lr, step_size):
    return js.triangular(min_lr, max_lr, up_steps=step_size)


def triangular2(*, min_lr, max_lr, step_size):
    return js.triangular2(min_lr, max_lr, up_steps=step_size)


def exp_range(*, min_lr, max_lr, step_size, gamma):
    return js.exp_range(min_lr, max_lr, up_steps=step_size, gamma=gamma)


def with_warmup(schedule, *, warmup_steps, start_lr):
    return js.warmup(schedule, warmup_steps, start=start_lr)


def sequential(phases):
    *others, (duration, last) = phases
    return js.chain(
        *(js.until(schedule, duration) for duration, schedule in others),
        js.until(last, duration - 1),
    )


def warmed_step_decay(*, warmup_steps, start_lr, **case):
    return with_warmup(step_decay(**case), warmup_steps=warmup_steps, start_lr=start_lr)


def sequential_cosines(*, durations, base_lr, min_lr, total_steps):
    decay = cosine(base_lr=base_lr, min_lr=min_lr, total_steps=total_steps)
    return sequential([(duration, decay) for duration in durations])


def their_constant(step, *, lr):
    return lr


def their_step_decay(step, *, base_lr, drop, step_size):
    return base_lr * drop ** (step // step_size)


def their_multi_step(step, *, base_lr, milestones, gamma):
    return base_lr * gamma ** sum(step >= milestone for milestone in milestones)


def their_exponential(step, *, base_lr, gamma):
    return base_lr * gamma**step


def their_exponential_decay(step, *, base_lr, decay_rate, decay_steps):
    return base_lr * decay_rate ** (step / decay_steps)


def their_linear(step, *, base_lr, end_lr, total_steps):
    return base_lr + (end_lr - base_lr) * min(1.0, step / total_steps)


def their_polynomial(step, *, base_lr, end_lr, total_steps, power):
    left = 1 - min(step, total_steps) / total_steps
    return end_lr + (base_lr - end_lr) * left**power


def their_polynomial_decay(step, *, start_lr, **case):
    return their_polynomial(step, base_lr=start_lr, **case)


def wave(start, end, passed):
    return end + (start - end) * (1 + math.cos(math.pi * passed)) / 2


def their_cosine(step, *, base_lr, min_lr, total_steps):
    return wave(base_lr, min_lr, min(1.0, step / total_steps))


def their_cosine_restarts(step, *, base_lr, min_lr, period, t_mult):
    while step >= period:
        step, period = step - period, period * t_mult
    return wave(base_lr, min_lr, step / period)


def their_inverse_sqrt(step, *, base_lr, warmup_steps):
    if step < warmup_steps:
        return base_lr * step / warmup_steps
    return base_lr * math.sqrt(warmup_steps / step)


def their_one_cycle(step, *, max_lr, total_steps, pct_start, initial_div, final_div):
    up = min(max(1, round(pct_start * total_steps)), total_steps - 1)
    if step <= up:
        return wave(max_lr / initial_div, max_lr, step / up)
    passed = (min(step, total_steps) - up) / (total_steps - up)
    return wave(max_lr, max_lr / final_div, passed)


def their_warmup_stable_decay(
    step,
    *,
    base_lr,
    warmup_steps,
    decay_steps,
    total_steps,
    final_lr,
    warmup_start,
    decay_shape,
):
    if step < warmup_steps:
        return warmup_start + (base_lr - warmup_start) * step / warmup_steps
    left = total_steps - min(step, total_steps)
    if left > decay_steps:
        return base_lr
    passed = 1 - left / decay_steps
    fallen = passed if decay_shape == "linear" else math.sqrt(passed)
    return final_lr + (base_lr - final_lr) * (1 - fallen)


def height(step, step_size):
    return 1 - abs(step % (2 * step_size) / step_size - 1)


def their_triangular(step, *, min_lr, max_lr, step_size):
    return min_lr + (max_lr - min_lr) * height(step, step_size)


def their_triangular2(step, *, min_lr, max_lr, step_size):
    halved = 0.5 ** (step // (2 * step_size))
    return min_lr + (max_lr - min_lr) * height(step, step_size) * halved


def their_exp_range(step, *, min_lr, max_lr, step_size, gamma):
    return min_lr + (max_lr - min_lr) * height(step, step_size) * gamma**step


def their_warmed_step_decay(step, *, warmup_steps, start_lr, **case):
    if step < warmup_steps:
        target = their_step_decay(0, **case)
        return start_lr + (target - start_lr) * step / warmup_steps
    return their_step_decay(step - warmup_steps, **case)


def their_sequential_cosines(step, *, durations, **case):
    *ends, end = itertools.accumulate(durations)
    step = min(step, end - 1)
    begin = max([0, *(passed for passed in ends if passed <= step)])
    return their_cosine(step - begin, **case)


WSD = (
    {
        "base_lr": 1.0,
        "warmup_steps": 4,
        "decay_steps": 8,
        "total_steps": 24,
        "final_lr": 0.1,
        "warmup_start": 0.2,
    },
    {
        "base_lr": 3e-4,
        "warmup_steps": 7,
        "decay_steps": 30,
        "total_steps": 50,
        "final_lr": 0.0,
        "warmup_start": 0.0,
    },
)

FORMULAS = {
    "constant": Formula(constant, their_constant, ({"lr": 1.0}, {"lr": 3e-4})),
    "step_decay": Formula(
        step_decay,
        their_step_decay,
        (
            {"base_lr": 1.0, "drop": 0.5, "step_size": 3},
            {"base_lr": 3e-4, "drop": 0.1, "step_size": 10},
        ),
    ),
    "multi_step": Formula(
        multi_step,
        their_multi_step,
        (
            {"base_lr": 1.0, "milestones": [3, 6, 7], "gamma": 0.5},
            {"base_lr": 3e-4, "milestones": [10, 30, 40], "gamma": 0.1},
        ),
        elsewhere="milestones may repeat there, and count each time",
    ),
    "exponential": Formula(
        exponential,
        their_exponential,
        ({"base_lr": 1.0, "gamma": 0.5}, {"base_lr": 3e-4, "gamma": 0.96875}),
    ),
    "exponential_decay": Formula(
        exponential_decay,
        their_exponential_decay,
        (
            {"base_lr": 1.0, "decay_rate": 0.5, "decay_steps": 7},
            {"base_lr": 3e-4, "decay_rate": 0.1, "decay_steps": 30},
        ),
    ),
    "linear": Formula(
        linear,
        their_linear,
        (
            {"base_lr": 1.0, "end_lr": 0.1, "total_steps": 20},
            {"base_lr": 3e-4, "end_lr": 0.0, "total_steps": 50},
        ),
    ),
    "polynomial": Formula(
        polynomial,
        their_polynomial,
        (
            {"base_lr": 1.0, "end_lr": 0.1, "total_steps": 20, "power": 2.0},
            {"base_lr": 3e-4, "end_lr": 0.0, "total_steps": 50, "power": 0.5},
        ),
    ),
    "polynomial_decay": Formula(
        polynomial_decay,
        their_polynomial_decay,
        (
            {"start_lr": 1.0, "end_lr": 0.1, "total_steps": 20, "power": 2.0},
            {"start_lr": 3e-4, "end_lr": 0.0, "total_steps": 50, "power": 0.5},
        ),
    ),
    "cosine": Formula(
        cosine,
        their_cosine,
        (
            {"base_lr": 1.0, "min_lr": 0.1, "total_steps": 20},
            {"base_lr": 3e-4, "min_lr": 0.0, "total_steps": 50},
        ),
    ),
    "cosine_restarts": Formula(
        cosine_restarts,
        their_cosine_restarts,
        (
            {"base_lr": 1.0, "min_lr": 0.1, "period": 4, "t_mult": 2},
            {"base_lr": 3e-4, "min_lr": 0.0, "period": 9, "t_mult": 1},
            {"base_lr": 3e-4, "min_lr": 1e-5, "period": 5, "t_mult": 3},
        ),
    ),
    "inverse_sqrt": Formula(
        inverse_sqrt,
        their_inverse_sqrt,
        ({"base_lr": 1.0, "warmup_steps": 4}, {"base_lr": 3e-4, "warmup_steps": 17}),
    ),
    "one_cycle": Formula(
        one_cycle,
        their_one_cycle,
        (
            {
                "max_lr": 1.0,
                "total_steps": 20,
                "pct_start": 0.3,
                "initial_div": 25.0,
                "final_div": 1e4,
            },
            {
                "max_lr": 3e-4,
                "total_steps": 50,
                "pct_start": 0.25,
                "initial_div": 10.0,
                "final_div": 100.0,
            },
            {
                "max_lr": 3e-4,
                "total_steps": 9,
                "pct_start": 0.01,
                "initial_div": 10.0,
                "final_div": 20.0,
            },
        ),
    ),
    **{
        f"warmup_stable_decay, {shape}": Formula(
            warmup_stable_decay,
            their_warmup_stable_decay,
            tuple({**case, "decay_shape": shape} for case in WSD),
        )
        for shape in DECAY_SHAPES
    },
    "triangular": Formula(
        triangular,
        their_triangular,
        (
            {"min_lr": 0.1, "max_lr": 1.0, "step_size": 3},
            {"min_lr": 1e-5, "max_lr": 3e-4, "step_size": 13},
        ),
    ),
    "triangular2": Formula(
        triangular2,
        their_triangular2,
        (
            {"min_lr": 0.1, "max_lr": 1.0, "step_size": 3},
            {"min_lr": 1e-5, "max_lr": 3e-4, "step_size": 13},
        ),
    ),
    "exp_range": Formula(
        exp_range,
        their_exp_range,
        (
            {"min_lr": 0.1, "max_lr": 1.0, "step_size": 3, "gamma": 0.9},
            {"min_lr": 1e-5, "max_lr": 3e-4, "step_size": 13, "gamma": 0.99},
        ),
    ),
    "with_warmup": Formula(
        warmed_step_decay,
        their_warmed_step_decay,
        (
            {
                "base_lr": 1.0,
                "drop": 0.5,
                "step_size": 5,
                "warmup_steps": 4,
                "start_lr": 0.1,
            },
            {
                "base_lr": 3e-4,
                "drop": 0.1,
                "step_size": 20,
                "warmup_steps": 7,
                "start_lr": 0.0,
            },
        ),
    ),
    "sequential": Formula(
        sequential_cosines,
        their_sequential_cosines,
        (
            {
                "durations": [5, 9, 20],
                "base_lr": 1.0,
                "min_lr": 0.1,
                "total_steps": 20,
            },
            {
                "durations": [20, 7, 11],
                "base_lr": 3e-4,
                "min_lr": 0.0,
                "total_steps": 15,
            },
        ),
    ),
}

GOLDENS = {
    "one_cycle 10": one_cycle(
        max_lr=1.0, total_steps=10, pct_start=0.3, initial_div=25.0, final_div=1e4
    ),
    "wsd lin": warmup_stable_decay(
        base_lr=1.0,
        warmup_steps=2,
        decay_steps=4,
        total_steps=8,
        final_lr=0.1,
        warmup_start=0.0,
        decay_shape="linear",
    ),
}
