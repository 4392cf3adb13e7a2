"""Faults that were met in use, each as a law over its kind."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mp, mpf

import jaxsched as js
from jaxsched import curves

from .catalogue import CATALOGUE, CURVES


EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)


def ulps(rate, exact):
    """How far a rate is from the exact one, in units in its last place."""
    rounded = np.asarray(float(exact), jnp.result_type(float))
    return abs(float(rate) - float(exact)) / float(np.spacing(abs(rounded)))


def every_way(schedule, step):
    """A rate as it is with numbers, with arrays, closed over, and in a batch."""
    arrays = js.as_arrays(schedule)
    return {
        "called": schedule(step),
        "called with arrays": schedule(jnp.asarray([step, step], float))[0],
        "closed over": jax.jit(schedule)(jnp.asarray(step, float)),
        # Of arrays, the end is where they say that it is.
        "as an argument": jax.jit(lambda lr, t: lr(t))(
            arrays, arrays.duration if step == schedule.duration else float(step)
        ),
    }


# --- Parts that end together -------------------------------------------------------

TOGETHER = {
    "sum": lambda a, b: js.linear(3.0, 0.0, a) + js.linear(1.0, 0.0, b),
    "product": lambda a, b: js.linear(3.0, 1.0, a) * js.linear(2.0, 1.0, b),
    "quotient": lambda a, b: js.linear(3.0, 1.0, a) / js.linear(2.0, 1.0, b),
    "maximum": lambda a, b: js.maximum(js.linear(3.0, 0.0, a), js.linear(1.0, 0.0, b)),
    "cosines": lambda a, b: js.cosine(3.0, 0.0, a) + js.linear(1.0, 0.5, b),
    "switch": lambda a, b: js.switch(
        [js.linear(3.0, 0.0, a), js.linear(1.0, 0.0, b)], [4.0]
    ),
    "until": lambda a, b: js.until(js.cosine(3.0, 0.0, a), b),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_parts_that_end_together_keep_their_own_gradients(name):
    def rate(first, second):
        return TOGETHER[name](first, second)(5.0)

    together = jax.grad(rate, argnums=(0, 1))(10.0, 10.0)
    apart = jax.grad(rate, argnums=(0, 1))(10.0, 10.001)
    chex.assert_trees_all_close(together, apart, rtol=1e-3, atol=1e-6)


WITHIN = {
    "itself": lambda a: a,
    "ahead": lambda a: js.ahead(a, 2.0),
    "chain": lambda a: js.linear(0.0, 1.0, 2) >> a,
    "delay": lambda a: js.delay(a, 2.0),
    "repeat": lambda a: js.repeat(a, 2),
    "repeat, scaled": lambda a: js.repeat(a, 2, value_multiplier=0.5),
    "power": lambda a: a**2,
    "rescale": lambda a: js.rescale(a, 0.0, 2.0),
    "reverse": js.reverse,
    "shift": lambda a: js.shift(a, 2.0),
    "staircase": lambda a: js.staircase(a, 2.0),
    "stretch": lambda a: js.stretch(a, 2.0),
    "sum": lambda a: a + a,
    "warmup": lambda a: js.warmup(a, 2.0, join="overlay"),
}


@pytest.mark.parametrize("within", WITHIN)
@pytest.mark.parametrize("name", TOGETHER)
def test_parts_that_have_ended_together_have_no_slopes(name, within):
    """The last value depends on no length here, and so none has a slope."""

    def rate(first, second, step):
        return WITHIN[within](TOGETHER[name](first, second))(step)

    with jax.enable_x64(True):
        slopes = jax.jit(jax.grad(rate, argnums=(0, 1, 2)))
        for ends in ((10.0, 10.0), (10.5, 10.5)):
            for step in (25.0, 40.0):
                chex.assert_trees_all_close(slopes(*ends, step), (0.0, 0.0, 0.0))


THROUGH = WITHIN | {
    "ahead": lambda a: js.ahead(a, 0.0),
    "chain": lambda a: js.constant(1.0, 0) >> a,
    "delay": lambda a: js.delay(a, 0.0),
    "clip": lambda a: js.clip(a, -5.0, 5.0),
    "maximum": lambda a: js.maximum(a, -9.0),
    "power": lambda a: a**1,
    "product": lambda a: 1.0 * a,
    "repeat": lambda a: js.repeat(a, 1),
    "repeat, scaled": lambda a: js.repeat(a, 1.0, value_multiplier=0.5),
    "rescale": lambda a: js.rescale(a, -2.0, 1.0),
    "reverse": lambda a: js.reverse(js.reverse(a)),
    "shift": lambda a: js.shift(a, 0.0),
    "staircase": lambda a: a,
    "sum": lambda a: a + 0.0 * a,
    "switch": lambda a: js.switch([a, a], [3.0]),
    "until": lambda a: js.until(a, a.duration),
    "warmup": lambda a: js.warmup(a, 0.0),
    "warmup, overlaid": lambda a: js.warmup(a, 0.0, join="overlay"),
}


@pytest.mark.parametrize("times", [1.0, 2.0])
@pytest.mark.parametrize("name", THROUGH)
def test_a_last_cycle_that_goes_on_smoothly_has_a_slope_at_its_end(name, times):
    """Each cycle begins as the one before ends, and as steep."""
    cycle = THROUGH[name](js.linear(1.0, -2.0, 6) >> js.linear(-2.0, -1.0, 2))

    def last(times):
        return js.repeat(cycle, times, value_multiplier=-1.0)(1e4)

    with jax.enable_x64(True):
        slope = jax.jit(jax.grad(last))
        before, at, after = (slope(times + by) for by in (-1e-6, 0.0, 1e-6))
    np.testing.assert_allclose([before, at], after, rtol=1e-6)
    assert at


def test_what_was_cut_off_has_the_slopes_that_it_had_there():
    slopes = jax.grad(
        lambda steps, length: js.until(js.linear(3.0, 0.0, length), steps)(15.0), (0, 1)
    )
    chex.assert_trees_all_close(slopes(10.0, 20.0), (-0.15, 0.075), rtol=1e-5)


@pytest.mark.parametrize("last", [js.linear, js.cosine, js.exponential])
def test_a_late_short_ramp_between_equal_ends_is_level(last):
    lr = js.repeat(js.constant(2.0, 16_381.7) >> last(2.0, 2.0, steps=1.15), 6)
    ends = 16_382.85 * np.arange(1, 7)
    steps = (ends[:, None] - np.linspace(0.0, 1.2, 50)).ravel()
    assert abs(np.asarray(lr(steps)) - 2).max() <= 4 * EPSILON


@pytest.mark.parametrize("step", [0.0, 3.0, 10.0, 12.0])
def test_what_is_clipped_to_one_value_has_no_slope(step):
    slope = jax.grad(lambda rate: js.clip(js.linear(rate, 0.0, 10), 0.0, 0.0)(step))
    assert slope(0.0) == slope(1.0) == slope(-1.0) == 0


# --- Without end -------------------------------------------------------------------

WAVE = js.triangular(0.0, 1.0, up_steps=3)
ENDLESS = {
    "repeat": WAVE,
    "stretch": js.stretch(WAVE, 2),
    "staircase": js.staircase(WAVE, 2),
    "shift": js.shift(WAVE, 2),
    "ahead": js.ahead(WAVE, 2),
    "delay": js.delay(WAVE, 2),
    "chain": js.linear(0.0, 1.0, 3) >> WAVE,
    "sum": WAVE + 1.0,
    "rescale": js.rescale(WAVE, 0.0, 2.0),
    "clip": js.clip(WAVE, 0.0, 0.5),
    "noise": js.noise(js.constant(1.0), 0.1),
    "scaled": js.sgdr(1.0, period=3, period_multiplier=2, peak_multiplier=0.5),
    "restarts": js.warm_restarts(1.0, period=3, warmup_steps=1),
    "warmup": js.warmup(WAVE, 3),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_nothing_follows_what_has_no_end(name):
    endless = ENDLESS[name]
    assert isinstance(endless.duration, float)
    assert endless.duration == math.inf
    for follow in (js.reverse, js.repeat, lambda lr: lr >> 1.0):
        with pytest.raises(ValueError, match="without end"):
            follow(endless)
    with pytest.raises(ValueError, match="without end"):
        js.Chain((endless, js.constant(1.0)))


# --- Ends of fractional lengths ----------------------------------------------------


def jumping(length):
    """Parts that jump at their end, or shortly before it."""
    third = length / 3
    return {
        "multi_step": js.multi_step(
            1.0, boundaries=[third, 2 * third, length], factor=0.1
        ),
        "staircase": js.staircase(js.linear(1.0, 0.25, length), length / 4),
        "linear": js.linear(1.0, 0.25, length),
        "constant": js.constant(1.0, length) >> js.constant(0.25),
    }


AROUND = {
    "alone": lambda lr, x: lr,
    "chain": lambda lr, x: js.linear(0.0, 1.0, x) >> lr,
    "delay": js.delay,
    "warmup": js.warmup,
    "overlay": lambda lr, x: js.warmup(lr, x / 9, join="overlay"),
    "shift": lambda lr, x: js.shift(lr, lr.duration / 7),
    "repeat": lambda lr, x: js.repeat(lr, 3),
    "scaled repeat": lambda lr, x: js.repeat(lr, 3, period_multiplier=1.5),
    "stretch": js.stretch,
    "until": lambda lr, x: js.until(lr, lr.duration),
    "twice reversed": lambda lr, x: js.reverse(js.reverse(lr)),
    "sum": lambda lr, x: lr + 0.0,
    "switch": lambda lr, x: js.switch([0.5, lr], [lr.duration / 2]),
    "cooldown": lambda lr, x: js.cooldown(lr, lr.duration, 0, end=float(lr(1e9))),
    "rescale": lambda lr, x: js.rescale(lr, 0.0, 1.0),
}

LENGTHS = [1281167 / 384, 10 / 9, 100 / 7, 3336.37, 0.3, 1e5 / 3]


@pytest.mark.parametrize("around", AROUND)
def test_ends_are_reached_whatever_the_lengths(around):
    for length in LENGTHS:
        for name, part in jumping(length).items():
            schedule = AROUND[around](part, length * 0.7)
            end = float(part(10 * length))
            for step in (schedule.duration, schedule.duration * 1.0001, 1e9):
                for way, rate in every_way(schedule, step).items():
                    assert ulps(rate, end) <= 1, (length, name, step, way)


def test_the_last_step_of_imagenet_applies_for_ever():
    epoch = 1281167 / 384
    drops = js.multi_step(0.1, boundaries=[n * epoch for n in (28, 58, 78)], factor=0.1)
    schedule = js.linear(0.0, 0.1, 2 * epoch) >> drops
    after = schedule(np.array([81, 85, 100, 1000]) * epoch)
    np.testing.assert_allclose(after, 1e-4, rtol=1e-6)


# --- Slopes at knots ---------------------------------------------------------------


@pytest.mark.parametrize("name", CURVES)
def test_the_slope_at_step_0_is_that_after_it(name):
    schedule = CURVES[name].schedule
    near = jax.grad(schedule)(1e-3)
    if abs(near) > 1 or "Sqrt" in name:
        pytest.skip("The slope is infinite at step 0.")
    np.testing.assert_allclose(jax.grad(schedule)(0.0), near, rtol=0.02, atol=1e-5)


def test_a_smooth_curve_is_smooth_at_its_knots():
    smooth = js.piecewise_cubic([0, 10, 25, 40], [1.0, 0.6, 0.3, 0.1])
    slopes = [jax.grad(smooth)(t) for t in (9.999, 10.0, 10.001)]
    np.testing.assert_allclose(slopes, slopes[0], rtol=1e-3)


@pytest.mark.parametrize("factor", [1 / 3, 2 / 3, 0.1, 3.0, 7.0, 1.1])
def test_compiled_gradients_of_stretched_schedules_are_the_eager_ones(factor):
    stretched = js.stretch(js.linear(1.0, 0.0, 600), factor)
    for step in (0.0, factor, 1.0, 3.0, 30 * factor):
        slope = -1 / (600 * factor)
        for gradient in (jax.grad(stretched), jax.jit(jax.grad(stretched))):
            np.testing.assert_allclose(gradient(step), slope, rtol=1e-5)


def test_slopes_at_ties_lie_between_those_beside_them():
    def middle(schedule, at):
        return float(jax.grad(schedule)(at))

    mirrored = js.ramp(0.0, 1.0, 60, curves.Mirrored(curves.Square()))
    np.testing.assert_allclose(
        middle(mirrored, 30.0), middle(mirrored, 30.01), rtol=1e-2
    )
    for curve, value in ((curves.Exponential, 1.0), (curves.Power, 1.0)):

        def rate(number, curve=curve):
            return js.ramp(0.0, 1.0, 60, curve(number))(20.0)

        slopes = [jax.grad(rate)(value + by) for by in (-1e-3, 0.0, 1e-3)]
        np.testing.assert_allclose(slopes[1], (slopes[0] + slopes[2]) / 2, rtol=1e-2)
        assert abs(slopes[1]) > 0.05

    def sigmoid(low, high):
        return js.ramp(0.0, 1.0, 60, curves.Sigmoid(low, high))(20.0)

    at, beside = (jax.grad(sigmoid, (0, 1))(3.0, high) for high in (3.0, 3.001))
    np.testing.assert_allclose(at, beside, rtol=1e-2)


# --- Overflow on the way -----------------------------------------------------------

LATE = [2.0**24, 2.0**31, math.inf]


@pytest.mark.parametrize("name", CATALOGUE)
def test_late_steps_are_finite_and_so_are_their_gradients(name):
    if "custom" in name:
        pytest.skip("Its formula is somebody else's.")

    @jax.jit
    def slopes(schedule, step):
        return jax.value_and_grad(lambda lr, t: lr(t), argnums=(0, 1))(schedule, step)

    for step in LATE:
        chex.assert_tree_all_finite(slopes(CATALOGUE[name].schedule, step))


EXTREMES = {
    "radam": js.radam_warmup(1.0, beta2=0.99),
    "power_law": js.power_law(0.1, exponent=0.5, timescale=100, bend=20),
    "sgdr, vanishing": js.sgdr(1.0, period=10, period_multiplier=1e-30),
    "sgdr, exploding": js.sgdr(1.0, period=1, period_multiplier=2, cycles=128),
    "sgdr, flat": js.sgdr(1.0, period=10, peak_multiplier=0.0),
    "exponential": js.exponential(1e-20, 1e20, 10),
    "sigmoid": js.ramp(0.0, 1.0, 100, curves.Sigmoid(-100, 6)),
    "tanh": js.ramp(0.0, 1.0, 100, curves.Tanh(-90, 70)),
    "inverse_time": js.inverse_time(1.0, rate=1e30, steps=1e-10),
    "inverse_sqrt": js.inverse_sqrt(1.0, timescale=1e-30),
    "natural_exponential": js.natural_exponential(1.0, rate=1e30),
    "log": js.ramp(0.0, 1.0, 100, curves.Log(1e30)),
    "rex": js.ramp(0.0, 1.0, 100, curves.Rex(1e-15)),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_numbers_give_finite_rates_and_gradients(name):
    schedule = EXTREMES[name]
    for step in (0.0, 1.0, 5.0, 99.0, 8827.0, 10_000.0, *LATE):
        value, slopes = jax.value_and_grad(lambda lr, t=step: lr(t))(schedule)
        chex.assert_tree_all_finite((value, slopes))


def test_extreme_numbers_have_the_values_of_their_formulas():
    np.testing.assert_allclose(EXTREMES["power_law"](10_000), 0.01, rtol=1e-6)
    np.testing.assert_allclose(EXTREMES["exponential"](5), 1.0, rtol=1e-6)
    with mp.workdps(40):
        low, x, high = (1 / (1 + mp.exp(-mpf(z))) for z in (-100, -10, 6))
        exact = (x - low) / (high - low)
    rate = js.ramp(0.0, 1.0, 106, curves.Sigmoid(-100, 6))(90)
    np.testing.assert_allclose(rate, float(exact), rtol=1e-5)


def test_an_infinite_rate_is_over_at_the_end_of_a_cooldown():
    cooled = js.cooldown(1 / js.linear(1, 0, 10), 10, 5, 0.1)
    for rate in every_way(cooled, 15.0).values():
        assert ulps(rate, 0.1) <= 1


# --- Restarts ----------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 6, 7, 9, 11, 13, 27, 49])
def test_restarts_of_fractional_periods_are_at_their_steps(count):
    period = 100 / count
    steps = np.array([n for n in range(1, 2000) if n * count % 100 == 0])
    for schedule in (
        js.repeat(js.linear(1.0, 0.0, period)),
        js.sgdr(1.0, period=period),
        js.repeat(js.linear(1.0, 0.0, period), value_multiplier=1.0),
        js.warm_restarts(1.0, period=period, warmup_steps=0),
    ):
        np.testing.assert_allclose(schedule(steps), 1.0, rtol=1e-3)
        np.testing.assert_allclose(jax.jit(schedule)(steps), 1.0, rtol=1e-3)


def test_a_restart_after_27_periods_is_on_time():
    assert float(js.sgdr(1.0, period=10 / 9)(30)) == 1.0


@pytest.mark.parametrize("multiplier", [0.5, 0.9, 1.0, 1.1])
@pytest.mark.parametrize("growth", [0.5, 1.0, 2.0])
def test_falling_peaks_stay_above_the_floor(multiplier, growth):
    schedule = (
        js.sgdr(
            1.0,
            period=10,
            period_multiplier=growth,
            peak_multiplier=multiplier,
            end=0.1,
        )
        if growth >= 1 or multiplier <= 1
        else js.constant(0.1)
    )
    rates = schedule(np.arange(0, 200) / 2)
    assert rates.min() >= np.float32(0.1) * (1 - 4 * EPSILON)


def test_the_height_above_the_floor_is_what_decays():
    schedule = js.sgdr(1.0, period=10, peak_multiplier=0.5, end=0.1)
    expected = [0.1 + 0.9 * 0.5**cycle for cycle in (4, 5, 7)]
    np.testing.assert_allclose(schedule([40, 50, 70]), expected, rtol=4 * EPSILON)


@pytest.mark.parametrize("ratio", [0.5, 0.25, 0.9])
@pytest.mark.parametrize("multiplier", [0.5, 0.0, -0.5, 1.0])
def test_shrinking_periods_come_to_their_limit(ratio, multiplier):
    schedule = js.repeat(
        js.linear(1.0, 0.5, 100),
        period_multiplier=ratio,
        value_multiplier=multiplier,
    )
    np.testing.assert_allclose(schedule.duration, 100 / (1 - ratio), rtol=1e-12)
    for step in (schedule.duration, 1e4, 1e9):
        for rate in every_way(schedule, step).values():
            assert float(rate) == (0.5 if multiplier == 1 else 0.0)
    assert float(schedule(0)) == 1.0


@pytest.mark.parametrize("ratio", [0.5, 0.75])
@pytest.mark.parametrize("factor", [1.0, 7.0])
def test_after_their_limit_shrinking_periods_have_no_slope_in_time(ratio, factor):
    def rate(ratio, factor, steps, step):
        inner = js.piecewise_cubic([4, 14, 18, 1018], [1.0, -1.0, 0.2, 2.0])
        inner = js.stretch(inner, factor) >> js.linear(2.0, 5.0, steps)
        return js.repeat(inner, period_multiplier=ratio)(step)

    with jax.enable_x64(True):
        slopes_at = jax.jit(jax.grad(rate, (0, 1, 2)))
        for step in (1e5, math.inf):
            slopes = slopes_at(ratio, factor, 10.0, step)
            np.testing.assert_allclose(slopes, 0.0, atol=1e-9)


@pytest.mark.parametrize("multiplier", [2.0, -1.5])
def test_what_has_grown_without_end_has_finite_slopes_at_inf(multiplier):
    def rate(peak, steps, ratio, multiplier):
        inner = js.repeat(js.cosine(peak, 1e-4, steps), 2.5)
        return js.repeat(inner, period_multiplier=ratio, value_multiplier=multiplier)(
            math.inf
        )

    for ratio in (1.0, 1.5):
        seen = jax.jit(jax.value_and_grad(rate, (0, 1, 2, 3)))(
            8e-4, 3.0, ratio, multiplier
        )
        chex.assert_tree_all_finite(seen)


@pytest.mark.parametrize("multiplier", [1.5, -1.0, -2.0])
def test_shrinking_periods_that_have_no_limit_are_refused(multiplier):
    with pytest.raises(ValueError, match="value_multiplier"):
        js.repeat(
            js.linear(1.0, 0.5, 100), period_multiplier=0.5, value_multiplier=multiplier
        )


# --- Factors near 1 ----------------------------------------------------------------

START = float(np.float32(0.1))
FACTORS = [0.9999, 1 - 1e-7, 0.97, 0.99999, 1 - 3e-8, 0.5]


@pytest.mark.parametrize(
    ("times", "ratio", "multiplier", "final"),
    [
        *[(2.5, ratio, -1.5, -2.25) for ratio in (0.5, 1.0, 3.0)],
        *[(math.inf, ratio, -1.5, -1.0) for ratio in (1.0, 1.5, 3.0)],
        (math.inf, 1.0, 0.5, -1.0),
        (math.inf, 0.5, 0.5, 0.0),
        (math.inf, 0.5, 1.0, -1.0),
    ],
)
def test_cycles_of_no_steps_are_over_or_never_go_on(times, ratio, multiplier, final):
    """Whether the program knows the lengths, or is given them."""
    steps = jnp.asarray([-1.0, 0.0, 2.0, 1e6])

    def repeated(times):
        return js.repeat(
            js.cosine(0.5, -1.0, 0.0),
            times,
            period_multiplier=ratio,
            value_multiplier=multiplier,
        )

    lr = repeated(times)
    assert lr(steps).tolist() == [final] * 4
    assert jax.jit(lr)(steps).tolist() == [final] * 4
    given = jax.jit(lambda times: repeated(times)(steps))
    assert given(times).tolist() == [final] * 4


def decays(factor):
    return {
        "exponential_decay": js.exponential_decay(START, factor=factor, steps=1),
        "step_decay": js.step_decay(START, factor=factor, every=1),
        "natural_exponential": js.natural_exponential(START, rate=-math.log(factor)),
        "repeat": js.repeat(js.constant(START, 1), value_multiplier=factor),
    }


@pytest.mark.parametrize("factor", FACTORS)
def test_factors_near_1_keep_their_digits(factor):
    for name, schedule in decays(factor).items():
        for step in (1, 7, 999, 99_999, 1_000_001, 2**23 + 1, 2**24):
            with mp.workdps(50):
                natural = name == "natural_exponential"
                base = mp.exp(-mpf(-math.log(factor))) if natural else mpf(factor)
                exact = mpf(START) * base**step
            if exact < 1e-37:
                continue
            ways = every_way(schedule, step)
            # An array has lost the digits.
            del ways["as an argument"]
            for way, rate in ways.items():
                assert ulps(rate, exact) <= 8, (name, step, way)


# --- Noise -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inner", [js.constant(0.1), js.linear(0.1, 0.2, 5), js.repeat(js.linear(1, 2, 3))]
)
def test_noise_is_another_at_each_step_for_ever(inner):
    noisy = js.noise(inner, 0.1)
    steps = np.arange(1000, 1100)
    factors = np.asarray(noisy(steps) / inner(steps))
    assert len(np.unique(factors)) == len(steps)
    assert abs(factors.mean() - 1) < 0.05


@pytest.mark.parametrize("step", [300, 400, 430])
def test_what_grows_is_right_until_it_stops(step):
    rate = js.ExponentialDecay(1.0, 1.1, 1.0)
    ulps = abs(float(rate(step)) / math.exp(step * math.log(1.1)) - 1) * 2**23
    assert ulps <= 16


GROWING = {
    "exponential": js.ExponentialDecay(0.1, 1.5, 3.0),
    "staircase": js.ExponentialDecay(0.1, 1.5, 3.0, staircase=True),
    "power law": js.power_law(0.1, exponent=-8.0, timescale=10.0),
    "sharp power law": js.power_law(0.1, exponent=-2.0, timescale=10.0, bend=0.01),
    "exp_range": js.exp_range(0.1, 1.0, up_steps=5, gamma=1.01),
    "repeat": js.repeat(js.linear(1.0, 0.5, 10), value_multiplier=1.5),
    "of PyTorch": js.compat.torch.ExponentialLR(0.1, gamma=1.5),
    "of Keras": js.compat.keras.CosineDecayRestarts(0.1, 10, t_mul=2.0, m_mul=3.0),
    "alternating": js.repeat(js.linear(1.0, 0.5, 10), value_multiplier=-3.0),
    "sgdr": js.sgdr(0.1, period=10, period_multiplier=2, peak_multiplier=9e9),
    "warm restarts": js.warm_restarts(
        0.1, period=10, warmup_steps=2, peak_multiplier=3.0
    ),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_without_end_stays_finite(name):
    both = jax.value_and_grad(lambda lr, step: lr(step), argnums=(0, 1))
    for step in (1e3, 1e4, 1e6, 2.0**31 - 1, 2.0**31):
        for way in (both, jax.jit(both)):
            assert np.isfinite(jax.tree.leaves(way(GROWING[name], step))).all(), step
        assert math.isfinite(jax.jit(GROWING[name])(step))
    assert math.isfinite(GROWING[name](math.inf))


def test_what_has_stopped_growing_stays_as_high():
    for name in ("exponential", "staircase", "power law"):
        late, later = (float(GROWING[name](step)) for step in (1e9, 1e10))
        assert 1e16 < late == later, name
    repeated = GROWING["alternating"]
    assert abs(repeated(10**6)) == abs(repeated(10**5)) > 1e17
