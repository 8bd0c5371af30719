"""The VampPrior: its density and draws, its oracles, whose weights it has, the range, and what it refuses."""

import copy
import math

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import SVI, Trace_ELBO, TraceMeanField_ELBO
from scipy.stats import norm
from torch import nn

import pyrogen as pg
from pyrogen.evaluation import importance_weighted_bound
from pyrogen.oracles import gaussian, mixture, mixture_kl
from pyrogen.training import elbo_terms
from pyrogen.training.divergence import divergence
from pyrogen.training.step import PairObjective, RecordedStep, record, trainable

FALSE_ALARMS = 1e-7
BOTH = pytest.mark.parametrize("elbo", [Trace_ELBO, TraceMeanField_ELBO])
VampPrior = pg.distributions.VampPrior


def real(n, *shape, seed=1):
    return torch.randn(n, *(shape or (5,)), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def binary(n, seed=1):
    return (torch.rand(n, 4, 4, generator=torch.Generator().manual_seed(seed)) < 0.4).double()


def linear_encoder(latent=2, spread=2.0, scale=0.8):
    encoder = pg.nn.LinearEncoder((5,), latent).double()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        encoder.loc.weight.copy_(spread * torch.randn(latent, 5, generator=generator, dtype=torch.float64))
        encoder.log_variance.fill_(2 * math.log(scale))
    return encoder


def mlp_pair(inputs=3, **settings):
    encoder, decoder = pg.nn.MLPEncoder((4, 4), 2, hidden=(8,)), pg.nn.MLPDecoder((4, 4), 2, hidden=(8,))
    start = inputs if isinstance(inputs, torch.Tensor) else binary(inputs, seed=3)
    return pg.models.VAE(encoder, decoder, prior=VampPrior(encoder, start, **settings)).double()


def parts(prior):
    """1/K, m and s of the mixture, from the encoder and the pseudo-inputs alone."""
    q = prior.encoder(prior.pseudo_inputs)
    number = len(prior.pseudo_inputs)
    return np.full(number, 1 / number), q.mean.detach().numpy(), q.stddev.detach().numpy()


# density and draws


@pytest.mark.parametrize("number", [1, 4])
def test_the_density_is_the_mean_of_the_posteriors_at_the_pseudo_inputs(number):
    prior, z = VampPrior(linear_encoder(), real(number)), real(50, 2, seed=4)
    np.testing.assert_allclose(prior().log_prob(z).detach(), mixture.log_prior(z, *parts(prior)), rtol=1e-12)


@pytest.mark.parametrize("sampled", ["prior", "pair"])
def test_draws_are_the_mixtures(sampled):
    """Several published ones draw N(0, I). P(sup |F_n − F| > ε) ≤ 2 exp(−2nε²) by Dvoretzky, Kiefer and Wolfowitz, for
    each of three directions: with this ε, one false alarm in 10⁷. The pair's images, x = z, show what it draws."""
    n, encoder = 20_000, linear_encoder()
    prior = VampPrior(encoder, real(4))
    if sampled == "prior":
        z = prior().sample((n,))
    else:
        decoder = pg.nn.LinearDecoder((5,), 2).double()
        with torch.no_grad():
            decoder.loc.weight.copy_(torch.eye(5, 2))
            decoder.loc.bias.zero_()
        z = pg.models.VAE(encoder, decoder, prior=prior).double().sample(n)[:, :2]
    bound = math.sqrt(math.log(2 * 3 / FALSE_ALARMS) / (2 * n))
    weights, locs, scales = parts(prior)
    for direction in ([1.0, 0.0], [0.0, 1.0], [0.6, -0.8]):
        projected = np.sort(z.numpy() @ direction)
        expected = norm.cdf(projected[:, None], locs @ direction, np.sqrt(scales**2 @ np.square(direction))) @ weights
        steps = np.arange(n + 1) / n
        assert max((steps[1:] - expected).max(), (expected - steps[:-1]).max()) < bound


# oracles


def estimates_of_kl(q, p, draws):
    """log q(z) − log p(z) at `draws` draws of each of N posteriors, (draws, N): the estimate that training uses."""
    wide = q.expand((draws, *q.batch_shape))
    return divergence(wide, p, wide.sample()).detach()


def test_of_one_pseudo_input_the_kl_is_that_of_two_gaussians():
    """10,000 draws of each of 8 posteriors: beyond 5.5 standard errors, eight times 4e-8."""
    prior, x = VampPrior(linear_encoder(), real(1)), real(8, seed=6)
    q = prior.encoder(x)
    estimates = estimates_of_kl(q, prior(), 10_000)
    _, locs, scales = parts(prior)
    exact = gaussian.kl_diagonal(q.mean, q.stddev, locs, scales).sum(1)
    assert (exact > 1).all()
    off = (estimates.mean(0).numpy() - exact) / (estimates.std(0).numpy() / 100)
    assert abs(off).max() < 5.5


def test_of_several_the_kl_is_that_of_quadrature():
    """10,000 draws of each of 8 posteriors: beyond 5.5 standard errors, eight times 4e-8."""
    prior, x = VampPrior(linear_encoder(latent=1), real(4)), real(8, seed=6)
    q = prior.encoder(x)
    estimates = estimates_of_kl(q, prior(), 10_000)
    weights, locs, scales = parts(prior)
    exact = mixture_kl.kl(q.mean[:, 0], q.stddev[:, 0], weights, locs[:, 0], scales[:, 0])
    off = (estimates.mean(0).numpy() - exact) / (estimates.std(0).numpy() / 100)
    assert abs(off).max() < 5.5


@pytest.mark.parametrize("spread", [0.01, 0.5, 2.0, 100.0])
def test_with_all_data_as_pseudo_inputs_the_mean_kl_is_the_information_on_the_index_and_at_most_log_n(spread):
    """The bound is 5.5 standard errors over 4,000 draws of each of 20 posteriors: false alarm 4e-8.

    log N bounds it without an error, since log q(z | xₙ) − log 1/N Σ q(z | x) is at most log N at every z.
    """
    x = real(20)
    prior = VampPrior(linear_encoder(latent=1, spread=spread), x)
    q = prior.encoder(x)
    estimates = estimates_of_kl(q, prior(), 4_000)
    information = mixture_kl.mutual_information(q.mean[:, 0], q.stddev[:, 0])
    means = estimates.mean(1)  # of a draw of each: the posteriors' own differences do not count as noise
    assert abs(means.mean().item() - information) < 5.5 * means.std().item() / math.sqrt(4_000) + 1e-9
    assert estimates.max() < math.log(20) + 1e-9
    assert 0 <= information + 1e-9 < math.log(20) + 1e-9


def test_the_importance_weighted_nll_of_a_linear_decoder_tends_to_the_mixtures_evidence():
    """exp(bound − log p(x)) is a mean of importance weights, of expectation 1: 100 bounds of 500 draws, 8 images.
    Student's t of 99 degrees beyond 6.5 is 3e-9, eight times."""
    encoder, decoder = linear_encoder(), pg.nn.LinearDecoder((5,), 2, pg.nn.Gaussian(0.9)).double()
    with torch.no_grad():  # posteriors near the exact ones under N(0, I), and wider, so that the weights are tame
        w = decoder.loc.weight
        encoder.loc.weight.copy_(torch.linalg.solve(w.T @ w + 0.81 * torch.eye(2).double(), w.T))
    pair = pg.models.VAE(encoder, decoder, prior=VampPrior(encoder, real(4))).double()
    x = real(8, seed=6)
    sigma = decoder.likelihood.log_scale.exp().item()
    exact = mixture.evidence(x, decoder.loc.weight, decoder.loc.bias, sigma, *parts(pair.given_prior))
    with torch.no_grad():
        gaps = torch.stack([importance_weighted_bound(pair, x, 500) for _ in range(100)]) - torch.from_numpy(exact)
    ratios = gaps.exp()
    assert ratios.std(0).max() < 0.2  # so that the mean says something
    assert ((ratios.mean(0) - 1) / (ratios.std(0) / 10)).abs().max() < 6.5


# whose weights


def test_the_encoder_is_the_guides_and_one_step_has_it_twice():
    pair = mlp_pair()
    prior = pair.given_prior
    assert prior.encoder is pair.encoder
    names = [name for name, _ in pair.named_parameters()]
    assert [name for name in names if name.startswith("_prior")] == ["_prior.free"]
    seen = []
    hook = pair.encoder.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    elbo_terms(pair, binary(7))
    hook.remove()
    assert seen == [7, 3]  # the batch in the guide, the pseudo-inputs in the model


def test_sharing_survives_copies_and_files(tmp_path):
    pair, x = mlp_pair(), binary(16)
    pg.fit(pair, x, steps=3, batch_size=8, progress=False)
    pg.save(pair, tmp_path / "pair")
    into = pg.load(tmp_path / "pair", into=mlp_pair())
    for other in (copy.deepcopy(pair), pg.load(tmp_path / "pair"), into):
        prior = other.given_prior
        assert prior.encoder is other.encoder is not pair.encoder
        assert prior.bounds == pair.given_prior.bounds
        assert torch.equal(prior.pseudo_inputs, pair.given_prior.pseudo_inputs)
        before, z = prior().log_prob(torch.zeros(2).double()).item(), torch.zeros(2).double()
        assert before == pair.prior().log_prob(z).item()
        with torch.no_grad():
            next(other.encoder.parameters()).add_(0.1)
        assert prior().log_prob(z).item() != before
        assert prior().log_prob(z).item() != pair.prior().log_prob(z).item()


@pytest.mark.parametrize("start", [real(3) * 5, 0.5 + 0.1 * real(3).clamp(-2, 2), 2])
@pytest.mark.parametrize("bounds", [None, (-50.0, math.inf)])
def test_a_prior_of_any_range_is_loaded_as_it_was(tmp_path, start, bounds):
    encoder, decoder = linear_encoder(), pg.nn.LinearDecoder((5,), 2)
    pair = pg.models.VAE(encoder, decoder, prior=VampPrior(encoder, start, bounds)).double()
    pg.save(pair, tmp_path / "pair")
    prior = pg.load(tmp_path / "pair").given_prior
    assert prior.bounds == pair.given_prior.bounds
    assert torch.equal(prior.pseudo_inputs, pair.given_prior.pseudo_inputs)


def test_a_range_without_zero_is_loaded_as_it_was(tmp_path):
    encoder = linear_encoder()
    prior = VampPrior(encoder, real(3).abs() + 2, bounds=(1.0, 9.0))
    pair = pg.models.VAE(encoder, pg.nn.LinearDecoder((5,), 2), prior=prior).double()
    pg.save(pair, tmp_path / "pair")
    assert torch.equal(pg.load(tmp_path / "pair").given_prior.pseudo_inputs, prior.pseudo_inputs)


@BOTH
def test_the_pseudo_inputs_are_trained(elbo):
    pair, x = mlp_pair(), binary(16)
    before = pair.given_prior.pseudo_inputs.detach().clone()
    svi = SVI(pair.model, pair.guide, pyro.optim.Adam({"lr": 1e-2}), elbo())
    for _ in range(2):
        svi.step(x)
    assert (pair.given_prior.pseudo_inputs != before).float().mean() > 0.9


def test_the_prior_trains_the_encoder_too():
    prior = mlp_pair().given_prior
    prior().log_prob(torch.ones(2).double()).backward()
    for name, parameter in prior.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_the_gradient_by_a_pseudo_input_is_its_finite_difference():
    pair, x = mlp_pair(), binary(6)

    def objective():
        torch.manual_seed(0)
        return elbo_terms(pair, x).objective

    objective().backward()
    free, step = pair.given_prior.free, 1e-5
    for place in ((0, 0, 0), (1, 2, 3), (2, 3, 1)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                free[place] += 0.3 + sign * step  # away from the bounds, where the reflection has a kink
                values.append(objective().item())
                free[place] -= 0.3 + sign * step
        with torch.no_grad():
            free[place] += 0.3
        pair.zero_grad()
        objective().backward()
        assert free.grad[place].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6, abs=1e-9)
        with torch.no_grad():
            free[place] -= 0.3


def test_the_recorded_step_has_the_gradients_of_the_programs():
    pair, x = mlp_pair(), binary(6)
    step = RecordedStep(record(PairObjective(pair, 60), binary(6, seed=9)), x.device)
    with torch.no_grad():
        pair.given_prior.free += 0.7  # some are reflected now that were not when it was recorded
        torch.manual_seed(0)
        _, gradients = step(x, float(pair.beta))
    torch.manual_seed(0)
    elbo_terms(pair, x, 60).objective.backward()
    for (name, parameter), gradient in zip(trainable(pair).items(), gradients, strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-10, atol=1e-12, msg=name)


# the range


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.float32, torch.float64])
def test_start_values_are_kept_to_the_last_bit(dtype):
    start = (
        torch.rand(3, 4, 4).mul(1.99).to(dtype)
        if dtype in (torch.uint8, torch.bool)
        else torch.rand(3, 4, 4, dtype=dtype)
    )
    start[0, 0, :2] = torch.tensor([0, 1])
    prior = VampPrior(pg.nn.MLPEncoder((4, 4), 2).to(torch.float64), start)
    assert torch.equal(prior.pseudo_inputs, start.double())
    assert prior.free.dtype == torch.float64
    assert prior.bounds == (0.0, 1.0)
    start.fill_(1)
    assert (prior.pseudo_inputs != 1).any()  # the caller's tensor is not ours


def test_values_outside_are_reflected_and_none_loses_its_gradient():
    prior = VampPrior(linear_encoder(), torch.zeros(1, 5), bounds=(-1.0, 2.0))
    outside, expected = [-1.0, -1.25, 2.0, 2.5, 0.3], [-1.0, -0.75, 2.0, 1.5, 0.3]
    prior.free.data = torch.tensor([outside]).double()
    torch.testing.assert_close(prior.pseudo_inputs, torch.tensor([expected]).double(), rtol=1e-7, atol=0)
    prior.pseudo_inputs.sum().backward()
    assert prior.free.grad.tolist() == [[1.0, -1.0, 1.0, -1.0, 1.0]]
    prior.free.data = torch.tensor([[2.0 + 3.0 + 0.5, -1.0 - 3.0 - 0.5, 11.25, 4.0, -3.0]]).double()  # to and fro
    expected = torch.tensor([[-0.5, 1.5, -0.75, 0.0, 1.0]]).double()
    torch.testing.assert_close(prior.pseudo_inputs, expected, rtol=1e-12, atol=1e-12)
    prior.free.grad = None
    prior.pseudo_inputs.sum().backward()
    assert (prior.free.grad.abs() == 1).all()
    prior.free.data.mul_(1000)
    assert -1 <= prior.pseudo_inputs.min() <= prior.pseudo_inputs.max() <= 2


def test_without_a_range_values_are_as_they_are():
    start = 100 * real(3)
    prior = VampPrior(linear_encoder(), start)
    assert prior.bounds == (-math.inf, math.inf)
    assert torch.equal(prior.pseudo_inputs, start)


def test_training_keeps_them_in_the_range():
    pair, x = mlp_pair(inputs=4), binary(16)
    pg.fit(pair, x, steps=30, batch_size=8, lr=0.05, progress=False)
    free, u = pair.given_prior.free, pair.given_prior.pseudo_inputs
    assert free.min() < 0 or free.max() > 1  # so that the range has something to do
    assert 0 <= u.min() <= u.max() <= 1


def test_random_pseudo_inputs_fill_the_range():
    encoder = pg.nn.MLPEncoder((4, 4), 2)
    pixels = VampPrior(encoder, 200).pseudo_inputs
    assert pixels.shape == (200, 4, 4)
    assert 0 <= pixels.min() < 0.05
    assert 0.95 < pixels.max() <= 1
    shifted = VampPrior(encoder, 200, bounds=(-3.0, -1.0))
    assert -3 <= shifted.free.min() < -2.9
    assert -1.1 < shifted.free.max() <= -1
    unbounded = VampPrior(encoder, 200, bounds=(-math.inf, math.inf)).pseudo_inputs
    assert unbounded.min() < -2 < 2 < unbounded.max()


# what it refuses


class Elsewhere(nn.Module):
    """An encoder of the right shape that returns what it is told."""

    shape, latent = (4, 4), 2

    def __init__(self, result):
        super().__init__()
        self.result = result

    def forward(self, x):
        return self.result


@pytest.mark.parametrize(
    ("pseudo_inputs", "bounds", "error", "message"),
    [
        (0, None, ValueError, "pseudo_inputs must be a whole number of at least 1, got 0"),
        (-2, None, ValueError, "at least 1, got -2"),
        (True, None, TypeError, "at least 1, got True"),
        (torch.zeros(0, 4, 4), None, ValueError, "K of at least 1"),
        (torch.zeros(4, 4), None, ValueError, r"must be \(K, 4, 4\).*got \(4, 4\)"),
        (torch.zeros(3, 4, 5), None, ValueError, r"must be \(K, 4, 4\).*got \(3, 4, 5\)"),
        (torch.zeros(3, 1, 4, 4), None, ValueError, r"must be \(K, 4, 4\)"),
        (torch.tensor(3), None, ValueError, r"must be \(K, 4, 4\).*got \(\)"),
        (torch.full((3, 4, 4), math.nan), None, ValueError, "must be finite, got 48 values that are not"),
        (torch.full((3, 4, 4), 255.0), (0.0, 1.0), ValueError, r"must lie in \[0, 1\], got values in \[255, 255\]"),
        (torch.full((3, 4, 4), -0.1), (0.0, math.inf), ValueError, r"must lie in \[0, inf\]"),
        (3, (1.0, 0.0), ValueError, "low < high"),
        (3, (math.nan, 1.0), ValueError, "bounds must be a number"),
        (3, 1.0, TypeError, r"bounds must be two numbers \(low, high\) or None"),
        ([[0.0]], None, TypeError, r"must be a tensor \(K, \*shape\) or their number K, got a list"),
        (2.0, None, TypeError, "got a float"),
    ],
)
def test_pseudo_inputs_that_are_none_are_refused(pseudo_inputs, bounds, error, message):
    with pytest.raises(error, match=message):
        VampPrior(pg.nn.MLPEncoder((4, 4), 2), pseudo_inputs, bounds)


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (pg.nn.MLPEncoder((4, 4), 2, point=True), ValueError, "with a density, got a point"),
        (nn.Linear(4, 4), TypeError, "must say the shape of one x.*got a Linear"),
        (Elsewhere((torch.zeros(2), torch.ones(2))), TypeError, "must return a distribution.*got a tuple"),
        (Elsewhere(torch.distributions.Normal(torch.zeros(1, 2), 1.0)), ValueError, r"got \(1, 2\)"),
    ],
)
def test_encoders_without_a_posterior_are_refused(encoder, error, message):
    with pytest.raises(error, match=message):
        VampPrior(encoder, binary(3))


def test_an_encoder_with_batch_norm_is_taken_and_its_statistics_stay():
    encoder = pg.nn.MLPEncoder((4,), latent=2)
    encoder.network.insert(0, nn.BatchNorm1d(4))
    encoder.network[1].eval()
    prior = pg.distributions.VampPrior(encoder, torch.rand(3, 4))
    assert [module.training for module in encoder.network][:3] == [True, False, True]
    assert encoder.network[0].num_batches_tracked == 0
    assert prior().sample().shape == (2,)
