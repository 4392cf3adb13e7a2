"""Search with a training of one's own: REINFORCE, all of it in one function."""

import jax
import jax.numpy as jnp
import optax

import jaxsched as js
from jaxsched import search


GOALS = jnp.linspace(-1.0, 1.0, 5)
UPDATES, EPISODES = 60, 32


def play(params, key):
    """An episode of one step: which of five goals is the nearest to what is seen?"""
    see, act = jax.random.split(key)
    seen = jax.random.uniform(see, minval=-1.0, maxval=1.0)
    logits = jnp.tanh(seen * params["a"] + params["b"]) @ params["c"]
    action = jax.random.categorical(act, logits)
    reward = -jnp.abs(GOALS[action] - seen)
    return jax.nn.log_softmax(logits)[action], reward


def surrogate(params, keys):
    log_probs, rewards = jax.vmap(play, (None, 0))(params, keys)
    advantages = jax.lax.stop_gradient(rewards - rewards.mean())
    return -(log_probs * advantages).mean(), rewards.mean()


def train(lr, key):
    drawn = jax.random.normal(key, (2, 16))
    params = {"a": drawn[0], "b": drawn[1], "c": jnp.zeros((16, 5))}
    optimizer = optax.adam(lr)

    def update(state, key):
        params, memory = state
        keys = jax.random.split(key, EPISODES)
        (_, reward), grads = jax.value_and_grad(surrogate, has_aux=True)(params, keys)
        updates, memory = optimizer.update(grads, memory)
        return (optax.apply_updates(params, updates), memory), reward

    state, keys = (params, optimizer.init(params)), jax.random.split(key, UPDATES)
    (params, _), rewards = jax.lax.scan(update, state, keys)
    return {"reward": rewards[-10:].mean(), "curve": rewards, "weights": params}


task, metric = train, "reward"
space = search.one_of(
    js.constant(search.logspace(0.001, 0.1, 3)),
    js.linear(search.logspace(0.001, 0.1, 3), 0.0, steps=UPDATES),
)
