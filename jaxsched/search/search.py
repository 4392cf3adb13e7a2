"""A search: everything that was asked for, completed and checked."""

import copy
import dataclasses
import functools
import hashlib
import importlib.metadata
import inspect
import json
import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import jax
import numpy as np

from ..errors import misfit_of, named
from .engine import data as arrays_of
from .engine.arrays import is_key
from .engine.batching import layout_of
from .engine.devices import SAFETY, available_bytes, compilations_kept, use_all_cores
from .engine.loop import KEEP, Work
from .engine.program import Program, compiled, fingerprint
from .engine.segment import Outcome, Segment, Shared
from .estimate import Plan, timed
from .objective import Mode, Objective
from .progress import Callback
from .pruners import Pruner, check
from .results.results import Results
from .samplers import SAMPLERS, Adaptive, Sampler, draw, structures
from .session import conducted
from .spaces.candidate import Candidate
from .spaces.space import Space
from .stores.base import Store
from .task import Train, Trainable, as_task
from .trial import Trial, trials_of


SEEDS = 3
"""How many times each candidate is trained unless told otherwise."""

SEGMENT = 100
"""The most steps of a segment unless told otherwise."""

WIDTHS = {"cpu": 8}
WIDTH = 64
"""The most lanes of a device, by its platform, unless told otherwise."""

SAMPLERS_OF_OPTUNA = ("tpe", "cmaes", "gp")


class Search:
    """A search that is ready: all its options are checked, and nothing is trained yet.

    In a job of `jax.distributed` each process trains a share of the trials on its own
    devices, and waits for no other. JAX ends all of them if one dies; if
    `jax.config.update("jax_enable_recoverability", True)` comes before
    `jax.distributed.initialize`, only if that is the first one. Either way the same
    call with the same `out`, in one process or in as many, does the rest.

    Args:
        task: A `Task`; or a function `train(config, key)` that trains once, and returns
            metrics by name. JAX traces it, however many candidates there are.
        space: A schedule with dimensions in place of numbers, `one_of` several, a
            `space` of more than that; or schedules to compare, in a list or by name.
        key: The key that the keys of the seeds are made from, or a number to make one.
            All candidates have the same ones, so that they can be compared seed by
            seed. Samplers that draw at random are seeded by it, too.
        metric: The metric to rank by, a scalar.
        mode: "min" if less of the metric is better, "max" if more is. Unless given, its
            name decides, if it has a word such as `loss`, `error` or `accuracy`.
        seeds: How many times each candidate is trained: 3 unless given, or unless the
            space says it. A function that trains at once has one key for all lanes if
            there is one seed, which is faster; then it cannot have more seeds later.
        sampler: "grid", "random" or "sobol"; "tpe", "cmaes", "gp" or any sampler of
            Optuna; a function from a `Space` and `samples` to candidates; or an object
            with a method `ask`, see `search.samplers.Adaptive`.
        samples: The number of candidates; of a grid all, unless given. No candidate is
            drawn twice: if the space has fewer, a warning says so.
        first: Params of candidates to try before all others, as dictionaries.
        pruner: `halving`, `asha`, or an `OptunaPruner`; none unless given.
        steps: For how many steps schedules become tables, where families differ and
            the task does not say; until the last one is over, unless given.
        data: A pytree of arrays for all trials, as for `Task`, which it replaces. A
            function `train(config, key, data)` gets it as its last argument.
        out: A folder to keep the search in, so that it can go on after a crash.
        store: "postgresql://user@host/database" for workers on many machines,
            "sqlite:///path", or an object that is a `search.Store`; else a file in
            `out`.
        name: The name of the search in a store that has several.
        lease: The seconds for which a process without a sign of life keeps its trials;
            then others run them. On the same machine, its death is known at once.
        resume: Whether to go on with an existing search. One of another program is
            refused, unless this is "force".
        retry: Whether to run failed trials again.
        width: The number of lanes of a device; by default 8 on a CPU and else 64, or as
            many as there is memory for. At the same width, results are the same to the
            bit on any number of devices and in any company.
        segment: The number of steps between two looks at the results.
        evaluate_every: The number of steps between two evaluations, a multiple of
            `segment`; unless given, a trial is evaluated at its end and by a pruner.
        at: Which evaluation counts: the "last", or the "best".
        devices: The devices; unless given, all that this process has. On a CPU that is
            one for each core if a program begins with `search.use_all_cores()`.
        timeout: The seconds after which the search stops, at the end of a segment.
        patience: The number of finished candidates without a better one after which
            the search stops.
        target: A mean of the metric, over the seeds of a candidate, at which the search
            stops.
        callbacks: Functions of a `Progress`, called after every segment; it has the
            trials of the segment. One may raise `search.Stop` to stop the search.
        progress: Whether to show a bar; or one more callback.

    Warns:
        UserWarning: If there are fewer different candidates than `samples`.

    Raises:
        ValueError: If there is nothing to train, or an option is out of its range.
        TypeError: If an option is of another kind, or lanes would differ in more than
            numbers and schedules.

    Example:
        >>> import jax
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> train = lambda schedule, key: {"validation": schedule(3)}
        >>> space = js.constant(search.logspace(0.1, 1.0, 10))
        >>> search.Search(train, space, seeds=2).total
        20
    """

    def __init__(
        self,
        task: Trainable | Train,
        space: Any,
        *,
        key: jax.Array | int = 0,
        metric: str = "validation",
        mode: Mode | None = None,
        seeds: int | None = None,
        sampler: str | Sampler | Adaptive | Any = "grid",
        samples: int | None = None,
        first: Sequence[Mapping[str, Any]] = (),
        pruner: Pruner | None = None,
        steps: int | None = None,
        data: Any = None,
        out: str | Path | None = None,
        store: str | Store | None = None,
        name: str = "search",
        lease: float = 60.0,
        resume: bool | Literal["force"] = True,
        retry: bool = False,
        width: int | None = None,
        segment: int | None = None,
        evaluate_every: int | None = None,
        at: Literal["last", "best"] = "last",
        devices: Sequence[Any] | None = None,
        timeout: float | None = None,
        patience: int | None = None,
        target: float | None = None,
        callbacks: Iterable[Callback] = (),
        progress: Callback | bool = False,
    ) -> None:
        self.objective = Objective(metric, mode)
        self.space = space if isinstance(space, Space) else Space(space)
        self.folder = None if out is None else Path(out)
        self.store, self.name, self.lease = store, name, lease
        self.resume, self.retry = resume, retry
        named("at", at, dict.fromkeys(["last", "best"], at))
        self.at: Literal["last", "best"] = at
        self.callbacks = _callbacks(callbacks, progress)
        self.bar = progress is True
        self.keep, self.end = KEEP, math.inf
        samples, width = _count("samples", samples), _count("width", width)
        segment, steps = _count("segment", segment), _count("steps", steps)
        evaluate_every = _count("evaluate_every", evaluate_every)
        self.patience = _count("patience", patience)
        self.timeout, self.target = timeout, target
        check(pruner)
        self.pruner = pruner
        self.task = as_task(task)
        if devices is None:
            # First of all: whatever else is asked of JAX starts it, with as many
            # devices as it has then.
            use_all_cores()
            devices = jax.local_devices()
        self.key = _key(key)
        self.seeds = _seeds(self.space, seeds)
        self._choose(sampler, samples, first)
        data = getattr(self.task, "data", None) if data is None else data
        self.streams, self.data, form = arrays_of.split(data)
        if data is None:
            form = None
        length = self._length(segment, evaluate_every)
        self.evaluate_every = evaluate_every
        self._given = width, segment
        # A task in steps draws little at once, and may get more seeds later.
        one_seed = not self.task.steps and len(self.seeds) == 1
        layout = layout_of(self.configs, steps or self.task.steps or None)
        self.segment = Segment(self.task, layout, length, one_seed, form)
        most = WIDTHS.get(devices[0].platform, WIDTH)
        self._all_devices = tuple(devices)
        self.width = width or min(most, math.ceil(self.total / len(devices)))

    def __repr__(self) -> str:
        metric, mode = self.objective.metric, self.objective.mode
        return (
            f"Search({self.samples} candidates x {len(self.seeds)} seeds, "
            f"{mode} {metric}, {self.width} lanes on {len(self.devices)} devices)"
        )

    @property
    def total(self) -> int:
        """The number of trials."""
        return self.samples * len(self.seeds)

    @property
    def devices(self) -> tuple[Any, ...]:
        """The devices that are used: more would train nothing but padding."""
        needed = math.ceil(self.total / jax.process_count() / self.width)
        return self._all_devices[:needed]

    def adopt(self, known: Mapping[str, Any]) -> None:
        """Takes the width and the segment of an existing search, unless told others."""
        width, length = self._given
        if known and not width:
            self.width = known["width"]
        if known and not length:
            self.segment = dataclasses.replace(self.segment, length=known["segment"])
            vars(self).pop("_batches", None)

    @functools.cached_property
    def planned(self) -> tuple[Trial, ...]:
        """The trials of all candidates that are known before the search."""
        return tuple(trials_of(self.candidates, self.seeds))

    @property
    def share(self) -> Sequence[Trial]:
        """The planned trials of this process of a job: every n-th."""
        return self.planned[jax.process_index() :: jax.process_count()]

    def plan(self) -> Plan:
        """Compiles the program, and times one segment; nothing is kept.

        Returns:
            The number of trials, the memory, and the time that they would take.

        Raises:
            ValueError: If `metric` is no scalar metric of the task.
            MemoryError: If the lanes need more memory than there is.
        """
        began = time.perf_counter()
        program = self.compile()
        compiled_after = time.perf_counter() - began
        [config, *_] = self.configs
        seconds = timed(program, self.segment.layout.row(config), self.key, self.data)
        segments = max(1, math.ceil(self.task.steps / self.segment.length))
        rounds = math.ceil(self.total / jax.process_count() / program.lanes)
        return Plan(
            trials=self.total,
            candidates=self.samples,
            batched_as=self.segment.layout.batched_as,
            width=self.width,
            devices=len(self.devices),
            steps=self.task.steps,
            segment=self.segment.length,
            bytes_per_lane=SAFETY * program.bytes / program.width,
            bytes_shared=program.shared_bytes,
            bytes_available=available_bytes(self.devices, program.shared_bytes),
            compile_seconds=compiled_after,
            seconds=rounds * segments * seconds,
        )

    def run(self) -> Results:
        """Trains with every candidate and every seed, and ranks the candidates.

        Returns:
            The trials and the ranking.

        Raises:
            ValueError: If `metric` is no scalar metric of the task, or another search
                is in `out`.
            MemoryError: If the lanes need more memory than there is.
            Interrupted: On Ctrl-C, SIGTERM or SIGUSR1, after the segment, with
                everything saved.
        """
        return conducted(self)

    def begin(self) -> None:
        """Starts the time that `timeout` limits."""
        self.end = time.monotonic() + (
            math.inf if self.timeout is None else self.timeout
        )

    def compile(self) -> Program:
        """Compiles the program.

        Raises:
            ValueError: If `metric` is no scalar metric of the task.
            MemoryError: If it needs more memory than there is; it says what fits.
        """
        impl = str(jax.random.key_impl(self.key))
        x64 = bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]
        batches, structure = jax.tree.flatten(self._batches)
        shapes = tuple(map(arrays_of.shape_of, self.data)), (tuple(batches), structure)
        folder = self.folder and self.folder / "compiled"
        with compilations_kept(folder):
            program = compiled(
                self.segment,
                self.width,
                self.devices,
                impl=impl,
                x64=x64,
                shapes=shapes,
            )
        self._check(program.outcome)
        room = available_bytes(self.devices, program.shared_bytes)
        if SAFETY * program.bytes > room:
            lane = SAFETY * program.bytes / self.width
            fits = int(room / lane)
            raise MemoryError(
                f"{self.width} lanes on each device need {self.width * lane / 1e9:.3g} "
                f"GB, of {max(room, 0) / 1e9:.3g} GB that it has left beside "
                f"{program.shared_bytes / 1e9:.3g} GB of data: "
                + (f"width={fits} fits." if fits > 0 else "not even one of them fits.")
            )
        return program

    def fingerprint(self, data: str) -> dict[str, Any]:
        """Returns what must be the same for results to be the same to the bit.

        Args:
            data: A digest of the data.
        """
        shared = Shared(self.key, (), self.data, self._batches)
        return {
            "program": fingerprint(self.segment, shared, self.width),
            "data": data,
            "width": self.width,
            "seeds": "one" if self.segment.one_seed else "any number",
            "segment": self.segment.length,
            "evaluate_every": self.evaluate_every,
            "at": self.at,
            "batched as": self.segment.layout.batched_as,
            "key": jax.random.key_data(self.key).tolist(),
            "metric": self.objective.metric,
            "mode": self.objective.mode,
            "pruner": repr(self.pruner),
            "jax": jax.__version__,
            "jaxlib": importlib.metadata.version("jaxlib"),
            "platform": self.devices[0].platform,
            "x64": bool(jax.config.jax_enable_x64),  # type: ignore[attr-defined]
        }

    def description(self) -> dict[str, Any]:
        """Returns what a reader of the results needs, as data for JSON."""
        return {
            "dimensions": [one.data() for one in self.space.dimensions],
            "metric": self.objective.metric,
            "mode": self.objective.mode,
        }

    def work(
        self,
        data: Sequence[Any],
        done: Mapping[str, Trial],
        ask: Callable[[int], bool],
    ) -> Work:
        """Returns what the loop trains.

        Args:
            data: The arrays of the data, maybe on a device already.
            done: Trials that are finished elsewhere, by id.
            ask: Adds trials to the store.
        """
        return Work(
            key=self.key,
            data=data,
            streams=self.streams,
            row=self._row,
            wanted=self.wants,
            done=done,
            objective=self.objective,
            # One of its own: a pruner may remember the trials that it has seen.
            pruner=copy.copy(self.pruner),
            evaluate_every=self.evaluate_every,
            at=self.at,
            ask=ask,
            keep=self.keep,
        )

    @functools.cached_property
    def wants(self) -> Callable[[str], bool]:
        """Whether a trial is one of this search, by its id.

        A grid that was narrowed, or widened by another process, leaves others in the
        store. An adaptive search wants what its space can make.
        """
        if self.adaptive is None:
            return self._places.__contains__
        return lambda id_: id_ not in self._foreign

    def own(self, trials: Iterable[Trial]) -> tuple[Trial, ...]:
        """Returns the trials of this search, numbered as planned."""
        if self.adaptive is not None:
            return tuple(t for t in trials if t.id not in self._foreign)
        places = self._places
        return tuple(
            dataclasses.replace(trial, number=places[trial.id])
            for trial in trials
            if trial.id in places
        )

    def look(self, trials: Iterable[Trial]) -> None:
        """Finds the trials of an adaptive search that its space cannot make."""
        if self.adaptive is None:
            return
        for trial in trials:
            if trial.id not in self._known:
                self._known.add(trial.id)
                try:
                    self.space.redraw(trial.params, trial.seed)
                except ValueError:
                    self._foreign.add(trial.id)

    def seed_of(self, count: int) -> int:
        """Returns a seed for a sampler from the key and the number of candidates."""
        facts = [jax.random.key_data(self.key).tolist(), count]
        digest = hashlib.sha256(json.dumps(facts).encode()).digest()
        return int.from_bytes(digest[:4])

    def _choose(self, sampler: Any, samples: int | None, first: Any) -> None:
        """Sets `candidates`, `configs`, `adaptive` and `samples`."""
        before = tuple(self.space.redraw(dict(params)) for params in first)
        self._known: set[str] = set()
        self._foreign: set[str] = set()
        self.candidates: tuple[Candidate, ...] = before
        self.adaptive = _adaptive(sampler)
        if self.adaptive is not None:
            if jax.process_count() > 1:
                raise ValueError(
                    f"sampler={sampler!r} needs the results of all trials, but the "
                    "processes of one job do not wait for each other: start workers "
                    "that share a store."
                )
            if samples is None:
                raise ValueError(f"sampler={sampler!r} needs `samples`, 1 or more.")
            self.configs = structures(self.space)
            self.samples = int(min(samples, self.space.size))
            _warn_of_repetition(samples, self.samples)
            return
        if not callable(sampler):
            known = {**SAMPLERS, **dict.fromkeys(SAMPLERS_OF_OPTUNA)}
            sampler = named("sampler", sampler, known)
        function: Any = sampler
        seed = self.seed_of(0)
        chosen = draw(function, self.space, samples, seed)
        _warn_of_repetition(samples, len(chosen))
        if self.pruner and not self.pruner.synchronous:
            order = np.random.default_rng(0).permutation(len(chosen))
            chosen = tuple(chosen[place] for place in order)
        together = {candidate.key: candidate for candidate in (*before, *chosen)}
        self.candidates = tuple(together.values())
        self.samples = len(self.candidates)
        if not self.samples:
            raise ValueError("There is nothing to train: 0 candidates.")
        self.configs = [candidate.config for candidate in self.candidates]

    def _row(self, trial: Trial) -> list[np.ndarray]:
        """Returns the leaves of the config of a trial.

        Raises:
            LookupError: If this search has no such candidate.
            ValueError: If its rates are not finite.
        """
        planned = self._drawn.get(trial.candidate)
        if planned is None or self.space.seed is not None:
            try:
                planned = self.space.redraw(trial.params, trial.seed)
            except ValueError as error:
                self._foreign.add(trial.id)
                raise LookupError(trial.id) from error
        return self.segment.layout.row(planned.config)

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        """The numbers of the planned trials, by id."""
        return {trial.id: trial.number for trial in self.planned}

    @functools.cached_property
    def _drawn(self) -> dict[Any, Candidate]:
        return {tuple(sorted(c.params.items())): c for c in self.candidates}

    @functools.cached_property
    def _batches(self) -> list[Any]:
        """The shapes of the batches of a segment, for each stream."""
        return [
            jax.tree.map(
                lambda x: arrays_of.shape_of(
                    np.broadcast_to(x, (self.segment.length, *np.shape(x)))
                ),
                batch,
            )
            for batch in self._examples
        ]

    @functools.cached_property
    def _examples(self) -> list[Any]:
        """The first batch of each stream."""
        return [jax.tree.map(np.asarray, stream.one) for stream in self.streams]

    def _length(self, segment: int | None, evaluate_every: int | None) -> int:
        """The steps of a segment; the checks of what must fit it."""
        steps, pruner = self.task.steps, self.pruner
        rungs = pruner.rungs(steps) if pruner else ()
        for option, value in {
            "pruner": pruner,
            "evaluate_every": evaluate_every,
        }.items():
            if value and not steps:
                raise ValueError(
                    f"`{option}` looks at trainings in the middle, and a function does "
                    "all of one at once: take a `search.Task`."
                )
        if self.streams and not steps:
            raise ValueError(
                "A stream has a batch for each step, and a function does all of a "
                "training at once: take a `search.Task`."
            )
        if pruner and not rungs:
            raise ValueError(
                f"{pruner!r} has no rung before step {steps}, where a trial ends."
            )
        if segment is not None:
            length = segment
        else:
            ends = (*rungs, evaluate_every) if evaluate_every else rungs
            length = _fitting(steps, ends)
            batches = sum(np.asarray(x).nbytes for x in jax.tree.leaves(self._examples))
            if batches * length > arrays_of.BUDGET:
                length = max(1, arrays_of.BUDGET // batches)
                if evaluate_every:
                    length = math.gcd(length, evaluate_every)
        if evaluate_every and evaluate_every % length:
            raise ValueError(
                f"`evaluate_every` must be a multiple of segment={length}, "
                f"got {evaluate_every}."
            )
        return length

    def _check(self, outcome: Outcome) -> None:
        """Checks the metrics of a task.

        Raises:
            ValueError: If there is no such metric, or one is no scalar that should be.
        """
        metric, (metrics, trees) = self.objective.metric, _shaped(outcome.metrics)
        if metric not in metrics:
            known = ", ".join(map(str, [*metrics, *trees]))
            raise ValueError(f"There is no metric {metric!r}. Known: {known}.")
        scalars = [(metric, metrics[metric]), *outcome.watched.items()]
        for name, leaf in scalars:
            if len(leaf.shape) > 1:
                what = "The metric" if name == metric else "What `step` returns as"
                raise ValueError(f"{what} {name!r} is not a scalar.")
        if trees and self.store is not None and self.folder is None:
            raise ValueError(
                f"`evaluate` returns trees as {', '.join(map(repr, trees))}, which are "
                "kept in files: give a folder for them, with `out`."
            )


def _warn_of_repetition(samples: int | None, found: int) -> None:
    """Says that there are fewer candidates than were asked for."""
    if samples is not None and found < samples:
        warnings.warn(
            f"samples={samples}, but only {found} different candidates were found. A "
            "candidate is trained once with each seed: for less noise take more seeds.",
            stacklevel=5,
        )


def _shaped(metrics: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits the shapes of metrics into those of arrays and those of trees."""
    arrays = {n: x for n, x in metrics.items() if hasattr(x, "shape")}
    return arrays, {n: x for n, x in metrics.items() if n not in arrays}


def _key(key: Any) -> jax.Array:
    """Makes a random key of a number, or of a key of any kind."""
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        return jax.random.key(int(key))
    if isinstance(key, jax.Array | np.ndarray):
        array = jax.numpy.asarray(key)
        if is_key(array):
            if not array.shape:
                return array
        elif array.dtype == np.uint32 and array.shape == (2,):
            wrapped: jax.Array = jax.random.wrap_key_data(array)
            return wrapped
        if array.dtype.kind in "iu" and not array.shape:
            return jax.random.key(int(array))
    raise TypeError(
        f"`key` must be a random key, such as jax.random.key(0), or an integer, "
        f"got {key!r}."
    )


def _seeds(space: Space, seeds: int | None) -> tuple[int, ...]:
    if space.seeds:
        if seeds is not None:
            raise ValueError(
                f"seeds={seeds}, but the space has its own: {list(space.seeds)}."
            )
        return space.seeds
    return tuple(range(_count("seeds", seeds) or SEEDS))


def _count(name: str, value: Any) -> int | None:
    """Returns a count as an integer of Python, which goes into a fingerprint."""
    if value is None:
        return None
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be an integer, got {value!r}.")
    if value < 1 and name != "samples":
        raise ValueError(f"`{name}` must be 1 or more, got {value}.")
    return int(value)


def _callbacks(callbacks: Iterable[Callback], progress: Any) -> tuple[Callback, ...]:
    found = (*callbacks, *([] if isinstance(progress, bool) else [progress]))
    for callback in found:
        if not callable(callback):
            raise TypeError(
                f"A callback is a function of a Progress, got {callback!r}."
            )
    return found


def _adaptive(sampler: Any) -> Adaptive | None:
    """Returns a sampler that learns: one of Optuna, or of the caller."""
    if callable(getattr(sampler, "ask", None)):
        found: Adaptive = sampler
        return found
    of_optuna = hasattr(sampler, "sample_relative")
    if of_optuna or (isinstance(sampler, str) and sampler in SAMPLERS_OF_OPTUNA):
        from .optuna.sampler import OptunaSampler  # noqa: PLC0415

        return OptunaSampler(sampler)
    return None


def _fitting(steps: int, ends: Sequence[int]) -> int:
    """The longest segment that fits the steps and some ends, unless it is short."""
    common = math.gcd(steps, *ends)
    fitting = max((n for n in range(1, SEGMENT + 1) if common % n == 0), default=1)
    return fitting if fitting >= SEGMENT / 10 else max(1, min(SEGMENT // 2, steps))


P = ParamSpec("P")
T = TypeVar("T")


def _by(
    make: Callable[P, Search], do: Callable[[Search], T], name: str, doc: str
) -> Callable[P, T]:
    """Returns a function that makes a search and does something with it.

    It has the arguments of a search, which are written and explained there alone.
    """

    def function(*args: P.args, **kwargs: P.kwargs) -> T:
        if misfit := misfit_of(function, args, kwargs):
            raise TypeError(misfit)
        return do(make(*args, **kwargs))

    explained = inspect.cleandoc(Search.__doc__ or "")
    arguments = explained[explained.index("Args:") : explained.index("Warns:")]
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc.replace("Returns:", f"{arguments}Returns:", 1)
    vars(function)["__signature__"] = inspect.signature(make).replace(
        return_annotation=inspect.signature(do).return_annotation
    )
    return function


run = _by(
    Search,
    Search.run,
    "run",
    """Trains with every candidate and every seed, in one program, and ranks them.

Returns:
    The trials, and the candidates ranked.

Raises:
    ValueError: If there is nothing to train, `metric` is no scalar metric, or another
        search is in `out`.
    TypeError: If lanes would differ in more than numbers and schedules.
    MemoryError: If the lanes need more memory than there is.
    Interrupted: On Ctrl-C, after the segment, with everything saved.

Example:
    >>> import jax
    >>> import jaxsched as js
    >>> from jaxsched import search
    >>> def train(schedule, key):  # gradient descent on x**2 / 2
    ...     start = jax.random.uniform(key, minval=1.0, maxval=2.0)
    ...     step = lambda count, x: x - schedule(count) * x
    ...     return {"validation": jax.lax.fori_loop(0, 10, step, start) ** 2 / 2}
    >>> peak = search.logspace(0.1, 0.9, 3)
    >>> space = search.one_of(js.constant(peak), js.linear(peak, 0.0, steps=10))
    >>> results = search.run(train, space, key=jax.random.key(0))
    >>> results.best().code
    'constant(0.9)'
""",
)

plan = _by(
    Search,
    Search.plan,
    "plan",
    """Compiles a search and times one segment; nothing is kept.

A task that is done at once is run once in all lanes.

Returns:
    What the search would do.

Raises:
    ValueError: If there is nothing to train, or `metric` is no scalar metric.
    MemoryError: If the lanes need more memory than there is.

Example:
    >>> import jax
    >>> import jaxsched as js
    >>> from jaxsched import search
    >>> train = lambda schedule, key: {"validation": schedule(3)}
    >>> space = js.constant(search.logspace(0.1, 1.0, 10))
    >>> search.plan(train, space, key=jax.random.key(0)).trials
    30
""",
)
