"""A dictionary: the linear map from a sparse code to what it stands for, with atoms of unit norm."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pyrogen import checks, tensors
from pyrogen.config import Described

MOST_ROWS = 20_000  # that `initialize` looks at


class Dictionary(Described, nn.Module):
    r"""Dz + b with ‖dₐ‖ = 1: codes ``(*batch, atoms)`` to vectors ``(*batch, size)``.

    The columns of D are the atoms. They are normalized whenever they are used, so any optimizer may move the weight.
    Without that, training could hide a scale in D: a larger atom is a cheaper code.

    Args:
        size: n, the length of an atom: the number of pixels, or of channels of a feature map.
        atoms: how many there are; more than n make it overcomplete.
        bias: whether b is learned; b = 0 without.

    Attributes:
        weight: the atoms before normalization, (n, atoms); at first independent normal numbers.
        bias: b, (n,), or None.
        placed: a buffer, 1 once the atoms are set or trained, from when on `initialize` leaves them alone.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> dictionary = pg.nn.Dictionary(size=4, atoms=6)
        >>> dictionary(torch.zeros(3, 6)).shape
        torch.Size([3, 4])
        >>> bool(torch.allclose(dictionary.atoms.norm(dim=0), torch.ones(6)))
        True
    """

    placed: Tensor

    def __init__(self, size: int, atoms: int, bias: bool = True) -> None:
        super().__init__()
        self.size, self.number = checks.whole("size", size, least=1), checks.whole("atoms", atoms, least=1)
        self.weight = nn.Parameter(torch.randn(self.size, self.number))
        self.bias = nn.Parameter(torch.zeros(self.size)) if checks.flag("bias", bias) else None
        self.register_buffer("placed", torch.zeros(()))

    @property
    def atoms(self) -> Tensor:
        """D, (n, atoms), every column of norm 1."""
        output: Tensor = self.weight / self.weight.norm(dim=0)
        return output

    def forward(self, z: Tensor) -> Tensor:
        """Dz + b, ``(*batch, n)``."""
        z = _vectors("z", z, self.number, self.weight)
        x = z @ self.atoms.T
        return x if self.bias is None else x + self.bias

    def centered(self, x: Tensor) -> Tensor:
        """x − b, what the code is to explain."""
        return x if self.bias is None else x - self.bias

    @torch.no_grad()
    def set_atoms(self, atoms: Tensor) -> None:
        """Take these columns, (n, atoms), for the atoms; they are normalized.

        Raises:
            ValueError: for another shape, a column of zeros or a number that is not finite.
        """
        atoms = tensors.like("atoms", atoms, self.weight)
        if tuple(atoms.shape) != tuple(self.weight.shape):
            raise ValueError(f"atoms must be the columns of a {tuple(self.weight.shape)}, got {tuple(atoms.shape)}")
        _check_atoms(atoms)
        self.weight.copy_(atoms / atoms.norm(dim=0))
        self.placed.fill_(1)

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Start from vectors x ``(*batch, n)``: b at their mean, the atoms at distinct ones of them less b, at random.

        If there are fewer than atoms, the others stay as they are. Nothing happens if the atoms are `placed`.
        """
        if self.placed:
            return
        x = _vectors("x", x, self.size, self.weight).reshape(-1, self.size)
        if not x.numel() or not torch.isfinite(x).all():
            raise ValueError(f"x must be one or more finite vectors, got {checks.shown(x)}")
        x = x[torch.randperm(len(x), device=x.device)[:MOST_ROWS]]
        if self.bias is not None:
            self.bias.copy_(x.mean(0))
        x = self.centered(x)
        norm = x.norm(dim=1, keepdim=True)
        x = (x / norm)[norm[:, 0] > 1e-6 * norm.max()]
        if len(x):
            x = x.round(decimals=3).unique(dim=0)  # an image is blank in many places
            x = x[torch.randperm(len(x), device=x.device)[: self.number]]
            self.weight[:, : len(x)] = (x / x.norm(dim=1, keepdim=True)).T
        self.placed.fill_(1)

    def check(self) -> None:
        """Raise ``ValueError`` if an atom is zero or not finite, and so has no direction."""
        _check_atoms(self.weight)

    def largest_eigenvalue(self) -> Tensor:
        """L, the largest eigenvalue of DᵀD, with its gradient."""
        return largest_eigenvalue(self.atoms)


def largest_eigenvalue(d: Tensor) -> Tensor:
    """Return the largest eigenvalue L of DᵀD, a scalar: the gradient of ½‖x − Dz‖² in z has this Lipschitz constant.

    Gᵐ / tr Gᵐ of the smaller Gram matrix G tends to the projection P on the leading eigenvectors. The trace of PG is
    below L by a share of 1/em at most. For m = 2²⁴ (2⁵⁴ in double precision) that is less than rounding, and takes 24
    products. No start is drawn that could miss the eigenvector, as power iteration may, and unlike in ``eigvalsh``
    nothing waits for the device. The derivative of tr PG at fixed P is that of L.

    Args:
        d: D, (n, atoms).

    Example:
        >>> import torch
        >>> from pyrogen.nn.dictionary import largest_eigenvalue
        >>> round(largest_eigenvalue(torch.tensor([[3.0, 0.0], [0.0, 2.0]])).item(), 4)
        9.0
    """
    gram = d @ d.T if d.shape[0] <= d.shape[1] else d.T @ d
    power = gram.detach()
    for _ in range(8 if d.dtype == torch.float32 else 18):  # an eighth power each
        power = torch.linalg.matrix_power(power / power.norm(), 8)
    return (power / power.trace() * gram).sum()


def _vectors(name: str, value: Any, length: int, weights: Tensor) -> Tensor:
    """Return vectors ``(*batch, length)`` in the type of `weights`."""
    vectors: Tensor = tensors.like(name, value, weights)
    if vectors.shape[-1:] != (length,):
        raise ValueError(f"{name} must be vectors (*batch, {length}), got {tuple(vectors.shape)}")
    return vectors


def _check_atoms(atoms: Tensor) -> None:
    if not torch.isfinite(atoms).all():
        raise ValueError("the atoms of a dictionary must be finite, got some NaN or infinite")
    zero = (atoms == 0).all(dim=0).nonzero().flatten().tolist()
    if zero:
        raise ValueError(f"every atom must have a direction, got zero for atom {zero[0]}: set it, or leave it out")
