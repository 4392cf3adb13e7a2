"""The tables of the README: the peer's call and ours are the same curve."""

import re

import numpy as np
import pytest

import jaxsched as js
from jaxsched import compat, curves

from ..documents import README
from .test_compat import FUNCTIONS


TEXT = README.read_text()
ROWS = {
    there: (module, here)
    for module, table in re.findall(
        r"`compat\.(\w+)`.*?\n\n(.*?)(?=\n\n|$)",
        TEXT.split("coming from -->")[1],
        flags=re.S,
    )
    for there, here in re.findall(r"^\| `(.*?)` \| `(.*?)` \|", table, flags=re.M)
}


@pytest.mark.parametrize("there", ROWS)
def test_is_the_same_curve(there):
    module, here = ROWS[there]
    theirs = eval(there, dict(vars(getattr(compat, module))))
    ours = eval(here, {"js": js, "curves": curves})
    steps = np.arange(99)
    np.testing.assert_allclose(theirs(steps), ours(steps), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", compat.transformers.factory.SCHEDULES)
def test_the_name_for_transformers_is_in_the_readme(name):
    assert f'"{name}"' in TEXT


@pytest.mark.parametrize("function", FUNCTIONS)
def test_is_in_the_readme(function):
    module, name = function.split(".")
    assert name in TEXT or module == "transformers"
