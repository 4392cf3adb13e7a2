"""`jaxsched search`: the published schedules, on a task that comes with the library."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax

from ..errors import named
from ..imports import extra
from ..search import FAMILIES, choice, families, report, run, use_all_cores
from ..search.tasks import TASKS, Problem
from .parsing import Flat, Parser, listed, refusing


PEAKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
STEPS = 600
SEEDS = 3


def add_arguments(search: Parser) -> None:
    """Adds what can be said about the search."""
    search.set_defaults(command=command)
    add = search.add_argument
    add("--task", default="photo", help=f"what to train: {', '.join(TASKS)}")
    add("--steps", type=int, default=STEPS, help="for how many steps to train")
    add("--seeds", type=int, default=SEEDS, help="how many times to train with each")
    several: Any = {"nargs": "+", "action": Flat, "default": argparse.SUPPRESS}
    shown = " ".join(map(str, PEAKS))
    add(
        "--peaks",
        type=listed(float),
        help=f"the highest rates (default: {shown})",
        **several,
    )
    add(
        "--warmups",
        type=listed(int),
        help="the steps of the warmups (default: a thirtieth and a sixth of all)",
        **several,
    )
    add(
        "--families",
        type=listed(str),
        help=f"what to compare (default: all of {', '.join(FAMILIES)})",
        **several,
    )
    add(
        "--out",
        type=Path,
        default=Path("jaxsched-search"),
        help="where to put the results",
    )


def command(options: argparse.Namespace) -> None:
    """Trains the built-in task with the published schedules, and says which is best."""
    with refusing():
        problem, space = _prepare(options)
        with extra("search"):
            from ..plotting import plot_search  # noqa: PLC0415

        print(
            f"Training {problem.name} with {options.seeds} seeds for {options.steps} "
            f"steps on {len(jax.devices())} {jax.default_backend()} devices.",
            file=sys.stderr,
        )
        key = jax.random.key(0)
        results = run(
            problem,
            space,
            key=key,
            seeds=options.seeds,
            # As many points as a curve of losses needs.
            segment=max(1, options.steps // 24),
            out=options.out / f"{problem.name}-{options.steps}",
            progress=True,
        )
        print(report(results, measure=problem.measure))
        table = options.out / "results.csv"
        results.to_csv(table)
        print(f"Written: {table}")
        if results.top(1):
            picture = options.out / "search.png"
            pictures = problem.paint(results, key)
            title = f"{problem.name}: {problem.measure}"
            figure = plot_search(results, options.steps, title=title, pictures=pictures)
            figure.savefig(picture, dpi=150)
            print(f"Written: {picture}")


def _prepare(options: argparse.Namespace) -> tuple[Problem, Any]:
    steps = options.steps
    if steps <= 0:
        raise ValueError(f"The number of steps must be positive, got {steps}.")
    if options.seeds < 1:
        raise ValueError(f"The number of seeds must be positive, got {options.seeds}.")
    peaks = getattr(options, "peaks", PEAKS)
    for peak in peaks:
        if not 0 < peak < float("inf"):
            raise ValueError(f"A peak must be a finite number > 0, got {peak}.")
    warmups = getattr(options, "warmups", (steps // 30, steps // 6))
    for warmup in warmups:
        if not 0 <= warmup <= steps:
            raise ValueError(
                f"A warmup must take from 0 to {steps} steps, as many as are trained, "
                f"got {warmup}."
            )
    space = families(
        getattr(options, "families", FAMILIES),
        peak=choice(dict.fromkeys(peaks)),
        warmup_steps=choice(dict.fromkeys(warmups)),
        steps=steps,
    )
    make = named("task", options.task, TASKS)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=options.out):
        use_all_cores()
    return make(steps), space
