"""log p(x, z) at a truth and at a guide's draws: one number that knows latents and data together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyro
import torch
from pyro import poutine
from torch import Tensor

from pyrogen.testing.running.batched import DRAWS, Array, many_runs
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import latents
from pyrogen.testing.running.weights import common_plates, log_density

ROUNDING = 1e-5  # of its size: float32 sums, which are ordered differently for one run and for many


def log_joints(tested: Tested, truth: dict[str, Any], number: int, run: int) -> tuple[Array, Array] | None:
    """log p(x, z) in nats at the truth, (elements), and at draws of the guide, (number, elements).

    The elements are those of the plates that hold every site; without such a plate there is one number, of shape ().
    Scales of ``poutine.scale`` are left out. The draws are others in each `run`. A draw that the model cannot have
    made has −∞. None where the truth or the guide lacks a latent of the model, or the model fails at a draw.
    """
    drawn = replace(tested, seed=tested.seed + 7919 * (run + 1))
    with torch.no_grad(), pyro.validation_enabled(False):
        try:
            guide, model = drawn.together(0)
            ours = {name for name, _ in latents(model)}
            if not ours or not ours <= truth.keys() & {name for name, _ in latents(guide)}:
                return None
            names = common_plates(guide, model)
            values = {name: value for name, value in truth.items() if name in ours}
            at_truth = tested.run(poutine.condition(tested.model, data=values))
            rows = many_runs(drawn, number, lambda guide, model: log_density(model, names | {DRAWS}))
            one = _finite(log_density(at_truth, names))
        except Exception:  # whatever a user's program raises at latents that its prior cannot draw
            return None
    drawn_ones = _finite(rows)
    return None if drawn_ones.shape[1:] != one.shape else (one, drawn_ones)


def _finite(values: Tensor) -> Array:
    array: Array = values.detach().double().cpu().numpy()
    return np.where(np.isnan(array), -np.inf, array)
