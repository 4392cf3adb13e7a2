"""What recipes ask of their numbers: what phases leave of a horizon, and divisors."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ..domain import FRACTION, NONNEGATIVE, POSITIVE
from ..errors import refusal
from ..hyperparameters import as_leaf, is_concrete
from ..numerics import at_least, known, positive
from ..types import Scalar


A_LENGTH = (
    "a number of steps; of a fraction, `Horizon.fraction` or a product with "
    "`total_steps` makes one"
)


def rest(total_steps: Scalar, **phases: Scalar) -> Scalar:
    """Returns how many of `total_steps` the named `phases` leave.

    Raises:
        ValueError: If they are longer than the whole, or no lengths.
    """
    total: Any = as_leaf(total_steps, NONNEGATIVE, "total_steps")
    left = total
    for name, steps in phases.items():
        phase = as_leaf(steps, NONNEGATIVE, name)
        if known(total, phase) and 0 < phase < 1 < total:
            raise refusal(ValueError, f"`{name}`", A_LENGTH, steps)
        left = left - phase
    # Phases that fill the whole may be longer by a rounding.
    rounding = 4 * len(phases) * float(np.finfo(jnp.result_type(float)).eps)
    rounding = 1e-12 if known(left) else rounding
    if is_concrete(left) and np.any(np.asarray(left) < -rounding * np.asarray(total)):
        taken = " + ".join(phases)
        given = ", ".join(f"{name}={steps!r}" for name, steps in phases.items())
        raise ValueError(
            f"`total_steps` must be at least {taken}, got {total_steps!r} and {given}."
        )
    return at_least(0.0, left)


def split(total_steps: Scalar, **fraction: Scalar) -> tuple[Scalar, Scalar]:
    """Splits `total_steps` into the named fraction of it, and what that leaves.

    Raises:
        ValueError: If `total_steps` is no length, or the fraction not from 0 to 1.
    """
    total = as_leaf(total_steps, NONNEGATIVE, "total_steps")
    ((name, part),) = fraction.items()
    steps = total * as_leaf(part, FRACTION, name)
    return steps, total - steps


def decaying(peak: Scalar, **ends: Scalar | None) -> None:
    """Checks that no end of a decay is above its peak: it may be meant as a ratio.

    Raises:
        ValueError: If one is.
    """
    for name, end in ends.items():
        if known(peak, end) and 0 < peak < end:  # type: ignore[operator]
            allowed = f"a rate, at most {peak!r}; of a ratio, `{name} * peak` makes one"
            raise refusal(ValueError, f"`{name}`", allowed, end)


def divisor(given: Scalar, name: str) -> Scalar:
    """Returns a number to divide by: if it is traced and not positive, 1.

    Raises:
        ValueError: If it is known, and not positive.
    """
    safe: Scalar = positive(as_leaf(given, POSITIVE, name))
    return safe
