"""Type aliases shared by the whole package."""

from collections.abc import Sequence
from typing import TypeAlias

import jax
import numpy as np


Scalar: TypeAlias = float | jax.Array
"""A hyperparameter: a Python number, or an array or tracer of shape `f32[]`."""

Vector: TypeAlias = Sequence[Scalar] | np.ndarray | jax.Array
"""A hyperparameter of several numbers: a list, or an array of shape `f32[n]`."""
