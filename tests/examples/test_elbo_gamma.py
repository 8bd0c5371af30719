"""The ELBO example: what it finds, writes and refuses."""

import json
import math
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "elbo_gamma.py"


main = runpy.run_path(str(SCRIPT))["main"]


def test_elbo_gamma_finds_x_plus_one(tmp_path, capsys):
    """The standard error is 0.071 % and the optimizer's bias 0.01 %: six standard errors is below 1e-8 for two fits."""
    main(["--x", "0", "1000", "--counts", "3", "--out", str(tmp_path)])
    result = json.loads((tmp_path / "elbo_gamma.json").read_text())
    assert result["standard_error_percent"] == pytest.approx(100 / math.sqrt(2 * 2500 * 400))
    assert list(result["fits"]) == ["x = 0", "x = 1000", "n = 3"]
    for row in result["fits"].values():
        assert row["theta"] == pytest.approx(row["optimum"], rel=0.005)
        assert row["elbo"] + row["kl"] == pytest.approx(row["evidence"], abs=1e-9)
    assert result["fits"]["x = 1000"]["optimum"] == 1001
    assert (tmp_path / "table.txt").read_text() in capsys.readouterr().out
    assert {path.name for path in tmp_path.glob("*.png")} == {"elbo.png", "posterior.png"}


def test_elbo_gamma_smoke(tmp_path, capsys):
    main(["--smoke", "--x", "1", "--counts", "1", "--out", str(tmp_path)])
    assert "x + 1" in capsys.readouterr().out
