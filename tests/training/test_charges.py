"""What a pair may do beside reconstruction and KL: charges, numbers to watch, a start from data, buffers."""

import copy

import pyro
import pytest
import torch
from helpers.small import SHAPE, binary, make_pair, quiet, same
from pyro.infer import Trace_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO

import pyrogen as pg
from pyrogen.training import elbo_terms
from pyrogen.training.data.sources import Order


class Charged(pg.models.VAE):
    """A VAE that is charged the squared length of its means, counts its steps, and starts a buffer from data."""

    weight = 0.5
    name_of_charge = "length"

    def __init__(self, encoder, decoder, beta=1.0):
        super().__init__(encoder, decoder, beta)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("level", torch.zeros(()))
        self.started = 0

    def initialize(self, x):
        self.started += 1
        self.images = len(x)
        self.level.copy_(x.mean())

    def guide(self, x, size=None):
        pyro.module(self.name, self)
        x = self.as_data(x)
        if self.training:
            with torch.no_grad():
                self.count += 1
                self.level.mul_(0.9).add_(0.1 * x.mean() * self.count + 0.01 * torch.rand(()))
        q = self.encode(x)
        with self.plate(x, size):
            self.charge(self.name_of_charge, q.mean.square().sum(-1) * (1 + self.level), self.weight)
            with self.kl_weight():
                return pyro.sample("z", q)

    def monitored(self, q, z, size):
        return {"spread": z.std(), "images": torch.tensor(float(size))}


def charged(seed=1, **settings):
    torch.manual_seed(seed)
    encoder, decoder = pg.nn.MLPEncoder(SHAPE, 3, hidden=(8,)), pg.nn.MLPDecoder(SHAPE, 3, hidden=(8,))
    pair = Charged(encoder, decoder)
    for name, value in settings.items():
        setattr(pair, name, value)
    return pair


@pytest.mark.parametrize("weight", [0.0, 0.5, 2, -0.25, torch.tensor(0.5)])
@pytest.mark.parametrize("elbo", [Trace_ELBO, TraceMeanField_ELBO, TraceGraph_ELBO])
def test_every_elbo_adds_the_weighted_charge(weight, elbo):
    pair, x = charged(weight=weight).eval(), binary(6)
    q = pair.encode(x)
    nats = q.mean.square().sum().item()

    def loss(pair):
        torch.manual_seed(0)
        return elbo().loss(pair.model, pair.guide, x, 24)

    without = pg.models.VAE(pair.encoder, pair.decoder)
    assert loss(pair) - loss(without) == pytest.approx(4 * float(weight) * nats, rel=1e-4, abs=1e-3)
    torch.manual_seed(0)
    terms = elbo_terms(pair, x, 24)
    if elbo is TraceMeanField_ELBO:
        assert terms.objective.item() == pytest.approx(loss(pair) / 24, rel=1e-5)
    assert terms.charges["length"].item() == pytest.approx(nats / 6, rel=1e-5)


def test_a_charge_trains():
    short, free = (quiet(charged(weight=w), binary(), steps=60, lr=1e-2) for w in (20.0, 0.0))
    assert short.history["length"][-10:].mean() < 0.5 * free.history["length"][-10:].mean()


def test_the_history_has_the_columns_and_their_units(tmp_path):
    history = quiet(charged(), binary(), steps=7).history
    assert history.columns[4:] == (
        *("objective", "reconstruction", "kl", "kl_0", "kl_1", "kl_2"),
        *("length", "spread", "images"),
    )
    assert history["kl_per_latent"].shape == (7, 3)
    assert (history["images"] == 100).all()
    expected = history["reconstruction"] + history["kl"] + 0.5 * history["length"]
    torch.testing.assert_close(history["objective"], expected, rtol=1e-5, atol=0)
    table = history.to_xarray()
    assert table["length"].attrs["units"] == "nats per image"
    assert "units" not in table["spread"].attrs
    assert "length" in repr(history)
    assert "spread" not in repr(history)


def test_names_that_occur_twice_are_refused():
    for name in ("kl", "objective", "spread"):
        with pytest.raises(ValueError, match="different names"):
            quiet(charged(name_of_charge=name), binary(), steps=2)


def test_what_moves_in_place_moves_once_a_step_and_a_resumed_run_ends_at_the_same_bits(tmp_path):
    whole = charged()
    quiet(whole, binary(), steps=9, checkpoint=tmp_path / "whole")
    assert whole.count == 9
    assert whole.started == 1
    assert whole.images == 100  # one epoch; what the images allow
    parts = charged()
    quiet(parts, binary(), steps=4, checkpoint=tmp_path / "parts", resume=True)
    again = charged(seed=9)
    quiet(again, binary(), steps=9, checkpoint=tmp_path / "parts", resume=True)
    assert again.started == 0
    assert same(whole, again)
    assert all(torch.equal(a, b) for a, b in zip(whole.buffers(), again.buffers(), strict=True))


def test_the_steps_are_those_of_a_loop_over_the_programs():
    """The recording replays what the guide does in place, and the runs that made it are undone."""
    recorded, looped = charged(), charged()
    quiet(recorded, binary(), steps=5, seed=3, batch_size=100)
    optimizer = torch.optim.Adam(looped.parameters(), lr=1e-3)
    looped.train()
    looped.initialize(binary())
    torch.manual_seed(3)
    order = Order(100, 100, 3)
    for step in range(5):
        optimizer.zero_grad()
        elbo_terms(looped, binary()[order(step)], 100).objective.backward()
        optimizer.step()
    assert looped.count == recorded.count == 5
    for mine, theirs in zip(recorded.state_dict().values(), looped.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_a_charge_that_is_not_finite_is_named():
    with pytest.raises(pg.DivergenceError, match=r"at step 1 the charge term of site 'length' is not finite"):
        quiet(charged(level=torch.tensor(float("inf")), initialize=lambda x: None), binary(), steps=2)
    pair = charged(weight=-1e4)
    with pytest.raises(pg.DivergenceError, match=r"at step \d+ the \w+ term of site '(z|x|length)' became"):
        quiet(pair, binary(), steps=3000, lr=1e12)


class Point(pg.models.VAE):
    """A VAE whose guide is a point: MAP estimation of z."""


def test_a_point_has_a_penalty_in_place_of_a_kl():
    torch.manual_seed(0)
    pair = Point(pg.nn.MLPEncoder(SHAPE, 3, (8,), point=True), pg.nn.MLPDecoder(SHAPE, 3, hidden=(8,)), beta=0.5)
    fit = quiet(pair, binary(), steps=6)
    assert fit.history.columns[4:] == ("objective", "reconstruction", "penalty")
    expected = fit.history["reconstruction"] + 0.5 * fit.history["penalty"]
    torch.testing.assert_close(fit.history["objective"], expected, rtol=1e-5, atol=0)
    z = pair.encode(binary(7)).mean
    penalty = -torch.distributions.Normal(0, 1).log_prob(z).sum(-1).mean()
    torch.testing.assert_close(elbo_terms(pair, binary(7)).penalty["z"], penalty)
    scores = pg.evaluate(pair, binary())
    assert (scores.elbo, scores.kl, scores.nll, scores.active_units, scores.bits) == (None,) * 5
    assert '"elbo": null' in scores.to_json()
    with pytest.raises(ValueError, match="bounds no log p"):
        pg.evaluation.importance_weighted_bound(pair, binary(3), 5)
    with pytest.raises(ValueError, match="bounds no log p"):
        pg.evaluation.elbo_terms_per_image(pair, binary(3))


def test_the_rate_in_bits():
    scores = pg.evaluate(make_pair(), binary())
    assert scores.bits == pytest.approx(scores.kl / 0.6931471805599453)


def test_a_copy_charges_too():
    pair = charged().eval()
    torch.manual_seed(0)
    first = elbo_terms(copy.deepcopy(pair), binary(5)).row()
    torch.manual_seed(0)
    torch.testing.assert_close(elbo_terms(pair, binary(5)).row(), first)
