"""Checks of a run that goes on: whether it is the run that one thinks."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from ..domain import NONNEGATIVE
from ..errors import named, refusal
from ..hyperparameters import as_leaf, is_concrete
from ..numerics import is_endless
from ..schedule import Chain, Constant, Schedule, as_schedule
from ..serialization import label, outline, read_label
from ..transforms import Cooldown
from ..tree import hypers
from .horizon import Horizon
from .lookup import Schedules, State, by_name, find, is_counter, is_scheduled, nodes
from .state import Scheduled
from .variables import contents


__all__ = ["Finding", "check_resume"]


class Finding(NamedTuple):
    """What may be wrong with a run that goes on."""

    kind: str
    """"kind of schedule", "numbers", "past the end", "remaining steps", "count",
    "second cooldown" or "horizon"."""
    name: str
    """Of what is scheduled, as `applied` names it."""
    message: str
    """What was seen, what follows from it, and what to do."""

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


def check_resume(
    state: State,
    schedule: Schedules | None = None,
    *,
    total_steps: float | Horizon | None = None,
    step: int | None = None,
) -> list[Finding]:
    """Looks for what makes a restored run another one than its code says.

    A checkpoint holds the count, and with `inject` and the like the schedule, too.
    So the code may say one thing and the state do another, without an error. This
    compares them, before anything is trained.

    Args:
        state: The state of an optimizer, as it was restored: one of ours, or of Optax.
        schedule: The one that the code has; by name, if there are several.
        total_steps: At which step training ends, or the horizon of it.
        step: How many updates the training loop has counted.

    Returns:
        What was found, nothing if all is well:

        * "kind of schedule": the checkpoint was written with another one, so that its
          numbers mean something else, or the code has another one;
        * "numbers": those of the state, which count, are not those of the code;
        * "past the end": the schedule has decayed, and stays where it is;
        * "remaining steps": a horizon that looks like what remains of it, although
          steps are counted from the beginning of training;
        * "count": it was reset, or is not that of the training loop;
        * "second cooldown": one that has begun begins again;
        * "horizon": the schedule in the state decays until another step than training
          ends at, as if epochs had another number of steps.

    Raises:
        ValueError: If nothing in the state is scheduled, or it is traced.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> import jaxsched as js
        >>> from jaxsched import training
        >>> lr = js.cosine(0.1, 0.0, steps=100)
        >>> state = training.inject(optax.adam)(lr).init(jnp.ones(2))
        >>> state = training.set_step(state, 120)
        >>> for finding in training.check_resume(state, lr, total_steps=200):
        ...     print(finding)
        learning_rate: Count 120 is past the end of the schedule at 100: the rate is 0
        for all that remains, until 200. Another schedule makes it rise again;
        `retarget`, before the end, go on.
    """
    state = contents(state)
    if not all(map(is_concrete, jax.tree.leaves(state))):
        raise ValueError("`check_resume` looks at numbers: call it outside of `jit`.")
    return [
        Finding(kind, run.name, message)
        for run in _runs(state, schedule, total_steps, step)
        for kind, check in CHECKS.items()
        for message in check(run)
    ]


class Run(NamedTuple):
    """What is known of one schedule in a state."""

    name: str
    position: int
    label: np.ndarray | None
    """Of the schedule that the checkpoint was written with."""
    saved: Schedule | None
    """The one in the state, if it keeps one: it counts."""
    code: Schedule | None
    total: float | None
    """The step at which training ends."""
    horizon: Horizon | None
    step: int | None
    others: int
    """How many updates the rest of the state has counted."""

    @property
    def effective(self) -> Schedule | None:
        """The schedule that the next updates follow, if it is known."""
        return self.code if self.saved is None else self.saved

    @property
    def is_misread(self) -> bool:
        """Tells whether the numbers are those of a schedule of another kind."""
        return (
            self.saved is not None
            and self.label is not None
            and not np.array_equal(self.label, label(self.saved))
        )


def _runs(
    state: State,
    schedules: Schedules | None,
    total_steps: float | Horizon | None,
    step: int | None,
) -> Iterator[Run]:
    """Yields all that is scheduled, or what schedules are given for."""
    horizon = total_steps if isinstance(total_steps, Horizon) else None
    total = None
    if horizon is not None:
        total = horizon.total_steps
    elif total_steps is not None:
        total = as_leaf(total_steps, NONNEGATIVE, "total_steps")
    ours = nodes(state, is_scheduled)
    optax_counts = nodes(state, is_counter)
    names = by_name(ours or optax_counts)
    if not names:
        find(state)
    if schedules is None or not isinstance(schedules, Mapping):
        rates = [name for name in names if name.endswith("learning_rate")]
        if schedules is not None and len(rates or names) > 1:
            raise ValueError(
                "There are several schedules in this state: give those of the code by "
                f"these names: {', '.join(map(repr, names))}."
            )
        of_code = {} if schedules is None else {(rates or [*names])[0]: schedules}
    else:
        of_code = {**schedules}
    for name in of_code:
        named("schedule", name, names)
    if step is not None:
        step = int(as_leaf(step, NONNEGATIVE, "step"))
    loop = total, horizon, step, _counted(state)
    for name, path in names.items():
        code = _scheduled(of_code[name]) if name in of_code else None
        if path in ours:
            for place, each in _members(ours[path]):
                mark = np.asarray(each.label)
                count = int(each.position)
                yield Run(name + place, count, mark, each.schedule, code, *loop)
        else:
            count = int(np.max(optax_counts[path].count))
            yield Run(name, count, None, None, code, *loop)


def _scheduled(given: Any) -> Schedule:
    numbers = int | float | np.ndarray | jax.Array
    if not (callable(given) or isinstance(given, numbers)):
        allowed = "a schedule, a number, or several by name"
        raise refusal(TypeError, "`check_resume`: `schedule`", allowed, given)
    return as_schedule(given)


def _members(each: Scheduled) -> Iterator[tuple[str, Scheduled]]:
    """Yields what is scheduled, or each member of a batch of it, with its place."""
    for index in np.ndindex(each.position.shape):
        member = jax.tree.map(lambda leaf, index=index: leaf[index], each)
        yield f"[{', '.join(map(str, index))}]" if index else "", member


COUNTS = ("count", "gradient_step")


def _counted(state: State) -> int:
    """Returns how many updates anything else in the state has counted."""
    flat, _ = jax.tree_util.tree_flatten_with_path(state)
    counts = [
        int(np.max(leaf))
        for path, leaf in flat
        if path and getattr(path[-1], "name", None) in COUNTS
    ]
    return max(counts, default=0)


# --- What is looked for --------------------------------------------------------------


def _other_kind(run: Run) -> Iterator[str]:
    saved, code = run.saved, run.code
    if saved is not None and run.is_misread:
        yield (
            f"The checkpoint was written with {read_label(run.label)}, and was read "
            f"into {outline(saved)}, for which its numbers mean something else. "
            "Read it into an optimizer with the schedule that it was written with, "
            "and give the state another one by `set_schedule`."
        )
    elif saved is not None and code is not None and outline(saved) != outline(code):
        yield (
            f"The state goes on with {outline(saved)}; the code has {outline(code)}. "
            "`set_schedule(state, schedule)` gives the state that of the code."
        )


def _other_numbers(run: Run) -> Iterator[str]:
    saved, code = run.saved, run.code
    if saved is None or code is None or run.is_misread:
        return
    if outline(saved) != outline(code):
        return
    there = {path: value for path, value, _ in hypers(code)}
    differences = [
        f"`{path[1:]}` is {_shown(value)} in the state and {_shown(there[path])} in "
        "the code"
        for path, value, _ in hypers(saved)
        if path in there and not _same(value, there[path])
    ]
    if differences:
        more = len(differences) - 3
        shown = ", ".join(differences[:3]) + (f", and {more} more" if more > 0 else "")
        yield (
            f"{shown}. The state counts: the next value is "
            f"{_value(saved, run.position)}, not {_value(code, run.position)}. "
            "`set_schedule(state, schedule)` gives the state that of the code."
        )


def _past_the_end(run: Run) -> Iterator[str]:
    end = _end(run)
    if end is None or run.position < end or not _decays(run.effective, end):
        return
    if run.total is not None and run.position >= run.total:
        return
    until = "" if run.total is None else f", until {run.total:g}"
    yield (
        f"Count {run.position} is past the end of the schedule at {end:g}: the rate is "
        f"{_value(run.effective, run.position)} for all that remains{until}. Another "
        "schedule makes it rise again; `retarget`, before the end, go on."
    )


def _remaining_steps(run: Run) -> Iterator[str]:
    end, count = _end(run), run.position
    if end is None or not count:
        return
    code_end = None if run.code is None else _duration(run.code)
    whole = {"training": run.total}
    if run.saved is not None:
        whole["the schedule in the state"] = end
    tails = {"the schedule in the code": code_end, "`total_steps`": run.total}
    if run.saved is None:
        tails["the schedule"] = tails.pop("the schedule in the code")
    for tail, steps in tails.items():
        for what, total in whole.items():
            if not steps or not total or abs(steps - total) <= 1:
                continue
            if abs(steps - (total - count)) <= 1:
                yield (
                    f"After {count} of the {total:g} steps of {what}, {steps:g} "
                    f"remain, and so many has {tail}. Steps are counted from the "
                    f"beginning of training: give it {total:g}."
                )
                return


def _reset_count(run: Run) -> Iterator[str]:
    if run.step is not None and run.step != run.position:
        yield (
            f"Count {run.position} is not the {run.step} of the training loop: "
            f"{_remedy(run, run.step)}."
        )
    elif run.position < run.others:
        yield (
            f"Count {run.position} is less than the {run.others} that the rest of the "
            "state has counted. It was reset, so that the schedule begins anew: "
            f"{_remedy(run, run.others)}."
        )


def _remedy(run: Run, count: int) -> str:
    if run.saved is None:
        return f"restore the counter, {count}, together with the rest"
    return f"`set_step(state, {count})` sets it"


def _second_cooldown(run: Run) -> Iterator[str]:
    first = [] if run.saved is None or run.is_misread else _cooldowns(run.saved)
    second = [] if run.code is None else _cooldowns(run.code)
    if len(second) > 1:
        first = first or second[:-1]
    if first and second and first[0] < min(run.position, second[-1]):
        yield (
            f"A cooldown has begun at step {first[0]:g}, and begins again at "
            f"{second[-1]:g}: the rate rises, and falls once more. Begin it where it "
            "began."
        )


def _other_horizon(run: Run) -> Iterator[str]:
    end = _end(run)
    if run.horizon is None or run.saved is None or end is None:
        return
    total = run.horizon.total_steps
    if abs(end - total) <= 1 or not _decays(run.saved, end):
        return
    per_epoch = run.horizon.steps_per_epoch
    epochs = f" ({end / per_epoch:g} epochs of {per_epoch:g})" if per_epoch else ""
    yield (
        f"The schedule in the state lasts {end:g} steps{epochs}, and training "
        f"{total:g}: has an epoch another number of steps, or a batch another size, "
        "than when the checkpoint was written? `retarget` ends it with training."
    )


CHECKS = {
    "kind of schedule": _other_kind,
    "numbers": _other_numbers,
    "past the end": _past_the_end,
    "remaining steps": _remaining_steps,
    "count": _reset_count,
    "second cooldown": _second_cooldown,
    "horizon": _other_horizon,
}


# --- What is asked of a schedule -----------------------------------------------------


def _duration(schedule: Schedule) -> float | None:
    """Returns the step at which a schedule ends, if it does, and takes any steps."""
    steps = schedule.duration
    if is_endless(steps) or not 0 < float(np.max(steps)) < np.inf:
        return None
    return float(np.max(steps))


def _end(run: Run) -> float | None:
    schedule = run.effective
    return None if schedule is None or run.is_misread else _duration(schedule)


def _decays(schedule: Any, end: float) -> bool:
    """Tells whether it falls until its end: steps and a warmup hold what they reach."""
    values = np.asarray(schedule(np.array([31 / 32, 63 / 64, 1.0]) * end))
    return bool(np.all(np.diff(values) < 0) or values[-1] == 0)


def _cooldowns(schedule: Schedule) -> list[float]:
    """Returns when the rate, which was held, begins to fall to the end."""
    if isinstance(schedule, Cooldown):
        return [*_cooldowns(schedule.inner), float(schedule.begin)]
    if isinstance(schedule, Chain):
        begins = np.cumsum([float(part.duration) for part in schedule.parts])
        return [
            float(begin)
            for begin, part, after in zip(
                begins, schedule.parts, schedule.parts[1:], strict=False
            )
            if isinstance(part, Constant) and not isinstance(after, Constant)
        ]
    return []


def _same(first: Any, second: Any) -> bool:
    """Tells whether two numbers are equal to the digits of a float32."""
    return np.shape(first) == np.shape(second) and np.allclose(
        first, second, rtol=1e-6, atol=0.0
    )


def _shown(value: Any) -> str:
    return np.array2string(np.asarray(value), precision=6, threshold=6)


def _value(schedule: Any, count: int) -> str:
    return f"{float(schedule(count)):.6g}"
