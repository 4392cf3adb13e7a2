"""The plan: what a search would do, how much memory it needs, and how long it takes."""

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from .engine.program import Program
from .engine.segment import Lanes


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a search would do; `print` shows it.

    Attributes:
        trials: The number of trainings: candidates times seeds.
        candidates: The number of candidates.
        batched_as: How different candidates share a program: as "leaves", "table" or
            "switch".
        width: The number of lanes of a device.
        devices: The number of devices.
        steps: The steps of a trial; 0 if it is done at once.
        segment: The steps that are done at a time.
        bytes_per_lane: The memory of a lane, with some to spare.
        bytes_shared: The memory of data and captured arrays, once on each device.
        bytes_available: The memory that a device has left for lanes.
        compile_seconds: The time of the compilation.
        seconds: The time of all trials if none is pruned, from that of one segment.
    """

    trials: int
    candidates: int
    batched_as: str
    width: int
    devices: int
    steps: int
    segment: int
    bytes_per_lane: float
    bytes_shared: int
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
            "batched as": self.batched_as,
            "data": f"{_size(self.bytes_shared)} on each device",
            "memory": f"{memory}{_size(self.bytes_available)}",
            "compilation": f"{self.compile_seconds:.2g} s",
            "training": f"about {_duration(self.seconds)}, if nothing is pruned",
        }
        if not self.bytes_shared:
            del lines["data"]
        return "\n".join(f"{name + ':':<13}{text}" for name, text in lines.items())


def timed(
    program: Program, row: Sequence[np.ndarray], key: jax.Array, data: Sequence[Any]
) -> float:
    """Returns the seconds of a segment in which all lanes are busy.

    Args:
        program: The program.
        row: The leaves of a config.
        key: The key of the search.
        data: The arrays of the data; batches are zeros.
    """
    lanes, every = program.lanes, np.ones(program.lanes, bool)
    work = Lanes(
        rows=[np.broadcast_to(leaf, (lanes, *leaf.shape)) for leaf in row],
        seeds=np.zeros(lanes, np.int32),
        steps=np.zeros(lanes, np.int32),
        fresh=every,
        busy=every,
        due=every,
    )
    shared = program.share(key, data)
    shared = shared._replace(batches=program.blank_batches())
    state = program.blank()
    if program.segment.task.steps:
        # The first segment begins the trials; the others go on.
        state, _ = program(state, work, shared)
        work = work._replace(fresh=~every, due=~every)
    began = time.perf_counter()
    program(state, work, shared)
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
