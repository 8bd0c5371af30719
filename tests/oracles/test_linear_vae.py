"""A linear VAE, trained, reaches probabilistic PCA: its objective, its likelihood and its axes.

The data's covariance has known eigenvalues. The last steps of training are plain gradient descent with rate η on
one-sample gradients of covariance C (measured at the optimum). So the weights come to rest in a cloud whose mean excess
over the least objective is η tr C / 4 to first order in η (Mandt et al. 2017, https://arxiv.org/abs/1704.04289). The
excess is a weighted sum of χ²₁ variables with that mean. It is above 26 times its mean with probability below 1e-6. The
worst case is one single χ²₁ (5.1 standard deviations).
"""

import functools
import math

import numpy as np
import pytest
import torch

import pyrogen as pg
from pyrogen.oracles import gaussian, ppca
from pyrogen.training import elbo_terms

N, D, L = 200, 6, 3
EIGENVALUES = np.array([6.0, 2.5, 1.0, 0.2, 0.1, 0.05])
ETA, TAIL = 1e-3, 26.0
EVERY_BETA = pytest.mark.parametrize("beta", [0.5, 4.0])


@functools.cache
def data():
    """(N, D) with exactly those eigenvalues, turned, and a mean."""
    rng = np.random.default_rng(0)
    white = rng.standard_normal((N, D))
    white = np.linalg.qr(white - white.mean(0))[0] * math.sqrt(N)
    turn = np.linalg.qr(rng.standard_normal((D, D)))[0]
    return torch.from_numpy(white * np.sqrt(EIGENVALUES) @ turn.T + rng.standard_normal(D))


def pair(beta, seed=0):
    torch.manual_seed(seed)
    decoder = pg.nn.LinearDecoder((D,), L, pg.nn.Gaussian(math.sqrt(0.4)))
    return pg.models.VAE(pg.nn.LinearEncoder((D,), L), decoder, beta=beta).double()


def optimum(vae):
    return ppca.optimum(data(), L, math.exp(vae.decoder.likelihood.log_scale.item()), vae.beta.item())


def objective(vae):
    """The exact objective at the pair's weights, nats per image: nothing is sampled."""
    best = optimum(vae)
    with torch.no_grad():
        q = vae.encode(data())
        w, b = vae.decoder.loc.weight, vae.decoder.loc.bias
        return -gaussian.elbo(data(), w, b, best.sigma, q.mean, q.stddev, best.beta).mean()


def at_optimum(beta):
    vae = pair(beta)
    best = optimum(vae)
    v = (best.w / best.eigenvalues[:L].clip(beta * best.sigma**2)).T
    for parameter, value in {
        vae.decoder.loc.weight: best.w,
        vae.decoder.loc.bias: best.mean,
        vae.encoder.loc.weight: v,
        vae.encoder.loc.bias: -v @ best.mean,
        vae.encoder.log_variance: 2 * np.log(best.scale),
    }.items():
        parameter.data.copy_(torch.from_numpy(value))
    return vae


def gradients(vae, draws):
    """One-sample gradients of the objective, (draws, number of weights)."""
    rows = []
    for _ in range(draws):
        each = torch.autograd.grad(elbo_terms(vae, data()).objective, list(vae.parameters()))
        rows.append(torch.cat([g.flatten() for g in each]))
    return torch.stack(rows)


@EVERY_BETA
def test_at_the_ppca_weights_the_linear_vae_has_the_least_objective_and_no_gradient(beta):
    vae, draws = at_optimum(beta), 400
    assert objective(vae) == pytest.approx(optimum(vae).objective, rel=1e-12)
    with torch.no_grad():
        values = torch.stack([elbo_terms(vae, data()).objective for _ in range(draws)])
    assert abs(values.mean() - optimum(vae).objective) < 5.5 * values.std() / math.sqrt(draws)
    sampled = gradients(vae, draws)  # of 48 weights: at 6 standard errors a false alarm below 1e-7 in all
    assert (sampled.mean(0).abs() <= 6 * sampled.std(0) / math.sqrt(draws) + 1e-12).all()


@EVERY_BETA
def test_a_linear_vae_trained_reaches_the_ppca_objective_and_its_axes(beta):
    vae = pair(beta)
    best = optimum(vae)
    fit = functools.partial(pg.fit, vae, data(), batch_size=N, progress=False)
    for lr, seed in ((3e-2, 1), (3e-3, 2)):  # to get there
        fit(steps=1000, lr=lr, seed=seed)
    fit(steps=2000, seed=3, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=ETA))
    spread = gradients(at_optimum(beta), 300).var(0).sum().item()
    bound = TAIL * ETA * spread / 4
    excess = objective(vae) - best.objective
    print(f"beta {beta}: excess {excess:.2e}, its mean by theory {ETA * spread / 4:.2e}, bound {bound:.2e} nats")
    assert bound < 0.03  # sharp enough: β left out of the KL costs more than 0.2
    assert 0 <= excess < bound

    w, b = vae.decoder.loc.weight.detach().numpy(), vae.decoder.loc.bias.detach()
    likelihood = gaussian.evidence(data(), w, b, best.sigma).mean()
    if beta == 1:  # ELBO ≤ log-likelihood ≤ the best one
        assert best.log_likelihood - bound < likelihood <= best.log_likelihood + 1e-12

    # Turning kept axis i by φ towards a lost one costs at least β/2 (1/τ − 1/λᵢ)(λᵢ − λⱼ) sin²φ of the objective.
    kept, tau = best.eigenvalues[:L][~best.collapsed], beta * best.sigma**2
    cost = beta / 2 * ((1 / tau - 1 / kept) * (kept - best.eigenvalues[len(kept)])).min()
    axes, found = best.axes[:, : len(kept)], np.linalg.svd(w)[0][:, : len(kept)]
    sine = np.linalg.norm(found - axes @ (axes.T @ found), 2)
    print(f"sine of the largest angle {sine:.1e}, bound {math.sqrt(bound / cost):.1e}")
    assert sine**2 < bound / cost


def test_oracles_at_their_limits():
    x = np.random.default_rng(0).normal(size=(6, 3))
    with pytest.raises(ValueError, match="each of the 2 labels"):
        pg.oracles.labels.optimum(x, [0, 2, 0, 2, 0, 2], 2, 1, 0.5)
    assert pg.oracles.importance_weighted.gap([1.0], [1.0], [0.0], 1.0, 0.5, 0.5, 3) == math.inf  # 2s² = ρ²
