"""Defaults that come from a paper or a library, each pinned with its source."""

import inspect

import pyrogen as pg
from pyrogen.metrics import beta_vae_score, dci, factor_vae_score, mig


def default(function, name):
    return inspect.signature(function).parameters[name].default


def test_beta_tcvae_weighs_total_correlation_by_6_as_chen_2018():
    assert default(pg.models.TCVAE, "beta") == 6.0
    assert default(pg.models.TCVAE, "alpha") == 1.0
    assert default(pg.models.TCVAE, "gamma") == 1.0


def test_vq_vae_commits_by_a_quarter_as_van_den_oord_2017():
    assert default(pg.models.VQVAE, "commitment") == 0.25
    assert default(pg.nn.Codebook, "decay") == 0.99


def test_dip_vae_weighs_by_10_as_kumar_2018():
    assert default(pg.models.DIPVAE, "off_diagonal") == 10.0
    assert default(pg.models.DIPVAE, "diagonal") == 10.0


def test_adam_learns_at_a_thousandth_as_kingma_2015():
    assert default(pg.fit, "lr") == 1e-3


def test_the_factor_vae_score_drops_latents_as_disentanglement_lib():
    presets = inspect.getmodule(factor_vae_score).PRESETS
    assert presets["paper"]["threshold"] == 0.05


def test_mig_counts_in_20_bins_as_disentanglement_lib():
    assert default(mig, "bins") == 20
    assert default(mig, "estimator") == "histogram"


def test_defaults_of_the_other_scores_are_named_presets():
    assert default(dci, "part") == "disentanglement"
    assert default(beta_vae_score, "seed") == default(factor_vae_score, "seed") == 0


def test_an_objective_starts_plain():
    assert default(pg.models.VAE, "beta") == 1.0
    assert default(pg.models.VQVAE, "beta") == 1.0
    assert default(pg.models.SCVAE, "beta") == 1.0
    assert default(pg.nn.Gaussian, "scale") == 1.0
    assert default(pg.nn.Gaussian, "learned") is False
