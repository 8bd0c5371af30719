"""Writes down each tensor operation that is run, the backward pass included, as one flat list."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from pyrogen.training.step.watch import Unrecordable, guarded, here, outside

aten = torch.ops.aten
RAISING = {  # by the values that they are given
    *(aten._linalg_check_errors.default, aten.index.Tensor, aten.index_select.default, aten.gather.default),
    *(aten.embedding.default, aten.nll_loss_forward.default, aten.multinomial.default),
}


class Tape(TorchDispatchMode):
    """While this mode is entered, operations are run and written down below autograd.

    A tensor that no operation on the tape has made is a constant, which replays read, and may move, where it is.

    Args:
        live: the identities of tensors that differ from step to step: parameters and buffers.
        inputs: the tensors that a replay is given.
        places: whether each operation remembers the line of code that it comes from.
    """

    def __init__(self, live: set[int], inputs: tuple[Tensor, ...], places: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live, self.places = live, places
        self.graph, self.root = fx.Graph(), nn.Module()
        self._nodes: dict[int, fx.Node] = {}
        self._alive: list[Tensor] = []  # so that no identity is given to another tensor
        self._changing: set[fx.Node] = set()  # nodes whose values differ from step to step
        self._written: set[int] = set()  # the memory, seen through any view, into which such values were written
        self._memory: dict[int, torch.UntypedStorage] = {}  # that was there before the programs ran
        self._before: dict[int, torch.UntypedStorage] = {}  # copies of what they write to of it, or hand to NumPy
        self._lent: dict[int, str] = {}  # where NumPy was given what it may write to
        self.refused: Unrecordable | None = None
        for i, tensor in enumerate(inputs):
            self._changing.add(self._made(tensor, self.graph.placeholder(f"input_{i}")))
            self._note_memory(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.data_dependent_output in func.tags:
            return self._read(func, args, kwargs)
        if func is aten.lift_fresh.default:  # a constant that the programs may write into
            func = aten.lift_fresh_copy.default
        if func is aten.mkldnn_rnn_layer.default:
            self.refuse(f"oneDNN's LSTM keeps what its gradient needs outside of tensors ({_with_place(func)})")
        ours, theirs = tree_map(self._argument, (args, kwargs))
        if func in RAISING and guarded() and any(map(self._changes, _tensors(args, kwargs))):
            self.refuse(f"an error of {_with_place(func)} depends on values, and is caught")
        if func._schema.is_mutable:
            pairs = zip(args, func._schema.arguments, strict=False)
            written = [value for value, spec in pairs if spec.alias_info and spec.alias_info.is_write]
            for tensor in _tensors(written, kwargs):
                self._keep(tensor)
                self._lent.pop(_memory(tensor), None)
        result = func(*args, **kwargs)
        if torch.Tag.dynamic_output_shape in func.tags and self._selects(func, args):
            self.refuse(f"the shape of a tensor depends on values ({_with_place(func)})")
        node = self.graph.call_function(func, ours, theirs)
        if self.places:
            node.meta["place"] = here()
        if torch.Tag.nondeterministic_seeded in func.tags or any(map(self._changes, _tensors(args, kwargs))):
            self._changing.add(node)
            if func._schema.is_mutable and isinstance(result, Tensor):
                self._written.add(_memory(result))
        if isinstance(result, Tensor):
            self._made(result, node)
        elif isinstance(result, tuple | list):
            for i, part in enumerate(result):
                if isinstance(part, Tensor):
                    item = self._made(part, self.graph.call_function(operator.getitem, (node, i)))
                    if node in self._changing:
                        self._changing.add(item)
        return result

    def read(self, tensor: Tensor, name: str) -> None:
        """Refuse if a tensor that differs from step to step gives its values to Python by the function `name`."""
        if self._changes(tensor):
            self.refuse(f"it reads the value of a tensor ({_with_place(name)})")
        if id(tensor) not in self._nodes:
            self._note_memory(tensor)
        if self._keep(tensor):
            self._lent[_memory(tensor)] = _with_place(name)

    def put_back(self) -> list[torch.UntypedStorage]:
        """Undo what the programs wrote into memory that was there before; return this memory."""
        with _disable_current_modes():
            for key, place in self._lent.items():
                now, before = (
                    torch.empty(0, dtype=torch.uint8).set_(m[key].cpu()) for m in (self._memory, self._before)
                )
                if not torch.equal(now, before):
                    self.refused = self.refused or Unrecordable(f"it changes a tensor outside of torch ({place})")
            return [self._memory[key].copy_(before) for key, before in self._before.items()]

    def _keep(self, tensor: Tensor) -> bool:
        """Copy the memory of a tensor, which may be written to, if it was there before; return whether it is new."""
        key = _memory(tensor)
        if key in self._before or key not in self._memory:
            return False
        with _disable_current_modes():
            self._before[key] = self._memory[key].clone()
        return True

    def _note_memory(self, tensor: Tensor) -> None:
        if key := _memory(tensor):
            self._memory[key] = tensor.untyped_storage()

    def refuse(self, cause: str) -> None:
        """Give up: the programs do what no recording can stand for."""
        self.refused = self.refused or Unrecordable(cause)
        raise self.refused

    def finish(self, results: tuple[Tensor, ...]) -> None:
        """Close the list: it gives `results` for other inputs."""
        self.graph.output(tuple(self._argument(result) for result in results))

    def _argument(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) not in self._nodes:
            name = f"constant_{len(self._alive)}"
            setattr(self.root, name, value)
            node = self._made(value, self.graph.get_attr(name))
            self._note_memory(value)
            if id(value) in self.live:
                self._changing.add(node)
        return self._nodes[id(value)]

    def _made(self, tensor: Tensor, node: fx.Node) -> fx.Node:
        self._nodes[id(tensor)] = node
        self._alive.append(tensor)
        node.meta["of"] = (tensor.shape, tensor.dtype, tensor.stride())
        return node

    def _read(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Let a value be read in Python only if it is the same at each step."""
        if any(map(self._changes, _tensors(args))) and not self._is_expected(func, args, kwargs):
            self.refuse(f"it reads the value of a tensor ({_with_place(func)})")
        with _disable_current_modes():
            return func(*args, **kwargs)

    def _changes(self, tensor: Tensor) -> bool:
        node = self._nodes.get(id(tensor))
        if node in self._changing or (node is None and id(tensor) in self.live):
            return True
        return bool(self._written) and _memory(tensor) in self._written

    def _selects(self, func: Any, args: Any) -> bool:
        """Return whether an operation picks entries by values that change; indexing by whole numbers does not."""
        if func is aten.index.Tensor:
            masks = [i for i in args[1] if isinstance(i, Tensor) and i.dtype in (torch.bool, torch.uint8)]
            return any(map(self._changes, masks))
        return any(map(self._changes, _tensors(args)))

    @staticmethod
    def _is_expected(func: Any, args: Any, kwargs: Any) -> bool:
        """Return whether Pyro asks if all probabilities are above 0, and they are: else its sum would not be finite."""
        if outside("torch") != "pyro.infer.util":
            return False
        with _disable_current_modes():
            return func(*args, **kwargs) is True


def _with_place(func: Any) -> str:
    place = here()
    return f"{func}, {place}" if place else str(func)


def _tensors(*values: Any) -> list[Tensor]:
    return [tensor for tensor in tree_leaves(values) if isinstance(tensor, Tensor)]


def _memory(tensor: Tensor) -> int:
    """Return what tells apart the memory of a tensor from others', 0 where it has none of its own."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return 0
