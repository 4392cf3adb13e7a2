"""Sweeps: one short training in which the rate rises with every update.

A sweep is a function of the state that it starts from, so there is nothing to put
back afterwards. It ends where the loss has become many times the lowest so far, or
is not finite; what was seen until then is kept, and the rest is NaN.
"""

import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import keystr, tree_flatten_with_path

from ...domain import NONNEGATIVE, POSITIVE, Domain
from ...errors import echoes, named
from ...hyperparameters import as_leaf, is_concrete
from ...leaves import exponential, linear
from ...schedule import Schedule
from ...types import Scalar
from .update import Limits, StepFn, Sweep, advance, begin, limits_of


__all__ = ["RangeTest", "range_test", "range_test_stream"]


Spacing = Literal["exponential", "linear"]

SPACINGS: Mapping[str, tuple[Callable[..., Schedule], Domain]] = {
    "exponential": (exponential, POSITIVE),
    "linear": (linear, NONNEGATIVE),
}


class RangeTest(NamedTuple):
    """What a sweep saw at each rate; of several sweeps, with leading axes.

    Attributes:
        rates: The rate of each update, of shape `[steps]`.
        losses: The losses as they were, `[steps]`; NaN once the sweep had ended.
        smoothed: Their moving average, `[steps]`; NaN once the sweep had ended.
        diverged_at: The update whose loss showed that training had diverged, which
            is the last one that was made; or `steps` if none did.
    """

    rates: jax.Array
    losses: jax.Array
    smoothed: jax.Array
    diverged_at: jax.Array


@echoes
def range_test(
    step_fn: StepFn,
    state: Any,
    batches: Any = None,
    *,
    start: Scalar = 1e-7,
    end: Scalar = 10.0,
    steps: int = 100,
    smoothing: Scalar = 0.98,
    diverged: Scalar = 4.0,
    spacing: Spacing = "exponential",
) -> RangeTest:
    """Trains while the rate rises from one end to the other, and records the loss.

    All of it is one compiled program, the same one for other numbers. Under
    `jax.vmap`, over states or batches, it gives a band.

    Args:
        step_fn: One update, `step_fn(state, batch, rate) -> (state, loss)`: a pure
            function that JAX can trace.
        state: Parameters, optimizer state, random keys: whatever `step_fn` needs. It
            stays as it is.
        batches: A tree of arrays whose leading axis counts the batches, at least
            `steps` of them; or `None`, if `step_fn` needs none.
        start: The rate of the first update, positive; may be 0 with linear spacing.
        end: The rate of the last update, more than `start`.
        steps: How many updates, at least 2; it cannot be traced.
        smoothing: How much of the average loss each update keeps, less than 1; with 0
            there is no smoothing. The average has no bias towards its start.
        diverged: How many times the lowest average so far is too much, more than 1;
            with `inf` only a loss that is not finite ends the sweep.
        spacing: Whether rates rise by the same factor ("exponential") or by the same
            amount ("linear").

    Returns:
        The curve: see `suggestions` and `plotting.plot_range_test`.

    Raises:
        TypeError: If `step_fn` returns anything but a state like the one it got, and a
            scalar.
        ValueError: If there are too few batches, or a number is not as said above.

    Example:
        >>> from jaxsched.training import range_test
        >>> def descend(x, batch, rate):  # on x**2 / 2: stable at rates below 2
        ...     return x - rate * x, x**2 / 2
        >>> seen = range_test(descend, 1.0, start=1.2, steps=50, smoothing=0)
        >>> round(float(seen.rates[seen.diverged_at]), 2)
        2.5

    Source:
        Smith, 2017, *Cyclical Learning Rates*, section 3.3,
        https://arxiv.org/abs/1506.01186.
    """
    limits = limits_of(smoothing, diverged)
    rates = _rates(start, end, steps, spacing)
    for path, leaf in tree_flatten_with_path(batches)[0]:
        _require_batches(len(rates), np.shape(leaf)[:1], f"`batches{keystr(path)}`")
    used = jax.tree.map(lambda leaf: leaf[: len(rates)], batches)
    result: RangeTest = _scan(step_fn, state, used, rates, limits)
    return result


@echoes
def range_test_stream(
    step_fn: StepFn,
    state: Any,
    batches: Iterable[Any],
    *,
    start: Scalar = 1e-7,
    end: Scalar = 10.0,
    steps: int = 100,
    smoothing: Scalar = 0.98,
    diverged: Scalar = 4.0,
    spacing: Spacing = "exponential",
) -> RangeTest:
    """Does what `range_test` does, with batches that come one at a time.

    Every update is a call of the same compiled program, and no batch is read once the
    sweep has ended.

    Args:
        step_fn: One update, `step_fn(state, batch, rate) -> (state, loss)`.
        state: Whatever `step_fn` needs. It stays as it is.
        batches: At least `steps` trees of arrays, of the same shapes.
        start: The rate of the first update.
        end: The rate of the last update.
        steps: How many updates.
        smoothing: How much of the average loss each update keeps.
        diverged: How many times the lowest average so far is too much.
        spacing: "exponential" or "linear".

    Returns:
        The same curve.

    Raises:
        TypeError: As `range_test` does.
        ValueError: As `range_test` does.

    Example:
        >>> import itertools
        >>> from jaxsched.training import range_test_stream
        >>> def descend(x, target, rate):
        ...     return x - rate * (x - target), (x - target) ** 2 / 2
        >>> targets = itertools.cycle([0.9, 1.1])
        >>> range_test_stream(descend, 0.0, targets, steps=50).losses.shape
        (50,)
    """
    limits = limits_of(smoothing, diverged)
    rates = _rates(start, end, steps, spacing)
    if isinstance(batches, Sized):
        _require_batches(len(rates), (len(batches),), "`batches`")
    sweep, seen = begin(state), []
    for rate, batch in zip(np.asarray(rates), batches, strict=False):
        sweep, new = _update(step_fn, sweep, batch, rate, limits)
        seen.append(new)
        if sweep.stopped:
            break
    else:
        _require_batches(len(rates), (len(seen),), "`batches`")
    curves = np.full((2, len(rates)), np.nan, rates.dtype)
    curves[:, : len(seen)] = np.transpose(jax.device_get(seen))
    losses, smoothed = jnp.asarray(curves)
    diverged_at = len(seen) - 1 if sweep.stopped else len(seen)
    return RangeTest(rates, losses, smoothed, jnp.asarray(diverged_at))


@functools.partial(jax.jit, static_argnames="step_fn")
def _scan(
    step_fn: StepFn, state: Any, batches: Any, rates: jax.Array, limits: Limits
) -> RangeTest:
    def update(sweep: Sweep, given: tuple[jax.Array, Any]) -> tuple[Sweep, Any]:
        rate, batch = given
        sweep, losses = advance(step_fn, sweep, batch, rate, limits)
        return sweep, (*losses, ~sweep.stopped)

    _, (losses, smoothed, goes_on) = lax.scan(update, begin(state), (rates, batches))
    return RangeTest(rates, losses, smoothed, diverged_at=goes_on.sum())


_update = jax.jit(advance, static_argnames="step_fn")


def _rates(start: Scalar, end: Scalar, steps: int, spacing: Spacing) -> jax.Array:
    """Returns the rate of every update."""
    schedule, domain = named("spacing", spacing, SPACINGS)
    low, high = as_leaf(start, domain, "start"), as_leaf(end, POSITIVE, "end")
    if is_concrete(low) and is_concrete(high) and np.any(low >= high):
        raise ValueError(f"`end` must be more than `start`, got {end!r} and {start!r}.")
    try:
        count = operator.index(steps)
    except TypeError:
        raise TypeError(
            f"`steps` must be a whole number, and not traced, got {steps!r}."
        ) from None
    if count < 2:
        raise ValueError(f"`steps` must be at least 2, got {steps!r}.")
    return schedule(low, high, count - 1)(np.arange(count))


def _require_batches(needed: int, there: tuple[int, ...], name: str) -> None:
    """Checks that there is one batch for every update, given the leading axis."""
    if not there or there[0] < needed:
        has = f"has {there[0]}" if there else "has no leading axis"
        raise ValueError(
            f"{needed} steps need {needed} batches, but {name} {has}: "
            "repeat them, or take fewer `steps`."
        )
