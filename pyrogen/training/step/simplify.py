"""Rewrites of a recording that leave its numbers as they are to the last bit."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx

aten = torch.ops.aten


def simplify(graph: fx.Graph) -> None:
    """Drop what does nothing: each operation that is left costs the host two microseconds a step.

    Only exact rewrites, so the recording's numbers stay those of the programs to the last bit.
    """
    written = {origin(place) for node in graph.nodes for place in written_by(node)}
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
            or (node.target in (aten.add.Tensor, aten.sub.Tensor) and _is(node.args[1], 0.0) and not node.kwargs)
        )
        nothing = view or (copy and not {node, origin(source)} & written)
        if nothing:
            node.replace_all_uses_with(source)
        elif node.target is aten.permute.default:
            _permute_once(node)
        elif node.target is aten.t.default and source.target is aten.t.default:
            node.replace_all_uses_with(source.args[0])
    graph.eliminate_dead_code()


def _permute_once(node: fx.Node) -> None:
    """Join a permutation of dimensions with the one before it; drop it where the order is as it was."""
    source: Any = node.args[0]
    dims: Any = [dim % len(node.args[1]) for dim in node.args[1]]  # type: ignore
    if source.target is aten.permute.default:
        dims = [source.args[1][dim] % len(dims) for dim in dims]
        source = source.args[0]
        node.args = (source, dims)
    if dims == list(range(len(dims))):
        node.replace_all_uses_with(source)


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


def origin(node: Any) -> Any:
    """Return the node whose memory a chain of views and writes ends in."""
    while isinstance(node, fx.Node) and node.op == "call_function":
        if node.target is operator.getitem:  # a part of what, such as split, gives views
            node = node.args[0]
            continue
        schema = getattr(node.target, "_schema", None)
        if schema is None or not any(result.alias_info for result in schema.returns) or not node.args:
            return node
        node = node.args[0]
    return node


def written_by(node: fx.Node) -> Iterator[fx.Node]:
    """Yield the nodes whose memory an operation writes into; batch norm moves its means without saying so."""
    schema = getattr(node.target, "_schema", None)
    if node.op == "call_function" and "batch_norm" in str(node.target):
        yield from node.all_input_nodes
    elif node.op == "call_function" and schema is not None and schema.is_mutable:
        arguments = zip(node.args, schema.arguments, strict=False)
        for place in (value for value, spec in arguments if spec.alias_info and spec.alias_info.is_write):
            yield from place if isinstance(place, list | tuple) else (place,)
        yield from (value for value in node.kwargs.values() if isinstance(value, fx.Node))


def _is(argument: Any, number: float) -> bool:
    return isinstance(argument, int | float) and argument == number
