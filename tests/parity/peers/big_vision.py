"""big_vision (repository): `create_learning_rate_schedule`.

The warmup and the cooldown are factors of any decay, which waits for the warmup, except
for the steps of "stair". Without a cooldown the decay holds its end; a cooldown goes on
below zero.
"""

import math

import jaxsched as js

from ..rows import Formula, On


PEER = "big_vision"


def polynomial(*, total_steps, base=1.0, warmup_steps=0, power=1, end=0.0):
    return js.warmup_polynomial(
        base, warmup_steps=warmup_steps, total_steps=total_steps, power=power, end=end
    )


def linear(*, total_steps, base=1.0, warmup_steps=0, end=0.0):
    return js.warmup_linear(
        base, warmup_steps=warmup_steps, total_steps=total_steps, end=end
    )


def cosine(*, total_steps, base=1.0, warmup_steps=0):
    return js.warmup_cosine(base, warmup_steps=warmup_steps, total_steps=total_steps)


def rsqrt(*, base=1.0, warmup_steps=0, timescale=10_000, shift=0):
    decay = js.shift(js.inverse_sqrt(base, timescale), shift)
    return js.warmup(decay, warmup_steps)


def stair(*, steps, mults, base=1.0, warmup_steps=0):
    values = [base, *(base * mult for mult in mults)]
    return js.warmup(
        js.piecewise_constant(steps, values), warmup_steps, join="multiply"
    )


def cooldown(schedule, *, total_steps, cooldown_steps):
    line = js.linear(1.0, 0.0, cooldown_steps)
    return schedule * js.delay(line, total_steps - cooldown_steps)


def rsqrt_cooldown(*, total_steps, cooldown_steps, **decay):
    return cooldown(
        rsqrt(**decay), total_steps=total_steps, cooldown_steps=cooldown_steps
    )


def rate(step, decay_type, *, base=1.0, warmup_steps=0, cooldown_steps=0, **given):
    """What the peer computes."""
    since = max(0, step - warmup_steps)
    total = given.get("total_steps", math.inf)
    left = max(0.0, 1 - since / (total - warmup_steps))
    if decay_type == "polynomial":
        end = given.get("end", 0.0)
        value = end + (base - end) * left ** given.get("power", 1)
    elif decay_type == "cosine":
        value = base * math.sin(math.pi / 2 * left) ** 2
    elif decay_type == "rsqrt":
        value = base / math.sqrt(
            1 + (since + given.get("shift", 0)) / given["timescale"]
        )
    else:
        passed = sum(boundary <= step for boundary in given["steps"])
        value = base * [1.0, *given["mults"]][passed]
    if step < warmup_steps:
        value *= step / warmup_steps
    if cooldown_steps and step > total - cooldown_steps:
        value *= (total - step) / cooldown_steps
    return value


def of(decay_type):
    return lambda step, **case: rate(step, decay_type, **case)


DECAYS = (
    {"base": 1.0, "warmup_steps": 4, "total_steps": 24},
    {"base": 3e-4, "warmup_steps": 7, "total_steps": 50},
)
ENDS = tuple(
    {**case, "end": end} for case, end in zip(DECAYS, (0.1, 1e-5), strict=True)
)
RSQRT = (
    {"base": 1.0, "warmup_steps": 4, "timescale": 10, "shift": 0},
    {"base": 3e-4, "warmup_steps": 7, "timescale": 10_000, "shift": 200},
)

FORMULAS = {
    "linear": Formula(linear, of("polynomial"), ENDS),
    "polynomial": Formula(
        polynomial,
        of("polynomial"),
        tuple(
            {**case, "power": power} for case, power in zip(ENDS, (2, 0.5), strict=True)
        ),
    ),
    "cosine": Formula(cosine, of("cosine"), DECAYS),
    "rsqrt": Formula(rsqrt, of("rsqrt"), RSQRT),
    "rsqrt, cooldown": Formula(
        rsqrt_cooldown,
        of("rsqrt"),
        tuple(
            {**case, "total_steps": 40, "cooldown_steps": steps}
            for case, steps in zip(RSQRT, (8, 20), strict=True)
        ),
        steps=range(41),
        elsewhere="it goes on below zero",
    ),
    "stair": Formula(
        stair,
        of("stair"),
        (
            {
                "base": 1.0,
                "warmup_steps": 4,
                "steps": [3, 8, 30],
                "mults": [0.5, 0.1, 0.05],
            },
            {
                "base": 3e-4,
                "warmup_steps": 7,
                "steps": [10, 20, 50],
                "mults": [0.3, 0.6, 0.03],
            },
        ),
    ),
}

GOLDENS = {
    "linear w2 end .1": linear(total_steps=10, base=1.0, warmup_steps=2, end=0.1),
    "rsqrt w2 ts4 cooldown 3": On(
        rsqrt_cooldown(
            total_steps=10, base=1.0, warmup_steps=2, timescale=4, cooldown_steps=3
        ),
        steps=range(11),
        because="after the horizon it falls below zero",
    ),
}
