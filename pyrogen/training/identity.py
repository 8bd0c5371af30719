"""What tells one run from another: a run goes on only from a checkpoint of the same."""

from __future__ import annotations

from typing import Any

from pyro.infer import ELBO
from torch.optim import Optimizer

from pyrogen.config import describe
from pyrogen.models import Pair, Programs
from pyrogen.training.checkpoints.optimizer_state import settings_of
from pyrogen.training.data.digest import digest_data
from pyrogen.training.optimizers import description
from pyrogen.training.schedules import Constant
from pyrogen.training.settings import Settings

WITHOUT_EFFECT = ("max_plate_nesting", "strict_enumeration_warning", "ignore_jit_warnings", "retain_graph")


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

    The digest of the data is left out where nothing compares it.
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
        "precision": settings.precision,
        "loss": _loss_of(pair),
    }


def _loss_of(pair: Pair) -> Any:
    """Return the class of the loss of programs and its settings, given or chosen by the sites; None for other pairs."""
    if not isinstance(pair, Programs):
        return None
    kind = type(pair.loss)
    found = vars(pair.loss).items() if isinstance(pair.loss, ELBO) else ()
    settings = {
        name: value
        for name, value in found
        if name[:1] != "_" and name not in WITHOUT_EFFECT and isinstance(value, bool | int | float | None)
    }
    return {"class": f"{kind.__module__}.{kind.__qualname__}"} | settings
