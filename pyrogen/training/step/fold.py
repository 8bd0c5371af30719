"""Rewrites of a recording for replays: what is the same at each step is computed once, what occurs twice once a step.

Each leaves the numbers as they are to the last bit. Operations go through torch's functions, which cost the host less
than the operators below them. A compiler does all this itself, so it gets the recording as it was.
"""

from __future__ import annotations

import operator
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn

from pyrogen.training.step.simplify import origin, written_by

aten = torch.ops.aten
LARGEST = 1 << 20  # entries of a result that is kept from step to step
ANYWAY = (aten.zeros_like.default, aten.ones_like.default, aten.full_like.default)  # whatever the input holds
MAKERS = (aten.zeros.default, aten.ones.default, aten.full.default, aten.scalar_tensor.default, aten.arange.default)
SUMS = (aten.add.Tensor, aten.sub.Tensor)
NAMES = (  # of operators that have a function of torch
    *("add.Tensor", "sub.Tensor", "mul.Tensor", "mul.Scalar", "div.Tensor", "pow.Tensor_Scalar", "neg.default"),
    *("exp.default", "log.default", "log1p.default", "sqrt.default", "tanh.default", "clamp.default", "bmm.default"),
    *("sum.default", "sum.dim_IntList", "stack.default", "permute.default", "transpose.int", "unsqueeze.default"),
    *("squeeze.default", "squeeze.dim"),
)
FUNCTIONS: dict[Any, Any] = {attrgetter(name)(aten): getattr(torch, name.partition(".")[0]) for name in NAMES}
FUNCTIONS |= {aten.view.default: torch.Tensor.view, aten.expand.default: torch.Tensor.expand}


def fold(graph: fx.Graph, root: nn.Module) -> None:
    """Rewrite a simplified recording whose constants are still attributes of `root`, which gets more of them."""
    written = {origin(source) for node in graph.nodes for source in written_by(node)}
    results = set(_results(graph))
    kept = written | {origin(node) for node in results}
    _fold_constants(graph, root, kept)
    _merge(graph, kept)
    _shorten(graph, root, written, kept)
    _hand_out(graph, written, results)
    graph.eliminate_dead_code()
    for node in graph.nodes:
        node.target = FUNCTIONS.get(node.target, node.target) if node.op == "call_function" else node.target


def _results(graph: fx.Graph) -> list[fx.Node]:
    return list(list(graph.nodes)[-1].all_input_nodes)


def _is_pure(node: fx.Node, kept: set[Any]) -> bool:
    """Return whether an operation only computes, from memory that nothing writes to, and hands nothing out."""
    if node.op != "call_function" or "empty" in str(node.target):
        return False
    if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()) or any(written_by(node)):
        return False
    return node not in kept and not any(origin(each) in kept for each in (node, *node.all_input_nodes))


def _is_fresh(node: fx.Node, root: nn.Module) -> bool:
    """Return whether a constant was made of Python numbers during the recording, so that nobody else can change it."""
    if node.op != "get_attr" or not all(user.target is aten.lift_fresh_copy.default for user in node.users):
        return False
    tensor = getattr(root, str(node.target))
    return not isinstance(tensor, nn.Parameter) and tensor.untyped_storage().resizable()  # NumPy's memory is not


def _fold_constants(graph: fx.Graph, root: nn.Module, kept: set[Any]) -> None:
    values: dict[fx.Node, Any] = {}
    usual = _device(graph, root)
    for node in list(graph.nodes):
        if _is_fresh(node, root):
            values[node] = getattr(root, str(node.target))
        if not _is_pure(node, kept) or "of" not in node.meta or node.meta["of"][0].numel() > LARGEST:
            continue
        if node.target in ANYWAY:
            shape, dtype, stride = node.meta["of"]
            device = node.kwargs.get("device") or usual
            if device is None:
                continue
            like = torch.empty_strided(shape, stride, dtype=dtype, device=device)
            values[node] = node.target(like, *node.args[1:])
        elif node.target in MAKERS or (node.all_input_nodes and all(n in values for n in node.all_input_nodes)):
            args, kwargs = fx.map_arg((node.args, node.kwargs), values.__getitem__)
            values[node] = node.target(*args, **kwargs)
    for node, value in values.items():
        if node.op == "call_function" and isinstance(value, Tensor) and any(user not in values for user in node.users):
            name = f"folded_{node.name}"
            setattr(root, name, value)
            with graph.inserting_before(node):
                constant = graph.get_attr(name)
            constant.meta = dict(node.meta)
            node.replace_all_uses_with(constant)
    graph.eliminate_dead_code()


def _device(graph: fx.Graph, root: nn.Module) -> torch.device | None:
    """The device of all that the recording reads, if it is one."""
    devices = {getattr(root, str(n.target)).device for n in graph.nodes if n.op == "get_attr"}
    return devices.pop() if len(devices) == 1 else None


def _merge(graph: fx.Graph, kept: set[Any]) -> None:
    """Let operations with the same arguments share one result."""
    first: dict[Any, fx.Node] = {}
    for node in list(graph.nodes):
        if _is_pure(node, kept):
            key = (node.target, _frozen(node.args), _frozen(node.kwargs))
            if key in first:
                node.replace_all_uses_with(first[key])
                graph.erase_node(node)
            else:
                first[key] = node


def _frozen(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return tuple((key, _frozen(item)) for key, item in sorted(value.items()))
    return value if isinstance(value, fx.Node) else (type(value), repr(value))


def _shorten(graph: fx.Graph, root: nn.Module, written: set[Any], kept: set[Any]) -> None:
    """Drop signs that cancel, factors of one, sums of one number, and casts that a sum does itself."""
    for node in list(graph.nodes):
        if node.op != "call_function" or origin(node) in kept or "of" not in node.meta:
            continue
        inputs = [n for n in node.all_input_nodes if "of" in n.meta]
        if not inputs or any(origin(n) in written for n in inputs):
            continue
        new: fx.Node | None = None
        if node.target is aten.neg.default and inputs[0].target is aten.neg.default:
            new = inputs[0].args[0]
        elif node.target is aten.sum.default and inputs[0].meta["of"] == node.meta["of"]:
            new = inputs[0]
        elif node.target is aten.mul.Tensor and len(inputs) == 2:
            new = _other_factor(node, inputs, root)
        elif node.target is aten.add.Tensor and len(inputs) == 2 and not node.kwargs:
            _subtract(node)
        elif node.target is aten._to_copy.default:
            _widen_in_sums(node)
        if new is not None and new.meta["of"] == node.meta["of"]:
            node.replace_all_uses_with(new)


def _other_factor(node: fx.Node, inputs: list[fx.Node], root: nn.Module) -> fx.Node | None:
    for one, other in (inputs, inputs[::-1]):
        value = getattr(root, str(one.target), None) if one.op == "get_attr" else None
        if str(one.target).startswith("folded_") and isinstance(value, Tensor) and other.meta["of"] == node.meta["of"]:
            if bool((value == 1).all()):
                return other
            if bool((value == -1).all()):
                node.target, node.args = aten.neg.default, (other,)
                return None
    return None


def _subtract(node: fx.Node) -> None:
    a, b = node.args
    for kept, negated in ((a, b), (b, a)):
        if isinstance(negated, fx.Node) and negated.target is aten.neg.default and len(negated.users) == 1:
            node.target, node.args = aten.sub.Tensor, (kept, negated.args[0])
            return


def _widen_in_sums(node: fx.Node) -> None:
    """Let a number in float32 go into sums of numbers in float64 as it is: they widen it themselves."""
    source: Any = node.args[0]
    if set(node.kwargs) - {"dtype", "device"} or node.kwargs.get("dtype") is not torch.float64:
        return
    (shape, dtype, _), device = source.meta["of"], node.kwargs.get("device") or "cpu"
    if dtype is not torch.float32 or shape != () or torch.device(str(device)).type != "cpu":
        return
    for user in [user for user in node.users if user.target in SUMS]:
        others = [n for n in user.all_input_nodes if n is not node and n.meta.get("of", ((), None))[1] == torch.float64]
        if others and user.meta["of"][1] is torch.float64:
            user.replace_input_with(node, source)


def _hand_out(graph: fx.Graph, written: set[Any], results: set[fx.Node]) -> None:
    """Return a gradient where it is, without the copy that autograd makes of it, if nothing else is returned there."""
    for node in results:
        if node.target is not aten.copy_.default:
            continue
        place, source = node.args[:2]
        if not (isinstance(place, fx.Node) and isinstance(source, fx.Node) and len(place.users) == 1):
            continue
        if place.target is not aten.new_empty_strided.default or source.op != "call_function":
            continue
        taken = {origin(each) for each in _results(graph)}
        fresh = origin(source) is source and source not in written | taken and source.target is not operator.getitem
        if fresh and source.meta.get("of") == node.meta.get("of"):
            node.replace_all_uses_with(source)
            graph.erase_node(node)
