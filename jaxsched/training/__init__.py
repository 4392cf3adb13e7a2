"""Schedules in the training loop: what a person does with one once training runs."""

from . import presets as presets
from .batches import *
from .checks import *
from .horizon import *
from .layers import *
from .migration import *
from .reducers import *
from .resume import *
from .running import *
from .state import *
from .sweeps import *
from .weight_decay import *
