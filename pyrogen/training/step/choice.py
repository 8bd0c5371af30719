"""Which way a run takes its steps: recorded where that is proven to mean the same, else plain, with a sentence why."""

from __future__ import annotations

import contextvars
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pyro
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pyrogen.errors import DivergenceError
from pyrogen.random_numbers import random_states, set_random_states, torchs_kept
from pyrogen.training.data.program_data import flat
from pyrogen.training.step.compiled import CompiledStep, can_compile, holds, is_plain_adam, pays
from pyrogen.training.step.cuda_graph import CudaGraphStep
from pyrogen.training.step.glance import Glance
from pyrogen.training.step.objective import Objective, PlainStep, ProgramsObjective, Result, not_finite
from pyrogen.training.step.proof import agrees, changed_between, proven, snapshot
from pyrogen.training.step.record import RecordedStep, same_constant
from pyrogen.training.step.state import Snapshot
from pyrogen.training.step.watch import Unrecordable, said
from pyrogen.warn import warn

SMALL = 1 << 20  # entries of a tensor that is compared
SCRATCH = "trace.nodes["  # in the paths of what a guide's last run has left


@dataclass
class First:
    """The first step of programs, which make their parameters in it: its result, and the random state after it."""

    objective: ProgramsObjective
    result: Result
    states: dict[str, Tensor]

    @classmethod
    def take(cls, objective: ProgramsObjective, batch: Any) -> First:
        """Run the programs for the first time.

        Raises:
            DivergenceError: if a term, a gradient or a distribution is not finite.
        """
        with _explained(batch):
            result = objective(batch, objective.pair.beta)
        if objective.has_value:
            _check(objective, *result, batch)
        return cls(objective, result, random_states(objective.pair.beta.device))

    def use(self) -> Result:
        """Hand the result out, as if the programs were run now."""
        set_random_states(self.states, self.objective.pair.beta.device)
        return self.result


class Step:
    """The steps of a run.

    Args:
        objective: what is minimized.
        batch_of: the batch of a step.
        fixed: whether all steps see the same batch.
        ask: False for the plain step, which runs the programs each time; None to choose.
        first: what step 0 gives, if the programs have run.

    Attributes:
        way: "plain", "recorded", "compiled" or "cuda graph".

    Raises:
        DivergenceError: if the pair's terms are not finite on the first batch.
    """

    def __init__(
        self,
        objective: Objective,
        batch_of: Callable[[int], Any],
        fixed: bool = False,
        ask: bool | None = None,
        first: First | None = None,
    ) -> None:
        self.objective, self.batch_of, self._first = objective, batch_of, first
        self._ask, self._compiled = ask, False
        self._step: PlainStep | RecordedStep | CudaGraphStep = PlainStep(objective)
        device = objective.pair.beta.device
        before = snapshot(objective.pair) if first is None else None
        with torchs_kept(device):
            batch = batch_of(0)
            inside = contextvars.copy_context().run  # so that no context variable keeps what a trial sets
            if before is not None:
                inside(_try_out, objective, batch)
            if ask is not False:
                inside(self._choose, batch, fixed)
        if before is not None:
            before.restore()
        self._held: Snapshot | None = None  # what the recording takes as fixed
        self._glance: Glance | None = None
        self._begun: tuple[Snapshot, dict[str, Tensor]] | Literal[False] | None = None

    def look(self, whole: bool) -> bool:
        """Go on plain, with a warning, if what the recording takes as fixed has changed since the first look.

        The programs are proven to change nothing of it themselves, so that a callback has. Return whether one has.

        Args:
            whole: look at all that the programs reach, some milliseconds; else first at what containers hold.
        """
        if isinstance(self._step, PlainStep) or (self._glance is not None and not whole and self._glance.same()):
            return False
        now = snapshot(self.objective.pair, copies=False)
        self._held, self._glance = self._held or now, Glance(now.objects)
        path = next(changed_between(self._held, now), "")
        if path:
            self._step, self._compiled, self._ask = PlainStep(self.objective), False, False
            warn(f"a callback changes `{path}`, which a recording holds fixed: the step is run plain from here on")
        return bool(path)

    def note_unkept(self) -> None:
        """Warn, at the second call, of what programs have changed since the first and no checkpoint holds."""
        if self._begun is False:
            return
        now, held = snapshot(self.objective.pair, copies=False), self.objective.pair.state_dict(keep_vars=True).values()
        tensors = {path: x for path, x in now.objects if _is_small(x)}
        if self._begun is None:
            kept = set(map(_memory, held))
            self._begun = now, {path: x.detach().clone() for path, x in tensors.items() if _memory(x) not in kept}
            return
        (before, values), self._begun = self._begun, False
        moved = (path for path, x in values.items() if path in tensors and not same_constant(tensors[path], x))
        changed = (*changed_between(before, now, set(map(id, held))), *moved)
        if path := next((path for path in changed if SCRATCH not in path), ""):
            warn(
                f"the programs change `{path}`, which a checkpoint does not hold: a run that goes on from it begins "
                "with this as your script makes it; a buffer of a module is kept"
            )

    @property
    def way(self) -> str:
        """How steps are taken."""
        return "compiled" if self._compiled else self._step.way

    def __call__(self, step: int, beta: float | Tensor) -> Result:
        """Return the row of terms of step `step` = 0, 1, ..., and the gradient of each trained parameter."""
        first, self._first = self._first, None
        if step == 0 and first is not None:
            return first.use()
        return self._step(self.batch_of(step), beta)

    def insist(self, compiled: bool) -> None:
        """Have the step compiled however few steps are left, if `compiled`, unless the plain step is asked for."""
        self._ask = True if compiled and self._ask is None else self._ask

    def compiled(
        self, parameters: list[nn.Parameter], optimizer: Optimizer, steps: int, clipped: bool, processes: int
    ) -> CompiledStep | None:
        """The step with its optimizer as one compiled program, if it is asked for, or pays over `steps` more steps."""
        step = self._step
        operations = step.operations if isinstance(step, RecordedStep) else 0
        if self._ask is False or (self._ask is None and not (pays(steps, operations) and can_compile())):
            return None
        why = ""
        if not isinstance(step, RecordedStep) or step.device.type != "cpu":
            why = f"the step is {step.way}"
        elif processes > 1:
            why = "the gradients of several processes meet between step and optimizer"
        elif clipped or not is_plain_adam(optimizer) or not all(step.recording.present):
            why = "only an Adam without additions is compiled with its step, for parameters that all have gradients"
        elif len({p.dtype for p in parameters}) > 1 or parameters[0].dtype not in (torch.float32, torch.float64):
            why = "the parameters are of several types, or of 16 bits"
        elif not can_compile():
            why = "there is no C++ compiler (g++)"
        else:
            batch = self.batch_of(0)
            try:
                program = CompiledStep(step, parameters, optimizer, batch)
                if holds(program, batch, float(self.objective.pair.beta)):
                    self._compiled, self._first = True, None
                    return program
                program.release()
                why = "the compiled program gives other numbers"
            except Exception as error:
                why = f"the compiler failed ({said(error)})"
        if self._ask:
            warn(f"compile=True is not met, for {why}: the step stays {step.way}")
        return None

    def _choose(self, batch: Any, fixed: bool) -> None:
        try:
            beta = float(self.objective.pair.beta)
            recorded = self._step = proven(self.objective, batch, fixed, beta)
            if recorded.device.type == "cuda":
                self._step = self._captured(recorded, batch, fixed, beta)
        except Exception as error:  # whatever it is, the plain step can do without
            why = str(error) if isinstance(error, Unrecordable) else f"it cannot be recorded ({said(error)})"
            if isinstance(self.objective, ProgramsObjective):
                self.objective.told = False
            name = type(self.objective.pair).__name__
            warn(
                f"the step of {name} is run plain, which is slower but right, for {why}; compile=False says that "
                "this is meant"
            )

    def _captured(self, recorded: RecordedStep, batch: Any, fixed: bool, beta: float) -> RecordedStep | CudaGraphStep:
        """The step as a CUDA graph, if the graph gives the plain step's numbers."""
        before = snapshot(self.objective.pair)
        try:
            graph = CudaGraphStep(recorded, batch, beta)
        except RuntimeError:  # an operation that waits for the device, for one
            return recorded
        finally:
            before.restore()
        return graph if agrees(self.objective, graph, batch, fixed, beta) else recorded


def _is_small(x: Any) -> bool:
    return isinstance(x, Tensor) and x.layout == torch.strided and x.numel() < SMALL


def _memory(x: Tensor) -> int:
    """Return where a tensor's entries are; an AutoGuide keeps the first values that its weights share memory with."""
    return x.untyped_storage().data_ptr() if x.layout == torch.strided and not x.is_meta else id(x)


def _try_out(objective: Objective, batch: Any) -> None:
    """Evaluate a pair once with all of Pyro's checks on."""
    objective.pair.check(*(batch if isinstance(batch, tuple) else (batch,)))
    with _explained(batch), pyro.validation_enabled(True):
        result = objective(batch, objective.pair.beta)
    _check(objective, *result, batch)


@contextmanager
def _explained(batch: Any) -> Iterator[None]:
    """Say in one sentence what Pyro's checks find that is not finite."""
    try:
        yield
    except ValueError as error:
        found = re.search("to satisfy the constraint|to be within the support", str(error))
        if found and re.search(r"\b(nan|inf)\b", str(error)):
            site = re.search("at site '[^']*'", str(error))
            what = "a parameter" if "constraint" in found[0] else "the value"
            where = f" {site[0]}" if site else ""
            raise DivergenceError(
                f"at step 1 {what} of a distribution{where} is not finite: {_advice(batch)}"
            ) from error
        raise


def _check(objective: Objective, row: Tensor, gradients: list[Tensor | None], batch: Any) -> None:
    if not torch.isfinite(row).all():
        raise DivergenceError(f"at step 1 the {not_finite(objective, row)[1]} is not finite: {_advice(batch)}")
    if not all(gradient is None or torch.isfinite(gradient).all() for gradient in gradients):
        raise DivergenceError(f"at step 1 the gradient is not finite: {_advice(batch)}")


def _advice(batch: Any) -> str:
    reach = [float(x.detach().double().abs().max()) for x in flat(batch) if x.numel() and not x.is_complex()]
    if not all(map(math.isfinite, reach)):
        return "leave out the rows of the data that are not finite, or mask them"
    if max(reach, default=0.0) > 100:
        return f"the data reach {max(reach):.3g}: bring them near [0, 1] or [-1, 1], as 8-bit images divided by 255"
    return "check the initial weights"
