"""Scores of anyone's programs: ELBO by site, importance-weighted evidence and Pareto-k̂, over all data together."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from pyro.distributions.util import scale_and_mask
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, TraceGraph_ELBO
from torch import Tensor

from pyrogen.distributions.wrappers import is_point
from pyrogen.evaluation.bounds import Plan, importance_weights, plan
from pyrogen.evaluation.draws import Collector
from pyrogen.evaluation.pareto import share_of_heavy_tails
from pyrogen.evaluation.runs import Run, Site, is_charge, log_prob, plates_weight, sampled, weighs_the_kl
from pyrogen.evaluation.scores import Scores
from pyrogen.evaluation.weights import contracted, enumerated_in_model
from pyrogen.models import Programs
from pyrogen.training.data.program_data import ProgramSource, moved
from pyrogen.training.divergence import expectation
from pyrogen.training.step.elbo import ALL, homes_of

RUNS = 20  # of a loss of one's own, for its mean


@torch.no_grad()
def evaluate_programs(pair: Programs, data: Any, samples: int) -> Scores:
    """Return the scores of programs, in nats for all data together.

    Args:
        pair: the programs.
        data: what they take; see `pyrogen.models.Programs`.
        samples: K, the number of draws of the guide.
    """
    source = ProgramSource(data)
    batch = moved(source.images(None), pair.beta.device)
    rows = len(source) if source.sizes else None
    args, kwargs = pair.arguments(batch, rows)
    pair.prepare(*args, **kwargs)
    how = plan(pair, batch, rows)
    collector, sums = Collector(), Sums(how)

    def keep(run: Run) -> None:
        collector.add(run)
        sums.add(run)

    weights = importance_weights(pair, batch, samples, how, len(source), each=keep).double().cpu()  # (K, B)
    collector.end_of_batch()
    terms = {name: torch.cat(parts).double().cpu() for name, parts in sums.terms.items()}  # (K,)
    zero = torch.zeros(samples, dtype=torch.float64)
    kinds = ("reconstruction", "penalty" if how.points else "kl")
    columns = {kind: sum((terms[n] for n in terms if sums.kinds[n] == kind), zero) for kind in kinds}
    if not how.points:
        columns["elbo"] = -(columns["reconstruction"] + columns["kl"])
    columns["objective"] = _objective(pair, args, kwargs, torch.cat(sums.weighted).double().cpu())
    mean = {name: float(column.mean()) for name, column in columns.items()}
    errors = {name: _error(column) for name, column in columns.items()}
    weighable = not (how.points or sums.weighted_data)
    if weighable:
        mean["nll"], errors["nll"] = _nll(weights)
    return Scores(
        elbo=mean.get("elbo"),
        reconstruction=mean["reconstruction"],
        kl=mean.get("kl"),
        objective=mean["objective"],
        nll=mean.get("nll"),
        standard_errors=errors,
        beta=1.0,
        kl_per_latent=None,
        active_units=None,
        images=len(source),
        nll_images=len(source) if weighable else 0,
        importance_samples=samples,
        extra={"penalty": mean["penalty"]} if how.points else {},
        sites={n: {sums.kinds[n]: float(v.mean()), "standard_error": _error(v)} for n, v in terms.items()},
        pareto_k=share_of_heavy_tails(weights) if weighable else None,
        codes="draws of the guide",
        unit="nats",
        draws=None if how.points else collector.joined(weights),
    )


class Sums:
    """The terms of −ELBO by site, one number a draw.

    Attributes:
        kinds: "reconstruction", "kl" or "penalty", by site.
        terms: nats at β = 1, of each run (K,), by site.
        weighted: what Pyro's ELBOs minimize, with all weights, of each run (K,).
        weighted_data: whether the terms at β = 1 still have weights, which stand for data that were not seen.
    """

    def __init__(self, how: Plan) -> None:
        self.how, self.weighted_data = how, False
        self.kinds: dict[str, str] = {}
        self.terms: dict[str, list[Tensor]] = {}
        self.weighted: list[Tensor] = []

    def add(self, run: Run) -> None:
        """Add the draws of one run."""
        summed = enumerated_in_model(run)
        mean = expectation(run.guide, run.nesting + (run.particles is not None))
        homes, joint = homes_of(run.model, run.guide)
        tempered = weighs_the_kl(run)
        now: dict[str, Any] = {}
        objective: Any = 0.0

        def put(name: str, kind: str, nats: Tensor, site: Site) -> None:
            nonlocal objective
            weight = plates_weight(site) if tempered else site["scale"]
            self.weighted_data |= bool((torch.as_tensor(weight) != 1).any())
            objective = objective + _each(scale_and_mask(nats, site["scale"], None), run)
            if kind != "charge":
                self.kinds.setdefault(name, kind)
                now[name] = now.get(name, 0.0) + _each(scale_and_mask(nats, weight, None), run)

        for name, site in sampled(run.model).items():
            kind = "reconstruction" if site["is_observed"] else "penalty" if name in self.how.points else "kl"
            if name not in summed and (name in run.observed or not site["is_observed"]):
                put(ALL if joint and kind == "kl" else name, kind, mean(-log_prob(site), False), site)
        for name, site in sampled(run.guide).items():
            kind = "charge" if is_charge(site) else "penalty" if name in self.how.points else "kl"
            if name in run.model or not is_point(site["fn"]):  # the base of a point weighs nothing
                where = ALL if joint and kind == "kl" else homes.get(name, name)
                put(where, kind, mean(log_prob(site), False), site)
        if summed:
            seen = [name for name in run.observed if name in summed] or sorted(summed)
            put("+".join(seen), "reconstruction", -contracted(run, (), summed, guide=False), run.model.nodes[seen[0]])
        for name, values in now.items():
            self.terms.setdefault(name, []).append(values)
        self.weighted.append(objective)


def _each(nats: Tensor, run: Run) -> Tensor:
    """Return the sum of each particle, (K,)."""
    rank = run.nesting + (run.particles is not None)
    full = nats.reshape((1,) * (rank - nats.dim()) + tuple(nats.shape)) if nats.dim() < rank else nats
    sums = full.reshape(full.shape[0], -1).sum(1) if run.particles is not None else full.sum().reshape(1)
    return sums.expand(run.particles or 1)


def _nll(weights: Tensor) -> tuple[float, float]:
    """−log p(x) of all data from weights (K, B), and its standard error over the draws."""
    samples = len(weights)
    bound = weights.logsumexp(0) - math.log(samples)
    relative = (weights - bound).exp()  # of mean 1
    error = (relative.var(0) / samples).sum().sqrt() if samples > 1 else torch.tensor(math.inf)
    return -float(bound.sum()), float(error)


def _objective(pair: Programs, args: Any, kwargs: Any, weighted: Tensor) -> Tensor:
    """Return values of the loss: the weighted terms where it has their mean, else of at most 20 further runs."""
    if type(pair.loss) in (Trace_ELBO, TraceGraph_ELBO, TraceEnum_ELBO):
        return weighted
    loss = getattr(pair.loss, "loss", pair.loss)  # an ELBO's, or a function
    try:
        with warnings.catch_warnings(), pair.store():
            warnings.simplefilter("ignore", UserWarning)  # of an ELBO that does not enumerate
            values = [loss(*pair.programs, *args, **kwargs) for _ in range(min(len(weighted), RUNS))]
    except NotImplementedError:  # a loss that has gradients alone
        return weighted
    # a loss for the model and one for the guide, as of wake and sleep, add up
    return torch.tensor([float(sum(v) if isinstance(v, tuple) else v) for v in values], dtype=torch.float64)


def _error(values: Tensor) -> float:
    return float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.inf
