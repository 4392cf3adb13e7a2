"""`timm.scheduler`, by its names: the learning rate first, then as there.

Names, order and values are those of timm 1.0.31
(https://github.com/huggingface/pytorch-image-models/tree/main/timm/scheduler), and so
are the defaults, but that no cycles and no warmup are `None`. A step is what
`scheduler.step(t)` is given, be it an epoch or an update. What differs: noise is a
function of the seed and the step, and not the random numbers of PyTorch; and every
restart is at its step, where timm, which rounds a logarithm, has `lr_min` at some (with
`cycle_mul=3` at the fifth, say).
"""

from ..ported import METRICS, without
from .cycles import *
from .factory import *
from .stages import *
from .steps import *


__getattr__ = without(__name__, PlateauLRScheduler=METRICS)
