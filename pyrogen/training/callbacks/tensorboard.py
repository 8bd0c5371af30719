"""The terms as TensorBoard shows them."""

from __future__ import annotations

import os
from typing import Any

from pyrogen import checks
from pyrogen.training.callbacks.state import Callback, State
from pyrogen.training.history import CLOCK


class TensorBoard(Callback):
    """Writes the mean terms of the last steps under ``train/``, held-out terms under ``validation/``.

    Needs ``pip install tensorboard``.

    Args:
        folder: where to write; by default ``tensorboard`` in the checkpoint folder.
        every: steps between two points.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, every: int = 50) -> None:
        self.folder = None if folder is None else checks.path("folder", folder)
        self.every = checks.whole("every", every, least=1)
        self._writer: Any = None

    def start(self, state: State) -> None:
        """Open the writer; points that an interrupted run wrote beyond its checkpoint are dropped."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError("TensorBoard needs the package tensorboard: pip install tensorboard") from error
        folder = self.folder or (state.folder and state.folder / "tensorboard")
        if folder is None:
            raise ValueError("TensorBoard must know where to write: pass TensorBoard(folder) or checkpoint= to fit")
        self._writer = SummaryWriter(str(folder), purge_step=state.step + 1 if state.step else None)

    def __call__(self, state: State) -> None:
        """Write a point, every so many steps."""
        if state.step % self.every == 0:
            history = state.history
            means = history.array[-self.every :].mean(0)
            for name, value in zip(history.columns[len(CLOCK) :], means[len(CLOCK) :].tolist(), strict=True):
                self._writer.add_scalar(f"train/{name}", value, state.step)
        if state.validated:
            for name, value in (state.validation or {}).items():
                self._writer.add_scalar(f"validation/{name}", value, state.step)

    def end(self, state: State) -> None:
        """Close the files."""
        self._writer.close()
