"""The report: the result of a search in words, for a terminal or a notebook."""

import html
import math
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from .results import Results


ROWS = 10
"""How many of the best candidates are shown unless told otherwise."""

GAP = "  "

MOST = 100
"""The longest line of running text."""

HIDDEN = (
    *("rank", "family", "mean", "spread", "low", "high", "seeds", "steps"),
    *("status", "tied", "code"),
)
"""Columns of the ranking that are not shown, or not as they are."""


def report(
    results: "Results",
    *,
    measure: str = "",
    rows: int = ROWS,
    width: int | None = None,
) -> str:
    """Says which schedule to train with, and how sure that is.

    Args:
        results: The results of a search.
        measure: What the metric is, in words; its name if not given.
        rows: How many of the best candidates to show.
        width: How many characters fit on a line: of the terminal unless given, and
            any number where the output is no terminal.

    Returns:
        The best candidate of each family, the best of all, and what to make of it.

    Example:
        >>> import jax
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> def train(schedule, key):
        ...     noise = jax.random.uniform(key, maxval=0.01)
        ...     return {"loss": 1 - schedule(10) + noise * schedule(0)}
        >>> peak = search.choice([0.1, 0.2, 0.5])
        >>> space = search.one_of(js.constant(peak), js.linear(peak, 0.0, steps=50))
        >>> results = search.run(train, space, metric="loss", key=0)
        >>> print(search.report(results, rows=0, width=70))
        The best of each family:
        <BLANKLINE>
          rank  family    loss             level
             1  constant  0.5029 ± 0.0025    0.5
             2  linear    0.6029 ± 0.0025    0.5
        <BLANKLINE>
        Ranked by loss, mean ± standard deviation over 3 seeds.
        All others are worse by more than the noise of 0.0023.
        Note: level = 0.5 is the highest that was tried: a higher one may do
        better.
        Train with: constant(0.5)
    """
    width = columns_of_terminal() if width is None else width
    shown = list(range(min(rows, len(results.candidates))))
    parts = [f"The best of each family:\n\n{ranking(results, width=width)}"]
    if shown:
        title = f"The best {len(shown)} of {len(results.candidates)} candidates:"
        parts.append(f"{title}\n\n{ranking(results, shown, width=width)}")
    parts.append(summary(results, measure, width=width))
    return "\n\n".join(parts)


def listing(
    columns: Mapping[str, np.ndarray], rows: int, *, width: int | None = None
) -> str:
    """Lays out the first rows of any table, no wider than `width`.

    Example:
        >>> import numpy as np
        >>> table = {"trial": np.array([0, 1]), "family": np.array(["a", "bcd"])}
        >>> print(listing(table, 2, width=80))
        trial  family
            0  a
            1  bcd
    """
    width = columns_of_terminal() if width is None else width
    cells = [
        (name, [_cell(value) for value in column[:rows]], column.dtype.kind == "U")
        for name, column in columns.items()
    ]
    return _aligned(cells, width, 2)


def columns_of_terminal() -> int:
    """Returns how many characters fit on a line: any number into a pipe or a file."""
    if not sys.stdout.isatty():
        return sys.maxsize
    return shutil.get_terminal_size().columns


def ranking(
    results: "Results", rows: Sequence[int] | None = None, *, width: int | None = None
) -> str:
    """Lays out rows of `results.ranking`, no wider than `width`.

    Args:
        results: The results of a search.
        rows: Which rows; the best of each family unless given.
        width: How many characters fit on a line, as for `report`.

    Returns:
        One line for each row, under a line of names. Columns that do not fit are named
        below.
    """
    width = columns_of_terminal() if width is None else width
    rows = results.best_of_each() if rows is None else rows
    rows = [row for row in rows if row < len(results.ranked)]
    texts = ("", "family", results.metric)
    columns = [(name, cells, name in texts) for name, cells in _columns(results, rows)]
    return _aligned(columns, width, 4)


def _columns(results: "Results", rows: Sequence[int]) -> list[tuple[str, list[str]]]:
    """Returns the columns of a ranking as texts."""
    table = results.ranking
    tied = _tied(results)
    columns = [
        ("", ["~" if tied[row] else "" for row in rows]),
        ("rank", [str(table["rank"][row]) for row in rows]),
        ("family", [str(table["family"][row]) for row in rows]),
        (results.metric, [_score(results, row) for row in rows]),
    ]
    columns += [
        (name, [_cell(column[row]) for row in rows])
        for name, column in table.items()
        # Texts of one family are in the column `family` already.
        if name not in HIDDEN and not _same(column, table["family"])
    ]
    return columns


def summary(results: "Results", measure: str = "", *, width: int | None = None) -> str:
    """Says what was measured, what differs by noise alone, and what to train with."""
    width = min(columns_of_terminal() if width is None else width, MOST)
    seeds, counts = len(results.seeds), results.counts()
    over = f"over {seeds} seeds" if seeds > 1 else "of one seed"
    spread = "mean ± standard deviation" if seeds > 1 else "the value"
    lines = [f"Ranked by {measure or results.metric}, {spread} {over}."]
    said = {
        "unfinished": "Not finished yet",
        "pruned": "Pruned before the end",
        "diverged": "Diverged, and never chosen",
        "failed": "Failed",
    }
    lines += [
        f"{words}: {_candidates(counts[status])}{_why(results, status)}."
        for status, words in said.items()
        if status in counts
    ]
    lines = [textwrap.fill(line, width) for line in lines]
    if "complete" not in counts:
        none = "Every candidate diverged. Try lower peaks."
        return "\n".join(
            [*lines, none if list(counts) == ["diverged"] else "None is complete."]
        )
    row = results.recommended()
    notes = [noise_note(results), simplest_note(row), edge_note(results, row)]
    lines += [textwrap.fill(note, width) for note in notes if note]
    # An expression to be copied stays on one line.
    return "\n".join([*lines, f"Train with: {results.candidates[row].code}"])


def noise_note(results: "Results") -> str:
    """Says which candidates the seeds do not tell from the best one."""
    table, noise = results.ranking, results.noise
    others = int(table["tied"].sum()) - 1
    if len(results.seeds) == 1:
        return "Note: one seed says nothing of the noise, any difference may be chance."
    if math.isinf(noise):
        return "Note: one candidate that is complete says nothing of the noise."
    if not others:
        return f"All others are worse by more than the noise of {noise:.2g}."
    families = sorted(set(table["family"][table["tied"]].tolist()))
    return (
        f"Note: {_candidates(others)} (~) cannot be told from the best one: "
        f"differences below {noise:.2g} are within the noise. "
        f"Families that do as well as any: {', '.join(families)}."
    )


def simplest_note(row: int) -> str:
    """Says that the recommended candidate is not the one with the best mean."""
    if row == 0:
        return ""
    return (
        f"Recommended is the simplest of those that cannot be told apart, at rank "
        f"{row + 1}."
    )


def edge_note(results: "Results", row: int) -> str:
    """Says which values of a candidate are at the edge of what was tried."""
    params = results.ranked[row].trials[0].params
    beyond = [
        f"{name} = {_shown(params[name])} is the {edge}est that was tried: "
        f"a {edge}er one may do better"
        for name, edge in results.edges(row).items()
    ]
    return f"Note: {'; '.join(beyond)}." if beyond else ""


def short(results: "Results") -> str:
    """Says in a few lines how far a search is, and which candidates are the best."""
    counts = results.counts()
    shown = ", ".join(f"{count} {status}" for status, count in counts.items())
    seeds = f"{len(results.seeds)} seed{'s' * (len(results.seeds) != 1)}"
    lines = [f"{len(results.ranked)} candidates, {seeds}: {shown or 'none'}."]
    if "complete" in counts:
        best = range(min(5, counts["complete"]))
        lines += [ranking(results, best, width=MOST), f"Best: {results.best().code}"]
    return "\n".join(lines)


def as_html(results: "Results", rows: int = 20) -> str:
    """Returns the ranking as a table for a notebook."""
    rows = min(rows, len(results.ranked))
    cells = [
        [title, *texts] for title, texts in _columns(results, range(rows)) if title
    ]
    head, *body = zip(*cells, strict=True) if cells else [()]
    lines = ["<table>", _html_row(head, "th"), *(_html_row(r, "td") for r in body)]
    note = html.escape(summary(results)).replace("\n", "<br>")
    return "\n".join([*lines, "</table>", f"<p>{note}</p>"])


def _html_row(texts: Sequence[str], tag: str) -> str:
    cells = "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)
    return f"<tr>{cells}</tr>"


def _tied(results: "Results") -> np.ndarray:
    """Which rows to mark: none if only the best one is tied with itself."""
    tied = results.ranking["tied"]
    return tied if tied.sum() > 1 else np.zeros_like(tied)


def _candidates(count: int) -> str:
    return "1 candidate" if count == 1 else f"{count} candidates"


def _why(results: "Results", status: str) -> str:
    """Returns the first error of failed trials, to append to their number."""
    errors = (trial.error for trial in results.trials if trial.error)
    first = next(errors, "") if status == "failed" else ""
    return f", with {first.strip().splitlines()[-1].rstrip('.')}" if first else ""


def _score(results: "Results", row: int) -> str:
    """Returns the mean and its spread, or the status of an incomplete candidate."""
    table = results.ranking
    status, steps = str(table["status"][row]), table["steps"][row]
    if status == "pruned":
        return f"pruned at {steps:.0f}"
    if status != "complete":
        return status
    mean, spread = table["mean"][row], table["spread"][row]
    return f"{mean:.4g}" + ("" if np.isnan(spread) else f" ± {spread:.2g}")


def _cell(value: np.generic) -> str:
    """Returns a value as text; empty where a family lacks it."""
    return _shown(value.item())


def _shown(value: float | int | str | bool) -> str:
    if isinstance(value, str | bool | int):
        return str(value)
    return "" if math.isnan(value) else f"{value:g}"


def _same(column: np.ndarray, family: np.ndarray) -> bool:
    return column.dtype.kind == "U" and bool((column == family).all())


def _aligned(
    columns: Sequence[tuple[str, list[str], bool]], width: int, least: int
) -> str:
    """Lays out columns: numbers to the right, texts to the left.

    Args:
        columns: The name, the cells, and whether they are texts.
        width: How many characters fit on a line.
        least: How many columns are always shown.
    """
    sized = [(max(map(len, [n, *cells])), n, cells, t) for n, cells, t in columns]
    left_out: list[str] = []
    while (
        len(sized) > least
        and sum(size for size, *_ in sized) + len(GAP) * (len(sized) - 1) > width
    ):
        left_out.insert(0, sized.pop()[1])
    lines = []
    for texts in zip(*([name, *cells] for _, name, cells, _ in sized), strict=True):
        cells = (
            text.ljust(size) if is_text else text.rjust(size)
            for text, (size, _, _, is_text) in zip(texts, sized, strict=True)
        )
        lines.append(GAP.join(cells).rstrip()[:width])
    if left_out:
        lines += textwrap.wrap(f"(Too narrow for {', '.join(left_out)}.)", width)
    return "\n".join(lines)
