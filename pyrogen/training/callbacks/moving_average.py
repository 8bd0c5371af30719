"""A moving average of the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pyrogen.checks import real, whole
from pyrogen.models import Pair
from pyrogen.training.callbacks.state import Callback, State
from pyrogen.training.checkpoints.part_state import check_tensors


class MovingAverage(Callback):
    """An exponential moving average of the weights, θ̄ ← d θ̄ + (1 − d) θ (torch's ``AveragedModel``).

    Buffers, such as running means, are those of the pair in training. ``average.pair`` is the averaged pair.

    Source: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046.

    Args:
        decay: d per step, in [0, 1).
        every: steps between two updates, each of which then decays by d^every.
    """

    def __init__(self, decay: float = 0.999, every: int = 10) -> None:
        self.decay, self.every = real("decay", decay, least=0, below=1), whole("every", every, least=1)
        self._average: AveragedModel | None = None
        self._state: dict[str, Any] | None = None

    @property
    def pair(self) -> Pair:
        """The averaged pair, a copy in evaluation mode.

        Raises:
            ValueError: before the first run.
        """
        if self._average is None:
            raise ValueError("MovingAverage has nothing to average yet: pass it to fit(callbacks=[...]) first")
        average: Any = self._average.module.eval()
        return average  # type: ignore[no-any-return]

    def start(self, state: State) -> None:
        """Start the average from the pair's weights, or from a checkpoint's average."""
        self._average = AveragedModel(state.pair, multi_avg_fn=get_ema_multi_avg_fn(self.decay**self.every))
        if self._state is not None:
            self._average.load_state_dict(self._state)
            self._state = None

    def __call__(self, state: State) -> None:
        """Update the average, every so many steps."""
        if state.step % self.every == 0:
            assert self._average is not None
            self._average.update_parameters(state.pair)

    def state_dict(self) -> dict[str, Any]:
        """Return the average."""
        assert self._average is not None
        return dict(self._average.state_dict())

    def check_state(self, state: dict[str, Any], pair: Pair, step: int) -> None:
        """Refuse an average that is not one of `pair`'s weights over at most `step` steps."""
        own = {f"module.{name}": value for name, value in pair.state_dict().items()}
        check_tensors(state, {"n_averaged": torch.tensor(0)} | own)
        whole("n_averaged", state["n_averaged"], least=0, most=step)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an average."""
        self._state = state
