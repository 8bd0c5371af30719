"""The VQ-VAE example: what it measures and writes, and what it refuses."""

import json
import math
import runpy
from pathlib import Path

import pytest

main = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "vq_vae.py"))["main"]


def test_vq_vae_smoke(tmp_path, capsys):
    main(["--smoke", "--data", "digits", "--codes", "6", "--out", str(tmp_path)])
    facts = json.loads((tmp_path / "vq_vae.json").read_text())
    assert (facts["grid"], facts["codes"]) == ([4, 4], 6)
    assert facts["rate"] == pytest.approx(16 * math.log(6))
    assert list(facts["models"]) == ["VAE, β = 0.25", "VQ-VAE, uniform prior", "VQ-VAE, learned prior"]
    uniform, learned = (facts["models"][f"VQ-VAE, {name} prior"] for name in ("uniform", "learned"))
    assert uniform["kl"] == pytest.approx(facts["rate"], rel=1e-6)
    assert uniform["kl_bits"] == pytest.approx(16 * math.log2(6), rel=1e-6)
    assert learned["reconstruction"] == pytest.approx(
        uniform["reconstruction"], rel=1e-6
    )  # all but the prior is frozen
    assert learned["kl"] != uniform["kl"]
    for row in (uniform, learned):
        assert row["nll"] == pytest.approx(-row["elbo"], rel=0.2)
    text = (tmp_path / "table.txt").read_text()
    assert text in capsys.readouterr().out
    assert "its numbers mean nothing" in text
    assert "NLL" not in text  # it is of fewer images than −ELBO, which it equals for a VQ-VAE image by image
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures == {"reconstructions.png", "samples.png", "rate_distortion.png", "codebook.png"}
