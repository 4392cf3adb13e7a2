"""Rewrites what the documents show of the code: their tables, and two pictures.

Run it as `python -m tests.documents` after adding a schedule.
"""

import doctest
import inspect
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import optax

import jaxsched as js
from jaxsched import curves, leaves, recipes, schedule, transforms
from jaxsched.plotting import plot_zoo

from . import homes
from .catalogue import CURVES, LEAVES, RECIPES


README = Path(__file__).parent.parent / "README.md"
OPTIMIZERS = README.parent / "docs" / "optimizers.md"
PICTURE = README.parent / "notebooks" / "zoo.png"
RESULTS = PICTURE.with_name("results.png")

KINDS = {
    "Leaves": (schedule.constant, *vars(leaves).values()),
    "Recipes": tuple(vars(recipes).values()),
    "Transforms": (schedule.chain, *vars(transforms).values()),
}


def constructors(kind):
    """Returns the public functions of a kind, by name."""
    found = [value for value in KINDS[kind] if inspect.isfunction(value)]
    return {function.__name__: function for function in found}


def sections(documented):
    """Splits a docstring at the headings of its sections."""
    text = inspect.getdoc(documented)
    head, *rest = re.split(r"\n\n(Args|Returns|Raises|Example|Source):\n", text)
    return {"": head, **dict(zip(rest[::2], rest[1::2], strict=True))}


def plain_signature(function):
    """Returns the parameters, without their types."""
    parameters = inspect.signature(function).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    return str(inspect.Signature(plain))


def table_row(function):
    """Returns the row of the table for one schedule."""
    parts = sections(function)
    summary = " ".join(parts[""].split("\n\n")[0].split())
    links = re.findall(r"https://\S+?(?=[;,.]?(?:\s|$))", parts.get("Source", ""))
    sources = ", ".join(f"[{number}]({link})" for number, link in enumerate(links, 1))
    name = function.__name__
    return f"| `{name}{plain_signature(function)}` | {summary} | {sources} |"


def schedules():
    """Returns the table of every schedule, in Markdown."""
    lines = []
    for kind in KINDS:
        lines += [
            f"**{kind}**",
            "",
            "| call | what it does | source |",
            "|---|---|---|",
        ]
        lines += [table_row(function) for function in constructors(kind).values()]
        lines += [""]
    return "\n".join(lines)


def shapes():
    """Returns the table of every curve, in Markdown."""
    lines = ["| curve | what it is |", "|---|---|"]
    for curve in curves.Curve.__subclasses__():
        fields = plain_signature(curve).replace("curves.", "")
        lines.append(f"| `curves.{curve.__name__}{fields}` | {formula(curve)} |")
    return "\n".join(lines)


def formula(curve):
    """Returns the first line of a curve's docstring."""
    return " ".join(inspect.getdoc(curve).split("\n\n")[0].split())


def rewritten(document):
    """Returns a document with its tables made anew."""
    text = document.read_text()
    for name, made in TABLES[document].items():
        table = made()
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, count = re.subn(
            pattern, lambda m, t=table: f"{m[1]}\n{t}\n{m[2]}", text, flags=re.S
        )
        assert count == 1, f"{document.name} has no place for its table of {name}"
    return text


TABLES = {
    README: {"schedules": schedules, "curves": shapes},
    OPTIMIZERS: {"homes": homes.matrix},
}


def zoo():
    """Returns what the picture shows: a panel for each leaf, recipe and curve."""
    shown = {}
    for name, row in {**LEAVES, **RECIPES}.items():
        shown.setdefault(name.split(",")[0], row.schedule)
    del shown["custom"], shown["constant"]
    for name, row in CURVES.items():
        shown.setdefault(name.split(", ")[1], row.schedule)
    return shown


def searched(text):
    """Runs the search that the README shows, and returns the picture of it."""
    _, _, section = text.partition("### With your own model\n")
    names = {"jax": jax, "jnp": jnp, "js": js, "optax": optax}
    for example in doctest.DocTestParser().get_examples(section.partition("\n## ")[0]):
        exec(example.source, names)
    return names["figure"]


if __name__ == "__main__":
    for document in TABLES:
        document.write_text(rewritten(document))
    plot_zoo(zoo(), steps=110, columns=9).savefig(PICTURE, dpi=110)
    searched(README.read_text()).savefig(RESULTS, dpi=110)
    written = (
        f"{', '.join(each.name for each in TABLES)}, {PICTURE.name} and {RESULTS.name}"
    )
    print(f"wrote {written}, of jaxsched in {js.__path__[0]}")
