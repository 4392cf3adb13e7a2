"""OLMo-core (3.0.0): `olmo_core.optim.scheduler`.

A fraction is rounded to steps where a length is not given. Where one scheduler, or one
period of WSDS, follows another, the step between them still belongs to what ends there.
Decays that count from `t_max` backwards go on below their end, if training does too;
the others hold it.
"""

import itertools
import math

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "ai2-olmo-core"

SHAPES = {"linear": curves.Linear(), "cosine": curves.Cosine()}


def constant_with_warmup(*, initial_lr, warmup, warmup_min_lr=0.0):
    return js.warmup_constant(initial_lr, warmup_steps=warmup, start=warmup_min_lr)


def wsd(*, initial_lr, t_max, warmup, decay, warmup_min_lr=0.0, decay_min_lr=0.0):
    return js.wsd(
        initial_lr,
        warmup_steps=warmup,
        decay_steps=decay,
        total_steps=t_max,
        start=warmup_min_lr,
        end=decay_min_lr,
        curve=curves.Linear(),
    )


def power_lr(
    *, initial_lr, t_max, warmup, decay, b=-0.51, warmup_min_lr=0.0, decay_min_lr=0.0
):
    law = js.power_law(initial_lr, exponent=-b, timescale=warmup)
    warmed = js.linear(warmup_min_lr, initial_lr, warmup) >> law
    return js.cooldown(warmed, at=t_max - decay, steps=decay, end=decay_min_lr)


def linear_with_warmup(*, initial_lr, t_max, warmup, alpha_f=0.1, warmup_min_lr=0.0):
    return js.warmup_linear(
        initial_lr,
        warmup_steps=warmup,
        total_steps=t_max,
        start=warmup_min_lr,
        end=initial_lr * alpha_f,
    )


def inv_sqrt_with_warmup(*, initial_lr, warmup, alpha_f=0.1, warmup_min_lr=0.0):
    factor = js.inverse_sqrt(1.0, timescale=warmup)
    return js.linear(warmup_min_lr, initial_lr, warmup) >> js.rescale(
        factor, initial_lr * alpha_f, initial_lr
    )


def cos_with_warmup(*, initial_lr, t_max, warmup, alpha_f=0.1, warmup_min_lr=0.0):
    return js.warmup_cosine(
        initial_lr,
        warmup_steps=warmup,
        total_steps=t_max,
        start=warmup_min_lr,
        end=initial_lr * alpha_f,
    )


def half_cos_with_warmup(*, initial_lr, t_max, warmup, alpha_f=0.1, warmup_min_lr=0.0):
    end, decay = initial_lr * alpha_f, t_max - warmup
    second_half = js.shift(js.cosine(initial_lr, end, 2 * decay), decay)
    return js.linear(warmup_min_lr, (initial_lr + end) / 2, warmup) >> second_half


def cos_with_warmup_and_linear_decay(*, t_max, decay, decay_min_lr=0.0, **cosine):
    schedule = cos_with_warmup(t_max=t_max, **cosine)
    return js.cooldown(schedule, at=t_max - decay, steps=decay, end=decay_min_lr)


def composable(*, initial_lr, durations, shapes, start_lr_fraction, end_lr_fractions):
    fractions = [start_lr_fraction, *end_lr_fractions]
    rates = [initial_lr * fraction for fraction in fractions]
    return js.chain(
        *(
            js.ramp(start, end, duration, SHAPES[shape])
            for start, end, duration, shape in zip(
                rates[:-1], rates[1:], durations, shapes, strict=True
            )
        )
    )


def override_decay(
    schedule, *, initial_lr, start, duration, shape="linear", end_lr_fraction=0.0
):
    return js.cooldown(
        schedule, start, duration, initial_lr * end_lr_fraction, SHAPES[shape]
    )


def sequential(*, schedulers, schedulers_max, initial_lr, t_max):
    """Each scheduler starts from the last rate of the one before it."""
    *_, used = itertools.accumulate(schedulers_max)
    parts = []
    for scheduler, steps in zip(
        schedulers, [*schedulers_max, t_max - used], strict=True
    ):
        parts.append(scheduler(initial_lr=initial_lr, t_max=steps))
        initial_lr = parts[-1](steps)
    return in_turn(parts, schedulers_max)


def wsds(
    *,
    initial_lr,
    period_lengths,
    period_lr_multipliers,
    warmup,
    decay,
    warmup_min_lr=0.0,
    decay_min_lr=0.0,
):
    periods = [
        wsd(
            initial_lr=initial_lr * multiplier,
            t_max=length,
            warmup=0.0 if period else warmup,
            decay=decay,
            warmup_min_lr=warmup_min_lr,
            decay_min_lr=decay_min_lr,
        )
        for period, (length, multiplier) in enumerate(
            zip(period_lengths, period_lr_multipliers, strict=True)
        )
    ]
    return in_turn(periods, period_lengths[:-1])


def exponential(*, initial_lr, t_max, lr_min=1e-9):
    return js.exponential(lr_min, initial_lr, t_max)


def in_turn(schedules, lengths):
    begins = [0.0, *itertools.accumulate(lengths)]
    parts = [js.delay(*part) for part in zip(schedules, begins, strict=True)]
    return js.switch(parts, [begin + 1 for begin in begins[1:]])


def rate(
    step,
    name,
    *,
    initial_lr,
    warmup,
    t_max=math.inf,
    warmup_min_lr=0.0,
    alpha_f=0.1,
    decay=None,
    decay_min_lr=0.0,
    b=-0.51,
):
    """What the peer computes, scheduler by scheduler."""
    end = alpha_f * initial_lr
    if step < warmup:
        peak = (initial_lr + end) / 2 if name == "half_cos" else initial_lr
        return warmup_min_lr + (peak - warmup_min_lr) * step / warmup
    if decay is not None and step >= t_max - decay:
        case = {"initial_lr": initial_lr, "warmup": warmup, "t_max": t_max}
        top = rate(t_max - decay, name, **case, alpha_f=alpha_f, b=b)
        return decay_min_lr + (top - decay_min_lr) * (t_max - step) / decay
    left = max(0.0, 1 - (step - warmup) / (t_max - warmup))
    if name == "power_lr":
        return initial_lr * (step / warmup) ** b
    weight = {
        "constant": 1.0,
        "linear": left,
        "inv_sqrt": math.sqrt(warmup / step) if step else 1.0,
        "cos": (1 - math.cos(math.pi * left)) / 2,
        "half_cos": (1 - math.cos(math.pi / 2 * left)) / 2,
    }[name]
    return end + (initial_lr - end) * weight


def composable_rate(
    step, *, initial_lr, durations, shapes, start_lr_fraction, end_lr_fractions
):
    start = start_lr_fraction * initial_lr
    for duration, shape, fraction in zip(
        durations, shapes, end_lr_fractions, strict=True
    ):
        end = fraction * initial_lr
        if step < duration:
            passed = step / duration
            if shape == "cosine":
                passed = (1 - math.cos(math.pi * passed)) / 2
            return start + (end - start) * passed
        step, start = step - duration, end
    return start


def overridden(
    *, start, duration, end_lr_fraction, override_shape, initial_lr, **stages
):
    return override_decay(
        composable(initial_lr=initial_lr, **stages),
        initial_lr=initial_lr,
        start=start,
        duration=duration,
        shape=override_shape,
        end_lr_fraction=end_lr_fraction,
    )


def overridden_rate(
    step, *, start, duration, end_lr_fraction, override_shape, **stages
):
    top = composable_rate(min(step, start), **stages)
    if step <= start:
        return top
    passed = min(1.0, (step - start) / duration)
    if override_shape == "cosine":
        passed = (1 - math.cos(math.pi * passed)) / 2
    return top + (end_lr_fraction * stages["initial_lr"] - top) * passed


def power_then_cosine(*, warmup, decay, rewarmup, **given):
    def power(**horizon):
        return power_lr(warmup=warmup, decay=decay, decay_min_lr=1e-4, **horizon)

    def cosine(**horizon):
        return cos_with_warmup(warmup=rewarmup, **horizon)

    return sequential(schedulers=[power, cosine], **given)


def power_then_cosine_rate(
    step, *, warmup, decay, rewarmup, schedulers_max, initial_lr, t_max
):
    (length,) = schedulers_max
    first = {"initial_lr": initial_lr, "t_max": length, "warmup": warmup}
    first |= {"decay": decay, "decay_min_lr": 1e-4}
    if step <= length:
        return rate(step, "power_lr", **first)
    start = rate(length, "power_lr", **first)
    return rate(
        step - length, "cos", initial_lr=start, t_max=t_max - length, warmup=rewarmup
    )


def wsds_rate(
    step,
    *,
    initial_lr,
    period_lengths,
    period_lr_multipliers,
    warmup,
    decay,
    decay_min_lr=0.0,
):
    for length, multiplier in zip(period_lengths, period_lr_multipliers, strict=True):
        peak = initial_lr * multiplier
        if step < warmup:
            return peak * step / warmup
        if step <= length:
            left = min(1.0, (length - step) / decay)
            return decay_min_lr + (peak - decay_min_lr) * left
        step, warmup = step - length, 0
    return decay_min_lr


def of(name):
    return lambda step, **case: rate(step, name, **case)


def each(cases, *added):
    return tuple({**case, **more} for case, more in zip(cases, added, strict=True))


PEAKS = (
    {"initial_lr": 1.0, "warmup": 4, "warmup_min_lr": 0.0},
    {"initial_lr": 3e-4, "warmup": 7, "warmup_min_lr": 1e-5},
)
FLOORS = each(PEAKS, {"alpha_f": 0.1}, {"alpha_f": 0.0})
HORIZONS = each(FLOORS, {"t_max": 24}, {"t_max": 50})
TAILS = each(
    PEAKS,
    {"t_max": 40, "decay": 8, "decay_min_lr": 0.0},
    {"t_max": 40, "decay": 20, "decay_min_lr": 1e-5},
)
UNTIL_T_MAX = {"steps": range(41), "elsewhere": "it goes on below `decay_min_lr`"}
STAGES = (
    {
        "initial_lr": 1.0,
        "durations": [4, 10, 10],
        "shapes": ("linear", "cosine", "linear"),
        "start_lr_fraction": 0.0,
        "end_lr_fractions": [1.0, 0.3, 0.1],
    },
    {
        "initial_lr": 3e-4,
        "durations": [7, 20, 23],
        "shapes": ("linear", "cosine", "linear"),
        "start_lr_fraction": 0.1,
        "end_lr_fractions": [1.0, 0.5, 0.0],
    },
)

FORMULAS = {
    "ConstantWithWarmup": Formula(constant_with_warmup, of("constant"), PEAKS),
    "WSD": Formula(wsd, of("constant"), TAILS, **UNTIL_T_MAX),
    "PowerLR": Formula(
        power_lr, of("power_lr"), each(TAILS, {"b": -0.51}, {"b": -1.0}), **UNTIL_T_MAX
    ),
    "LinearWithWarmup": Formula(linear_with_warmup, of("linear"), HORIZONS),
    "InvSqrtWithWarmup": Formula(inv_sqrt_with_warmup, of("inv_sqrt"), FLOORS),
    "CosWithWarmup": Formula(cos_with_warmup, of("cos"), HORIZONS),
    "HalfCosWithWarmup": Formula(half_cos_with_warmup, of("half_cos"), HORIZONS),
    "CosWithWarmupAndLinearDecay": Formula(
        cos_with_warmup_and_linear_decay,
        of("cos"),
        each(TAILS, {"alpha_f": 0.1}, {"alpha_f": 0.2}),
        **UNTIL_T_MAX,
    ),
    "ComposableScheduler": Formula(composable, composable_rate, STAGES),
    "ComposableScheduler, override_decay": Formula(
        overridden,
        overridden_rate,
        each(
            STAGES,
            {
                "start": 10,
                "duration": 6,
                "end_lr_fraction": 0.0,
                "override_shape": "cosine",
            },
            {
                "start": 30,
                "duration": 12,
                "end_lr_fraction": 0.05,
                "override_shape": "cosine",
            },
        ),
    ),
    "SequentialScheduler": Formula(
        power_then_cosine,
        power_then_cosine_rate,
        (
            {
                "initial_lr": 1.0,
                "t_max": 40,
                "warmup": 4,
                "decay": 6,
                "rewarmup": 3,
                "schedulers_max": [20],
            },
            {
                "initial_lr": 0.3,
                "t_max": 40,
                "warmup": 7,
                "decay": 3,
                "rewarmup": 5,
                "schedulers_max": [15],
            },
        ),
        steps=range(41),
        elsewhere="it is an error",
    ),
    "WSDS": Formula(
        wsds,
        wsds_rate,
        (
            {
                "initial_lr": 1.0,
                "period_lengths": [12, 8, 20],
                "period_lr_multipliers": [1.0, 0.8, 0.5],
                "warmup": 4,
                "decay": 3,
                "decay_min_lr": 0.0,
            },
            {
                "initial_lr": 3e-4,
                "period_lengths": [20, 10, 16],
                "period_lr_multipliers": [1.0, 1.0, 2.0],
                "warmup": 7,
                "decay": 6,
                "decay_min_lr": 1e-5,
            },
        ),
    ),
    "ExponentialScheduler": Formula(
        exponential,
        lambda step, *, initial_lr, t_max, lr_min: (
            lr_min * (initial_lr / lr_min) ** min(1.0, step / t_max)
        ),
        (
            {"initial_lr": 1.0, "t_max": 24, "lr_min": 1e-9},
            {"initial_lr": 3e-4, "t_max": 50, "lr_min": 1e-6},
        ),
    ),
}

GOLDENS = {
    "Cos w2": cos_with_warmup(initial_lr=1.0, t_max=10, warmup=2),
    "Cos+lin": cos_with_warmup_and_linear_decay(
        initial_lr=1.0, t_max=10, warmup=2, decay=4
    ),
    "WSDS [8,6] w2 d2": wsds(
        initial_lr=1.0,
        period_lengths=[8, 6],
        period_lr_multipliers=[1.0, 1.0],
        warmup=2,
        decay=2,
    ),
    "Exponential": exponential(initial_lr=1.0, t_max=10),
    "Seq": sequential(
        schedulers=[
            lambda initial_lr, t_max: constant_with_warmup(
                initial_lr=initial_lr, warmup=2
            ),
            lambda initial_lr, t_max: linear_with_warmup(
                initial_lr=initial_lr, t_max=t_max, warmup=0, alpha_f=0.0
            ),
        ],
        schedulers_max=[4],
        initial_lr=1.0,
        t_max=10,
    ),
}
