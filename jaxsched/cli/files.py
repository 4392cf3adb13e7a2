"""`jaxsched search run FILE`, and the other commands on a search of one's own."""

import argparse
import inspect
import os
import runpy
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import search
from ..imports import extra
from ..search.results.report import listing, ranking
from .parsing import Parser, UsageError, redacted, refusing


STORE = "JAXSCHED_STORE"
"""The variable with the address of the store, to keep passwords off command lines."""

OPTIONS = tuple(
    name
    for name in inspect.signature(search.Search).parameters
    if name not in ("task", "space", "progress")
)
"""What a file may define besides its task and its space: the options of `Search`."""

FOLDER = Path("jaxsched-search")
"""The folder of searches, unless told otherwise."""

FILE = (
    "a Python file that defines `task` (or a function `train`), `space`, and any "
    "option of `search.run` by its name"
)


def add_commands(searching: Parser) -> None:
    """Adds the commands."""
    commands = searching.add_subparsers(
        metavar="COMMAND",
        description="A search of your own. Without a command, a built-in task is "
        "trained with the published schedules.",
    )

    def add(name: str, command: Callable[..., None], about: str) -> Parser:
        parser = commands.add_parser(name, help=about, description=about)
        parser.set_defaults(command=command)
        return parser

    run = add("run", _run, "search, or go on with a search, and rank the candidates")
    worker = add("worker", _work, "join a search in a store, from any machine")
    plan = add("plan", _plan, "say what a search would do, need and take")
    status = add("status", _status, "say how far a search is")
    table = add("table", _table, "show the ranking, or the trials, or write them")
    plot = add("plot", _plot, "draw the results of a search")
    for parser in (run, worker, plan):
        parser.add_argument("file", type=Path, help=FILE)
        _add_options(parser)
    for parser in (run, worker):
        parser.add_argument("--timeout", type=float, help="stop after so many seconds")
        parser.add_argument(
            "--retry", action="store_true", help="run failed trials again"
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="go on although the program or an option has changed",
        )
    run.add_argument("--out", type=Path, help="the folder of the search")
    for parser in (status, table, plot):
        parser.add_argument(
            "out",
            type=Path,
            nargs="?",
            help="the folder of the search, or the file that defines it",
        )
    for parser in (run, worker, status, table, plot):
        parser.add_argument(
            "--store",
            default=os.environ.get(STORE),
            help=f"postgresql://user@host/database; or in the variable {STORE}",
        )
        parser.add_argument("--name", help="the name of the search in the store")
    table.add_argument("--trials", action="store_true", help="a row for each trial")
    table.add_argument("--rows", type=int, default=20, help="how many to show")
    table.add_argument(
        "--to", type=Path, help="the file: .csv, .parquet, .json, .xlsx, .md or .html"
    )
    plot.add_argument("--to", type=Path, help="the file", default=Path("search.png"))


def _add_options(parser: Parser) -> None:
    """Adds options that a file may define, too; the command line has the last word."""
    add = parser.add_argument
    add("--metric", help="the metric to rank by")
    add("--mode", choices=["min", "max"], help="whether less or more of it is better")
    add("--seeds", type=int, help="how many times to train each candidate")
    add("--steps", type=int, help="for how many steps schedules become tables")
    add("--samples", type=int, help="how many candidates to try")
    add("--sampler", help="grid, random, sobol, tpe, cmaes or gp")
    add("--width", type=int, help="the number of lanes of a device")


def _run(options: argparse.Namespace) -> None:
    with refusing(options.file):
        given = _defined(options)
        if given.get("store") is None and given.get("out") is None:
            given["out"] = FOLDER / options.file.stem
        results = _searched(given)
        print(search.report(results))
        if given.get("out"):
            table = Path(given["out"]) / "results.csv"
            results.save(table)
            print(f"Written: {table}")


def _work(options: argparse.Namespace) -> None:
    with refusing(options.file):
        given = _defined(options)
        if given.get("store") is None:
            raise UsageError(f"a worker needs --store, or the variable {STORE}")
        _searched(given)


def _searched(given: dict[str, Any]) -> search.Results:
    try:
        return search.run(**given, progress=True)
    except search.Interrupted:
        again = redacted(shlex.join(["jaxsched", *map(str, sys.argv[1:])]))
        print(f"\nStopped. What is done is saved; go on with: {again}", file=sys.stderr)
        raise


def _plan(options: argparse.Namespace) -> None:
    with refusing(options.file):
        print(search.plan(**_defined(options)))


def _status(options: argparse.Namespace) -> None:
    with refusing(options.out):
        results = _loaded(options)
        counts = results.counts()
        print(", ".join(f"{count} {status}" for status, count in counts.items()))
        if results.top(1):
            print(f"Best so far: {results.best().code}")


def _table(options: argparse.Namespace) -> None:
    with refusing(options.out):
        results = _loaded(options)
        if options.to is not None:
            results.save(options.to, ranking=not options.trials)
            print(f"Written: {options.to}")
        elif options.trials:
            print(listing(results.table, options.rows))
        else:
            print(ranking(results, range(options.rows)))


def _plot(options: argparse.Namespace) -> None:
    with refusing(options.out):
        with extra("plot"):
            from ..plotting import plot_results  # noqa: PLC0415

        plot_results(_loaded(options)).savefig(options.to, dpi=150)
        print(f"Written: {options.to}")


def _loaded(options: argparse.Namespace) -> search.Results:
    out, store, name, space = options.out, options.store, options.name, None
    if out is None and store is None:
        raise UsageError("say which search: its folder, its file, or --store")
    if out is not None and out.is_file():
        found = _executed(out)
        store = store or found.get("store")
        name, space = name or found.get("name"), found.get("space")
        out = None if store else found.get("out", FOLDER / out.stem)
    return search.load(out, space, store=store, name=name or "search")


def _defined(options: argparse.Namespace) -> dict[str, Any]:
    """Returns what the file defines, and the command line says besides."""
    if not options.file.is_file():
        raise UsageError(f"there is no file {options.file}")
    search.use_all_cores()
    found = _executed(options.file)
    task = found.get("task", found.get("train"))
    if task is None or "space" not in found:
        raise UsageError(f"{options.file} must define `task` or `train`, and `space`")
    given = {name: found[name] for name in OPTIONS if name in found}
    given |= {
        name: value
        for name, value in vars(options).items()
        if name in OPTIONS and value not in (None, False)
    }
    if getattr(options, "force", False):
        given["resume"] = "force"
    return {"task": task, "space": found["space"], **given}


def _executed(file: Path) -> dict[str, Any]:
    """Runs a file as `python FILE` does: it can import the files beside it."""
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return runpy.run_path(str(file))
