"""The schedule as part of the optimizer's state: batched and saved with it."""

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ..errors import echoes, misfit_of
from ..schedule import Schedule, ScheduleLike, as_schedule
from ..serialization import LABEL_SIZE, label, register_with_flax
from ..tree import as_arrays
from ..types import Scalar


__all__ = ["InjectState", "Scheduled", "inject", "scale_by_schedule"]


class Scheduled(NamedTuple):
    """A schedule, where it is at, and the value that it had in the last update.

    It is the whole state of `scale_by_schedule`, and one for each hyperparameter in
    that of `inject`.
    """

    # Optax finds and replaces by name what is in a state: its own names, like `step`,
    # `scale` and `value`, must not be here.
    position: jax.Array
    """How many updates came before the next one."""
    schedule: Schedule
    """The schedule, with arrays of its own for leaves, which may be donated."""
    label: jax.Array
    """What kind of schedule it is, in 64 bytes: checkpoints keep only its numbers."""
    multiplier: jax.Array
    """What its values are multiplied by."""
    applied: jax.Array
    """What the last update had."""

    @classmethod
    def start(cls, schedule: Schedule) -> "Scheduled":
        """Returns it before the first update, when no value has been applied: 0."""
        register_with_flax()
        return cls(
            position=jnp.zeros((), jnp.int32),
            schedule=as_arrays(schedule),
            label=jnp.array(label(schedule)),
            multiplier=jnp.ones((), float),
            applied=jnp.zeros((), float),
        )

    def upcoming(self) -> jax.Array:
        """Returns the value that the next update has; of a batch, one for each."""
        return self.ahead(0)

    def ahead(self, updates: ArrayLike) -> jax.Array:
        """Returns the values after so many more updates; of a batch, those of each."""
        if self.position.ndim:
            return jax.vmap(Scheduled.ahead, (0, None))(self, updates)
        return self.schedule(self.position + updates) * self.multiplier

    def following(self, schedule: Schedule) -> "Scheduled":
        """Returns it with another schedule, at the same step."""
        batch = self.position.shape
        kind = jnp.broadcast_to(label(schedule), (*batch, LABEL_SIZE))
        return self._replace(schedule=schedule, label=jnp.array(kind))

    def advance(self) -> "Scheduled":
        """Returns it after the next update."""
        position = optax.safe_increment(self.position)
        return self._replace(position=position, applied=self.upcoming())


class Hyperparameters(dict[str, jax.Array]):
    """What `InjectState.hyperparams` returns: a copy, so writing to it is refused."""

    def __setitem__(self, name: str, value: Any) -> None:
        raise TypeError(
            f"{name!r} follows a schedule: `training.set_schedule` gives the state "
            "another one, or a number, and `training.set_scale` a factor."
        )


class InjectState(NamedTuple):
    """The state of `inject`: each scheduled hyperparameter, and the optimizer's own."""

    scheduled: dict[str, Scheduled]
    inner_state: Any

    @property
    def hyperparams(self) -> Hyperparameters:
        """The values that the last update had, where Optax has them, to be read."""
        return Hyperparameters({k: v.applied for k, v in self.scheduled.items()})


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
            lambda u: u * (sign * after.applied).astype(u.dtype), updates
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
    `state.hyperparams` has the values of the last update, as that of
    `optax.inject_hyperparams` has.

    Args:
        factory: Makes an optimizer, like `optax.adamw`, of hyperparameters that may be
            traced.

    Returns:
        A function of the same arguments, which returns an Optax transformation with an
        `InjectState`. Hyperparameters are of the default float type whatever that of
        the parameters is, and the dtypes of updates and of states stay as they are.

    Raises:
        TypeError: If `factory` is an optimizer, an argument is none of the factory's,
            or a plain function is given where a schedule belongs.

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
    if not callable(factory):
        raise TypeError(
            "`inject` needs what makes an optimizer, as in `inject(optax.adam)(lr)`, "
            f"got {factory!r}."
        )
    signature = inspect.signature(factory)

    @functools.wraps(factory)
    def make(*args: Any, **kwargs: Any) -> optax.GradientTransformationExtraArgs:
        misfit = misfit_of(factory, args, kwargs)
        if misfit:
            raise TypeError(misfit)
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            if callable(value) and _takes_schedule(signature.parameters[name]):
                as_schedule(value)
        positional = _positional(bound)
        schedules = {
            k: v
            for k, v in [*positional, *bound.kwargs.items()]
            if isinstance(v, Schedule)
        }

        def optimizer(
            values: Mapping[str, Scalar],
        ) -> optax.GradientTransformationExtraArgs:
            each = [values.get(name, value) for name, value in positional]
            named = {k: values.get(k, v) for k, v in bound.kwargs.items()}
            return optax.with_extra_args_support(factory(*each, **named))

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
            for name, each in state.scheduled.items():
                if not isinstance(each, Scheduled):
                    raise TypeError(
                        f"The state has {each!r} in place of the schedule of {name!r}: "
                        "`training.set_schedule(state, rate)` sets a rate."
                    )
            scheduled = {k: v.advance() for k, v in state.scheduled.items()}
            values = {k: v.applied for k, v in scheduled.items()}
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
    return jax.tree.map(
        lambda n, o: n if n.dtype == o.dtype else n.astype(o.dtype), new, old
    )


def _takes_schedule(parameter: inspect.Parameter) -> bool:
    kinds = typing.get_args(parameter.annotation)
    return parameter.name == "learning_rate" or optax.Schedule in kinds


def _positional(bound: inspect.BoundArguments) -> list[tuple[str, Any]]:
    """Returns the arguments that are passed by position, with a name for each."""
    parameters = bound.signature.parameters.values()
    names = [p.name for p in parameters if p.kind <= p.POSITIONAL_OR_KEYWORD]
    more = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "")
    names += [f"{more}[{i}]" for i in range(len(bound.args) - len(names))]
    return list(zip(names, bound.args, strict=False))
