"""States: where lanes are in the middle of their trials, to go on from there."""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ..trials import StoreError
from .packing import pack, unpack


class Leaf(Protocol):
    """An array, or what is known of one: a `jax.ShapeDtypeStruct`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...


class States:
    """A state for each trial that is under way: the last one that was saved.

    A state is only ever a saving of time. So one that is missing, torn, damaged or
    of another program is no error: the trial begins anew.

    Args:
        folder: Where to; made if missing, for its owner only. In memory if `None`.

    Example:
        >>> states = States(None)
        >>> states.save("a", 50, [np.ones(2)])
        >>> states.load("a", [np.zeros(2)])
        (50, [array([1., 1.])])
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self._folder = None if folder is None else Path(folder)
        self._kept: dict[str, tuple[int, list[np.ndarray]]] = {}
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def lasting(self) -> bool:
        """Whether states are there after a crash."""
        return self._folder is not None

    def save(self, digest: str, steps: int, leaves: Sequence[np.ndarray]) -> None:
        """Keeps a state in place of the one before.

        Args:
            digest: Of which trial.
            steps: How many steps are behind it.
            leaves: Arrays of any data type; of random keys, their data.

        Raises:
            StoreError: If it cannot be written; then the one before is still there.
        """
        if self._folder is None:
            # Copies: each leaf may be a part of what all lanes have.
            self._kept[digest] = steps, [np.array(leaf) for leaf in leaves]
            return
        try:
            # Made for its owner only. It is not waited for until it is on the disk:
            # what a power failure tears is ignored.
            handle, name = tempfile.mkstemp(".partial", f"{digest}.", self._folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    pack(file, steps, leaves)
                with contextlib.suppress(FileNotFoundError):  # Dropped meanwhile.
                    Path(name).replace(self._file(self._folder, digest))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StoreError(
                f"The state of trial {digest} after {steps} steps cannot be written to "
                f"{self._folder}: {error.strerror}. What was written before is intact. "
                f"Make room for it, and run it again to go on."
            ) from error

    def load(
        self, digest: str, like: Sequence[Leaf]
    ) -> tuple[int, list[np.ndarray]] | None:
        """Returns how many steps are behind a trial, and its leaves.

        Args:
            digest: Of which trial.
            like: Arrays of the shapes and data types that the leaves must have.

        Returns:
            None if there is no such state.
        """
        try:
            if self._folder is None:
                steps, leaves = self._kept[digest]
            else:
                with self._file(self._folder, digest).open("rb") as file:
                    steps, leaves = unpack(file)
        except (KeyError, OSError, ValueError):
            return None
        if not isinstance(steps, int) or _kinds(leaves) != _kinds(like):
            return None
        return steps, leaves

    def drop(self, digest: str) -> None:
        """Forgets the state of a trial, if there is one."""
        self._kept.pop(digest, None)
        if self._folder is not None:
            for file in self._folder.glob(f"{digest}.*"):
                with contextlib.suppress(OSError):
                    file.unlink()

    @staticmethod
    def _file(folder: Path, digest: str) -> Path:
        return folder / f"{digest}.npz"


def _kinds(leaves: Sequence[Leaf]) -> list[tuple[tuple[int, ...], np.dtype]]:
    return [(tuple(leaf.shape), np.dtype(leaf.dtype)) for leaf in leaves]
