"""Schedules built of traced numbers: none of their arguments needs to be known."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js
from jaxsched import curves

from .documents import KINDS, constructors


STEPS = np.arange(-2, 60)
EPSILON = float(jnp.finfo(jnp.result_type(float)).eps)


def use(*args, **kwargs):
    return args, kwargs


BASE = js.cosine(1.0, 0.1, 30)

CALLS = {
    "constant": use(0.3, steps=5.0),
    "chebyshev": use(0.05, largest=1.0, total_steps=32.0),
    "silver": use(0.5),
    "cosine": use(1.0, 0.1, 30.0),
    "exponential": use(1.0, 0.1, 30.0),
    "linear": use(1.0, 0.1, 30.0),
    "polynomial": use(1.0, 0.1, 30.0, power=2.0),
    "ramp": use(1.0, 0.1, 30.0, curves.Sqrt()),
    "exponential_decay": use(1.0, factor=0.9, steps=10.0),
    "inverse_sqrt": use(1.0, 10.0),
    "inverse_time": use(1.0, rate=0.5, steps=10.0),
    "natural_exponential": use(1.0, rate=0.1, end=0.2),
    "power_law": use(1.0, exponent=0.7, timescale=10.0, bend=2.0),
    "step_decay": use(1.0, factor=0.5, every=10.0),
    "piecewise_constant": use([10.0, 20.0], [1.0, 0.5, 0.1]),
    "piecewise_linear": use([10.0, 20.0], [1.0, 0.1]),
    "piecewise_cubic": use([10.0, 20.0, 35.0], [1.0, 0.1, 0.3]),
    "table": use([1.0, 0.5, 0.1]),
    "custom": use(lambda step, peak: peak / (1 + step), peak=1.0),
    "radam_warmup": use(1.0, beta2=0.95),
    "untuned_exponential_warmup": use(1.0, beta2=0.95),
    "untuned_linear_warmup": use(1.0, beta2=0.95),
    "cosine_cyclic": use(0.1, 1.0, up_steps=10.0, down_steps=5.0),
    "exp_range": use(0.1, 1.0, up_steps=10.0, down_steps=5.0, gamma=0.99),
    "one_cycle": use(
        *(1.0,),
        total_steps=40.0,
        warmup_fraction=0.3,
        start_divisor=25.0,
        end_divisor=100.0,
        momentum=(0.85, 0.95),
    ),
    "sgdr": use(
        *(1.0,),
        period=5.0,
        period_multiplier=2.0,
        peak_multiplier=0.5,
        end=0.1,
        cycles=3.0,
    ),
    "warm_restarts": use(
        *(1.0,),
        period=8.0,
        warmup_steps=3.0,
        period_multiplier=2.0,
        peak_multiplier=0.5,
        start=0.05,
        end=0.1,
        cycles=3.0,
    ),
    "triangular": use(0.1, 1.0, up_steps=10.0, down_steps=5.0),
    "triangular2": use(0.1, 1.0, up_steps=10.0, down_steps=5.0),
    "cosine_annealing": use(1.0, total_steps=30.0, end=0.1, periodic=True),
    "hyperbolic": use(1.0, total_steps=30.0, upper_bound=90.0, end=0.1),
    "k_decay": use(1.0, total_steps=30.0, k=2.0, end=0.1),
    "linear_cosine": use(1.0, total_steps=30.0, periods=1.5, offset=0.2, floor=0.01),
    "multi_step": use(1.0, boundaries=[10.0, 20.0], factor=0.5),
    "rex": use(1.0, total_steps=30.0, beta=0.3, end=0.1),
    "eden": use(
        *(1.0,),
        steps_per_epoch=10.0,
        batches=20.0,
        epochs=3.0,
        warmup_steps=5.0,
        start_fraction=0.5,
    ),
    "flat_cosine": use(1.0, decay_steps=20.0, total_steps=40.0, end=0.1),
    "infinite": use(
        *(1.0,),
        plateau=0.5,
        end=0.1,
        warmup_steps=5.0,
        cooldown_steps=10.0,
        anneal_steps=10.0,
        total_steps=40.0,
        start=0.01,
    ),
    "power_scheduler": use(
        *(0.02,),
        batch_size=8.0,
        tokens_per_step=2.0**17,
        warmup_steps=5.0,
        decay_steps=10.0,
        total_steps=40.0,
        amplitude=4.6,
        exponent=0.51,
        end=0.001,
    ),
    "slanted_triangular": use(1.0, total_steps=40.0, cut_fraction=0.2, ratio=32.0),
    "tri_stage": use(
        1.0, warmup_steps=5.0, decay_steps=10.0, total_steps=40.0, start=0.1, end=0.1
    ),
    "wsd": use(
        1.0, warmup_steps=5.0, decay_steps=10.0, total_steps=40.0, start=0.1, end=0.1
    ),
    "wsd_s": use(
        1.0, warmup_steps=5.0, period=20.0, decay_steps=5.0, cycles=2.0, end=0.1
    ),
    "smooth_non_monotonic": use(
        *(1.0,),
        warmup_steps=15.0,
        total_steps=40.0,
        delays=[0.2, 0.7],
        levels=[0.7, 0.2],
        start=0.1,
        end=0.2,
    ),
    "two_point_linear": use(
        *(1.0,),
        warmup_steps=5.0,
        total_steps=40.0,
        delays=[0.3, 0.5],
        levels=[0.6, 0.4],
        start=0.1,
        end=0.2,
    ),
    "two_point_spline": use(
        *(1.0,),
        warmup_steps=5.0,
        total_steps=40.0,
        delays=[0.3, 0.5],
        levels=[0.6, 0.4],
        start=0.1,
        end=0.2,
    ),
    "inverse_sqrt_cooldown": use(
        1.0, warmup_steps=5.0, cooldown_steps=10.0, total_steps=40.0, timescale=7.0
    ),
    "noam": use(d_model=64.0, warmup_steps=10.0, scale=2.0),
    "warmup_constant": use(1.0, warmup_steps=5.0, start=0.1),
    "warmup_cosine": use(1.0, warmup_steps=5.0, total_steps=40.0, start=0.1, end=0.1),
    "warmup_exponential": use(1.0, warmup_steps=5.0, total_steps=40.0, end=0.1),
    "warmup_inverse_sqrt": use(1.0, warmup_steps=5.0),
    "warmup_linear": use(1.0, warmup_steps=5.0, total_steps=40.0, start=0.1, end=0.1),
    "warmup_polynomial": use(1.0, warmup_steps=5.0, total_steps=40.0, power=2.0),
    "chain": use(BASE, BASE),
    "repeat": use(BASE, 1.5, period_multiplier=1.5, value_multiplier=0.5),
    "cooldown": use(BASE, 10.0, 5.0, 0.2, join="multiply"),
    "switch": use([BASE, 0.5], [10.0]),
    "warmup": use(BASE, 5.0, start=0.2),
    "delay": use(BASE, 5.0),
    "reverse": use(BASE),
    "shift": use(BASE, 5.0),
    "staircase": use(BASE, 7.0),
    "on_clock": use(BASE, js.piecewise_constant([10.0, 20.0], [1.0, 0.5, 2.0])),
    "stretch": use(BASE, 1.5),
    "until": use(BASE, 20.0),
    "ahead": use(BASE, 5.0),
    "clip": use(BASE, 0.2, 0.8),
    "noise": use(BASE, 0.1, limit=0.5, seed=3.5),
    "maximum": use(BASE, 0.5),
    "minimum": use(BASE, 0.5),
    "rescale": use(BASE, 0.2, 0.8),
}


def rates(name, given):
    """The rates of all the schedules that a call returns, at many steps."""
    args, kwargs = given
    made = getattr(js, name)(*args, **kwargs)
    parts = made if isinstance(made, js.OneCycle) else (made,)
    return jnp.stack([part(STEPS) for part in parts])


def test_every_schedule_is_called():
    assert {name for kind in KINDS for name in constructors(kind)} == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_takes_traced_numbers_for_all_arguments(name):
    leaves, structure = jax.tree.flatten(CALLS[name])
    static = {i: x for i, x in enumerate(leaves) if not isinstance(x, float)}
    numbers = {i: jnp.asarray(x) for i, x in enumerate(leaves) if i not in static}

    def at(numbers):
        everything = {**static, **numbers}
        return rates(
            name, structure.unflatten(everything[i] for i in range(len(leaves)))
        )

    batch = jax.tree.map(lambda x: jnp.stack([x, x]), numbers)
    batched, slopes = jax.jit(jax.vmap(lambda x: (at(x), jax.jacfwd(at)(x))))(batch)
    chex.assert_tree_all_finite(slopes)
    expected = rates(name, CALLS[name])
    chex.assert_trees_all_close(
        batched, jnp.stack([expected] * 2), rtol=32 * EPSILON, atol=32 * EPSILON
    )


def test_takes_traced_whole_numbers_for_lengths():
    def rate(steps):
        return js.warmup_cosine(1.0, warmup_steps=steps, total_steps=10)(3)

    chex.assert_trees_all_close(
        jax.vmap(rate)(jnp.asarray([3, 6])), jnp.asarray([1.0, 0.5]), rtol=1e-6
    )


def test_gradients_reach_every_argument_of_a_recipe():
    def rate(peak, warmup, total, end):
        return js.warmup_cosine(peak, warmup_steps=warmup, total_steps=total, end=end)(
            40.0
        )

    slopes = jax.grad(rate, argnums=(0, 1, 2, 3))(1.0, 10.0, 110.0, 0.1)
    assert all(abs(slope) > 1e-4 for slope in slopes)
