"""What the peers computed, in our terms: each of their schedules is ours.

`tests/goldens/peers.json` has the numbers, and says where they come from; the modules
in `peers` the expressions that yield them. They agree to float32 wherever both are
defined. Where a peer does something else outside its horizon, or errs, `On` says at
which steps it agrees, and why not elsewhere.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from .rows import On
from .test_formulas import MODULES


GOLDENS = json.loads(
    (Path(__file__).parent.parent / "goldens" / "peers.json").read_text()
)
CASES = {(case["peer"], case["case"]): case for case in GOLDENS["cases"]}
OTHERS = {key for key, case in CASES.items() if "no_schedule" in case}
ROWS = {
    (module.PEER, case): row
    for module in MODULES.values()
    for case, row in module.GOLDENS.items()
}


def test_every_case_is_covered():
    assert len(CASES) == len(GOLDENS["cases"])
    assert {*ROWS, *OTHERS} == {*CASES}
    assert not {*ROWS} & OTHERS


@pytest.mark.parametrize(("peer", "case"), ROWS)
def test_agrees_with(peer, case):
    row, golden = ROWS[peer, case], CASES[peer, case]
    steps, values = golden["steps"], np.array(golden["values"], float)
    schedule, compared, _ = row if isinstance(row, On) else On(row, steps, "")
    assert {*compared} <= {*steps}
    among = np.isin(steps, [*compared])
    # Relative to the value, and to nothing else: where it is 0, so is ours.
    rates = schedule(np.array(steps)[among])
    np.testing.assert_allclose(rates, values[among], rtol=1e-6, atol=0)
