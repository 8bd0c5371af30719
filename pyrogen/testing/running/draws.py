"""Draws from a guide, and whether their means and standard deviations are those of a posterior."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pyro.poutine.runtime import Message

from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import is_auxiliary, latents

Array = NDArray[np.float64]


def guide_draws(tested: Tested, number: int, start: int = 0) -> dict[str, Array]:
    """That many independent draws of each latent of the guide, by site: (number, *shape of the site).

    Where no site's distribution changes from run to run, the sites are independent and are drawn at one go; else the
    guide runs `number` times, from run `start` on. Call it inside `whole_plates` for all of a subsampled plate.
    """
    with torch.no_grad():
        first = own_latents(tested, start)
        if fixed_distributions(tested, first, start):
            return {name: _array(site["fn"].sample((number,))) for name, site in first.items()}
        rows: dict[str, list[Array]] = {name: [] for name in first}
        for run in range(start, start + number):
            for name, site in own_latents(tested, run).items():
                rows[name].append(_array(site["value"]))
    return {name: np.stack(values) for name, values in rows.items()}


def own_latents(tested: Tested, run: int) -> dict[str, Message]:
    """Return the latents of a run of the guide that the model has too."""
    return {name: site for name, site in latents(tested.guide_alone(run)) if not is_auxiliary(site)}


def fixed_distributions(tested: Tested, first: Mapping[str, Message], start: int = 0) -> bool:
    """Return whether no latent of the guide depends on another: three runs have the same distributions."""
    for again in (own_latents(tested, start + 1), own_latents(tested, start + 2)):
        if list(again) != list(first):
            return False
        for name, site in first.items():
            for value in (site["value"], again[name]["value"]):
                ours, theirs = site["fn"].log_prob(value), again[name]["fn"].log_prob(value)
                if ours.shape != theirs.shape or not torch.equal(ours, theirs):
                    return False
    return True


def _array(value: torch.Tensor) -> Array:
    array: Array = value.detach().cpu().double().numpy()
    return array


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of each element of a site with the standard error of both; arrays of its shape."""

    mean: Array
    sd: Array
    mean_error: Array
    sd_error: Array

    @classmethod
    def of_draws(cls, draws: Array) -> Moments:
        """From independent draws (n, *shape); the error of the sd takes the fourth moment into account."""
        n, mean, sd = len(draws), draws.mean(0), draws.std(0, ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            kurtosis = np.nan_to_num(((draws - mean) ** 4).mean(0) / sd**4, nan=3.0)
        return cls(mean, sd, sd / math.sqrt(n), sd * np.sqrt(np.maximum(kurtosis - 1, 0.5) / (4 * n)))

    @classmethod
    def exact(cls, mean: Array, sd: Array) -> Moments:
        """Known ones."""
        return cls(mean, sd, np.zeros_like(mean), np.zeros_like(sd))


@dataclass(frozen=True)
class Difference:
    """How far a guide's moments are from a posterior's, element by element of a site, with standard errors."""

    shift: Array  # (mean of the guide − mean of the posterior) / sd of the posterior
    shift_error: Array
    log_ratio: Array  # log (sd of the guide / sd of the posterior)
    log_ratio_error: Array

    @classmethod
    def between(cls, guide: Moments, posterior: Moments) -> Difference:
        """Of two sets of moments."""
        sd = np.maximum(posterior.sd, np.finfo(float).tiny)
        own = np.maximum(guide.sd, np.finfo(float).tiny)
        return cls(
            (guide.mean - posterior.mean) / sd,
            np.hypot(guide.mean_error, posterior.mean_error) / sd,
            np.log(own / sd),
            np.hypot(guide.sd_error / own, posterior.sd_error / sd),
        )

    @property
    def largest(self) -> tuple[float, float]:
        """The shift and the ratio of the elements in which they are largest."""
        shift, log_ratio = (float(part.flat[np.argmax(np.abs(part))]) for part in (self.shift, self.log_ratio))
        return shift, math.exp(log_ratio)

    def beyond(self, margin: float, rate: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which elements exceed the margin beyond doubt, in mean and in sd; `rate` is for each single test."""
        from scipy.stats import norm

        z = float(norm.isf(rate))
        return (
            np.abs(self.shift) - margin > z * self.shift_error,
            np.abs(self.log_ratio) - margin > z * self.log_ratio_error,
        )

    def words(self, shifted: NDArray[np.bool_], stretched: NDArray[np.bool_]) -> tuple[str, dict[str, float]]:
        """Return what is wrong with the worst of these elements, in words and numbers."""
        said, figures = [], {}
        if shifted.any():
            i = np.unravel_index(np.argmax(np.abs(self.shift) * shifted), shifted.shape)
            figures["shift"] = float(self.shift[i])
            said.append(f"mean is {self.shift[i]:+.2f} ± {self.shift_error[i]:.2f} posterior sds off{_at(i)}")
        if stretched.any():
            i = np.unravel_index(np.argmax(np.abs(self.log_ratio) * stretched), stretched.shape)
            figures["sd_ratio"] = math.exp(self.log_ratio[i])
            error = figures["sd_ratio"] * self.log_ratio_error[i]
            said.append(f"sd is {figures['sd_ratio']:.2f} ± {error:.2g} times the posterior's{_at(i)}")
        return " and its ".join(said), figures


def _at(index: tuple[np.intp, ...]) -> str:
    return f" at {tuple(int(i) for i in index)}" if index else ""
