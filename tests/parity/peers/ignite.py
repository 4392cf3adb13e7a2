"""PyTorch-Ignite 0.5.5: the parameter schedulers of `ignite.handlers`.

A step is an event. The schedulers of the engine's state count them from 1, so they
skip their first value. A warmup of a cycle comes after it, towards the start of the
next one; `create_lr_scheduler_with_warmup` arrives one event early, which then belongs
to what follows, if that begins there. Lengths of cycles are cut off to whole numbers.
"""

import math

import jax.numpy as jnp

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "pytorch-ignite"


def monotonic(
    curve,
    *,
    start_value,
    end_value,
    cycle_size,
    cycle_mult=1.0,
    start_value_mult=1.0,
    end_value_mult=1.0,
    warmup_duration=0.0,
):
    next_start = start_value * start_value_mult
    starts = js.ramp(start_value, 0.0, cycle_size, curve)
    starts >>= js.linear(0.0, next_start, warmup_duration)
    ends = js.ramp(0.0, end_value, cycle_size, curve)
    ends >>= js.linear(end_value, 0.0, warmup_duration)
    return js.repeat(
        starts, period_multiplier=cycle_mult, value_multiplier=start_value_mult
    ) + js.repeat(ends, period_multiplier=cycle_mult, value_multiplier=end_value_mult)


def linear_monotonic(**case):
    return monotonic(curves.Linear(), **case)


def cosine_annealing(**case):
    return monotonic(curves.Cosine(), **case)


def linear_cyclical(
    *,
    start_value,
    end_value,
    cycle_size,
    cycle_mult=1.0,
    start_value_mult=1.0,
    end_value_mult=1.0,
):
    half = cycle_size / 2
    starts = js.linear(start_value, 0.0, half) >> js.linear(0.0, start_value, half)
    ends = js.linear(0.0, end_value, half) >> js.linear(end_value, 0.0, half)
    return js.repeat(
        starts, period_multiplier=cycle_mult, value_multiplier=start_value_mult
    ) + js.repeat(ends, period_multiplier=cycle_mult, value_multiplier=end_value_mult)


def piecewise_linear(*, milestones_values):
    return js.piecewise_linear(*jnp.asarray(milestones_values).T)


def concat(*, schedulers, durations):
    *others, last = schedulers
    return js.chain(*map(js.until, others, durations), last)


def create_lr_scheduler_with_warmup(
    *, lr_scheduler, warmup_start_value, warmup_duration, warmup_end_value=None
):
    """With a `warmup_end_value` that is not the first value of the scheduler."""
    rest = warmup_duration - 1
    if warmup_end_value is None:
        return js.warmup(lr_scheduler, rest, start=warmup_start_value)
    rise = js.linear(warmup_start_value, warmup_end_value, rest)
    return js.until(rise, warmup_duration) >> lr_scheduler


def piecewise_linear_state(*, milestones_values):
    return js.shift(piecewise_linear(milestones_values=milestones_values), 1)


def exp_state(*, initial_value, gamma):
    return js.shift(js.exponential_decay(initial_value, factor=gamma, steps=1), 1)


def step_state(*, initial_value, gamma, step_size):
    return js.shift(js.step_decay(initial_value, factor=gamma, every=step_size), 1)


def multi_step_state(*, initial_value, gamma, milestones):
    decay = js.multi_step(initial_value, boundaries=milestones, factor=gamma)
    return js.shift(decay, 1)


def warmed_cosine(*, start_value, end_value, cycle_size, **warmup):
    cosine = cosine_annealing(
        start_value=start_value, end_value=end_value, cycle_size=cycle_size
    )
    return create_lr_scheduler_with_warmup(lr_scheduler=cosine, **warmup)


def concat_of_cosines(*, durations, start_value, end_value, cycle_size):
    cosine = cosine_annealing(
        start_value=start_value, end_value=end_value, cycle_size=cycle_size
    )
    return concat(schedulers=[cosine] * 3, durations=durations)


def cyclical(weight):
    """The value at an event, given the weight of the start on the way to the end."""

    def value(
        event,
        *,
        start_value,
        end_value,
        cycle_size,
        cycle_mult=1.0,
        start_value_mult=1.0,
        end_value_mult=1.0,
        warmup_duration=0,
    ):
        while event >= cycle_size + warmup_duration:
            event -= cycle_size + warmup_duration
            cycle_size = int(cycle_size * cycle_mult)
            warmup_duration = int(warmup_duration * cycle_mult)
            start_value *= start_value_mult
            end_value *= end_value_mult
        if event > cycle_size:
            risen = (event - cycle_size) / warmup_duration
            return end_value + (start_value * start_value_mult - end_value) * risen
        return end_value + (start_value - end_value) * weight(event / cycle_size)

    return value


their_linear_monotonic = cyclical(lambda passed: 1 - passed)
their_linear_cyclical = cyclical(lambda passed: abs(1 - 2 * passed))
their_cosine_annealing = cyclical(lambda passed: (1 + math.cos(math.pi * passed)) / 2)


def their_piecewise_linear(event, *, milestones_values):
    (begin, start), *rest = milestones_values
    if event < begin:
        return start
    for end, goal in rest:
        if event < end:
            return start + (goal - start) * (event - begin) / (end - begin)
        begin, start = end, goal
    return start


def their_piecewise_linear_state(step, **case):
    return their_piecewise_linear(step + 1, **case)


def their_exp_state(step, *, initial_value, gamma):
    return initial_value * gamma ** (step + 1)


def their_step_state(step, *, initial_value, gamma, step_size):
    return initial_value * gamma ** ((step + 1) // step_size)


def their_multi_step_state(step, *, initial_value, gamma, milestones):
    return initial_value * gamma ** sum(step + 1 >= event for event in milestones)


def their_warmed_cosine(
    event,
    *,
    warmup_start_value,
    warmup_duration,
    warmup_end_value=None,
    start_value,
    **case,
):
    events = warmup_duration - 1
    end = start_value if warmup_end_value is None else warmup_end_value
    if event <= events:
        return warmup_start_value + (end - warmup_start_value) * event / events
    begin = events if warmup_end_value is None else warmup_duration
    return their_cosine_annealing(event - begin, start_value=start_value, **case)


def their_concat_of_cosines(event, *, durations, **case):
    for duration in durations:
        if event < duration:
            break
        event -= duration
    return their_cosine_annealing(event, **case)


CYCLES = (
    {"start_value": 1.0, "end_value": 0.0, "cycle_size": 4},
    {"start_value": 1e-4, "end_value": 3e-3, "cycle_size": 11},
)
MULTIPLIED = (
    {
        "start_value": 1.0,
        "end_value": 0.1,
        "cycle_size": 8,
        "cycle_mult": 1.5,
        "start_value_mult": 0.5,
        "end_value_mult": 0.7,
    },
    {
        "start_value": 1e-4,
        "end_value": 3e-3,
        "cycle_size": 5,
        "cycle_mult": 2.0,
        "start_value_mult": 1.0,
        "end_value_mult": 0.5,
    },
)
WARMED = (
    {**MULTIPLIED[0], "cycle_mult": 1.0, "warmup_duration": 3},
    {**MULTIPLIED[1], "warmup_duration": 2},
)
PIECES = (
    {"milestones_values": [(3, 1.0), (6, 0.5), (20, 0.7)]},
    {"milestones_values": [(0, 1e-4), (10, 3e-3), (40, 0.0)]},
)

FORMULAS = {
    **{
        f"{name}, {kind}": Formula(ours, theirs, cases)
        for name, ours, theirs in (
            ("LinearCyclicalScheduler", linear_cyclical, their_linear_cyclical),
            (
                "LinearCyclicalScheduler, monotonic",
                linear_monotonic,
                their_linear_monotonic,
            ),
            ("CosineAnnealingScheduler", cosine_annealing, their_cosine_annealing),
        )
        for kind, cases in (
            ("cycles alike", CYCLES),
            ("cycles multiplied", MULTIPLIED),
            ("cycles warmed up", WARMED),
        )
        if "warmed" not in kind or ours is not linear_cyclical
    },
    "PiecewiseLinear": Formula(
        piecewise_linear,
        their_piecewise_linear,
        PIECES,
        elsewhere="milestones may repeat there: the value jumps",
    ),
    "ConcatScheduler": Formula(
        concat_of_cosines,
        their_concat_of_cosines,
        ({**CYCLES[0], "durations": [7, 5]}, {**CYCLES[1], "durations": [11, 20]}),
    ),
    "create_lr_scheduler_with_warmup": Formula(
        warmed_cosine,
        their_warmed_cosine,
        (
            {**CYCLES[0], "warmup_start_value": 0.1, "warmup_duration": 4},
            {**CYCLES[1], "warmup_start_value": 0.0, "warmup_duration": 9},
        ),
    ),
    "create_lr_scheduler_with_warmup, to another value": Formula(
        warmed_cosine,
        their_warmed_cosine,
        (
            {
                **CYCLES[0],
                "warmup_start_value": 0.1,
                "warmup_duration": 4,
                "warmup_end_value": 0.7,
            },
            {
                **CYCLES[1],
                "warmup_start_value": 0.0,
                "warmup_duration": 9,
                "warmup_end_value": 3e-3,
            },
        ),
    ),
    "PiecewiseLinearStateScheduler": Formula(
        piecewise_linear_state, their_piecewise_linear_state, PIECES
    ),
    "ExpStateScheduler": Formula(
        exp_state,
        their_exp_state,
        (
            {"initial_value": 1.0, "gamma": 0.5},
            {"initial_value": 3e-4, "gamma": 0.96875},
        ),
    ),
    "StepStateScheduler": Formula(
        step_state,
        their_step_state,
        (
            {"initial_value": 1.0, "gamma": 0.5, "step_size": 3},
            {"initial_value": 3e-4, "gamma": 0.9, "step_size": 10},
        ),
    ),
    "MultiStepStateScheduler": Formula(
        multi_step_state,
        their_multi_step_state,
        (
            {"initial_value": 1.0, "gamma": 0.5, "milestones": [3, 6]},
            {"initial_value": 3e-4, "gamma": 0.9, "milestones": [1, 40]},
        ),
    ),
}

GOLDENS = {
    "LinearCyclical 1->0 size4": linear_cyclical(
        start_value=1.0, end_value=0.0, cycle_size=4
    ),
    "Cosine 1->0 size4": cosine_annealing(start_value=1.0, end_value=0.0, cycle_size=4),
    "Cosine 1->0 size4 warm2": cosine_annealing(
        start_value=1.0,
        end_value=0.0,
        cycle_size=4,
        warmup_duration=2,
        start_value_mult=0.5,
    ),
}
