"""The history as a file that grows while training runs."""

from __future__ import annotations

import os

from pyrogen import checks
from pyrogen.files import check_writable
from pyrogen.training.callbacks.state import Callback, State

NAME = "log.csv"


class CsvLog(Callback):
    """Writes the rows of the history to a CSV file as they come, and held-out rows to ``<name>.validation.csv``.

    A resumed run writes the file anew from its history, so that a step stands in it once.

    Args:
        path: the file; by default ``log.csv`` in the checkpoint folder.
        every: steps between two writes.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, every: int = 50) -> None:
        self.path = None if path is None else checks.path("path", path)
        self.every = checks.whole("every", every, least=1)
        self._written = 0

    def start(self, state: State) -> None:
        """Write what the history has already."""
        if self.path is None and state.folder is None:
            raise ValueError("CsvLog must know where to write: pass CsvLog(path) or checkpoint= to fit")
        self.path = self.path or state.folder / NAME  # type: ignore[operator]
        check_writable(self.path.parent)
        state.history.to_csv(self.path)
        self._written = len(state.history)

    def __call__(self, state: State) -> None:
        """Append the new rows, every so many steps."""
        if state.step % self.every == 0 or state.step == state.steps or state.validated:
            self._append(state)

    def end(self, state: State) -> None:
        """Append what is left."""
        self._append(state)

    def _append(self, state: State) -> None:
        assert self.path is not None
        history = state.history
        rows = history.array[self._written :]
        lines = (",".join((str(int(row[0])), *map(repr, row[1:].tolist()))) + "\n" for row in rows)
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(lines)
        self._written = len(history)
        if state.validated and history.validation is not None:
            history.validation.to_csv(self.path.with_suffix(".validation.csv"))
