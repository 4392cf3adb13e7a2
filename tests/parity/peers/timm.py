"""timm 1.0.31: `timm.scheduler`, all of it in `jaxsched.compat.timm`."""

from jaxsched.compat.timm import (
    CosineLRScheduler,
    PolyLRScheduler,
    StepLRScheduler,
    TanhLRScheduler,
    WSDLRScheduler,
)


PEER = "timm"

GOLDENS = {
    "cosine t=8": CosineLRScheduler(1.0, 8, lr_min=0.1),
    "cosine t=8 w=4 noprefix": CosineLRScheduler(1.0, 8, lr_min=0.1, warmup_t=4),
    "tanh t=8": TanhLRScheduler(1.0, 8),
    "tanh t=8 w=2 noprefix": TanhLRScheduler(1.0, 8, warmup_t=2),
    "poly t=8 .5": PolyLRScheduler(1.0, 8),
    "step decay_t=3 .5 w=2 (prefix default)": StepLRScheduler(1.0, 3, 0.5, warmup_t=2),
    "wsd t=8 d=4": WSDLRScheduler(1.0, 8, 4, warmup_t=2),
    "wsd rsqrt linear": WSDLRScheduler(
        1.0, 8, 4, warmup_t=2, stable_fn="rsqrt", decay_fn="linear"
    ),
}
