"""Tasks: real ones, to train on without a download."""

from collections.abc import Callable, Mapping

from .digits import digits as digits
from .photo import Photo as Photo, photo as photo
from .task import Data as Data, Task as Task
from .text import text as text


TASKS: Mapping[str, Callable[[int], Task]] = {
    "photo": photo,
    "digits": digits,
    "text": text,
}
"""Tasks by name: functions of the number of steps to train for."""
