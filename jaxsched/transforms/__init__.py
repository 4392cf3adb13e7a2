"""Transforms: one schedule in, one schedule out; acting on time, or on the value."""

from .clocks import *
from .cycles import *
from .noise import *
from .phases import *
from .time import *
from .values import *
