"""What the schedulers of PyTorch share: what they refuse, and named curves."""

from ...curves import Cosine, Linear
from ..ported import ported


scheduler = ported(
    last_epoch="a schedule has no position, call it with the step that you are at",
    verbose="a schedule prints nothing",
)

ANNEALINGS = {"cos": Cosine(), "linear": Linear()}
