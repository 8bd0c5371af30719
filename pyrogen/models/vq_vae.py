"""The VQ-VAE: codes from a finite set of vectors, under a prior that can be learned."""

from __future__ import annotations

import math

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from pyrogen import checks
from pyrogen.distributions import CodeDistribution, Quantized, UniformCodes
from pyrogen.models.agreement import Prior, made_by, matched
from pyrogen.models.base import Pair
from pyrogen.nn import Codebook, GridDecoder, GridEncoder


class VQVAE(Pair):
    r"""z a grid of T vectors of a codebook, x ~ p(x | z); the guide takes the code nearest to each feature e(x).

    Training minimizes, in nats per image, with c the chosen codes and sg the stopped gradient,

        −log p(x | z) + β log 1/p(z) + ‖sg(e) − c‖² + κ ‖e − sg(c)‖²,

    where the gradient passes from z to e as if z were e. The third term, ``codebook``, is there with
    ``Codebook(update="loss")`` alone. The fourth is the ``commitment`` (van den Oord et al. 2017,
    https://arxiv.org/abs/1711.00937). The training objective does not bound log p(x). But the codes are discrete, and
    q(z | x) is one of them with probability 1. So log p(x | z) + log p(z) ≤ log p(x) is the ELBO. `pg.evaluate` reports
    it with KL = −log p(z): T log K under the uniform prior, in bits after division by log 2.

    In training mode the guide first lets the codebook follow the features (see `Codebook.learn`), then quantizes.

    Args:
        encoder: x to features over ``(*grid, D)``; write your own as a `pg.nn.GridEncoder`.
        decoder: z ``(*batch, *grid, D)`` to p(x | z); your own, as a `pg.nn.GridDecoder`.
        codebook: the K vectors.
        commitment: κ ≥ 0. The paper's 0.25 goes with a squared error without a factor. Under ``Gaussian(σ)`` that error
            weighs 1/2σ²: take a κ of about as much, such as 50 for σ = 0.1.
        prior: p(z), a distribution over ``(*grid, D)`` or a callable (a module, if it has weights) that returns one. A
            `pg.distributions.AutoregressivePrior` of the same codebook is one. ``None`` is the uniform one.
        beta: β ≥ 0, which matters to a learned prior alone.

    Raises:
        ValueError: for a negative weight, networks or a codebook that disagree on shapes, or another codebook's prior.

    Example:
        >>> import pyrogen as pg
        >>> encoder = pg.nn.ConvGridEncoder((1, 8, 8), dim=4, channels=(16,))
        >>> decoder = pg.nn.ConvGridDecoder((1, 8, 8), dim=4, channels=(16,))
        >>> pair = pg.models.VQVAE(encoder, decoder, pg.nn.Codebook(codes=16, dim=4))
        >>> _ = pg.fit(pair, torch.bernoulli(torch.full((64, 1, 8, 8), 0.3)), steps=5, progress=False)
        >>> pair.code_shape, pair.sample(2).shape, round(pair.rate / math.log(2))  # 16 tokens of 4 bits
        ((4, 4, 4), torch.Size([2, 1, 8, 8]), 64)
    """

    codebook: Codebook
    grid: tuple[int, ...]
    commitment: float
    _prior: Prior | None

    def __init__(
        self,
        encoder: GridEncoder,
        decoder: GridDecoder,
        codebook: Codebook,
        commitment: float = 0.25,
        prior: Prior | None = None,
        beta: float = 1.0,
    ) -> None:
        super().__init__(beta)
        commitment = checks.real("commitment", commitment, least=0)
        if not isinstance(codebook, Codebook):
            raise TypeError(f"codebook must be a pg.nn.Codebook, got a {type(codebook).__name__}")
        self.shape, self.latent = matched(encoder, decoder, grid=True)
        if codebook.dim != encoder.dim:
            raise ValueError(f"codebook must have the networks' dim={encoder.dim}, got dim={codebook.dim}")
        self.encoder, self.decoder, self.codebook = encoder, decoder, codebook
        self.grid, self.commitment = encoder.grid, commitment
        self._prior = prior
        made = self.prior()
        if not isinstance(made, CodeDistribution):
            raise TypeError(
                f"the prior must be a probability of grids of codes (a pg.distributions.CodeDistribution), got a "
                f"{type(made).__name__}: a density gives no bound"
            )
        if made.codebook is not codebook:
            raise ValueError("prior must be over the codebook passed here, got one over another codebook")
        batch, event = tuple(made.batch_shape), tuple(made.event_shape)
        if (batch, event) != ((), self.code_shape):
            raise ValueError(
                f"prior must be one distribution over grids of codes (event shape {self.code_shape}), got event shape "
                f"{event} and batch shape {batch}"
            )

    @property
    def code_shape(self) -> tuple[int, ...]:
        """``(*grid, D)``."""
        return (*self.grid, self.codebook.dim)

    @property
    def rate(self) -> float:
        """T log K nats an image, what the codes cost under the uniform prior."""
        return math.prod(self.grid) * math.log(self.codebook.codes)

    def model(self, x: Tensor, size: int | None = None) -> Tensor:
        """p(x, z) for images ``(B, *shape)``; returns z, ``(B, *grid, D)``."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            with self.kl_weight():
                z = pyro.sample("z", self.prior())
            pyro.sample("x", self.decode(z), obs=x)
        return z

    def guide(self, x: Tensor, size: int | None = None) -> Tensor:
        """q(z | x) for images ``(B, *shape)``, with its charges; returns z, ``(B, *grid, D)``."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            features = self.encoder(x).mean
            if self.training:
                self.codebook.learn(features)
            q = self._quantized(features)
            self.charge("commitment", _squares(features - q.codes.detach()), weight=self.commitment)
            if self.codebook.update == "loss":
                self.charge("codebook", _squares(features.detach() - q.codes))
            with self.kl_weight():
                return pyro.sample("z", q)

    def prior(self) -> dist.TorchDistribution:
        """p(z), batch shape (), event shape ``(*grid, D)``."""
        if self._prior is None:
            return UniformCodes(self.codebook, self.grid)
        return made_by(self._prior)

    def encode(self, x: Tensor) -> Quantized:
        """q(z | x), a point on a grid of codes: batch shape ``(*batch,)``, event shape ``(*grid, D)``."""
        return self._quantized(self.encoder(self.as_data(x)).mean)

    def monitored(self, q: dist.TorchDistribution, z: Tensor, size: int) -> dict[str, Tensor]:
        """Of the batch: the perplexity exp(H) of how often each code is taken, and the share of codes taken at all."""
        return self.tallied(self.tally(q, z))

    def tally(self, q: dist.TorchDistribution, z: Tensor) -> dict[str, Tensor]:
        """Return how often each code is taken, (K,)."""
        indices = q.indices.flatten()
        ones = torch.ones_like(indices, dtype=z.dtype)
        return {"codes": torch.zeros_like(self.codebook.counts).index_add(0, indices, ones)}

    def tallied(self, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return perplexity and usage, of all images that were counted."""
        counts = sums["codes"]
        share = counts / counts.sum()
        return {"perplexity": torch.special.entr(share).sum().exp(), "usage": (counts > 0).to(counts.dtype).mean()}

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Set the codebook to the k-means centers of the features of x ``(N, *shape)``, unless it is placed or frozen.

        Raises:
            ValueError: if they are fewer than the codes.
        """
        if not (self.codebook.frozen or self.codebook.placed):
            self.codebook.initialize(torch.cat([self.encoder(part).mean for part in self.rows(x)[0].split(256)]))

    def freeze(self) -> None:
        """Keep encoder, decoder and codebook as they are, so that ``pg.fit`` trains the prior alone."""
        for part in (self.encoder, self.decoder):
            part.requires_grad_(False)
        self.codebook.freeze()

    def _quantized(self, features: Tensor) -> Quantized:
        return Quantized(features, self.codebook, grid_dim=len(self.grid))


def _squares(difference: Tensor) -> Tensor:
    return difference.square().flatten(1).sum(1)
