"""A recorded step and its optimizer, handed to TorchInductor as one program over the memory of one vector."""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.optim import Adam, Optimizer

from pyrogen.training.data.program_data import flat
from pyrogen.training.step.convolutions import REWRITES
from pyrogen.training.step.record import RecordedStep
from pyrogen.training.step.state import overlaps

WORTH = 50_000  # steps from which a run gains more than compiling takes
MANY = 5_000  # operations from which more steps are asked for: each takes 17 ms to compile, and 3 µs a recorded step
LARGE = 65_536  # entries of a parameter whose gradient is not worth a copy into one vector


def can_compile() -> bool:
    """Whether this machine has a C++ compiler."""
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))


def pays(steps: int, operations: int) -> bool:
    """Whether compiling a step of so many operations takes a small part of the time of `steps` recorded ones."""
    return steps >= WORTH * max(1.0, operations / MANY)


def is_plain_adam(optimizer: Optimizer) -> bool:
    """Whether an optimizer is Adam with nothing added, which the compiled program contains."""
    group = optimizer.param_groups[0]
    extras = ("weight_decay", "amsgrad", "maximize", "differentiable", "decoupled_weight_decay")
    hooks = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    one = len(optimizer.param_groups) == 1 and not hooks
    return type(optimizer) is Adam and one and not any(group.get(name) for name in extras)


class CompiledStep:
    """One call a step: terms, gradients and Adam's update in one compiled program.

    While it is in use the parameters are views of one vector, and so are Adam's averages in ``optimizer.state``, so
    that checkpoints read and write them as always; `release` gives each parameter its own memory back.

    Args:
        step: the recorded step, with a gradient for each parameter.
        parameters: what it trains, of one type.
        optimizer: Adam, see `is_plain_adam`.
        batch: a batch of the size of all others.
    """

    way = "compiled"

    def __init__(self, step: RecordedStep, parameters: list[nn.Parameter], optimizer: Optimizer, batch: Any) -> None:
        self.step, self.parameters, self.optimizer = step, parameters, optimizer
        group = optimizer.param_groups[0]
        self.betas, self.eps = group["betas"], group["eps"]
        self.ends = list(accumulate((p.numel() for p in parameters), initial=0))
        like = parameters[0].detach()
        self.vectors = [torch.zeros(self.ends[-1], dtype=like.dtype, device=like.device) for _ in range(3)]
        self._apart = max(p.numel() for p in parameters) >= LARGE
        self._views: list[list[Tensor]] = []
        self._steps = torch.zeros(len(parameters))
        self._adopt()
        places = {id(p): i for i, p in enumerate(parameters)}
        self.rest = [tensor for tensor in step.bound if id(tensor) not in places]
        self._slots = [places.get(id(tensor)) for tensor in step.bound]
        self._numbers = torch.zeros(2, dtype=like.dtype)
        self._batch = [] if step.recording.fixed else list(flat(batch))
        optimizer._opt_called = True  # type: ignore[attr-defined]  # a scheduler asks for it
        try:
            self._run: Callable[..., Any] = self._compile()
        except BaseException:
            self.release()
            raise

    def __call__(self, batch: Any, beta: float | Tensor, rate: float) -> Tensor:
        """Take the step with learning rate `rate`; return the row of terms."""
        state = self.optimizer.state[self.parameters[0]]
        if state["exp_avg"] is not self._views[1][0]:  # a checkpoint has been read
            self._adopt()
        self._steps += 1
        count = int(self._steps[0])
        first, second = (1 - decay**count for decay in self.betas)
        numbers = torch.tensor((rate / first, 1 / math.sqrt(second)), dtype=self._numbers.dtype)
        inputs = () if self.step.recording.fixed else flat(batch)
        with torch.no_grad():
            (row,) = self._run(self.step.weight(beta), numbers, *self._pieces(), *inputs, *self.rest)
        result: Tensor = row
        return result

    def kept(self) -> list[tuple[Tensor, Tensor]]:
        """Return what a step may write to, each with a copy of it."""
        places = (*self.vectors, *self.rest, self._steps)
        return [(tensor, tensor.clone()) for tensor in places if not overlaps(tensor)]

    @torch.no_grad()
    def release(self) -> None:
        """Give each parameter and each of Adam's averages memory of its own."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
            state = self.optimizer.state[parameter]
            for name, value in state.items():
                state[name] = value.clone()

    @torch.no_grad()
    def _adopt(self) -> None:
        """Move parameters and Adam's state into the vectors."""
        names = ("exp_avg", "exp_avg_sq")
        states = [self.optimizer.state[p] for p in self.parameters]
        done = float(states[0]["step"]) if states[0] else 0.0
        self._steps = torch.full((len(self.parameters),), done)
        self._views = [self._split(vector) for vector in self.vectors]
        for i, (parameter, state) in enumerate(zip(self.parameters, states, strict=True)):
            self._views[0][i].copy_(parameter)
            parameter.data = self._views[0][i]
            for views, name in zip(self._views[1:], names, strict=True):
                if state:
                    views[i].copy_(state[name])
            state.update(
                {"step": self._steps[i]} | dict(zip(names, (views[i] for views in self._views[1:]), strict=True))
            )

    def _pieces(self) -> list[Tensor]:
        """Parameters and averages as the program takes them: the vectors, or apart where a copy would cost more."""
        return [view for views in self._views for view in views] if self._apart else self.vectors

    def _split(self, vector: Tensor) -> list[Tensor]:
        pieces = zip(pairwise(self.ends), self.parameters, strict=True)
        return [vector[start:end].view(parameter.shape) for (start, end), parameter in pieces]

    def _compile(self) -> Callable[..., Any]:
        from torch._inductor import compile as lower
        from torch._inductor import config

        first, second = self.betas
        count = len(self._pieces()) // 3

        def program(beta: Tensor, numbers: Tensor, *inputs: Tensor) -> tuple[Tensor]:
            pieces, inputs = inputs[: 3 * count], inputs[3 * count :]
            batch, rest = inputs[: len(self._batch)], iter(inputs[len(self._batch) :])
            views = pieces[:count] if self._apart else self._split(pieces[0])
            bound = [next(rest) if slot is None else views[slot] for slot in self._slots]
            row, *gradients = self.step.module.forward(beta, *batch, *bound)
            if not self._apart:
                gradients = [torch.cat([g.reshape(-1) for g in gradients])]
            triples = zip(pieces[:count], pieces[count : 2 * count], pieces[2 * count :], strict=True)
            for (p, m, v), gradient in zip(triples, gradients, strict=True):
                mean = m + (1 - first) * (gradient - m)
                square = second * v + (1 - second) * gradient * gradient
                moved = p - numbers[0] * mean / (square.sqrt() * numbers[1] + self.eps)
                m.copy_(mean)
                v.copy_(square)
                p.copy_(moved)
            return (row,)

        kept = self.kept()
        inputs = (self.step.weight(1.0), self._numbers, *self._pieces(), *self._batch, *self.rest)
        with torch.no_grad(), warnings.catch_warnings(), config.patch(fallback_random=True, compile_threads=1):
            warnings.simplefilter("ignore")
            with torch.random.fork_rng():
                graph = make_fx(program, REWRITES)(*inputs)
            for tensor, value in kept:
                tensor.copy_(value)
            run: Callable[..., Any] = lower(graph, list(inputs))
        return run


@torch.no_grad()
def holds(step: CompiledStep, batch: Any, beta: float) -> bool:
    """Whether a compiled step has the recorded one's terms and gradients up to rounding; all is put back."""
    kept = step.kept()
    results: list[Any] = []
    moved: list[list[Tensor]] = []
    for run in (lambda: step(batch, beta, 0.0), lambda: step.step(batch, beta)):
        with torch.random.fork_rng():
            torch.manual_seed(6)
            results.append(run())
        moved.append([tensor.clone() for tensor in step.rest])
        if len(results) == 1:
            mean = step.vectors[1].clone()
        for tensor, value in kept:
            tensor.copy_(value)
    row, (expected, gradients) = results
    gradient = torch.cat([g.reshape(-1) for g in gradients])
    close = (mean - kept[1][1]) / (1 - step.betas[0]) + kept[1][1] - gradient
    scale = gradient.norm() + kept[1][1].norm() + 1e-30
    alike = all(torch.allclose(a.double(), b.double(), rtol=1e-3, atol=1e-5) for a, b in zip(*moved, strict=True))
    return alike and bool(
        torch.allclose(row.double(), expected.double(), rtol=1e-3, atol=1e-4) and close.norm() < 1e-2 * scale
    )
