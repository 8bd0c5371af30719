"""Replays compute constants and duplicates once, and stay the plain step to the last bit."""

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from torch import nn

import pyrogen as pg
from pyrogen.training.step import First, ProgramsObjective, RecordedStep, record

DATA = torch.linspace(-1, 1, 6)


def between_writes(x, a, b):
    y = x * a
    first = y * 2.0
    y.data.mul_(3.0)
    return first + y.data * 2.0 + y * 2.0


def parts_are_written(x, a, b):
    y = (x * a).detach()
    before = y * 2.0
    for part in y.split(3):
        part.add_(1.0)
    return before + y * 2.0 + b


def signs_and_factors(x, a, b):
    return (x * a).neg().neg() * torch.tensor(1.0) + (b * torch.tensor(-1.0)) * torch.ones(6) - (-a).sum().sum()


def constants(x, a, b):
    return (torch.tensor(2.0).log() * torch.tensor([3.0]) + torch.zeros_like(x)) * a + b + torch.arange(6.0).pow(2)


def duplicates(x, a, b):
    return (x * a).exp() + (x * a).exp() + torch.rand(6) + torch.rand(6) + b * torch.ones(6) - b * torch.ones(6)


def one_gradient_for_both(x, a, b):
    return (a + b).expand(6)


def mean_before_and_after(x, a, b):
    before = NORM.running_mean * 2.0
    return NORM(x[:, None] * a)[:, 0] + before + NORM.running_mean * 2.0 + b


NORM = nn.BatchNorm1d(1)
KINDS = (between_writes, parts_are_written, signs_and_factors, constants, duplicates, one_gradient_for_both)


def run(function, ask, **settings):
    def model(x):
        a, b = pyro.param("a", torch.tensor(1.5)), pyro.param("b", torch.tensor(1.5))
        pyro.sample("x", dist.Normal(function(x, a, b), 1.0).to_event(1), obs=x)

    NORM.reset_running_stats()
    pair = pg.models.Programs(model, lambda x: None)
    fit = pg.fit(pair, DATA, steps=6, lr=0.1, compile=ask, progress=False, **settings)
    return fit, [pair.param(name) for name in ("a", "b")]


@pytest.mark.parametrize("clip_norm", [None, 1e-3])
@pytest.mark.parametrize("function", [*KINDS, mean_before_and_after])
def test_a_replay_is_the_plain_step(function, clip_norm):
    (fit, ours), (plain, theirs) = (run(function, ask, clip_norm=clip_norm) for ask in (None, False))
    assert fit.way == "recorded"
    np.testing.assert_array_equal(fit.history["loss"], plain.history["loss"])
    assert ours == theirs


def test_a_tensor_of_the_caller_is_read_at_each_step():
    shared, memory = torch.tensor(1.0), np.ones(1, dtype=np.float32)

    class Moving(torch.optim.Adam):  # and not a callback, after which the run looks for what has changed
        def step(self, closure=None):
            shared.data.add_(1.0)
            memory[0] += 1.0
            return super().step(closure)

    def scaled(x, a, b):
        return (x * shared.log() + torch.from_numpy(memory).exp()) * a + b

    results = []
    for ask in (None, False):
        shared.fill_(1.0)
        memory[0] = 1.0
        results.append(run(scaled, ask, optimizer=Moving)[0])
    assert results[0].way == "recorded"
    np.testing.assert_array_equal(results[0].history["loss"], results[1].history["loss"])


def test_constants_and_duplicates_are_gone():
    def model(x):
        pyro.sample("x", dist.Normal(pyro.param("a", DATA), 2.0).to_event(1), obs=x)

    objective = ProgramsObjective(pg.models.Programs(model, lambda x: None), 1)
    First.take(objective, DATA)
    recording = record(objective, DATA, fixed=True)
    step = RecordedStep(recording, DATA.device)
    short, long = (code.count("\n") for code in (step._replay.__self__.code, step.module.code))
    assert short < 0.8 * long
