"""Params: names and distributions for Optuna, where one name has one distribution.

This is the only rule for names: samplers, exported studies and databases follow it.
Where families share a name, but not the range, it begins with the family:
`cosine.peak`. If a study already has another distribution of that name, since a grid
has grown, a number is appended: `peak 2`.
"""

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...imports import extra
from ..spaces.dimensions import Dimension, Integers, Label, Range
from ..spaces.space import NamedDimension


with extra("optuna"):
    import optuna
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
    from optuna.exceptions import ExperimentalWarning


class Names:
    """The names that the dimensions of a search have in a study.

    Args:
        dimensions: The dimensions.
        known: The distributions that the study already has, by name.
    """

    def __init__(
        self,
        dimensions: Sequence[NamedDimension],
        known: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        self._distributions = dict(known or {})
        self._entries = [
            (one, self._name(unique(one, dimensions), distribution(one.dimension)))
            for one in dimensions
        ]

    def of(self, dimension: Dimension) -> tuple[str, BaseDistribution]:
        """Returns the name and the distribution of a dimension."""
        for one, name in self._entries:
            if one.dimension is dimension:
                return name, self._distributions[name]
        raise KeyError(dimension)

    def params(
        self, params: Mapping[str, Label]
    ) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """Returns the params of a candidate and their distributions, by these names.

        A value outside the range, from before the range was changed, is left out.
        """
        named = {
            name: params[one.name]
            for one, name in self._entries
            if one.applies(params) and _holds(one.dimension, params[one.name])
        }
        return named, {name: self._distributions[name] for name in named}

    def _name(self, name: str, distribution: BaseDistribution) -> str:
        count, numbered = 1, name
        while self._distributions.setdefault(numbered, distribution) != distribution:
            count += 1
            numbered = f"{name} {count}"
        return numbered


def _holds(dimension: Dimension, label: Label) -> bool:
    if isinstance(dimension, Range):
        return dimension.low <= float(label) <= dimension.high
    assert dimension.labels is not None
    return label in dimension.labels


def unique(one: NamedDimension, dimensions: Iterable[NamedDimension]) -> str:
    """Names a dimension such that one name has one range."""
    ranges = {str(d.dimension.data()) for d in dimensions if d.name == one.name}
    return one.name if len(ranges) == 1 else ".".join([*one.families[0], one.name])


def distribution(dimension: Dimension) -> BaseDistribution:
    """Returns the distribution of a dimension."""
    if isinstance(dimension, Range):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    if isinstance(dimension, Integers):
        low, high = dimension.low, dimension.labels[-1]
        return IntDistribution(low, high, log=dimension.log, step=dimension.step)
    assert dimension.labels is not None
    return CategoricalDistribution(tuple(dimension.labels))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences Optuna for a while: it logs the result of every trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
