"""Data made by a model, put where its arguments hold the real ones; and a guide fitted to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from pyro import poutine
from pyro.distributions import Unit
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from pyrogen import checks
from pyrogen.testing.running.errors import blaming
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import observed, unconstrained, with_density

Replaced = tuple[dict[str, Tensor], tuple[Any, ...], dict[str, Any]]
_OWN = "pass simulate=, a callable that returns (latents by site, args)"


def from_prior(tested: Tested) -> Replaced:
    """One draw of latents and data from the model: (latents by site, args, kwargs), the data in place of the observed.

    An argument counts as observed if a site's value is that tensor or array, a view of it, or equal to it.

    Raises:
        ValueError: where no argument holds a site's value or several do, or the model has a ``pyro.factor``.
    """
    with blaming("the model"):
        real = tested.run(tested.model)
    if not any(observed(real)):
        raise ValueError(f"model must observe something with these arguments, got nothing to simulate: {_OWN}")
    for name, site in observed(real):
        if isinstance(site["fn"], Unit):
            raise ValueError(f"model must have no pyro.factor, which draws nothing, got {name!r}: {_OWN}")
    with blaming("the model, where it observes nothing,"):
        drawn = tested.run(poutine.uncondition(tested.model))
    truth, data = {}, _Data(tested)
    for name, site in with_density(drawn):
        if site["infer"].get("was_observed"):
            data.put(name, checks.tensor(f"what the model observes at {name!r}", site["infer"]["obs"]), site["value"])
        else:
            truth[name] = site["value"]
    args, kwargs = data.arguments()
    with blaming("the model, on simulated data,"):
        again = replace(tested, args=args, kwargs=kwargs).run(poutine.condition(tested.model, data=truth))
    for name, site in observed(again):
        if site["infer"].get("was_observed") or name not in drawn.nodes or name in truth:
            continue
        ours, theirs = torch.as_tensor(site["value"]).double(), torch.as_tensor(drawn.nodes[name]["value"]).double()
        if ours.shape != theirs.shape or not torch.equal(ours, theirs):
            raise ValueError(f"model must observe at {name!r} the data that it is given, got something else: {_OWN}")
    return truth, args, kwargs


class _Data:
    """The arguments, of which those that hold data are copied when the first simulated value is written into them."""

    def __init__(self, tested: Tested) -> None:
        self._given = tested.args, dict(tested.kwargs)
        leaves = [leaf for leaf in tree_leaves(self._given) if isinstance(leaf, Tensor)]
        held = [t for t in leaves if t.layout == torch.strided and t.device.type != "meta"]  # others can hold no data
        self._tensors = list({id(t): t for t in held}.values())
        self._copies: dict[int, Tensor] = {}

    def put(self, name: str, value: Tensor, new: Tensor) -> None:
        """Write what was simulated at a site to where its observed value comes from."""
        tensor = self._source(name, value)
        copy = self._copies.setdefault(id(tensor), tensor.clone())
        if value.shape != new.shape:
            ours, theirs = tuple(value.shape), tuple(new.shape)
            raise ValueError(f"model must draw {name!r} in the shape that it observes, {ours}, got {theirs}: {_OWN}")
        if tensor.shape == value.shape:
            copy.copy_(new)
        else:  # a view: the same place in the copy
            offset = copy.storage_offset() + value.storage_offset() - tensor.storage_offset()
            copy.as_strided(value.size(), value.stride(), offset).copy_(new)

    def _source(self, name: str, value: Tensor) -> Tensor:
        ways: tuple[Callable[[Tensor], bool], ...] = (
            lambda tensor: tensor is value,
            lambda tensor: _holds(tensor, value),
            lambda tensor: tensor.shape == value.shape and torch.equal(tensor.double(), value.double()),
        )
        found: list[Tensor] = next(filter(None, (list(filter(way, self._tensors)) for way in ways)), [])
        if len(found) != 1:
            what = f"the value of {name!r}, of shape {tuple(value.shape)}"
            raise ValueError(f"one argument must hold {what}, got {'several' if found else 'none'}: {_OWN}")
        return found[0]

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with the copies in place."""
        args, kwargs = tree_map_only(Tensor, lambda tensor: self._copies.get(id(tensor), tensor), self._given)
        return args, kwargs


def _holds(tensor: Tensor, value: Tensor) -> bool:
    """Return whether a value is a view of a contiguous tensor."""
    return (
        tensor.is_contiguous()
        and tensor.numel() > 0
        and tensor.dtype == value.dtype
        and tensor.untyped_storage().data_ptr() == value.untyped_storage().data_ptr()
    )


def refit(tested: Tested, loss: Any, steps: int, lr: float, seed: int) -> None:
    """Fit the guide's parameters by Adam, whose rate falls to 0 over the second half; the model's stay."""
    with poutine.trace(param_only=True) as capture:
        tested.guide_alone(seed)
    leaves = [unconstrained(site["value"]) for site in capture.trace.nodes.values()]
    if not leaves:
        raise ValueError(f"train must be None for a guide without parameters, got {steps} steps")
    optimizer = torch.optim.Adam(leaves, lr=lr)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, 2 * (1 - step / steps))
        optimizer.zero_grad()
        with blaming(f"step {step + 1} of the guide's fit, with lr={lr:g},"):
            if hasattr(loss, "loss_and_grads"):
                loss.loss_and_grads(tested.model, tested.guide, *tested.args, **tested.kwargs)
            else:
                loss(tested.model, tested.guide, *tested.args, **tested.kwargs).backward()
            optimizer.step()
