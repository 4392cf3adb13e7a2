"""Trouble: what SQLite cannot do, why, and what to do about it."""

import contextlib
import sqlite3
from collections.abc import Iterator

from ..trials import StoreError


ADVICE = {
    "SQLITE_FULL": "Make room on the disk, and run it again to go on.",
    "SQLITE_IOERR": "See to the disk, and run it again to go on.",
    "SQLITE_NOTADB": "It was left as it is; name another file.",
    "SQLITE_CORRUPT": "See to the disk; `sqlite3 FILE .recover` reads what is left.",
    "SQLITE_READONLY": "Make it writable, or name a file in another folder.",
    "SQLITE_CANTOPEN": "Make it writable, or name a file in another folder.",
    "SQLITE_BUSY": "Another process has kept it locked; end that, and run it again.",
}
"""What to do about an error, by how its name begins."""


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
