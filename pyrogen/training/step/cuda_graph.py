"""A recorded step as a CUDA graph: one launch a step, and no wait for the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pyrogen.training.data.program_data import flat
from pyrogen.training.step.objective import Result
from pyrogen.training.step.record import RecordedStep

WARM_UP = 3  # replays before the capture, in which libraries choose their kernels


class CudaGraphStep:
    """Replays a recording that has been captured as a CUDA graph.

    The batch and β are copied to where the graph reads them. The row of terms is copied out; the gradients are handed
    out where they are, for the optimizer reads them before the next step. Random numbers go on from torch's own state,
    for a capture registers the device's default generator.
    Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs

    Args:
        step: the recorded step, on a CUDA device.
        batch: a batch of the size of all others.
        beta: any β.
    """

    way = "cuda graph"

    def __init__(self, step: RecordedStep, batch: Any, beta: float) -> None:
        self.step = step
        self._inputs = [tensor.clone() for tensor in flat(batch)] if not step.recording.fixed else []
        self._beta = step.weight(beta).clone()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(step.device), torch.no_grad():
            here, side = torch.cuda.current_stream(), torch.cuda.Stream()
            side.wait_stream(here)
            with torch.cuda.stream(side):
                for _ in range(WARM_UP):
                    step.replay(self._beta, self._inputs)
            here.wait_stream(side)
            # threads of others may use the device meanwhile; torch's own stream for captures may be another device's
            with torch.cuda.graph(self._graph, stream=side, capture_error_mode="thread_local"):
                self._row, self._gradients = step.replay(self._beta, self._inputs)

    def __call__(self, batch: Any, beta: float | Tensor) -> Result:
        """Return the row of terms and the gradients."""
        with torch.no_grad():
            for place, tensor in zip(self._inputs, flat(batch), strict=False):
                place.copy_(tensor, non_blocking=True)
            if isinstance(beta, Tensor):
                self._beta.copy_(beta)
            else:
                self._beta.fill_(beta)  # an argument of a kernel, where a copy from the host would wait
            self._graph.replay()
            return self._row.clone(), self._gradients
