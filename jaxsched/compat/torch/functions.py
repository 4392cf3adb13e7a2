"""Schedulers by a function of the step."""

import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import jax

from ...leaves import custom, table
from ...numerics import as_float
from ...schedule import Schedule
from ...types import Scalar
from .names import NoFactor, scheduler


__all__ = ["LambdaLR", "MultiplicativeLR"]


@scheduler
def LambdaLR(
    base_lr: Scalar,
    lr_lambda: Callable[[Any], Any],
    *,
    total_steps: int | None = None,
) -> Schedule:
    """Multiplies the rate by a function of the step.

    Args:
        base_lr: The learning rate of the optimizer.
        lr_lambda: The function. JAX must be able to trace it (`jnp.where` for `if`,
            `jnp.floor(x)` for `int(x)`), unless there is a horizon.
        total_steps: The horizon, which PyTorch does not ask for: if it is given, any
            Python function will do, which is called at each step until then, at once.

    Returns:
        A schedule without end, or the table of `total_steps + 1` rates.

    Raises:
        TypeError: If the function cannot be traced, and there is no horizon.

    Example:
        >>> from jaxsched.compat.torch import LambdaLR
        >>> lr = LambdaLR(1.0, lambda epoch: 0.5**epoch)
        >>> [float(lr(epoch)) for epoch in range(3)]
        [1.0, 0.5, 0.25]
        >>> lr = LambdaLR(1.0, lambda epoch: 1.0 if epoch < 2 else 0.1, total_steps=10)
        >>> [round(float(lr(epoch)), 1) for epoch in range(4)]
        [1.0, 1.0, 0.1, 0.1]
    """
    if total_steps is not None:
        rates = [base_lr * lr_lambda(step) for step in range(total_steps + 1)]
        return NoFactor(table(rates), "LambdaLR")
    try:
        jax.eval_shape(lambda step: lr_lambda(as_float(step)), 0)
    except jax.errors.JAXTypeError as error:
        raise TypeError(
            f"JAX cannot trace {lr_lambda!r}: write it with `jnp.where` instead of "
            "`if`, or give `total_steps`, and it is called at each of them now."
        ) from error
    return NoFactor(base_lr * custom(lr_lambda), "LambdaLR")


@scheduler
def MultiplicativeLR(
    base_lr: Scalar, lr_lambda: Callable[[int], Any], *, total_steps: int
) -> Schedule:
    """Multiplies the rate with each step by a function of it.

    Args:
        base_lr: The learning rate of the optimizer, at step 0.
        lr_lambda: The function, called as `lr_lambda(step)` from step 1 on: any that
            returns a number.
        total_steps: The horizon, which PyTorch does not ask for: a product of any
            factors has no formula, so that all are computed now.

    Returns:
        The table of `total_steps + 1` rates.

    Raises:
        TypeError: If there is no horizon.

    Example:
        >>> from jaxsched.compat.torch import MultiplicativeLR
        >>> lr = MultiplicativeLR(1.0, lambda epoch: 0.5, total_steps=100)
        >>> [float(lr(epoch)) for epoch in range(4)]
        [1.0, 0.5, 0.25, 0.125]
    """
    factors = map(lr_lambda, range(1, total_steps + 1))
    rates: Iterator[Scalar] = itertools.accumulate(
        factors, operator.mul, initial=base_lr
    )
    return table([*rates])
