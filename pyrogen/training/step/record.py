"""Recordings: the programs are run once, and the list of their tensor operations is what every step replays."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from pyrogen.training.data.program_data import flat
from pyrogen.training.step.fold import fold
from pyrogen.training.step.objective import Objective, Result, Weight
from pyrogen.training.step.simplify import reuse_memory, simplify
from pyrogen.training.step.tape import Tape
from pyrogen.training.step.watch import Unrecordable, Watch, place_of, said, unchecked, values_stay_tensors, watched


@dataclass
class Recording:
    """The operations of one step, ``(*tensors of the batch, β, *bound) -> (row, *gradients)``.

    Attributes:
        graph: the operations.
        root: what they read beside their inputs, as its attributes: parameters, buffers and constants.
        present: for each trained parameter, whether it has a gradient.
        fixed: whether the tensors of the batch, which every step sees, are constants of the recording.
        autocast: whether it was made under autocast, whose casts are among the operations.
        written: memory from before the recording that the operations write to.
    """

    graph: fx.Graph
    root: nn.Module
    present: list[bool]
    fixed: bool
    autocast: bool
    written: list[torch.UntypedStorage]


def record(objective: Objective, batch: Any, fixed: bool = False, places: bool = False) -> Recording:
    """Run the programs once on a batch and write down each tensor operation, the backward pass included.

    Tracing a Pyro program costs more than a small network's arithmetic. Replaying the list gives the same numbers
    without Pyro, autograd or Python in between. Random numbers are drawn anew at each replay; parameters and buffers
    are read, and moved, where they are. The batch's shape is part of the recording.

    Args:
        objective: what is minimized.
        batch: a batch; its tensors are inputs of the recording.
        fixed: whether all steps see this batch; its tensors are then constants, on whose values Python may depend.
        places: whether each operation remembers the line of code that it comes from (slower).

    Raises:
        Unrecordable: if the operations are not all that the programs do; the message says what else they do.
    """
    pair = objective.pair
    inputs = () if fixed else flat(batch)
    beta = torch.ones_like(pair.beta)
    tape = Tape({id(tensor) for tensor in (*pair.parameters(), *pair.buffers())}, (beta, *inputs), places)
    try:
        with unchecked(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the plain run before this has given them
            with watched(tape.refuse), tape, values_stay_tensors(), Watch(tape.read, tape.refuse):
                row, gradients = objective(batch, beta)
    except Unrecordable:
        raise
    except Exception as error:
        place = f", {place_of(error)}".removesuffix(", ")
        raise tape.refused or Unrecordable(f"it cannot be recorded ({said(error)}{place})") from error
    finally:
        written = tape.put_back()
    if tape.refused:  # and the programs have caught it
        raise tape.refused
    tape.finish((row, *(gradient for gradient in gradients if gradient is not None)))
    present = [gradient is not None for gradient in gradients]
    autocast = torch.is_autocast_enabled(pair.beta.device.type)
    return Recording(tape.graph, tape.root, present, fixed, autocast, written)


def difference(first: Recording, second: Recording) -> tuple[int, str] | None:
    """Return the number of the first operation in which two recordings differ, and how; None if they agree.

    Constants are compared by value. Operations whose results nothing uses count too.
    """
    ours, theirs = list(first.graph.nodes), list(second.graph.nodes)
    partner: dict[fx.Node, fx.Node] = {}
    for number, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        partner[b] = a
        if a.op != b.op or (a.op == "call_function" and a.target is not b.target):
            return number, f"{a.target} in one run is {b.target} in the next"
        if a.op == "get_attr":
            if not same_constant(getattr(first.root, a.target), getattr(second.root, b.target)):
                return number, "a tensor that is made outside of torch's random numbers changes from run to run"
            continue
        mapped = fx.map_arg((b.args, b.kwargs), lambda node: partner.get(node, node))
        if not _same_arguments((a.args, a.kwargs), mapped):
            return number, f"the arguments of {a.target} change from run to run"
    if len(ours) != len(theirs) or first.present != second.present:
        return min(len(ours), len(theirs)) - 1, "the operations differ in number from run to run"
    return None


def place_in(recording: Recording, number: int) -> str:
    """Return the line of the caller's code that an operation of a recording with places comes from, "" if unknown."""
    nodes = list(recording.graph.nodes)
    number = min(number, len(nodes) - 1)
    users = list(nodes[number].users) if nodes[number].op == "get_attr" else []
    for node in (nodes[number], *users, *reversed(nodes[:number])):
        if node.meta.get("place"):
            return str(node.meta["place"])
    return ""


class RecordedStep:
    """Replays a recording.

    Args:
        recording: the recording, which is rewritten.
        device: where it runs.

    Attributes:
        operations: their number.
    """

    way = "recorded"

    def __init__(self, recording: Recording, device: torch.device) -> None:
        self.recording, self.device = recording, device
        simplify(recording.graph)
        graph = fx.Graph()
        graph.output(graph.graph_copy(recording.graph, {}))
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            fold(graph, recording.root)
        reuse_memory(graph)
        self._bound = bind(graph, recording.root)
        self._replay: Callable[..., Any] = fx.GraphModule(nn.Module(), graph).forward
        reuse_memory(recording.graph)
        self.bound = bind(recording.graph, recording.root)
        self.module = fx.GraphModule(nn.Module(), recording.graph)  # for a compiler
        self.operations = sum(node.op == "call_function" for node in recording.graph.nodes)
        self.weight = Weight(torch.empty(0, dtype=next(iter(recording.graph.nodes)).meta["of"][1], device=device))

    def __call__(self, batch: Any, beta: float | Tensor) -> Result:
        """Return the row of terms and the gradients."""
        inputs = () if self.recording.fixed else flat(batch)
        with torch.no_grad():
            return self.replay(self.weight(beta), inputs)

    def replay(self, beta: Tensor, inputs: Sequence[Tensor]) -> Result:
        """Run the operations; to be called without autograd."""
        if self.recording.autocast:
            with torch.autocast(self.device.type, enabled=False):  # its casts are among the operations
                row, *gradients = self._replay(beta, *inputs, *self._bound)
        else:
            row, *gradients = self._replay(beta, *inputs, *self._bound)
        if all(self.recording.present):
            return row, gradients
        rest: Iterator[Tensor] = iter(gradients)
        return row, [next(rest) if present else None for present in self.recording.present]


def bind(graph: fx.Graph, root: nn.Module) -> tuple[Tensor, ...]:
    """Turn the attributes that a recording reads, which is slow, into inputs at its end; return their values."""
    bound, inputs = list[Tensor](), dict[str, fx.Node]()
    last = [node for node in graph.nodes if node.op == "placeholder"][-1]
    for node in [node for node in graph.nodes if node.op == "get_attr"]:
        name = str(node.target)
        if name not in inputs:
            with graph.inserting_after(last):
                last = inputs[name] = graph.placeholder(f"bound_{len(bound)}")
            last.meta = dict(node.meta)
            bound.append(getattr(root, name))
        node.replace_all_uses_with(inputs[name])
        graph.erase_node(node)
    return tuple(bound)


def same_constant(a: Any, b: Any) -> bool:
    """Return whether two constants are one object, or tensors alike, those that are not a number included."""
    if a is b or not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        return a is b
    if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
        return False
    return bool(torch.equal(a, b)) or bool(((a == b) | ((a != a) & (b != b))).all())


def _same_arguments(a: Any, b: Any) -> bool:
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(_same_arguments, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same_arguments(a[key], b[key]) for key in a)
    if isinstance(a, float) and isinstance(b, float) and a != a and b != b:
        return True
    return type(a) is type(b) and bool(a == b)
