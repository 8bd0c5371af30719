"""What a distribution is under its wrappers."""

import pytest
import torch
from pyro import distributions as dist

from pyrogen.distributions.wrappers import is_point

POINT, NORMAL = dist.Delta(torch.zeros(2)), dist.Normal(torch.zeros(2), 1.0)


@pytest.mark.parametrize(("fn", "point"), [(POINT, True), (NORMAL, False), (dist.Unit(torch.zeros(2)), False)])
def test_a_point_is_one_under_any_wrapper(fn, point):
    exp = dist.transforms.ExpTransform()
    for wrapped in (fn, fn.to_event(1), fn.expand((3, 2)), fn.mask(True), dist.TransformedDistribution(fn, [exp])):
        assert is_point(wrapped) == point
