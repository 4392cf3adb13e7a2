"""pytorch-optimizer 4.1.0: `pytorch_optimizer.lr_scheduler`.

Step 0 of `linear`, `cosine` and `poly` is the first call of `step`; that of the others
is the first update, and `rex` and `cosine_annealing_warmup_restarts` always have that
one at `min_lr`. `cosine` goes up again after its horizon, `linear` falls below zero,
and `poly` grows without end. The decays of `wsd` go to zero, and jump to their minimum
in the end; only that along a cosine goes there. The schedule of `chebyshev` holds its
first value for three steps, and multiplies rates by up to 17.
"""

import itertools
import math

import jax.numpy as jnp

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "pytorch-optimizer"

COOLDOWNS = {
    "1-sqrt": curves.Sqrt(),
    "1-square": curves.Square(),
    "linear": curves.Linear(),
}
CYCLES = 6
"""How many cycles of warm restarts are written down: there they have no end."""


def linear(*, t_max, max_lr, min_lr=0.0, init_lr=0.0, warmup_steps=0.0):
    return js.warmup_linear(
        max_lr, warmup_steps=warmup_steps, total_steps=t_max, start=init_lr, end=min_lr
    )


def cosine(*, t_max, max_lr, min_lr=0.0, init_lr=0.0, warmup_steps=0.0):
    decay_steps = t_max - warmup_steps
    return js.linear(init_lr, max_lr, warmup_steps) >> js.cosine_annealing(
        max_lr, total_steps=decay_steps, end=min_lr, periodic=True
    )


def poly(*, t_max, max_lr, poly_order=0.5, min_lr=0.0, init_lr=0.0, warmup_steps=0.0):
    growth = min_lr + js.power_law(max_lr - min_lr, exponent=-poly_order, timescale=1)
    return js.linear(init_lr, max_lr, warmup_steps) >> js.constant(max_lr, 1) >> growth


def rex(*, total_steps, max_lr=1.0, min_lr=0.0):
    decay = js.rex(max_lr, total_steps=total_steps, end=min_lr)
    return js.switch([min_lr, decay], [1])


def wsd(
    *,
    lr,
    num_warmup_steps,
    num_stable_steps,
    num_decay_steps,
    min_lr_ratio=0.0,
    num_cycles=0.5,
    cooldown_type="1-sqrt",
):
    held = js.linear(0.0, 1.0, num_warmup_steps) >> js.constant(1.0, num_stable_steps)
    if cooldown_type == "cosine":
        half = num_decay_steps / (2 * num_cycles)
        wave = js.cosine_annealing(
            1.0, total_steps=half, end=min_lr_ratio, periodic=True
        )
        cooldown = js.until(wave, num_decay_steps)
    else:
        cooldown = js.ramp(1.0, 0.0, num_decay_steps, COOLDOWNS[cooldown_type])
    return lr * (held >> cooldown >> min_lr_ratio)


def cosine_annealing_warmup_restarts(
    *,
    first_cycle_steps,
    cycle_mult=1.0,
    max_lr=1e-4,
    min_lr=1e-6,
    warmup_steps=0.0,
    gamma=0.9,
):
    """Only the decays grow, and they are cut off to whole steps."""
    decay_steps = first_cycle_steps - warmup_steps
    cycles = []
    for cycle in range(CYCLES):
        cycles += [
            js.linear(min_lr, max_lr * gamma**cycle, warmup_steps),
            js.cosine(max_lr * gamma**cycle, min_lr, decay_steps),
        ]
        decay_steps = jnp.maximum(1.0, decay_steps * cycle_mult // 1)
    return js.switch([min_lr, js.chain(*cycles)], [1])


def chebyshev_steps(*, num_epochs, small_m=0.05, big_m=1.0):
    return js.chebyshev(small_m, largest=big_m, total_steps=num_epochs, fractal=False)


def chebyshev_perm_steps(*, num_epochs):
    return js.chebyshev(0.05, largest=1.0, total_steps=num_epochs)


def chebyshev(*, lr, num_epochs):
    """For 5 epochs or more: for 3 and 4 there, half of the values are missing."""
    power = jnp.round(2.0 ** jnp.ceil(jnp.log2(num_epochs - 0.5)))
    return lr * js.delay(chebyshev_perm_steps(num_epochs=power), 2)


def proportion(*, lr_scheduler, max_lr, min_lr=0.0, max_value=2.0, min_value=2.0):
    height = (lr_scheduler - min_lr) / (max_lr - min_lr)
    return js.rescale(height, min_value, max_value)


def proportion_to_cosine(*, max_value, min_value, **case):
    return proportion(
        lr_scheduler=cosine(**case),
        max_lr=case["max_lr"],
        min_lr=case["min_lr"],
        max_value=max_value,
        min_value=min_value,
    )


def warmed(decay):
    """The rate at a step, given that at the time since the end of the warmup."""

    def rate(step, *, t_max, max_lr, min_lr, init_lr, warmup_steps, **case):
        if step < warmup_steps:
            return init_lr + (max_lr - init_lr) * step / warmup_steps
        if step == warmup_steps:
            return max_lr
        time, total = step - warmup_steps, t_max - warmup_steps
        return min_lr + (max_lr - min_lr) * decay(time, total, **case)

    return rate


@warmed
def their_linear(time, total):
    return 1 - time / total


@warmed
def their_cosine(time, total):
    return (1 + math.cos(math.pi * time / total)) / 2


@warmed
def their_poly(time, total, poly_order):
    return time**poly_order


def their_rex(step, *, total_steps, max_lr, min_lr):
    if step == 0 or step >= total_steps:
        return min_lr
    passed = step / total_steps
    return min_lr + (max_lr - min_lr) * (1 - passed) / (1 - passed / 2)


def their_wsd(
    step,
    *,
    lr,
    num_warmup_steps,
    num_stable_steps,
    num_decay_steps,
    min_lr_ratio,
    num_cycles=0.5,
    cooldown_type,
):
    if step < num_warmup_steps:
        return lr * step / num_warmup_steps
    passed = (step - num_warmup_steps - num_stable_steps) / num_decay_steps
    if passed < 0:
        return lr
    if passed >= 1:
        return lr * min_lr_ratio
    wave = (1 + math.cos(2 * math.pi * num_cycles * passed)) / 2
    return (
        lr
        * {
            "cosine": min_lr_ratio + (1 - min_lr_ratio) * wave,
            "1-sqrt": 1 - math.sqrt(passed),
            "1-square": 1 - passed**2,
            "linear": 1 - passed,
        }[cooldown_type]
    )


def their_cosine_annealing_warmup_restarts(
    step, *, first_cycle_steps, cycle_mult, max_lr, min_lr, warmup_steps, gamma
):
    if step == 0:
        return min_lr
    decay_steps = first_cycle_steps - warmup_steps
    while step >= warmup_steps + decay_steps:
        step -= warmup_steps + decay_steps
        decay_steps = max(1, int(decay_steps * cycle_mult))
        max_lr *= gamma
    if step < warmup_steps:
        return min_lr + (max_lr - min_lr) * step / warmup_steps
    wave = (1 + math.cos(math.pi * (step - warmup_steps) / decay_steps)) / 2
    return min_lr + (max_lr - min_lr) * wave


def their_chebyshev_steps(step, *, num_epochs, small_m, big_m):
    angle = math.pi * (step + 0.5) / num_epochs
    return 2 / (big_m + small_m - (big_m - small_m) * math.cos(angle))


def their_chebyshev_perm_steps(step, *, num_epochs):
    order = [0]
    while len(order) < num_epochs:
        mirrored = [2 * len(order) - 1 - node for node in order]
        order = [*itertools.chain(*zip(order, mirrored, strict=True))]
    return their_chebyshev_steps(
        order[step], num_epochs=num_epochs, small_m=0.05, big_m=1.0
    )


def their_chebyshev(step, *, lr, num_epochs):
    power = 2 ** (int(math.log2(num_epochs - 1)) + 1)
    index = min(max(0, step - 2), power - 1)
    return lr * their_chebyshev_perm_steps(index, num_epochs=power)


def their_proportion_to_cosine(step, *, max_value, min_value, **case):
    rate, low, high = their_cosine(step, **case), case["min_lr"], case["max_lr"]
    return min_value + (max_value - min_value) * (rate - low) / (high - low)


WARMUPS = (
    {"t_max": 24, "max_lr": 1.0, "min_lr": 0.1, "init_lr": 0.0, "warmup_steps": 4},
    {"t_max": 50, "max_lr": 3e-3, "min_lr": 0.0, "init_lr": 1e-4, "warmup_steps": 9},
)
STABLE = (
    {
        "lr": 1.0,
        "num_warmup_steps": 4,
        "num_stable_steps": 8,
        "num_decay_steps": 10,
        "min_lr_ratio": 0.1,
    },
    {
        "lr": 3e-4,
        "num_warmup_steps": 9,
        "num_stable_steps": 20,
        "num_decay_steps": 21,
        "min_lr_ratio": 0.0,
    },
)

FORMULAS = {
    "LinearScheduler": Formula(
        linear,
        their_linear,
        WARMUPS,
        range(25),
        "after the horizon it goes on, below zero",
    ),
    "CosineScheduler": Formula(cosine, their_cosine, WARMUPS),
    "PolyScheduler": Formula(
        poly,
        their_poly,
        ({**WARMUPS[0], "poly_order": 0.5}, {**WARMUPS[1], "poly_order": 2.0}),
    ),
    "REXScheduler": Formula(
        rex,
        their_rex,
        (
            {"total_steps": 8, "max_lr": 1.0, "min_lr": 0.1},
            {"total_steps": 50, "max_lr": 3e-4, "min_lr": 0.0},
        ),
    ),
    **{
        f"get_wsd_schedule, {cooldown}": Formula(
            wsd,
            their_wsd,
            tuple({**case, "cooldown_type": cooldown} for case in STABLE),
        )
        for cooldown in ("cosine", *COOLDOWNS)
    },
    "get_wsd_schedule, cosine of more cycles": Formula(
        wsd,
        their_wsd,
        tuple(
            {**case, "num_cycles": cycles, "cooldown_type": "cosine"}
            for case, cycles in zip(STABLE, (1.0, 1.5), strict=True)
        ),
    ),
    "CosineAnnealingWarmupRestarts": Formula(
        cosine_annealing_warmup_restarts,
        their_cosine_annealing_warmup_restarts,
        (
            {
                "first_cycle_steps": 7,
                "cycle_mult": 1.5,
                "max_lr": 1.0,
                "min_lr": 0.1,
                "warmup_steps": 2,
                "gamma": 0.5,
            },
            {
                "first_cycle_steps": 12,
                "cycle_mult": 1.0,
                "max_lr": 3e-3,
                "min_lr": 1e-5,
                "warmup_steps": 0,
                "gamma": 0.9,
            },
        ),
    ),
    "get_chebyshev_steps": Formula(
        chebyshev_steps,
        their_chebyshev_steps,
        (
            {"num_epochs": 16, "small_m": 0.05, "big_m": 1.0},
            {"num_epochs": 21, "small_m": 0.5, "big_m": 3.0},
        ),
        range(16),
        "there are no more",
    ),
    "get_chebyshev_perm_steps": Formula(
        chebyshev_perm_steps,
        their_chebyshev_perm_steps,
        ({"num_epochs": 16}, {"num_epochs": 64}),
        range(16),
        "there are no more",
    ),
    "get_chebyshev_schedule": Formula(
        chebyshev,
        their_chebyshev,
        (
            {"lr": 1.0, "num_epochs": 8},
            {"lr": 3e-4, "num_epochs": 9},
            {"lr": 3e-4, "num_epochs": 40},
        ),
    ),
    "ProportionScheduler": Formula(
        proportion_to_cosine,
        their_proportion_to_cosine,
        (
            {**WARMUPS[0], "max_value": 2.0, "min_value": 0.5},
            {**WARMUPS[1], "init_lr": 0.0, "max_value": 0.1, "min_value": 0.3},
        ),
    ),
}

GOLDENS = {
    "Cosine t=8 w=2": cosine(
        t_max=8, max_lr=1.0, min_lr=0.1, init_lr=0.0, warmup_steps=2
    ),
    "Poly t=8 w=2": poly(t_max=8, max_lr=1.0, min_lr=0.1, init_lr=0.0, warmup_steps=2),
    # The first call of `step` returns the rate of the second update.
    "REX step() returns": js.shift(rex(total_steps=8), 1),
    "cheb steps(8)": chebyshev_steps(num_epochs=8),
    "cheb perm steps(8)": chebyshev_perm_steps(num_epochs=8),
    "wsd min .1 1-sqrt": wsd(
        lr=1.0,
        num_warmup_steps=2,
        num_stable_steps=2,
        num_decay_steps=4,
        min_lr_ratio=0.1,
        cooldown_type="1-sqrt",
    ),
    "wsd min .1 cosine": wsd(
        lr=1.0,
        num_warmup_steps=2,
        num_stable_steps=2,
        num_decay_steps=4,
        min_lr_ratio=0.1,
        cooldown_type="cosine",
    ),
    "CAWR 6 w2 mult1.5": cosine_annealing_warmup_restarts(
        first_cycle_steps=6,
        cycle_mult=1.5,
        max_lr=1.0,
        min_lr=0.0,
        warmup_steps=2,
        gamma=0.5,
    ),
}
