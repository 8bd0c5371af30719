"""``import pyrogen`` costs what ``import pyro`` costs."""

import subprocess
import sys

import pytest

HEAVY = {"matplotlib", "sklearn", "arviz", "xarray", "pgmpy", "pandas"}


@pytest.fixture
def loaded():
    """The modules that one fresh interpreter holds after each of two imports."""
    code = "import sys, pyro; print(*sys.modules); import pyrogen; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return {name: set(line.split()) for name, line in zip(("pyro", "pyrogen"), run.stdout.splitlines(), strict=True)}


def test_importing_pyrogen_loads_few_modules_of_others_that_pyro_does_not_and_no_heavy_one(loaded):
    assert "pyrogen.models.vae" in loaded["pyrogen"]  # the count is of the whole package
    more = {name for name in loaded["pyrogen"] - loaded["pyro"] if name.split(".")[0] != "pyrogen"}
    assert len(more) <= 0.01 * len(loaded["pyro"])
    assert {name.split(".")[0] for name in more} & HEAVY == set()
