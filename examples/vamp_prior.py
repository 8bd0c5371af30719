#!/usr/bin/env python
"""Three priors at equal budgets: N(0, I), a learned mixture of Gaussians, and the VampPrior.

A VAE's rate splits into two parts: I(n; z), what a code tells of its image, and KL(q(z) ‖ p(z)) of the aggregated
posterior q(z) = 1/N Σ q(z | xₙ) to the prior. Tomczak and Welling 2018 (https://arxiv.org/abs/1705.07120) say that the
VampPrior p(z) = 1/K Σ q(z | uₖ) at learned pseudo-inputs is "multi-modal and near the aggregated posterior". So this
script measures the second part for each prior, beside the held-out NLL by importance weighting, over several seeds.
Priors with one seed share initial weights and batches, so their differences are taken seed by seed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor
from tqdm.auto import tqdm

import pyrogen as pg

PRIORS = ("N(0, I)", "mixture", "VampPrior")
MEASURES = {
    "nll": "NLL",
    "elbo": "ELBO",
    "information": "I(n; z)",
    "kl_to_prior": "KL(q(z) ‖ p)",
    "active_units": "active units",
}
COMPARED = ("nll", "kl_to_prior")  # seed by seed
DRAWS = 4000  # of the aggregated posterior, for its KL


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", choices=("digits", "dsprites"), default="digits", help="binary images (default: %(default)s)")
    add("--latent", type=int, default=8, help="latent dimensions (default: %(default)s)")
    add("--components", type=int, default=50, help="K, of mixture and VampPrior (default: %(default)s)")
    add("--start", choices=("data", "random"), default="data", help="pseudo-inputs' start (default: %(default)s)")
    add("--steps", type=int, default=1500, help="training steps of each pair (default: %(default)s)")
    add("--lr", type=float, default=3e-3, help="of Adam (default: %(default)s)")
    add("--seeds", type=int, default=3, help="how many seeds (default: %(default)s)")
    add("--nll-images", type=int, default=200, help="held-out images of the NLL (default: %(default)s)")
    add("--importance-samples", type=int, default=5000, help="draws an image of the NLL (default: %(default)s)")
    add("--seed", type=int, default=0, help="the first seed, and that of the split (default: %(default)s)")
    add("--device", default="cpu", help="such as cpu or cuda (default: %(default)s)")
    add("--out", type=Path, default=Path("out/vamp_prior"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="a few steps and images, to see in seconds that it runs")
    args = parser.parse_args(argv)
    if args.seeds < 1 or args.components < 1:
        parser.error("--seeds and --components must be at least 1")
    if args.smoke:
        args.steps, args.seeds, args.components = min(args.steps, 5), 1, min(args.components, 5)
        args.nll_images, args.importance_samples = min(args.nll_images, 10), min(args.importance_samples, 5)
    return args


def load(args: argparse.Namespace) -> tuple[Any, Any]:
    """Training and held-out images."""
    if args.data == "digits":
        return pg.datasets.Digits("binary").split(1397, 400, seed=args.seed)
    data = pg.datasets.DSprites(cache=not args.smoke)
    return data.split(500 if args.smoke else 20_000, 400, seed=args.seed)


def build(prior: str, x: Tensor, latent: int, seed: int, args: argparse.Namespace) -> pg.models.VAE:
    """An untrained pair; pairs of one seed have the same networks, whatever their prior."""
    torch.manual_seed(seed)
    shape, hidden = tuple(x.shape[1:]), (16, 16) if args.smoke else (128, 128)
    encoder = pg.nn.MLPEncoder(shape, latent, hidden=hidden)
    decoder = pg.nn.MLPDecoder(shape, latent, hidden=hidden)
    if prior == "mixture":
        return pg.models.VAE(encoder, decoder, prior=pg.distributions.GaussianMixture(args.components, latent))
    if prior == "VampPrior":
        start = x[torch.randperm(len(x))[: args.components]] if args.start == "data" else args.components
        return pg.models.VAE(encoder, decoder, prior=pg.distributions.VampPrior(encoder, start))
    return pg.models.VAE(encoder, decoder)


def train(prior: str, data: Any, x: Tensor, latent: int, seed: int, args: argparse.Namespace) -> pg.training.Fit:
    """A trained pair, with its history."""
    vae = build(prior, x, latent, seed, args)
    size = min(100, len(x))
    return pg.fit(vae, data, steps=args.steps, batch_size=size, lr=args.lr, seed=seed, device=args.device)


@torch.no_grad()
def rate(vae: pg.models.VAE, x: Tensor, draws: int, seed: int) -> dict[str, float]:
    """I(n; z) and KL(q(z) ‖ p(z)) of the images x, from draws of q(z), in nats, with their standard errors.

    The aggregated posterior of N images is the VampPrior that has all of them as pseudo-inputs.
    """
    generator = torch.Generator().manual_seed(seed)
    x = vae.as_data(x.to(vae.beta.device))
    aggregated, prior = pg.distributions.VampPrior(vae.encoder, x)(), vae.prior()
    information, kl = [], []
    for index in torch.randint(len(x), (draws,), generator=generator).split(250):
        q = vae.encode(x[index])
        noise = torch.randn(q.mean.shape, generator=generator).to(x)
        z = q.mean + q.stddev * noise
        log_q = aggregated.log_prob(z)
        information.append(q.log_prob(z) - log_q)
        kl.append(log_q - prior.log_prob(z))
    found: dict[str, float] = {}
    for name, parts in {"information": information, "kl_to_prior": kl}.items():
        values = torch.cat(parts).double()
        found |= {name: values.mean().item(), f"{name}_standard_error": values.std().item() / math.sqrt(draws)}
    return found


def measure(fit: pg.training.Fit, x: Tensor, test: Any, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """All numbers of one trained pair; NLL and ELBO of held-out images, the rest of training images."""
    vae = fit.pair
    assert isinstance(vae, pg.models.VAE)
    scores = pg.evaluate(
        vae, test, nll_images=args.nll_images, importance_samples=args.importance_samples, seed=args.seed, progress=True
    )
    row: dict[str, float] = {"nll": scores.nll or math.nan, "elbo": scores.elbo or math.nan}
    row["nll_standard_error_over_images"] = scores.standard_errors["nll"]
    row |= {"active_units": float(scores.active_units or 0), "kl_in_training": float(fit.history["kl"][-100:].mean())}
    return row | rate(vae, x[:2000], 250 if args.smoke else DRAWS, seed)


def over_seeds(values: list[float]) -> dict[str, float]:
    """The mean and its standard error; the two-sided p-value of a mean of 0, by Student's t; nan of one seed."""
    from scipy import stats

    column = torch.tensor(values, dtype=torch.float64)
    mean, n = column.mean().item(), len(values)
    error = column.std().item() / math.sqrt(n) if n > 1 else math.nan
    return {
        "mean": mean,
        "standard_error": error,
        "p": float(2 * stats.t.sf(abs(mean / error), n - 1)) if error else 1.0,
    }


def compare(rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Means over seeds of each prior, and the differences of NLL and KL of each two, seed by seed."""
    means = {prior: {name: over_seeds([row[name] for row in rows[prior]]) for name in MEASURES} for prior in PRIORS}
    pairs = [("mixture", "N(0, I)"), ("VampPrior", "N(0, I)"), ("VampPrior", "mixture")]
    differences = {
        f"{one} − {other}": {
            name: over_seeds([a[name] - b[name] for a, b in zip(rows[one], rows[other], strict=True)])
            for name in COMPARED
        }
        for one, other in pairs
    }
    return {"priors": means, "differences": differences}


def table(found: dict[str, Any], args: argparse.Namespace) -> list[str]:
    """What was found, as lines of text."""
    several = args.seeds > 1  # one seed alone has no standard error and no p
    runs = f"{args.seeds} seeds" if several else "1 seed"
    unit = "nats per image" + (", ± the standard error over seeds" if several else "")
    lines = [
        f"{args.data}, {args.latent} latents, K = {args.components}, {args.steps} steps, {runs}; {unit};",
        f"NLL of {args.nll_images} held-out images by {args.importance_samples} importance samples; q(z) of training "
        "images",
        "",
        f"{'prior':<22}" + "".join(f"{title:>18}" for title in MEASURES.values()),
    ]
    for prior, row in found["priors"].items():
        lines.append(f"{prior:<22}" + "".join(f"{_plus_minus(row[name]):>18}" for name in MEASURES))
    p = f"{'p':>8}" if several else ""
    lines += ["", f"{'seed by seed' if several else 'difference':<22}{'NLL':>18}{p}{'KL(q(z) ‖ p)':>18}{p}"]
    for name, row in found["differences"].items():
        lines.append(f"{name:<22}" + "".join(f"{_plus_minus(row[key], '+'):>18}{_p(row[key])}" for key in COMPARED))
    if args.smoke:
        lines += ["", "This was a smoke run of a few steps: its numbers mean nothing."]
    return lines


def _plus_minus(value: dict[str, float], sign: str = "") -> str:
    error = value["standard_error"]
    return f"{value['mean']:{sign}.3f}" + ("" if math.isnan(error) else f" ± {error:.3f}")


def _p(value: dict[str, float]) -> str:
    return "" if math.isnan(value["p"]) else f"{value['p']:8.3f}"


def pseudo_inputs(pair: pg.models.Pair) -> Tensor:
    """The first of a VampPrior's pseudo-inputs."""
    assert isinstance(pair, pg.models.VAE)
    assert isinstance(pair.given_prior, pg.distributions.VampPrior)
    return pair.given_prior.pseudo_inputs.detach()[:16]


def figures(
    fits: dict[str, pg.training.Fit], planes: dict[str, pg.training.Fit], data: Any, x: Tensor, start: Tensor
) -> dict[str, Any]:
    """The figures: curves, samples, pseudo-inputs, and the plane of the pairs with two latents."""
    pairs = {prior: fit.pair for prior, fit in fits.items()}
    u = pseudo_inputs(pairs["VampPrior"])
    q_of = {prior: fit.pair.encode(x[:1400].to(fit.pair.beta.device)) for prior, fit in planes.items()}
    labels = data.factors(torch.arange(len(x)))[:1400, 0]
    return {
        "loss_curves": pg.plots.loss_curves({prior: fit.history for prior, fit in fits.items()}),
        "samples": pg.plots.image_rows(
            {"training images": x[:16]} | {prior: pair.sample(16).cpu() for prior, pair in pairs.items()}
        ),
        "pseudo_inputs": pg.plots.image_rows(
            {
                "start": start,
                "pseudo-inputs u": u.cpu(),
                "decoded from q(z | u)": pairs["VampPrior"].reconstruct(u).cpu(),
            }
        ),
        "plane": pg.plots.prior_plane(
            {prior: q.sample().cpu() for prior, q in q_of.items()},
            {prior: _density(fit.pair) for prior, fit in planes.items()},
            labels,
            data.factor_names[0],
        ),
    }


def _density(pair: pg.models.Pair) -> Any:
    prior = pair.prior()
    return lambda z: prior.log_prob(torch.from_numpy(z).to(pair.beta)).detach().cpu().numpy()


def leave(out: Path, fits: Mapping[Any, pg.training.Fit]) -> NoReturn:
    """Write the weights and histories of what was trained so far, and end."""
    for number, fit in enumerate(fits.values()):
        pg.save(fit.pair, out / f"stopped_{number}.safetensors")
        fit.history.to_csv(out / f"stopped_{number}.csv")
    sys.exit(f"Stopped: weights and histories of what was trained so far are in {out}.")


def main(argv: list[str] | None = None) -> None:
    """Train, measure, compare, draw."""
    args = arguments(argv)
    if args.data == "digits":
        torch.set_num_threads(1)  # so small that threads would only wait for each other
    rows: dict[str, list[dict[str, float]]] = {prior: [] for prior in PRIORS}
    first: dict[str, pg.training.Fit] = {}
    try:
        pg.report.check_writable(args.out)
        data, test = load(args)
        x = data.images(torch.arange(len(data))).float()
        runs = [(seed, prior) for seed in range(args.seed, args.seed + args.seeds) for prior in PRIORS]
        for seed, prior in tqdm(runs, desc="pairs", unit="pair"):
            fit = train(prior, data, x, args.latent, seed, args)
            if fit.stopped:
                leave(args.out, first | {"stopped": fit})
            rows[prior].append(measure(fit, x, test, seed, args))
            first.setdefault(prior, fit)
        planes = first if args.latent == 2 else {p: train(p, data, x, 2, args.seed, args) for p in PRIORS}
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    found = compare(rows)
    lines = table(found, args)
    start = pseudo_inputs(build("VampPrior", x, args.latent, args.seed, args))
    for name, figure in figures(first, planes, data, x, start).items():
        figure.savefig(args.out / f"{name}.png")
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()}
    content = {"unit": "nats per image", "settings": settings, **found, "seeds": rows}
    text = json.dumps(content, indent=2, ensure_ascii=False).replace("NaN", "null")
    pg.report.write_atomically(args.out / "vamp_prior.json", f"{text}\n".encode())
    pg.report.write_atomically(args.out / "table.txt", ("\n".join(lines) + "\n").encode())
    print("\n".join(["", *lines, f"\nFigures and numbers: {args.out}"]))


if __name__ == "__main__":
    main()
