"""Draws of a guide with what the model says of them: kept while weights are computed, handed to ArviZ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyrogen.evaluation.runs import PARTICLES, Run, Site, draws, log_prob, sampled, subsampled
from pyrogen.evaluation.weights import contracted, enumerated_in_model
from pyrogen.training.divergence import enumerated

if TYPE_CHECKING:
    import arviz

Array = NDArray[Any]


@dataclass
class Draws:
    """K draws of each latent, and log p(x | z) of each datum at them.

    Attributes:
        posterior: site name to ``(K, *shape)``.
        log_likelihood: observed site name to ``(K, *plates)``, nats; latents that are enumerated are summed out.
        log_weights: log p(x, z) − log q(z | x), (K, B), or (K, 1) for all data together.
        subsampled: the plates that take another part of the data in each draw.
    """

    posterior: dict[str, Array] = field(default_factory=dict)
    log_likelihood: dict[str, Array] = field(default_factory=dict)
    log_weights: Array = field(default_factory=lambda: np.zeros((0, 0)))
    subsampled: list[str] = field(default_factory=list)

    def to_arviz(self) -> arviz.InferenceData:
        """Return an ArviZ ``InferenceData`` with one chain: posterior, log likelihood and sample stats."""
        import arviz

        if self.subsampled:
            raise ValueError(
                f"each draw must be of the same data, got another part of plate {self.subsampled[0]!r} in each: "
                "evaluate programs without `subsample_size`; `scores.draws.posterior` has the draws as they are"
            )

        def one_chain(values: dict[str, Array]) -> dict[str, Array]:
            return {name: value[None] for name, value in values.items()}

        stats = {"log_weight": self.log_weights.squeeze(-1) if self.log_weights.shape[1] == 1 else self.log_weights}
        return arviz.from_dict(
            posterior=one_chain(self.posterior),
            log_likelihood=one_chain(self.log_likelihood) or None,
            sample_stats=one_chain(stats),
        )


class Collector:
    """Keeps the draws of runs: one after another, and batches of rows side by side."""

    def __init__(self) -> None:
        self.batches: list[tuple[dict[str, Array], dict[str, Array]]] = []
        self._runs: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
        self._subsampled: list[str] = []

    def add(self, run: Run) -> None:
        """Keep the draws of one run."""
        sites = {name: site for name, site in draws(run.guide).items() if not enumerated(site)}
        latents = {name: values_of(site, run) for name, site in sites.items()}
        self._runs.append((latents, likelihoods(run)))
        self._subsampled = subsampled(run)

    def end_of_batch(self) -> None:
        """Join the runs on one batch."""
        if self._runs:
            latents, seen = (
                {name: _array(torch.cat([run[i][name] for run in self._runs])) for name in self._runs[0][i]}
                for i in (0, 1)
            )
            self.batches.append((latents, seen))
            self._runs = []

    def joined(self, log_weights: Tensor) -> Draws:
        """Return the draws on all batches, their rows side by side."""
        latents, seen = (
            {
                name: np.concatenate([batch[i][name] for batch in self.batches], 1) if len(self.batches) > 1 else value
                for name, value in self.batches[0][i].items()
            }
            for i in (0, 1)
        )
        return Draws(latents, seen, log_weights.numpy(), self._subsampled)


def _array(values: Tensor) -> Array:
    array: Array = (values.float() if values.dtype == torch.bfloat16 else values).cpu().numpy()  # NumPy has no bfloat16
    return array


def values_of(site: Site, run: Run) -> Tensor:
    """Return the value of a site as (K, *plates, *event), with the plates that the site is in."""
    return _compact(site["value"], site, run, len(site["fn"].event_shape))


def likelihoods(run: Run) -> dict[str, Tensor]:
    """Return log p of each observed site as (K, *plates)."""
    summed = enumerated_in_model(run)
    if run.enumerated:
        if not summed and any(enumerated(site) for site in draws(run.guide).values()):
            return {}  # the guide enumerates: log p(x | z) is not a number of the draws alone
        name = "+".join([name for name in run.observed if name in summed] or run.observed)
        names = summed or set(run.observed)
        stacks = [{f.name for f in sampled(run.model)[site]["cond_indep_stack"]} for site in names]
        return {name: contracted(run, set.intersection(*stacks), names, guide=False)}
    return {name: _compact(log_prob(site), site, run, 0) for name, site in run.observed.items()}


def _compact(value: Tensor, site: Site, run: Run, event: int) -> Tensor:
    rank = run.nesting + (run.particles is not None)
    full = value.reshape((1,) * (rank + event - value.dim()) + tuple(value.shape))
    inside = {frame.dim for frame in site["cond_indep_stack"] if frame.name != PARTICLES}
    for place in range(-run.nesting, 0):
        if place not in inside:
            full = full.narrow(place - event, 0, 1)
    kept = [full.shape[place - event] for place in range(-run.nesting, 0) if place in inside]
    shape = (*kept, *full.shape[full.dim() - event :])
    particles = run.particles if run.particles is not None else 1
    flat = full.reshape(-1, *shape)
    return flat.expand(particles, *shape) if len(flat) == 1 else flat
