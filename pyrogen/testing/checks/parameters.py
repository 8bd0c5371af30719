"""Will SVI train it: is each parameter registered, does a gradient reach it, are all terms finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.poutine.trace_struct import Trace
from torch import Tensor
from torch.distributions import constraints

from pyrogen.testing.checks.reach import reach
from pyrogen.testing.checks.structure import listed
from pyrogen.testing.findings import Finding, Result
from pyrogen.testing.running.errors import spoken_error
from pyrogen.testing.running.isolation import name_of
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import sites

_TOUCH = 1e-4


def parameters(tested: Tested, frozen: Sequence[tuple[str, Tensor]] = ()) -> list[Result]:
    """Return whether Pyro knows each parameter that the densities depend on, and a gradient reaches each that it knows.

    Args:
        tested: the model and the guide.
        frozen: the parameters, by name, that had ``requires_grad=False`` before anything ran.
    """
    with poutine.trace(param_only=True) as capture:
        guide, model = tested.together()
    known = {id(_unconstrained(node["value"])): name for name, node in capture.trace.nodes.items()}
    found, where = list(_unregistered(tested, guide, model, known)), list(_infinite(guide, model))  # before other runs:
    found += _unsteady(tested)  # a flow without an inverse knows the densities of its last draws alone
    found += _thawed(frozen)
    results = [
        Result.of("registration", "SVI sees each parameter that the densities depend on", found),
        Result.of("finite", "each term of the ELBO is finite", where),
    ]
    if results[-1].outcome == "passed":
        results.append(reach(tested))
        results.append(Result.of("domain", "the programs run wherever the optimizer may go", _out_of_domain(tested)))
    return results


def _unconstrained(value: Any) -> Any:
    return value.unconstrained() if hasattr(value, "unconstrained") else value


def _thawed(frozen: Sequence[tuple[str, Tensor]]) -> Iterator[Finding]:
    """Parameters that the user froze and that Pyro trains."""
    thawed = [name for name, parameter in frozen if parameter.requires_grad]
    if thawed:
        yield Finding(
            "registration",
            f"requires_grad=False stands at {listed(thawed, verb=False)}, but Pyro's parameter store turns it on "
            "again and SVI trains it: make it a buffer, or .detach() it where it is used under poutine.block",
            thawed[0],
        )


def _unregistered(tested: Tested, guide: Trace, model: Trace, known: Mapping[int, str]) -> Iterator[Finding]:
    registered = set(known)
    registered |= {
        id(_unconstrained(node["value"]))
        for trace in (guide, model)
        for node in trace.nodes.values()
        if node["type"] == "param"
    }
    outside = {id(parameter): name for name, parameter in _stored().items()}
    strangers: dict[str, Tensor] = {}
    for trace in (guide, model):
        for leaf in _leaves(trace):
            if id(leaf) not in registered:
                name = name_of(leaf, tested.guide, tested.model)
                if name.startswith("a tensor") and id(leaf) in outside:
                    name = outside[id(leaf)]
                strangers.setdefault(name, leaf)
    elsewhere = {name for name, leaf in strangers.items() if id(leaf) in outside}
    owners: dict[str, list[str]] = {}
    for name in strangers:
        owners.setdefault(name.split(".")[0], []).append(name)
    for owner, names in owners.items():
        if names[0].startswith("a tensor"):
            yield Finding(
                "registration",
                f"the densities depend on {owner} that requires a gradient but is unknown to Pyro, so SVI leaves it as "
                "it is: make it once, outside of the programs, and register it by pyro.param or pyro.module",
            )
        elif elsewhere.intersection(names):
            yield Finding(
                "registration",
                f"{owner!r} is registered only outside of model and guide, so SVI leaves its {len(names)} parameter(s) "
                f"as they are: call pyro.module({owner!r}, {owner}), or pyro.param, inside of the program that uses it",
                owner,
            )
        else:
            yield Finding(
                "registration",
                f"the module {owner!r} is used and not registered, so SVI leaves its {len(names)} parameter(s) as they "
                f"are: call pyro.module({owner!r}, {owner}) in the program that uses it, under a name of its own",
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
        yield Finding(
            "registration",
            f"the programs ask for other parameters on each call, {names}: give a parameter one name, or it starts "
            "anew each time",
        )
        return
    before = {name: p for name, p in _stored().items() if p.requires_grad and name in runs[2]}
    gone = [] if pyro.settings.get("module_local_params") else sorted(runs[2] - _stored().keys())
    kept = {name: p.detach().clone() for name, p in before.items()}
    with torch.no_grad():
        for p in before.values():
            p += _TOUCH * (1e-2 + p.abs())  # little: all of them move, and deep networks must bear it
    moved = {name: p.detach().clone() for name, p in before.items()}
    try:
        tested.together(0)
        after = _stored()
        back = [n for n, p in before.items() if after.get(n) is not p or not torch.equal(p.detach(), moved[n])]
    finally:
        with torch.no_grad():
            for name, p in before.items():
                p.copy_(kept[name])
    for name in gone + back:
        yield Finding(
            "registration",
            f"{name!r} is set back on each call, so no step moves it: take clear_param_store, .data and in-place "
            "assignments out of the programs",
            name,
        )


def _stored() -> dict[str, Tensor]:
    """Return the unconstrained parameters in Pyro's store, by name."""
    return dict(pyro.get_param_store().named_parameters())


def _leaves(trace: Trace) -> Iterator[Tensor]:
    """Yield the tensors that require a gradient and that a trace's log densities were computed from."""
    stack: list[Any] = []
    for _, site in sites(trace):
        density = site["fn"].log_prob(site["value"], *site["args"], **site["kwargs"])
        if isinstance(density, Tensor) and density.requires_grad:
            stack.append(density.grad_fn if density.grad_fn is not None else density)
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
            value = site["value"]
            density = site["fn"].log_prob(value, *site["args"], **site["kwargs"])
            if site["mask"] is not None:  # masked entries may be anything, missing data as a rule
                mask = torch.as_tensor(site["mask"])
                density = torch.where(mask, density, 0.0)
                value = torch.tensor(0.0)
            for what, tensor in (("value", value), ("log density", density)):
                if isinstance(tensor, Tensor) and tensor.is_floating_point() and not torch.isfinite(tensor).all():
                    bad = int((~torch.isfinite(tensor)).sum())
                    yield Finding(
                        "finite",
                        f"the {what} of {name!r} in the {side} is NaN or infinite in {bad} of {tensor.numel()} "
                        "entries: look at what its distribution is given there",
                        name,
                    )
                    break


def _constrained(name: str) -> bool:
    """Return whether Pyro keeps a parameter in a set of its own, so that no step leads out of it."""
    return pyro.get_param_store()._constraints.get(name, constraints.real) is not constraints.real


def _out_of_domain(tested: Tested) -> Iterator[Finding]:
    """Parameters that a program cannot bear with the other sign, where gradient steps may lead without a constraint."""
    for name, (parameter, _) in tested.gradients(tested.elbo(), 0)[1].items():
        if not parameter.requires_grad or name.startswith("__baseline_") or _constrained(name):
            continue
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.neg_()
        try:
            tested.together()
        except ValueError as error:
            said = spoken_error(error, 100)
            if "nan" in str(error).lower():  # too large for the machine, and not out of the domain
                continue
            yield Finding(
                "domain",
                f"with {name!r} of the other sign, where gradient steps may lead, the programs fail: give it a "
                f"constraint, such as constraints.positive, or pass it through softplus or exp ({said})",
                name,
            )
        finally:
            with torch.no_grad():
                parameter.copy_(kept)
