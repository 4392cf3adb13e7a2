"""Search with plain params, and a stream of batches in place of arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsched as js
from jaxsched import search


def batch_of(t):
    rows = np.random.default_rng(t).normal(size=(16, 9)).astype(np.float32)
    rows[:, 8] = np.sin(rows[:, :8]).sum(axis=1)
    return rows


def loss(params, rows):
    hidden = jax.nn.relu(rows[:, :8] @ params["in"])
    return ((hidden @ params["out"] - rows[:, 8:]) ** 2).mean()


def init(config, key):
    drawn = jax.random.normal(key, (9, 32)) / 3
    params = {"in": drawn[:8], "out": drawn[8:].T}
    return params, optax.sgd(config.lr, config.momentum).init(params)


def step(config, state, t, data):
    params, memory = state
    value, grads = jax.value_and_grad(loss)(params, data["batch"])
    updates, memory = optax.sgd(config.lr, config.momentum).update(grads, memory)
    return (optax.apply_updates(params, updates), memory), {"loss": value}


def evaluate(config, state, data):
    return {"validation": loss(state[0], data["held out"]), "weights": state[0]}


held_out = jnp.concatenate([batch_of(t) for t in range(1000, 1008)])
data = {"batch": search.stream(batch_of), "held out": held_out}
task = search.Task(init, step, evaluate, steps=64, data=data)
space = search.space(
    lr=js.warmup_linear(
        search.logspace(0.001, 0.03, 3), warmup_steps=8, total_steps=64
    ),
    momentum=search.choice([0.0, 0.9]),
)
