"""fairseq 0.12.2: `fairseq.optim.lr_scheduler`, whose names are those of its registry.

A step is what `step_update` is given, and the trainer gives it 0 before the first
update. So warmups begin at their start, but for that of `fixed`, which begins one step
further on. A negative `warmup_init_lr` stands for the lowest rate, as there. What
depends on the epoch counts epochs from 1: for these a step is an epoch. The restarts
of `cosine` are found with a logarithm, which may round to the wrong side: where periods
grow by 3, the step of the fifth restart still has the lowest rate of the fifth period.
"""

import math

import jax.numpy as jnp

import jaxsched as js

from ..rows import Formula


PEER = "fairseq"


def fixed(*, lr, warmup_updates=0.0):
    return js.shift(js.warmup_constant(lr, warmup_steps=warmup_updates), 1)


def fixed_by_epoch(*, lr, force_anneal, lr_shrink=0.1):
    given = js.delay(js.table(lr), 1)
    annealed = js.exponential_decay(lr[-1] * lr_shrink, factor=lr_shrink, steps=1)
    return js.switch([given, js.delay(annealed, force_anneal)], [force_anneal])


def manual(*, lr, updates, rates):
    """`update2lr`, as two lists: its keys in increasing order, and its values.

    The rate of update 1 is also that of update 0.
    """
    first = jnp.where(updates[0] == 1, rates[0], lr)
    return js.piecewise_constant(updates, [first, *rates])


def inverse_sqrt(*, lr, warmup_updates=4000.0, warmup_init_lr=-1.0):
    start = jnp.where(warmup_init_lr < 0, 0.0, warmup_init_lr)
    return js.warmup_inverse_sqrt(lr, warmup_steps=warmup_updates, start=start)


def polynomial_decay(
    *, lr, total_num_update, warmup_updates=0.0, end_learning_rate=0.0, power=1.0
):
    return js.warmup_polynomial(
        lr,
        warmup_steps=warmup_updates,
        total_steps=total_num_update,
        power=power,
        end=end_learning_rate,
    )


def cosine(
    *,
    lr,
    lr_period_updates,
    min_lr=0.0,
    t_mult=1.0,
    lr_shrink=0.1,
    warmup_updates=0.0,
    warmup_init_lr=-1.0,
):
    start = jnp.where(warmup_init_lr < 0, min_lr, warmup_init_lr)
    return js.linear(start, lr, warmup_updates) >> js.repeat(
        js.cosine(lr, min_lr, lr_period_updates),
        period_multiplier=t_mult,
        value_multiplier=lr_shrink,
    )


def step(
    *,
    lr,
    lr_deacy_period,
    lr_decay=0.5,
    min_lr=0.0,
    warmup_updates=0.0,
    warmup_init_lr=-1.0,
):
    start = jnp.where(warmup_init_lr < 0, min_lr, warmup_init_lr)
    decay = js.step_decay(lr, factor=lr_decay, every=lr_deacy_period)
    return js.linear(start, lr, warmup_updates) >> js.maximum(decay, min_lr)


def tri_stage(
    *,
    lr,
    warmup_steps,
    hold_steps,
    decay_steps,
    init_lr_scale=0.01,
    final_lr_scale=0.01,
):
    return js.tri_stage(
        lr,
        warmup_steps=warmup_steps,
        decay_steps=decay_steps,
        total_steps=warmup_steps + hold_steps + decay_steps,
        start=lr * init_lr_scale,
        end=lr * final_lr_scale,
    )


def tri_stage_of_ratios(*, lr, phase_ratio, max_update):
    warmup_steps, hold_steps, decay_steps = (
        max_update * ratio // 1 for ratio in phase_ratio
    )
    return tri_stage(
        lr=lr,
        warmup_steps=warmup_steps,
        hold_steps=hold_steps,
        decay_steps=decay_steps,
    )


def triangular(
    *, lr, max_lr, lr_period_updates=5000.0, lr_shrink=0.1, shrink_min=False
):
    half = lr_period_updates // 2
    high = js.linear(0.0, max_lr, half) >> js.linear(max_lr, 0.0, half)
    low = js.linear(lr, 0.0, half) >> js.linear(0.0, lr, half)
    if shrink_min:
        return js.repeat(high + low, value_multiplier=lr_shrink)
    return js.repeat(high, value_multiplier=lr_shrink) + js.repeat(low)


def their_fixed(step, *, lr, warmup_updates):
    return lr * min(1.0, (step + 1) / warmup_updates)


def their_fixed_by_epoch(epoch, *, lr, force_anneal, lr_shrink):
    if epoch < force_anneal:
        return lr[min(epoch - 1, len(lr) - 1)]
    return lr[-1] * lr_shrink ** (epoch + 1 - force_anneal)


def their_manual(step, *, lr, updates, rates):
    given = dict(zip(updates, rates, strict=True))
    passed = [update for update in given if update <= step]
    return given[max(passed)] if passed else given.get(1, lr)


def their_inverse_sqrt(step, *, lr, warmup_updates, warmup_init_lr=-1.0):
    if step < warmup_updates:
        start = 0.0 if warmup_init_lr < 0 else warmup_init_lr
        return start + (lr - start) * step / warmup_updates
    return lr * math.sqrt(warmup_updates) / math.sqrt(step)


def their_polynomial_decay(
    step, *, lr, total_num_update, warmup_updates, end_learning_rate, power
):
    if step <= warmup_updates:
        return lr * step / warmup_updates
    if step >= total_num_update:
        return end_learning_rate
    left = 1 - (step - warmup_updates) / (total_num_update - warmup_updates)
    return end_learning_rate + (lr - end_learning_rate) * left**power


def their_cosine(
    step,
    *,
    lr,
    lr_period_updates,
    min_lr,
    t_mult,
    lr_shrink,
    warmup_updates,
    warmup_init_lr,
):
    if step < warmup_updates:
        start = min_lr if warmup_init_lr < 0 else warmup_init_lr
        return start + (lr - start) * step / warmup_updates
    since = step - warmup_updates
    if t_mult == 1:
        cycle, since = divmod(since, lr_period_updates)
        period = lr_period_updates
    else:
        grown = 1 - since / lr_period_updates * (1 - t_mult)
        cycle = math.floor(math.log(grown, t_mult))
        period = lr_period_updates * t_mult**cycle
        since -= lr_period_updates * (1 - t_mult**cycle) / (1 - t_mult)
    wave = (1 + math.cos(math.pi * since / period)) / 2
    return (min_lr + (lr - min_lr) * wave) * lr_shrink**cycle


def their_step(
    step, *, lr, lr_deacy_period, lr_decay, min_lr, warmup_updates, warmup_init_lr
):
    if step < warmup_updates:
        start = min_lr if warmup_init_lr < 0 else warmup_init_lr
        return start + (lr - start) * step / warmup_updates
    decays = (step - warmup_updates) // lr_deacy_period
    return max(lr * lr_decay**decays, min_lr)


def their_tri_stage(
    step,
    *,
    lr,
    warmup_steps,
    hold_steps,
    decay_steps,
    init_lr_scale=0.01,
    final_lr_scale=0.01,
):
    if step < warmup_steps:
        return lr * (init_lr_scale + (1 - init_lr_scale) * step / warmup_steps)
    decayed = step - warmup_steps - hold_steps
    if decayed < 0:
        return lr
    if decayed > decay_steps:
        return lr * final_lr_scale
    return lr * math.exp(math.log(final_lr_scale) * decayed / decay_steps)


def their_tri_stage_of_ratios(step, *, lr, phase_ratio, max_update):
    warmup, hold, decay = (int(max_update * ratio) for ratio in phase_ratio)
    return their_tri_stage(
        step, lr=lr, warmup_steps=warmup, hold_steps=hold, decay_steps=decay
    )


def their_triangular(
    step, *, lr, max_lr, lr_period_updates, lr_shrink, shrink_min=False
):
    half = lr_period_updates // 2
    shrunk = lr_shrink ** (step // (2 * half))
    low = lr * shrunk if shrink_min else lr
    height = 1 - abs(step % (2 * half) / half - 1)
    return low + (max_lr * shrunk - low) * height


TRIANGLES = (
    {"lr": 0.1, "max_lr": 1.0, "lr_period_updates": 10, "lr_shrink": 0.5},
    {"lr": 1e-4, "max_lr": 3e-3, "lr_period_updates": 17, "lr_shrink": 0.3},
)

FORMULAS = {
    "fixed": Formula(
        fixed,
        their_fixed,
        ({"lr": 1.0, "warmup_updates": 4}, {"lr": 3e-4, "warmup_updates": 11}),
    ),
    "fixed, by epoch": Formula(
        fixed_by_epoch,
        their_fixed_by_epoch,
        (
            {"lr": [1.0, 0.5, 0.25], "force_anneal": 5, "lr_shrink": 0.1},
            {"lr": [3e-3, 2e-3, 1e-3], "force_anneal": 2, "lr_shrink": 0.5},
        ),
        range(1, 20),
        "there is no epoch 0",
    ),
    "manual": Formula(
        manual,
        their_manual,
        (
            {"lr": 1.0, "updates": [3, 5, 20], "rates": [0.5, 0.7, 0.1]},
            {"lr": 3e-4, "updates": [1, 8, 9], "rates": [1e-4, 5e-5, 1e-5]},
        ),
    ),
    "inverse_sqrt": Formula(
        inverse_sqrt,
        their_inverse_sqrt,
        (
            {"lr": 1.0, "warmup_updates": 4, "warmup_init_lr": -1.0},
            {"lr": 3e-4, "warmup_updates": 10, "warmup_init_lr": 1e-5},
        ),
    ),
    "polynomial_decay": Formula(
        polynomial_decay,
        their_polynomial_decay,
        (
            {
                "lr": 1.0,
                "total_num_update": 24,
                "warmup_updates": 4,
                "end_learning_rate": 0.1,
                "power": 1.0,
            },
            {
                "lr": 3e-4,
                "total_num_update": 50,
                "warmup_updates": 7,
                "end_learning_rate": 0.0,
                "power": 2.5,
            },
        ),
    ),
    "cosine": Formula(
        cosine,
        their_cosine,
        (
            {
                "lr": 1.0,
                "lr_period_updates": 4.0,
                "min_lr": 0.1,
                "t_mult": 2.0,
                "lr_shrink": 0.5,
                "warmup_updates": 2,
                "warmup_init_lr": -1.0,
            },
            {
                "lr": 3e-3,
                "lr_period_updates": 5.0,
                "min_lr": 1e-4,
                "t_mult": 3.0,
                "lr_shrink": 0.1,
                "warmup_updates": 6,
                "warmup_init_lr": 1e-5,
            },
            {
                "lr": 3e-3,
                "lr_period_updates": 9.0,
                "min_lr": 0.0,
                "t_mult": 1.0,
                "lr_shrink": 1.0,
                "warmup_updates": 1,
                "warmup_init_lr": 0.0,
            },
        ),
    ),
    "step": Formula(
        step,
        their_step,
        (
            {
                "lr": 1.0,
                "lr_deacy_period": 5,
                "lr_decay": 0.5,
                "min_lr": 0.1,
                "warmup_updates": 4,
                "warmup_init_lr": -1.0,
            },
            {
                "lr": 3e-4,
                "lr_deacy_period": 12,
                "lr_decay": 0.3,
                "min_lr": 0.0,
                "warmup_updates": 9,
                "warmup_init_lr": 1e-4,
            },
        ),
    ),
    "tri_stage": Formula(
        tri_stage,
        their_tri_stage,
        (
            {
                "lr": 1.0,
                "warmup_steps": 4,
                "hold_steps": 6,
                "decay_steps": 20,
                "init_lr_scale": 0.01,
                "final_lr_scale": 0.01,
            },
            {
                "lr": 3e-4,
                "warmup_steps": 9,
                "hold_steps": 16,
                "decay_steps": 25,
                "init_lr_scale": 0.1,
                "final_lr_scale": 0.05,
            },
        ),
    ),
    "tri_stage, of ratios": Formula(
        tri_stage_of_ratios,
        their_tri_stage_of_ratios,
        (
            {"lr": 1.0, "phase_ratio": [0.1, 0.4, 0.5], "max_update": 43},
            {"lr": 3e-4, "phase_ratio": [0.25, 0.25, 0.5], "max_update": 50},
        ),
    ),
    "triangular": Formula(triangular, their_triangular, TRIANGLES),
    "triangular, shrink_min": Formula(
        triangular,
        their_triangular,
        tuple({**case, "shrink_min": True} for case in TRIANGLES),
    ),
}

GOLDENS = {
    "inverse_sqrt W4": inverse_sqrt(lr=1.0, warmup_updates=4, warmup_init_lr=-1),
    "cosine W2 period 4 shrink .5 tmult 2": cosine(
        lr=1.0,
        warmup_updates=2,
        warmup_init_lr=-1,
        min_lr=0.1,
        t_mult=2.0,
        lr_period_updates=4,
        lr_shrink=0.5,
    ),
    "poly W4 T12": polynomial_decay(
        lr=1.0,
        warmup_updates=4,
        end_learning_rate=0.1,
        power=1.0,
        total_num_update=12,
    ),
    "fixed warm4": fixed(lr=1.0, warmup_updates=4),
}
