"""Sparse coding by proximal gradient steps: ISTA, and FISTA with Nesterov's momentum."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from pyro import distributions as dist
from torch import Tensor, nn
from torch.nn.functional import softshrink

from pyrogen import checks, tensors
from pyrogen.config import Described
from pyrogen.nn.base import rows
from pyrogen.nn.dictionary import Dictionary
from pyrogen.nn.likelihoods import finite

SMALLEST = 1e-20  # in place of a threshold of 0, by which nothing could be divided


def soft_threshold(v: Tensor, threshold: Tensor | float) -> Tensor:
    """sign(v) max(|v| − θ, 0) for θ > 0, the proximal map of θ‖·‖₁: exactly zero where |v| ≤ θ.

    Example:
        >>> import torch
        >>> from pyrogen.nn.ista import soft_threshold
        >>> soft_threshold(torch.tensor([-3.0, 0.5, 2.0]), 1.0).tolist()
        [-2.0, 0.0, 1.0]
    """
    return softshrink(v / threshold, 1.0) * threshold


class SparseCoder(Described, nn.Module, ABC):
    """A sparse code of x: a point near the minimum over z of ½‖x − b − Dz‖² + λ‖z‖₁, for each x on its own.

    A subclass gives `code_of`. Called, it returns the code as a distribution, a Delta.

    Args:
        dictionary: D and b.
        steps: the number of soft thresholds.
    """

    def __init__(self, dictionary: Dictionary, steps: int) -> None:
        super().__init__()
        if not isinstance(dictionary, Dictionary):
            raise TypeError(f"dictionary must be a pg.nn.Dictionary, got a {type(dictionary).__name__}")
        self.dictionary = dictionary
        self.steps = checks.whole("steps", steps, least=1)

    @abstractmethod
    def code_of(self, x: Tensor, penalty: Tensor) -> Tensor:
        """Return the codes (B, atoms) of vectors x − b, (B, n)."""

    def code(self, x: Tensor, penalty: Tensor | float) -> Tensor:
        """Return the codes ``(*batch, atoms)`` of vectors ``(*batch, n)``.

        Args:
            x: the vectors.
            penalty: λ ≥ 0, a number or a scalar tensor. The value of a tensor is not looked at, for which a device
                would be waited for: a negative one counts as 0, and NaN gives NaN.

        Raises:
            ValueError: for vectors of another length, a λ that is a negative or no finite number, or a tensor of
                several values.
            TypeError: if λ is another kind of value.
        """
        x, batch = rows(self, x, (self.dictionary.size,), "x")
        if not isinstance(penalty, torch.Tensor):
            number = min(checks.real("penalty", penalty, least=0), torch.finfo(x.dtype).max)
            penalty = torch.full((), number, dtype=x.dtype, device=x.device)
        if penalty.numel() != 1:
            raise ValueError(f"the penalty λ must be one number, got shape {tuple(penalty.shape)}")
        penalty = tensors.like("penalty", penalty, x).reshape(())
        return self.code_of(self.dictionary.centered(x), penalty).reshape(*batch, self.dictionary.number)

    def forward(self, x: Tensor, penalty: Tensor | float) -> dist.TorchDistribution:
        """Return the code as a point mass, batch shape ``batch``, event shape (atoms,)."""
        with finite("the codes"):
            result: dist.TorchDistribution = dist.Delta(self.code(x, penalty)).to_event(1)
        return result


class ISTA(SparseCoder):
    r"""The iterative shrinkage-thresholding algorithm from z₀ = 0, unrolled.

    With L the largest eigenvalue of DᵀD, computed anew at each call, and S soft thresholding,

        zₖ₊₁ = S(zₖ + Dᵀ(x − b − Dzₖ) / L, λ / L),

    whose objective F never rises and obeys F(zₖ) − F* ≤ L‖z₀ − z*‖² / 2k.

    Source: Beck and Teboulle 2009, https://doi.org/10.1137/080716542 (theorem 3.1).

    Args:
        dictionary: D and b.
        steps: the number of steps.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> dictionary = pg.nn.Dictionary(2, atoms=2)
        >>> dictionary.set_atoms(torch.eye(2))  # orthonormal: one step is enough
        >>> pg.nn.ISTA(dictionary, steps=1).code(torch.tensor([3.0, 0.5]), penalty=1.0).round(decimals=4).tolist()
        [2.0, 0.0]
    """

    def code_of(self, x: Tensor, penalty: Tensor) -> Tensor:
        """Return the codes (B, atoms) of vectors x − b, (B, n)."""
        drive, recurrence, threshold = in_units_of_the_threshold(x, self.dictionary, penalty)
        z = softshrink(drive, 1.0)
        for _ in range(self.steps - 1):
            z = softshrink(torch.addmm(drive, z, recurrence), 1.0)
        return z * threshold


class FISTA(SparseCoder):
    r"""ISTA with momentum, from z₀ = 0, unrolled.

    With t₁ = 1 and tₖ₊₁ = (1 + √(1 + 4tₖ²)) / 2, the step of `ISTA` is taken at yₖ = zₖ + (tₖ − 1)/tₖ₊₁ (zₖ − zₖ₋₁).
    The objective may rise on the way, and obeys F(zₖ) − F* ≤ 2L‖z₀ − z*‖² / (k + 1)².

    Source: Beck and Teboulle 2009, https://doi.org/10.1137/080716542 (theorem 4.4).

    Args:
        dictionary: D and b.
        steps: the number of steps.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> pg.nn.FISTA(pg.nn.Dictionary(4, atoms=6), steps=20)(torch.randn(3, 4), penalty=0.1).event_shape
        torch.Size([6])
    """

    def code_of(self, x: Tensor, penalty: Tensor) -> Tensor:
        """Return the codes (B, atoms) of vectors x − b, (B, n)."""
        drive, recurrence, threshold = in_units_of_the_threshold(x, self.dictionary, penalty)
        z = y = softshrink(drive, 1.0)  # y₂ = z₁, because t₁ = 1
        t = (1 + math.sqrt(5)) / 2
        for _ in range(self.steps - 1):
            before, z = z, softshrink(torch.addmm(drive, y, recurrence), 1.0)
            following = (1 + math.sqrt(1 + 4 * t * t)) / 2
            y, t = torch.lerp(before, z, 1 + (t - 1) / following), following
        return z * threshold


def in_units_of_the_threshold(x: Tensor, dictionary: Dictionary, penalty: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(Dᵀx/L)/θ, (B, atoms), I − DᵀD/L and θ = λ/L: a step on z/θ is one product and one shrinkage by 1.

    The steps are the same at any scale of x, z and λ together. A step of five operations would cost thrice as much.
    """
    d, step = dictionary.atoms, 1 / dictionary.largest_eigenvalue()
    threshold = (penalty * step).clamp(min=SMALLEST)
    identity = torch.eye(d.shape[1], dtype=d.dtype, device=d.device)
    return x @ d * (step / threshold), identity - d.T @ d * step, threshold
