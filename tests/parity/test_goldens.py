"""What the peers computed, in our terms: each of their schedules is ours, composed.

`goldens/peers.json` has the numbers; here is, for each, the expression that yields
them. They agree to float32 wherever both are defined. Where a peer does something
else outside its horizon, or errs, `On` says at which steps it agrees, and why not
elsewhere.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import jaxsched as js
from jaxsched import curves

from .rows import On
from .test_formulas import MODULES


GOLDENS = json.loads((Path(__file__).parent.parent / "goldens" / "peers.json").read_text())
CASES = {(case["peer"], case["case"]): case for case in GOLDENS["cases"]}


def tanh_decay(low, high, steps):
    """As it is written in the paper: not made to arrive, so it jumps to 0."""
    start, end = (1 - math.tanh(low)) / 2, (1 - math.tanh(high)) / 2
    decay = js.ramp(start, end, steps, curves.Tanh(low, high))
    return js.switch([decay, 0.0], [steps])


EXTRAPOLATES = "before step 0 it extrapolates"
NEGATIVE = "after the horizon it falls below zero"


OURS = {
    "torch": {
        "LinearLR(.25,1,4)": js.linear(0.25, 1.0, 4),
        "CosineAnnealingLR(4)": js.cosine_annealing(1.0, total_steps=4, periodic=True),
        "CosineAnnealingLR(4,eta .1)": js.cosine_annealing(
            1.0, total_steps=4, end=0.1, periodic=True
        ),
        "StepLR(3,.5)": js.step_decay(1.0, factor=0.5, every=3),
        "MultiStep([2,2,4],.5)": js.piecewise_constant([2, 4], [1.0, 0.25, 0.125]),
        # Its phases end one step early: at steps 0.3 * 3 - 1 and 3 - 1.
        "OneCycle(total=3)": js.shift(js.cosine(1.0, 4e-6, 2.1), 0.1),
        "Cyclic tri up=2,down=3": js.triangular(0.1, 1.0, up_steps=2, down_steps=3),
        "Cyclic tri2 up=2": js.triangular2(0.1, 1.0, up_steps=2),
        "Cyclic exp .9 up=2": js.exp_range(0.1, 1.0, up_steps=2, gamma=0.9),
        "Seq(LinearLR(.25,4), Cos(6))@4": js.linear(0.25, 1.0, 4)
        >> js.cosine_annealing(1.0, total_steps=6, periodic=True),
        "SWALR(swa .05, 4, linear)": js.linear(1.0, 0.05, 4),
    },
    "transformers": {
        "linear": js.warmup_linear(1.0, warmup_steps=4, total_steps=12),
        "cosine_with_restarts c=2": js.linear(0.0, 1.0, 4)
        >> js.repeat(js.cosine(1.0, 0.0, 4), 2),
        "polynomial lr_end=.1 W=0": js.warmup_polynomial(
            1.0, warmup_steps=0, total_steps=12, power=1, end=0.1
        ),
        "inverse_sqrt": js.warmup_inverse_sqrt(1.0, warmup_steps=4),
        "inverse_sqrt ts=9": js.warmup_inverse_sqrt(1.0, warmup_steps=4, timescale=9),
        "inverse_sqrt W=0": js.inverse_sqrt(1.0, timescale=10_000),
        "cosine_warmup_with_min_lr .1": js.shift(
            js.linear(0.0, 1.0, 4)
            >> js.cosine_annealing(1.0, total_steps=8, end=0.1, periodic=True),
            1,
        ),
        "wsd W4 S4 D4 min.1 cosine": js.wsd(
            1.0,
            warmup_steps=4,
            decay_steps=4,
            total_steps=12,
            start=0.1,
            end=0.1,
            curve=curves.Cosine(),
        ),
        "wsd warmup cosine": js.cosine(0.0, 1.0, 4) >> 1.0,
        "wsd warmup 1-sqrt": js.ramp(0.0, 1.0, 4, curves.Reversed(curves.Sqrt())),
    },
    "optax": {
        "poly(1,.1,2,4,begin=2)": js.delay(js.polynomial(1.0, 0.1, 4, power=2), 2),
        "cosine exponent 2": On(
            js.ramp(1.0, 0.0, 8, curves.Power(2, curves.Cosine())),
            steps=[0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14],
            because="it is even in the step, and at step 7 `1 + cos` has cancelled",
        ),
        "exp(1,4,.5,begin=2,stair,end=.2)": js.maximum(
            js.delay(js.step_decay(1.0, factor=0.5, every=4), 2), 0.2
        ),
        "piecewise_interp lin {4:.1,8:.01}": On(
            js.piecewise_linear([0, 4, 8], [1.0, 0.1, 0.001]),
            steps=range(15),
            because="before step 0 it is 0",
        ),
        "piecewise_interp cos {4:.1}": On(
            js.piecewise_linear([0, 4], [1.0, 0.1], curves.Cosine()),
            steps=range(15),
            because="before step 0 it is 0",
        ),
        # It warms up for int(0.3 * 2) = 0 steps, here and in the next.
        "cosine_onecycle 2 0.3": js.one_cycle(
            1.0, total_steps=2, warmup_fraction=0
        ).rate,
        "cosine_onecycle 1 0.3": js.one_cycle(
            1.0, total_steps=1, warmup_fraction=0
        ).rate,
        # All phases end at step 0, so all factors apply there: 1 / 25 twice.
        "linear_onecycle 1 0.3": js.linear(1 / 25**2, 1 / 25**2 / 1e4, 1),
        "linear_onecycle(10,pct_start=0)": js.linear(1.0, 1 / 25, 8)
        >> js.linear(1 / 25, 1 / 25 / 1e4, 2),
        "warmup_constant(0,1,4)": js.warmup_constant(1.0, warmup_steps=4),
        "warmup_cosine(0,1,4,12,.1)": js.warmup_cosine(
            1.0, warmup_steps=4, total_steps=12, end=0.1
        ),
        "warmup_cosine W=0": On(
            js.warmup_cosine(1.0, warmup_steps=0, total_steps=8, end=0.1),
            steps=range(15),
            because="before step 0 it is where the warmup, of no steps, would start",
        ),
        "sgdr 2 cycles": js.warmup_cosine(1.0, warmup_steps=2, total_steps=6)
        >> js.warmup_cosine(0.5, warmup_steps=2, total_steps=6),
        "sgd(schedule) updates": -js.linear(0.0, 1.0, 4),
    },
    "keras": {
        "Exp stair": On(
            js.step_decay(1.0, factor=0.5, every=4),
            steps=range(15),
            because=EXTRAPOLATES,
        ),
        # A new value applies one step after its boundary.
        "Piecewise([4,8],[1,.5,.1])": js.piecewise_constant([5, 9], [1.0, 0.5, 0.1]),
        "Poly(1,4,end .1,p2)": On(
            js.polynomial(1.0, 0.1, 4, power=2), steps=range(15), because=EXTRAPOLATES
        ),
        "Poly cycle": On(
            js.switch(
                [js.linear(1.0, 0.1, steps) for steps in (4, 8, 12, 16)], [5, 9, 13]
            ),
            steps=range(15),
            because="before step 0 it is minus infinity",
        ),
        "Cosine(0,8,.1,warm target 1, 4)": On(
            js.warmup_cosine(1.0, warmup_steps=4, total_steps=12, end=0.1),
            steps=range(15),
            because=EXTRAPOLATES,
        ),
        "CosineRestarts t_mul=1": On(
            js.sgdr(1.0, period=4), steps=range(15), because=EXTRAPOLATES
        ),
    },
    "timm": {
        "cosine t=8": js.cosine(1.0, 0.1, 8),
        # Without `prefix` the warmup covers the decay, and jumps to it in the end.
        "cosine t=8 w=4 noprefix": js.switch(
            [js.linear(0.0, 1.0, 4), js.cosine(1.0, 0.1, 8)], [4]
        ),
        "tanh t=8": tanh_decay(-7, 3, 8),
        "tanh t=8 w=2 noprefix": js.warmup(tanh_decay(-7, 3, 8), 2, join="overlay"),
        "poly t=8 .5": js.polynomial(1.0, 0.0, 8, power=0.5),
        "step decay_t=3 .5 w=2 (prefix default)": js.warmup(
            js.step_decay(1.0, factor=0.5, every=3), 2
        ),
        "wsd t=8 d=4": js.wsd(1.0, warmup_steps=2, decay_steps=4, total_steps=10),
        "wsd rsqrt linear": js.warmup_inverse_sqrt(1.0, warmup_steps=2)
        * js.delay(js.linear(1.0, 0.0, 4), 6),
    },
    "lrsched": {
        # Its final divisor is that of the peak.
        "one_cycle 10": js.one_cycle(1.0, total_steps=10, end_divisor=1e4 / 25).rate,
        "wsd lin": js.wsd(
            1.0,
            warmup_steps=2,
            decay_steps=4,
            total_steps=8,
            end=0.1,
            curve=curves.Linear(),
        ),
    },
    "pytorch-scheduler": {
        "REX 8": js.rex(1.0, total_steps=8),
        "Cheb 4": js.until(js.shift(js.cosine(1.0, 0.0, 4), 0.5), 3),
        "STLR 10": js.slanted_triangular(1.0, total_steps=10, cut_fraction=0.2),
        "Hyperbolic 10 ub 20": js.hyperbolic(
            1.0, total_steps=10, upper_bound=20, end=0.01
        ),
        "Tanh 8": tanh_decay(-3, 3, 8),
        "PowerDecay w=0": js.power_law(1.0, exponent=0.5, timescale=1),
        "CosAnnWarmupRestarts": js.warmup_cosine(1.0, warmup_steps=2, total_steps=6)
        >> js.warmup_cosine(0.5, warmup_steps=2, total_steps=9),
    },
    "pytorch-optimizer": {
        "Cosine t=8 w=2": js.linear(0.0, 1.0, 2)
        >> js.cosine_annealing(1.0, total_steps=6, end=0.1, periodic=True),
        # It grows, without end.
        "Poly t=8 w=2": js.linear(0.0, 1.0, 2)
        >> js.constant(1.0, 1)
        >> 0.1 + 0.9 * js.power_law(1.0, exponent=-0.5, timescale=1),
        "REX step() returns": js.shift(js.rex(1.0, total_steps=8), 1),
        "cheb steps(8)": js.chebyshev(0.05, largest=1.0, total_steps=8, fractal=False),
        "cheb perm steps(8)": js.chebyshev(0.05, largest=1.0, total_steps=8),
        # It falls to 0, and then jumps to its minimum.
        "wsd min .1 1-sqrt": js.switch(
            [js.wsd(1.0, warmup_steps=2, decay_steps=4, total_steps=8), 0.1], [8]
        ),
        "wsd min .1 cosine": js.wsd(
            1.0,
            warmup_steps=2,
            decay_steps=4,
            total_steps=8,
            end=0.1,
            curve=curves.Cosine(),
        ),
        # Cycles grow by int((6 - 2) * 1.5) + 2 = 8, int((8 - 2) * 1.5) + 2 = 11.
        "CAWR 6 w2 mult1.5": js.chain(
            js.warmup_cosine(1.0, warmup_steps=2, total_steps=6),
            js.warmup_cosine(0.5, warmup_steps=2, total_steps=8),
            js.warmup_cosine(0.25, warmup_steps=2, total_steps=11),
        ),
    },
    "pytorch-warmup": {
        # It rounds the period down: int(2 / 0.001) is 1999, int(1 / 0.001) is 999.
        "UntunedLinear(warmup_period=1999)": js.shift(js.linear(0.0, 1.0, 1999), 1),
        "UntunedExp(warmup_period=999)": js.shift(
            js.natural_exponential(0.0, rate=1 / 999, end=1.0), 1
        ),
    },
    "levanter": {
        "cosine warm 4/20": js.warmup_cosine(
            1.0, warmup_steps=4, total_steps=20, end=0.1
        ),
        "linear warm .2 decay .4": js.wsd(
            1.0,
            warmup_steps=4,
            decay_steps=8,
            total_steps=20,
            end=0.1,
            curve=curves.Linear(),
        ),
        "inv": On(
            js.ramp(1.0, 0.1, 10, curves.Reciprocal(0.1)),
            steps=range(1, 12),
            because="it counts from 1, so step 0 has the rate of step 1",
        ),
    },
    "maxtext": {
        # The end is at the last step, not after it.
        "cosine 10": js.linear(0.0, 1.0, 2)
        >> js.cosine_annealing(1.0, total_steps=7, end=0.1, periodic=True),
        "wsd": js.wsd(
            1.0,
            warmup_steps=2,
            decay_steps=3,
            total_steps=9,
            end=0.1,
            curve=curves.Linear(),
        ),
    },
    "t5x": {
        "const*warm*rsqrt_norm w=4": js.maximum(
            js.warmup_inverse_sqrt(1.0, warmup_steps=4), 1e-8
        ),
        "linear_decay w=4 df=.1": js.maximum(
            js.warmup_linear(1.0, warmup_steps=4, total_steps=14), 1e-8
        ),
        "decay_every 3": js.step_decay(1.0, factor=0.5, every=3),
    },
    "scenic": {
        "rsqrt w2 ts4": js.warmup_inverse_sqrt(1.0, warmup_steps=2, timescale=4),
        "linear_cooldown": On(
            js.cooldown(1.0, at=6, steps=4), steps=range(11), because=NEGATIVE
        ),
        "piecewise_linear [4,8]": js.piecewise_linear([0, 4, 8], [1.0, 0.5, 0.1]),
    },
    "big_vision": {
        "linear w2 end .1": js.warmup_linear(
            1.0, warmup_steps=2, total_steps=10, end=0.1
        ),
        # Its cooldown is a factor, while the decay goes on.
        "rsqrt w2 ts4 cooldown 3": On(
            js.warmup_inverse_sqrt(1.0, warmup_steps=2, timescale=4)
            * js.delay(js.linear(1.0, 0.0, 3), 7),
            steps=range(11),
            because=NEGATIVE,
        ),
    },
    "torchtitan": {
        # It counts from 1, and holds the peak for one step more.
        "T10 w2 d4": js.shift(
            js.wsd(
                1.0,
                warmup_steps=2,
                decay_steps=4,
                total_steps=11,
                curve=curves.Linear(),
            ),
            1,
        ),
        "T10 w2 d4 sqrt": js.shift(
            js.wsd(1.0, warmup_steps=2, decay_steps=4, total_steps=11), 1
        ),
    },
    "ai2-olmo-core": {
        "Cos w2": js.warmup_cosine(1.0, warmup_steps=2, total_steps=10, end=0.1),
        "Cos+lin": js.cooldown(
            js.warmup_cosine(1.0, warmup_steps=2, total_steps=10, end=0.1),
            at=6,
            steps=4,
        ),
        # A period ends at its last step, and the next begins after that.
        "WSDS [8,6] w2 d2": js.switch(
            [
                js.wsd(
                    1.0,
                    warmup_steps=2,
                    decay_steps=2,
                    total_steps=8,
                    curve=curves.Linear(),
                ),
                js.cooldown(1.0, at=12, steps=2),
            ],
            [9],
        ),
        "Exponential": js.exponential(1e-9, 1.0, 10),
        "Seq": js.warmup(js.cooldown(1.0, at=2, steps=6), 2),
    },
    "deepspeed": {
        # The first two updates have the lowest rate.
        "WarmupLR log W=4": js.delay(js.ramp(0.0, 1.0, 3, curves.Log(4)), 1),
        "WarmupLR linear W=4": js.delay(js.linear(0.0, 1.0, 4), 1),
        "OneCycle mom": On(
            js.linear(0.9, 0.8, 4)
            >> js.linear(0.8, 0.9, 4)
            >> js.linear(0.9, 2.025, 5),
            steps=range(1, 14),
            because="the first update has the momentum that the optimizer was given",
        ),
        "LRRangeTest 1e-3 step4": js.power_law(1e-3, exponent=-1, timescale=4),
    },
    "nemo": {
        "SquareAnnealing(warmup_steps=4, max_steps=12)": js.maximum(
            js.linear(0.2, 1.0, 4) >> js.polynomial(1.0, 0.0, 8, power=2), 1e-5
        ),
        # Here, and where nothing is held, the decay counts from step 0.
        "SquareRootAnnealing(warmup_steps=4, max_steps=12)": js.switch(
            [js.linear(0.2, 1.0, 4), js.polynomial(1.0, 0.0, 12, power=0.5)], [5]
        ),
        "CosineAnnealing(warmup_steps=4, max_steps=12, min_lr=0.1)": (
            js.warmup_cosine(1.0, warmup_steps=4, total_steps=12, start=0.2, end=0.1)
        ),
        "NoamHoldAnnealing(warmup_steps=4, hold_steps=2, max_steps=12)": (
            js.switch(
                [
                    js.linear(0.2, 1.0, 4)
                    >> js.constant(1.0, 2)
                    >> js.inverse_sqrt(1.0, timescale=4),
                    0.0,
                ],
                [13],
            )
        ),
        "InverseSquareRootAnnealing(warmup_steps=4, max_steps=12)": js.switch(
            [js.linear(0.2, 1.0, 4) >> js.inverse_sqrt(1.0, timescale=5), 0.0], [13]
        ),
        "T5InverseSquareRootAnnealing(constant_steps=4, max_steps=12)": (
            js.switch([js.delay(js.inverse_sqrt(0.5, timescale=4), 4), 0.0], [13])
        ),
        "PolynomialDecayAnnealing(warmup_steps=4, max_steps=12, power=2.0)": (
            js.linear(0.2, 1.0, 4) >> js.polynomial(1.0, 0.0, 8, power=2)
        ),
        "WarmupHoldAnnealLinear(warmup_steps=4, hold_steps=2, max_steps=12)": (
            js.linear(0.2, 1.0, 4) >> js.constant(1.0, 2) >> js.linear(1.0, 0.0, 6)
        ),
        "WarmupHoldAnnealLinear(warmup_steps=4, max_steps=12)": js.switch(
            [js.linear(0.2, 1.0, 4), js.linear(1.0, 0.0, 12)], [5]
        ),
    },
    "mmengine": {
        # The end is at the last step, not after it.
        "Linear .25 begin0 end5": js.linear(0.25, 1.0, 4),
        "Poly end8": js.linear(1.0, 0.0, 7),
        "Constant end4": js.constant(0.5, 3) >> 1.0,
    },
    "fairseq": {
        "inverse_sqrt W4": js.warmup_inverse_sqrt(1.0, warmup_steps=4),
        "cosine W2 period 4 shrink .5 tmult 2": js.linear(0.1, 1.0, 2)
        >> js.repeat(js.cosine(1.0, 0.1, 4), period_multiplier=2, value_multiplier=0.5),
        "poly W4 T12": js.warmup_linear(1.0, warmup_steps=4, total_steps=12, end=0.1),
        "fixed warm4": js.shift(js.linear(0.0, 1.0, 4), 1),
    },
    "paddle": {
        "Noam d=1 w=4": js.noam(d_model=1, warmup_steps=4),
        "LinearWarmup(Poly(1,4),4,0,1)": js.warmup(js.linear(1.0, 0.1, 4), 4),
        "NaturalExp .5": js.natural_exponential(1.0, rate=0.5),
    },
    "pytorch-ignite": {
        "LinearCyclical 1->0 size4": js.triangular(1.0, 0.0, up_steps=2),
        "Cosine 1->0 size4": js.repeat(js.cosine(1.0, 0.0, 4)),
        "Cosine 1->0 size4 warm2": js.repeat(
            js.cosine(1.0, 0.0, 4) >> js.linear(0.0, 0.5, 2), value_multiplier=0.5
        ),
    },
    "fastai": {
        "pct0=0": js.cosine(0.0, 1.0, 0) >> js.cosine(1.0, 0.0, 2),
    },
    "fvcore": {
        "composite warm .25 rescaled, T=8": js.warmup_cosine(
            1.0, warmup_steps=2, total_steps=8
        ),
    },
    "mxnet": {
        # A new value applies one step after its boundary.
        "Multi [3,6]": js.multi_step(1.0, boundaries=[4, 7], factor=0.5),
        "cosine": js.warmup_cosine(1.0, warmup_steps=2, total_steps=8),
    },
    "axolotl": {
        "LogSweep n=5": js.delay(js.exponential(1e-3, 1.0, 4), 1),
    },
}

NOT_YET: dict[tuple[str, str], str] = {}
"""Cases that we cannot express, and what it takes."""

OURS |= {
    module.PEER: module.GOLDENS
    for module in MODULES.values()
    if hasattr(module, "GOLDENS")
}
ROWS = {(peer, case): row for peer, rows in OURS.items() for case, row in rows.items()}


def test_every_case_is_covered():
    assert len(CASES) == len(GOLDENS["cases"])
    assert {*ROWS, *NOT_YET} == {*CASES}
    assert not {*ROWS} & {*NOT_YET}


@pytest.mark.parametrize(("peer", "case"), ROWS)
def test_agrees_with(peer, case):
    row, golden = ROWS[peer, case], CASES[peer, case]
    steps, values = golden["steps"], np.array(golden["values"], float)
    schedule, compared, _ = row if isinstance(row, On) else On(row, steps, "")
    assert {*compared} <= {*steps}
    among = np.isin(steps, [*compared])
    # Relative to the value, and to nothing else: where it is 0, so is ours.
    rates = schedule(np.array(steps)[among])
    np.testing.assert_allclose(rates, values[among], rtol=1e-6, atol=0)
