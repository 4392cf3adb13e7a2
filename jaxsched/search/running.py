"""Running a search: what is asked for is made ready, trained, and ranked."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import jax

from .asking import Asking
from .lanes.engine import Engine
from .lanes.program import Program
from .lanes.task import Train, Trainable
from .prepared import Search
from .preparing import prepare
from .progress import Tally, Watch, bar
from .pruners import Pruner
from .results.results import Results
from .spaces.samplers import Sampler
from .spaces.space import Space
from .stores import open_store
from .stores.facts import checked
from .stores.ledgers import (
    description,
    keep_description,
    known_facts,
    ledger,
    written,
)
from .stores.states import States
from .trials import FINISHED, Status, Store, Trial


class Interrupted(KeyboardInterrupt):
    """A search was stopped; all that is done is saved, if it had somewhere to.

    Attributes:
        results: What there is until now.
    """

    def __init__(self, results: Results, out: Path | None) -> None:
        where = f"; the same call, with out={str(out)!r}, goes on" if out else ""
        super().__init__(f"The search was interrupted{where}.")
        self.results = results


def run(
    task: Trainable | Train,
    space: Any,
    *,
    key: jax.Array | int = 0,
    metric: str = "validation",
    mode: Literal["min", "max"] = "min",
    seeds: int | None = None,
    sampler: str | Sampler | Any = "grid",
    samples: int | None = None,
    pruner: Pruner | None = None,
    steps: int | None = None,
    out: str | Path | None = None,
    store: str | None = None,
    name: str = "search",
    lease: float = 60.0,
    resume: bool | Literal["force"] = True,
    width: int | None = None,
    segment: int | None = None,
    devices: Sequence[Any] | None = None,
    progress: Watch | bool = False,
) -> Results:
    """Trains with every candidate and every seed, in one program, and ranks them.

    In a job of `jax.distributed` each process trains a share of the trials on its own
    devices, and waits for no other. JAX ends all of them if one dies; if
    `jax.config.update("jax_enable_recoverability", True)` comes before
    `jax.distributed.initialize`, only if that is the first one. Either way the same
    call with the same `out`, in one process or in as many, does what is left.

    Args:
        task: A `Task`; or a function `train(config, key)` that trains once, and returns
            metrics by name. JAX traces it once, however many candidates there are.
        space: A schedule with dimensions in place of numbers, `one_of` several, a
            `space` of more than that; or schedules to compare, in a list or by name.
        key: What the keys of the seeds are made from: a random key, or a number to make
            one from. All candidates meet the same ones, so that they can be compared
            seed by seed.
        metric: The metric to rank by, a scalar.
        mode: Whether less of it is better, "min", or more, "max".
        seeds: How many times each candidate is trained: 3 unless given, or unless the
            space says it. Of a function that does all at once, one seed is one key for
            all lanes, which is faster; then the search cannot have more seeds later.
        sampler: "grid", "random" or "sobol"; "tpe", "cmaes", "gp" or any sampler of
            Optuna; or a function from a `Space` and `samples` to candidates.
        samples: How many candidates; of a grid all, unless given.
        pruner: `halving`, `asha`, or an `OptunaPruner`; none unless given.
        steps: For how many steps schedules become tables, where families differ and
            the task does not say; until the last one is over, unless given.
        out: A folder to keep the search in, so that it can go on after a crash.
        store: "postgresql://user@host/database" for workers on many machines, or
            "sqlite:///path"; else a file in `out`.
        name: What the search is called in a store that has several.
        lease: For how many seconds a process that gives no sign of life keeps its
            trials; then others run them. Of one on this machine it is known at once.
        resume: Whether to go on with a search that is there. One of another program is
            refused, unless this is "force".
        width: How many lanes a device has; by default 8 on a CPU and else 64, or what
            the memory is enough for. At the same width, results are the same to the
            bit on any number of devices and in any company.
        segment: How many steps are done between two looks at what came of them.
        devices: Where to run; unless given all that this process has. On a CPU that is
            one for each core if a program begins with `search.use_all_cores()`.
        progress: Whether to show a bar; or what to call with a `Progress` after every
            segment.

    Returns:
        What became of every trial, and the candidates ranked.

    Raises:
        ValueError: If there is nothing to train, `metric` is no scalar metric, or
            another search is in `out`.
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
    """
    folder = None if out is None else Path(out)
    asked = Space(space)
    file = folder and ledger(folder)
    kept = open_store(store, file, asked, name, metric=metric, mode=mode, lease=lease)
    with contextlib.closing(kept):
        known = kept.facts() or (known_facts(folder) if folder else {})
        if known and not resume:
            raise ValueError(
                f"There is a search in {str(out or name)!r} already: choose another "
                "place, or go on with it, with resume=True."
            )
        search = prepare(
            task,
            asked,
            key=key,
            metric=metric,
            mode=mode,
            seeds=seeds,
            sampler=sampler,
            samples=samples,
            pruner=pruner,
            steps=steps,
            width=width or known.get("width"),
            segment=segment or known.get("segment"),
            devices=devices,
        )
        if pruner and not kept.pauses and pruner.status_at(0) is Status.PAUSED:
            raise ValueError(
                f"{pruner!r} pauses trials, which {kept!r} cannot. Keep it in a folder "
                "or let a pruner of Optuna stop them for good: "
                "OptunaPruner(optuna.pruners.SuccessiveHalvingPruner())."
            )
        program = search.compile()
        if folder or store:
            force, facts = resume == "force", search.facts()
            # The other processes of a job have ledgers of their own.
            checked(known or None, facts, str(out or name), force)
            kept.identify(facts, force)
        if folder:
            keep_description(asked, folder)
        return _train(search, program, kept, folder, progress)


def load(
    out: str | Path | None = None,
    space: Any = None,
    *,
    store: str | None = None,
    name: str = "search",
) -> Results:
    """Looks at a search that was run, or is running.

    Args:
        out: The folder that it is kept in.
        space: What was searched. It is needed where functions of your own make the
            schedules, or the search is in a database.
        store: The store that it is in, if that is not the folder.
        name: What it is called there.

    Returns:
        What there is until now.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If `space` is needed.

    Example:
        >>> import tempfile
        >>> import jax
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> train = lambda schedule, key: {"validation": schedule(3)}
        >>> space = js.constant(search.logspace(0.1, 1.0, 3))
        >>> with tempfile.TemporaryDirectory() as out:
        ...     results = search.run(train, space, key=jax.random.key(0), out=out)
        ...     search.load(out).best().code
        'constant(0.1)'
    """
    folder = None if out is None else Path(out)
    missing = FileNotFoundError(f"There is no search in {str(out or name)!r}.")
    if store is None and not (folder and known_facts(folder)):
        raise missing
    if space is None and folder is None:
        raise ValueError(
            "A database does not say what was searched: say it with `space`."
        )
    searched = description(folder) if space is None and folder else Space(space)
    if store is None and folder:
        facts, trials = known_facts(folder), written(folder)
    else:
        found = open_store(store, None, searched, name, new=False)
        with contextlib.closing(found) as kept:
            facts, trials = kept.facts(), kept.trials()
    if not facts:
        raise missing
    return Results(tuple(trials), searched, str(facts["metric"]), str(facts["mode"]))


def _train(
    search: Search,
    program: Program,
    store: Store,
    folder: Path | None,
    progress: Watch | bool,
) -> Results:
    file = folder and ledger(folder)
    elsewhere = written(folder, but=file) if folder else []
    done = {trial.digest: trial for trial in elsewhere if trial.status in FINISHED}
    store.add(trial for trial in search.share if trial.digest not in done)
    engine = Engine(
        program=program,
        key=search.key,
        store=store,
        states=States(folder and folder / "states"),
        done=done,
        row=search.row,
        metric=search.metric,
        sign=search.sign,
        pruner=search.pruner,
        ask=Asking(search, store),
    )
    tally = Tally(
        total=search.total,
        length=search.segment.length,
        metric=search.metric,
        sign=search.sign,
    )
    tally.look(store.board())
    own = None if isinstance(progress, bool) else progress
    shown = bar() if progress is True else contextlib.nullcontext(own)
    with _interrupts() as interrupted, shown as show:

        def watch(reports: Sequence[Trial]) -> bool:
            tally.count(reports)
            if not reports:  # Others are at work.
                tally.look(store.board())
            if show is not None:
                show(tally.progress())
            return not interrupted.is_set()

        engine.run(watch)
    others = written(folder, but=file) if folder else []
    trials = search.own([*store.trials(), *others])
    results = Results(trials, search.space, search.metric, search.mode)
    if interrupted.is_set():
        raise Interrupted(results, folder)
    return results


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Sets an event on Ctrl-C or SIGTERM; the second Ctrl-C interrupts at once."""
    event = threading.Event()

    def stop(*_: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, previous[signal.SIGINT])

    previous: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for sent in (signal.SIGINT, signal.SIGTERM):
            previous[sent] = signal.signal(sent, stop)
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
