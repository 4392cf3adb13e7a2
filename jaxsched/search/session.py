"""A session: one run of a search, from its store to its results, with interrupts."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .engine.data import hashed, sent
from .engine.loop import Loop
from .engine.program import Program
from .objective import Objective
from .progress import Callback, Stop, Tally, bar
from .results.results import Results
from .spaces.space import NamedDimension, Space
from .stores import folder as folders
from .stores.base import Store, checked
from .stores.checkpoints import Checkpoints, Trees
from .stores.sqlite import SQLiteStore
from .trial import Status, Trial, trials_of


if TYPE_CHECKING:
    from .search import Search

SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")
"""Signals that stop a search after the segment; SLURM sends SIGUSR1 before the end."""


class Interrupted(KeyboardInterrupt):
    """A search was interrupted; everything is saved, if it has an `out` or a `store`.

    Attributes:
        results: The results so far.
    """

    def __init__(self, results: Results, out: Path | None) -> None:
        where = f"; the same call, with out={str(out)!r}, goes on" if out else ""
        super().__init__(f"The search was interrupted{where}.")
        self.results = results


def conducted(search: "Search") -> Results:
    """Runs a search; see `Search.run`."""
    search.begin()
    with _interrupts() as interrupted, contextlib.closing(_opened(search)) as store:
        data = sent(search.data, search.devices[0])
        kept = search.folder or search.store is not None
        # Much data take a while to hash, which the compiler need not wait for.
        with ThreadPoolExecutor(1, "jaxsched-hash") as aside:
            digest = aside.submit(hashed, search.data if kept else ())
            program = search.compile()
        if kept:
            _identify(search, store, digest.result())
        results = _trained(search, program, data, store, interrupted)
    if interrupted.is_set():
        raise Interrupted(results, search.folder)
    return results


def load(
    out: str | Path | None = None,
    space: Any = None,
    *,
    store: str | Store | None = None,
    name: str = "search",
) -> Results:
    """Reads the results of a search that was run, or is running.

    Args:
        out: The folder of the search.
        space: The space, to make configs again that hold objects of your own; all
            others are kept as data.
        store: The store, if it is not in the folder.
        name: The name of the search.

    Returns:
        The results so far.

    Raises:
        FileNotFoundError: If there is no such search.

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
    if store is None:
        if folder is None:
            raise ValueError("Say which search: its folder, or its store.")
        fingerprint, description = folders.written(folder, name)
        trials: Sequence[Trial] = folders.read(folder, name) if fingerprint else ()
    else:
        with contextlib.closing(opened(store, None, name, new=False)) as kept:
            fingerprint, description = kept.fingerprint(), kept.description()
            trials = kept.trials()
    if not fingerprint:
        raise missing
    return Results(
        tuple(trials),
        Objective(fingerprint["metric"], fingerprint["mode"]),
        tuple(map(NamedDimension.from_data, description.get("dimensions", ()))),
        None if space is None else Space(space),
        Trees(folder and folder / "trees"),
    )


def opened(
    store: str | Store | None,
    file: Path | None,
    name: str,
    *,
    objective: Objective | None = None,
    dimensions: Sequence[NamedDimension] = (),
    lease: float = 60.0,
    new: bool = True,
) -> Store:
    """Opens the store of a search.

    Args:
        store: `sqlite:///search.db` for the processes of one machine, or
            `postgresql://user@host/database` for those of many, through Optuna; the
            address may have a password, but `PGPASSWORD` and `~/.pgpass` hide it from
            those who can list processes. A store is returned as it is. If `None`, it is
            in `file`.
        file: A file of SQLite; if `None` too, nothing is kept.
        name: The name of the search in the store.
        objective: The metric, for the dashboard of Optuna.
        dimensions: The dimensions of the space, for the same.
        lease: The seconds for which a process without a sign of life keeps its trials.
        new: Whether to create a search if there is none.

    Returns:
        The store.

    Raises:
        ValueError: If `store` is anything else.
        FileNotFoundError: If there is no such search, and it may not be created.
        StoreError: If it cannot be opened.

    Example:
        >>> store = opened(None, None, "mine")
        >>> store
        SQLiteStore(':memory:', 'mine')
        >>> store.close()
    """
    if store is None:
        path = ":memory:" if file is None else file
        return SQLiteStore(path, name, lease=lease, new=new)
    if not isinstance(store, str):
        return store
    scheme, separator, path = store.partition("://")
    if scheme in {"postgresql", "postgresql+psycopg"} and separator:
        from .optuna.store import OptunaStore  # noqa: PLC0415

        return OptunaStore(
            store,
            name,
            dimensions=dimensions,
            objective=objective,
            lease=lease,
            new=new,
        )
    if scheme == "sqlite" and path.startswith("/") and path != "/":
        return SQLiteStore(path.removeprefix("/"), name, lease=lease, new=new)
    # Only the beginning is shown: there may be a password in the rest.
    raise ValueError(
        f"Trials can be kept in `sqlite:///search.db`, or on "
        f"`postgresql://user@host/database`, not in {store.partition(':')[0]!r}."
    )


def _opened(search: "Search") -> Store:
    """Opens the store of a search, and checks whether it may go on there."""
    folder = search.folder
    store = opened(
        search.store,
        folder and folders.database(folder),
        search.name,
        objective=search.objective,
        dimensions=search.space.dimensions,
        lease=search.lease,
    )
    try:
        known = store.fingerprint()
        if not known and folder:
            known, _ = folders.written(folder, search.name)
        if known and not search.resume:
            raise ValueError(
                f"There is a search in {str(folder or search.name)!r} already: choose "
                "another place, or go on with it, with resume=True."
            )
        pruner = search.pruner
        if pruner and not store.pauses and pruner.status_at(0) is Status.PAUSED:
            raise ValueError(
                f"{pruner!r} pauses trials, which {store!r} cannot. Keep it in a "
                "folder, or let a pruner of Optuna stop them for good: "
                "OptunaPruner(optuna.pruners.SuccessiveHalvingPruner())."
            )
        search.adopt(known)
    except BaseException:
        store.close()
        raise
    return store


def _identify(search: "Search", store: Store, data: str) -> None:
    """Writes what the search is, with a digest of its data, or checks it."""
    force, stated = search.resume == "force", search.fingerprint(data)
    if search.folder:
        # The other processes of a job have files of their own.
        known, _ = folders.written(search.folder, search.name)
        checked(known, stated, str(search.folder), force)
    store.identify(stated, force)
    store.describe(search.description())


def _trained(
    search: "Search",
    program: Program,
    data: Sequence[Any],
    store: Store,
    interrupted: threading.Event,
) -> Results:
    folder = search.folder
    file = folder and folders.database(folder)
    elsewhere = folders.read(folder, search.name, but=file) if folder else []
    done = {trial.id: trial for trial in elsewhere if trial.is_finished}
    if search.retry:
        done = {i: t for i, t in done.items() if t.status is not Status.FAILED}
        store.retry(search.wants)
    store.add(trial for trial in search.share if trial.id not in done)
    known = store.trials(metrics=False)
    search.look(known)
    tally = Tally(
        search.total,
        search.segment.length,
        search.objective,
        seeds=len(search.seeds),
        end=search.end,
        patience=search.patience,
        target=search.target,
    )
    tally.look(search.own(known))
    trees = Trees(folder and folder / "trees")
    loop = Loop(
        program,
        search.work(data, done, lambda count: _extended(search, store, count)),
        store,
        Checkpoints(folder and folder / "states"),
        trees,
    )
    with bar() if search.bar else contextlib.nullcontext() as shown:
        callbacks = (*search.callbacks, *([shown] if shown else []))

        def watch(reports: Sequence[Trial]) -> bool:
            if not reports:  # Other processes are at work.
                tally.look(search.own(store.trials(metrics=False)))
            try:
                _call(callbacks, tally, search.own(reports))
            except Stop:
                return False
            return not (interrupted.is_set() or tally.is_over)

        if not interrupted.is_set():
            loop.run(watch)
    others = folders.read(folder, search.name, but=file) if folder else []
    trials = folders.merged(search.own([*store.trials(), *others]))
    dimensions = search.space.dimensions
    return Results(tuple(trials), search.objective, dimensions, search.space, trees)


def _call(
    callbacks: Sequence[Callback], tally: Tally, reports: Sequence[Trial]
) -> None:
    progress = tally.count(reports)
    for callback in callbacks:
        callback(progress)


def _extended(search: "Search", store: Store, count: int) -> bool:
    """Adds candidates that an adaptive sampler proposes from the results so far.

    Nobody else adds any in between, so there are never more than `samples`.
    """
    adaptive, seeds = search.adaptive, search.seeds
    if adaptive is None:
        return False
    added = False

    def propose(trials: Sequence[Trial]) -> Iterator[Trial]:
        nonlocal added
        search.look(trials)
        own = [trial for trial in trials if search.wants(trial.id)]
        there = len({trial.candidate for trial in own})
        wanted = min(search.samples - there, -(-count // len(seeds)))
        if wanted <= 0:
            return
        candidates = adaptive.ask(
            search.space, wanted, own, search.objective, search.seed_of(there)
        )
        known = [trial.id for trial in trials]
        for trial in trials_of(candidates, seeds, known, first=len(trials)):
            added = True
            yield trial

    store.extend(propose)
    return added


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Sets an event on a signal of `SIGNALS`; a second Ctrl-C interrupts at once."""
    event = threading.Event()

    def stop(*_: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, previous[signal.SIGINT])

    previous: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in SIGNALS:
            if hasattr(signal, name):  # Not all systems have all of them.
                sent = getattr(signal, name)
                previous[sent] = signal.signal(sent, stop)
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
