"""Clocks and batch sizes: against loops that count what each step has taken."""

import itertools
import math
from random import Random

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js
from jaxsched import training
from jaxsched.transforms import OnClock


SIZES = [256, 512, 1024, 64]
PLAN = js.piecewise_constant([10, 30, 31], SIZES)


def taken(plan, steps):
    """What the first steps take, one by one."""
    return [round(float(size)) for size in np.asarray(plan(np.arange(steps)))]


# --- A clock --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_amounts_are_exact_at_any_step_and_so_is_the_inverse(seed):
    random = Random(seed)
    pieces = random.randint(1, 40)
    boundaries = sorted(random.sample(range(1, 10**6), pieces))
    sizes = [random.randint(1, 5_000_000) for _ in range(pieces + 1)]
    plan = js.piecewise_constant(boundaries, sizes)
    steps = [random.randint(0, 2**23) for _ in range(50)] + boundaries
    begins, ends = [0, *boundaries], [*boundaries, 10**12]
    right = [
        sum(
            max(min(step, end) - begin, 0) * size
            for begin, end, size in zip(begins, ends, sizes, strict=True)
        )
        for step in steps
    ]
    assert training.elapsed(plan, np.array(steps)).tolist() == right
    assert training.elapsed(plan, steps[0]) == right[0]
    assert training.reached(plan, np.array(right)).tolist() == steps
    later = training.reached(plan, np.array(right) + 1)
    assert later.tolist() == [step + 1 for step in steps]
    # In a program, it is the nearest float.
    traced = jax.jit(lambda step: training.elapsed(plan, step))(jnp.array(steps))
    np.testing.assert_array_equal(traced, np.array(right, np.float32))


def test_the_inverse_in_a_program():
    plan = js.piecewise_constant([10, 30, 31], SIZES)
    steps = np.arange(60)
    amounts = training.elapsed(plan, steps)
    inverse = jax.jit(lambda amount: training.reached(plan, amount))
    np.testing.assert_array_equal(inverse(jnp.asarray(amounts)), steps)
    np.testing.assert_array_equal(inverse(jnp.asarray(amounts) + 1), steps + 1)
    assert training.reached(plan, -5) == 0
    assert training.elapsed(plan, -5) == training.elapsed(plan, -5.0) == 0
    assert training.elapsed(plan, 2**70) > 2**75
    assert training.reached(plan, 0.5) == 1.0


def test_the_inverse_does_not_look_at_all_pieces():
    def equations(pieces):
        plan = js.piecewise_constant(range(1, pieces), range(1, pieces + 1))
        jaxpr = jax.make_jaxpr(lambda x: training.reached(plan, x))(1.0)
        return str(jaxpr).count("=")

    assert equations(64) == equations(4096)


@pytest.mark.parametrize(
    "whole", [js.linear(1.0, 0.0, 10_000), js.sgdr(1.0, period=99)]
)
def test_a_schedule_on_a_clock_is_that_of_what_has_elapsed(whole):
    lr = js.on_clock(whole, PLAN)
    steps = np.arange(100)
    expected = whole(training.elapsed(PLAN, steps))
    for seen in (lr(steps), jax.jit(lr)(steps), jax.vmap(lr)(steps)):
        np.testing.assert_allclose(seen, expected, rtol=2e-6, atol=1e-7)


def test_a_multiple_of_a_clock_and_a_number_are_clocks():
    tokens = js.linear(1.0, 0.0, 4096 * 512 * 10)
    number = js.on_clock(tokens, 4096 * 512)
    product = js.on_clock(tokens, 4096 * js.constant(512))
    plan = js.on_clock(tokens, 2048 * js.piecewise_constant([3], [1024, 1024]) * 1.0)
    steps = np.arange(12)
    for lr in (number, product, plan):
        assert lr.duration == 10
        np.testing.assert_allclose(lr(steps), js.linear(1.0, 0.0, 10)(steps), atol=1e-6)


@pytest.mark.parametrize(
    "clock",
    [
        js.linear(1.0, 2.0, 10),
        PLAN + PLAN,
        PLAN * PLAN,
        js.piecewise_constant([3], [1, 0]),
        js.piecewise_constant([3], [-1, 1]),
        0.0,
        "1",
        None,
    ],
)
def test_what_is_no_clock_is_refused(clock):
    with pytest.raises((TypeError, ValueError), match="clock"):
        js.on_clock(js.linear(1.0, 0.0, 10), clock)


def test_a_clock_may_be_given_to_a_program():
    def rate(boundaries, sizes, step):
        return js.on_clock(
            js.linear(1.0, 0.0, 100), js.piecewise_constant(boundaries, sizes)
        )(step)

    seen, slopes = jax.jit(jax.value_and_grad(rate, (0, 1)))(
        jnp.array([10.0]), jnp.array([2.0, 4.0]), 20.0
    )
    np.testing.assert_allclose(seen, 0.4, rtol=1e-6)
    np.testing.assert_allclose(slopes[0], [0.02], rtol=1e-5)
    np.testing.assert_allclose(slopes[1], [-0.1, -0.1], rtol=1e-5)


# --- Another clock, measured as training goes on --------------------------------------


@pytest.mark.parametrize(
    ("lr", "spent"),
    [
        (js.cosine(1.0, 0.0, 250e9), jnp.array([0.0, 50e9, 125e9, 250e9])),
        (js.linear(1.0, 0.0, 3600.0), jnp.array([0.0, 12.5, 1800.0, 4000.0])),
        (js.linear(1.0, 0.0, 1.0), jnp.array([0.0, 0.25, 0.5, 1.0])),
    ],
    ids=["tokens", "seconds", "share of a budget"],
)
def test_a_rate_follows_a_clock_that_is_measured(lr, spent):
    optimizer = training.inject(optax.sgd)(js.constant(0.0))
    params = jnp.zeros(2)

    def step(state, now):
        state = training.set_schedule(state, lr(now))
        updates, state = optimizer.update(jnp.ones(2), state, params)
        return state, (updates[0], training.applied(state)["learning_rate"])

    with jax.numpy_dtype_promotion("standard"):
        _, (updates, rates) = jax.lax.scan(step, optimizer.init(params), spent)
    np.testing.assert_allclose(rates, lr(spent), rtol=1e-6)
    np.testing.assert_allclose(updates, -lr(spent), rtol=1e-6)


# --- Plans that others have -----------------------------------------------------------


def megatron_stages(stages, steps):
    """Of stages by samples, the last that has begun before each step."""
    seen = 0
    for _ in range(steps):
        size = [size for begin, size in stages if begin <= seen][-1]
        yield size
        seen += size


@pytest.mark.parametrize("seed", range(10))
def test_stages_of_megatron(seed):
    random = Random(seed)
    begins = [0, *sorted(random.sample(range(1, 5000), random.randint(0, 8)))]
    stages = [(begin, random.randint(1, 400)) for begin in begins]
    text = " ".join(f"{begin}:{size}" for begin, size in stages)
    right = [*megatron_stages(stages, 300)]
    assert taken(training.batch_sizes(text), 300) == right
    assert taken(training.batch_sizes(dict(stages)), 300) == right
    assert taken(training.batch_sizes(stages), 300) == right


def test_tokens_are_counted_in_whole_samples_as_in_megatron():
    text = "0:768 250B:1536, 500b:3072 0.75T:6144"
    plan = training.batch_sizes(text, unit="tokens", sequence_length=4096)
    for begin, size in [(250e9, 1536), (500e9, 3072), (750e9, 6144)]:
        step = training.reached(plan, int(begin) // 4096)
        assert plan(step) == size
        assert plan(step - 1) == size / 2


def megatron_ramp(start, end, increment, samples, steps):
    """`--rampup-batch-size`: what has been seen decides."""
    part = samples / ((end - start) // increment)
    seen = 0
    for _ in range(steps):
        size = end if seen > samples else start + int(seen / part) * increment
        yield size
        seen += size


def maxtext_ramp(start, end, increment, samples, steps):
    """Each batch size counts anew, until it has taken its part."""
    part = samples / ((end - start) // increment)
    size, seen = start, 0
    for _ in range(steps):
        yield size
        seen += size
        if seen >= part:
            size, seen = min(size + increment, end), 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("restart", [False, True])
def test_ramps_of_megatron_and_maxtext(seed, restart):
    random = Random(seed)
    start, increment = random.randint(1, 64), random.randint(1, 64)
    end = start + increment * random.randint(1, 12)
    samples = random.randint(100, 20_000)
    plan = training.batch_ramp(
        start, end, increment=increment, samples=samples, restart=restart
    )
    ramp = maxtext_ramp if restart else megatron_ramp
    assert taken(plan, 2000) == [*ramp(start, end, increment, samples, 2000)]


def test_a_plan_of_levanter_is_by_steps():
    stages = [(0, 32), (10, 64), (25, 128)]
    plan = training.batch_sizes(stages, unit="steps")
    offsets = [0, *itertools.accumulate(taken(plan, 60))]
    assert training.elapsed(plan, np.arange(61)).tolist() == offsets
    # The step that has a sample is the one before which it has not been seen.
    for sample in (0, 31, 32, 319, 320, 321, 2000):
        step = training.reached(plan, sample + 1) - 1
        assert offsets[step] <= sample < offsets[step + 1]


def test_rates_follow_the_batch_size_as_in_olmo_and_modded_nanogpt():
    tokens = {0: 2**20, 10 * 2**20: 2**21, 30 * 2**20: 2**22}
    plan = training.batch_sizes(tokens)
    lr = js.on_clock(js.constant(1e-3), plan) * (plan / 2**20) ** 0.5
    rates, size, scale, seen = [], 2**20, 1.0, 0
    for _ in range(40):
        due = [new for begin, new in tokens.items() if begin <= seen][-1]
        scale, size = scale * math.sqrt(due / size), due
        rates.append(1e-3 * scale)
        seen += size
    np.testing.assert_allclose(lr(np.arange(40)), rates, rtol=1e-6)
    stages = training.batch_sizes([(0, 8), (500, 16), (1000, 24)], unit="steps")
    lr = js.linear(1.0, 0.5, 1500) * (stages / 8) ** 0.6
    np.testing.assert_allclose(lr(700), (1 - 0.5 * 700 / 1500) * 2**0.6, rtol=1e-6)


def test_a_run_with_more_samples_per_step_ends_when_its_data_do():
    # Counted by steps, a decay would go on for ever longer than the data last.
    plan = training.batch_sizes("0:100 10K:200 30K:400")
    lr = js.on_clock(
        js.wsd(1.0, warmup_steps=1e4, decay_steps=2e4, total_steps=1e5), plan
    )
    assert lr.duration == training.reached(plan, 100_000) == 375
    assert lr(lr.duration) == 0
    np.testing.assert_allclose(lr(lr.duration - 1), 400 / 2e4, rtol=1e-5)


@pytest.mark.parametrize(
    ("stages", "options"),
    [
        ("", {}),
        ("768", {}),
        ("0:768 250X:1", {}),
        ("10:768", {}),
        ("0:768 0:5", {}),
        ("0:768 20:5 10:5", {}),
        ("0:0", {}),
        ({}, {}),
        ({0: -3}, {}),
        ({0: 2.5}, {}),
        ({0: 8, 1.5: 16}, {}),
        ([1, 2], {}),
        (None, {}),
        ("0:768", {"unit": "tokens"}),
        ("0:768", {"sequence_length": 4096}),
        ("0:768", {"unit": "tokens", "sequence_length": 0}),
        ("0:768", {"unit": "epochs"}),
    ],
)
def test_what_are_no_stages_is_refused(stages, options):
    with pytest.raises((TypeError, ValueError), match=r"stages|unit|sequence_length"):
        training.batch_sizes(stages, **options)


@pytest.mark.parametrize(
    ("change", "name"),
    [({"start": 0}, "start"), ({"end": 33}, "end"), ({"samples": 2.5}, "samples")],
)
def test_what_is_no_ramp_is_refused(change, name):
    given = {"start": 16, "end": 32, "increment": 8, "samples": 100} | change
    with pytest.raises(ValueError, match=f"`{name}`"):
        training.batch_ramp(**given)


# --- Seesaw ---------------------------------------------------------------------------

SAMPLES = 1e6

DECAYS = {
    "quarter of a cosine": (
        js.until(
            js.custom(lambda t, n: jnp.cos(jnp.pi / 2 * t / n), n=SAMPLES), SAMPLES
        ),
        1 - 2 / math.pi,
    ),
    "cosine": (js.cosine(1e-3, 0.0, SAMPLES), 0.5),
    "linear": (js.linear(3.0, 0.0, SAMPLES), 0.5),
    "cosine to a tenth": (js.cosine(1.0, 0.1, SAMPLES), 0.45),
    "wsd": (js.wsd(1.0, warmup_steps=0, decay_steps=2e5, total_steps=SAMPLES), 0.1),
    "wsd, 1-sqrt": (
        js.constant(1.0, 8e5) >> js.ramp(1.0, 0.0, 2e5, js.curves.Sqrt()),
        0.2 * 2 / 3,
    ),
    "warmup": (js.warmup_cosine(1.0, warmup_steps=1e5, total_steps=SAMPLES), 0.45),
    "steps": (
        js.multi_step(1.0, boundaries=[3e5, 6e5], factor=0.1) >> js.constant(0.01, 4e5),
        0.666,
    ),
}


@pytest.mark.parametrize("name", DECAYS)
def test_a_batch_that_grows_with_every_step_saves_one_minus_the_mean(name):
    lr, saved = DECAYS[name]
    plan = training.seesaw(lr, 100)
    assert plan.saved_at_most == pytest.approx(saved, abs=1e-12)
    assert 0 < plan.saved < plan.saved_at_most
    finer = training.seesaw(lr, 100, factor=1.1)
    assert finer.saved_at_most == plan.saved_at_most
    if name != "steps":
        assert plan.saved < finer.saved < saved


@pytest.mark.parametrize(
    ("name", "saved"),
    [("quarter of a cosine", 0.3584), ("cosine", 0.481), ("linear", 0.4922)],
)
def test_a_largest_batch_saves_less(name, saved):
    plan = training.seesaw(DECAYS[name][0], 100, largest=800)
    assert plan.saved_at_most == pytest.approx(saved, abs=5e-5)
    assert max(plan.batch_sizes.values) == 800


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_rate_and_batch_together_are_the_decay(power):
    whole = DECAYS["linear"][0]
    plan = training.seesaw(whole, 100, power=power)
    steps = np.arange(plan.schedule.duration)
    sizes = np.asarray(plan.batch_sizes(steps))
    seen = training.elapsed(plan.batch_sizes, steps)
    relative = np.asarray(plan.schedule(steps)) / (sizes / 100) ** power
    np.testing.assert_allclose(relative, whole(seen), rtol=1e-5, atol=1e-6)
    # Each stage begins with the first step at which the rate has fallen so far.
    for begin, size in zip(
        plan.batch_sizes.boundaries, plan.batch_sizes.values[1:], strict=True
    ):
        before = training.elapsed(plan.batch_sizes, np.array([begin - 1, begin], int))
        fallen = np.asarray(whole(before)) / 3.0
        assert fallen[0] > 100 / size * (1 - 1e-6) >= fallen[1] * (1 - 2e-6)
    total = training.elapsed(plan.batch_sizes, int(plan.schedule.duration))
    assert total == pytest.approx(SAMPLES, rel=0.02)


def test_a_rate_that_does_not_fall_trades_nothing():
    plan = training.seesaw(js.constant(1.0, 1000), 10)
    assert isinstance(plan.schedule, OnClock)
    assert plan.saved == 0
    assert plan.saved_at_most == 0


@pytest.mark.parametrize(
    ("lr", "options", "name"),
    [
        (js.inverse_sqrt(1.0, 10), {}, "end"),
        (js.sgdr(1.0, period=10), {}, "end"),
        (js.repeat(js.linear(1.0, 0.0, 10), 3), {}, "rise"),
        (js.constant(0.0, 10), {}, "rate above 0"),
        (js.constant(0.1), {}, "no samples"),
        (DECAYS["linear"][0], {"factor": 1.0}, "factor"),
        (DECAYS["linear"][0], {"power": 2.0}, "power"),
        (DECAYS["linear"][0], {"largest": -1.0}, "largest"),
        (DECAYS["linear"][0], {"batch_size": 0}, "batch_size"),
    ],
)
def test_what_cannot_be_traded_is_refused(lr, options, name):
    with pytest.raises(ValueError, match=name):
        training.seesaw(lr, **({"batch_size": 100} | options))
