"""Data made by a model, put where its arguments hold the real ones; and a guide fitted to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from pyro import poutine
from pyro.distributions import Unit
from torch import Tensor

from pyrogen import checks
from pyrogen.testing.running.errors import blaming
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import is_deterministic, observed, sites

Replaced = tuple[dict[str, Tensor], tuple[Any, ...], dict[str, Any]]
_OWN = "pass simulate=, a callable that returns (latents by site, args)"


def from_prior(tested: Tested) -> Replaced:
    """One draw of latents and data from the model: (latents by site, args, kwargs), the data in place of the observed.

    An argument counts as observed if a site's value is that tensor or array, a view of it, or equal to it.

    Raises:
        ValueError: where no argument holds a site's value or several do, or the model has a ``pyro.factor``.
    """
    with blaming("the model"):
        real = poutine.trace(tested.model).get_trace(*tested.args, **tested.kwargs)
    if not any(True for _ in observed(real)):
        raise ValueError(f"the model observes nothing with these arguments, so there is nothing to simulate: {_OWN}")
    for name, site in observed(real):
        if isinstance(site["fn"], Unit):
            raise ValueError(f"{name!r} is a pyro.factor, from which nothing can be drawn: {_OWN}")
    with blaming("the model, where it observes nothing,"):
        drawn = poutine.trace(poutine.uncondition(tested.model)).get_trace(*tested.args, **tested.kwargs)
    truth, copies = {}, _Copies(tested)
    for name, site in sites(drawn):
        if is_deterministic(site):
            continue
        if site["infer"].get("was_observed"):
            copies.put(name, checks.tensor(f"what the model observes at {name!r}", site["infer"]["obs"]), site["value"])
        else:
            truth[name] = site["value"]
    args, kwargs = copies.arguments()
    with blaming("the model, on simulated data,"):
        again = poutine.trace(poutine.condition(tested.model, data=truth)).get_trace(*args, **kwargs)
    for name, site in observed(again):
        if site["infer"].get("was_observed") or name not in drawn.nodes or name in truth:
            continue
        ours, theirs = torch.as_tensor(site["value"]).double(), torch.as_tensor(drawn.nodes[name]["value"]).double()
        if ours.shape != theirs.shape or not torch.equal(ours, theirs):
            raise ValueError(f"the model observes something else at {name!r} than the data that it was given: {_OWN}")
    return truth, args, kwargs


class _Copies:
    """The arguments, of which those that hold data are copied when the first simulated value is written into them."""

    def __init__(self, tested: Tested) -> None:
        self._given = tested.args, dict(tested.kwargs)
        self._tensors = {id(tensor): tensor for tensor in _tensors(self._given)}
        self._copies: dict[int, Tensor] = {}

    def put(self, name: str, value: Tensor, new: Tensor) -> None:
        """Write what was simulated at a site to where its observed value comes from."""
        key = self._source(name, value)
        tensor = self._tensors[key]
        copy = self._copies.setdefault(key, tensor.clone())
        if value.shape != new.shape:
            raise ValueError(
                f"the model draws {name!r} of shape {tuple(new.shape)} and observes one of {tuple(value.shape)}: {_OWN}"
            )
        if tensor.shape == value.shape:
            copy.copy_(new)
        else:  # a view: the same place in the copy
            place = value.size(), value.stride(), value.storage_offset() - tensor.storage_offset()
            copy.as_strided(place[0], place[1], copy.storage_offset() + place[2]).copy_(new)

    def _source(self, name: str, value: Tensor) -> int:
        for key, tensor in self._tensors.items():
            if tensor is value:
                return key
        views = [key for key, tensor in self._tensors.items() if _holds(tensor, value)]
        equal = [
            key
            for key, tensor in self._tensors.items()
            if tensor.shape == value.shape and torch.equal(tensor.double(), value.double())
        ]
        found = views or equal
        if len(found) != 1:
            which = "several arguments hold" if found else "no argument holds"
            raise ValueError(f"{which} the value of {name!r}, of shape {tuple(value.shape)}: {_OWN}")
        return found[0]

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with the copies in place."""
        args, kwargs = _map(self._given, lambda tensor: self._copies.get(id(tensor), tensor))
        return tuple(args), dict(kwargs)


def _holds(tensor: Tensor, value: Tensor) -> bool:
    """Return whether a value is a view of a contiguous tensor."""
    return (
        tensor.is_contiguous()
        and tensor.numel() > 0
        and tensor.dtype == value.dtype
        and tensor.untyped_storage().data_ptr() == value.untyped_storage().data_ptr()
    )


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if value.layout == torch.strided and value.device.type != "meta":  # others can hold no data
            yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)


def _map(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map(part, change) for key, part in value.items()}
    if isinstance(value, tuple | list):
        parts = [_map(part, change) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def refit(tested: Tested, loss: Any, steps: int, lr: float, seed: int) -> None:
    """Fit the guide's parameters by Adam, whose rate falls to 0 over the second half; the model's stay."""
    with poutine.trace(param_only=True) as capture:
        tested.guide_alone(seed)
    mine = [site["value"] for site in capture.trace.nodes.values()]
    leaves = [value.unconstrained() if hasattr(value, "unconstrained") else value for value in mine]
    if not leaves:
        raise ValueError("the guide has no parameters to train: train=None is for a guide that needs no fit")
    optimizer = torch.optim.Adam(leaves, lr=lr)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, 2 * (1 - step / steps))
        optimizer.zero_grad()
        with blaming(f"step {step + 1} of the guide's fit, with lr={lr:g},"):
            loss_and_gradients(tested, loss)
            optimizer.step()


def loss_and_gradients(tested: Tested, loss: Any) -> None:
    """Add the gradients of one estimate of the loss, drawn from the generator as it stands."""
    if hasattr(loss, "loss_and_grads"):
        loss.loss_and_grads(tested.model, tested.guide, *tested.args, **tested.kwargs)
    else:
        loss(tested.model, tested.guide, *tested.args, **tested.kwargs).backward()
