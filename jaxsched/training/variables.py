"""Variables of Flax NNX, which hold the arrays of models and of optimizer states."""

import sys
from typing import Any

import jax


def is_variable(node: Any) -> bool:
    """Tells whether `node` is a variable of Flax NNX."""
    # Nobody has one who has not imported Flax, which takes long and may be missing.
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(node, nnx.Variable)


def contents(tree: Any) -> Any:
    """Returns a tree with what each variable holds in its place."""
    return jax.tree.map(_held, tree, is_leaf=is_variable)


def held_like(variable: Any, tree: Any) -> Any:
    """Puts each leaf of a tree into a new variable of that kind, if it is one."""
    if not is_variable(variable):
        return tree
    structure = jax.tree.structure(variable)
    return jax.tree.map(lambda leaf: jax.tree.unflatten(structure, [leaf]), tree)


def trained(params: Any) -> Any:
    """Returns the parameters of a module of Flax NNX, and anything else unchanged."""
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(params, nnx.Module):
        return nnx.state(params, nnx.Param)
    return params


def _held(node: Any) -> Any:
    return jax.tree.leaves(node)[0] if is_variable(node) else node
