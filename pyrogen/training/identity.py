"""What tells one run from another: a run goes on only from a checkpoint of the same."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer

from pyrogen.config import describe
from pyrogen.models import Pair
from pyrogen.training.checkpoints.optimizer_state import settings_of
from pyrogen.training.data.digest import digest_data
from pyrogen.training.optimizers import description
from pyrogen.training.schedules import Constant
from pyrogen.training.settings import Settings


def identity_of(
    pair: Pair,
    source: Any,
    order: Any,
    optimizer: Optimizer,
    lr_schedule: Any,
    settings: Settings,
    processes: int,
) -> dict[str, Any]:
    """Return what all processes of a run share, and what a resumed run shares with its checkpoint, as JSON.

    Args:
        pair: the pair.
        source: the data; their digest is left out where nothing compares it.
        order: which of them make up each step.
        optimizer: moves the parameters.
        lr_schedule: the scheduler of the optimizer, or None.
        settings: the other arguments of `fit`.
        processes: how many share the run.
    """
    compared = settings.checkpoint is not None or processes > 1
    return {
        "pair": describe(pair),
        "images": len(source),
        "data": digest_data(source) if compared else "",
        "batch_size": order.batch_size,
        "lr": settings.lr,
        "seed": settings.seed,
        "schedule": describe(settings.schedule or Constant()),
        "lr_schedule": description(lr_schedule),
        "clip_norm": settings.clip_norm,
        "frozen weights": [name for name, weight in pair.named_parameters() if not weight.requires_grad],
        "optimizer": settings_of(optimizer),
        "processes": processes,
    }
