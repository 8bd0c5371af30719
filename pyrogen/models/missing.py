"""A VAE for images with missing pixels: what was not seen counts nowhere."""

from __future__ import annotations

from typing import Any

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from pyrogen import checks
from pyrogen.models.running import at_the_mean
from pyrogen.models.vae import VAE


class MissingVAE(VAE):
    r"""z ~ p(z), x ~ p(x | z), fitted through q(z | what was seen of x).

    Pixels that were not seen are NaN. The likelihood leaves them out. So the ELBO is a bound on log p(x_seen), the
    density of the seen pixels with the missing ones integrated out. The encoder gets 0 in their place. That is right if
    pixels are missing at random (Mattei and Frellsen 2019, https://arxiv.org/abs/1812.02633,
    with one importance sample: Nazábal et al. 2020, https://arxiv.org/abs/1807.03653).

    `reconstruct` keeps what was seen and fills in the rest with the mean of p(x | z).

    Args:
        encoder: as for `VAE`. Missing pixels are 0 in its input; for images whose zeros mean something, subtract what
            is usual from the data first, or give the encoder a scale of its own.
        decoder: as for `VAE`; its likelihood must be a product over the pixels.
        beta: β ≥ 0.
        prior: p(z), as for `VAE`.

    Raises:
        ValueError, TypeError: as `VAE`.

    Example:
        >>> import pyrogen as pg
        >>> pair = pg.models.MissingVAE(pg.nn.MLPEncoder((8, 8), latent=3), pg.nn.MLPDecoder((8, 8), latent=3))
        >>> x = torch.bernoulli(torch.full((16, 8, 8), 0.5))
        >>> x[:, :4] = float("nan")  # the upper half was not seen
        >>> _ = pg.fit(pair, x, steps=5, progress=False)
        >>> filled = pair.reconstruct(x)
        >>> bool(filled.isfinite().all()), torch.equal(filled[:, 4:], x[:, 4:])
        (True, True)
    """

    def model(self, x: Tensor, size: int | None = None) -> Tensor:
        """p(x, z) for images ``(B, *shape)``, NaN where a pixel is missing; returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            with self.kl_weight():  # poutine.scale(scale=beta): in model and guide alike
                z: Tensor = pyro.sample("z", self.prior())
            pixels = self.decode(z).base_dist  # (*batch, *shape), independent of one another
            seen = pixels.mask(~x.isnan()).to_event(len(self.shape))
            pyro.sample("x", seen, obs=x.nan_to_num(0.0))
        return z

    def encode(self, x: Tensor) -> dist.TorchDistribution:
        """q(z | what was seen of x), batch shape ``(*batch,)``, event shape (L,)."""
        return super().encode(self.as_data(x).nan_to_num(0.0))

    def check(self, x: Tensor, *context: Tensor) -> None:
        """Raise ``ValueError`` for images that do not fit; missing pixels are let through."""
        super().check(checks.tensor("x", x).nan_to_num(0.0), *context)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the images, their missing pixels filled in with the mean of p(x | z) at the mean of q(z | x)."""
        rows, batch = self.rows(x)
        trace: Any = at_the_mean(self, rows)
        filled = self.decode(trace.nodes["z"]["value"]).mean.detach().reshape(*batch, *self.shape)
        x = rows.reshape(*batch, *self.shape)
        return torch.where(x.isnan(), filled, x)
