"""One run on several processes, as ``torchrun`` starts them: each takes its part of each batch."""

from __future__ import annotations

import atexit
import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from pyrogen.models import Pair
from pyrogen.random_numbers import random_states, seed_all
from pyrogen.training.data.program_data import Whole
from pyrogen.training.data.streams import StreamOrder

Gradients = list[Tensor | None]
NOISE = 1_000_003  # between the seeds of two processes


class Team:
    """The processes of a run; by default there is one.

    Attributes:
        rank: this process's number, from 0.
        size: how many there are.
        stops: whether a process has asked for the run's end; all learn it after the same step.
    """

    rank, size, stops = 0, 1, False

    @property
    def leads(self) -> bool:
        """Whether this process writes checkpoints, logs and the bar."""
        return self.rank == 0

    def share(self, order: Any) -> Any:
        """Return the order of this process's part of each batch; all data at once are each process's own.

        Raises:
            ValueError: if the batch cannot be shared out evenly, or comes from a stream.
        """
        return order

    def average(self, row: Tensor, gradients: Gradients, stop: bool) -> tuple[Tensor, Gradients]:
        """Return the terms and gradients of the whole batch; `stop` asks all processes to end."""
        self.stops = stop
        return row, gradients

    def agree(self, stop: bool) -> bool:
        """Return whether any process asks for the end."""
        return stop

    def same(self, what: str, value: Any) -> None:
        """Raise ``ValueError`` on all processes if they differ in `value`."""

    def seed(self, seed: int) -> None:
        """Do nothing: the one process goes on with the numbers of its seed, which `initialize` may have begun."""

    def spread(self, pair: Pair) -> None:
        """Give all processes the weights of the first."""

    def random_states(self, device: torch.device) -> dict[str, Tensor]:
        """Return the random states of all processes by name, for the checkpoint of the first."""
        return {_place(name, 0): state for name, state in random_states(device).items()}

    def own_random(self, tensors: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
        """Return this process's random states out of a checkpoint; those that older ones lack are left out."""
        names = {name: _place(name, self.rank) for name in random_states(device)}
        own = {name: tensors[place] for name, place in names.items() if place in tensors}
        return own if self.rank else {"cpu": tensors["random.cpu"]} | own


class Processes(Team):
    """Several processes under ``torch.distributed``, with gradients, terms and buffers reduced in one flat tensor.

    Running statistics and the codes of an EMA codebook are averaged too, so they agree on all processes. Noise differs
    from process to process.
    """

    def __init__(self, pair: Pair, device: torch.device) -> None:
        self.pair, self.device = pair, device
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def share(self, order: Any) -> Any:
        if isinstance(order, StreamOrder):
            raise ValueError("data must be read by index for several processes, got a stream: pass its data set")
        if isinstance(order, Whole):
            return order
        if order.batch_size % self.size:
            raise ValueError(
                f"batch_size must be a multiple of the {self.size} processes, got {order.batch_size}: each takes an "
                "equal part of a batch"
            )
        return _Share(order, self.rank, self.size)

    def average(self, row: Tensor, gradients: Gradients, stop: bool) -> tuple[Tensor, Gradients]:
        buffers = [b for b in self.pair.buffers() if b.is_floating_point() and b is not self.pair.beta]
        parts = [row, *(g for g in gradients if g is not None), *buffers, row.new_full((1,), float(stop))]
        kind = torch.float64 if any(part.dtype == torch.float64 for part in parts) else torch.float32
        flat = torch.cat([part.detach().reshape(-1).to(kind) for part in parts])
        dist.all_reduce(flat)
        flat /= self.size
        pieces = iter(flat.split([part.numel() for part in parts]))
        row = next(pieces).reshape(row.shape).to(row.dtype)
        mean: Gradients = [None if g is None else next(pieces).reshape(g.shape).to(g.dtype) for g in gradients]
        with torch.no_grad():
            for buffer in buffers:
                buffer.copy_(next(pieces).reshape(buffer.shape))
            for module in self.pair.modules():
                settle: Any = getattr(module, "settle", None)
                if settle is not None:  # a codebook, whose codes are a ratio of its buffers
                    settle()
        self.stops = bool(next(pieces)) if self.device.type == "cpu" else False
        return row, mean

    def agree(self, stop: bool) -> bool:
        asked = torch.tensor([float(stop)], device=self.device)
        dist.all_reduce(asked)
        return bool(asked)

    def same(self, what: str, value: Any) -> None:
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        other = next((rank for rank, theirs in enumerate(values) if theirs != values[0]), None)
        if other is not None:
            raise ValueError(
                f"every process must have the same {what}, and process {other} has another than process 0: each takes "
                "its own part of every batch by itself"
            )

    def seed(self, seed: int) -> None:
        seed_all(seed + NOISE * self.rank)

    def spread(self, pair: Pair) -> None:
        for tensor in pair.state_dict(keep_vars=True).values():
            dist.broadcast(tensor.detach(), src=0)

    def random_states(self, device: torch.device) -> dict[str, Tensor]:
        states: list[Any] = [None] * self.size
        dist.all_gather_object(states, random_states(device))
        return {_place(name, rank): state for rank, by in enumerate(states) for name, state in by.items()}


def _place(name: str, rank: int) -> str:
    """Return the name in a checkpoint of a generator's state of process `rank`."""
    if rank:
        return f"random.process {rank}" if name == "cpu" else f"random.process {rank} {name}"
    return f"random.{name}"


class _Share:
    """The part of each batch that one process takes."""

    def __init__(self, order: Any, rank: int, size: int) -> None:
        self.order, self.rank, self.parts = order, rank, size
        self.size, self.batch_size, self.steps_per_epoch = order.size, order.batch_size, order.steps_per_epoch

    def __call__(self, step: int) -> Tensor:
        """Return int64 (B / processes,), the indices of this process."""
        index: Tensor = self.order(step)
        return index.chunk(self.parts)[self.rank]


def _leave() -> None:
    """End the process group while the interpreter lives: its threads abort a process that ends with them running."""
    if dist.is_initialized():
        dist.destroy_process_group()


def team_of(pair: Pair, device: torch.device) -> Team:
    """Return the processes that ``torchrun`` has started, or one alone."""
    if not dist.is_available():
        return Team()
    if not dist.is_initialized():
        if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "RANK" not in os.environ:
            return Team()
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(_leave)
    return Processes(pair, device) if dist.get_world_size() > 1 else Team()
