"""Asks the peers themselves: the same call there and here, with random arguments.

`python -m tests.parity.live` writes down what they answer to a few, for the tests that
run without them.

`rates_of` calls the peer, which must be installed, and `schedules_of` us.
"""

import importlib
import json
import os
import random
import sys
import types
import warnings
from importlib.machinery import PathFinder
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np

from jaxsched import OneCycle, compat

from .draws import DRAWS, STEPS, drawn


def rates_of(peer, function, arguments):
    """Returns what the peer computes at each step: rates, and perhaps momenta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [np.array(each) for each in PEERS[peer](function, dict(arguments))]


def schedules_of(peer, function, arguments):
    """Returns our schedules of the same call: of the rate, and perhaps the momentum."""
    made = getattr(getattr(compat, peer), function)(
        **{name: ours(peer, value) for name, value in arguments.items()}
    )
    if function == "create_scheduler_v2":
        made, _ = made
    return [*made] if isinstance(made, OneCycle) else [made]


def ours(peer, value):
    """Makes what stands for an argument the argument itself."""
    if isinstance(value, str) and value.startswith("lambda "):
        return eval(value, {"np": np})
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [ours(peer, item) for item in value]
    if isinstance(value, dict) and "function" in value:
        return schedules_of(peer, value["function"], value["arguments"])[0]
    if isinstance(value, dict) and all(key.isdigit() for key in value):
        return {int(step): scale for step, scale in value.items()}
    return value


# --- The peers ----------------------------------------------------------------------


def optimizer_of(rate):
    """Returns an optimizer of PyTorch, with that rate."""
    torch = importlib.import_module("torch")
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], rate, momentum=0.9)


def torch_scheduler(function, arguments, optimizer=None):
    """Makes an optimizer of PyTorch, and a scheduler of it."""
    module = importlib.import_module("torch.optim.lr_scheduler")
    if function == "SWALR":
        module = importlib.import_module("torch.optim.swa_utils")
    given = dict(arguments)
    optimizer = optimizer or optimizer_of(base_of(given))
    if function not in ("CyclicLR", "OneCycleLR"):
        given.pop("base_lr", None)
        given.pop("total_steps", None)
    if "lr_lambda" in given:
        given["lr_lambda"] = ours("torch", given["lr_lambda"])
    if "schedulers" in given:
        given["schedulers"] = [
            torch_scheduler(part["function"], part["arguments"], optimizer)[1]
            for part in given["schedulers"]
        ]
    of = () if function == "ChainedScheduler" else (optimizer,)
    return optimizer, getattr(module, function)(*of, **given)


def base_of(arguments):
    """Finds the rate of the optimizer, which all parts have."""
    for part in arguments.get("schedulers", ()):
        return base_of(part["arguments"])
    return arguments.get("base_lr", 0.1)


def torch_values(optimizer, scheduler, steps):
    """Steps a scheduler, and reads the optimizer."""
    group = optimizer.param_groups[0]
    rates, momenta = [group["lr"]], [group["momentum"]]
    for _ in range(steps - 1):
        optimizer.step()
        scheduler.step()
        rates.append(group["lr"])
        momenta.append(group["momentum"])
    return rates, momenta


def torch(function, arguments):
    steps = arguments["total_steps"] if function == "OneCycleLR" else STEPS
    rates, momenta = torch_values(*torch_scheduler(function, arguments), steps)
    return [rates, momenta] if function in ("OneCycleLR", "CyclicLR") else [rates]


def transformers(function, arguments):
    optimization = importlib.import_module("transformers.optimization")
    optimizer = optimizer_of(arguments.pop("base_lr"))
    if function == "get_scheduler":
        lengths = ("name", "num_warmup_steps", "num_training_steps")
        given = {name: arguments.pop(name) for name in lengths}
        name = given.pop("name")
        scheduler = optimization.get_scheduler(
            name, optimizer, **given, scheduler_specific_kwargs=arguments
        )
    else:
        scheduler = getattr(optimization, function)(optimizer, **arguments)
    return torch_values(optimizer, scheduler, STEPS)[:1]


def timm(function, arguments):
    if "timm" not in sys.modules:
        # Its schedulers need less than `import timm` does.
        bare = types.ModuleType("timm")
        found = PathFinder.find_spec("timm")
        if found is None:
            raise ImportError("timm")
        bare.__path__ = found.submodule_search_locations
        bare.__spec__ = found
        sys.modules["timm"] = bare
    scheduler = importlib.import_module("timm.scheduler")
    module = scheduler
    if function == "create_scheduler_v2":
        module = importlib.import_module("timm.scheduler.scheduler_factory")
    elif function == "WSDLRScheduler":
        module = importlib.import_module("timm.scheduler.wsd_lr")
    optimizer = optimizer_of(arguments.pop("base_lr"))
    made = getattr(module, function)(optimizer, **arguments)
    if isinstance(made, tuple):
        made, _ = made
    rates = []
    for step in range(STEPS):
        advance = made.step if made.t_in_epochs else made.step_update
        advance(step)
        rates.append(optimizer.param_groups[0]["lr"])
    return [rates]


def keras(function, arguments):
    os.environ["KERAS_BACKEND"] = "jax"
    schedules = importlib.import_module("keras.optimizers.schedules")
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        # It computes in the type that it is given, but for some of its functions.
        exact = jax.tree.map(
            lambda x: np.float64(x) if isinstance(x, float) else x, arguments
        )
        schedule = getattr(schedules, function)(**exact)
        return [jax.vmap(schedule)(np.arange(STEPS))]


def optax(function, arguments):
    optax = importlib.import_module("optax")
    made = {
        name: [getattr(optax, part["function"])(**part["arguments"]) for part in value]
        if name == "schedules"
        else value
        if name == "cosine_kwargs"
        else ours("optax", value)
        for name, value in arguments.items()
    }
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        schedule = getattr(optax, function)(**made)
        return [[float(schedule(step)) for step in range(STEPS)]]


PEERS = {
    "torch": torch,
    "transformers": transformers,
    "timm": timm,
    "keras": keras,
    "optax": optax,
}


# --- What is written down -----------------------------------------------------------

RECORDED = Path(__file__).parent.parent / "goldens" / "compat.json"
SOME = [*range(12), *range(12, STEPS, 7)]


def recorded(peer, function, case):
    """Returns one random call, and what the peer answers."""
    arguments = drawn(peer, function, random.Random(f"{peer}.{function}.{case}"))
    values = [
        [float(f"{each[step]:.12g}") for step in SOME if step < len(each)]
        for each in rates_of(peer, function, arguments)
    ]
    return {
        "peer": peer,
        "function": function,
        "arguments": arguments,
        "values": values,
    }


if __name__ == "__main__":
    rows = [
        json.dumps(recorded(peer, function, case))
        for peer in DRAWS
        for function in DRAWS[peer]
        for case in range(2)
    ]
    versions = json.dumps({peer: version(peer) for peer in PEERS})
    lines = ",\n".join(rows)
    RECORDED.write_text(
        f'{{"versions": {versions},\n"steps": {SOME},\n"cases": [\n{lines}\n]}}\n'
    )
    print(f"wrote {len(rows)} cases to {RECORDED}")
