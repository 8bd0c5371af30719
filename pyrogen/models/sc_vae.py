"""The sparse-coding variational autoencoder: a Laplace prior, and a guide at the code of an unrolled ISTA."""

from __future__ import annotations

import math

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from pyrogen import checks
from pyrogen.models.agreement import matched
from pyrogen.models.base import Pair
from pyrogen.nn import LISTA, Dictionary, Gaussian, SparseDecoder, SparseEncoder

GAIN = 0.1  # by how much log ρ follows a number of active entries that is off, a step


class SCVAE(Pair):
    r"""z ~ Laplace(0, 1/ρ) independently, x ~ p(x | Dz + b); the guide is δ(z − z(x)), z(x) a sparse code.

    The code comes from an unrolled ISTA, FISTA or LISTA, which goes towards

        z(x) = argmin ½‖f(x) − b − Dz‖² + λ‖z‖₁,    λ = βρσ²,

    and is exactly zero in most entries. There are two readings, by the encoder and decoder that are passed:

    * `pg.nn.SparseLinearEncoder` and `SparseLinearDecoder`: f(x) = x, and σ is the likelihood's. Then −log p(x, z) is
      the lasso over σ² plus a constant, z(x) is the most probable z, and training is dictionary learning;
    * `pg.nn.SparseConvEncoder` and `SparseConvDecoder`: f(x) is a feature map, a code at each of its positions, and σ
      the encoder's `scale`. As Dz + b should stand for f(x), the objective has the charge ``features``,
      ½‖f(x) − b − Dz‖² / σ² (Xiao et al. 2023, https://arxiv.org/abs/2303.16666).

    Training minimizes −log p(x | z(x)) − β log p(z(x)) + features, in nats per image. A point mass in a continuous
    space has no ELBO: `pg.evaluate` reports none. Draws from the prior, which `sample` decodes, have no entry that is
    zero.

    Args:
        encoder: see above; your own as a `pg.nn.SparseEncoder`.
        decoder: see above, with the same dictionary; your own as a `pg.nn.SparseDecoder`.
        rate: ρ > 0 of the prior, the reciprocal of E|z|. The threshold λ grows with it.
        sparsity: the share of entries to be exactly zero, in [0, 1). If given, ρ is adapted to it while training. Each
            step, log ρ moves by 0.1 (a / a* − 1). Here a is the share of active entries in the last batch, counted up
            to twice a*, and a* the one asked for. `set_sparsity` sets it at once.
        beta: β ≥ 0.

    Attributes:
        log_rate: log ρ, a buffer.
        zeros: the share of zeros in the last training batch, a buffer.

    Raises:
        TypeError: for other networks, and settings that are not numbers.
        ValueError: for settings outside of these, networks that disagree or do not share one dictionary, and a code of
            pixels under a likelihood that has no σ.

    Example:
        >>> import pyrogen as pg
        >>> dictionary = pg.nn.Dictionary(64, atoms=96)
        >>> encoder = pg.nn.SparseLinearEncoder((1, 8, 8), pg.nn.FISTA(dictionary, steps=20))
        >>> decoder = pg.nn.SparseLinearDecoder((1, 8, 8), dictionary, pg.nn.Gaussian(0.2))
        >>> pair, x = pg.models.SCVAE(encoder, decoder), torch.rand(50, 1, 8, 8)
        >>> abs(pair.set_sparsity(x, 0.9) - 0.9) < 0.001
        True
        >>> pair.encode(x).mean.shape
        torch.Size([50, 96])
    """

    log_rate: Tensor
    zeros: Tensor
    origin: Tensor

    def __init__(
        self,
        encoder: SparseEncoder,
        decoder: SparseDecoder,
        rate: float = 1.0,
        sparsity: float | None = None,
        beta: float = 1.0,
    ) -> None:
        super().__init__(checks.real("beta", beta))
        for network, kind in ((encoder, SparseEncoder), (decoder, SparseDecoder)):
            if not isinstance(network, kind):
                raise TypeError(f"a network of SCVAE must be a pg.nn.{kind.__name__}, got a {type(network).__name__}")
        self.shape, self.latent = matched(encoder, decoder)
        if encoder.code_shape != decoder.code_shape or encoder.dictionary is not decoder.dictionary:
            same = "one dictionary" if encoder.dictionary is decoder.dictionary else "two dictionaries"
            raise ValueError(
                f"encoder and decoder must share dictionary and grid, got {same} and codes of {encoder.code_shape} and "
                f"{decoder.code_shape}"
            )
        if encoder.scale is None and not isinstance(decoder.likelihood, Gaussian):
            raise ValueError(
                f"likelihood must be a pg.nn.Gaussian for a sparse code of pixels, got a "
                f"{type(decoder.likelihood).__name__}: use it, or the convolutional networks"
            )
        rate = checks.real("rate", rate, above=0)
        if sparsity is not None:
            sparsity = checks.real("sparsity", sparsity, least=0, below=1)
            if beta == 0:
                raise ValueError("beta must be above 0 for a sparsity, got beta=0: nothing is penalized then")
        self.encoder, self.decoder, self.sparsity = encoder, decoder, sparsity
        self.register_buffer("log_rate", torch.tensor(math.log(rate)))
        self.register_buffer("zeros", torch.tensor(float(sparsity or 0)))
        self.register_buffer("origin", torch.zeros(self.code_shape), persistent=False)

    def model(self, x: Tensor, size: int | None = None) -> Tensor:
        """p(x, z) for images ``(B, *shape)``; returns z, ``(B, *code_shape)``."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            with self.kl_weight():
                z = pyro.sample("z", self.prior())
            pyro.sample("x", self.decode(z), obs=x)
        return z

    def guide(self, x: Tensor, size: int | None = None) -> Tensor:
        """δ(z − z(x)) for images ``(B, *shape)``; returns z, ``(B, *code_shape)``."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        if self.training:
            self._follow()
        with self.plate(x, size):
            features = self.encoder.features(x)
            z = self.encoder.coder.code(features, self.penalty())
            if self.training:
                self.zeros.copy_((z.detach() == 0).to(self.zeros).mean())
            if self.encoder.scale is not None:
                error = (features - self.dictionary(z)) / self.encoder.scale
                self.charge("features", 0.5 * error.square().flatten(1).sum(1))
            with self.kl_weight():
                return pyro.sample("z", dist.Delta(z).to_event(len(self.code_shape)))

    def prior(self) -> dist.TorchDistribution:
        """Laplace(0, 1/ρ) for each entry, batch shape (), event shape ``code_shape``."""
        distribution: dist.TorchDistribution = dist.Laplace(self.origin, (-self.log_rate).exp()).to_event(
            len(self.code_shape)
        )
        return distribution

    def encode(self, x: Tensor) -> dist.TorchDistribution:
        """δ(z − z(x)), batch shape ``(*batch,)``, event shape ``code_shape``."""
        distribution: dist.TorchDistribution = self.encoder(self.as_data(x), self.penalty())
        return distribution

    def penalty(self) -> Tensor:
        """λ = βρσ², the weight of ‖z‖₁ beside ½‖f − b − Dz‖²; a scalar."""
        return self.beta * self.log_rate.exp() * self._noise() ** 2

    def check(self, x: Tensor, *context: Tensor) -> None:
        """Raise ``ValueError`` for images that do not fit, or a dictionary with a zero atom."""
        super().check(x, *context)
        self.dictionary.check()

    @property
    def dictionary(self) -> Dictionary:
        """D and b."""
        value: Dictionary = self.encoder.dictionary
        return value

    @property
    def code_shape(self) -> tuple[int, ...]:
        """(atoms,), the event shape of z, or (height, width, atoms) of a feature map."""
        value: tuple[int, ...] = self.encoder.code_shape
        return value

    def monitored(self, q: dist.TorchDistribution, z: Tensor, size: int) -> dict[str, Tensor]:
        """Return the share of entries that are exactly zero, how many atoms any code of the batch uses, and ρ."""
        zeros = 1 - (z != 0).to(z.dtype).mean()
        return {"zeros": zeros} | self.tallied(self.tally(q, z)) | {"rate": self.log_rate.exp()}

    def tally(self, q: dist.TorchDistribution, z: Tensor) -> dict[str, Tensor]:
        """Return how many codes use each atom, (atoms,)."""
        return {"uses": (z != 0).flatten(0, -2).to(z.dtype).sum(0)}

    def tallied(self, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return how many atoms any code uses."""
        return {"active_atoms": (sums["uses"] > 0).to(sums["uses"].dtype).sum()}

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Start D and b from the features of images, unless they are set or trained, and ρ from the sparsity asked."""
        if not self.dictionary.placed:
            self.dictionary.initialize(self.encoder.features(self.as_data(x)))
            if isinstance(self.encoder.coder, LISTA):
                self.encoder.coder.reset()
        if self.sparsity is not None:
            self.set_sparsity(self.as_data(x)[:256], self.sparsity)

    @torch.no_grad()
    def set_sparsity(self, x: Tensor, sparsity: float) -> float:
        """Set ρ so that the codes of x have that share of exact zeros, by bisection; returns the share reached.

        Args:
            x: images ``(N, *shape)``, as those that will be encoded.
            sparsity: in [0, 1).

        Raises:
            ValueError: for a sparsity outside of that, or one below the share that is zero at every ρ. Also without
                images, or for images whose codes are zero whatever ρ is, such as images equal to b.
            TypeError: for a sparsity that is not a number.
        """
        sparsity = checks.real("sparsity", sparsity, least=0, below=1)
        x = self.as_data(x)
        if not x.numel():
            raise ValueError(f"x must have at least one image to set the sparsity on, got shape {tuple(x.shape)}")
        self.check(x)
        if not self.beta > 0:
            raise ValueError("beta must be above 0 for a sparsity, got beta=0: nothing is penalized then")
        features = [self.encoder.features(part) for part in x.split(250)]
        unit = (self.beta * self._noise() ** 2).item()  # λ at ρ = 1
        largest = max((self.dictionary.centered(f) @ self.dictionary.atoms).abs().max().item() for f in features)
        if largest == 0:
            raise ValueError(
                "x must hold images that differ to this dictionary, got codes that are zero whatever the rate"
            )
        before, top = self.log_rate.item(), math.log(largest / unit)  # at `top` the lasso's codes are all zero
        low, high = top - 16, top + 8  # a trained LISTA has thresholds of its own
        least = self._share(features, low)
        if least > sparsity + 0.01:
            self.log_rate.fill_(before)
            raise ValueError(
                f"sparsity must be at least {least:.1%} here, got {sparsity:.1%}: "
                f"{least:.1%} of the codes' entries are zero at every rate"
            )
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if self._share(features, middle) < sparsity else (low, middle)
        return self._share(features, high)

    def _share(self, features: list[Tensor], log_rate: float) -> float:
        """Return the share of zeros in the codes at a rate, which stays."""
        self.log_rate.fill_(log_rate)
        codes = [self.encoder.coder.code(f, self.penalty()) for f in features]
        value: float = sum((z == 0).sum().item() for z in codes) / sum(z.numel() for z in codes)
        return value

    def _noise(self) -> Tensor | float:
        """σ of what is sparse-coded: the encoder's own features, or the pixels."""
        if self.encoder.scale is not None:
            own: Tensor | float = self.encoder.scale
            return own
        of_pixels: Tensor = self.decoder.likelihood.log_scale.exp()
        return of_pixels

    @torch.no_grad()
    def _follow(self) -> None:
        """Move ρ towards the sparsity asked for, by the relative excess of active entries in the last batch."""
        self.dictionary.placed.fill_(1)
        if self.sparsity is not None:
            excess = (1 - self.zeros) / (1 - self.sparsity) - 1
            self.log_rate.add_(GAIN * excess.clamp(max=1))
