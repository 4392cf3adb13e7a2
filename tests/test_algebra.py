"""The laws of composition, and what is special to single nodes."""

import fractions
import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import jaxsched as js
from jaxsched import curves


STEPS = np.arange(-2, 60)
EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)
UP, FLAT, DOWN = js.linear(0, 1, 5), js.constant(1, 5), js.cosine(1, 0.1, 25)

lengths = st.integers(0, 5)
rates = st.floats(-10, 10, width=32, allow_subnormal=False)


def same(first, second, ulps=0):
    chex.assert_trees_all_close(first(STEPS), second(STEPS), rtol=ulps * EPSILON)


def test_chaining_is_associative():
    chex.assert_trees_all_equal((UP >> FLAT) >> DOWN, UP >> (FLAT >> DOWN))
    chex.assert_trees_all_equal(js.chain(UP, FLAT, DOWN), UP.then(FLAT).then(DOWN))


def test_adding_and_multiplying_are_associative():
    chex.assert_trees_all_equal((UP + FLAT) + DOWN, UP + (FLAT + DOWN))
    chex.assert_trees_all_equal((UP * FLAT) * DOWN, UP * (FLAT * DOWN))


def test_durations_add_up():
    assert (UP >> FLAT >> DOWN).duration == 35.0
    assert js.stretch(DOWN, 3).duration == 75.0
    assert js.repeat(DOWN, 3).duration == 75.0
    assert js.repeat(DOWN, 3, period_multiplier=2).duration == 175.0
    assert js.repeat(DOWN, 2.5, period_multiplier=2).duration == 125.0
    assert (UP + DOWN).duration == 25.0
    assert js.delay(UP, 3).duration == 8.0
    assert js.shift(DOWN, 3).duration == 22.0
    assert js.repeat(UP).duration == math.inf


def test_multiplication_distributes_over_chaining():
    same(2 * (UP >> DOWN), (2 * UP) >> (2 * DOWN))


def test_arithmetic_is_that_of_the_values():
    rates = DOWN(STEPS)
    for schedule, expected in (
        (DOWN + 1, rates + 1),
        (1 - DOWN, 1 - rates),
        (DOWN - UP, rates - UP(STEPS)),
        (-DOWN, -rates),
        (DOWN / 2, rates / 2),
        (1 / DOWN, 1 / rates),
        (UP / DOWN, UP(STEPS) / rates),
    ):
        chex.assert_trees_all_close(schedule(STEPS), expected, rtol=2 * EPSILON)


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), jnp.asarray(2.0)])
def test_multiplication_by_a_number_commutes(number):
    chex.assert_trees_all_equal((number * DOWN)(STEPS), (DOWN * number)(STEPS))


def test_reversing_twice_changes_nothing():
    same(js.reverse(js.reverse(UP >> DOWN)), UP >> DOWN)


def test_reversing_a_chain_reverses_its_order():
    same(js.reverse(UP >> DOWN), js.reverse(DOWN) >> js.reverse(UP), ulps=2)


def test_stretching_keeps_the_tail_of_a_decay():
    # 3 is no power of two: a clock that only counts up would lose these digits.
    steps = 3 * 2**20 - np.arange(1, 100)
    slow = js.stretch(js.linear(1.0, 0.0, 2**20), 3)
    expected = jnp.asarray(np.arange(1, 100) / (3 * 2**20), float)
    chex.assert_trees_all_close(slow(steps), expected, rtol=4 * EPSILON)


def test_a_number_prolongs_nothing():
    assert (UP + 1).duration == UP.duration
    assert (2 * UP).duration == UP.duration


def test_a_new_part_begins_at_its_step():
    schedule = UP >> js.constant(7.0, 2) >> DOWN
    assert [float(schedule(step)) for step in (5, 6, 7)] == [7.0, 7.0, 1.0]


def test_a_number_may_come_first_or_last():
    assert float((0.5 >> UP)(0)) == 0.0
    assert float((UP >> 0.5)(5)) == 0.5


@pytest.mark.parametrize("multiplier", [1, 2, 3, 10])
@pytest.mark.parametrize("period", [1, 5, 10])
def test_restarts_are_at_their_steps(multiplier, period):
    cycles = js.repeat(
        js.linear(1.0, 0.0, period), period_multiplier=multiplier, value_multiplier=0.5
    )
    begins = period * np.cumsum([0, *(multiplier**i for i in range(7))])
    chex.assert_trees_all_equal(cycles(begins), jnp.asarray(0.5 ** np.arange(8), float))
    if period > 1:
        assert (cycles(begins[1:] - 1) < 0.5 ** np.arange(7)).all()


@pytest.mark.parametrize("count", [3, 6, 7, 11])
def test_restarts_are_at_their_steps_if_a_period_is_no_whole_number(count):
    steps = np.array([n for n in range(1, 1000) if n * count % 100 == 0])
    lr = js.repeat(js.linear(1.0, 0.0, 100 / count))
    np.testing.assert_allclose(lr(steps), 1.0, rtol=1e-3)
    just_before = np.asarray(lr(steps - 1))
    np.testing.assert_allclose(just_before, count / 100, rtol=0.02)


def test_noise_is_a_normal_distribution_cut_off():
    deviation, limit, steps = 0.2, 0.3, np.arange(20_000)
    lr = js.noise(js.constant(2.0, len(steps)), deviation, limit=limit, seed=1)
    drawn = np.asarray(lr(steps), float) / 2 - 1
    bound = limit / deviation
    density = math.exp(-(bound**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * bound * density / math.erf(bound / math.sqrt(2))
    spread = deviation * math.sqrt(variance)
    assert abs(drawn).max() <= limit * (1 + 1e-6)
    assert abs(drawn.mean()) < 4 * spread / math.sqrt(len(steps))
    np.testing.assert_allclose(drawn.std(), spread, rtol=0.02)
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.03


def test_noise_is_a_function_of_the_seed_and_the_step():
    lr = js.noise(js.linear(1.0, 0.0, 50), 0.1, seed=1)
    steps = np.arange(50)
    assert lr(17) == lr(steps)[17]
    chex.assert_trees_all_equal(lr(steps[::-1]), lr(steps)[::-1])
    assert not np.array_equal(lr.replace(seed=2)(steps), lr(steps))
    still = lr.replace(deviation=0)
    chex.assert_trees_all_equal(still(steps), js.linear(1.0, 0.0, 50)(steps))


def test_any_number_of_chebyshev_nodes_in_their_own_order():
    lr = js.chebyshev(0.5, largest=1.0, total_steps=3, fractal=False)
    nodes = [0.75 - 0.25 * math.cos(math.pi * (k + 0.5) / 3) for k in range(3)]
    np.testing.assert_allclose(lr([0, 1, 2]), 1 / np.array(nodes), rtol=1e-6)


def test_restarts_may_be_a_fraction_longer_each_time():
    cycles = js.repeat(js.linear(1.0, 0.0, 10), period_multiplier=1.5)
    begins = np.array([0.0, 10.0, 25.0, 47.5, 81.25])
    chex.assert_trees_all_close(cycles(begins), jnp.ones(5), rtol=1e-5)
    assert float(cycles(24)) == pytest.approx(1 / 15, rel=1e-5)


def test_the_multiplier_of_periods_has_its_derivative_at_one():
    def rate(multiplier):
        return js.repeat(js.linear(1.0, 0.0, 10), period_multiplier=multiplier)(43.0)

    # The fifth cycle begins at 10 (1 + m + m^2 + m^3), and is 10 m^4 steps long.
    expected = (10 * (1 + 2 + 3) + 3 * 4) / 10
    chex.assert_trees_all_close(
        jax.grad(rate)(1.0), jnp.asarray(expected, float), rtol=1e-5
    )


@pytest.mark.parametrize("times", [1, 2, 1000])
def test_repeating_ends_at_the_end_of_the_last_cycle(times):
    schedule = js.repeat(js.linear(0.0, 1.0, 3), times)
    last = schedule.duration
    assert [float(schedule(step)) for step in (last - 3, last, last + 9)] == [0, 1, 1]


def test_a_staircase_holds_each_value():
    stairs = js.staircase(js.linear(0.0, 1.0, 10), 4)
    expected = jnp.asarray([0, 0, 0, 0, 0.4, 0.4, 0.4, 0.4, 0.8, 0.8, 0.8, 0.8, 1.0])
    chex.assert_trees_all_close(stairs(np.arange(13)), expected.astype(float))


@pytest.mark.parametrize("every", [3, 7, 10, 30, 41, 49, 97, 1000])
def test_a_step_decays_at_each_multiple_of_its_length(every):
    schedule = js.step_decay(1.0, factor=0.5, every=every)
    at = every * np.arange(1, 12)
    halves = 0.5 ** np.arange(0, 12)
    chex.assert_trees_all_close(schedule(at), jnp.asarray(halves[1:], float), rtol=1e-6)
    chex.assert_trees_all_close(
        schedule(at - 1), jnp.asarray(halves[:-1], float), rtol=1e-6
    )


def test_switching_keeps_the_clock():
    halves = js.switch([UP, DOWN], [3])
    chex.assert_trees_all_equal(
        halves(STEPS), jnp.where(STEPS < 3, UP(STEPS), DOWN(STEPS))
    )


@pytest.mark.parametrize("join", ["prefix", "overlay", "multiply"])
def test_a_warmup_of_no_steps_is_none(join):
    same(js.warmup(DOWN, 0, join=join), DOWN)


def test_a_warmup_reaches_what_it_warms_up_to():
    decay = js.inverse_sqrt(1.0, 3)
    assert float(js.warmup(decay, 4)(4)) == 1.0
    chex.assert_trees_all_equal(js.warmup(decay, 4, join="overlay")(4), decay(4))
    chex.assert_trees_all_equal(js.warmup(decay, 4, join="multiply")(4), decay(4))


def test_a_cooldown_begins_at_the_value_it_finds():
    decay = js.inverse_sqrt(1.0, 3)
    cooled = js.cooldown(decay, 20, 10, end=0.01, curve=curves.Sqrt())
    chex.assert_trees_all_equal(cooled(np.arange(21)), decay(np.arange(21)))
    assert float(cooled(30)) == float(jnp.asarray(0.01, float))


@settings(deadline=None, max_examples=60)
@given(warmup=lengths, stable=lengths, decay=lengths)
def test_phases_of_any_length_stay_within_their_rates(warmup, stable, decay):
    total = warmup + stable + decay
    schedule = js.wsd(
        1.0, warmup_steps=warmup, decay_steps=decay, total_steps=total, end=0.1
    )
    rates = np.asarray(schedule(np.arange(-1, 18)))
    assert np.isfinite(rates).all()
    assert ((rates >= 0) & (rates <= 1)).all()
    assert rates[-1] == np.float32(0.1) or rates[-1] == 0.1
    if stable:
        assert float(schedule(warmup)) == 1.0


@settings(deadline=None, max_examples=40)
@given(start=rates, end=rates, steps=st.integers(1, 10**9))
def test_ramps_are_monotone_and_reach_both_ends(start, end, steps):
    schedule = js.linear(start, end, steps)
    values = np.asarray(schedule(np.linspace(0, steps, 57)))
    assert values[0] == start
    assert values[-1] == end
    slack = 4 * np.spacing(np.abs(values).max())
    assert (np.sign(end - start) * np.diff(values) >= -slack).all()


@pytest.mark.parametrize(
    "curve",
    [
        c() if i != 2 else c(2.0)
        for i, c in enumerate(
            (curves.Linear, curves.Cosine, curves.Power, curves.Sqrt, curves.Square)
        )
    ],
)
def test_weights_of_a_curve_sum_to_one(curve):
    u = jnp.linspace(0, 1, 101)
    to_end, to_start = curve(u, 1 - u)
    chex.assert_trees_all_close(to_end + to_start, jnp.ones_like(u), rtol=4 * EPSILON)


def test_curves_transform_each_other():
    def shape(curve):
        return js.ramp(0.0, 1.0, 57, curve)

    cube, square = curves.Power(3.0), curves.Power(2.0)
    same(shape(curves.Reversed(curves.Reversed(cube))), shape(cube))
    same(shape(curves.Reversed(square)), shape(curves.Square()), ulps=8)
    same(shape(curves.Reversed(curves.Power(0.5))), shape(curves.Sqrt()), ulps=8)
    same(shape(curves.KDecay(2.0)), shape(curves.Square()), ulps=8)
    same(shape(curves.Rex(1.0)), shape(curves.Linear()), ulps=4)
    same(shape(curves.Reciprocal(0.1)), shape(curves.Rex(10.0)), ulps=8)
    same(shape(curves.Mirrored(curves.Linear())), shape(curves.Linear()), ulps=8)
    same(shape(curves.Tanh(-3.0, 3.0)), shape(curves.Sigmoid(-6.0, 6.0)), ulps=4)
    same(shape(curves.Hyperbolic(1.0)), shape(curves.Linear()), ulps=16)
    same(shape(curves.Exponential(1.0)), shape(curves.Linear()), ulps=4)


def test_an_exponential_curve_is_straight_in_log_space():
    along = js.ramp(1.0, 0.01, 40, curves.Exponential(0.01))
    same(along, js.exponential(1.0, 0.01, 40), ulps=32)


# --- Ahead, powers, and cooldowns that multiply -------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_a_warmup_one_step_ahead_ends_at_its_length(n):
    lr = js.ahead(js.linear(0.0, 0.1, n), 1) >> js.cosine(0.1, 0.0, 50)
    assert lr.duration == n + 50
    counts = np.arange(n)
    np.testing.assert_allclose(lr(counts), (counts + 1) / n * 0.1, rtol=2e-7)
    after = js.cosine(0.1, 0.0, 50)(np.arange(52))
    chex.assert_trees_all_equal(lr(n + np.arange(52)), after)


def test_ahead_is_a_shift_that_is_held():
    for schedule in (DOWN, js.inverse_sqrt(1.0, 10), UP >> DOWN):
        same(js.ahead(schedule, 3), js.shift(schedule, 3), ulps=4)
        assert js.ahead(schedule, 3).duration == schedule.duration
    chex.assert_trees_all_equal(js.ahead(UP, 50)(STEPS), UP(STEPS + 1000))
    slope = jax.grad(lambda lr: lr(2.0))(js.ahead(js.linear(0.0, 1.0, 10.0), 1.0))
    np.testing.assert_allclose(slope.inner.steps, -0.03, rtol=1e-6)
    np.testing.assert_allclose(slope.steps, 0.1, rtol=1e-6)


def test_powers_are_those_of_the_values():
    near = dict(rtol=4 * EPSILON)
    np.testing.assert_allclose((DOWN**2)(STEPS), DOWN(STEPS) ** 2, **near)
    np.testing.assert_allclose((DOWN**UP)(STEPS), DOWN(STEPS) ** UP(STEPS), **near)
    np.testing.assert_allclose((2.0**DOWN)(STEPS), 2.0 ** DOWN(STEPS), **near)
    np.testing.assert_allclose(
        (np.float32(2) ** DOWN)(STEPS), 2.0 ** DOWN(STEPS), **near
    )
    assert (DOWN**UP).duration == 25.0


@pytest.mark.parametrize(
    ("base", "exponent", "value", "by_base", "by_exponent"),
    [
        (0.0, 2.0, 0.0, 0.0, 0.0),
        (0.0, 1.0, 0.0, 1.0, 0.0),
        (0.0, 0.5, 0.0, 0.0, 0.0),
        (0.0, 0.0, 1.0, 0.0, 0.0),
        (-0.0, 3.0, 0.0, 0.0, 0.0),
        (3.0, 2.0, 9.0, 6.0, 9 * math.log(3)),
        (-3.0, 2.0, 9.0, -6.0, 0.0),
        (-3.0, 3.0, -27.0, 27.0, 0.0),
        (-2.0, -1.0, -0.5, -0.25, 0.0),
        (-2.0, 0.0, 1.0, 0.0, 0.0),
        (1e-20, 0.5, 1e-10, 5e9, 1e-10 * math.log(1e-20)),
    ],
)
def test_powers_and_their_slopes(base, exponent, value, by_base, by_exponent):
    def power(base, exponent):
        return (js.constant(base) ** js.constant(exponent))(0)

    found = jax.jit(jax.value_and_grad(power, argnums=(0, 1)))(base, exponent)
    expected = value, (by_base, by_exponent)
    chex.assert_trees_all_close(
        jax.tree.map(float, found), expected, rtol=32 * EPSILON, atol=0
    )
    at = js.linear(-1.0, 1.0, 2.0) ** 2
    assert [float(jax.grad(at)(t)) for t in (0.5, 1.0, 1.5)] == [-1.0, 0.0, 1.0]


def test_a_negative_number_has_no_power_that_is_not_whole():
    assert math.isnan((js.constant(-2.0) ** 0.5)(0))


def test_a_cooldown_may_multiply_a_schedule_that_goes_on():
    law = js.inverse_sqrt(1.0, 10)
    lr = js.cooldown(law, 30, 20, end=0.1, join="multiply")
    steps = np.arange(60)
    remaining = np.clip((50 - steps) / 20, 0, 1)
    expected = np.asarray(law(steps)) * remaining + 0.1 * (1 - remaining)
    np.testing.assert_allclose(lr(steps), expected, rtol=4 * EPSILON)
    assert lr.duration == 50.0
    assert lr(50) == lr(70) == jnp.asarray(0.1)
    with pytest.raises(ValueError, match=r"`Cooldown.join` must be in .*'multiply'"):
        js.cooldown(law, 30, 20, join="multply")


@pytest.mark.parametrize("join", ["hold", "multiply"])
def test_a_cooldown_ends_at_its_end_even_from_infinity(join):
    lr = js.cooldown(1.0 / js.linear(1.0, 0.0, 10), 10, 5, 0.1, join=join)
    assert float(lr(15)) == float(lr(20)) == float(jnp.asarray(0.1))
    assert math.isinf(lr(12))


def test_the_power_scheduler_needs_no_end():
    given = dict(batch_size=8, tokens_per_step=2**17, warmup_steps=5)
    endless = js.power_scheduler(0.02, **given)
    cooled = js.power_scheduler(0.02, decay_steps=20, total_steps=100, **given)
    assert endless.duration == math.inf
    chex.assert_trees_all_equal(endless(np.arange(81)), cooled(np.arange(81)))
    assert endless(1000) > 0
    with pytest.raises(ValueError, match=r"`decay_steps` needs `total_steps`.*=20"):
        js.power_scheduler(0.02, decay_steps=20, **given)


# --- Warm restarts ------------------------------------------------------------------


def begins(period, warmup, longer, count):
    """The steps at which cycles begin, exactly."""
    period, warmup, longer = map(fractions.Fraction, (period, warmup, longer))
    lengths = (warmup + (period - warmup) * longer**cycle for cycle in range(count))
    return [float(begin) for begin in itertools.accumulate(lengths, initial=0)]


@pytest.mark.parametrize(
    ("period", "warmup", "longer", "cycles"),
    [
        (10, 0, 1, 1000),
        (10, 3, 1, 1000),
        (1, 0, 1, 3000),
        (1, 1, 1, 3000),
        (7, 7, 2, 500),
        (10, 3, 2, 19),
        (1000, 1, 3, 8),
        (8, 3, 1.5, 5),
        (64, 3, 0.5, 6),
    ],
)
def test_warm_restarts_are_at_their_steps(period, warmup, longer, cycles):
    steps = np.array(begins(period, warmup, longer, cycles))
    lr = js.warm_restarts(
        1.0,
        period=period,
        warmup_steps=warmup,
        period_multiplier=longer,
        peak_multiplier=0.999,
        start=0.25,
    )
    peaks = 0.999 ** np.arange(len(steps))
    expected = np.full_like(peaks, 0.25) if warmup else peaks
    # Shrinking cycles begin between two steps.
    near = (cycles if longer >= 1 else 64) * EPSILON
    np.testing.assert_allclose(lr(steps), expected, rtol=near)
    if period > warmup:
        at = (steps == np.round(steps)) & (np.arange(len(steps)) < cycles)
        np.testing.assert_allclose(lr(steps[at] + warmup), peaks[at], rtol=near)
    if period > warmup + 1 and longer >= 1:
        # A step before, the decay is nearly over.
        assert (lr(steps[1:] - 1) < 0.25).all()


@pytest.mark.parametrize(("period", "warmup"), [(10 / 9, 0), (31.7, 4.3), (13.1, 1)])
def test_warm_restarts_of_no_whole_length_are_not_late(period, warmup):
    cycles = np.arange(300)
    steps = np.array(
        [float(cycle * fractions.Fraction(period)) for cycle in range(300)]
    )
    lr = js.warm_restarts(1.0, period=period, warmup_steps=warmup)
    near = steps == np.round(steps)
    after = np.ceil(steps)
    since = after - steps
    decay = period - warmup
    passed = np.clip((since - warmup) / decay, 0, 1)
    expected = np.cos(np.pi / 2 * passed) ** 2
    if warmup:
        expected = np.where(since < warmup, since / warmup, expected)
    inside = (since < period - 1e-3) & (cycles > 0) & ~near
    np.testing.assert_allclose(
        lr(after[inside]), expected[inside], atol=600 * EPSILON * 300
    )
    assert inside.sum() > 200


def test_warm_restarts_without_warmup_are_sgdr():
    given = dict(period=10, period_multiplier=2, peak_multiplier=0.5)
    for end in (0.0, 0.1):
        ours = js.warm_restarts(1.0, warmup_steps=0, end=end, cycles=5, **given)
        assert ours.duration == js.sgdr(1.0, end=end, cycles=5, **given).duration
        assert float(ours(310)) == float(ours(400)) == float(jnp.asarray(end))
        assert (ours(np.arange(400)) >= end - EPSILON).all()
    same(
        js.warm_restarts(1.0, warmup_steps=0, cycles=5, **given),
        js.sgdr(1.0, cycles=5, **given),
        ulps=16,
    )


def test_warm_restarts_last_as_long_as_their_cycles():
    given = dict(period=10, warmup_steps=4, period_multiplier=2)
    assert js.warm_restarts(1.0, cycles=3, **given).duration == 10 + 16 + 28
    assert js.warm_restarts(1.0, cycles=2.5, **given).duration == 10 + 16 + 14
    assert js.warm_restarts(1.0, **given).duration == math.inf
    lengths = jax.grad(lambda lr: lr.duration)(js.warm_restarts(1.0, cycles=3, **given))
    assert lengths.warmup_steps == 3
    assert lengths.decay_steps == 7
    with pytest.raises(ValueError, match="`period` must be at least `warmup_steps`"):
        js.warm_restarts(1.0, period=3, warmup_steps=4)


def test_warm_restarts_of_any_number_are_one_small_program():
    few, many = (
        js.warm_restarts(1.0, period=10, warmup_steps=4, cycles=cycles)
        for cycles in (2, 100_000)
    )
    programs = [str(jax.make_jaxpr(lambda lr: lr(3))(lr)) for lr in (few, many)]
    assert programs[0] == programs[1]
    assert len(programs[0]) < 30_000
    chex.assert_trees_all_equal(few(np.arange(19)), many(np.arange(19)))
    assert many(1_000_000) == few(20)


@pytest.mark.parametrize("longer", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("warmup", [0.0, 3.0, 10.0])
def test_warm_restarts_are_finite_whatever_they_are_given(longer, warmup):
    lr = js.warm_restarts(
        1.0,
        period=10,
        warmup_steps=warmup,
        period_multiplier=longer,
        peak_multiplier=0.0,
        end=0.1,
    )
    steps = jnp.asarray([0.0, 2.0, 3.0, 10.0, 13.5, 16.0, 1e3, 1e6, 1e12])
    slope = jax.vmap(jax.value_and_grad(lambda lr, t: lr(t), (0, 1)), (None, 0))
    chex.assert_tree_all_finite(slope(lr, steps))


@pytest.mark.parametrize("whole", [10, 30, 77])
@pytest.mark.parametrize("parts", range(2, 14))
def test_warm_restarts_at_whole_steps_are_not_late(whole, parts):
    lr = js.warm_restarts(1.0, period=whole / parts, warmup_steps=0.0)
    # Rounding may put the restart just before or after, but not a step away.
    for count in range(1, 6):
        assert lr(float(count * whole)) > 0.99
    lr = js.warm_restarts(1.0, period=whole / parts, warmup_steps=0.0, cycles=parts)
    assert lr(float(whole + 1)) == 0


@pytest.mark.parametrize("period", [31.7, 13.1, 10 / 3])
@pytest.mark.parametrize("longer", [1.0, 1.3, 2.0])
@pytest.mark.parametrize("cycles", [1, 2, 3, 7])
def test_warm_restarts_end_at_their_end(period, longer, cycles):
    lr = js.warm_restarts(
        0.3,
        period=period,
        warmup_steps=1.1,
        period_multiplier=longer,
        cycles=cycles,
    )
    end = lr.duration
    assert lr(end + 9) == jax.jit(lr)(end + 9) == 0
    # Where the end is, hosts and devices may round to neighbouring numbers.
    assert lr(end) < 1e-10
    decay = (period - 1.1) * longer ** (cycles - 1)
    tail = 0.3 * math.sin(math.pi / 2 * 0.01) ** 2
    np.testing.assert_allclose(lr(end - 0.01 * decay), tail, rtol=0.01)
