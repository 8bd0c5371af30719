"""The conditional VAE: an image, given its label."""

from __future__ import annotations

from typing import Any

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from pyrogen import checks, tensors
from pyrogen.models.agreement import Prior, checked_prior, made_by
from pyrogen.models.base import Pair
from pyrogen.models.context import check_networks, joined, one_hot
from pyrogen.models.running import at_the_mean, drawn_by_model, likelihood_value
from pyrogen.nn import Decoder, Encoder
from pyrogen.nn.base import batch_shape


class ConditionalVAE(Pair):
    r"""z ~ p(z), x ~ p(x | z, y), fitted through q(z | x, y), for images x with labels y.

    Training maximizes, in nats per image, E_q(z|x,y) [log p(x | z, y)] − β KL(q(z | x, y) ‖ p(z)). For β = 1 this is a
    lower bound on log p(x | y) (Kingma et al. 2014, https://arxiv.org/abs/1406.5298, model M2 with all labels; Sohn et
    al. 2015). What the label says need not be in z. So z is left for the rest, such as the style of a digit.

    Args:
        encoder: q(z | x, y), a network of shape ``(D + C,)`` for D pixels and C classes, such as
            ``pg.nn.MLPEncoder((64 + 10,), latent=4)``; ``(channels + C, height, width)`` gets a plane a class, and the
            shape of x alone a network that does not look at the label.
        decoder: p(x | z, y), a network that takes vectors of L + C, such as ``pg.nn.MLPDecoder((1, 8, 8), 4 + 10)``.
        classes: C. Labels are int64 from 0 to C − 1; C floating numbers a row are taken as they are, so that any
            vector can be the context.
        beta: β ≥ 0.
        prior: p(z), as for `VAE`.

    Raises:
        ValueError: for networks that disagree, labels outside of their classes, or a number of labels that is not that
            of the images.

    Example:
        >>> import pyrogen as pg
        >>> pair = pg.models.ConditionalVAE(pg.nn.MLPEncoder((64 + 10,), 4), pg.nn.MLPDecoder((1, 8, 8), 4 + 10), 10)
        >>> data = pg.datasets.Digits(levels="binary")
        >>> _ = pg.fit(pair, data, steps=5, progress=False)
        >>> pair.sample(3, y=7).shape
        torch.Size([3, 1, 8, 8])
    """

    context = ("y",)
    origin: Tensor

    def __init__(
        self, encoder: Encoder, decoder: Decoder, classes: int, beta: float = 1.0, prior: Prior | None = None
    ) -> None:
        super().__init__(beta)
        self.shape, self.latent, self.classes = check_networks(encoder, decoder, classes)
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("origin", torch.zeros(self.latent), persistent=False)
        self._prior = checked_prior(prior, (self.latent,), encoder)

    def model(self, x: Tensor, y: Tensor, size: int | None = None) -> Tensor:
        """p(x, z | y) for images ``(B, *shape)`` with labels (B,); returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            with self.kl_weight():  # poutine.scale(scale=beta): in model and guide alike
                z = pyro.sample("z", self.prior())
            pyro.sample("x", self.decode(z, y), obs=x)
        return z

    def guide(self, x: Tensor, y: Tensor, size: int | None = None) -> Tensor:
        """q(z | x, y) for images ``(B, *shape)`` with labels (B,); returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size), self.kl_weight():
            return pyro.sample("z", self.encode(x, y))

    def prior(self) -> dist.TorchDistribution:
        """p(z), batch shape (), event shape (L,)."""
        if self._prior is None:
            distribution: dist.TorchDistribution = dist.Normal(self.origin, torch.ones_like(self.origin)).to_event(1)
            return distribution
        return made_by(self._prior)

    def encode(self, x: Tensor, y: Any = None) -> dist.TorchDistribution:
        """q(z | x, y), batch shape ``(*batch,)``, event shape (L,)."""
        x = self.as_data(x)
        code = self._code(y, x, batch_shape(x, self.shape, "x"))
        distribution: dist.TorchDistribution = self.encoder(joined(x, code, self.shape, self.encoder.shape))
        return distribution

    def decode(self, z: Tensor, y: Any = None) -> dist.TorchDistribution:
        """p(x | z, y), batch shape ``(*batch,)``, event shape ``shape``."""
        z = self.as_data(z, "z")
        batch_shape(z, (self.latent,), "z")
        code = self._code(y, z, z.shape[-2:-1])
        distribution: dist.TorchDistribution = self.decoder(torch.cat((z, code.expand(*z.shape[:-1], -1)), -1))
        return distribution

    def check(self, x: Tensor, *context: Tensor) -> None:
        """Raise ``ValueError`` for images or labels that do not fit."""
        super().check(x)
        if len(context) != 1:
            raise ValueError(
                f"data must be images and labels, got {1 + len(context)} inputs: pass data=(images, labels), "
                "or a data set of both"
            )
        y = checks.tensor("`y`", context[0])
        one_hot(y, self.classes, self.beta, len(x))
        if not y.dtype.is_floating_point:
            tensors.check_range("`y`", y, self.classes)

    def sample(self, n: int, mean: bool = True, y: Any = None) -> Tensor:
        """Return n new images ``(n, *shape)`` of the label y, or of n labels.

        Args:
            n: how many.
            mean: return the mean of p(x | z, y), in place of a draw from it.
            y: one label, n labels (n,), or vectors (n, C).
        """
        x = self.blank(n, mean)
        code = self._code(y, self.beta, (len(x),))
        return likelihood_value(drawn_by_model(self, x, code.expand(len(x), -1)).nodes["x"], mean)

    def reconstruct(self, x: Tensor, y: Any = None) -> Tensor:
        """Return the mean of p(x | z, y) at the mean of q(z | x, y), ``(*batch, *shape)``."""
        rows, batch = self.rows(x)
        code = self._code(y, rows, batch).expand(*batch, -1).reshape(-1, self.classes)
        trace = at_the_mean(self, rows, code)
        return likelihood_value(trace.nodes["x"], True).reshape(*batch, *self.shape)

    def _code(self, y: Any, like: Tensor, batch: tuple[int, ...]) -> Tensor:
        if y is None:
            raise ValueError("`y` must be the labels of the images, got None: pass y=")
        code = one_hot(y, self.classes, like)
        if code.dim() > 1 and tuple(code.shape[:-1]) != tuple(batch):
            rows = " × ".join(map(str, batch))
            raise ValueError(f"`y` must have one label for each of {rows} images, got shape {tuple(code.shape[:-1])}")
        return code
