"""Reading what a scheduler of PyTorch that exists already would do."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from ...errors import echoes, named
from ...recipes import OneCycle
from ...schedule import Schedule, constant
from ..ported import METRICS
from . import cycles, decays, functions, several
from .names import ANNEALINGS, NoFactor


__all__ = ["from_scheduler"]

Part: TypeAlias = Literal["rate", "momentum"]
Read: TypeAlias = Callable[[Any], Schedule]
"""Reads a scheduler that is part of another one."""

Reader: TypeAlias = Callable[[Any, int, Read, int | None], Schedule | OneCycle]
"""Reads a scheduler: for a parameter group, its parts with `Read`, to a horizon."""


@echoes
def from_scheduler(
    scheduler: Any, *, of: Part = "rate", total_steps: int | None = None
) -> list[Schedule]:
    """Reads a live `torch.optim.lr_scheduler` object.

    Whatever it has done so far, the schedules are those from its step 0: call them with
    the step that you are at. PyTorch itself is not imported.

    Args:
        scheduler: The object.
        of: What to read of one that moves the momentum too: "rate" or "momentum".
        total_steps: The horizon, which `MultiplicativeLR` needs, and `LambdaLR` if JAX
            cannot trace its function.

    Returns:
        The schedules of its parameter groups, in their order.

    Raises:
        TypeError: If it is none of PyTorch's own, depends on metrics, or moves no
            momentum though that was asked for.
        ValueError: If it is one of PyTorch's that is not known, or has no formula:
            see `ChainedScheduler`.

    Example:
        >>> import torch  # doctest: +SKIP
        >>> from jaxsched.compat.torch import from_scheduler
        >>> weights = [torch.zeros(2, requires_grad=True)]  # doctest: +SKIP
        >>> optimizer = torch.optim.SGD(weights, lr=1.0)  # doctest: +SKIP
        >>> scheduler = torch.optim.lr_scheduler.StepLR(  # doctest: +SKIP
        ...     optimizer, step_size=30, gamma=0.5)
        >>> (lr,) = from_scheduler(scheduler)  # doctest: +SKIP
        >>> [float(lr(epoch)) for epoch in (0, 29, 30)]  # doctest: +SKIP
        [1.0, 1.0, 0.5]
    """

    def read(scheduler: Any, group: int) -> Schedule:
        if of == "momentum":
            # Of those that move it in a chain, the last one counts.
            parts = _leaves(scheduler)
            moving = [each for each in parts if getattr(each, "cycle_momentum", False)]
            scheduler = (moving or parts)[-1]
        reader = named("scheduler", type(scheduler).__name__, READERS)
        found = reader(scheduler, group, lambda part: read(part, group), total_steps)
        rate, momentum = found if isinstance(found, OneCycle) else (found, None)
        if of == "rate":
            return rate
        if momentum is None or not scheduler.cycle_momentum:
            raise TypeError(f"This `{type(scheduler).__name__}` moves no momentum.")
        return momentum

    kind = type(scheduler)
    if not kind.__module__.startswith("torch.optim."):
        raise TypeError(f"Expected a scheduler of PyTorch's own, got {scheduler!r}.")
    if kind.__name__ == "ReduceLROnPlateau":
        raise TypeError(f"`ReduceLROnPlateau` is no schedule: {METRICS}.")
    named("scheduler", kind.__name__, READERS)
    groups = range(len(scheduler.optimizer.param_groups))
    return [read(scheduler, group) for group in groups]


def _base(scheduler: Any, group: int) -> float:
    while not hasattr(scheduler, "base_lrs"):
        scheduler = scheduler._schedulers[0]
    return float(scheduler.base_lrs[group])


def _arguments(function: Callable[..., Schedule], *names: str) -> Reader:
    """Reads a scheduler that keeps its arguments under their names."""

    def reader(scheduler: Any, group: int, _: Read, __: int | None) -> Schedule:
        given = {name: getattr(scheduler, name) for name in names}
        return function(_base(scheduler, group), **given)

    return reader


def _multi_step(scheduler: Any, group: int, _: Read, __: int | None) -> Schedule:
    milestones = [*scheduler.milestones.elements()]
    return decays.MultiStepLR(_base(scheduler, group), milestones, scheduler.gamma)


def _lambda(scheduler: Any, group: int, _: Read, total: int | None) -> Schedule:
    factor = scheduler.lr_lambdas[group]
    return functions.LambdaLR(_base(scheduler, group), factor, total_steps=total)


def _multiplicative(scheduler: Any, group: int, _: Read, total: int | None) -> Schedule:
    return _multiplied(scheduler, group, _base(scheduler, group), total)


def _multiplied(scheduler: Any, group: int, rate: float, total: int | None) -> Schedule:
    if total is None:
        raise TypeError("`MultiplicativeLR` needs `total_steps`, got none.")
    factor = scheduler.lr_lambdas[group]
    return functions.MultiplicativeLR(rate, factor, total_steps=total)


def _averaging(scheduler: Any, group: int, _: Read, __: int | None) -> Schedule:
    return _averaged(scheduler, group, _base(scheduler, group))


def _averaged(scheduler: Any, group: int, rate: float) -> Schedule:
    return decays.SWALR(
        rate,
        scheduler.optimizer.param_groups[group]["swa_lr"],
        scheduler.anneal_epochs,
        scheduler._anneal_strategy,
    )


def _cyclic(scheduler: Any, group: int, _: Read, __: int | None) -> OneCycle:
    up = scheduler.total_size * scheduler.step_ratio
    momenta = {}
    if scheduler.cycle_momentum:
        momenta = {
            "base_momentum": scheduler.base_momentums[group],
            "max_momentum": scheduler.max_momentums[group],
        }
    return cycles.CyclicLR(
        _base(scheduler, group),
        scheduler.max_lrs[group],
        up,
        scheduler.total_size - up,
        scheduler.mode,
        scheduler.gamma,
        scheduler._scale_fn_custom,
        scheduler.scale_mode,
        **momenta,
    )


def _one_cycle(scheduler: Any, group: int, _: Read, __: int | None) -> OneCycle:
    settings = scheduler.optimizer.param_groups[group]
    ends = [phase["end_step"] for phase in scheduler._schedule_phases]
    curve = ANNEALINGS[scheduler._anneal_func_type]

    def of(what: str) -> Schedule:
        values = [
            (settings[phase[f"start_{what}"]], settings[phase[f"end_{what}"]])
            for phase in scheduler._schedule_phases
        ]
        return cycles.phases(values, ends, curve)

    rate = NoFactor(of("lr"), "OneCycleLR")
    return OneCycle(rate, of("momentum") if scheduler.cycle_momentum else rate)


def _sequential(scheduler: Any, group: int, read: Read, total: int | None) -> Schedule:
    parts, milestones = scheduler._schedulers, scheduler._milestones
    for place, part in enumerate(parts):
        _refuse_in_sequence(part, place)
    schedules: list[Schedule] = []
    for part in parts:
        before = milestones[: len(schedules)]
        if before and before[-1] > 0 and _name(part) in GOES_ON:
            so_far = several.SequentialLR(schedules, before[:-1])
            rate = float(so_far(before[-1] - 1))
            schedules.append(GOES_ON[_name(part)](part, group, rate, total))
        else:
            schedules.append(read(part))
    return several.SequentialLR(schedules, milestones)


def _refuse_in_sequence(scheduler: Any, place: int) -> None:
    """Raises an error for schedulers that run differently in a `SequentialLR`."""
    several_at_once = _name(scheduler) == "ChainedScheduler" and place == 0
    again = {*map(_name, _leaves(scheduler))} & NOT_TWICE
    if several_at_once and again:
        raise ValueError(
            f"A `SequentialLR` takes the first step of its `ChainedScheduler` twice, "
            f"which changes the rates of {', '.join(sorted(again))}."
        )
    if hasattr(scheduler, "_schedulers") and not several_at_once:
        raise ValueError(
            f"PyTorch cannot run a `{_name(scheduler)}` in a `SequentialLR`, but for a "
            "`ChainedScheduler` at its beginning: it has no rate at a milestone."
        )


def _chained(scheduler: Any, group: int, read: Read, __: int | None) -> Schedule:
    parts = _leaves(scheduler)
    begin = several.last_replacing([*map(_name, parts)])
    # What does not count need not be readable.
    kept = [*map(read, parts[begin:])]
    if len(kept) == 1 and begin == 0:
        return kept[0]
    # `CyclicLR` has rates of its own, and leaves that of the optimizer alone.
    bases = [part for part in parts[:begin] if _name(part) != "CyclicLR"]
    base = _base((bases or parts)[-1 if bases else 0], group)
    if base == 0:
        several.product(1.0, kept)
        return constant(0.0)
    unread = [constant(base)] if begin else []
    return several.ChainedScheduler(base, [*unread, *kept])


def _leaves(scheduler: Any) -> list[Any]:
    """The schedulers of a chain, those of the chains in it too."""
    if _name(scheduler) != "ChainedScheduler":
        return [scheduler]
    return [leaf for part in scheduler._schedulers for leaf in _leaves(part)]


def _name(scheduler: Any) -> str:
    return type(scheduler).__name__


NOT_TWICE = {
    "CosineAnnealingLR",
    "ExponentialLR",
    "MultiplicativeLR",
    "PolynomialLR",
    "SWALR",
}
"""These move the rate at their step 0, unless it is the first time."""

GOES_ON: dict[str, Callable[[Any, int, float, int | None], Schedule]] = {
    "SWALR": lambda scheduler, group, rate, _: _averaged(scheduler, group, rate),
    "MultiplicativeLR": lambda scheduler, group, rate, total: _multiplied(
        scheduler, group, rate * scheduler.lr_lambdas[group](0), total
    ),
}
"""These begin at the rate that they find, where others begin at their own."""


READERS: dict[str, Reader] = {
    "ConstantLR": _arguments(decays.ConstantLR, "factor", "total_iters"),
    "LinearLR": _arguments(
        decays.LinearLR, "start_factor", "end_factor", "total_iters"
    ),
    "PolynomialLR": _arguments(decays.PolynomialLR, "total_iters", "power"),
    "ExponentialLR": _arguments(decays.ExponentialLR, "gamma"),
    "StepLR": _arguments(decays.StepLR, "step_size", "gamma"),
    "MultiStepLR": _multi_step,
    "LambdaLR": _lambda,
    "MultiplicativeLR": _multiplicative,
    "CosineAnnealingLR": _arguments(decays.CosineAnnealingLR, "T_max", "eta_min"),
    "CosineAnnealingWarmRestarts": _arguments(
        cycles.CosineAnnealingWarmRestarts, "T_0", "T_mult", "eta_min"
    ),
    "OneCycleLR": _one_cycle,
    "CyclicLR": _cyclic,
    "SWALR": _averaging,
    "SequentialLR": _sequential,
    "ChainedScheduler": _chained,
}
