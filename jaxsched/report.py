"""The report: what a search found, as text for a terminal."""

import math
import shutil
import textwrap
from collections.abc import Sequence

import numpy as np

from .search import Results


ROWS = 10
"""How many of the best candidates are shown unless told otherwise."""

GAP = "  "

HIDDEN = (
    *("rank", "family", "mean", "spread", "low", "high", "seeds", "steps"),
    *("status", "tied", "code"),
)
"""Columns of the ranking that are not shown, or not as they are."""


def report(
    results: Results,
    *,
    measure: str = "",
    rows: int = ROWS,
    width: int | None = None,
) -> str:
    """Says which schedule to train with, and how sure that is.

    Args:
        results: What `search.run` returned.
        measure: What the metric is, in words; its name if not given.
        rows: How many of the best candidates to show.
        width: How many characters fit on a line; those of the terminal if not given.

    Returns:
        The best candidate of each family, the best of all, and what to make of it.

    Example:
        >>> import numpy as np
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> from jaxsched.report import report
        >>> from jaxsched.search.trials import Status, Trial
        >>> peak = search.choice([0.1, 0.2])
        >>> space = search.Space(
        ...     search.one_of(js.constant(peak), js.linear(peak, 0.0, steps=50))
        ... )
        >>> def trial(number, family, seed, score):
        ...     labels = {"family": family, "level": 0.1, "start": 0.1}
        ...     metrics = {"validation": np.array(score)}
        ...     return Trial(
        ...         number, f"{number}", labels, seed, Status.COMPLETE, metrics=metrics
        ...     )
        >>> trials = (
        ...     trial(0, "constant", 0, 0.50), trial(1, "constant", 1, 0.53),
        ...     trial(2, "linear", 0, 0.25), trial(3, "linear", 1, 0.27),
        ... )
        >>> print(report(search.Results(trials, space), rows=0, width=70))
        The best of each family:
        <BLANKLINE>
          rank  family    validation     level
             1  linear    0.26 ± 0.014     0.1
             2  constant  0.515 ± 0.021    0.1
        <BLANKLINE>
        Ranked by validation, mean ± standard deviation over 2 seeds.
        All others are worse by more than the noise of 0.064.
        Train with: linear(0.1, 0.0, steps=50)
    """
    width = shutil.get_terminal_size().columns if width is None else width
    shown = list(range(min(rows, len(results.candidates))))
    parts = [f"The best of each family:\n\n{ranking(results, width=width)}"]
    if shown:
        title = f"The best {len(shown)} of {len(results.candidates)} candidates:"
        parts.append(f"{title}\n\n{ranking(results, shown, width=width)}")
    parts.append(summary(results, measure, width=width))
    return "\n\n".join(parts)


def ranking(
    results: Results, rows: Sequence[int] | None = None, *, width: int = 80
) -> str:
    """Lays out rows of `results.ranking`, no wider than `width`.

    Args:
        results: What `search.run` returned.
        rows: Which ones; the best of each family if not given.
        width: How many characters fit on a line.

    Returns:
        One line for each row, under a line of names.
    """
    rows = results.best_of_each() if rows is None else rows
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
        if name not in HIDDEN
    ]
    return _aligned(columns, width)


def summary(results: Results, measure: str = "", *, width: int = 80) -> str:
    """Says what was measured, what differs by noise only, and what to train with."""
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
    # What is there to be copied stays on one line.
    note = textwrap.fill(noise_note(results), width)
    return "\n".join([*lines, note, f"Train with: {results.best().code}"])


def noise_note(results: Results) -> str:
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


def _tied(results: Results) -> np.ndarray:
    """Which rows to mark: none if only the best one is tied with itself."""
    tied = results.ranking["tied"]
    return tied if tied.sum() > 1 else np.zeros_like(tied)


def _candidates(count: int) -> str:
    return "1 candidate" if count == 1 else f"{count} candidates"


def _why(results: Results, status: str) -> str:
    """The first error that there is, of what failed."""
    errors = (trial.error for trial in results.trials if trial.error)
    first = next(errors, "") if status == "failed" else ""
    return f", with {first.strip().splitlines()[-1].rstrip('.')}" if first else ""


def _score(results: Results, row: int) -> str:
    """What there is to be said in place of a mean, or the mean."""
    table = results.ranking
    status, steps = str(table["status"][row]), table["steps"][row]
    if status == "pruned":
        return f"pruned at {steps:.0f}"
    if status != "complete":
        return status
    mean, spread = table["mean"][row], table["spread"][row]
    return f"{mean:.4g}" + ("" if np.isnan(spread) else f" ± {spread:.2g}")


def _cell(value: np.generic) -> str:
    """A number, a text, or nothing where a family does not have it."""
    if isinstance(value, np.str_ | np.bool_):
        return str(value)
    return "" if np.isnan(value) else f"{value:g}"


def _aligned(columns: Sequence[tuple[str, list[str]]], width: int) -> str:
    """Numbers to the right, the rest to the left; as many columns as there is room."""
    sized = [(max(map(len, [name, *cells])), name, cells) for name, cells in columns]
    while len(sized) > 3 and _total(sized) > width:
        sized.pop()
    lines = []
    for texts in zip(*([name, *cells] for _, name, cells in sized), strict=True):
        cells = (
            text.ljust(size) if index in (0, 2, 3) else text.rjust(size)
            for index, (text, (size, _, _)) in enumerate(zip(texts, sized, strict=True))
        )
        lines.append(GAP.join(cells).rstrip()[:width])
    return "\n".join(lines)


def _total(sized: Sequence[tuple[int, str, list[str]]]) -> int:
    return sum(size for size, _, _ in sized) + len(GAP) * (len(sized) - 1)
