"""K code vectors: the nearest of them, and how they follow the features that are mapped to them."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from pyrogen import checks, tensors
from pyrogen.config import Described

Update: TypeAlias = Literal["ema", "loss"]
UNUSED = 1e-12  # a running count below it has underflowed in all but name: the code stays where it is
CLUSTERED = 10_000  # distinct features that k-means looks at, at most (and at least 50 a code)


class Codebook(Described, nn.Module):
    r"""K vectors c_k in D dimensions, with running counts of how often each is the nearest.

    With ``update="ema"`` the vectors follow the features in `learn`, which a guide calls in training mode. With n_k
    features e of a batch nearest to code k,

        N_k ← γ N_k + (1 − γ) n_k,   m_k ← γ m_k + (1 − γ) Σ e,   c_k = m_k / N_k,

    so γ = 0 is Lloyd's step of k-means; a code without features stays. With ``update="loss"`` they are a parameter,
    which a pair trains by charging ‖sg(e) − c_k‖². Source: van den Oord et al. 2017,
    https://arxiv.org/abs/1711.00937, section 3.2 and appendix A.1.

    **Dead codes.** A code is dead if its running count is below ``revive`` times the mean over the codes. It moves to a
    feature of the batch, drawn with probability proportional to its squared distance from its own code. There the
    codebook is worst.

    Args:
        codes: K ≥ 1.
        dim: D ≥ 1.
        update: ``"ema"`` or ``"loss"``.
        decay: γ in [0, 1), of the running counts and, for ``"ema"``, the vectors.
        revive: the share of the mean count below which a code is dead; 0 revives none.

    Attributes:
        vectors: (K, D); a buffer, or a parameter with ``update="loss"``.
        counts: N, (K,), features a batch.
        placed: a buffer, 1 once `initialize` or `learn` has placed the vectors.
        frozen: True after `freeze`.

    Raises:
        ValueError: for an unknown update, or a size, decay or share out of range.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> book = Codebook(codes=4, dim=2)
        >>> book.initialize(torch.randn(100, 2))
        >>> indices = book.nearest(torch.randn(5, 3, 3, 2))
        >>> indices.shape, book.lookup(indices).shape
        (torch.Size([5, 3, 3]), torch.Size([5, 3, 3, 2]))
    """

    vectors: Tensor
    counts: Tensor
    sums: Tensor
    placed: Tensor

    def __init__(self, codes: int, dim: int, update: Update = "ema", decay: float = 0.99, revive: float = 0.01) -> None:
        super().__init__()
        self.codes, self.dim = checks.whole("codes", codes, least=1), checks.whole("dim", dim, least=1)
        self.update = checks.one_of("update", update, get_args(Update))
        self.decay, self.revive = checks.real("decay", decay, 0, below=1), checks.real("revive", revive, 0, below=1)
        self.frozen = False
        vectors = torch.randn(self.codes, self.dim) / math.sqrt(self.dim)
        self.register_buffer("counts", torch.zeros(self.codes))
        self.register_buffer("placed", torch.zeros(()))
        if update == "loss":
            self.vectors = nn.Parameter(vectors)
        else:
            self.register_buffer("vectors", vectors)
            self.register_buffer("sums", torch.zeros(self.codes, self.dim))

    @torch.no_grad()
    def nearest(self, features: Tensor) -> Tensor:
        """Return the index of the code nearest to each vector of ``(*shape, D)``, int64 ``(*shape)``."""
        features = self._features(features)
        center = self.vectors.mean(0)  # taken off first, so that codes far from 0 are told apart
        codes, flat = self.vectors - center, features.detach().reshape(-1, self.dim) - center
        half = 0.5 * codes.square().sum(-1)
        return torch.addmm(half, flat, codes.T, alpha=-1).argmin(-1).reshape(features.shape[:-1])

    def lookup(self, indices: Tensor) -> Tensor:
        """Return the vectors of int64 ``(*shape)``, ``(*shape, D)``."""
        return nn.functional.embedding(tensors.indices("indices", indices, self.codes), self.vectors)

    @torch.no_grad()
    def are_codes(self, value: Tensor, indices: Tensor, event_dim: int) -> Tensor:
        """Return whether all vectors of the last `event_dim` dimensions equal the codes of `indices`, but for
        rounding."""
        tolerance = 8 * torch.finfo(value.dtype).eps * self.vectors.abs().max()
        near = (value.detach() - self.lookup(indices)).abs() <= tolerance
        return near.flatten(-event_dim).all(-1)

    def _features(self, value: Any) -> Tensor:
        """Return vectors ``(*shape, D)`` in the type of the codes."""
        features = tensors.like("features", value, self.vectors)
        if features.shape[-1:] != (self.dim,):
            raise ValueError(f"features must be vectors (*shape, {self.dim}), got {tuple(features.shape)}")
        return features

    def freeze(self) -> None:
        """Let the vectors stay where they are, in training mode too; like ``requires_grad``, this is not saved."""
        self.frozen = True
        self.requires_grad_(False)

    @torch.no_grad()
    def learn(self, features: Tensor) -> None:
        """One step of the running counts, of the vectors (``update="ema"``) and of the revival of dead codes.

        Features that are not finite do not count, so that one bad image does not spoil the codes for good.

        Args:
            features: e, ``(*shape, D)``, a batch.
        """
        if self.frozen:
            return
        e = self._features(features).detach().reshape(-1, self.dim)
        if not len(e):
            raise ValueError(f"features must be one or more vectors, got {tuple(features.shape)}")
        finite = torch.isfinite(e).all(-1)
        e = torch.where(finite[:, None], e, torch.zeros_like(e))
        index = self.nearest(e)
        self.placed.fill_(1)
        counts = torch.zeros_like(self.counts).index_add(0, index, finite.to(e))
        self.counts.mul_(self.decay).add_(counts, alpha=1 - self.decay)
        if self.update == "ema":
            sums = torch.zeros_like(self.sums).index_add(0, index, e)
            self.sums.mul_(self.decay).add_(sums, alpha=1 - self.decay)
            self._move()
        if self.revive:
            self._revive(e, torch.where(finite[:, None], self.lookup(index), e))

    @torch.no_grad()
    def settle(self) -> None:
        """Set the vectors to the ratio of sums and counts, after these were averaged over several processes."""
        if self.update == "ema" and not self.frozen:
            self._move()

    def _move(self) -> None:
        """Set the vectors to the running means; one that no feature uses stays."""
        means = self.sums / self.counts.clamp_min(UNUSED)[:, None]
        self.vectors.copy_(torch.where(self.counts[:, None] > UNUSED, means, self.vectors))

    def _revive(self, e: Tensor, codes: Tensor) -> None:
        """Dead codes to features, drawn without replacement in proportion to ‖e − c‖² (by Gumbel's trick: no sync)."""
        threshold = self.revive * self.counts.mean()
        dead = self.counts < threshold
        distance = (e - codes).square().sum(-1)
        gumbel = -torch.log(-torch.log(torch.rand_like(distance).clamp(1e-7, 1 - 1e-7)))
        best = (distance.clamp_min(1e-30).log() + gumbel).topk(min(self.codes, len(e))).indices
        found = e[best[torch.arange(self.codes, device=e.device) % len(best)]]
        self.vectors.copy_(torch.where(dead[:, None], found, self.vectors))
        self.counts.copy_(torch.where(dead, 3 * threshold, self.counts))  # time to be used before it is looked at again
        if self.update == "ema":
            self.sums.copy_(torch.where(dead[:, None], 3 * threshold * found, self.sums))

    @torch.no_grad()
    def initialize(self, features: Tensor) -> None:
        """Set the vectors to the k-means centers of features ``(*shape, D)``, the running counts to their shares.

        Raises:
            ValueError: if there are fewer distinct features than codes, or they are of another length or not finite.
        """
        from sklearn.cluster import KMeans

        features = self._features(features)
        if not torch.isfinite(features).all():
            raise ValueError(
                f"features must be finite vectors (*shape, {self.dim}), got {tuple(features.shape)}, "
                f"{int((~torch.isfinite(features)).sum())} values of them not finite"
            )
        e = features.detach().reshape(-1, self.dim)
        distinct, times = torch.unique(e, dim=0, return_counts=True)
        if len(distinct) < self.codes:
            raise ValueError(
                f"features must hold at least {self.codes} distinct vectors, one a code, got {len(distinct)} "
                f"({len(e)} in all): use fewer codes or more images"
            )
        some = torch.randperm(len(distinct))[: max(CLUSTERED, 50 * self.codes)].to(e.device)
        seed = int(torch.randint(2**31 - 1, ()))
        kmeans = KMeans(self.codes, n_init=1, random_state=seed)
        kmeans.fit(distinct[some].double().cpu().numpy(), sample_weight=times[some].double().cpu().numpy())
        self.vectors.copy_(torch.from_numpy(kmeans.cluster_centers_))
        self.placed.fill_(1)
        counts = torch.bincount(self.nearest(e), minlength=self.codes)
        self.counts.copy_(counts.to(self.counts) / len(e))  # one token in all: the first batches outweigh it
        if self.update == "ema":
            self.sums.copy_(self.vectors * self.counts[:, None])
