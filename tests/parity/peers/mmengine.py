"""mmengine 0.10.7: the parameter schedulers, of rates or of momenta.

Each acts from step `begin` to step `end - 1`, and what it does last remains. By then
`linear`, `poly` and `one_cycle` have arrived; `cosine_restart` has not, nor has
`cosine_annealing` if `T_max` is that span: they stay one step above their end. Two
that act at the same time multiply each other's changes. `eta_min_ratio` is for
`eta_min / lr`.
"""

import itertools
import math

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "mmengine"

NEVER = 1e9
CURVES = {"cos": curves.Cosine(), "linear": curves.Linear()}


def within(schedule, lr, begin, end):
    return js.constant(lr, begin) >> js.until(schedule, end - begin - 1)


def constant(*, lr, factor=1 / 3, begin=0.0, end=NEVER):
    held = js.constant(lr * factor, end - begin - 1) >> lr
    return within(held, lr, begin, end)


def linear(*, lr, start_factor=1 / 3, end_factor=1.0, begin=0.0, end):
    ramp = js.linear(lr * start_factor, lr * end_factor, end - begin - 1)
    return within(ramp, lr, begin, end)


def poly(*, lr, eta_min=0.0, power=1.0, begin=0.0, end):
    decay = js.polynomial(lr, eta_min, end - begin - 1, power=power)
    return within(decay, lr, begin, end)


def exponential(*, lr, gamma, begin=0.0, end=NEVER):
    return within(js.exponential_decay(lr, factor=gamma, steps=1), lr, begin, end)


def step(*, lr, step_size, gamma=0.1, begin=0.0, end=NEVER):
    return within(js.step_decay(lr, factor=gamma, every=step_size), lr, begin, end)


def multi_step(*, lr, milestones, gamma=0.1, begin=0.0, end=NEVER):
    decay = js.multi_step(lr, boundaries=milestones, factor=gamma)
    return within(decay, lr, begin, end)


def cosine_annealing(*, lr, T_max, eta_min=0.0, begin=0.0, end=NEVER):
    wave = js.cosine_annealing(lr, total_steps=T_max, end=eta_min, periodic=True)
    return within(wave, lr, begin, end)


def cosine_restart(*, lr, periods, restart_weights, eta_min, begin=0.0):
    cycles = [
        js.cosine(lr * weight, eta_min, period)
        for period, weight in zip(periods, restart_weights, strict=True)
    ]
    return within(js.chain(*cycles), lr, begin, begin + sum(periods))


def one_cycle(
    *,
    lr,
    eta_max,
    pct_start=0.3,
    anneal_strategy="cos",
    div_factor=25.0,
    final_div_factor=1e4,
    three_phase=False,
    begin=0.0,
    end,
):
    curve, low = CURVES[anneal_strategy], eta_max / div_factor
    up, last = pct_start * (end - begin) - 1, end - begin - 1
    cycle = js.ramp(low, eta_max, up, curve)
    if three_phase:
        cycle >>= js.ramp(eta_max, low, up, curve)
        cycle >>= js.ramp(low, low / final_div_factor, last - 2 * up, curve)
    else:
        cycle >>= js.ramp(eta_max, low / final_div_factor, last - up, curve)
    return within(cycle, lr, begin, end)


def windowed(formula):
    """The rate at a step, given that at a time since `begin`, and the span to `end`."""

    def rate(step, /, *, lr, begin=0, end=NEVER, **case):
        if step < begin:
            return lr
        time = min(step, end - 1) - begin
        return formula(time, lr=lr, span=end - begin, **case)

    return rate


@windowed
def their_constant(time, /, *, lr, span, factor):
    return lr if time == span - 1 else lr * factor


@windowed
def their_linear(time, /, *, lr, span, start_factor, end_factor):
    return lr * (start_factor + (end_factor - start_factor) * time / (span - 1))


@windowed
def their_poly(time, /, *, lr, span, eta_min, power):
    return eta_min + (lr - eta_min) * (1 - time / (span - 1)) ** power


@windowed
def their_exponential(time, /, *, lr, span, gamma):
    return lr * gamma**time


@windowed
def their_step(time, /, *, lr, span, step_size, gamma):
    return lr * gamma ** (time // step_size)


@windowed
def their_multi_step(time, /, *, lr, span, milestones, gamma):
    return lr * gamma ** sum(time >= milestone for milestone in milestones)


def wave(start, end, passed):
    return end + (start - end) * (1 + math.cos(math.pi * passed)) / 2


@windowed
def their_cosine_annealing(time, /, *, lr, span, T_max, eta_min):
    return wave(lr, eta_min, time / T_max)


@windowed
def their_cosine_restart(time, /, *, lr, span, periods, restart_weights, eta_min):
    time = min(time, sum(periods) - 1)
    ends = [*itertools.accumulate(periods)]
    cycle = next(i for i, end in enumerate(ends) if time < end)
    left = (ends[cycle] - time) / periods[cycle]
    return wave(lr * restart_weights[cycle], eta_min, 1 - left)


@windowed
def their_one_cycle(
    time,
    /,
    *,
    lr,
    span,
    eta_max,
    pct_start,
    anneal_strategy,
    div_factor=25.0,
    final_div_factor=1e4,
    three_phase,
):
    low = eta_max / div_factor
    rates = [low, eta_max, low, low / final_div_factor]
    ends = [0.0, pct_start * span - 1, 2 * pct_start * span - 2, span - 1]
    if not three_phase:
        rates.pop(2), ends.pop(2)
    phase = next(i for i, end in enumerate(ends) if i and time <= end)
    passed = (time - ends[phase - 1]) / (ends[phase] - ends[phase - 1])
    if anneal_strategy == "cos":
        return wave(rates[phase - 1], rates[phase], passed)
    return rates[phase - 1] + (rates[phase] - rates[phase - 1]) * passed


FORMULAS = {
    "Constant": Formula(
        constant,
        their_constant,
        (
            {"lr": 1.0, "factor": 0.5, "begin": 0, "end": 4},
            {"lr": 3e-4, "factor": 0.1, "begin": 5, "end": 20},
        ),
    ),
    "Linear": Formula(
        linear,
        their_linear,
        (
            {"lr": 1.0, "start_factor": 0.25, "end_factor": 1.0, "begin": 0, "end": 5},
            {"lr": 3e-4, "start_factor": 1.0, "end_factor": 0, "begin": 7, "end": 40},
        ),
    ),
    "Poly": Formula(
        poly,
        their_poly,
        (
            {"lr": 1.0, "eta_min": 0.1, "power": 1.0, "begin": 0, "end": 8},
            {"lr": 3e-4, "eta_min": 0.0, "power": 0.9, "begin": 7, "end": 50},
        ),
    ),
    "Exponential": Formula(
        exponential,
        their_exponential,
        (
            {"lr": 1.0, "gamma": 0.5, "begin": 0, "end": 9},
            {"lr": 3e-4, "gamma": 0.96875, "begin": 7, "end": 90},
        ),
    ),
    "Step": Formula(
        step,
        their_step,
        (
            {"lr": 1.0, "step_size": 3, "gamma": 0.5, "begin": 0, "end": 12},
            {"lr": 3e-4, "step_size": 8, "gamma": 0.1, "begin": 7, "end": 90},
        ),
    ),
    "MultiStep": Formula(
        multi_step,
        their_multi_step,
        (
            {"lr": 1.0, "milestones": [3, 6], "gamma": 0.5, "begin": 0, "end": 6},
            {"lr": 3e-4, "milestones": [10, 30], "gamma": 0.1, "begin": 7, "end": 90},
        ),
        elsewhere="milestones may repeat there, and count each time",
    ),
    "CosineAnnealing": Formula(
        cosine_annealing,
        their_cosine_annealing,
        (
            {"lr": 1.0, "T_max": 20, "eta_min": 0.1, "begin": 0, "end": 20},
            {"lr": 3e-4, "T_max": 11, "eta_min": 0.0, "begin": 7, "end": 50},
        ),
    ),
    "CosineRestart": Formula(
        cosine_restart,
        their_cosine_restart,
        (
            {
                "lr": 1.0,
                "periods": [4, 6, 10],
                "restart_weights": [1.0, 0.5, 0.7],
                "eta_min": 0.1,
                "begin": 0,
            },
            {
                "lr": 3e-4,
                "periods": [15, 5, 20],
                "restart_weights": [0.5, 1.0, 0.1],
                "eta_min": 0.0,
                "begin": 7,
            },
        ),
    ),
    **{
        f"OneCycle, {curve}{', three phases' * three_phase}": Formula(
            one_cycle,
            their_one_cycle,
            tuple(
                {**case, "anneal_strategy": curve, "three_phase": three_phase}
                for case in (
                    {"lr": 0.1, "eta_max": 1.0, "pct_start": 0.3, "end": 20},
                    {"lr": 1e-5, "eta_max": 3e-4, "pct_start": 0.25, "end": 50},
                )
            ),
        )
        for curve in CURVES
        for three_phase in (False, True)
    },
}

GOLDENS = {
    "Linear .25 begin0 end5": linear(lr=1.0, start_factor=0.25, begin=0, end=5),
    "Poly end8": poly(lr=1.0, end=8, power=1.0),
    "Constant end4": constant(lr=1.0, factor=0.5, end=4),
}
