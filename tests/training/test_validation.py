"""Held-out terms on the way: what they are, and that the training does not know of them."""

import copy

import pyro
import pytest
import torch
from helpers.small import SHAPE, binary, make_pair, quiet, same
from pyro import distributions as dist
from pyro.infer.autoguide import AutoDelta

import pyrogen as pg
from pyrogen.training.validation import SEED


class Noisy(torch.nn.Module):
    """Dropout and BatchNorm in an encoder: both must stand still while held-out images are measured."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.drop, self.norm = inner, torch.nn.Dropout(0.3), torch.nn.BatchNorm1d(16)
        self.shape, self.latent = inner.shape, inner.latent

    def forward(self, x):
        flat = self.drop(self.norm(x.flatten(-2).reshape(-1, 16)))
        return self.inner(flat.reshape(x.shape))


def noisy_pair():
    pair = make_pair()
    return pg.models.VAE(Noisy(pair.encoder), pair.decoder, beta=2.0)


@pytest.mark.parametrize("make", [make_pair, noisy_pair])
def test_the_same_run_with_and_without_validation_ends_bit_equal(make):
    plain, validated = make(), make()
    one = quiet(plain, binary(), steps=60, compile=False)  # a recorded step would not see the mode
    two = quiet(validated, binary(), steps=60, validation=binary(37), validate_every=7, compile=False)
    state = validated.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in plain.state_dict().items())
    assert (one.history["objective"] == two.history["objective"]).all()
    assert one.history.validation is None
    assert two.history.validation["step"].tolist() == [7, 14, 21, 28, 35, 42, 49, 56]


def test_the_held_out_terms_are_those_of_the_pair_in_evaluation_mode():
    pair, x = noisy_pair(), binary(37)
    held_out = quiet(pair, binary(), steps=20, validation=x, validate_every=20).history.validation
    torch.manual_seed(0 ^ SEED)
    terms = pg.training.elbo_terms(copy.deepcopy(pair).eval(), x)
    reconstruction, kl = terms.reconstruction["x"].item(), terms.kl["z"].sum().item()
    assert held_out["reconstruction"][0] == pytest.approx(reconstruction, rel=1e-5)
    assert held_out["kl"][0] == pytest.approx(kl, rel=1e-5)
    assert held_out["elbo"][0] == pytest.approx(-reconstruction - kl, rel=1e-5)
    assert held_out["objective"][0] == pytest.approx(reconstruction + 2 * kl, rel=1e-5)


def test_the_held_out_objective_is_at_the_pairs_own_beta_during_a_warm_up():
    fit = quiet(
        make_pair(), binary(), steps=10, schedule=pg.training.LinearWarmup(100), validation=binary(20), validate_every=5
    )
    held_out = fit.history.validation
    gap = held_out["objective"] - held_out["reconstruction"] - 2 * held_out["kl"]
    assert (abs(gap) < 1e-4).all()


def test_the_mean_over_many_held_out_batches_weighs_each_image_once(monkeypatch):
    results = []
    for size in (1000, 8):
        monkeypatch.setattr("pyrogen.training.validation.BATCH", size)
        pair = make_pair()
        torch.nn.init.zeros_(pair.decoder.network[-1].weight)  # no effect of the noise on the reconstruction
        held_out = quiet(pair, binary(), steps=1, lr=1e-30, validation=binary(37), validate_every=1).history.validation
        results.append((held_out["reconstruction"][0], held_out["kl"][0]))
    assert results[0] == pytest.approx(results[1], rel=1e-6)


def test_validation_is_resumed_with_its_history(tmp_path):
    whole, parts = make_pair(), make_pair()
    settings = {"validation": binary(20), "validate_every": 8}
    one = quiet(whole, binary(), steps=40, **settings)
    quiet(parts, binary(), steps=21, checkpoint=tmp_path, **settings)
    two = quiet(parts, binary(), steps=40, checkpoint=tmp_path, resume=True, **settings)
    assert same(whole, parts)
    for column in ("step", "beta", "objective", "elbo", "kl_2"):
        assert (one.history.validation[column] == two.history.validation[column]).all()
    assert len((tmp_path / "validation.csv").read_text().splitlines()) == 6


def test_the_default_is_an_epoch():
    held_out = quiet(make_pair(), binary(), steps=25, validation=binary(20)).history.validation
    assert held_out["step"].tolist() == [10, 20]


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (torch.zeros(20, 5, 5), "validation cannot be used: .*4, 4"),
        (torch.zeros(0, *SHAPE), "validation cannot be used: .*empty"),
        (torch.full((20, *SHAPE), 0.5), "validation cannot be used: .*continuous_bernoulli"),
        (3, "validation cannot be used: data must be"),
    ],
)
def test_held_out_images_that_do_not_fit_are_refused(validation, message):
    with pytest.raises((TypeError, ValueError), match=message):
        quiet(make_pair(), binary(), steps=5, validation=validation)


def test_the_held_out_loss_of_programs_is_that_of_svi_on_them():
    def model(x, size=None):
        level = pyro.sample("level", dist.Normal(0.0, 10.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(level, 1.0), obs=x)

    guide = AutoDelta(model)
    pair, held_out = pg.models.Programs(model, guide), torch.full((20,), 4.0)
    fit = pg.fit(pair, torch.full((50,), 3.0), steps=20, lr=0.1, validation=held_out, validate_every=10, progress=False)
    level = guide.median()["level"].item()
    prior = -dist.Normal(0.0, 10.0).log_prob(torch.tensor(level)).item()
    loss = prior - 20 * dist.Normal(level, 1.0).log_prob(torch.tensor(4.0)).item()
    assert fit.history.validation["objective"][-1] == pytest.approx(loss, rel=1e-5)
    assert fit.history.validation["loss"][-1] == fit.history.validation["objective"][-1]
    assert fit.history.validation["step"].tolist() == [10, 20]
