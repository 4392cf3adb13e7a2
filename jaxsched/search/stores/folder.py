"""The folder of a search: a database for each process of a job, and checkpoints.

The processes of one job of `jax.distributed` never wait for each other: each writes its
share of the trials to a file of its own, and readers merge the files.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax

from ..trial import Status, Trial
from .sqlite import SQLiteStore


def database(folder: Path) -> Path:
    """Returns the file to which this process writes its trials."""
    index, count = jax.process_index(), jax.process_count()
    return folder / ("search.db" if count == 1 else f"search-{index}-of-{count}.db")


def databases(folder: Path) -> list[Path]:
    """Returns the files of all processes."""
    return sorted(folder.glob("search*.db"))


def read(folder: Path, name: str, but: Path | None = None) -> list[Trial]:
    """Returns the trials of a search in all files of a folder, each once.

    Args:
        folder: The folder.
        name: The name of the search.
        but: A file to leave out.
    """
    trials: list[Trial] = []
    for file in databases(folder):
        if file != but:
            with _opened(file, name) as store:
                trials += store.trials() if store else []
    return merged(trials)


def written(folder: Path, name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Returns the fingerprint and the description of a search; empty without one."""
    for file in databases(folder):
        with _opened(file, name) as store:
            if store and (fingerprint := store.fingerprint()):
                return fingerprint, store.description()
    return {}, {}


def merged(trials: Iterable[Trial]) -> list[Trial]:
    """Returns one record of each trial, the most advanced, by number."""
    furthest: dict[str, Trial] = {}
    for trial in trials:
        other = furthest.get(trial.id)
        if other is None or _progress(trial) > _progress(other):
            furthest[trial.id] = trial
    found = sorted(furthest.values(), key=lambda trial: trial.number)
    if len({trial.number for trial in found}) == len(found):
        return found
    return [
        dataclasses.replace(trial, number=number) for number, trial in enumerate(found)
    ]


@contextlib.contextmanager
def _opened(file: Path, name: str) -> Any:
    """Opens an existing search; yields `None` if the file has no such one."""
    try:
        store = SQLiteStore(file, name, new=False)
    except FileNotFoundError:
        yield None
        return
    with contextlib.closing(store):
        yield store


def _progress(trial: Trial) -> tuple[bool, bool, int]:
    return trial.is_finished, trial.status is not Status.WAITING, trial.steps
