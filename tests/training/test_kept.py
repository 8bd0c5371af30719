"""What a checkpoint keeps of a program's own state: generators and buffers go on exactly, and of others it says so."""

import random
import sys

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro.infer.autoguide import AutoNormal, AutoNormalMessenger
from torch import nn

import pyrogen as pg
from pyrogen.random_numbers import random_states

X = torch.randn(20, generator=torch.Generator().manual_seed(0))
HIDDEN = {}


def model(x):
    slope = pyro.sample("slope", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(slope, 1.0), obs=x)


def guide_of(kind):
    """A guide that takes a number at each call, from a generator or from state of its own."""
    own, module = {"t": 0}, nn.Module()
    generator = torch.Generator().manual_seed(3)
    module.register_buffer("t", torch.zeros(()))

    def counter():
        own["t"] += 1
        return own["t"]

    number = {
        "numpy": lambda: np.random.rand(),  # noqa: NPY002
        "random": lambda: random.random(),
        "a buffer": lambda: float(module.t.add_(1)),
        "a counter": counter,
        "a generator": lambda: float(torch.rand((), generator=generator)),
    }[kind]

    def guide(x):
        loc = pyro.param("loc", lambda: torch.randn(()))
        pyro.sample("slope", dist.Normal(loc * (1 + number()), 0.1))

    return guide


def losses(kind, steps, **settings):
    torch.manual_seed(0)
    random.random(), np.random.rand()  # noqa: NPY002 (each process has drawn other numbers)
    random.gauss(0, 1)
    before = random_states(torch.device("cpu"))
    pair = pg.models.Programs(model, guide_of(kind))
    fit = pg.fit(pair, X, steps=steps, lr=0.01, progress=False, **settings)
    after = random_states(torch.device("cpu"))
    assert all(torch.allclose(x, before[name], 0, 0, equal_nan=True) for name, x in after.items())
    return fit.history["objective"]


@pytest.mark.filterwarnings("ignore:the step of Programs is run plain")
@pytest.mark.parametrize("ask", [None, False])
@pytest.mark.parametrize("kind", ["numpy", "random", "a buffer"])
def test_numbers_of_numpy_and_python_and_buffers_go_on_bit_for_bit(kind, ask, tmp_path):
    whole = losses(kind, 9, compile=ask, validation=X, validate_every=2)
    np.testing.assert_array_equal(whole, losses(kind, 9, compile=ask))
    losses(kind, 4, compile=ask, checkpoint=tmp_path)
    np.testing.assert_array_equal(whole, losses(kind, 9, compile=ask, checkpoint=tmp_path, resume=True))


@pytest.mark.parametrize("kind", ["a counter", "a generator"])
def test_state_that_a_checkpoint_does_not_keep_is_named_once(kind, tmp_path):
    with pytest.warns(UserWarning, match="which a checkpoint does not hold") as told:
        losses(kind, 6, compile=False, checkpoint=tmp_path, checkpoint_every=2)
    assert len(told) == 1


class SetAnew(nn.Module):
    """A model with a buffer that each call replaces by another tensor."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x):
        self.mean = self.mean * 0.9 + 0.1
        model(x + self.mean)


@pytest.mark.parametrize(
    ("program", "guide"),
    [(model, AutoNormal), (model, AutoNormalMessenger), (SetAnew(), AutoNormal)],
    ids=["first values that share memory with weights", "the trace of the last run", "a buffer that is set anew"],
)
def test_what_a_checkpoint_holds_or_a_guide_makes_anew_is_not_named(program, guide, tmp_path):
    settings = {"optimizer": torch.optim.SGD, "lr": 1e-4, "compile": False, "progress": False}
    pg.fit(pg.models.Programs(program, guide(program)), X, steps=3, checkpoint=tmp_path, **settings)


def test_buffers_of_a_module_that_no_path_leads_to_are_kept_and_move_once_a_step(tmp_path):
    def run(steps, **settings):
        torch.manual_seed(0)
        HIDDEN["net"] = nn.Sequential(nn.BatchNorm1d(1, momentum=0.3), nn.Linear(1, 1))

        def normalized(x):
            net = pyro.module("net", getattr(sys.modules[__name__], "HID" + "DEN")["net"])
            pyro.sample("x", dist.Normal(net(x[:, None]), 1.0).to_event(2), obs=x[:, None])

        pair = pg.models.Programs(normalized, lambda x: None)
        fit = pg.fit(pair, X, steps=steps, progress=False, **settings)
        assert any(name.endswith("running_mean") for name in pair.state_dict())
        return HIDDEN["net"][0], fit.way

    net, way = run(5)
    assert (int(net.num_batches_tracked), way) == (5, "recorded")
    run(2, checkpoint=tmp_path)
    again, _ = run(5, checkpoint=tmp_path, resume=True)
    assert torch.equal(net.running_mean, again.running_mean)
    assert int(again.num_batches_tracked) == 5
