"""Recipes: published schedules, each a composition of leaves and transforms."""

from .adam import *
from .cycles import *
from .decays import *
from .eden import *
from .phases import *
from .warmups import *
