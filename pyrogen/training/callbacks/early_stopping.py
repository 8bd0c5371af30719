"""Stop when the held-out objective no longer falls."""

from __future__ import annotations

from pyrogen.checks import real, whole
from pyrogen.training.callbacks.state import Monitor, State


class EarlyStopping(Monitor):
    """Stops the run when `patience` validations in a row have not improved on the best one.

    Source: Prechelt 1998, Early stopping, but when?, https://doi.org/10.1007/3-540-49430-8_3.

    Args:
        patience: validations without improvement before the run ends.
        min_delta: how much lower a value must be to count as improvement, in the term's unit.
        monitor: the held-out term, lower is better but for ``"elbo"``.

    Attributes:
        best: the lowest value.
        best_step: its step.
        waited: validations since then.
    """

    kept = (*Monitor.kept, "waited")

    def __init__(self, patience: int = 5, min_delta: float = 0.0, monitor: str = "objective") -> None:
        super().__init__(monitor)
        self.patience, self.min_delta = whole("patience", patience, least=1), real("min_delta", min_delta, least=0)
        self.waited = 0

    def start(self, state: State) -> None:
        """Stop at once if an earlier run ended here."""
        super().start(state)
        self._judge(state)

    def __call__(self, state: State) -> None:
        """Compare a new validation with the best one."""
        if not state.validated:
            return
        value = self.value(state)
        if value < self.best - self.min_delta:
            self.best, self.best_step, self.waited = value, state.step, 0
        else:
            self.waited += 1
        self._judge(state)

    def _judge(self, state: State) -> None:
        if self.waited >= self.patience:
            state.stop(
                f"the held-out {self.monitor} has not improved in {self.waited} validations since step {self.best_step}"
            )
