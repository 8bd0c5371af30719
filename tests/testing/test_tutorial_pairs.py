"""The tutorial pairs are what they claim to be: they train as their tutorials do, and a seed fixes all of it."""

import math

import pyro
import pytest
import torch
from pyro.infer import SVI
from tutorial_pairs import CASES

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def train(pair, steps=20, seed=3):
    """Losses of a few steps of SVI, and the parameters afterwards."""
    torch.manual_seed(seed)
    svi = SVI(pair.model, pair.guide, pyro.optim.ClippedAdam({"lr": 0.01}), pair.loss)
    losses = [svi.step(*pair.args, **pair.kwargs) for _ in range(steps)]
    return losses, {name: value.detach().clone() for name, value in pyro.get_param_store().items()}


@every_case
def test_trains_without_warning(case):
    losses, parameters = train(case.make(0))
    assert all(math.isfinite(loss) for loss in losses)
    assert parameters
    assert all(value.isfinite().all() for value in parameters.values())


@every_case
def test_a_seed_fixes_everything(case):
    first, second, other = (train(case.make(seed)) for seed in (1, 1, 2))
    assert first[0] == second[0] != other[0]
    assert first[1].keys() == second[1].keys() == other[1].keys()
    assert all(torch.equal(first[1][name], second[1][name]) for name in first[1])
