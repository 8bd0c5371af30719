"""Is the gradient that trains a pair the gradient of its objective: against a second estimator, by a t-test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from pyro import distributions as dist
from pyro.infer import ELBO, Trace_ELBO, TraceEnum_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO
from pyro.poutine.messenger import Messenger
from pyro.poutine.runtime import Message
from torch import Tensor
from torch.distributions import constraints

from pyrogen.testing.coupling import Coupled, draws_smoothly, is_point
from pyrogen.testing.findings import Finding, Result
from pyrogen.testing.pair import Tested, is_discrete, latents, marked_for_enumeration
from pyrogen.testing.significance import Sample, exceeds

QUESTION = "the gradient is that of the objective"
MARGIN = 0.02  # of the gradient's size: less is rounding and the curvature within a step
_GROUPS = 8
_ROUNDS = (8, 24, 96)  # runs in all after each round
_NOISY_ROUNDS = (64, 256, 512)
_ONE = torch.Size()
_ELBOS = (Trace_ELBO, TraceGraph_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO)


@dataclass(frozen=True)
class _Group:
    name: str
    parameters: tuple[Tensor, ...]
    names: tuple[str, ...]


def gradient(tested: Tested, loss: Any, false_alarm: float) -> Result:
    r"""Whether the gradient of the loss, as SVI takes it, is that of the loss's expectation.

    The parameters φ (unconstrained) fall into groups; for each a direction v is fixed and g · v, the gradient that
    back-propagation returns, is compared with a reference on the same random numbers:

    - where every draw of the guide is a smooth function of its parameters and of noise (Gamma, Beta and Dirichlet
      latents too, drawn by inversion), with the central difference (L(φ + hv) − L(φ − hv)) / 2h at equal noise,
      extrapolated from h and h/2;
    - else (a distribution of the user's own, Student's t) with the score-function estimator of the same ELBO,
      E_q[(log p − log q) ∇ log q + ∇ log p], which no path through a draw enters.

    A fault is a mean difference that exceeds 2 % of the gradient's size beyond doubt, by Student's t at
    `false_alarm` / groups. Runs are added (8, 24, 96; by scores 64, 256, 512) until the answer is clear; where they do
    not settle whether the gradient is right to a fifth of its size, the result is "skipped" and says so.

    Args:
        tested: the pair.
        loss: the ELBO.
        false_alarm: the probability of a finding in a sound pair, for all groups together.
    """
    trace = tested.guide_alone()
    drawn = [site for _, site in latents(trace)]
    if any(is_discrete(site) and not marked_for_enumeration(site) for site in drawn):
        return Result("gradient", QUESTION, "skipped", "the guide draws discrete values: no second estimator is known")
    smooth = all(draws_smoothly(site["fn"]) or marked_for_enumeration(site) for site in drawn)
    if not smooth and not isinstance(loss, _ELBOS):
        return Result("gradient", QUESTION, "skipped", f"no reference for {type(loss).__name__} with such a guide")
    _, found = tested.gradients(loss, 0)
    trained = {name: p for name, (p, g) in found.items() if p.requires_grad and p.is_floating_point() and p.numel()}
    if not trained:
        return Result("gradient", QUESTION, "skipped", "there is no parameter to train")
    groups = _groups(trained)
    means = {group.name: Sample() for group in groups}
    sizes = {group.name: Sample() for group in groups}
    directions = {group.name: _direction(group, tested, loss) for group in groups}
    each = false_alarm / len(groups)
    compare = _by_differences if smooth else _by_scores
    done = 0
    for runs in _ROUNDS if smooth else _NOISY_ROUNDS:
        for run in range(done, runs):
            for name, difference, size in compare(tested, loss, groups, directions, run + 1):
                means[name].add(difference)
                sizes[name].add(size)
        done = runs
        if all(_settled(means[g.name], sizes[g.name], each) for g in groups):
            break
    findings, unsure, worst = [], [], 0.0
    for group in groups:
        size = sizes[group.name].root_mean_square
        bias, error = abs(means[group.name].mean), means[group.name].error
        worst = max(worst, bias / size if size else 0.0)
        if exceeds(means[group.name], MARGIN * size, each):
            findings.append(
                Finding(
                    "gradient",
                    f"the gradient in {group.name} is {means[group.name].mean:+.3g} ± {error:.2g} off along a fixed "
                    f"direction, where it is of size {size:.3g}: look for detach or no_grad on the way of a latent, "
                    "and for an rsample that does not match log_prob",
                    group.names[0],
                    figures={"bias": means[group.name].mean, "standard_error": error, "size": size},
                )
            )
        elif error > 0.2 * size:
            unsure.append(group.name)
    way = "finite differences" if smooth else "the score-function estimator"
    detail = f"against {way}, {done} runs, {len(groups)} group(s) of parameters; false alarms {false_alarm:.0e}"
    if not findings and len(unsure) == len(groups):
        return Result("gradient", QUESTION, "skipped", f"too noisy to tell after {done} runs against {way}")
    return Result.of("gradient", QUESTION, findings, detail, {"worst_bias": worst, "runs": float(done)})


def _settled(difference: Sample, size: Sample, rate: float) -> bool:
    scale = size.root_mean_square
    return exceeds(difference, MARGIN * scale, rate) or abs(difference.mean) + 4 * difference.error < 5 * MARGIN * scale


def _groups(parameters: dict[str, Tensor]) -> list[_Group]:
    names = list(parameters)
    most = min(_GROUPS, len(names))
    chunks = [names[i * len(names) // most : (i + 1) * len(names) // most] for i in range(most)]
    return [
        _Group(
            repr(chunk[0]) + (f" to {chunk[-1]!r}" if len(chunk) > 1 else ""),
            tuple(parameters[name] for name in chunk),
            tuple(chunk),
        )
        for chunk in chunks
        if chunk
    ]


def _direction(group: _Group, tested: Tested, loss: Any) -> list[Tensor]:
    """Of each parameter's size, three quarters of its signs those of a gradient, so that g · v is not lost in noise."""
    generator = torch.Generator().manual_seed(tested.seed + 1)
    _, found = tested.gradients(loss, 0)
    direction = []
    for name, parameter in zip(group.names, group.parameters, strict=True):
        gradient = found[name][1] if name in found else None
        sign = torch.where(torch.rand(parameter.shape, generator=generator) < 0.5, -1.0, 1.0).to(parameter)
        if gradient is not None:
            kept = (torch.rand(parameter.shape, generator=generator) < 0.75).to(parameter.device)
            sign = torch.where((gradient != 0) & kept, gradient.sign(), sign)
        size = max(parameter.detach().double().square().mean().sqrt().item(), 0.1)
        direction.append(sign * size)
    return direction


def _along(found: dict[str, tuple[Tensor, Tensor | None]], group: _Group, direction: list[Tensor]) -> float:
    total = 0.0
    for name, v in zip(group.names, direction, strict=True):
        gradient = found[name][1] if name in found else None
        if gradient is not None:
            total += float((gradient.double() * v).sum())
    return total


def _by_differences(
    tested: Tested, loss: Any, groups: list[_Group], directions: dict[str, list[Tensor]], run: int
) -> Iterator[tuple[str, float, float]]:
    tested = replace(tested, guide=Coupled()(tested.guide))
    _, found = tested.gradients(loss, run)
    for group in groups:
        direction = directions[group.name]
        step = 1e-2 if any(p.dtype != torch.float64 for p in group.parameters) else 1e-3
        wide, narrow = (_difference(tested, loss, group, direction, h, run) for h in (step, step / 2))
        reference = narrow + (narrow - wide) / 3
        mine = _along(found, group, direction)
        yield group.name, mine - reference, max(abs(mine), abs(reference), abs(wide - narrow) / MARGIN)


def _difference(tested: Tested, loss: Any, group: _Group, direction: list[Tensor], h: float, run: int) -> float:
    with _moved(group, direction, h):
        above = tested.value(loss, run)
    with _moved(group, direction, -h):
        below = tested.value(loss, run)
    return (above - below) / (2 * h)


@contextmanager
def _moved(group: _Group, direction: list[Tensor], h: float) -> Iterator[None]:
    kept = [parameter.detach().clone() for parameter in group.parameters]
    with torch.no_grad():
        for parameter, v in zip(group.parameters, direction, strict=True):
            parameter.add_(v, alpha=h)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(group.parameters, kept, strict=True):
                parameter.copy_(value)


def _by_scores(
    tested: Tested, loss: Any, groups: list[_Group], directions: dict[str, list[Tensor]], run: int
) -> Iterator[tuple[str, float, float]]:
    _, found = tested.gradients(loss, run)
    plain: ELBO = TraceEnum_ELBO() if isinstance(loss, TraceEnum_ELBO) else Trace_ELBO()
    plain.max_plate_nesting = loss.max_plate_nesting
    _, reference = replace(tested, guide=_Scores()(tested.guide)).gradients(plain, run)
    for group in groups:
        direction = directions[group.name]
        mine, other = _along(found, group, direction), _along(reference, group, direction)
        yield group.name, mine - other, mine


class _Scores(Messenger):
    def _pyro_sample(self, msg: Message) -> None:
        if not msg["is_observed"] and getattr(msg["fn"], "has_rsample", False) and not is_point(msg["fn"]):
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
            return self.base.sample(sample_shape).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        return self.base.log_prob(value)
