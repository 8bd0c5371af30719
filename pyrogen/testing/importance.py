"""How much of the posterior a guide's draws can stand for: importance weights and Pareto-k̂."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from pyrogen.testing.findings import Finding, Level, Result
from pyrogen.testing.isolation import nothing_changed
from pyrogen.testing.pair import Tested
from pyrogen.testing.weights import NoWeights, log_weights

BATCHES = 20
MATTERS = 0.5  # with more effective draws than this share, a tail is noise: k̂ errs by 0.2 for S = 1000
QUESTION = "the guide's draws can be weighted to the posterior"
_TIED = 5  # draws of the largest weight: it is then the bound, and there is no tail


def importance(tested: Tested, samples: int = 1000, fitted: bool = True, false_alarm: float = 1e-6) -> list[Result]:
    r"""Pareto-k̂ of the importance weights w = p(x, z) / q(z), z ~ q, with the ELBO and the bound that they give.

    k̂ is the shape of the generalised Pareto distribution fitted to the largest weights by ArviZ's PSIS: 1/k moments of
    the weights exist. Up to min(1 − 1/log₁₀ S, 0.7) for S draws the weighted draws stand for the posterior (Vehtari et
    al. 2024, https://arxiv.org/abs/1507.02646; as a test of guides, Yao et al. 2018, https://arxiv.org/abs/1802.02538).
    k̂ sees only where the guide goes: a guide wider than the posterior, or on one of its two modes, has a small k̂.

    The weights leave out ``poutine.scale`` (β) and take whole plates; see `log_weights`. Where all sites share a plate
    (an amortised guide) each element has its own weights and its own k̂.

    Figures of the result: ``pareto_k`` (of the elements the median, with ``pareto_k_max`` and ``share_above``),
    ``threshold``; in nats, summed over elements, ``elbo``, ``bound`` (importance-weighted, of S/20 draws),
    ``gap`` = bound − ELBO, at most KL(q ‖ posterior) on average, each with its ``_error``; ``effective_samples`` of S.

    Args:
        tested: the pair.
        samples: S, at least 100.
        fitted: whether the guide has been trained; if not, the figures are shown without a verdict.
        false_alarm: how often a guide whose true k is the threshold may be called a fault. Between the threshold and
            that bound (1.5 for S = 1000: k̂ errs by about (1 + k)/√M from the M largest weights) it is a warning.
            Where more than half of the draws are effective it is neither: of equal weights k̂ is noise.

    Returns:
        One result; skipped where there are no weights, as for a guide of point masses.

    Raises:
        ValueError: for fewer than 100 samples.
    """
    if samples < 100:
        raise ValueError(f"a tail takes at least 100 draws to fit, and samples={samples}")
    with nothing_changed(tested.model, tested.guide):
        try:
            weights = log_weights(tested, samples)
        except NoWeights as reason:
            return [Result("importance", QUESTION, "skipped", f"no importance weights: {reason}")]
    if not np.isfinite(weights).all():
        return [_outside(weights, fitted)]
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
    if not fitted:
        return [Result("importance", QUESTION, "measured", f"{detail}; no verdict before training", figures)]
    findings = _findings(k[np.isfinite(k) & (effective < MATTERS * samples)], len(k), threshold, samples, false_alarm)
    if not findings:
        detail += "; k̂ sees only where the guide goes, not a mode that it misses"
    return [Result.of("importance", QUESTION, findings, detail, figures)]


def pareto_k(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """k̂ and the effective number of draws for each row of log weights (elements, samples).

    Weights whose largest value comes up again and again (an exact guide, a discrete one) are bounded: k̂ = 0. It is
    NaN where too few distinct weights are left for a tail.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ArviZ announces its next version when it is imported
        import arviz
    # differences below the rounding of the log densities are no tail
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


def fault_above(threshold: float, samples: int, false_alarm: float) -> float:
    """The k̂ that a true k at the threshold exceeds at this rate, by the normal error of a Pareto shape."""
    from scipy.stats import norm

    tail = math.ceil(min(samples / 5, 3 * math.sqrt(samples)))
    return threshold + float(norm.isf(false_alarm)) * (1 + threshold) / math.sqrt(tail)


def _findings(
    k: NDArray[np.float64], elements: int, threshold: float, samples: int, false_alarm: float
) -> list[Finding]:
    if not (k > threshold).any():
        return []
    bound = fault_above(threshold, samples, false_alarm / elements)
    level: Level = "fault" if (k > bound).any() else "warning"
    where = "" if elements == 1 else f" in {int((k > threshold).sum())} of {elements} elements, at most"
    message = (
        f"Pareto-k̂ is{where} {k.max():.2f}, above {threshold:.2f} (beyond doubt from {bound:.2f}): the guide is "
        "narrower than the posterior or beside it; train longer or take a richer or wider guide"
    )
    return [Finding("importance", message, level=level, figures={"pareto_k": float(k.max()), "threshold": threshold})]


def _outside(weights: NDArray[np.float64], fitted: bool) -> Result:
    share = float((~np.isfinite(weights)).mean())
    detail = f"{share:.1%} of the guide's draws have weight 0 or none: the model cannot have drawn them"
    if not fitted:
        return Result("importance", QUESTION, "measured", detail, {"share_without_weight": share})
    finding = Finding("importance", f"{detail}; give the guide the model's support", figures={"share": share})
    return Result.of("importance", QUESTION, [finding], detail, {"share_without_weight": share})


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
