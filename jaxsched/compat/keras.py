"""`keras.optimizers.schedules`, by its names and from its configurations.

Names, order and defaults of the arguments, and values are those of Keras 3.15
(https://keras.io/api/optimizers/learning_rate_schedules/). What differs: before step 0
all have their value of step 0, where those of Keras go on upwards, or below zero. All
take a `name`, which Keras writes into its configurations, and for which a schedule has
no use.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..domain import POSITIVE
from ..errors import echoes, named
from ..hyperparameters import as_leaf
from ..leaves import (
    ExponentialDecay as Exponential,
    cosine,
    inverse_time,
    linear,
    piecewise_constant,
    polynomial,
    power_law,
)
from ..numerics import host
from ..schedule import Schedule, constant
from ..transforms import repeat, rescale, shift, staircase as stairs, until
from ..types import Scalar, Vector
from .ported import without


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
]


@echoes
def ExponentialDecay(
    initial_learning_rate: Scalar,
    decay_steps: Scalar,
    decay_rate: Scalar,
    staircase: bool = False,
    name: str | None = None,
) -> Schedule:
    """Decays by the factor `decay_rate` every `decay_steps` steps.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: How many steps it takes to decay by `decay_rate`, positive.
        decay_rate: The factor, positive.
        staircase: Whether to decay at the multiples of `decay_steps` only.
        name: What Keras calls it.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `decay_steps` or `decay_rate` is not positive.

    Example:
        >>> from jaxsched.compat.keras import ExponentialDecay
        >>> lr = ExponentialDecay(1.0, decay_steps=10, decay_rate=0.25)
        >>> [float(lr(step)) for step in (0, 5, 10)]
        [1.0, 0.5, 0.25]
    """
    return Exponential(initial_learning_rate, decay_rate, decay_steps, staircase)


@echoes
def PiecewiseConstantDecay(
    boundaries: Vector, values: Vector, name: str | None = None
) -> Schedule:
    """Jumps from value to value, each *after* its boundary.

    As in Keras, a value still applies at the step of the boundary itself, and the next
    one at the whole step after it: `piecewise_constant` jumps at the boundary.

    Args:
        boundaries: The last steps of the values, increasing.
        values: The rates, one more.
        name: What Keras calls it.

    Returns:
        A schedule that lasts until the last boundary.

    Raises:
        ValueError: If `boundaries` do not increase, or the numbers do not match.

    Example:
        >>> from jaxsched.compat.keras import PiecewiseConstantDecay
        >>> lr = PiecewiseConstantDecay([4, 8], [1.0, 0.5, 0.25])
        >>> [float(lr(step)) for step in (0, 4, 5, 8, 9)]
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    after = [host(last).floor(last) + 1 for last in boundaries]
    return piecewise_constant(after, values)


@echoes
def PolynomialDecay(
    initial_learning_rate: Scalar,
    decay_steps: Scalar,
    end_learning_rate: Scalar = 0.0001,
    power: Scalar = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Schedule:
    """Decays as a power of what remains; once, or in longer and longer cycles.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: How many steps the decay takes, positive.
        end_learning_rate: The rate at the end.
        power: The exponent, positive.
        cycle: Whether, once at the end, the rate goes on as if `decay_steps` were twice
            as many, and so forth: it jumps up one step after each multiple of them. It
            is that of Keras at whole steps.
        name: What Keras calls it.

    Returns:
        A schedule of `decay_steps` steps, or without end.

    Raises:
        ValueError: If `decay_steps` or `power` is not positive.

    Example:
        >>> from jaxsched.compat.keras import PolynomialDecay
        >>> lr = PolynomialDecay(1.0, decay_steps=4, end_learning_rate=0.0)
        >>> [float(lr(step)) for step in range(6)]
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
        >>> lr = PolynomialDecay(1.0, decay_steps=4, end_learning_rate=0.0, cycle=True)
        >>> [float(lr(step)) for step in range(6)]
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.375]
    """
    steps = as_leaf(decay_steps, POSITIVE, "decay_steps")
    if not cycle:
        return polynomial(initial_learning_rate, end_learning_rate, steps, power=power)
    # Cycle n remains for (n * steps - step) / (n * steps): what does of one of them,
    # over n. It includes its last step and not its first, so all is one step late.
    remains = until(shift(polynomial(1.0, 0.0, steps, power=power), 1), steps)
    longer = stairs(power_law(1.0, exponent=power, timescale=steps), steps)
    cycles = rescale(repeat(remains) * longer, end_learning_rate, initial_learning_rate)
    return constant(initial_learning_rate, 1) >> cycles


@echoes
def InverseTimeDecay(
    initial_learning_rate: Scalar,
    decay_steps: Scalar,
    decay_rate: Scalar,
    staircase: bool = False,
    name: str | None = None,
) -> Schedule:
    """Decays as `initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: The unit of time, in steps, positive.
        decay_rate: How fast, at least 0.
        staircase: Whether to decay at the multiples of `decay_steps` only.
        name: What Keras calls it.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `decay_steps` is not positive, or `decay_rate` negative.

    Example:
        >>> from jaxsched.compat.keras import InverseTimeDecay
        >>> lr = InverseTimeDecay(1.0, decay_steps=10, decay_rate=1.0)
        >>> [float(lr(step)) for step in (0, 10, 30)]
        [1.0, 0.5, 0.25]
    """
    return inverse_time(
        initial_learning_rate, rate=decay_rate, steps=decay_steps, staircase=staircase
    )


@echoes
def CosineDecay(
    initial_learning_rate: Scalar,
    decay_steps: Scalar,
    alpha: Scalar = 0.0,
    name: str | None = None,
    warmup_target: Scalar | None = None,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Decays along half a period of a cosine, after a warmup or without.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: How many steps the decay takes, warmup *excluded*; positive.
        alpha: The last rate, as a fraction of the one that the decay starts from.
        name: What Keras calls it.
        warmup_target: The rate that is warmed up to; if not given, there is no warmup,
            whatever `warmup_steps` says.
        warmup_steps: How many steps the warmup takes.

    Returns:
        A schedule of `decay_steps` steps, and those of the warmup.

    Raises:
        ValueError: If `decay_steps` is not positive, or `warmup_steps` negative.

    Example:
        >>> from jaxsched.compat.keras import CosineDecay
        >>> lr = CosineDecay(0.0, 8, alpha=0.5, warmup_target=1.0, warmup_steps=4)
        >>> [round(float(lr(step)), 3) for step in (0, 2, 4, 8, 12)]
        [0.0, 0.5, 1.0, 0.75, 0.5]
    """
    steps = as_leaf(decay_steps, POSITIVE, "decay_steps")
    if warmup_target is None:
        return cosine(initial_learning_rate, initial_learning_rate * alpha, steps)
    warmup = linear(initial_learning_rate, warmup_target, warmup_steps)
    return warmup >> cosine(warmup_target, warmup_target * alpha, steps)


@echoes
def CosineDecayRestarts(
    initial_learning_rate: Scalar,
    first_decay_steps: Scalar,
    t_mul: Scalar = 2.0,
    m_mul: Scalar = 1.0,
    alpha: Scalar = 0.0,
    name: str | None = None,
) -> Schedule:
    """Decays along a cosine again and again, in longer and lower cycles.

    Args:
        initial_learning_rate: The rate at step 0.
        first_decay_steps: How many steps the first cycle takes, positive.
        t_mul: How many times as long as the one before each cycle is, positive.
        m_mul: How many times as high as the one before each cycle is above its floor.
        alpha: The floor, as a fraction of `initial_learning_rate`.
        name: What Keras calls it.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `first_decay_steps` or `t_mul` is not positive.

    Example:
        >>> from jaxsched.compat.keras import CosineDecayRestarts
        >>> lr = CosineDecayRestarts(1.0, 10, t_mul=2.0, m_mul=0.5)
        >>> [round(float(lr(step)), 3) for step in (0, 5, 10, 20, 30)]
        [1.0, 0.5, 0.5, 0.25, 0.25]
    """
    steps = as_leaf(first_decay_steps, POSITIVE, "first_decay_steps")
    floor = initial_learning_rate * alpha
    cycle = cosine(initial_learning_rate - floor, 0.0, steps)
    return floor + repeat(cycle, period_multiplier=t_mul, value_multiplier=m_mul)


@echoes
def deserialize(config: Mapping[str, Any]) -> Schedule:
    """Makes a schedule of what `keras.optimizers.schedules.serialize` returns.

    Args:
        config: A mapping with the `class_name` of the schedule, and its `config`. What
            `get_config()` returns has no class: it is the keywords of the function of
            that name here, as in `CosineDecay(**config)`.

    Returns:
        The schedule.

    Raises:
        TypeError: If its arguments are not those of the class.
        ValueError: If there is no class name, or no such class.

    Example:
        >>> from jaxsched.compat.keras import deserialize
        >>> config = {"initial_learning_rate": 1.0, "decay_steps": 10, "alpha": 0.0}
        >>> lr = deserialize({"class_name": "CosineDecay", "config": config})
        >>> round(float(lr(5)), 3)
        0.5
    """
    if "class_name" not in config or "config" not in config:
        raise ValueError(
            "A configuration of Keras has a `class_name` and a `config`, "
            f"got {dict(config)!r}."
        )
    return named("schedule", config["class_name"], SCHEDULES)(**config["config"])


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "CosineDecay": CosineDecay,
    "CosineDecayRestarts": CosineDecayRestarts,
    "ExponentialDecay": ExponentialDecay,
    "InverseTimeDecay": InverseTimeDecay,
    "PiecewiseConstantDecay": PiecewiseConstantDecay,
    "PolynomialDecay": PolynomialDecay,
}


__getattr__ = without(__name__)
