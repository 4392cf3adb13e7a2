"""Optax 0.2.8: `optax.schedules`, all of it in `jaxsched.compat.optax`.

Before step 0 its schedules have their value of step 0, but for those left out here: the
cosine is even in the step, an interpolation is 0, and after a warmup of no steps there
is a step where it would start.
"""

from jaxsched.compat.optax import (
    cosine_decay_schedule,
    cosine_onecycle_schedule,
    exponential_decay,
    linear_onecycle_schedule,
    linear_schedule,
    piecewise_interpolate_schedule,
    polynomial_schedule,
    sgdr_schedule,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
)

from ..rows import On


PEER = "optax"

CYCLE = {"init_value": 0.0, "decay_steps": 6, "warmup_steps": 2, "end_value": 0.0}

GOLDENS = {
    "poly(1,.1,2,4,begin=2)": polynomial_schedule(1.0, 0.1, 2, 4, 2),
    "cosine exponent 2": On(
        cosine_decay_schedule(1.0, 8, 0, 2.0),
        steps=[0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14],
        because="it is even in the step, and at step 7 `1 + cos` has cancelled",
    ),
    "exp(1,4,.5,begin=2,stair,end=.2)": exponential_decay(1.0, 4, 0.5, 2, True, 0.2),
    "piecewise_interp lin {4:.1,8:.01}": On(
        piecewise_interpolate_schedule("linear", 1.0, {4: 0.1, 8: 0.01}),
        steps=range(15),
        because="before step 0 it is 0",
    ),
    "piecewise_interp cos {4:.1}": On(
        piecewise_interpolate_schedule("cosine", 1.0, {4: 0.1}),
        steps=range(15),
        because="before step 0 it is 0",
    ),
    "cosine_onecycle 2 0.3": cosine_onecycle_schedule(2, 1.0, 0.3),
    "cosine_onecycle 1 0.3": cosine_onecycle_schedule(1, 1.0, 0.3),
    "linear_onecycle 1 0.3": linear_onecycle_schedule(1, 1.0, 0.3),
    "linear_onecycle(10,pct_start=0)": linear_onecycle_schedule(10, 1.0, pct_start=0.0),
    "warmup_constant(0,1,4)": warmup_constant_schedule(0.0, 1.0, 4),
    "warmup_cosine(0,1,4,12,.1)": warmup_cosine_decay_schedule(0.0, 1.0, 4, 12, 0.1),
    "warmup_cosine W=0": On(
        warmup_cosine_decay_schedule(0.0, 1.0, 0, 8, 0.1),
        steps=range(15),
        because="before step 0 it is where the warmup, of no steps, would start",
    ),
    "sgdr 2 cycles": sgdr_schedule(
        [CYCLE | {"peak_value": 1.0}, CYCLE | {"peak_value": 0.5}]
    ),
    "sgd(schedule) updates": -linear_schedule(0.0, 1.0, 4),
}
