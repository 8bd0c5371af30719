"""Scores come from the programs: overridden ones, several latents, guides without a mean, and any indexing.

The linear pairs have exact evidence, and a guide that is the exact posterior makes every importance weight equal to it.
"""

import functools
import math

import numpy as np
import pyro
import pytest
import torch
from cases import CASES, every_pair
from pyro import distributions as dist
from pyro.distributions.transforms import AffineAutoregressive
from pyro.nn import AutoRegressiveNN
from scipy.stats import multivariate_normal

import pyrogen as pg
from pyrogen.evaluation import importance_weighted_bound
from pyrogen.evaluation.bounds import plan
from pyrogen.evaluation.evaluate_programs import _nll

SHIFT = 5.0
Z = 5.5  # standard errors: a false alarm has probability below 4e-8 for a normal mean


def linear(beta=1.0, kind=pg.models.VAE):
    """x = Wz + b + 0.7 ε with orthogonal columns of W, and a guide that is the exact posterior under N(0, I)."""
    w = np.linalg.qr(np.random.default_rng(5).standard_normal((5, 2)))[0] * [2.0, 1.0]
    pair = kind(pg.nn.LinearEncoder((5,), 2), pg.nn.LinearDecoder((5,), 2, pg.nn.Gaussian(0.7)), beta=beta).double()
    sigma = math.exp(pair.decoder.likelihood.log_scale.item())
    posterior = np.linalg.inv(np.eye(2) + w.T @ w / sigma**2)
    values = {
        pair.encoder.loc.weight: posterior @ w.T / sigma**2,
        pair.encoder.loc.bias: np.zeros(2),
        pair.encoder.log_variance: np.log(np.diag(posterior)),
        pair.decoder.loc.weight: w,
        pair.decoder.loc.bias: np.zeros(5),
    }
    for parameter, value in values.items():
        parameter.data.copy_(torch.from_numpy(np.asarray(value)))
    return pair, w, w @ w.T + sigma**2 * np.eye(5)


class Shifted(pg.models.VAE):
    """The programs put z at N(5, I); prior(), encode() and decode() still say N(0, I)."""

    def model(self, x, size=None):
        pyro.module(self.name, self)
        with self.plate(x, size):
            with self.kl_weight():
                z = pyro.sample("z", dist.Normal(self.origin + SHIFT, 1.0).to_event(1))
            pyro.sample("x", self.decode(z), obs=x)

    def guide(self, x, size=None):
        pyro.module(self.name, self)
        with self.plate(x, size), self.kl_weight():
            q = self.encode(x - SHIFT * self.decoder.loc.weight.sum(1))
            pyro.sample("z", dist.Normal(q.mean + SHIFT, q.stddev).to_event(1))


class Hot(pg.models.VAE):
    """Another likelihood than decode() has."""

    def model(self, x, size=None):
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            with self.kl_weight():
                z = pyro.sample("z", self.prior())
            logits = self.decode(z).base_dist.logits + 1.0
            pyro.sample("x", dist.Bernoulli(logits=logits).to_event(len(self.shape)), obs=x)


class LeftIndexed(pg.models.VAE):
    """A model that indexes from the left, as many do: with several draws at once it would mix up rows."""

    def model(self, x, size=None):
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            z = pyro.sample("z", self.prior())
            z = z[:, [2, 0, 1]]
            pyro.sample("x", self.decode(z), obs=x)


class Flow(pg.models.VAE):
    """A guide without a mean: an autoregressive flow on top of the encoder's Normal."""

    def __init__(self, encoder, decoder):
        super().__init__(encoder, decoder)
        self.flow = AffineAutoregressive(AutoRegressiveNN(self.latent, [8]))

    def guide(self, x, size=None):
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size), self.kl_weight():
            pyro.sample("z", dist.TransformedDistribution(self.encode(x), [self.flow]))


class Relaxed(pg.models.VAE):
    """Relaxed bits under a relaxed prior."""

    def model(self, x, size=None):
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            half = torch.full_like(self.origin, 0.5)
            z = pyro.sample("z", dist.RelaxedBernoulliStraightThrough(torch.tensor(0.5), probs=half).to_event(1))
            pyro.sample("x", self.decode(z), obs=x)

    def guide(self, x, size=None):
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            logits = self.encode(x).mean
            pyro.sample("z", dist.RelaxedBernoulli(torch.tensor(0.5), logits=logits).to_event(1))


def small(kind):
    torch.manual_seed(0)
    return kind(pg.nn.MLPEncoder((4, 4), 3, hidden=(8,)), pg.nn.MLPDecoder((4, 4), 3, hidden=(8,)))


def binary(n):
    return torch.bernoulli(torch.full((n, 4, 4), 0.3), generator=torch.Generator().manual_seed(1))


OVERRIDDEN = {kind.__name__: functools.partial(small, kind) for kind in (Hot, LeftIndexed, Flow, Relaxed)}


@pytest.mark.parametrize("samples", [1, 7])
def test_another_prior_in_the_programs_has_the_evidence_of_the_programs(samples):
    pair, w, covariance = linear(beta=3.0, kind=Shifted)
    x = torch.from_numpy(np.random.default_rng(2).multivariate_normal(w.sum(1) * SHIFT, covariance, size=30))
    exact = multivariate_normal(w.sum(1) * SHIFT, covariance).logpdf(x.numpy())
    np.testing.assert_allclose(importance_weighted_bound(pair, x, samples).numpy(), exact, rtol=0, atol=1e-9)
    scores = pg.evaluate(pair, x, importance_samples=samples)
    assert scores.nll == pytest.approx(-exact.mean(), abs=1e-9)
    assert scores.objective == pytest.approx(scores.reconstruction + 3 * scores.kl, rel=1e-12)


def below(scores):
    """Whether NLL ≤ −ELBO within their standard errors."""
    error = math.hypot(scores.standard_errors["nll"], scores.standard_errors["elbo"])
    return scores.nll <= -scores.elbo + Z * error + 1e-9


@every_pair
def test_no_nll_is_above_minus_the_elbo(case):
    scores = pg.evaluate(case.make(), case.images(100), importance_samples=25)
    assert (scores.nll is None) == (case.guide == "point")
    assert scores.nll is None or below(scores)


@pytest.mark.parametrize("make", OVERRIDDEN.values(), ids=OVERRIDDEN)
def test_no_nll_of_overridden_programs_is_above_minus_the_elbo(make):
    pair, x = make(), binary(200)
    scores = pg.evaluate(pair, x, importance_samples=25)
    assert below(scores)
    torch.manual_seed(0)
    losses = [pyro.infer.Trace_ELBO().loss(pair.model, pair.guide, x) / len(x) for _ in range(100)]
    assert abs(-scores.elbo - np.mean(losses)) < 0.5 * scores.standard_errors["elbo"] * Z  # the same images


@pytest.mark.parametrize(("kind", "at_once"), [(pg.models.VAE, True), (LeftIndexed, False), (Flow, True)])
def test_several_draws_are_made_at_once_where_they_give_the_weights_of_each(kind, at_once):
    pair, x = small(kind), binary(3)  # as many rows as particles: only the values can tell
    assert plan(pair, (x,), 3).at_once == at_once
    torch.manual_seed(0)
    bounds = torch.stack([importance_weighted_bound(pair, x, 60) for _ in range(20)])
    torch.manual_seed(0)
    with torch.no_grad():
        q = pyro.poutine.trace(pair.guide).get_trace(x).nodes["z"]["fn"]
        z = q.sample((20, 60))
        weights = pair.decode(z).log_prob(x) + pair.prior().log_prob(z) - q.log_prob(z)
    exact = weights.logsumexp(1) - math.log(60)
    error = (bounds.var(0) / 20 + exact.var(0) / 20).sqrt()
    assert ((bounds.mean(0) - exact.mean(0)).abs() < 7 * error).all()  # t of 19 degrees: 1e-6 a pixel


def test_the_samples_are_those_of_the_model():
    pair = small(Hot)
    x = pair.sample(4_000, mean=False)
    with torch.no_grad():
        logits = pair.decode(pair.prior().sample((4_000,))).base_dist.logits + 1.0
    error = math.sqrt(0.25 / x.numel()) + logits.sigmoid().flatten(1).mean(1).std().item() / math.sqrt(2_000)
    assert abs(x.mean() - logits.sigmoid().mean()) < Z * error
    torch.testing.assert_close(
        pair.reconstruct(x[:5]), (pair.decode(pair.encode(x[:5]).mean).base_dist.logits + 1.0).sigmoid().detach()
    )


@pytest.mark.parametrize("make", [OVERRIDDEN["Flow"], OVERRIDDEN["Relaxed"]])
def test_a_guide_without_a_mean_is_scored_from_draws_and_says_so(make):
    pair, seen = make(), {}

    class Data:
        x = binary(60)
        __len__ = lambda self: 60  # noqa: E731
        __getitem__ = lambda self, i: self.x[i]  # noqa: E731
        factors = lambda self, index: self.x[index, 0, :2].long()  # noqa: E731

    def metric(codes, factors, *, scale):
        seen["codes"], seen["scale"] = codes, scale
        return 0.0

    scores = pg.evaluate(pair, Data(), [metric], importance_samples=2)
    assert scores.codes == "means of 100 draws of the guide"
    assert "draws" in str(scores)
    assert seen["codes"].shape == seen["scale"].shape == (60, 3)
    assert scores.active_units is not None
    index = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        traces = [pyro.poutine.trace(pair.guide).get_trace(Data.x[index]).nodes["z"]["value"] for _ in range(400)]
    draws = torch.stack(traces)
    error = draws.std(0).numpy() * math.sqrt(1 / 100 + 1 / 400)
    assert (np.abs(seen["codes"] - draws.mean(0).numpy()) < 6 * error).all()  # 180 comparisons: 4e-7


def test_the_noise_of_the_draws_is_not_counted_as_active():
    """A mean of 100 draws of N(0, 1.44) has a variance of 0.0144 over images, which is above the threshold."""

    class Idle(Flow):
        def guide(self, x, size=None):
            pyro.module(self.name, self)
            with self.plate(x, size):
                one = dist.Normal(self.origin, torch.ones_like(self.origin)).to_event(1)
                pyro.sample("z", dist.TransformedDistribution(one, [dist.transforms.AffineTransform(0.0, 1.2)]))

    assert pg.evaluate(small(Idle), binary(1_000), importance_samples=1, nll_images=1).active_units == 0


def test_weights_that_are_not_finite_are_named():
    pair = small(pg.models.VAE)
    pair.decoder.network[0].weight.data[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"must be finite, got 1 entries of 'decoder.network.0.weight' that are not"):
        pg.evaluate(pair, binary(5))


@pytest.mark.parametrize("where", ["model", "guide"])
def test_a_latent_in_one_program_only_is_named(where):
    class Odd(pg.models.VAE):
        def model(self, x, size=None):
            super().model(x, size)
            if where == "model":
                pyro.sample("extra", dist.Normal(0.0, 1.0))

        def guide(self, x, size=None):
            super().guide(x, size)
            if where == "guide":
                pyro.sample("extra", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match=f"the {where} draws 'extra' and the (model|guide) does not"):
        pg.evaluate(small(Odd), binary(5))


def test_a_latent_outside_of_the_plate_is_refused():
    class Loose(pg.models.VAE):
        def model(self, x, size=None):
            pyro.sample("level", dist.Normal(0.0, 1.0))
            super().model(x, size)

        def guide(self, x, size=None):
            pyro.sample("level", dist.Normal(0.0, 1.0))
            super().guide(x, size)

    with pytest.raises(ValueError, match="must have one plate around the rows"):
        pg.evaluate(small(Loose), binary(5))


def test_a_pair_takes_a_new_beta_and_says_what_to_call():
    pair = small(pg.models.VAE)
    pair.beta = 8.0
    assert pair.beta.item() == 8.0
    assert "beta" in pair.state_dict()
    for wrong, kind in ((-1.0, ValueError), (math.nan, ValueError), ("8", TypeError), (True, TypeError)):
        with pytest.raises(kind, match="beta must be a finite number of at least 0"):
            pair.beta = wrong
    with pytest.raises(TypeError, match=r"a pair is not called: call pair.reconstruct\(x\) for images"):
        pair(binary(2))
    tc = pg.models.TCVAE(pair.encoder, pair.decoder)
    tc.alpha = np.float32(0.5)
    assert tc.alpha.item() == 0.5


def test_scores_are_a_mapping_with_a_table():
    scores = pg.evaluate(small(pg.models.VAE), binary(30), importance_samples=30)
    assert list(scores) == ["elbo", "reconstruction", "kl", "objective", "nll"]
    assert dict(scores)["kl"] == scores["kl"] == scores.kl
    assert "nll" in scores
    assert "mig" not in scores
    with pytest.raises(KeyError, match="have no 'mig': they have elbo"):
        scores["mig"]
    table = scores.to_dataframe()
    assert table.loc["nll", "value"] == scores.nll
    assert table.loc["nll", "standard_error"] == scores.standard_errors["nll"]
    assert f"<td>{scores.kl:.3f}</td>" in scores._repr_html_()
    assert scores.sites["z"]["kl"] == pytest.approx(scores.kl, rel=1e-6)
    assert set(scores.pareto_k) == {"median", "share_above_0.7"}


def test_the_cases_have_each_kind_of_guide():
    assert {case.guide for case in CASES} == {"normal", "point", "code"}


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
    assert scores.pareto_k is None
    assert (scores.objective, scores.standard_errors["objective"]) == (-scores.elbo, scores.standard_errors["elbo"])
    with pytest.raises(ValueError, match="another part of plate 'data' in each: evaluate programs without"):
        scores.to_arviz()
