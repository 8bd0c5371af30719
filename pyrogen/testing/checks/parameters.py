"""Will SVI train it: is each parameter registered, does a gradient reach it, are all terms finite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.poutine.trace_struct import Trace
from torch import Tensor
from torch.distributions import constraints

from pyrogen.models.running import put_back
from pyrogen.testing.checks.reach import reach
from pyrogen.testing.checks.structure import listed
from pyrogen.testing.findings import Finding, Question, Result
from pyrogen.testing.running.errors import spoken_error
from pyrogen.testing.running.isolation import named_parameters
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import log_prob, sites, unconstrained

REGISTRATION = Question("registration", "SVI sees each parameter that the densities depend on")
FINITE = Question("finite", "each term of the ELBO is finite")
DOMAIN = Question("domain", "the programs run wherever the optimizer may go")
_TOUCH = 1e-4


def parameters(tested: Tested, frozen: Sequence[tuple[str, Tensor]] = ()) -> list[Result]:
    """Return whether Pyro knows each parameter that the densities depend on, and a gradient reaches each that it knows.

    `frozen` are the parameters, by name, that had ``requires_grad=False`` before anything ran.
    """
    with poutine.trace(param_only=True) as capture:
        guide, model = tested.together()
    known = {id(unconstrained(node["value"])) for node in capture.trace.nodes.values()}
    found, where = list(_unregistered(tested, guide, model, known)), list(_infinite(guide, model))  # before other runs:
    found += _unsteady(tested)  # a flow without an inverse knows the densities of its last draws alone
    found += _thawed(frozen)
    results = [REGISTRATION.answer(found), FINITE.answer(where)]
    if results[-1].outcome == "passed":
        results += [reach(tested), DOMAIN.answer(_out_of_domain(tested))]
    return results


def _thawed(frozen: Sequence[tuple[str, Tensor]]) -> Iterator[Finding]:
    """Parameters that the user froze and that Pyro trains."""
    thawed = [name for name, parameter in frozen if parameter.requires_grad]
    if thawed:
        yield REGISTRATION.fault(
            f"requires_grad=False stands at {listed(thawed, verb=False)}, but Pyro's parameter store turns it on and "
            "SVI trains it: make it a buffer, or .detach() it where it is used under poutine.block",
            thawed[0],
        )


def _unregistered(tested: Tested, guide: Trace, model: Trace, known: set[int]) -> Iterator[Finding]:
    registered = set(known)
    for trace in (guide, model):
        nodes = trace.nodes.values()
        registered |= {id(unconstrained(node["value"])) for node in nodes if node["type"] == "param"}
    outside = {id(parameter): name for name, parameter in _stored().items()}
    names = outside | {id(parameter): name for name, parameter in named_parameters(tested.guide, tested.model)}
    owners: dict[str, dict[str, Tensor]] = {}
    for leaf in (leaf for trace in (guide, model) for leaf in _leaves(trace) if id(leaf) not in registered):
        name = names.get(id(leaf), f"a tensor of shape {tuple(leaf.shape)}")
        owners.setdefault(name.split(".")[0], {}).setdefault(name, leaf)
    for owner, leaves in owners.items():
        count = f"{len(leaves)} parameter(s)"
        if owner.startswith("a tensor"):
            yield REGISTRATION.fault(
                f"the densities depend on {owner} that Pyro does not know, so SVI does not train it: make it once, "
                "outside, and register it by pyro.param or pyro.module"
            )
        elif any(id(leaf) in outside for leaf in leaves.values()):
            yield REGISTRATION.fault(
                f"{owner!r} is registered only outside of model and guide, so SVI leaves its {count} as they are: call "
                f"pyro.module({owner!r}, {owner}), or pyro.param, inside of the program that uses it",
                owner,
            )
        else:
            yield REGISTRATION.fault(
                f"the module {owner!r} is used and not registered, so SVI leaves its {count} as they are: call "
                f"pyro.module({owner!r}, {owner}) in the program that uses it, under a name of its own",
                owner,
            )


def _unsteady(tested: Tested) -> Iterator[Finding]:
    """Parameters that a step cannot move: named anew on each call, or set back by the programs."""
    runs = [
        {n for trace in tested.together(0) for n, s in trace.nodes.items() if s["type"] == "param"}
        for _ in range(3)  # at the same random numbers: a name may follow the rows that a plate draws
    ]
    fresh = [runs[1] - runs[0], runs[2] - runs[1] - runs[0]]
    if all(fresh):
        names = ", then ".join(repr(min(names)) for names in fresh)
        yield REGISTRATION.fault(
            f"the programs ask for other parameters on each call, {names}: give a parameter one name, or it starts "
            "anew each time"
        )
        return
    before = {name: p for name, p in _stored().items() if p.requires_grad and name in runs[2]}
    gone = [] if pyro.settings.get("module_local_params") else sorted(runs[2] - _stored().keys())
    with put_back(*before.values()):
        with torch.no_grad():
            for p in before.values():
                p += _TOUCH * (1e-2 + p.abs())  # little: all of them move, and deep networks must bear it
        moved = {name: p.detach().clone() for name, p in before.items()}
        tested.together(0)
        after = _stored()
        back = [n for n, p in before.items() if after.get(n) is not p or not torch.equal(p.detach(), moved[n])]
    for name in gone + back:
        yield REGISTRATION.fault(
            f"{name!r} is set back on each call, so no step moves it: take clear_param_store, .data and in-place "
            "assignments out of the programs",
            name,
        )


def _stored() -> dict[str, Tensor]:
    """Return the unconstrained parameters in Pyro's store, by name."""
    return dict(pyro.get_param_store().named_parameters())


def _leaves(trace: Trace) -> Iterator[Tensor]:
    """Yield the tensors that require a gradient and that a trace's log densities were computed from."""
    densities = [log_prob(site) for _, site in sites(trace)]
    stack: list[Any] = [d.grad_fn or d for d in densities if isinstance(d, Tensor) and d.requires_grad]
    seen: set[Any] = set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, Tensor):
            yield node
        elif hasattr(node, "variable"):
            yield node.variable
        else:
            stack.extend(parent for parent, _ in node.next_functions)


def _infinite(guide: Trace, model: Trace) -> Iterator[Finding]:
    for side, trace in (("guide", guide), ("model", model)):
        for name, site in sites(trace):
            value, density = site["value"], log_prob(site)
            if site["mask"] is not None:  # masked entries may be anything, missing data as a rule
                mask = torch.as_tensor(site["mask"])
                density = torch.where(mask, density, 0.0)
                value = torch.tensor(0.0)
            for what, tensor in (("value", value), ("log density", density)):
                if isinstance(tensor, Tensor) and tensor.is_floating_point() and not torch.isfinite(tensor).all():
                    bad = int((~torch.isfinite(tensor)).sum())
                    yield FINITE.fault(
                        f"the {what} of {name!r} in the {side} is NaN or infinite in {bad} of {tensor.numel()} "
                        "entries: look at what its distribution is given there",
                        name,
                    )
                    break


def _out_of_domain(tested: Tested) -> Iterator[Finding]:
    """Parameters that a program cannot bear with the other sign, where gradient steps may lead without a constraint."""
    kept_inside = pyro.get_param_store()._constraints
    for name, (parameter, _) in tested.gradients(tested.elbo(), 0)[1].items():
        free = kept_inside.get(name, constraints.real) is constraints.real
        if not (free and parameter.requires_grad) or name.startswith("__baseline_"):
            continue
        with put_back(parameter):
            with torch.no_grad():
                parameter.neg_()
            try:
                tested.together()
            except ValueError as error:
                if "nan" in str(error).lower():  # too large for the machine, and not out of the domain
                    continue
                yield DOMAIN.fault(
                    f"with {name!r} of the other sign, where gradient steps may lead, the programs fail: give it a "
                    "constraint, such as constraints.positive, or pass it through softplus or exp "
                    f"({spoken_error(error, 100)})",
                    name,
                )
