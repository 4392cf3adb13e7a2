"""Paddle 3.3.1: `paddle.optimizer.lr`.

A step is `last_epoch`. `one_cycle` ends one step early, and its last rate is absolute;
`cosine_annealing` goes up again after its horizon, and `linear_warmup` jumps to the
first rate of what follows if that is another.
"""

import math

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "paddle"

CURVES = {"cos": curves.Cosine(), "linear": curves.Linear()}
CYCLES = 16
"""How many cycles of `polynomial_decay` are written down: there it has no end."""


def noam_decay(*, d_model, warmup_steps, learning_rate=1.0):
    return js.noam(d_model=d_model, warmup_steps=warmup_steps, scale=learning_rate)


def piecewise_decay(*, boundaries, values):
    return js.piecewise_constant(boundaries, values)


def natural_exp_decay(*, learning_rate, gamma):
    return js.natural_exponential(learning_rate, rate=gamma)


def inverse_time_decay(*, learning_rate, gamma):
    return js.inverse_time(learning_rate, rate=gamma, steps=1)


def exponential_decay(*, learning_rate, gamma):
    return js.exponential_decay(learning_rate, factor=gamma, steps=1)


def step_decay(*, learning_rate, step_size, gamma=0.1):
    return js.step_decay(learning_rate, factor=gamma, every=step_size)


def multi_step_decay(*, learning_rate, milestones, gamma=0.1):
    return js.multi_step(learning_rate, boundaries=milestones, factor=gamma)


def polynomial_decay(
    *, learning_rate, decay_steps, end_lr=1e-4, power=1.0, cycle=False
):
    if not cycle:
        return js.polynomial(learning_rate, end_lr, decay_steps, power=power)
    ends = [decay_steps * count for count in range(1, CYCLES + 1)]
    decays = [js.polynomial(learning_rate, end_lr, end, power=power) for end in ends]
    return js.switch(decays, [end + 1 for end in ends[:-1]])


def linear_warmup(*, learning_rate, warmup_steps, start_lr, end_lr):
    """The rate that follows may be a number or a schedule."""
    return js.linear(start_lr, end_lr, warmup_steps) >> learning_rate


def linear_lr(*, learning_rate, total_steps, start_factor=1 / 3, end_factor=1.0):
    start, end = learning_rate * start_factor, learning_rate * end_factor
    return js.linear(start, end, total_steps)


def cosine_annealing_decay(*, learning_rate, T_max, eta_min=0.0):
    return js.cosine_annealing(
        learning_rate, total_steps=T_max, end=eta_min, periodic=True
    )


def cosine_annealing_warm_restarts(*, learning_rate, T_0, T_mult=1.0, eta_min=0.0):
    return js.sgdr(learning_rate, period=T_0, period_multiplier=T_mult, end=eta_min)


def one_cycle_lr(
    *,
    max_learning_rate,
    total_steps,
    divide_factor=25.0,
    end_learning_rate=1e-4,
    phase_pct=0.3,
    anneal_strategy="cos",
    three_phase=False,
):
    curve, low = CURVES[anneal_strategy], max_learning_rate / divide_factor
    up, last = phase_pct * total_steps - 1, total_steps - 1
    rise = js.ramp(low, max_learning_rate, up, curve)
    if not three_phase:
        return rise >> js.ramp(max_learning_rate, end_learning_rate, last - up, curve)
    fall = js.ramp(max_learning_rate, low, up, curve)
    return rise >> fall >> js.ramp(low, end_learning_rate, last - 2 * up, curve)


def cyclic_lr(
    *,
    base_learning_rate,
    max_learning_rate,
    step_size_up,
    step_size_down=None,
    mode="triangular",
    exp_gamma=1.0,
):
    rates = base_learning_rate, max_learning_rate
    steps = {"up_steps": step_size_up, "down_steps": step_size_down}
    if mode == "exp_range":
        return js.exp_range(*rates, **steps, gamma=exp_gamma)
    return {"triangular": js.triangular, "triangular2": js.triangular2}[mode](
        *rates, **steps
    )


def warmed_polynomial_decay(*, warmup_steps, start_lr, warmup_lr, **case):
    return linear_warmup(
        learning_rate=polynomial_decay(**case),
        warmup_steps=warmup_steps,
        start_lr=start_lr,
        end_lr=warmup_lr,
    )


def their_noam_decay(step, *, d_model, warmup_steps, learning_rate):
    factor = min(step**-0.5 if step else 1.0, step * warmup_steps**-1.5)
    return learning_rate * factor / math.sqrt(d_model)


def their_piecewise_decay(step, *, boundaries, values):
    return values[sum(step >= boundary for boundary in boundaries)]


def their_natural_exp_decay(step, *, learning_rate, gamma):
    return learning_rate * math.exp(-gamma * step)


def their_inverse_time_decay(step, *, learning_rate, gamma):
    return learning_rate / (1 + gamma * step)


def their_exponential_decay(step, *, learning_rate, gamma):
    return learning_rate * gamma**step


def their_step_decay(step, *, learning_rate, step_size, gamma):
    return learning_rate * gamma ** (step // step_size)


def their_multi_step_decay(step, *, learning_rate, milestones, gamma):
    return learning_rate * gamma ** sum(step >= milestone for milestone in milestones)


def their_polynomial_decay(
    step, *, learning_rate, decay_steps, end_lr, power, cycle=False
):
    if cycle:
        decay_steps *= max(1, math.ceil(step / decay_steps))
    left = 1 - min(step, decay_steps) / decay_steps
    return end_lr + (learning_rate - end_lr) * left**power


def their_warmed_polynomial_decay(step, *, warmup_steps, start_lr, warmup_lr, **case):
    if step < warmup_steps:
        return start_lr + (warmup_lr - start_lr) * step / warmup_steps
    return their_polynomial_decay(step - warmup_steps, **case)


def their_linear_lr(step, *, learning_rate, total_steps, start_factor, end_factor):
    passed = min(1.0, step / total_steps)
    return learning_rate * (start_factor + (end_factor - start_factor) * passed)


def wave(start, end, passed):
    return end + (start - end) * (1 + math.cos(math.pi * passed)) / 2


def their_cosine_annealing_decay(step, *, learning_rate, T_max, eta_min):
    return wave(learning_rate, eta_min, step / T_max)


def their_cosine_annealing_warm_restarts(step, *, learning_rate, T_0, T_mult, eta_min):
    while step >= T_0:
        step, T_0 = step - T_0, T_0 * T_mult
    return wave(learning_rate, eta_min, step / T_0)


def their_one_cycle_lr(
    step,
    *,
    max_learning_rate,
    total_steps,
    divide_factor,
    end_learning_rate,
    phase_pct,
    anneal_strategy,
    three_phase,
):
    low, up = max_learning_rate / divide_factor, phase_pct * total_steps - 1
    points = [(0.0, low), (up, max_learning_rate)]
    points += [(2 * up, low)] * three_phase
    points += [(total_steps - 1, end_learning_rate)]
    after = next(i for i, (end, _) in enumerate(points) if i and step <= end)
    (begin, start), (end, goal) = points[after - 1], points[after]
    passed = (step - begin) / (end - begin)
    if anneal_strategy == "cos":
        return wave(start, goal, passed)
    return start + (goal - start) * passed


def their_cyclic_lr(
    step,
    *,
    base_learning_rate,
    max_learning_rate,
    step_size_up,
    step_size_down=None,
    mode,
    exp_gamma=1.0,
):
    step_size_down = step_size_down or step_size_up
    cycle, since = divmod(step, step_size_up + step_size_down)
    left = step_size_up + step_size_down - since
    height = min(since / step_size_up, left / step_size_down)
    factor = {"triangular": 1, "triangular2": 0.5**cycle, "exp_range": exp_gamma**step}
    return (
        base_learning_rate
        + (max_learning_rate - base_learning_rate) * height * factor[mode]
    )


POLYNOMIALS = (
    {"learning_rate": 1.0, "decay_steps": 4, "end_lr": 0.1, "power": 2.0},
    {"learning_rate": 3e-4, "decay_steps": 17, "end_lr": 1e-5, "power": 0.9},
)

FORMULAS = {
    "NoamDecay": Formula(
        noam_decay,
        their_noam_decay,
        (
            {"d_model": 1, "warmup_steps": 4, "learning_rate": 1.0},
            {"d_model": 512, "warmup_steps": 17, "learning_rate": 2.0},
        ),
    ),
    "PiecewiseDecay": Formula(
        piecewise_decay,
        their_piecewise_decay,
        (
            {"boundaries": [3, 6], "values": [1.0, 0.5, 0.1]},
            {"boundaries": [10, 40], "values": [3e-4, 1e-4, 2e-4]},
        ),
    ),
    "NaturalExpDecay": Formula(
        natural_exp_decay,
        their_natural_exp_decay,
        (
            {"learning_rate": 1.0, "gamma": 0.5},
            {"learning_rate": 3e-4, "gamma": 0.03125},
        ),
    ),
    "InverseTimeDecay": Formula(
        inverse_time_decay,
        their_inverse_time_decay,
        ({"learning_rate": 1.0, "gamma": 0.5}, {"learning_rate": 3e-4, "gamma": 0.03}),
    ),
    "ExponentialDecay": Formula(
        exponential_decay,
        their_exponential_decay,
        (
            {"learning_rate": 1.0, "gamma": 0.5},
            {"learning_rate": 3e-4, "gamma": 0.96875},
        ),
    ),
    "StepDecay": Formula(
        step_decay,
        their_step_decay,
        (
            {"learning_rate": 1.0, "step_size": 3, "gamma": 0.5},
            {"learning_rate": 3e-4, "step_size": 10, "gamma": 0.1},
        ),
    ),
    "MultiStepDecay": Formula(
        multi_step_decay,
        their_multi_step_decay,
        (
            {"learning_rate": 1.0, "milestones": [3, 6], "gamma": 0.5},
            {"learning_rate": 3e-4, "milestones": [10, 40], "gamma": 0.1},
        ),
    ),
    "PolynomialDecay": Formula(polynomial_decay, their_polynomial_decay, POLYNOMIALS),
    "PolynomialDecay, cycle": Formula(
        polynomial_decay,
        their_polynomial_decay,
        tuple({**case, "cycle": True} for case in POLYNOMIALS),
    ),
    "LinearWarmup": Formula(
        warmed_polynomial_decay,
        their_warmed_polynomial_decay,
        (
            {**POLYNOMIALS[0], "warmup_steps": 4, "start_lr": 0.0, "warmup_lr": 1.0},
            {**POLYNOMIALS[1], "warmup_steps": 9, "start_lr": 1e-5, "warmup_lr": 1e-4},
        ),
    ),
    "LinearLR": Formula(
        linear_lr,
        their_linear_lr,
        (
            {
                "learning_rate": 1.0,
                "total_steps": 5,
                "start_factor": 0.25,
                "end_factor": 1.0,
            },
            {
                "learning_rate": 3e-4,
                "total_steps": 40,
                "start_factor": 1.0,
                "end_factor": 0.1,
            },
        ),
    ),
    "CosineAnnealingDecay": Formula(
        cosine_annealing_decay,
        their_cosine_annealing_decay,
        (
            {"learning_rate": 1.0, "T_max": 8, "eta_min": 0.1},
            {"learning_rate": 3e-4, "T_max": 25, "eta_min": 0.0},
        ),
    ),
    "CosineAnnealingWarmRestarts": Formula(
        cosine_annealing_warm_restarts,
        their_cosine_annealing_warm_restarts,
        (
            {"learning_rate": 1.0, "T_0": 4, "T_mult": 2, "eta_min": 0.1},
            {"learning_rate": 3e-4, "T_0": 9, "T_mult": 1, "eta_min": 0.0},
        ),
    ),
    **{
        f"OneCycleLR, {curve}{', three phases' * three_phase}": Formula(
            one_cycle_lr,
            their_one_cycle_lr,
            tuple(
                {**case, "anneal_strategy": curve, "three_phase": three_phase}
                for case in (
                    {
                        "max_learning_rate": 1.0,
                        "total_steps": 20,
                        "divide_factor": 25.0,
                        "end_learning_rate": 1e-4,
                        "phase_pct": 0.3,
                    },
                    {
                        "max_learning_rate": 3e-4,
                        "total_steps": 31,
                        "divide_factor": 10.0,
                        "end_learning_rate": 1e-5,
                        "phase_pct": 0.25,
                    },
                )
            ),
            range(20),
            "one step after the last it goes on past its end, and then it raises",
        )
        for curve in CURVES
        for three_phase in (False, True)
    },
    **{
        f"CyclicLR, {mode}": Formula(
            cyclic_lr,
            their_cyclic_lr,
            tuple(
                {**case, **gamma, "mode": mode}
                for case in (
                    {
                        "base_learning_rate": 0.1,
                        "max_learning_rate": 1.0,
                        "step_size_up": 2,
                        "step_size_down": 3,
                    },
                    {
                        "base_learning_rate": 1e-5,
                        "max_learning_rate": 3e-4,
                        "step_size_up": 13,
                        "step_size_down": 8,
                    },
                )
            ),
        )
        for mode, gamma in (
            ("triangular", {}),
            ("triangular2", {}),
            ("exp_range", {"exp_gamma": 0.9}),
        )
    },
}

GOLDENS = {
    "Noam d=1 w=4": noam_decay(d_model=1, warmup_steps=4),
    "LinearWarmup(Poly(1,4),4,0,1)": linear_warmup(
        learning_rate=polynomial_decay(learning_rate=1.0, decay_steps=4, end_lr=0.1),
        warmup_steps=4,
        start_lr=0.0,
        end_lr=1.0,
    ),
    "NaturalExp .5": natural_exp_decay(learning_rate=1.0, gamma=0.5),
}
