"""Leases: which process runs which trials of an SQLite database, and until when."""

import contextlib
import sqlite3
import time
from pathlib import Path

from ..trials import Status
from .heartbeat import Heartbeat
from .processes import Process, is_dead, this_process


CLOSED: set[str] = set()
"""The owners of this process that have closed, even if they could not write it down."""


def take(database: sqlite3.Connection, owner: str, lease: float) -> None:
    """Says who this process is, and for how many seconds that holds."""
    process = this_process()
    database.execute(
        "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?)",
        (owner, process.host, process.number, process.started, time.time() + lease),
    )


def free(database: sqlite3.Connection, owner: str) -> None:
    """Gives back what is claimed by others that are gone or give no sign of life."""
    for other, lease, *process in database.execute(
        "SELECT owner, lease, host, process, started FROM owners WHERE owner <> ?",
        [owner],
    ).fetchall():
        if lease < time.time() or other in CLOSED or is_dead(Process(*process)):
            give_back(database, other)


def give_back(database: sqlite3.Connection, owner: str) -> None:
    """Gives back what an owner has claimed, and its lease."""
    database.execute(
        "UPDATE trials SET status = ?, owner = NULL WHERE owner = ?",
        (Status.WAITING, owner),
    )
    database.execute("DELETE FROM owners WHERE owner = ?", [owner])


def heartbeat(store: object, path: str, owner: str, lease: float) -> Heartbeat:
    """Renews a lease for as long as the store is open, however long a segment takes."""
    # Only what is there: a file that was moved away is not made anew.
    there = f"{Path(path).as_uri()}?mode=rw"

    def renew() -> None:
        # Whatever is wrong, the next beat may do better; who records will be told.
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(there, lease / 4, uri=True)) as database,
            database,
        ):
            database.execute(
                "UPDATE owners SET lease = ? WHERE owner = ?",
                (time.time() + lease, owner),
            )

    return Heartbeat(store, renew, lease / 4)
