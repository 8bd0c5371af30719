"""The conditional and the semi-supervised VAE against linear-Gaussian classes, whose evidence is exact."""

import math

import numpy as np
import pytest
import torch
from helpers.small import SHAPE
from pyro.infer import TraceEnum_ELBO

import pyrogen as pg
from pyrogen.evaluation import importance_weighted_bound
from pyrogen.evaluation.bounds import importance_weights, plan
from pyrogen.oracles import labels
from pyrogen.training import elbo_terms

Z = 5.5  # standard errors: a false alarm has probability below 4e-8 for a normal mean
D, L, C, SIGMA = 5, 2, 3, 0.7
RNG = np.random.default_rng(5)
W = np.linalg.qr(RNG.standard_normal((D, L)))[0] * [2.0, 1.0]
V, B = RNG.standard_normal((D, C)), RNG.standard_normal(D)
ALL = {"w": W, "v": V, "b": B, "sigma": SIGMA}


def exact_networks():
    """q(z | x, y) is the exact posterior."""
    encoder = pg.nn.LinearEncoder((D + C,), L).double()
    decoder = pg.nn.LinearDecoder((D,), L + C, pg.nn.Gaussian(SIGMA)).double()
    decoder.likelihood.log_scale.fill_(math.log(SIGMA))
    covariance = np.linalg.inv(np.eye(L) + W.T @ W / SIGMA**2)
    slope = covariance @ W.T / SIGMA**2
    for parameter, value in {
        encoder.loc.weight: np.hstack((slope, -slope @ V)),
        encoder.loc.bias: -slope @ B,
        encoder.log_variance: np.log(np.diag(covariance)),
        decoder.loc.weight: np.hstack((W, V)),
        decoder.loc.bias: B,
    }.items():
        parameter.data.copy_(torch.from_numpy(np.asarray(value)))
    return encoder, decoder


def conditional():
    return pg.models.ConditionalVAE(*exact_networks(), classes=C).double()


def semi_supervised(exact=True):
    classifier = pg.nn.MLPClassifier((D,), C, hidden=()).double()
    if exact:
        weight, bias = labels.discriminant(**ALL)
        classifier.network[0].weight.data.copy_(torch.from_numpy(weight))
        classifier.network[0].bias.data.copy_(torch.from_numpy(bias))
    return pg.models.SemiSupervisedVAE(*exact_networks(), classifier).double()


def data(n, seed=2):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, C, n)
    x = rng.standard_normal((n, L)) @ W.T + V.T[y] + B + SIGMA * rng.standard_normal((n, D))
    return torch.from_numpy(x), torch.from_numpy(y)


@pytest.mark.parametrize("samples", [1, 5])
def test_the_conditional_bound_is_the_evidence_of_each_label(samples):
    (x, y), pair = data(20), conditional()
    weights = importance_weights(pair, (x, y), samples, plan(pair, (x, y), 20), 20)
    bound = weights.logsumexp(0) - math.log(samples)
    np.testing.assert_allclose(bound.numpy(), labels.evidence(x, y, **ALL), rtol=0, atol=1e-9)
    scores = pg.evaluate(pair, (x, y), importance_samples=samples)
    assert scores.nll == pytest.approx(-labels.evidence(x, y, **ALL).mean(), abs=1e-9)


@pytest.mark.parametrize("samples", [1, 5])
def test_labels_are_summed_out_where_they_are_missing(samples):
    (x, y), pair = data(20), semi_supervised()
    bound = importance_weighted_bound(pair, x, samples)
    np.testing.assert_allclose(bound.numpy(), labels.marginal(x, **ALL), rtol=0, atol=1e-9)
    known = torch.where(torch.arange(20) < 8, y, -1)
    exact = np.where(known >= 0, labels.evidence(x, y, **ALL) - math.log(C), labels.marginal(x, **ALL))
    scores = pg.evaluate(pair, (x, known), importance_samples=samples)
    assert scores.nll == pytest.approx(-exact.mean(), abs=1e-9)


def test_the_elbo_is_the_evidence_where_the_guide_is_exact():
    x, _ = data(1_000)
    scores = pg.evaluate(semi_supervised(), x, nll_images=10)
    assert abs(scores.elbo - labels.marginal(x, **ALL).mean()) < Z * scores.standard_errors["elbo"]
    np.testing.assert_allclose(
        semi_supervised().classifier(x).probs.detach().numpy(), labels.posterior(x, **ALL), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize("missing", [True, False])
def test_the_enumerated_bound_is_the_sum_written_out(missing):
    """U(x) of Kingma et al. 2014, equation 7, and L(x, y) where the label is known, at the same draws."""
    (x, y), pair = data(6), semi_supervised(exact=False)
    batch = (x,) if missing else (x, y)
    torch.manual_seed(0)
    terms = elbo_terms(pair, batch)
    torch.manual_seed(0)
    noise = torch.randn(C, 6, L, dtype=torch.float64)
    q_y, total = pair.classifier(x), torch.zeros(6, dtype=torch.float64)
    for label in range(C):
        q = pair.encode(x, torch.full((6,), label))
        reconstruction = pair.decode(q.mean + q.stddev * noise[label], torch.full((6,), label)).log_prob(x)
        kl = 0.5 * (q.mean**2 + q.variance - 1 - q.variance.log()).sum(-1)
        weight = q_y.probs[:, label] if missing else (y == label).double()
        own = q_y.logits[:, label] if missing else 0.0
        total = total + weight * (reconstruction - math.log(C) - kl - own)
    objective = -total.mean() if missing else -total.mean() - q_y.log_prob(y).mean()
    assert terms.objective.item() == pytest.approx(objective.item(), rel=1e-12)
    losses = [TraceEnum_ELBO(max_plate_nesting=1).loss(pair.model, pair.guide, *batch) / 6 for _ in range(50)]
    with torch.no_grad():
        ours = [elbo_terms(pair, batch).objective.item() for _ in range(50)]
    assert abs(np.mean(losses) - np.mean(ours)) < Z * math.hypot(np.std(losses), np.std(ours)) / math.sqrt(50)


def test_the_oracle_is_the_integral_and_its_optimum_the_best():
    x, y = data(500)
    z = np.random.default_rng(0).standard_normal((200_000, L))
    noise = ((x[0].numpy() - z @ W.T - V[:, y[0]] - B) ** 2).sum(1) / (2 * SIGMA**2)
    weights = np.exp(-noise) / (SIGMA * math.sqrt(2 * math.pi)) ** D
    exact = math.exp(labels.evidence(x[:1], y[:1], **ALL)[0])
    assert abs(weights.mean() - exact) < Z * weights.std() / math.sqrt(len(z))
    best = labels.optimum(x, y, C, L, SIGMA)
    zero = np.zeros(D)
    assert best.log_likelihood > labels.evidence(x, y, **ALL).mean()
    for seed in range(20):
        step = 0.05 * np.random.default_rng(seed).standard_normal((D, L))
        assert labels.evidence(x, y, best.w + step, best.v, zero, SIGMA).mean() < best.log_likelihood


def test_samples_are_of_the_label_asked_for():
    for pair in (conditional(), semi_supervised()):
        x = pair.sample(20_000, mean=False, y=1).numpy()
        spread = np.sqrt(np.diag(W @ W.T) + SIGMA**2)
        assert (np.abs(x.mean(0) - V[:, 1] - B) < Z * spread / math.sqrt(20_000)).all()
        several = pair.sample(3, y=[0, 1, 2])
        assert several.shape == (3, D)
    assert semi_supervised().sample(4).shape == (4, D)
    x, y = data(7)
    torch.testing.assert_close(
        conditional().reconstruct(x, y), conditional().decode(conditional().encode(x, y).mean, y).mean
    )
    assert semi_supervised().reconstruct(x).shape == (7, D)


CASES = {
    "too few": (lambda x, y: y[:-1], "`y` must have one label for each of 6"),
    "outside": (lambda x, y: y + 1, "`y` must be whole numbers from 0 to 2"),
    "negative": (lambda x, y: y - 5, "`y` must be whole numbers from 0 to 2"),
}


@pytest.mark.parametrize("kind", [conditional, semi_supervised])
@pytest.mark.parametrize(("wrong", "message"), CASES.values(), ids=CASES)
def test_labels_that_do_not_fit_are_refused(kind, wrong, message):
    (x, y), pair = data(6), kind()
    y[0] = 2
    with pytest.raises(ValueError, match=message):
        pair.check(x, wrong(x, y))
    with pytest.raises(ValueError, match=f"{message}|one datum|one row"):
        pg.evaluate(pair, (x, wrong(x, y)))
    with pytest.raises(ValueError, match=message):
        pair.guide(x, wrong(x, y))


def test_data_sets_give_images_and_labels():
    (x, y), pair = data(12), conditional()
    scores = pg.evaluate(pair, (x, y), importance_samples=2)
    items = list(zip(x, y.tolist(), strict=True))
    for other in ({"x": x, "y": y}, items, [{"y": label, "x": image} for image, label in items]):
        assert pg.evaluate(pair, other, importance_samples=2).nll == pytest.approx(scores.nll, rel=1e-9)
    for wrong, error, message in (
        (x, ValueError, "data must be images and labels, got "),
        ({"x": x}, ValueError, "`data` must have the entries x, y, got x"),
        (list(x), TypeError, "items must be tuples"),
        (5, TypeError, "data must be a tensor"),
    ):
        with pytest.raises(error, match=message):
            pg.evaluate(pair, wrong)
    with pytest.raises(ValueError, match="pass data="):
        pg.evaluate(pg.models.ConditionalVAE(*exact_networks(), classes=C).double(), pg.datasets.DSprites(cache=None))


def test_networks_that_do_not_fit_are_refused():
    encoder, decoder = exact_networks()
    with pytest.raises(ValueError, match=r"its latent must be 2 \+ 4, got 5"):
        pg.models.ConditionalVAE(encoder, decoder, classes=4)
    with pytest.raises(ValueError, match=r"its shape must be \(8,\) .* or \(5,\) if it"):
        pg.models.ConditionalVAE(pg.nn.LinearEncoder((6,), L), decoder, classes=C)
    with pytest.raises(ValueError, match=r"classifier must take images of \(5,\), got \(4,\)"):
        pg.models.SemiSupervisedVAE(encoder, decoder, pg.nn.MLPClassifier((4,), C))
    with pytest.raises(TypeError, match="classes must be a whole number"):
        pg.models.SemiSupervisedVAE(encoder, decoder, torch.nn.Linear(5, 3))


def test_missing_labels_are_not_classified():
    (x, y), pair = data(6), semi_supervised(exact=False)
    known = torch.where(torch.arange(6) < 2, y, -1)
    charge = elbo_terms(pair, (x, known)).charges["classification"]
    assert charge.item() == pytest.approx(-pair.classifier(x).log_prob(y)[:2].sum().item() / 6, rel=1e-12)


def test_training_reaches_the_best_evidence_and_labels_teach_the_classifier():
    torch.manual_seed(0)
    x, y = data(600)
    decoder = pg.nn.LinearDecoder((D,), L + C, pg.nn.Gaussian(SIGMA))
    pair = pg.models.ConditionalVAE(pg.nn.LinearEncoder((D + C,), L), decoder, classes=C)
    pg.fit(pair, (x.float(), y), steps=400, batch_size=200, lr=2e-2, progress=False)
    best = labels.optimum(x, y, C, L, SIGMA).log_likelihood
    nll = pg.evaluate(pair, (x.float(), y), importance_samples=20).nll
    assert best - 0.05 < -nll < best + 1e-3  # it starts several nats below

    networks = pg.nn.LinearEncoder((D + C,), L), pg.nn.LinearDecoder((D,), L + C, pg.nn.Gaussian(SIGMA))
    semi = pg.models.SemiSupervisedVAE(*networks, pg.nn.MLPClassifier((D,), C, hidden=()), alpha=10.0)
    known = torch.where(torch.arange(600) < 60, y, -1)
    fit = pg.fit(semi, {"x": x.float(), "y": known}, steps=250, batch_size=200, lr=2e-2, progress=False)
    right = (semi.classify(x.float()) == y).float().mean().item()
    ideal = (labels.posterior(x, **ALL).argmax(1) == y.numpy()).mean()
    assert right > ideal - Z * math.sqrt(0.25 / 600)
    assert {"kl_y", "kl_z", "classification"} <= set(fit.history.columns)


def test_samples_of_a_label_may_be_draws():
    networks = pg.nn.MLPEncoder(SHAPE, 2, hidden=(4,)), pg.nn.MLPDecoder(SHAPE, 2 + 3, hidden=(4,))
    pair = pg.models.ConditionalVAE(*networks, classes=3)
    assert set(pair.sample(4, mean=False, y=1).unique().tolist()) <= {0.0, 1.0}
    assert not set(pair.sample(4, y=1).unique().tolist()) <= {0.0, 1.0}
