"""pytorch-warmup 0.2.0: factors for any schedule, which they dampen.

They count from 1, so that the first update moves. The untuned ones round their period
down: with a `beta2` of 0.999 it is 1999, and 999, since 1 - 0.999 is a little more than
0.001. That of RAdam skips the updates for which the variance is infinite.
"""

import math

import jax.numpy as jnp

import jaxsched as js

from ..rows import Formula


PEER = "pytorch-warmup"


def linear_warmup(*, warmup_period):
    return js.shift(js.linear(0.0, 1.0, warmup_period), 1)


def exponential_warmup(*, warmup_period):
    return js.shift(js.natural_exponential(0.0, rate=1 / warmup_period, end=1.0), 1)


def untuned_linear_warmup(*, beta2):
    return linear_warmup(warmup_period=2 / (1 - beta2) // 1)


def untuned_exponential_warmup(*, beta2):
    return exponential_warmup(warmup_period=1 / (1 - beta2) // 1)


def radam_warmup(*, beta2):
    warmup = js.radam_warmup(1.0, beta2=beta2)
    return js.shift(warmup, jnp.sum(warmup(jnp.arange(32)) == 0))


def dampened_cosine(*, warmup_period, lr, steps):
    """What `dampening` makes of a schedule."""
    return linear_warmup(warmup_period=warmup_period) * js.cosine(lr, 0.0, steps)


def their_linear_warmup(step, *, warmup_period):
    return min(1.0, (step + 1) / warmup_period)


def their_exponential_warmup(step, *, warmup_period):
    return 1 - math.exp(-(step + 1) / warmup_period)


def their_untuned_linear_warmup(step, *, beta2):
    return their_linear_warmup(step, warmup_period=int(2 / (1 - beta2)))


def their_untuned_exponential_warmup(step, *, beta2):
    return their_exponential_warmup(step, warmup_period=int(1 / (1 - beta2)))


def their_radam_warmup(step, *, beta2):
    bound = 2 / (1 - beta2) - 1

    def length(n):
        return bound - 2 * n * beta2**n / (1 - beta2**n)

    first = next(n for n in range(1, 100) if length(n) > 4)
    r = length(step + first)
    return math.sqrt((r - 4) * (r - 2) * bound / ((bound - 4) * (bound - 2) * r))


def their_dampened_cosine(step, *, warmup_period, lr, steps):
    rate = lr * (1 + math.cos(math.pi * min(1.0, step / steps))) / 2
    return rate * their_linear_warmup(step, warmup_period=warmup_period)


PERIODS = ({"warmup_period": 5}, {"warmup_period": 40})
# Of these `1 - beta2` has all its digits in float32 too; that of 0.999 has lost 4.
BETAS = ({"beta2": 1 - 5 / 256}, {"beta2": 1 - 2**-10}, {"beta2": 1 - 3 / 32})
STEPS = (*range(40), *range(100, 110), 510, 511, 512, 1023, 2046, 2047, 2048, 9999)

FORMULAS = {
    "LinearWarmup": Formula(linear_warmup, their_linear_warmup, PERIODS),
    "ExponentialWarmup": Formula(exponential_warmup, their_exponential_warmup, PERIODS),
    "UntunedLinearWarmup": Formula(
        untuned_linear_warmup, their_untuned_linear_warmup, BETAS, STEPS
    ),
    "UntunedExponentialWarmup": Formula(
        untuned_exponential_warmup, their_untuned_exponential_warmup, BETAS, STEPS
    ),
    "RAdamWarmup": Formula(radam_warmup, their_radam_warmup, BETAS, STEPS),
    "dampening": Formula(
        dampened_cosine,
        their_dampened_cosine,
        (
            {"warmup_period": 5, "lr": 1.0, "steps": 50},
            {"warmup_period": 17, "lr": 3e-4, "steps": 32},
        ),
    ),
}

GOLDENS = {
    "UntunedLinear(warmup_period=1999)": untuned_linear_warmup(beta2=0.999),
    "UntunedExp(warmup_period=999)": untuned_exponential_warmup(beta2=0.999),
}
