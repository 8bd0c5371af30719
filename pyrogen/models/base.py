"""The pair: a model and a guide over the same sites, as two Pyro programs that any ELBO can train."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, NoReturn

import numpy as np
import pyro
import torch
from pyro import distributions as dist
from pyro import poutine
from torch import Tensor, nn

from pyrogen import checks, tensors
from pyrogen.config import Described
from pyrogen.models.running import at_the_mean, drawn_by_model, likelihood_value
from pyrogen.nn.base import batch_shape

LARGEST_SAMPLE = 2**31  # pixels of the images drawn at once
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
    writes `model`, `guide` and `prior`, and enters `plate` and `kl_weight` in model *and* guide. `encode`, `decode` and
    `check` are those of its ``encoder`` and ``decoder``, unless it writes its own.

    What a subclass may add, and who calls it:

    ================  ==================================================  ==========================================
    `initialize`      starts parts from the first images                  `pg.fit`, before the first step
    `charge`          adds a term to the objective                        the guide, on each batch
    `data_charges`    those terms over all images                         `pg.evaluate`, in place of the batches' own
    `estimators`      says how `data_charges` were estimated              `pg.evaluate`
    `monitored`       numbers beside the objective                        `pg.fit`, each step; `pg.evaluate`, averaged
    `tally`           sums for numbers that a mean of batches gets wrong  scores and validation, over all batches
    `tallied`         those numbers from the sums                         scores and validation, at the end
    ================  ==================================================  ==========================================

    Args:
        beta: β ≥ 0, the weight of the KL term in the training objective.

    Attributes:
        beta: β as a tensor (a buffer: it is saved with the weights and is not a parameter).
        shape: the shape of one x.
        latent: the number of latent dimensions L.
        code_shape: the event shape of z: ``(L,)``, unless the codes lie on a grid.
        name: this object's prefix in Pyro's parameter store. Each object has its own, deep copies too, so two pairs in
            one process never share a weight.
    """

    weights: ClassVar[tuple[str, ...]] = ("beta",)  # the buffers that a user may set to a number: pair.beta = 8.0
    context: ClassVar[tuple[str, ...]] = ()  # what model and guide take beside x, such as ("y",)
    enumerates: ClassVar[bool] = False  # whether latents that are marked for it take all of their values

    beta: Tensor
    shape: tuple[int, ...]
    latent: int
    encoder: Any
    decoder: Any

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.name = self._fresh_name()
        self.register_buffer("beta", torch.tensor(checks.real("beta", beta, least=0)))

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a weight of the objective, such as β, takes a number and keeps its type and device."""
        buffer = self.__dict__.get("_buffers", {}).get(name) if name in self.weights else None
        if buffer is not None:
            with torch.no_grad():
                buffer.fill_(checks.real(name, value, least=0))
        else:
            super().__setattr__(name, value)

    def forward(self, *args: Any) -> NoReturn:
        """Say what to call: a pair is two programs and has no one output."""
        raise TypeError(
            "a pair is not called: call pair.reconstruct(x) for images, pair.encode(x) for q(z | x), pair.decode(z) "
            "for p(x | z), or train it with pg.fit(pair, x)"
        )

    @abstractmethod
    def model(self, *args: Any, **kwargs: Any) -> Any:
        """p(x, z) as a Pyro program of x (and the context) and ``size=None``: z from the prior, x observed.

        `size` is N if x is a batch of N images.
        """

    @abstractmethod
    def guide(self, *args: Any, **kwargs: Any) -> Any:
        """q(z | x) as a Pyro program, with the arguments of the model."""

    @abstractmethod
    def prior(self) -> dist.TorchDistribution:
        """p(z): batch shape (), event shape ``code_shape``."""

    def arguments(self, batch: Any, size: int | None = None) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of model and guide for a batch: x, or a tuple that begins with it, and N."""
        args = batch if isinstance(batch, tuple) else (batch,)
        if not 1 <= len(args) <= 1 + len(self.context):
            names = ", ".join(("x", *self.context))
            raise ValueError(f"x must be a batch, or a tuple ({names}), got a tuple of {len(args)}")
        return args, {"size": size}

    def encode(self, x: Tensor) -> dist.TorchDistribution:
        """q(z | x): batch shape ``(*batch,)``, event shape ``code_shape``."""
        distribution: dist.TorchDistribution = self.encoder(self.as_data(x))
        return distribution

    def decode(self, z: Tensor) -> dist.TorchDistribution:
        """p(x | z): batch shape ``(*batch,)``, event shape ``shape``."""
        distribution: dist.TorchDistribution = self.decoder(self.as_data(z, "z"))
        return distribution

    def check(self, x: Tensor, *context: Tensor) -> None:
        """Raise ``ValueError`` unless x is ``(*batch, *shape)`` with values that the likelihood can produce."""
        x = checks.tensor("x", x)
        if context and not self.context:
            raise ValueError(f"data must be images alone, got {len(context)} more inputs: pass data=images")
        if tuple(x.shape[-len(self.shape) :]) != self.shape:
            raise ValueError(
                f"images must have shape (*batch, {', '.join(map(str, self.shape))}), got {tuple(x.shape)}"
            )
        if hasattr(self.decoder, "likelihood"):  # a network of another make may have none
            self.decoder.likelihood.check(x)

    @property
    def code_shape(self) -> tuple[int, ...]:
        """The event shape of z."""
        return (self.latent,)

    @property
    def given_prior(self) -> Any:
        """The ``prior`` that the pair was made with, such as a VampPrior; None for the pair's own."""
        return getattr(self, "_prior", None)

    def plate(self, x: Tensor, size: int | None = None) -> pyro.plate:
        """Return the plate of the data: B images stand for `size` (N), so every site in it is weighted by N / B.

        The indices are given because a plate asked for ``subsample_size=B`` would shuffle all N of them each step.
        """
        if x.dim() == 0 or tuple(x.shape[1:]) != self.shape:
            raise ValueError(f"x must be a batch (B, {', '.join(map(str, self.shape))}), got {tuple(x.shape)}")
        if not len(x):
            raise ValueError("x must be a batch of at least one image, got none")
        size = None if size is None else checks.whole("size", size, most=checks.LARGEST_SIZE)
        if size is not None and size < len(x):
            raise ValueError(f"size must be at least the {len(x)} images of the batch, got {size}")
        if size is None or size == len(x):
            return pyro.plate("data", len(x))
        return pyro.plate("data", size, subsample=torch.arange(len(x), device=x.device))

    def kl_weight(self) -> AbstractContextManager[Any]:
        """Return the context in which z is drawn, in model and guide alike: everything in it is weighted by β.

        On one side alone β would be ignored or wrong, silently: Pyro's mean-field ELBO reads the guide's weight, its
        Monte Carlo fallback each side's own.
        """
        return _weighted(self.beta)

    def charge(self, name: str, nats: Tensor, weight: Tensor | float = 1.0) -> None:
        """Add weight × nats to what training minimizes; the history gets a column `name` of the nats themselves.

        To be called in the guide, inside the plate, for a term that is neither log p(x | z) nor the KL, such as a
        commitment or a total correlation. Every Pyro ELBO for reparametrized guides counts it; `pg.evaluate` keeps it
        out of the bound.

        Args:
            name: the site's name.
            nats: (B,), one value an image.
            weight: any number, 0 and negative ones too.
        """
        with _weighted(weight):  # pyro.factor, marked as no part of log q(z | x)
            unit = dist.Unit(nats, has_rsample=True)
            pyro.sample(name, unit, obs=nats.new_empty(*nats.shape, 0), infer={"is_auxiliary": True, "is_charge": True})

    def monitored(self, q: dist.TorchDistribution, z: Tensor, size: int) -> dict[str, Tensor]:
        """Scalars for the history that are not terms of the objective, such as a perplexity; none by default.

        Args:
            q: q(z | x) of a batch, as the guide has it.
            z: its draw, ``(B, *code_shape)``.
            size: N, the number of images that the batch stands for.
        """
        return {}

    def tally(self, q: dist.TorchDistribution, z: Tensor) -> dict[str, Tensor]:
        """Return sums over a batch's images, such as counts of codes; ``pg.evaluate`` adds up those of all batches."""
        return {}

    def tallied(self, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return those numbers of `monitored` that `tally`'s sums give, scalars; none by default."""
        return {}

    def estimators(self, images: int, draws: int) -> dict[str, dict[str, Any]]:
        """Say how the numbers of `data_charges` were estimated: name to ``{"estimator": ..., "images": ...}``."""
        return {}

    def data_charges(
        self, posteriors: Sequence[dist.TorchDistribution], z: Tensor, size: int
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Charges that depend on the other images, taken over many batches: name to (weight, nats (M,)).

        ``pg.evaluate`` reports them in place of what each batch is charged, so that they do not depend on its
        `batch_size`. None by default.

        Args:
            posteriors: q(z | x) of each batch, B images in all.
            z: a draw for each of the first M ≤ B images, (M, L).
            size: N, the number of images of the data set.
        """
        return {}

    def initialize(self, x: Tensor) -> None:
        """Set what should start from data, such as a codebook, if that was not done before; by default nothing.

        ``pg.fit`` calls it before the first step of each run that does not resume, with the images ``(n, *shape)`` of
        the first batches, up to 4,096. Who trains by SVI calls it first.
        """

    def as_data(self, x: Any, name: str = "x") -> Tensor:
        """x in the pair's own floating-point type and on its device: uint8 images and arrays can be passed too."""
        if not isinstance(x, torch.Tensor | np.ndarray):
            raise TypeError(f"{name} must be a torch.Tensor, got a {type(x).__name__}")
        return tensors.like(name, x, self.beta)

    def rows(self, x: Any) -> tuple[Tensor, tuple[int, ...]]:
        """Return images ``(*batch, *shape)`` as rows ``(B, *shape)``, and ``batch``."""
        x = self.as_data(x)
        batch = batch_shape(x, self.shape, "x")
        return x.reshape(-1, *self.shape), batch

    def blank(self, n: Any, mean: Any) -> Tensor:
        """Return n images of zeros for `sample` to fill, its arguments checked."""
        checks.flag("mean", mean)
        n = checks.whole("n", n, least=1, most=checks.LARGEST_COUNT)
        checks.sizes("n images", (n, *self.shape), in_all=LARGEST_SAMPLE)
        return self.beta.new_zeros(n, *self.shape)

    def sample(self, n: int, mean: bool = True) -> Tensor:
        """Return n new images ``(n, *shape)``, drawn by the model.

        Args:
            n: how many.
            mean: return the mean of p(x | z), in place of a draw from it.
        """
        x = self.blank(n, mean)
        return likelihood_value(drawn_by_model(self, x).nodes["x"], mean)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the mean of p(x | z) at the mean of q(z | x), ``(*batch, *shape)``; at a draw where q has no mean."""
        rows, batch = self.rows(x)
        return likelihood_value(at_the_mean(self, rows).nodes["x"], True).reshape(*batch, *self.shape)


def _weighted(weight: Tensor | float) -> AbstractContextManager[Any]:
    context = poutine.scale(scale=1.0)
    context.scale = weight  # set here: with validation on, the constructor refuses what is not positive
    return context


def check_pair(name: str, value: Any) -> Pair:
    """Return a pair.

    Raises:
        TypeError: if it is anything else.
    """
    if not isinstance(value, Pair):
        raise TypeError(
            f"{name} must be a pyrogen pair, got {checks.shown(value)}: make one of any Pyro programs with "
            "pg.models.Programs(model, guide)"
        )
    return value
