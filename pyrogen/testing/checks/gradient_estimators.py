"""Second estimators of an ELBO's gradient: finite differences at equal noise, and the score function."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from pyro import distributions as dist
from pyro.infer import Trace_ELBO, TraceGraph_ELBO
from pyro.poutine.messenger import Messenger
from pyro.poutine.runtime import Message
from torch import Tensor
from torch.distributions import constraints

from pyrogen.distributions.wrappers import bare, is_point
from pyrogen.models.running import put_back
from pyrogen.testing.running.programs import Gradients, Tested

_GROUPS = 8
_STEPS = (1e-2, 1e-3, 1e-4)  # of a parameter's size; the next where one leaves a doubt
_OTHER_STEPS = (7e-3, 1.7e-2, 4e-2)
_SURE = 0.02
_ROUNDING = 8  # units in the last place by which sums in a loss may err
_NOISY = 8.0  # four standard errors of a reference, for the noise of one value and a step of 1
_ONE = torch.Size()


@dataclass(frozen=True)
class Group:
    """Some unconstrained parameters by name, and the direction in which their gradient is compared."""

    names: tuple[str, ...]
    parameters: tuple[Tensor, ...]
    direction: tuple[Tensor, ...]

    @property
    def spoken(self) -> str:
        """What a message calls it."""
        return repr(self.names[0]) + (f" to {self.names[-1]!r}" if len(self.names) > 1 else "")

    @property
    def eps(self) -> float:
        """One unit in the last place of the coarsest of its parameters, of 1."""
        return max(torch.finfo(parameter.dtype).eps for parameter in self.parameters)


def groups_of(tested: Tested, loss: Any) -> list[Group]:
    """Return at most eight groups of the parameters that the loss trains, in the order in which it meets them.

    A direction is of each parameter's size. Three quarters of its signs are those of a gradient, so that g · v is not
    lost in noise. The rest are random, so that other directions are seen too.
    """
    _, found = tested.gradients(loss, 0)
    names = [n for n, (p, _) in found.items() if p.requires_grad and p.is_floating_point() and p.numel()]
    if isinstance(loss, TraceGraph_ELBO):  # a baseline's own parameters descend a loss of their own
        plain = tested.gradients(Trace_ELBO(), 0)[1]
        names = [n for n in names if n in plain and plain[n][1] is not None]
    generator = torch.Generator().manual_seed(tested.seed + 1)
    direction = {}
    for name in names:
        parameter, gradient = found[name]
        coin, kept = (torch.rand(parameter.shape, generator=generator).to(parameter.device) for _ in range(2))
        sign = torch.where(coin < 0.5, -1.0, 1.0).to(parameter)
        if gradient is not None:
            sign = torch.where((gradient != 0) & (kept < 0.75), gradient.sign(), sign)
        direction[name] = sign * max(parameter.detach().double().square().mean().sqrt().item(), 0.1)
    most = min(_GROUPS, len(names))
    chunks = [names[i * len(names) // most : (i + 1) * len(names) // most] for i in range(most)]
    return [Group(tuple(c), tuple(found[n][0] for n in c), tuple(direction[n] for n in c)) for c in chunks]


def _along(found: Gradients, group: Group) -> float:
    total = 0.0
    for name, v in zip(group.names, group.direction, strict=True):
        gradient = found[name][1] if name in found else None
        if gradient is not None:
            total += float((gradient.double() * v).sum())
    return total


def by_differences(tested: Tested, loss: Any, groups: list[Group], run: int) -> Iterator[tuple[float, float, float]]:
    """For each group: g · v, its finite difference at equal noise, and how far that may be off.

    The last is what halving the step changes, and what rounding of the loss alone may make of it.
    """
    value, found = tested.gradients(loss, run)
    for group in groups:
        mine = _along(found, group)
        best = (0.0, math.inf)
        tried: list[tuple[float, float, float]] = []
        for step in _STEPS:
            reference, doubt, noise = _extrapolated(tested, loss, group, step, run, value)
            tried.append((reference, doubt, noise))
            allowed = _SURE * max(abs(mine), abs(reference))
            if doubt < max(allowed, best[1]):  # a long step over kinks (ReLUs, thresholds) may look sure and be off
                best = (reference, doubt)
            if doubt < allowed and abs(mine - reference) < allowed:
                break
        else:
            best = _beyond_rounding(tried)
        yield mine, *best


def stands(tested: Tested, loss: Any, group: Group, run: int, bias: float, margin: float) -> bool:
    """Return whether a bias of g · v shows at other steps too; what rounding makes of a difference would not."""
    value, found = tested.gradients(loss, run)
    mine = _along(found, group)
    left = (mine - _extrapolated(tested, loss, group, step, run, value)[0] for step in _OTHER_STEPS)
    return all(one * bias > 0 and abs(one) >= margin / 2 for one in left)


def _beyond_rounding(tried: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Return the surest of the references, in doubt as far as the loss's own noise reaches and no two steps agree.

    That noise may be far above the last place of a number: of a matrix that is near a singular one, for instance.
    """
    noise = median(one[2] for one in tried)
    references = [one[0] for one in tried]
    apart = min(abs(x - y) for i, x in enumerate(references) for y in references[:i])
    doubts = [max(doubt, apart, _NOISY * noise / step) for (_, doubt, _), step in zip(tried, _STEPS, strict=True)]
    surest = doubts.index(min(doubts))
    return references[surest], doubts[surest]


def _extrapolated(
    tested: Tested, loss: Any, group: Group, step: float, run: int, value: float
) -> tuple[float, float, float]:
    """Return the finite difference from two steps, how far it may be off, and the noise that the loss itself has.

    For a smooth loss L the differences L(h) + L(−h) − 2 L(0) are four times those of h/2, but for terms in h⁴. What is
    left over is ten times the noise of one value, if the noise of all is alike.
    """

    def at(h: float) -> float:
        with put_back(*group.parameters):
            with torch.no_grad():
                for parameter, v in zip(group.parameters, group.direction, strict=True):
                    parameter.add_(v, alpha=h)
            return tested.value(loss, run)

    above, below, near, under = at(step), at(-step), at(step / 2), at(-step / 2)
    wide, narrow = (above - below) / (2 * step), (near - under) / step
    rounding = _ROUNDING * group.eps * abs(value) / step
    noise = abs((above + below - 2 * value) - 4 * (near + under - 2 * value)) / 10
    return narrow + (narrow - wide) / 3, abs(wide - narrow) + rounding, noise


def by_scores(tested: Tested, loss: Any, groups: list[Group], run: int) -> Iterator[tuple[float, float, float]]:
    """For each group: g · v, the score-function estimate of it, and 0."""
    _, found = tested.gradients(loss, run)
    _, reference = replace(tested, guide=_Scores()(tested.guide)).gradients(Trace_ELBO(), run)
    return ((_along(found, group), _along(reference, group), 0.0) for group in groups)


class _Scores(Messenger):
    def _pyro_sample(self, msg: Message) -> None:
        fixed = is_point(msg["fn"]) or isinstance(bare(msg["fn"]), dist.Unit)
        if not msg["is_observed"] and getattr(msg["fn"], "has_rsample", False) and not fixed:
            msg["fn"] = _Score(msg["fn"])


class _Score(dist.TorchDistribution):
    """A distribution without its rsample."""

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012
    has_rsample = False

    def __init__(self, base: Any) -> None:
        self.base = base
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    @property
    def support(self) -> Any:
        return self.base.support

    def expand(self, batch_shape: Any, _instance: Any = None) -> _Score:
        return _Score(self.base.expand(batch_shape))

    def sample(self, sample_shape: Any = _ONE) -> Tensor:
        with torch.no_grad():
            output: Tensor = self.base.sample(sample_shape).detach()
            return output

    def log_prob(self, value: Tensor) -> Tensor:
        output: Tensor = self.base.log_prob(value)
        return output
