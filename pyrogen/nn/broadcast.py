"""The spatial broadcast decoder: what a place of an image shows is computed from the code and from that place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pyrogen import checks
from pyrogen.nn.base import Decoder, check_widths
from pyrogen.nn.likelihoods import Likelihood, LikelihoodName


class BroadcastDecoder(Decoder):
    r"""The same small network at every place: f(z, u, v) gives the pixels around the place (u, v).

    The image is cut into patches of `patch` × `patch` pixels. The centers of the patches have coordinates in (−1, 1),
    u along the width and v along the height. A network of ReLU layers takes the code and the coordinates of one patch
    and returns the likelihood's parameters of its pixels. That is a convolutional network of 1 × 1 layers over the
    broadcast code. Moving a shape is then a shift of (u, v) that a latent can make alone, so positions
    become axes of the code sooner than with other decoders.

    The first layer is linear in z and (u, v) together, so their two parts are computed apart and added. The broadcast
    tensor of shape (B, L + 2, H, W) is never made. Weights: a few thousand. Work: that of the layers at each patch,
    so a `patch` of 2 takes a quarter of the time of single pixels.

    Source: Watters et al. 2019, https://arxiv.org/abs/1901.07017 (there with 3 × 3 layers, one patch a pixel).

    Args:
        shape: (channels, height, width), with height and width divisible by `patch`.
        latent: the number of latent dimensions L.
        likelihood: see `Decoder`.
        hidden: units of each hidden layer, from z towards x; at least one layer.
        patch: the side of a patch in pixels.

    Raises:
        ValueError: if the shape is not that of an image, or `patch` does not divide it.

    Example:
        >>> import torch
        >>> BroadcastDecoder((1, 64, 64), latent=10)(torch.zeros(5, 10)).event_shape
        torch.Size([1, 64, 64])
    """

    places: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        latent: int,
        likelihood: LikelihoodName | Likelihood = "bernoulli",
        hidden: Sequence[int] = (64, 64, 64),
        patch: int = 2,
    ) -> None:
        super().__init__(shape, latent, likelihood)
        self.patch = checks.whole("patch", patch, least=1)
        widths = check_widths(hidden, "hidden", "(64, 64, 64)")
        if len(self.shape) != 3 or self.shape[1] % self.patch or self.shape[2] % self.patch:
            raise ValueError(
                f"shape must be (channels, height, width) with height and width divisible by patch={self.patch}, "
                f"got {self.shape}: pass another patch"
            )
        rows, columns = self.shape[1] // self.patch, self.shape[2] // self.patch
        v, u = torch.meshgrid(_centers(rows), _centers(columns), indexing="ij")
        self.register_buffer("places", torch.stack((u, v), -1).flatten(0, 1), persistent=False)  # (P, 2)
        self.first = nn.Linear(self.latent + 2, widths[0])
        layers: list[nn.Module] = []
        for before, after in pairwise((*widths, self.shape[0] * self.patch**2)):
            layers += [nn.ReLU(), nn.Linear(before, after)]
        self.network = nn.Sequential(*layers)

    def output_of(self, z: Tensor) -> Tensor:
        """Return the likelihood's parameters, (B, channels, height, width)."""
        channels, height, width = self.shape
        rows, columns = height // self.patch, width // self.patch
        of_code = F.linear(z, self.first.weight[:, : self.latent], self.first.bias)  # (B, H)
        of_place = F.linear(self.places, self.first.weight[:, self.latent :])  # (P, H)
        patches: Tensor = self.network((of_code[:, None] + of_place).flatten(0, 1))  # (B · P, channels · patch²)
        patches = patches.view(-1, rows, columns, channels, self.patch, self.patch)
        return patches.permute(0, 3, 1, 4, 2, 5).reshape(-1, channels, height, width)


def _centers(count: int) -> Tensor:
    """Return the centers of `count` equal parts of (−1, 1)."""
    return (2 * torch.arange(count) + 1) / count - 1
