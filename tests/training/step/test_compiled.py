"""The compiled step: the recorded one's numbers, Adam's own state, and a sentence where it cannot be had."""

import numpy as np
import pyro
import pytest
import torch
from helpers.small import binary, make_pair, weights
from pyro import distributions as dist

import pyrogen as pg
from pyrogen.training import distributed
from pyrogen.training.step import First, ProgramsObjective, RecordedStep, choice, compiled, record
from pyrogen.training.step.compiled import CompiledStep


@pytest.mark.skipif(not compiled.can_compile(), reason="needs a C++ compiler")
@pytest.mark.parametrize("large", [compiled.LARGE, 1], ids=["one vector", "apart"])
def test_a_compiled_run_ends_as_a_recorded_one_and_its_checkpoint_goes_on(large, tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "LARGE", large)

    def run(steps, compile, **settings):
        pair = make_pair()
        fit = pg.fit(pair, binary(), steps=steps, batch_size=20, lr=1e-2, compile=compile, progress=False, **settings)
        return pair, fit

    recorded, _ = run(20, None)
    whole, _ = run(20, True)
    pair, fit = run(12, True, checkpoint=tmp_path)
    assert fit.way == "compiled"
    assert all(p.untyped_storage().nbytes() == p.numel() * 4 for p in pair.parameters())
    again, fit = run(20, None, checkpoint=tmp_path, resume=True)
    assert fit.way == "compiled"
    for a, b, c in zip(weights(again), weights(whole), weights(recorded), strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(b, c, rtol=1e-3, atol=1e-5)


def failing(*args):
    raise RuntimeError("no space left")


@pytest.mark.parametrize(
    ("spoil", "settings", "cause"),
    [
        ((choice, "can_compile", lambda: False), {}, "no C\\+\\+ compiler"),
        ((choice, "CompiledStep", failing), {}, "compiler failed \\(no space left"),
        (None, {"optimizer": torch.optim.SGD}, "only an Adam"),
        (None, {"clip_norm": 1.0}, "only an Adam"),
        ((distributed.Team, "size", 2), {}, "several processes"),
    ],
)
def test_where_it_cannot_be_had_the_step_stays_recorded(spoil, settings, cause, monkeypatch):
    if spoil:
        monkeypatch.setattr(*spoil)
    with pytest.warns(UserWarning, match=f"compile=True is not met, for .*{cause}"):
        fit = pg.fit(make_pair(), binary(), steps=4, compile=True, progress=False, **settings)
    assert fit.way == "recorded"
    assert np.isfinite(fit.history["objective"]).all()


def test_tensors_whose_entries_share_memory_are_not_written(monkeypatch):
    monkeypatch.setattr(CompiledStep, "_compile", lambda self: None)
    prior = dist.Normal(torch.zeros(()), 1.0).expand([6]).to_event(1)

    def model():
        pyro.sample("x", prior, obs=pyro.param("loc", torch.ones(6)))

    objective = ProgramsObjective(pg.models.Programs(model, lambda: None), 1)
    First.take(objective, None)
    parameters = list(objective.pair.trainable().values())
    recorded = RecordedStep(record(objective, None, fixed=True), torch.device("cpu"))
    step = CompiledStep(recorded, parameters, torch.optim.Adam(parameters), None)
    assert any(tensor.stride() == (0,) for tensor in step.rest)
    for tensor, value in step.kept():
        tensor.data.copy_(value)


@pytest.mark.parametrize("extra", [None, "amsgrad", "maximize", "weight_decay"])
def test_only_adam_without_additions_is_compiled(extra):
    weight = [torch.nn.Parameter(torch.ones(1))]
    optimizer = torch.optim.Adam(weight, **({extra: 0.1 if extra == "weight_decay" else True} if extra else {}))
    assert compiled.is_plain_adam(optimizer) is (extra is None)


@pytest.mark.parametrize("place", ["pre", "post"])
def test_an_optimizer_with_hooks_is_not_compiled(place):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))])
    getattr(optimizer, f"register_step_{place}_hook")(lambda *_: None)
    assert not compiled.is_plain_adam(optimizer)
