"""Schedules that go from one value to another, once."""

from ...curves import Cosine, Linear, Power
from ...domain import NONNEGATIVE, POSITIVE, REAL
from ...errors import echoes
from ...hyperparameters import as_leaf
from ...leaves import ExponentialDecay, Ramp
from ...numerics import at_least, host, positive
from ...schedule import Schedule, constant
from ...transforms import Delay, delay, maximum
from ...types import Scalar


__all__ = [
    "constant_schedule",
    "cosine_decay_schedule",
    "exponential_decay",
    "linear_schedule",
    "polynomial_schedule",
]


@echoes
def constant_schedule(value: Scalar) -> Schedule:
    """Holds `value`.

    Args:
        value: The rate.

    Returns:
        A schedule of no steps.

    Example:
        >>> from jaxsched.compat.optax import constant_schedule
        >>> float(constant_schedule(0.5)(10))
        0.5
    """
    return constant(value)


@echoes
def linear_schedule(
    init_value: Scalar,
    end_value: Scalar,
    transition_steps: Scalar,
    transition_begin: Scalar = 0,
) -> Schedule:
    """Goes from `init_value` to `end_value` in a straight line.

    Args:
        init_value: The rate until step `transition_begin`.
        end_value: The rate `transition_steps` later, and ever after.
        transition_steps: How many steps it takes. With none it stays at `init_value`
            for ever, as in Optax; elsewhere in this library it is at its end.
        transition_begin: How many steps it waits.

    Returns:
        A schedule of `transition_begin + transition_steps` steps.

    Example:
        >>> from jaxsched.compat.optax import linear_schedule
        >>> lr = linear_schedule(1.0, 0.0, transition_steps=4, transition_begin=2)
        >>> [float(lr(step)) for step in (0, 2, 3, 6)]
        [1.0, 1.0, 0.75, 0.0]
    """
    return _transition(
        init_value, end_value, transition_steps, transition_begin, Linear()
    )


@echoes
def polynomial_schedule(
    init_value: Scalar,
    end_value: Scalar,
    power: Scalar,
    transition_steps: Scalar,
    transition_begin: Scalar = 0,
) -> Schedule:
    """Goes from `init_value` to `end_value` as a power of the steps that remain.

    Args:
        init_value: The rate until step `transition_begin`.
        end_value: The rate `transition_steps` later, and ever after.
        power: The exponent, positive.
        transition_steps: How many steps it takes. With none it stays at `init_value`
            for ever, as in Optax.
        transition_begin: How many steps it waits.

    Returns:
        A schedule of `transition_begin + transition_steps` steps.

    Raises:
        ValueError: If `power` is not positive.

    Example:
        >>> from jaxsched.compat.optax import polynomial_schedule
        >>> lr = polynomial_schedule(1.0, 0.0, power=2, transition_steps=4)
        >>> [float(lr(step)) for step in range(5)]
        [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """
    return _transition(
        init_value, end_value, transition_steps, transition_begin, Power(power)
    )


@echoes
def exponential_decay(
    init_value: Scalar,
    transition_steps: Scalar,
    decay_rate: Scalar,
    transition_begin: Scalar = 0,
    staircase: bool = False,
    end_value: Scalar | None = None,
) -> Schedule:
    """Decays, or grows, by the factor `decay_rate` every `transition_steps` steps.

    Args:
        init_value: The rate until step `transition_begin`.
        transition_steps: How many steps it takes to change by `decay_rate`. With none
            the rate stays the same, as in Optax.
        decay_rate: The factor, at least 0. With 0 the rate stays the same, as in Optax.
        transition_begin: How many steps it waits.
        staircase: Whether to change at the multiples of `transition_steps` only.
        end_value: Where it is cut off: the least rate if `decay_rate` is less than 1,
            and else the greatest.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `decay_rate` is negative.

    Example:
        >>> from jaxsched.compat.optax import exponential_decay
        >>> lr = exponential_decay(1.0, 2, decay_rate=0.25, end_value=0.1)
        >>> [float(lr(step)) for step in (0, 1, 2)]
        [1.0, 0.5, 0.25]
        >>> round(float(lr(10)), 3)
        0.1
    """
    rate = as_leaf(decay_rate, NONNEGATIVE, "decay_rate")
    steps = as_leaf(transition_steps, REAL, "transition_steps")
    here = host(rate, steps)
    moves = (rate > 0) & (steps > 0)
    factor = here.where(moves, rate, 1.0)
    decay: Schedule = delay(
        ExponentialDecay(init_value, factor, positive(steps), staircase),
        at_least(0.0, transition_begin),
    )
    if end_value is None:
        return decay
    sign: Scalar = here.where(rate < 1, 1.0, -1.0)
    end = host(moves, end_value, init_value).where(moves, end_value, init_value)
    return sign * maximum(sign * decay, sign * end)


@echoes
def cosine_decay_schedule(
    init_value: Scalar, decay_steps: Scalar, alpha: Scalar = 0.0, exponent: Scalar = 1.0
) -> Schedule:
    """Decays along half a period of a cosine.

    Args:
        init_value: The rate at step 0.
        decay_steps: How many steps it takes, positive.
        alpha: The rate at the end, as a fraction of `init_value`.
        exponent: The power to which the cosine is raised, positive.

    Returns:
        A schedule of `decay_steps` steps.

    Raises:
        ValueError: If `decay_steps` or `exponent` is not positive.

    Example:
        >>> from jaxsched.compat.optax import cosine_decay_schedule
        >>> lr = cosine_decay_schedule(1.0, decay_steps=10, alpha=0.1)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10)]
        [1.0, 0.55, 0.1]
    """
    steps = as_leaf(decay_steps, POSITIVE, "decay_steps")
    return Ramp(init_value, init_value * alpha, steps, Power(exponent, Cosine()))


def _transition(
    start: Scalar, end: Scalar, steps: Scalar, begin: Scalar, curve: Linear | Power
) -> Delay:
    """A ramp after a wait; one of no steps has no end."""
    length = as_leaf(steps, REAL, "transition_steps")
    reached = host(length, end, start).where(length > 0, end, start)
    return delay(
        Ramp(start, reached, at_least(0.0, length), curve), at_least(0.0, begin)
    )
