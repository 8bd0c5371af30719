"""The oracle of the linear autoencoder: scikit-learn's PCA, and what Baldi and Hornik say of stationary points."""

import math
import re

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from pyrogen.oracles import linear_autoencoder, ppca

N, D = 60, 5
X = np.random.default_rng(0).standard_normal((N, D)) @ np.random.default_rng(1).standard_normal((D, D)) + 3.0


@pytest.mark.parametrize("latent", [1, 3, D])
def test_the_optimum_is_scikit_learns_pca(latent):
    best, pca = linear_autoencoder.optimum(X, latent), PCA(latent).fit(X)
    theirs = pca.inverse_transform(pca.transform(X))
    np.testing.assert_allclose(best.reconstruct(X), theirs, rtol=0, atol=1e-12)
    assert best.residual == pytest.approx(((X - theirs) ** 2).sum(1).mean(), abs=1e-12)


def test_the_objective_is_the_mean_of_minus_the_log_density():
    best, sigma = linear_autoencoder.optimum(X, 2), 0.7
    noise = torch.distributions.Normal(torch.from_numpy(best.reconstruct(X)), sigma)
    assert best.objective(sigma) == pytest.approx(-noise.log_prob(torch.from_numpy(X)).sum(1).mean().item(), rel=1e-12)


def test_it_is_what_a_linear_vae_without_its_kl_tends_to():
    """−log p(x | z) of probabilistic PCA exceeds it by βL/2 exactly, as long as no axis has collapsed."""
    best, sigma = linear_autoencoder.optimum(X, 2), 0.7
    for beta in (1e-1, 1e-4):
        vae = ppca.optimum(X, 2, sigma, beta)
        assert vae.reconstruction == pytest.approx(best.objective(sigma) + beta * 2 / 2, rel=1e-12)


def squared_error(w, v):
    x = torch.from_numpy(X - X.mean(0))
    return ((x - x @ v.T @ w.T) ** 2).sum(1).mean()


@pytest.mark.parametrize("kept", [(0, 1), (0, 2), (4, 1), (3,)])
def test_each_choice_of_eigenvectors_is_stationary_and_only_the_leading_is_a_minimum(kept):
    point = linear_autoencoder.stationary(X, kept)
    turn = np.random.default_rng(2).standard_normal((len(kept), len(kept)))  # W and V are known up to this
    w = torch.tensor(point.axes @ np.linalg.inv(turn), requires_grad=True)
    v = torch.tensor(turn @ point.axes.T, requires_grad=True)
    error = squared_error(w, v)
    assert error.item() == pytest.approx(point.residual, rel=1e-12)
    for gradient in torch.autograd.grad(error, (w, v)):
        assert gradient.abs().max() < 1e-10
    every, changes = linear_autoencoder.stationary(X, range(D)), []
    for place, i in enumerate(kept):  # an eigenvector turned by φ towards one that is left out
        for j in set(range(D)) - set(kept):
            axes = point.axes.copy()
            axes[:, place] = math.cos(0.1) * every.axes[:, i] + math.sin(0.1) * every.axes[:, j]
            turned = torch.from_numpy(axes)
            changes.append(squared_error(turned, turned.T).item() - point.residual)
            gap = every.eigenvalues[i] - every.eigenvalues[j]
            assert changes[-1] == pytest.approx(math.sin(0.1) ** 2 * gap, rel=1e-9)
    assert (min(changes) < 0) is (kept != (0, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear_autoencoder.optimum(X, 0), "latent must be a whole number of at least 1, got 0"),
        (lambda: linear_autoencoder.optimum(X, 6), "latent must be from 1 to D = 5, got 6"),
        (lambda: linear_autoencoder.optimum(X[0], 2), "x must be of shape (N, D), got (5,)"),
        (
            lambda: linear_autoencoder.stationary(X, (1, 1)),
            "kept must be different numbers from 0 to 4, got [1, 1]",
        ),
        (lambda: linear_autoencoder.stationary(X, (5,)), "kept must be different numbers from 0 to 4, got [5]"),
        (lambda: linear_autoencoder.optimum(X, 2).objective(0.0), "sigma must be positive and finite, got 0.0"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_the_unit_of_the_objective_is_nats():
    x = np.zeros((3, 2))
    assert linear_autoencoder.optimum(x, 1).objective(1.0) == pytest.approx(math.log(2 * math.pi), rel=1e-12)
