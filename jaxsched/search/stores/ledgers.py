"""Ledgers: the files that a search keeps in its folder, one for each process of a job.

The processes of one job never wait for each other: each writes down its own share of
the trials, and who looks at them puts them together.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax

from ..spaces.description import describe, rebuild
from ..spaces.space import Space
from ..trials import FINISHED, Status, Trial
from .sqlite import SQLiteStore


DESCRIPTION = "space.json"


def ledger(folder: Path) -> Path:
    """Returns the file in which this process writes down its trials."""
    index, count = jax.process_index(), jax.process_count()
    return folder / ("search.db" if count == 1 else f"search-{index}-of-{count}.db")


def ledgers(folder: Path) -> list[Path]:
    """Returns the files that there are of a search."""
    return sorted(folder.glob("search*.db"))


def written(folder: Path, but: Path | None = None) -> list[Trial]:
    """Returns what is written down in all ledgers of a folder: every trial once.

    Args:
        folder: Where they are.
        but: One to leave out.
    """
    trials: list[Trial] = []
    for file in ledgers(folder):
        if file != but:
            with contextlib.closing(SQLiteStore(file)) as store:
                trials += store.trials()
    return merged(trials)


def merged(trials: Iterable[Trial]) -> list[Trial]:
    """Returns each trial once, as the one that got furthest with it left it."""
    furthest: dict[str, Trial] = {}
    for trial in trials:
        other = furthest.get(trial.digest)
        if other is None or _distance(trial) > _distance(other):
            furthest[trial.digest] = trial
    found = sorted(furthest.values(), key=lambda trial: trial.number)
    if len({trial.number for trial in found}) == len(found):
        return found
    return [
        dataclasses.replace(trial, number=number) for number, trial in enumerate(found)
    ]


def known_facts(folder: Path) -> Mapping[str, Any]:
    """Returns what the ledgers of a folder say of what the search is."""
    for file in ledgers(folder):
        with contextlib.closing(SQLiteStore(file)) as store:
            if facts := store.facts():
                return facts
    return {}


def keep_description(space: Space, folder: Path) -> None:
    """Writes down what is searched, if that can be."""
    try:
        text = json.dumps(describe(space))
    except (TypeError, ValueError):
        return
    file = folder / DESCRIPTION
    partial = file.with_suffix(f".{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
    partial.replace(file)


def description(folder: Path) -> Space:
    """Returns what is searched, as it was written down.

    Raises:
        ValueError: If it could not be.
    """
    try:
        text = (folder / DESCRIPTION).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(
            f"{folder} does not say what was searched, since functions make the "
            "schedules that are not of this package: say it with `space`."
        ) from None
    return rebuild(json.loads(text))


def _distance(trial: Trial) -> tuple[bool, bool, int]:
    """How far a trial is."""
    return trial.status in FINISHED, trial.status is not Status.WAITING, trial.steps
