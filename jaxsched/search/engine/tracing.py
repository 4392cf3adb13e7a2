"""Tracing: the functions of a task as programs, with their captured arrays apart.

A function may capture arrays by closure. As constants of the program they would be
written into its text, compiled with it, and kept in every cache; so large ones become
arguments. Each function is traced twice: if the captured numbers differ, something
inside draws them anew each time, such as `next(iterator)`, and all trials would train
on the draw of the trace.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer, eval_jaxpr
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jax.tree_util import keystr, tree_flatten_with_path

from ..task import Metrics, Trainable, takes
from .arrays import is_key, shaped
from .batching import Layout
from .data import joined


LARGE = 1 << 12
"""Constants of more bytes become arguments."""

HUGE = 1 << 24
"""Constants of more bytes are refused where they cannot become arguments."""

CONTROL = ("jit", "pjit", "scan", "while", "cond")
"""Primitives of which the inner programs are looked into."""


@dataclasses.dataclass
class Form:
    """How a tree becomes arrays and a tree again, in the same trace or in another.

    Attributes:
        structure: The structure of the tree.
        static: Its leaves that are no arrays, by place.
    """

    structure: Any = None
    static: dict[int, Any] = dataclasses.field(default_factory=dict)

    def arrays(self, tree: Any) -> list[Any]:
        """Returns the arrays of a tree, and remembers the rest of it."""
        leaves, self.structure = jax.tree.flatten(tree)
        self.static = {n: x for n, x in enumerate(leaves) if not _is_array(x)}
        return [jnp.asarray(x) for x in leaves if _is_array(x)]

    def tree(self, arrays: Sequence[Any]) -> Any:
        """Returns the tree of some arrays."""
        rest = iter(arrays)
        count = self.structure.num_leaves
        return self.structure.unflatten(
            self.static[n] if n in self.static else next(rest) for n in range(count)
        )


@dataclasses.dataclass(frozen=True)
class Program:
    """A function of arrays, and the large arrays that it captured."""

    jaxpr: ClosedJaxpr
    constants: tuple[Any, ...]

    def __call__(self, constants: Sequence[Any], *arrays: Any) -> list[Any]:
        """Evaluates it."""
        given = {id(c): x for c, x in zip(self.constants, constants, strict=True)}
        return _evaluated(self.jaxpr, arrays, given)


class Traced:
    """The functions of a task, traced for one lane.

    Args:
        task: The task.
        layout: How the leaves of a lane become its config.
        key: A random key, or its shape.
        data: The shapes of the arrays of the data.
        batches: The shapes of a batch of each stream.
        form: How data are put together.

    Attributes:
        state: The shapes of the arrays of a state.
        watched: The shapes of the numbers that `step` returns, by name.
        metrics: The shapes of the metrics, trees by name.
        constants: The arrays that were captured.

    Raises:
        TypeError: If a function does not return what it should.
        ValueError: If a function draws numbers anew each time that it is traced.
    """

    def __init__(
        self,
        task: Trainable,
        layout: Layout,
        key: Any,
        *,
        data: Sequence[Any],
        batches: Sequence[Any],
        form: Any,
    ) -> None:
        self._task, self._layout, self._form = task, layout, form
        self._state, self._metrics = Form(), Form()
        self._inside = False
        leaves = list(layout.leaves)
        self._key = key
        shapes = (leaves, key, list(data))
        self.init = self._traced("init", self._init, *shapes)
        self.state = [shaped(x.shape, x.dtype) for x in self.init.jaxpr.out_avals]
        t = shaped((), np.dtype(np.int32))
        self._watched: tuple[Any, ...] = ()
        self.step = self._with_state(
            "step", self._step, leaves, self.state, t, list(data), list(batches)
        )
        found = self.step.jaxpr.out_avals[len(self.state) :]
        self.watched = self.named([shaped(x.shape, x.dtype) for x in found])
        self.evaluate = self._with_state(
            "evaluate", self._evaluate, leaves, self.state, list(data)
        )
        shapes_of_metrics = [
            shaped(x.shape, x.dtype) for x in self.evaluate.jaxpr.out_avals
        ]
        self.metrics: Metrics = self._metrics.tree(shapes_of_metrics)

    @functools.cached_property
    def constants(self) -> tuple[tuple[Any, ...], ...]:
        """The captured arrays of `init`, `step` and `evaluate`."""
        return tuple(p.constants for p in (self.init, self.step, self.evaluate))

    def named(self, watched: Sequence[Any]) -> Metrics:
        """Returns the numbers of `step`, by name."""
        return dict(zip(self._watched, watched, strict=True))

    def tree(self, metrics: Sequence[Any]) -> Metrics:
        """Returns metrics as trees, by name."""
        tree: Metrics = self._metrics.tree(metrics)
        return tree

    # The functions, of arrays.

    def _init(self, leaves: Any, key: Any, data: Any) -> list[Any]:
        return self._state.arrays(self._begun(leaves, key, data))

    def _begun(self, leaves: Any, key: Any, data: Any) -> Any:
        return self._call("init", 2, (self._layout.config(leaves), key), data, None)

    def _step(
        self, leaves: Any, state: Any, t: Any, data: Any, batches: Any
    ) -> list[Any]:
        config = self._layout.config(leaves)
        before = self._tree(leaves, state, data)
        after = self._call("step", 3, (config, before, t), data, batches)
        if not isinstance(after, tuple) or len(after) != 2:
            raise TypeError(
                f"`step` must return a state and a dict of scalars, got {after!r}."
            )
        state, watched = after
        if not isinstance(watched, dict):
            raise TypeError(f"A task returns metrics as a dict, got {watched!r}.")
        self._watched = tuple(watched)
        return [*self._kept(state), *map(jnp.asarray, watched.values())]

    def _evaluate(self, leaves: Any, state: Any, data: Any) -> list[Any]:
        config = self._layout.config(leaves)
        found = self._call(
            "evaluate", 2, (config, self._tree(leaves, state, data)), data, None
        )
        if not isinstance(found, dict):
            raise TypeError(f"A task returns metrics as a dict, got {found!r}.")
        arrays = self._metrics.arrays(found)
        if self._metrics.static:
            wrong = next(iter(self._metrics.static.values()))
            raise TypeError(
                f"`evaluate` must return numbers and arrays, got {wrong!r}."
            )
        return arrays

    def _call(
        self, name: str, count: int, given: tuple[Any, ...], data: Any, batches: Any
    ) -> Any:
        function = getattr(self._task, name)
        if self._form is not None and takes(function, count + 1):
            given = (*given, joined(self._form, data, batches))
        return function(*given)

    def _tree(self, leaves: Any, state: Any, data: Any) -> Any:
        """Returns the state; with objects of this trace in it, if need be."""
        form = self._state
        if self._inside:
            # An object such as an optimizer may hold the learning rate of the trace of
            # `init`. So it is made again; XLA drops the rest of that.
            form = Form()
            key = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), self._key)
            if is_key(self._key):
                key = jax.random.key(0, impl=jax.random.key_impl(self._key))
            form.arrays(self._begun(leaves, key, data))
        return form.tree(state)

    def _kept(self, state: Any) -> list[Any]:
        """Returns the arrays of the state after a step, checked."""
        paths, _ = tree_flatten_with_path(state)
        arrays = [(path, jnp.asarray(x)) for path, x in paths if _is_array(x)]
        if len(arrays) != len(self.state):
            raise TypeError(
                f"`step` must return a state like that of `init`: it has {len(arrays)} "
                f"arrays instead of {len(self.state)}."
            )
        for (path, array), like in zip(arrays, self.state, strict=True):
            if (array.shape, array.dtype) != (like.shape, like.dtype):
                raise TypeError(
                    f"`step` must return a state like that of `init`: "
                    f"`state{keystr(path)}` is {jax.typeof(array)}, and was "
                    f"{like.dtype}{list(like.shape)}."
                )
        return [array for _, array in arrays]

    # Tracing.

    def _with_state(self, name: str, function: Any, *shapes: Any) -> Program:
        try:
            return self._traced(name, function, *shapes)
        except jax.errors.UnexpectedTracerError:
            self._inside = True
            return self._traced(name, function, *shapes)

    def _traced(self, name: str, function: Any, *shapes: Any) -> Program:
        # A new function each time: JAX would remember the first trace of the same. It
        # does remember those of functions that are jitted inside, but traces them again
        # where matrices are multiplied in another way.
        once = jax.make_jaxpr(functools.partial(function))(*shapes)
        present = jax.config.values["jax_default_matmul_precision"]
        with jax.default_matmul_precision(
            "high" if present == "highest" else "highest"
        ):
            again = jax.make_jaxpr(functools.partial(function))(*shapes)
        if any(isinstance(value, Tracer) for value in _values(once)):
            # Some versions of JAX take them for constants.
            raise jax.errors.UnexpectedTracerError(
                f"`{name}` uses a value of another trace: an object that it captures, "
                "or a function in its state, holds one. Make it inside of the "
                "function, from `config`."
            )
        if not _alike(once, again):
            raise ValueError(
                f"`{name}` captures other numbers each time it is traced, such as "
                "those of `next(iterator)` or `np.random`, and every step of every "
                "trial would use the ones of the trace. Pass data as "
                "`search.Task(..., data=...)`: arrays, or batches from the host by "
                "`search.stream(...)`."
            )
        constants, left = _found(once)
        huge = sum(np.size(x) * np.dtype(x.dtype).itemsize for x in left)
        if huge > HUGE:
            raise ValueError(
                f"`{name}` captures {huge / 1e6:.0f} MB of arrays inside of a function "
                "with a derivative of its own, where they would be a part of the "
                "program. Pass them as `search.Task(..., data=...)`."
            )
        return Program(once, constants)


def _is_array(leaf: Any) -> bool:
    return isinstance(
        leaf, jax.Array | np.ndarray | np.generic | bool | int | float | complex
    )


def _is_large(value: Any) -> bool:
    if not isinstance(value, jax.Array | np.ndarray):
        return False
    if is_key(value):
        return False
    return value.size * value.dtype.itemsize > LARGE


def _inner(equation: Any) -> Iterator[ClosedJaxpr | Jaxpr]:
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else [value]:
            if isinstance(item, ClosedJaxpr | Jaxpr):
                yield item


def _values(program: ClosedJaxpr | Jaxpr) -> Iterator[Any]:
    """Yields all constants and literals of a program, in order."""
    if isinstance(program, ClosedJaxpr):
        yield from program.consts
        program = program.jaxpr
    for equation in program.eqns:
        yield from (x.val for x in equation.invars if isinstance(x, Literal))
        for inner in _inner(equation):
            yield from _values(inner)


def _alike(one: ClosedJaxpr, other: ClosedJaxpr) -> bool:
    """Tells whether two programs have the same constants and literals."""
    pairs = list(_values(one)), list(_values(other))
    return len(pairs[0]) == len(pairs[1]) and all(
        map(_same, *pairs)  # Without `strict`: the lengths are equal.
    )


def _same(x: Any, y: Any) -> bool:
    if x is y:
        return True
    if not (hasattr(x, "shape") and hasattr(y, "shape")):
        return bool(x == y or (x != x and y != y))  # noqa: PLR0124
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    if is_key(x):
        x, y = jax.random.key_data(x), jax.random.key_data(y)
    return np.array_equal(
        np.asarray(x).reshape(-1).view(np.uint8),
        np.asarray(y).reshape(-1).view(np.uint8),
    )


def _found(program: ClosedJaxpr) -> tuple[tuple[Any, ...], list[Any]]:
    """Returns the large constants that can become arguments, and those that cannot."""
    found: dict[int, Any] = {}
    left: dict[int, Any] = {}

    def look(program: ClosedJaxpr | Jaxpr, into: dict[int, Any]) -> None:
        if isinstance(program, ClosedJaxpr):
            into |= {id(c): c for c in program.consts if _is_large(c)}
            program = program.jaxpr
        for equation in program.eqns:
            into |= {
                id(x.val): x.val
                for x in equation.invars
                if isinstance(x, Literal) and _is_large(x.val)
            }
            controlled = equation.primitive.name in CONTROL
            for inner in _inner(equation):
                look(inner, into if controlled else left)

    look(program, found)
    return tuple(found.values()), list(left.values())


def _evaluated(
    program: ClosedJaxpr, arrays: Sequence[Any], given: dict[int, Any]
) -> list[Any]:
    """Evaluates a program with other arrays in place of its large constants."""
    jaxpr = program.jaxpr
    constants = [given.get(id(c), c) for c in program.consts]
    if not any(_captures(equation, given) for equation in jaxpr.eqns):
        found: list[Any] = eval_jaxpr(jaxpr, constants, *arrays)
        return found
    variables = [*jaxpr.constvars, *jaxpr.invars]
    known: dict[Any, Any] = dict(zip(variables, [*constants, *arrays], strict=True))

    def read(x: Any) -> Any:
        return given.get(id(x.val), x.val) if isinstance(x, Literal) else known[x]

    for equation in jaxpr.eqns:
        values = [read(x) for x in equation.invars]
        with equation.ctx.manager:
            if _captures(equation, given):
                results = _rebuilt(equation, values, given)
            else:
                # JAX 0.8 and 0.9 return the functions of a call apart.
                params = equation.primitive.get_bind_params(equation.params)
                functions, params = params if type(params) is tuple else ((), params)
                results = equation.primitive.bind(*functions, *values, **params)
                if not equation.primitive.multiple_results:
                    results = [results]
        known |= zip(equation.outvars, results, strict=True)
    return [read(x) for x in jaxpr.outvars]


def _captures(equation: Any, given: dict[int, Any]) -> bool:
    """Tells whether an equation has one of the `given` constants in it."""
    if any(isinstance(x, Literal) and id(x.val) in given for x in equation.invars):
        return True
    return equation.primitive.name in CONTROL and any(
        id(value) in given for inner in _inner(equation) for value in _values(inner)
    )


def _rebuilt(equation: Any, values: Sequence[Any], given: dict[int, Any]) -> list[Any]:
    """Makes a primitive again around its inner programs."""
    if equation.primitive.name not in REBUILT:
        # It takes a large literal as an operand, and has none inside.
        results = equation.primitive.bind(*values, **equation.params)
        several = equation.primitive.multiple_results
        return list(results) if several else [results]
    return REBUILT[equation.primitive.name](equation.params, values, given)


def _jit(params: Any, values: Sequence[Any], given: dict[int, Any]) -> list[Any]:
    return _evaluated(params["jaxpr"], values, given)


def _scan(params: Any, values: Sequence[Any], given: dict[int, Any]) -> list[Any]:
    if "num_consts" in params:
        fixed, carried = params["num_consts"], params["num_carry"]
    else:  # JAX 0.12 and later.
        fixed, carried, _ = map(len, params["ft_in"].elts)

    def body(carry: list[Any], xs: list[Any]) -> tuple[list[Any], list[Any]]:
        arrays = [*values[:fixed], *carry, *xs]
        found = _evaluated(params["jaxpr"], arrays, given)
        return found[:carried], found[carried:]

    carry, stacked = lax.scan(
        body,
        list(values[fixed : fixed + carried]),
        list(values[fixed + carried :]),
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return [*carry, *stacked]


def _while(params: Any, values: Sequence[Any], given: dict[int, Any]) -> list[Any]:
    first = params["cond_nconsts"]
    second = first + params["body_nconsts"]
    return list(
        lax.while_loop(
            lambda carry: _evaluated(
                params["cond_jaxpr"], [*values[:first], *carry], given
            )[0],
            lambda carry: _evaluated(
                params["body_jaxpr"], [*values[first:second], *carry], given
            ),
            list(values[second:]),
        )
    )


def _cond(params: Any, values: Sequence[Any], given: dict[int, Any]) -> list[Any]:
    index, *operands = values
    branches = [
        functools.partial(lambda branch, *xs: _evaluated(branch, xs, given), branch)
        for branch in params["branches"]
    ]
    return list(lax.switch(index, branches, *operands))


REBUILT: dict[str, Callable[..., list[Any]]] = {
    "jit": _jit,
    "pjit": _jit,
    "scan": _scan,
    "while": _while,
    "cond": _cond,
}
"""How a primitive is made again around its inner programs."""
