"""T5X's factor strings: `"constant * linear_warmup * rsqrt_decay"`.

They are found in the configurations of T5X, and of its relatives
(https://github.com/google-research/t5x/blob/main/t5x/utils.py), with these factors and
these defaults.
"""

import functools
import operator
from collections.abc import Callable

from ..domain import POSITIVE
from ..errors import named
from ..hyperparameters import as_leaf
from ..leaves import ExponentialDecay, cosine, inverse_sqrt, linear
from ..numerics import at_least
from ..schedule import Schedule, constant
from ..transforms import delay, maximum, repeat
from ..types import Scalar
from .ported import ported, without


__all__ = ["create_learning_rate_scheduler"]


@ported()
def create_learning_rate_scheduler(
    factors: str = "constant * linear_warmup * rsqrt_decay",
    base_learning_rate: Scalar = 0.5,
    warmup_steps: Scalar = 1000,
    decay_factor: Scalar = 0.5,
    steps_per_decay: Scalar = 20000,
    steps_per_cycle: Scalar = 100000,
    step_offset: Scalar = 0,
    min_learning_rate: Scalar = 1e-8,
) -> Schedule:
    """Multiplies the factors that a string names.

    Args:
        factors: Any of these, with `*` in between. "constant": the base rate.
            "linear_warmup": from 0 to 1 in the warmup. "linear_decay": the base rate
            times a rise in the warmup, and after it a fall by `decay_factor` with each
            step. "rsqrt_decay": one over the square root of the step, constant in the
            warmup. "rsqrt_normalized_decay": the same, but 1 in the warmup.
            "decay_every": times `decay_factor` every `steps_per_decay` steps.
            "cosine_decay": from 1 to 0 along a cosine every `steps_per_cycle` steps
            after the warmup, and back to 1 *at* the end of each.
        base_learning_rate: The base rate.
        warmup_steps: How many steps the warmup takes; less than 1 is like 1 to the
            inverse square roots.
        decay_factor: What "decay_every" multiplies by, and "linear_decay" subtracts;
            positive.
        steps_per_decay: How often "decay_every" decays, in steps; positive.
        steps_per_cycle: How many steps a cosine takes, positive.
        step_offset: How many steps come before all that.
        min_learning_rate: The least rate: what is less is cut off, a warmup from 0 and
            a decay below it included.

    Returns:
        A schedule of the longest factor, without end for most.

    Raises:
        ValueError: If there is no such factor, or a number is outside its range.

    Example:
        >>> from jaxsched.compat.t5x import create_learning_rate_scheduler
        >>> lr = create_learning_rate_scheduler(
        ...     "constant * linear_warmup * rsqrt_normalized_decay",
        ...     base_learning_rate=1.0, warmup_steps=4)
        >>> [float(lr(step)) for step in (2, 4, 16, 64)]
        [0.5, 1.0, 0.5, 0.25]
    """
    longest = at_least(1.0, warmup_steps)
    flat: dict[str, Callable[[], Schedule]] = {
        "constant": lambda: constant(base_learning_rate),
        "linear_warmup": lambda: linear(0.0, 1.0, warmup_steps),
        "linear_decay": lambda: (
            linear(0.0, base_learning_rate, warmup_steps)
            >> linear(
                base_learning_rate,
                0.0,
                1 / as_leaf(decay_factor, POSITIVE, "decay_factor"),
            )
        ),
        "rsqrt_decay": lambda: delay(
            inverse_sqrt(longest**-0.5, timescale=longest), longest
        ),
        "rsqrt_normalized_decay": lambda: delay(
            inverse_sqrt(1.0, timescale=longest), longest
        ),
        "decay_every": lambda: ExponentialDecay(
            1.0, decay_factor, steps_per_decay, staircase=True
        ),
        "cosine_decay": lambda: delay(
            repeat(cosine(1.0, 0.0, steps_per_cycle)), warmup_steps
        ),
    }
    product = functools.reduce(
        operator.mul,
        (named("factor", factor.strip(), flat)() for factor in factors.split("*")),
    )
    return maximum(delay(product, step_offset), min_learning_rate)


__getattr__ = without(__name__)
