"""Learning-rate schedules that are functions, values and pytrees at once."""

from . import curves as curves, recipes as recipes
from .leaves import *
from .recipes import *
from .schedule import (
    Chain as Chain,
    Constant as Constant,
    Product as Product,
    Quotient as Quotient,
    Schedule as Schedule,
    ScheduleLike as ScheduleLike,
    Sum as Sum,
    as_schedule as as_schedule,
    chain as chain,
    constant as constant,
)
from .transforms import *
from .tree import as_arrays as as_arrays, check as check
