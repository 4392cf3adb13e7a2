"""`jaxsched search run FILE`, and the other commands on a search of one's own."""

import argparse
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import search
from ..imports import extra
from ..search import report, use_all_cores
from ..search.results.report import ranking
from .parsing import Parser, UsageError, refusing


STORE = "JAXSCHED_STORE"
"""The variable that says which store, so that no password is on a command line."""

OPTIONS = (
    "metric",
    "mode",
    "seeds",
    "sampler",
    "samples",
    "pruner",
    "steps",
    "width",
    "segment",
    "name",
    "lease",
)
"""What a file may say besides what is trained, with the names that `run` has."""

SAID = ("sampler", "samples", "width", "name")
"""Which of these the command line may say too; its others are of the built-in tasks."""

FILE = (
    "a Python file that defines `task` (or a function `train`), `space`, and if need "
    f"be `key`, {', '.join(f'`{name}`' for name in OPTIONS)}, as for `search.run`"
)


def add_commands(search: Parser) -> None:
    """Adds the commands."""
    commands = search.add_subparsers(
        metavar="COMMAND",
        description="A search of your own. Without a command, a built-in task is "
        "trained with the published schedules.",
    )

    def add(name: str, command: Callable[..., None], about: str) -> Parser:
        parser = commands.add_parser(name, help=about, description=about)
        parser.set_defaults(command=command)
        return parser

    run = add("run", _run, "search, or go on with a search, and rank what was tried")
    worker = add("worker", _work, "join a search in a store, from any machine")
    plan = add("plan", _plan, "say what a search would do, need and take")
    status = add("status", _status, "say how far a search is")
    table = add("table", _table, "rank what was tried, and write it to a file")
    plot = add("plot", _plot, "draw what came of a search")
    for parser in (run, worker, plan):
        parser.add_argument("file", type=Path, help=FILE)
        parser.add_argument("--width", type=int, help="how many lanes a device has")
    for parser in (run, worker):
        parser.add_argument("--samples", type=int, help="how many candidates to try")
        parser.add_argument("--sampler", help="grid, random, sobol, tpe, cmaes or gp")
    for parser in (run, status, table, plot):
        about = "the folder of the search"
        if parser is run:
            parser.add_argument("--out", type=Path, help=about)
        else:
            about += "; or with --store, the file that defines it"
            parser.add_argument("out", type=Path, help=about, nargs="?")
    for parser in (run, worker, status, table, plot):
        parser.add_argument(
            "--store",
            default=os.environ.get(STORE),
            help=f"postgresql://user@host/database; or in the variable {STORE}",
        )
        parser.add_argument("--name", help="what the search is called in the store")
    for parser in (table, plot):
        parser.add_argument("--to", type=Path, help="the file to write")
    table.add_argument("--rows", type=int, default=20, help="how many to show")


def _run(options: argparse.Namespace) -> None:
    with refusing():
        given = _defined(options)
        if not options.store:
            options.out = options.out or Path("jaxsched-search") / options.file.stem
        results = _searched(given, options)
        print(report(results))
        if options.out:
            table = options.out / "results.csv"
            results.to_csv(table)
            print(f"Written: {table}")


def _work(options: argparse.Namespace) -> None:
    with refusing():
        if not options.store:
            raise UsageError(f"a worker needs --store, or the variable {STORE}")
        given = _defined(options)
        _searched(given, options)


def _searched(given: dict[str, Any], options: argparse.Namespace) -> search.Results:
    out = getattr(options, "out", None)
    try:
        return search.run(**given, out=out, store=options.store, progress=True)
    except search.Interrupted:
        again = " ".join(["jaxsched", *map(str, sys.argv[1:])])
        print(f"\nStopped. What is done is saved; go on with: {again}", file=sys.stderr)
        raise


def _plan(options: argparse.Namespace) -> None:
    with refusing():
        given = _defined(options)
        for name in ("name", "lease"):
            given.pop(name, None)
        print(search.plan(**given))


def _status(options: argparse.Namespace) -> None:
    with refusing():
        results = _loaded(options)
        counts = results.counts()
        print(", ".join(f"{count} {status}" for status, count in counts.items()))
        if results.top(1):
            print(f"Best so far: {results.best().code}")


def _table(options: argparse.Namespace) -> None:
    with refusing():
        results = _loaded(options)
        if options.to is None:
            print(ranking(results, range(options.rows)))
        elif options.to.suffix == ".parquet":
            results.to_parquet(options.to)
        else:
            results.to_csv(options.to)


def _plot(options: argparse.Namespace) -> None:
    with refusing():
        with extra("plot"):
            from ..plotting import plot_results  # noqa: PLC0415

        picture = options.to or Path("search.png")
        plot_results(_loaded(options)).savefig(picture, dpi=150)
        print(f"Written: {picture}")


def _loaded(options: argparse.Namespace) -> search.Results:
    if options.out is None:
        raise UsageError("say which search: its folder, or with --store its file")
    folder, found = options.out, {}
    if folder.is_file():
        folder, found = None, runpy.run_path(str(folder))
    name = options.name or found.get("name", "search")
    return search.load(folder, found.get("space"), store=options.store, name=name)


def _defined(options: argparse.Namespace) -> dict[str, Any]:
    """What the file defines, and what was said besides."""
    if not options.file.is_file():
        raise UsageError(f"there is no file {options.file}")
    use_all_cores()
    found = runpy.run_path(str(options.file))
    task = found.get("task", found.get("train"))
    if task is None or "space" not in found:
        raise UsageError(f"{options.file} must define `task` or `train`, and `space`")
    given = {name: found[name] for name in OPTIONS if name in found}
    given |= {
        name: getattr(options, name)
        for name in SAID
        if getattr(options, name, None) is not None
    }
    given["key"] = found.get("key", 0)
    return {"task": task, "space": found["space"], **given}
