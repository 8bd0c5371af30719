"""Whether programs weigh the rows of a batch by N/B, the data that each of them stands for."""

from __future__ import annotations

from typing import Any

import torch
from pyro.infer import ELBO
from pyro.poutine.messenger import Messenger
from pyro.poutine.subsample_messenger import _Subsample

from pyrogen.models import Programs
from pyrogen.training.data.program_data import tensors_of
from pyrogen.warn import warn


class Weights(Messenger):
    """Notes, while programs run on a batch, the sites that weigh one a row, and the latents that all data share.

    A latent counts as a row's own if it lies in a plate as large as the batch, or its values have as many rows.

    Args:
        batch: what the programs run on.
        size: N.
    """

    def __init__(self, batch: Any, size: int) -> None:
        super().__init__()
        self.rows = next((len(x) for x in tensors_of(batch).values() if x.dim()), size)
        self.size = size
        self._observed = ""  # a site that counts the rows of a batch once each
        self._shared: dict[str, bool] = {}  # latent to whether no run has it in the batch's plate

    def _pyro_post_sample(self, msg: Any) -> None:
        infer = msg["infer"] or {}
        auxiliary = infer.get("is_auxiliary") and not msg["is_observed"]  # an observed one is a pyro.factor
        if auxiliary or infer.get("_deterministic") or isinstance(msg["fn"], _Subsample):
            return
        plates = [frame for frame in msg["cond_indep_stack"] if not frame.name.startswith("num_particles")]
        by_row = any(frame.size == self.rows for frame in plates) or self.rows in msg["fn"].event_shape[:1]
        once = bool((torch.as_tensor(msg["scale"]) == 1).all())
        if not msg["is_observed"]:
            self._shared[msg["name"]] = self._shared.get(msg["name"], True) and once and not by_row
        elif by_row and once:
            self._observed = self._observed or msg["name"]

    def warn(self, pair: Programs) -> None:
        """Warn if a batch's rows weigh one each beside a latent that stands for all data; a loss may weigh itself."""
        shared = next((name for name, is_shared in self._shared.items() if is_shared), None)
        if self.rows >= self.size or not self._observed or shared is None or not isinstance(pair.loss, ELBO):
            return
        remedy = "give model and guide a parameter `size`, which is N," if not pair.takes_size else "`size` is N:"
        warn(
            f"the {self.rows} rows of a batch weigh 1 each at site {self._observed!r} and stand for {self.rows} of the "
            f"{self.size} data that share {shared!r}: {remedy} and write pyro.plate(name, size, "
            "subsample=torch.arange(len(x)))"
        )
