"""What tells a reader of which kind a tree was that was saved."""

import sys
import zlib
from typing import Any

import jax
import numpy as np

from .tree import Tree, fields


LABEL_SIZE = 64
"""How many bytes the label of a tree has: four of a checksum, and text."""


def label(tree: Tree) -> np.ndarray:
    """Returns the kinds of nodes of a tree as numbers, which any format can keep."""
    text = outline(tree).encode()
    checksum = zlib.crc32(text).to_bytes(4, "big")
    return np.frombuffer((checksum + text)[:LABEL_SIZE].ljust(LABEL_SIZE), np.uint8)


def read_label(label: Any) -> str:
    """Returns the text in a label: the beginning of the outline."""
    text = np.asarray(label, np.uint8).tobytes()[4:].decode(errors="replace").rstrip()
    return text if len(text) < LABEL_SIZE - 4 else f"{text}..."


def outline(tree: Tree) -> str:
    """Returns the kinds of nodes that a tree consists of, without their numbers."""
    nodes = jax.tree.leaves(_children(tree), is_leaf=lambda x: isinstance(x, Tree))
    parts = [
        f"{field.name}={getattr(value, '__qualname__', repr(value))}"
        for field in fields(type(tree))
        if "static" in field.metadata
        for value in [getattr(tree, field.name)]
        if value != field.default
    ]
    parts += [outline(node) for node in nodes if isinstance(node, Tree)]
    return (
        f"{type(tree).__name__}({', '.join(parts)})" if parts else type(tree).__name__
    )


def register_with_flax() -> None:
    """Lets `flax.serialization` write and read every kind of tree, if it is loaded.

    Flax knows only the types it was told of, by name, and takes long to import. So it
    is told when a state is made, which Flax may have been loaded before.
    """
    flax = sys.modules.get("flax.serialization")
    if flax is None:
        return
    for kind in _subclasses(Tree):
        if kind not in _TOLD:
            _TOLD.add(kind)
            flax.register_serialization_state(
                kind, _to_state, _from_state, override=True
            )


_TOLD: set[type] = set()


def _subclasses(kind: type[Tree]) -> list[type[Tree]]:
    return [
        each for below in kind.__subclasses__() for each in (below, *_subclasses(below))
    ]


def _to_state(tree: Tree) -> dict[str, Any]:
    """Returns the fields of a tree, and of what kind it is."""
    to_state = sys.modules["flax.serialization"].to_state_dict
    return {"kind": _description(tree)} | {
        name: to_state(value) for name, value in _children(tree).items()
    }


def _from_state(tree: Tree, written: dict[str, Any]) -> Tree:
    """Returns a tree like `tree` with the leaves that were written.

    Raises:
        ValueError: If a tree of another kind was written.
    """
    if written.get("kind") != _description(tree):
        raise ValueError(
            f"A `{written.get('kind')}` was saved, and cannot be read as a "
            f"`{_description(tree)}`: read it into a state with the schedule that was "
            "saved, and give that another one by `training.set_schedule`."
        )
    from_state = sys.modules["flax.serialization"].from_state_dict
    values = {
        name: from_state(value, written[name], name=name)
        for name, value in _children(tree).items()
    }
    # As when JAX puts a tree together, nothing is converted or checked.
    read = object.__new__(type(tree))
    vars(read).update(tree.__getstate__() | values)
    return read


def _description(tree: Tree) -> str:
    """Returns the name of a class, with what of it is structure."""
    structure = [
        f"{field.name}={getattr(tree, field.name)!r}"
        for field in fields(type(tree))
        if "static" in field.metadata
    ]
    return f"{type(tree).__name__}({', '.join(structure)})"


def _children(tree: Tree) -> dict[str, Any]:
    """Returns the fields that hold leaves."""
    kept = [field for field in fields(type(tree)) if "static" not in field.metadata]
    return {field.name: getattr(tree, field.name) for field in kept}
