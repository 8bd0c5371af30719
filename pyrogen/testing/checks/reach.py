"""Does a gradient of the loss reach each parameter, and has each parameter anything to move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyro
import torch
from torch import Tensor

from pyrogen.testing.checks.indices import shaken
from pyrogen.testing.findings import Finding, Level, Result
from pyrogen.testing.running.programs import Tested

QUESTION = "a gradient reaches each parameter"
_RUNS = 4
_PUSH = 0.1
_BASELINE = "__baseline_"  # a running mean of Pyro's own
_DIVIDER = "$$$"  # between a module's name and its parameter's, in Pyro's store


def reach(tested: Tested) -> Result:
    """Return whether a gradient of the loss reaches each parameter that the programs register.

    A parameter without a gradient on which the loss depends is cut off by a mistake. One on which the loss does not
    depend in this call is idle, which may be meant: a warning, one for each module.
    """
    loss = tested.elbo()
    linked, moved, parameters = _gradients(tested, loss)
    if not any(linked.values()) and tested.is_number(loss):
        return Result("gradient reach", QUESTION, "skipped", "the loss returns a number, which has no gradient")
    stuck: dict[str, list[str]] = {}
    idle: dict[str, list[str]] = {}
    cut: dict[str, list[str]] = {}
    flat: dict[str, list[str]] = {}
    for name in (name for name, found in moved.items() if not found):
        module = name.split(_DIVIDER)[0]
        if not _free(name):
            if _size(name) > 1 or not _single(name):
                stuck.setdefault(name, []).append(name)
        elif not parameters[name].numel():
            continue
        elif linked[name]:
            flat.setdefault(module, []).append(name)
        else:
            (cut if _matters(tested, loss, parameters[name]) else idle).setdefault(module, []).append(name)
    findings = [
        *_told(stuck, "fault", "{who} cannot move, as its constraint allows one value alone (a simplex over an axis of "
               "size 1?): look at its shape and at the constraint's axis"),
        *_told(cut, "fault", "no gradient of the loss reaches {who}, on which the loss depends: look for detach, "
               "no_grad, .data or .item on the way to the densities"),
        *_told(flat, "warning", "the gradient of the loss in {who} is always exactly zero: look for a dead unit or a "
               "factor of 0 on its way to the densities"),
        *_told(idle, "warning", "{who} has no part in the loss of this call, so this step leaves it as it is: use it, "
               "or do not register it, unless other calls use it"),
    ]  # fmt: skip
    count = len(moved)
    return Result.of("gradient reach", QUESTION, findings, "" if findings else f"{count} parameter{'s' * (count != 1)}")


def _told(groups: Mapping[str, list[str]], level: Level, message: str) -> Iterator[Finding]:
    for module, names in groups.items():
        who = f"{names[0]!r}" if len(names) == 1 else f"{module!r} ({len(names)} parameters)"
        yield Finding("gradient reach", message.format(who=who), names[0], level=level)


def _gradients(tested: Tested, loss: Any) -> tuple[dict[str, bool], dict[str, bool], dict[str, Tensor]]:
    """By name: whether a parameter has a gradient, whether that is ever other than zero, and the parameter."""
    linked: dict[str, bool] = {}
    moved: dict[str, bool] = {}
    parameters: dict[str, Tensor] = {}

    def look(run: int) -> None:
        for name, (parameter, gradient) in tested.gradients(loss, run)[1].items():
            if not parameter.requires_grad or name.startswith(_BASELINE):
                continue
            parameters[name] = parameter
            linked[name] = linked.get(name, False) or gradient is not None
            moved[name] = moved.get(name, False) or (gradient is not None and bool((gradient != 0).any()))

    look(0)
    if not all(moved.values()):
        with shaken(tested.seed):  # off places where a gradient vanishes by symmetry, such as weights of zero
            for run in range(1, _RUNS):
                look(run)
    return linked, moved, parameters


def _matters(tested: Tested, loss: Any, parameter: Tensor) -> bool:
    """Return whether the loss at equal random numbers is another where the parameter is."""
    before = tested.value(loss, 0)
    if tested.value(loss, 0) != before:  # something else changes it
        return False
    kept = parameter.detach().clone()
    try:
        with torch.no_grad():
            parameter += _PUSH * (1 + parameter.abs()) * torch.rand_like(parameter)
        return tested.value(loss, 0) != before
    except (ValueError, RuntimeError):  # the programs fail there, so they look at it
        return True
    finally:
        with torch.no_grad():
            parameter.copy_(kept)


def _free(name: str) -> bool:
    """Return whether a parameter's constraint leaves it anything to be moved: a unit triangular matrix of one row is
    1."""
    store = pyro.get_param_store()
    if name not in store or not store[name].numel():
        return True
    unconstrained = dict(store.named_parameters())[name]
    before = store[name].detach().clone()
    with torch.no_grad():
        kept = unconstrained.detach().clone()
        unconstrained += _PUSH
        first = store[name].detach().clone()
        unconstrained += _PUSH * torch.rand_like(unconstrained)
        second = store[name].detach().clone()
        unconstrained.copy_(kept)
    return not (torch.equal(before, first) and torch.equal(before, second))


def _size(name: str) -> int:
    """Return how many numbers a parameter has, as the programs see it."""
    return pyro.get_param_store()[name].numel()


def _single(name: str) -> bool:
    """Return whether a constraint is one of vectors or matrices, of which a single entry is 1 by itself."""
    constraint = pyro.get_param_store()._constraints.get(name)
    return getattr(constraint, "event_dim", 0) > 0
