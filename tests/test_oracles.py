"""Every leaf, curve and recipe against its formula, at every step, in ulps.

The oracles are the formulas of the papers in float64, put such that they do not
cancel (`sin(x / 2)**2`, not `(1 - cos(x)) / 2`). So an error can be relative to the
rate at the step, however small that is: it is counted in units of the rate's last
place in float32, and a decay that loses the digits of its tail fails.
"""

import decimal
import inspect
import math
from collections.abc import Callable
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.interpolate import PchipInterpolator

import jaxsched as js
from jaxsched import curves, leaves, recipes


X64 = jax.config.jax_enable_x64
EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)

HORIZONS = (1, 2, 3, 7, 97, 1000, 65537)

# All rows and horizons have the same steps, so a row is compiled once.
STEPS = np.arange(-2.0, 65537 + 20)

# How many times its length a schedule is looked at.
REACH = 10

Function = Callable[[Any], Any]
"""Of the step, at least 0, in float64."""


def assert_close(schedule, steps, oracle, *, ulps):
    """At every step within so many ulps in float32, and within 1e-13 in float64."""
    expected = oracle(np.maximum(steps, 0))
    error = abs(np.asarray(schedule(steps), float) - expected)
    if X64:
        allowed = 1e-13 * abs(expected)
    else:
        allowed = ulps * np.spacing(np.float32(abs(expected))).astype(float)
    worst = np.argmax(error - allowed)
    assert error[worst] <= allowed[worst], (
        f"{schedule} is off by {error[worst] / allowed[worst]:.2f} times what is "
        f"allowed at step {steps[worst]}, where it should be {expected[worst]}."
    )


# ------------------------------------------------------------------------------------
# Curves: the weights of the end and of the start, of the parts passed and remaining.


def linear(u, v):
    return u, v


def cosine(u, v):
    return np.sin(np.pi / 2 * u) ** 2, np.sin(np.pi / 2 * v) ** 2


def power(exponent):
    def weights(u, v):
        log = np.log(v, where=v > 0, out=np.full_like(v, -np.inf))
        log = np.where(u < 0.5, np.log1p(-np.minimum(u, 0.5)), log)
        return -np.expm1(exponent * log), v**exponent

    return weights


def sqrt(u, v):
    return np.sqrt(u), v / (1 + np.sqrt(u))


def square(u, v):
    return u**2, v * (1 + u)


def exponential(ratio):
    log = math.log(ratio)
    whole = math.expm1(log)

    def weights(u, v):
        return np.expm1(u * log) / whole, ratio**u * np.expm1(v * log) / whole

    return weights


def tanh(low, high):
    def weights(u, v):
        # tanh(x) - tanh(y) is sinh(x - y) / (cosh(x) cosh(y)).
        x, wide = low * v + high * u, high - low
        whole = np.cosh(x) * np.sinh(wide)
        return (
            np.sinh(wide * u) * np.cosh(high) / whole,
            np.sinh(wide * v) * np.cosh(low) / whole,
        )

    return weights


def rex(beta):
    def weights(u, v):
        return beta * u / (beta + (1 - beta) * v), v / (beta + (1 - beta) * v)

    return weights


def reciprocal(ratio):
    def weights(u, v):
        value = 1 / (v + u / ratio)
        return u / ratio * value, v * value

    return weights


def log(base):
    def weights(u, v):
        return (
            np.log1p((base - 1) * u) / math.log(base),
            -np.log1p((1 / base - 1) * v) / math.log(base),
        )

    return weights


def hyperbolic(ratio):
    def weights(u, v):
        root = np.sqrt(v * (2 * (1 - ratio) + ratio * v) / (2 - ratio))
        return u * (2 - ratio * u) / (2 - ratio) / (1 + root), root

    return weights


def k_decay(k, curve):
    def weights(u, v):
        rest, passed = power(k)(v, u)
        return curve(passed, rest)

    return weights


def backwards(curve):
    return lambda u, v: curve(v, u)[::-1]


def mirrored(curve):
    def weights(u, v):
        first, rest = curve(2 * np.minimum(u, 0.5), np.maximum(v - u, 0))
        last, left = curve(2 * np.minimum(v, 0.5), np.maximum(u - v, 0))
        return (
            np.where(u < v, first / 2, left + last / 2),
            np.where(u < v, rest + first / 2, last / 2),
        )

    return weights


CURVES = {
    "Linear": (curves.Linear(), linear, 4),
    "Cosine": (curves.Cosine(), cosine, 8),
    "Power 0.5": (curves.Power(0.5), power(0.5), 8),
    "Power 0.9": (curves.Power(0.9), power(0.9), 8),
    "Power 1": (curves.Power(1), power(1), 8),
    "Power 1.5": (curves.Power(1.5), power(1.5), 8),
    "Power 2": (curves.Power(2), power(2), 8),
    "Power 3": (curves.Power(3), power(3), 8),
    "Power 2 of Cosine": (
        curves.Power(2, curves.Cosine()),
        lambda u, v: power(2)(*cosine(u, v)),
        12,
    ),
    "Sqrt": (curves.Sqrt(), sqrt, 8),
    "Square": (curves.Square(), square, 8),
    "Exponential 0.01": (curves.Exponential(0.01), exponential(0.01), 10),
    "Exponential 0.5": (curves.Exponential(0.5), exponential(0.5), 8),
    "Exponential 20": (curves.Exponential(20), exponential(20), 8),
    "Exponential 1": (curves.Exponential(1), linear, 8),
    # The logistic function is a hyperbolic tangent of half the argument.
    "Sigmoid": (curves.Sigmoid(), tanh(-3, 3), 12),
    "Sigmoid -1 4": (curves.Sigmoid(-1, 4), tanh(-0.5, 2), 8),
    "Tanh": (curves.Tanh(), tanh(-6, 3), 16),
    "Tanh -2 1": (curves.Tanh(-2, 1), tanh(-2, 1), 8),
    "Rex": (curves.Rex(), rex(0.5), 8),
    "Rex 0.1": (curves.Rex(0.1), rex(0.1), 8),
    "Reciprocal 0.1": (curves.Reciprocal(0.1), reciprocal(0.1), 8),
    "Log": (curves.Log(), log(10), 8),
    "Log 1.5": (curves.Log(1.5), log(1.5), 8),
    "Hyperbolic 0.5": (curves.Hyperbolic(0.5), hyperbolic(0.5), 8),
    "Hyperbolic 1": (curves.Hyperbolic(1), hyperbolic(1), 8),
    "KDecay 2": (curves.KDecay(2), k_decay(2, linear), 8),
    "KDecay 1.5 of Cosine": (
        curves.KDecay(1.5, curves.Cosine()),
        k_decay(1.5, cosine),
        8,
    ),
    "Reversed Sqrt": (curves.Reversed(curves.Sqrt()), backwards(sqrt), 8),
    "Mirrored Square": (curves.Mirrored(curves.Square()), mirrored(square), 8),
}


def ramp(start, end, steps, weights=linear) -> Function:
    def value(t):
        t = np.minimum(t, steps)
        u, v = (t / steps, (steps - t) / steps) if steps else (0 * t + 1, 0 * t)
        to_end, to_start = weights(u, v)
        return start * to_start + end * to_end

    return value


@pytest.mark.parametrize(("start", "end"), [(0.3, 0.0), (0.0, 0.3), (0.3, 0.02)])
@pytest.mark.parametrize("name", CURVES)
def test_curve(name, start, end):
    curve, weights, ulps = CURVES[name]
    for n in HORIZONS:
        schedule = js.ramp(start, end, n, curve)
        assert_close(schedule, STEPS, ramp(start, end, n, weights), ulps=ulps)


def test_every_curve_has_a_row():
    shapes = {
        name
        for name, curve in vars(curves).items()
        if inspect.isclass(curve) and issubclass(curve, curves.Curve)
    }
    assert {name.split()[0] for name in CURVES} == shapes - {"Curve"}


# ------------------------------------------------------------------------------------
# Leaves and recipes: of `n` steps, of which the warmup takes `w`.


class Row(NamedTuple):
    """How to make a schedule and its oracle of a length and that of its warmup."""

    make: Callable[[int, int], js.Schedule]
    oracle: Callable[[int, int], Function]
    ulps: float


def hold(value) -> Function:
    return lambda t: np.full_like(t, value)


def phases(*parts: tuple[float, Function]) -> Function:
    """Each part for so many steps, from its own time zero; the last one for ever."""
    begins = [*accumulate((steps for steps, _ in parts), initial=0)]
    begins[-1] = math.inf

    def value(t):
        rate = np.full_like(t, np.nan)
        for (begin, end), (_, part) in zip(pairwise(begins), parts, strict=True):
            here = (begin <= t) & (t < end)
            rate[here] = part(t[here] - begin)
        return rate

    return value


CYCLES = 11
"""As many as begin within `REACH` lengths."""


def restarts(peak, period, *, longer=1, lower=1) -> Function:
    """Half a cosine again and again, each time longer and lower by a factor."""
    lengths = [period * longer**cycle for cycle in range(CYCLES)]
    return phases(
        *(
            (steps, ramp(peak * lower**cycle, 0.0, steps, cosine))
            for cycle, steps in enumerate(lengths)
        )
    )


def warm_restarts(peak, period, warmup, *, longer=1, lower=1, end=0.0) -> Function:
    """A warmup and half a cosine again and again: only the cosines are longer."""
    tops = [end + (peak - end) * lower**cycle for cycle in range(CYCLES)]
    decays = [(period - warmup) * longer**cycle for cycle in range(CYCLES)]
    ways = [
        ((warmup, ramp(0.0, top, warmup)), (steps, ramp(top, end, steps, cosine)))
        for top, steps in zip(tops, decays, strict=True)
    ]
    return phases(*chain(*ways))


def triangles(low, high, up, down, weights=linear, *, lower=1) -> Function:
    """Up and down again and again, each time less high by a factor."""
    tops = [low + (high - low) * lower**cycle for cycle in range(CYCLES)]
    ways = [
        ((up, ramp(low, top, up, weights)), (down, ramp(top, low, down, weights)))
        for top in tops
    ]
    return phases(*chain(*ways))


def nodes(count):
    """The fractal order of Chebyshev nodes (Agarwal et al., definition 1)."""
    order = [0]
    while len(order) < count:
        order = [j for i in order for j in (i, 2 * len(order) - 1 - i)]
    return np.array(order)


def chebyshev(low, high, count, order) -> Function:
    def value(t):
        node = order[np.minimum(t, count - 1).astype(int)]
        return 1 / (
            low + (high - low) * np.sin(np.pi * (node + 0.5) / (2 * count)) ** 2
        )

    return value


def silver(scale) -> Function:
    def value(t):
        number = t.astype(int) + 1
        twos = np.log2(number & -number)
        return scale * (1 + (1 + math.sqrt(2)) ** (twos - 1))

    return value


def whole_power_of_two(n):
    return 2 ** (n.bit_length() - 1)


LEAVES = {
    "constant": Row(lambda n, w: js.constant(0.3, n), lambda n, w: hold(0.3), 1),
    "linear": Row(
        lambda n, w: js.linear(0.02, 0.3, n), lambda n, w: ramp(0.02, 0.3, n), 4
    ),
    "cosine": Row(
        lambda n, w: js.cosine(0.3, 0.0, n), lambda n, w: ramp(0.3, 0.0, n, cosine), 8
    ),
    "polynomial": Row(
        lambda n, w: js.polynomial(0.3, 0.0, n, power=2),
        lambda n, w: ramp(0.3, 0.0, n, power(2)),
        8,
    ),
    "ramp": Row(
        lambda n, w: js.ramp(0.3, 0.0, n, curves.Sqrt()),
        lambda n, w: ramp(0.3, 0.0, n, sqrt),
        8,
    ),
    "exponential": Row(
        lambda n, w: js.exponential(0.3, 3e-5, n),
        lambda n, w: lambda t: 0.3 * 1e-4 ** (np.minimum(t, n) / n),
        8,
    ),
    "exponential, rising": Row(
        lambda n, w: js.exponential(1e-8, 1.0, n),
        lambda n, w: lambda t: 1e-8 ** (np.maximum(n - t, 0) / n),
        8,
    ),
    "exponential_decay": Row(
        lambda n, w: js.exponential_decay(0.3, factor=0.5, steps=n),
        lambda n, w: lambda t: 0.3 * 0.5 ** (t / n),
        8,
    ),
    "exponential_decay, staircase": Row(
        lambda n, w: js.exponential_decay(0.3, factor=0.5, steps=n, staircase=True),
        lambda n, w: lambda t: 0.3 * 0.5 ** (t // n),
        8,
    ),
    "step_decay": Row(
        lambda n, w: js.step_decay(0.3, factor=0.25, every=n),
        lambda n, w: lambda t: 0.3 * 0.25 ** (t // n),
        8,
    ),
    "natural_exponential": Row(
        lambda n, w: js.natural_exponential(0.3, rate=0.25 / n),
        lambda n, w: lambda t: 0.3 * np.exp(-t * (0.25 / n)),
        8,
    ),
    "natural_exponential, rising": Row(
        lambda n, w: js.natural_exponential(0.0, rate=0.25 / n, end=0.3),
        lambda n, w: lambda t: -0.3 * np.expm1(-t * (0.25 / n)),
        8,
    ),
    "inverse_time": Row(
        lambda n, w: js.inverse_time(0.3, rate=0.7, steps=n),
        lambda n, w: lambda t: 0.3 / (1 + 0.7 * t / n),
        8,
    ),
    "inverse_time, staircase": Row(
        lambda n, w: js.inverse_time(0.3, rate=0.7, steps=n, staircase=True),
        lambda n, w: lambda t: 0.3 / (1 + 0.7 * (t // n)),
        8,
    ),
    "inverse_sqrt": Row(
        lambda n, w: js.inverse_sqrt(0.3, timescale=n),
        lambda n, w: lambda t: 0.3 / np.sqrt(1 + t / n),
        8,
    ),
    "power_law": Row(
        lambda n, w: js.power_law(0.3, exponent=0.51, timescale=n),
        lambda n, w: lambda t: 0.3 * (1 + t / n) ** -0.51,
        8,
    ),
    "power_law, bent": Row(
        lambda n, w: js.power_law(0.3, exponent=0.5, timescale=n, bend=2.0),
        lambda n, w: lambda t: 0.3 * (1 + (t / n) ** 2) ** -0.25,
        8,
    ),
    "chebyshev": Row(
        lambda n, w: js.chebyshev(0.05, largest=1.0, total_steps=whole_power_of_two(n)),
        lambda n, w: chebyshev(
            0.05, 1.0, whole_power_of_two(n), nodes(whole_power_of_two(n))
        ),
        12,
    ),
    "chebyshev, in order": Row(
        lambda n, w: js.chebyshev(
            0.05, largest=1.0, total_steps=whole_power_of_two(n), fractal=False
        ),
        lambda n, w: chebyshev(
            0.05, 1.0, whole_power_of_two(n), np.arange(whole_power_of_two(n))
        ),
        12,
    ),
    "silver": Row(lambda n, w: js.silver(1 / n), lambda n, w: silver(1 / n), 8),
    "piecewise_constant": Row(
        lambda n, w: js.piecewise_constant([n, 3 * n], [0.3, 0.07, 0.2]),
        lambda n, w: phases((n, hold(0.3)), (2 * n, hold(0.07)), (0, hold(0.2))),
        1,
    ),
    "piecewise_linear": Row(
        lambda n, w: js.piecewise_linear([n, 3 * n, 4 * n], [0.3, 0.0, 0.2]),
        lambda n, w: phases(
            (n, hold(0.3)), (2 * n, ramp(0.3, 0.0, 2 * n)), (n, ramp(0.0, 0.2, n))
        ),
        4,
    ),
    "piecewise_cubic": Row(
        lambda n, w: js.piecewise_cubic([n, 3 * n, 4 * n, 7 * n], [0.3, 0.02, 0.2, 1]),
        lambda n, w: pchip([n, 3 * n, 4 * n, 7 * n], [0.3, 0.02, 0.2, 1]),
        8,
    ),
    "table": Row(
        lambda n, w: js.table([0.3, 0.07, 0.2]),
        lambda n, w: phases((1, hold(0.3)), (1, hold(0.07)), (1, hold(0.2))),
        1,
    ),
    "custom": Row(
        lambda n, w: js.custom(lambda t, a, b: a / (b + t), a=0.3, b=float(n)),
        lambda n, w: lambda t: 0.3 / (n + t),
        8,
    ),
}


def warmed(w, *parts: tuple[float, Function]) -> Function:
    return phases((w, ramp(0.0, 0.3, w)), *parts)


def pchip(boundaries, values) -> Function:
    spline = PchipInterpolator(boundaries, values)
    return lambda t: spline(np.clip(t, boundaries[0], boundaries[-1]))


# From 0.3 to 0.12, 0.045 and 0.02, after 2, 5 and 8 of 8 parts of the decay.
TWO_POINTS = {"delays": [0.25, 0.5], "levels": [0.1 / 0.28, 0.25], "end": 0.02}


def inverse_sqrt(w, timescale) -> Function:
    return warmed(w, (0, lambda t: 0.3 / np.sqrt(1 + t / timescale)))


def noam(d, w) -> Function:
    if w:
        return lambda t: d**-0.5 * np.minimum(np.maximum(t, 1) ** -0.5, t * w**-1.5)
    return lambda t: d**-0.5 * (1 + t) ** -0.5


def cooled(rate: Function, begin, steps) -> Function:
    """The rate at `begin`, linearly to zero."""
    return phases(
        (begin, rate), (steps, ramp(rate(np.array([float(begin)])), 0.0, steps))
    )


def eden(per_epoch, w) -> Function:
    warm = ramp(0.5, 1.0, w)

    def value(t):
        by_batch = ((t**2 + 500**2) / 500**2) ** -0.25
        by_epoch = (((t // per_epoch) ** 2 + 6**2) / 6**2) ** -0.25
        return 0.3 * by_batch * by_epoch * warm(t)

    return value


def power_scheduler(n, w, decay) -> Function:
    def law(t):
        return np.minimum(0.3, 4.6 * 64 * (4096 * np.maximum(t, 1)) ** -0.51)

    peak = law(np.array([float(w)]))
    return cooled(
        lambda t: np.where(t < w, peak * t / max(w, 1), law(t)), n - decay, decay
    )


def rectification(beta2) -> Function:
    """As it is written, with digits to spare for what cancels."""

    def at(n):
        with decimal.localcontext(prec=60):
            beta = decimal.Decimal(beta2)
            s = 2 / (1 - beta) - 1
            r = s - 2 * n * beta**n / (1 - beta**n)
            if r <= 4:
                return 0.0
            return float(((r - 4) * (r - 2) * s / ((s - 4) * (s - 2) * r)).sqrt())

    return lambda t: np.array([at(int(step) + 1) for step in t])


RECIPES = {
    "warmup_constant": Row(
        lambda n, w: js.warmup_constant(0.3, warmup_steps=w),
        lambda n, w: warmed(w, (0, hold(0.3))),
        4,
    ),
    "warmup_linear": Row(
        lambda n, w: js.warmup_linear(0.3, warmup_steps=w, total_steps=n),
        lambda n, w: warmed(w, (n - w, ramp(0.3, 0.0, n - w))),
        4,
    ),
    "warmup_cosine": Row(
        lambda n, w: js.warmup_cosine(0.3, warmup_steps=w, total_steps=n),
        lambda n, w: warmed(w, (n - w, ramp(0.3, 0.0, n - w, cosine))),
        8,
    ),
    "warmup_cosine, to a floor": Row(
        lambda n, w: js.warmup_cosine(
            0.3, warmup_steps=w, total_steps=n, start=0.01, end=0.02
        ),
        lambda n, w: phases(
            (w, ramp(0.01, 0.3, w)), (n - w, ramp(0.3, 0.02, n - w, cosine))
        ),
        8,
    ),
    "warmup_polynomial": Row(
        lambda n, w: js.warmup_polynomial(
            0.3, warmup_steps=w, total_steps=n, power=0.5
        ),
        lambda n, w: warmed(w, (n - w, ramp(0.3, 0.0, n - w, power(0.5)))),
        8,
    ),
    "warmup_exponential": Row(
        lambda n, w: js.warmup_exponential(0.3, warmup_steps=w, total_steps=n),
        lambda n, w: warmed(
            w,
            (
                n - w,
                lambda t: 0.003 * 100 ** (np.maximum(n - w - t, 0) / max(n - w, 1)),
            ),
        ),
        8,
    ),
    "warmup_inverse_sqrt": Row(
        lambda n, w: js.warmup_inverse_sqrt(0.3, warmup_steps=w),
        lambda n, w: inverse_sqrt(w, max(w, 1)),
        8,
    ),
    "warmup_inverse_sqrt, timescale": Row(
        lambda n, w: js.warmup_inverse_sqrt(0.3, warmup_steps=w, timescale=700),
        lambda n, w: inverse_sqrt(w, 700),
        8,
    ),
    "noam": Row(
        lambda n, w: js.noam(d_model=512, warmup_steps=w), lambda n, w: noam(512, w), 8
    ),
    "inverse_sqrt_cooldown": Row(
        lambda n, w: js.inverse_sqrt_cooldown(
            0.3, warmup_steps=w, cooldown_steps=n // 5, total_steps=n
        ),
        lambda n, w: cooled(inverse_sqrt(w, max(w, 1)), n - n // 5, n // 5),
        8,
    ),
    "wsd": Row(
        lambda n, w: js.wsd(0.3, warmup_steps=w, decay_steps=n // 5, total_steps=n),
        lambda n, w: warmed(
            w, (n - w - n // 5, hold(0.3)), (n // 5, ramp(0.3, 0.0, n // 5))
        ),
        4,
    ),
    "wsd, 1-sqrt": Row(
        lambda n, w: js.wsd(
            0.3,
            warmup_steps=w,
            decay_steps=n // 5,
            total_steps=n,
            curve=curves.Sqrt(),
        ),
        lambda n, w: warmed(
            w, (n - w - n // 5, hold(0.3)), (n // 5, ramp(0.3, 0.0, n // 5, sqrt))
        ),
        8,
    ),
    "wsd_s": Row(
        lambda n, w: js.wsd_s(
            0.3,
            warmup_steps=w,
            period=n,
            decay_steps=n // 5,
            curve=curves.Reciprocal(0.1),
        ),
        lambda n, w: warmed(
            w,
            *CYCLES
            * [
                (n - n // 5, hold(0.3)),
                (n // 5, lambda t: 0.3 / (1 + 9 * t / max(n // 5, 1))),
            ],
        ),
        8,
    ),
    "infinite": Row(
        lambda n, w: js.infinite(
            0.3,
            plateau=0.1,
            end=0.001,
            warmup_steps=w,
            cooldown_steps=n // 5,
            anneal_steps=n // 7,
            total_steps=n,
            curve=curves.Cosine(),
        ),
        lambda n, w: warmed(
            w,
            (n // 5, ramp(0.3, 0.1, n // 5, cosine)),
            (n - w - n // 5 - n // 7, hold(0.1)),
            (
                n // 7,
                lambda t: 0.001 * 100 ** (np.maximum(n // 7 - t, 0) / max(n // 7, 1)),
            ),
        ),
        8,
    ),
    "flat_cosine": Row(
        lambda n, w: js.flat_cosine(0.3, decay_steps=n - w, total_steps=n),
        lambda n, w: phases((w, hold(0.3)), (n - w, ramp(0.3, 0.0, n - w, cosine))),
        8,
    ),
    "tri_stage": Row(
        lambda n, w: js.tri_stage(
            0.3, warmup_steps=w, decay_steps=n // 5, total_steps=n
        ),
        lambda n, w: phases(
            (w, ramp(0.003, 0.3, w)),
            (n - w - n // 5, hold(0.3)),
            (
                n // 5,
                lambda t: 0.003 * 100 ** (np.maximum(n // 5 - t, 0) / max(n // 5, 1)),
            ),
        ),
        8,
    ),
    "slanted_triangular": Row(
        lambda n, w: js.slanted_triangular(0.32, total_steps=n),
        lambda n, w: phases(
            (n * 0.1, ramp(0.01, 0.32, n * 0.1)),
            (n - n * 0.1, ramp(0.32, 0.01, n - n * 0.1)),
        ),
        8,
    ),
    "power_scheduler": Row(
        lambda n, w: js.power_scheduler(
            0.3,
            batch_size=64,
            tokens_per_step=4096,
            warmup_steps=w,
            decay_steps=n // 5,
            total_steps=n,
        ),
        lambda n, w: power_scheduler(n, w, n // 5),
        8,
    ),
    "two_point_linear": Row(
        lambda n, w: js.two_point_linear(
            *(0.3,), warmup_steps=w, total_steps=w + 8 * n, **TWO_POINTS
        ),
        lambda n, w: warmed(
            *(w, (2 * n, ramp(0.3, 0.12, 2 * n)), (3 * n, ramp(0.12, 0.045, 3 * n))),
            (3 * n, ramp(0.045, 0.02, 3 * n)),
        ),
        8,
    ),
    "two_point_spline": Row(
        lambda n, w: js.two_point_spline(
            *(0.3,), warmup_steps=w, total_steps=w + 8 * n, **TWO_POINTS
        ),
        lambda n, w: warmed(
            w, (0, pchip([0, 2 * n, 5 * n, 8 * n], [0.3, 0.12, 0.045, 0.02]))
        ),
        8,
    ),
    "smooth_non_monotonic": Row(
        lambda n, w: js.smooth_non_monotonic(
            *(0.3,),
            warmup_steps=4 * n,
            total_steps=8 * n,
            delays=[0.25, 0.5],
            levels=[0.6, 0.15],
            start=0.1,
            end=0.02,
        ),
        lambda n, w: pchip(
            [0, 2 * n, 4 * n, 5 * n, 8 * n], [0.1, 0.18, 0.3, 0.045, 0.02]
        ),
        8,
    ),
    "sgdr": Row(
        lambda n, w: js.sgdr(0.3, period=n),
        lambda n, w: restarts(0.3, n),
        8,
    ),
    "sgdr, three times longer": Row(
        lambda n, w: js.sgdr(0.3, period=n, period_multiplier=3),
        lambda n, w: restarts(0.3, n, longer=3),
        8,
    ),
    "sgdr, longer and lower": Row(
        lambda n, w: js.sgdr(0.3, period=n, period_multiplier=2, peak_multiplier=0.5),
        lambda n, w: restarts(0.3, n, longer=2, lower=0.5),
        8,
    ),
    "warm_restarts": Row(
        lambda n, w: js.warm_restarts(0.3, period=n, warmup_steps=w),
        lambda n, w: warm_restarts(0.3, n, w),
        8,
    ),
    "warm_restarts, longer and lower": Row(
        lambda n, w: js.warm_restarts(
            *(0.3,),
            period=n,
            warmup_steps=w,
            period_multiplier=2,
            peak_multiplier=0.5,
            end=0.1,
        ),
        lambda n, w: warm_restarts(0.3, n, w, longer=2, lower=0.5, end=0.1),
        8,
    ),
    "one_cycle": Row(
        lambda n, w: js.one_cycle(0.3, total_steps=n).rate,
        lambda n, w: phases(
            (n * 0.3, ramp(0.012, 0.3, n * 0.3, cosine)),
            (n - n * 0.3, ramp(0.3, 1.2e-6, n - n * 0.3, cosine)),
        ),
        8,
    ),
    "one_cycle, momentum": Row(
        lambda n, w: js.one_cycle(0.3, total_steps=n).momentum,
        lambda n, w: phases(
            (n * 0.3, ramp(0.95, 0.85, n * 0.3, cosine)),
            (n - n * 0.3, ramp(0.85, 0.95, n - n * 0.3, cosine)),
        ),
        8,
    ),
    "one_cycle, three phases": Row(
        lambda n, w: (
            js.one_cycle(
                0.3,
                total_steps=n,
                warmup_fraction=0.25,
                three_phase=True,
                curve=curves.Linear(),
            ).rate
        ),
        lambda n, w: phases(
            (n / 4, ramp(0.012, 0.3, n / 4)),
            (n / 4, ramp(0.3, 0.012, n / 4)),
            (n / 2, ramp(0.012, 1.2e-6, n / 2)),
        ),
        8,
    ),
    "triangular": Row(
        lambda n, w: js.triangular(0.02, 0.3, up_steps=n, down_steps=n + w),
        lambda n, w: triangles(0.02, 0.3, n, n + w),
        8,
    ),
    "triangular2": Row(
        lambda n, w: js.triangular2(0.0, 0.3, up_steps=n, down_steps=n + w),
        lambda n, w: triangles(0.0, 0.3, n, n + w, lower=0.5),
        8,
    ),
    "exp_range": Row(
        lambda n, w: js.exp_range(
            0.0, 0.3, up_steps=n, down_steps=n + w, gamma=1 - 2**-11
        ),
        lambda n, w: lambda t: triangles(0.0, 0.3, n, n + w)(t) * (1 - 2**-11) ** t,
        8,
    ),
    "cosine_cyclic": Row(
        lambda n, w: js.cosine_cyclic(0.0, 0.3, up_steps=n, down_steps=n + w),
        lambda n, w: triangles(0.0, 0.3, n, n + w, cosine),
        8,
    ),
    "multi_step": Row(
        lambda n, w: js.multi_step(0.3, boundaries=[n, 2 * n, 3 * n], factor=0.1),
        lambda n, w: phases(*((n, hold(0.3 * 0.1**i)) for i in range(4))),
        1,
    ),
    "cosine_annealing": Row(
        lambda n, w: js.cosine_annealing(0.3, total_steps=n, end=0.02),
        lambda n, w: ramp(0.3, 0.02, n, cosine),
        8,
    ),
    "cosine_annealing, periodic": Row(
        lambda n, w: js.cosine_annealing(0.3, total_steps=n, periodic=True),
        lambda n, w: triangles(0.3, 0.0, n, n, cosine),
        8,
    ),
    "rex": Row(
        lambda n, w: js.rex(0.3, total_steps=n, beta=0.9),
        lambda n, w: ramp(0.3, 0.0, n, rex(0.9)),
        8,
    ),
    "k_decay": Row(
        lambda n, w: js.k_decay(0.3, total_steps=n, k=0.5),
        lambda n, w: ramp(0.3, 0.0, n, k_decay(0.5, cosine)),
        10,
    ),
    "hyperbolic": Row(
        lambda n, w: js.hyperbolic(0.3, total_steps=n, upper_bound=2 * n, end=0.01),
        lambda n, w: ramp(0.3, 0.3 - 0.29 * math.sqrt(0.75), n, hyperbolic(0.5)),
        8,
    ),
    "linear_cosine": Row(
        lambda n, w: js.linear_cosine(0.3, total_steps=n, periods=2, offset=0.1),
        lambda n, w: (
            lambda t: (
                0.3
                * (
                    ramp(1.1, 0.1, n)(t) * np.cos(2 * np.pi * np.minimum(t / n, 1)) ** 2
                    + 1e-3
                )
            )
        ),
        8,
    ),
    "eden": Row(
        lambda n, w: js.eden(0.3, steps_per_epoch=n, batches=500, warmup_steps=w),
        eden,
        8,
    ),
    "untuned_linear_warmup": Row(
        lambda n, w: js.untuned_linear_warmup(0.3, beta2=1 - 0.25 / n),
        lambda n, w: lambda t: 0.3 * np.minimum(1, (t + 1) * (1 - (1 - 0.25 / n)) / 2),
        8,
    ),
    "untuned_exponential_warmup": Row(
        lambda n, w: js.untuned_exponential_warmup(0.3, beta2=1 - 0.25 / n),
        lambda n, w: lambda t: -0.3 * np.expm1(-(t + 1) * (1 - (1 - 0.25 / n))),
        8,
    ),
}

ROWS = LEAVES | RECIPES


@pytest.mark.parametrize("name", ROWS)
def test_schedule(name):
    make, oracle, ulps = ROWS[name]
    for n in HORIZONS:
        for w in (0, -(-n // 3)) if name in RECIPES else (0,):
            steps = np.minimum(STEPS, REACH * n)
            assert_close(make(n, w), steps, oracle(n, w), ulps=ulps)


def test_every_leaf_and_recipe_has_a_row():
    makers = {
        name
        for module in (leaves, recipes)
        for name, maker in vars(module).items()
        if inspect.isfunction(maker)
    }
    rows = {name.split(",")[0] for name in ROWS} | {"radam_warmup"}
    assert rows == makers | {"constant"}


@pytest.mark.parametrize("beta2", [0.875, 0.9, 0.95, 0.99, 0.999, 0.9999])
def test_radam_warmup(beta2):
    schedule = js.radam_warmup(1.0, beta2=beta2)
    assert_close(schedule, np.arange(-2.0, 3000), rectification(beta2), ulps=16)


@pytest.mark.parametrize("longer", [1.25, 1.5, 2.5])
@pytest.mark.parametrize("n", [97, 1000])
def test_sgdr_with_cycles_of_no_whole_length(n, longer):
    steps = np.arange(float(REACH * n))
    rates = js.sgdr(0.3, period=n, period_multiplier=longer)(steps)
    oracle = restarts(0.3, n, longer=longer)(steps)
    # Relative to the peak, since a tail can be no better than the time of a restart.
    tolerance = 8 * 0.3 * EPSILON
    np.testing.assert_allclose(rates, oracle, rtol=0, atol=tolerance)


# ------------------------------------------------------------------------------------
# Long horizons, and the two ends of all horizons.

LONG = (
    "linear",
    "cosine",
    "polynomial",
    "warmup_polynomial",
    "exponential",
    "ramp",
    "wsd",
    "warmup_cosine",
)


@pytest.mark.parametrize("name", LONG)
def test_a_million_steps(name):
    make, oracle, ulps = ROWS[name]
    n = 2**20 + 7
    assert_close(make(n, n // 3), np.arange(n + 1.0), oracle(n, n // 3), ulps=ulps)


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("n", [10_000_000, 2**24])
def test_as_many_steps_as_float32_counts(name, n):
    make, oracle, ulps = ROWS[name]
    ends = np.arange(100_000.0)
    among = np.random.default_rng(n).integers(n, size=200_000).astype(float)
    steps = np.concatenate([ends, among, n - ends])
    assert_close(make(n, n // 3), steps, oracle(n, n // 3), ulps=ulps)


@pytest.mark.parametrize("name", LONG)
def test_steps_beyond_int32_that_float32_holds(name):
    make, oracle, ulps = ROWS[name]
    n = 15 * 2**40
    steps = np.arange(0.0, n + 1, 2**27)
    assert_close(make(n, n // 3), steps, oracle(n, n // 3), ulps=ulps)


ENDS = {
    "linear": (0.3, 0.02, lambda n: js.linear(0.3, 0.02, n)),
    "cosine": (0.3, 0.02, lambda n: js.cosine(0.3, 0.02, n)),
    "polynomial 0.5": (0.3, 0.02, lambda n: js.polynomial(0.3, 0.02, n, power=0.5)),
    "polynomial 2": (0.3, 0.02, lambda n: js.polynomial(0.3, 0.02, n, power=2)),
    "exponential": (0.3, 0.02, lambda n: js.exponential(0.3, 0.02, n)),
    "1-sqrt": (0.3, 0.02, lambda n: js.ramp(0.3, 0.02, n, curves.Sqrt())),
    "wsd": (
        0.01,
        0.02,
        lambda n: js.wsd(
            0.3,
            warmup_steps=n // 3,
            decay_steps=n // 5,
            total_steps=n,
            start=0.01,
            end=0.02,
        ),
    ),
    "warmup_cosine": (
        0.01,
        0.02,
        lambda n: js.warmup_cosine(
            0.3, warmup_steps=n // 3, total_steps=n, start=0.01, end=0.02
        ),
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends_are_exact_for_every_length(name):
    start, end, make = ENDS[name]
    lengths = jnp.arange(5.0, 2001) if "w" in name else jnp.arange(1.0, 2001)

    @jax.jit
    @jax.vmap
    def rates(schedule, n):
        return schedule(jnp.stack([-n, 0 * n, n, n + 1, 3 * n]))

    expected = np.array([start, start, end, end, end], lengths.dtype)
    actual = rates(jax.vmap(make)(lengths), lengths)
    np.testing.assert_array_equal(actual, np.tile(expected, (len(lengths), 1)))


@pytest.mark.parametrize("n", [2**31, 10**10 + 7, 10**12 + 7, 2**63])
@pytest.mark.parametrize("name", ENDS)
def test_ends_are_exact_for_lengths_that_float32_rounds(name, n):
    start, end, make = ENDS[name]
    schedule = make(n)
    rates = schedule([-n, 0, n, 3 * n])
    np.testing.assert_array_equal(
        rates, np.array([start, start, end, end], rates.dtype)
    )
    if "w" not in name:
        assert np.all(np.diff(schedule(np.linspace(0, n, 1000))) <= 0)


# ------------------------------------------------------------------------------------
# Steps of every type.

TYPES = [
    *(np.dtype(f"{kind}int{bits}") for kind in ("", "u") for bits in (8, 16, 32, 64)),
    *(np.dtype(f"float{bits}") for bits in (16, 32, 64)),
    np.dtype(jnp.bfloat16),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_steps_of_every_type(dtype):
    schedule = js.warmup_cosine(0.3, warmup_steps=10, total_steps=100)
    steps = np.arange(120).astype(dtype)
    expected = schedule(np.arange(120.0))
    for given in (steps, jnp.asarray(steps)):
        rates = schedule(given)
        assert rates.dtype == jnp.result_type(float)
        np.testing.assert_array_equal(rates, expected)
    for step in (0, 7, 57, 100):
        assert schedule(dtype.type(step)) == expected[step]


@pytest.mark.parametrize(
    "step", [2**31, 2**40, 10**30, np.uint64(2**64 - 1), np.int64(2**63 - 1), 1e38]
)
def test_steps_beyond_int32(step):
    decay = js.linear(0.3, 0.02, 2**30)
    assert decay(step) == decay.end
    assert decay(-float(step)) == decay.start
    half = js.linear(0.0, 1.0, 2 * float(step))
    assert half(step) == 0.5


# ------------------------------------------------------------------------------------
# Optax, where it means the same.

N, W = 1000, 97

OPTAX = {
    "constant": (js.constant(0.3), optax.constant_schedule(0.3)),
    "linear": (js.linear(0.3, 0.02, N), optax.linear_schedule(0.3, 0.02, N)),
    "delay": (
        js.delay(js.linear(0.3, 0.02, N), W),
        optax.linear_schedule(0.3, 0.02, N, transition_begin=W),
    ),
    "polynomial 2": (
        js.polynomial(0.3, 0.02, N, power=2),
        optax.polynomial_schedule(0.3, 0.02, 2, N),
    ),
    "cosine": (
        js.cosine(0.3, 0.03, N),
        optax.cosine_decay_schedule(0.3, N, alpha=0.1),
    ),
    "cosine, cubed": (
        js.ramp(0.3, 0.03, N, curves.Power(3, curves.Cosine())),
        optax.cosine_decay_schedule(0.3, N, alpha=0.1, exponent=3.0),
    ),
    "exponential_decay": (
        js.exponential_decay(0.3, factor=0.5, steps=W),
        optax.exponential_decay(0.3, W, 0.5),
    ),
    # Its stairs come one step late where `n * (1 / n)` rounds to less than 1.
    "step_decay": (
        js.step_decay(0.3, factor=0.5, every=128),
        optax.exponential_decay(0.3, 128, 0.5, staircase=True),
    ),
    "step_decay, floored": (
        js.maximum(js.step_decay(0.3, factor=0.5, every=128), 0.02),
        optax.exponential_decay(0.3, 128, 0.5, staircase=True, end_value=0.02),
    ),
    "multi_step": (
        js.multi_step(0.3, boundaries=[W, 3 * W, 7 * W], factor=0.1),
        optax.piecewise_constant_schedule(0.3, {W: 0.1, 3 * W: 0.1, 7 * W: 0.1}),
    ),
    "piecewise_linear": (
        js.piecewise_linear([0, W, N], [0.3, 0.15, 0.03]),
        optax.piecewise_interpolate_schedule("linear", 0.3, {W: 0.5, N: 0.2}),
    ),
    "piecewise_linear, cosine": (
        js.piecewise_linear([0, W, N], [0.3, 0.15, 0.03], curves.Cosine()),
        optax.piecewise_interpolate_schedule("cosine", 0.3, {W: 0.5, N: 0.2}),
    ),
    "warmup_constant": (
        js.warmup_constant(0.3, warmup_steps=W, start=0.01),
        optax.warmup_constant_schedule(0.01, 0.3, W),
    ),
    "warmup_cosine": (
        js.warmup_cosine(0.3, warmup_steps=W, total_steps=N, start=0.01, end=0.02),
        optax.warmup_cosine_decay_schedule(0.01, 0.3, W, N, 0.02),
    ),
    "warmup, exponential_decay": (
        js.warmup(js.exponential_decay(0.3, factor=0.5, steps=N), W),
        optax.warmup_exponential_decay_schedule(0.0, 0.3, W, N, 0.5),
    ),
    "sgdr": (
        js.warmup_cosine(0.3, warmup_steps=W, total_steps=N // 2)
        >> js.warmup_cosine(0.1, warmup_steps=W, total_steps=N // 2),
        optax.sgdr_schedule(
            [
                {
                    "init_value": 0.0,
                    "peak_value": peak,
                    "warmup_steps": W,
                    "decay_steps": N // 2,
                }
                for peak in (0.3, 0.1)
            ]
        ),
    ),
    "one_cycle": (
        js.one_cycle(0.3, total_steps=N).rate,
        optax.cosine_onecycle_schedule(N, 0.3),
    ),
    "one_cycle, linear": (
        js.linear(0.012, 0.3, 300)
        >> js.linear(0.3, 0.012, 550)
        >> js.linear(0.012, 1.2e-6, 150),
        optax.linear_onecycle_schedule(N, 0.3),
    ),
    "chain": (
        js.chain(js.linear(0.0, 0.3, W), js.constant(0.3, W), js.cosine(0.3, 0.0, N)),
        optax.join_schedules(
            [
                optax.linear_schedule(0.0, 0.3, W),
                optax.constant_schedule(0.3),
                optax.cosine_decay_schedule(0.3, N),
            ],
            [W, 2 * W],
        ),
    ),
}


@pytest.mark.parametrize("name", OPTAX)
def test_agrees_with_optax(name):
    ours, theirs = OPTAX[name]
    steps = jnp.arange(2 * N)
    with jax.numpy_dtype_promotion("standard"):
        expected = jax.vmap(theirs)(steps)
    # Optax computes `1 - x`, so it is accurate to a part of the peak, 0.3.
    tolerance = 4 * 0.3 * EPSILON
    np.testing.assert_allclose(ours(steps), expected, rtol=0, atol=tolerance)
