"""Scores of anyone's programs: ELBO by site, importance-weighted evidence and Pareto-k̂, over all data together."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from pyro.distributions.util import scale_and_mask
from torch import Tensor

from pyrogen.evaluation.bounds import Plan, importance_weights, plan
from pyrogen.evaluation.draws import Collector
from pyrogen.evaluation.pareto import share_of_heavy_tails
from pyrogen.evaluation.runs import Run, is_charge, log_prob, sampled
from pyrogen.evaluation.scores import Scores
from pyrogen.evaluation.weights import contracted, enumerated_in_model
from pyrogen.models import Programs
from pyrogen.training.data.program_data import ProgramSource, moved
from pyrogen.training.divergence import expectation
from pyrogen.training.step.elbo import ALL, homes_of


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
    args, kwargs = pair.arguments(batch)
    pair.prepare(*args, **kwargs)
    how = plan(pair, batch, len(source) if source.sizes else None)
    collector, sums = Collector(), Sums(how)

    def keep(run: Run) -> None:
        collector.add(run)
        sums.add(run)

    weights = importance_weights(pair, batch, samples, how, len(source), each=keep).double().cpu()  # (K, B)
    collector.end_of_batch()
    terms = {name: torch.cat(parts).double().cpu() for name, parts in sums.terms.items()}  # (K,)
    zero = torch.zeros(samples, dtype=torch.float64)
    total = {kind: sum((terms[n] for n in terms if sums.kinds[n] == kind), zero) for kind in KINDS}
    elbo = -(total["reconstruction"] + total["kl"])
    columns = {"elbo": elbo, **total}
    nll, nll_error = _nll(weights)
    mean = {name: float(column.mean()) for name, column in columns.items()}
    return Scores(
        elbo=mean["elbo"],
        reconstruction=mean["reconstruction"],
        kl=mean["kl"],
        objective=_objective(pair, args, kwargs, mean["elbo"]),
        nll=None if sums.subsampled else nll,
        standard_errors={name: _error(column) for name, column in columns.items()}
        | {"objective": math.inf}
        | ({} if sums.subsampled else {"nll": nll_error}),
        beta=1.0,
        kl_per_latent=None,
        active_units=None,
        images=len(source),
        nll_images=0 if sums.subsampled else len(source),
        importance_samples=samples,
        sites={n: {sums.kinds[n]: float(v.mean()), "standard_error": _error(v)} for n, v in terms.items()},
        pareto_k=share_of_heavy_tails(weights),
        codes="draws of the guide",
        unit="nats",
        draws=collector.joined(weights),
    )


KINDS = ("reconstruction", "kl")


class Sums:
    """The terms of −ELBO by site, one number a draw."""

    def __init__(self, how: Plan) -> None:
        self.how, self.subsampled = how, False
        self.kinds: dict[str, str] = {}
        self.terms: dict[str, list[Tensor]] = {}
        self._now: dict[str, Tensor] = {}

    def add(self, run: Run) -> None:
        """Add the draws of one run."""
        summed = enumerated_in_model(run)
        mean = expectation(run.guide, run.nesting + (run.particles is not None))
        homes, joint = homes_of(run.model, run.guide)
        for name, site in sampled(run.model).items():
            kind = "reconstruction" if site["is_observed"] else "kl"
            if name not in summed:
                where = ALL if joint and kind == "kl" else name
                self._put(where, kind, mean(-self._scaled(site), False), run)
        for name, site in sampled(run.guide).items():
            if not is_charge(site):
                where = ALL if joint else homes.get(name, name)
                self._put(where, "kl", mean(self._scaled(site), False), run)
        if summed:
            name = "+".join([site for site in run.observed if site in summed] or sorted(summed))
            self._put(name, "reconstruction", -contracted(run, self.how.dim, summed, guide=False), run)
        for name, values in self._now.items():
            self.terms.setdefault(name, []).append(values)
        self._now = {}

    def _put(self, name: str, kind: str, nats: Tensor, run: Run) -> None:
        particles = run.particles or 1
        rank = run.nesting + (run.particles is not None)
        full = nats.reshape((1,) * (rank - nats.dim()) + tuple(nats.shape)) if nats.dim() < rank else nats
        rows = full.reshape(full.shape[0], -1).sum(1) if run.particles is not None else full.sum().reshape(1)
        self.kinds.setdefault(name, kind)
        self._now = self._now | {name: self._now.get(name, 0.0) + rows.expand(particles)}

    def _scaled(self, site: dict[str, Any]) -> Tensor:
        scale = site["scale"]
        one = bool((scale == 1).all()) if isinstance(scale, Tensor) else scale == 1
        self.subsampled |= not one
        scaled: Tensor = log_prob(site) if one else scale_and_mask(log_prob(site), scale, None)
        return scaled


def _nll(weights: Tensor) -> tuple[float, float]:
    """−log p(x) of all data from weights (K, B), and its standard error over the draws."""
    samples = len(weights)
    bound = weights.logsumexp(0) - math.log(samples)
    relative = (weights - bound).exp()  # of mean 1
    error = (relative.var(0) / samples).sum().sqrt() if samples > 1 else torch.tensor(math.inf)
    return -float(bound.sum()), float(error)


def _objective(pair: Programs, args: Any, kwargs: Any, elbo: float) -> float:
    loss = getattr(pair.loss, "loss", pair.loss)  # an ELBO's, or a function
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an ELBO that does not enumerate
            return float(loss(pair.model, pair.guide, *args, **kwargs))
    except NotImplementedError:  # a loss that has gradients alone
        return -elbo


def _error(values: Tensor) -> float:
    return float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.inf
