"""Search with a model of Flax Linen in a `TrainState`."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax.training.train_state import TrainState

import jaxsched as js
from jaxsched import search


class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.relu(nn.Dense(32)(x)))


def loss(params, apply_fn, rows):
    return ((apply_fn(params, rows[:, :8]) - rows[:, 8:]) ** 2).mean()


def init(lr, key):
    model = Model()
    params = model.init(key, jnp.zeros((1, 8)))
    return TrainState.create(apply_fn=model.apply, params=params, tx=optax.adam(lr))


def step(lr, state, t, data):
    rows = jax.lax.dynamic_slice_in_dim(data["train"], 16 * (t % 8), 16)
    value, grads = jax.value_and_grad(loss)(state.params, state.apply_fn, rows)
    return state.apply_gradients(grads=grads), {"loss": value}


def evaluate(lr, state, data):
    found = loss(state.params, state.apply_fn, data["held out"])
    return {"validation": found, "weights": state.params}


rows = jax.random.normal(jax.random.key(0), (256, 9))
rows = rows.at[:, 8].set(jnp.sin(rows[:, :8]).sum(axis=1))
data = {"train": rows[:128], "held out": rows[128:]}
task = search.Task(init, step, evaluate, steps=64, data=data)
space = js.warmup_cosine(search.logspace(0.001, 0.1, 3), warmup_steps=8, total_steps=64)
