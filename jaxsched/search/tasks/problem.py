"""What a problem is: data, a network and a loss, fitted with AdamW."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from ...schedule import Schedule
from ..results.results import Results
from ..task import Metrics


Params: TypeAlias = Any
"""A pytree of weights."""


class Data(NamedTuple):
    """Examples: arrays whose first axis goes over them."""

    inputs: jax.Array
    targets: jax.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A network to train on some data, and other data to validate it on: a task.

    Attributes:
        name: What it is called.
        measure: What the validation loss is, in words.
        initialize: From a random key to the weights.
        loss: From weights and data to the mean loss, a scalar.
        training: What is trained on.
        validation: What is held out.
        steps: For how many steps to train.
        batch: How many examples each step takes, at random.
    """

    name: str
    measure: str
    initialize: Callable[[jax.Array], Params]
    loss: Callable[[Params, Data], jax.Array]
    training: Data
    validation: Data
    steps: int
    batch: int

    @staticmethod
    def optimizer(schedule: Any) -> optax.GradientTransformation:
        """Returns AdamW, differentiable even where a gradient is zero."""
        return optax.adamw(schedule, eps_root=1e-16)

    def init(self, schedule: Any, key: jax.Array) -> tuple[Params, Any, jax.Array]:
        """Returns the weights, the memory of the optimizer, and all the batches.

        Args:
            schedule: The learning rate.
            key: What the weights and the batches are drawn with.
        """
        initial, drawn = jax.random.split(key)
        params = self.initialize(initial)
        # All at once, since it is random numbers that take long to compile.
        count = len(self.training.inputs)
        batches = jax.random.randint(drawn, (self.steps, self.batch), 0, count)
        return params, self.optimizer(schedule).init(params), batches

    def step(
        self, schedule: Any, state: tuple[Params, Any, jax.Array], t: jax.Array
    ) -> tuple[tuple[Params, Any, jax.Array], Metrics]:
        """Does one step of AdamW, and returns the loss before it."""
        params, memory, batches = state
        rows = batches[t]
        data = Data(self.training.inputs[rows], self.training.targets[rows])
        loss, gradients = jax.value_and_grad(self.loss)(params, data)
        # Optax itself does not run under strict promotion.
        with jax.numpy_dtype_promotion("standard"):
            updates, memory = self.optimizer(schedule).update(gradients, memory, params)
        params = optax.apply_updates(params, updates)
        return (params, memory, batches), {"loss": loss}

    def evaluate(self, schedule: Any, state: tuple[Params, Any, jax.Array]) -> Metrics:
        """Returns the loss on what is held out."""
        del schedule
        return {"validation": self.loss(state[0], self.validation)}

    def fit(self, schedule: Schedule, key: jax.Array) -> tuple[Params, jax.Array]:
        """Trains once, and returns the weights and the training loss of every step."""
        (params, _, _), watched = jax.lax.scan(
            lambda state, t: self.step(schedule, state, t),
            self.init(schedule, key),
            jnp.arange(self.steps),
        )
        return params, watched["loss"]

    def train(self, schedule: Schedule, key: jax.Array) -> Metrics:
        """Trains once: the training loss of every step, and the loss at the end."""
        params, losses = self.fit(schedule, key)
        return {"loss": losses, "validation": self.loss(params, self.validation)}

    def paint(self, results: Results, key: jax.Array) -> dict[str, np.ndarray]:
        """Returns pictures of the results, by caption; most tasks have none.

        Args:
            results: The results of the search.
            key: The key that was given to `search.run`.
        """
        return {}


def dense(key: jax.Array, sizes: Sequence[int]) -> list[tuple[jax.Array, jax.Array]]:
    """Draws the weights and biases of a network of dense layers (He et al., 2015)."""
    shapes = list(itertools.pairwise(sizes))
    ends = np.cumsum([inputs * outputs for inputs, outputs in shapes])
    drawn = jnp.split(jax.random.normal(key, (int(ends[-1]),)), ends[:-1])
    return [
        (weights.reshape(shape) * (2 / shape[0]) ** 0.5, jnp.zeros(shape[1]))
        for weights, shape in zip(drawn, shapes, strict=True)
    ]


def apply_dense(
    layers: Sequence[tuple[jax.Array, jax.Array]], inputs: jax.Array
) -> jax.Array:
    """Applies a network of dense layers, with ReLU in between."""
    *hidden, (weights, bias) = layers
    for inner_weights, inner_bias in hidden:
        inputs = jax.nn.relu(inputs @ inner_weights + inner_bias[None])
    return inputs @ weights + bias[None]


def cross_entropy(logits: jax.Array, labels: ArrayLike) -> jax.Array:
    """Returns the mean cross-entropy in nats."""
    losses = optax.softmax_cross_entropy_with_integer_labels(
        logits, jnp.asarray(labels)
    )
    return jnp.mean(losses)
