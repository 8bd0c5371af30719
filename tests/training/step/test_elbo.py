"""The loss of anyone's programs: terms that add up under scales, masks and particles."""

import warnings
from types import SimpleNamespace

import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch.distributions import kl_divergence

import pyrogen as pg
from pyrogen.training.step import choice
from pyrogen.training.step.elbo import _columns, loss_and_gradients
from pyrogen.training.step.objective import ProgramsObjective, cast

X = torch.tensor([0.5, -1.0, 2.0])


def model(x):
    with pyro.plate("data", len(x)), poutine.scale(scale=2.0):
        with poutine.mask(mask=x > 0):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def guide(x):
    loc = pyro.param("loc", torch.tensor(1.0))
    with pyro.plate("data", len(x)), poutine.scale(scale=2.0), poutine.mask(mask=x > 0):
        pyro.sample("z", dist.Normal(loc, 0.5))


@pytest.mark.parametrize(
    "loss", [Trace_ELBO(), Trace_ELBO(num_particles=3), TraceMeanField_ELBO(), TraceMeanField_ELBO(num_particles=2)]
)
def test_the_terms_of_programs_add_up_and_nothing_is_left_behind(loss):
    pair = pg.models.Programs(model, guide, loss)
    terms, gradients, _ = loss_and_gradients(pair, X, None)
    assert (terms["reconstruction"] + terms["kl"]).item() == pytest.approx(terms["objective"].item(), rel=1e-5)
    assert all(gradient is not None for gradient in gradients.values())
    assert all(parameter.grad is None for parameter in pair.parameters())
    assert "_get_trace" not in vars(loss)


def test_an_analytic_kl_has_the_scale_and_mask_of_its_site():
    pair = pg.models.Programs(model, guide, TraceMeanField_ELBO())
    one = kl_divergence(dist.Normal(1.0, 0.5), dist.Normal(0.0, 1.0)).item()
    terms = loss_and_gradients(pair, X, None).columns
    assert terms["kl"].item() == pytest.approx(2.0 * 2 * one, rel=1e-5)  # scale 2, two rows that count


def test_a_loss_of_several_parts_is_their_sum():
    columns = _columns((torch.tensor(1.0), 2.0))
    assert {name: value.item() for name, value in columns.items()} == {"objective": 3.0, "loss_0": 1.0, "loss_1": 2.0}


def test_programs_that_change_are_told_of_once():
    objective = ProgramsObjective(SimpleNamespace(loss=None), 3)
    objective.columns = ("a",)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            objective._compare(("a", "b"))
    assert len(caught) == 1


def test_autocast_keeps_no_cache_of_weights():
    with cast(torch.device("cpu"), "bf16"):
        assert not torch.is_autocast_cache_enabled()


def test_the_first_step_of_programs_leaves_the_random_numbers_after_it():
    state = torch.get_rng_state()
    torch.rand(3)
    objective = SimpleNamespace(pair=SimpleNamespace(beta=torch.ones(())))
    assert choice.First(objective, "result", {"cpu": state}).use() == "result"
    assert torch.equal(torch.get_rng_state(), state)
