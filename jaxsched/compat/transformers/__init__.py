"""`transformers.optimization`, by its names: the learning rate first, then as there.

Names, order and defaults of the arguments, and values are those of Hugging Face
Transformers 5.23 (https://huggingface.co/docs/transformers/main_classes/optimizer_schedules).
`num_training_steps` includes the warmup, which starts at 0. What differs: where the
phases are longer than `num_training_steps`, or there is none left after the warmup,
nothing divides by zero.
"""

from ..ported import METRICS, without
from .cosines import *
from .factory import *
from .stages import *
from .warmups import *


__getattr__ = without(
    __name__, get_reduce_on_plateau_schedule=METRICS, get_greedy_schedule=METRICS
)
