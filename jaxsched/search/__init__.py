"""Search: which schedule should I train with? Many of them trained at once.

The space: `one_of`, `space`, `families`, `choice`, `linspace`, `logspace`, `uniform`,
`loguniform`, `integers`, `later`.
The task: `Task`, `stream`; `tasks` has built-in ones.
The search: `run`, `plan`, `Search`; `halving`, `asha`, `OptunaPruner`; `Progress`,
`Stop`, `Interrupted`; `use_all_cores`.
The results: `Results`, `load`, `report`, `Candidate`, `Trial`, `Status`.
By gradients: `descend`, `Descent`, `as_train`. By shapes: `shapes`, `Shapes`, `gaps`.
Parts of your own: `Store`, `SQLiteStore`, `StoreError`, `testing`.
"""

from ..calls import later as later
from . import samplers as samplers, tasks as tasks, testing as testing
from .descent import (
    Descent as Descent,
    as_train as as_train,
    descend as descend,
)
from .engine.data import stream as stream
from .engine.devices import use_all_cores as use_all_cores
from .estimate import Plan as Plan
from .objective import Objective as Objective
from .optuna.pruner import OptunaPruner as OptunaPruner
from .progress import Progress as Progress, Stop as Stop
from .pruners import asha as asha, halving as halving
from .results.report import report as report
from .results.results import Results as Results
from .search import Search as Search, plan as plan, run as run
from .session import Interrupted as Interrupted, load as load
from .shaping import (
    SHAPES as SHAPES,
    Family as Family,
    Shape as Shape,
    Shapes as Shapes,
    gaps as gaps,
    shapes as shapes,
)
from .spaces.candidate import Candidate as Candidate, Config as Config
from .spaces.dimensions import (
    choice as choice,
    integers as integers,
    linspace as linspace,
    logspace as logspace,
    loguniform as loguniform,
    uniform as uniform,
)
from .spaces.families import FAMILIES as FAMILIES, families as families
from .spaces.space import Space as Space, one_of as one_of, space as space
from .stores import SQLiteStore as SQLiteStore, Store as Store, StoreError as StoreError
from .task import Task as Task
from .trial import Status as Status, Trial as Trial
