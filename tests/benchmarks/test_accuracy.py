"""How far rates are from the exact ones, beside those of Optax: a report.

Run with `pytest tests/benchmarks/test_accuracy.py --benchmark-only`. The unit is the
ulp, the distance of a float32 from the next one.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js


HORIZONS = [1000, 65_537, 10_000_000, 2**24]

PEAK, END = map(float, np.float32([0.1, 0.001]))


@pytest.fixture(autouse=True)
def _rules_of_optax():
    # Optax relies on promotion, of dtypes and of ranks.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


# Each returns our schedule, that of Optax, and the formula, for float64.


def linear(total):
    return (
        js.linear(PEAK, 0.0, steps=total),
        optax.linear_schedule(PEAK, 0.0, total),
        lambda t: PEAK * (total - t) / total,
    )


def polynomial(total):
    return (
        js.polynomial(PEAK, END, steps=total, power=2),
        optax.polynomial_schedule(PEAK, END, 2, total),
        lambda t: END + (PEAK - END) * ((total - t) / total) ** 2,
    )


def cosine(total):
    return (
        js.cosine(PEAK, 0.0, steps=total),
        optax.cosine_decay_schedule(PEAK, total),
        lambda t: PEAK * np.sin(np.pi / 2 * (total - t) / total) ** 2,
    )


def exponential(total):
    return (
        js.exponential_decay(PEAK, factor=END, steps=total),
        optax.exponential_decay(PEAK, total, END),
        lambda t: PEAK * END ** (t / total),
    )


def factor_near_one(total):
    factor = 1 - 3 / total
    return (
        js.exponential_decay(PEAK, factor=factor, steps=1),
        optax.exponential_decay(PEAK, 1, factor),
        lambda t: PEAK * factor**t,
    )


def wsd(total):
    decay = total // 5
    return (
        js.wsd(PEAK, warmup_steps=total // 10, decay_steps=decay, total_steps=total),
        optax.join_schedules(
            [
                optax.linear_schedule(0.0, PEAK, total // 10),
                optax.constant_schedule(PEAK),
                optax.linear_schedule(PEAK, 0.0, decay),
            ],
            [total // 10, total - decay],
        ),
        lambda t: (
            PEAK * np.minimum(np.minimum(t / (total // 10), (total - t) / decay), 1)
        ),
    )


def warmup_cosine(total):
    warmup = total // 10
    decay = total - warmup
    return (
        js.warmup_cosine(PEAK, warmup_steps=warmup, total_steps=total),
        optax.warmup_cosine_decay_schedule(0.0, PEAK, warmup, total),
        lambda t: np.where(
            t < warmup,
            PEAK * t / warmup,
            PEAK * np.sin(np.pi / 2 * (total - t) / decay) ** 2,
        ),
    )


def sgdr(total):
    period = total // 4
    cycle = {"init_value": PEAK, "peak_value": PEAK, "warmup_steps": 0}
    return (
        js.sgdr(PEAK, period=period, period_multiplier=1.0),
        optax.sgdr_schedule([cycle | {"decay_steps": period}] * 5),
        lambda t: PEAK * np.sin(np.pi / 2 * (period - t % period) / period) ** 2,
    )


def ulps(rates, exact):
    """The greatest distance of `rates` from `exact`, in ulps of the exact ones."""
    rounded = exact.astype(np.float32)
    return float(np.max(abs(rates - exact) / np.spacing(abs(rounded))))


def steps_of(total):
    """At most 100,000 steps, among them the first and the last ones."""
    middle = np.random.default_rng(0).integers(total, size=100_000 - 2000)
    ends = np.arange(1000), np.arange(total - 1000, total)
    return np.unique(np.concatenate([*ends, middle]))


FAMILIES = [
    linear,
    polynomial,
    cosine,
    exponential,
    factor_near_one,
    warmup_cosine,
    wsd,
    sgdr,
]


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_accuracy(benchmark, capsys, family, horizon):
    ours, optaxs, formula = family(horizon)
    steps = steps_of(horizon)
    exact = formula(steps.astype(float))

    def table(schedule):
        return np.asarray(jax.jit(schedule)(jnp.asarray(steps)), float)

    benchmark.group = "tables of 100,000 steps"
    rates = benchmark.pedantic(table, args=[ours], rounds=1)
    info = {"jaxsched": ulps(rates, exact), "optax": ulps(table(optaxs), exact)}
    benchmark.extra_info |= info
    with capsys.disabled():
        print(f"\n{family.__name__:15}{horizon:>12,} steps", end="")
        for name, distance in info.items():
            print(f"{name:>10}{distance:>13,.1f} ulp", end="")
