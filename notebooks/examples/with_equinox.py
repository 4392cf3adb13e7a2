"""Search with a model of Equinox; its functions may stay in the state."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import jaxsched as js
from jaxsched import search


def loss(model, rows):
    return ((jax.vmap(model)(rows[:, :8]) - rows[:, 8:]) ** 2).mean()


def init(lr, key):
    model = eqx.nn.MLP(8, 1, width_size=32, depth=1, key=key)
    return model, optax.adam(lr).init(eqx.filter(model, eqx.is_inexact_array))


def step(lr, state, t, data):
    model, memory = state
    rows = jax.lax.dynamic_slice_in_dim(data["train"], 16 * (t % 8), 16)
    value, grads = eqx.filter_value_and_grad(loss)(model, rows)
    updates, memory = optax.adam(lr).update(grads, memory)
    return (eqx.apply_updates(model, updates), memory), {"loss": value}


def evaluate(lr, state, data):
    model, _ = state
    weights = eqx.filter(model, eqx.is_inexact_array)
    return {"validation": loss(model, data["held out"]), "weights": weights}


rows = jax.random.normal(jax.random.key(0), (256, 9))
rows = rows.at[:, 8].set(jnp.sin(rows[:, :8]).sum(axis=1))
data = {"train": rows[:128], "held out": rows[128:]}
task = search.Task(init, step, evaluate, steps=64, data=data)
space = js.warmup_cosine(search.logspace(0.001, 0.1, 3), warmup_steps=8, total_steps=64)
