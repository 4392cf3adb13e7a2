"""Reducers: factors of the rate that follow a metric."""

from .adaptive_kl import *
from .greedy import *
from .new_bob import *
from .plateau import *
from .reducer import *
