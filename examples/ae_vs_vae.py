#!/usr/bin/env python
"""An autoencoder against a VAE: which can be sampled, and what squared error does in place of cross-entropy.

Part one. Both are trained with equal networks, data and steps. A VAE is told to keep its codes near N(0, I), so draws
from N(0, I) should decode to new images. An autoencoder's codes lie anywhere, so they should not. Energy distance and
squared MMD say how far the samples of each are from held-out images. A permutation p-value says whether that is more
than two halves of the data differ (first row of the table). A third way to sample is a Gaussian fitted afterwards to
the autoencoder's codes (Ghosh et al. 2020, https://arxiv.org/abs/1903.12436).

Part two. Squared error is −log p(x | z) of a Gaussian with fixed noise, cross-entropy that of a Bernoulli. On binary
pixels both are trained. On gray ones pyrogen refuses the Bernoulli, which is not a density there, and the continuous
Bernoulli takes its place. A VAE weighs its KL against the reconstruction, so the noise of the Gaussian decides how many
latents survive. With noise 1 the KL is 2 for each unit of squared error, as β is in a β-VAE.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal
from tqdm.auto import tqdm

import pyrogen as pg

LIKELIHOODS: dict[str, Callable[[], pg.nn.Likelihood]] = {
    "Bernoulli": pg.nn.Bernoulli,
    "continuous Bernoulli": pg.nn.ContinuousBernoulli,
    "Gaussian, noise 1": pg.nn.Gaussian,
    "Gaussian, noise learned": lambda: pg.nn.Gaussian(0.3, learned=True),
}
Key = tuple[str, str, str]  # model, pixels, likelihood


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", choices=("digits", "dsprites"), default="digits", help="dsprites takes longer (default: %(default)s)")
    add("--latent", type=int, default=8, help="latent dimensions (default: %(default)s)")
    add("--steps", type=int, default=2000, help="training steps of each model (default: %(default)s)")
    add("--permutations", type=int, default=999, help="of each two-sample test (default: %(default)s)")
    add("--seed", type=int, default=0, help="of split, weights, batches and draws (default: %(default)s)")
    add("--device", default="cpu", help="such as cpu or cuda (default: %(default)s)")
    add("--out", type=Path, default=Path("out/ae_vs_vae"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="a few steps and images, to see in seconds that it runs")
    args = parser.parse_args(argv)
    if args.latent < 2:
        parser.error("--latent must be at least 2, for a figure of the plane")
    if args.permutations < 1:
        parser.error(f"--permutations must be at least 1, got {args.permutations}")
    return args


@dataclass
class Data:
    """Training and held-out images by kind of pixels, what the held-out ones show, and the networks' width."""

    train: dict[str, Tensor]
    test: dict[str, Tensor]
    labels: Tensor
    factor: str
    width: int

    @property
    def sampled(self) -> list[tuple[str, str]]:
        """Pixels and likelihoods of part one, the one for the figures first."""
        both = [("gray", "Gaussian, noise learned"), ("binary", "Bernoulli")]
        return [(pixels, like) for pixels, like in both if pixels in self.test]


def load(args: argparse.Namespace) -> Data:
    """Digits in gray and binary, or dSprites, which are binary."""
    train: dict[str, Tensor] = {}
    test: dict[str, Tensor] = {}
    if args.data == "dsprites":
        whole = pg.datasets.DSprites(cache=not args.smoke)
        parts = whole.split(500 if args.smoke else 20_000, 500, seed=args.seed)
        train["binary"], test["binary"] = (part.images(torch.arange(len(part))).float() for part in parts)
        return Data(train, test, parts[1].factors(torch.arange(500))[:, 0], "shape", 16 if args.smoke else 512)
    for pixels in ("gray", "binary"):
        split = pg.datasets.Digits(pixels).split(1_297, 500, seed=args.seed)
        train[pixels], test[pixels] = (part.images(torch.arange(len(part))) for part in split)
    return Data(train, test, split[1].factors(torch.arange(500))[:, 0], "digit", 16 if args.smoke else 128)


def plan(data: Data, smoke: bool) -> list[Key]:
    """What is trained: each likelihood that fits the pixels, in both models; noise 1 in the VAE, whose KL it weighs."""
    if smoke:
        return [("VAE", *data.sampled[0]), ("AE", *data.sampled[0])]
    keys = [("VAE", pixels, like) for pixels in data.train for like in LIKELIHOODS if fits(pixels, like)]
    return keys + [("AE", pixels, like) for _, pixels, like in keys if like != "Gaussian, noise 1"]


def fits(pixels: str, like: str) -> bool:
    """Whether the likelihood is one of such pixels."""
    return "Bernoulli" not in like or like == {"binary": "Bernoulli", "gray": "continuous Bernoulli"}[pixels]


def build(key: Key, data: Data, latent: int) -> pg.models.Pair:
    """An untrained pair; both kinds have equal networks, but that the autoencoder's encoder states no variance."""
    model, pixels, like = key
    shape, hidden = tuple(data.train[pixels].shape[1:]), (data.width, data.width)
    encoder = pg.nn.MLPEncoder(shape, latent, hidden=hidden, point=model == "AE")
    decoder = pg.nn.MLPDecoder(shape, latent, LIKELIHOODS[like](), hidden=hidden)
    return pg.models.Autoencoder(encoder, decoder) if model == "AE" else pg.models.VAE(encoder, decoder)


@torch.no_grad()
def codes_of(pair: pg.models.Pair, x: Tensor) -> MultivariateNormal:
    """The Gaussian with mean and covariance of z ~ q(z | x) over the images x."""
    q = pair.encode(x.to(pair.beta.device))
    covariance = torch.cov(q.mean.T) + q.variance.mean(0).diag()
    jitter = 1e-6 * covariance.diagonal().mean() * torch.eye(pair.latent, device=covariance.device)
    return MultivariateNormal(q.mean.mean(0), covariance + jitter)


@torch.no_grad()
def decoded(pair: pg.models.Pair, z: Tensor) -> dict[str, Tensor]:
    """Draws from p(x | z) and its means, on the CPU."""
    likelihood = pair.decode(z.to(pair.beta))
    return {"draws": likelihood.sample().cpu(), "means": likelihood.mean.cpu()}


def samples(vae: pg.models.Pair, ae: pg.models.Pair, train: Tensor, n: int) -> dict[str, dict[str, Tensor]]:
    """n images by each way to find codes."""
    noise = torch.randn(n, vae.latent)
    return {
        "training data": {"draws": train[:n], "means": train[:n]},
        "VAE, z from N(0, I)": decoded(vae, noise),
        "AE, z from N(0, I)": decoded(ae, noise),
        "AE, z from a Gaussian fitted to its codes": decoded(ae, codes_of(ae, train).sample((n,))),
        "VAE, z from a Gaussian fitted to its codes": decoded(vae, codes_of(vae, train).sample((n,))),
        "AE, z of training images": decoded(ae, ae.encode(train[:n].to(ae.beta.device)).mean),
    }


def distances(rows: dict[str, dict[str, Tensor]], test: Tensor, permutations: int, seed: int) -> dict[str, Any]:
    """Energy distance and MMD of each row's draws and means to the held-out images."""
    found: dict[str, Any] = {}
    for label, images in rows.items():
        found[label] = {}
        for kind, x in images.items():
            energy = pg.metrics.energy_distance(x, test, permutations=permutations, seed=seed)
            mmd = pg.metrics.squared_mmd(x, test, permutations=permutations, seed=seed)
            found[label][kind] = {"energy": energy.to_dict(), "mmd": mmd.to_dict()}
    return found


@torch.no_grad()
def quality(pair: pg.models.Pair, x: Tensor, smoke: bool) -> dict[str, Any]:
    """Held-out reconstructions, in measures that all likelihoods share, and what the codes look like."""
    scores = pg.evaluate(pair, x, nll_images=2 if smoke else 50, importance_samples=2 if smoke else 100)
    q = pair.encode(x.to(pair.beta.device))
    mean = pair.decode(q.mean).mean.cpu()
    p, binary = mean.clamp(1e-3, 1 - 1e-3), bool(((x == 0) | (x == 1)).all())
    noise = getattr(pair.decoder.likelihood, "log_scale", None)
    return {
        "squared_error": float(((x - mean) ** 2).flatten(1).sum(1).mean()),
        "cross_entropy": float(-(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1).mean()) if binary else None,
        "kl": scores.kl,
        "active_units": scores.active_units,
        "spread_of_codes": float(q.mean.var(0).sum().sqrt()),
        "noise": None if noise is None else math.exp(float(noise)),
        "scores": scores.to_dict(),
    }


def report(tests: dict[str, Any], qualities: dict[Key, dict[str, Any]], held_out: int, refused: str) -> str:
    """The tables."""
    lines: list[str] = []
    for name, rows in tests.items():
        lines += [
            f"Distance of samples to {held_out} held-out images ({name}), draws x ~ p(x | z):",
            f"{'':44}{'energy':>9}{'p':>7}{'MMD²':>10}{'p':>7}   {'energy of means':>15}{'p':>7}",
        ]
        for label, kinds in rows.items():
            (energy, mmd), means = kinds["draws"].values(), kinds["means"]["energy"]
            lines.append(
                f"{label:44}{energy['value']:9.4f}{energy['details']['p_value']:7.3f}"
                f"{mmd['value']:10.5f}{mmd['details']['p_value']:7.3f}"
                f"   {means['value']:15.4f}{means['details']['p_value']:7.3f}"
            )
        lines.append("")
    lines += [
        "Likelihoods, on held-out images; squared error and cross-entropy (nats) of the mean, summed over pixels:",
        f"{'':42}{'noise':>7}{'squared':>10}{'cross-':>10}{'KL':>8}{'active':>8}{'spread':>8}",
        f"{'':42}{'':>7}{'error':>10}{'entropy':>10}{'nats':>8}{'units':>8}{'of z':>8}",
    ]
    for (model, kind, name), row in qualities.items():
        numbers = [row[key] for key in ("noise", "squared_error", "cross_entropy", "kl", "active_units")]
        shown = [
            "" if number is None else f"{number:.{digits}f}"
            for number, digits in zip(numbers, (3, 3, 2, 2, 0), strict=True)
        ]
        lines.append(
            f"{f'{model}, {kind}, {name}':42}{shown[0]:>7}{shown[1]:>10}{shown[2]:>10}{shown[3]:>8}{shown[4]:>8}"
            f"{row['spread_of_codes']:8.2f}"
        )
    return "\n".join([*lines, f"\nA Bernoulli on gray pixels: {refused}" if refused else ""])


def main(argv: list[str] | None = None) -> None:
    """Train, test, draw."""
    args = arguments(argv)
    steps = min(args.steps, 5) if args.smoke else args.steps
    permutations = min(args.permutations, 19) if args.smoke else args.permutations
    pairs: dict[Key, pg.models.Pair] = {}
    fits: dict[Key, pg.training.Fit] = {}
    refused = ""
    try:
        pg.report.check_writable(args.out)
        data = load(args)
        if "gray" in data.train:
            try:
                pg.nn.Bernoulli().check(data.train["gray"])
            except ValueError as error:
                refused = f"refused, {error}"
        with tqdm(plan(data, args.smoke), unit="model") as bar:
            for key in bar:
                bar.set_description(", ".join(key))
                torch.manual_seed(args.seed)
                pairs[key] = build(key, data, args.latent)
                images = data.train[key[1]]
                fits[key] = pg.fit(pairs[key], images, steps=steps, seed=args.seed, device=args.device, progress=False)
                if fits[key].stopped:
                    leave(args.out, fits)
        rows, tests = {}, {}
        for pixels, like in data.sampled[: 1 if args.smoke else None]:
            torch.manual_seed(args.seed)
            name, vae, ae = f"{pixels}, {like}", pairs["VAE", pixels, like], pairs["AE", pixels, like]
            rows[name] = samples(vae, ae, data.train[pixels], len(data.labels))
            tests[name] = distances(rows[name], data.test[pixels], permutations, args.seed)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    qualities = {key: quality(pair, data.test[key[1]], args.smoke) for key, pair in pairs.items()}

    table = report(tests, qualities, len(data.labels), refused).rstrip("\n")
    if args.smoke:
        table += "\n\nThis was a smoke run of a few steps: its numbers mean nothing."
    first = next(iter(tests))
    write_figures(args.out, pairs, data, rows[first], tests[first])
    content = {
        "settings": {name: getattr(args, name) for name in ("data", "latent", "seed")}
        | {"steps": steps, "permutations": permutations, "held_out": len(data.labels)},
        "unit": "nats per image; energy distances in the unit of pixels, squared errors in its square",
        "samples": tests,
        "likelihoods": {", ".join(key): row for key, row in qualities.items()},
    }
    pg.report.write_atomically(
        args.out / "ae_vs_vae.json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    )
    pg.report.write_atomically(args.out / "table.txt", f"{table}\n".encode())
    print(f"{table}\n\nFigures and numbers: {args.out}")


def leave(out: Path, fits: Mapping[Any, pg.training.Fit]) -> NoReturn:
    """Write the weights and histories of what was trained so far, and end."""
    for number, fit in enumerate(fits.values()):
        pg.save(fit.pair, out / f"stopped_{number}.safetensors")
        fit.history.to_csv(out / f"stopped_{number}.csv")
    sys.exit(f"Stopped: weights and histories of what was trained so far are in {out}.")


def write_figures(
    out: Path, pairs: dict[Key, pg.models.Pair], data: Data, rows: dict[str, dict[str, Tensor]], tests: dict[str, Any]
) -> None:
    """Samples in rows, the two latent spaces, and reconstructions under each likelihood."""
    pixels, like = data.sampled[0]
    captions = {"held-out data": data.test[pixels][:12]}
    for label in list(rows)[1:4]:
        energy = tests[label]["means"]["energy"]
        note = f"{label}\nenergy distance {energy['value']:.3f}, p = {energy['details']['p_value']:.3f}"
        captions[note.replace("Gaussian fitted to its codes", "fitted Gaussian")] = rows[label]["means"][:12]
    test = data.test[pixels]
    with torch.no_grad():
        codes = {
            name: pairs[model, pixels, like].encode(test.to(pairs[model, pixels, like].beta.device)).mean.cpu()
            for name, model in {"VAE": "VAE", "autoencoder": "AE"}.items()
        }
    kind = (
        "binary" if any(pixels == "binary" for _, pixels, _ in pairs) else pixels
    )  # there both losses are likelihoods
    originals = data.test[kind][:12]
    shown = {
        f"{model}, {name}": pair.reconstruct(originals.to(pair.beta.device)).cpu()
        for (model, pixels, name), pair in pairs.items()
        if pixels == kind
    }
    figures = {
        "samples": pg.plots.image_rows(captions),
        "latent_space": pg.plots.latent_space(codes, data.labels, factor=data.factor, gaussians=True),
        "reconstructions": pg.plots.image_rows({"held-out data": originals, **shown}),
    }
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png")


if __name__ == "__main__":
    main()
