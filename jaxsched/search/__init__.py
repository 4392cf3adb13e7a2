"""Search: which schedule should I train with? Many of them trained at once."""

from ..calls import later as later
from . import tasks as tasks
from .descent import (
    Descent as Descent,
    as_train as as_train,
    descend as descend,
)
from .lanes.machine import use_all_cores as use_all_cores
from .lanes.task import Task as Task
from .plan import Plan as Plan, plan as plan
from .progress import Progress as Progress
from .pruners import OptunaPruner as OptunaPruner, asha as asha, halving as halving
from .results.results import Results as Results
from .running import (
    Interrupted as Interrupted,
    load as load,
    run as run,
)
from .shaping import (
    SHAPES as SHAPES,
    Family as Family,
    Shape as Shape,
    Shapes as Shapes,
    gaps as gaps,
    shapes as shapes,
)
from .spaces.candidate import Candidate as Candidate
from .spaces.families import FAMILIES as FAMILIES, families as families
from .spaces.notation import (
    Config as Config,
    choice as choice,
    linspace as linspace,
    logspace as logspace,
    loguniform as loguniform,
    one_of as one_of,
    space as space,
    uniform as uniform,
)
from .spaces.space import Space as Space
from .trials import Status as Status, StoreError as StoreError, Trial as Trial
