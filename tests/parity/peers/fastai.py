"""fastai 2.8.12: `fastai.callback.schedule`.

There a schedule is a function of the position in training, from 0 to 1; here it is
also given how many batches there are, all told (`steps`), or `n_epoch` epochs of
`n_iter`. Position 1 is that after the last batch, so no end is reached. The rates of
`fine_tune` are those of the head.
"""

import math

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "fastai"


def sched_no(*, start, end, steps):
    return js.constant(start)


def sched_lin(*, start, end, steps):
    return js.linear(start, end, steps)


def sched_cos(*, start, end, steps):
    return js.cosine(start, end, steps)


def sched_exp(*, start, end, steps):
    return js.exponential(start, end, steps)


def sched_poly(*, start, end, power, steps):
    return js.ramp(start, end, steps, curves.KDecay(power))


def combine_scheds(*, pcts, scheds, steps):
    """Schedules are given as functions of their `steps`."""
    parts = zip(scheds, pcts, strict=True)
    return js.chain(*(sched(steps=pct * steps) for sched, pct in parts))


def combined_cos(*, pct, start, middle, end, steps):
    up = pct * steps
    return js.cosine(start, middle, up) >> js.cosine(middle, end, steps - up)


def fit_one_cycle(*, n_epoch, n_iter, lr_max, div=25.0, div_final=1e5, pct_start=0.25):
    return js.one_cycle(
        lr_max,
        total_steps=n_epoch * n_iter,
        warmup_fraction=pct_start,
        start_divisor=div,
        end_divisor=div_final / div,
    ).rate


def fit_one_cycle_momentum(*, n_epoch, n_iter, moms=(0.95, 0.85, 0.95), pct_start=0.25):
    start, middle, end = moms
    return combined_cos(
        pct=pct_start, start=start, middle=middle, end=end, steps=n_epoch * n_iter
    )


def fit_flat_cos(*, n_epoch, n_iter, lr, div_final=1e5, pct_start=0.75):
    steps = n_epoch * n_iter
    return js.flat_cosine(
        lr,
        decay_steps=steps - pct_start * steps,
        total_steps=steps,
        end=lr / div_final,
    )


def fit_sgdr(*, n_cycles, cycle_len, n_iter, lr_max, cycle_mult=2.0):
    return js.sgdr(
        lr_max,
        period=cycle_len * n_iter,
        period_multiplier=cycle_mult,
        cycles=n_cycles,
    )


def fine_tune(*, epochs, n_iter, base_lr=2e-3, freeze_epochs=1, pct_start=0.3, div=5.0):
    frozen = fit_one_cycle(
        n_epoch=freeze_epochs, n_iter=n_iter, lr_max=base_lr, pct_start=0.99
    )
    return frozen >> fit_one_cycle(
        n_epoch=epochs, n_iter=n_iter, lr_max=base_lr / 2, pct_start=pct_start, div=div
    )


def lr_find(*, start_lr=1e-7, end_lr=10.0, num_it=100):
    return js.exponential(start_lr, end_lr, num_it)


def combined_shapes(*, pcts, values, steps):
    first, second, third, last = values
    scheds = [
        lambda steps: sched_lin(start=first, end=second, steps=steps),
        lambda steps: sched_exp(start=second, end=third, steps=steps),
        lambda steps: sched_cos(start=third, end=last, steps=steps),
    ]
    return combine_scheds(pcts=pcts, scheds=scheds, steps=steps)


def lin(start, end, position):
    return start + (end - start) * position


def cos(start, end, position):
    return start + (end - start) * (1 - math.cos(math.pi * position)) / 2


def exp(start, end, position):
    return start * (end / start) ** position


def their_sched_no(step, *, start, end, steps):
    return start


def their_sched_lin(step, *, start, end, steps):
    return lin(start, end, step / steps)


def their_sched_cos(step, *, start, end, steps):
    return cos(start, end, step / steps)


def their_sched_exp(step, *, start, end, steps):
    return exp(start, end, step / steps)


def their_sched_poly(step, *, start, end, power, steps):
    return start + (end - start) * (step / steps) ** power


def their_combined(position, pcts, scheds):
    starts = [sum(pcts[:i]) for i in range(len(pcts))]
    phase = max(i for i, start in enumerate(starts) if position >= start)
    return scheds[phase]((position - starts[phase]) / pcts[phase])


def their_combined_shapes(step, *, pcts, values, steps):
    first, second, third, last = values
    scheds = [
        lambda position: lin(first, second, position),
        lambda position: exp(second, third, position),
        lambda position: cos(third, last, position),
    ]
    return their_combined(step / steps, pcts, scheds)


def their_combined_cos(step, *, pct, start, middle, end, steps):
    scheds = [
        lambda position: cos(start, middle, position),
        lambda position: cos(middle, end, position),
    ]
    return their_combined(step / steps, [pct, 1 - pct], scheds)


def their_fit_one_cycle(
    step, *, n_epoch, n_iter, lr_max, div=25.0, div_final=1e5, pct_start=0.25
):
    return their_combined_cos(
        step,
        pct=pct_start,
        start=lr_max / div,
        middle=lr_max,
        end=lr_max / div_final,
        steps=n_epoch * n_iter,
    )


def their_fit_one_cycle_momentum(step, *, n_epoch, n_iter, moms, pct_start):
    start, middle, end = moms
    return their_combined_cos(
        step,
        pct=pct_start,
        start=start,
        middle=middle,
        end=end,
        steps=n_epoch * n_iter,
    )


def their_fit_flat_cos(step, *, n_epoch, n_iter, lr, div_final, pct_start):
    return their_combined_cos(
        step,
        pct=pct_start,
        start=lr,
        middle=lr,
        end=lr / div_final,
        steps=n_epoch * n_iter,
    )


def their_fit_sgdr(step, *, n_cycles, cycle_len, n_iter, lr_max, cycle_mult):
    lengths = [cycle_len * cycle_mult**cycle for cycle in range(n_cycles)]
    epochs = sum(lengths)
    return their_combined(
        step / (epochs * n_iter),
        [length / epochs for length in lengths],
        [lambda position: cos(lr_max, 0.0, position)] * n_cycles,
    )


def their_fine_tune(step, *, epochs, n_iter, base_lr, freeze_epochs, pct_start, div):
    frozen = freeze_epochs * n_iter
    if step < frozen:
        return their_fit_one_cycle(
            step,
            n_epoch=freeze_epochs,
            n_iter=n_iter,
            lr_max=base_lr,
            pct_start=0.99,
        )
    return their_fit_one_cycle(
        step - frozen,
        n_epoch=epochs,
        n_iter=n_iter,
        lr_max=base_lr / 2,
        pct_start=pct_start,
        div=div,
    )


def their_lr_find(step, *, start_lr, end_lr, num_it):
    return exp(start_lr, end_lr, step / num_it)


RAMPS = (
    {"start": 0.1, "end": 1.0, "steps": 24},
    {"start": 3e-3, "end": 1e-4, "steps": 50},
)
POSITIONS = range(24)
BEYOND = "there is no position beyond 1"

FORMULAS = {
    "SchedNo": Formula(sched_no, their_sched_no, RAMPS, POSITIONS, BEYOND),
    "SchedLin": Formula(sched_lin, their_sched_lin, RAMPS, POSITIONS, BEYOND),
    "SchedCos": Formula(sched_cos, their_sched_cos, RAMPS, POSITIONS, BEYOND),
    "SchedExp": Formula(sched_exp, their_sched_exp, RAMPS, POSITIONS, BEYOND),
    "SchedPoly": Formula(
        sched_poly,
        their_sched_poly,
        ({**RAMPS[0], "power": 2.0}, {**RAMPS[1], "power": 0.5}),
        POSITIONS,
        BEYOND,
    ),
    "combine_scheds": Formula(
        combined_shapes,
        their_combined_shapes,
        (
            {
                "pcts": [0.25, 0.25, 0.5],
                "values": [0.1, 1.0, 0.5, 0.0],
                "steps": 24,
            },
            {
                "pcts": [0.125, 0.625, 0.25],
                "values": [1e-5, 3e-3, 1e-3, 1e-4],
                "steps": 56,
            },
        ),
        POSITIONS,
        BEYOND,
    ),
    "combined_cos": Formula(
        combined_cos,
        their_combined_cos,
        (
            {"pct": 0.25, "start": 0.1, "middle": 1.0, "end": 0.0, "steps": 24},
            {"pct": 0.3, "start": 3e-4, "middle": 1e-3, "end": 1e-5, "steps": 41},
        ),
        POSITIONS,
        BEYOND,
    ),
    "fit_one_cycle": Formula(
        fit_one_cycle,
        their_fit_one_cycle,
        (
            {
                "n_epoch": 3,
                "n_iter": 8,
                "lr_max": 1.0,
                "div": 25.0,
                "div_final": 1e5,
                "pct_start": 0.25,
            },
            {
                "n_epoch": 2,
                "n_iter": 17,
                "lr_max": 3e-4,
                "div": 5.0,
                "div_final": 100.0,
                "pct_start": 0.3,
            },
        ),
        POSITIONS,
        BEYOND,
    ),
    "fit_one_cycle, momentum": Formula(
        fit_one_cycle_momentum,
        their_fit_one_cycle_momentum,
        (
            {"n_epoch": 3, "n_iter": 8, "moms": [0.95, 0.85, 0.95], "pct_start": 0.25},
            {"n_epoch": 2, "n_iter": 17, "moms": [0.9, 0.8, 0.99], "pct_start": 0.3},
        ),
        POSITIONS,
        BEYOND,
    ),
    "fit_flat_cos": Formula(
        fit_flat_cos,
        their_fit_flat_cos,
        (
            {
                "n_epoch": 3,
                "n_iter": 8,
                "lr": 1.0,
                "div_final": 1e5,
                "pct_start": 0.75,
            },
            {
                "n_epoch": 2,
                "n_iter": 17,
                "lr": 3e-4,
                "div_final": 10.0,
                "pct_start": 0.3,
            },
        ),
        POSITIONS,
        BEYOND,
    ),
    "fit_sgdr": Formula(
        fit_sgdr,
        their_fit_sgdr,
        (
            {
                "n_cycles": 3,
                "cycle_len": 1,
                "n_iter": 4,
                "lr_max": 1.0,
                "cycle_mult": 2,
            },
            {
                "n_cycles": 2,
                "cycle_len": 2,
                "n_iter": 8,
                "lr_max": 3e-4,
                "cycle_mult": 3,
            },
        ),
        range(28),
        BEYOND,
    ),
    "fine_tune": Formula(
        fine_tune,
        their_fine_tune,
        (
            {
                "epochs": 2,
                "n_iter": 8,
                "base_lr": 1.0,
                "freeze_epochs": 1,
                "pct_start": 0.3,
                "div": 5.0,
            },
            {
                "epochs": 3,
                "n_iter": 7,
                "base_lr": 3e-4,
                "freeze_epochs": 2,
                "pct_start": 0.5,
                "div": 10.0,
            },
        ),
        POSITIONS,
        BEYOND,
    ),
    "lr_find": Formula(
        lr_find,
        their_lr_find,
        (
            {"start_lr": 1e-7, "end_lr": 10.0, "num_it": 100},
            {"start_lr": 1e-5, "end_lr": 1.0, "num_it": 60},
        ),
        range(60),
        "it stops after `num_it` batches",
    ),
}

GOLDENS = {
    "pct0=0": combine_scheds(
        pcts=[0.0, 1.0],
        scheds=[
            lambda steps: sched_cos(start=0.0, end=1.0, steps=steps),
            lambda steps: sched_cos(start=1.0, end=0.0, steps=steps),
        ],
        steps=2.0,
    ),
}
