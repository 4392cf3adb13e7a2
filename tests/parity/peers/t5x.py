"""T5X: the factor strings of `create_learning_rate_scheduler`, parsed by
`jaxsched.compat.t5x`.

It computes in float32, which is what it falls short of its formula by.
"""

import math

from jaxsched.compat.t5x import create_learning_rate_scheduler

from ..rows import Formula


PEER = "t5x"


def rate(
    step,
    factors,
    base_learning_rate=0.5,
    warmup_steps=1000,
    decay_factor=0.5,
    steps_per_decay=20000,
    steps_per_cycle=100000,
    step_offset=0,
    min_learning_rate=1e-8,
):
    """What the peer computes, factor by factor."""
    step = max(0, step - step_offset)
    product = 1.0
    for factor in factors.split(" * "):
        late = max(step, warmup_steps)
        product *= {
            "constant": base_learning_rate,
            "linear_warmup": min(1.0, step / warmup_steps),
            "linear_decay": base_learning_rate
            * min(step / warmup_steps, 1 + decay_factor * (warmup_steps - step)),
            "rsqrt_decay": 1 / math.sqrt(late),
            "rsqrt_normalized_decay": math.sqrt(warmup_steps / late),
            "decay_every": decay_factor ** (step // steps_per_decay),
            "cosine_decay": (
                1
                + math.cos(
                    math.pi * (max(0, step - warmup_steps) / steps_per_cycle % 1)
                )
            )
            / 2,
        }[factor]
    return max(product, min_learning_rate)


SETTINGS = (
    {
        "base_learning_rate": 0.5,
        "warmup_steps": 10,
        "decay_factor": 0.125,
        "steps_per_decay": 7,
        "steps_per_cycle": 16,
    },
    {
        "base_learning_rate": 0.01,
        "warmup_steps": 4,
        "decay_factor": 0.0625,
        "steps_per_decay": 20,
        "steps_per_cycle": 25,
        "step_offset": 3,
        "min_learning_rate": 1e-5,
    },
)

FORMULAS = {
    factors: Formula(
        create_learning_rate_scheduler,
        rate,
        tuple(
            {"step_offset": 0, "min_learning_rate": 1e-8, "factors": factors} | settings
            for settings in SETTINGS
        ),
    )
    for factors in (
        "constant",
        "linear_decay",
        "constant * linear_warmup * rsqrt_decay",
        "constant * linear_warmup * rsqrt_normalized_decay",
        "constant * linear_warmup * cosine_decay",
        "constant * decay_every",
    )
}

GOLDENS = {
    "const*warm*rsqrt_norm w=4": create_learning_rate_scheduler(
        "constant*linear_warmup*rsqrt_normalized_decay",
        base_learning_rate=1.0,
        warmup_steps=4,
    ),
    "linear_decay w=4 df=.1": create_learning_rate_scheduler(
        "linear_decay", base_learning_rate=1.0, warmup_steps=4, decay_factor=0.1
    ),
    "decay_every 3": create_learning_rate_scheduler(
        "constant*decay_every", base_learning_rate=1.0, steps_per_decay=3
    ),
}
