"""What `flax.serialization` is told of our trees, once Flax is there."""

import sys
from typing import Any

from .tree import Tree, fields


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
