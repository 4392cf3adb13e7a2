"""Rates by layer: one optimizer, and a schedule for each group of its parameters."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import optax
from jax.tree_util import keystr, tree_flatten_with_path

from ..domain import NONNEGATIVE, POSITIVE
from ..errors import echoes
from ..hyperparameters import as_leaf
from ..schedule import Schedule, ScheduleLike, as_schedule
from ..transforms import Switch, switch
from ..tree import Tree, child, static
from ..types import Scalar
from .state import Scheduled
from .variables import contents, trained


__all__ = [
    "Layers",
    "LayersState",
    "by_depth",
    "explain",
    "layerwise",
    "scale_by_layers",
    "unfreeze",
]

Rules: TypeAlias = Mapping[str, ScheduleLike]
"""What each group of parameters has: a factor of the rate, or its own schedule."""


class Layers(Tree):
    """A schedule, what each rule makes of it, and the rule of each parameter."""

    schedule: Schedule = child()
    factors: dict[str, Any] = child()
    own: dict[str, Schedule] = child()
    followed: tuple[tuple[str, str], ...] = static()

    @property
    def schedules(self) -> dict[str, Schedule]:
        """Returns the schedule of each rule."""
        scaled = {rule: x * self.schedule for rule, x in self.factors.items()}
        return {**scaled, **self.own}


class LayersState(NamedTuple):
    """The state of `scale_by_layers`: each rule's schedule, and where it is at."""

    rules: dict[str, Scheduled]


@echoes
def layerwise(
    params: Any, schedule: ScheduleLike, rules: Rules, *, labels: Any = None
) -> Layers:
    """Gives each parameter its own rate: a factor of a schedule, or one of its own.

    Args:
        params: The parameters, or anything of their structure. Of a module of Flax NNX
            they are what is `nnx.Param`, and variables are what they hold.
        schedule: The rate that factors are of.
        rules: Factors and schedules, by regular expressions for the whole path of a
            parameter, with "/" between its keys, like "encoder/layer_0/.*". The first
            that matches counts. With the factor 0 a group is frozen, also from weight
            decay that is added before; `unfreeze` lets it go at some step.
        labels: What to match instead of paths: a tree of strings like `params`.

    Returns:
        The rates, for `scale_by_layers` and `explain`. Factors are leaves.

    Raises:
        ValueError: If a rule matches nothing, nothing matches a parameter, two
            parameters have the same path, or `labels` is a tree of another structure.

    Example:
        >>> import jax.numpy as jnp
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> params = {"body": {"w": jnp.ones(2)}, "head": {"w": jnp.ones(2)}}
        >>> layers = training.layerwise(
        ...     params, js.linear(1.0, 0.0, 10), {"head/.*": 1.0, "body/.*": 0.1})
        >>> print(training.explain(layers, step=5))
        parameter  rule     factor  rate
        body/w     body/.*     0.1  0.05
        head/w     head/.*       1   0.5

    Source:
        Howard & Ruder, 2018, *ULMFiT*, section 3.2 (discriminative fine-tuning),
        https://arxiv.org/abs/1801.06146.
    """
    base = as_schedule(schedule)
    paths = _paths(params)
    names = paths if labels is None else _labelled(labels, paths)
    followed = []
    for path, name in zip(paths, names, strict=True):
        matching = [rule for rule in rules if re.fullmatch(rule, name)]
        if not matching:
            raise ValueError(f"No rule matches {name!r}: there are {_listed(rules)}.")
        followed.append((path, matching[0]))
    idle = rules.keys() - {rule for _, rule in followed}
    if idle:
        raise ValueError(
            f"Nothing is left for {_listed(sorted(idle))} among {_listed(names)}."
        )
    factors = {
        rule: as_leaf(value, NONNEGATIVE, f"rules[{rule!r}]")
        for rule, value in rules.items()
        if not isinstance(value, Schedule)
    }
    own = {k: value for k, value in rules.items() if isinstance(value, Schedule)}
    return Layers(base, factors, own, tuple(followed))


@echoes
def by_depth(
    params: Any, depth: Callable[[str], int], *, decay: Scalar
) -> dict[str, Scalar]:
    """Makes rules of which each layer has the rate of the next one, times a factor.

    Args:
        params: The parameters, or anything of their structure.
        depth: Returns the number of the layer, given the path of a parameter: 0 for the
            one next to the input.
        decay: The factor per layer, positive. The last layer has 1.

    Returns:
        Rules for `layerwise`, one for each parameter.

    Raises:
        ValueError: If `decay` is not positive, or two parameters have the same path.

    Example:
        >>> from jaxsched import training
        >>> params = {"layer_0": 0.0, "layer_1": 0.0, "layer_2": 0.0}
        >>> training.by_depth(params, lambda path: int(path[-1]), decay=0.5)
        {'layer_0': 0.25, 'layer_1': 0.5, 'layer_2': 1.0}

    Source:
        Bao et al., 2022, *BEiT*, https://arxiv.org/abs/2106.08254; Clark et al., 2020,
        *ELECTRA*, https://arxiv.org/abs/2003.10555.
    """
    factor = as_leaf(decay, POSITIVE, "decay")
    depths = {path: depth(path) for path in _paths(params)}
    last = max(depths.values())
    return {re.escape(path): factor ** (last - at) for path, at in depths.items()}


@echoes
def unfreeze(schedule: ScheduleLike, *, at: Scalar) -> Switch:
    """Keeps a rate at exactly 0 until some step.

    Args:
        schedule: The rate from then on, on the clock of all the others.
        at: The first step that has it.

    Returns:
        A schedule as long.

    Raises:
        ValueError: If `at` is negative.

    Example:
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> lr = training.unfreeze(js.linear(1.0, 0.0, 4), at=2)
        >>> [float(lr(step)) for step in range(5)]
        [0.0, 0.0, 0.5, 0.25, 0.0]

    Source:
        Howard & Ruder, 2018, *ULMFiT*, section 3.3 (gradual unfreezing),
        https://arxiv.org/abs/1801.06146.
    """
    return switch([0.0, schedule], [at])


@echoes
def scale_by_layers(
    layers: Layers, *, flip_sign: bool = True
) -> optax.GradientTransformation:
    """Multiplies the updates of each parameter by its own rate.

    It is one transformation with one state, which comes last:
    `optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.1), ...)`.

    Args:
        layers: The rates, from `layerwise`.
        flip_sign: Whether to multiply by the negative, as learning rates do.

    Returns:
        An Optax transformation. `applied` and `upcoming` show the rate of each rule, by
        which `set_scale` and `set_schedule` change it.

    Raises:
        ValueError: If it is used with a parameter that `layerwise` did not have.

    Example:
        >>> import jax.numpy as jnp
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> params = {"body": jnp.ones(2), "head": jnp.ones(2)}
        >>> layers = training.layerwise(params, 0.5, {"head": 1.0, "body": 0.0})
        >>> optimizer = training.scale_by_layers(layers)
        >>> updates, state = optimizer.update(params, optimizer.init(params))
        >>> updates["head"].tolist(), updates["body"].tolist()
        ([-0.5, -0.5], [-0.0, -0.0])
    """
    sign = -1.0 if flip_sign else 1.0
    rules = dict(layers.followed)

    def init(params: Any) -> Any:
        unknown = {*_paths(params)} - rules.keys()
        if unknown:
            raise ValueError(
                "The parameters are not those of `layerwise`: "
                f"{_listed(sorted(unknown))} are not among those."
            )
        return LayersState(
            {rule: Scheduled.start(each) for rule, each in layers.schedules.items()}
        )

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        after = {rule: each.advance() for rule, each in state.rules.items()}
        leaves, structure = jax.tree.flatten(updates)
        rates = [sign * after[rules[path]].applied for path in _paths(updates)]
        scaled = [
            update * rate.astype(update.dtype)
            for update, rate in zip(leaves, rates, strict=True)
        ]
        return jax.tree.unflatten(structure, scaled), LayersState(after)

    return optax.GradientTransformation(init, update)


@echoes
def explain(layers: Layers, *, step: int = 0) -> str:
    """Returns a table of what each parameter follows: its rule, factor and rate.

    Args:
        layers: The rates, from `layerwise`.
        step: When.

    Returns:
        The lines of the table, one per parameter.
    """
    schedules = layers.schedules
    rows = [("parameter", "rule", "factor", "rate")]
    for path, rule in layers.followed:
        factor = layers.factors.get(rule)
        shown = "" if factor is None else f"{float(factor):.4g}"
        rate = float(schedules[rule](step))
        rows.append((path, rule, shown, f"{rate:.4g}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first, second, third, last = widths
    return "\n".join(
        f"{a:<{first}}  {b:<{second}}  {c:>{third}}  {d:>{last}}" for a, b, c, d in rows
    )


def _paths(params: Any) -> list[str]:
    """Returns the path of each parameter, whatever variable it is in.

    Raises:
        ValueError: If two have the same.
    """
    leaves, _ = tree_flatten_with_path(contents(trained(params)))
    paths = [keystr(path, simple=True, separator="/") for path, _ in leaves]
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise ValueError(
            "Parameters are told apart by their paths, but more than one has the path "
            f"{_listed(twice)}: rename a key with a '/' in it."
        )
    return paths


def _labelled(labels: Any, paths: list[str]) -> list[str]:
    """Returns the label of each path.

    Raises:
        ValueError: If `labels` has other paths.
        TypeError: If a label is no text.
    """
    names = dict(zip(_paths(labels), jax.tree.leaves(contents(labels)), strict=True))
    others = sorted(names.keys() ^ {*paths})
    if others:
        raise ValueError(
            f"`labels` must be a tree like `params`, got {len(names)} labels for "
            f"{len(paths)} parameters: {_listed(others)} are only in one of them."
        )
    for path, name in names.items():
        if not isinstance(name, str):
            raise TypeError(f"The label of {path!r} must be a string, got {name!r}.")
    return [names[path] for path in paths]


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in names)
