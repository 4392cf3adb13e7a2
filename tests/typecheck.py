"""A program that exists to be type-checked: `test_types.py` says what must be found."""

import jax
import jax.numpy as jnp
import optax

import jaxsched as js


lr = js.warmup_cosine(0.1, warmup_steps=10, total_steps=100)
as_optax: optax.Schedule = lr
optimizer = optax.adam(lr)
rate: jax.Array = lr(3)
product: js.Product = 2 * lr
total: js.Sum = jnp.ones(()) + lr
chained: js.Chain = lr >> 0.5
ramp = js.Ramp(0.0, 1.0, 10)
replaced: js.Ramp = ramp.replace(end=2.0)
curved = js.ramp(0, jnp.ones(()), 10, js.curves.Power(2))
cycle = js.one_cycle(0.1, total_steps=100)
momentum: js.Schedule = cycle.momentum
step: js.Schedule = js.compat.torch.StepLR(0.1, 30)
rates, momenta = js.compat.torch.OneCycleLR(0.1, total_steps=100)

ramp.start = 3.0  # error: frozen
js.Ramp(0.0)  # error: missing arguments
js.linear("a", 1.0, 2)  # error: a string
js.compat.torch.StepLR(0.1, "30")  # error: a string
js.warmup_cosine(0.1, warmup_step=1, total_steps=2)  # error: misspelt


class Overriding(js.Schedule):
    @property
    def duration(self) -> float:
        return 1.0

    def evaluate(self, t, left):
        return t

    def __call__(self, step):  # error: final
        return step


class Partial(js.Schedule):
    def evaluate(self, t, left):
        return t


Partial()  # error: abstract
