"""Steps that are optimal for gradient descent on a class of functions, in theory."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from ..domain import POSITIVE, POWER_OF_TWO
from ..errors import echoes, refusal
from ..hyperparameters import as_leaf
from ..numerics import entry, known, positive
from ..schedule import Schedule
from ..tree import hyper, static
from ..types import Scalar
from .decays import Endless


__all__ = ["Chebyshev", "Silver", "chebyshev", "silver"]


class Chebyshev(Schedule):
    """The inverses of the Chebyshev nodes between two eigenvalues, each used once."""

    smallest: Scalar = hyper(POSITIVE)
    largest: Scalar = hyper(POSITIVE)
    total_steps: Scalar = hyper(POSITIVE)
    fractal: bool = static(default=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if known(self.smallest, self.largest) and self.smallest > self.largest:
            allowed = f"at most the largest, {self.largest!r}"
            raise refusal(ValueError, "`Chebyshev.smallest`", allowed, self.smallest)
        if self.fractal:
            as_leaf(self.total_steps, POWER_OF_TWO, "Chebyshev.total_steps")

    @property
    def duration(self) -> Scalar:
        return self.total_steps

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        total = positive(self.total_steps)
        step = jnp.floor(jnp.minimum(t, total - 1))
        node = _fractal(step, total) if self.fractal else step
        above = jnp.sin(jnp.pi / 2 * (node + 0.5) / total) ** 2
        return 1 / positive(self.smallest + (self.largest - self.smallest) * above)


def _fractal(step: jax.Array, total: Scalar) -> jax.Array:
    """Orders `0..total - 1` so that long steps are soon followed by short ones.

    The order of `2 n` nodes is that of `n`, each followed by its mirror image: from
    the first digit of the step to the last, a 1 reflects the node.
    """
    node = jnp.zeros_like(step)
    for digit in range(24):
        size = 2.0 ** (digit + 1)
        place = total / size
        odd = jnp.floor(step / positive(place)) % 2 == 1
        node = jnp.where((place >= 1) & odd, size - 1 - node, node)
    return node


class Silver(Endless):
    """`unit * (1 + rho**(v - 1))`: `2**v` divides step + 1, `rho = 1 + sqrt(2)`."""

    unit: Scalar = hyper(POSITIVE)

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        number = jnp.minimum(t, 2.0**30).astype(int) + 1
        twos = jax.lax.population_count((number & -number) - 1)
        ratios = jnp.asarray((1 + math.sqrt(2)) ** (np.arange(32.0) - 1), t.dtype)
        return self.unit * (1 + entry(ratios, twos))


@echoes
def chebyshev(
    smallest: Scalar, *, largest: Scalar, total_steps: Scalar, fractal: bool = True
) -> Chebyshev:
    """The best steps for gradient descent on quadratics, known their eigenvalues.

    Args:
        smallest: The least eigenvalue of the Hessian, positive.
        largest: The greatest one.
        total_steps: How many steps there are, positive; in the fractal order a power
            of two.
        fractal: Whether to take them in the order that keeps errors small in between;
            else the longest steps come first.

    Returns:
        A schedule of `total_steps` steps, each held until the next.

    Raises:
        ValueError: If a number is not positive, or `total_steps` no power of two
            though it must be.

    Example:
        >>> from jaxsched import chebyshev
        >>> lr = chebyshev(0.05, largest=1.0, total_steps=4)
        >>> [round(float(lr(step)), 3) for step in range(4)]
        [11.607, 1.038, 2.914, 1.415]

    Source:
        Agarwal et al., 2021, *Acceleration via Fractal Learning Rate Schedules*,
        https://arxiv.org/abs/2103.01338; Young, 1953, *On Richardson's Method*.
    """
    return Chebyshev(smallest, largest, total_steps, fractal)


@echoes
def silver(unit: Scalar) -> Silver:
    """Steps that speed up plain gradient descent on smooth convex functions.

    Args:
        unit: One over the smoothness (the greatest curvature), positive.

    Returns:
        A schedule without end.

    Raises:
        ValueError: If `unit` is not positive.

    Example:
        >>> from jaxsched import silver
        >>> [round(float(silver(1.0)(step)), 3) for step in range(8)]
        [1.414, 2.0, 1.414, 3.414, 1.414, 2.0, 1.414, 6.828]

    Source:
        Altschuler & Parrilo, 2023, *Acceleration by Stepsize Hedging II: Silver
        Stepsize Schedule*, https://arxiv.org/abs/2309.16530.
    """
    return Silver(unit)
