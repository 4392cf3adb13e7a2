"""Keras 3.15.1: `keras.optimizers.schedules`, all of it in `jaxsched.compat.keras`."""

from jaxsched.compat.keras import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

from ..rows import On


PEER = "keras"

EXTRAPOLATES = "before step 0 it extrapolates"

GOLDENS = {
    "Exp stair": On(
        ExponentialDecay(1.0, 4, 0.5, staircase=True), range(15), EXTRAPOLATES
    ),
    "Piecewise([4,8],[1,.5,.1])": PiecewiseConstantDecay([4, 8], [1.0, 0.5, 0.1]),
    "Poly(1,4,end .1,p2)": On(
        PolynomialDecay(1.0, 4, 0.1, 2.0), range(15), EXTRAPOLATES
    ),
    "Poly cycle": On(
        PolynomialDecay(1.0, 4, 0.1, 1.0, cycle=True),
        range(15),
        "before step 0 it is minus infinity",
    ),
    "Cosine(0,8,.1,warm target 1, 4)": On(
        CosineDecay(0.0, 8, 0.1, warmup_target=1.0, warmup_steps=4),
        range(15),
        EXTRAPOLATES,
    ),
    "CosineRestarts t_mul=1": On(
        CosineDecayRestarts(1.0, 4, 1.0, 1.0), range(15), EXTRAPOLATES
    ),
}
