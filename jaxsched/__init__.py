"""Learning-rate schedules that are functions, values and pytrees at once."""

import importlib as _importlib
import types as _types
import typing as _typing

from .imports import uncollected as _uncollected


with _uncollected():
    from . import curves as curves, recipes as recipes
    from .config import from_config as from_config, to_config as to_config
    from .leaves.custom import *
    from .leaves.decays import *
    from .leaves.optimal import *
    from .leaves.ramps import *
    from .leaves.restarts import *
    from .leaves.splines import *
    from .leaves.tables import *
    from .recipes.adam import *
    from .recipes.cycles import *
    from .recipes.decays import *
    from .recipes.inverse_square_root import *
    from .recipes.phases import *
    from .recipes.power_laws import *
    from .recipes.shapes import *
    from .recipes.warmups import *
    from .schedule import (
        Chain as Chain,
        Constant as Constant,
        Product as Product,
        Quotient as Quotient,
        Raised as Raised,
        Schedule as Schedule,
        ScheduleLike as ScheduleLike,
        Sum as Sum,
        as_function as as_function,
        as_schedule as as_schedule,
        chain as chain,
        constant as constant,
    )
    from .transforms.clocks import *
    from .transforms.cycles import *
    from .transforms.noise import *
    from .transforms.phases import *
    from .transforms.time import *
    from .transforms.values import *
    from .tree import as_arrays as as_arrays, check as check

if _typing.TYPE_CHECKING:
    from . import (
        compat as compat,
        plotting as plotting,
        search as search,
        training as training,
    )


def __getattr__(name: str) -> _types.ModuleType:
    """Loads what most programs do without, on first use.

    Of a name that a peer has, it tells what that is called here.
    """
    if name in ("plotting", "compat", "search", "training"):
        return _importlib.import_module(f".{name}", __name__)
    if name.startswith("_"):
        raise AttributeError(f"Module {__name__!r} has no {name!r}.", name=name)
    peers = _importlib.import_module(".compat", __name__)
    raise AttributeError(peers.instead_of(name, globals()), name=name)
