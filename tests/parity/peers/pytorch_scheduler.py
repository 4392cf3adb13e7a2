"""pytorch-scheduler 0.2.2: the classes of `pytorch_scheduler.scheduler`.

A step is `last_epoch`, and `total_steps` includes the warmup; after it the rate is
`min_lr`. A few do not arrive there by themselves: `tanh_decay` jumps, `hyperbolic` and
`exp_hyperbolic` stay above it, and `chebyshev` stays at its last node, which is half a
step before the end of a cosine. Parts of a horizon are cut off to whole steps.
"""

import itertools
import math

import jax
import jax.numpy as jnp

import jaxsched as js
from jaxsched import curves

from ..rows import Formula


PEER = "pytorch-scheduler"

DECAYS = {"cosine": curves.Cosine(), "linear": curves.Linear(), "sqrt": curves.Sqrt()}
WARMUPS = {
    "linear": curves.Linear(),
    "cosine": curves.Cosine(),
    "exponential": curves.Square(),
}
CYCLES = 6
"""How many cycles of warm restarts are written down: there they have no end."""


def identity(*, lr):
    return js.constant(lr)


def rex(*, lr, total_steps):
    return js.rex(lr, total_steps=total_steps)


def k_decay(*, lr, total_steps, k=1.0, min_lr=0.0):
    return js.k_decay(lr, total_steps=total_steps, k=k, end=min_lr)


def chebyshev(*, lr, total_steps, min_lr=0.0):
    return js.until(js.shift(js.cosine(lr, min_lr, total_steps), 0.5), total_steps - 1)


def tanh_decay(*, lr, total_steps, steepness=3.0, min_lr=0.0):
    start = min_lr + (lr - min_lr) * jax.nn.sigmoid(2 * steepness)
    end = min_lr + (lr - min_lr) * jax.nn.sigmoid(-2 * steepness)
    decay = js.ramp(start, end, total_steps, curves.Tanh(-steepness, steepness))
    return decay >> min_lr


def flat_cosine(*, lr, total_steps, flat_fraction=0.7, min_lr=0.0):
    decay_steps = total_steps - total_steps * flat_fraction // 1
    return js.flat_cosine(
        lr, decay_steps=decay_steps, total_steps=total_steps, end=min_lr
    )


def slanted_triangular(*, lr, total_steps, cut_frac=0.1, ratio=32.0):
    """Without a whole step of warmup, step 0 there still has the lowest rate."""
    up = total_steps * cut_frac // 1
    return js.linear(lr / ratio, lr, up) >> js.linear(lr, lr / ratio, total_steps - up)


def inverse_sqrt(*, lr, warmup_steps):
    return js.warmup_inverse_sqrt(lr, warmup_steps=warmup_steps)


def power_decay(*, lr, warmup_steps=0.0, alpha=0.5, min_lr=0.0):
    """Its `total_steps` are not used."""
    decay = js.power_law(lr, exponent=alpha, timescale=jnp.maximum(warmup_steps, 1.0))
    return js.linear(0.0, lr, warmup_steps) >> js.maximum(decay, min_lr)


def linear_decay(*, lr, total_steps, warmup_steps=0.0, min_lr=0.0):
    return js.warmup_linear(
        lr, warmup_steps=warmup_steps, total_steps=total_steps, end=min_lr
    )


def cosine_with_warmup(*, lr, total_steps, warmup_steps=0.0, min_lr=0.0):
    return js.warmup_cosine(
        lr, warmup_steps=warmup_steps, total_steps=total_steps, end=min_lr
    )


def polynomial(
    *, lr, total_steps, power=1.0, min_lr=0.0, warmup_steps=0.0, cycle=False
):
    decay = js.warmup_polynomial(
        lr, warmup_steps=warmup_steps, total_steps=total_steps, power=power, end=min_lr
    )
    return js.repeat(decay) if cycle else decay


def trapezoidal(*, lr, total_steps, warmup_steps, decay_steps, min_lr=0.0):
    return js.wsd(
        lr,
        warmup_steps=warmup_steps,
        decay_steps=decay_steps,
        total_steps=total_steps,
        end=min_lr,
        curve=curves.Linear(),
    )


def wsd(
    *, lr, total_steps, warmup_steps, stable_steps, min_lr=0.0, decay_type="cosine"
):
    return js.wsd(
        lr,
        warmup_steps=warmup_steps,
        decay_steps=total_steps - warmup_steps - stable_steps,
        total_steps=total_steps,
        end=min_lr,
        curve=DECAYS[decay_type],
    )


def warmup_hold_cosine(*, lr, total_steps, warmup_steps, hold_steps, min_lr=0.0):
    return wsd(
        lr=lr,
        total_steps=total_steps,
        warmup_steps=warmup_steps,
        stable_steps=hold_steps,
        min_lr=min_lr,
    )


def hyperbolic(*, lr, total_steps, upper_bound, min_lr=1e-6, warmup_steps=0.0):
    decay_steps = total_steps - warmup_steps
    return js.linear(min_lr, lr, warmup_steps) >> js.hyperbolic(
        lr, total_steps=decay_steps, upper_bound=upper_bound, end=min_lr
    )


def exp_hyperbolic(*, lr, total_steps, upper_bound, min_lr=1e-6, warmup_steps=0.0):
    """A hyperbola of the logarithm of the rate."""
    decay_steps = total_steps - warmup_steps
    part = decay_steps / upper_bound
    fallen = (min_lr / lr) ** (part * (2 - part)) ** 0.5
    curve = curves.Exponential(fallen, curves.Hyperbolic(part))
    decay = js.ramp(lr, lr * fallen, decay_steps, curve)
    return js.linear(min_lr, lr, warmup_steps) >> decay


def cosine_annealing_warmup_restarts(
    *,
    first_cycle_steps,
    warmup_steps=0.0,
    max_lr=0.1,
    min_lr=1e-3,
    cycle_mult=1.0,
    gamma=1.0,
):
    """The whole cycles grow, their warmups do not; all start at `min_lr`."""
    lengths = [first_cycle_steps * cycle_mult**cycle // 1 for cycle in range(CYCLES)]
    peaks = [max_lr * gamma**cycle for cycle in range(CYCLES)]
    cycles = [
        js.linear(min_lr, peak, warmup_steps)
        >> js.cosine(peak, min_lr, length - warmup_steps)
        for peak, length in zip(peaks, lengths, strict=True)
    ]
    return js.chain(*(js.switch([min_lr, cycle], [1]) for cycle in cycles))


def warmup(*, base_scheduler, lr, warmup_steps, warmup_type="linear"):
    """It rises to the base rate, which need not be the first of the scheduler."""
    return js.ramp(0.0, lr, warmup_steps, WARMUPS[warmup_type]) >> base_scheduler


def sequential(*, schedulers, milestones):
    *others, last = schedulers
    lengths = [end - begin for begin, end in itertools.pairwise([0, *milestones])]
    return js.chain(*map(js.until, others, lengths), last)


def warmed_tanh_decay(*, lr, total_steps, warmup_steps, warmup_type):
    base = tanh_decay(lr=lr, total_steps=total_steps)
    return warmup(
        base_scheduler=base, lr=lr, warmup_steps=warmup_steps, warmup_type=warmup_type
    )


def rex_then_k_decay(*, lr, total_steps, k, milestones):
    first = rex(lr=lr, total_steps=total_steps)
    then = k_decay(lr=lr, total_steps=total_steps, k=k)
    return sequential(schedulers=[first, then, first], milestones=milestones)


def wave(passed):
    return (1 + math.cos(math.pi * passed)) / 2


def their_identity(step, *, lr):
    return lr


def their_rex(step, *, lr, total_steps):
    passed = min(1.0, step / total_steps)
    return lr * (1 - passed) / (1 - passed / 2)


def their_k_decay(step, *, lr, total_steps, k, min_lr=0.0):
    return min_lr + (lr - min_lr) * wave(min(1.0, step / total_steps) ** k)


def their_chebyshev(step, *, lr, total_steps, min_lr):
    node = min(step, total_steps - 1)
    return min_lr + (lr - min_lr) * wave((2 * node + 1) / (2 * total_steps))


def their_tanh_decay(step, *, lr, total_steps, steepness=3.0, min_lr=0.0):
    if step >= total_steps:
        return min_lr
    fallen = math.tanh(steepness * (2 * step / total_steps - 1))
    return min_lr + (lr - min_lr) * (1 - fallen) / 2


def their_flat_cosine(step, *, lr, total_steps, flat_fraction, min_lr):
    flat = math.floor(total_steps * flat_fraction)
    passed = (min(step, total_steps) - flat) / (total_steps - flat)
    return min_lr + (lr - min_lr) * wave(max(0.0, passed))


def their_slanted_triangular(step, *, lr, total_steps, cut_frac, ratio):
    cut = math.floor(total_steps * cut_frac)
    left = max(0.0, 1 - (step - cut) / (total_steps - cut))
    height = step / cut if step < cut else left
    return lr * (1 + height * (ratio - 1)) / ratio


def their_inverse_sqrt(step, *, lr, warmup_steps):
    if step == 0:
        return 0.0
    return lr * math.sqrt(warmup_steps) * min(step**-0.5, step * warmup_steps**-1.5)


def their_power_decay(step, *, lr, warmup_steps, alpha, min_lr):
    if step < warmup_steps:
        return lr * step / warmup_steps
    passed = step / warmup_steps if warmup_steps else step + 1
    return max(lr * passed**-alpha, min_lr)


def their_polynomial(
    step, *, lr, total_steps, power=1.0, min_lr, warmup_steps, cycle=False
):
    step = step % total_steps if cycle else min(step, total_steps)
    if step < warmup_steps:
        return lr * step / warmup_steps
    passed = (step - warmup_steps) / (total_steps - warmup_steps)
    return min_lr + (lr - min_lr) * (1 - passed) ** power


def their_wsd(
    step,
    *,
    lr,
    total_steps,
    warmup_steps,
    stable_steps=0,
    min_lr,
    decay_type="cosine",
):
    if step < warmup_steps:
        return lr * step / warmup_steps
    stable_end = warmup_steps + stable_steps
    if step < stable_end:
        return lr
    passed = (min(step, total_steps) - stable_end) / (total_steps - stable_end)
    left = {"cosine": wave(passed), "linear": 1 - passed, "sqrt": 1 - passed**0.5}
    return min_lr + (lr - min_lr) * left[decay_type]


def their_trapezoidal(step, *, total_steps, warmup_steps, decay_steps, **case):
    return their_wsd(
        step,
        total_steps=total_steps,
        warmup_steps=warmup_steps,
        stable_steps=total_steps - warmup_steps - decay_steps,
        decay_type="linear",
        **case,
    )


def their_warmup_hold_cosine(step, *, hold_steps, **case):
    return their_wsd(step, stable_steps=hold_steps, **case)


def hyperbola(time, decay_steps, upper_bound):
    """How far it has fallen since time 0."""

    def height(x):
        return math.sqrt(
            (decay_steps - x) / upper_bound * (2 - (decay_steps + x) / upper_bound)
        )

    return height(0) - height(min(time, decay_steps))


def their_hyperbolic(step, *, lr, total_steps, upper_bound, min_lr, warmup_steps):
    if step < warmup_steps:
        return min_lr + (lr - min_lr) * step / warmup_steps
    fallen = hyperbola(step - warmup_steps, total_steps - warmup_steps, upper_bound)
    return lr - (lr - min_lr) * fallen


def their_exp_hyperbolic(step, *, lr, total_steps, upper_bound, min_lr, warmup_steps):
    if step < warmup_steps:
        return min_lr + (lr - min_lr) * step / warmup_steps
    fallen = hyperbola(step - warmup_steps, total_steps - warmup_steps, upper_bound)
    return lr * (min_lr / lr) ** fallen


def their_cosine_annealing_warmup_restarts(
    step, *, first_cycle_steps, warmup_steps, max_lr, min_lr, cycle_mult, gamma
):
    cycle, length = 0, first_cycle_steps
    while step >= length:
        step, cycle = step - length, cycle + 1
        length = int(first_cycle_steps * cycle_mult**cycle)
    if step == 0:
        return min_lr
    peak = max_lr * gamma**cycle
    if step < warmup_steps:
        return min_lr + (peak - min_lr) * step / warmup_steps
    passed = (step - warmup_steps) / (length - warmup_steps)
    return min_lr + (peak - min_lr) * wave(passed)


def their_warmed_tanh_decay(step, *, lr, total_steps, warmup_steps, warmup_type):
    if step >= warmup_steps:
        return their_tanh_decay(step - warmup_steps, lr=lr, total_steps=total_steps)
    passed = step / warmup_steps
    risen = {"linear": passed, "cosine": 1 - wave(passed), "exponential": passed**2}
    return lr * risen[warmup_type]


def their_rex_then_k_decay(step, *, lr, total_steps, k, milestones):
    first, second = milestones
    if step < first:
        return their_rex(step, lr=lr, total_steps=total_steps)
    if step < second:
        return their_k_decay(step - first, lr=lr, total_steps=total_steps, k=k)
    return their_rex(step - second, lr=lr, total_steps=total_steps)


SHORT = {"lr": 1.0, "total_steps": 20}
LONG = {"lr": 3e-4, "total_steps": 50}
DECAYING = ({**SHORT, "min_lr": 0.1}, {**LONG, "min_lr": 0.0})
WARMED = ({**DECAYING[0], "warmup_steps": 4}, {**DECAYING[1], "warmup_steps": 0})


def both(cases, **arguments):
    """The cases, with more arguments: a pair of values for each."""
    pairs = zip(*arguments.values(), strict=True)
    return tuple(
        {**case, **dict(zip(arguments, values, strict=True))}
        for case, values in zip(cases, pairs, strict=True)
    )


FORMULAS = {
    "IdentityScheduler": Formula(identity, their_identity, ({"lr": 1.0},)),
    "RexScheduler": Formula(rex, their_rex, (SHORT, LONG)),
    "KDecayScheduler": Formula(k_decay, their_k_decay, both(DECAYING, k=(2.0, 0.7))),
    "ChebyshevScheduler": Formula(chebyshev, their_chebyshev, DECAYING),
    "TanhDecayScheduler": Formula(
        tanh_decay, their_tanh_decay, both(DECAYING, steepness=(3.0, 1.5))
    ),
    "FlatCosineScheduler": Formula(
        flat_cosine, their_flat_cosine, both(DECAYING, flat_fraction=(0.7, 0.33))
    ),
    "SlantedTriangularScheduler": Formula(
        slanted_triangular,
        their_slanted_triangular,
        both((SHORT, LONG), cut_frac=(0.2, 0.33), ratio=(32.0, 10.0)),
    ),
    "InverseSqrtScheduler": Formula(
        inverse_sqrt,
        their_inverse_sqrt,
        ({"lr": 1.0, "warmup_steps": 4}, {"lr": 3e-4, "warmup_steps": 17}),
    ),
    "PowerDecayScheduler": Formula(
        power_decay,
        their_power_decay,
        (
            {"lr": 1.0, "warmup_steps": 4, "alpha": 0.5, "min_lr": 0.3},
            {"lr": 3e-4, "warmup_steps": 0, "alpha": 0.8, "min_lr": 0.0},
        ),
    ),
    "LinearDecayScheduler": Formula(linear_decay, their_polynomial, WARMED),
    "CosineWithWarmupScheduler": Formula(cosine_with_warmup, their_wsd, WARMED),
    "PolynomialScheduler": Formula(
        polynomial, their_polynomial, both(WARMED, power=(2.0, 0.9))
    ),
    "PolynomialScheduler, cycle": Formula(
        polynomial,
        their_polynomial,
        both(WARMED, power=(2.0, 0.9), cycle=(True, True)),
    ),
    "TrapezoidalScheduler": Formula(
        trapezoidal, their_trapezoidal, both(WARMED, decay_steps=(8, 15))
    ),
    **{
        f"WSDScheduler, {decay}": Formula(
            wsd, their_wsd, both(WARMED, stable_steps=(8, 15), decay_type=[decay] * 2)
        )
        for decay in DECAYS
    },
    "WarmupHoldCosineScheduler": Formula(
        warmup_hold_cosine, their_warmup_hold_cosine, both(WARMED, hold_steps=(8, 15))
    ),
    "HyperbolicLRScheduler": Formula(
        hyperbolic,
        their_hyperbolic,
        both(WARMED, min_lr=(0.1, 1e-6), upper_bound=(30, 50)),
    ),
    "ExpHyperbolicLRScheduler": Formula(
        exp_hyperbolic,
        their_exp_hyperbolic,
        both(WARMED, min_lr=(0.1, 1e-6), upper_bound=(30, 50)),
    ),
    "CosineAnnealingWarmupRestarts": Formula(
        cosine_annealing_warmup_restarts,
        their_cosine_annealing_warmup_restarts,
        (
            {
                "first_cycle_steps": 7,
                "warmup_steps": 2,
                "max_lr": 1.0,
                "min_lr": 0.1,
                "cycle_mult": 1.5,
                "gamma": 0.5,
            },
            {
                "first_cycle_steps": 12,
                "warmup_steps": 0,
                "max_lr": 3e-3,
                "min_lr": 1e-5,
                "cycle_mult": 1.0,
                "gamma": 0.9,
            },
        ),
    ),
    **{
        f"WarmupScheduler, {kind}": Formula(
            warmed_tanh_decay,
            their_warmed_tanh_decay,
            both((SHORT, LONG), warmup_steps=(4, 9), warmup_type=[kind] * 2),
        )
        for kind in WARMUPS
    },
    "SequentialComposer": Formula(
        rex_then_k_decay,
        their_rex_then_k_decay,
        both((SHORT, LONG), k=(2.0, 0.7), milestones=([5, 30], [40, 45])),
    ),
}

GOLDENS = {
    "REX 8": rex(lr=1.0, total_steps=8),
    "Cheb 4": chebyshev(lr=1.0, total_steps=4),
    "STLR 10": slanted_triangular(lr=1.0, total_steps=10, cut_frac=0.2),
    "Hyperbolic 10 ub 20": hyperbolic(
        lr=1.0, total_steps=10, upper_bound=20, min_lr=0.01
    ),
    "Tanh 8": tanh_decay(lr=1.0, total_steps=8),
    "PowerDecay w=0": power_decay(lr=1.0, warmup_steps=0),
    "CosAnnWarmupRestarts": cosine_annealing_warmup_restarts(
        first_cycle_steps=6,
        warmup_steps=2,
        max_lr=1.0,
        min_lr=0.0,
        cycle_mult=1.5,
        gamma=0.5,
    ),
}
