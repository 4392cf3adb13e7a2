"""The schedule as part of the optimizer's state: batched and saved with it."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ..errors import echoes, misfit_of
from ..schedule import Schedule, ScheduleLike, as_schedule
from ..tree import as_arrays
from ..types import Scalar


__all__ = ["InjectState", "Scheduled", "inject", "scale_by_schedule"]


class Scheduled(NamedTuple):
    """A schedule, where it is at, and the value that it had in the last update.

    It is the whole state of `scale_by_schedule`, and one for each hyperparameter in
    that of `inject`.
    """

    step: jax.Array
    schedule: Schedule
    scale: jax.Array
    value: jax.Array

    @classmethod
    def start(cls, schedule: Schedule) -> "Scheduled":
        """Returns it before the first update, when no value has been applied: 0."""
        zero = jnp.zeros((), float)
        return cls(jnp.zeros((), jnp.int32), as_arrays(schedule), zero + 1, zero)

    def upcoming(self) -> jax.Array:
        """Returns the value that the next update has."""
        return self.schedule(self.step) * self.scale

    def advance(self) -> "Scheduled":
        """Returns it after the next update."""
        step = optax.safe_increment(self.step)
        return self._replace(step=step, value=self.upcoming())


class InjectState(NamedTuple):
    """The state of `inject`: each scheduled hyperparameter, and the optimizer's own."""

    scheduled: dict[str, Scheduled]
    inner_state: Any


@echoes
def scale_by_schedule(
    schedule: ScheduleLike, *, flip_sign: bool = False
) -> optax.GradientTransformation:
    """Multiplies updates by a schedule that is kept in the state.

    Like `optax.scale_by_schedule`, but a batch of schedules is a batch of states, a
    checkpoint holds the schedule, and a running job may get another one.

    Args:
        schedule: A schedule, or a number.
        flip_sign: Whether to multiply by its negative, as a learning rate does.

    Returns:
        An Optax transformation whose state is a `Scheduled`. Updates keep their dtypes.

    Example:
        >>> import jax.numpy as jnp
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> optimizer = training.scale_by_schedule(js.linear(1.0, 0.0, 4))
        >>> state = optimizer.init(jnp.zeros(2))
        >>> for _ in range(2):
        ...     updates, state = optimizer.update(jnp.ones(2), state)
        >>> updates.tolist()
        [0.75, 0.75]
    """
    first = as_schedule(schedule)
    sign = -1.0 if flip_sign else 1.0

    def init(params: Any) -> Any:
        return Scheduled.start(first)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        after = state.advance()
        scaled = jax.tree.map(
            lambda u: u * (sign * after.value).astype(u.dtype), updates
        )
        return scaled, after

    return optax.GradientTransformation(init, update)


@echoes
def inject(
    factory: Callable[..., optax.GradientTransformation],
) -> Callable[..., optax.GradientTransformationExtraArgs]:
    """Makes an optimizer whose scheduled hyperparameters are kept in its state.

    Only what is given as a schedule is scheduled: any number of hyperparameters, each
    with its own schedule. A number stays what it is; `js.constant(number)` can be
    changed later. The state has the same structure for all numbers of a schedule.

    Args:
        factory: Makes an optimizer, like `optax.adamw`, of hyperparameters that may be
            traced.

    Returns:
        A function of the same arguments, which returns an Optax transformation with an
        `InjectState`. Hyperparameters are of the default float type whatever that of
        the parameters is, and the dtypes of updates and of states stay as they are.

    Raises:
        TypeError: If an argument is none of the factory's.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> rate, momentum = js.one_cycle(0.1, total_steps=100)
        >>> optimizer = training.inject(optax.sgd)(rate, momentum=momentum)
        >>> state = optimizer.init(jnp.ones(2))
        >>> updates, state = optimizer.update(jnp.ones(2), state, jnp.ones(2))
        >>> {name: round(float(x), 3) for name, x in training.applied(state).items()}
        {'learning_rate': 0.004, 'momentum': 0.95}
    """

    @functools.wraps(factory)
    def make(*args: Any, **kwargs: Any) -> optax.GradientTransformationExtraArgs:
        misfit = misfit_of(factory, args, kwargs)
        if misfit:
            raise TypeError(misfit)
        given = inspect.signature(factory).bind(*args, **kwargs).arguments
        schedules = {k: v for k, v in given.items() if isinstance(v, Schedule)}
        fixed = {k: v for k, v in given.items() if k not in schedules}

        def optimizer(
            values: Mapping[str, Scalar],
        ) -> optax.GradientTransformationExtraArgs:
            return optax.with_extra_args_support(factory(**fixed, **values))

        def init(params: Any) -> Any:
            scheduled = {k: Scheduled.start(v) for k, v in schedules.items()}
            values = {k: v.upcoming() for k, v in scheduled.items()}
            return InjectState(scheduled, optimizer(values).init(params))

        def update(
            updates: Any,
            state: Any,
            params: Any = None,
            **extra: Any,
        ) -> tuple[Any, Any]:
            scheduled = {k: v.advance() for k, v in state.scheduled.items()}
            values = {k: v.value for k, v in scheduled.items()}
            changed, inner_state = optimizer(values).update(
                updates, state.inner_state, params, **extra
            )
            return _as_before(changed, updates), InjectState(
                scheduled, _as_before(inner_state, state.inner_state)
            )

        return optax.GradientTransformationExtraArgs(init, update)

    return make


def _as_before(new: Any, old: Any) -> Any:
    """Casts leaves to what they were: float32 hyperparameters promote others."""
    return jax.tree.map(lambda n, o: n.astype(o.dtype), new, old)
