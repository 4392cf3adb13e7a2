"""The examples: models of all kinds in a search, each in one short file."""

import ast
import runpy
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxsched import search


EXAMPLES = sorted((Path(__file__).parents[1] / "notebooks" / "examples").glob("*.py"))


@pytest.fixture(autouse=True)
def _rules_of_others():
    # Flax, Equinox and Optax rely on promotion, of dtypes and of ranks.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_learns_and_keeps_its_weights(path, tmp_path):
    pytest.importorskip({"with_equinox": "equinox"}.get(path.stem, "flax"))
    found = runpy.run_path(str(path))
    metric = found.get("metric", "validation")
    options = {"metric": metric, "seeds": 2, "segment": 16, "key": 0}
    if metric == "reward":
        del options["segment"]
    results = search.run(found["task"], found["space"], out=tmp_path, **options)
    assert results.counts() == {"complete": len(results.candidates)}
    means = results.ranking["mean"]
    # The rate matters, so it is really the one that trains.
    assert abs(means[-1] - means[0]) > results.noise
    loaded = search.load(tmp_path)
    weights = jax.tree.leaves(loaded.best().load()["weights"])
    assert sum(np.size(x) for x in weights) > 100
    assert loaded.best_schedule()(3) == results.best_schedule()(3)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(path):
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    imports = [line for line in lines if line.startswith(("import", "from", '"""'))]
    assert len(lines) - len(imports) <= 40
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("name", ["flax_nnx", "flax_linen"])
def test_objects_in_the_state_hold_the_rate_of_their_own_trial(name):
    [path] = [path for path in EXAMPLES if path.stem == name]
    found = runpy.run_path(str(path))
    task, space = found["task"], found["space"]
    together = search.run(task, space, seeds=1, width=4, key=0)
    [one] = [t for t in together.trials if t.number == 2]
    alone = search.run(task, [together.candidate(one).config], seeds=1, width=4, key=0)
    np.testing.assert_allclose(
        alone.trials[0].metrics["validation"], one.metrics["validation"], rtol=1e-5
    )
