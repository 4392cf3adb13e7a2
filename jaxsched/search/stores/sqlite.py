"""SQLite: the trials of a search in one file, for the processes of one machine."""

import contextlib
import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..trials import FINISHED, Decide, Status, StoreError, Trial
from . import leases
from .facts import checked
from .heartbeat import Heartbeat
from .packing import as_json, pack_metrics
from .tables import COLUMNS, history_of, is_ours, make, trial_of
from .trouble import explained


PATIENCE = 60.0
"""How many seconds to wait for another process that writes."""


class SQLiteStore:
    """A `Store` in a file.

    A process that has claimed trials holds a lease, which it renews for as long as it
    lives. If the lease is over, or the process is dead, others may have the trials.

    Args:
        path: The file; made if missing, as its folder is, for their owner only.
            `":memory:"` keeps nothing.
        lease: How many seconds a process that gives no sign of life, and may be
            elsewhere, keeps its trials.
        new: Whether the file may be made.

    Raises:
        StoreError: If the file holds anything else, or was made by a newer version.
        FileNotFoundError: If it is missing, and may not be made.
        OSError: If it cannot be made.

    Example:
        >>> store = SQLiteStore(":memory:")
        >>> store.add([Trial(0, "a", {"peak": 0.1}, seed=0)])
        >>> [trial.labels for trial in store.claim(8)]
        [{'peak': 0.1}]
        >>> store.close()
    """

    def __init__(
        self, path: str | os.PathLike[str], *, lease: float = 60.0, new: bool = True
    ) -> None:
        self._path = ":memory:"
        self._lease = lease
        self._owner = uuid.uuid4().hex
        self._heartbeat: Heartbeat | None = None
        self._turn = threading.RLock()
        self._seen: dict[int, tuple[tuple[Any, ...], Trial]] = {}
        if path != ":memory:":
            file = Path(path).absolute()
            if not new and not file.exists():
                raise FileNotFoundError(f"There is no file {file}.")
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # What SQLite puts beside a file has the permissions of the file. One that
            # is there is not touched: to close it would end all locks of this process.
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
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r})"

    @property
    def pauses(self) -> bool:
        return True

    def facts(self) -> Mapping[str, Any]:
        with self._transaction("DEFERRED") as database:
            row = database.execute("SELECT written FROM facts").fetchone()
        return {} if row is None else dict(json.loads(row[0]))

    def identify(self, facts: Mapping[str, Any], force: bool = False) -> None:
        with self._writing() as database:
            row = database.execute("SELECT written FROM facts").fetchone()
            known = None if row is None else json.loads(row[0])
            stated = checked(known, facts, self._path, force)
            database.execute("DELETE FROM facts")
            database.execute("INSERT INTO facts VALUES (?)", [json.dumps(stated)])

    def add(self, trials: Iterable[Trial]) -> None:
        rows = [
            {
                "number": trial.number,
                "digest": trial.digest,
                "labels": json.dumps(dict(trial.labels)),
                "seed": trial.seed,
                "status": Status.WAITING,
            }
            for trial in trials
        ]
        with self._writing() as database:
            database.executemany(
                "INSERT INTO trials (number, digest, labels, seed, status) VALUES ("
                "CASE WHEN EXISTS (SELECT 1 FROM trials WHERE number = :number)"
                " THEN (SELECT max(number) + 1 FROM trials) ELSE :number END,"
                " :digest, :labels, :seed, :status) ON CONFLICT (digest) DO NOTHING",
                rows,
            )

    def claim(self, count: int) -> list[Trial]:
        with self._writing() as database:
            leases.free(database, self._owner)
            leases.take(database, self._owner, self._lease)
            rows = database.execute(
                "UPDATE trials SET status = ?, owner = ?, attempt = attempt + 1"
                " WHERE number IN (SELECT number FROM trials WHERE status = ?"
                f" ORDER BY steps DESC, number LIMIT ?) RETURNING {COLUMNS}, NULL",
                (Status.RUNNING, self._owner, Status.WAITING, max(count, 0)),
            ).fetchall()
            claimed = [
                trial_of(row, history_of(database, "WHERE number = ?", row[:1]))
                for row in rows
            ]
        if self._heartbeat is None and self._path != ":memory:":
            self._heartbeat = leases.heartbeat(
                self, self._path, self._owner, self._lease
            )
        return sorted(claimed, key=lambda trial: (-trial.steps, trial.number))

    def record(self, trials: Sequence[Trial]) -> list[int]:
        # Packed before others are kept waiting.
        rows = [
            (
                trial,
                pack_metrics(trial.metrics) if trial.status in FINISHED else None,
            )
            for trial in trials
        ]
        lost = []
        with self._writing() as database:
            for trial, metrics in rows:
                written = database.execute(
                    "UPDATE trials SET status = ?, owner = ?, steps = ?, seconds = ?,"
                    " host = ?, device = ?, error = ?, metrics = ?"
                    " WHERE number = ? AND owner = ?",
                    (
                        trial.status,
                        self._owner if trial.status == Status.RUNNING else None,
                        trial.steps,
                        trial.seconds,
                        trial.host,
                        trial.device,
                        trial.error,
                        metrics,
                        trial.number,
                        self._owner,
                    ),
                )
                if not written.rowcount:
                    lost.append(trial.number)
                    continue
                database.executemany(
                    "INSERT OR REPLACE INTO history VALUES (?, ?, ?)",
                    (
                        (trial.number, steps, json.dumps(as_json(values)))
                        for steps, values in trial.history.items()
                    ),
                )
        return lost

    def settle(self, decide: Decide) -> Mapping[int, Status]:
        settled = {}
        with self._writing() as database:
            for number, status in decide(self._board()).items():
                if status == Status.RUNNING:
                    raise ValueError(f"Trial {number} cannot be set running: claim it.")
                changed = database.execute(
                    "UPDATE trials SET status = ?, owner = NULL"
                    " WHERE number = ? AND status NOT IN (?, ?, ?, ?, ?)",
                    (status, number, status, *FINISHED),
                )
                if changed.rowcount:
                    settled[number] = status
        return settled

    def board(self) -> list[Trial]:
        with self._transaction("DEFERRED"):
            return self._board()

    def trials(self) -> list[Trial]:
        with self._transaction("DEFERRED") as database:
            history = history_of(database)
            return [trial_of(row, history) for row in _rows(database, "metrics")]

    def close(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()
        # If it cannot be written now, others will find out when the process is dead.
        leases.CLOSED.add(self._owner)
        with (
            contextlib.suppress(StoreError, sqlite3.ProgrammingError),
            self._writing() as database,
        ):
            leases.give_back(database, self._owner)
        with self._turn:
            self._database.close()

    def _prepare(self) -> None:
        """Makes the tables, unless they are there; changes nothing that is not ours."""
        with self._transaction("DEFERRED") as database:
            ours = is_ours(database, self._path)
        if not ours:
            self._database.execute("PRAGMA journal_mode = WAL")
            with self._writing() as database:
                # Of several that came here at once, the first one has made them.
                if not is_ours(database, self._path):
                    make(database)
        self._database.execute("PRAGMA synchronous = FULL")

    def _board(self) -> list[Trial]:
        """Reads what has changed since it was last seen: the rest is as it was."""
        rows = _rows(self._database, "NULL")
        unseen = (None, None)
        changed = [row for row in rows if self._seen.get(row[0], unseen)[0] != row]
        numbers = json.dumps([row[0] for row in changed])
        where = "WHERE number IN (SELECT value FROM json_each(?))"
        history = history_of(self._database, where, [numbers])
        self._seen |= {row[0]: (row, trial_of(row, history)) for row in changed}
        return [self._seen[row[0]][1] for row in rows]

    def _writing(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return self._transaction("IMMEDIATE")

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


def _rows(database: sqlite3.Connection, metrics: str) -> list[tuple[Any, ...]]:
    """All trials, by number: the `COLUMNS`, and the packed metrics or no metrics."""
    select = f"SELECT {COLUMNS}, {metrics} FROM trials ORDER BY number"
    return database.execute(select).fetchall()
