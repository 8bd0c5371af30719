"""``import pyrogen`` costs what ``import pyro`` costs."""

import subprocess
import sys

import pytest

HEAVY = {"matplotlib", "sklearn", "arviz", "xarray", "pgmpy", "pandas"}


@pytest.fixture(scope="module")
def loaded():
    """The modules that one fresh interpreter holds after each of two imports."""
    code = "import sys, pyro; print(*sys.modules); import pyrogen; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return {name: set(line.split()) for name, line in zip(("pyro", "pyrogen"), run.stdout.splitlines(), strict=True)}


def test_importing_pyrogen_loads_at_most_a_tenth_more_modules_than_pyro(loaded):
    assert "pyrogen.models.vae" in loaded["pyrogen"]  # the count is of the whole package
    assert len(loaded["pyrogen"]) <= 1.1 * len(loaded["pyro"])


def test_importing_pyrogen_loads_no_heavy_package_that_pyro_does_not(loaded):
    top = {name.split(".")[0] for name in loaded["pyrogen"] - loaded["pyro"]}
    assert top & HEAVY == set()
