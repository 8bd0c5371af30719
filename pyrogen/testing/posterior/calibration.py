"""Simulation-based calibration: the rank of the truth among a guide's draws, over data made by the model itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyrogen import checks
from pyrogen.progress import progress_bar
from pyrogen.testing.findings import Finding, Report, Result
from pyrogen.testing.posterior.simulation import from_prior, refit
from pyrogen.testing.running.draws import guide_draws, own_latents
from pyrogen.testing.running.errors import blaming
from pyrogen.testing.running.isolation import nothing_changed
from pyrogen.testing.running.programs import Tested, both_programs, whole_plates
from pyrogen.testing.running.weights import ROUNDING, common_plates, log_joints

JOINT = "log joint"  # the column of log p(x, z)
POINTS = 20  # of the distribution function at which it is tested
Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Calibration(Report):
    """The ranks of simulation-based calibration, and a report of what they say.

    Attributes:
        results: a result for each of `ranks`.
        ranks: by site, how many of the guide's draws lie below the truth, 0 to `draws`: ``(simulations, *shape)``; in
            ``"log joint"`` how many have a lower log p(x, z).
        draws: the guide's draws in each simulation.
        false_alarm: how often a guide within the tolerance is called a fault, over all sites and elements.
    """

    ranks: Mapping[str, Ranks]
    draws: int
    false_alarm: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return super().to_dict() | {
            "draws": self.draws,
            "false_alarm": self.false_alarm,
            "ranks": {name: ranks.tolist() for name, ranks in self.ranks.items()},
        }

    def __repr__(self) -> str:
        return f"Calibration of {', '.join(self.ranks)}: {'ok' if self.ok else 'not ok'}"


def calibrate(
    model: Any,
    guide: Callable[..., Any] | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    simulations: int = 200,
    num_samples: int = 99,
    train: int | Callable[..., Any] | None = None,
    lr: float = 0.02,
    simulate: Callable[[], tuple[Any, ...]] | None = None,
    loss: Any = None,
    seed: int = 0,
    progress: bool = True,
    false_alarm: float = 1e-6,
    tolerance: float = 0.03,
) -> Calibration:
    r"""Return the simulation-based calibration of a guide (Talts et al. 2018, https://arxiv.org/abs/1804.06788).

    Each simulation draws z* ~ p(z) and x* ~ p(x | z*) and fits the guide to x*. It then takes the rank r of z* among L
    draws of the guide: r = #{z₁ … z_L < z*}, ties at random. If the guide is the posterior, r is uniform on 0 … L. A
    guide too narrow piles ranks up at both ends, one too wide in the middle, a biased one at one end.

    The ranks of latents alone cannot see a guide that returns the prior: over data made by the model the truth has the
    prior's distribution too. So log p(x, z) is ranked as well (Modrák et al. 2023, https://arxiv.org/abs/2211.02383),
    as ``"log joint"``, without ``poutine.scale`` and at other draws of the guide, wherever the guide draws all latents
    of the model and `simulate` returns them. Where it is missing from `ranks`, that blind spot remains.

    Each element of each latent is tested: at 20 points of its distribution function the count of ranks below is
    binomial, exactly; the tests share `false_alarm` equally. Elements of a plate that holds all sites are independent
    and are taken together. ``pg.plots.ranks`` draws the result. Parameters of the model stay as they are, and nothing
    that the call does remains.

    Args:
        model, guide, args, kwargs: the pair, and arguments like those that it is meant for. Their tensors that are
            what the model observes (the same tensor, a view of it, or an equal one) are replaced by simulations.
        simulations: how many data sets. At a rate of 1e-6 and for one latent, a guide 0.5 posterior sds off is found
            with probability 0.35 by 200 and 0.95 by 400. A guide 0.6 times as wide as the posterior is found with
            probability 0.5 by 200. Fewer than 60 find only gross misfits.
        num_samples: L, how many draws of the guide the truth is ranked among.
        train: how the guide is fitted to each data set, always from the parameters at which it stands now: None for
            an amortized guide, which needs none; a number of Adam steps on the guide's parameters; or a callable
            ``train(model, guide, args, kwargs)``.
        lr: of Adam; it falls to 0 in a straight line over the second half of the steps.
        simulate: a callable without arguments that returns ``(latents by site, args)`` or ``(…, args, kwargs)``
            drawn by torch's generator, for models whose data cannot be put back.
        loss: the ELBO for `train` steps; None chooses by the sites.
        seed: of everything random.
        progress: show a bar.
        false_alarm: see above.
        tolerance: m, how far the distribution function F of the ranks may be from uniform: m in the middle, falling to
            both ends as 2 m √(F (1 − F)). A guide 0.08 posterior sds off stands at 0.03.

    Raises:
        TypeError: for a setting of another kind than those above.
        ValueError: where the data cannot be put back, or model and guide share no latent.

    Example:
        >>> import pyrogen as pg
        >>> from pyrogen.testing.posterior.calibration import calibrate
        >>> g = pg.models.GammaExponential(theta=4.0)
        >>> def train(model, guide, args, kwargs):
        ...     g.theta = args[0].sum() + 1  # the exact posterior of one observation
        >>> result = calibrate(g.model, g.guide, (torch.tensor([3.0]),), train=train, simulations=50, progress=False)
        >>> result.ok, result.ranks["z"].shape
        (True, (50,))
    """
    simulations = checks.whole("simulations", simulations, 10, checks.LARGEST_COUNT)
    num_samples = checks.whole("num_samples", num_samples, 9, checks.LARGEST_COUNT)
    seed, lr = checks.seed("seed", seed), checks.real("lr", lr, above=0)
    false_alarm = checks.probability("false_alarm", false_alarm, open=True)
    tolerance = checks.real("tolerance", tolerance, least=0, below=0.5)
    train = _checked_callables(train, simulate)
    model, guide = both_programs(model, guide)
    tested = Tested(model, guide, args, {} if kwargs is None else kwargs, loss, seed)
    rows: dict[str, list[Ranks]] = {}
    with nothing_changed(model, guide):
        with whole_plates(), torch.no_grad():
            with blaming("the guide"):
                own = own_latents(tested, 0)
            with blaming("the model"):
                trace, elbo = tested.model_alone(), tested.elbo() if isinstance(train, int) else None
            plates = common_plates(trace, tested.guide_alone())
            pooled = {name: _dims(site, plates) for name, site in own.items()}
        for run in progress_bar(range(simulations), desc="SBC", leave=False, shown=progress):
            with nothing_changed(model, guide):
                tested.start(3 * run)
                with whole_plates(), torch.no_grad():
                    truth, new_args, new_kwargs = from_prior(tested) if simulate is None else _simulated(simulate)
                    names = [name for name in own if name in truth]
                    if not names:
                        mine, theirs = (", ".join(one) or "none" for one in (own, truth))
                        raise ValueError(f"the truth must have a latent of the guide, which has {mine}, got {theirs}")
                again = replace(tested, args=new_args, kwargs=new_kwargs)
                if callable(train):
                    with blaming("train"):
                        train(model, guide, new_args, new_kwargs)
                elif train is not None:
                    refit(again, elbo, train, lr, 3 * run + 1)
                with whole_plates(), blaming("the guide, on simulated data,"):
                    drawn = guide_draws(again, num_samples, start=(run + 1) * 100_003)
                    joint = log_joints(again, truth, num_samples, run)
                generator = np.random.default_rng([seed, run])
                for name in names:
                    rows.setdefault(name, []).append(_rank(truth[name], drawn[name], name, generator))
                if joint is not None:
                    rows.setdefault(JOINT, []).append(_rank(*joint, JOINT, generator, ROUNDING))
    if len(rows.get(JOINT, [])) < simulations:
        rows.pop(JOINT, None)
    else:
        pooled[JOINT] = tuple(range(rows[JOINT][0].ndim))
    ranks = {name: np.stack(values) for name, values in rows.items()}
    results = _results(ranks, pooled, num_samples, false_alarm, tolerance)
    return Calibration(tuple(results), ranks, num_samples, false_alarm)


def _checked_callables(train: Any, simulate: Any) -> Any:
    if train is not None and not callable(train):
        try:
            train = checks.whole("train", train, 1, checks.LARGEST_COUNT)
        except TypeError:
            raise TypeError(f"train must be None, a number of steps or a callable, got {checks.shown(train)}") from None
    if simulate is not None and not callable(simulate):
        raise TypeError(
            f"simulate must be None or a callable that returns (latents by site, args), got {checks.shown(simulate)}"
        )
    return train


def _dims(site: Any, plates: frozenset[str]) -> tuple[int, ...]:
    """Return the axes of the site's value that belong to these plates, counted from the left."""
    batch = len(site["fn"].batch_shape)
    return tuple(batch + frame.dim for frame in site["cond_indep_stack"] if frame.name in plates)


def _simulated(simulate: Callable[[], Any]) -> tuple[dict[str, torch.Tensor], tuple[Any, ...], dict[str, Any]]:
    with blaming("simulate"):
        given = simulate()
    kinds = Mapping, tuple | list, Mapping
    if not isinstance(given, tuple) or len(given) not in (2, 3) or not all(map(isinstance, given, kinds)):
        raise ValueError(
            "simulate must return (latents by site, args) or (latents by site, args, kwargs), got "
            f"{checks.shown(given)}"
        )
    return dict(given[0]), tuple(given[1]), dict(given[2]) if len(given) == 3 else {}


def _rank(
    truth: Any, drawn: NDArray[np.float64], name: str, generator: np.random.Generator, rounding: float = 0.0
) -> Ranks:
    value = checks.array(f"the truth of {name!r}", truth).astype(np.float64)
    if value.shape != drawn.shape[1:]:
        raise ValueError(f"the truth of {name!r} must have the guide's shape {drawn.shape[1:]}, got {value.shape}")
    same = drawn == value
    if rounding:
        with np.errstate(invalid="ignore"):  # −∞ − (−∞)
            same |= np.abs(drawn - value) <= rounding * np.maximum(1.0, np.abs(value))
    below, ties = ((drawn < value) & ~same).sum(0), same.sum(0)
    ranks: Ranks = np.asarray(below + generator.integers(0, ties + 1), dtype=np.int64)
    return ranks


def uniformity(ranks: Ranks, draws: int, margin: float = 0.0) -> float:
    """Return a p-value for ranks (n,) uniform on 0 … draws, exact in that it is never too small.

    At each of up to 20 points the number of ranks at or below is binomial; the least of the two-sided p-values is
    multiplied by the number of points. With a margin m, the distribution function F may be 2 m √(F (1 − F)) off.
    """
    from scipy.stats import binom

    cuts = np.unique(np.linspace(0, draws - 1, POINTS).round().astype(int))
    uniform = (cuts + 1) / (draws + 1)
    counts = np.searchsorted(np.sort(ranks), cuts, side="right")
    granted = 2 * margin * np.sqrt(uniform * (1 - uniform))
    low = binom.cdf(counts, len(ranks), np.clip(uniform - granted, 0, 1))
    high = binom.sf(counts - 1, len(ranks), np.clip(uniform + granted, 0, 1))
    return float(min(1.0, 2 * len(cuts) * min(low.min(), high.min())))


def _results(
    ranks: Mapping[str, Ranks], pooled: Mapping[str, tuple[int, ...]], draws: int, false_alarm: float, margin: float
) -> list[Result]:
    columns = {name: _columns(value, pooled.get(name, ())) for name, value in ranks.items()}
    rate = false_alarm / sum(len(value) for value in columns.values())
    results = []
    for name, rows in columns.items():
        p = np.array([uniformity(row, draws, margin) for row in rows])
        worst = int(p.argmin())
        scaled = (rows[worst] + 0.5) / (draws + 1)
        shift, spread = float(scaled.mean() - 0.5), float(scaled.std() * np.sqrt(12))
        figures = {"p": float(p[worst]), "mean_rank": shift + 0.5, "spread": spread, "false_alarm": false_alarm}
        findings = []
        if p[worst] < rate:
            count = "" if len(p) == 1 else f" in {int((p < rate).sum())} of {len(p)} elements"
            words = _words_of_joint(scaled) if name == JOINT else _words(scaled)
            message = f"the ranks of {name!r} are not uniform{count} (p = {p[worst]:.1g}): the guide {words}"
            findings = [Finding("calibration", message, name, figures=figures)]
        detail = (
            f"{len(rows)} × {rows.shape[1]} ranks, least p {p[worst]:.2g}; mean {shift + 0.5:.3f} (½ if calibrated), "
            f"sd {spread:.2f} of a uniform's; {false_alarm:.0e} false alarms a call"
        )
        results.append(Result.of("calibration", f"{name!r}: the truth's rank is uniform", findings, detail, figures))
    return results


def _columns(ranks: Ranks, pooled: tuple[int, ...]) -> Ranks:
    """(elements, ranks), the axes of independent elements taken together with the simulations."""
    moved = np.moveaxis(ranks, [axis + 1 for axis in pooled], range(1, len(pooled) + 1))
    taken = int(np.prod(moved.shape[: len(pooled) + 1]))
    return moved.reshape(taken, -1).T


def _words(scaled: NDArray[np.float64]) -> str:
    shift, spread = scaled.mean() - 0.5, scaled.std() * np.sqrt(12)
    said = []
    if abs(shift) > 0.05:
        said.append("lies too low (the truth ranks high)" if shift > 0 else "lies too high (the truth ranks low)")
    if spread > 1.07:
        said.append("is too narrow (ranks pile up at both ends)")
    elif spread < 0.93 and not said:  # ranks piled up at one end are close together too
        said.append("is too wide (ranks in the middle)")
    return " and ".join(said) or "has another shape than the posterior"


def _words_of_joint(scaled: NDArray[np.float64]) -> str:
    shift = scaled.mean() - 0.5
    if shift > 0.05:
        return "draws what is less probable than the truth: it is too wide or does not follow the data"
    return "draws what is more probable than the truth: it is too narrow" if shift < -0.05 else _words(scaled)
