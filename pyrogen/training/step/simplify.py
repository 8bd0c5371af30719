"""Rewrites of a recording that leave its numbers as they are to the last bit."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

aten = torch.ops.aten


def simplify(graph: fx.Graph) -> None:
    """Drop what does nothing: each operation that is left costs the host two microseconds a step.

    Only exact rewrites, so the recording's numbers stay those of the programs to the last bit.
    """
    written = {_origin(node.args[0]) for node in graph.nodes if _writes(node) and node.args}
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        source = node.args[0] if node.args else None
        if not isinstance(source, fx.Node):
            continue
        after, before = (n.meta.get("of") for n in (node, source))
        alike = after is not None and before is not None and after[:2] == before[:2]
        view = node.target is aten.detach.default or (  # replays run without autograd
            alike and node.target in (aten.expand.default, aten.view.default)
        )
        copy = alike and (
            node.target is aten.lift_fresh_copy.default
            or (node.target in (aten.mul.Tensor, aten.div.Tensor) and _is(node.args[1], 1.0))
            or (node.target is aten.pow.Tensor_Scalar and _is(node.args[1], 1.0))
            or (node.target is aten.add.Tensor and _is(node.args[1], 0.0) and not node.kwargs)
        )
        nothing = view or (copy and not {node, _origin(source)} & written)
        if nothing:
            node.replace_all_uses_with(source)
        elif node.target is aten.t.default and source.target is aten.t.default:
            node.replace_all_uses_with(source.args[0])
    graph.eliminate_dead_code()


def reuse_memory(graph: fx.Graph) -> None:
    """Let a ReLU and its gradient overwrite their input where nothing else reads it.

    The same numbers; but fresh memory for a convolution's feature maps costs more than the arithmetic on them.
    """
    fresh = (aten.convolution.default, aten.addmm.default, aten.mm.default, aten.convolution_backward.default)
    for node in graph.nodes:
        if node.target not in (aten.relu.default, aten.threshold_backward.default):
            continue
        source = node.args[0]
        made = source.args[0] if source.target is operator.getitem else source
        if len(source.users) > 1 or made.target not in fresh:
            continue
        if node.target is aten.relu.default:
            node.target = aten.relu_.default
        elif _alike(node, source):
            node.target, node.kwargs = aten.threshold_backward.grad_input, {"grad_input": source}


def _alike(a: fx.Node, b: fx.Node) -> bool:
    """Return whether two results have one shape, and their entries lie in memory in the order of the dimensions."""
    ours, theirs = a.meta["of"], b.meta["of"]
    return bool(ours == theirs and ours[2] == torch.empty(ours[0], device="meta").stride())


def _origin(node: Any) -> Any:
    """Return the node whose memory a chain of views and writes ends in."""
    while isinstance(node, fx.Node) and node.op == "call_function":
        schema = getattr(node.target, "_schema", None)
        if schema is None or not any(result.alias_info for result in schema.returns) or not node.args:
            return node
        node = node.args[0]
    return node


def _writes(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and schema.is_mutable


def _is(argument: Any, number: float) -> bool:
    return isinstance(argument, int | float) and argument == number
