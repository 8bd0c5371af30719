"""The semi-supervised VAE: labels are latents, known for some of the images."""

from __future__ import annotations

from typing import Any

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks, tensors
from pyrogen.models.base import Pair
from pyrogen.models.context import check_networks, joined, one_hot
from pyrogen.models.running import at_the_mean, drawn_by_model, likelihood_value
from pyrogen.nn import Decoder, Encoder
from pyrogen.nn.base import batch_shape

NEVER = -1e30  # the log of a probability that is 0, as a number that 0 can be multiplied with


class SemiSupervisedVAE(Pair):
    r"""y ~ uniform over C classes, z ~ N(0, I), x ~ p(x | z, y), fitted through q(y | x) q(z | x, y).

    Some images have a label and most do not. Where it is missing, all C labels are tried (Pyro enumerates the site),
    and the ELBO is the sum that Kingma et al. 2014 write out (https://arxiv.org/abs/1406.5298, model M2, equation 7),

        U(x) = Σ_y q(y | x) [L(x, y) − log q(y | x)],

        L(x, y) = E_q(z|x,y) log p(x | z, y) + log p(y) − KL_z(x, y).

    Where it is known, q(y | x) is that label with certainty, and the same formula gives L(x, y). Training minimizes
    −Σ L − Σ U with β on KL_z, plus α times the ``classification`` −log q(y | x) of the known labels. Without that term
    these would teach the classifier nothing (their equation 9).

    Args:
        encoder: q(z | x, y), as for `ConditionalVAE`.
        decoder: p(x | z, y), as for `ConditionalVAE`.
        classifier: q(y | x), such as ``pg.nn.MLPClassifier(shape, classes)``.
        alpha: α ≥ 0. Kingma et al. take 0.1 times the number of images for each label that is known.
        beta: β ≥ 0.

    Labels are int64 (B,), −1 where one is missing; without labels all are missing.

    Raises:
        ValueError: for networks that disagree, labels outside of their classes, or a number of labels that is not that
            of the images.

    Example:
        >>> import pyrogen as pg
        >>> networks = pg.nn.MLPEncoder((64 + 10,), 4), pg.nn.MLPDecoder((1, 8, 8), 4 + 10)
        >>> pair = pg.models.SemiSupervisedVAE(*networks, pg.nn.MLPClassifier((1, 8, 8), classes=10))
        >>> data = pg.datasets.Digits(levels="binary")
        >>> x, y = data.images(range(100)), data.factors(range(100))[:, 0]
        >>> y[20:] = -1
        >>> _ = pg.fit(pair, (x, y), steps=5, progress=False)
        >>> pair.classify(x[:2]).shape, pair.sample(3, y=7).shape
        (torch.Size([2]), torch.Size([3, 1, 8, 8]))
    """

    context = ("y",)
    weights = ("beta", "alpha")
    enumerates = True
    origin: Tensor
    alpha: Tensor

    def __init__(
        self, encoder: Encoder, decoder: Decoder, classifier: nn.Module, alpha: float = 1.0, beta: float = 1.0
    ) -> None:
        super().__init__(beta)
        self.shape, self.latent, self.classes = check_networks(encoder, decoder, getattr(classifier, "classes", None))
        if tuple(getattr(classifier, "shape", self.shape)) != self.shape:
            raise ValueError(f"the classifier must take images of {self.shape}, got {tuple(classifier.shape)}")  # type: ignore[arg-type]
        self.encoder, self.decoder, self.classifier = encoder, decoder, classifier
        self.register_buffer("alpha", torch.tensor(checks.real("alpha", alpha, least=0)))
        self.register_buffer("origin", torch.zeros(self.latent), persistent=False)

    def model(self, x: Tensor, y: Tensor | None = None, size: int | None = None) -> Tensor:
        """p(x, y, z) for images ``(B, *shape)`` and labels (B,); returns z."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        known = self._known(y, x)
        with self.plate(x, size):
            uniform = dist.Categorical(logits=torch.zeros(self.classes, dtype=x.dtype, device=x.device))
            label = pyro.sample("y", uniform, infer={"enumerate": "parallel"})
            if known is not None:  # what was seen of the label: it can be no other
                pyro.factor("label", torch.where((known >= 0) & (label != known), NEVER, 0.0).to(x.dtype))
            with self.kl_weight():  # poutine.scale(scale=beta): in model and guide alike
                z = pyro.sample("z", self.prior())
            pyro.sample("x", self.decode(z, label), obs=x)
        return z

    def guide(self, x: Tensor, y: Tensor | None = None, size: int | None = None) -> Tensor:
        """q(y | x) q(z | x, y) for images ``(B, *shape)`` and labels (B,); returns z."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        known = self._known(y, x)
        q = self.classifier(x)
        with self.plate(x, size):
            if known is not None:
                nats = torch.where(known >= 0, -q.log_prob(known.clamp(min=0)), 0.0)
                self.charge("classification", nats, weight=self.alpha)
                certain = torch.where(one_hot(known.clamp(min=0), self.classes, x) > 0, 0.0, NEVER).to(x.dtype)
                q = dist.Categorical(logits=torch.where((known >= 0)[:, None], certain, q.logits))
            label = pyro.sample("y", q, infer={"enumerate": "parallel"})
            with self.kl_weight():
                return pyro.sample("z", self.encode(x, label))

    def prior(self) -> dist.TorchDistribution:
        """p(z) = N(0, I), batch shape (), event shape (L,)."""
        distribution: dist.TorchDistribution = dist.Normal(self.origin, torch.ones_like(self.origin)).to_event(1)
        return distribution

    def encode(self, x: Tensor, y: Any = None) -> dist.TorchDistribution:
        """q(z | x, y), batch shape ``(*batch,)``, event shape (L,); without y at the most probable label."""
        x = self.as_data(x)
        code = one_hot(self.classify(x) if y is None else y, self.classes, x)
        distribution: dist.TorchDistribution = self.encoder(joined(x, code, self.shape, self.encoder.shape))
        return distribution

    def decode(self, z: Tensor, y: Any = None) -> dist.TorchDistribution:
        """p(x | z, y), batch shape ``(*batch,)``, event shape ``shape``."""
        if y is None:
            raise ValueError("`y` must be the labels that go with the codes, got None: pass y=")
        z = self.as_data(z, "z")
        code = one_hot(y, self.classes, z)
        batch = tensors.broadcast(z=batch_shape(z, (self.latent,), "z"), y=code.shape[:-1])
        parts = (z.expand(*batch, z.shape[-1]), code.expand(*batch, self.classes))
        distribution: dist.TorchDistribution = self.decoder(torch.cat(parts, -1))
        return distribution

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """Return the most probable label of each image under q(y | x), int64 ``(*batch,)``."""
        labels: Tensor = self.classifier(self.as_data(x)).logits.argmax(-1)
        return labels

    def check(self, x: Tensor, *context: Tensor) -> None:
        """Raise ``ValueError`` for images or labels that do not fit."""
        super().check(x)
        x = checks.tensor("x", x)
        for y in context:
            y = checks.tensor("`y`", y)
            self._known(y, x)
            tensors.check_range("`y`", y, self.classes, least=-1)

    def sample(self, n: int, mean: bool = True, y: Any = None) -> Tensor:
        """Return n new images ``(n, *shape)``; of the label y, or of n labels, if they are given."""
        x = self.blank(n, mean)
        if y is None:
            return likelihood_value(drawn_by_model(self, x).nodes["x"], mean)
        label = self._labels(y, (len(x),))
        tensors.check_range("`y`", label, self.classes)
        return likelihood_value(drawn_by_model(self, x, given={"y": label}).nodes["x"], mean)

    def reconstruct(self, x: Tensor, y: Any = None) -> Tensor:
        """Return the mean of p(x | z, y) at the mean of q(z | x, y); without y at the most probable label."""
        rows, batch = self.rows(x)
        label = self.classify(rows) if y is None else self._labels(y, batch).reshape(-1)
        return likelihood_value(at_the_mean(self, rows, label).nodes["x"], True).reshape(*batch, *self.shape)

    def _labels(self, y: Any, batch: tuple[int, ...]) -> Tensor:
        """Return one label, or labels of shape `batch`, as labels of that shape."""
        y = checks.tensor("`y`", y).to(self.beta.device)
        if y.dim() and tuple(y.shape) != tuple(batch):
            raise ValueError(f"`y` must be one label or have shape {tuple(batch)}, got {tuple(y.shape)}")
        return tensors.indices("`y`", y, self.classes, least=-1).expand(batch)

    def _known(self, y: Tensor | None, x: Tensor) -> Tensor | None:
        """Return the labels, checked; −1 where one is missing."""
        if y is None:
            return None
        y = tensors.indices("`y`", y, self.classes, least=-1)
        if x.dim() and tuple(y.shape) != (len(x),):
            raise ValueError(f"`y` must have one label for each of {len(x)} images, got shape {tuple(y.shape)}")
        return y.to(x.device)
