"""A guide beside NUTS: are their means and standard deviations the same, latent by latent."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pyro.infer import MCMC, NUTS
from pyro.infer.autoguide import init_to_sample

from pyrogen import checks
from pyrogen.progress import progress_bar
from pyrogen.testing.findings import Finding, Level, Report, Result
from pyrogen.testing.running.draws import Array, Difference, Moments, guide_draws, own_latents
from pyrogen.testing.running.errors import blaming
from pyrogen.testing.running.isolation import nothing_changed
from pyrogen.testing.running.programs import Tested, both_programs, whole_plates
from pyrogen.testing.running.sites import is_discrete, latents
from pyrogen.testing.running.weights import unscaled

R_HAT = 1.05
EFFECTIVE = 100
DIVERGENT = 0.02


def against_nuts(
    model: Any,
    guide: Callable[..., Any] | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    num_samples: int = 1000,
    warmup: int = 500,
    chains: int = 1,
    seed: int = 0,
    progress: bool = True,
    false_alarm: float = 1e-6,
    tolerance: float = 0.3,
) -> Report:
    r"""Compare a fitted guide's draws with those of NUTS on the model, for problems of at most a few hundred latents.

    For each element of each latent, with m and s the mean and standard deviation over draws,

        shift = (m_guide − m_NUTS) / s_NUTS   and   log ratio = log(s_guide / s_NUTS),

    each tested to be beyond ± `tolerance` by more than its standard error explains: from the effective number of NUTS
    draws (ArviZ's ``mcse``; Vehtari et al. 2021, https://arxiv.org/abs/1903.08008) and of independent guide draws.
    The rate of each test is `false_alarm` over their number (Bonferroni). ``poutine.scale`` is left out on NUTS's side,
    so a guide trained with a β has another target, and plates take all indices. Parameters of the model stay as they
    are. Discrete latents that can be enumerated are summed out by NUTS, and are not compared.

    Args:
        model, guide, args, kwargs: the pair and the arguments of both.
        num_samples: draws of each chain after warm-up; twice as many in all are drawn from the guide.
        warmup: steps in which NUTS adapts, for each chain.
        chains: how many, one after the other; R̂ of one chain compares its two halves.
        seed: of all draws.
        progress: show a bar.
        false_alarm: how often this call may find a fault in a guide that is within the tolerance.
        tolerance: what a guide of another family than the posterior is granted: 0.3 posterior standard deviations for
            the mean, a factor e^0.3 = 1.35 either way for the standard deviation. A mean-field guide of two latents
            with correlation 0.67 stands at that bound.

    Returns:
        A report of two questions. ``"nuts"`` says whether NUTS itself converged: R̂ at most 1.05, 100 effective draws,
        at most 2 % divergent; else it is a warning. ``"against_nuts"`` has the worst shift and ratio of each site as
        figures. Where the first is a warning the second is ``"unjudged"``, so that the report is not ok; what it finds
        then is a warning.

    Raises:
        TypeError: for a setting that is not a number.
        ValueError: where model and guide have no continuous latent in common, or the model has a discrete one that
            cannot be enumerated.
    """
    num_samples = checks.whole("num_samples", num_samples, 100, checks.LARGEST_COUNT)
    warmup = checks.whole("warmup", warmup, 1, checks.LARGEST_COUNT)
    chains, seed = checks.whole("chains", chains, 1, checks.LARGEST_COUNT), checks.seed("seed", seed)
    false_alarm = checks.probability("false_alarm", false_alarm, open=True)
    tolerance = checks.real("tolerance", tolerance, least=0, most=100)
    model, guide = both_programs(model, guide)
    tested = Tested(model, guide, args, {} if kwargs is None else kwargs, None, seed)
    with nothing_changed(model, guide), whole_plates():
        names = _compared(tested)
        with progress_bar(total=chains * (num_samples + warmup), desc="NUTS", leave=False, shown=progress) as bar:
            chain, divergent = _nuts(tested, num_samples, warmup, chains, bar)
        with blaming("the guide"):
            own = guide_draws(tested, 2 * num_samples * chains)
    sampler = {name: _diagnosed(chain[name]) for name in names}
    first = _sampler_result(sampler, divergent, num_samples * chains)
    level: Level = "fault" if first.outcome == "passed" else "warning"
    tests = 4 * sum(own[name][0].size for name in names)  # two questions, two sides
    findings, figures = [], {"false_alarm": false_alarm, "tolerance": tolerance}
    for name in names:
        moments = sampler[name][0]
        difference = Difference.between(Moments.of_draws(own[name]), moments)
        figures[f"{name} shift"], figures[f"{name} sd ratio"] = difference.largest
        shifted, stretched = difference.beyond(tolerance, false_alarm / tests)
        if shifted.any() or stretched.any():
            words, numbers = difference.words(shifted, stretched)
            findings.append(Finding("against_nuts", f"the guide's {words}, by NUTS ({name!r})", name, level, numbers))
    detail = f"{tests // 4} elements, {num_samples * chains} draws of NUTS; {false_alarm:.0e} false alarms a call"
    question = f"means within {tolerance:g} sds of NUTS's, sds within a factor {np.exp(tolerance):.2f}"
    if first.outcome != "passed":
        detail = f"NUTS cannot be relied on here; {detail}"
        return Report((first, Result("against_nuts", question, "unjudged", detail, figures, tuple(findings))))
    return Report((first, Result.of("against_nuts", question, findings, detail, figures)))


def _compared(tested: Tested) -> list[str]:
    with blaming("the model"):
        ours = dict(latents(tested.model_alone()))
    with blaming("the guide"):
        theirs = own_latents(tested, 0)
    for name, site in ours.items():
        if is_discrete(site) and not site["fn"].has_enumerate_support:
            raise ValueError(f"latents must be continuous, or discrete and enumerable, for NUTS, got {name!r}")
    names = [name for name, site in theirs.items() if name in ours and not is_discrete(ours[name])]
    if not names:
        mine, others = (", ".join(one) or "none" for one in (ours, theirs))
        raise ValueError(f"guide must draw a continuous latent of the model, which has {mine}, got {others}")
    for name in names:
        a, b = (tuple(side[name]["value"].shape) for side in (ours, theirs))
        if a != b:
            raise ValueError(f"{name!r} must have the same shape in model and guide, got {a} and {b}")
    return names


def _nuts(tested: Tested, samples: int, warmup: int, chains: int, bar: Any) -> tuple[dict[str, Array], int]:
    """Draw by site, (chains, samples, *shape), and how many were divergent; one process, so closures may be models."""
    drawn: list[dict[str, Array]] = []
    divergent = 0
    for number in range(chains):
        tested.start(10_000_019 + number)
        with unscaled():
            mcmc = MCMC(
                NUTS(tested.model, init_strategy=init_to_sample),
                num_samples=samples,
                warmup_steps=warmup,
                disable_progbar=True,
                hook_fn=lambda *_: bar.update(),
            )
            with blaming("NUTS"):
                mcmc.run(*tested.args, **tested.kwargs)
            drawn.append({name: value.cpu().double().numpy() for name, value in mcmc.get_samples().items()})
            divergent += sum(len(rows) for rows in mcmc.diagnostics()["divergences"].values())
    return {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}, divergent


def _diagnosed(draws: Array) -> tuple[Moments, float, float]:
    """Moments with Monte Carlo errors, the largest R̂ and the least effective number of (chains, samples, *shape)."""
    with warnings.catch_warnings(action="ignore"):  # ArviZ announces its next version when it is imported
        import arviz
    data = arviz.convert_to_dataset({"z": draws})
    flat = draws.reshape(-1, *draws.shape[2:])
    errors = {method: np.asarray(arviz.mcse(data, method=method)["z"]) for method in ("mean", "sd")}
    effective = min(float(arviz.ess(data, method=method)["z"].min()) for method in ("bulk", "sd"))
    moments = Moments(flat.mean(0), flat.std(0, ddof=1), errors["mean"], errors["sd"])
    halves = draws if len(draws) > 1 else np.stack(np.split(draws[0][: draws.shape[1] // 2 * 2], 2))
    return moments, float(arviz.rhat(arviz.convert_to_dataset({"z": halves}))["z"].max()), effective


def _sampler_result(sampler: Mapping[str, tuple[Moments, float, float]], divergent: int, total: int) -> Result:
    r_hat = max(one[1] for one in sampler.values())
    effective = min(one[2] for one in sampler.values())
    figures = {"r_hat": r_hat, "effective_samples": effective, "divergent": float(divergent)}
    detail = f"R̂ at most {r_hat:.3f}, {effective:.0f} effective draws, {divergent} of {total} divergent"
    unconverged = not (r_hat <= R_HAT and divergent <= DIVERGENT * total)
    message = ""
    if unconverged or not effective > 0:
        advice = "take more samples and warm-up, or write the model in a non-centered way"
        message = f"NUTS has not converged, so it cannot judge the guide ({detail}): {advice}"
    elif effective < EFFECTIVE:
        message = f"only {effective:.0f} effective draws, {EFFECTIVE} are needed: take more samples"
    findings = [Finding("nuts", message, level="warning", figures=figures)] if message else []
    return Result.of("nuts", "NUTS itself converged", findings, detail, figures)
