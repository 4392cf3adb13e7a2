"""Checkpoints: the states of unfinished trials, to go on from there."""

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jax.tree_util import tree_flatten_with_path

from .base import StoreError
from .packing import pack, unpack


ABANDONED = 3600.0
"""The seconds after which nobody writes a file any more."""


class Leaf(Protocol):
    """An array, or its shape and data type: a `jax.ShapeDtypeStruct`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...


class Checkpoints:
    """The last saved state of each unfinished trial.

    A checkpoint only saves time. So one that is missing, torn, damaged or of another
    program is no error: the trial starts again.

    Args:
        folder: The folder; created if missing, for its owner only. In memory if `None`.

    Example:
        >>> checkpoints = Checkpoints(None)
        >>> checkpoints.save("a", 50, [np.ones(2)])
        >>> checkpoints.load("a", [np.zeros(2)])
        (50, [array([1., 1.])])
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self._folder = None if folder is None else Path(folder)
        self._kept: dict[str, tuple[int, list[np.ndarray]]] = {}
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _clean(self._folder)

    @property
    def lasting(self) -> bool:
        """Whether checkpoints survive a crash."""
        return self._folder is not None

    def save(self, id_: str, steps: int, leaves: Sequence[np.ndarray]) -> None:
        """Saves a state in place of the earlier one.

        Args:
            id_: The id of the trial.
            steps: How many steps are done.
            leaves: Arrays of any data type; of random keys, their data.

        Raises:
            StoreError: If it cannot be written; the earlier one is intact.
        """
        if self._folder is None:
            # Copies: each leaf may be a view of the states of all lanes.
            self._kept[id_] = steps, [np.array(leaf) for leaf in leaves]
            return
        try:
            _write(self._folder, id_, steps, leaves)
        except OSError as error:
            raise StoreError(
                f"The state of trial {id_} after {steps} steps cannot be written to "
                f"{self._folder}: {error.strerror}. The earlier one is intact. "
                f"Make room for it, and run it again to go on."
            ) from error

    def load(
        self, id_: str, like: Sequence[Leaf]
    ) -> tuple[int, list[np.ndarray]] | None:
        """Returns how many steps of a trial are done, and the leaves of its state.

        Args:
            id_: The id of the trial.
            like: Arrays of the shapes and data types that the leaves must have.

        Returns:
            `None` if there is no such checkpoint.
        """
        try:
            if self._folder is None:
                steps, leaves = self._kept[id_]
            else:
                with _file(self._folder, id_).open("rb") as file:
                    steps, leaves = unpack(file)
        except (KeyError, OSError, ValueError):
            return None
        if not isinstance(steps, int) or _kinds(leaves) != _kinds(like):
            return None
        return steps, leaves

    def drop(self, id_: str) -> None:
        """Deletes the checkpoint of a trial, if there is one."""
        self._kept.pop(id_, None)
        if self._folder is not None:
            with contextlib.suppress(OSError):
                _file(self._folder, id_).unlink()


class Trees:
    """The metrics of trials that are trees of arrays, such as weights.

    They are read as dictionaries and lists: a class of nodes may be gone by then.

    Args:
        folder: The folder; created with the first tree. In memory if `None`.

    Example:
        >>> trees = Trees(None)
        >>> trees.save("a", {"weights": {"dense": [np.ones(2)]}})
        >>> trees.load("a")
        {'weights': {'dense': [array([1., 1.])]}}
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: dict[str, tuple[Any, list[np.ndarray]]] = {}

    def save(self, id_: str, trees: Mapping[str, Any]) -> None:
        """Saves the trees of a trial, by name.

        Raises:
            StoreError: If they cannot be written.
        """
        leaves, _ = tree_flatten_with_path(dict(trees))
        paths = [[_part(key) for key in path] for path, _ in leaves]
        arrays = [np.array(leaf) for _, leaf in leaves]
        if self._folder is None:
            self._kept[id_] = paths, arrays
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._folder, id_, paths, arrays)
        except OSError as error:
            raise StoreError(
                f"The metrics of trial {id_} cannot be written to {self._folder}: "
                f"{error.strerror}. Make room for them, and run it again to go on."
            ) from error

    def load(self, id_: str) -> dict[str, Any]:
        """Returns the trees of a trial, by name; empty if it has none.

        Raises:
            StoreError: If they are damaged.
        """
        try:
            if self._folder is None:
                paths, arrays = self._kept.get(id_, ([], []))
            else:
                with _file(self._folder, id_).open("rb") as file:
                    paths, arrays = unpack(file)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise StoreError(f"The metrics of trial {id_} are damaged.") from error
        tree: dict[Any, Any] = {}
        for path, array in zip(paths, arrays, strict=True):
            node = tree
            for key in path[:-1]:
                node = node.setdefault(key, {})
            node[path[-1]] = array
        found: dict[str, Any] = _listed(tree)
        return found


def split(metrics: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits metrics into arrays and trees of arrays."""
    arrays = {
        n: x for n, x in metrics.items() if isinstance(x, np.ndarray | np.generic)
    }
    return arrays, {n: x for n, x in metrics.items() if n not in arrays}


def _write(folder: Path, id_: str, about: Any, arrays: Sequence[np.ndarray]) -> None:
    # A new file takes the place of the old one when it is complete, so a killed process
    # leaves one of the two. It is not flushed to the disk: a file that a power failure
    # tears is ignored. Files are for their owner only.
    handle, name = tempfile.mkstemp(".partial", f"{id_}.", folder)
    try:
        with os.fdopen(handle, "wb") as file:
            pack(file, about, arrays)
        with contextlib.suppress(FileNotFoundError):  # The folder is gone.
            Path(name).replace(_file(folder, id_))
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _file(folder: Path, id_: str) -> Path:
    return folder / f"{id_}.arrays"


def _clean(folder: Path) -> None:
    """Deletes what processes were writing when they were killed."""
    for file in folder.glob("*.partial"):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < time.time() - ABANDONED:
                file.unlink()


def _part(key: Any) -> str | int:
    """Returns a part of a path as a key of a dictionary, or a place in a list."""
    for name in ("key", "idx", "name"):
        if hasattr(key, name):
            value = getattr(key, name)
            return value if isinstance(value, int | str) else str(value)
    return str(key)


def _listed(node: Any) -> Any:
    """Makes lists of dictionaries with the keys 0, 1, 2 and so on."""
    if not isinstance(node, dict):
        return node
    items = {key: _listed(value) for key, value in node.items()}
    return list(items.values()) if list(items) == list(range(len(items))) else items


def _kinds(leaves: Sequence[Leaf]) -> list[tuple[tuple[int, ...], np.dtype]]:
    return [(tuple(leaf.shape), np.dtype(leaf.dtype)) for leaf in leaves]
