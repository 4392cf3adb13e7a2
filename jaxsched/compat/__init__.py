"""Each peer's schedules by the peer's own names: `compat.torch.StepLR(...)`.

A module per peer, with its functions, their arguments and defaults, as expressions in
our own terms. Where the peer takes an optimizer, these take its learning rate first.
Their values are those of the peer up to its horizon; before step 0 and after the end
they are held, unless the docstring says that the peer's go on.
"""

from . import (
    keras as keras,
    optax as optax,
    t5x as t5x,
    timm as timm,
    torch as torch,
    transformers as transformers,
)
from .ported import instead_of as instead_of, without as _without


__getattr__ = _without(__name__)
