"""The server of PostgreSQL: it may be away for a while, and its password is secret."""

import contextlib
import dataclasses
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ...imports import extra
from ..stores.base import StoreError


with extra("postgres"):
    import psycopg  # noqa: F401
    import sqlalchemy
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import (
        ArgumentError,
        DBAPIError,
        InterfaceError,
        OperationalError,
    )


T = TypeVar("T")

TROUBLE = (DBAPIError, StorageInternalError)
"""Raised if the server is away, or refuses."""

SCHEMES = ("postgresql", "postgresql+psycopg")

LONGEST_PAUSE = 10.0
"""The most seconds before trying again."""

DEFAULTS = {"connect_timeout": "10", "tcp_user_timeout": "30000"}
"""Options of libpq, unless the address has them: by itself it would wait for hours."""

SESSION = (
    # Times are compared with each other, from whatever machine they are.
    "-c timezone=UTC "
    # Who dies or stands still while holding a lock must not keep it from the others.
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 "
    "-c idle_in_transaction_session_timeout=60000"
)

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Away:
    """Instead of a result: the server is away. `failure` is the error to raise."""

    failure: StoreError


class Server:
    """A database on a PostgreSQL server.

    The password is taken out of the address at once, and only the driver gets it: it is
    in nothing that is shown, logged or raised.

    Args:
        address: `postgresql://user:password@host:port/database`. libpq completes it, by
            `PGPASSWORD`, `~/.pgpass` and so on.
        patience: The seconds to wait if it goes away; at first it must be there.

    Raises:
        ValueError: If the address is none of PostgreSQL.
        StoreError: If the server cannot be reached, or refuses.
    """

    def __init__(self, address: str, *, patience: float) -> None:
        url = _parsed(address)
        self._patience = patience
        self._is_away = False
        self.address = "postgresql+psycopg://"
        self.options: dict[str, Any] = {
            "connect_args": {
                **DEFAULTS,
                "options": SESSION,
                **url.query,
                **url.translate_connect_args(username="user", database="dbname"),
            },
            "pool_pre_ping": True,
            "hide_parameters": True,
        }
        self._name = f"{url.host or 'this machine'}, database {url.database!r}"
        self._engine = sqlalchemy.create_engine(self.address, **self.options)
        failure = None
        try:
            self._engine.connect().close()
        except TROUBLE as error:
            failure = self._failure(error)
        if failure is not None:
            raise failure

    def __repr__(self) -> str:
        return f"PostgreSQL on {self._name}"

    @contextlib.contextmanager
    def lock(self, name: str, *, shared: bool = False) -> Iterator[Callable[[], None]]:
        """Holds the lock of a name; several may hold it if all of them share it.

        The server releases it when this process dies, or does nothing for a minute.

        Yields:
            A function that raises if the lock is lost; call it where much is done.
        """
        kind = "_shared" if shared else ""
        with self._engine.begin() as connection:
            connection.execute(
                sqlalchemy.text(
                    f"SELECT pg_advisory_xact_lock{kind}(hashtextextended(:name, 0))"
                ),
                {"name": name},
            )
            yield lambda: connection.execute(sqlalchemy.text("SELECT 1")).close()

    def persist(self, action: Callable[[], T]) -> T:
        """Does something, again and again while the server is away.

        Raises:
            StoreError: If it is away for too long, or refuses.
        """
        pause, end = 0.1, time.monotonic() + self._patience
        while True:
            result = self.attempt(action)
            if not isinstance(result, Away):
                return result
            if time.monotonic() > end:
                raise result.failure
            # Workers must not all try at the same moment.
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    def attempt(self, action: Callable[[], T]) -> T | Away:
        """Does something, unless the server is away.

        Raises:
            StoreError: If it refuses.
        """
        try:
            result = action()
            self._is_away = False
            return result
        except TROUBLE as error:
            failure = self._failure(error)
            is_away = _is_away(error)
        # Outside of `except`: errors of the driver know the password, so none of them
        # may be the cause or the context of the error that is raised.
        if not is_away:
            raise failure
        if not self._is_away:
            log.warning("%s is away. Trying again.", self)
        self._is_away = True
        return Away(failure)

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()

    def _failure(self, error: Exception) -> StoreError:
        cause = _cause(error)
        reason = " ".join(str(getattr(cause, "orig", cause)).split()).rstrip(".?")
        return StoreError(
            f"{self}: {reason}. Rows that were already written are intact. Check the "
            f"server and the address, and run it again to go on."
        )


def _parsed(address: str) -> sqlalchemy.URL:
    scheme = address.partition(":")[0]
    if scheme not in SCHEMES or "://" not in address:
        raise ValueError(
            f"Optuna's trials can be kept on `postgresql://user@host/database`, not in "
            f"{scheme!r}. For the processes of one machine there is `SQLiteStore`, "
            f"without Optuna: on SQLite its workers would take the same trials."
        )
    try:
        return sqlalchemy.make_url(address)
    except (ArgumentError, ValueError):
        # The error may show what is secret; this one has no trace of it.
        pass
    raise ValueError(
        "This is no address of a PostgreSQL database: it must be written as "
        "`postgresql://user@host:port/database`, with %-codes for special characters."
    )


def _cause(error: Exception) -> BaseException:
    """Returns the error of the database that Optuna wraps in one that says nothing."""
    return (
        (error.__cause__ or error) if isinstance(error, StorageInternalError) else error
    )


def _is_away(error: Exception) -> bool:
    cause = _cause(error)
    lost = isinstance(cause, DBAPIError) and cause.connection_invalidated
    return lost or isinstance(cause, OperationalError | InterfaceError)
