"""The plan: what a search would do, how much memory it needs, and how long it takes."""

import dataclasses
import math
import time
from typing import Any

import jax
import numpy as np

from .lanes.machine import SAFETY, available_bytes
from .lanes.program import Program
from .lanes.segment import Lanes
from .lanes.task import Train, Trainable
from .prepared import Search
from .preparing import prepare
from .spaces.space import Space


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a search would do; `print` shows it.

    Attributes:
        trials: How many trainings there are, candidates times seeds.
        candidates: How many candidates.
        mode: How candidates that differ share a program: "leaves", "table" or "switch".
        width: How many lanes a device has.
        devices: How many devices are used.
        steps: How many steps a trial has; 0 if it is done at once.
        segment: How many steps are done at a time.
        bytes_per_lane: How much memory a lane needs, with some to spare.
        bytes_available: How much a device has left.
        compile_seconds: How long it took to compile.
        seconds: How long all trials take if none is pruned: a segment was timed.
    """

    trials: int
    candidates: int
    mode: str
    width: int
    devices: int
    steps: int
    segment: int
    bytes_per_lane: float
    bytes_available: float
    compile_seconds: float
    seconds: float

    def __str__(self) -> str:
        lanes = f"{self.width * self.devices} lanes, {self.width} on each of "
        pieces = f"in segments of {self.segment}" if self.steps else "at once"
        memory = f"{_size(self.width * self.bytes_per_lane)} of a device's "
        lines = {
            "trials": f"{self.trials} ({self.candidates} candidates)",
            "lanes": f"{lanes}{self.devices} devices",
            "steps": f"{self.steps} {pieces}" if self.steps else pieces,
            "families as": self.mode,
            "memory": f"{memory}{_size(self.bytes_available)}",
            "compilation": f"{self.compile_seconds:.2g} s",
            "training": f"about {_duration(self.seconds)}, if nothing is pruned",
        }
        return "\n".join(f"{name + ':':<13}{text}" for name, text in lines.items())


def plan(task: Trainable | Train, space: Any, **options: Any) -> Plan:
    """Makes a search ready, compiles it, and times one segment; nothing is kept.

    Args:
        task: As for `search.run`. One that is done at once is run once in all lanes.
        space: As for `search.run`.
        **options: As for `search.run`: `key`, and whatever says what is trained where.

    Returns:
        What the search would do.

    Raises:
        ValueError: If there is nothing to train, or `metric` is no scalar metric.
        MemoryError: If the lanes need more memory than there is.

    Example:
        >>> import jax
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> train = lambda schedule, key: {"validation": schedule(3)}
        >>> space = js.constant(search.logspace(0.1, 1.0, 10))
        >>> search.plan(train, space, key=jax.random.key(0)).trials
        30
    """
    search = prepare(task, Space(space), **options)
    began = time.perf_counter()
    program = search.compile()
    compiled = time.perf_counter()
    task = search.segment.task
    segments = max(1, math.ceil(task.steps / search.segment.length))
    rounds = math.ceil(search.total / jax.process_count() / program.lanes)
    return Plan(
        trials=search.total,
        candidates=search.samples,
        mode=search.segment.layout.mode,
        width=search.width,
        devices=len(search.devices),
        steps=task.steps,
        segment=search.segment.length,
        bytes_per_lane=SAFETY * program.bytes / program.width,
        bytes_available=available_bytes(search.devices),
        compile_seconds=compiled - began,
        seconds=rounds * segments * _timed(search, program),
    )


def _timed(search: Search, program: Program) -> float:
    """How long a segment takes in which all lanes are busy."""
    [config, *_] = search.configs
    rows = search.segment.layout.row(config)
    lanes, all_of_them = program.lanes, np.ones(program.lanes, bool)
    work = Lanes(
        rows=[np.broadcast_to(leaf, (lanes, *leaf.shape)) for leaf in rows],
        seeds=np.zeros(lanes, np.int32),
        steps=np.zeros(lanes, np.int32),
        fresh=all_of_them,
        busy=all_of_them,
        due=all_of_them,
    )
    state = program.blank()
    if search.segment.task.steps:
        # The first segment begins what later ones go on with.
        state, _ = program(state, work, search.key)
        work = work._replace(fresh=~all_of_them, due=~all_of_them)
    began = time.perf_counter()
    program(state, work, search.key)
    return time.perf_counter() - began


def _size(count: float) -> str:
    if math.isinf(count):
        return "unknown memory"
    units = ["B", "kB", "MB", "GB", "TB"]
    power = min(int(math.log10(max(count, 1)) // 3), len(units) - 1)
    return f"{count / 1000**power:.3g} {units[power]}"


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.2g} {name}"
    return f"{seconds:.2g} s"
