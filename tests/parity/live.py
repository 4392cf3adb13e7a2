"""Asks the peers themselves: the same call there and here, with random arguments.

`python -m tests.parity.live` writes down what they answer to a few, for the tests that
run without them.

`DRAWS` has, for each function of `jaxsched.compat`, arguments drawn at random, all of
them data: a function is written as text, and a schedule among arguments as its own
name and arguments. `theirs` calls the peer, which must be installed, and `ours` us.
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


STEPS = 160
SCHEDS = ["cosine", "tanh", "poly", "step", "multistep", "wsd", "rsqrt", "constant"]


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


def torch_scheduler(optimizer, function, arguments):
    """Makes a scheduler of PyTorch."""
    module = importlib.import_module("torch.optim.lr_scheduler")
    if function == "SWALR":
        module = importlib.import_module("torch.optim.swa_utils")
    made = {}
    for name, value in arguments.items():
        if name == "schedulers":
            made[name] = [
                torch_scheduler(optimizer, part["function"], part["arguments"])
                for part in value
            ]
        elif name == "lr_lambda":
            made[name] = ours("torch", value)
        elif name == "milestones" or name not in ("base_lr", "total_steps"):
            made[name] = value
    if function in ("OneCycleLR", "CyclicLR"):
        made |= {k: v for k, v in arguments.items() if k in ("base_lr", "total_steps")}
    if function == "ChainedScheduler":
        return getattr(module, function)(**made)
    return getattr(module, function)(optimizer, **made)


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


def base_of(arguments):
    """Finds the rate of the optimizer, which all parts have."""
    for part in arguments.get("schedulers", ()):
        return base_of(part["arguments"])
    return arguments.get("base_lr", 0.1)


def torch(function, arguments):
    optimizer = optimizer_of(base_of(arguments))
    scheduler = torch_scheduler(optimizer, function, arguments)
    steps = arguments["total_steps"] if function == "OneCycleLR" else STEPS
    rates, momenta = torch_values(optimizer, scheduler, steps)
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


# --- Their arguments ----------------------------------------------------------------


def rate(rng):
    return 10 ** rng.uniform(-4, 0)


def drawn(peer, function, rng):
    """Draws the arguments of a call: numbers that float32 has."""
    return rounded(DRAWS[peer][function](rng))


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(np.float32(value)) if isinstance(value, float) else value


def torch_factor(rng, base):
    """A scheduler of PyTorch that only multiplies the rate."""
    part = rng.choice(["ConstantLR", "LinearLR", "ExponentialLR", "StepLR"])
    return {
        "function": part,
        "arguments": DRAWS["torch"][part](rng) | {"base_lr": base},
    }


def in_sequence(rng):
    base = rate(rng)
    parts = ["LinearLR", "CosineAnnealingLR", "StepLR"]
    return {
        "schedulers": [
            {
                "function": part,
                "arguments": DRAWS["torch"][part](rng) | {"base_lr": base},
            }
            for part in parts
        ],
        "milestones": sorted(rng.sample(range(1, 100), 2)),
    }


def chained(rng):
    base = rate(rng)
    return {"base_lr": base, "schedulers": [torch_factor(rng, base) for _ in range(2)]}


def one_cycle(rng):
    total = rng.randint(5, STEPS)
    three = rng.random() < 0.5
    return {
        "max_lr": rate(rng),
        "total_steps": total,
        "pct_start": rng.uniform(1.5 / total, 0.5 if three else 0.95),
        "anneal_strategy": rng.choice(["cos", "linear"]),
        "base_momentum": rng.uniform(0.5, 0.85),
        "max_momentum": rng.uniform(0.85, 0.99),
        "div_factor": rng.uniform(2, 50),
        "final_div_factor": 10 ** rng.uniform(1, 4),
        "three_phase": three,
    }


def warmed(rng, **more):
    warmup = rng.choice([0, rng.randint(1, 30)])
    return {
        "base_lr": rate(rng),
        "num_warmup_steps": warmup,
        "num_training_steps": warmup + rng.randint(1, STEPS - 40),
        **more,
    }


def named(name, *functions):
    """Draws the arguments of a schedule of Transformers, called by its name."""

    def draw(rng):
        more = {key: function(rng) for key, function in functions}
        return {"name": name, **warmed(rng), **more}

    return draw


def cycles(rng, warmup_prefix=None):
    warmup = rng.randint(1, 20)
    prefix = rng.random() < 0.5 if warmup_prefix is None else warmup_prefix
    return {
        "base_lr": rate(rng),
        "t_initial": rng.randint(5, 40),
        "lr_min": rng.choice([0.0, 1e-5]),
        "cycle_mul": rng.choice([1.0, 2.0, 1.5]),
        "cycle_decay": rng.uniform(0.3, 1.0),
        "cycle_limit": rng.randint(1, 3),
        "warmup_t": warmup,
        "warmup_lr_init": rng.choice([0.0, 1e-6]),
        "warmup_prefix": prefix,
    }


def steps(rng):
    return {
        "base_lr": rate(rng),
        "decay_rate": rng.uniform(0.1, 1.0),
        "warmup_t": rng.randint(1, 20),
        "warmup_lr_init": rng.choice([0.0, 1e-6]),
        "warmup_prefix": rng.random() < 0.5,
    }


def stages(rng):
    total = rng.randint(10, 120)
    return {
        "base_lr": rate(rng),
        "t_initial": total,
        "decay_t": rng.randint(1, total),
        "lr_min": rng.choice([0.0, 1e-5]),
        "stable_fn": rng.choice(["constant", "rsqrt", "power"]),
        "stable_power": rng.uniform(0.2, 1.0),
        "decay_fn": rng.choice(["linear", "1-sqrt", "cosine", "power", "exp"]),
        "decay_power": rng.uniform(0.3, 2.0),
        "decay_ratio": rng.uniform(0.01, 0.5),
        "warmup_t": rng.randint(1, 20),
    }


def scales(rng):
    at = sorted(rng.sample(range(1, STEPS), 3))
    return {str(step): rng.uniform(0.2, 2.0) for step in at}


def optax_exponential(rng):
    grows = rng.random() < 0.3
    return {
        "init_value": rate(rng),
        "transition_steps": rng.randint(1, 50),
        "decay_rate": rng.uniform(1.0, 1.2) if grows else rng.uniform(0.3, 1.0),
        "transition_begin": rng.randint(0, 20),
        "staircase": rng.random() < 0.5,
    }


def optax_cosine(rng):
    warmup = rng.randint(0, 40)
    return {
        "init_value": rng.choice([0.0, 1e-5]),
        "peak_value": rate(rng),
        "warmup_steps": warmup,
        "decay_steps": warmup + rng.randint(1, 100),
        "end_value": rng.choice([0.0, 1e-5]),
    }


def optax_joined(rng):
    parts = ["linear_schedule", "cosine_decay_schedule", "exponential_decay"]
    return {
        "schedules": [
            {"function": part, "arguments": DRAWS["optax"][part](rng)} for part in parts
        ],
        "boundaries": sorted(rng.sample(range(1, STEPS), 2)),
    }


def transition(rng):
    return {
        "init_value": rate(rng),
        "end_value": rate(rng),
        "transition_steps": rng.randint(-1, 120),
        "transition_begin": rng.randint(0, 20),
    }


def keras_exponential(rng):
    return {
        "initial_learning_rate": rate(rng),
        "decay_steps": rng.randint(1, 60),
        "decay_rate": rng.uniform(0.3, 1.0),
        "staircase": rng.random() < 0.5,
    }


def keras_boundaries(rng):
    return {
        "boundaries": sorted(rng.sample(range(1, STEPS), 3)),
        "values": [rate(rng) for _ in range(4)],
    }


def keras_polynomial(rng):
    return {
        "initial_learning_rate": rate(rng),
        "decay_steps": rng.randint(1, 100),
        "end_learning_rate": rng.choice([0.0, 1e-5]),
        "power": rng.uniform(0.5, 3.0),
        "cycle": rng.random() < 0.5,
    }


def keras_cosine(rng):
    drawn = {
        "initial_learning_rate": rate(rng),
        "decay_steps": rng.randint(1, 100),
        "alpha": rng.choice([0.0, 0.1]),
    }
    if rng.random() < 0.5:
        drawn |= {"warmup_target": rate(rng), "warmup_steps": rng.randint(1, 40)}
    return drawn


DRAWS = {
    "torch": {
        "ConstantLR": lambda rng: {
            "base_lr": rate(rng),
            "factor": rng.uniform(0.05, 1.0),
            "total_iters": rng.randint(1, 60),
        },
        "LinearLR": lambda rng: {
            "base_lr": rate(rng),
            "start_factor": rng.uniform(0.05, 1.0),
            "end_factor": rng.uniform(0.0, 1.0),
            "total_iters": rng.randint(1, 100),
        },
        "PolynomialLR": lambda rng: {
            "base_lr": rate(rng),
            "total_iters": rng.randint(1, 100),
            "power": rng.uniform(0.3, 3.0),
        },
        "ExponentialLR": lambda rng: {
            "base_lr": rate(rng),
            "gamma": rng.uniform(0.8, 1.02),
        },
        "StepLR": lambda rng: {
            "base_lr": rate(rng),
            "step_size": rng.randint(1, 40),
            "gamma": rng.uniform(0.3, 1.0),
        },
        "MultiStepLR": lambda rng: {
            "base_lr": rate(rng),
            "milestones": sorted(rng.choices(range(100), k=4)),
            "gamma": rng.uniform(0.05, 1.0),
        },
        "LambdaLR": lambda rng: {
            "base_lr": rate(rng),
            "lr_lambda": f"lambda epoch: 1 / (1 + {rng.uniform(0.01, 1)} * epoch)",
        },
        "MultiplicativeLR": lambda rng: {
            "base_lr": rate(rng),
            "lr_lambda": f"lambda epoch: 1 - {rng.uniform(0.1, 0.9)} / (1 + epoch)",
            "total_steps": STEPS,
        },
        "CosineAnnealingLR": lambda rng: {
            "base_lr": rate(rng),
            "T_max": rng.randint(2, 80),
            "eta_min": rng.choice([0.0, 1e-5]),
        },
        "SWALR": lambda rng: {
            "base_lr": rate(rng),
            "swa_lr": rate(rng),
            "anneal_epochs": rng.randint(0, 60),
            "anneal_strategy": rng.choice(["cos", "linear"]),
        },
        "CosineAnnealingWarmRestarts": lambda rng: {
            "base_lr": rate(rng),
            "T_0": rng.randint(1, 30),
            "T_mult": rng.randint(1, 3),
            "eta_min": rng.choice([0.0, 1e-5]),
        },
        "OneCycleLR": one_cycle,
        "CyclicLR": lambda rng: {
            "base_lr": 1e-5,
            "max_lr": rate(rng),
            "step_size_up": rng.randint(1, 40),
            "step_size_down": rng.randint(1, 40),
            "mode": rng.choice(["triangular", "triangular2", "exp_range"]),
            "gamma": rng.uniform(0.95, 1.0),
        },
        "SequentialLR": in_sequence,
        "ChainedScheduler": chained,
    },
    "transformers": {
        "get_constant_schedule": lambda rng: {"base_lr": rate(rng)},
        "get_constant_schedule_with_warmup": lambda rng: {
            "base_lr": rate(rng),
            "num_warmup_steps": rng.randint(0, 60),
        },
        "get_linear_schedule_with_warmup": warmed,
        "get_cosine_schedule_with_warmup": lambda rng: warmed(
            rng, num_cycles=rng.choice([0.5, 1, 1.5])
        ),
        "get_cosine_with_hard_restarts_schedule_with_warmup": lambda rng: warmed(
            rng, num_cycles=rng.randint(1, 4)
        ),
        "get_polynomial_decay_schedule_with_warmup": lambda rng: warmed(
            rng, lr_end=rng.choice([1e-7, 0.0]), power=rng.uniform(0.5, 3)
        ),
        "get_inverse_sqrt_schedule": lambda rng: {
            "base_lr": rate(rng),
            "num_warmup_steps": rng.choice([0, rng.randint(1, 60)]),
            "timescale": rng.choice([None, rng.randint(1, 200)]),
        },
        "get_cosine_with_min_lr_schedule_with_warmup": lambda rng: warmed(
            rng, min_lr_rate=rng.uniform(0, 0.5)
        ),
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate": lambda rng: warmed(
            rng,
            min_lr=rng.choice([0.0, 1e-5]),
            warmup_lr_rate=rng.choice([None, rng.uniform(0, 0.5)]),
        ),
        "get_wsd_schedule": lambda rng: {
            "base_lr": rate(rng),
            "num_warmup_steps": rng.randint(0, 30),
            "num_stable_steps": rng.randint(0, 40),
            "num_decay_steps": rng.randint(0, 60),
            "warmup_type": rng.choice(["linear", "cosine", "1-sqrt"]),
            "decay_type": rng.choice(["linear", "cosine", "1-sqrt"]),
            "min_lr_ratio": rng.choice([0.0, 0.1]),
            "num_cycles": rng.choice([0.5, 1]),
        },
        "get_scheduler": lambda rng: rng.choice(
            [
                named("linear"),
                named("cosine"),
                named("cosine_with_restarts"),
                named("polynomial", ("power", lambda rng: rng.uniform(0.5, 3))),
                named("constant"),
                named("constant_with_warmup"),
                named("inverse_sqrt"),
                named("cosine_with_min_lr", ("min_lr_rate", lambda rng: 0.1)),
                named("cosine_warmup_with_min_lr", ("min_lr_rate", lambda rng: 0.1)),
                named("warmup_stable_decay", ("num_decay_steps", lambda rng: 1)),
            ]
        )(rng),
    },
    "timm": {
        "CosineLRScheduler": lambda rng: (
            cycles(rng) | {"k_decay": rng.choice([1.0, rng.uniform(0.5, 2.0)])}
        ),
        "TanhLRScheduler": lambda rng: (
            cycles(rng) | {"lb": rng.uniform(-7, -2), "ub": rng.uniform(2, 4)}
        ),
        "PolyLRScheduler": lambda rng: (
            cycles(rng)
            | {"k_decay": rng.uniform(0.5, 2.0), "power": rng.uniform(0.5, 2.0)}
        ),
        "StepLRScheduler": lambda rng: steps(rng) | {"decay_t": rng.randint(1, 60)},
        "MultiStepLRScheduler": lambda rng: (
            steps(rng) | {"decay_t": sorted(rng.choices(range(100), k=3))}
        ),
        "WSDLRScheduler": stages,
        "create_scheduler_v2": lambda rng: {
            "base_lr": rate(rng),
            "sched": rng.choice(SCHEDS),
            "num_epochs": rng.randint(40, 120),
            "warmup_epochs": rng.randint(1, 10),
            "warmup_prefix": rng.random() < 0.5,
            "decay_epochs": rng.randint(1, 20),
            "decay_milestones": sorted(rng.sample(range(1, 100), 3)),
        },
    },
    "keras": {
        "ExponentialDecay": keras_exponential,
        "InverseTimeDecay": keras_exponential,
        "PiecewiseConstantDecay": keras_boundaries,
        "PolynomialDecay": keras_polynomial,
        "CosineDecay": keras_cosine,
        "CosineDecayRestarts": lambda rng: {
            "initial_learning_rate": rate(rng),
            "first_decay_steps": rng.randint(1, 40),
            "t_mul": rng.choice([1.0, 2.0, 1.5]),
            "m_mul": rng.uniform(0.5, 1.0),
            "alpha": rng.choice([0.0, 0.1]),
        },
    },
    "optax": {
        "constant_schedule": lambda rng: {"value": rate(rng)},
        "linear_schedule": transition,
        "polynomial_schedule": lambda rng: (
            transition(rng) | {"power": rng.uniform(0.5, 3)}
        ),
        "piecewise_constant_schedule": lambda rng: {
            "init_value": rate(rng),
            "boundaries_and_scales": scales(rng),
        },
        "piecewise_interpolate_schedule": lambda rng: {
            "interpolate_type": rng.choice(["linear", "cosine"]),
            "init_value": rate(rng),
            "boundaries_and_scales": scales(rng),
        },
        "exponential_decay": lambda rng: (
            optax_exponential(rng) | {"end_value": rng.choice([None, 0.01])}
        ),
        "cosine_decay_schedule": lambda rng: {
            "init_value": rate(rng),
            "decay_steps": rng.randint(1, 120),
            "alpha": rng.choice([0.0, 0.1]),
            "exponent": rng.choice([1.0, rng.uniform(0.5, 2.0)]),
        },
        "linear_onecycle_schedule": lambda rng: {
            "transition_steps": rng.randint(1, 140),
            "peak_value": rate(rng),
        },
        "cosine_onecycle_schedule": lambda rng: {
            "transition_steps": rng.randint(1, 140),
            "peak_value": rate(rng),
            "pct_start": rng.uniform(0.0, 1.0),
        },
        "warmup_constant_schedule": lambda rng: {
            "init_value": 0.0,
            "peak_value": rate(rng),
            "warmup_steps": rng.randint(0, 60),
        },
        "warmup_cosine_decay_schedule": optax_cosine,
        "warmup_exponential_decay_schedule": lambda rng: {
            "peak_value": rate(rng),
            "warmup_steps": rng.randint(0, 40),
            **optax_exponential(rng),
        },
        "sgdr_schedule": lambda rng: {
            "cosine_kwargs": [optax_cosine(rng) for _ in range(2)]
        },
        "join_schedules": optax_joined,
    },
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
