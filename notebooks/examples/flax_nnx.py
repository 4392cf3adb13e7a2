"""Search with a model of Flax NNX that has batch normalization and dropout."""

import jax
import optax
from flax import nnx

import jaxsched as js
from jaxsched import search


class Model(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(8, 32, rngs=rngs)
        self.norm = nnx.BatchNorm(32, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.out = nnx.Linear(32, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(self.dropout(nnx.relu(self.norm(self.hidden(x)))))


def loss(model, rows):
    return ((model(rows[:, :8]) - rows[:, 8:]) ** 2).mean()


def init(lr, key):
    model = Model(nnx.Rngs(key))
    return nnx.split((model, nnx.Optimizer(model, optax.adamw(lr), wrt=nnx.Param)))


def step(lr, state, t, data):
    model, optimizer = nnx.merge(*state)
    rows = jax.lax.dynamic_slice_in_dim(data["train"], 16 * (t % 8), 16)
    value, grads = nnx.value_and_grad(loss)(model, rows)
    optimizer.update(model, grads)
    return nnx.split((model, optimizer)), {"loss": value}


def evaluate(lr, state, data):
    model, _ = nnx.merge(*state)
    model.eval()
    weights = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    return {"validation": loss(model, data["held out"]), "weights": weights}


rows = jax.random.normal(jax.random.key(0), (256, 8)) @ jax.numpy.eye(8, 9, 0)
rows = rows.at[:, 8].set(jax.numpy.sin(rows[:, :8]).sum(axis=1))
data = {"train": rows[:128], "held out": rows[128:]}
task = search.Task(init, step, evaluate, steps=64, data=data)
space = js.warmup_cosine(search.logspace(0.001, 0.1, 3), warmup_steps=8, total_steps=64)
