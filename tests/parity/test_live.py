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

from .draws import DRAWS, FACTORS, REPLACING, STEPS, any_chain, drawn, rounded
from .live import (
    optimizer_of,
    rates_of,
    schedules_of,
    torch_scheduler,
    torch_values,
)


pytestmark = pytest.mark.live

CALLS = [(peer, function) for peer in DRAWS for function in DRAWS[peer]]
NEEDS = {"timm": ("timm", "torch"), "transformers": ("transformers", "torch")}
DRAWN = 50
MOVING = {"OneCycleLR", "CyclicLR"}


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


def has_formula(chain):
    """Tells whether a chain of PyTorch is a product of factors, or is replaced."""
    names = []
    for part in leaves_of(chain):
        # What comes before a replacement does not count.
        names = [] if part["function"] in REPLACING else names
        names.append((part["function"], part["arguments"].get("eta_min", 0.0)))
    if len(names) == 1:
        return True
    factors = {(name, 0.0) for name in [*FACTORS, "MultiplicativeLR"]}
    cosines = names.count(("CosineAnnealingLR", 0.0))
    return cosines <= 1 and {*names} <= factors | {("CosineAnnealingLR", 0.0)}


def leaves_of(part):
    if "schedulers" not in part or "milestones" in part:
        return [part]
    flat = []
    for inner in part["schedulers"]:
        chained = inner["function"] == "ChainedScheduler"
        flat += leaves_of(inner["arguments"]) if chained else [inner]
    return flat


def test_chains_of_all_schedulers(torch):
    rng = random.Random(5)
    exact = jax.config.jax_enable_x64
    seen = {True: 0, False: 0}
    for _ in range(300):
        chain = rounded(any_chain(rng))
        optimizer, scheduler = torch_scheduler("ChainedScheduler", chain)
        expected, momenta = map(np.array, torch_values(optimizer, scheduler, STEPS))
        formula = has_formula(chain)
        seen[formula] += 1
        # The rate of the optimizer, which some change, is an argument of ours.
        flat = {"base_lr": chain["base_lr"], "schedulers": leaves_of(chain)}
        if not formula:
            with pytest.raises(ValueError, match="chained"):
                from_scheduler(scheduler, total_steps=STEPS)
            with pytest.raises(ValueError, match="chained"):
                schedules_of("torch", "ChainedScheduler", flat)
            continue
        (read,) = from_scheduler(scheduler, total_steps=STEPS)
        schedules = [read]
        if not MOVING & {part["function"] for part in flat["schedulers"]}:
            schedules += schedules_of("torch", "ChainedScheduler", flat)
        for schedule in schedules:
            np.testing.assert_allclose(
                values(schedule, np.arange(STEPS)),
                expected,
                rtol=1e-9 if exact else 2e-5,
                atol=(1e-14 if exact else 2e-7) * abs(expected).max(),
                err_msg=str(chain),
            )
        moving = [part for part in leaves_of(chain) if part["function"] in MOVING]
        if moving:
            (read,) = from_scheduler(scheduler, of="momentum", total_steps=STEPS)
            np.testing.assert_allclose(
                values(read, np.arange(STEPS)), momenta, rtol=1e-6, err_msg=str(chain)
            )
    assert min(seen.values()) > 50


@pytest.mark.parametrize("last", ["SWALR", "MultiplicativeLR"])
def test_reads_what_goes_on_at_the_rate_that_it_finds(torch, last):
    optimizer = optimizer_of(0.5)
    schedulers = torch.optim.lr_scheduler
    parts = [schedulers.ExponentialLR(optimizer, 0.75)]
    if last == "SWALR":
        parts.append(torch.optim.swa_utils.SWALR(optimizer, 0.125, anneal_epochs=8))
    else:
        parts.append(schedulers.MultiplicativeLR(optimizer, lambda step: 0.5))
    scheduler = schedulers.SequentialLR(optimizer, parts, [4])
    (read,) = from_scheduler(scheduler, total_steps=40)
    expected, _ = torch_values(optimizer, scheduler, 40)
    np.testing.assert_allclose(read(np.arange(40)), expected, rtol=1e-5)


def test_a_frozen_parameter_group_can_be_chained(torch):
    optimizer = optimizer_of(0.0)
    schedulers = torch.optim.lr_scheduler
    parts = [schedulers.StepLR(optimizer, 2), schedulers.ExponentialLR(optimizer, 0.5)]
    (read,) = from_scheduler(schedulers.ChainedScheduler(parts))
    assert read([0, 5]).tolist() == [0.0, 0.0]


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
