"""Defaults that come from a paper or a library, each pinned with its source."""

import inspect
import typing
from typing import get_args

import pyrogen as pg
from pyrogen.metrics import beta_vae_score, dci, factor_vae_score, mig
from pyrogen.nn import likelihoods


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


def test_string_options_are_literals_of_what_is_accepted():
    """A preset or an estimator that is added to a table, and not to the type that editors show, or the reverse."""
    tables = 0
    for name in pg.metrics.__all__:
        function = getattr(pg.metrics, name)
        module = inspect.getmodule(function)
        for option, table in (("preset", "PRESETS"), ("estimator", "ESTIMATORS")):
            parameters = inspect.signature(function).parameters if inspect.isfunction(function) else {}
            if option in parameters and hasattr(module, table):
                assert get_args(typing.get_type_hints(function)[option]) == tuple(getattr(module, table)), (
                    name,
                    option,
                )
                tables += 1
    assert tables >= 9
    assert get_args(likelihoods.LikelihoodName) == tuple(likelihoods._BY_NAME)


def test_a_controller_of_the_kl_is_as_strong_as_shao_2020():
    assert default(pg.training.HoldKL, "proportional") == 0.01
    assert default(pg.training.HoldKL, "highest") == 100.0
