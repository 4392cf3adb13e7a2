"""Descent: a schedule improved step by step, by gradients through whole runs."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ...domain import Domain
from ...errors import named
from ...leaves import cosine
from ...numerics import as_float, positive
from ..objective import Objective
from ..task import is_task
from .batch import Lane, Plan, advance, set_off
from .coordinates import Leaf, Which, batched, chosen, leaves_of, units
from .hypergradient import DERIVATIVES, as_train


@dataclasses.dataclass(frozen=True, eq=False)
class Descent:
    """What a descent came to. Where one went down, there is an axis of one start.

    Attributes:
        schedule: The best of all that were tried, ready for an optimizer.
        schedules: The best from each start, with a leading axis that goes over those.
        scores: The metric of these, of shape `[starts]`.
        gradients: The derivatives of the metric by the leaves that moved, at these:
            by path, of shape `[starts, ...]`.
        history: The metric of all that were tried, the start first, of shape
            `[iterations + 1, starts]`.
        skipped: How many of those had no finite metric and gradient, or were outside
            their domain by rounding, of shape `[starts]`. A start that has
            `iterations + 1` of them never got away.
        unmoved: The paths of the leaves that were free to move and had no reason to:
            their derivatives were 0 wherever they were tried.
    """

    schedule: Any
    schedules: Any
    scores: np.ndarray
    gradients: dict[str, np.ndarray]
    history: np.ndarray
    skipped: np.ndarray
    unmoved: tuple[str, ...]


def descend(
    train: Any,
    schedule: Any,
    *,
    key: jax.Array,
    iterations: int = 30,
    leaves: Which = None,
    domains: Mapping[str, Domain] | None = None,
    seeds: int = 1,
    metric: str = "validation",
    mode: Literal["min", "max"] | None = None,
    derivative: Literal["auto", "forward", "reverse"] = "auto",
    optimizer: optax.GradientTransformation | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Descent:
    """Improves a schedule by the gradient of the metric, through all of the training.

    All leaves move at once, each along a line on which it cannot leave its domain, in
    steps relative to its size. What is at the end of its domain, as a rate of decay of
    0, can leave it. A step to where the metric or its gradient is not finite is taken
    back, and tried again half as long.

    Unless told otherwise, all floating-point numbers move but lengths: those called
    `steps`, `..._steps`, `boundaries`, `begin`, `every`, `times` or `seed` stay, and
    with them the length of the schedule. Of a phase of 0 steps, gradients see how it
    delays what follows, and not how it begins: better start from a step.

    A rate may become negative, as any real number may; `domains` can forbid it. The
    peak at which two phases meet is two leaves, and they part. To have it as one, and
    to move lengths while their sum stays, descend on the arguments of the recipe: see
    the second example.

    Mind that what suits a short run need not suit a long one, where rates that are
    small too soon do more harm (Wu et al., 2018); and that gradients through very many
    steps, or at high rates, may be huge and say little (Metz et al., 2021). Of them, by
    default, only the direction counts.

    Args:
        train: Trains once: `train(schedule, key)` returns a dict of metrics. Or a
            `Task`, of which reverse mode needs less memory; see `as_train`. Through
            Adam there are gradients only with `eps_root` > 0.
        schedule: Where to start: a schedule, or any tree of schedules and numbers. If
            some leaves have a leading axis, it goes over starts: they descend side by
            side, and no other makes a difference to one.
        key: The key that the keys of the seeds are made from.
        iterations: How many steps to take, at least 1. Each takes a training and its
            gradient.
        leaves: The paths of the leaves to move, like ".parts[0].end", or a function
            that tells by the path.
        domains: By path, where numbers that are not part of a schedule may be, or where
            others may be in addition to what is declared.
        seeds: Of how many trainings the metric is the mean. They have the same keys in
            every iteration, so that the metric is a function of the leaves alone, and
            what is best is best for these.
        metric: The metric to improve: a scalar.
        mode: "min" if less of it is better, "max" if more is; unless given, the name of
            the metric tells.
        derivative: "forward" takes time for each number, "reverse" memory for each step
            of the training; "auto" is forward for up to 8 numbers.
        optimizer: What makes steps along the lines of gradients. Unless given, Adam of
            gradients divided by their norm, with a rate that falls from 0.4 to 0 along
            a cosine: at first, a number changes by about two fifths.
        progress: Called with the number of steps done and the number of all.

    Returns:
        The best schedule of all that were tried, the start included, and the way there.

    Raises:
        ValueError: If there is no such metric or leaf, if a number is out of its
            domain, or if no start has a finite metric and gradient.

    Example:
        >>> import jax
        >>> import jaxsched as js
        >>> from jaxsched.search.descent import descend
        >>> def train(schedule, key):  # gradient descent on x**2 / 2
        ...     step = lambda count, x: x - schedule(count) * x
        ...     return {"validation": jax.lax.fori_loop(0, 10, step, 1.0) ** 2 / 2}
        >>> start = js.linear(0.01, 0.0, steps=10)
        >>> found = descend(train, start, key=jax.random.key(0))
        >>> bool(found.history[0, 0] > 0.4 and found.scores[0] < 1e-6)
        True
        >>> found.schedule.steps
        10.0

        >>> from jaxsched.domain import NONNEGATIVE
        >>> def train_recipe(config, key):
        ...     return train(js.warmup_linear(**config, total_steps=10), key)
        >>> found = descend(
        ...     train_recipe,
        ...     {"peak": 0.01, "warmup_steps": 2.0},
        ...     leaves=["['peak']", "['warmup_steps']"],
        ...     domains={"['warmup_steps']": NONNEGATIVE},
        ...     key=jax.random.key(0),
        ... )
        >>> bool(found.schedule["warmup_steps"] >= 0 and found.scores[0] < 1e-6)
        True

    Source:
        Maclaurin et al., 2015, *Gradient-Based Hyperparameter Optimization through
        Reversible Learning*, https://arxiv.org/abs/1502.03492; Franceschi et al., 2017,
        *Forward and Reverse Gradient-Based Hyperparameter Optimization*,
        https://arxiv.org/abs/1703.01785; Wu et al., 2018, *Understanding Short-Horizon
        Bias*, https://arxiv.org/abs/1803.02021; Metz et al., 2021, *Gradients Are Not
        All You Need*, https://arxiv.org/abs/2111.05803.
    """
    if iterations < 1 or seeds < 1:
        raise ValueError(
            "`iterations` and `seeds` must be at least 1, "
            f"got {iterations!r} and {seeds!r}."
        )
    known = chosen(leaves_of(schedule, domains or {}), leaves)
    values = batched(known)
    moving = [leaf for leaf in known if leaf.moves]
    numbers = sum(
        value[0].size for leaf, value in zip(known, values, strict=True) if leaf.moves
    )
    plan = Plan(
        train=as_train(train) if is_task(train) else train,
        structure=jax.tree.structure(schedule),
        moves=tuple(leaf.moves for leaf in known),
        domains=tuple(leaf.domain for leaf in moving),
        metric=metric,
        sign=Objective(metric, mode).sign,
        reverse=named("derivative", derivative, DERIVATIVES)(numbers),
        optimizer=_default_optimizer(iterations) if optimizer is None else optimizer,
    )
    keys = jax.vmap(functools.partial(jax.random.fold_in, key))(jnp.arange(seeds))
    start, lanes = set_off(values, units(known, values), plan=plan)
    history = []
    for iteration in range(iterations + 1):
        lanes, scores = advance(start, lanes, keys, plan=plan)
        history.append(plan.sign * np.asarray(scores))
        if iteration == 0:
            _require_a_way(lanes, moving, history[0], metric)
        elif progress is not None:
            progress(iteration, iterations)
    schedules = plan.config(lanes.best.leaves, start.fixed)
    best = int(np.argmin(lanes.best.score))
    gradients = zip(moving, lanes.best.gradient, strict=True)
    felt = zip(moving, lanes.felt, strict=True)
    return Descent(
        schedule=plan.structure.unflatten(
            _as_written(leaf, value[best])
            for leaf, value in zip(known, jax.tree.leaves(schedules), strict=True)
        ),
        schedules=schedules,
        scores=plan.sign * np.asarray(lanes.best.score),
        gradients={leaf.path: plan.sign * np.asarray(x) for leaf, x in gradients},
        history=np.stack(history),
        skipped=np.asarray(lanes.skipped),
        unmoved=tuple(leaf.path for leaf, matters in felt if not np.any(matters)),
    )


@functools.lru_cache
def _default_optimizer(iterations: int) -> optax.GradientTransformation:
    """The same one for the same number of steps: it is part of what is compiled."""
    return optax.chain(
        # Whatever the size of gradients: one in a million may be huge, or all tiny, and
        # then the squares of which the norm is made are no floats.
        optax.stateless(_divided_by_largest),
        optax.normalize_by_update_norm(eps=1e-20),
        # With few steps to take, it has to forget soon what was long ago.
        optax.adam(cosine(0.4, 0.0, iterations), b1=0.8, b2=0.9),
    )


def _divided_by_largest(gradients: Any, _: Any) -> Any:
    """Returns gradients of which the largest entry is 1, in magnitude."""
    largest = positive(optax.tree.norm(gradients, ord="inf"))
    return jax.tree.map(lambda gradient: gradient / largest, gradients)


def _require_a_way(
    lanes: Lane, moving: Sequence[Leaf], scores: np.ndarray, metric: str
) -> None:
    """Checks that there is a step to take, from one start at least."""
    if not np.all(lanes.skipped):
        return
    trouble = f"At the start, the metric {metric!r} is {scores.tolist()}"
    if np.isfinite(scores).any():
        slopes = zip(moving, lanes.best.gradient, strict=True)
        steep = [leaf.path for leaf, x in slopes if not np.isfinite(x).all()]
        trouble += (
            f", and its derivative by {', '.join(steep)} is not finite. "
            "Through Adam, it is if `eps_root` > 0"
        )
    raise ValueError(f"{trouble}.")


def _as_written(leaf: Leaf, value: jax.Array) -> Any:
    """Returns what was given, if that is what it still is, and else plain numbers."""
    shared = np.ndim(leaf.value) == leaf.domain.rank
    if shared and not (leaf.moves and np.any(as_float(leaf.value) != value)):
        return leaf.value
    return np.asarray(value) if value.ndim else value.item()
