"""What tells one run of programs from another: the loss with its settings, and the precision."""

import json

import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro.infer import RenyiELBO, Trace_ELBO, TraceMeanField_ELBO
from torch import nn

import pyrogen as pg
from pyrogen.errors import CheckpointError
from pyrogen.training.checkpoints.checkpoint import FILE_NAME, read_state, write_state

X = torch.randn(8, generator=torch.Generator().manual_seed(0))


def model(x):
    level = pyro.sample("level", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(level, 1.0), obs=x)


def guide(x):
    pyro.sample("level", dist.Normal(pyro.param("loc", torch.tensor(0.0)), 0.1))


def train(folder, loss=None, steps=2, **settings):
    settings |= {"checkpoint": folder, "resume": True, "compile": False, "progress": False}
    return pg.fit(pg.models.Programs(model, guide, loss), X, steps=steps, **settings)


@pytest.mark.parametrize(
    ("first", "then", "settings", "message"),
    [
        (Trace_ELBO(), Trace_ELBO(num_particles=5), {}, "its num_particles is 1, and now it is 5"),
        (RenyiELBO(0, 4), RenyiELBO(0.9, 4), {}, "its alpha is 0, and now it is 0.9"),
        (None, TraceMeanField_ELBO(), {}, r"its loss is pyro\..*Trace_ELBO, and now it is pyro\..*TraceMeanField_ELBO"),
        (None, None, {"precision": "bf16"}, "its precision is float32, and now it is bf16"),
    ],
    ids=["particles", "alpha", "class", "precision"],
)
def test_another_loss_or_precision_is_another_run(first, then, settings, message, tmp_path):
    train(tmp_path, first)
    with pytest.raises(CheckpointError, match=message):
        train(tmp_path, then, 4, **settings)


@pytest.mark.parametrize("then", [Trace_ELBO(), Trace_ELBO(max_plate_nesting=1)])
def test_the_default_loss_may_be_spelled_out(then, tmp_path):
    train(tmp_path)
    assert train(tmp_path, then, 4).steps == 4


def test_checkpoints_from_before_these_were_compared_are_resumed(tmp_path):
    train(tmp_path)
    state = read_state(tmp_path / FILE_NAME)
    del state.facts["settings"]["loss"], state.facts["settings"]["precision"], state.tensors["random.python"]
    state.tensors.pop("random.numpy")
    write_state(state, tmp_path / FILE_NAME)
    assert "precision" not in json.dumps(read_state(tmp_path / FILE_NAME).facts)
    assert train(tmp_path, steps=4).steps == 4


def test_a_part_that_a_callback_unfreezes_is_named_in_a_run_with_checkpoints(tmp_path):
    net = nn.Linear(1, 1)
    net.weight.requires_grad_(False)

    def shifted(x):
        pyro.module("net", net.eval())
        pyro.sample("x", dist.Normal(net(x[:, None]), 1.0).to_event(2), obs=x[:, None])

    pair = pg.models.Programs(shifted, lambda x: None)
    settings = {"checkpoint": tmp_path, "compile": False, "progress": False}
    with pytest.raises(ValueError, match=r"'net\$\$\$weight' must be trained from the first step.*unfreeze it before"):
        pg.fit(pair, X, steps=4, callbacks=[lambda state: net.requires_grad_(True)], **settings)


def test_an_optimizer_without_a_learning_rate_trains(tmp_path):
    pair = pg.models.Programs(model, guide)
    fit = pg.fit(pair, X, steps=3, optimizer=AdagradRMSProp, checkpoint=tmp_path, compile=False, progress=False)
    assert pair.param("loc") != 0.0
    assert fit.steps == 3


def AdagradRMSProp(parameters):
    return pyro.optim.adagrad_rmsprop.AdagradRMSProp(parameters)
