"""Which parameters training moves, and by which gradients."""

from __future__ import annotations

from torch import Tensor, nn
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


def with_new(module: nn.Module, optimizer: Optimizer) -> list[nn.Parameter]:
    """Return the parameters that training moves, and give the optimizer those that the programs have just made."""
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    now = list(trainable(module).values())
    optimizer.param_groups[0]["params"] += [p for p in now if id(p) not in held]
    return now


def dense(gradient: Tensor | None) -> Tensor | None:
    """Return a gradient as an optimizer takes it, that of a sparse embedding too."""
    return gradient.to_dense() if gradient is not None and gradient.is_sparse else gradient
