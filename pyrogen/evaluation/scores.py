"""What `evaluate` measures, in one object that knows its units and standard errors."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from html import escape
from typing import TYPE_CHECKING, Any

from pyrogen.files import write_atomically

if TYPE_CHECKING:
    import arviz
    import pandas

    from pyrogen.evaluation.draws import Draws

TERMS = ("elbo", "reconstruction", "kl", "objective", "nll")


@dataclass(frozen=True)
class Scores(Mapping[str, float]):
    """Held-out scores of a pair, nats per image (of `Programs`: for all data); also a mapping from names to numbers.

    A pair whose guide is a point in a continuous space, at any latent, has no bound: its elbo, kl, nll and active_units
    are None.

    Attributes:
        elbo: the ELBO at β = 1, −(reconstruction + kl); at most log p(x) in expectation.
        reconstruction: −E_q log p(x | z); for a Bernoulli likelihood the cross-entropy summed over pixels.
        kl: KL(q(z | x) ‖ p(z)).
        objective: what training minimizes: reconstruction + β kl and whatever else the pair weighs.
        nll: the importance-weighted estimate of −log p(x).
        standard_errors: of each of these, over images, or of `Programs` over draws.
        beta: the pair's β.
        kl_per_latent: KL of each latent, (L,), or None where it does not split.
        active_units: latents whose posterior mean varies over the images by more than 0.01 (Burda et al. 2016), where
            the posterior factorizes over latents.
        images: how many images the ELBO's terms are averaged over.
        nll_images: how many the nll is averaged over.
        importance_samples: K of the nll.
        metrics: the values of the metrics by name, each with its estimator where it has one.
        extra: means of what the pair charges its guide (nats), of the penalty −log p(z) of a point, and of the numbers
            that it watches. They are of all images together where `estimators` has them, else means over batches.
        estimators: of the numbers in `extra` that depend on all images together, such as a total correlation or a
            perplexity: the estimator, how many images it used, and how many draws.
        latent: the number of latents, of all layers together.
        sites: of each site its term (reconstruction or kl) with its standard error, and of a latent its KL by
            dimension and its active units.
        pareto_k: the shape of the importance weights' tails over the images (`pyrogen.evaluation.pareto_k`): its
            median, and the share of images above 0.7, whose nll is not to be trusted. None below 25 samples.
        unit: of the terms: nats per image, or of `Programs` nats for all data together.
        draws: the draws of the nll, for `to_arviz`.
        codes: what the metrics and active units were computed on: posterior means, or means of draws.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> vae = pg.models.VAE(pg.nn.MLPEncoder((8, 8), latent=2), pg.nn.MLPDecoder((8, 8), latent=2))
        >>> scores = pg.evaluate(vae, torch.bernoulli(torch.full((100, 8, 8), 0.3)))
        >>> list(scores), scores["kl"] == scores.kl
        (['elbo', 'reconstruction', 'kl', 'objective', 'nll'], True)
    """

    elbo: float | None
    reconstruction: float
    kl: float | None
    objective: float
    nll: float | None
    standard_errors: dict[str, float]
    beta: float
    kl_per_latent: list[float] | None
    active_units: int | None
    images: int
    nll_images: int
    importance_samples: int
    metrics: dict[str, float] = field(default_factory=dict)
    extra: dict[str, float] = field(default_factory=dict)
    estimators: dict[str, dict[str, Any]] = field(default_factory=dict)
    latent: int = 0
    sites: dict[str, dict[str, Any]] = field(default_factory=dict)
    pareto_k: dict[str, float] | None = None
    codes: str = "posterior means"
    unit: str = "nats per image"
    draws: Draws | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> float:
        values = self._values()
        if name not in values:
            raise KeyError(f"the scores have no {name!r}: they have {', '.join(values)}")
        return values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def _values(self) -> dict[str, float]:
        """Return the numbers by name: the terms that there are, those of each site where there are several, the
        others."""
        values = {name: getattr(self, name) for name in TERMS if getattr(self, name) is not None}
        kls = {f"kl_{name}": site["kl"] for name, site in self.sites.items() if "kl" in site}
        return values | (kls if len(kls) > 1 else {}) | self.extra | self.metrics

    def _estimated(self, name: str) -> str:
        """Return by which estimator a number was found, as `print` says it."""
        if name not in self.estimators:
            return ""
        estimator, *sizes = self._how(name)
        return f" by the {estimator} estimator ({', '.join(sizes)})"

    def _how(self, name: str) -> list[str]:
        how = self.estimators.get(name, {})
        return [str(how[k]) if k == "estimator" else f"{how[k]} {k}" for k in how]

    def _errors(self) -> dict[str, float]:
        return self.standard_errors | {f"kl_{n}": site["standard_error"] for n, site in self.sites.items()}

    def to_dataframe(self) -> pandas.DataFrame:
        """Return a pandas table: a row a number, with columns ``value`` and ``standard_error`` (NaN where unknown)."""
        import pandas

        errors, values = self._errors(), self._values()
        columns = {"value": map(float, values.values()), "standard_error": (errors.get(n, math.nan) for n in values)}
        return pandas.DataFrame({name: list(column) for name, column in columns.items()}, index=list(values))

    def to_arviz(self) -> arviz.InferenceData:
        """Return the draws of the nll as ArviZ's ``InferenceData``: posterior, log likelihood and sample stats.

        The posterior holds K draws of the guide, so ``az.summary`` and plots show the guide's posterior. The log
        likelihood holds log p(x | z) of each datum at each draw, for ``az.loo`` and ``az.waic``. The sample stats hold
        ``log_weight``, log p(x, z) − log q(z | x).

        Returns:
            One chain of K draws.

        Raises:
            ValueError: without draws, as of a guide that is a point, or where each draw is of another part of the data.
        """
        if self.draws is None:
            raise ValueError("the scores have no draws: a guide that is a point in a continuous space has none")
        return self.draws.to_arviz()

    def _repr_html_(self) -> str:
        errors = self._errors()
        rows = ""
        for name, value in self._values().items():
            error = f"{errors[name]:.3f}" if math.isfinite(errors.get(name, math.inf)) else ""
            how = escape(", ".join(self._how(name)))
            rows += f"<tr><td>{escape(name)}</td><td>{value:.3f}</td><td>{error}</td><td>{how}</td></tr>"
        head = "<tr><th>score</th><th>value</th><th>standard error</th><th>estimator</th></tr>"
        return f"<table>{head}{rows}</table><p>Terms in {self.unit}, over {self.images} rows of data.</p>"

    @property
    def bits(self) -> float | None:
        """The KL in bits per image, the rate that a code costs under the prior; None without a KL."""
        return None if self.kl is None else self.kl / math.log(2)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-ready values; a metric that knows its estimator is written with it.

        What is not finite, such as the standard error of one image, is None, because JSON has no number for it.
        """
        metrics = {name: m.to_dict() if hasattr(m, "to_dict") else float(m) for name, m in self.metrics.items()}
        fields = {f.name: getattr(self, f.name) for f in dataclass_fields(self) if f.name != "draws"}
        content: dict[str, Any] = _finite(fields | {"metrics": metrics})
        return content

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """`to_dict` as JSON text, also written to `path` if one is given."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        if path is not None:
            write_atomically(path, text.encode())
        return text

    def __str__(self) -> str:
        lines = [
            f"{name:<15}{getattr(self, name):10.3f}{_plus_minus(self.standard_errors[name])} {self.unit}"
            for name in TERMS
            if getattr(self, name) is not None
        ]
        if self.elbo is None:
            lines.append("no ELBO, KL or NLL: the guide is a point in a continuous space, which has no density")
        if self.active_units is not None:
            lines.append(f"{'active units':<15}{self.active_units:10d} of {self.latent}")
        kls = [(name, site["kl"]) for name, site in self.sites.items() if "kl" in site]
        lines += [f"{'kl of ' + name:<15}{kl:10.3f}" for name, kl in kls] if len(kls) > 1 else []
        if self.pareto_k is not None and self.pareto_k["share_above_0.7"] > 0:
            share, what = self.pareto_k["share_above_0.7"], "rows" if self.unit == "nats" else "images"
            whose = "" if self.unit == "nats" and share == 1 else f" for {share:.0%} of the {what}"
            lines.append(f"Pareto k is above 0.7{whose}: the weights have heavy tails, and the nll may be too high")
        if self.codes not in ("posterior means", "draws of the guide"):
            lines.append(f"codes: {self.codes}")
        lines += [f"{n.replace('_', ' '):<15}{value:10.3f}{self._estimated(n)}" for n, value in self.extra.items()]
        return "\n".join([*lines, *(_metric(*item) for item in self.metrics.items())])


def _plus_minus(error: float) -> str:
    return f" ± {error:.3f}" if math.isfinite(error) else ""


def _metric(name: str, value: float) -> str:
    estimator = getattr(value, "estimator", None)
    return f"{name:<15}{value:10.3f}" + (f" by the {estimator} estimator" if estimator else "")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
