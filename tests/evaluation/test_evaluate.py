"""``pg.evaluate``: its numbers against closed forms, and that it leaves everything as it was."""

import functools
import json
import math
import random

import numpy as np
import pyro
import pytest
import torch
from cases import every_pair
from scipy.stats import norm

import pyrogen as pg
from pyrogen.metrics import Score

# Five comparisons of normal means a test, two-sided: together a false alarm has probability 1e-6, were they exactly
# normal. The means are of 4,000 quadratic forms of normals, whose skewness of at most 2√2/√4000 takes z from 5.2
# to 5.6.
Z = norm.isf(1e-6 / 5 / 2) + 0.4


def pair_of(shape=(4,), latent=2, **arguments):
    encoder = pg.nn.MLPEncoder(shape, latent, hidden=(8,))
    return pg.models.VAE(encoder, pg.nn.MLPDecoder(shape, latent, hidden=(8,)), **arguments)


def binary(n, *shape):
    return torch.bernoulli(torch.full((n, *(shape or (4,))), 0.3))


class WithFactors:
    """Images (N, 4) whose first two pixels are their factors; a map-style data set that knows its factors' names."""

    factor_names = ("left", "right")

    def __init__(self, n):
        self.x = binary(n)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], "a label that is not looked at"

    def factors(self, index):
        return self.x[index, :2].long()


@pytest.fixture
def linear():
    """A linear pair whose guide is off, β = 3, and its exact population values under x ~ N(b, C)."""
    sigma = 0.7
    w = np.array([[1.5, 0.3], [0.0, 1.0], [-0.5, 0.2], [0.4, -1.0]])
    b, c = np.array([0.5, -1.0, 0.0, 2.0]), np.array([0.3, -0.2])
    v = np.linalg.solve(w.T @ w + sigma**2 * np.eye(2), w.T) + 0.05
    s = np.array([0.3, 0.5])
    decoder = pg.nn.LinearDecoder((4,), 2, pg.nn.Gaussian(sigma))
    pair = pg.models.VAE(pg.nn.LinearEncoder((4,), 2), decoder, beta=3.0).double()
    pair.decoder.likelihood.log_scale.fill_(math.log(sigma))
    values = {
        pair.encoder.loc.weight: v,
        pair.encoder.loc.bias: c - v @ b,
        pair.encoder.log_variance: np.log(s),
        pair.decoder.loc.weight: w,
        pair.decoder.loc.bias: b,
    }
    for parameter, value in values.items():
        parameter.data.copy_(torch.from_numpy(value))
    covariance = w @ w.T + sigma**2 * np.eye(4)
    rest = np.eye(4) - w @ v  # x − Wμ(x) − b = rest (x − b) − Wc
    error = np.trace(rest @ covariance @ rest.T) + ((w @ c) ** 2).sum() + np.trace(w * s @ w.T)
    spread = np.diag(v @ covariance @ v.T)  # of the posterior means over x
    exact = {
        "reconstruction": error / (2 * sigma**2) + 2 * math.log(2 * math.pi * sigma**2),
        "kl": 0.5 * (spread + c**2 + s - 1 - np.log(s)).sum(),
        "nll": 0.5 * np.linalg.slogdet(2 * math.pi * math.e * covariance)[1],
    }
    exact["elbo"] = -exact["reconstruction"] - exact["kl"]
    exact["objective"] = exact["reconstruction"] + 3 * exact["kl"]
    images = np.random.default_rng(3).multivariate_normal(b, covariance, size=4_000)
    return pair, torch.from_numpy(images), exact


def test_every_term_agrees_with_its_closed_form_within_its_own_standard_error(linear):
    pair, x, exact = linear
    # With K = 400 the bound stays below the evidence by 0.0015 nats, measured: a fifteenth of its standard error.
    scores = pg.evaluate(pair, x, nll_images=4_000, importance_samples=400)
    for name, value in exact.items():
        error = scores.standard_errors[name]
        assert 0 < error < 0.02 * abs(value) + 0.1, name  # small enough to tell
        assert abs(getattr(scores, name) - value) < Z * error, name
    assert exact["nll"] + exact["elbo"] < -0.9  # the guide is off, so the ELBO is far from the evidence


def test_the_terms_are_consistent_with_one_another(linear):
    pair, x, _ = linear
    scores = pg.evaluate(pair, x, images=500)
    assert scores.elbo == pytest.approx(-(scores.reconstruction + scores.kl), rel=1e-12)
    assert scores.objective == pytest.approx(scores.reconstruction + 3 * scores.kl, rel=1e-12)
    assert sum(scores.kl_per_latent) == pytest.approx(scores.kl, rel=1e-12)
    assert len(scores.kl_per_latent) == 2
    assert scores.beta == 3.0


def test_kl_and_its_standard_error_are_those_of_the_images(linear):
    pair, x, _ = linear
    scores = pg.evaluate(pair, x)
    q = pair.encode(x)
    kl = (0.5 * (q.mean**2 + q.variance - 1 - q.variance.log())).detach().numpy()
    assert scores.kl == pytest.approx(kl.sum(1).mean(), rel=1e-12)
    assert scores.kl_per_latent == pytest.approx(kl.mean(0), rel=1e-12)
    assert scores.standard_errors["kl"] == pytest.approx(kl.sum(1).std(ddof=1) / math.sqrt(4_000), rel=1e-12)


@every_pair
def test_every_pair_is_evaluated(case):
    pair = case.make()
    scores = pg.evaluate(pair, case.images(40), importance_samples=20)
    assert (scores.kl_per_latent is not None) == (case.analytic and case.guide == "normal")
    assert (scores.active_units is not None) == (case.guide == "normal")
    if scores.kl_per_latent is not None:
        assert sum(scores.kl_per_latent) == pytest.approx(scores.kl, rel=1e-12)
    constant = {"kl"} if case.guide == "code" else set()  # T log K under a uniform prior
    assert all(math.isfinite(e) and (e > 0 or name in constant) for name, e in scores.standard_errors.items())
    bounds = {"elbo", "kl", "nll"} if case.guide != "point" else set()
    parts = set(scores.extra) if case.name == "total correlation" else set()
    assert scores.standard_errors.keys() == {"reconstruction", "objective"} | bounds | parts


@pytest.mark.parametrize("images", [30, 7])
@pytest.mark.parametrize("batch_size", [4, 1000])
def test_the_sizes_are_kept_and_stated(images, batch_size):
    sizes = {"images": images, "nll_images": 5, "importance_samples": 3, "batch_size": batch_size}
    scores = pg.evaluate(pair_of(), binary(20), **sizes)
    assert (scores.images, scores.nll_images, scores.importance_samples) == (min(images, 20), 5, 3)


def test_all_images_are_seen_once_when_all_are_asked_for():
    seen = []

    class Watched(WithFactors):
        def images(self, index):
            seen.extend(index.tolist())
            return self.x[index]

    pg.evaluate(pair_of(), Watched(50), nll_images=1, importance_samples=1, batch_size=7)
    checked, planned, elbo, nll = seen[:8], seen[8:16], seen[16:66], seen[66:]
    assert checked == list(range(8))
    assert planned == elbo[:8]
    assert sorted(elbo) == list(range(50))
    assert nll == elbo[:1]


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_it_leaves_everything_as_it_was(mode, fails):
    pair, data = pair_of(beta=2.0), WithFactors(30)
    pair.train(mode)
    pair.encoder.train(not mode)  # a part that was frozen on its own
    pair.decode(torch.zeros(1, 2)).mean.sum().backward()
    pyro.param("theirs", torch.ones(3))
    before = {name: tensor.clone() for name, tensor in pair.state_dict().items()}
    gradients = [None if p.grad is None else p.grad.clone() for p in pair.parameters()]
    modes = [module.training for module in pair.modules()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002

    def metric(codes, factors):
        if fails:
            raise RuntimeError("on purpose")
        return 0.5

    try:
        pg.evaluate(pair, data, [metric])
    except RuntimeError:
        assert fails
    assert all(torch.equal(tensor, before[name]) for name, tensor in pair.state_dict().items())
    for parameter, gradient in zip(pair.parameters(), gradients, strict=True):
        assert parameter.requires_grad
        assert (parameter.grad is None) if gradient is None else torch.equal(parameter.grad, gradient)
    assert [module.training for module in pair.modules()] == modes
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert random.getstate() == states[2]
    assert set(pyro.get_param_store().keys()) == {"theirs"}
    assert torch.is_grad_enabled()


def test_dropout_is_off_while_it_scores():
    pair = pair_of()
    pair.encoder.network.insert(0, torch.nn.Dropout(0.5))
    pair.train()
    assert pg.evaluate(pair, x := binary(30)).kl == pg.evaluate(pair.eval(), x).kl


def test_the_seed_alone_decides():
    pair, x = pair_of(), binary(40)
    sizes = {"images": 20, "importance_samples": 5}
    first = pg.evaluate(pair, x, seed=1, **sizes)
    torch.manual_seed(99)
    assert pg.evaluate(pair, x, seed=1, **sizes) == first
    other = pg.evaluate(pair, x, seed=2, **sizes)
    assert other.kl != first.kl  # other images
    whole = [pg.evaluate(pair, x, seed=seed, importance_samples=5) for seed in (1, 2)]
    assert whole[0].kl == pytest.approx(whole[1].kl)  # the same images in another order
    assert whole[0].reconstruction != pytest.approx(whole[1].reconstruction, rel=1e-9)  # other draws


def test_active_units_are_the_latents_whose_means_move():
    pair = pg.models.VAE(pg.nn.LinearEncoder((4,), 3), pg.nn.LinearDecoder((4,), 3)).double()
    x = torch.zeros(100, 4, dtype=torch.float64)
    x[::2, 0] = 1.0  # of variance 25/99 under the sample's own mean
    weight = torch.zeros(3, 4, dtype=torch.float64)
    weight[:, 0] = torch.tensor([math.sqrt(0.0101 * 99 / 25), math.sqrt(0.0099 * 99 / 25), 0.0])
    pair.encoder.loc.weight.data.copy_(weight)
    assert pg.evaluate(pair, x, importance_samples=1).active_units == 1
    pair.encoder.loc.weight.data.mul_(1.1)
    assert pg.evaluate(pair, x, importance_samples=1).active_units == 2


def test_metrics_get_posterior_means_factors_and_what_they_ask_for():
    pair, data, got = pair_of(), WithFactors(30), {}

    def plain(codes, factors):
        got["plain"] = codes, factors
        return 0.25

    def curious(codes, factors, *, scale, factor_names):
        got["curious"] = codes, factors, scale, factor_names
        return 0.5

    scores = pg.evaluate(pair, data, [plain, curious], seed=4)
    assert scores.metrics == {"plain": 0.25, "curious": 0.5}
    index = torch.randperm(30, generator=torch.Generator().manual_seed(4))
    q = pair.encode(data.x[index])
    for codes, factors, *_ in got.values():
        np.testing.assert_allclose(codes, q.mean.detach().double().numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(factors, data.factors(index).numpy())
        assert codes.dtype == np.float64
    np.testing.assert_allclose(got["curious"][2], q.stddev.detach().double().numpy(), rtol=1e-5)
    assert got["curious"][3] == ("left", "right")


def test_metrics_are_named_after_what_they_fix():
    posterior = functools.partial(pg.metrics.mig, estimator="posterior", samples=50)
    bins = [functools.partial(pg.metrics.mig, bins=n) for n in (3, 30)]
    scores = pg.evaluate(pair_of(), WithFactors(60), [pg.metrics.mig, posterior, *bins])
    assert list(scores.metrics) == ["mig", "mig_posterior", "mig 2", "mig 3"]
    written = scores.to_dict()["metrics"]
    assert [written[name]["estimator"] for name in written] == ["histogram", "posterior", "histogram", "histogram"]
    assert [written[name]["settings"].get("bins") for name in written] == [20, None, 3, 30]
    assert all(isinstance(score, Score) for score in scores.metrics.values())


def test_a_setting_that_is_fixed_is_not_given_again():
    ones = np.ones((60, 2))
    fixed = functools.partial(pg.metrics.mig, estimator="posterior", scale=ones, samples=50)
    free = functools.partial(pg.metrics.mig, estimator="posterior", samples=50)
    scores = pg.evaluate(pair_of(), WithFactors(60), [fixed, free])
    assert scores.metrics["mig_posterior"] != scores.metrics["mig_posterior 2"]


def test_metrics_need_factors():
    with pytest.raises(ValueError, match=r"data must have a method factors\(index\) for metrics, got a "):
        pg.evaluate(pair_of(), binary(10), [pg.metrics.mig])


def of_nothing(*_):
    raise AssertionError("the images were looked at")


LEFT_OUT = functools.partial(pg.metrics.mig, leave_out="top")
NO_METRIC = {
    "a name": (["mig"], TypeError, "metrics must be a list of functions of .*, got the entry 'mig'$"),
    "one name": ("mig", TypeError, "metrics must be a list of functions of .*, got 'mig'$"),
    "a score": ([0.5], TypeError, "got the entry 0.5$"),
    "of factors": ([pg.metrics.entropy], TypeError, r"got entropy, which takes \(.*\)$"),
    "of samples": (
        [pg.metrics.mig, pg.metrics.energy_distance],
        TypeError,
        r"got energy_distance, which takes \(x, y\)$",
    ),
    "one more": ([lambda codes, factors, depth: 0.0], TypeError, "cannot be called so: missing .* 'depth'$"),
    "no preset": (
        [functools.partial(pg.metrics.dci, preset="papr")],
        ValueError,
        "^the metric 'dci_papr' cannot score these data: preset must be one of 'forest'",
    ),
    "no factor": ([LEFT_OUT], ValueError, "^the metric 'mig_top' cannot score these data: leave_out must name factors"),
}


@pytest.mark.parametrize(("metrics", "kind", "message"), NO_METRIC.values(), ids=NO_METRIC)
def test_what_is_no_metric_is_refused_before_any_work(metrics, kind, message, monkeypatch):
    monkeypatch.setattr(pg.models.VAE, "guide", of_nothing)
    with pytest.raises(kind, match=message):
        pg.evaluate(pair_of(), WithFactors(30), metrics)


def test_factors_that_cannot_be_scored_are_refused_before_any_work(monkeypatch):
    class One(WithFactors):
        factor_names = ("left",)

        def factors(self, index):
            return super().factors(index)[:, :1]

    still = WithFactors(30)
    still.x[:, 1] = 0
    monkeypatch.setattr(pg.models.VAE, "guide", of_nothing)
    with pytest.raises(ValueError, match=r"^the metric 'sap' cannot score these data: .*got one in 'right'"):
        pg.evaluate(pair_of(), still, [pg.metrics.sap])
    for metric in (pg.metrics.factor_vae_score, pg.metrics.beta_vae_score, pg.metrics.info_modularity):
        with pytest.raises(ValueError, match=f"'{metric.__name__}' cannot score .* at least two for .*'left' alone"):
            pg.evaluate(pair_of(), One(30), [metric])
    monkeypatch.undo()
    left = functools.partial(pg.metrics.explicitness, leave_out="right")
    assert pg.evaluate(pair_of(), still, [left]).metrics["explicitness_right"] > 0  # what is left out may be constant
    assert pg.evaluate(pair_of(), One(30), [pg.metrics.info_compactness]).metrics["info_compactness"] >= 0


@pytest.mark.parametrize(
    ("error", "kind"), [(ValueError("too few"), ValueError), (KeyError("too few"), RuntimeError), (None, TypeError)]
)
def test_a_metric_that_fails_is_named(error, kind):
    def fragile(codes, factors):
        if error is not None:
            raise error
        return ["no number"]

    with pytest.raises(kind, match=r"^the metric 'fragile' failed: .*(too few|must be a)") as caught:
        pg.evaluate(pair_of(), WithFactors(30), [pg.metrics.mig, fragile], importance_samples=1)
    assert error is None or caught.value.__cause__ is error


@pytest.mark.parametrize("progress", [True, False])
def test_the_bar_says_which_metric_runs(progress, capsys):
    pg.evaluate(pair_of(), WithFactors(30), [pg.metrics.mig], importance_samples=1, progress=progress)
    text = capsys.readouterr().err
    assert ("metrics:" in text) == progress


def test_json_says_it_all_and_comes_back(tmp_path):
    scores = pg.evaluate(pair_of(beta=2.0), WithFactors(40), [pg.metrics.mig], importance_samples=5)
    text = scores.to_json(tmp_path / "deep" / "scores.json")
    assert (tmp_path / "deep" / "scores.json").read_text(encoding="utf-8") == text
    back = json.loads(text)
    assert back == json.loads(json.dumps(scores.to_dict()))
    for name in ("elbo", "reconstruction", "kl", "objective", "nll", "beta", "kl_per_latent", "standard_errors"):
        assert back[name] == getattr(scores, name)
    assert back["unit"] == "nats per image"
    assert back["metrics"]["mig"]["value"] == scores.metrics["mig"]


def test_one_image_has_no_standard_error_and_its_json_is_standard():
    scores = pg.evaluate(pair_of(), binary(1), importance_samples=2)
    assert scores.standard_errors["elbo"] == math.inf
    assert scores.active_units == 0

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(scores.to_json(), parse_constant=refuse)["standard_errors"]["elbo"] is None


def test_the_text_has_each_term_with_its_error():
    scores = pg.evaluate(pair_of(), WithFactors(40), [pg.metrics.mig])
    text = str(scores)
    for name in ("elbo", "reconstruction", "kl", "objective", "nll"):
        assert f"{getattr(scores, name):.3f} ± {scores.standard_errors[name]:.3f} nats per image" in text
    assert f"{scores.metrics['mig']:.3f}" in text
    assert "of 2" in text


@pytest.mark.parametrize("name", ["images", "nll_images", "batch_size", "importance_samples"])
def test_sizes_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got 0"):
        pg.evaluate(pair_of(), binary(10), **{name: 0})
    for wrong in (math.nan, 1.5, True, "3"):
        with pytest.raises(TypeError, match=f"{name} must be a whole number of at least 1, got "):
            pg.evaluate(pair_of(), binary(10), **{name: wrong})


def test_what_is_no_pair_or_no_data_is_refused():
    with pytest.raises(TypeError, match="pair must be a pyrogen pair, got a Linear"):
        pg.evaluate(torch.nn.Linear(2, 2), binary(10))
    with pytest.raises(TypeError, match="data must be a tensor"):
        pg.evaluate(pair_of(), 5)
    with pytest.raises(ValueError, match="images must have shape"):
        pg.evaluate(pair_of(), binary(10, 5))
    with pytest.raises(ValueError, match="continuous_bernoulli"):
        pg.evaluate(pair_of(), torch.full((10, 4), 0.5))
    with pytest.raises(ValueError, match="empty"):
        pg.evaluate(pair_of(), binary(0))


def test_a_part_of_dsprites_is_data_with_factors():
    _, test = pg.datasets.DSprites(cache=None).split(10, 40, seed=0)
    encoder = pg.nn.MLPEncoder((1, 64, 64), 3, hidden=(8,))
    pair = pg.models.VAE(encoder, pg.nn.MLPDecoder((1, 64, 64), 3, hidden=(8,))).double()
    index = torch.arange(40)
    scores = pg.evaluate(pair, test, [pg.metrics.mig], nll_images=3, importance_samples=2)
    codes = pair.encode(test.images(index)).mean.detach().double().numpy()
    assert scores.metrics["mig"] == pytest.approx(pg.metrics.mig(codes, test.factors(index).numpy()), abs=1e-9)
    assert list(scores.metrics["mig"].details["gaps"]) == ["shape", "scale", "orientation", "posX", "posY"]


def test_a_function_of_your_own_may_name_its_arguments_as_it_likes():
    scores = pg.evaluate(pair_of(), WithFactors(30), metrics=[lambda z, v: float(len(z) == len(v) == 30)])
    assert list(scores.metrics.values()) == [1.0]
