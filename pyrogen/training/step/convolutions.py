"""Convolutions in a form that processors take faster, by the same sums in another order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

aten = torch.ops.aten
FEW = 4  # output channels up to which a transposed convolution is one product of matrices


def few_channels(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Any:
    """Return a transposed convolution to few channels as one product of matrices and a sum of shifted pieces.

    oneDNN takes ten times longer for it: it computes sixteen channels and throws the others away. Let Q = ⌈k / s⌉ for
    kernel k and stride s. The piece of input pixel i at row s q + r of the kernel belongs to output row s (i + q) + r,
    less the padding. So the output is a sum of Q² shifted images whose pixels are blocks of s × s.
    """
    plain = x.dim() == 4 and groups == 1 and set(dilation) == {1} and not any(output_padding)
    if not (transposed and plain and weight.shape[1] <= FEW):
        return NotImplemented
    (batch, inputs, *size), (_, outputs, *kernel) = x.shape, weight.shape
    times = [-(-k // s) for k, s in zip(kernel, stride, strict=True)]
    more = [q * s - k for q, s, k in zip(times, stride, kernel, strict=True)]
    exact = torch.promote_types(x.dtype, torch.float32)  # one rounding at the end, as oneDNN has it
    pixels = x.permute(0, 2, 3, 1).to(exact).clone(memory_format=torch.contiguous_format)  # however x is laid out
    blocks = F.pad(weight, (0, more[1], 0, more[0])).reshape(inputs, -1)
    pieces = (pixels.view(-1, inputs) @ blocks.to(exact)).reshape(
        batch, *size, outputs, times[0], stride[0], times[1], stride[1]
    )
    rows, columns = (n + q - 1 for n, q in zip(size, times, strict=True))
    shifted = [
        F.pad(pieces[..., q, :, t, :], (0,) * 6 + (t, times[1] - 1 - t, q, times[0] - 1 - q))
        for q in range(times[0])
        for t in range(times[1])
    ]
    image = sum(shifted[1:], shifted[0])  # (batch, rows, columns, outputs, stride, stride)
    image = image.permute(0, 3, 1, 4, 2, 5).reshape(batch, outputs, rows * stride[0], columns * stride[1])
    height, width = ((n - 1) * s + k - 2 * p for n, s, k, p in zip(size, stride, kernel, padding, strict=True))
    image = image[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width]
    return (image if bias is None else image + bias[:, None, None]).to(x.dtype)


def bias_apart(gradient: Tensor, x: Tensor, weight: Tensor, sizes: list[int] | None, *rest: Any) -> Any:
    """Return a convolution's gradients, the bias's by a sum of its own, for which torch takes longer."""
    *settings, mask = rest
    if not mask[2]:
        return NotImplemented
    others = aten.convolution_backward(gradient, x, weight, None, *settings, [*mask[:2], False])
    over = [i for i in range(gradient.dim()) if i != 1]
    return *others[:2], gradient.sum(over, dtype=torch.promote_types(gradient.dtype, torch.float32)).to(gradient.dtype)


REWRITES: dict[Any, Callable[..., Any]] = {
    aten.convolution.default: few_channels,
    aten.convolution_backward.default: bias_apart,
}
