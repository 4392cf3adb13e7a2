"""`torch.optim.lr_scheduler`, by its names: the learning rate first, then as there.

Names, order and defaults of the arguments, and values are those of PyTorch 2.13
(https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate). A step is
one call of `scheduler.step()`, be it an epoch or an update, and the rate at step k
that of the optimizer after k calls. What differs: rates are computed from the step and
not from the rate before, so nothing that is done to the optimizer changes them; a
phase of no steps is at its end, where PyTorch's stays at its start; and after the end
the rate is held, where PyTorch's one cycle raises an error.
"""

from ..ported import METRICS, without
from .cycles import *
from .decays import *
from .functions import *
from .live import *
from .names import *
from .several import *


__getattr__ = without(__name__, ReduceLROnPlateau=METRICS)
