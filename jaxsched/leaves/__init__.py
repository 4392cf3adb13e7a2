"""Leaves: the schedules that all others are composed of."""

from .custom import *
from .decays import *
from .optimal import *
from .ramps import *
from .restarts import *
from .splines import *
from .tables import *
