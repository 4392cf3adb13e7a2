"""What the functions named after a peer's have in common."""

import difflib
import functools
import itertools
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar, cast

from ..errors import echoes
from ..schedule import Chain, Schedule, as_schedule, chain
from ..transforms import until
from ..types import Scalar, Vector


F = TypeVar("F", bound=Callable[..., Any])


def ported(**reasons: str) -> Callable[[F], F]:
    """Makes a function echo its errors, and say why it refuses some keywords.

    Args:
        **reasons: Keywords of the peer, and why they are not taken.
    """
    refused = {"optimizer": "its learning rate comes first", **reasons}

    def decorate(function: F) -> F:
        echoing = echoes(function)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            for name in kwargs:
                if name in refused:
                    raise TypeError(
                        f"`{function.__name__}` takes no `{name}`: {refused[name]}."
                    )
            return echoing(*args, **kwargs)

        return cast(F, call)

    return decorate


METRICS = (
    "it depends on a metric, and is no function of the step; "
    "`jaxsched.training` has `plateau` and `greedy`"
)


def without(module: str, **reasons: str) -> Callable[[str], NoReturn]:
    """Returns the `__getattr__` of a module, which says why it has not some names.

    Of others it tells the nearest one that it has.
    """

    def missing(name: str) -> NoReturn:
        near = difflib.get_close_matches(name, vars(sys.modules[module]), n=1)
        guess = f", did you mean {near[0]!r}?" if near else "."
        why = f": {reasons[name]}." if name in reasons else guess
        raise AttributeError(f"Module {module!r} has no {name!r}{why}", name=name)

    return missing


PEERS = ("keras", "optax", "t5x", "timm", "torch", "transformers")


def instead_of(name: str, known: Mapping[str, Any]) -> str:
    """Says what the name of a peer is called here, or which known name is near it.

    Args:
        name: What somebody wrote for a name of this package.
        known: The names that it has.
    """
    package = __name__.partition(".")[0]
    modules = [f"{package}.compat.{peer}" for peer in PEERS]
    called = [f"`{m}.{name}`" for m in modules if name in vars(sys.modules[m])]
    if called:
        return f"Module {package!r} has no {name!r}; it is {' or '.join(called)} here."
    within = [word for word in known if len(word) > 3 and name.startswith(word + "_")]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    guesses = [*near, *sorted(within, key=len)[-1:]]
    guess = f", did you mean {guesses[0]!r}?" if guesses else "."
    return f"Module {package!r} has no {name!r}{guess}"


def joined(schedules: Iterable[Schedule], boundaries: Vector) -> Chain:
    """Runs schedules one after another, each on its own clock, until its boundary.

    Raises:
        ValueError: If the numbers of schedules and boundaries do not match, or the
            boundaries decrease.
    """
    parts, ends = [*map(as_schedule, schedules)], [*boundaries]
    if len(parts) != len(ends) + 1:
        raise ValueError(
            "One more schedule than boundaries is needed, "
            f"got {len(parts)} schedules and {len(ends)} boundaries."
        )
    lengths = [end - begin for begin, end in itertools.pairwise([0.0, *ends])]
    *first, last = parts
    return chain(*map(until, first, lengths), last)


def one_of(**given: Scalar | None) -> tuple[str, Scalar]:
    """Returns the name and the value of the one argument that is not `None`.

    Raises:
        ValueError: If all are, or more than one is not.
    """
    found = [(name, value) for name, value in given.items() if value is not None]
    if len(found) != 1:
        allowed = " or ".join(f"`{name}`" for name in given)
        written = " and ".join(f"{name}={value!r}" for name, value in found)
        raise ValueError(f"Give either {allowed}, got {written or 'none'}.")
    return found[0]
