"""The range test: train briefly at ever higher rates, and see which are any good."""

from .suggestions import *
from .sweep import *
