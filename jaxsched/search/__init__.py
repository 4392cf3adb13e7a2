"""Search: which schedule should I train with? Many of them trained at once."""

from . import tasks as tasks
from .candidates import RECIPES as RECIPES, Candidate as Candidate, grid as grid
from .engine import run as run, tabulate as tabulate
from .results import Results as Results
