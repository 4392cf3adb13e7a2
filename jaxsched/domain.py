"""Where a hyperparameter may live: declared once, used by every check."""

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Domain:
    """A set of real numbers, or of vectors of them, as a predicate and its wording.

    `contains` must work alike on floats, arrays and tracers: eager checks, checks
    under `checkify` and the strategies of the tests all read this one predicate. NaN
    is in no domain, since every comparison with it is false.
    """

    text: str
    contains: Callable[[Any], Any]
    rank: int = 0
    exact: bool = False


INFINITY = float("inf")

REAL = Domain("a finite number", lambda x: abs(x) < INFINITY)
POSITIVE = Domain("a finite number > 0", lambda x: (x > 0) & (x < INFINITY))
NONNEGATIVE = Domain("a finite number >= 0", lambda x: (x >= 0) & (x < INFINITY))
FACTOR = dataclasses.replace(POSITIVE, exact=True)
MULTIPLIER = dataclasses.replace(REAL, exact=True)
DECAY_RATE = dataclasses.replace(NONNEGATIVE, exact=True)
FRACTION = Domain("a number from 0 to 1", lambda x: (x >= 0) & (x <= 1))
PORTION = Domain("a number > 0, and at most 1", lambda x: (x > 0) & (x <= 1))
INSIDE = Domain("a number > 0 and < 1", lambda x: (x > 0) & (x < 1))
ABOVE_ONE = Domain("a finite number > 1", lambda x: (x > 1) & (x < INFINITY))
COUNT = Domain("a number > 0, `inf` included", lambda x: x > 0)

VECTOR = Domain(
    "a non-empty list of finite numbers", lambda x: abs(x) < INFINITY, rank=1
)
BOUNDARIES = Domain(
    "a non-empty list of finite numbers >= 0 in increasing order",
    lambda x: (
        (x >= 0).all(-1) & (x < INFINITY).all(-1) & (x[..., 1:] > x[..., :-1]).all(-1)
    ),
    rank=1,
)
POWER_OF_TWO = Domain(
    "a power of two from 1 to 2**24",
    lambda x: functools.reduce(operator.or_, (x == 2**n for n in range(25))),
)
