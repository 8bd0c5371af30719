"""Data of anyone's programs: what a checkpoint compares, which rows a batch has, and what is refused with a remedy."""

import numpy as np
import pandas as pd
import pyro
import pytest
import torch
from pyro import distributions as dist
from torch.utils.data import DataLoader, TensorDataset

import pyrogen as pg
from pyrogen.training.data.program_data import ProgramSource

X = torch.arange(4.0)
FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": ["one", "two"]})


@pytest.mark.parametrize(
    "forms",
    [
        [torch.zeros(4), torch.zeros(2, 2), torch.zeros(4, 1), torch.zeros(4, dtype=torch.int32)],
        [(X, 1.0), (X, 9.0), (X, 1), (X, "1"), (X, None), (X, True)],
        [{"x": X, "scale": 1.0}, {"x": X, "scale": 9.0}, {"x": X, "size": 1.0}],
        [([X, X],), ([X, X + 1],), ([X],), ((X, X),), ([[X], X],)],
        [({"x": {"y": X}},), ({"x": {"y": X + 1}},), ({"x": {"z": X}},)],
        [(FRAME,), (FRAME.assign(a=3.0),), (FRAME.assign(b="two"),), (FRAME.a,), (FRAME.set_index("a"),)],
        [([np.ones(2)],), ([np.ones(3)],), ([np.zeros(2)],), ([np.float32(1)],)],
        [(torch.eye(2).to_sparse(),), ((2 * torch.eye(2)).to_sparse(),), (torch.eye(2).flip(0).to_sparse(),)],
        [(torch.complex(X, X),), (torch.complex(X, X).conj(),)],
        [(torch.nn.utils.rnn.pack_sequence([X]),), (torch.nn.utils.rnn.pack_sequence([X + 1]),)],
    ],
    ids=["tensors", "numbers", "names", "lists", "dicts", "tables", "arrays", "sparse", "complex", "packed"],
)
def test_each_part_of_programs_data_counts(forms):
    digests = [ProgramSource(form).fingerprint() for form in forms]
    assert len(set(digests)) == len(forms)
    assert digests == [ProgramSource(form).fingerprint() for form in forms]


def test_programs_get_data_of_inference_mode_as_usual_tensors():
    with torch.inference_mode():
        x = torch.zeros(3)
    assert not ProgramSource((x, 1)).data[0].is_inference()


@pytest.mark.parametrize("kind", [torch.uint16, torch.uint32, torch.uint64, torch.uint8, torch.bool])
def test_rows_of_each_kind_of_number_are_read_in_that_kind(kind):
    x = torch.tensor([[0], [1], [7]]).to(kind)
    batch = ProgramSource((x, 2.0)).images(torch.tensor([2, 0]))[0]
    assert batch.dtype == kind
    assert batch.tolist() == [x[2].tolist(), x[0].tolist()]


def model(x, knots):
    level = pyro.sample("level", dist.Normal(knots.mean(), 1.0))
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(level, 1.0), obs=x)


def guide(x, knots):
    pyro.sample("level", dist.Normal(pyro.param("loc", torch.tensor(0.0)), 0.1))


def test_tensors_of_other_numbers_of_rows_train_whole_and_not_in_batches():
    pair = pg.models.Programs(model, guide)
    data, settings = (X, torch.tensor([1.0, 2.0])), {"steps": 3, "compile": False, "progress": False}
    fit = pg.fit(pair, data, **settings, validation=data)
    assert fit.history["epoch"][-1] == 3
    with pytest.raises(ValueError, match="got 4 in entry 0 and 2 in entry 1: leave out batch_size="):
        pg.fit(pair, data, **settings, batch_size=2)


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        ([X, X], "tuple(data) for several arguments"),
        (TensorDataset(X), "pass dataset.tensors"),
        (torch.utils.data.Subset(TensorDataset(X), [0]), "stack its items"),
        (DataLoader(TensorDataset(X)), "pass the tensors that it reads"),
        (FRAME, "torch.tensor(data.to_numpy())"),
        (3.0, "pass (data,)"),
    ],
    ids=["list", "TensorDataset", "Dataset", "DataLoader", "DataFrame", "number"],
)
def test_data_that_programs_do_not_take_are_refused_with_what_to_pass(data, remedy):
    with pytest.raises(TypeError) as refused:
        ProgramSource(data)
    assert remedy in str(refused.value)
