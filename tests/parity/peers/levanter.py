"""Levanter (repository, 2025-09): `OptimizerConfig.lr_scheduler`.

A phase is given in steps, or as a fraction of its cycle, which any number up to 1 is:
1 is all of it. What follows the last cycle is its decay, continued.

Each decay counts from its own begin, with oddities: "inv" has twice its second value,
"inv_sqrt" is flat until its count and the warmup together exceed the timescale, and
"power" counts the tokens since then only.
"""

import itertools
import math

import jax.numpy as jnp

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "levanter"


def lr_scheduler(
    *,
    lr_schedule,
    num_train_steps,
    learning_rate,
    min_lr_ratio=0.1,
    warmup=0.01,
    decay=None,
    start=0.0,
    **options,
):
    warmup_steps = in_steps(warmup, num_train_steps)
    rest = num_train_steps - warmup_steps
    decay_steps = rest
    if decay is not None:
        decay_steps = jnp.minimum(in_steps(decay, num_train_steps), rest)
    decaying = DECAYS[lr_schedule](
        learning_rate,
        learning_rate * min_lr_ratio,
        warmup_steps=warmup_steps,
        decay_steps=decay_steps,
        **options,
    )
    return (
        js.linear(start, learning_rate, warmup_steps)
        >> js.constant(learning_rate, rest - decay_steps)
        >> decaying
    )


def cycles(*, cycle_length, warmup=0.01, rewarmup=0.0, **config):
    """Each cycle warms up from where the one before it ended."""
    begins = [0.0, *itertools.accumulate(cycle_length)]
    parts, start = [], 0.0
    for begin, steps in zip(begins, cycle_length, strict=False):
        cycle = lr_scheduler(
            num_train_steps=steps,
            warmup=rewarmup if parts else warmup,
            start=start,
            **config,
        )
        parts.append(js.delay(cycle, begin))
        start = cycle(steps)
    return js.switch(parts, begins[1:-1])


def in_steps(fraction_or_steps, whole):
    fraction = jnp.floor(fraction_or_steps * whole)
    return jnp.where(fraction_or_steps <= 1, fraction, fraction_or_steps)


def constant(lr, min_lr, **_):
    return js.constant(lr)


def cosine(lr, min_lr, *, decay_steps, exponent=1.0, **_):
    return js.ramp(lr, min_lr, decay_steps, curves.Power(exponent, curves.Cosine()))


def linear(lr, min_lr, *, decay_steps, **_):
    return js.linear(lr, min_lr, decay_steps)


def polynomial(lr, min_lr, *, decay_steps, power=2.0, **_):
    return js.polynomial(lr, min_lr, decay_steps, power=power)


def inv(lr, min_lr, *, decay_steps, **_):
    decay = js.ramp(lr, min_lr, decay_steps, curves.Reciprocal(min_lr / lr))
    return js.delay(js.shift(decay, 1), 1)


def inv_sqrt(lr, min_lr, *, warmup_steps, timescale=10_000, **_):
    flat = js.constant(lr, jnp.maximum(timescale - warmup_steps, 0.0))
    passed = jnp.maximum(warmup_steps - timescale, 0.0)
    return js.maximum(flat >> js.shift(js.inverse_sqrt(lr, timescale), passed), min_lr)


def inv_sqrt_decay(lr, min_lr, *, decay_steps, decay_constant=28.6, **_):
    return js.maximum(js.inverse_sqrt(lr, decay_steps / decay_constant), min_lr)


def power(lr, min_lr, *, batch_size, seq_length, a=4.6, b=-0.51, **_):
    first = batch_size * a * (batch_size * seq_length) ** b
    return js.minimum(js.delay(js.power_law(first, exponent=-b, timescale=1.0), 1), lr)


DECAYS = {
    "constant": constant,
    "cosine": cosine,
    "linear": linear,
    "polynomial": polynomial,
    "inv": inv,
    "inv_sqrt": inv_sqrt,
    "inv_sqrt_decay": inv_sqrt_decay,
    "power": power,
}


def rate(
    step,
    *,
    lr_schedule,
    num_train_steps,
    learning_rate,
    min_lr_ratio=0.1,
    warmup=0.01,
    decay=None,
    start=0.0,
    **options,
):
    """What the peer computes, in one cycle."""
    warmup = plain_steps(warmup, num_train_steps)
    decay_steps = rest = num_train_steps - warmup
    if decay is not None:
        decay_steps = min(plain_steps(decay, num_train_steps), rest)
    if step < warmup:
        return start + (learning_rate - start) * step / warmup
    count = step - (num_train_steps - decay_steps)
    if count < 0 or lr_schedule == "constant":
        return learning_rate
    if lr_schedule == "power":
        batch = options["batch_size"]
        tokens = count * batch * options["seq_length"]
        return min(learning_rate, batch * 4.6 * tokens**-0.51 if count else math.inf)
    left = max(0.0, 1 - count / decay_steps)
    if lr_schedule.startswith("inv"):
        slowed = {
            "inv": 1 + (1 / min_lr_ratio - 1) * max(count, 1) / decay_steps,
            "inv_sqrt": math.sqrt(
                max(1, (count + warmup) / options.get("timescale", 10_000))
            ),
            "inv_sqrt_decay": math.sqrt(
                1 + options.get("decay_constant", 28.6) * count / decay_steps
            ),
        }[lr_schedule]
        return learning_rate * max(min_lr_ratio, 1 / slowed)
    weight = {
        "linear": left,
        "polynomial": left ** options.get("power", 2),
        "cosine": math.sin(math.pi / 2 * left) ** (2 * options.get("exponent", 1)),
    }[lr_schedule]
    return learning_rate * (min_lr_ratio + (1 - min_lr_ratio) * weight)


def plain_steps(fraction_or_steps, whole):
    if fraction_or_steps <= 1:
        return int(fraction_or_steps * whole)
    return fraction_or_steps


def cycles_rate(step, *, cycle_length, warmup, rewarmup, **config):
    start = 0.0
    for cycle, steps in enumerate(cycle_length):
        given = {
            **config,
            "num_train_steps": steps,
            "warmup": rewarmup if cycle else warmup,
            "start": start,
        }
        if step < steps or cycle == len(cycle_length) - 1:
            return rate(step, **given)
        start = rate(steps, **given)
        step -= steps
    return start


def formula(lr_schedule, *options):
    cases = (
        {"num_train_steps": 24, "learning_rate": 1.0, "warmup": 4, "decay": 0.5},
        {"num_train_steps": 50, "learning_rate": 3e-4, "warmup": 0.2, "decay": 30},
    )
    given = tuple(
        {**case, **option, "lr_schedule": lr_schedule}
        for case, option in zip(cases, options or ({}, {}), strict=True)
    )
    return Formula(lr_scheduler, rate, given)


FORMULAS = {
    "constant": formula("constant"),
    "cosine": formula("cosine", {"min_lr_ratio": 0.1}, {"min_lr_ratio": 0.0}),
    "cosine, exponent": formula("cosine", {"exponent": 2.0}, {"exponent": 0.7}),
    "linear": formula("linear", {"min_lr_ratio": 0.1}, {"min_lr_ratio": 0.0}),
    "polynomial": formula("polynomial", {"power": 2.0}, {"power": 0.5}),
    "inv": formula("inv", {"min_lr_ratio": 0.1}, {"min_lr_ratio": 0.01}),
    "inv_sqrt": formula("inv_sqrt", {"timescale": 10}, {"timescale": 5}),
    "inv_sqrt, default": formula("inv_sqrt"),
    "inv_sqrt_decay": formula(
        "inv_sqrt_decay", {"decay_constant": 28.6}, {"decay_constant": 200.0}
    ),
    "power": formula(
        "power",
        {"batch_size": 4, "seq_length": 32},
        {"batch_size": 32, "seq_length": 4096, "learning_rate": 0.1},
    ),
    "no stable phase": Formula(
        lr_scheduler,
        rate,
        (
            {
                "lr_schedule": "cosine",
                "num_train_steps": 24,
                "learning_rate": 1.0,
                "warmup": 0.0,
            },
            {
                "lr_schedule": "cosine",
                "num_train_steps": 50,
                "learning_rate": 3e-4,
                "warmup": 0.1,
            },
        ),
    ),
    **{
        f"{lr_schedule}, cycles": Formula(
            cycles,
            cycles_rate,
            (
                {
                    "lr_schedule": lr_schedule,
                    "cycle_length": [20, 10, 16],
                    "learning_rate": 1.0,
                    "warmup": 4,
                    "rewarmup": 0.0,
                    "decay": 0.5,
                },
                {
                    "lr_schedule": lr_schedule,
                    "cycle_length": [10, 30, 15],
                    "learning_rate": 3e-4,
                    "warmup": 0.5,
                    "rewarmup": 2,
                    "decay": 5,
                },
            ),
        )
        for lr_schedule in ("cosine", "inv", "inv_sqrt_decay")
    },
}

GOLDENS = {
    "cosine warm 4/20": lr_scheduler(
        lr_schedule="cosine", num_train_steps=20, learning_rate=1.0, warmup=4
    ),
    "linear warm .2 decay .4": lr_scheduler(
        lr_schedule="linear",
        num_train_steps=20,
        learning_rate=1.0,
        warmup=0.2,
        decay=0.4,
    ),
    "inv": lr_scheduler(
        lr_schedule="inv", num_train_steps=10, learning_rate=1.0, warmup=0.0
    ),
}
