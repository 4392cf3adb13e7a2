"""Searches in processes of their own, for tests that kill these."""

import dataclasses
import multiprocessing
import os
import signal
import time

import jax
import jax.numpy as jnp

from jaxsched import search
from jaxsched.search import SQLiteStore
from jaxsched.search.engine.loop import KEEP


STEPS, SEGMENT, WIDTH = 40, 5, 4

HEARTBEAT = 2
"""After how many seconds without a sign of life JAX takes a process for dead."""

PEAKS = search.logspace(0.003, 0.3, 2)
GRID = search.families(peak=PEAKS, warmup_steps=search.choice([0, 5]), steps=STEPS)

# Processes that have imported JAX begin in milliseconds, with no backend started.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload([__name__])


def init(schedule, key):
    """Logistic regression on random data: chaotic enough to show a stray bit."""
    del schedule
    return jnp.split(jax.random.normal(key, (40, 8)), [8])


def step(schedule, state, t):
    def loss(weights):
        margins = jnp.tanh(inputs @ weights).sum(axis=1)
        return jnp.mean(jax.nn.softplus(margins * jnp.sign(inputs[:, 0])))

    weights, inputs = state
    value, slope = jax.value_and_grad(loss)(weights)
    return [weights - schedule(t) * slope, inputs], {"loss": value}


def evaluate(schedule, state):
    del schedule
    weights, _ = state
    return {"validation": jnp.mean(jnp.sin(9 * weights)), "weights": weights}


TASK = search.Task(init, step, evaluate, STEPS)


def run(**options):
    """The search that all of them do, the same everywhere."""
    keep = options.pop("keep", KEEP)
    asked = {"space": GRID, "key": jax.random.key(0), "width": WIDTH}
    made = search.Search(TASK, **{**asked, "segment": SEGMENT, **options})
    made.keep = keep
    return made.run()


def train(
    told,
    folder,
    devices,
    *,
    most=None,
    rest=600.0,
    keep=KEEP,
    kill=None,
    port=None,
    index=0,
    **options,
):
    """Runs the search, and tells how far it is; for a child process.

    Args:
        told: A pipe, for progress and in the end `None`.
        folder: Where to keep the search.
        devices: How many to use.
        most: After how many segments to stand still, with all that was claimed.
        rest: For how many seconds.
        keep: After how many seconds states are kept again.
        kill: Before what is written down of a trial to kill itself: a status.
        port: Where the two processes of a job meet, if they are that.
        index: Which of them this is.
    """
    set_up(folder, devices)
    if kill is not None:
        die_instead_of_recording(kill)
    if port is not None:
        jax.config.update("jax_enable_recoverability", True)
        jax.distributed.initialize(
            f"127.0.0.1:{port}", 2, index, heartbeat_timeout_seconds=HEARTBEAT
        )
    seen = 0

    def watch(progress):
        nonlocal seen
        seen += 1
        # Small enough for the pipe, which nobody may read for a while.
        told.send(dataclasses.replace(progress, trials=()))
        if seen == most:
            time.sleep(rest)

    run(out=folder / "out", progress=watch, keep=keep, **options)
    told.send(None)


def compile_it(told, folder, devices):
    """Compiles the search, and tells what JAX found of that on the disk."""
    set_up(folder, devices)
    prepared = search.Search(
        TASK, GRID, key=jax.random.key(0), width=WIDTH, out=folder / "out"
    )
    events = []
    jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
    prepared.compile()
    names = ("hits", "misses")
    told.send([events.count(f"/jax/compilation_cache/cache_{name}") for name in names])


def set_up(folder, devices):
    jax.config.update("jax_num_cpu_devices", devices)
    os.umask(0)


def die_instead_of_recording(status):
    record = SQLiteStore.record

    def die(self, trials):
        if any(trial.status == status for trial in trials):
            os.kill(os.getpid(), signal.SIGKILL)
        return record(self, trials)

    SQLiteStore.record = die
