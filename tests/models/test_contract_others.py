"""What pairs with several latents or with labels promise, over all of OTHERS in tests/cases.py."""

import copy
import math

import pyro
import pytest
import torch
from cases import every_other
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO

import pyrogen as pg
from pyrogen.training import elbo_terms

Z = 5.5  # standard errors: a false alarm has probability below 4e-8 for a normal mean


def pyro_elbo(pair):
    return TraceEnum_ELBO(max_plate_nesting=1) if pair.enumerates else Trace_ELBO()


@every_other
def test_model_and_guide_share_latents_and_the_plate(other):
    pair, batch = other.make(), other.batch(6)
    guide = poutine.trace(pair.guide).get_trace(*batch)
    model = poutine.trace(poutine.replay(pair.model, trace=guide)).get_trace(*batch)
    for name in other.latents:
        for trace in (guide, model):
            frames = trace.nodes[name]["cond_indep_stack"]
            assert [(frame.name, frame.size, frame.dim) for frame in frames] == [("data", 6, -1)]
    assert model.nodes["x"]["is_observed"]
    names = {f"{pair.name}$$${name}" for name, _ in pair.named_parameters()}
    for trace in (guide, model):
        assert {name for name, site in trace.nodes.items() if site["type"] == "param"} == names


@every_other
def test_the_objective_is_pyros_loss_on_average(other):
    pair, batch = other.make(), other.batch(20)
    torch.manual_seed(0)
    with torch.no_grad():
        ours = torch.stack([elbo_terms(pair, batch).objective for _ in range(40)])
    theirs = torch.tensor([pyro_elbo(pair).loss(pair.model, pair.guide, *batch) / 20 for _ in range(40)])
    error = math.sqrt((ours.var() + theirs.var()) / 40)
    assert abs(ours.mean() - theirs.mean()) < Z * error + 1e-9


@every_other
def test_a_batch_counts_as_the_whole(other):
    pair, batch = other.make(), other.batch(6)
    losses = []
    for size in (None, 24):
        torch.manual_seed(3)
        losses.append(pyro_elbo(pair).loss(pair.model, pair.guide, *batch, size=size))
    assert losses[1] == pytest.approx(4 * losses[0], rel=1e-12)


@every_other
def test_every_parameter_gets_a_gradient(other):
    pair, batch = other.make(), other.batch(16)
    elbo_terms(pair, batch).objective.backward()
    for name, parameter in pair.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@every_other
def test_svi_trains_it(other):
    pair, batch = other.make(), other.batch(32)
    elbo = pyro_elbo(pair)
    svi = SVI(pair.model, pair.guide, pyro.optim.Adam({"lr": 5e-3}), elbo)

    def loss():
        torch.manual_seed(0)
        return elbo.loss(pair.model, pair.guide, *batch)

    before = loss()
    for _ in range(30):
        svi.step(*batch)
    assert loss() < before


@every_other
def test_copies_and_files_keep_every_bit(other, tmp_path):
    pair, batch = other.make(), other.batch(6)
    pg.save(pair, tmp_path / "pair")
    for again in (copy.deepcopy(pair), pg.load(tmp_path / "pair")):
        assert again.name != pair.name
        assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in pair.state_dict().items())
        losses = []
        for one in (pair, again):
            torch.manual_seed(0)
            losses.append(elbo_terms(one, batch).objective.item())
        assert losses[0] == losses[1]


@every_other
def test_scores_name_each_latent_and_keep_the_order_of_bounds(other):
    pair, batch = other.make(), other.batch(60)
    before = {name: tensor.clone() for name, tensor in pair.state_dict().items()}
    scores = pg.evaluate(pair, batch if len(batch) > 1 else batch[0], importance_samples=30)
    assert {name for name, site in scores.sites.items() if "kl" in site} == set(other.latents)
    error = math.hypot(scores.standard_errors["nll"], scores.standard_errors["elbo"])
    assert scores.nll <= -scores.elbo + Z * error
    assert sum(scores.sites[name]["kl"] for name in other.latents) == pytest.approx(scores.kl, rel=1e-9)
    if len(other.latents) > 1:
        assert {f"kl_{name}" for name in other.latents} <= set(scores)
        assert all(f"kl of {name}" in str(scores) for name in other.latents)
    assert all(torch.equal(tensor, before[name]) for name, tensor in pair.state_dict().items())
    assert set(pyro.get_param_store().keys()) == set()
