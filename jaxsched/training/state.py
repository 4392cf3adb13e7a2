"""The schedule as part of the optimizer's state: read, changed and saved with it."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import DictKey, keystr, tree_flatten_with_path

from ..domain import REAL
from ..errors import echoes, misfit_of, named
from ..hyperparameters import as_leaf
from ..schedule import Schedule, ScheduleLike, as_schedule
from ..tree import as_arrays
from ..types import Scalar


__all__ = [
    "InjectState",
    "Scheduled",
    "applied",
    "inject",
    "scale_by_schedule",
    "set_scale",
    "set_schedule",
    "set_step",
    "upcoming",
]


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


State: TypeAlias = Any
"""The state of any Optax transformation, with a `Scheduled` somewhere in it."""


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

    def init(params: optax.Params) -> Scheduled:
        return Scheduled.start(first)

    def update(
        updates: optax.Updates, state: Scheduled, params: optax.Params | None = None
    ) -> tuple[optax.Updates, Scheduled]:
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

        def init(params: optax.Params) -> InjectState:
            scheduled = {k: Scheduled.start(v) for k, v in schedules.items()}
            values = {k: v.upcoming() for k, v in scheduled.items()}
            return InjectState(scheduled, optimizer(values).init(params))

        def update(
            updates: optax.Updates,
            state: InjectState,
            params: optax.Params | None = None,
            **extra: Any,
        ) -> tuple[optax.Updates, InjectState]:
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


def applied(state: State, schedule: ScheduleLike | None = None) -> dict[str, jax.Array]:
    """Returns the values that the last update had, of all that is scheduled.

    Args:
        state: The state of an optimizer after the update, in any nest of Optax's
            wrappers; traced or not.
        schedule: The one that was given to an optimizer of Optax itself, which keeps
            only the step: `applied(state, lr)` after `optax.adam(lr)`.

    Returns:
        The values, by the names of the hyperparameters; by their paths in the state, if
        one is there twice. Before the first update they are 0.

    Raises:
        ValueError: If nothing in the state is scheduled.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> optimizer = optax.chain(
        ...     optax.clip(1.0), training.inject(optax.sgd)(js.linear(1.0, 0.0, 4)))
        >>> state = optimizer.init(jnp.ones(2))
        >>> _, state = optimizer.update(jnp.ones(2), state)
        >>> float(training.applied(state)["learning_rate"])
        1.0
        >>> float(training.upcoming(state)["learning_rate"])
        0.75
    """
    return {name: each.value for name, each in _found(state, schedule).items()}


def upcoming(
    state: State, schedule: ScheduleLike | None = None
) -> dict[str, jax.Array]:
    """Returns the values that the next update will have, of all that is scheduled.

    Args:
        state: The state of an optimizer, as for `applied`.
        schedule: The one that was given to an optimizer of Optax itself.

    Returns:
        The values, by the same names.

    Raises:
        ValueError: If nothing in the state is scheduled.
    """
    return {name: each.upcoming() for name, each in _found(state, schedule).items()}


@echoes
def set_schedule(
    state: State, schedule: ScheduleLike, *, name: str | None = None
) -> State:
    """Returns the state with another schedule, at the same step.

    Args:
        state: The state of an optimizer, as for `applied`.
        schedule: The new one. If it is built like the old one, of other numbers,
            nothing is traced again.
        name: Which one to change, a name that `applied` has; if not given, the learning
            rate, or the only one there is.

    Raises:
        ValueError: If nothing in the state is scheduled, nothing of that name is, or
            there are several, none of them the learning rate, and there is no name.
    """
    new = as_arrays(as_schedule(schedule))
    return _changed(state, name, lambda each: each._replace(schedule=new))


@echoes
def set_scale(state: State, scale: Scalar, *, name: str | None = None) -> State:
    """Returns the state with a factor for all values of a schedule to come.

    Args:
        state: The state of an optimizer, as for `applied`.
        scale: The factor, instead of the one before: 1 at first.
        name: Which one to change, a name that `applied` has; if not given, the learning
            rate, or the only one there is.

    Raises:
        ValueError: If nothing in the state is scheduled, nothing of that name is, or
            there are several, none of them the learning rate, and there is no name.
    """
    factor = jnp.asarray(as_leaf(scale, REAL, "scale"), float)
    return _changed(state, name, lambda each: each._replace(scale=factor))


@echoes
def set_step(state: State, step: Scalar, *, name: str | None = None) -> State:
    """Returns the state with its schedules at another step.

    Args:
        state: The state of an optimizer, as for `applied`.
        step: How many updates came before the next one.
        name: Which one to change; all if not given.

    Raises:
        ValueError: If nothing in the state is scheduled, or nothing of that name is.
    """
    count = jnp.asarray(step).astype(jnp.int32)
    for each in _found(state) if name is None else [name]:
        state = _changed(state, each, lambda it: it._replace(step=count))
    return state


def _found(state: State, schedule: ScheduleLike | None = None) -> dict[str, Scheduled]:
    """Finds all that is scheduled, by name, or by path if a name is there twice."""
    if schedule is not None:
        state = _of_optax(state, as_schedule(schedule))
    paths = {
        path: node for path, node in _nodes(state)[0] if isinstance(node, Scheduled)
    }
    if not paths:
        raise ValueError(
            "Nothing in this state is scheduled: that takes an optimizer of `inject` "
            "or `scale_by_schedule`, or the schedule itself for one of Optax."
        )
    names = [_name(path) for path in paths]
    if len({*names}) < len(names):
        names = [keystr(path, simple=True, separator=".") for path in paths]
    return dict(zip(names, paths.values(), strict=True))


def _nodes(state: State) -> tuple[list[tuple[Any, Any]], Any]:
    return tree_flatten_with_path(
        state, is_leaf=lambda node: isinstance(node, Scheduled)
    )


def _name(path: tuple[Any, ...]) -> str:
    last = path[-1] if path else None
    return str(last.key) if isinstance(last, DictKey) else "schedule"


def _changed(
    state: State, name: str | None, change: Callable[[Scheduled], Scheduled]
) -> State:
    """Changes the one of a name, or the learning rate, or the only one there is."""
    found = _found(state)
    if name is None and "learning_rate" in found:
        name = "learning_rate"
    if name is None and len(found) > 1:
        raise ValueError(f"Give the `name` of one of these: {', '.join(found)}.")
    wanted = named("schedule", name or next(iter(found)), found)
    nodes, structure = _nodes(state)
    return structure.unflatten(
        [change(node) if node is wanted else node for _, node in nodes]
    )


def _of_optax(state: State, schedule: Schedule) -> State:
    """Puts a schedule to the steps that Optax keeps of its own."""

    def scheduled(node: Any) -> Any:
        if not isinstance(node, optax.ScaleByScheduleState):
            return node
        before = Scheduled.start(schedule)._replace(step=jnp.maximum(node.count - 1, 0))
        after = before.advance()
        begun = node.count > 0
        return after._replace(
            step=node.count, value=jnp.where(begun, after.value, before.value)
        )

    kind = optax.ScaleByScheduleState
    return jax.tree.map(scheduled, state, is_leaf=lambda node: isinstance(node, kind))


def _as_before(new: Any, old: Any) -> Any:
    """Casts leaves to what they were: float32 hyperparameters promote others."""
    return jax.tree.map(lambda n, o: n.astype(o.dtype), new, old)
