"""The VampPrior example: what it writes, that its numbers fit together, and what it refuses."""

import json
import math
import runpy
from pathlib import Path

import pytest
import torch

import pyrogen as pg
from pyrogen.oracles import mixture_kl

SCRIPT = Path(__file__).parents[2] / "examples" / "vamp_prior.py"
example = runpy.run_path(str(SCRIPT))


def test_vamp_prior_smoke(tmp_path, capsys):
    example["main"](["--smoke", "--steps", "2", "--latent", "2", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "vamp_prior.json").read_text())
    assert list(found["priors"]) == list(found["seeds"]) == ["N(0, I)", "mixture", "VampPrior"]
    for prior, row in found["priors"].items():
        assert row["nll"]["mean"] == pytest.approx(found["seeds"][prior][0]["nll"])
        assert 0 < row["nll"]["mean"] < -row["elbo"]["mean"] + 5
    one, other = (found["seeds"][prior][0]["nll"] for prior in ("VampPrior", "mixture"))
    assert found["differences"]["VampPrior − mixture"]["nll"]["mean"] == pytest.approx(one - other)
    text = (tmp_path / "table.txt").read_text()
    assert text in capsys.readouterr().out
    assert "its numbers mean nothing" in text
    assert "1 seed;" in text
    for nonsense in ("±", "nan", " p\n"):  # of one seed
        assert nonsense not in text
    pictures = {path.stem for path in tmp_path.glob("*.png")}
    assert pictures == {"loss_curves", "samples", "pseudo_inputs", "plane"}


def test_the_rate_splits_into_information_and_divergence():
    """One latent, 20 images, 4,000 draws: each part beyond 5.5 standard errors, 4e-8 each."""
    encoder = pg.nn.LinearEncoder((3,), 1)
    with torch.no_grad():
        encoder.loc.weight.mul_(5)
    vae = pg.models.VAE(encoder, pg.nn.LinearDecoder((3,), 1))
    x = torch.randn(20, 3)
    found, q = example["rate"](vae, x, 4000, 0), vae.encode(x)
    m, s = q.mean[:, 0].detach(), q.stddev[:, 0].detach()
    information = mixture_kl.mutual_information(m, s)
    mean_kl = mixture_kl.kl(m, s, [1.0], [0.0], [1.0]).mean()
    assert 0.3 < information < math.log(20)
    assert abs(found["information"] - information) < 5.5 * found["information_standard_error"]
    assert abs(found["kl_to_prior"] - (mean_kl - information)) < 5.5 * found["kl_to_prior_standard_error"]


def test_means_over_seeds_have_students_p():
    found = example["over_seeds"]([1.0, 2.0, 3.0])
    assert found["mean"] == 2
    assert found["standard_error"] == pytest.approx(1 / math.sqrt(3))
    t = 2 * math.sqrt(3)
    assert found["p"] == pytest.approx(1 - t / math.sqrt(2 + t**2))  # Student's t of two degrees
