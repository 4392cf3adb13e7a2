"""The command line: reads what is wanted, and leaves the work to the library."""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jax

from .errors import named
from .imports import extra
from .report import report
from .search import RECIPES, Candidate, grid, run
from .search.tasks import TASKS, Task


PEAKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
STEPS = 600
SEEDS = 3

MISUSED = 2
INTERRUPTED = 130
"""Exit codes, as shells and `argparse` have them."""


class UsageError(Exception):
    """Something that was asked for cannot be done; the message says what."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


class Flat(argparse.Action):
    """Joins the lists that `_listed` makes of each argument."""

    def __call__(self, parser: Any, namespace: Any, values: Any, *_: Any) -> None:
        setattr(namespace, self.dest, [item for items in values for item in items])


def _listed(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Takes `a,b` for `a b`, since both are natural to write."""

    def items(text: str) -> list[Any]:
        return [kind(item) for item in text.split(",") if item]

    items.__name__ = kind.__name__
    return items


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, and returns the exit code.

    Args:
        arguments: What follows the name of the program; `sys.argv` if not given.

    Returns:
        0, or 2 if something was asked for that cannot be, or 130 if interrupted.
    """
    try:
        options = parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], None] = options.command
        command(options)
    except UsageError as error:
        print(f"jaxsched: error: {error}", file=sys.stderr)
        return MISUSED
    except KeyboardInterrupt:
        print("\njaxsched: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def parser() -> Parser:
    """Returns the parser of the command line."""
    parser = Parser(prog="jaxsched", description="Learning-rate schedules for JAX.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_search(commands)
    return parser


def _add_search(commands: "argparse._SubParsersAction[Parser]") -> None:
    search = commands.add_parser(
        "search",
        help="which schedule should I train with?",
        description="Trains with many schedules at once on a real task, and ranks them "
        "by the loss on held-out data. Needs no network and downloads nothing.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    search.set_defaults(command=_search)
    add = search.add_argument
    add("--task", default="photo", help=f"what to train: {', '.join(TASKS)}")
    add("--steps", type=int, default=STEPS, help="for how many steps to train")
    add("--seeds", type=int, default=SEEDS, help="how many times to train with each")
    several: Any = {"nargs": "+", "action": Flat, "default": argparse.SUPPRESS}
    shown = " ".join(map(str, PEAKS))
    add(
        "--peaks",
        type=_listed(float),
        help=f"the highest rates (default: {shown})",
        **several,
    )
    add(
        "--warmups",
        type=_listed(int),
        help="the steps of the warmups (default: a thirtieth and a sixth of all)",
        **several,
    )
    add(
        "--recipes",
        type=_listed(str),
        help=f"what to compare (default: all of {', '.join(RECIPES)})",
        **several,
    )
    add(
        "--output",
        type=Path,
        default=Path("jaxsched-search"),
        help="where to put the results",
    )


def _search(options: argparse.Namespace) -> None:
    with _refusing():
        candidates, task = _prepare(options)
        with extra("search"):
            from tqdm import tqdm  # noqa: PLC0415

            from .plotting import plot_search  # noqa: PLC0415

    print(
        f"Training {task.name} with {len(candidates)} schedules and {options.seeds} "
        f"seeds for {options.steps} steps on {len(jax.devices())} "
        f"{jax.default_backend()} devices.",
        file=sys.stderr,
    )
    key = jax.random.key(0)
    with tqdm(total=len(candidates) * options.seeds, unit="run") as bar:
        results = run(
            task.train,
            candidates,
            steps=options.steps,
            key=key,
            seeds=options.seeds,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    print(report(results, measure=task.measure))

    with _refusing():
        table = options.output / "results.csv"
        results.to_csv(table)
        print(f"Written: {table}")
        if results.complete.any():
            picture = options.output / "search.png"
            pictures = task.paint(results, key)
            title = f"{task.name}: {task.measure}"
            plot_search(results, options.steps, title=title, pictures=pictures).savefig(
                picture, dpi=150
            )
            print(f"Written: {picture}")


def _prepare(options: argparse.Namespace) -> tuple[list[Candidate], Task]:
    warmups = (options.steps // 30, options.steps // 6)
    candidates = grid(
        getattr(options, "recipes", RECIPES),
        peaks=getattr(options, "peaks", PEAKS),
        warmups=getattr(options, "warmups", warmups),
        steps=options.steps,
    )
    if options.seeds < 1:
        raise ValueError(f"The number of seeds must be positive, got {options.seeds}.")
    make_task = named("task", options.task, TASKS)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=options.output):
        _use_all_cores()
    return candidates, make_task(options.steps)


def _use_all_cores() -> None:
    """Makes a device of each core, unless a backend has been started or set up."""
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        with contextlib.suppress(RuntimeError):
            jax.config.update(  # type: ignore[no-untyped-call]
                "jax_num_cpu_devices", os.cpu_count() or 1
            )


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turns errors that a person can mend into a message to that person."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from error
    except (ValueError, ImportError) as error:
        raise UsageError(str(error)) from error
