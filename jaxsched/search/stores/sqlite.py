"""SQLite: the trials of searches in one file, for the processes of one machine."""

import contextlib
import itertools
import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..trial import FINISHED, Status, Trial, Values
from . import leases
from .base import Judge, Propose, StoreError, Wanted, anything, checked
from .packing import as_json, from_json, pack_metrics, unpack_metrics


PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

FORMAT = 2
"""Of the tables below; to be raised with any change of them."""

APPLICATION = int.from_bytes(b"jaxs")
"""Tells a file of ours from other SQLite databases."""

TABLES = (
    # Every transaction that writes has a time of its own, by which readers find what
    # has changed since they last looked.
    "CREATE TABLE clock (now INTEGER NOT NULL)",
    "INSERT INTO clock VALUES (0)",
    "CREATE TABLE searches (name TEXT PRIMARY KEY, fingerprint TEXT, description TEXT)",
    "CREATE TABLE owners (owner TEXT PRIMARY KEY, host TEXT NOT NULL,"
    " process INTEGER NOT NULL, started TEXT NOT NULL, lease REAL NOT NULL)",
    "CREATE TABLE trials (search TEXT NOT NULL, number INTEGER NOT NULL,"
    " id TEXT NOT NULL, params TEXT NOT NULL, seed INTEGER NOT NULL,"
    " family TEXT NOT NULL, code TEXT NOT NULL, config TEXT NOT NULL,"
    " status TEXT NOT NULL, steps INTEGER NOT NULL DEFAULT 0,"
    " attempt INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,"
    " host TEXT NOT NULL DEFAULT '', device TEXT NOT NULL DEFAULT '',"
    " error TEXT NOT NULL DEFAULT '', metrics BLOB, owner TEXT,"
    " changed INTEGER NOT NULL, PRIMARY KEY (search, number), UNIQUE (search, id))",
    "CREATE INDEX waiting ON trials (search, status, steps DESC, number)",
    "CREATE INDEX changes ON trials (search, changed)",
    "CREATE INDEX owned ON trials (owner) WHERE owner IS NOT NULL",
    "CREATE TABLE history (search TEXT NOT NULL, number INTEGER NOT NULL,"
    " steps INTEGER NOT NULL, numbers TEXT NOT NULL,"
    " PRIMARY KEY (search, number, steps)) WITHOUT ROWID",
)

COLUMNS = (
    "number, id, params, seed, family, code, config, status, steps, attempt, seconds, "
    "host, device, error"
)

NOW = "(SELECT now FROM clock)"

ADVICE = {
    "SQLITE_FULL": "Make room on the disk, and run it again to go on.",
    "SQLITE_IOERR": "Check the disk, and run it again to go on.",
    "SQLITE_NOTADB": "It was left as it is; name another file.",
    "SQLITE_CORRUPT": "Check the disk; `sqlite3 FILE .recover` reads what is left.",
    "SQLITE_READONLY": "Make it writable, or name a file in another folder.",
    "SQLITE_CANTOPEN": "Make it writable, or name a file in another folder.",
    "SQLITE_BUSY": "Another process has kept it locked; end that, and run it again.",
}
"""What to do about an error, by the beginning of its name."""


class SQLiteStore:
    """A `Store` in a file.

    A process that has claimed trials holds a lease, which it renews while it lives.
    When the lease runs out, or the process is dead, others may claim the trials.

    Args:
        path: The file; created if missing, as its folder is, for their owner only.
            `":memory:"` keeps nothing.
        name: The name of the search in the file, which may hold several.
        lease: The seconds for which a process without a sign of life, and maybe on
            another machine, keeps its trials.
        new: Whether to create the search if there is none.

    Raises:
        StoreError: If the file holds anything else, or is of another version.
        FileNotFoundError: If there is no such search, and it may not be created.
        OSError: If the file cannot be created.

    Example:
        >>> store = SQLiteStore(":memory:")
        >>> store.add([Trial(0, "a", {"peak": 0.1}, seed=0)])
        >>> [trial.params for trial in store.claim(8)]
        [{'peak': 0.1}]
        >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        name: str = "search",
        *,
        lease: float = 60.0,
        new: bool = True,
    ) -> None:
        self._path = ":memory:"
        self._name = name
        self._lease = lease
        self._owner = uuid.uuid4().hex
        self._heartbeat: leases.Heartbeat | None = None
        # One connection for all threads of this process, so they take turns.
        self._turn = threading.RLock()
        self._seen: dict[int, Trial] = {}
        self._seen_until = -1
        if path != ":memory:":
            file = Path(path).absolute()
            if not new and not file.exists():
                raise FileNotFoundError(f"There is no file {file}.")
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives its other files the permissions of this one. An existing file
            # is not opened here: closing it would end all locks of this process.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._path = str(file)
        with explained(self._path):
            self._database = sqlite3.connect(
                self._path,
                timeout=PATIENCE,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare(new)
            except BaseException:
                self._database.close()
                raise

    def __repr__(self) -> str:
        name = "" if self._name == "search" else f", {self._name!r}"
        return f"SQLiteStore({self._path!r}{name})"

    @property
    def pauses(self) -> bool:
        return True

    def fingerprint(self) -> Mapping[str, Any]:
        return self._written("fingerprint")

    def identify(self, fingerprint: Mapping[str, Any], force: bool = False) -> None:
        with self._writing():
            known = self._written("fingerprint")
            self._write("fingerprint", checked(known, fingerprint, self._path, force))

    def describe(self, description: Mapping[str, Any]) -> None:
        with self._writing():
            self._write("description", description)

    def description(self) -> Mapping[str, Any]:
        return self._written("description")

    def add(self, trials: Iterable[Trial]) -> None:
        with self._writing():
            self._add(trials)

    def extend(self, propose: Propose) -> None:
        with self._writing():
            self._add(propose(self._board()))

    def claim(self, count: int, wanted: Wanted = anything) -> list[Trial]:
        with self._writing() as database:
            leases.take(database, self._owner, self._lease)
            leases.free(database, self._owner)
            rows = database.execute(
                "SELECT number, id FROM trials WHERE search = ? AND status = ?"
                " ORDER BY steps DESC, number",
                (self._name, Status.WAITING),
            )
            ours = itertools.islice((n for n, id_ in rows if wanted(id_)), count)
            numbers = list(ours)
            database.executemany(
                f"UPDATE trials SET status = ?, owner = ?, attempt = attempt + 1,"
                f" changed = {NOW} WHERE search = ? AND number = ?",
                ((Status.RUNNING, self._owner, self._name, n) for n in numbers),
            )
            claimed = self._read(numbers, metrics=True)
        if self._heartbeat is None and self._path != ":memory:":
            self._heartbeat = leases.heartbeat(
                self, self._path, self._owner, self._lease
            )
        return sorted(claimed, key=lambda trial: (-trial.steps, trial.number))

    def record(self, trials: Sequence[Trial]) -> list[int]:
        # Packed before others are kept waiting.
        packed = [
            pack_metrics(t.metrics) if t.is_finished or t.metrics else None
            for t in trials
        ]
        lost = []
        with self._writing() as database:
            for trial, metrics in zip(trials, packed, strict=True):
                written = database.execute(
                    f"UPDATE trials SET status = ?, owner = ?, steps = ?, seconds = ?,"
                    f" host = ?, device = ?, error = ?, metrics = coalesce(?, metrics),"
                    f" changed = {NOW}"
                    f" WHERE search = ? AND number = ? AND owner = ?",
                    (
                        trial.status,
                        self._owner if trial.status == Status.RUNNING else None,
                        trial.steps,
                        trial.seconds,
                        trial.host,
                        trial.device,
                        trial.error,
                        metrics,
                        self._name,
                        trial.number,
                        self._owner,
                    ),
                )
                if not written.rowcount:
                    lost.append(trial.number)
                    continue
                database.executemany(
                    "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)",
                    (
                        (self._name, trial.number, steps, json.dumps(as_json(values)))
                        for steps, values in trial.history.items()
                    ),
                )
        return lost

    def decide(self, judge: Judge) -> Mapping[int, Status]:
        decided = {}
        with self._writing() as database:
            for number, status in judge(self._board()).items():
                if status == Status.RUNNING:
                    raise ValueError(f"Trial {number} cannot be set running: claim it.")
                changed = database.execute(
                    f"UPDATE trials SET status = ?, owner = NULL, changed = {NOW}"
                    f" WHERE search = ? AND number = ?"
                    f" AND status NOT IN (?, ?, ?, ?, ?)",
                    (status, self._name, number, status, *FINISHED),
                )
                if changed.rowcount:
                    decided[number] = status
        return decided

    def retry(self, wanted: Wanted = anything) -> int:
        with self._writing() as database:
            rows = database.execute(
                "SELECT number, id FROM trials WHERE search = ? AND status = ?",
                (self._name, Status.FAILED),
            )
            failed = [(self._name, number) for number, id_ in rows if wanted(id_)]
            database.executemany(
                f"UPDATE trials SET status = '{Status.WAITING}', steps = 0, error = '',"
                f" metrics = NULL, changed = {NOW} WHERE search = ? AND number = ?",
                failed,
            )
            database.executemany(
                "DELETE FROM history WHERE search = ? AND number = ?", failed
            )
        return len(failed)

    def trials(self, *, metrics: bool = True) -> list[Trial]:
        with self._transaction("DEFERRED"):
            return (
                self._read(None, metrics=True)
                if metrics
                else self._board(writing=False)
            )

    def close(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()
        # If it cannot be written now, others find out when the process is dead; other
        # stores of this process, which lives on, find out from this set.
        leases.CLOSED.add(self._owner)
        with (
            contextlib.suppress(StoreError, sqlite3.ProgrammingError),
            self._writing() as database,
        ):
            leases.give_back(database, self._owner)
        with self._turn:
            self._database.close()

    def _prepare(self, new: bool) -> None:
        """Creates the tables, unless they exist; changes no file of anything else."""
        with self._transaction("DEFERRED") as database:
            ours = _is_ours(database, self._path)
        if not ours:
            self._database.execute("PRAGMA journal_mode = WAL")
            with self._transaction("IMMEDIATE") as database:
                # Of several that come here at once, the first one creates them.
                if not _is_ours(database, self._path):
                    for table in TABLES:
                        database.execute(table)
                    database.execute(f"PRAGMA application_id = {APPLICATION}")
                    database.execute(f"PRAGMA user_version = {FORMAT}")
        self._database.execute("PRAGMA synchronous = FULL")
        insert = "INSERT OR IGNORE INTO searches (name) VALUES (?)"
        if new:
            with self._writing() as database:
                database.execute(insert, [self._name])
        elif self._name not in names_in(self._database):
            raise FileNotFoundError(
                f"There is no search {self._name!r} in {self._path}; it has "
                f"{', '.join(map(repr, names_in(self._database))) or 'none'}."
            )

    def _written(self, column: str) -> dict[str, Any]:
        with self._turn, explained(self._path):
            [written] = self._database.execute(
                f"SELECT {column} FROM searches WHERE name = ?", [self._name]
            ).fetchone()
        return json.loads(written) if written else {}

    def _write(self, column: str, data: Mapping[str, Any]) -> None:
        self._database.execute(
            f"UPDATE searches SET {column} = ? WHERE name = ?",
            (json.dumps(data), self._name),
        )

    def _add(self, trials: Iterable[Trial]) -> None:
        database, name = self._database, self._name
        [free] = database.execute(
            "SELECT coalesce(max(number) + 1, 0) FROM trials WHERE search = ?", [name]
        ).fetchone()
        for trial in trials:
            described = (
                json.dumps(dict(trial.params)),
                trial.seed,
                trial.family,
                trial.code,
                json.dumps(trial.config),
                Status.WAITING,
            )
            number = trial.number
            taken = database.execute(
                "SELECT 1 FROM trials WHERE search = ? AND number = ?", (name, number)
            ).fetchone()
            number = free if taken else number
            added = database.execute(
                "INSERT INTO trials (search, number, id, params, seed, family, code,"
                f" config, status, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {NOW})"
                " ON CONFLICT (search, id) DO NOTHING",
                (name, number, trial.id, *described),
            )
            if added.rowcount:
                free = max(free, number + 1)

    def _board(self, *, writing: bool = True) -> list[Trial]:
        """Returns all trials without metrics; reads only those that have changed."""
        [now] = self._database.execute("SELECT now FROM clock").fetchone()
        changed = self._database.execute(
            "SELECT number FROM trials WHERE search = ? AND changed > ?",
            (self._name, self._seen_until),
        )
        read = self._read([number for (number,) in changed])
        # A transaction that writes may still change what it has read.
        self._seen_until = now - writing
        self._seen |= {trial.number: trial for trial in read}
        return [self._seen[number] for number in sorted(self._seen)]

    def _read(
        self, numbers: Sequence[int] | None, *, metrics: bool = False
    ) -> list[Trial]:
        """Returns trials, by number; all of them unless told which."""
        where, values = "search = ?", [self._name]
        if numbers is not None:
            where += " AND number IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(list(numbers)))
        history: dict[int, dict[int, Values]] = {}
        for number, steps, written in self._database.execute(
            f"SELECT number, steps, numbers FROM history WHERE {where}"
            f" ORDER BY number, steps",
            values,
        ):
            history.setdefault(number, {})[steps] = from_json(json.loads(written))
        rows = self._database.execute(
            f"SELECT {COLUMNS}, {'metrics' if metrics else 'NULL'} FROM trials"
            f" WHERE {where} ORDER BY number",
            values,
        )
        return [_trial(row, history) for row in rows]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._transaction("IMMEDIATE") as database:
            database.execute("UPDATE clock SET now = now + 1")
            yield database

    @contextlib.contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        with self._turn, explained(self._path):
            database = self._database
            database.execute(f"BEGIN {kind}")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise


def names_in(database: sqlite3.Connection) -> list[str]:
    """Returns the names of the searches in a file."""
    return [name for (name,) in database.execute("SELECT name FROM searches")]


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Makes errors of SQLite say what happened, and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        advice = [text for start, text in ADVICE.items() if name.startswith(start)]
        if not advice:
            raise
        raise StoreError(
            f"{path}: {error}. Rows that were already written are intact. {advice[0]}"
        ) from error


def _is_ours(database: sqlite3.Connection, path: str) -> bool:
    """Tells a file of ours from an empty one.

    Raises:
        StoreError: If it is neither.
    """
    [application] = database.execute("PRAGMA application_id").fetchone()
    [version] = database.execute("PRAGMA user_version").fetchone()
    [tables] = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application == version == tables == 0:
        return False
    if application != APPLICATION:
        raise StoreError(
            f"{path} is a database of something else, and was left as it is; "
            f"name another file."
        )
    if version != FORMAT:
        made_by, remedy = "a newer version", "update jaxsched"
        if version < FORMAT:
            made_by, remedy = "an older version", "keep this search in another file"
        raise StoreError(
            f"{path} was made by {made_by} of jaxsched (format {version}; this one has "
            f"format {FORMAT}), and was left as it is; {remedy}."
        )
    return True


def _trial(row: Sequence[Any], history: Mapping[int, Mapping[int, Values]]) -> Trial:
    """Makes a trial of its row: the `COLUMNS`, and the packed metrics, if any."""
    number, id_, params, seed, family, code, config, status, *progress, packed = row
    steps, attempt, seconds, host, device, error = progress
    return Trial(
        number=number,
        id=id_,
        params=json.loads(params),
        seed=seed,
        family=family,
        code=code,
        config=json.loads(config),
        status=Status(status),
        steps=steps,
        attempt=attempt,
        metrics={} if packed is None else unpack_metrics(packed, number),
        history=history.get(number, {}),
        seconds=seconds,
        host=host,
        device=device,
        error=error,
    )
