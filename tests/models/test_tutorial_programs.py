"""Programs after Pyro's tutorials under `pg.fit`: recorded, with the losses of `SVI.step` from the same seed."""

import inspect

import numpy as np
import pyro
import pytest
import torch
from helpers.tutorials.base import Case, Tutorial, data_generator
from helpers.tutorials.pairs import CASES
from pyro import distributions as dist
from pyro.contrib import gp
from pyro.infer import SVI, TraceEnum_ELBO
from pyro.infer.autoguide import AutoDelta
from pyro.poutine import block

import pyrogen as pg


class PlatedHMM(Tutorial):
    """A hidden Markov model of several series: the hidden states are summed out, in plates and by `pyro.markov`."""

    def __init__(self):
        self.guide = AutoDelta(block(self.model, expose=["transition", "emission"]))

    def args(self):
        return (torch.randn(4, 5, generator=data_generator()),)

    def loss(self):
        return TraceEnum_ELBO(max_plate_nesting=1)

    def model(self, series):
        transition = pyro.sample("transition", dist.Dirichlet(torch.ones(3, 3) + torch.eye(3)).to_event(1))
        emission = pyro.sample("emission", dist.Normal(torch.arange(3.0), 1.0).to_event(1))
        with pyro.plate("series", len(series)):
            state = 0
            for t in pyro.markov(range(series.shape[1])):
                state = pyro.sample(f"state_{t}", dist.Categorical(transition[state]), infer={"enumerate": "parallel"})
                pyro.sample(f"x_{t}", dist.Normal(emission[state], 0.5), obs=series[:, t])


class SparseGP(Tutorial):
    """A variational sparse Gaussian process: 12 points, 4 inducing ones."""

    def __init__(self):
        x = torch.linspace(0, 3, 12)
        y = torch.sin(2 * x) + 0.1 * torch.randn(12, generator=data_generator())
        process = gp.models.VariationalSparseGP(
            x, y, gp.kernels.RBF(input_dim=1), Xu=torch.linspace(0, 3, 4), likelihood=gp.likelihoods.Gaussian()
        )
        self.model, self.guide = process.model, process.guide


def data_of(pair):
    names = inspect.signature(pair.model).parameters
    return dict(zip(names, pair.args, strict=False)) | pair.kwargs if pair.kwargs else pair.args


@pytest.mark.parametrize("case", [*CASES, Case("hmm, plates", PlatedHMM), Case("gp", SparseGP)], ids=lambda c: c.name)
def test_a_tutorial_is_recorded_and_its_losses_are_those_of_svi(case):
    pair = case.make(3)
    pyro.set_rng_seed(7)
    svi = SVI(pair.model, pair.guide, pyro.optim.Adam({"lr": 0.01}), pair.loss)
    expected = [svi.step(*pair.args, **pair.kwargs) for _ in range(4)]
    runs = []
    for ask in (None, False):
        pair = case.make(3)
        programs = pg.models.Programs(pair.model, pair.guide, pair.loss)
        runs.append(pg.fit(programs, data_of(pair), steps=4, lr=0.01, seed=7, compile=ask, progress=False))
    recorded, plain = runs
    assert recorded.way == "recorded"
    np.testing.assert_allclose(recorded.history["loss"], expected, rtol=1e-5)
    for column in recorded.history.columns[4:]:
        np.testing.assert_array_equal(recorded.history[column], plain.history[column])
    for a, b in zip(recorded.pair.parameters(), plain.pair.parameters(), strict=True):
        assert torch.equal(a, b)
    pyro.clear_param_store()
