"""Tasks: what is trained, whole or in steps."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import jax


Metrics: TypeAlias = dict[str, Any]
"""Numbers, arrays or trees of arrays, by name."""

Train: TypeAlias = Callable[..., Metrics]
"""From a config and a random key, and data if there are any, to metrics."""


class Trainable(Protocol):
    """What the engine trains: `Task`, or anything with these attributes."""

    @property
    def steps(self) -> int:
        """The number of calls of `step`."""
        ...

    @property
    def init(self) -> Callable[..., Any]:
        """From a config and a random key to the state before the first step."""
        ...

    @property
    def step(self) -> Callable[..., tuple[Any, Metrics]]:
        """From a config, a state and the number of the step to the next state."""
        ...

    @property
    def evaluate(self) -> Callable[..., Metrics]:
        """From a config and a state to metrics."""
        ...


@dataclasses.dataclass(frozen=True)
class Task:
    """A training in steps, which can be watched, pruned and resumed in the middle.

    All its functions are pure, and traced by JAX. `config` is one point of the space: a
    real schedule, so `optax.adamw(config)` works, or with `space(lr=...)` an object
    with attributes, as in `optax.adamw(config.lr)`.

    The state is any pytree. Objects in it that are no arrays, such as the optimizer of
    a `TrainState` or the functions of an Equinox model, are made again where needed.

    Attributes:
        init: `init(config, key)` returns the state before the first step.
        step: `step(config, state, t)` returns the next state and scalars to watch, by
            name; `t` is the number of the step, `i32[]`. Their means over a segment are
            reported; one with the name of a metric of `evaluate` as `step.loss`, say. A
            trial whose `loss` is not finite has diverged, and is not trained any
            further.
        evaluate: `evaluate(config, state)` returns metrics, by name: numbers, arrays,
            or trees of arrays, such as weights.
        steps: The number of steps.
        data: A pytree of arrays, of NumPy, JAX or memory-mapped, for all trials. Each
            function that has one more argument gets it, as the last one. A part that is
            a `search.stream` is the batch of the step in `step`, and `None` elsewhere.

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

    init: Callable[..., Any]
    step: Callable[..., tuple[Any, Metrics]]
    evaluate: Callable[..., Metrics]
    steps: int
    # A program does not depend on the numbers in it.
    data: Any = dataclasses.field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"`Task.steps` must be 0 or more, got {self.steps}.")


@dataclasses.dataclass(frozen=True)
class Whole:
    """A training that is done at once: all of it happens in `init`."""

    train: Train
    steps: int = 0

    @property
    def init(self) -> Train:
        return self.train

    @staticmethod
    def step(config: Any, state: Metrics, t: jax.Array) -> tuple[Metrics, Metrics]:
        del config, t
        return state, {}

    @staticmethod
    def evaluate(config: Any, state: Metrics) -> Metrics:
        del config
        return state


def as_task(given: Trainable | Train) -> Trainable:
    """Returns a task unchanged, and a function `train` as a task of one piece.

    Raises:
        TypeError: If `given` is neither.
    """
    if is_task(given):
        return given  # type: ignore[return-value]
    if callable(given):
        return Whole(given)
    raise TypeError(
        f"Expected a function `train(config, key)` or a `search.Task`, got {given!r}."
    )


def is_task(given: Any) -> bool:
    """Tells whether something is a training in steps: a `Task`, or looks like one."""
    return all(hasattr(given, name) for name in ("init", "step", "evaluate", "steps"))


def takes(function: Callable[..., Any], count: int) -> bool:
    """Tells whether a function takes so many positional arguments.

    Example:
        >>> takes(lambda config, key: None, 3)
        False
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
