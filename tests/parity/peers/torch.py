"""PyTorch 2.13.0: `torch.optim.lr_scheduler`, all of it in `jaxsched.compat.torch`."""

from jaxsched.compat.torch import (
    SWALR,
    CosineAnnealingLR,
    CyclicLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)


PEER = "torch"

GOLDENS = {
    "LinearLR(.25,1,4)": LinearLR(1.0, 0.25, 1.0, 4),
    "CosineAnnealingLR(4)": CosineAnnealingLR(1.0, 4),
    "CosineAnnealingLR(4,eta .1)": CosineAnnealingLR(1.0, 4, 0.1),
    "StepLR(3,.5)": StepLR(1.0, 3, 0.5),
    "MultiStep([2,2,4],.5)": MultiStepLR(1.0, [2, 2, 4], 0.5),
    "OneCycle(total=3)": OneCycleLR(1.0, total_steps=3, cycle_momentum=False).rate,
    "Cyclic tri up=2,down=3": CyclicLR(0.1, 1.0, 2, 3).rate,
    "Cyclic tri2 up=2": CyclicLR(0.1, 1.0, 2, mode="triangular2").rate,
    "Cyclic exp .9 up=2": CyclicLR(0.1, 1.0, 2, mode="exp_range", gamma=0.9).rate,
    "Seq(LinearLR(.25,4), Cos(6))@4": SequentialLR(
        [LinearLR(1.0, 0.25, 1.0, total_iters=4), CosineAnnealingLR(1.0, 6)], [4]
    ),
    "SWALR(swa .05, 4, linear)": SWALR(
        1.0, 0.05, anneal_epochs=4, anneal_strategy="linear"
    ),
}
