"""What works where: each home of a model, and each part of `js.training` in it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint

import jaxsched as js
from jaxsched import training


LR = js.linear(1.0, 0.0, steps=8)
ONES = jnp.ones(3)


# --- Homes ----------------------------------------------------------------------------


class Dictionary:
    """Parameters as a tree, in a compiled step that may overwrite them."""

    def __init__(self, make):
        self.params = self.initial()
        self.optimizer = optax.with_extra_args_support(make(self.params))
        self.state = self.optimizer.init(self.params)
        self._step = self.compiled(self.update)

    compiled = staticmethod(lambda step: jax.jit(step, donate_argnums=(0, 1)))

    def initial(self):
        return {"body": jnp.ones((2, 3)), "head": jnp.ones(3)}

    def update(self, params, state, extra):
        grads = jax.tree.map(jnp.ones_like, params)
        updates, state = self.optimizer.update(grads, state, params, **extra)
        return optax.apply_updates(params, updates), state

    def step(self, **extra):
        """Makes one update, of gradients that are 1."""
        self.params, self.state = self._step(self.params, self.state, extra)

    def leaf(self, name):
        """Returns a parameter as an array."""
        return np.asarray(self.params[name])

    def saved(self):
        """Returns what a checkpoint holds."""
        return self.params, self.state

    def restore(self, saved):
        self.params, self.state = saved


class Equinox(Dictionary):
    """A module with what is no array beside its parameters; all is donated."""

    def compiled(self, step):
        import equinox as eqx  # noqa: PLC0415

        return eqx.filter_jit(step, donate="all")

    def initial(self):
        import equinox as eqx  # noqa: PLC0415

        model = equinox_module()(jnp.ones((2, 3)), jnp.ones(3))
        return eqx.filter(model, eqx.is_inexact_array)

    def leaf(self, name):
        return np.asarray(getattr(self.params, name))


@functools.cache
def equinox_module():
    import equinox as eqx  # noqa: PLC0415

    class Model(eqx.Module):
        body: jax.Array
        head: jax.Array
        act: object = jax.nn.relu

    return Model


class Linen:
    """`flax.training.train_state.TrainState`."""

    def __init__(self, make):
        from flax.training import train_state  # noqa: PLC0415

        params = {"body": jnp.ones((2, 3)), "head": jnp.ones(3)}
        self.train_state = train_state.TrainState.create(
            apply_fn=None, params=params, tx=make(params)
        )

        @jax.jit
        def step(train_state, extra):
            grads = jax.tree.map(jnp.ones_like, train_state.params)
            if not extra:
                return train_state.apply_gradients(grads=grads)
            updates, state = train_state.tx.update(
                grads, train_state.opt_state, train_state.params, **extra
            )
            params = optax.apply_updates(train_state.params, updates)
            return train_state.replace(params=params, opt_state=state)

        self._step = step

    def step(self, **extra):
        self.train_state = self._step(self.train_state, extra)

    def leaf(self, name):
        return np.asarray(self.train_state.params[name])

    @property
    def state(self):
        return self.train_state.opt_state

    @state.setter
    def state(self, state):
        self.train_state = self.train_state.replace(opt_state=state)

    def saved(self):
        return self.train_state

    def restore(self, saved):
        self.train_state = saved


class NNX:
    """`nnx.Optimizer` in a compiled step."""

    def __init__(self, make):
        from flax import nnx  # noqa: PLC0415

        class Model(nnx.Module):
            def __init__(self):
                self.body = nnx.Param(jnp.ones((2, 3)))
                self.head = nnx.Param(jnp.ones(3))
                self.seen = nnx.BatchStat(jnp.zeros(3))

        def step(model, optimizer, extra):
            grads = jax.tree.map(jnp.ones_like, nnx.state(model, nnx.Param))
            optimizer.update(model, grads, **extra)

        self.nnx, self.model = nnx, Model()
        self.optimizer = nnx.Optimizer(self.model, make(self.model), wrt=nnx.Param)
        self._step = self.compiled(step)

    def compiled(self, step):
        return self.nnx.jit(step)

    def step(self, **extra):
        self._step(self.model, self.optimizer, extra)

    def leaf(self, name):
        return np.asarray(getattr(self.model, name)[...])

    @property
    def state(self):
        return self.optimizer.opt_state

    @state.setter
    def state(self, state):
        self.optimizer.opt_state = state

    def saved(self):
        return self.nnx.state((self.model, self.optimizer))

    def restore(self, saved):
        self.nnx.update((self.model, self.optimizer), saved)


class EagerNNX(NNX):
    """`nnx.Optimizer`, eager."""

    def compiled(self, step):
        return step


HOMES = {
    "plain trees": Dictionary,
    "Flax NNX, `nnx.jit`": NNX,
    "Flax NNX, eager": EagerNNX,
    "Flax Linen": Linen,
    "Equinox": Equinox,
}


# --- What is done in them -------------------------------------------------------------


def inject(params):
    return training.inject(optax.sgd)(LR)


def scale_by_schedule(params):
    return training.scale_by_schedule(LR, flip_sign=True)


def layers(params):
    return training.scale_by_layers(
        training.layerwise(params, LR, {"body": 0.5, "head": 1.0})
    )


def close(seen, expected):
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def injected(home):
    run = home(inject)
    for step in range(2):
        run.step()
        close(training.applied(run.state)["learning_rate"], LR(step))
    close(run.leaf("head"), 1 - LR(0) - LR(1))


def scaled(home):
    run = home(scale_by_schedule)
    run.step()
    close(run.leaf("body"), 1 - LR(0))


def by_layer(home):
    run = home(layers)
    run.step()
    close(run.leaf("body"), 1 - 0.5 * LR(0))
    close(run.leaf("head"), 1 - LR(0))


def unfrozen(home):
    def make(params):
        rules = {"body": training.unfreeze(LR, at=2), "head": 1.0}
        return training.scale_by_layers(training.layerwise(params, LR, rules))

    run = home(make)
    run.step()
    run.step()
    close(run.leaf("body"), 1.0)
    run.step()
    close(run.leaf("body"), 1 - LR(2))


def explained(home):
    def make(params):
        rules = training.by_depth(params, {"body": 0, "head": 1}.get, decay=0.5)
        table = training.layerwise(params, LR, rules)
        assert "body       body" in training.explain(table, step=4)
        return training.scale_by_layers(table)

    run = home(make)
    run.step()
    close(run.leaf("body"), 1 - 0.5 * LR(0))


def decayed(home):
    run = home(
        lambda params: optax.chain(inject(params), training.decay_weights(0.5 * LR))
    )
    run.step()
    close(run.leaf("head"), 1 - LR(0) - 0.5 * LR(0))


def reduced(home):
    run = home(
        lambda params: optax.chain(
            inject(params), training.reducing(training.plateau(0.5, patience=1))
        )
    )
    for _ in range(3):
        run.step(value=jnp.float32(1.0))
    close(training.applied(run.state)["learning_rate"], 0.5 * LR(2))


def read(home):
    run = home(inject)
    run.step()
    close(training.upcoming(run.state)["learning_rate"], LR(1))
    close(training.preview(run.state, 3)["learning_rate"], LR(np.arange(1, 4)))
    assert not training.check_resume(run.state, LR, step=1)


def changed(home):
    run = home(inject)
    run.step()
    run.state = training.set_scale(run.state, 0.5)
    run.step()
    close(training.applied(run.state)["learning_rate"], 0.5 * LR(1))
    run.state = training.set_step(run.state, 6)
    run.step()
    close(training.applied(run.state)["learning_rate"], 0.5 * LR(6))
    later = training.retarget(LR, at=7, total_steps=13)
    run.state = training.set_schedule(run.state, later)
    run.step()
    close(training.applied(run.state)["learning_rate"], 0.5 * later(7))


def migrated(home):
    run, new = (
        home(lambda _: optax.adam(LR)),
        home(lambda _: training.inject(optax.adam)(LR)),
    )
    run.step()
    new.state = training.migrate(run.state, new.state)
    new.step()
    close(training.applied(new.state)["learning_rate"], LR(1))


def restored(home, folder):
    run, new = home(layers), home(layers)
    run.step()
    checkpointer = orbax.checkpoint.StandardCheckpointer()
    checkpointer.save(folder / "run", run.saved())
    checkpointer.wait_until_finished()
    new.restore(checkpointer.restore(folder / "run", new.saved()))
    run.step()
    new.step()
    close(new.leaf("body"), run.leaf("body"))
    close(new.leaf("body"), 1 - 0.5 * (LR(0) + LR(1)))


PARTS = {
    "`inject`, `applied`": injected,
    "`scale_by_schedule`": scaled,
    "`layerwise`, `scale_by_layers`": by_layer,
    "`unfreeze`": unfrozen,
    "`by_depth`, `explain`": explained,
    "`decay_weights`": decayed,
    "`reducing`": reduced,
    "`upcoming`, `preview`, `check_resume`": read,
    "`set_scale`, `set_step`, `set_schedule`, `retarget`": changed,
    "`migrate`": migrated,
    "a checkpoint of Orbax": restored,
}


def matrix():
    """Returns the table of what is tested where, in Markdown."""
    lines = ["| | " + " | ".join(HOMES) + " |", "|---" * (len(HOMES) + 1) + "|"]
    lines += [f"| {part} |" + " yes |" * len(HOMES) for part in PARTS]
    return "\n".join(lines)
