"""Every test starts from the same random numbers and an empty parameter store."""

import pyro
import pytest
import torch


@pytest.fixture(autouse=True)
def _same_start():
    torch.manual_seed(0)
    pyro.clear_param_store()
