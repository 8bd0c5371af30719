"""Pareto-k̂ against ArviZ's, and against a tail whose shape is known."""

import math

import arviz
import numpy as np
import pytest
import torch

from pyrogen.evaluation.draws import Draws
from pyrogen.evaluation.pareto import pareto_k


@pytest.mark.parametrize("number", [25, 100, 2000])
def test_it_is_that_of_arviz(number):
    torch.manual_seed(0)
    weights = torch.randn(number, 20, dtype=torch.float64) * torch.linspace(0.1, 3.0, 20) + 700.0
    _, theirs = arviz.psislw(weights.T.numpy())
    np.testing.assert_allclose(pareto_k(weights).numpy(), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [0.3, 0.8])
def test_it_finds_the_shape_of_a_pareto(shape):
    """The estimate has a standard deviation of about (1 + k) / √M for a tail of M draws."""
    torch.manual_seed(0)
    weights = torch.distributions.Pareto(1.0, 1 / shape).sample((40_000, 20)).log().double()
    found, tail = pareto_k(weights), 3 * math.sqrt(40_000)
    assert abs(found.mean() - shape) < 5.5 * (1 + shape) / math.sqrt(20 * tail) + 5 / tail


def test_few_draws_have_no_tail_and_equal_ones_the_lightest():
    with pytest.raises(ValueError, match="must have at least 25 draws, K, to have a tail, got 24"):
        pareto_k(torch.randn(24, 2))
    with pytest.raises(ValueError, match=r"below \+∞, got NaN"):
        pareto_k(torch.full((25, 2), math.nan))
    for alike in (0.0, -math.inf):
        assert (pareto_k(torch.full((30, 2), alike)) == -math.inf).all()
    assert (pareto_k(torch.cat([torch.randn(10, 2), torch.full((190, 2), -math.inf)])) == math.inf).all()


@pytest.mark.parametrize(("rows", "shape"), [(1, (1, 5)), (3, (1, 5, 3))])
@pytest.mark.filterwarnings("ignore")  # of ArviZ, when it is imported
def test_a_weight_of_all_data_is_one_number_a_draw_in_arviz(rows, shape):
    pytest.importorskip("arviz")
    found = Draws({"z": np.zeros(5)}, {}, np.zeros((5, rows))).to_arviz()
    assert found.sample_stats["log_weight"].shape == shape
