"""Stores: where trials are kept."""

from pathlib import Path
from typing import Literal

from ..spaces.space import Space
from ..trials import Store
from .sqlite import SQLiteStore
from .states import States as States


def open_store(
    store: str | None,
    file: Path | None,
    space: Space,
    name: str,
    *,
    metric: str | None = None,
    mode: Literal["min", "max"] = "min",
    lease: float = 60.0,
    new: bool = True,
) -> Store:
    """Opens what keeps the trials of a search.

    Args:
        store: `sqlite:///search.db` for the processes of one machine, or
            `postgresql://user@host/database` for those of many, kept by Optuna; the
            address may have a password, but `PGPASSWORD` and `~/.pgpass` keep it from
            who can list processes. If `None`, it is `file`.
        file: A file of SQLite; if `None` too, nothing is kept.
        space: What the trials are drawn from.
        name: What the search is called, where there may be others.
        metric: What it is for: shown by Optuna's dashboard.
        mode: Whether less of that is better, `"min"`, or more, `"max"`.
        lease: For how many seconds a process that gives no sign of life keeps its
            trials.
        new: Whether it may be made, if there is none.

    Returns:
        The store.

    Raises:
        ValueError: If `store` is anything else.
        FileNotFoundError: If there is none, and it may not be made.
        StoreError: If it cannot be opened.

    Example:
        >>> from jaxsched import search
        >>> space = search.Space(search.uniform(0.0, 1.0))
        >>> store = open_store(None, None, space, "mine")
        >>> store
        SQLiteStore(':memory:')
        >>> store.close()
    """
    if store is None:
        return SQLiteStore(":memory:" if file is None else file, lease=lease)
    scheme, separator, path = store.partition("://")
    if scheme in {"postgresql", "postgresql+psycopg"} and separator:
        from .postgres import OptunaStore  # noqa: PLC0415

        return OptunaStore(
            store, name, space=space, metric=metric, mode=mode, lease=lease, new=new
        )
    if scheme == "sqlite" and path.startswith("/") and path != "/":
        return SQLiteStore(path.removeprefix("/"), lease=lease, new=new)
    # Only the beginning is shown: there may be a password in the rest.
    raise ValueError(
        f"Trials can be kept in `sqlite:///search.db`, or on "
        f"`postgresql://user@host/database`, not in {store.partition(':')[0]!r}."
    )
