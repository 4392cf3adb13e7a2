"""A warmup, and what follows it, but for cosines."""

from ...domain import REAL
from ...hyperparameters import as_leaf
from ...leaves import inverse_sqrt, linear, polynomial
from ...numerics import at_least, host
from ...schedule import Schedule, constant
from ...types import Scalar
from .names import schedule


__all__ = [
    "get_constant_schedule",
    "get_constant_schedule_with_warmup",
    "get_inverse_sqrt_schedule",
    "get_linear_schedule_with_warmup",
    "get_polynomial_decay_schedule_with_warmup",
]


@schedule
def get_constant_schedule(base_lr: Scalar) -> Schedule:
    """Holds the rate: "constant".

    Args:
        base_lr: The learning rate of the optimizer.

    Returns:
        A schedule of no steps.

    Example:
        >>> from jaxsched.compat.transformers import get_constant_schedule
        >>> float(get_constant_schedule(0.5)(10))
        0.5
    """
    return constant(base_lr)


@schedule
def get_constant_schedule_with_warmup(
    base_lr: Scalar, num_warmup_steps: Scalar
) -> Schedule:
    """Warms up linearly, then holds the rate: "constant_with_warmup".

    Args:
        base_lr: The learning rate of the optimizer, after the warmup.
        num_warmup_steps: How many steps the warmup takes; may be 0.

    Returns:
        A schedule of `num_warmup_steps` steps.

    Raises:
        ValueError: If `num_warmup_steps` is negative.

    Example:
        >>> from jaxsched.compat.transformers import get_constant_schedule_with_warmup
        >>> lr = get_constant_schedule_with_warmup(1.0, num_warmup_steps=4)
        >>> [float(lr(step)) for step in (0, 1, 4, 9)]
        [0.0, 0.25, 1.0, 1.0]
    """
    return linear(0.0, base_lr, num_warmup_steps) >> base_lr


@schedule
def get_linear_schedule_with_warmup(
    base_lr: Scalar, num_warmup_steps: Scalar, num_training_steps: Scalar
) -> Schedule:
    """Warms up linearly, then decays linearly to 0: "linear".

    Args:
        base_lr: The learning rate of the optimizer, after the warmup.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_training_steps: The length of the whole, warmup included.

    Returns:
        A schedule of `num_training_steps` steps.

    Raises:
        ValueError: If `num_warmup_steps` is negative.

    Example:
        >>> from jaxsched.compat.transformers import get_linear_schedule_with_warmup
        >>> lr = get_linear_schedule_with_warmup(1.0, 4, num_training_steps=12)
        >>> [float(lr(step)) for step in (0, 1, 4, 8, 12)]
        [0.0, 0.25, 1.0, 0.5, 0.0]
    """
    decay_steps = at_least(0.0, num_training_steps - num_warmup_steps)
    return linear(0.0, base_lr, num_warmup_steps) >> linear(base_lr, 0.0, decay_steps)


@schedule
def get_polynomial_decay_schedule_with_warmup(
    base_lr: Scalar,
    num_warmup_steps: Scalar,
    num_training_steps: Scalar,
    lr_end: Scalar = 1e-7,
    power: Scalar = 1.0,
) -> Schedule:
    """Warms up linearly, then decays as a power of what remains: "polynomial".

    Args:
        base_lr: The learning rate of the optimizer, after the warmup. Transformers
            takes the default of the optimizer even where a parameter group has its own.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        num_training_steps: The length of the whole, warmup included.
        lr_end: The rate from there on.
        power: The exponent, positive.

    Returns:
        A schedule of `num_training_steps` steps.

    Raises:
        ValueError: If `num_warmup_steps` is negative, or `power` not positive.

    Example:
        >>> from jaxsched.compat.transformers import (
        ...     get_polynomial_decay_schedule_with_warmup)
        >>> lr = get_polynomial_decay_schedule_with_warmup(1.0, 4, 12, 0.0, power=2)
        >>> [float(lr(step)) for step in (0, 1, 4, 8, 12)]
        [0.0, 0.25, 1.0, 0.25, 0.0]
    """
    decay_steps = at_least(0.0, num_training_steps - num_warmup_steps)
    decay = polynomial(base_lr, lr_end, decay_steps, power=power)
    return linear(0.0, base_lr, num_warmup_steps) >> decay


@schedule
def get_inverse_sqrt_schedule(
    base_lr: Scalar, num_warmup_steps: Scalar, timescale: Scalar | None = None
) -> Schedule:
    """Warms up linearly, then decays as one over the square root: "inverse_sqrt".

    Args:
        base_lr: The learning rate of the optimizer, after the warmup.
        num_warmup_steps: How many steps the warmup takes; may be 0.
        timescale: In how many steps after it the square of the rate halves, positive;
            `num_warmup_steps` if not given, or 10,000 if there is no warmup.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `num_warmup_steps` is negative, or `timescale` not positive.

    Example:
        >>> from jaxsched.compat.transformers import get_inverse_sqrt_schedule
        >>> lr = get_inverse_sqrt_schedule(1.0, num_warmup_steps=4)
        >>> [float(lr(step)) for step in (0, 2, 4, 16, 64)]
        [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    if timescale is None:
        warmup = as_leaf(num_warmup_steps, REAL, "num_warmup_steps")
        scale: Scalar = host(warmup).where(warmup == 0, 10_000.0, warmup)
    else:
        scale = timescale
    return linear(0.0, base_lr, num_warmup_steps) >> inverse_sqrt(base_lr, scale)
