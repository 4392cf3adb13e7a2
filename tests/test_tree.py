"""Nodes as pytrees, and how they take bad input."""

import functools
import json
import math
import types

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental import checkify

import jaxsched as js
from jaxsched import curves
from jaxsched.tree import Tree, child, hyper, static


LR = js.warmup_cosine(0.1, warmup_steps=10, total_steps=100)


def test_numbers_stay_python_floats():
    assert all(type(leaf) is float for leaf in jax.tree.leaves(LR))
    for number in (10, 10.0, np.int64(10), np.float32(10), np.array(10)):
        assert type(js.linear(0, 1, number).steps) is float


def test_lists_become_one_leaf():
    schedule = js.piecewise_constant([3, 5], [1, 2, 3])
    assert [np.shape(leaf) for leaf in jax.tree.leaves(schedule)] == [(2,), (3,)]


def test_arrays_stay_arrays_of_the_default_float_type():
    for given in (jnp.asarray(3), jnp.asarray(3, jnp.bfloat16), jnp.asarray(3.0)):
        leaf = js.linear(0, 1, given).steps
        chex.assert_type(leaf, jnp.result_type(float))


def test_unflattening_takes_anything():
    structure = jax.tree.structure(LR)
    for junk in (None, object(), -1, "x", jnp.ones(3)):
        leaves = [junk] * structure.num_leaves
        assert isinstance(structure.unflatten(leaves), js.Chain)


def test_leaves_replaced_by_whole_numbers_still_work():
    rounded = jax.tree.map(lambda leaf: round(10 * leaf), LR)
    assert float(rounded(1000)) == 0.0
    halves = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), LR)
    chex.assert_type(halves(5), jnp.result_type(float))


def test_paths_name_the_hyperparameters():
    paths = [
        jax.tree_util.keystr(path)
        for path, _ in jax.tree_util.tree_flatten_with_path(LR)[0]
    ]
    assert paths[:3] == [".parts[0].start", ".parts[0].end", ".parts[0].steps"]


def test_equality_and_hash_are_by_identity():
    assert js.linear(0, 1, 2) != js.linear(0, 1, 2)
    assert jax.jit(js.as_arrays(LR))(3).shape == ()


def test_nodes_are_frozen():
    with pytest.raises(AttributeError):
        js.linear(0, 1, 2).steps = 3


def test_replacing_checks_anew():
    assert LR.parts[0].replace(end=0.5).end == 0.5
    with pytest.raises(ValueError, match=r"`Ramp.steps` must be .* got -1"):
        LR.parts[0].replace(steps=-1)


def test_a_schedule_is_sharded_like_any_tree():
    devices = jax.devices()
    mesh = jax.make_mesh((len(devices),), ("lane",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lane"))
    peaks = jnp.linspace(0.1, 1.0, 2 * len(devices))
    batch = jax.vmap(lambda peak: js.as_arrays(js.cosine(peak, 0.0, 10.0)))(peaks)
    batch = jax.device_put(batch, sharding)
    rates = jax.jit(jax.vmap(lambda schedule: schedule(0)))(batch)
    chex.assert_trees_all_equal(rates, peaks)


def test_a_subclass_needs_two_methods():
    class Blink(js.Schedule):
        high: float = hyper()
        inner: js.Schedule = child()
        odd: bool = static(default=True)

        @property
        def duration(self):
            return self.inner.duration

        def evaluate(self, t, left):
            return jnp.where(
                t % 2 == float(self.odd), self.high, self.inner.at(t, left)
            )

    schedule = Blink(0.5, js.linear(0.0, 1.0, 4))
    assert [float(schedule(step)) for step in range(5)] == [0, 0.5, 0.5, 0.5, 1]
    assert "Blink(high=0.5, inner=Ramp(" in repr(schedule)
    config = js.to_config(schedule)
    assert config["type"].startswith("tests.test_tree.")
    chex.assert_trees_all_equal(js.from_config(config), schedule)

    class Partial(js.Schedule):
        def evaluate(self, t, left):
            return t

    with pytest.raises(TypeError, match="abstract"):
        Partial()


BAD_INPUT = {
    "a length is negative": (
        lambda: js.cosine(0.1, 0.0, -5),
        (ValueError, "`cosine`: `steps` must be a finite number >= 0, got -5."),
    ),
    "a rate is a string": (
        lambda: js.linear("x", 0, 10),
        (TypeError, "`linear`: `start` must be a number, got 'x'."),
    ),
    "a number in a string is one": (
        lambda: js.linear("3", 0, 10),
        (TypeError, "`linear`: `start` must be a number, got '3'."),
    ),
    "a length is NaN": (
        lambda: js.linear(0, 1, float("nan")),
        (ValueError, "`linear`: `steps` must be a number, got nan."),
    ),
    "a length is infinite": (
        lambda: js.linear(0, 1, float("inf")),
        (ValueError, "`linear`: `steps` must be a finite number >= 0, got inf."),
    ),
    "an entry of an array": (
        lambda: js.linear(0.0, 1.0, jnp.asarray([3.0, -3.0])),
        (ValueError, "`linear`: `steps` must be a finite number >= 0, got Array"),
    ),
    "a number is complex": (
        lambda: js.constant(1j),
        (TypeError, "`constant`: `level` must be a number, got 1j."),
    ),
    "a number is None": (
        lambda: js.constant(None),
        (TypeError, "`constant`: `level` must be a number, got None."),
    ),
    "boundaries are unsorted": (
        lambda: js.piecewise_constant([5, 3], [1, 2, 3]),
        (
            ValueError,
            "`boundaries` must be .* increasing .*[5, 3].",
        ),
    ),
    "too few values": (
        lambda: js.piecewise_constant([3, 5], [1, 2]),
        (ValueError, "needs one more value than boundaries, got 2 values and 2"),
    ),
    "too many values": (
        lambda: js.piecewise_linear([3, 5], [1, 2, 3]),
        (ValueError, "needs one value per boundary, got 3 values and 2 boundaries"),
    ),
    "an empty table": (
        lambda: js.table([]),
        (TypeError, "`table`: `values` must be a non-empty list"),
    ),
    "too few schedules": (
        lambda: js.switch([1.0], [3]),
        (ValueError, "one more schedule than boundaries, got 1 schedules and 1"),
    ),
    "something after an endless schedule": (
        lambda: js.inverse_sqrt(1.0, 3) >> LR,
        (ValueError, "Nothing can follow a schedule without end: InverseSqrt("),
    ),
    "the repetition of an endless schedule": (
        lambda: js.repeat(js.silver(1.0)),
        (ValueError, "Nothing can repeat a schedule without end: Silver("),
    ),
    "a chain of nothing": (
        js.chain,
        (ValueError, "`chain` needs at least one schedule, got none."),
    ),
    "a misspelt keyword": (
        lambda: js.warmup_cosine(0.1, warmup_step=10, total_steps=100),
        (TypeError, "Did you mean 'warmup_steps'.* It takes .*peak, ., warmup_steps"),
    ),
    "a misspelt field": (
        lambda: js.Ramp(0.0, 1.0, 3, kurve=curves.Sqrt()),
        (TypeError, "`Ramp` got an unexpected argument 'kurve'.*'curve'"),
    ),
    "too many arguments": (
        lambda: js.noam(512, 4000),
        (TypeError, "`noam` takes at most 0 arguments without.*d_model, warmup_steps"),
    ),
    "phases longer than the whole": (
        lambda: js.warmup_cosine(0.1, warmup_steps=150, total_steps=100),
        (ValueError, "`total_steps` must be at least warmup_steps, got 100 and .*150"),
    ),
    "a class instead of a curve": (
        lambda: js.ramp(0, 1, 3, curves.Cosine),
        (TypeError, "`ramp`: `curve` must be a `Curve`, got <class"),
    ),
    "a function instead of a schedule": (
        lambda: LR >> (lambda step: step),
        (TypeError, "got the function .* `custom` makes a schedule of it"),
    ),
    "an unknown way to join": (
        lambda: js.warmup(LR, 3, join="glue"),
        (ValueError, "`Warmup.join` must be in .*overlay.* got 'glue'"),
    ),
    "a fraction beyond the whole": (
        lambda: js.one_cycle(1.0, total_steps=10, warmup_fraction=1.5),
        (ValueError, "`warmup_fraction` must be a number from 0 to 1, got 1.5"),
    ),
    "no power of two": (
        lambda: js.chebyshev(0.1, largest=1.0, total_steps=12),
        (ValueError, "`Chebyshev.total_steps` must be a power of two"),
    ),
    "a step is a string": (
        lambda: LR("x"),
        (TypeError, "A step must be a real number, or an array of them, got 'x'."),
    ),
    "a custom schedule of no function": (
        lambda: js.custom(3.0),
        (TypeError, "`Custom.function` must be one, got 3.0."),
    ),
    "a configuration of nothing known": (
        lambda: js.from_config({"type": "Rampp"}),
        (ValueError, "`type` must be in .*'Ramp'.* got 'Rampp'."),
    ),
    "a configuration that is none": (
        lambda: js.from_config([1, 2]),
        (ValueError, "A configuration is a mapping with a .type., got"),
    ),
    "a configuration without a type": (
        lambda: js.from_config({"start": 1.0, "end": 0.0}),
        (ValueError, "needs a .type., got only ['start', 'end']"),
    ),
    "a configuration whose type is a list": (
        lambda: js.from_config({"type": ["Ramp"]}),
        (ValueError, "`type` must be in .*'Ramp'.* got ['Ramp']."),
    ),
    "a configuration of no parts": (
        lambda: js.from_config({"type": "Chain", "parts": []}),
        (ValueError, "`Chain.parts` must have at least one schedule, got none."),
    ),
    "a configuration of one part that is no list": (
        lambda: js.from_config({"type": "Sum", "parts": js.to_config(LR)}),
        (TypeError, "`Sum.parts` must be a list of schedules, got {'type'"),
    ),
    "a configuration of numbers for parts": (
        lambda: js.from_config({"type": "Sum", "parts": [1.0]}),
        (ValueError, "A configuration is a mapping with a .type., got 1.0"),
    ),
    "a configuration of text for a number": (
        lambda: js.from_config({"type": "Constant", "level": "0.1"}),
        (TypeError, "`Constant.level` must be a finite number, got '0.1'."),
    ),
    "a configuration of a rate that is infinite": (
        lambda: js.from_config({"type": "Constant", "level": "inf"}),
        (ValueError, "`Constant.level` must be a finite number, got inf."),
    ),
    "a configuration of what is no number": (
        lambda: js.to_config(jax.tree.map(lambda _: float("nan"), LR)),
        (TypeError, "`Ramp.start` is no data that a configuration can hold: nan."),
    ),
    "a schedule that is too deep for a configuration": (
        lambda: js.to_config(nested(js.clip, 200)),
        (ValueError, "at most 200 levels, but the schedule has more."),
    ),
}


def nested(transform, times):
    schedule = js.constant(1.0)
    for _ in range(times):
        schedule = transform(schedule, 0.0, 1.0)
    return schedule


@pytest.mark.parametrize("kind", ["Chain", "Sum", "Product", "Quotient", "Switch"])
def test_a_configuration_of_no_parts_is_an_error(kind):
    config = {"type": kind, "parts": []} | (
        {"boundaries": [1.0]} if kind == "Switch" else {}
    )
    with pytest.raises(ValueError, match=f"`{kind}.parts` must have at least one"):
        js.from_config(config)


def test_a_configuration_has_an_end():
    inside = {"type": "Clip", "low": 0.0, "high": 1.0}
    # As deep as can be, and as what contains itself, in both kinds of fields.
    deepest = js.to_config(nested(js.clip, 199))
    assert js.to_config(js.from_config(deepest)) == deepest
    for field, wrap in (("inner", lambda x: x), ("parts", lambda x: [x])):
        kind = "Clip" if field == "inner" else "Chain"
        looped = dict(inside) if field == "inner" else {"type": kind}
        looped[field] = wrap(looped)
        deep = js.to_config(LR)
        for _ in range(10_000):
            deep = (inside if field == "inner" else {"type": kind}) | {
                field: wrap(deep)
            }
        for config in (looped, deep, dict(inside, inner=deepest)):
            with pytest.raises(ValueError, match="at most 200 levels"):
                js.from_config(config)


def test_a_configuration_is_json_and_any_mapping():
    lr = js.repeat(js.cosine(1.0, 0.1, 10)) * js.until(js.constant(2.0), 5)
    config = js.to_config(lr)
    text = json.dumps(config, allow_nan=False)
    assert config["parts"][0]["times"] == "inf"
    chex.assert_trees_all_equal(js.from_config(json.loads(text)), lr)
    # Files that were written before have the number.
    before = json.loads(text.replace('"inf"', "Infinity"))
    chex.assert_trees_all_equal(js.from_config(before), lr)
    times = jax.tree.map(lambda x: np.array([x, x]), js.repeat(LR))
    again = js.from_config(json.loads(json.dumps(js.to_config(times))))
    chex.assert_trees_all_equal(again, times)

    def frozen(value):
        if isinstance(value, dict):
            return types.MappingProxyType({k: frozen(v) for k, v in value.items()})
        return tuple(map(frozen, value)) if isinstance(value, list) else value

    chex.assert_trees_all_equal(js.from_config(frozen(config)), lr)


@pytest.mark.parametrize(("mistake", "error"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_a_mistake_is_named(mistake, error):
    kind, message = error
    pattern = message.replace("[", r"\[").replace("]", r"\]").replace("(", r"\(")
    with pytest.raises(kind, match=pattern):
        mistake()


def test_an_error_shows_the_call_it_comes_from():
    with pytest.raises(ValueError, match="must be") as caught:
        js.warmup_cosine(0.1, warmup_steps=-3, total_steps=100)
    (note,) = caught.value.__notes__
    assert note == "In `warmup_cosine(0.1, warmup_steps=-3, total_steps=100)`."


def test_traced_values_outside_their_domains_give_finite_rates():
    @jax.jit
    def rates(steps):
        return js.warmup_cosine(0.1, warmup_steps=steps, total_steps=10.0)(
            np.arange(-2, 14)
        )

    for steps in (-5.0, 0.0, 15.0):
        chex.assert_tree_all_finite(rates(steps))


def test_traced_values_are_checked_on_demand():
    @jax.jit
    @checkify.checkify
    def rate(steps):
        schedule = js.warmup_cosine(0.1, warmup_steps=steps, total_steps=10.0)
        js.check(schedule)
        return schedule(3)

    error, _ = rate(-5.0)
    expected = "`Chain.parts[0].steps` must be a finite number >= 0, got -5.0."
    assert expected in error.get()
    assert rate(5.0)[0].get() is None


def test_traced_lists_are_vectors():
    @jax.jit
    def rate(boundary, value):
        return js.piecewise_constant([boundary, 9.0], [1.0, value, 3.0])(5)

    assert float(rate(4.0, 7.0)) == 7.0
    assert float(rate(6.0, 7.0)) == 1.0


@pytest.mark.parametrize(
    "schedule",
    [
        LR,
        js.warmup(js.inverse_sqrt(1.0, 10), 5, join="overlay") * js.repeat(LR),
        js.ramp(1.0, 0.1, 20, curves.Power(2.0, curves.Cosine())),
        js.exponential_decay(1.0, factor=0.5, steps=3, staircase=True),
    ],
)
def test_a_program_with_a_schedule_is_exported(schedule):
    pytest.importorskip("flatbuffers")

    def rates(schedule, step):
        return schedule(step), 2.0 * schedule

    program = jax.export.export(jax.jit(rates))(schedule, np.arange(30))
    again = jax.export.deserialize(program.serialize())
    assert again.in_tree == program.in_tree
    found, doubled = again.call(schedule, np.arange(30))
    chex.assert_trees_all_equal(found, jax.jit(rates)(schedule, np.arange(30))[0])
    assert jax.tree.structure(doubled) == jax.tree.structure(2.0 * schedule)


def test_a_function_is_not_exported():
    pytest.importorskip("flatbuffers")
    schedule = js.custom(jnp.sin)
    program = jax.export.export(jax.jit(lambda lr: lr(3)))(schedule)
    with pytest.raises(TypeError, match=r"A `Custom` of .* cannot be serialized"):
        program.serialize()


def doubled(step, factor=2.0):
    return factor * step


def of(params):
    return lambda step: params["w"] * step


@pytest.mark.parametrize(
    "close",
    [
        lambda w: lambda step: w * step,
        lambda w: lambda step, w=w: w * step,
        lambda w: functools.partial(doubled, factor=w),
        lambda w: functools.partial(doubled, w),
        lambda w: optax.linear_schedule(w, 0.0, 10),
        lambda w: optax.join_schedules([optax.linear_schedule(w, 0.0, 10)], []),
        lambda w: jax.jit(lambda step: w * step),
        lambda w: js.constant(w).as_function(),
        lambda w: of({"w": w}),
    ],
)
def test_a_custom_schedule_holds_no_traced_value(close):
    assert js.custom(close(0.5)).duration == math.inf
    for transform in (jax.jit, jax.grad):
        with pytest.raises(TypeError, match=r"`\w+`, a traced value from outside"):
            transform(lambda w: js.custom(close(w))(3.0))(0.5)
    given = jax.jit(lambda w: js.custom(lambda step, w: w * step, w=w))(0.5)
    assert given(3) == 1.5


def test_a_class_may_be_defined_again():
    for high in (1.0, 2.0):

        class Again(js.Schedule):
            duration = 0.0

            def evaluate(self, t, left):
                return t + high  # noqa: B023

        assert Again()(0) == high


def test_the_catalogue_of_trees_is_open():
    assert issubclass(curves.Curve, Tree)
    assert not isinstance(LR, curves.Curve)
