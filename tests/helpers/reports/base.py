"""Reports of wrong SVI code, rewritten: what asked for help on Pyro's forum and in its issues, faulty and mended.

Each report is a function of `faulty` that returns the programs with the settings of `check`. The threads are named
where the code follows one; the rest are mistakes that come up in many. A few threads are from other libraries and
show the same mistake. None of their code is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyro
import torch
from pyro import distributions as dist
from pyro.distributions import constraints

import pyrogen as pg

POSITIVE = constraints.positive
X = torch.linspace(-1.0, 2.0, 24)
IMAGES = (torch.rand(12, 6, generator=torch.Generator().manual_seed(3)) < 0.4).float()
THREAD = "https://forum.pyro.ai/t/"
ISSUE = "https://github.com/pyro-ppl/pyro/issues/"
PULL = "https://github.com/pyro-ppl/pyro/pull/"
TORCH = "https://github.com/pytorch/pytorch/issues/"


@dataclass(frozen=True)
class Programs:
    """A model and a guide with their arguments and the other settings of `check`."""

    model: Callable[..., Any]
    guide: Callable[..., Any]
    args: tuple[Any, ...] = (X,)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """A mistake.

    Attributes:
        name: the mistake in a few words.
        make: the programs, of `faulty` or not.
        says: words of the sentence that should help.
        source: the thread that it follows, if it follows one.
        level: of the finding.
    """

    name: str
    make: Callable[[bool], Programs]
    says: str
    source: str = ""
    level: str = "fault"


REPORTS: dict[str, list[Report]] = {}  # by the module that they stand in


def report(name: str, says: str, source: str = "", level: str = "fault") -> Callable[[Any], Any]:
    """Register a report."""

    def register(make: Callable[[bool], Programs]) -> Callable[[bool], Programs]:
        REPORTS.setdefault(make.__globals__["__name__"], []).append(Report(name, make, says, source, level))
        return make

    return register


def mean_of(x):
    """A normal mean."""
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(mean, 1.0), obs=x)


def normal(x, *rest):
    """A guide for it."""
    loc = pyro.param("loc", torch.tensor(0.3))
    pyro.sample("mean", dist.Normal(loc, pyro.param("scale", torch.tensor(0.4), constraint=POSITIVE)))


def check(programs, **settings):
    """The findings of `check`."""
    settings = {"progress": False} | programs.settings | settings
    return pg.testing.check(programs.model, programs.guide, programs.args, **settings).findings


def found(report, seed=0):
    """Return the sentences about the mistake; without one raise an error with all others."""
    pyro.clear_param_store()
    findings = check(report.make(True), seed=seed)
    told = [one.message for one in findings if report.says in one.message and one.level == report.level]
    assert told, [one.message for one in findings]
    return told


def mended(report, seed=0):
    """What is said of the mended one."""
    pyro.clear_param_store()
    return [one.message for one in check(report.make(False), seed=seed)]
