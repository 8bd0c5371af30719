"""Which parameters training moves."""

from __future__ import annotations

from torch import nn

from pyrogen.models import Programs


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that training moves, by name; of `Programs` those that SVI would train."""
    if isinstance(module, Programs):
        return module.trainable()
    return {name: p for name, p in module.named_parameters() if p.requires_grad}
