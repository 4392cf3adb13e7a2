"""What is given wrongly is an error that names it; what is traced, a finite rate."""

import inspect
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js
from jaxsched import training
from jaxsched.curves import Cosine, Curve
from jaxsched.schedule import ScheduleLike
from jaxsched.types import Scalar, Vector

from .test_traced import CALLS, rates


# --- Every public callable ---------------------------------------------------------


PORTED = {
    f"{peer.__name__.rpartition('.')[2]}.{name}": function
    for peer in (js.compat.optax, js.compat.torch, js.compat.keras, js.compat.timm)
    for name, function in vars(peer).items()
    if inspect.isfunction(function)
    and function.__module__.startswith(peer.__name__)
    and not name.startswith("_")
}
CALLED = {name: getattr(js, name) for name in CALLS}

WRONG = {
    Scalar: ["0.1", [1.0, 2.0], 1j, object(), math.nan, 10**400, None],
    Vector: ["0.1", 3.0, ["0.1"], [[1.0]], [math.nan], [], object(), None],
    ScheduleLike: ["0.1", [1.0, 2.0], object(), math.nan, None],
    Curve: ["cosine", Cosine, 1.0, None],
}
"""Values that are of a wrong kind, by what is asked for."""


FILLERS = {Vector: [3.0], Sequence[js.Schedule]: [js.linear(1.0, 0.0, 10)] * 2}


def wrong_calls():
    """Every public function with a wrong value for each of its arguments."""
    for name, function in (CALLED | PORTED).items():
        args, kwargs = CALLS.get(name, ((), {}))
        for parameter in inspect.signature(function).parameters.values():
            asked, optional = parameter.annotation, parameter.default is None
            kind = {Scalar | None: Scalar, Curve | None: Curve}.get(asked, asked)
            for value in WRONG.get(kind, ()):
                # Peers take no steps at which anything happens, too.
                none = (optional and value is None) or (name in PORTED and value == [])
                if not none:
                    yield name, function, args, kwargs, parameter, value


def given(function, args, kwargs, parameter, value):
    """Returns the arguments of a call, with another value for one of them."""
    bound = inspect.signature(function).bind_partial(*args, **kwargs)
    if parameter.kind is parameter.VAR_POSITIONAL:
        bound.arguments[parameter.name] = (value, *args)
    else:
        bound.arguments[parameter.name] = value
    others = [p for p in inspect.signature(function).parameters.values()]
    for other in others:
        # Of what peers ask for, a number will do where nothing is known.
        if other.default is other.empty and other.name not in bound.arguments:
            bound.arguments[other.name] = FILLERS.get(other.annotation, 3.0)
    return bound


@pytest.mark.parametrize("name", CALLED | PORTED)
def test_what_is_of_a_wrong_kind_is_named(name):
    wrong = [call[1:] for call in wrong_calls() if call[0] == name]
    for function, args, kwargs, parameter, value in wrong:
        bound = given(function, args, kwargs, parameter, value)
        with pytest.raises((TypeError, ValueError)) as caught:
            pytest.fail(f"{parameter.name}: {function(*bound.args, **bound.kwargs)}")
        message = str(caught.value)
        assert f"`{parameter.name}`" in message, (parameter.name, value)
        assert "must be" in message


EXTREMES = [-10.0, -1.0, 0.0, 1e-30, 0.5, 1.0, 2.0, 100.0]


@pytest.mark.parametrize("name", CALLS)
def test_whatever_is_traced_is_finite(name):
    leaves, structure = jax.tree.flatten(CALLS[name])
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, float)]

    @jax.jit
    @jax.vmap
    def at(numbers):
        everything = [*leaves]
        for place, number in zip(places, numbers, strict=True):
            everything[place] = number
        return rates(name, structure.unflatten(everything))

    usual = np.array([leaves[place] for place in places])
    batch = np.array(
        [
            np.where(np.arange(len(places)) == place, extreme, usual)
            for place in range(len(places))
            for extreme in EXTREMES
        ]
    )
    finite = np.isfinite(np.asarray(at(jnp.asarray(batch, float))))
    wrong = batch[~finite.all(axis=tuple(range(1, finite.ndim)))]
    assert not wrong.size, wrong


# --- Calls that are slips ----------------------------------------------------------


LR = js.linear(1.0, 0.0, 10)

SLIPS = {
    "a typo": (
        lambda: js.warmup_cosine(1.0, warmup_step=3, total_steps=10),
        "`warmup_cosine` got an unexpected argument 'warmup_step'. "
        "Did you mean 'warmup_steps'?",
    ),
    "numbers in the order of Optax": (
        lambda: js.exponential_decay(1e-3, 1000, 0.9),
        "`exponential_decay` takes at most 1 argument without a name, got 3; "
        "`factor`, `steps`, `staircase` must be given by name.",
    ),
    "a list of numbers": (
        lambda: js.wsd_s(
            1e-3, warmup_steps=100, period=[1000, 2000, 4000], decay_steps=100
        ),
        "`wsd_s`: `period` must be one number; a batch comes from an array",
    ),
    "a ratio where steps belong": (
        lambda: js.warmup_cosine(1e-3, warmup_steps=0.1, total_steps=1000),
        "`warmup_cosine`: `warmup_steps` must be a number of steps; of a fraction, "
        "`Horizon.fraction`",
    ),
    "a floor above the peak": (
        lambda: js.warmup_cosine(1e-3, warmup_steps=10, total_steps=1000, end=0.1),
        "`warmup_cosine`: `end` must be a rate, at most 0.001; of a ratio",
    ),
    "no step": (lambda: LR(None), "A step must be a real number"),
    "a step in a text": (lambda: LR("5"), "A step must be a real number"),
    "a rate and a momentum": (
        lambda: optax.sgd(js.one_cycle(0.1, total_steps=10)),
        "give its `.rate` where a rate is asked for",
    ),
    "a length and a rate in the wrong order": (
        lambda: js.cosine(1e-3, 1000, 1e-5),
        "`cosine`: `steps` must be a number of steps; rates come before it",
    ),
    "powers that overflow": (
        lambda: js.multi_step(0.1, boundaries=range(1, 400), factor=10.0),
        "`multi_step`: `factor` must be a number whose powers are finite",
    ),
    "eigenvalues in the wrong order": (
        lambda: js.chebyshev(1.0, largest=0.1, total_steps=8),
        "`chebyshev`: `smallest` must be at most the largest, 0.1, got 1.0",
    ),
    "an upper bound below the whole": (
        lambda: js.hyperbolic(1.0, total_steps=10, upper_bound=2),
        "`hyperbolic`: `total_steps` must be at most `upper_bound`, 2.0, got 10",
    ),
    "nothing to divide by": (
        lambda: js.one_cycle(1.0, total_steps=10, start_divisor=0),
        "`one_cycle`: `start_divisor` must be a finite number > 0, got 0",
    ),
    "a mutable default": (
        lambda: js.noam(d_model=-512, warmup_steps=10),
        "`noam`: `d_model` must be a finite number > 0, got -512",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_says_what_was_meant(slip):
    call, message = SLIPS[slip]
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert message in str(caught.value)


PEERS = {
    "StepLR": "jaxsched.compat.torch.StepLR",
    "cosine_decay_schedule": "jaxsched.compat.optax.cosine_decay_schedule",
    "CosineDecay": "jaxsched.compat.keras.CosineDecay",
    "get_cosine_schedule_with_warmup": "jaxsched.compat.transformers.get_cosine",
    "cosine_decay": "did you mean 'cosine'?",
    "warmup_cosin": "did you mean 'warmup_cosine'?",
    "cosine_decay_with": "did you mean 'cosine'?",
}


@pytest.mark.parametrize("name", PEERS)
def test_the_name_of_a_peer_says_what_it_is_called_here(name):
    with pytest.raises(AttributeError, match=f"has no '{name}'") as caught:
        getattr(js, name)
    assert PEERS[name] in str(caught.value)
    assert not hasattr(js, "__nothing__")


def test_notes_of_the_code_that_is_called_survive():
    def mine(step):
        error = ValueError("mine")
        error.add_note("a note of mine")
        raise error

    with pytest.raises(ValueError, match="mine") as caught:
        js.custom(mine)(3)
    assert "a note of mine" in caught.value.__notes__


# --- What is whole, and what is a function -----------------------------------------


def test_whole_lengths_are_whole_numbers():
    lr = js.warmup_cosine(1.0, warmup_steps=3, total_steps=10)
    horizon = training.Horizon(epochs=3, steps_per_epoch=7)
    assert [*range(lr.duration)] == [*range(10)]
    assert "abcdefghijkl"[: lr.duration] == "abcdefghij"
    assert [*range(horizon.total_steps)] == [*range(21)]
    assert len(range(horizon.epochs(2))) == 14
    assert repr(lr.duration) == "10.0"
    assert type(js.constant(1.0, steps=lr.duration).steps) is float
    for endless in (
        js.linear(1.0, 0.0, 2.5).duration,
        js.noam(d_model=8, warmup_steps=3).duration,
    ):
        with pytest.raises(TypeError, match="integer"):
            range(endless)


@pytest.mark.parametrize("length", [10, np.int32(10), np.float32(10), np.array(10)])
def test_numbers_of_numpy_are_numbers(length):
    assert js.linear(1.0, 0.0, length)(5) == LR(5)


def test_a_schedule_is_a_leaf_as_a_function():
    rates = {"a": js.as_function(LR), "b": js.as_function(0.5)}
    assert [float(rate(5)) for rate in jax.tree.leaves(rates)] == [0.5, 0.5]
    with pytest.raises(TypeError, match="`as_function`: `schedule` must be"):
        js.as_function("0.1")


@pytest.mark.parametrize("count", range(10, 2000, 7))
def test_phases_that_fill_the_whole_are_taken(count):
    lr = js.wsd(
        1.0,
        warmup_steps=0.1 * count,
        decay_steps=0.9 * count,
        total_steps=count,
    )
    assert lr(0.1 * count) == 1.0
    assert lr(count) == 0.0
