"""The pair: a model and a guide over the same sites, as two Pyro programs that any ELBO can train."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any

import pyro
import torch
from pyro import distributions as dist
from pyro import poutine
from torch import Tensor, nn

from pyrogen.described import Described

_NUMBERS = itertools.count()


class Named:
    """A module with a name of its own in Pyro's parameter store; a copy has weights of its own, so it gets another."""

    name: str

    def _fresh_name(self) -> str:
        return f"{type(self).__name__.lower()}_{next(_NUMBERS)}"

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        self.name = self._fresh_name()


class Pair(Described, Named, nn.Module, ABC):
    """A Pyro model and guide with one latent ``z`` and one observation ``x`` in the plate ``data``.

    ``SVI(pair.model, pair.guide, optim, loss).step(x)`` trains it, and so does ``pg.fit(pair, data, ...)``. A subclass
    writes `model`, `guide`, `prior`, `encode` and `decode`, and enters `plate` and `kl_weight` in model *and* guide.

    Args:
        beta: β ≥ 0, the weight of the KL term in the training objective.

    Attributes:
        beta: β as a tensor (a buffer: it is saved with the weights and is no parameter).
        shape: the shape of one x.
        latent: the number of latent dimensions L.
        name: this object's prefix in Pyro's parameter store. Each object has its own, deep copies too, so two pairs in
            one process never share a weight.
    """

    beta: Tensor
    shape: tuple[int, ...]
    latent: int

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        if not 0 <= float(beta) < float("inf"):
            raise ValueError(f"beta weighs the KL term and must be a finite number of at least 0, and it is {beta}")
        self.name = self._fresh_name()
        self.register_buffer("beta", torch.tensor(float(beta)))

    @abstractmethod
    def model(self, x: Tensor, size: int | None = None) -> Any:
        """p(x, z) as a Pyro program: z from the prior, x observed; `size` is N if x is a batch of N images."""

    @abstractmethod
    def guide(self, x: Tensor, size: int | None = None) -> Any:
        """q(z | x) as a Pyro program."""

    @abstractmethod
    def prior(self) -> dist.TorchDistribution:
        """p(z): batch shape (), event shape (L,)."""

    @abstractmethod
    def encode(self, x: Tensor) -> dist.TorchDistribution:
        """q(z | x): batch shape ``(*batch,)``, event shape (L,)."""

    @abstractmethod
    def decode(self, z: Tensor) -> dist.TorchDistribution:
        """p(x | z): batch shape ``(*batch,)``, event shape ``shape``."""

    @abstractmethod
    def check(self, x: Tensor) -> None:
        """Raise ``ValueError`` unless x is ``(*batch, *shape)`` with values that the likelihood can produce."""

    def plate(self, x: Tensor, size: int | None = None) -> pyro.plate:
        """The plate of the data: B images stand for `size` (N), so every site in it is weighted by N / B.

        The indices are given because a plate asked for ``subsample_size=B`` would shuffle all N of them each step.
        """
        if tuple(x.shape[1:]) != self.shape or x.dim() == 0:
            raise ValueError(f"x must be a batch (B, {', '.join(map(str, self.shape))}), and it has {tuple(x.shape)}")
        if size is not None and size < len(x):
            raise ValueError(f"size is the number N of images that the batch stands for, and {size} < {len(x)} images")
        if size is None or size == len(x):
            return pyro.plate("data", len(x))
        return pyro.plate("data", size, subsample=torch.arange(len(x), device=x.device))

    def kl_weight(self) -> AbstractContextManager[Any]:
        """The context in which z is drawn, in model and guide alike: everything in it is weighted by β.

        On one side alone β would be ignored or wrong, silently: Pyro's mean-field ELBO reads the guide's weight, its
        Monte Carlo fallback each side's own.
        """
        weight = poutine.scale(scale=1.0)
        weight.scale = self.beta  # set here: with validation on, the constructor refuses β = 0
        return weight

    def as_data(self, x: Tensor) -> Tensor:
        """x in the pair's own floating-point type, so that uint8 images can be passed as they are."""
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"x must be a torch.Tensor, and it is a {type(x).__name__}")
        return x.to(self.beta.dtype)

    @torch.no_grad()
    def sample(self, n: int, mean: bool = True) -> Tensor:
        """n new images ``(n, *shape)``: z ~ p(z), then the mean of p(x | z), or a draw from it with ``mean=False``."""
        if n < 1:
            raise ValueError(f"n must be a positive number of samples, and it is {n}")
        likelihood = self.decode(self.prior().sample((n,)))
        return likelihood.mean if mean else likelihood.sample()

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The mean of p(x | z) at the mean of q(z | x), ``(*batch, *shape)``."""
        return self.decode(self.encode(x).mean).mean
