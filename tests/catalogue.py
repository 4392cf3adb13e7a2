"""One row per schedule: whatever is listed here is held to every law.

To add a schedule, add a row: its name, one of them, and what its values are at step 0
and at its end (none, if it has no end). They lie in between, unless the row says so.
"""

import math
from typing import NamedTuple

import jaxsched as js
from jaxsched import curves


class Row(NamedTuple):
    """A schedule, and what its values must be."""

    schedule: js.Schedule
    start: float
    end: float | None
    bounds: tuple[float, float] | None = None
    ulps: int = 0
    """How far the ends are from what is given here: nothing, if it can be exact."""

    @property
    def low(self) -> float:
        """The least value there may be."""
        return min(self.bounds or (self.start, self.end or 0.0))

    @property
    def high(self) -> float:
        """The greatest value there may be."""
        return max(self.bounds or (self.start, self.end or 0.0))


def bell(step, peak, width):
    return peak / (1 + (step / width) ** 2)


def inverse_node(place):
    return 1 / (0.525 - 0.475 * math.cos(math.pi * place / 64))


RATE, MOMENTUM = js.one_cycle(1.0, total_steps=100)
DECAY = js.cosine(1.0, 0.1, 60)
WAVE = [0.5, *(0.625 + 0.375 * math.sin(n**2 / 250) for n in range(1, 89)), 0.25]
BETWEEN = (0.0, 1.0)

LEAVES = {
    "constant": Row(js.constant(0.3), 0.3, 0.3),
    "constant, of some steps": Row(js.constant(0.3, 20), 0.3, 0.3),
    "linear": Row(js.linear(0.0, 1.0, 100), 0.0, 1.0),
    "linear, of no steps": Row(js.linear(0.0, 1.0, 0), 1.0, 1.0),
    "linear, of one step": Row(js.linear(1.0, 0.0, 1), 1.0, 0.0),
    "linear, of an uneven length": Row(js.linear(1.0, 0.2, 99.7), 1.0, 0.2),
    "cosine": Row(DECAY, 1.0, 0.1),
    "polynomial": Row(js.polynomial(1.0, 0.0, 100, power=2), 1.0, 0.0),
    "polynomial, power < 1": Row(js.polynomial(0.2, 1.0, 100, power=0.5), 0.2, 1.0),
    "exponential": Row(js.exponential(0.1, 1.0, 100), 0.1, 1.0),
    "exponential_decay": Row(
        js.exponential_decay(1.0, factor=0.5, steps=20), 1.0, None
    ),
    "exponential_decay, staircase": Row(
        js.exponential_decay(1.0, factor=0.5, steps=20, staircase=True), 1.0, None
    ),
    "natural_exponential": Row(js.natural_exponential(1.0, rate=0.05), 1.0, None),
    "inverse_time": Row(js.inverse_time(1.0, rate=0.5, steps=10), 1.0, None),
    "inverse_time, staircase": Row(
        js.inverse_time(1.0, rate=0.5, steps=10, staircase=True), 1.0, None
    ),
    "inverse_sqrt": Row(js.inverse_sqrt(1.0, 10), 1.0, None),
    "power_law": Row(js.power_law(1.0, exponent=0.7, timescale=10, bend=2), 1.0, None),
    "step_decay": Row(js.step_decay(1.0, factor=0.1, every=30), 1.0, None),
    "piecewise_constant": Row(
        js.piecewise_constant([30, 60], [1.0, 0.1, 0.01]), 1.0, 0.01
    ),
    "piecewise_linear": Row(
        js.piecewise_linear([5, 30, 60], [0.2, 1.0, 0.1]), 0.2, 0.1, (0.1, 1.0)
    ),
    "piecewise_linear, along cosines": Row(
        js.piecewise_linear([0, 30, 60], [0.2, 1.0, 0.1], curves.Cosine()),
        *(0.2, 0.1, (0.1, 1.0)),
    ),
    "piecewise_cubic": Row(
        js.piecewise_cubic([5, 30, 45, 60], [0.2, 1.0, 0.4, 0.1]),
        *(0.2, 0.1, (0.1, 1.0)),
    ),
    "piecewise_cubic, of two points": Row(
        js.piecewise_cubic([0, 60], [1.0, 0.1]), 1.0, 0.1
    ),
    "table": Row(js.table(WAVE), 0.5, 0.25, (0.25, 1.0)),
    "custom": Row(js.custom(bell, peak=1.0, width=50), 1.0, None),
    "chebyshev": Row(
        js.chebyshev(0.05, largest=1.0, total_steps=64),
        *(inverse_node(0.5), inverse_node(42.5), (1.0, 20.0), 8),
    ),
    "chebyshev, in order": Row(
        js.chebyshev(0.05, largest=1.0, total_steps=64, fractal=False),
        *(inverse_node(0.5), inverse_node(63.5), (1.0, 20.0), 8),
    ),
    "silver": Row(js.silver(1.0), math.sqrt(2), None, (1.4, 1200.0), 1),
}

CURVES = {
    f"ramp, {type(curve).__name__}": Row(js.ramp(1.0, 0.2, 60, curve), 1.0, 0.2)
    for curve in (
        curves.Linear(),
        curves.Cosine(),
        curves.Power(3.0),
        curves.Power(2.0, curves.Cosine()),
        curves.Sqrt(),
        curves.Square(),
        curves.Exponential(0.1),
        curves.Exponential(0.1, curves.Cosine()),
        curves.Sigmoid(),
        curves.Tanh(),
        curves.Rex(0.1),
        curves.Reciprocal(0.2),
        curves.Log(),
        curves.Hyperbolic(0.5),
        curves.KDecay(1.5, curves.Cosine()),
        curves.Reversed(curves.Power(2.0)),
        curves.Mirrored(curves.Sqrt()),
    )
}

TRANSFORMS = {
    "chain": Row(js.chain(js.linear(0.0, 1.0, 10), DECAY), 0.0, 0.1, BETWEEN),
    "sum": Row(js.linear(0.0, 0.5, 10) + 0.5, 0.5, 1.0),
    "difference": Row(1.0 - js.linear(0.0, 0.5, 10), 1.0, 0.5),
    "product": Row(2.0 * js.cosine(1.0, 0.0, 10), 2.0, 0.0),
    "quotient": Row(1.0 / js.linear(1.0, 4.0, 10), 1.0, 0.25),
    "power": Row(js.linear(0.5, 0.0, 10) ** 2, 0.25, 0.0),
    "power, of a number": Row(4.0 ** js.linear(0.0, -0.5, 10), 1.0, 0.5),
    "power, of a schedule": Row(
        js.linear(1.0, 0.25, 10) ** js.linear(1.0, 0.5, 20), 1.0, 0.5, (0.2, 1.0)
    ),
    "repeat": Row(js.repeat(DECAY, 2), 1.0, 0.1),
    "repeat, without end": Row(js.repeat(DECAY), 1.0, None),
    "repeat, in part": Row(js.repeat(js.linear(1.0, 0.0, 10), 2.5), 1.0, 0.5, BETWEEN),
    "repeat, scaled": Row(
        js.repeat(
            js.linear(1.0, 0.0, 10), 3, period_multiplier=2, value_multiplier=0.5
        ),
        *(1.0, 0.0),
    ),
    "repeat, scaled without end": Row(
        js.repeat(js.cosine(1.0, 0.0, 7), period_multiplier=1.5), 1.0, None
    ),
    "reverse": Row(js.reverse(js.linear(0.0, 1.0, 10)), 1.0, 0.0),
    "staircase": Row(js.staircase(js.linear(0.0, 1.0, 10), 4), 0.0, 1.0),
    "on_clock": Row(
        js.on_clock(DECAY, js.piecewise_constant([10, 20], [1.0, 0.0, 2.5])), 1.0, 0.1
    ),
    "stretch": Row(js.stretch(js.linear(0.0, 1.0, 10), 2.5), 0.0, 1.0),
    "delay": Row(js.delay(js.linear(0.0, 1.0, 10), 5), 0.0, 1.0),
    "shift": Row(js.shift(js.linear(0.0, 1.0, 10), 5), 0.5, 1.0),
    "ahead": Row(js.ahead(js.linear(0.0, 1.0, 10), 1), 0.1, 1.0),
    "ahead, without end": Row(js.ahead(js.inverse_sqrt(2.0, 10), 30), 1.0, None),
    "until": Row(js.until(js.linear(0.0, 1.0, 10), 5), 0.0, 0.5),
    "until, held": Row(js.until(js.linear(0.0, 1.0, 10), 20), 0.0, 1.0),
    "clip": Row(js.clip(js.linear(0.0, 1.0, 10), 0.2, 0.8), 0.2, 0.8),
    "minimum": Row(js.minimum(js.linear(1.0, 0.0, 10), 0.5), 0.5, 0.0),
    "maximum": Row(js.maximum(js.linear(1.0, 0.0, 10), 0.5), 1.0, 0.5),
    "noise": Row(
        js.noise(js.linear(0.0, 1.0, 20) >> js.linear(1.0, 0.0, 40), 0.2, seed=4.5),
        *(0.0, None, (0.0, 2.0)),
    ),
    "rescale": Row(js.rescale(js.linear(0.0, 1.0, 10), 0.9, 0.2), 0.9, 0.2),
    "switch": Row(js.switch([js.linear(1.0, 0.0, 40), DECAY, 0.5], [10, 30]), 1.0, 0.5),
    "warmup": Row(js.warmup(DECAY, 10), 0.0, 0.1, BETWEEN),
    "warmup, overlay": Row(js.warmup(DECAY, 10, join="overlay"), 0.0, 0.1, BETWEEN),
    "warmup, multiply": Row(js.warmup(DECAY, 10, join="multiply"), 0.0, 0.1, BETWEEN),
    "warmup, of no steps": Row(js.warmup(DECAY, 0), 1.0, 0.1),
    "cooldown": Row(js.cooldown(js.inverse_sqrt(1.0, 10), 40, 20), 1.0, 0.0),
    "cooldown, multiply": Row(
        js.cooldown(DECAY, 20, 20, end=0.02, join="multiply"), 1.0, 0.02
    ),
    "cooldown, of no steps": Row(js.cooldown(DECAY, 40, 0, end=0.05), 1.0, 0.05),
}

RECIPES = {
    "multi_step": Row(
        js.multi_step(1.0, boundaries=[30, 60, 90], factor=0.1), 1.0, 0.1**3
    ),
    "cosine_annealing": Row(js.cosine_annealing(1.0, total_steps=100), 1.0, 0.0),
    "cosine_annealing, periodic": Row(
        js.cosine_annealing(1.0, total_steps=20, end=0.1, periodic=True), 1.0, None
    ),
    "rex": Row(js.rex(1.0, total_steps=100), 1.0, 0.0),
    "k_decay": Row(js.k_decay(1.0, total_steps=100, k=2), 1.0, 0.0),
    "hyperbolic": Row(
        js.hyperbolic(1.0, total_steps=30, upper_bound=100, end=0.1),
        *(1.0, 1.0 - 0.9 * math.sqrt(0.51)),
        ulps=2,
    ),
    "linear_cosine": Row(js.linear_cosine(1.0, total_steps=50), 1.001, 0.001),
    "linear_cosine, with waves": Row(
        js.linear_cosine(1.0, total_steps=50, periods=3.5, offset=0.2),
        *(1.201, 0.001, (0.0, 1.3), 1),
    ),
    "noam": Row(
        js.noam(d_model=512, warmup_steps=50), 0.0, None, (0.0, (512 * 50) ** -0.5)
    ),
    "noam, without warmup": Row(js.noam(d_model=1, warmup_steps=0), 1.0, None),
    "warmup_constant": Row(js.warmup_constant(1.0, warmup_steps=10), 0.0, 1.0),
    "warmup_linear": Row(
        js.warmup_linear(1.0, warmup_steps=10, total_steps=100, end=0.1),
        *(0.0, 0.1, BETWEEN),
    ),
    "warmup_cosine": Row(
        js.warmup_cosine(1.0, warmup_steps=10, total_steps=100), 0.0, 0.0, BETWEEN
    ),
    "warmup_cosine, without warmup": Row(
        js.warmup_cosine(1.0, warmup_steps=0, total_steps=100), 1.0, 0.0
    ),
    "warmup_cosine, all warmup": Row(
        js.warmup_cosine(1.0, warmup_steps=99, total_steps=99), 0.0, 0.0, BETWEEN
    ),
    "warmup_polynomial": Row(
        js.warmup_polynomial(1.0, warmup_steps=10, total_steps=100, power=0.5),
        *(0.0, 0.0, BETWEEN),
    ),
    "warmup_exponential": Row(
        js.warmup_exponential(1.0, warmup_steps=10, total_steps=100),
        *(0.0, 0.01, BETWEEN),
    ),
    "warmup_inverse_sqrt": Row(
        js.warmup_inverse_sqrt(1.0, warmup_steps=10), 0.0, None, BETWEEN
    ),
    "inverse_sqrt_cooldown": Row(
        js.inverse_sqrt_cooldown(
            1.0, warmup_steps=10, cooldown_steps=20, total_steps=100
        ),
        *(0.0, 0.0, BETWEEN),
    ),
    "untuned_linear_warmup": Row(
        js.untuned_linear_warmup(1.0, beta2=0.95), (1 - 0.95) / 2, 1.0, ulps=1
    ),
    "untuned_exponential_warmup": Row(
        js.untuned_exponential_warmup(1.0, beta2=0.95),
        *(-math.expm1(0.95 - 1), None, BETWEEN, 2),
    ),
    "radam_warmup": Row(js.radam_warmup(1.0, beta2=0.95), 0.0, None, BETWEEN),
    "wsd": Row(
        js.wsd(1.0, warmup_steps=5, decay_steps=20, total_steps=60), 0.0, 0.0, BETWEEN
    ),
    "wsd_s": Row(
        js.wsd_s(1.0, warmup_steps=10, period=30, decay_steps=10, cycles=3),
        *(0.0, 0.1, BETWEEN),
    ),
    "infinite": Row(
        js.infinite(
            *(1.0,),
            plateau=0.5,
            end=0.05,
            warmup_steps=10,
            cooldown_steps=30,
            anneal_steps=20,
            total_steps=90,
        ),
        *(0.0, 0.05, BETWEEN),
    ),
    "flat_cosine": Row(js.flat_cosine(1.0, decay_steps=25, total_steps=100), 1.0, 0.0),
    "tri_stage": Row(
        js.tri_stage(1.0, warmup_steps=10, decay_steps=50, total_steps=90),
        *(0.01, 0.01, BETWEEN),
    ),
    "slanted_triangular": Row(
        js.slanted_triangular(1.0, total_steps=100), 1 / 32, 1 / 32, BETWEEN
    ),
    "power_scheduler": Row(
        js.power_scheduler(
            *(0.02,),
            batch_size=8,
            tokens_per_step=2**17,
            warmup_steps=5,
            decay_steps=20,
            total_steps=100,
        ),
        *(0.0, 0.0, (0.0, 0.02)),
    ),
    "power_scheduler, without end": Row(
        js.power_scheduler(0.02, batch_size=8, tokens_per_step=2**17, warmup_steps=5),
        *(0.0, None, (0.0, 0.02)),
    ),
    "eden": Row(
        js.eden(1.0, steps_per_epoch=10, batches=50, epochs=3, warmup_steps=20),
        *(0.5, None, BETWEEN),
    ),
    "two_point_linear": Row(
        js.two_point_linear(
            1.0, warmup_steps=10, total_steps=100, delays=[0.3, 0.5], levels=[0.6, 0.4]
        ),
        *(0.0, 0.0, BETWEEN),
    ),
    "two_point_spline": Row(
        js.two_point_spline(
            1.0, warmup_steps=10, total_steps=100, delays=[0.3, 0.5], levels=[0.6, 0.4]
        ),
        *(0.0, 0.0, BETWEEN),
    ),
    "smooth_non_monotonic": Row(
        js.smooth_non_monotonic(
            1.0, warmup_steps=40, total_steps=100, delays=[0.2, 0.7], levels=[0.7, 0.2]
        ),
        *(0.0, 0.0, BETWEEN),
    ),
    "one_cycle, rate": Row(RATE, 0.04, 4e-6, BETWEEN),
    "one_cycle, momentum": Row(MOMENTUM, 0.95, 0.95, (0.85, 0.95)),
    "one_cycle, three phases": Row(
        js.one_cycle(1.0, total_steps=100, three_phase=True).rate, 0.04, 4e-6, BETWEEN
    ),
    "sgdr": Row(
        js.sgdr(1.0, period=10, period_multiplier=2, peak_multiplier=0.8, cycles=3),
        *(1.0, 0.0),
    ),
    "sgdr, without end": Row(js.sgdr(1.0, period=10, end=0.1), 1.0, None),
    "warm_restarts": Row(
        js.warm_restarts(
            *(1.0,),
            period=20,
            warmup_steps=5,
            period_multiplier=2,
            peak_multiplier=0.5,
            start=0.05,
            end=0.1,
            cycles=3,
        ),
        *(0.05, 0.1, BETWEEN),
    ),
    "warm_restarts, without end": Row(
        js.warm_restarts(1.0, period=20, warmup_steps=5), 0.0, None, BETWEEN
    ),
    "triangular": Row(
        js.triangular(0.1, 1.0, up_steps=10, down_steps=20), 0.1, None, (0.1, 1.0)
    ),
    "triangular2": Row(js.triangular2(0.1, 1.0, up_steps=10), 0.1, None, (0.1, 1.0)),
    "exp_range": Row(
        js.exp_range(0.1, 1.0, up_steps=10, gamma=0.99), 0.1, None, (0.1, 1.0)
    ),
    "cosine_cyclic": Row(
        js.cosine_cyclic(0.1, 1.0, up_steps=10), 0.1, None, (0.1, 1.0)
    ),
}

CATALOGUE: dict[str, Row] = {**LEAVES, **CURVES, **TRANSFORMS, **RECIPES}
