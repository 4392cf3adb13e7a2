"""What the schedulers of PyTorch share: refusals, named curves, and chaining."""

import jax

from ...curves import Cosine, Linear
from ...schedule import Schedule
from ...tree import child, static
from ...types import Scalar
from ..ported import ported


__all__ = ["NoFactor"]

scheduler = ported(
    last_epoch="a schedule has no position, call it with the step that you are at",
    verbose="a schedule prints nothing",
)

ANNEALINGS = {"cos": Cosine(), "linear": Linear()}


class NoFactor(Schedule):
    """A schedule whose scheduler does not just multiply the rate of the optimizer.

    Its values are those of `inner`. It says so to `ChainedScheduler`, which multiplies
    factors.
    """

    inner: Schedule = child()
    by: str = static()
    """The name of the scheduler."""

    @property
    def duration(self) -> Scalar:
        return self.inner.duration

    def evaluate(self, t: jax.Array, left: Scalar) -> jax.Array:
        return self.inner.evaluate(t, left)
