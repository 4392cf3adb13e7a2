"""What tests of a search need of the machine: a server, and a small disk."""

import os
import subprocess

import pytest

from . import postgres as postgresql


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server, started for the first test that asks for it."""
    with postgresql.running() as server:
        yield server


@pytest.fixture
def mount(tmp_path):
    """Mounts a small disk, to fill it up or to make it unwritable."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mounted(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("Only who may mount a disk can fill it up.")
        return folder

    yield mounted
    if os.path.ismount(folder):
        subprocess.run(["umount", str(folder)], check=True)
