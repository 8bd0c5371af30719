"""Rewritten convolutions: torch's numbers, for every kernel, stride and padding."""

import pytest
import torch
from torch.nn import functional as F

from pyrogen.training.step.convolutions import FEW, bias_apart, few_channels


@pytest.mark.parametrize("channels", [1, FEW])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [((4, 4), (2, 2), (1, 1)), ((3, 5), (2, 1), (0, 2)), ((2, 1), (3, 2), (0, 0)), ((4, 2), (1, 2), (3, 0))],
)
def test_a_transposed_convolution_to_few_channels(channels, kernel, stride, padding):
    x, weight, bias = (
        torch.randn(2, 6, 5, 4).double(),
        torch.randn(6, channels, *kernel).double(),
        torch.randn(channels),
    )
    ours = few_channels(x, weight, bias.double(), [*stride], [*padding], [1, 1], True, [0, 0], 1)
    torch.testing.assert_close(ours, F.conv_transpose2d(x, weight, bias.double(), stride, padding))


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((6, FEW + 1, 4, 4), ([1, 1], True, [0, 0], 1)),
        ((6, 2, 4, 4), ([2, 2], True, [0, 0], 1)),
        ((6, 2, 4, 4), ([1, 1], True, [1, 1], 1)),
        ((6, 1, 4, 4), ([1, 1], True, [0, 0], 2)),
        ((2, 6, 4, 4), ([1, 1], False, [0, 0], 1)),
    ],
)
def test_others_stay_torchs(shape, settings):
    assert few_channels(torch.ones(2, 6, 8, 8), torch.ones(shape), None, [2, 2], [1, 1], *settings) is NotImplemented


def test_the_bias_apart():
    gradient, x, weight = torch.randn(2, 3, 4, 4), torch.randn(2, 5, 8, 8), torch.randn(3, 5, 4, 4)
    rest = ([3], [2, 2], [1, 1], [1, 1], False, [0, 0], 1)
    ours = bias_apart(gradient, x, weight, *rest, [True, True, True])
    theirs = torch.ops.aten.convolution_backward(gradient, x, weight, *rest, [True, True, True])
    torch.testing.assert_close(ours, theirs)
    assert bias_apart(gradient, x, weight, *rest, [True, True, False]) is NotImplemented
