"""Is the gradient that trains a pair the gradient of its objective: against a second estimator, by a t-test."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from pyro.infer import Trace_ELBO, TraceGraph_ELBO

from pyrogen.testing.checks.gradient_estimators import Group, by_differences, by_scores, groups_of, stands
from pyrogen.testing.findings import Finding, Question, Result
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.reparametrized_draws import Coupled, draws_smoothly
from pyrogen.testing.running.significance import Sample, exceeds, settled
from pyrogen.testing.running.sites import is_discrete, latents, marked_for_enumeration

GRADIENT = Question("gradient", "the gradient is that of the objective")
MARGIN = 0.02  # of the gradient's size: less is rounding
_ROUNDING = 64  # units in the last place of the loss, of which a gradient that should be 0 may be off
_ROUNDS = (4, 12, 48, 192)  # runs in all after each round; a sound pair seldom needs the second
_NOISY_ROUNDS = (64, 256, 512)


class _Evidence:
    """What the runs say of one group of parameters, along its direction."""

    def __init__(self, group: Group, rounding: float, exact: bool) -> None:
        self.group, self.rounding, self.exact = group, rounding, exact
        self.difference, self.gradient, self.curvature = Sample(), Sample(), Sample()

    @property
    def size(self) -> float:
        """How large the gradient is, by itself or by the reference."""
        return self.gradient.root_mean_square

    @property
    def margin(self) -> float:
        """What is not a fault: rounding, and how much halving the step changes a finite difference."""
        return MARGIN * self.size + median(self.curvature or [0.0]) + self.rounding

    @property
    def apart(self) -> Sample:
        """How far single runs are apart."""
        return Sample(map(abs, self.difference))

    def wrong(self, rate: float) -> bool:
        single = self.exact and exceeds(self.apart, self.margin, rate)
        return single or exceeds(self.difference, self.margin, rate)

    @property
    def worst(self) -> tuple[int, float]:
        """The run in which the two are furthest apart, and by how much."""
        bias = max(self.difference, key=abs)
        return self.difference.index(bias) + 1, bias

    def finding(self) -> Finding:
        bias, error = self.difference.mean, self.difference.error
        return GRADIENT.fault(
            f"the gradient in {self.group.spoken} is {bias:+.3g} ± {error:.2g} off ({self.apart.mean:.3g} in one "
            f"run) at a size of {self.size:.3g}: look for detach, no_grad or rounding of a latent or a wrong rsample",
            self.group.names[0],
            bias=bias,
            standard_error=error,
            size=self.size,
        )


def gradient(tested: Tested, false_alarm: float) -> Result:
    r"""Return whether the gradient of the loss, as SVI takes it, is that of the loss's expectation.

    The parameters φ (unconstrained) fall into groups, each with a fixed direction v. The gradient g of back-propagation
    along it, g · v, is compared with a reference on the same random numbers:

    - Where every draw of the guide is a smooth function of its parameters and of noise, a central difference at equal
      noise: (L(φ + hv) − L(φ − hv)) / 2h, extrapolated from h and h/2. Gamma, Beta, Dirichlet and Student's t are
      smooth too, drawn by inversion. For an ELBO of Pyro the two must agree in each single run.
    - Else (von Mises, a mixture, a distribution of the user's own) the reference is the score-function estimator of the
      same ELBO, E_q[(log p − log q) ∇ log q + ∇ log p]. It uses no path through a draw.

    A fault is a mean difference that is beyond doubt greater than 2 % of the gradient and than what halving h changes,
    by Student's t at `false_alarm` / groups. Where single runs must agree, so is their mean distance. Runs are added
    until the answer is clear. Where it stays unclear to a fifth of the gradient's size, the result says so. If that
    holds for every group, the check is "skipped".
    """
    trace, loss = tested.guide_alone(), tested.elbo()
    if not (tested.evaluates or tested.loss is None):
        return GRADIENT.skipped(f"{type(tested.loss).__name__} has no value that its gradient descends")
    drawn = [site for _, site in latents(trace)]
    if any(is_discrete(site) and not marked_for_enumeration(site) for site in drawn):
        return GRADIENT.skipped("the guide draws discrete values: no second estimator is known")
    smooth = all(draws_smoothly(site["fn"]) or marked_for_enumeration(site) for site in drawn)
    if not smooth and not isinstance(loss, Trace_ELBO | TraceGraph_ELBO):
        return GRADIENT.skipped(f"no reference for {type(loss).__name__} with such a guide")
    if tested.is_number(loss) and all(gradient is None for _, gradient in tested.gradients(loss, 0)[1].values()):
        return GRADIENT.skipped("the loss returns a number, which has no gradient")
    unit = _ROUNDING * (1 + abs(tested.value(loss, 0)))
    exact = smooth and not tested.own_loss
    evidence = [_Evidence(group, unit * group.eps, exact) for group in groups_of(tested, loss)]
    if not evidence:
        return GRADIENT.skipped("there is no parameter to train")
    rate = false_alarm / len(evidence)
    if smooth:
        tested = replace(tested, guide=Coupled()(tested.guide))
    ways = (by_scores, _NOISY_ROUNDS, "the score-function estimator"), (by_differences, _ROUNDS, "finite differences")
    compare, rounds, way = ways[smooth]
    done = 0
    for runs in rounds:
        unclear = [one for one in evidence if not settled(one.difference, one.margin, rate)]
        if not unclear or any(one.wrong(rate) for one in evidence):
            break
        for run in range(done, runs):
            compared = compare(tested, loss, [one.group for one in unclear], run + 1)
            for one, (mine, reference, curvature) in zip(unclear, compared, strict=True):
                one.difference.append(mine - reference)
                one.gradient.append(max(abs(mine), abs(reference)) if smooth else abs(mine))
                one.curvature.append(curvature)
        done = runs
    wrong = [one for one in evidence if one.wrong(rate)]
    if smooth:
        wrong = [one for one in wrong if stands(tested, loss, one.group, *one.worst, one.margin)]
    findings = [one.finding() for one in wrong]
    unsure = [one for one in evidence if one not in wrong and one.difference.error + one.margin > 0.2 * one.size]
    if not findings and len(unsure) == len(evidence):
        return GRADIENT.skipped(f"too noisy to tell after {done} runs against {way}")
    told = [one for one in evidence if one not in unsure]
    worst = max(abs(one.difference.mean) / one.size if one.size else 0.0 for one in told)
    noisy = f", {len(unsure)} of them too noisy to tell" if unsure else ""
    detail = (
        f"against {way}, at most {100 * worst:.2g} % off, {done} runs, {len(evidence)} group(s) of parameters{noisy}"
    )
    detail += f"; false alarms {false_alarm:.0e}"
    return GRADIENT.answer(findings, detail, {"worst": worst, "runs": float(done)})
