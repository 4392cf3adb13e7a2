"""`jaxsched.compat` against the peers that are installed: `pytest -m live`."""

import doctest
import importlib.util
import inspect
import random
import warnings

import jax
import numpy as np
import pytest

from jaxsched.compat.torch import from_scheduler

from .draws import DRAWS, STEPS, drawn
from .live import optimizer_of, rates_of, schedules_of, torch_scheduler


pytestmark = pytest.mark.live

CALLS = [(peer, function) for peer in DRAWS for function in DRAWS[peer]]
NEEDS = {"timm": ("timm", "torch"), "transformers": ("transformers", "torch")}
DRAWN = 50


@jax.jit
def values(schedule, steps):
    return schedule(steps)


@pytest.mark.parametrize(("peer", "function"), CALLS)
def test_agrees_with_the_peer(peer, function):
    missing = [m for m in NEEDS.get(peer, (peer,)) if not importlib.util.find_spec(m)]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    # Parts of Keras compute in float32, whatever they are given.
    exact = jax.config.jax_enable_x64 and peer != "keras"
    rng = random.Random(f"{peer}.{function}")
    for _ in range(DRAWN):
        arguments = drawn(peer, function, rng)
        theirs = rates_of(peer, function, arguments)
        for schedule, expected in zip(
            schedules_of(peer, function, arguments), theirs, strict=True
        ):
            rates = values(schedule, np.arange(STEPS))[: len(expected)]
            # In float32, within an ulp of the greatest rate where that is more.
            near = 1e-15 if exact else 1e-7
            np.testing.assert_allclose(
                rates,
                expected,
                rtol=1e-9 if exact else 1e-6,
                atol=near * abs(expected).max(),
                err_msg=str(arguments),
            )


@pytest.fixture
def torch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("torch")


@pytest.mark.parametrize("function", DRAWS["torch"])
def test_reads_a_scheduler_wherever_it_is(torch, function):
    rng = random.Random(function)
    for steps_before in (0, 3):
        arguments = drawn("torch", function, rng)
        expected = schedules_of("torch", function, arguments)
        optimizer, scheduler = torch_scheduler(function, arguments)
        for _ in range(steps_before):
            optimizer.step()
            scheduler.step()
        parts = ["rate", "momentum"][: len(expected)]
        for part, schedule in zip(parts, expected, strict=True):
            (read,) = from_scheduler(scheduler, of=part, total_steps=STEPS)
            np.testing.assert_allclose(
                read(np.arange(STEPS)), schedule(np.arange(STEPS)), rtol=2e-6, atol=1e-7
            )


def test_reads_a_schedule_for_each_parameter_group(torch):
    optimizer = optimizer_of(0.5)
    other = {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.25}
    optimizer.add_param_group(other)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
    first, second = from_scheduler(scheduler)
    assert first([0, 3]).tolist() == [0.5, 0.25]
    assert second([0, 3]).tolist() == [0.25, 0.125]
    with pytest.raises(TypeError, match="moves no momentum"):
        from_scheduler(scheduler, of="momentum")
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(TypeError, match="depends on a metric"):
        from_scheduler(plateau)


def test_the_example_of_the_docstring_runs(torch):
    example = inspect.getdoc(from_scheduler).replace("# doctest: +SKIP", "")
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(example, {}, "it", None, None))
    assert runner.summarize(verbose=False) == (0, 7)
