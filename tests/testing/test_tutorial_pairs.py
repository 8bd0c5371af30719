"""The tutorial pairs are what they claim to be: they train as their tutorials do, and a seed fixes all of it."""

import math
import warnings

import pyro
import pytest
import torch
from helpers.tutorials.faults import CHECKS, FAULTS
from helpers.tutorials.pairs import CASE, CASES
from pyro.infer import SVI

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


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


def verdict(pair):
    """What Pyro says in twenty steps ("silent", "warns" or "raises"), and all that the steps did."""
    losses, parameters, error = [], {}, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            losses, parameters = train(pair)
        except (ValueError, RuntimeError) as problem:
            error = str(problem)
    said = "raises" if error else "warns" if caught else "silent"
    return said, (losses, {name: value.tolist() for name, value in parameters.items()}, error)


@every_fault
def test_a_fault_differs_from_its_sound_pair(fault):
    sound_said, sound = verdict(CASE[fault.pair].make(0))
    said, faulty = verdict(fault.make(0))
    assert sound_said == "silent"
    assert (said, faulty) != (sound_said, sound)


@every_fault
def test_what_pyro_says_of_a_fault(fault):
    assert verdict(fault.make(0))[0] == fault.pyro


def test_faults_are_of_known_kinds_and_names_are_unique():
    assert {fault.check for fault in FAULTS} == CHECKS
    assert {fault.pair for fault in FAULTS} <= set(CASE)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert len(CASE) == len(CASES)
