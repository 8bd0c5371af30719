"""One training step: the Pyro programs are run once and recorded, and the recording is what every step replays."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pyro
import torch
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

from pyrogen.models import Pair
from pyrogen.training.objectives import elbo_terms
from pyrogen.training.step.trainable import trainable

Gradients = Callable[..., tuple[Tensor, ...]]


class Objective(nn.Module):
    """The pair's objective as a module, so that `functional_call` can lend it parameters and β."""

    def __init__(self, pair: Pair, size: int) -> None:
        super().__init__()
        self.pair, self.size = pair, size
        self.columns: tuple[str, ...] = ()
        self.monitored: tuple[str, ...] = ()
        self.per_latent: tuple[str, ...] = ()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The objective (a scalar with its gradient) and the row of terms that the history keeps, nats per image."""
        terms = elbo_terms(self.pair, x, self.size)
        self.columns, self.monitored, self.per_latent = terms.columns, tuple(terms.monitored), terms.per_latent
        return terms.objective, terms.row()


class RecordedStep:
    """Replays the recording of a pair's step.

    Args:
        pair: the pair.
        batch_of: the batch of a step.
        size: N.
    """

    def __init__(self, pair: Pair, batch_of: Callable[[int], Tensor], size: int) -> None:
        self.batch_of = batch_of
        objective = Objective(pair, size)
        self.gradients = record(objective, batch_of(0))
        self.columns, self.monitored, self.per_latent = objective.columns, objective.monitored, objective.per_latent
        self.parameters = list(trainable(pair).values())
        self.units, self.beta = "nats per image", pair.beta

    def __call__(self, step: int, beta: float | Tensor) -> tuple[Tensor, list[Tensor | None]]:
        """The row of terms of step `step`, nats per image, and the gradient of each trained parameter."""
        row, *gradients = self.gradients(*self.parameters, self.batch_of(step), torch.as_tensor(beta))
        return row, list(gradients)


def record(objective: Objective, x: Tensor) -> Gradients:
    """Record ``(*parameters, x, β) -> (row, *gradients)`` as one flat list of tensor operations.

    Tracing a Pyro program costs more than a small network's arithmetic. Model, guide, ELBO and backward pass are
    therefore run once on the batch `x` with every operation written down (``make_fx``); replaying the list gives
    the same numbers without Pyro, autograd or Python in between. Random numbers are drawn anew at each replay.
    The batch's shape is part of the recording, and it is to be replayed under ``torch.no_grad``.
    """
    names, parameters = zip(*trainable(objective).items(), strict=True)

    def gradients(*inputs: Tensor) -> tuple[Tensor, ...]:
        *values, x, beta = inputs
        lent = dict(zip(names, values, strict=True)) | {"pair.beta": beta}
        loss, row = functional_call(objective, lent, (x,))
        return row.detach(), *torch.autograd.grad(loss, values, allow_unused=True, materialize_grads=True)

    with pyro.validation_enabled(False), torch.enable_grad():
        module = make_fx(gradients)(*parameters, x, objective.pair.beta)
    _simplify(module.graph)
    _reuse_memory(module.graph)
    module.recompile()
    return module.forward


def _simplify(graph: fx.Graph) -> None:
    """Drop what does nothing: each operation that is left costs the host two microseconds a step.

    Only exact rewrites, so the recording's numbers stay those of the programs to the last bit.
    """
    aten = torch.ops.aten
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        source = node.args[0] if node.args else None
        if not isinstance(source, fx.Node):
            continue
        shape, before = (n.meta["tensor_meta"].shape if "tensor_meta" in n.meta else None for n in (node, source))
        nothing = (
            node.target is aten.detach.default  # replays run without autograd
            or (node.target in (aten.expand.default, aten.view.default) and shape is not None and shape == before)
            or (node.target in (aten.mul.Tensor, aten.div.Tensor) and node.args[1] == 1.0)
            or (node.target is aten.pow.Tensor_Scalar and node.args[1] == 1.0)
            or (node.target is aten.add.Tensor and node.args[1] == 0.0 and not node.kwargs)
        )
        if nothing:
            node.replace_all_uses_with(source)
        elif node.target is aten.t.default and source.target is aten.t.default:
            node.replace_all_uses_with(source.args[0])
    graph.eliminate_dead_code()


def _reuse_memory(graph: fx.Graph) -> None:
    """Let a ReLU and its gradient overwrite their input where nothing else reads it.

    The same numbers; but fresh memory for a convolution's feature maps costs more than the arithmetic on them.
    """
    aten = torch.ops.aten
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
        elif source.meta["tensor_meta"].shape == node.meta["tensor_meta"].shape:
            node.target, node.kwargs = aten.threshold_backward.grad_input, {"grad_input": source}
