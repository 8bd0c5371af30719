"""An example that is stopped leaves what it has trained."""

import importlib.util
import sys
from pathlib import Path

import pytest

import pyrogen as pg

EXAMPLES = Path(__file__).parents[2] / "examples"


def script(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _stopped(monkeypatch):
    """Let every `pg.fit` end after one step, as Ctrl-C would."""
    fit = pg.fit

    def stopped(pair, data, **settings):
        result = fit(pair, data, **settings | {"steps": 1, "progress": False})
        result.stopped = True
        return result

    monkeypatch.setattr(pg, "fit", stopped)


@pytest.mark.parametrize("name", ["vq_vae", "ae_vs_vae", "sc_vae"])
def test_weights_and_history_are_left(name, tmp_path):
    with pytest.raises(SystemExit, match="Stopped"):
        script(name).main(["--smoke", "--out", str(tmp_path)])
    (weights,) = tmp_path.glob("stopped*.safetensors")
    assert weights.stat().st_size > 1_000
    (history,) = tmp_path.glob("stopped*.csv")
    assert len(history.read_text().splitlines()) == 2
