"""The plain autoencoder: a flat prior, and a guide that is a point."""

from __future__ import annotations

import pyro
from pyro import distributions as dist
from torch import Tensor
from torch.distributions import Independent

from pyrogen.distributions.flat import Flat
from pyrogen.models.agreement import matched
from pyrogen.models.base import Pair
from pyrogen.nn import Decoder, Encoder


class Autoencoder(Pair):
    r"""p(z) ∝ 1, x ~ p(x | z), fitted through the point q(z | x) = δ(z − f(x)).

    Training maximizes, in nats per image,

        log p(x | f(x)),

    which is minus the squared error over 2σ² for a Gaussian likelihood and minus the cross-entropy for a Bernoulli, up
    to a constant. It is the autoencoder of Rumelhart, Hinton and Williams 1986 (https://doi.org/10.1038/323533a0). With
    linear networks and a Gaussian likelihood it is principal component analysis (Baldi and Hornik 1989,
    https://doi.org/10.1016/0893-6080(89)90014-2; `pg.oracles.linear_autoencoder`).

    It has no ELBO, KL or evidence: a point has no density, and a flat prior no integral. It cannot be sampled either;
    ``pair.decode(z).mean`` are the images of whatever codes z ``(n, L)`` one chooses.

    Args:
        encoder: x ``(*batch, *shape)`` to the point f(x), such as ``pg.nn.MLPEncoder(..., point=True)``. One that
            returns a Normal is refused and its mean not used: nothing would train the variance that it states.
        decoder: z ``(*batch, L)`` to p(x | z), a distribution over ``shape``; your own, as a `pg.nn.Decoder`.

    Raises:
        ValueError: for networks that disagree on L or on the shape of x, and by `sample`.
        TypeError: for an encoder that returns no point; if it does not say so by its ``point``, when it is first used.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> from pyro.infer import SVI, Trace_ELBO
        >>> encoder = pg.nn.MLPEncoder((8, 8), latent=3, point=True)
        >>> pair = pg.models.Autoencoder(encoder, pg.nn.MLPDecoder((8, 8), latent=3))
        >>> svi = SVI(pair.model, pair.guide, pyro.optim.Adam({"lr": 1e-3}), Trace_ELBO())
        >>> loss = svi.step(torch.bernoulli(torch.full((16, 8, 8), 0.5)))
        >>> pair.decode(torch.randn(2, 3)).mean.shape
        torch.Size([2, 8, 8])
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.shape, self.latent = matched(encoder, decoder)
        if not getattr(encoder, "point", True):
            raise TypeError(_no_point(type(encoder).__name__, "a Normal"))
        self.encoder, self.decoder = encoder, decoder

    def model(self, x: Tensor, size: int | None = None) -> Tensor:
        """p(x | z) and the flat p(z) for images ``(B, *shape)``; returns z, (B, L). To be run at a guide's z."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            with self.kl_weight():
                z = pyro.sample("z", self.prior())
            pyro.sample("x", self.decode(z), obs=x)
        return z

    def guide(self, x: Tensor, size: int | None = None) -> Tensor:
        """Return the point q(z | x) for images ``(B, *shape)``; returns z = f(x), (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size), self.kl_weight():
            return pyro.sample("z", self.encode(x))

    def prior(self) -> Flat:
        """Return the flat p(z), batch shape (), event shape (L,)."""
        return Flat(self.latent)

    def encode(self, x: Tensor) -> dist.TorchDistribution:
        """Return the point q(z | x) = δ(z − f(x)), batch shape ``(*batch,)``, event shape (L,); ``.mean`` is f(x)."""
        q: dist.TorchDistribution = self.encoder(self.as_data(x))
        base = q.base_dist if isinstance(q, Independent) else q
        if not isinstance(base, dist.Delta):
            raise TypeError(_no_point(type(self.encoder).__name__, f"a {type(base).__name__}"))
        return q


def _no_point(encoder: str, what: str) -> str:
    return (
        f"the encoder of an autoencoder must return a point, a Delta, got {what} from {encoder}: make it with "
        "point=True, or train a VAE"
    )
