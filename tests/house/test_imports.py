"""``import pyrogen`` costs what ``import pyro`` costs."""

import subprocess
import sys

import pytest

HEAVY = {"matplotlib", "sklearn", "arviz", "xarray", "pgmpy", "pandas"}


@pytest.fixture(scope="module")
def loaded():
    """The modules that a fresh interpreter holds after an import."""

    def after(name: str) -> set[str]:
        code = f"import sys, {name}; print(*sys.modules, sep='\\n')"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
        return set(run.stdout.split())

    return {name: after(name) for name in ("pyro", "pyrogen")}


def test_importing_pyrogen_loads_at_most_a_tenth_more_modules_than_pyro(loaded):
    assert "pyrogen.models.vae" in loaded["pyrogen"]  # the count is of the whole package
    assert len(loaded["pyrogen"]) <= 1.1 * len(loaded["pyro"])


def test_importing_pyrogen_loads_no_heavy_package_that_pyro_does_not(loaded):
    top = {name.split(".")[0] for name in loaded["pyrogen"] - loaded["pyro"]}
    assert top & HEAVY == set()
