"""Right, or plain: programs that do more than tensor operations are run each step, with one sentence why."""

import copy
import random
import re
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pyro
import pytest
import torch
from helpers.small import SHAPE, binary, make_pair, weights
from pyro import distributions as dist
from pyro.infer import SVI, TraceMeanField_ELBO
from torch import nn
from torch.nn import functional as F

import pyrogen as pg
from pyrogen.training.optimizers import make_optimizer
from pyrogen.training.step import PairObjective, PlainStep, RecordedStep, Step, choice


class Hooked(pg.nn.MLPEncoder):
    """An encoder whose features go through a function of one's own."""

    def __init__(self, change, **parts):
        super().__init__(SHAPE, 3, hidden=(8,))
        self.change, self.factor = (change,), 1.0
        for name, part in parts.items():
            setattr(self, name, part)

    def parameters_of(self, x):
        loc, log_variance = super().parameters_of(x)
        return self.change[0](self, loc), log_variance


class Twice(torch.autograd.Function):
    """A function with a gradient of its own."""

    @staticmethod
    def forward(context, x):
        return 2 * x

    @staticmethod
    def backward(context, gradient):
        return 2 * gradient


def counted(net, loc):
    net.factor *= 0.99
    return loc * net.factor


def cached(net, loc):
    before, net.last = getattr(net, "last", loc.detach()), loc.detach()
    return loc + 0.1 * before


def drawn(net, loc):
    return loc * torch.as_tensor(net.generator.random(3) < 0.5, dtype=loc.dtype)


PLAIN = {
    "a counter": (counted, {}, "encoder.factor` changes while it runs, from "),
    "a cached tensor": (cached, {}, "encoder.last` changes"),
    "numpy": (lambda net, loc: loc * np.random.rand(), {}, "Python's `numpy.random`"),  # noqa: NPY002
    "random": (lambda net, loc: loc * random.random(), {}, "Python's `random`"),
    "a numpy generator": (drawn, {"generator": np.random.default_rng(0)}, "encoder.generator` changes"),
    "an iterator": (lambda net, loc: loc * next(net.numbers), {"numbers": iter(range(9999))}, "encoder.numbers` is a"),
    "a branch": (lambda net, loc: loc if loc.mean() > 0 else -loc, {}, "reads the value of a tensor"),
    "a weight in Python": (
        lambda net, loc: loc * net.w.detach().numpy()[0],
        {"w": nn.Parameter(torch.ones(1))},
        "(numpy,",
    ),
    "the clock": (lambda net, loc: loc + 1e-30 * time.perf_counter(), {}, "change from run to run"),
    "a mean over batches": (
        lambda net, loc: net.norm(loc),
        {"norm": nn.BatchNorm1d(3, momentum=None)},
        "reads the value",
    ),
    "one_hot": (lambda net, loc: loc * F.one_hot((loc[:, 0] > 0).long()).sum(), {}, "reads the value"),
    "an LSTM": (
        lambda net, loc: net.rnn(loc[:, None])[0][:, 0],
        {"rnn": nn.LSTM(3, 3, batch_first=True)},
        "oneDNN's LSTM",
    ),
    "shapes by data": (lambda net, loc: loc + loc[loc > 0].view(-1)[: len(loc[loc > 1e9])].sum(), {}, ""),
}
RECORDED = {
    "one_hot of a given width": (lambda net, loc: loc * F.one_hot((loc[:, 0] > 0).long(), 3), {}),
    "an autograd function": (lambda net, loc: Twice.apply(loc), {}),
    "dropout and batch norm": (
        lambda net, loc: net.norm(F.dropout(loc, 0.3)),
        {"norm": nn.BatchNorm1d(3)},
    ),
    "a recurrent network": (lambda net, loc: net.rnn(loc[:, None])[0][:, 0], {"rnn": nn.GRU(3, 3, batch_first=True)}),
    "a constant": (lambda net, loc: loc * torch.tensor([1.0, 2.0, 3.0]) * float(torch.tensor(0.5)), {}),
}


def hooked(name):
    change, parts = (PLAIN | RECORDED)[name][:2]
    torch.manual_seed(1)
    decoder = pg.nn.MLPDecoder(SHAPE, 3, hidden=(8,))
    return pg.models.VAE(Hooked(change, **copy.deepcopy(parts)), decoder)


def losses(pair, x, steps, seed=0):
    """The objective of plain steps, run as SVI would."""
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    return pg.fit(pair, x, steps=steps, batch_size=20, seed=seed, compile=False, progress=False).history["objective"]


@pytest.mark.parametrize("name", PLAIN)
def test_what_no_recording_can_stand_for_is_run_each_step_and_the_cause_is_named_once(name):
    expected = losses(hooked(name), binary(), 6) if name not in ("an iterator", "a numpy generator") else None
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = pg.fit(hooked(name), binary(), steps=6, batch_size=20, progress=False)
    assert fit.way == "plain"
    assert len(caught) == 1
    assert re.search(re.escape(PLAIN[name][2]), str(caught[0].message))
    if expected is not None:
        np.testing.assert_allclose(fit.history["objective"], expected, rtol=1e-6)


@pytest.mark.parametrize("name", RECORDED)
def test_what_can_be_recorded_is_and_gives_the_plain_numbers(name):
    expected = losses(hooked(name), binary(), 6)
    fit = pg.fit(hooked(name), binary(), steps=6, batch_size=20, progress=False)
    assert fit.way == "recorded"
    np.testing.assert_allclose(fit.history["objective"], expected, rtol=1e-5)


def test_a_counter_counts_each_step_once():
    pair = hooked("a counter")
    pg.fit(pair, binary(), steps=100, batch_size=20, compile=False, progress=False)
    assert pair.encoder.factor == pytest.approx(0.99**100)
    pair = hooked("a counter")
    with pytest.warns(UserWarning, match=r"encoder\.factor"):
        pg.fit(pair, binary(), steps=100, batch_size=20, progress=False)
    assert pair.encoder.factor == pytest.approx(0.99**100)


def test_the_line_of_a_branch_is_named():
    with pytest.warns(UserWarning, match=r"test_choice\.py:\d+\)"):
        pg.fit(hooked("a branch"), binary(), steps=1, progress=False)


def test_proving_changes_nothing_that_programs_hold():
    pair = hooked("dropout and batch norm")
    objective = PairObjective(pair, 100)
    before = {name: tensor.clone() for name, tensor in pair.state_dict().items()}
    state = torch.get_rng_state()
    assert Step(objective, lambda step: binary(20)).way == "recorded"
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], tensor) for name, tensor in pair.state_dict().items())


def test_a_plain_step_and_a_recorded_one_end_alike():
    pairs = make_pair(), make_pair()
    for pair, ask in zip(pairs, (None, False), strict=True):
        pg.fit(pair, binary(), steps=20, batch_size=10, compile=ask, progress=False)
    for a, b in zip(*map(weights, pairs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_pairs_of_any_precision_train(dtype):
    pair = make_pair().to(dtype)
    fit = pg.fit(pair, binary(), steps=5, progress=False)
    assert fit.way == "recorded"
    assert {p.dtype for p in pair.parameters()} == {dtype}
    assert np.isfinite(fit.history["objective"]).all()
    weight = torch.nn.Parameter(torch.zeros(1, dtype=dtype))
    optimizer = make_optimizer(None, [weight], 0.01)
    for gradient in (1e-3, 0.0):  # its square is 0 in float16, so that eps alone bounds the second step
        weight.grad = torch.full((1,), gradient, dtype=dtype)
        optimizer.step()
    assert 0.01 < -weight.item() < 0.1


def test_bf16_keeps_float32_weights_and_comes_close_to_float32():
    ends = {}
    for precision in ("float32", "bf16"):
        pair = make_pair()
        history = pg.fit(pair, binary(), steps=50, batch_size=50, lr=1e-2, precision=precision, progress=False).history
        assert {p.dtype for p in pair.parameters()} == {torch.float32}
        ends[precision] = history["objective"][-10:].mean()
    assert ends["bf16"] != ends["float32"]
    assert ends["bf16"] == pytest.approx(ends["float32"], rel=0.02)


def test_channels_last_weights_train():
    torch.manual_seed(0)
    encoder, decoder = (
        pg.nn.ConvEncoder((3, 8, 8), 4, (4, 8), 8),
        pg.nn.ConvDecoder((3, 8, 8), 4, "gaussian", (4, 8), 8),
    )
    pair = pg.models.VAE(encoder, decoder).to(memory_format=torch.channels_last)
    assert pg.fit(pair, torch.rand(64, 3, 8, 8), steps=3, batch_size=32, progress=False).way == "recorded"


def test_images_of_sixteen_bits_train():
    x = torch.zeros(60, *SHAPE, dtype=torch.uint16)
    assert len(pg.fit(make_pair(likelihood="gaussian"), x, steps=2, progress=False).history) == 2


def test_a_likelihood_whose_noise_is_far_from_the_data_gets_a_warning_that_names_both():
    x = (torch.rand(60, *SHAPE) * 255).to(torch.uint8)
    with pytest.warns(UserWarning, match=r"data spread by 7\d.*σ = 1") as warned:
        fit = pg.fit(make_pair(likelihood="gaussian"), x, steps=2, progress=False)
    assert warned[0].filename == __file__  # and not a line of the package
    assert np.isfinite(fit.history["objective"]).all()


@pytest.mark.parametrize("unit", [4095.0, 1e8, 1e15])
def test_no_unit_of_the_data_gives_nan_at_the_first_step(unit):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = pg.fit(make_pair(likelihood="gaussian"), torch.rand(60, *SHAPE) * unit, steps=1, progress=False)
    assert np.isfinite(fit.history["objective"]).all()


def test_a_first_step_that_overflows_says_what_to_do():
    pair, x = make_pair(likelihood="gaussian"), torch.rand(60, *SHAPE) * 1e30
    with (
        pytest.warns(UserWarning, match="data spread"),
        pytest.raises(pg.DivergenceError, match=r"reach 1e\+30: bring"),
    ):
        pg.fit(pair, x, steps=1, progress=False)


def test_modes_of_torch_are_no_obstacle():
    expected = pg.fit(make_pair(), binary(), steps=5, progress=False).history["objective"]
    with torch.inference_mode():
        pair_outside = pg.fit(make_pair_outside(), binary(), steps=5, progress=False).history["objective"]
    np.testing.assert_allclose(pair_outside, expected, rtol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            anomalous = pg.fit(make_pair(), binary(), steps=5, progress=False).history["objective"]
    np.testing.assert_allclose(anomalous, expected, rtol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        cast = pg.fit(make_pair(), binary(), steps=5, progress=False)
    assert cast.way == "recorded"
    np.testing.assert_allclose(cast.history["objective"], expected, rtol=0.02)


def make_pair_outside():
    with torch.inference_mode(False):
        return make_pair()


def test_weights_of_inference_mode_get_a_sentence():
    with torch.inference_mode():
        pair = make_pair()
    with pytest.raises(ValueError, match="made under torch"):
        pg.fit(pair, binary(), steps=1)


def test_fits_in_threads_give_what_they_give_alone():
    alone = [pg.fit(make_pair(), binary(), steps=10, seed=seed, progress=False).history["objective"] for seed in (1, 2)]
    pairs, results = [make_pair(), make_pair()], {}

    def run(seed):
        results[seed] = pg.fit(pairs[seed - 1], binary(), steps=10, seed=seed, progress=False).history["objective"]

    threads = [threading.Thread(target=run, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results[1], alone[0])
    np.testing.assert_array_equal(results[2], alone[1])


def test_the_plain_step_is_that_of_svi():
    pair, x = make_pair(), binary(20)
    torch.manual_seed(0)
    row, gradients = PlainStep(PairObjective(pair, 20))(x, 2.0)
    torch.manual_seed(0)
    loss = TraceMeanField_ELBO().differentiable_loss(pair.model, pair.guide, x)
    torch.testing.assert_close(row[0] * 20, loss.detach())
    expected = torch.autograd.grad(loss, list(pair.parameters()))
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a * 20, b, rtol=1e-4, atol=1e-5)
    pyro.clear_param_store()


def test_an_unregistered_state_of_a_program_is_seen_too():
    memory = {"calls": 0}

    def model(x):
        memory["calls"] += 1
        pyro.sample("x", dist.Normal(pyro.param("level", torch.tensor(0.0)), 1.0 + 1 / memory["calls"]), obs=x)

    def guide(x):
        pass

    with pytest.warns(UserWarning, match=r"memory\['calls'\]` changes while it runs, from 1 to 2"):
        fit = pg.fit(pg.models.Programs(model, guide), torch.tensor(1.0), steps=8, lr=0.1, progress=False)
    assert memory["calls"] == 8
    memory["calls"] = 0
    pyro.clear_param_store()
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), pyro.infer.Trace_ELBO())
    np.testing.assert_allclose(fit.history["loss"], [svi.step(torch.tensor(1.0)) for _ in range(8)], rtol=1e-5)
    pyro.clear_param_store()


@pytest.mark.parametrize(("operations", "enough"), [(0, 50_000), (5_000, 50_000), (20_000, 200_000)])
def test_compiling_pays_from_50_000_steps_on_and_later_for_large_programs(operations, enough, monkeypatch):
    asked, recorded = [], object.__new__(RecordedStep)
    recorded.operations = operations
    monkeypatch.setattr(choice, "can_compile", lambda: asked.append(True))
    step = SimpleNamespace(_step=recorded, _ask=None)
    choice.Step.compiled(step, [], None, enough - 1, False, 1)
    assert not asked
    choice.Step.compiled(step, [], None, enough, False, 1)
    assert asked
