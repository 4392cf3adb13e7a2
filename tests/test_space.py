"""The space: calls that wait, dimensions and their names, and what is drawn of them."""

import json
import math

import jax
import numpy as np
import pytest

import jaxsched as js
from jaxsched import curves, search
from jaxsched.calls import Call, made
from jaxsched.search import samplers
from jaxsched.search.optuna.params import unique
from jaxsched.search.spaces.candidate import as_data, from_data
from jaxsched.search.spaces.families import FAMILIES
from jaxsched.search.spaces.space import NamedDimension, Space


PEAK = search.logspace(0.01, 1.0, 3)
WARMUP = search.choice([0, 5])


def cosine(peak=PEAK, warmup=WARMUP):
    return js.warmup_cosine(peak, warmup_steps=warmup, total_steps=50)


def drawn(space, sampler=samplers.grid, samples=None):
    return list(sampler(Space(space), samples))


# Calls that wait.


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (cosine(), cosine(0.01, 0)),
        (js.linear(0.0, PEAK, 10) >> js.constant(1.0), js.linear(0.0, 0.01, 10) >> 1.0),
        (
            js.constant(1.0, 5) >> js.linear(PEAK, 0.0, 9),
            js.constant(1.0, 5) >> js.linear(0.01, 0.0, 9),
        ),
        (2 * js.linear(PEAK, 0.0, 9), js.linear(0.02, 0.0, 9)),
        (js.linear(1.0, 0.0, 9) * PEAK, js.linear(0.01, 0.0, 9)),
        (js.linear(1.0, 0.0, 9) - PEAK, js.linear(0.99, -0.01, 9)),
        (js.linear(1.0, 0.0, 9) / PEAK, js.linear(100.0, 0.0, 9)),
        (
            js.piecewise_constant([3], [PEAK, 0.5]),
            js.piecewise_constant([3], [0.01, 0.5]),
        ),
        (
            js.piecewise_linear([0, 9], [1.0, 0.0], curves.Power(1 + PEAK)),
            js.piecewise_linear([0, 9], [1.0, 0.0], curves.Power(1.01)),
        ),
        (js.repeat(js.linear(PEAK, 0.0, 9), 3), js.repeat(js.linear(0.01, 0.0, 9), 3)),
        (js.linear(PEAK, PEAK / 10, 9), js.linear(0.01, 0.001, 9)),
        (js.constant(1 - PEAK**2), js.constant(0.9999)),
        (js.constant(-PEAK), js.constant(-0.01)),
        (js.constant(Call(max, (PEAK, 0.5))), js.constant(0.5)),
    ],
)
def test_what_is_computed_from_a_dimension_waits_for_it(waiting, expected):
    assert isinstance(waiting, Call)
    first = drawn(waiting)[0].config
    steps = np.arange(60)
    np.testing.assert_allclose(first(steps), expected(steps), rtol=1e-6, atol=1e-9)


def test_a_call_without_dimensions_does_not_wait():
    assert isinstance(cosine(0.1, 5), js.Schedule)
    assert isinstance(js.Constant(0.1), js.Constant)


def test_a_call_that_cannot_be_is_refused_at_once():
    with pytest.raises(TypeError, match="Did you mean 'peak'"):
        js.warmup_cosine(peek=PEAK, warmup_steps=5, total_steps=50)
    with pytest.raises(TypeError, match="not known yet"):
        max(PEAK, 3) if PEAK else None


def test_a_value_outside_its_domain_is_refused_when_it_is_drawn():
    space = cosine(warmup=search.choice([5, 60]))
    with pytest.raises(ValueError, match="warmup_steps") as raised:
        drawn(space)
    assert "warmup_cosine(0.01, warmup_steps=60, total_steps=50)" in str(
        raised.value.__notes__
    )


def test_a_call_is_a_pytree_of_its_arguments():
    leaves = jax.tree.leaves(cosine())
    assert leaves == [PEAK, WARMUP, 50]
    ten = jax.tree.map(lambda leaf: leaf if isinstance(leaf, int) else 10, cosine())
    assert repr(ten) == "warmup_cosine(10, warmup_steps=10, total_steps=50)"
    assert made(ten)(10) == 10.0


# Dimensions.


def test_dimensions_say_what_they_are():
    assert repr(search.linspace(0, 1, 3)) == "choice([0.0, 0.5, 1.0])"
    np.testing.assert_allclose(PEAK.values, [0.01, 0.1, 1.0], rtol=1e-15)
    assert search.choice([1, 2.5]).values == (1.0, 2.5)
    assert all(type(value) is float for value in search.choice([1, 2.5]).values)
    assert search.choice(np.arange(3)).values == (0, 1, 2)
    assert search.choice([curves.Linear(), curves.Cosine()]).labels == (
        repr(curves.Linear()),
        repr(curves.Cosine()),
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: search.choice([]), "nothing to choose"),
        (lambda: search.choice([1, 2, 1]), r"must differ, got \[1, 2, 1\]"),
        (lambda: search.logspace(0.0, 1.0, 3), "finite and > 0, got 0.0 and 1.0"),
        (
            lambda: search.loguniform(-1.0, 1.0),
            "needs 0 < low < high",
        ),
        (
            lambda: search.uniform(1.0, 0.0),
            "needs finite low < high",
        ),
        (lambda: search.uniform(0.0, math.inf), "needs finite"),
        (lambda: search.linspace(0.0, 1.0, 0), "nothing to choose"),
    ],
)
def test_a_bad_dimension_is_an_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "dimension", [search.uniform(-1.0, 3.0), search.loguniform(1e-4, 1e-1), PEAK]
)
def test_fractions_cover_a_dimension(dimension):
    fractions = np.linspace(0, 1, 1001)
    values = [dimension.value(dimension.at(fraction)) for fraction in fractions]
    assert values == sorted(values)
    low, high = dimension.value(dimension.at(0.0)), dimension.value(dimension.at(1.0))
    assert (low, high) == (values[0], values[-1])
    if dimension is PEAK:
        assert np.unique(values, return_counts=True)[1].tolist() == [334, 333, 334]
    else:
        assert (low, high) == pytest.approx((dimension.low, dimension.high), rel=1e-14)


# Names.


def names(space):
    return sorted(Space(space).names.values())


def test_a_dimension_is_called_as_the_argument_it_stands_for():
    assert names(cosine()) == ["peak", "warmup_steps"]
    assert names(search.uniform(0, 1)) == ["value"]
    assert names(2 * js.linear(PEAK / 10, 0.0, 10)) == ["start"]
    config = search.space(lr=cosine(), weight_decay=search.uniform(0, 1))
    assert names(config) == ["peak", "warmup_steps", "weight_decay"]


def test_names_that_would_clash_are_longer():
    both = search.space(lr=js.constant(PEAK), decay=js.constant(search.uniform(0, 1)))
    assert names(both) == ["decay.level", "lr.level"]


def test_families_share_names_since_only_one_is_drawn():
    other = search.uniform(0, 1)
    space = search.one_of(cosine(), js.linear(0.0, 1.0, 10), peaky=cosine(peak=other))
    assert names(space) == ["family", "peak", "peak", "warmup_steps"]
    whole = Space(space)
    assert {unique(one, whole.dimensions) for one in whole.dimensions} == {
        "family",
        "warmup_cosine.peak",
        "peaky.peak",
        "warmup_steps",
    }


def test_a_dimension_that_is_used_twice_has_one_value():
    candidates = drawn(search.space(lr=js.constant(PEAK), other=PEAK))
    assert len(candidates) == 3
    for candidate in candidates:
        assert candidate.config.lr.level == candidate.config.other
        assert list(candidate.params) == ["level"]


# Samplers.


def test_a_grid_is_every_combination_once():
    candidates = drawn(cosine())
    assert len({candidate.code for candidate in candidates}) == len(candidates) == 6
    assert len(drawn(cosine(), samples=4)) == 4


def test_of_families_each_has_its_own_grid():
    space = search.one_of(cosine(), js.constant(PEAK), js.constant(0.5))
    found = [candidate.family for candidate in drawn(space)]
    assert found == ["warmup_cosine"] * 6 + ["constant"] * 3 + ["constant 2"]


def test_families_may_be_anywhere_and_nested():
    inner = search.one_of(slow=js.constant(PEAK), fast=js.constant(2.0))
    space = search.space(
        lr=search.one_of(inner=inner, cosine=cosine(warmup=5)),
        batch=search.choice([8, 16]),
    )
    candidates = drawn(space)
    assert len(candidates) == (3 + 1 + 3) * 2
    assert candidates[0].family == "inner / slow"
    assert {c.config.batch for c in candidates} == {8, 16}


def test_a_grid_of_a_range_is_an_error():
    with pytest.raises(ValueError, match=r"`peak` is uniform\(0.0, 1.0\)"):
        drawn(cosine(peak=search.uniform(0, 1)))


@pytest.mark.parametrize("sampler", [samplers.random, samplers.sobol])
def test_samples_lie_in_the_space_and_are_repeatable(sampler):
    rate = search.loguniform(0.01, 1.0)
    space = search.one_of(cosine(rate), js.constant(rate))
    candidates = drawn(space, sampler, 32)
    assert len(candidates) == 32
    assert [c.code for c in candidates] == [c.code for c in drawn(space, sampler, 32)]
    families = [c.family for c in candidates]
    assert 8 <= families.count("constant") <= 24
    for candidate in candidates:
        _, rate, *_ = candidate.params.values()
        assert 0.01 <= rate <= 1.0
    with pytest.raises(ValueError, match="`samples`, 1 or more, got None"):
        drawn(space, sampler)


def test_the_first_random_points_are_the_same_for_any_number():
    few, many = (drawn(cosine(), samplers.random, count) for count in (5, 9))
    assert [c.code for c in few] == [c.code for c in many[:5]]


def test_sobol_points_fill_the_space_more_evenly_than_random_ones():
    space = js.constant(search.uniform(0, 1), search.uniform(0, 1))

    def emptiest(sampler):
        candidates = drawn(space, sampler, 64)
        points = [list(c.params.values()) for c in candidates]
        counts, *_ = np.histogram2d(*np.transpose(points), bins=8, range=[[0, 1]] * 2)
        return (counts == 0).sum()

    assert emptiest(samplers.sobol) < emptiest(samplers.random) / 2


def test_structures_are_one_of_each_kind():
    curve = search.choice([curves.Linear(), curves.Cosine()])
    lines = js.piecewise_linear([0, 9], [PEAK, 0.0], curve)
    configs = samplers.structures(Space([cosine(search.uniform(0, 1)), lines]))
    kinds = {jax.tree.structure(config) for config in configs}
    assert len(kinds) == len(configs) == 3


# Candidates.


@pytest.mark.parametrize("family", FAMILIES)
def test_the_code_of_a_candidate_builds_its_schedule(family):
    space = search.families([family], peak=PEAK, warmup_steps=WARMUP, steps=40)
    for candidate in drawn(space):
        built = eval(candidate.code, vars(js))
        steps = np.arange(50)
        np.testing.assert_array_equal(built(steps), candidate.schedule(steps))


def test_the_schedule_of_a_config_is_found():
    [first, *_] = drawn(search.space(batch=8, lr=js.constant(PEAK)))
    assert first.schedule is first.config.lr
    [first, *_] = drawn(search.space(batch=8, rate=js.constant(PEAK)))
    assert first.schedule is first.config.rate
    [first, *_] = drawn(search.space(batch=PEAK))
    with pytest.raises(ValueError, match="no schedule in Config"):
        _ = first.schedule


def test_schedules_are_candidates_in_a_list_or_by_name():
    listed = drawn([js.constant(1.0), js.constant(PEAK)])
    assert [c.family for c in listed] == ["schedule 0"] + ["schedule 1"] * 3
    named = drawn({"low": js.constant(0.1), "high": js.constant(1.0)})
    assert [c.family for c in named] == ["low", "high"]


def test_a_candidate_is_made_again_from_its_labels():
    space = Space(search.one_of(cosine(search.uniform(0, 1)), js.constant(PEAK)))
    for candidate in samplers.random(space, 10):
        params = json.loads(json.dumps(dict(candidate.params)))
        assert space.redraw(params).code == candidate.code
    with pytest.raises(ValueError, match="'nothing' is not among"):
        space.redraw({"family": "nothing"})
    with pytest.raises(ValueError, match="`peak` is missing"):
        space.redraw({"family": "warmup_cosine"})


def test_seeds_are_no_dimension():
    space = Space(search.space(lr=js.constant(PEAK), seed=search.choice([3, 4])))
    assert space.seeds == (3, 4)
    [first, *others] = samplers.grid(space)
    assert len(others) == 2
    assert first.config.seed == 3
    assert space.redraw(first.params, 4).config.seed == 4
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        Space(search.space(seed=search.uniform(0, 1)))


# As data.


@pytest.mark.parametrize(
    "space",
    [
        search.families(peak=PEAK, warmup_steps=WARMUP, steps=40),
        search.space(
            lr=2 * cosine(peak=1 - PEAK), decay=PEAK, seed=search.choice([0, 1])
        ),
        js.linear(1.0, 0.0, search.choice([5, 9])) >> js.constant(search.uniform(0, 1)),
        [js.constant(1.0), js.cosine(PEAK, 0.0, 10)],
    ],
)
def test_candidates_and_dimensions_go_through_json(space):
    whole = Space(space)
    for candidate in samplers.random(whole, 8):
        data = json.loads(json.dumps(as_data(candidate.config)))
        assert repr(from_data(data)) == repr(candidate.config)
    again = [
        NamedDimension.from_data(json.loads(json.dumps(one.data())))
        for one in whole.dimensions
    ]
    for one, other in zip(whole.dimensions, again, strict=True):
        assert (one.name, one.families) == (other.name, other.families)
        assert repr(one.dimension) == repr(other.dimension)


def test_what_is_no_data_is_not_written_down():
    assert as_data(search.Config(f=len)) is None
    assert as_data(js.custom(lambda t: t)) is None


def test_integers_are_whole_and_cover_their_range():
    for dimension in (search.integers(8, 64), search.integers(1, 9, log=True)):
        values = [dimension.at(fraction) for fraction in np.linspace(0, 1, 2001)]
        assert {type(value) for value in values} == {int}
        assert sorted(set(values)) == list(dimension.labels)
    stepped = search.integers(16, 130, step=16)
    assert list(stepped.labels) == [16, 32, 48, 64, 80, 96, 112, 128]
    found = drawn(search.space(batch=search.integers(1, 3)))
    assert [candidate.config.batch for candidate in found] == [1, 2, 3]
    low = [search.integers(1, 100, log=True).at(u) for u in np.linspace(0, 0.5, 99)]
    assert max(low) <= 10


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: search.integers(1, 1), "needs low < high"),
        (lambda: search.integers(0, 8, log=True), "needs 1 <= low < high"),
        (lambda: search.integers(1, 8, step=0), "`step` must be 1 or more, got 0"),
        (lambda: search.integers(1, 8, log=True, step=2), "`log=True` needs step=1"),
        (lambda: search.integers(1.5, 8), "`low` must be an integer, got 1.5"),
    ],
)
def test_bad_integers_are_an_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_finite_space_is_drawn_without_repetition():
    space = Space(cosine())
    assert space.size == 6
    for sampler in (samplers.random, samplers.sobol):
        found = list(sampler(space, 42))
        assert len({candidate.key for candidate in found}) == len(found) == 6


def test_other_seeds_draw_other_points():
    space = Space(search.space(x=search.uniform(0, 1)))
    for sampler in (samplers.random, samplers.sobol):
        zero, one = (
            {c.params["x"] for c in sampler(space, 16, seed=seed)} for seed in (0, 1)
        )
        assert not zero & one
