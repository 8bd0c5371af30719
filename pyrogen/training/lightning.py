"""A pair as a Lightning module, for clusters that run Lightning."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from pyrogen import checks
from pyrogen.models import Pair, Programs
from pyrogen.models.base import check_pair
from pyrogen.training.data.items import image_of
from pyrogen.training.objectives import elbo_terms
from pyrogen.training.optimizers import MakeOptimizer, check_optimizer, make_optimizer
from pyrogen.training.step.trainable import trainable

SHOWN = ("objective", "reconstruction", "kl", "penalty")


def lightning_module(
    pair: Pair,
    lr: float = 1e-3,
    optimizer: MakeOptimizer = torch.optim.Adam,
    size: int | None = None,
) -> Any:
    """Return a ``LightningModule`` that trains `pair` on the objective of `fit`.

    Its batches are what a ``DataLoader`` makes of tensors, or of tuples or dicts that hold the images. It logs the
    terms as ``train_objective``, ``val_elbo`` and so on, in nats per image. Lightning runs the programs at each step,
    so a step takes longer than one of `fit`. Give a pair that starts from data, such as one with a codebook,
    ``pair.initialize(x)`` first. Needs ``pip install lightning``.

    Args:
        pair: a pyrogen pair; ``module.pair`` is the same object.
        lr: the learning rate.
        optimizer: a torch optimizer class, or a callable of the list of parameters, as in `fit`.
        size: N, for pairs whose terms depend on it, such as the β-TCVAE; by default the batch's own.

    Raises:
        TypeError, ValueError: if `pair` is not a pyrogen pair, or another argument cannot be used.
        ImportError: if Lightning is not installed.
    """
    if isinstance(check_pair("pair", pair), Programs):
        raise TypeError(f"pair must have one x and one z, got {checks.shown(pair)}: train programs with pg.fit")
    rate, count = checks.real("lr", lr, above=0), None if size is None else checks.whole("size", size, least=1)
    check_optimizer(optimizer)
    weights: list[Tensor] = list(trainable(pair).values())
    try:
        import lightning
    except ImportError as error:
        raise ImportError("lightning_module needs the package lightning: pip install lightning") from error

    class PairModule(lightning.LightningModule):
        """The pair under Lightning's trainer."""

        def __init__(self) -> None:
            super().__init__()
            self.pair = pair

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            """Return the objective of a batch, nats per image."""
            return self._objective(batch, "train")

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            """Log the held-out terms of a batch."""
            self._objective(batch, "val")

        def configure_optimizers(self) -> Optimizer:
            """Return the optimizer of what is trained."""
            return make_optimizer(optimizer, weights, rate)

        def _objective(self, batch: Any, prefix: str) -> Tensor:
            x = image_of(batch)
            terms = elbo_terms(self.pair, x, None if count is None else max(count, len(x)))
            row = dict(zip(terms.columns, terms.row(), strict=True))
            shown = {f"{prefix}_{name}": row[name] for name in SHOWN if name in row}
            if "kl" in row:
                shown[f"{prefix}_elbo"] = -(row["reconstruction"] + row["kl"])
            self.log_dict(shown, batch_size=len(x))
            return terms.objective

    return PairModule()
