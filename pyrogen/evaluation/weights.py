"""Importance weights log p(x, z) − log q(z | x) of a run over all of its sites; enumerated latents are summed out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from pyro.ops import packed
from pyro.ops.contract import einsum
from torch import Tensor

from pyrogen.evaluation.runs import PARTICLES, Run, by_row, draws, is_charge, log_prob, sampled
from pyrogen.training.divergence import enumerated as enumerates


def log_weights(run: Run, dim: int | None) -> Tensor:
    """log p(x, z) − log q(z | x) over all sites, (K, B): of each row where `dim` is the plate of the data, else (K, 1).

    Latents that are enumerated are summed out.
    """
    if run.enumerated:
        kept = [name for name, frame in _frames(run).items() if dim is not None and frame.dim == dim]
        weights = contracted(run, kept)
        return weights.reshape(len(weights), -1)
    total = torch.zeros(1, 1)
    for site in sampled(run.model).values():
        total = total + by_row(log_prob(site), run, dim)
    for site in sampled(run.guide).values():
        if not is_charge(site):
            total = total - by_row(log_prob(site), run, dim)
    return total


def enumerated_in_model(run: Run) -> set[str]:
    """Return the model's sites that depend on latents which only the model enumerates, those latents included."""
    if not run.enumerated:
        return set()
    own = {name for name, site in draws(run.model).items() if name not in run.guide and enumerates(site)}
    if not own:
        return set()
    if any(enumerates(site) for site in draws(run.guide).values()):
        raise ValueError(
            f"the guide must enumerate all discrete latents or none of them, got {sorted(own)} in the model alone: "
            "mark them in the guide too"
        )
    rank = run.nesting + (run.particles is not None)
    wide = {name for name, site in sampled(run.model).items() if log_prob(site).dim() > rank}
    return own | wide


def contracted(run: Run, plates: Collection[str], names: set[str] | None = None, guide: bool = True) -> Tensor:
    """Return log Σ exp(Σ log p − Σ log q) over the values of enumerated latents, (K, *plates).

    Args:
        run: a run with enumeration.
        plates: the plates that are kept; the result is a sum over all others. No enumerated latent may lie outside.
        names: the model's sites that count; all by default.
        guide: whether the guide's sites are subtracted.
    """
    frames = _frames(run)
    run.guide.symbolize_dims()
    run.model.symbolize_dims(run.guide.plate_to_symbol)
    symbols = run.model.plate_to_symbol
    factors = []
    for name, site in sampled(run.model).items():
        if names is None or name in names:
            factors.append(packed.pack(log_prob(site), site["infer"]["_dim_to_symbol"]))
    for site in sampled(run.guide).values() if guide else ():
        if not (is_charge(site) or enumerates(site)):  # an enumerated latent is not drawn, so its q weighs nothing
            factors.append(packed.pack(-log_prob(site), site["infer"]["_dim_to_symbol"]))
    present = set("".join(factor._pyro_dims for factor in factors))
    kept = sorted((frames[name] for name in {PARTICLES, *plates} & symbols.keys()), key=lambda frame: frame.dim)
    there = [frame for frame in kept if symbols[frame.name] in present]  # a plate of one element has no dimension
    equation = ",".join(factor._pyro_dims for factor in factors) + "->" + "".join(symbols[f.name] for f in there)
    others = "".join(s for name, s in symbols.items() if frames[name] not in kept and s in present)
    (result,) = einsum(equation, *factors, plates=others, backend="pyro.ops.einsum.torch_log", modulo_total=True)
    sizes = [frame.size if frame in there else 1 for frame in kept]
    weights: Tensor = result.reshape(sizes if run.particles is not None else [1, *sizes])
    return weights


def _frames(run: Run) -> dict[str, Any]:
    """Return the plates of both programs by name."""
    sites = [site for trace in (run.guide, run.model) for site in sampled(trace).values()]
    return {frame.name: frame for site in sites for frame in site["cond_indep_stack"]}
