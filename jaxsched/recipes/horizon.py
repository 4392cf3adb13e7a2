"""The horizon of a recipe, and what its phases leave of it."""

import numpy as np

from ..domain import FRACTION, NONNEGATIVE
from ..hyperparameters import as_leaf, is_concrete
from ..types import Scalar


def rest(total_steps: Scalar, **phases: Scalar) -> Scalar:
    """Returns how many of `total_steps` the named `phases` leave.

    Raises:
        ValueError: If they are longer than the whole, or no lengths.
    """
    left: Scalar = as_leaf(total_steps, NONNEGATIVE, "total_steps")
    for name, steps in phases.items():
        left = left - as_leaf(steps, NONNEGATIVE, name)
    if is_concrete(left) and np.any(np.asarray(left) < 0):
        taken = " + ".join(phases)
        given = ", ".join(f"{name}={steps!r}" for name, steps in phases.items())
        raise ValueError(
            f"`total_steps` must be at least {taken}, got {total_steps!r} and {given}."
        )
    return left


def split(total_steps: Scalar, **fraction: Scalar) -> tuple[Scalar, Scalar]:
    """Splits `total_steps` into the named fraction of it, and what that leaves.

    Raises:
        ValueError: If `total_steps` is no length, or the fraction not from 0 to 1.
    """
    total = as_leaf(total_steps, NONNEGATIVE, "total_steps")
    ((name, part),) = fraction.items()
    steps = total * as_leaf(part, FRACTION, name)
    return steps, total - steps
