"""fvcore: `fvcore.common.param_scheduler`, from its repository.

There a schedule is a function of where training is, from 0 to 1; here it is also given
how many steps that takes. A new value applies at its boundary, and a little before, by
a millionth of the whole, lest rounding miss it. Position 1 is that after the last step:
`constant` and `step` have no value there.
"""

import functools
import math

import jaxsched as js

from ..rows import Formula


PEER = "fvcore"

EARLY = 1e-6


def constant(*, value, steps):
    return js.constant(value)


def linear(*, start_value, end_value, steps):
    return js.linear(start_value, end_value, steps)


def cosine(*, start_value, end_value, steps):
    return js.cosine(start_value, end_value, steps)


def exponential(*, start_value, decay, steps):
    return js.exponential_decay(start_value, factor=decay, steps=steps)


def polynomial_decay(*, base_value, power, steps):
    return js.polynomial(base_value, 0.0, steps, power=power)


def multi_step(*, values, milestones, num_updates, steps):
    return js.piecewise_constant(
        [(milestone / num_updates - EARLY) * steps for milestone in milestones], values
    )


def step(*, values, steps):
    count = len(values)
    boundaries = [(i / count - EARLY) * steps for i in range(1, count)]
    return js.piecewise_constant(boundaries, values)


def step_with_fixed_gamma(*, base_value, num_decays, gamma, steps):
    decay = js.step_decay(base_value, factor=gamma, every=steps / (num_decays + 1))
    return js.shift(decay, EARLY * steps)


def composite(*, schedulers, lengths, interval_scaling, steps):
    """Schedulers are given as functions of their `steps`."""
    begins = [sum(lengths[:i]) * steps for i in range(len(schedulers))]
    parts = [
        js.delay(part(steps=length * steps), begin)
        if scaling == "rescaled"
        else part(steps=steps)
        for part, length, begin, scaling in zip(
            schedulers, lengths, begins, interval_scaling, strict=True
        )
    ]
    return js.switch(parts, [begin - EARLY * steps for begin in begins[1:]])


def warmed_cosine(*, values, lengths, interval_scaling, steps):
    start, peak, end = values
    return composite(
        schedulers=[
            functools.partial(linear, start_value=start, end_value=peak),
            functools.partial(cosine, start_value=peak, end_value=end),
        ],
        lengths=lengths,
        interval_scaling=["rescaled", interval_scaling],
        steps=steps,
    )


def their_constant(step, *, value, steps):
    return value


def their_linear(step, *, start_value, end_value, steps):
    where = step / steps
    return end_value * where + start_value * (1 - where)


def their_cosine(step, *, start_value, end_value, steps):
    wave = (1 + math.cos(math.pi * step / steps)) / 2
    return end_value + (start_value - end_value) * wave


def their_exponential(step, *, start_value, decay, steps):
    return start_value * decay ** (step / steps)


def their_polynomial_decay(step, *, base_value, power, steps):
    return base_value * (1 - step / steps) ** power


def their_multi_step(step, *, values, milestones, num_updates, steps):
    update = int((step / steps + 1e-6) * num_updates)
    return values[sum(update >= milestone for milestone in milestones)]


def their_step(step, *, values, steps):
    return values[int((step / steps + 1e-6) * len(values))]


def their_step_with_fixed_gamma(step, *, base_value, num_decays, gamma, steps):
    decays = int((step / steps + 1e-6) * (num_decays + 1))
    return base_value * gamma**decays


def their_warmed_cosine(step, *, values, lengths, interval_scaling, steps):
    start, peak, end = values
    where, warmup = step / steps, lengths[0]
    if where + 1e-6 <= warmup:
        return start + (peak - start) * where / warmup
    if interval_scaling == "rescaled":
        where = (where - warmup) / lengths[1]
    return end + (peak - end) * (1 + math.cos(math.pi * where)) / 2


RAMPS = (
    {"start_value": 0.1, "end_value": 1.0, "steps": 24},
    {"start_value": 3e-3, "end_value": 1e-4, "steps": 50},
)
BEYOND = "there is no position beyond 1"

FORMULAS = {
    "Constant": Formula(
        constant,
        their_constant,
        ({"value": 1.0, "steps": 24}, {"value": 3e-4, "steps": 50}),
        range(24),
        "at position 1 it raises",
    ),
    "Linear": Formula(linear, their_linear, RAMPS, range(25), BEYOND),
    "Cosine": Formula(cosine, their_cosine, RAMPS, range(25), BEYOND),
    "Exponential": Formula(
        exponential,
        their_exponential,
        (
            {"start_value": 1.0, "decay": 0.1, "steps": 24},
            {"start_value": 3e-3, "decay": 0.02, "steps": 50},
        ),
        range(25),
        BEYOND,
    ),
    "PolynomialDecay": Formula(
        polynomial_decay,
        their_polynomial_decay,
        (
            {"base_value": 1.0, "power": 0.9, "steps": 24},
            {"base_value": 3e-3, "power": 2.0, "steps": 50},
        ),
        range(25),
        BEYOND,
    ),
    "MultiStep": Formula(
        multi_step,
        their_multi_step,
        (
            {
                "values": [1.0, 0.5, 0.1],
                "milestones": [30, 60],
                "num_updates": 90,
                "steps": 24,
            },
            {
                "values": [3e-3, 1e-3, 2e-3],
                "milestones": [7, 11],
                "num_updates": 50,
                "steps": 50,
            },
        ),
        range(25),
        BEYOND,
    ),
    "Step": Formula(
        step,
        their_step,
        (
            {"values": [1.0, 0.5, 0.1], "steps": 24},
            {"values": [3e-3, 1e-3, 2e-3], "steps": 50},
        ),
        range(24),
        "at position 1 it raises",
    ),
    "StepWithFixedGamma": Formula(
        step_with_fixed_gamma,
        their_step_with_fixed_gamma,
        (
            {"base_value": 1.0, "num_decays": 3, "gamma": 0.1, "steps": 24},
            {"base_value": 3e-3, "num_decays": 6, "gamma": 0.5, "steps": 50},
        ),
        range(24),
        "at position 1 it raises",
    ),
    **{
        f"Composite, {scaling}": Formula(
            warmed_cosine,
            their_warmed_cosine,
            tuple(
                {**case, "interval_scaling": scaling}
                for case in (
                    {"values": [0.0, 1.0, 0.1], "lengths": [0.25, 0.75], "steps": 24},
                    {"values": [1e-5, 3e-3, 0.0], "lengths": [0.3, 0.7], "steps": 30},
                )
            ),
            range(25),
            BEYOND,
        )
        for scaling in ("rescaled", "fixed")
    },
}

GOLDENS = {
    "composite warm .25 rescaled, T=8": composite(
        schedulers=[
            functools.partial(linear, start_value=0.0, end_value=1.0),
            functools.partial(cosine, start_value=1.0, end_value=0.0),
        ],
        lengths=[0.25, 0.75],
        interval_scaling=["rescaled", "rescaled"],
        steps=8.0,
    ),
}
