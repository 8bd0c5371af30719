"""Keep the weights of the best validation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from pyrogen import checks
from pyrogen.models import Pair
from pyrogen.models.base import check_pair
from pyrogen.training.callbacks.state import Monitor, State
from pyrogen.training.checkpoints.checkpoint import save, set_weights, weights_of
from pyrogen.training.checkpoints.part_state import check_tensors

BEST = "best.safetensors"


class KeepBest(Monitor):
    """Keeps the weights of the best validation: in memory, and as ``best.safetensors`` in the checkpoint folder.

    ``pg.load(folder / "best.safetensors")`` is the best pair; `load_into` sets another pair's weights from memory.

    Args:
        monitor: the held-out term, lower is better but for ``"elbo"``.
        path: the file; by default ``best.safetensors`` in the checkpoint folder, if the run has one.
        restore: whether the pair has the best weights when `fit` returns; by default it has the last ones.

    Attributes:
        best: the lowest value.
        best_step: its step.
        weights: its weights by name; empty before the first validation.
    """

    kept = (*Monitor.kept, "weights")

    def __init__(
        self, monitor: str = "objective", path: str | os.PathLike[str] | None = None, restore: bool = False
    ) -> None:
        super().__init__(monitor)
        self.path = None if path is None else checks.path("path", path)
        self.restore = checks.flag("restore", restore)
        self.weights: dict[str, Tensor] = {}

    def start(self, state: State) -> None:
        """Find the file's place."""
        super().start(state)
        if self.path is None and state.folder is not None:
            self.path = state.folder / BEST

    def __call__(self, state: State) -> None:
        """Keep the weights if this validation is the best so far."""
        if not state.validated or not self.value(state) < self.best:
            return
        self.best, self.best_step = self.value(state), state.step
        self.weights = weights_of(state.pair)
        if self.path is not None:
            save(state.pair, self.path)

    def end(self, state: State) -> None:
        """Give the pair the best weights, if that was asked for."""
        if self.restore and self.weights:
            self.load_into(state.pair)

    def load_into(self, pair: Pair) -> Pair:
        """Give `pair` the best weights, and return it.

        Raises:
            TypeError: if `pair` is not a pair.
            ValueError: if there has been no validation yet.
        """
        check_pair("pair", pair)
        if not self.weights:
            raise ValueError("KeepBest has no weights yet: train with validation= first")
        weights = {name.removeprefix("pair."): value for name, value in self.weights.items()}
        set_weights(pair, weights, Path(BEST))
        return pair

    def check_state(self, state: dict[str, Any], pair: Pair, step: int) -> None:
        """Refuse weights that `pair` cannot have, too."""
        super().check_state(state, pair, step)
        if state["weights"] != {}:
            check_tensors(state["weights"], weights_of(pair))
