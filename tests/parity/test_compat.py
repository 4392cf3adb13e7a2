"""`jaxsched.compat` keeps all that the core has, and says what it does not take."""

import functools
import inspect
import json
import math
import pickle
import subprocess
import sys
import types

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js
from jaxsched import compat
from jaxsched.domain import NONNEGATIVE
from jaxsched.tree import hypers

from ..documents import sections
from ..test_laws import places, slopes, without
from .draws import DRAWS
from .live import RECORDED, schedules_of


RECORD = json.loads(RECORDED.read_text())
CASES = {
    f"{case['peer']}.{case['function']}, {number % 2 + 1}": case
    for number, case in enumerate(RECORD["cases"])
}
EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)
MODULES = [compat.keras, compat.optax, compat.t5x, compat.timm, compat.torch]
MODULES += [compat.transformers]
FUNCTIONS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": function
    for module in MODULES
    for name, function in vars(module).items()
    if inspect.isfunction(function)
    and function.__module__.startswith(module.__name__)
    and not name.startswith("_")
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
first_cases = pytest.mark.parametrize("case", [*CASES.values()][::2], ids=[*CASES][::2])
NAMES = vars(js) | vars(compat.torch) | {"inf": math.inf}
TABLES = {"MultiplicativeLR"}
"""What is computed in plain Python, step by step, from lengths that are given."""


@jax.jit
def values(schedule, steps):
    return schedule(steps)


def made(case):
    return schedules_of(case["peer"], case["function"], case["arguments"])


def test_every_function_is_recorded():
    recorded = {f"{case['peer']}.{case['function']}" for case in CASES.values()}
    assert recorded == {f"{peer}.{name}" for peer in DRAWS for name in DRAWS[peer]}
    others = {"keras.deserialize", "torch.from_scheduler"}
    others |= {"t5x.create_learning_rate_scheduler"}
    assert FUNCTIONS.keys() == recorded | others


@every_case
def test_has_the_values_of_the_peer(case):
    for schedule, expected in zip(made(case), case["values"], strict=True):
        steps = np.array(RECORD["steps"])[: len(expected)]
        rates = values(schedule, steps)
        np.testing.assert_allclose(
            rates, expected, rtol=1e-6, atol=1e-7 * np.max(np.abs(expected))
        )


@first_cases
def test_takes_traced_numbers_for_all_arguments(case):
    leaves, structure = jax.tree.flatten(case["arguments"])
    fixed = case["function"] in TABLES
    numbers = {
        place: float(leaf)
        for place, leaf in enumerate(leaves)
        if type(leaf) in (int, float) and not (fixed and type(leaf) is int)
    }

    def rates(numbers):
        given = [numbers.get(place, leaf) for place, leaf in enumerate(leaves)]
        again = {**case, "arguments": structure.unflatten(given)}
        return jnp.stack([part(np.arange(-2, 60)) for part in made(again)])

    batch = jax.tree.map(lambda x: jnp.asarray([x, x]), numbers)
    batched, derivatives = jax.jit(
        jax.vmap(lambda x: (rates(x), jax.jacfwd(rates)(x)))
    )(batch)
    chex.assert_tree_all_finite(derivatives)
    expected = rates(numbers)
    near = 32 * EPSILON
    chex.assert_trees_all_close(
        batched,
        jnp.stack([expected] * 2),
        rtol=near,
        atol=near * float(abs(expected).max()),
    )


@first_cases
def test_is_finite_and_so_are_its_gradients(case):
    for schedule in made(case):
        lengths = [
            path for path, _, domain in hypers(schedule) if domain is NONNEGATIVE
        ]
        for gone in ([], lengths):
            found = slopes(without(schedule, gone), places(schedule))
            chex.assert_tree_all_finite(found)


@every_case
def test_is_data(case):
    for schedule in made(case):
        copies = (
            [pickle.loads(pickle.dumps(schedule))] if "lambda" not in str(case) else []
        )
        if "Custom" not in repr(schedule):
            text = json.dumps(js.to_config(schedule))
            copies += [js.from_config(json.loads(text))]
            copies += [eval(repr(schedule), NAMES)]
        for copy in copies:
            chex.assert_trees_all_equal(copy, schedule)


@first_cases
def test_is_constant_before_step_0_and_after_its_end(case):
    for schedule in made(case):
        chex.assert_trees_all_equal(schedule(-7), schedule(0))
        if math.isfinite(schedule.duration):
            end = schedule.duration
            chex.assert_trees_all_equal(schedule(end + 7), schedule(end))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_function_is_documented(function):
    parts = sections(function)
    assert {"Args", "Returns", "Example"} <= parts.keys()
    for parameter in inspect.signature(function).parameters:
        assert f"{parameter}: " in parts["Args"], f"`{parameter}` is not explained"


# --- What is special to one of them -------------------------------------------------


def test_a_milestone_that_is_there_twice_counts_twice():
    lr = compat.torch.MultiStepLR(1.0, [4, 2, 2], gamma=0.5)
    assert lr([1, 2, 3, 4]).tolist() == [1.0, 0.25, 0.25, 0.125]
    assert compat.torch.MultiStepLR(1.0, [])(5) == 1.0


def test_milestones_may_be_traced():
    lr = jax.vmap(lambda at: compat.torch.MultiStepLR(1.0, at, 0.5)(3))
    assert lr(jnp.asarray([[1, 2], [2, 4], [4, 5]])).tolist() == [0.25, 0.5, 1.0]


def test_a_function_that_jax_cannot_trace_says_so():
    with pytest.raises(TypeError, match=r"(?s)jnp\.where.*total_steps"):
        compat.torch.LambdaLR(1.0, lambda epoch: 1.0 if epoch < 5 else 0.1)


def test_a_cycle_may_have_a_scale_of_its_own():
    by_cycle = compat.torch.CyclicLR(
        0.0, 1.0, 2, scale_fn=lambda cycle: 1 / cycle, scale_mode="cycle"
    )
    by_step = compat.torch.CyclicLR(
        0.0, 1.0, 2, scale_fn=lambda step: 1 / (1 + step), scale_mode="iterations"
    )
    np.testing.assert_allclose(by_cycle.rate([1, 2, 5, 6]), [0.5, 1.0, 0.25, 0.5])
    np.testing.assert_allclose(by_step.rate([1, 2, 6]), [0.25, 1 / 3, 1 / 7], rtol=1e-6)


STEP = compat.torch.StepLR(1.0, 2, gamma=0.1)
HALF = compat.torch.ExponentialLR(1.0, 0.5)
ANNEALED = compat.torch.CosineAnnealingLR(1.0, 3)
CHAINS = {
    "replaced": ([STEP, compat.torch.LambdaLR(1.0, lambda step: 1.0)], [1.0] * 5),
    "restarting": (
        [STEP, compat.torch.CosineAnnealingWarmRestarts(1.0, 2)],
        [1.0, 0.5, 1.0, 0.5, 1.0, 0.5],
    ),
    "cyclic, the first rate as it was": (
        [HALF, compat.torch.CyclicLR(0.1, 0.5, 2).rate],
        [1.0, 0.3, 0.5, 0.3, 0.1, 0.3],
    ),
    "factors before a cosine": (
        [HALF, ANNEALED],
        [1.0, 0.375, 0.0625, 0.0, 0.25, 0.375, 0.25, 0.09375, 0.015625, 0.0, 0.25],
    ),
    "factors after a cosine": (
        [ANNEALED, HALF],
        [1.0, 0.375, 0.0625, 0.0, 0.125, 0.1875, 0.125, 0.046875, 0.0078125, 0.0],
    ),
    "a factor that ends at 0": (
        [compat.torch.PolynomialLR(1.0, 2), ANNEALED],
        [1.0, 0.375, 0.0, 0.0, 0.25, 0.75, 1.0, 0.75, 0.25],
    ),
}


@pytest.mark.parametrize(("parts", "expected"), CHAINS.values(), ids=CHAINS)
def test_a_chain_does_to_the_rate_what_pytorch_does(parts, expected):
    # These are PyTorch's own numbers, to nine digits.
    lr = compat.torch.ChainedScheduler(1.0, parts)
    rates = values(lr, np.arange(len(expected)))
    np.testing.assert_allclose(rates, expected, rtol=1e-6, atol=2e-7)
    slope = jax.grad(lambda lr: values(lr, np.arange(9)).sum())(lr)
    chex.assert_tree_all_finite(slope)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([compat.torch.LambdaLR(1.0, lambda step: 1.0), STEP], "`LambdaLR`.*last"),
        ([compat.torch.CosineAnnealingLR(1.0, 3, 0.1), STEP], "`eta_min`"),
        ([STEP, compat.torch.CosineAnnealingLR(1.0, 3, 0.1)], "`eta_min`"),
        ([ANNEALED, HALF, ANNEALED], "Only one `CosineAnnealingLR`"),
        ([HALF, compat.torch.SWALR(1.0, 0.5)], "`SWALR`.*`swa_lr`"),
        ([compat.torch.SequentialLR([HALF, HALF], [3]), STEP], "its milestones"),
        (
            [compat.torch.ChainedScheduler(1.0, [ANNEALED, HALF]), STEP],
            "its `CosineAnnealingLR` starts anew",
        ),
    ],
)
def test_what_is_no_factor_is_not_chained(parts, says):
    with pytest.raises(ValueError, match=says):
        compat.torch.ChainedScheduler(1.0, parts)
    # What a schedule is made by is part of its structure.
    copies = jax.tree.map(jnp.asarray, parts)
    with pytest.raises(ValueError, match=says):
        compat.torch.ChainedScheduler(1.0, copies)


def like_pytorch(name, **attributes):
    """What `from_scheduler` sees of a scheduler of PyTorch."""
    optimizer = types.SimpleNamespace(param_groups=[{"initial_lr": 1.0}])
    kind = type(name, (), {"__module__": "torch.optim.lr_scheduler"})
    scheduler = kind()
    vars(scheduler).update(optimizer=optimizer, **attributes)
    return scheduler


def test_reads_a_chain():
    base = {"base_lrs": [1.0]}
    step = like_pytorch("StepLR", step_size=2, gamma=0.1, **base)
    half = like_pytorch("ExponentialLR", gamma=0.5, **base)
    same = like_pytorch("LambdaLR", lr_lambdas=[lambda step: 1.0], **base)
    # PyTorch takes any function; without a horizon this one cannot be read.
    branch = like_pytorch(
        "LambdaLR", lr_lambdas=[lambda step: 1.0 if step else 2.0], **base
    )
    sequence = like_pytorch("SequentialLR", _schedulers=[step, half], _milestones=[3])

    def read(*parts):
        chain = like_pytorch("ChainedScheduler", _schedulers=[*parts])
        return np.asarray(compat.torch.from_scheduler(chain)[0](np.arange(5)))

    near = functools.partial(np.testing.assert_allclose, rtol=1e-6)
    near(read(step, same), 1.0)
    near(read(branch, step, same), 1.0)
    near(read(step, half), [1.0, 0.5, 0.025, 0.0125, 0.000625])
    near(read(sequence), [1.0, 1.0, 0.1, 1.0, 0.5])
    nested = like_pytorch("ChainedScheduler", _schedulers=[half])
    near(read(step, nested), [1.0, 0.5, 0.025, 0.0125, 0.000625])
    with pytest.raises(ValueError, match=r"`SequentialLR` cannot be chained.*miles"):
        read(sequence, half)
    with pytest.raises(ValueError, match=r"`LambdaLR` cannot be chained.*last"):
        read(same, step)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["StepLR", "ChainedScheduler"], "PyTorch cannot run a `ChainedScheduler`"),
        (["SequentialLR", "StepLR"], "PyTorch cannot run a `SequentialLR`"),
        (["ChainedScheduler", "StepLR"], "twice.*ExponentialLR"),
    ],
)
def test_what_pytorch_cannot_run_in_a_sequence_is_not_read(names, says):
    inner = like_pytorch("ExponentialLR", gamma=0.5, base_lrs=[1.0])
    parts = [like_pytorch(names[0], step_size=2, gamma=0.1, base_lrs=[1.0])]
    parts += [like_pytorch(names[1], step_size=2, gamma=0.1, base_lrs=[1.0])]
    for part in parts:
        if type(part).__name__ in ("ChainedScheduler", "SequentialLR"):
            vars(part).update(_schedulers=[inner], _milestones=[])
    sequence = like_pytorch("SequentialLR", _schedulers=parts, _milestones=[3])
    with pytest.raises(ValueError, match=says):
        compat.torch.from_scheduler(sequence)


def test_a_one_cycle_may_leave_the_momentum_alone():
    held = compat.torch.OneCycleLR(1.0, total_steps=9, cycle_momentum=False).momentum
    np.testing.assert_allclose(held(np.arange(9)), 0.95, rtol=1e-6)
    epochs = compat.torch.OneCycleLR(1.0, epochs=3, steps_per_epoch=3)
    chex.assert_trees_all_equal(epochs, compat.torch.OneCycleLR(1.0, total_steps=9))


def test_keras_configurations_are_read():
    config = {"initial_learning_rate": 0.5, "decay_steps": 9, "name": "CosineDecay"}
    serialized = {"module": "keras.optimizers.schedules", "class_name": "CosineDecay"}
    lr = compat.keras.deserialize({**serialized, "config": config})
    chex.assert_trees_all_equal(lr, compat.keras.CosineDecay(**config))


def test_noise_is_where_it_is_asked_for():
    plain = compat.timm.CosineLRScheduler(1.0, 50, lr_min=0.1)
    noisy = compat.timm.CosineLRScheduler(
        1.0, 50, lr_min=0.1, noise_range_t=(10, 20), noise_pct=0.3
    )
    ratios = np.asarray(noisy(np.arange(50)) / plain(np.arange(50)))
    assert (ratios[:10] == 1).all()
    assert (ratios[20:] == 1).all()
    assert (abs(ratios[10:20] - 1) > 1e-4).all()
    assert (abs(ratios - 1) < 0.3).all()


def test_timm_takes_a_decay_of_its_own():
    lr = compat.timm.WSDLRScheduler(1.0, 20, 10, 0.5, decay_fn=lambda part: 1 - part**2)
    np.testing.assert_allclose(lr([0, 10, 15, 20, 25]), [1.0, 1.0, 0.875, 0.5, 0.5])


@pytest.mark.parametrize(
    ("sched", "epochs"), [("cosine", 310), ("step", 300), ("wsd", 310), ("none", 300)]
)
def test_timm_says_how_many_epochs_to_train(sched, epochs):
    schedule, number = compat.timm.create_scheduler_v2(
        0.1, sched, cooldown_epochs=10, warmup_epochs=5
    )
    assert number == epochs
    assert isinstance(number, int)
    assert float(schedule(0)) >= 0


def test_timm_counts_updates_too():
    by_epoch, _ = compat.timm.create_scheduler_v2(1.0, "cosine", 10, warmup_epochs=2)
    by_update, epochs = compat.timm.create_scheduler_v2(
        1.0, "cosine", 10, warmup_epochs=2, step_on_epochs=False, updates_per_epoch=7
    )
    assert epochs == 10
    np.testing.assert_allclose(
        by_update(7 * np.arange(11)), by_epoch(np.arange(11)), rtol=1e-5, atol=1e-7
    )


def test_optax_schedules_join_with_ours():
    lr = compat.optax.join_schedules([lambda step: 0.5, js.linear(1.0, 0.0, 4)], [2])
    assert lr(np.arange(7)).tolist() == [0.5, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]


# --- Bad input ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: compat.torch.StepLR(0.1, 30, last_epoch=4), TypeError, "last_epoch.*"),
        (lambda: compat.torch.StepLR(0.1, 30, verbose=True), TypeError, "no `verbose`"),
        (
            lambda: compat.torch.StepLR(optimizer=3, step_size=30),
            TypeError,
            "no `optimizer`: its learning rate comes first",
        ),
        (lambda: compat.torch.StepLR(0.1, 30, gama=1), TypeError, "mean 'gamma'"),
        (lambda: compat.torch.StepLR(0.1, -3), ValueError, r"> 0, got -3"),
        (lambda: compat.torch.OneCycleLR(1.0), ValueError, "`total_steps` or `epochs`"),
        (lambda: compat.torch.SWALR(1, 1, 1, "cosine"), ValueError, "'cos'"),
        (lambda: compat.torch.from_scheduler(3), TypeError, "PyTorch's own, got 3"),
        (lambda: compat.torch.ReduceLROnPlateau, AttributeError, "a metric"),
        (lambda: compat.torch.StepLr, AttributeError, "mean 'StepLR'"),
        (lambda: compat.optax.cosine_decay, AttributeError, "'cosine_decay_schedule'"),
        (lambda: compat.pytorch, AttributeError, "mean 'torch'"),
        (
            lambda: compat.torch.SequentialLR([js.constant(1.0)], [3]),
            ValueError,
            "got 1 schedules and 1 boundaries",
        ),
        (
            lambda: compat.transformers.get_scheduler("cosin", 0.1, 1, 2),
            ValueError,
            "mean 'cosine'",
        ),
        (
            lambda: compat.transformers.get_scheduler("greedy", 0.1),
            ValueError,
            "depends on a metric",
        ),
        (
            lambda: compat.transformers.get_scheduler("linear", 0.1, 5),
            TypeError,
            "num_training_steps",
        ),
        (
            lambda: compat.transformers.get_scheduler("linear", 0.1, 5, 9, power=2),
            TypeError,
            "'power'",
        ),
        (
            lambda: compat.transformers.get_cosine_with_min_lr_schedule_with_warmup(
                *(0.1, 1, 2), min_lr=0.0, min_lr_rate=0.0
            ),
            ValueError,
            "either `min_lr` or `min_lr_rate`",
        ),
        (lambda: compat.transformers.get_greedy_schedule, AttributeError, "a metric"),
        (
            lambda: compat.timm.StepLRScheduler(0.1, 3, t_in_epochs=False),
            TypeError,
            "no `t_in_epochs`",
        ),
        (lambda: compat.timm.create_scheduler_v2(1.0, "cos"), ValueError, "'cosine'"),
        (
            lambda: compat.timm.create_scheduler_v2(1.0, patience_epochs=3),
            TypeError,
            "no `patience_epochs`: it depends on a metric",
        ),
        (
            lambda: compat.timm.create_scheduler_v2(1.0, "plateau"),
            ValueError,
            "depends on a metric",
        ),
        (
            lambda: compat.keras.deserialize({"decay_steps": 3}),
            ValueError,
            "`class_name`",
        ),
        (
            lambda: compat.t5x.create_learning_rate_scheduler("constant * rsqrt"),
            ValueError,
            "'rsqrt_decay'",
        ),
        (
            lambda: compat.optax.warmup_cosine_decay_schedule(0.0, 1.0, 10, 10),
            ValueError,
            "decay_steps - warmup_steps",
        ),
    ],
)
def test_says_what_is_wrong(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_a_configuration_names_what_is_not_loaded_yet():
    config = js.to_config(compat.torch.CosineAnnealingLR(1.0, 3))
    script = f"import jaxsched as js; print(repr(js.from_config({config!r})))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "Annealing(base=1.0, steps=3.0)\n"
