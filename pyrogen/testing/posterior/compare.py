"""A guide beside a posterior that is known: KL, moments, distribution functions, and the ELBO beside log p(x)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from pyro.poutine.runtime import Message
from torch.distributions import kl_divergence

from pyrogen import checks
from pyrogen.distributions.wrappers import is_point
from pyrogen.progress import progress_bar
from pyrogen.testing.findings import Finding, Report, Result
from pyrogen.testing.posterior.importance import bounds, pareto_k
from pyrogen.testing.posterior.target_posterior import Known, check_exact, plain
from pyrogen.testing.running.draws import Array, Difference, Moments, fixed_distributions, guide_draws, own_latents
from pyrogen.testing.running.errors import blaming
from pyrogen.testing.running.isolation import nothing_changed
from pyrogen.testing.running.programs import Tested, both_programs, whole_plates
from pyrogen.testing.running.weights import NoWeights, log_weights

ROUNDING = 1e-5  # of the evidence's size: float32 sums


def compare(
    model: Any,
    guide: Callable[..., Any] | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    exact: Mapping[str, Any] | Callable[..., Mapping[str, Any]],
    evidence: float | None = None,
    num_samples: int = 2000,
    seed: int = 0,
    progress: bool = True,
    false_alarm: float = 1e-6,
    tolerance: float = 0.1,
) -> Report:
    r"""Compare a guide with the exact posterior, and its ELBO with the exact log p(x).

    With t the tolerance, the guide of a site is granted

    - KL(guide ‖ exact) ≤ t²/2 nats an element, the KL of a mean that is t standard deviations off. This holds where
      both are one distribution whose KL torch computes exactly, without draws; else
    - \|mean of guide − mean\| ≤ t sd and \|log(sd of guide / sd)\| ≤ t, each a z-test on draws, and
    - for one number, \|F_guide − F\| ≤ 0.4 t, by Kolmogorov and Smirnov with the bound of Dvoretzky, Kiefer, Wolfowitz
      and Massart (1990, https://doi.org/10.1214/aop/1176990746). 0.4 t is what a normal's mean t sds off makes.

    An estimate from draws is a fault only if it exceeds its margin by more than the draws' noise explains at the rate
    `false_alarm`. Else the site passes.

    The ELBO, without ``poutine.scale`` and with whole plates, must not lie above `evidence`; the gap between them
    is KL(guide ‖ posterior) in nats if model and evidence are right. Where all weights are equal, the guide is the
    posterior, and ELBO and evidence must agree.

    Args:
        model, guide, args, kwargs: the pair and the arguments of both.
        exact: by site, the posterior: a distribution of the site's shape, a pair (mean, sd), or an array of exact
            independent draws ``(n, *shape)``. A callable that makes this mapping from ``*args, **kwargs`` serves too.
        evidence: log p(x) in nats.
        num_samples: draws from the guide.
        seed: of all draws.
        progress: show a bar of the sites.
        false_alarm: how often this call may find a fault in a guide within the tolerance; its tests share it equally.
        tolerance: t, in posterior standard deviations.

    Returns:
        A report with a question for each site of `exact`, and ``"evidence"`` if it was given.

    Raises:
        ValueError: for a site that the guide does not draw, shapes that disagree, or nothing to compare with.
        TypeError: for an `exact` that is not a mapping, an entry of another kind, a setting that is not a number.

    Example:
        >>> import pyrogen as pg
        >>> from pyro import distributions as dist
        >>> from pyrogen.testing.posterior.compare import compare
        >>> g, x = pg.models.GammaExponential(theta=4.0), torch.tensor([3.0])
        >>> report = compare(g.model, g.guide, (x,), exact={"z": dist.Gamma(2.0, 4.0)}, evidence=-2 * math.log(4.0))
        >>> report.ok
        True
    """
    num_samples = checks.whole("num_samples", num_samples, 100, checks.LARGEST_COUNT)
    seed = checks.seed("seed", seed)
    false_alarm = checks.probability("false_alarm", false_alarm, open=True)
    tolerance = checks.real("tolerance", tolerance, least=0, most=100)
    if evidence is not None:
        evidence = checks.real("evidence", evidence)
    check_exact(exact)
    model, guide = both_programs(model, guide)
    tested = Tested(model, guide, args, {} if kwargs is None else kwargs, None, seed)
    with nothing_changed(model, guide), whole_plates():
        with blaming("exact"):
            known = exact(*tested.args, **tested.kwargs) if callable(exact) else exact
        check_exact(known, made=True)
        if not known and evidence is None:
            raise ValueError("exact must name a site, or evidence be a number, got neither: nothing to compare with")
        with torch.no_grad():
            with blaming("the guide"):
                first = own_latents(tested, 0)
                alone = fixed_distributions(tested, first)
            answers = {name: Known(name, value, first) for name, value in known.items()}
            rate = false_alarm / (sum(answer.tests for answer in answers.values()) + 2 * (evidence is not None) or 1)
            divergences = {name: _divergence(first[name], known) if alone else None for name, known in answers.items()}
            with blaming("the guide"):
                own = guide_draws(tested, num_samples) if None in divergences.values() else {}
        results = []
        for name, answer in progress_bar(list(answers.items()), desc="compare", leave=False, shown=progress):
            if (divergence := divergences[name]) is None:
                results.append(_by_draws(name, own[name], answer, rate, tolerance, num_samples))
            else:
                results.append(_by_divergence(name, divergence, first[name], tolerance))
        if evidence is not None:
            results.append(_evidence(tested, evidence, num_samples, rate))
    return Report(tuple(results))


def _divergence(site: Message, answer: Known) -> float | None:
    """KL(guide ‖ exact) in nats, the largest over the batch; None where torch does not know it."""
    fn = site["fn"]
    if answer.distribution is None or is_point(fn):
        return None
    q, p = _bare(fn), _bare(answer.distribution)
    try:
        if tuple(p.batch_shape + p.event_shape) != answer.shape:
            p = p.expand(answer.shape[: len(answer.shape) - len(p.event_shape)])
        if q.event_shape != p.event_shape:
            return None
        value = kl_divergence(q, p)
    except (NotImplementedError, RuntimeError, ValueError):
        return None
    return float(value.max()) if torch.isfinite(value).all() else math.inf


def _bare(fn: Any) -> Any:
    """Without ``to_event``, so that each number has its KL; a multivariate distribution stays whole."""
    while type(fn).__name__ == "Independent":
        fn = fn.base_dist
    return fn


def _by_divergence(name: str, divergence: float, site: Message, tolerance: float) -> Result:
    q = _bare(site["fn"])
    margin = tolerance**2 / 2 * max(1, math.prod(q.event_shape))
    question = f"{name!r}: KL(guide ‖ exact) at most {margin:.2g} nats an element"
    figures = {"kl": divergence, "margin": margin}
    findings = []
    if not divergence <= margin + 1e-6:
        message = f"KL(guide ‖ exact) of {name!r} is {divergence:.3g} nats in its worst element, above {margin:.2g}"
        findings = [Finding("compare", f"{message}: train longer or correct the guide", name, figures=figures)]
    return Result.of("compare", question, findings, f"{divergence:.2g} nats in the worst element, exact", figures)


def _by_draws(name: str, own: Array, answer: Known, rate: float, tolerance: float, samples: int) -> Result:
    if not np.isfinite([answer.moments.mean, answer.moments.sd]).all():
        raise ValueError(f"exact[{name!r}] must have a finite mean and sd where no KL is known, got others: pass draws")
    difference = Difference.between(Moments.of_draws(own), answer.moments)
    shifted, stretched = difference.beyond(tolerance, rate)
    words, numbers = difference.words(shifted, stretched)
    said = [f"its {words}"] if words else []
    shift, ratio = difference.largest
    figures = {"shift": abs(shift), "sd_ratio": ratio, "rate_of_each_test": rate}
    distance, bound = _kolmogorov(own, answer, rate, tolerance)
    if distance is not None:
        figures["kolmogorov"] = distance
        if distance > bound:
            said.append(f"its distribution function is {distance:.3f} off, above {bound:.3f}")
    findings = []
    if said:
        message = f"the guide's {name!r} is not the exact posterior's: {' and '.join(said)}"
        findings = [Finding("compare", message, name, figures=numbers | figures)]
    question = f"{name!r}: mean and sd of {samples} draws within {tolerance:g} posterior sds"
    detail = f"{abs(shift):.2g} sds off, sd ratio {ratio:.3f} in the worst element; {rate:.0e} false alarms a test"
    return Result.of("compare", question, findings, detail, figures)


def _kolmogorov(own: Array, answer: Known, rate: float, tolerance: float) -> tuple[float | None, float]:
    """Return the distance of the distribution functions of one number, and what the draws and the tolerance explain."""
    from scipy.stats import ks_2samp

    if math.prod(answer.shape) != 1:
        return None, math.inf
    ours = np.sort(own.reshape(-1))
    if answer.draws is not None:
        theirs = answer.draws.reshape(-1)
        distance = float(ks_2samp(ours, theirs, method="asymp").statistic)
        counts, rate = [len(ours), len(theirs)], rate / 2
    elif answer.distribution is not None:
        try:
            values = torch.as_tensor(ours.copy()).reshape(-1, *answer.shape)
            cdf = plain(_bare(answer.distribution).cdf(values)).reshape(-1)
        except (NotImplementedError, RuntimeError, ValueError):
            return None, math.inf
        n = len(ours)
        if np.any(np.diff(ours) == 0):  # a discrete one: at the jumps, from the right
            distance = float(np.abs(np.searchsorted(ours, ours, side="right") / n - cdf).max())
        else:
            distance = float(np.maximum(np.arange(1, n + 1) / n - cdf, cdf - np.arange(n) / n).max())
        counts = [n]
    else:
        return None, math.inf
    return distance, 0.4 * tolerance + sum(math.sqrt(math.log(2 / rate) / (2 * count)) for count in counts)


def _evidence(tested: Tested, evidence: float, samples: int, rate: float) -> Result:
    from scipy.stats import norm

    question = "the ELBO is at most log p(x)"
    try:
        with blaming("the model at the guide's draws", but=NoWeights):
            weights = log_weights(tested, samples)
    except NoWeights as reason:
        return Result("evidence", question, "unjudged", f"no ELBO with a density: {reason}")
    figures = bounds(weights) | {"evidence": evidence}
    elbo, error = figures["elbo"], figures["elbo_error"]
    figures["gap"] = evidence - elbo
    spread = float(np.ptp(weights.reshape(samples, -1).sum(1)))
    rounding = ROUNDING * max(1.0, abs(evidence))
    wrong = ""
    if not math.isfinite(elbo):
        wrong = "the ELBO is not finite: the guide draws what the model cannot"
    elif elbo - evidence > float(norm.isf(rate)) * error + rounding:
        wrong = (
            f"the ELBO, {elbo:.5g} ± {error:.2g} nats, lies above log p(x) = {evidence:.5g}: the model's density or "
            "the evidence given is wrong"
        )
    elif spread < 10 * rounding and evidence - elbo > 10 * rounding:
        wrong = (
            f"all draws give log p(x) = {elbo:.5g} nats, so that the guide is this model's posterior, and the evidence "
            f"given is {evidence:.5g}: the model's density or the evidence is wrong"
        )
    detail = f"gap {figures['gap']:.3g} ± {error:.2g} nats: ELBO {elbo:.5g}, log p(x) {evidence:.5g}"
    if math.isfinite(elbo):
        k, effective = pareto_k(weights.reshape(samples, -1).T)
        figures["effective_samples"] = float(np.median(effective))
        if np.isfinite(k).all():
            figures["pareto_k"] = float(k.max())
    findings = [Finding("evidence", wrong, figures=figures)] if wrong else []
    return Result.of("evidence", question, findings, f"{detail}; {rate:.0e} false alarms", figures)
