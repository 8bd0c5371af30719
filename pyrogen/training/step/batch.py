"""Batches as flat lists of tensors: a tensor, a tuple or a dict of tensors and other things, or None."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor


def flat(batch: Any) -> tuple[tuple[Tensor, ...], Any]:
    """Return the tensors of a batch, and the form to rebuild it from."""
    if isinstance(batch, Tensor):
        return (batch,), None
    items = list(batch.items()) if isinstance(batch, Mapping) else list(enumerate(batch or ()))
    return tuple(item for _, item in items if isinstance(item, Tensor)), (type(batch), items)


def rebuilt(form: Any, tensors: Iterable[Tensor]) -> Any:
    """Return a batch of the form that `flat` gave, with other tensors."""
    rest = iter(tensors)
    if form is None:
        return next(rest)
    kind, items = form
    filled = [(key, next(rest) if isinstance(item, Tensor) else item) for key, item in items]
    if issubclass(kind, Mapping):
        return dict(filled)
    return tuple(item for _, item in filled) if kind is not type(None) else None


def resampled(batch: Any, generator: torch.Generator) -> Any:
    """Return a batch of the same form with rows drawn from this one's with replacement, in all tensors alike."""
    tensors, form = flat(batch)
    sizes = {len(tensor) for tensor in tensors if tensor.dim()}
    if len(sizes) != 1:
        return batch
    size = sizes.pop()
    index = torch.randint(size, (size,), generator=generator)
    return rebuilt(form, (t.index_select(0, index.to(t.device)) if t.dim() else t for t in tensors))
