"""Random arguments for each function of `jaxsched.compat`, all of them data.

A function among them is written as text, and a schedule as its own name and arguments.
"""

import numpy as np


STEPS = 160
SCHEDS = ["cosine", "tanh", "poly", "step", "multistep", "wsd", "rsqrt", "constant"]


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


FACTORS = ["ConstantLR", "LinearLR", "ExponentialLR", "StepLR", "MultiStepLR"]
FACTORS += ["PolynomialLR"]
REPLACING = ["LambdaLR", "CosineAnnealingWarmRestarts", "OneCycleLR", "CyclicLR"]


def torch_part(rng, function, base):
    """A scheduler of PyTorch, for an optimizer of that rate."""
    arguments = DRAWS["torch"][function](rng)
    given = [part["arguments"] for part in arguments.get("schedulers", ())]
    for each in [arguments, *given]:
        # Those two have rates of their own.
        if "base_lr" in each and "max_lr" not in each:
            each["base_lr"] = base
    return {"function": function, "arguments": arguments}


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
    """Factors, one of them perhaps a cosine, or whatever comes before a replacement."""
    base = rate(rng)
    functions = rng.choices(FACTORS, k=rng.randint(2, 3))
    if rng.random() < 0.5:
        functions[rng.randrange(len(functions))] = "CosineAnnealingLR"
    parts = [torch_part(rng, function, base) for function in functions]
    for part in parts:
        part["arguments"].pop("eta_min", None)
    if rng.random() < 0.3:
        function = rng.choice(["LambdaLR", "CosineAnnealingWarmRestarts"])
        parts.append(torch_part(rng, function, base))
    return {"base_lr": base, "schedulers": parts}


def any_chain(rng):
    """One to four schedulers of any kind: many such chains have no formula."""
    base = rate(rng)
    functions = [*DRAWS["torch"], *FACTORS]
    parts = [
        torch_part(rng, function, base)
        for function in rng.choices(functions, k=rng.randint(1, 4))
    ]
    for part in parts:
        if part["function"] == "OneCycleLR":
            part["arguments"]["total_steps"] = STEPS
    return {"base_lr": base, "schedulers": parts}


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
