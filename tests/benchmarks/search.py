"""The search beside other ways to do the same, as a table of ratios.

    python -m tests.benchmarks.search [--only floor-64 chunks-64] [--rounds 5]
                                      [--json FILE]

Every way is measured in turn with the others, some rounds of them, and its fastest
counts: the machine may slow down at any time. "Cold" is with everything that is to be
compiled, none of it kept from before; "warm" is the second call. Ratios are the time of
a way over that of ours, the first of each table: above 1, it is slower. A way with a
"~" compiles or starts something for each schedule; it is measured with the number of
them that it says, and takes proportionally longer with all.
"""

import argparse
import dataclasses
import json
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from .sweeps import COMPARISONS, Comparison, Way, forget


COMPILATION = "/jax/core/compile/backend_compile_duration"

PACKAGES = "jax", "jaxlib", "optax", "hyperoptax", "jax-grid-search", "optuna", "ray"


@dataclasses.dataclass
class Measured:
    """What was measured of a way: seconds of each round, and how much it compiled."""

    way: Way
    cold: list[float] = dataclasses.field(default_factory=list)
    warm: list[float] = dataclasses.field(default_factory=list)
    compilations: int = 0
    notes: dict[str, float] = dataclasses.field(default_factory=dict)

    def ratio(self, temperature: str, ours: "Measured") -> float:
        """How many times as long as ours it takes, `"cold"` or `"warm"`."""
        return float(min(getattr(self, temperature)) / min(getattr(ours, temperature)))

    def milliseconds(self, count: int) -> float:
        """How long it takes for each of them, the second time."""
        return 1000 * min(self.warm) / count


def measure(
    comparison: Comparison, rounds: int, compilations: list[str]
) -> list[Measured]:
    """Measures every way in turn, some rounds of them."""
    measured = [Measured(way) for way in comparison.ways if not way.missing]
    came_of: dict[str, Any] = {}
    for _ in range(rounds):
        for one in measured:
            forget()
            compilations.clear()
            seconds, came = one.way.measure(comparison.count)
            one.cold.append(seconds)
            one.compilations = len(compilations)
            seconds, came = one.way.measure(comparison.count)
            one.warm.append(seconds)
            came_of[one.way.name] = came
    for one in measured:
        one.notes = comparison.note(came_of[one.way.name])
    return measured


def table(comparison: Comparison, measured: list[Measured]) -> str:
    """Writes down what was measured, and whether each goal was met."""
    ours = measured[0]
    lines = [
        f"{comparison.name:60}{'cold':>9}{'ratio':>9}{'goal':>9}{'warm':>9}{'ratio':>9}"
        f"{'goal':>9}{'ms each':>9}{'programs':>10}"
    ]
    for one in measured:
        line = f"  {one.way.title:58}"
        for temperature in ("cold", "warm"):
            line += f"{min(getattr(one, temperature)):7.2f} s"
            line += _against(one, temperature, ours)
        line += f"{one.milliseconds(comparison.count):9.2f}"
        notes = "".join(f"  {name} {value:.4f}" for name, value in one.notes.items())
        lines.append(f"{line}{one.compilations:10}{notes}")
    lines += [
        f"  {way.name}: skipped, {way.missing}"
        for way in comparison.ways
        if way.missing
    ]
    return "\n".join(lines)


def _against(one: Measured, temperature: str, ours: Measured) -> str:
    ratio, goal = one.ratio(temperature, ours), getattr(one.way, temperature)
    if goal is None:
        return f"{ratio:9.2f}" + " " * 9
    missed = "missed " if ratio < goal else ""
    return f"{ratio:9.2f}{f'{missed}{goal:.3g}':>9}"


def facts() -> dict[str, Any]:
    """What the numbers depend on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "devices": [str(device) for device in jax.devices()],
        "load": os.getloadavg(),
        "versions": versions,
    }


def as_json(comparison: Comparison, measured: list[Measured]) -> dict[str, Any]:
    """The same as the table, with every round."""
    return {
        "name": comparison.name,
        "schedules": comparison.count,
        "ways": {
            one.way.name: {
                "measured with": one.way.most or comparison.count,
                "cold": one.cold,
                "warm": one.warm,
                "cold ratio": one.ratio("cold", measured[0]),
                "warm ratio": one.ratio("warm", measured[0]),
                "milliseconds each": one.milliseconds(comparison.count),
                "compilations": one.compilations,
                **one.notes,
            }
            for one in measured
        },
        "skipped": {way.name: way.missing for way in comparison.ways if way.missing},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=COMPARISONS, default=COMPARISONS)
    parser.add_argument("--rounds", type=int, help="how many, of each comparison")
    parser.add_argument("--json", type=Path, help="where to write all that is measured")
    chosen = parser.parse_args()
    # Those who train in processes of their own have the same.
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    jax.config.update("jax_enable_compilation_cache", False)
    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    compilations: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: event == COMPILATION and compilations.append(event)
    )
    begun = time.monotonic()
    report = {"facts": facts(), "comparisons": {}}
    for name in chosen.only:
        comparison = COMPARISONS[name]()
        rounds = chosen.rounds or comparison.rounds
        measured = measure(comparison, rounds, compilations)
        report["comparisons"][name] = as_json(comparison, measured)
        print(table(comparison, measured), end="\n\n", flush=True)
        if chosen.json:
            chosen.json.write_text(json.dumps(report, indent=2))
    print(f"{time.monotonic() - begun:.0f} seconds in all.")


if __name__ == "__main__":
    main()
