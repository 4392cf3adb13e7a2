"""Migration: from a state of Optax's own optimizer to one that keeps its schedule."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import GetAttrKey, keystr

from .layers import LayersState
from .lookup import Path, State, is_counter, nodes
from .state import InjectState, Scheduled
from .variables import contents


__all__ = ["migrate"]


def migrate(state: State, fresh: State) -> State:
    """Takes a running optimizer of Optax over into one that keeps its schedule.

    Moments, averages and counts go on, and the schedule is at the step that Optax has
    counted: as if training had begun with the new optimizer. A checkpoint is read by
    the optimizer that wrote it, and then migrated.

    Args:
        state: The state of the optimizer of Optax, `optax.adam(lr)` say, or one of
            `optax.inject_hyperparams`, in any nest of Optax's wrappers.
        fresh: What `init` returns of the same optimizer with `inject`,
            `scale_by_schedule` or `scale_by_layers` in it.

    Returns:
        A state like `fresh`, which is at the step of `state`. Where Optax has counted
        nothing, as in `optax.sgd(0.1)`, it is at step 0: `set_step` says another one.

    Raises:
        ValueError: If the optimizers differ by more than how they are scheduled, or
            steps have been counted in several ways.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> lr, params = js.linear(1.0, 0.0, 10), jnp.ones(2)
        >>> before = optax.sgd(lr, momentum=0.9)
        >>> _, state = before.update(params, before.init(params))
        >>> after = training.inject(optax.sgd)(lr, momentum=0.9)
        >>> state = training.migrate(state, after.init(params))
        >>> round(float(training.upcoming(state)["learning_rate"]), 3)
        0.9
    """
    migrated = _migrated(contents(state), contents(fresh), ())
    # Where `fresh` has variables of Flax, so has what is returned.
    return jax.tree.unflatten(jax.tree.structure(fresh), jax.tree.leaves(migrated))


def _migrated(old: Any, new: Any, path: Path) -> Any:
    """Returns `new` with what `old` knows."""
    if isinstance(new, InjectState):
        return _injected(old, new, path)
    if is_counter(old):
        if isinstance(new, Scheduled):
            return _at(new, old.count)
        if isinstance(new, LayersState):
            rules = {rule: _at(each, old.count) for rule, each in new.rules.items()}
            return LayersState(rules)
        if isinstance(new, optax.EmptyState):
            # The schedule that it was for is kept further out.
            return new
    below_old, kind_old = _one_level(old)
    below_new, kind = _one_level(new)
    if kind_old != kind or _shape(old) != _shape(new):
        raise ValueError(
            f"At `{keystr(path, simple=True, separator='.') or 'the top'}` there is "
            f"{_shown(old)} in the one state and {_shown(new)} in the other: the "
            "optimizers must differ only in how they are scheduled."
        )
    if below_new and not below_new[0][0]:
        return jnp.array(old)
    pairs = zip(below_old, below_new, strict=True)
    return jax.tree.unflatten(
        kind, [_migrated(each, node, path + key) for (_, each), (key, node) in pairs]
    )


def _one_level(tree: Any) -> tuple[list[tuple[Path, Any]], Any]:
    """Returns what is directly below the root of a tree, and what the root is."""
    return jax.tree_util.tree_flatten_with_path(
        tree, is_leaf=lambda node: node is not tree
    )


def _shape(node: Any) -> tuple[int, ...] | None:
    return getattr(node, "shape", None)


def _shown(node: Any) -> str:
    shape = _shape(node)
    return f"a `{type(node).__name__}`" if shape is None else f"an array of {shape}"


def _injected(old: Any, new: InjectState, path: Path) -> InjectState:
    """Migrates the state of an optimizer of Optax into the state of `inject`."""
    inner, counts = old, {}
    if isinstance(old, optax.schedules.InjectStatefulHyperparamsState):
        inner = old.inner_state
        counts = {
            name: each.count
            for name, each in old.hyperparams_states.items()
            if is_counter(each)
        }
        common = old.count
    else:
        common = _common_count(old)
    scheduled = {
        name: _at(each, counts.get(name, common))
        for name, each in new.scheduled.items()
    }
    return InjectState(scheduled, _migrated(inner, new.inner_state, path))


def _common_count(state: Any) -> Any:
    """Returns the step that all schedules are at, or else all that counts updates.

    Raises:
        ValueError: If they are not at the same step.
    """
    flat, _ = jax.tree_util.tree_flatten_with_path(state)
    own = [each.count for each in nodes(state, is_counter).values()]
    others = [
        leaf for place, leaf in flat if place and place[-1] == GetAttrKey("count")
    ]
    counts = own or others
    if not counts:
        return jnp.zeros((), jnp.int32)
    if any(not np.array_equal(count, counts[0]) for count in counts):
        raise ValueError(
            "Steps have been counted in several ways, as "
            f"{', '.join(str(np.asarray(count)) for count in counts)}: it is not known "
            "which of them is that of the schedules."
        )
    return counts[0]


def _at(each: Scheduled, count: Any) -> Scheduled:
    """Returns what is scheduled after so many updates."""
    before = each._replace(position=jnp.maximum(jnp.array(count, jnp.int32) - 1, 0))
    applied = jnp.where(jnp.asarray(count) > 0, before.upcoming(), each.applied)
    return each._replace(position=jnp.array(count, jnp.int32), applied=applied)
