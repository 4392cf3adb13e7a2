"""The devices of this machine, their memory, and the programs compiled for them."""

import contextlib
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache


SAFETY = 1.35
"""How much more memory a program takes than its analysis says, measured on CPUs."""

GROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container may use; a part of it is "max" if that is all."""

LEAST = "jax_persistent_cache_min_compile_time_secs"
"""The option of JAX that says how long a compilation must take to be kept."""


def use_all_cores() -> None:
    """Makes a device of each core of a CPU, unless JAX was told how many to have.

    A search does so itself, but then JAX may have been used, if only to make a random
    key, and has one device for good. So a program begins with this.

    Warns:
        UserWarning: If it is too late, and there are several cores.

    Example:
        >>> from jaxsched import search
        >>> search.use_all_cores()
    """
    flagged = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if flagged or jax.config.values["jax_num_cpu_devices"] >= 0 or cores() == 1:
        return
    try:
        jax.config.update("jax_num_cpu_devices", cores())  # type: ignore[no-untyped-call]
    except RuntimeError:
        if jax.default_backend() == "cpu":
            warnings.warn(
                f"All lanes are on one of {cores()} cores, since JAX was used before: "
                "begin with `search.use_all_cores()`, or say which `devices`.",
                stacklevel=4,
            )


def cores() -> int:
    """Returns how many cores this process may use: of a shared machine, its part."""
    affine = getattr(os, "sched_getaffinity", None)
    allowed = len(affine(0)) if affine else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = (GROUP / "cpu.max").read_text(encoding="ascii").split()
        allowed = min(allowed, math.ceil(int(quota) / int(period)))
    return allowed


@contextlib.contextmanager
def compilations_kept(folder: Path | None) -> Iterator[None]:
    """Keeps compiled programs in a folder for the next process.

    Nothing is kept without a folder, or if JAX was told where to keep them.

    Args:
        folder: The folder, which only this user can write to.
    """
    if folder is None or jax.config.values["jax_compilation_cache_dir"] is not None:
        yield
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK) and not folder.stat().st_mode & 0o022
    except OSError:
        usable = False
    if not usable:
        yield
        return
    before = jax.config.values[LEAST]
    # Every program is worth to be kept, however quickly this machine compiled it.
    _keep_in(str(folder), 0.0)
    try:
        yield
    finally:
        _keep_in(None, before)


def _keep_in(folder: str | None, least: float) -> None:
    jax.config.update("jax_compilation_cache_dir", folder)  # type: ignore[no-untyped-call]
    jax.config.update(LEAST, least)  # type: ignore[no-untyped-call]
    # JAX looks only once.
    compilation_cache.reset_cache()


def available_bytes(devices: Sequence[Any], shared: int = 0) -> float:
    """Returns the memory that each device has left; infinity if it is unknown.

    Args:
        devices: The devices.
        shared: The bytes of data, of which each device has a copy, and those of a CPU
            have one together.
    """
    if devices[0].platform == "cpu":
        return (_host_bytes() - shared) / len(devices)
    statistics = [device.memory_stats() or {} for device in devices]
    return (
        min(
            stats["bytes_limit"] - stats["bytes_in_use"]
            if {"bytes_limit", "bytes_in_use"} <= stats.keys()
            else float("inf")
            for stats in statistics
        )
        - shared
    )


def _host_bytes() -> float:
    """Returns the memory that the system, or its container, has left."""
    try:
        left = float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                left = 1024.0 * int(line.split()[1])
    except (OSError, ValueError, AttributeError):
        return float("inf")
    with contextlib.suppress(OSError, ValueError):
        limit = int((GROUP / "memory.max").read_text())
        left = min(left, limit - int((GROUP / "memory.current").read_text()))
    return left
