"""What a type checker sees of the library."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


PROGRAM = Path(__file__).with_name("typecheck.py")


def test_exactly_the_intended_errors_are_found():
    pytest.importorskip("pyright", reason="needs the extra `dev`")
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "pyright", "--outputjson"),
            *("--pythonpath", sys.executable, str(PROGRAM)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(checked.stdout)["generalDiagnostics"]
    lines = {item["range"]["start"]["line"] + 1 for item in found}
    written = PROGRAM.read_text().splitlines()
    expected = {n for n, line in enumerate(written, 1) if "# error" in line}
    assert lines == expected
