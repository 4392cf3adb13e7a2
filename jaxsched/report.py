"""The report: what a search found, as text for a terminal."""

import shutil
import textwrap
from collections.abc import Sequence

import numpy as np

from .search import Results


ROWS = 10
"""How many of the best candidates are shown unless told otherwise."""

GAP = "  "


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
        The best candidate of each recipe, the best of all, and what to make of it.

    Example:
        >>> import numpy as np
        >>> import jaxsched as js
        >>> from jaxsched import search
        >>> from jaxsched.report import report
        >>> grid = search.grid(["linear", "wsd"], peaks=[0.1], warmups=[5], steps=50)
        >>> scores = {"validation": np.array([[0.25, 0.27], [0.5, 0.53]])}
        >>> results = search.Results(tuple(grid), scores)
        >>> print(report(results, rows=0, width=60))
        The best of each recipe:
        <BLANKLINE>
          rank  recipe  validation     peak  warmup_steps
             1  linear  0.26 ± 0.014    0.1             5
             2  wsd     0.515 ± 0.021   0.1             5
        <BLANKLINE>
        Ranked by validation, mean ± standard deviation over 2 seeds.
        All others are worse by more than the noise of 0.064.
        Train with: warmup_linear(0.1, warmup_steps=5, total_steps=50)
    """
    width = shutil.get_terminal_size().columns if width is None else width
    shown = list(range(min(rows, len(results.candidates))))
    parts = [f"The best of each recipe:\n\n{ranking(results, width=width)}"]
    if shown:
        title = f"The best {len(shown)} of {len(results.candidates)} candidates:"
        parts.append(f"{title}\n\n{ranking(results, shown, width=width)}")
    parts.append(summary(results, measure, width=width))
    return "\n\n".join(parts)


def ranking(
    results: Results, rows: Sequence[int] | None = None, *, width: int = 80
) -> str:
    """Lays out rows of `results.table`, no wider than `width`.

    Args:
        results: What `search.run` returned.
        rows: Which ones; the best of each recipe if not given.
        width: How many characters fit on a line.

    Returns:
        One line for each row, under a line of names.
    """
    rows = results.best_of_each() if rows is None else rows
    table = results.table
    tied = _tied(results)
    columns = [
        ("", ["~" if tied[row] else "" for row in rows]),
        ("rank", [str(table["rank"][row]) for row in rows]),
        ("recipe", [str(table["recipe"][row]) for row in rows]),
        (results.metric, [_score(table, row) for row in rows]),
    ]
    hidden = ("rank", "recipe", "mean", "spread", "status", "tied", "code")
    columns += [
        (name, [f"{column[row]:g}" for row in rows])
        for name, column in table.items()
        if name not in hidden
    ]
    return _aligned(columns, width)


def summary(results: Results, measure: str = "", *, width: int = 80) -> str:
    """Says what was measured, what differs by noise only, and what to train with."""
    seeds = results.scores.shape[1]
    over = f"over {seeds} seeds" if seeds > 1 else "of one seed"
    spread = "mean ± standard deviation" if seeds > 1 else "the value"
    lines = [f"Ranked by {measure or results.metric}, {spread} {over}."]
    diverged = int((~results.complete).sum())
    if diverged:
        lines.append(f"Diverged, and never chosen: {_candidates(diverged)}.")
    lines = [textwrap.fill(line, width) for line in lines]
    if not results.complete.any():
        return "\n".join([*lines, "Every candidate diverged. Try lower peaks."])
    # What is there to be copied stays on one line.
    note = textwrap.fill(noise_note(results), width)
    return "\n".join([*lines, note, f"Train with: {results.best().code}"])


def noise_note(results: Results) -> str:
    """Says which candidates the seeds do not tell from the best one."""
    table, noise = results.table, results.noise
    others = int(table["tied"].sum()) - 1
    if results.scores.shape[1] == 1:
        return "Note: one seed says nothing of the noise, any difference may be chance."
    if not others:
        return f"All others are worse by more than the noise of {noise:.2g}."
    recipes = sorted(set(table["recipe"][table["tied"]].tolist()))
    return (
        f"Note: {_candidates(others)} (~) cannot be told from the best one: "
        f"differences below {noise:.2g} are within the noise. "
        f"Recipes that do as well as any: {', '.join(recipes)}."
    )


def _tied(results: Results) -> np.ndarray:
    """Which rows to mark: none if only the best one is tied with itself."""
    tied = results.table["tied"]
    return tied if tied.sum() > 1 else np.zeros_like(tied)


def _candidates(count: int) -> str:
    return "1 candidate" if count == 1 else f"{count} candidates"


def _score(table: dict[str, np.ndarray], row: int) -> str:
    if table["status"][row] != "complete":
        return str(table["status"][row])
    mean, spread = table["mean"][row], table["spread"][row]
    return f"{mean:.4g}" + ("" if np.isnan(spread) else f" ± {spread:.2g}")


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
