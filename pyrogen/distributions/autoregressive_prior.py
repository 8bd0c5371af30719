"""A learned prior over grids of codes: each token given those before it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pyrogen.config import Described
from pyrogen.distributions.code_distribution import CodebookLike, CodeDistribution, check_codebook, check_network


class AutoregressiveCodes(CodeDistribution):
    r"""log p(z) = Σ_t log p(k_t | k_1 … k_{t−1}), k the indices of z's vectors row by row.

    Args:
        codebook: where the vectors are looked up.
        network: indices ``(*batch, *grid)`` to a distribution over ``grid`` whose part at t depends on the earlier
            indices alone, such as a `pg.nn.PixelCNN`; it has ``grid``, ``codes`` and ``logits_of``.
    """

    def __init__(self, codebook: CodebookLike, network: Any) -> None:
        check_network(network)
        self.network = network
        super().__init__(codebook, network.grid)

    def log_prob_of(self, indices: Tensor) -> Tensor:
        """Σ_t log p(k_t | earlier), all of it in one pass of the network."""
        output: Tensor = self.network(indices).log_prob(indices)
        return output

    def sample_indices(self, shape: torch.Size) -> Tensor:
        """Token after token, one pass of the network each."""
        tokens = self.grid.numel()
        indices = torch.zeros(shape.numel(), tokens, dtype=torch.int64, device=self.codebook.vectors.device)
        for t in range(tokens):
            logits = self.network.logits_of(indices.reshape(-1, *self.grid)).reshape(-1, tokens, self.codebook.codes)
            gumbel = -torch.log(-torch.log(torch.rand_like(logits[:, t])))
            indices[:, t] = (logits[:, t] + gumbel).argmax(-1)
        return indices.reshape(shape + self.grid)


class AutoregressivePrior(Described, nn.Module):
    r"""A prior for a `VQVAE` that a network of masked convolutions learns: called, it returns p(z).

    A VQ-VAE trained under the uniform prior pays T log K nats an image whatever its codes. Their joint distribution has
    less entropy than that: a prior fitted to them lowers the rate by the difference, and draws from it look like data.
    It can be fitted in a second stage, with all else frozen (``pair.freeze()``), as van den Oord et al. 2017 do
    (https://arxiv.org/abs/1711.00937, section 3.3). It can also be fitted from the start. The codes have no gradient
    from it either way.

    Args:
        codebook: the pair's own.
        network: a `pg.nn.PixelCNN`, or your own `pg.nn.Autoregressive`, over as many codes.

    Raises:
        ValueError: if the network is over another number of codes.

    Example:
        >>> import pyrogen as pg
        >>> book = pg.nn.Codebook(codes=8, dim=3)
        >>> prior = AutoregressivePrior(book, pg.nn.PixelCNN((2, 2), codes=8, channels=16, layers=1))
        >>> z = prior().sample((5,))
        >>> z.shape, prior().log_prob(z).shape
        (torch.Size([5, 2, 2, 3]), torch.Size([5]))
    """

    def __init__(self, codebook: CodebookLike, network: Any) -> None:
        super().__init__()
        check_codebook(codebook)
        check_network(network)
        theirs = network.codes
        if theirs != codebook.codes:
            raise ValueError(
                f"network must be one for the {codebook.codes} codes of the codebook, got one for {theirs}"
            )
        self.codebook, self.network = codebook, network

    def forward(self) -> AutoregressiveCodes:
        """p(z), batch shape (), event shape ``(*grid, D)``."""
        return AutoregressiveCodes(self.codebook, self.network)
