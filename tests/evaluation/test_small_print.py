"""Of scores: what is counted, whose errors are whose, and what has no number."""

import math

import numpy as np
import pyro
import pytest
import torch
from helpers.small import SHAPE, binary, make_pair
from pyro import distributions as dist

import pyrogen as pg
from pyrogen.evaluation.draws import Draws
from pyrogen.evaluation.evaluate_programs import _nll
from pyrogen.evaluation.passes import Found
from pyrogen.evaluation.posterior import Codes
from pyrogen.evaluation.runs import run
from pyrogen.evaluation.terms import elbo_terms

FEW = {"nll_images": 5, "importance_samples": 3, "progress": False}


def test_a_pair_without_a_bound_has_no_importance_samples():
    networks = pg.nn.MLPEncoder(SHAPE, 2, hidden=(4,), point=True), pg.nn.MLPDecoder(SHAPE, 2, hidden=(4,))
    scores = pg.evaluate(pg.models.Autoencoder(*networks), binary(20), **FEW)
    assert (scores.nll, scores.nll_images, scores.importance_samples) == (None, 0, 0)


class Charged(pg.models.VAE):
    """A VAE whose charge on all data differs from image to image."""

    def data_charges(self, posteriors, z, size):
        return {"spread": (torch.tensor(1.0), 1000.0 * torch.arange(len(z)))}


def test_the_objectives_error_has_the_charges_of_all_data():
    plain = make_pair()
    scores = pg.evaluate(Charged(plain.encoder, plain.decoder), binary(20), **FEW)
    expected = 1000 * np.arange(20.0).std(ddof=1) / math.sqrt(20)
    assert scores.standard_errors["objective"] == pytest.approx(expected, rel=0.05)


def test_codes_that_are_drawn_are_all_named():
    drawn, stated = Codes(torch.zeros(1), torch.zeros(1), torch.zeros(2)), Codes(torch.zeros(1), torch.zeros(1), None)
    assert Found({}, {}, {"a": stated}, set()).said == "posterior means"
    assert Found({}, {}, {"a": drawn, "b": drawn}, set()).said == "means of 100 draws of the guide"
    said = Found({}, {}, {"a": drawn, "b": drawn, "c": stated}, set()).said
    assert said == "means of 100 draws of the guide for a, b, posterior means for the rest"


@pytest.mark.parametrize(("rows", "shape"), [(1, (1, 5)), (3, (1, 5, 3))])
@pytest.mark.filterwarnings("ignore")  # of ArviZ, when it is imported
def test_a_weight_of_all_data_is_one_number_a_draw_in_arviz(rows, shape):
    pytest.importorskip("arviz")
    found = Draws({"z": np.zeros(5)}, {}, np.zeros((5, rows))).to_arviz()
    assert found.sample_stats["log_weight"].shape == shape


def test_the_nlls_error_is_the_deviation_of_a_mean_of_weights():
    nll, error = _nll(torch.tensor([[1.0], [3.0]]).log().double())
    assert (nll, error) == (pytest.approx(-math.log(2)), pytest.approx(0.5))  # relative weights ½ and 1½


def test_programs_that_see_a_part_of_the_data_have_no_nll():
    def model(x):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x), subsample_size=3) as index:
            pyro.sample("x", dist.Normal(z, 1.0), obs=x[index])

    def guide(x):
        pyro.sample("z", dist.Normal(0.0, 1.0))

    scores = pg.evaluate(pg.models.Programs(model, guide), torch.zeros(12), importance_samples=4)
    assert (scores.nll, scores.nll_images) == (None, 0)
    assert scores.standard_errors["objective"] == math.inf  # measured once


def test_samples_of_a_label_may_be_draws():
    networks = pg.nn.MLPEncoder(SHAPE, 2, hidden=(4,)), pg.nn.MLPDecoder(SHAPE, 2 + 3, hidden=(4,))
    pair = pg.models.ConditionalVAE(*networks, classes=3)
    assert set(pair.sample(4, mean=False, y=1).unique().tolist()) <= {0.0, 1.0}
    assert not set(pair.sample(4, y=1).unique().tolist()) <= {0.0, 1.0}


def test_each_charge_of_dip_vae_has_its_own_weight():
    networks = pg.nn.MLPEncoder(SHAPE, 2, hidden=(4,)), pg.nn.MLPDecoder(SHAPE, 2, hidden=(4,))
    pair = pg.models.DIPVAE(*networks, off_diagonal=3.0, diagonal=5.0)
    charges = pair.data_charges([pair.encode(binary(6))], torch.zeros(6, 2), 6)
    assert {name: weight.item() for name, (weight, _) in charges.items()} == {"off_diagonal": 3.0, "diagonal": 5.0}


def test_oracles_at_their_limits():
    x = np.random.default_rng(0).normal(size=(6, 3))
    with pytest.raises(ValueError, match="each of the 2 labels"):
        pg.oracles.labels.optimum(x, [0, 2, 0, 2, 0, 2], 2, 1, 0.5)
    assert pg.oracles.importance_weighted.gap([1.0], [1.0], [0.0], 1.0, 0.5, 0.5, 3) == math.inf  # 2s² = ρ²


def test_the_kl_of_what_is_drawn_in_another_order_is_taken_at_the_draw():
    def model(x):
        with pyro.plate("data", len(x)):
            z2 = pyro.sample("z2", dist.Normal(0.0, 1.0))
            z = pyro.sample("z", dist.Normal(z2, 0.1))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(x, 1.0))
            pyro.sample("z2", dist.Normal(z, 0.1))

    once = run(pg.models.Programs(model, guide), torch.zeros(5))
    term = next(term for term in elbo_terms(once, -1) if term.name == "z")
    q, p = once.guide.nodes["z"], once.model.nodes["z"]
    expected = q["fn"].log_prob(q["value"]) - p["fn"].log_prob(q["value"])
    torch.testing.assert_close(term.nats, expected)
