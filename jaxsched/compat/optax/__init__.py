"""`optax.schedules`, by its names: a drop-in for `from optax import ...`.

Names, order and defaults of the arguments, and values are those of Optax 0.2.8
(https://optax.readthedocs.io/en/latest/api/optimizer_schedules.html). What is more:
steps may be arrays of any shape, any number may be traced, and values and gradients are
finite. What differs: before step 0 all have their value of step 0, where Optax's
cosine goes up and down again and its interpolations are 0.
"""

from ..ported import without
from .pieces import *
from .transitions import *
from .warmups import *


__getattr__ = without(__name__)
