"""What every pair promises, over all pairs of tests/cases.py, in float64 and against sums written by hand."""

import copy
import inspect
import math

import pyro
import pytest
import torch
from cases import CASES, every_pair, normal_log_density
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO, TraceMeanField_ELBO

import pyrogen as pg
from pyrogen.training import elbo_terms

N_TIMES_B = 4
EXACT = {"rel": 1e-12}


def trace_of(fn, *args):
    return poutine.trace(fn).get_trace(*args)


@every_pair
def test_every_weight_given_as_a_number_can_be_set_to_another(case):
    pair = case.make()
    given = [name for name in inspect.signature(type(pair)).parameters if pair._buffers.get(name) is not None]
    for name in [name for name in given if not getattr(pair, name).shape]:
        setattr(pair, name, 2.0)
        assert getattr(pair, name).item() == 2.0


def model_trace(case, pair, x):
    """The model's own trace; at the guide's codes where the prior cannot be drawn from."""
    return trace_of(pair.model if case.proper else poutine.replay(pair.model, trace_of(pair.guide, x)), x)


def by_hand(case, pair, x, seed, analytic, size=None):
    """(−log p(x | z), KL, weighted charges) summed over the batch, at the z that a guide with this seed draws first.

    Where the guide is a point the KL is −log p(z), and so it is for a code from a finite set.
    """
    torch.manual_seed(seed)
    q = pair.encode(x)
    z = q.mean
    if case.guide == "normal":
        z = z + q.stddev * torch.randn(len(x), *case.code_shape, dtype=torch.float64)
    if case.guide != "normal":
        kl = -case.log_prior(z).sum()
    elif analytic:
        kl = 0.5 * (q.mean**2 + q.variance - 1 - torch.log(q.variance)).sum()
    else:
        kl = (normal_log_density(z, q.mean, q.stddev) - case.log_prior(z)).sum()
    charges = case.charges(pair, x, z, size or len(x)).values()
    charged = sum(float(weight) * nats.sum().item() for weight, nats in charges)
    return -pair.decode(z).log_prob(x).sum().item(), kl.item(), charged


def charged(case, pair, x):
    """The names of what the guide is charged."""
    return set(case.charges(pair, x, pair.encode(x).mean, len(x)))


def pyro_loss(elbo, pair, x, size=None, seed=0):
    torch.manual_seed(seed)
    return elbo.loss(pair.model, pair.guide, x, size)


@every_pair
def test_model_and_guide_share_sites_and_plates(case):
    pair, x = case.make(), case.images(6)
    model, guide = model_trace(case, pair, x), trace_of(pair.guide, x)
    for trace, names in ((model, {"data", "z", "x"}), (guide, {"data", "z"} | charged(case, pair, x))):
        sites = {name: site for name, site in trace.nodes.items() if site["type"] == "sample"}
        assert sites.keys() == names
        for name in names - {"data"}:
            assert [(frame.name, frame.size, frame.dim) for frame in sites[name]["cond_indep_stack"]] == [
                ("data", 6, -1)
            ]
            assert sites[name]["fn"].batch_shape == (6,)
    assert model.nodes["x"]["is_observed"]
    assert guide.nodes["z"]["value"].shape == model.nodes["z"]["value"].shape == (6, *case.code_shape)
    assert pair.code_shape == case.code_shape
    assert pair.latent == math.prod(case.code_shape)
    torch.testing.assert_close(model.nodes["x"]["value"], x, rtol=0, atol=0)


@every_pair
def test_model_and_guide_each_register_every_parameter(case):
    """Either can then be trained beside a program of a user's."""
    pair, x = case.make(), case.images(2)
    names = {f"{pair.name}$$${name}" for name, _ in pair.named_parameters()}
    for trace in (model_trace(case, pair, x), trace_of(pair.guide, x)):
        assert {name for name, site in trace.nodes.items() if site["type"] == "param"} == names


@every_pair
@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3)])
def test_shapes_follow_the_batch(case, batch):
    pair = case.make()
    x = case.images(math.prod(batch)).reshape(*batch, *case.shape)
    codes = case.codes(pair, math.prod(batch)).reshape(*batch, *case.code_shape)
    q, p = pair.encode(x), pair.decode(codes)
    assert (q.batch_shape, q.event_shape) == (batch, case.code_shape)
    assert (p.batch_shape, p.event_shape) == (batch, pair.shape)
    assert pair.reconstruct(x).shape == (*batch, *pair.shape)


@every_pair
def test_the_prior_is_one_distribution_over_codes_with_the_density_it_should_have(case):
    pair = case.make()
    prior, z = pair.prior(), case.codes(pair, 4)
    assert (prior.batch_shape, prior.event_shape) == ((), case.code_shape)
    torch.testing.assert_close(prior.log_prob(z).double(), case.log_prior(z), rtol=1e-12, atol=0)


@every_pair
def test_samples_and_reconstructions_are_images_without_a_gradient(case):
    pair, x = case.make(), case.images(4)
    if not case.proper:
        with pytest.raises(ValueError, match="flat"):
            pair.sample(5)
    samples = (pair.sample(5), pair.sample(5, mean=False)) if case.proper else ()
    for images in (*samples, pair.reconstruct(x)):
        assert images.shape[1:] == case.shape
        assert images.dtype == torch.float64
        assert not images.requires_grad
        pair.check(images.round() if case.pixels == "binary" else images)
    torch.testing.assert_close(pair.reconstruct(x), pair.decode(pair.encode(x).mean).mean, rtol=0, atol=0)
    if case.pixels == "binary" and case.proper:
        assert set(pair.sample(5, mean=False).unique().tolist()) == {0.0, 1.0}
        assert 0 < pair.sample(5).min() < pair.sample(5).max() < 1


@every_pair
def test_the_mean_field_loss_is_reconstruction_plus_beta_kl(case):
    pair, x = case.make(), case.images(6)
    reconstruction, kl, charged = by_hand(case, pair, x, 7, case.analytic)
    loss = pyro_loss(TraceMeanField_ELBO(), pair, x, seed=7)
    assert loss == pytest.approx(reconstruction + case.weight(pair) * kl + charged, **EXACT)


@every_pair
def test_the_monte_carlo_loss_is_reconstruction_plus_beta_times_its_estimate(case):
    pair, x = case.make(), case.images(6)
    reconstruction, kl, charged = by_hand(case, pair, x, 7, analytic=False)
    loss = pyro_loss(Trace_ELBO(), pair, x, seed=7)
    assert loss == pytest.approx(reconstruction + case.weight(pair) * kl + charged, **EXACT)


@every_pair
@pytest.mark.parametrize("size", [None, 24])
def test_the_terms_are_unweighted_and_their_objective_is_pyros_loss_per_image(case, size):
    pair, x = case.make(), case.images(6)
    torch.manual_seed(3)
    terms = elbo_terms(pair, x, size)
    loss = pyro_loss(TraceMeanField_ELBO(), pair, x, size, seed=3)
    assert terms.objective.item() == pytest.approx(loss / (size or len(x)), **EXACT)
    reconstruction, kl, _ = by_hand(case, pair, x, 3, case.analytic, size)
    assert terms.reconstruction["x"].item() == pytest.approx(reconstruction / len(x), **EXACT)
    if case.guide == "point":
        assert terms.kl == {}
        assert terms.penalty["z"].item() == pytest.approx(kl / len(x), **EXACT)
    else:
        assert terms.penalty == {}
        assert terms.kl["z"].sum().item() == pytest.approx(kl / len(x), **EXACT)
        assert len(terms.kl["z"]) == (pair.latent if case.guide == "normal" and case.analytic else 1)
    torch.manual_seed(3)
    z = trace_of(pair.guide, x, size).nodes["z"]["value"]  # the draw of the terms
    expected = case.charges(pair, x, z, size or len(x))
    assert terms.charges.keys() == expected.keys()
    for name, (_, nats) in expected.items():
        assert terms.charges[name].item() == pytest.approx(nats.mean().item(), **EXACT)


@every_pair
@pytest.mark.parametrize("elbo", [Trace_ELBO, TraceMeanField_ELBO])
def test_a_batch_counts_as_the_whole_data_set(case, elbo):
    if not case.additive:
        pytest.skip("an estimate of the aggregated posterior depends on N")
    pair, x = case.make(), case.images(6)
    whole = pyro_loss(elbo(), pair, x, size=N_TIMES_B * len(x))
    assert whole == pytest.approx(N_TIMES_B * pyro_loss(elbo(), pair, x), **EXACT)


@every_pair
@pytest.mark.parametrize("elbo", [Trace_ELBO, TraceMeanField_ELBO])
def test_batches_average_to_the_whole(case, elbo, monkeypatch):
    """With ε = 0 nothing is random, so the mean over the batches of an epoch is the loss of all images."""
    if not case.additive:
        pytest.skip("an estimate of the aggregated posterior depends on the batch")
    monkeypatch.setattr(
        "torch.distributions.normal._standard_normal", lambda shape, dtype, device: torch.zeros(shape, dtype=dtype)
    )
    pair, x = case.make(), case.images(12)
    parts = [pyro_loss(elbo(), pair, part, size=12) for part in x.split(3)]
    assert sum(parts) / len(parts) == pytest.approx(pyro_loss(elbo(), pair, x), **EXACT)
    assert len(set(parts)) == 4  # so that the mean says something


@every_pair
def test_every_parameter_gets_a_finite_gradient_that_is_not_zero(case):
    pair, x = case.make(), case.images(16)
    elbo_terms(pair, x).objective.backward()
    names = dict(pair.named_parameters())
    assert names
    for name, parameter in names.items():
        assert torch.isfinite(parameter.grad).all(), name
        if name.startswith("_prior") and pair.beta == 0:
            continue
        assert parameter.grad.abs().max() > 0, name


@every_pair
def test_pyros_gradient_is_that_of_the_terms(case):
    pair, x = case.make(), case.images(6)
    elbo = TraceMeanField_ELBO()
    torch.manual_seed(0)
    elbo.loss_and_grads(pair.model, pair.guide, x)
    theirs = {name: p.grad.clone() for name, p in pair.named_parameters()}
    pair.zero_grad()
    torch.manual_seed(0)
    (len(x) * elbo_terms(pair, x).objective).backward()
    for name, parameter in pair.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs[name], rtol=1e-10, atol=1e-12)


def train(pair, x, steps, lr=5e-3, elbo=None):
    svi = SVI(pair.model, pair.guide, pyro.optim.Adam({"lr": lr}), elbo or TraceMeanField_ELBO())
    return [svi.step(x) for _ in range(steps)]


@every_pair
def test_svi_trains_it(case):
    pair, x = case.make(), case.images(32)
    before = {name: p.detach().clone() for name, p in pair.named_parameters()}
    loss = pyro_loss(TraceMeanField_ELBO(), pair, x)
    train(pair, x, 30)
    assert pyro_loss(TraceMeanField_ELBO(), pair, x) < loss  # at the same noise
    for name, parameter in pair.named_parameters():
        assert not torch.equal(parameter, before[name]), name
    assert set(pyro.get_param_store().keys()) == {f"{pair.name}$$${name}" for name in before}


def storage(pair):
    return {tensor.data_ptr() for tensor in pair.state_dict().values()}


@every_pair
@pytest.mark.parametrize("how", ["made anew", "deep copy"])
def test_two_pairs_never_share_a_weight(case, how):
    first, x = case.make(), case.images(8)
    train(first, x, 1)  # so that the parameter store knows the first when the second comes
    second = copy.deepcopy(first) if how == "deep copy" else case.make()
    assert first.name != second.name
    assert storage(first).isdisjoint(storage(second))
    kept = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    untrained = {name: p.detach().clone() for name, p in second.named_parameters()}
    train(second, x, 2)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in first.state_dict().items())
    assert not any(torch.equal(p, untrained[name]) for name, p in second.named_parameters())
    train(first, x, 2)
    assert not any(torch.equal(p, kept[name]) for name, p in first.named_parameters())
    assert storage(first).isdisjoint(storage(second))
    store = pyro.get_param_store()
    for pair in (first, second):
        assert all(store[f"{pair.name}$$${name}"].data_ptr() == p.data_ptr() for name, p in pair.named_parameters())


@every_pair
def test_a_deep_copy_computes_the_same(case):
    pair, x = case.make(), case.images(6)
    assert pyro_loss(Trace_ELBO(), copy.deepcopy(pair), x) == pyro_loss(Trace_ELBO(), pair, x)


@every_pair
def test_saving_and_loading_keeps_every_bit(case, tmp_path):
    pair, x = case.make(), case.images(6)
    train(pair, x, 2)
    pg.save(pair, tmp_path / "pair")
    loaded = pg.load(tmp_path / "pair")
    assert type(loaded) is type(pair)
    assert (loaded.shape, loaded.latent) == (pair.shape, pair.latent)
    ours, theirs = pair.state_dict(), loaded.state_dict()
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert theirs[name].dtype == tensor.dtype == torch.float64
        assert torch.equal(theirs[name], tensor), name
    for elbo in (Trace_ELBO(), TraceMeanField_ELBO()):
        assert pyro_loss(elbo, loaded, x) == pyro_loss(elbo, pair, x)
    if case.proper:
        torch.manual_seed(0)
        sample = pair.sample(3)
        torch.manual_seed(0)
        assert torch.equal(loaded.sample(3), sample)
    assert loaded.name != pair.name
    assert pg.config.describe(loaded) == pg.config.describe(pair)


@every_pair
def test_images_of_any_number_type_are_taken(case):
    pair, x = case.make(), case.images(6)
    other = x.to(torch.uint8) if case.pixels == "binary" else x.float()
    assert pyro_loss(Trace_ELBO(), pair, other) == pytest.approx(pyro_loss(Trace_ELBO(), pair, other.double()), **EXACT)


@every_pair
def test_images_of_another_shape_are_refused(case):
    pair, x = case.make(), case.images(6)
    with pytest.raises(ValueError, match=r"images must have shape \(\*batch, "):
        pair.check(x[..., :-1])
    for program in (pair.model, pair.guide):
        for wrong in (x[..., :-1], x[..., :1], x[0], x[None], x.sum()):  # also what would broadcast
            with pytest.raises(ValueError, match=r"x must be a batch \(B, "):
                program(wrong)
        with pytest.raises(ValueError, match="size must be at least the 6 images of the batch, got 5"):
            program(x, 5)
        with pytest.raises(TypeError, match=r"x must be a torch\.Tensor, got a list"):
            program(x.tolist())


@every_pair
def test_evaluation_reports_the_terms_and_no_bound_where_there_is_none(case):
    """The objective is that of training on the same images; a point in a continuous space gives no ELBO, KL or NLL."""
    pair, x = case.make().eval(), case.images(8)
    before = {name: tensor.clone() for name, tensor in pair.state_dict().items()}
    scores = pg.evaluate(pair, x, importance_samples=3, seed=5)
    torch.manual_seed(5)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(5))
    terms = elbo_terms(pair, x[order])
    assert scores.objective == pytest.approx(terms.objective.item(), **EXACT)
    assert scores.reconstruction == pytest.approx(terms.reconstruction["x"].item(), **EXACT)
    bounds = (scores.elbo, scores.kl, scores.nll)
    if case.guide == "point":
        assert bounds == (None, None, None)
        assert "no ELBO" in str(scores)
        assert scores.extra["penalty"] == pytest.approx(terms.penalty["z"].item(), **EXACT)
    else:
        assert scores.kl == pytest.approx(terms.kl["z"].sum().item(), **EXACT)
        assert scores.elbo == pytest.approx(-scores.reconstruction - scores.kl, **EXACT)
        if case.guide == "code":
            assert scores.nll == pytest.approx(-scores.elbo, **EXACT)
    for name, value in (terms.charges | terms.monitored).items():
        assert scores.extra[name] == pytest.approx(value.item(), **EXACT)
    assert all(torch.equal(tensor, before[name]) for name, tensor in pair.state_dict().items())


def test_the_suite_runs_over_each_kind_of_pair():
    kinds = {type(case.make().decoder.likelihood) for case in CASES}
    assert kinds >= {pg.nn.Bernoulli, pg.nn.Gaussian, pg.nn.ContinuousBernoulli}
    assert {case.make().beta.item() for case in CASES} >= {0.0, 0.5, 1.0, 4.0}
    assert {case.analytic for case in CASES} == {True, False}
