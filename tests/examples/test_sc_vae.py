"""The sparse-coding example: what it writes, and what it refuses."""

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "sc_vae.py"
FIGURES = {"atoms.png", "rates.png", "error.png", "reconstructions.png", "feature_map.png"}

main = runpy.run_path(str(SCRIPT))["main"]


def test_sc_vae_example_smoke(tmp_path, capsys):
    main(["--smoke", "--sparsity", "0.8", "--atoms", "70", "--out", str(tmp_path)])
    result = json.loads((tmp_path / "sc_vae.json").read_text())
    text = (tmp_path / "table.txt").read_text()
    assert text in capsys.readouterr().out
    assert "its numbers mean nothing" in text
    assert {path.name for path in tmp_path.glob("*.png")} == FIGURES
    for name, bound in result["rates"]["bounds"].items():  # of a mean over images, by their mean square distance
        excess = list(result["rates"]["excess"][name].values())
        assert all(0 < e <= b for e, b in zip(excess, bound, strict=True))
    errors = [row["error"] for row in result["by sparsity"].values()]
    assert errors == sorted(errors)
    for asked, row in result["by sparsity"].items():
        assert row["training zeros"] == pytest.approx(float(asked), abs=1e-3)
        assert row["error, refitted"] <= row["error"]
    assert result["feature map"]["scores"]["elbo"] is None
