"""Does a gradient of the loss reach each parameter, and has each parameter anything to move."""

from __future__ import annotations

from typing import Any

import pyro
import torch
from torch import Tensor

from pyrogen.models.running import put_back
from pyrogen.testing.findings import Question, Result
from pyrogen.testing.running.isolation import shaken
from pyrogen.testing.running.programs import Tested

REACH = Question("gradient reach", "a gradient reaches each parameter")
_RUNS = 4
_PUSH = 0.1
_BASELINE = "__baseline_"  # a running mean of Pyro's own
_DIVIDER = "$$$"  # between a module's name and its parameter's, in Pyro's store
_TOLD = {  # what may keep a parameter still, in the order in which it is told
    "stuck": "{} cannot move, as its constraint allows one value alone (a simplex over an axis of size 1?): look at "
    "its shape and at the constraint's axis",
    "cut": "no gradient of the loss reaches {}, on which the loss depends: look for detach, no_grad, .data or .item on "
    "the way to the densities",
    "flat": "the gradient of the loss in {} is always exactly zero: look for a dead unit or a factor of 0 on its way "
    "to the densities",
    "idle": "{} has no part in the loss of this call, so this step leaves it as it is: use it, or do not register it, "
    "unless other calls use it",
}


def reach(tested: Tested) -> Result:
    """Return whether a gradient of the loss reaches each parameter that the programs register.

    A parameter without a gradient on which the loss depends is cut off by a mistake. One on which the loss does not
    depend in this call is idle, which may be meant: a warning, one for each module.
    """
    loss = tested.elbo()
    linked, moved, parameters = _gradients(tested, loss)
    if not any(linked.values()) and tested.is_number(loss):
        return REACH.skipped("the loss returns a number, which has no gradient")
    groups: dict[str, dict[str, list[str]]] = {why: {} for why in _TOLD}  # by what keeps them still, and by module
    for name in (name for name, found in moved.items() if not found):
        owner = name.split(_DIVIDER)[0]
        if not _free(name):
            if _may_be_one(name):
                continue
            why, owner = "stuck", name
        elif not parameters[name].numel():
            continue
        elif linked[name]:
            why = "flat"
        else:
            why = "cut" if _matters(tested, loss, parameters[name]) else "idle"
        groups[why].setdefault(owner, []).append(name)
    findings = []
    for why, modules in groups.items():
        for module, names in modules.items():
            who = repr(names[0]) if len(names) == 1 else f"{module!r} ({len(names)} parameters)"
            tell = REACH.fault if why in ("stuck", "cut") else REACH.warning
            findings.append(tell(_TOLD[why].format(who), names[0]))
    count = len(moved)
    return REACH.answer(findings, "" if findings else f"{count} parameter{'s' * (count != 1)}")


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
    with put_back(parameter):
        with torch.no_grad():
            parameter += _PUSH * (1 + parameter.abs()) * torch.rand_like(parameter)
        try:
            return tested.value(loss, 0) != before
        except (ValueError, RuntimeError):  # the programs fail there, so they look at it
            return True


def _free(name: str) -> bool:
    """Return whether its constraint lets a parameter move at all: a unit triangular matrix of one row is 1."""
    store = pyro.get_param_store()
    if name not in store or not store[name].numel():
        return True
    leaf = dict(store.named_parameters())[name]
    before = store[name].detach().clone()
    with torch.no_grad(), put_back(leaf):
        leaf += _PUSH
        first = store[name].detach().clone()
        leaf += _PUSH * torch.rand_like(leaf)
        return not (torch.equal(before, first) and torch.equal(before, store[name]))


def _may_be_one(name: str) -> bool:
    """Return whether a parameter is a single entry of a vector or matrix, which some constraints make 1."""
    store = pyro.get_param_store()
    return store[name].numel() <= 1 and getattr(store._constraints.get(name), "event_dim", 0) > 0
