"""Tasks: what is trained, whole or in pieces."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import jax


Metrics: TypeAlias = dict[str, Any]
"""Scalars, and at the end arrays of any shape, by name."""

Train: TypeAlias = Callable[[Any, jax.Array], Metrics]
"""From a config and a random key to metrics: pure, for JAX to trace."""


class Trainable(Protocol):
    """What the engine trains: `Task`, or anything that looks like one."""

    @property
    def steps(self) -> int:
        """How many times `step` is called."""
        ...

    def init(self, config: Any, key: jax.Array, /) -> Any:
        """Returns the state before the first step: any pytree of arrays."""

    def step(self, config: Any, state: Any, t: jax.Array, /) -> tuple[Any, Metrics]:
        """Returns the state after step `t`, of shape `i32[]`, and scalars to watch."""
        ...

    def evaluate(self, config: Any, state: Any, /) -> Metrics:
        """Returns what to rank by, and what else there is to keep."""
        ...


@dataclasses.dataclass(frozen=True)
class Task:
    """A training in steps, which can be watched, pruned and resumed in the middle.

    All of them are pure functions for JAX to trace. `config` is one point of the
    space: a real schedule, so `optax.adamw(config)` works, or with `space(lr=...)`
    something with attributes, as in `optax.adamw(config.lr)`.

    Attributes:
        init: From `config` and a random key to the state before the first step.
        step: From `config`, the state and the number of the step, `i32[]`, to the
            next state and scalars to watch, by name. A trial whose `loss` is not finite
            has diverged, and is not trained any further.
        evaluate: From `config` and a state to metrics, by name.
        steps: How many steps there are.

    Example:
        >>> import jax
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> task = search.Task(
        ...     init=lambda schedule, key: jax.random.uniform(key, minval=1, maxval=2),
        ...     step=lambda schedule, x, t: (x - schedule(t) * x, {"loss": x**2 / 2}),
        ...     evaluate=lambda schedule, x: {"validation": x**2 / 2},
        ...     steps=10,
        ... )
        >>> space = js.linear(search.choice([0.1, 0.9]), 0.0, steps=10)
        >>> search.run(task, space, key=jax.random.key(0)).best().code
        'linear(0.9, 0.0, steps=10)'
    """

    init: Callable[[Any, jax.Array], Any]
    step: Callable[[Any, Any, jax.Array], tuple[Any, Metrics]]
    evaluate: Callable[[Any, Any], Metrics]
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"`Task.steps` must be 0 or more, got {self.steps}.")


@dataclasses.dataclass(frozen=True)
class Whole:
    """A training that is done at once: all of it happens before a first step."""

    train: Train
    steps: int = 0

    def init(self, config: Any, key: jax.Array) -> Metrics:
        return self.train(config, key)

    def step(
        self, config: Any, state: Metrics, t: jax.Array
    ) -> tuple[Metrics, Metrics]:
        del config, t
        return state, {}

    def evaluate(self, config: Any, state: Metrics) -> Metrics:
        del config
        return state


def as_task(given: Trainable | Train) -> Trainable:
    """Returns a task unchanged, and a function `train` as a task of one piece.

    Raises:
        TypeError: If `given` is neither.
    """
    if all(hasattr(given, name) for name in ("init", "step", "evaluate", "steps")):
        return given  # type: ignore[return-value]
    if callable(given):
        return Whole(given)
    raise TypeError(
        f"Expected a function `train(config, key)` or a `search.Task`, got {given!r}."
    )
