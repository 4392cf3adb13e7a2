"""Frozen dataclasses that are pytrees: the one mechanism all nodes are built on.

Subclassing `Tree` is all it takes: the subclass becomes a frozen dataclass and is
registered with JAX. Three rules make that safe under every transformation.

1. **Unflattening never runs `__init__`.** `jax.grad`, `jax.vmap` and `jax.tree.map`
   rebuild nodes out of tracers, `None`, `object()`, axis numbers and gradients.
   None of those lie in a hyperparameter's domain, and none of them need to.
2. **A field is a leaf or static by declaration, never by its value.** So a class
   has one tree structure, and rates 0.1 and 0.2 share one compilation.
3. **Equality and hash are by identity.** So `jax.jit(schedule)` works when leaves
   are arrays, and `1` never meets `1.0` in JAX's caches. To compare values, use
   `chex.assert_trees_all_close`.
"""

import abc
import contextlib
import dataclasses
import inspect
import json
import operator
from collections.abc import Iterator
from typing import Any, Self, TypeVar, dataclass_transform

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jax.tree_util import GetAttrKey, keystr, tree_flatten_with_path

from .calls import Call, waits
from .domain import REAL, Domain
from .errors import misfit_of
from .hyperparameters import as_leaf
from .types import Scalar


T = TypeVar("T", bound="Tree")


def hyper(domain: Domain = REAL, *, default: Any = dataclasses.MISSING) -> Any:
    """Declares a differentiable leaf: a number, or a vector, within `domain`."""
    return dataclasses.field(default=default, metadata={"domain": domain})


def child(*, default_factory: Any = dataclasses.MISSING) -> Any:
    """Declares a field that holds a `Tree`, or a tuple or dict of leaves below."""
    return dataclasses.field(default_factory=default_factory)


def static(*, default: Any = dataclasses.MISSING) -> Any:
    """Declares hashable structure: part of the treedef, so a change recompiles."""
    return dataclasses.field(default=default, metadata={"static": True})


@dataclass_transform(
    frozen_default=True, eq_default=False, field_specifiers=(hyper, child, static)
)
class Tree(abc.ABC):
    """The base class of every node; see the docstring of this module."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Of a dataclass it is the fields that are needed: to generate and compile
        # methods for each class would take most of the time of the import.
        dataclasses.dataclass(init=False, eq=False, repr=False)(cls)
        setattr(cls, "__signature__", _signature(cls))  # noqa: B010
        _register(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if waits(args) or waits(kwargs.values()):
            return Call(cls, args, kwargs)
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        values = {field.name: _default(field) for field in fields(cls)}
        given = dict(zip(values, args, strict=False)) | kwargs
        misfit = (
            len(given) < len(args) + len(kwargs) or not given.keys() <= values.keys()
        )
        values |= given
        if misfit or any(value is dataclasses.MISSING for value in values.values()):
            raise TypeError(misfit_of(cls, args, kwargs))
        vars(self).update(values)
        self.__post_init__()

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __post_init__(self) -> None:
        for field in fields(type(self)):
            given = getattr(self, field.name)
            where = f"{type(self).__name__}.{field.name}"
            if "domain" in field.metadata:
                value = as_leaf(given, field.metadata["domain"], where)
                vars(self)[field.name] = value
            elif isinstance(field.type, type) and not isinstance(given, field.type):
                kind = field.type.__name__
                raise TypeError(f"`{where}` must be a `{kind}`, got {given!r}.")

    def __repr__(self) -> str:
        """An expression that builds the node, where its leaves are not arrays."""
        given = ((field, getattr(self, field.name)) for field in fields(type(self)))
        shown = (
            f"{field.name}={_shown(value)}"
            for field, value in given
            if not (isinstance(value, float | str) and value == field.default)
        )
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __getstate__(self) -> dict[str, Any]:
        """The fields, and nothing that was derived from them and kept."""
        return {field.name: getattr(self, field.name) for field in fields(type(self))}

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some fields changed, converted and checked anew."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]


def fields(cls: type[Tree]) -> tuple[dataclasses.Field[Any], ...]:
    """Returns what `cls` declares, in order."""
    return dataclasses.fields(cls)  # type: ignore[arg-type]


def hypers(tree: Tree) -> Iterator[tuple[str, Scalar, Domain]]:
    """Yields `(path, value, domain)` of every hyperparameter at or below `tree`."""
    for field in fields(type(tree)):
        if "domain" in field.metadata:
            value = getattr(tree, field.name)
            yield f".{field.name}", value, field.metadata["domain"]
    below = tree_flatten_with_path(
        tree, is_leaf=lambda node: isinstance(node, Tree) and node is not tree
    )
    for path, node in below[0]:
        if isinstance(node, Tree):
            for suffix, value, domain in hypers(node):
                yield keystr(path) + suffix, value, domain


def check(tree: Tree) -> None:
    """Checks every hyperparameter, traced ones too, where `checkify` is in effect.

    Constructors check what they can see; under `jax.jit` and `jax.vmap` they see
    nothing. This puts the same checks into the traced program.

    Args:
        tree: A schedule, or any other node.

    Raises:
        JaxRuntimeError: From `err.throw()` of the enclosing `checkify.checkify`.

    Example:
        >>> import jax
        >>> from jax.experimental import checkify
        >>> from jaxsched import check, cosine
        >>> def rate(steps):
        ...     schedule = cosine(0.1, 0.0, steps)
        ...     check(schedule)
        ...     return schedule(3)
        >>> error, _ = jax.jit(checkify.checkify(rate))(-5.0)
        >>> print(error.get().split(" (")[0])
        `Ramp.steps` must be a finite number >= 0, got -5.0.
    """
    # It takes a while to import, and few need it.
    from jax.experimental import checkify  # noqa: PLC0415

    for path, value, domain in hypers(tree):
        array = jnp.asarray(value)
        checkify.check(
            jnp.all(domain.contains(array)),
            f"`{type(tree).__name__}{path}` must be {domain.text}, got {{value}}.",
            value=array,
        )


def as_arrays(tree: T) -> T:
    """Makes every leaf an array, for libraries that take Python numbers for static.

    Args:
        tree: A schedule, or any other node.

    Returns:
        The same with leaves of the default float type, so that `eqx.filter_jit`
        traces and `eqx.filter_grad` differentiates them. They are new arrays, which
        may be donated.

    Example:
        >>> from jaxsched import as_arrays, linear
        >>> as_arrays(linear(0.0, 1.0, steps=10)).end
        Array(1., dtype=float...)
    """
    dtype = jnp.result_type(float)
    arrays: T = jax.tree.map(lambda leaf: jnp.array(leaf, dtype), tree)
    return arrays


def _default(field: dataclasses.Field[Any]) -> Any:
    """Returns the default of a field, or `dataclasses.MISSING`."""
    if field.default_factory is dataclasses.MISSING:
        return field.default
    return field.default_factory()


def _signature(cls: type[Tree]) -> inspect.Signature:
    """Returns what a call of `cls` takes, for people and tools to look at."""
    return inspect.Signature(
        [
            inspect.Parameter(
                field.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty
                if default is dataclasses.MISSING
                else default,
                annotation=field.type,
            )
            for field in fields(cls)
            for default in [_default(field)]
        ]
    )


def _shown(value: Any) -> str:
    return repr(value.tolist() if isinstance(value, np.ndarray) else value)


def _register(cls: type[Tree]) -> None:
    data = tuple(f.name for f in fields(cls) if "static" not in f.metadata)
    meta = tuple(f.name for f in fields(cls) if "static" in f.metadata)
    get_data, get_meta = _getter(data), _getter(meta)
    keys = tuple(GetAttrKey(name) for name in data)

    def flatten(tree: Tree) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return get_data(tree), get_meta(tree)

    def flatten_with_keys(tree: Tree) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(zip(keys, get_data(tree), strict=True)), get_meta(tree)

    def unflatten(statics: tuple[Any, ...], leaves: Any) -> Tree:
        tree = object.__new__(cls)
        vars(tree).update(zip(data, leaves, strict=True))
        vars(tree).update(zip(meta, statics, strict=True))
        return tree

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    _make_exportable(cls)


def _make_exportable(cls: type[Tree]) -> None:
    """Lets `jax.export` serialize programs that take or return nodes of this class."""

    def serialize(statics: tuple[Any, ...]) -> bytes:
        try:
            return json.dumps(statics).encode()
        except TypeError:
            raise TypeError(
                f"A `{cls.__name__}` of {statics} cannot be serialized: give the "
                "exported program its leaves, and make the node inside."
            ) from None

    # Modules may move, but the names of our classes are public.
    ours = cls.__module__.split(".")[0] == __package__
    module = __package__ if ours else cls.__module__
    # A class that is defined again, as in a notebook, leaves the first one alone.
    with contextlib.suppress(ValueError):
        jax.export.register_pytree_node_serialization(
            cls,
            serialized_name=f"{module}.{cls.__qualname__}",
            serialize_auxdata=serialize,
            deserialize_auxdata=lambda text: _as_tuples(json.loads(text)),
        )


def _as_tuples(value: Any) -> Any:
    """Returns data with tuples in place of lists."""
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _getter(names: tuple[str, ...]) -> Any:
    """`operator.attrgetter`, which alone returns a tuple only for two or more."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda tree: tuple(getattr(tree, name) for name in names)
