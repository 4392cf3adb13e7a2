"""Errors that echo what was written, and say what is allowed."""

import difflib
import functools
import inspect
import math
import reprlib
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numpy as np

from .calls import Call, Waiting, waits, written
from .types import Scalar, Vector


F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def echoes(function: F) -> F:
    """Makes the errors of `function` name its arguments, and show the call.

    A call that does not fit the signature raises a `TypeError` that shows the
    signature, and the nearest name to a misspelt one; so does an argument of another
    kind than the signature says. A number that something inside refuses is called by
    the name of the argument. Whatever else goes wrong inside is raised unchanged, with
    a note that shows the outermost call. A call with an argument that is not there yet
    waits for it.
    """
    signature = inspect.signature(function)
    kinds = {
        name: kind
        for name, parameter in signature.parameters.items()
        for kind in [_kind_of(parameter.annotation)]
        if kind
    }

    @functools.wraps(function)
    def echoing(*args: Any, **kwargs: Any) -> Any:
        try:
            if waits(args) or waits(kwargs.values()):
                signature.bind(*args, **kwargs)
                return Call(echoing, args, kwargs)
            given = *zip(signature.parameters, args, strict=False), *kwargs.items()
            for name, value in given:
                if name in kinds:
                    kinds[name](name, value)
            return function(*args, **kwargs)
        except (TypeError, ValueError) as error:
            misfit = misfit_of(function, args, kwargs)
            if misfit:
                raise TypeError(misfit) from None
            named = _named(error, function, signature.bind(*args, **kwargs).arguments)
            # Of nested calls the outermost is shown.
            notes = getattr(error, "__notes__", [])
            named.__notes__ = [note for note in notes if not note.startswith("In `")]
            named.add_note(f"In `{written(function, args, kwargs, reprlib.repr)}`.")
            if named is error:
                raise
            raise named from None

    return cast(F, echoing)


def refusal(kind: type[E], where: str, allowed: str, given: Any) -> E:
    """Returns the error for a value that is not allowed.

    Args:
        kind: Its class.
        where: What the value was given for.
        allowed: What is allowed there.
        given: The value.
    """
    shown = reprlib.repr(given) if len(repr(given)) > MOST_SHOWN else repr(given)
    error = kind(f"{where} must be {allowed}, got {shown}.")
    vars(error)["refused"] = (where, allowed, given)
    return error


LARGEST = sys.float_info.max

MOST_SHOWN = 200
"""The most characters of a value that an error shows."""


def _named(error: E, function: Callable[..., Any], arguments: dict[str, Any]) -> E:
    """Names a refused value as the caller of `function` did, if it is an argument."""
    if "refused" not in vars(error):
        return error
    where, allowed, given = vars(error)["refused"]
    same = [
        name
        for name, value in arguments.items()
        if value is given
        or (isinstance(value, tuple) and any(item is given for item in value))
    ]
    if not same:
        return error
    field = where.strip("`").rpartition(".")[2]
    name = field if field in same else same[0]
    return refusal(type(error), f"`{function.__name__}`: `{name}`", allowed, given)


def _kind_of(annotation: Any) -> Callable[[str, Any], None] | None:
    """Returns what checks that an argument is of the kind that is annotated."""
    if annotation == Scalar:
        return _require_number
    if annotation == Scalar | None:
        return _require_number_or_none
    if annotation == Vector:
        return _require_numbers
    options = annotation.__args__ if isinstance(annotation, types.UnionType) else ()
    if any(hasattr(option, "evaluate") for option in options):
        return _require_schedule
    if inspect.isclass(annotation) and hasattr(annotation, "__abstractmethods__"):
        return functools.partial(_require_instance, annotation)
    return None


def _require_number_or_none(name: str, value: Any) -> None:
    if value is not None:
        _require_number(name, value)


def _require_schedule(name: str, value: Any) -> None:
    # Of a function, whoever makes it a schedule says how.
    if not callable(value) and not _is_real(value):
        raise refusal(TypeError, f"`{name}`", "a schedule or a number", value)


def _require_number(name: str, value: Any) -> None:
    if isinstance(value, list | tuple):
        allowed = "one number; a batch comes from an array, or `jax.vmap`"
        raise refusal(TypeError, f"`{name}`", allowed, value)
    if type(value) is float or type(value) is int:
        # An integer that is no float is too large for anything.
        if math.isnan(value) if type(value) is float else abs(value) > LARGEST:
            raise refusal(ValueError, f"`{name}`", "a number", value)
    elif not _is_real(value):
        raise refusal(TypeError, f"`{name}`", "a number", value)


def _require_numbers(name: str, value: Any) -> None:
    if isinstance(value, list | tuple | range):
        wrong = not all(map(_is_real, value)) or any(map(_is_nan, value))
    else:
        wrong = not _is_real(value) or np.ndim(value) == 0
    if wrong:
        raise refusal(TypeError, f"`{name}`", "a list of numbers, or an array", value)


def _require_instance(kind: type, name: str, value: Any) -> None:
    if not isinstance(value, kind):
        raise refusal(TypeError, f"`{name}`", f"a `{kind.__name__}`", value)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _is_real(value: Any) -> bool:
    """Tells whether a value is a real number or an array of them, or will be one."""
    if isinstance(value, int | float | Waiting):
        return True
    dtype = getattr(value, "dtype", None)
    return dtype is not None and getattr(dtype, "kind", "O") in "biufV"


def misfit_of(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str | None:
    """Says what is wrong with a call, if it does not fit the signature."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        taken = [
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in signature.parameters.values()
        ]
        wrong = _unexpected(taken, kwargs) or _too_many(taken, args) or f"{error}."
        name = getattr(function, "__name__", repr(function))
        return f"`{name}` {wrong} It takes {inspect.Signature(taken)}."
    return None


def _unexpected(
    taken: list[inspect.Parameter], kwargs: Mapping[str, Any]
) -> str | None:
    """Says which name there is not, and which one is near it."""
    names = [parameter.name for parameter in taken]
    for name in kwargs:
        if name not in names:
            near = difflib.get_close_matches(name, set(names) - set(kwargs), n=1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            return f"got an unexpected argument {name!r}.{guess}"
    return None


def _too_many(taken: list[inspect.Parameter], args: tuple[Any, ...]) -> str | None:
    """Says which arguments are given by name alone, if too many are given without."""
    without = [p for p in taken if p.kind != inspect.Parameter.KEYWORD_ONLY]
    if any(p.kind == inspect.Parameter.VAR_POSITIONAL for p in without):
        return None
    if len(args) <= len(without):
        return None
    by_name = [f"`{p.name}`" for p in taken if p.kind == inspect.Parameter.KEYWORD_ONLY]
    only = f"; {', '.join(by_name)} must be given by name" if by_name else ""
    some = "argument" if len(without) == 1 else "arguments"
    return f"takes at most {len(without)} {some} without a name, got {len(args)}{only}."


def named(kind: str, name: str, among: Mapping[str, T]) -> T:
    """Returns what is called `name`.

    Args:
        kind: What it is, for the error.
        name: What somebody wrote.
        among: What there is, by name.

    Raises:
        ValueError: If there is no such thing; it shows what there is.

    Example:
        >>> named("fruit", "aple", {"apple": 1, "pear": 2})
        Traceback (most recent call last):
        ValueError: There is no fruit 'aple', did you mean 'apple'? Known: apple, pear.
    """
    if name in among:
        return among[name]
    near = difflib.get_close_matches(str(name), among, n=1)
    guess = f", did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"There is no {kind} {name!r}{guess} Known: {', '.join(among)}.")
