"""Every test starts from the same random numbers and an empty parameter store."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # small tensors: threads would only wait for each other; also in subprocesses

import pyro
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_start():
    torch.manual_seed(0)
    pyro.clear_param_store()
