"""Transformers 5.23.0: its schedules, all of them in `jaxsched.compat.transformers`."""

from jaxsched.compat.transformers import (
    get_cosine_with_hard_restarts_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    get_inverse_sqrt_schedule,
    get_linear_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
    get_wsd_schedule,
)


PEER = "transformers"

GOLDENS = {
    "linear": get_linear_schedule_with_warmup(1.0, 4, 12),
    "cosine_with_restarts c=2": get_cosine_with_hard_restarts_schedule_with_warmup(
        1.0, 4, 12, num_cycles=2
    ),
    "polynomial lr_end=.1 W=0": get_polynomial_decay_schedule_with_warmup(
        1.0, 0, 12, power=1.0, lr_end=0.1
    ),
    "inverse_sqrt": get_inverse_sqrt_schedule(1.0, 4),
    "inverse_sqrt ts=9": get_inverse_sqrt_schedule(1.0, 4, timescale=9),
    "inverse_sqrt W=0": get_inverse_sqrt_schedule(1.0, 0),
    "cosine_warmup_with_min_lr .1": get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
        1.0, 4, 12, min_lr_rate=0.1
    ),
    "wsd W4 S4 D4 min.1 cosine": get_wsd_schedule(
        1.0, 4, 4, num_stable_steps=4, min_lr_ratio=0.1, decay_type="cosine"
    ),
    "wsd warmup cosine": get_wsd_schedule(
        1.0, 4, 4, num_stable_steps=1, warmup_type="cosine"
    ),
    "wsd warmup 1-sqrt": get_wsd_schedule(
        1.0, 4, 4, num_stable_steps=1, warmup_type="1-sqrt"
    ),
}
