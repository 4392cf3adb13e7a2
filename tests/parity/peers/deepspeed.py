"""DeepSpeed (0.19.8): `deepspeed.runtime.lr_schedules`, as its engine drives them.

The engine steps the scheduler after each update, and the scheduler counts from 0 then:
so update 0 has what the constructor set, and the first two of a warmup the lowest rate.
A logarithmic warmup of n counts arrives at the last of them, n - 1.
"""

import math

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "deepspeed"


def lr_range_test(
    *,
    lr_range_test_min_lr,
    lr_range_test_step_size,
    lr_range_test_step_rate=1.0,
    lr_range_test_staircase=False,
):
    timescale = lr_range_test_step_size / lr_range_test_step_rate
    growth = js.power_law(lr_range_test_min_lr, exponent=-1.0, timescale=timescale)
    if lr_range_test_staircase:
        return js.staircase(growth, lr_range_test_step_size)
    return growth


def one_cycle(
    *,
    cycle_min_lr,
    cycle_max_lr,
    cycle_first_step_size,
    cycle_second_step_size,
    decay_step_size,
    decay_lr_rate=0.0,
):
    return (
        js.linear(cycle_min_lr, cycle_max_lr, cycle_first_step_size)
        >> js.linear(cycle_max_lr, cycle_min_lr, cycle_second_step_size)
        >> js.inverse_time(cycle_min_lr, rate=decay_lr_rate, steps=decay_step_size)
    )


def one_cycle_in_stairs(
    *,
    cycle_min_lr,
    cycle_max_lr,
    cycle_first_step_size,
    cycle_second_step_size,
    cycle_first_stair_count,
    cycle_second_stair_count,
):
    """Both halves round the way to the peak down, so that one falls at once."""
    up = js.staircase(
        js.linear(cycle_min_lr, cycle_max_lr, cycle_first_step_size),
        cycle_first_step_size / cycle_first_stair_count,
    )
    down = js.staircase(
        js.linear(cycle_min_lr, cycle_max_lr, cycle_second_step_size),
        cycle_second_step_size / cycle_second_stair_count,
    )
    return up >> js.reverse(down)


def one_cycle_momentum(
    *,
    cycle_min_mom,
    cycle_max_mom,
    cycle_first_step_size,
    cycle_second_step_size,
    decay_step_size,
    decay_mom_rate,
):
    """It starts at its lowest, is at its highest at once, and in the end grows."""
    growth = js.power_law(
        cycle_max_mom, exponent=-1.0, timescale=decay_step_size / decay_mom_rate
    )
    cycle = (
        js.linear(cycle_max_mom, cycle_min_mom, cycle_first_step_size)
        >> js.linear(cycle_min_mom, cycle_max_mom, cycle_second_step_size)
        >> growth
    )
    return js.switch([cycle_min_mom, cycle], [1])


def warmup_lr(*, warmup_min_lr, warmup_max_lr, warmup_num_steps, warmup_type="log"):
    warmup = {
        "log": js.ramp(
            warmup_min_lr,
            warmup_max_lr,
            warmup_num_steps - 1,
            curves.Log(warmup_num_steps),
        ),
        "linear": js.linear(warmup_min_lr, warmup_max_lr, warmup_num_steps),
    }[warmup_type]
    return js.delay(warmup, 1)


def warmup_decay_lr(
    *,
    total_num_steps,
    warmup_min_lr,
    warmup_max_lr,
    warmup_num_steps,
    warmup_type="log",
):
    warmup = warmup_lr(
        warmup_min_lr=warmup_min_lr,
        warmup_max_lr=warmup_max_lr,
        warmup_num_steps=warmup_num_steps,
        warmup_type=warmup_type,
    )
    return js.until(warmup, warmup_num_steps + 1) >> js.linear(
        warmup_max_lr, warmup_min_lr, total_num_steps - warmup_num_steps
    )


def warmup_cosine_lr(
    *,
    lr,
    total_num_steps,
    warmup_num_steps,
    warmup_min_ratio=0.0,
    cos_min_ratio=0.0001,
    warmup_type="log",
):
    """The decay is one step on when it starts, so a linear warmup misses the peak."""
    warmup = warmup_lr(
        warmup_min_lr=lr * warmup_min_ratio,
        warmup_max_lr=lr,
        warmup_num_steps=warmup_num_steps,
        warmup_type=warmup_type,
    )
    decay = js.cosine(lr, lr * cos_min_ratio, total_num_steps - warmup_num_steps)
    schedule = js.until(warmup, warmup_num_steps + 1) >> js.shift(decay, 1)
    return js.switch([0.0, schedule], [1])


def range_rate(
    step,
    *,
    lr_range_test_min_lr,
    lr_range_test_step_size,
    lr_range_test_step_rate,
    lr_range_test_staircase=False,
):
    intervals = step / lr_range_test_step_size
    if lr_range_test_staircase:
        intervals = math.floor(intervals)
    return lr_range_test_min_lr * (1 + lr_range_test_step_rate * intervals)


def height(step, first, second, first_stairs=0, second_stairs=0):
    """How much of the way to the peak there is at a step of the cycle."""
    part, stairs = step / first, first_stairs
    if step > first:
        part, stairs = max(0, first + second - step) / second, second_stairs
    return math.floor(part * stairs + 1e-9) / stairs if stairs else part


def cycle_rate(
    step,
    *,
    cycle_min_lr,
    cycle_max_lr,
    cycle_first_step_size,
    cycle_second_step_size,
    cycle_first_stair_count=0,
    cycle_second_stair_count=0,
    decay_step_size=1,
    decay_lr_rate=0.0,
):
    after = step - cycle_first_step_size - cycle_second_step_size
    if after > 0:
        return cycle_min_lr / (1 + decay_lr_rate * after / decay_step_size)
    risen = height(
        step,
        cycle_first_step_size,
        cycle_second_step_size,
        cycle_first_stair_count,
        cycle_second_stair_count,
    )
    return cycle_min_lr + (cycle_max_lr - cycle_min_lr) * risen


def cycle_momentum(
    step,
    *,
    cycle_min_mom,
    cycle_max_mom,
    cycle_first_step_size,
    cycle_second_step_size,
    decay_step_size,
    decay_mom_rate,
):
    if step == 0:
        return cycle_min_mom
    after = step - cycle_first_step_size - cycle_second_step_size
    if after > 0:
        return cycle_max_mom * (1 + decay_mom_rate * after / decay_step_size)
    fallen = height(step, cycle_first_step_size, cycle_second_step_size)
    return cycle_max_mom - (cycle_max_mom - cycle_min_mom) * fallen


def risen(count, warmup_num_steps, warmup_type):
    if warmup_type == "log":
        return math.log(count + 1) / math.log(warmup_num_steps)
    return count / warmup_num_steps


def warmup_rate(
    step,
    *,
    warmup_min_lr,
    warmup_max_lr,
    warmup_num_steps,
    warmup_type,
    total_num_steps=math.inf,
):
    count = max(0, step - 1)
    part = 1.0
    if count < warmup_num_steps:
        part = risen(count, warmup_num_steps, warmup_type)
    elif total_num_steps < math.inf:
        part = (total_num_steps - count) / (total_num_steps - warmup_num_steps)
    return warmup_min_lr + (warmup_max_lr - warmup_min_lr) * max(0.0, part)


def cosine_rate(
    step,
    *,
    lr,
    total_num_steps,
    warmup_num_steps,
    warmup_min_ratio,
    cos_min_ratio,
    warmup_type,
):
    if step == 0:
        return 0.0
    count = step - 1
    if count < warmup_num_steps:
        part = risen(count, warmup_num_steps, warmup_type)
        return lr * (warmup_min_ratio + (1 - warmup_min_ratio) * part)
    passed = (count + 1 - warmup_num_steps) / (total_num_steps - warmup_num_steps)
    left = (1 + math.cos(math.pi * min(1.0, passed))) / 2
    return lr * (cos_min_ratio + (1 - cos_min_ratio) * left)


def each(cases, *added):
    return tuple({**case, **more} for case, more in zip(cases, added, strict=True))


def with_type(cases, warmup_type):
    return tuple({**case, "warmup_type": warmup_type} for case in cases)


RANGES = (
    {
        "lr_range_test_min_lr": 1e-3,
        "lr_range_test_step_size": 4,
        "lr_range_test_step_rate": 1.0,
    },
    {
        "lr_range_test_min_lr": 1e-5,
        "lr_range_test_step_size": 10,
        "lr_range_test_step_rate": 5.0,
    },
)
STAIRS = tuple({**case, "lr_range_test_staircase": True} for case in RANGES)
SIZES = (
    {"cycle_first_step_size": 8, "cycle_second_step_size": 12},
    {"cycle_first_step_size": 10, "cycle_second_step_size": 24},
)
CYCLES = each(
    SIZES,
    {"cycle_min_lr": 0.1, "cycle_max_lr": 1.0},
    {"cycle_min_lr": 1e-5, "cycle_max_lr": 3e-4},
)
WARMUPS = (
    {"warmup_min_lr": 0.0, "warmup_max_lr": 1.0, "warmup_num_steps": 4},
    {"warmup_min_lr": 1e-5, "warmup_max_lr": 3e-4, "warmup_num_steps": 7},
)
DECAYS = each(WARMUPS, {"total_num_steps": 24}, {"total_num_steps": 50})
COSINES = (
    {
        "lr": 1.0,
        "total_num_steps": 24,
        "warmup_num_steps": 4,
        "warmup_min_ratio": 0.0,
        "cos_min_ratio": 0.0001,
    },
    {
        "lr": 3e-4,
        "total_num_steps": 50,
        "warmup_num_steps": 7,
        "warmup_min_ratio": 0.1,
        "cos_min_ratio": 0.1,
    },
)

FORMULAS = {
    "LRRangeTest": Formula(lr_range_test, range_rate, RANGES),
    "LRRangeTest, staircase": Formula(lr_range_test, range_rate, STAIRS),
    "OneCycle": Formula(
        one_cycle,
        cycle_rate,
        each(
            CYCLES,
            {"decay_step_size": 2, "decay_lr_rate": 0.5},
            {"decay_step_size": 5, "decay_lr_rate": 0.0},
        ),
    ),
    "OneCycle, stairs": Formula(
        one_cycle_in_stairs,
        cycle_rate,
        each(
            CYCLES,
            {"cycle_first_stair_count": 4, "cycle_second_stair_count": 3},
            {"cycle_first_stair_count": 5, "cycle_second_stair_count": 8},
        ),
    ),
    "OneCycle, momentum": Formula(
        one_cycle_momentum,
        cycle_momentum,
        each(
            SIZES,
            {
                "cycle_min_mom": 0.8,
                "cycle_max_mom": 0.9,
                "decay_step_size": 2,
                "decay_mom_rate": 0.5,
            },
            {
                "cycle_min_mom": 0.85,
                "cycle_max_mom": 0.95,
                "decay_step_size": 5,
                "decay_mom_rate": 0.01,
            },
        ),
    ),
    **{
        f"{name}, {warmup_type}": Formula(ours, theirs, with_type(cases, warmup_type))
        for name, ours, theirs, cases in (
            ("WarmupLR", warmup_lr, warmup_rate, WARMUPS),
            ("WarmupDecayLR", warmup_decay_lr, warmup_rate, DECAYS),
            ("WarmupCosineLR", warmup_cosine_lr, cosine_rate, COSINES),
        )
        for warmup_type in ("log", "linear")
    },
}

GOLDENS = {
    "WarmupLR log W=4": warmup_lr(
        warmup_min_lr=0.0, warmup_max_lr=1.0, warmup_num_steps=4
    ),
    "WarmupLR linear W=4": warmup_lr(
        warmup_min_lr=0.0, warmup_max_lr=1.0, warmup_num_steps=4, warmup_type="linear"
    ),
    "OneCycle mom": one_cycle_momentum(
        cycle_min_mom=0.8,
        cycle_max_mom=0.9,
        cycle_first_step_size=4,
        cycle_second_step_size=4,
        decay_step_size=2,
        decay_mom_rate=0.5,
    ),
    "LRRangeTest 1e-3 step4": lr_range_test(
        lr_range_test_min_lr=0.001, lr_range_test_step_size=4
    ),
}
