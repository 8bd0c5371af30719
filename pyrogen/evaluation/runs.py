"""Guide and model of a pair, run together on a batch, and log p(x, z) − log q(z | x) over all of their sites.

Every number of `pg.evaluate` comes from here: from the two programs as they are run, whatever a subclass overrides.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.distributions import Unit
from pyro.distributions.util import scale_and_mask
from pyro.poutine import Trace
from pyro.poutine.guide import GuideMessenger
from pyro.poutine.subsample_messenger import _Subsample
from torch import Tensor

from pyrogen.distributions.wrappers import is_point
from pyrogen.models import Programs
from pyrogen.models.base import check_pair
from pyrogen.models.running import OwnParameters, is_discrete, site_log_prob, traced

PARTICLES = "_particles"  # the name of the plate in which K draws are made at once
Site = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run of guide and model.

    Attributes:
        guide, model: their traces, the model's at the guide's draws.
        nesting: how many dimensions the programs' plates take, the particles' left out.
        particles: K, the number of draws made at once; ``None`` for one draw and no dimension for it.
        enumerated: whether the latents that are marked for it take all of their values.
    """

    guide: Trace
    model: Trace
    nesting: int
    particles: int | None = None
    enumerated: bool = False

    @property
    def latents(self) -> dict[str, tuple[Site, Site]]:
        """The guide's and the model's site of each latent, in the order of the guide."""
        return {name: (site, self.model.nodes[name]) for name, site in draws(self.guide).items() if name in self.model}

    @property
    def observed(self) -> dict[str, Site]:
        """The sites that are observed, and the factors of the model, without what is only recorded."""
        seen = {name: site for name, site in sampled(self.model).items() if site["is_observed"]}
        return {name: site for name, site in seen.items() if not is_point(site["fn"])}

    @property
    def is_certain(self) -> bool:
        """Whether all particles are the same, as those of a code from a finite set are."""
        return self.particles is not None and all(
            v.dim() < -dim or bool((v == v.narrow(dim, 0, 1)).all())
            for v, dim in ((site["value"], self.dim(site)) for site in draws(self.guide).values())
        )

    def dim(self, site: Site) -> int:
        """Return the dimension of a site's value in which the particles lie."""
        return -1 - self.nesting - len(site["fn"].event_shape)


def run(
    pair: Any,
    batch: Any,
    particles: int | None = None,
    nesting: int = 0,
    given: Trace | None = None,
    enumerated: bool = False,
    size: int | None = None,
) -> Run:
    """Run the guide, then the model at its draws; a guide that runs the model itself, as Pyro's messengers, once.

    Args:
        pair: a pair.
        batch: what `pair.arguments` makes the arguments of both programs from.
        particles: K draws at once, in a plate of its own left of the `nesting` dimensions of the programs' plates.
        nesting: see there.
        given: a trace whose draws the guide takes in place of its own.
        enumerated: let the latents that are marked ``infer={"enumerate": "parallel"}`` take all of their values.
        size: N, for `Programs` that ask for it.

    Raises:
        ValueError: if a latent is in one program only.
    """
    check_pair("pair", pair)
    model, guide = pair.model, pair.guide
    messenger: Any = poutine.unwrap(pair.programs[1]) if isinstance(pair, Programs) else None
    if given is not None:
        guide = poutine.replay(guide, trace=given)
    if particles is not None:
        model, guide = (in_plate(program, particles, -1 - nesting) for program in (model, guide))
    if enumerated:
        guide = poutine.enum(guide, -1 - nesting - (particles is not None))
        model = poutine.enum(model)  # goes on in the dimensions left of the guide's
    args, kwargs = pair.arguments(batch, size)
    with quiet(pair):
        guide_trace = traced(guide, *args, **kwargs)
        if isinstance(messenger, GuideMessenger):
            parts = [(name, site) for name, site in guide_trace.nodes.items() if isinstance(site["fn"], _Subsample)]
            model_trace, guide_trace = messenger.get_traces()
            guide_trace.nodes.update(parts)
        else:
            model_trace = traced(poutine.replay(model, trace=guide_trace), *args, **kwargs)
    _check_sites(guide_trace, model_trace)
    frames = [f for t in (guide_trace, model_trace) for s in sampled(t).values() for f in s["cond_indep_stack"]]
    deepest = max((-f.dim for f in frames if f.vectorized and f.name != PARTICLES), default=0)
    return Run(guide_trace, model_trace, deepest if particles is None else nesting, particles, enumerated)


@contextmanager
def quiet(pair: Any) -> Iterator[None]:
    """Leave Pyro's parameter store alone, and do not warn of weights that are frozen on purpose."""
    own: Any = nullcontext() if isinstance(pair, Programs) else OwnParameters()
    with own, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* was not registered in the param store", UserWarning)
        yield


def in_plate(program: Callable[..., Any], particles: int, dim: int) -> Callable[..., Any]:
    """Return the program within a plate of particles at `dim`."""

    def many(*args: Any, **kwargs: Any) -> Any:
        with pyro.plate(PARTICLES, particles, dim=dim):
            return program(*args, **kwargs)

    return many


def sampled(trace: Trace) -> dict[str, Site]:
    """Return the sample sites of a trace, those that choose a subsample left out."""
    sites = {name: site for name, site in trace.nodes.items() if site["type"] == "sample"}
    return {name: site for name, site in sites.items() if not isinstance(site["fn"], _Subsample)}


def subsampled(run: Run) -> list[str]:
    """Return the plates that draw a part of their elements at each run."""
    sites = {**run.guide.nodes, **run.model.nodes}
    plates = {name: site["fn"] for name, site in sites.items() if isinstance(site.get("fn"), _Subsample)}
    return [name for name, fn in plates.items() if fn.subsample_size and fn.subsample_size < fn.size]


def points(pair: Any, batch: Any, once: Run, size: int | None = None) -> frozenset[str]:
    """Return the latents that the guide puts on one value of a continuous space: it has no density there.

    The latents of an AutoGuide are functions of auxiliary draws, and look the same. So a second run must give them
    the same value.
    """
    fixed = {n for n, (ours, theirs) in once.latents.items() if is_point(ours["fn"]) and not is_discrete(theirs["fn"])}
    auxiliary = [site["fn"] for name, site in draws(once.guide).items() if name not in once.model]
    if not fixed or all(is_point(fn) for fn in auxiliary):
        return frozenset(fixed)
    same_part = once.guide.copy()
    for name in sampled(once.guide):
        same_part.remove_node(name)
    again = run(pair, batch, nesting=once.nesting, given=same_part, size=size).guide.nodes
    return frozenset(name for name in fixed if bool((again[name]["value"] == once.guide.nodes[name]["value"]).all()))


def draws(trace: Trace) -> dict[str, Site]:
    """Return the sites that are drawn: those neither observed nor a factor."""
    return {n: s for n, s in sampled(trace).items() if not s["is_observed"] and not isinstance(s["fn"], Unit)}


def is_charge(site: Site) -> bool:
    """Return whether a site of the guide is what the pair charges it (``Pair.charge``), which is not a part of its
    density."""
    return bool(site["infer"].get("is_charge"))


def plates_weight(site: Site) -> float:
    """Return N/B of the plates of a site, multiplied."""
    weight: float = math.prod(f.full_size / f.size for f in site["cond_indep_stack"] if f.full_size and f.size)
    return weight


def weighs_the_kl(run: Run) -> bool:
    """Return whether the model's weights beyond those of plates are a β, or of all its sites alike, and can go.

    A weight of the data that the latents lack stays: it stands for data that are not here, or tempers the likelihood.
    """
    data, both = [torch.ones(1)], [torch.ones(0)]
    for name, site in sampled(run.model).items():
        if name in run.observed or not site["is_observed"]:
            weight = torch.as_tensor(site["scale"] / plates_weight(site), dtype=torch.float32).flatten().cpu()
            both.append(weight)
            data += [weight] if name in run.observed else []
    seen, all_of_them = torch.cat(data), torch.cat(both)
    alike = len(all_of_them) > 0 and all_of_them.max() - all_of_them.min() <= 1e-5 * all_of_them.max()
    return bool(((seen - 1).abs() < 1e-5).all() or alike)


def log_prob(site: Site) -> Tensor:
    """log of the density of a site at its value; 0 where it is masked; whatever its weight."""
    return masked(site_log_prob(site), site["mask"])


def masked(values: Tensor, mask: Any) -> Tensor:
    """Return the values, 0 where they are masked."""
    kept: Tensor = scale_and_mask(values, 1.0, mask)
    return kept


def data_plate(run: Run, rows: int | None) -> int | None:
    """Return the dimension of the plate of the data, which all that is observed lies in, or None without one.

    It is the plate of `rows` rows, or of any number if that is None; of several such the one named "data", else the
    outermost.
    """
    stacks = [{f.name: f for f in site["cond_indep_stack"]} for site in run.observed.values()]
    shared = [f for name, f in stacks[0].items() if all(name in s for s in stacks)] if stacks else []
    fitting = [f for f in shared if f.vectorized and f.name != PARTICLES and rows in (None, f.size)]
    if not fitting:
        return None
    named = [int(f.dim) for f in fitting if f.name == "data"]
    return named[0] if named else min(int(f.dim) for f in fitting)


def is_local(run: Run, dim: int | None) -> bool:
    """Return whether all latents lie in the plate of the data, so that log p(x) is a sum over the rows."""
    if dim is None:
        return False
    plates = {f.name for site in run.observed.values() for f in site["cond_indep_stack"] if f.dim == dim}
    return all(plates & {f.name for f in site["cond_indep_stack"]} for site in draws(run.guide).values())


def by_row(values: Tensor, run: Run, dim: int | None) -> Tensor:
    """Sum over all dimensions but the particles' and the data's: (K, B), each 1 where it is missing."""
    rank = run.nesting + (run.particles is not None)
    full = values.reshape((1,) * (rank - values.dim()) + tuple(values.shape))
    kept = {0} if run.particles is not None else set()
    kept |= {full.dim() + dim} if dim is not None else set()
    others = [i for i in range(full.dim()) if i not in kept]
    full = full.sum(others) if others else full
    return full.reshape(full.shape[0] if run.particles is not None else 1, -1)


def _check_sites(guide: Trace, model: Trace) -> None:
    ours, theirs = draws(guide), draws(model)
    for name, site in theirs.items():
        if name not in ours and site["infer"].get("enumerate") != "parallel":
            raise ValueError(
                f"the model draws {name!r} and the guide does not: give the guide a site of that name, or mark it "
                'infer={"enumerate": "parallel"} if it is discrete'
            )
    for name, site in ours.items():
        if name not in model and not site["infer"].get("is_auxiliary"):
            raise ValueError(
                f"the guide draws {name!r} and the model does not: give the model a site of that name, or mark it "
                'infer={"is_auxiliary": True}'
            )
        if name in model and sampled(model).get(name, site)["is_observed"]:
            raise ValueError(f"the guide draws {name!r} and the model observes it: take it out of the guide")


def select(run: Run, at: int, like: Run) -> Trace:
    """Return the draws of one particle, in the shapes of a run without particles."""
    chosen = run.guide.copy()
    values: Mapping[str, Site] = draws(like.guide)
    for name, site in draws(run.guide).items():
        if site["infer"].get("_enumerate_dim") is not None:
            chosen.remove_node(name)  # it takes all of its values again
            continue
        value, dim = site["value"], run.dim(site)
        if value.dim() >= -dim:
            value = value.select(dim, at if value.shape[dim] > 1 else 0)
        chosen.nodes[name] = site | {"value": value.reshape(values[name]["value"].shape)}
    return chosen
