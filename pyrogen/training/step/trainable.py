"""Which parameters training moves."""

from __future__ import annotations

from torch import nn
from torch.optim import Optimizer

from pyrogen.models import Programs


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that training moves, by name; of `Programs` those that SVI would train."""
    if isinstance(module, Programs):
        return module.trainable()
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def still_trained(module: nn.Module, optimizer: Optimizer, before: list[nn.Parameter]) -> list[nn.Parameter]:
    """Return the parameters that training moves after a callback, which may have frozen some of those of `before`.

    Raises:
        ValueError: if one is trained now that the optimizer does not hold.
    """
    now = list(trainable(module).values())
    if {id(p) for p in now} <= {id(p) for group in optimizer.param_groups for p in group["params"]}:
        return now
    if len(now) != len(before):
        raise ValueError(
            "a callback has unfrozen a parameter that the optimizer does not hold: start another run for it"
        )
    return before
