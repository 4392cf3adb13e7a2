"""Leases: which process owns which trials of an SQLite database, and until when."""

import contextlib
import dataclasses
import os
import socket
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from ..trial import Status


CLOSED: set[str] = set()
"""Owners of this process that have closed, even if they could not write so."""


@dataclasses.dataclass(frozen=True)
class Process:
    """A process of some machine.

    Attributes:
        host: The machine, its boot and its container: where the number has a meaning.
        number: Its number there.
        started: Its start, since numbers are used again; empty if unknown.
    """

    host: str
    number: int
    started: str


def this_process() -> Process:
    """Returns the calling process."""
    return Process(_host(), os.getpid(), _started(os.getpid()))


def is_dead(process: Process) -> bool:
    """Tells whether a process is known to be dead.

    Example:
        >>> is_dead(this_process())
        False
        >>> is_dead(Process("elsewhere", 1, ""))
        False
    """
    if process.host != _host() or os.name != "posix":
        return False
    try:
        os.kill(process.number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # It exists, and belongs to somebody else.
    started = _started(process.number)
    # A number is used again after a while: then the start differs.
    return bool(process.started and started and process.started != started)


def take(database: sqlite3.Connection, owner: str, lease: float) -> None:
    """Writes which process an owner is, and for how many seconds its lease holds."""
    process = this_process()
    database.execute(
        "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?)",
        (owner, process.host, process.number, process.started, time.time() + lease),
    )


def free(database: sqlite3.Connection, owner: str) -> None:
    """Releases the trials of other owners that are dead or whose lease has run out."""
    for other, lease, *process in database.execute(
        "SELECT owner, lease, host, process, started FROM owners WHERE owner <> ?",
        [owner],
    ).fetchall():
        # Death is known at once on this machine; elsewhere the lease has to run out.
        if lease < time.time() or other in CLOSED or is_dead(Process(*process)):
            give_back(database, other)


def give_back(database: sqlite3.Connection, owner: str) -> None:
    """Makes the trials of an owner waiting again, and ends its lease."""
    database.execute(
        "UPDATE trials SET status = ?, owner = NULL, changed = (SELECT now FROM clock)"
        " WHERE owner = ?",
        (Status.WAITING, owner),
    )
    database.execute("DELETE FROM owners WHERE owner = ?", [owner])


class Heartbeat:
    """Calls a function again and again, from a thread of its own, until stopped.

    It also stops when `owner` is collected, so `beat` must not reference it.

    Args:
        owner: The object that the heartbeat is for.
        beat: The function to call; it must not raise.
        seconds: The pause between two calls.
    """

    def __init__(
        self, owner: object, beat: Callable[[], object], seconds: float
    ) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=_beat,
            args=(beat, seconds, self._stopped),
            name="jaxsched-heartbeat",
            daemon=True,
        )
        weakref.finalize(owner, self._stopped.set)
        self._thread.start()

    def stop(self) -> None:
        """Stops, and waits for the end of the last call."""
        self._stopped.set()
        self._thread.join()


def heartbeat(store: object, path: str, owner: str, lease: float) -> Heartbeat:
    """Renews a lease for as long as the store is open, however long a segment takes."""
    # It must exist already: a file that was moved away is not created again.
    there = f"{Path(path).as_uri()}?mode=rw"

    def renew() -> None:
        # A failure is no harm: the next beat may succeed, and if none does, `record`
        # tells the owner that it has lost its trials. A connection of its own, since
        # the main thread may be in the middle of a transaction.
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(
                sqlite3.connect(there, timeout=lease / 4, uri=True)
            ) as database,
            database,
        ):
            database.execute(
                "UPDATE owners SET lease = ? WHERE owner = ?",
                (time.time() + lease, owner),
            )

    return Heartbeat(store, renew, lease / 4)


def _beat(beat: Callable[[], object], seconds: float, stopped: threading.Event) -> None:
    while not stopped.wait(seconds):
        beat()


def _host() -> str:
    """Containers and restarts of one machine differ, as their process numbers do."""
    marks = [socket.gethostname()]
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        marks += [boot.strip(), str(Path("/proc/self/ns/pid").readlink())]
    except OSError:
        pass  # Only Linux has these.
    return " ".join(marks)


def _started(number: int) -> str:
    try:
        stat = Path(f"/proc/{number}/stat").read_bytes()
    except OSError:
        return ""
    # The name before the last parenthesis may hold anything, spaces too.
    state, *fields = stat.rpartition(b")")[2].decode("ascii").split()
    return "ended" if state in {"Z", "X"} else fields[18]
