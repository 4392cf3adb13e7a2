"""Strict settings under which the whole suite runs."""

import os
import subprocess

import chex
import jax
import matplotlib as mpl
import pytest

from . import postgres as postgresql


mpl.use("agg")
jax.config.update("jax_enable_x64", os.environ.get("JAXSCHED_TEST_X64") == "1")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)


@pytest.fixture(autouse=True)
def _fresh_trace_counter():
    # Chex counts traces per line of source, across all cases of a parametrized test.
    chex.clear_trace_counter()


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
