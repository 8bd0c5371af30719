"""Held-out terms on the way, without an effect on the training."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyro
import torch
from pyro.infer import TraceTailAdaptive_ELBO
from torch import Tensor

from pyrogen.errors import CheckpointError
from pyrogen.models import Pair, Programs
from pyrogen.models.running import in_evaluation_mode
from pyrogen.random_numbers import kept_random_numbers
from pyrogen.training.data.program_data import moved
from pyrogen.training.data.sources import Source
from pyrogen.training.history import CLOCK, History, check_clock
from pyrogen.training.objectives import terms_and_draw
from pyrogen.training.step.elbo import loss_and_gradients
from pyrogen.training.step.proof import snapshot

BATCH = 512  # images at once: no gradients are kept, so a batch may be larger than in training
SEED = 0x5EED  # the same noise at each validation, so that two of them differ by the weights alone


class Validation:
    """The mean terms of a pair on held-out images, with the pair in evaluation mode and at its own β.

    Anyone's programs have their loss and its terms, in nats.

    Random numbers are drawn from a generator state of their own, and every module's mode is put back.

    Args:
        pair: the pair.
        source: the held-out images.
        every: steps between two validations.
        seed: of the noise ε.
        whole: whether all held-out data are one batch, for programs that cannot weigh a batch with N / B.

    Raises:
        ValueError: for programs whose loss has no value.
    """

    def __init__(self, pair: Pair, source: Source, every: int, seed: int, whole: bool = False) -> None:
        if isinstance(pair, Programs) and isinstance(pair.loss, TraceTailAdaptive_ELBO):
            raise ValueError(
                "validation must be left out for TraceTailAdaptive_ELBO, whose loss has no value: call pg.evaluate on "
                "the held-out data"
            )
        self.pair, self.source, self.every, self.seed, self.whole = pair, source, every, seed ^ SEED, whole
        self.device = pair.beta.device
        self.history: History | None = None
        self._monitored: tuple[str, ...] = ()
        self._per_latent: tuple[str, ...] | None = None
        self._units = "nats per image"

    def due(self, step: int) -> bool:
        """Return whether the pair should be validated after `step`."""
        return step % self.every == 0

    def measure(self, clock: tuple[float, ...]) -> dict[str, float]:
        """Return the terms by name, and append them to the history after the `clock`."""
        with in_evaluation_mode(self.pair), kept_random_numbers(self.device):
            if isinstance(self.pair, Programs):
                before = snapshot(self.pair)  # programs may count their calls
                terms = self._of_programs(self.pair)
                before.restore()
            else:
                terms = self._of_pair()
        if self.history is None:
            self.history = History(tuple(terms), self._monitored, self._per_latent, self._units)
        kept = self.history.columns[len(CLOCK) :]
        if kept != tuple(terms):
            raise CheckpointError(
                f"the checkpoint's validation has {', '.join(kept)[:200]}, and this run's has {', '.join(terms)}: "
                "train in another folder"
            )
        self.history.append(np.array([[*clock, *terms.values()]]))
        return terms

    def go_on(self, kept: dict[str, Any], step: int) -> None:
        """Go on from the rows that a checkpoint of `step` keeps.

        Raises:
            ValueError: if they are not the rows of a validation.
        """
        history = History(**{name: value for name, value in kept.items() if name != "rows"})
        if not {*history.monitored, *history.per_latent} <= set(history.columns) or not isinstance(history.units, str):
            raise ValueError("its columns and units do not belong together")
        history.append(kept["rows"])
        check_clock(history.array, step)
        self.history = history

    @torch.no_grad()
    def _of_pair(self) -> dict[str, float]:
        total: Tensor = torch.zeros(())
        tally: dict[str, Tensor] = {}
        for number, index in enumerate(torch.arange(len(self.source)).split(BATCH)):
            torch.manual_seed(self.seed + number)
            x = moved(self.source.images(index), self.device)
            terms, q, z = terms_and_draw(self.pair, x, len(self.source))
            total = total + terms.row().double() * len(index)
            for name, counts in self.pair.tally(q, z).items():
                tally[name] = tally.get(name, 0.0) + counts.double()
        self._monitored, self._per_latent = tuple(terms.monitored), terms.per_latent
        row = (total / len(self.source)).tolist()
        by_name = dict(zip(terms.columns, row, strict=True))
        by_name |= {name: value.item() for name, value in self.pair.tallied(tally).items() if name in by_name}
        if not terms.kl or terms.penalty:
            return by_name
        elbo = {"elbo": -(by_name["reconstruction"] + by_name["kl"])}  # at β = 1
        return {"objective": by_name["objective"]} | elbo | by_name

    def _of_programs(self, pair: Programs) -> dict[str, float]:
        total: Counter[str] = Counter()
        size, indices = len(self.source), torch.arange(len(self.source))
        self._units = "nats"
        for number, index in enumerate([None] if self.whole else indices.split(BATCH)):
            torch.manual_seed(self.seed + number)
            batch = moved(self.source.images(index), self.device)
            share = 1.0 if index is None else len(index) / size
            with pyro.validation_enabled(False):
                terms = loss_and_gradients(pair, batch, size).columns
            for name, value in terms.items():
                total[name] += share * value.item()  # type: ignore[assignment]
        return dict(total)
