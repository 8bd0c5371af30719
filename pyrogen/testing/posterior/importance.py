"""How much of the posterior a guide's draws can stand for: importance weights and Pareto-k̂."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from pyrogen.distributions.wrappers import is_point
from pyrogen.testing.findings import Finding, Question, Result
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import latents
from pyrogen.testing.running.weights import NoWeights, log_weights

BATCHES = 20
FAULT = 1.0  # from this k on the weights have no mean, and the weighted draws settle on nothing
SURE = 5.0  # standard errors
LOOSE = 1.0  # nats an element that the bound may lie above the ELBO
MATTERS = 0.5  # with more effective draws than this share, a tail is noise: k̂ errs by 0.2 for S = 1000
IMPORTANCE = Question("importance", "the guide's draws can be weighted to the posterior")
_TIED = 5  # draws of the largest weight: it is then the weights' upper bound, without a tail


def importance(tested: Tested, samples: int = 1000, false_alarm: float = 1e-6) -> Result:
    r"""Pareto-k̂ of the importance weights w = p(x, z) / q(z), z ~ q, with the ELBO and the bound that they give.

    k̂ is the shape of the generalized Pareto distribution fitted to the largest weights by ArviZ's PSIS: 1/k moments of
    the weights exist. Up to min(1 − 1/log₁₀ S, 0.7) for S draws the weighted draws stand for the posterior (Vehtari et
    al. 2024, https://arxiv.org/abs/1507.02646; as a test of guides, Yao et al. 2018, https://arxiv.org/abs/1802.02538).
    k̂ sees only where the guide goes: a guide wider than the posterior, or on one of its two modes, has a small k̂.

    - k̂ above 1 is a fault: weights with such a tail have no mean, so no reweighting of these draws helps.
    - k̂ above the threshold, up to 1, is a warning: the guide may serve, its draws are not the posterior's.
    - A bound more than 1 nat (an element) above the ELBO, by five standard errors, is a warning where k̂ is small: the
      guide is wider than the posterior. In a sound pair that takes a chance of 4e-5 (Student's t of 20 batches).
    - A bound more than 1 nat for each number that the guide draws above the ELBO, at the rate `false_alarm`, is a
      fault: that far is a normal guide 2.2 times as wide as a normal posterior.

    Where more than half of the draws are effective, k̂ counts for nothing, because that of equal weights is noise. From
    the M largest weights k̂ errs by about (1 + k)/√M. So a guide whose k is at most k₀ = (1 − z/√M)/(1 + z/√M) is called
    a fault at the rate `false_alarm` at most, for all elements together. z is the normal quantile of that rate. For
    1000 draws and 1e-6 k₀ = 0.34. Between k₀ and 1 the chance grows: 2 % for k = 0.7, half for 1. Where even k = 0
    would be called a fault more often (few draws), the bound lies above 1. k is that of the M largest weights. A guide
    that is off to one side has log-normal weights. Their k is 0 in the limit, but looks like 1 to 1000 draws when they
    vary enough.

    Where all sites share a plate (an amortized guide) each element has its own weights and its own k̂; `pareto_k` is
    then the median. ``elbo``, ``bound`` (of S/20 draws) and ``gap`` = bound − ELBO, at most KL(q ‖ posterior) on
    average, are sums over elements, in nats. Without weights, as for a guide of point masses, the question is skipped.
    """
    try:
        weights = log_weights(tested, samples)
        drawn = sum(site["value"].numel() for _, site in latents(tested.guide_alone()) if not is_point(site["fn"]))
    except NoWeights as reason:
        return IMPORTANCE.skipped(f"no importance weights: {reason}")
    if not np.isfinite(weights).all():
        share = float((~np.isfinite(weights)).mean())
        detail = f"{share:.1%} of the guide's draws have weight 0 or none: the model cannot have drawn them"
        finding = IMPORTANCE.fault(f"{detail}; give the guide the model's support", share=share)
        return IMPORTANCE.answer([finding], detail, {"share_without_weight": share})
    elements = weights.reshape(samples, -1).T
    k, effective = pareto_k(elements)
    threshold = min(1 - 1 / math.log10(samples), 0.7)
    figures = bounds(weights) | {"threshold": threshold, "samples": float(samples)}
    figures["effective_samples"] = float(np.median(effective))
    known = k[np.isfinite(k)]
    if len(known):
        figures |= {"pareto_k": float(np.median(known))}
        if len(k) > 1:
            figures |= {"pareto_k_max": float(known.max()), "share_above": float((known > threshold).mean())}
    detail = _detail(figures, len(k))
    told = k[np.isfinite(k) & (effective < MATTERS * samples)]
    findings = _tail(told, len(k), threshold, samples, false_alarm)
    gaps = _gap(figures, len(k), drawn, false_alarm)
    if not any(one.level == "fault" for one in findings):
        findings = [one for one in gaps if one.level == "fault"] or findings or gaps
    if not findings:
        detail += "; k̂ sees only where the guide goes, not a mode that it misses"
    return IMPORTANCE.answer(findings, detail, figures)


def pareto_k(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """k̂ and the effective number of draws for each row of log weights (elements, samples).

    Weights whose largest value comes up again and again (an exact guide, a discrete one) are bounded: k̂ = 0. It is
    NaN where too few distinct weights are left for a tail.
    """
    with warnings.catch_warnings(action="ignore"):  # ArviZ announces its next version when it is imported
        import arviz
    # ignore differences below the rounding of the log densities
    rounded = np.round(weights - weights.max(1, keepdims=True), 4)
    smoothed, k = arviz.psislw(rounded)
    tied = (rounded == 0).sum(1) >= _TIED
    k = np.where(np.isfinite(k) & ~tied, k, np.where(tied, 0.0, np.nan))
    return k, 1 / np.exp(2 * smoothed).sum(1)


def bounds(weights: NDArray[np.float64]) -> dict[str, float]:
    """ELBO, importance-weighted bound of S/20 draws, their difference and standard errors from log weights (S, ...)."""
    size = len(weights) // BATCHES
    batches = weights[: size * BATCHES].reshape(BATCHES, size, -1)
    top = batches.max(1)
    bound = (np.log(np.exp(batches - top[:, None]).mean(1)) + top).sum(-1)
    elbo = batches.mean(1).sum(-1)
    rows = {"elbo": weights.reshape(len(weights), -1).sum(-1), "bound": bound, "gap": bound - elbo}
    figures = {}
    for name, row in rows.items():
        figures[name], figures[f"{name}_error"] = float(row.mean()), float(row.std(ddof=1) / math.sqrt(len(row)))
    figures["bound_samples"] = float(size)
    return figures


def fault_above(samples: int, rate: float) -> float:
    """Return the k̂ beyond which a guide is a fault: 1, or if more what a true k of 0 exceeds at this rate."""
    return max(FAULT, _noise(samples, rate))


def _noise(samples: int, rate: float) -> float:
    """z/√M: the error at k = 0 of a shape from the M largest of the weights, as many as ArviZ takes."""
    from scipy.stats import norm

    return float(norm.isf(rate)) / math.sqrt(math.ceil(min(samples / 5, 3 * math.sqrt(samples))))


def _tail(k: NDArray[np.float64], elements: int, threshold: float, samples: int, false_alarm: float) -> list[Finding]:
    if not (k > threshold).any():
        return []
    bound = fault_above(samples, false_alarm / elements)
    tell = IMPORTANCE.fault if (k > bound).any() else IMPORTANCE.warning
    where = "" if elements == 1 else f" in {int((k > threshold).sum())} of {elements} elements, at most"
    message = (
        f"Pareto-k̂ is{where} {k.max():.2f} (a warning above {threshold:.2f}, a fault above {bound:.2f}, where no "
        "reweighting helps). The guide is narrower than the posterior or beside it: train longer, or take a richer or "
        "wider guide"
    )
    return [tell(message, pareto_k=float(k.max()), threshold=threshold)]


def _gap(figures: dict[str, float], elements: int, drawn: int, false_alarm: float) -> list[Finding]:
    """Return how far the ELBO is below the bound: an element, and for each of the numbers that the guide draws."""
    from scipy.special import stdtrit

    gap, error = figures["gap"], figures["gap_error"]
    beyond = -float(stdtrit(BATCHES - 1, false_alarm))
    far = gap - LOOSE * max(drawn, elements) > beyond * error
    if not far and not gap / elements - LOOSE > SURE * error / elements:
        return []
    each = "" if elements == 1 else " an element"
    message = (
        f"the ELBO is {gap / elements:.2g} ± {error / elements:.1g} nats{each} below a tighter bound"
        + (", more than 1 nat for each number that the guide draws" if far else "")
        + ": the guide is wider than the posterior; train longer or take a richer guide"
    )
    tell = IMPORTANCE.fault if far else IMPORTANCE.warning
    return [tell(message, gap=gap / elements, gap_error=error / elements)]


def _detail(figures: dict[str, float], elements: int) -> str:
    k = f"k̂ {figures['pareto_k']:.2f}" if "pareto_k" in figures else "k̂ has no tail to fit"
    if "share_above" in figures:
        k = (
            f"k̂ of {elements} elements: median {figures['pareto_k']:.2f}, at most {figures['pareto_k_max']:.2f}, "
            f"{figures['share_above']:.0%} above {figures['threshold']:.2f}"
        )
    return (
        f"{k}; ELBO {figures['elbo']:.4g} ± {figures['elbo_error']:.2g}, bound of {figures['bound_samples']:.0f} draws "
        f"{figures['gap']:.2g} ± {figures['gap_error']:.1g} nats above; {figures['effective_samples']:.0f} of "
        f"{figures['samples']:.0f} draws effective"
    )
