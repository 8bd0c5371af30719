"""A run: whom a divergence blames, what is left behind and written, tables, signals, and programs of their own."""

import signal
from types import SimpleNamespace

import numpy as np
import pyro
import pytest
import torch
from helpers.small import binary, make_pair, quiet
from pyro import distributions as dist

import pyrogen as pg
from pyrogen.errors import DivergenceError
from pyrogen.training.checkpoints import optimizer_state
from pyrogen.training.history import CLOCK, History
from pyrogen.training.run import Run
from pyrogen.training.signals import interruptible
from pyrogen.training.step import PairObjective


def model(x, size=None):
    loc = pyro.param("loc", torch.tensor(0.0))
    with pyro.plate("data", len(x)):
        z = pyro.sample("z", dist.Normal(loc, 1.0))
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def guide(x):
    with pyro.plate("data", len(x)):
        pyro.sample("z", dist.Normal(0.0, 1.0))


def test_a_divergence_names_the_term_and_not_the_sum():
    objective = PairObjective(make_pair(), 1)
    objective.columns, objective.sites = ("objective", "kl"), {"objective": "all", "kl": "z"}
    run = SimpleNamespace(objective=objective, pair=None)
    rows = np.array([[1.0, 1.0], [np.nan, np.nan]])
    with pytest.raises(DivergenceError, match=r"at step 7 the KL term of site 'z' became nan: .* a β warm-up"):
        Run._report_divergence(run, rows, 6)
    run.objective.sites, run.pair = {"objective": "all"}, pg.models.Programs(model, guide)
    with pytest.raises(DivergenceError, match="at step 7 the KL became nan: try a smaller lr or data on a smaller"):
        Run._report_divergence(run, rows, 6)


def test_a_fit_leaves_no_gradients_and_writes_its_held_out_terms(tmp_path):
    pair = make_pair()
    quiet(pair, binary(), steps=4, compile=False, validation=binary(20), validate_every=2, checkpoint=tmp_path)
    assert all(parameter.grad is None for parameter in pair.parameters())
    assert len((tmp_path / "validation.csv").read_text().splitlines()) == 3


def test_a_feedback_goes_on_from_the_kl_of_the_run_before():
    run = SimpleNamespace(history=History(("objective", "kl")), pair=make_pair(), device="cpu", _kl=None)
    Run.resume_history(run, (*CLOCK, "objective", "kl"), np.arange(12.0).reshape(2, 6))
    assert run._kl.item() == 11.0


def test_a_second_sigterm_ends_as_sigterm_does():
    with interruptible() as event:
        signal.raise_signal(signal.SIGTERM)
        assert event.is_set()
        with pytest.raises((SystemExit, KeyboardInterrupt)) as ended:
            signal.raise_signal(signal.SIGTERM)
    assert ended.type is SystemExit
    assert ended.value.code == 128 + signal.SIGTERM


def test_an_optimizer_with_a_schedule_goes_on_with_the_rate_of_its_file():
    weight = torch.nn.Parameter(torch.ones(2))
    for kind in (float, torch.tensor):
        old, new = (torch.optim.Adam([weight], lr=kind(lr)) for lr in (0.5, 0.1))
        optimizer_state.unpack(new, *optimizer_state.pack(old), scheduled=True)
        assert new.param_groups[0]["lr"] == 0.5
        assert type(new.param_groups[0]["lr"]) is type(kind(0.5))


class OwnOptimizer(torch.optim.SGD):
    """Not torch's own: its settings may move, so they are not compared with the file's."""


def test_groups_of_other_weights_are_refused_of_any_optimizer():
    optimizer = OwnOptimizer([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    tensors, facts = optimizer_state.pack(optimizer)
    facts["groups"][0]["params"] = [3]
    with pytest.raises(ValueError, match="group 0 of the optimizer is of other weights"):
        optimizer_state.unpack(optimizer, tensors, facts)


def test_programs_take_a_copy_of_what_they_ask_for_and_draw_nothing():
    pyro.clear_param_store()
    for name in ("loc", "other"):
        pyro.param(name, torch.tensor(1.0))
    pair, state = pg.models.Programs(model, guide), torch.get_rng_state()
    assert pair.arguments(binary(), 100)[1] == {}  # the guide takes no size
    pair.prepare(torch.zeros(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert pair.store_names == ("loc",)
    with torch.no_grad():
        next(pair.parameters()).add_(1.0)
    assert pyro.param("loc").item() == 1.0
    pyro.clear_param_store()
