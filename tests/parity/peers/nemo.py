"""NeMo (3.0.0): `nemo.core.optim.lr_scheduler`.

Its warmup starts one step in, `lr / (warmup_steps + 1)`, and is at the peak at step
`warmup_steps`. After `max_steps` the rate is `min_lr`, which of decays without end is a
jump. With no `hold_steps`, which is not the same as 0, the policies that hold count the
decay from step 0, and so jump after the warmup. A `cycle` of the polynomial ones, if it
arrives at `max_steps`, never comes to a second one.
"""

import math

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "nemo"


def warmup_policy(*, lr, warmup_steps, max_steps, min_lr=0.0):
    return ended(warmed(lr, warmup_steps), max_steps, min_lr)


def square_annealing(*, lr, warmup_steps, max_steps, min_lr=1e-5):
    decay = js.polynomial(lr, 0.0, max_steps - warmup_steps, power=2)
    return warmed(lr, warmup_steps) >> js.maximum(decay, min_lr)


def square_root_annealing(*, lr, warmup_steps, max_steps, min_lr=0.0):
    """The decay counts from step 0, so it jumps after the warmup."""
    decay = js.maximum(js.polynomial(lr, 0.0, max_steps, power=0.5), min_lr)
    return js.switch([warmed(lr, warmup_steps), decay], [warmup_steps + 1])


def cosine_annealing(*, lr, warmup_steps, max_steps, constant_steps=None, min_lr=0.0):
    """With `constant_steps` the warmup is another one, from 0."""
    start, constant = lr / (warmup_steps + 1), 0.0
    if constant_steps is not None:
        start, constant = 0.0, constant_steps
    return js.warmup_cosine(
        lr,
        warmup_steps=warmup_steps,
        total_steps=max_steps - constant,
        start=start,
        end=min_lr,
    )


def noam_annealing(*, lr, d_model, warmup_steps, min_lr=0.0):
    """It starts with step 1, twice, and goes on without end."""
    peak = lr * (d_model * warmup_steps) ** -0.5
    decay = js.maximum(js.inverse_sqrt(peak, timescale=warmup_steps), min_lr)
    noam = js.linear(0.0, peak, warmup_steps) >> decay
    return js.delay(js.shift(noam, 1), 1)


def noam_hold_annealing(
    *, lr, warmup_steps, max_steps, hold_steps=0.0, decay_rate=0.5, min_lr=0.0
):
    decay = js.maximum(
        js.power_law(lr, exponent=decay_rate, timescale=warmup_steps), min_lr
    )
    held = warmed(lr, warmup_steps) >> js.constant(lr, hold_steps) >> decay
    return ended(held, max_steps, min_lr)


def warmup_annealing(*, lr, warmup_steps, max_steps, min_lr=0.0):
    return js.warmup_linear(
        lr,
        warmup_steps=warmup_steps,
        total_steps=max_steps,
        start=lr / (warmup_steps + 1),
        end=min_lr,
    )


def inverse_square_root_annealing(*, lr, warmup_steps, max_steps, min_lr=0.0):
    decay = js.inverse_sqrt(lr, timescale=warmup_steps + 1)
    return ended(warmed(lr, warmup_steps) >> decay, max_steps, min_lr)


def square_root_constant_policy(*, lr, constant_steps, max_steps, min_lr=0.0):
    return js.switch(
        [constant_steps**-0.5, lr, min_lr], [constant_steps + 1, max_steps + 1]
    )


def t5_inverse_square_root_annealing(*, constant_steps, max_steps, min_lr=0.0):
    """It takes no notice of the rate of the optimizer."""
    decay = js.inverse_sqrt(constant_steps**-0.5, timescale=constant_steps)
    return ended(js.delay(decay, constant_steps), max_steps, min_lr)


def polynomial_decay_annealing(*, lr, warmup_steps, max_steps, power=1.0, min_lr=0.0):
    return js.warmup_polynomial(
        lr,
        warmup_steps=warmup_steps,
        total_steps=max_steps,
        power=power,
        start=lr / (warmup_steps + 1),
        end=min_lr,
    )


def polynomial_hold_decay_annealing(
    *, lr, warmup_steps, max_steps, hold_steps=None, power=1.0, min_lr=0.0
):
    """With no `hold_steps` it arrives `warmup_steps` too soon."""
    rest = max_steps - warmup_steps
    if hold_steps is None:
        decay = js.polynomial(lr, min_lr, rest, power=power)
        return js.switch([warmed(lr, warmup_steps), decay], [warmup_steps + 1])
    decay = js.polynomial(lr, min_lr, rest - hold_steps, power=power)
    return warmed(lr, warmup_steps) >> js.constant(lr, hold_steps) >> decay


def warmup_hold_anneal_linear(
    *, lr, warmup_steps, max_steps, hold_steps=None, min_lr=0.0
):
    warmup = warmed(lr, warmup_steps)
    if hold_steps is None:
        return js.switch([warmup, js.linear(lr, min_lr, max_steps)], [warmup_steps + 1])
    decay = js.linear(lr, min_lr, max_steps - warmup_steps - hold_steps)
    return warmup >> js.constant(lr, hold_steps) >> decay


def warmup_hold_anneal_one_minus_square_root(
    *, lr, warmup_steps, max_steps, hold_steps=None, min_lr=0.0
):
    warmup = warmed(lr, warmup_steps)
    if hold_steps is None:
        decay = js.ramp(lr, 0.0, max_steps, curves.Sqrt())
        return js.switch([warmup, js.maximum(decay, min_lr)], [warmup_steps + 1])
    rest = max_steps - warmup_steps - hold_steps
    decay = js.maximum(js.ramp(lr, 0.0, rest, curves.Sqrt()), min_lr)
    return warmup >> js.constant(lr, hold_steps) >> decay


def warmed(lr, warmup_steps):
    return js.linear(lr / (warmup_steps + 1), lr, warmup_steps)


def ended(schedule, max_steps, min_lr):
    return js.switch([schedule, min_lr], [max_steps + 1])


def rate(
    step,
    policy,
    *,
    lr,
    warmup_steps,
    max_steps,
    min_lr=0.0,
    hold_steps=None,
    power=1.0,
    decay_rate=0.5,
):
    """What the peer computes, of all policies that warm up in the same way."""
    if step <= warmup_steps:
        return lr * (step + 1) / (warmup_steps + 1)
    begin = 0 if hold_steps is None else warmup_steps + hold_steps
    if step < begin:
        return lr
    if step > max_steps:
        return min_lr
    left = 1 - (step - warmup_steps) / (max_steps - warmup_steps)
    left_since = 1 - (step - begin) / (max_steps - begin)
    left_too_soon = 1 - (step - begin) / (max_steps - max(warmup_steps, begin))
    return {
        "constant": lr,
        "square": max(min_lr, lr * left**2),
        "square root": max(min_lr, lr * math.sqrt(1 - step / max_steps)),
        "cosine": min_lr + (lr - min_lr) * math.sin(math.pi / 2 * left) ** 2,
        "noam": max(
            min_lr, lr * (warmup_steps / (step - (hold_steps or 0))) ** decay_rate
        ),
        "inverse square root": lr * math.sqrt((warmup_steps + 1) / (step + 1)),
        "polynomial": min_lr + (lr - min_lr) * left**power,
        "held polynomial": min_lr + (lr - min_lr) * max(0, left_too_soon) ** power,
        "held linear": min_lr + (lr - min_lr) * left_since,
        "held square root": max(min_lr, lr * (1 - math.sqrt(1 - left_since))),
    }[policy]


def of(policy):
    return lambda step, **case: rate(step, policy, **case)


def cosine_then_constant(
    step, *, lr, warmup_steps, max_steps, constant_steps, min_lr=0.0
):
    if step <= warmup_steps:
        return lr * step / warmup_steps
    passed = (step - warmup_steps) / (max_steps - constant_steps - warmup_steps)
    return min_lr + (lr - min_lr) * (1 + math.cos(math.pi * min(1.0, passed))) / 2


def noam_rate(step, *, lr, d_model, warmup_steps, min_lr=0.0):
    number = max(1, step)
    value = lr / math.sqrt(d_model) * min(number**-0.5, number * warmup_steps**-1.5)
    return max(value, min_lr) if number > warmup_steps else value


def constant_first(step, lr, *, constant_steps, max_steps, min_lr=0.0):
    if step <= constant_steps:
        return 1 / math.sqrt(constant_steps)
    return min_lr if step > max_steps else lr


def each(cases, *added):
    return tuple({**case, **more} for case, more in zip(cases, added, strict=True))


BASE = (
    {"lr": 1.0, "warmup_steps": 4, "max_steps": 24, "min_lr": 0.1},
    {"lr": 3e-4, "warmup_steps": 7, "max_steps": 50, "min_lr": 0.0},
)
HELD = each(BASE, {"hold_steps": 5}, {"hold_steps": 20})
POWERS = ({"power": 2.0}, {"power": 0.5})
CONSTANT = (
    {"constant_steps": 4, "max_steps": 24, "min_lr": 0.0},
    {"constant_steps": 9, "max_steps": 50, "min_lr": 1e-5},
)

FORMULAS = {
    "WarmupPolicy": Formula(warmup_policy, of("constant"), BASE),
    "SquareAnnealing": Formula(square_annealing, of("square"), BASE),
    "SquareRootAnnealing": Formula(square_root_annealing, of("square root"), BASE),
    "CosineAnnealing": Formula(cosine_annealing, of("cosine"), BASE),
    "CosineAnnealing, constant": Formula(
        cosine_annealing,
        cosine_then_constant,
        each(BASE, {"constant_steps": 6}, {"constant_steps": 12}),
    ),
    "NoamAnnealing": Formula(
        noam_annealing,
        noam_rate,
        (
            {"lr": 1.0, "d_model": 4, "warmup_steps": 4, "min_lr": 0.1},
            {"lr": 0.5, "d_model": 512, "warmup_steps": 7, "min_lr": 0.0},
        ),
    ),
    "NoamHoldAnnealing": Formula(
        noam_hold_annealing,
        of("noam"),
        each(HELD, {"decay_rate": 0.5}, {"decay_rate": 1.0}),
    ),
    "NoamHoldAnnealing, no hold": Formula(noam_hold_annealing, of("noam"), BASE),
    "WarmupAnnealing": Formula(warmup_annealing, of("polynomial"), BASE),
    "InverseSquareRootAnnealing": Formula(
        inverse_square_root_annealing, of("inverse square root"), BASE
    ),
    "SquareRootConstantPolicy": Formula(
        square_root_constant_policy,
        constant_first,
        each(CONSTANT, {"lr": 1.0}, {"lr": 3e-4}),
    ),
    "T5InverseSquareRootAnnealing": Formula(
        t5_inverse_square_root_annealing,
        lambda step, **case: constant_first(step, max(1, step) ** -0.5, **case),
        CONSTANT,
    ),
    "PolynomialDecayAnnealing": Formula(
        polynomial_decay_annealing, of("polynomial"), each(BASE, *POWERS)
    ),
    **{
        f"{name}, {hold}": Formula(ours, of(policy), cases)
        for hold, held in (("hold", HELD), ("no hold", BASE))
        for name, ours, policy, cases in (
            (
                "PolynomialHoldDecayAnnealing",
                polynomial_hold_decay_annealing,
                "held polynomial",
                each(held, *POWERS),
            ),
            (
                "WarmupHoldAnnealLinear",
                warmup_hold_anneal_linear,
                "held linear",
                held,
            ),
            (
                "WarmupHoldAnnealOneMinusSquareRoot",
                warmup_hold_anneal_one_minus_square_root,
                "held square root",
                held,
            ),
        )
    },
}

SETTING = {"lr": 1.0, "warmup_steps": 4, "max_steps": 12}

GOLDENS = {
    "SquareAnnealing(warmup_steps=4, max_steps=12)": square_annealing(**SETTING),
    "SquareRootAnnealing(warmup_steps=4, max_steps=12)": (
        square_root_annealing(**SETTING)
    ),
    "CosineAnnealing(warmup_steps=4, max_steps=12, min_lr=0.1)": (
        cosine_annealing(**SETTING, min_lr=0.1)
    ),
    "NoamHoldAnnealing(warmup_steps=4, hold_steps=2, max_steps=12)": (
        noam_hold_annealing(**SETTING, hold_steps=2)
    ),
    "InverseSquareRootAnnealing(warmup_steps=4, max_steps=12)": (
        inverse_square_root_annealing(**SETTING)
    ),
    "T5InverseSquareRootAnnealing(constant_steps=4, max_steps=12)": (
        t5_inverse_square_root_annealing(constant_steps=4, max_steps=12)
    ),
    "PolynomialDecayAnnealing(warmup_steps=4, max_steps=12, power=2.0)": (
        polynomial_decay_annealing(**SETTING, power=2.0)
    ),
    "WarmupHoldAnnealLinear(warmup_steps=4, hold_steps=2, max_steps=12)": (
        warmup_hold_anneal_linear(**SETTING, hold_steps=2)
    ),
    "WarmupHoldAnnealLinear(warmup_steps=4, max_steps=12)": (
        warmup_hold_anneal_linear(**SETTING)
    ),
}
