"""Hypergradients: how what comes out of a run depends on what it was run with.

Reverse mode takes the time of a few runs, for any number of leaves, and remembers
every step; forward mode takes the time of a run for each number, and remembers none.
Where the steps are ours to scan over, reverse mode can remember every so many only,
and compute those in between once more.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from ..task import Metrics, Train, is_task


Leaves: TypeAlias = tuple[jax.Array, ...]

FEW = 8
"""Up to how many numbers forward mode is the better choice."""

DERIVATIVES: Mapping[str, Callable[[int], bool]] = {
    "auto": lambda count: count > FEW,
    "forward": lambda count: False,
    "reverse": lambda count: True,
}
"""By name, whether to use reverse mode for some count of numbers."""


def hypergradient(
    score: Callable[[Leaves], jax.Array], leaves: Leaves, *, reverse: bool
) -> tuple[jax.Array, Leaves]:
    """Returns the score of some leaves, and its derivatives by them."""
    if reverse:
        value, gradient = jax.value_and_grad(score)(leaves)
        return value, gradient
    flat, unravel = ravel_pytree(leaves)

    def score_twice(flat: jax.Array) -> tuple[jax.Array, jax.Array]:
        value = score(unravel(flat))
        return value, value

    slopes, value = jax.jacfwd(score_twice, has_aux=True)(flat)
    return value, unravel(slopes)


@dataclasses.dataclass(frozen=True)
class Segmented:
    """A task as a function, of which reverse mode remembers the state at segments."""

    task: Any
    segment: int

    def __call__(self, config: Any, key: jax.Array) -> Metrics:
        """Trains once, and returns what the task says of the last state."""
        task, segment = self.task, self.segment

        def step(state: Any, t: jax.Array) -> tuple[Any, None]:
            state, _ = task.step(config, state, t)
            return state, None

        # A scan keeps apart what is computed twice; nothing else has to.
        @functools.partial(jax.checkpoint, prevent_cse=False)
        def steps(state: Any, times: jax.Array) -> tuple[Any, None]:
            return jax.lax.scan(step, state, times)

        segments, rest = divmod(task.steps, segment)
        times, last = jnp.split(jnp.arange(task.steps), [segments * segment])
        state = task.init(config, key)
        state, _ = jax.lax.scan(steps, state, times.reshape(segments, segment))
        if rest:
            state, _ = steps(state, last)
        metrics: Metrics = task.evaluate(config, state)
        return metrics


def as_train(task: Any, *, segment: int | None = None) -> Train:
    """Makes of a task a function whose gradients take little memory.

    Reverse mode through a plain scan keeps what every step computed. This keeps the
    state of every `segment`-th step, and what the steps of one segment computed; for
    that it computes all steps once more.

    Args:
        task: What has `init(config, key)`, `step(config, state, t)` returning a state
            and metrics, `evaluate(config, state)` and `steps`.
        segment: How many steps a segment has; the square root of all unless given,
            which takes the least memory.

    Returns:
        A function `train(config, key)` that returns the metrics of `evaluate`. Of
        equal tasks, those are equal, and compile once.

    Raises:
        TypeError: If `task` is none.
        ValueError: If `segment` is less than 1.

    Example:
        >>> from collections import namedtuple
        >>> import jax
        >>> from jaxsched import constant
        >>> task = namedtuple("Task", ["init", "step", "evaluate", "steps"])(
        ...     init=lambda schedule, key: 1.0,
        ...     step=lambda schedule, x, t: (x - schedule(t) * x, {}),
        ...     evaluate=lambda schedule, x: {"validation": x},
        ...     steps=10,
        ... )
        >>> train = as_train(task, segment=3)
        >>> round(float(train(constant(0.5), jax.random.key(0))["validation"]), 4)
        0.001

    Source:
        Chen et al., 2016, *Training Deep Nets with Sublinear Memory Cost*,
        https://arxiv.org/abs/1604.06174.
    """
    if not is_task(task):
        raise TypeError(
            f"A task must have `init`, `step`, `evaluate` and `steps`, got {task!r}."
        )
    segment = max(math.isqrt(task.steps), 1) if segment is None else segment
    if segment < 1:
        raise ValueError(f"`segment` must be at least 1, got {segment!r}.")
    return Segmented(task, segment)
