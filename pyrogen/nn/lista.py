"""ISTA with weights that are learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyrogen import checks
from pyrogen.nn.dictionary import Dictionary
from pyrogen.nn.ista import SMALLEST, SparseCoder, soft_threshold


class LISTA(SparseCoder):
    r"""ISTA unrolled into a recurrent network whose weights are learned.

    With S soft thresholding and z₁ = S(Wx̄, λ exp g₁) for x̄ = x − b,

        zₖ₊₁ = S(Wx̄ + R zₖ, λ exp gₖ₊₁),

    which at W = Dᵀ/L, R = I − DᵀD/L and exp g = 1/L, where it starts, *is* ISTA with as many steps, whatever λ. The
    thresholds are learned as multiples of λ, so that another λ can be asked for after training.

    Source: Gregor and LeCun 2010, https://icml.cc/Conferences/2010/papers/449.pdf (whose S is R here).

    Args:
        dictionary: D and b; D sets the start alone.
        steps: the number of soft thresholds.
        tied: one threshold an atom for all steps; by default each step has its own.

    Attributes:
        w: W, (atoms, n).
        r: R, (atoms, atoms), used from the second step on.
        log_gain: g, (1, atoms) if tied, else (steps, atoms).

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> dictionary, x = pg.nn.Dictionary(4, atoms=6), torch.randn(3, 4)
        >>> learned, plain = pg.nn.LISTA(dictionary, steps=5), pg.nn.ISTA(dictionary, steps=5)
        >>> bool(torch.allclose(learned.code(x, 0.1), plain.code(x, 0.1), atol=1e-5))
        True
    """

    def __init__(self, dictionary: Dictionary, steps: int, tied: bool = False) -> None:
        super().__init__(dictionary, steps)
        self.tied = checks.flag("tied", tied)
        atoms, rows = dictionary.number, 1 if tied else self.steps
        self.w = nn.Parameter(torch.empty(atoms, dictionary.size))
        self.r = nn.Parameter(torch.empty(atoms, atoms))
        self.log_gain = nn.Parameter(torch.empty(rows, atoms))
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Set the weights to ISTA's for the dictionary as it is now; ``ValueError`` if one of its atoms is zero."""
        self.dictionary.check()
        d, largest = self.dictionary.atoms, self.dictionary.largest_eigenvalue()
        self.w.copy_(d.T / largest)
        self.r.copy_(torch.eye(len(self.r), dtype=d.dtype, device=d.device) - d.T @ d / largest)
        self.log_gain.copy_(-largest.log().expand_as(self.log_gain))

    def code_of(self, x: Tensor, penalty: Tensor) -> Tensor:
        """Return the codes (B, atoms) of vectors x − b, (B, n)."""
        drive, recurrence = x @ self.w.T, self.r.T
        thresholds = (penalty * self.log_gain.exp()).clamp(min=SMALLEST).expand(self.steps, -1)
        z = soft_threshold(drive, thresholds[0])
        for threshold in thresholds[1:]:
            z = soft_threshold(torch.addmm(drive, z, recurrence), threshold)
        return z
