"""The command line: reads what is wanted, and leaves the work to the library."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from . import builtin, files
from .parsing import Parser, UsageError, redacted


MISUSED = 2
INTERRUPTED = 130
"""Exit codes, as shells and `argparse` have them."""


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
        sys.stdout.flush()
    except UsageError as error:
        print(f"jaxsched: error: {redacted(str(error))}", file=sys.stderr)
        return MISUSED
    except BrokenPipeError:
        # The reader has enough, as `head` has. Python would complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt as stopped:
        print(f"\njaxsched: {stopped or 'interrupted'}", file=sys.stderr)
        return INTERRUPTED
    return 0


def parser() -> Parser:
    """Returns the parser of the command line."""
    parser = Parser(prog="jaxsched", description="Learning-rate schedules for JAX.")
    parser.add_argument("--version", action="version", version=version("jaxsched"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    search = commands.add_parser(
        "search",
        help="which schedule should I train with?",
        description="Trains with many schedules at once, and ranks them by the loss on "
        "held-out data. Needs no network and downloads nothing.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    builtin.add_arguments(search)
    files.add_commands(search)
    return parser
