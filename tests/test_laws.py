"""What must hold of every schedule there is."""

import functools
import json
import math
import pickle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental import checkify
from jax.test_util import check_grads

import jaxsched as js
from jaxsched.domain import NONNEGATIVE
from jaxsched.tree import hypers

from .catalogue import CATALOGUE, CURVES, LEAVES, RECIPES, TRANSFORMS


STEPS = np.arange(-3, 131)
EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)

every_row = pytest.mark.parametrize("row", CATALOGUE.values(), ids=CATALOGUE.keys())
every_schedule = pytest.mark.parametrize(
    "schedule", [row.schedule for row in CATALOGUE.values()], ids=CATALOGUE.keys()
)


@jax.jit
def values(schedule, steps):
    return schedule(steps)


@jax.jit
def slopes(schedule, steps):
    """The values at many steps, and their derivatives in every leaf and the step."""
    slope = jax.value_and_grad(lambda schedule, step: schedule(step), argnums=(0, 1))
    return jax.vmap(slope, in_axes=(None, 0))(schedule, steps)


def has_end(schedule):
    return math.isfinite(schedule.duration)


def places(schedule):
    """Steps before, at, in and after every part of a schedule, as floats."""
    end = min(float(schedule.duration), 1000.0)
    inside = [0.0, 1e-3, 0.5, 1.0, 5.0, 10.0, 20.0, 30.0, end / 3, end - 1, end]
    return jnp.asarray([-2.0, *inside, end + 1e-3, end + 5], float)


def without(schedule, lengths):
    """Sets the hyperparameters at the paths `lengths` to 0, unchecked."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(js.as_arrays(schedule))
    return structure.unflatten(
        [
            jnp.zeros_like(leaf) if jax.tree_util.keystr(path) in lengths else leaf
            for path, leaf in leaves
        ]
    )


def test_every_schedule_is_in_the_catalogue():
    listed = {name.split(",")[0] for name in (*LEAVES, *CURVES, *TRANSFORMS, *RECIPES)}
    leaves, transforms = js.leaves.__dict__, js.transforms.__dict__
    public = {
        name
        for name, value in {**leaves, **transforms, **js.recipes.__dict__}.items()
        if callable(value) and name.islower() and not name.startswith("_")
    }
    assert public <= listed


def test_every_curve_is_in_the_catalogue():
    listed = {name.split(", ")[1] for name in CURVES}
    known = {cls.__name__ for cls in js.curves.Curve.__subclasses__()}
    assert known == listed


@every_schedule
def test_acts_elementwise_on_any_shape(schedule):
    rates = schedule(STEPS)
    chex.assert_type(rates, jnp.result_type(float))
    one_by_one = jnp.stack([schedule(step) for step in STEPS[::7].tolist()])
    chex.assert_trees_all_close(rates[::7], one_by_one, rtol=8 * EPSILON)
    for shape in ((), STEPS.shape, (2, 3)):
        like = jax.ShapeDtypeStruct(shape, jnp.int32)
        chex.assert_shape(jax.eval_shape(schedule, like), shape)


@every_row
def test_stays_within_its_bounds(row):
    rates = np.asarray(row.schedule(np.arange(2000) / 3))
    assert np.isfinite(rates).all()
    assert rates.min() >= row.low * (1 - 4 * EPSILON)
    assert rates.max() <= row.high * (1 + 4 * EPSILON)


@every_row
def test_starts_and_ends_exactly(row):
    def expect(step, value):
        for rate in (row.schedule(step), values(row.schedule, step)):
            expected = jnp.asarray(value, float)
            chex.assert_trees_all_close(rate, expected, rtol=row.ulps * EPSILON)

    expect(0, row.start)
    assert has_end(row.schedule) == (row.end is not None)
    if row.end is not None:
        expect(row.schedule.duration, row.end)


@every_schedule
def test_is_constant_outside_its_duration(schedule):
    chex.assert_trees_all_equal(schedule(-7), schedule(0))
    if has_end(schedule):
        end = schedule.duration
        chex.assert_trees_all_equal(schedule(end + 7), schedule(end))
        chex.assert_trees_all_equal(schedule(end * 1e9 + 1), schedule(end))


@every_schedule
def test_is_unchanged_by_jit(schedule):
    closed_over = jax.jit(schedule)(STEPS)
    chex.assert_trees_all_close(closed_over, schedule(STEPS), rtol=8 * EPSILON)


@every_schedule
def test_values_do_not_recompile(schedule):
    @jax.jit
    @chex.assert_max_traces(n=1)
    def call(schedule, step):
        return schedule(step)

    for factor in (1.0, 0.75, 0.5):
        call.lower(jax.tree.map(lambda leaf, by=factor: leaf * by, schedule), 3.0)


@every_schedule
def test_batches_over_every_hyperparameter(schedule):
    others = [
        jax.tree.map(lambda leaf, by=factor: leaf * by, js.as_arrays(schedule))
        for factor in (1.0, 0.75, 0.5)
    ]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *others)
    rates = jax.vmap(values, in_axes=(0, None))(batch, STEPS)
    one_by_one = jnp.stack([values(other, STEPS) for other in others])
    chex.assert_trees_all_close(rates, one_by_one, rtol=16 * EPSILON)


@every_schedule
def test_is_finite_everywhere_and_so_are_its_gradients(schedule):
    steps = places(schedule)
    lengths = [path for path, _, domain in hypers(schedule) if domain is NONNEGATIVE]
    for gone in ([], lengths, *([length] for length in lengths)):
        chex.assert_tree_all_finite(slopes(without(schedule, gone), steps))


@pytest.mark.skipif(not jax.config.jax_enable_x64, reason="needs the digits of x64")
@every_schedule
def test_gradients_match_finite_differences(schedule):
    leaves, structure = jax.tree.flatten(js.as_arrays(schedule))
    # To both sides of 0 is out of the domain of a length; and a number of steps that
    # must be a power of two has no number beside it.
    fixed = {n for n, leaf in enumerate(leaves) if not leaf.ndim and leaf == 0}
    if isinstance(schedule, js.Chebyshev):
        fixed = {2}
    free = [leaf for n, leaf in enumerate(leaves) if n not in fixed]

    def rate(*free, step):
        numbers = iter(free)
        return structure.unflatten(
            [leaf if n in fixed else next(numbers) for n, leaf in enumerate(leaves)]
        )(step)

    for step in (3.21, 17.3):
        check_grads(
            functools.partial(rate, step=step),
            free,
            order=1,
            atol=1e-5,
            rtol=1e-5,
            eps=1e-6,
        )


@every_schedule
def test_has_no_state_for_optax_to_keep(schedule):
    assert not isinstance(schedule, optax.schedules.StatefulSchedule)


@every_schedule
def test_survives_pickling(schedule):
    schedule(3)
    other = pickle.loads(pickle.dumps(schedule))
    chex.assert_trees_all_equal(other, schedule)
    chex.assert_trees_all_equal(other(STEPS), schedule(STEPS))


@every_schedule
def test_its_repr_builds_it(schedule):
    if "custom" in repr(schedule).lower():
        pytest.skip("a function has no repr that builds it")
    other = eval(repr(schedule), vars(js) | {"inf": math.inf})
    chex.assert_trees_all_equal(other, schedule)


@every_schedule
def test_survives_as_a_configuration(schedule):
    if isinstance(schedule, js.Custom):
        with pytest.raises(TypeError, match=r"`Custom.function` is no data"):
            js.to_config(schedule)
        return
    text = json.dumps(js.to_config(schedule))
    chex.assert_trees_all_equal(js.from_config(json.loads(text)), schedule)


@every_schedule
def test_passes_its_own_checks_when_traced(schedule):
    error, _ = jax.jit(checkify.checkify(js.check))(js.as_arrays(schedule))
    assert error.get() is None


@every_schedule
def test_goes_through_a_scan_as_data(schedule):
    def step(carry, _):
        schedule, count = carry
        return (schedule, count + 1), schedule(count)

    start = (js.as_arrays(schedule), jnp.asarray(0))
    (after, _), rates = jax.eval_shape(lambda: jax.lax.scan(step, start, length=40))
    assert jax.tree.structure(after) == jax.tree.structure(schedule)
    chex.assert_shape(rates, (40,))
