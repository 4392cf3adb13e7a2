"""Parsing: lists as they are natural to write, and errors that help."""

import argparse
import contextlib
import re
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from ..search import StoreError


PACKAGE = Path(__file__).parents[1]
LIBRARIES = tuple(
    Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")
)
"""Files in these folders are not the user's."""


class UsageError(Exception):
    """Something that was asked for cannot be done; the message says what."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


class Flat(argparse.Action):
    """Joins the lists that `listed` makes of each argument."""

    def __call__(self, parser: Any, namespace: Any, values: Any, *_: Any) -> None:
        setattr(namespace, self.dest, [item for items in values for item in items])


def listed(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Takes `a,b` for `a b`, since both are natural to write."""

    def items(text: str) -> list[Any]:
        return [kind(item) for item in text.split(",") if item]

    items.__name__ = kind.__name__
    return items


@contextlib.contextmanager
def refusing(file: Path | None = None) -> Iterator[None]:
    """Turns errors that a person can mend into a message to that person.

    An error in the user's own code is shown with the lines of that code.

    Args:
        file: The user's file, if there is one.
    """
    try:
        yield
    except (UsageError, BrokenPipeError):
        raise
    except Exception as error:
        frames = _own_frames(error) if file is not None else []
        if frames:
            shown = "".join(traceback.format_list(frames))
            raise UsageError(f"in your code:\n{shown}{_named(error)}") from error
        if isinstance(error, OSError) and error.filename is not None:
            text = f"cannot use {error.filename}: {error.strerror}"
            raise UsageError(text) from error
        known = (ValueError, TypeError, ImportError, MemoryError, StoreError, OSError)
        if not isinstance(error, known):
            raise
        raise UsageError(_message(error)) from error


def redacted(text: str) -> str:
    """Hides the passwords of addresses.

    Example:
        >>> redacted("--store postgresql://me:secret@host/db")
        '--store postgresql://me:***@host/db'
    """
    return re.sub(r"(\w+://[^\s:@/']*):[^\s@]*@", r"\1:***@", text)


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Returns the lines of the user's code that an error went through."""
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and not any(
            Path(frame.filename).is_relative_to(folder)
            for folder in (PACKAGE, *LIBRARIES)
        )
        and Path(frame.filename).name != "jaxsched"  # The script of the command.
    ]


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {_message(error)}"


def _message(error: BaseException) -> str:
    return " ".join([str(error), *getattr(error, "__notes__", ())])
