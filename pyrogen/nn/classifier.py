"""Classifiers: a network takes an image and returns a distribution over labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks
from pyrogen.config import Described
from pyrogen.nn.base import check_shape, event_size, rows
from pyrogen.nn.likelihoods import finite


class MLPClassifier(Described, nn.Module):
    """q(y | x): fully connected ReLU layers, then the logits of C classes.

    Without hidden layers it is logistic regression.

    Args:
        shape: the shape of one x; it is flattened.
        classes: C.
        hidden: units of each hidden layer.

    Example:
        >>> import torch
        >>> MLPClassifier((8, 8), classes=10)(torch.zeros(5, 8, 8)).probs.shape
        torch.Size([5, 10])
    """

    def __init__(self, shape: Sequence[int], classes: int, hidden: Sequence[int] = (256,)) -> None:
        super().__init__()
        self.shape, self.classes = check_shape(shape), checks.whole("classes", classes, least=2)
        widths = [event_size(self.shape), *checks.sizes("hidden", hidden, example="(256,)"), self.classes]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.network = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> dist.Categorical:
        """q(y | x), batch shape ``x.shape[:-len(shape)]``, values 0 to C − 1."""
        x, batch = rows(self, x, self.shape, "x")
        if not len(x):
            raise ValueError("x must be at least one image, got none")
        logits = self.network(x.reshape(len(x), event_size(self.shape)))
        with finite("the logits"):
            return dist.Categorical(logits=torch.reshape(logits, (*batch, self.classes)))
