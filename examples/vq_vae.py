#!/usr/bin/env python
"""A VQ-VAE beside a VAE of equal budget: reconstructions, rate, codebook and samples.

Stage one trains a VAE for each --betas and a VQ-VAE with equal layers, data and steps. A VQ-VAE's code is a grid of T
tokens, each one of K vectors; under the uniform prior it costs T log K nats whatever it says. Stage two fits a masked
autoregressive network to the codes, all else frozen. The rate falls to what the codes really hold, and z drawn from it
decodes to better images than z drawn uniformly. Both terms of each ELBO are reported, in nats and bits per image,
because a sharper reconstruction means little until one knows how many bits it took.
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

import pyrogen as pg

SHOWN = 12  # images in a row of a figure
UNSURE = (0.1, 0.9)  # a pixel whose probability lies between these is blurred


@dataclass(frozen=True)
class Settings:
    """What differs between the data sets."""

    shape: tuple[int, int, int]
    channels: tuple[int, ...]  # each halves the image: the grid is what is left
    codes: int
    dim: int
    latent: int
    hidden: int
    betas: tuple[float, ...]
    steps: int
    prior: dict[str, int]
    prior_steps: int


SETTINGS = {
    "digits": Settings(
        (1, 8, 8), (32,), 8, 4, 10, 128, (0.25, 1.0, 4.0), 1000, {"channels": 16, "layers": 2, "reach": 2}, 400
    ),
    "dsprites": Settings(
        (1, 64, 64), (16, 32), 16, 4, 10, 128, (1.0,), 800, {"channels": 16, "layers": 3, "reach": 2}, 400
    ),
}


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", choices=tuple(SETTINGS), default="dsprites", help="the images (default: %(default)s)")
    add("--codes", type=int, help="size K of the codebook (default: 16 for dsprites, 8 for digits)")
    add("--update", choices=("ema", "loss"), default="ema", help="how the codebook learns (default: %(default)s)")
    add("--commitment", type=float, default=1.0, help="weight of ‖e − sg(c)‖² (default: %(default)s)")
    add("--betas", type=float, nargs="+", help="the VAEs' weights of the KL (default: 1; for digits 0.25 1 4)")
    add("--steps", type=int, help="training steps of each model (default: 800; for digits 1000)")
    add("--prior-steps", type=int, help="training steps of the learned prior (default: 400)")
    add("--seed", type=int, default=0, help="of split, weights, batches and draws (default: %(default)s)")
    add("--device", default="cpu", help="such as cpu or cuda (default: %(default)s)")
    add("--out", type=Path, default=Path("out/vq_vae"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="a few steps and images, to see in seconds that it runs")
    args = parser.parse_args(argv)
    settings = SETTINGS[args.data]
    for name in ("codes", "betas", "steps", "prior_steps"):
        if getattr(args, name) is None:
            setattr(args, name, getattr(settings, name))
    if args.smoke:
        args.steps, args.prior_steps, args.betas = min(args.steps, 3), min(args.prior_steps, 3), args.betas[:1]
    return args


def load(args: argparse.Namespace) -> tuple[Any, Any]:
    """Training images and held-out ones, binary."""
    if args.data == "digits":
        return pg.datasets.Digits("binary").split(1_297, 500, seed=args.seed)
    whole = pg.datasets.DSprites(cache=not args.smoke)
    return whole.split(300, 64, seed=args.seed) if args.smoke else whole.split(700_000, 2_000, seed=args.seed)


def train(args: argparse.Namespace, pair: pg.models.Pair, data: Any, steps: int, lr: float) -> pg.training.Fit:
    """One fit, alike for all."""
    return pg.fit(pair, data, steps=steps, batch_size=32, lr=lr, seed=args.seed, device=args.device)


def leave(out: Path, fits: Mapping[Any, pg.training.Fit]) -> NoReturn:
    """Write the weights and histories of what was trained so far, and end."""
    for number, fit in enumerate(fits.values()):
        pg.save(fit.pair, out / f"stopped_{number}.safetensors")
        fit.history.to_csv(out / f"stopped_{number}.csv")
    sys.exit(f"Stopped: weights and histories of what was trained so far are in {out}.")


def make_vae(args: argparse.Namespace, beta: float) -> pg.models.VAE:
    """The VAE: the same convolutions, and a vector code."""
    own = SETTINGS[args.data]
    torch.manual_seed(args.seed)
    encoder = pg.nn.ConvEncoder(own.shape, own.latent, channels=own.channels, hidden=own.hidden)
    decoder = pg.nn.ConvDecoder(own.shape, own.latent, channels=own.channels, hidden=own.hidden)
    return pg.models.VAE(encoder, decoder, beta=beta)


def make_vq_vae(args: argparse.Namespace) -> pg.models.VQVAE:
    """The VQ-VAE under the uniform prior."""
    own = SETTINGS[args.data]
    torch.manual_seed(args.seed)
    return pg.models.VQVAE(
        pg.nn.ConvGridEncoder(own.shape, own.dim, own.channels),
        pg.nn.ConvGridDecoder(own.shape, own.dim, channels=own.channels),
        pg.nn.Codebook(args.codes, own.dim, update=args.update, decay=0.95),
        commitment=args.commitment,
    )


def with_learned_prior(args: argparse.Namespace, pair: pg.models.VQVAE) -> pg.models.VQVAE:
    """The same networks and codes, frozen, under a prior that can learn."""
    torch.manual_seed(args.seed)
    network = pg.nn.PixelCNN(pair.grid, args.codes, **SETTINGS[args.data].prior).to(pair.beta.device)
    prior = pg.distributions.AutoregressivePrior(pair.codebook, network)
    learned = pg.models.VQVAE(pair.encoder, pair.decoder, pair.codebook, args.commitment, prior=prior)
    learned.to(pair.beta.device).freeze()
    return learned


def blurred(images: Tensor) -> float:
    """The share of pixels that are neither nearly black nor nearly white."""
    return ((images > UNSURE[0]) & (images < UNSURE[1])).double().mean().item()


def measure(args: argparse.Namespace, pair: pg.models.Pair, test: Any) -> dict[str, Any]:
    """Both terms of the bound, squared error and blur of one pair on held-out images."""
    sizes: dict[str, Any] = {"nll_images": 100, "importance_samples": 50}
    if args.smoke:
        sizes = {"images": 64, "nll_images": 4, "importance_samples": 4}
    scores = pg.evaluate(pair, test, **sizes, progress=True)
    x = test.images(torch.arange(min(1000, len(test)))).to(args.device)
    again, drawn = pair.reconstruct(x), pair.sample(4 if args.smoke else 48)
    assert scores.kl is not None
    return scores.to_dict() | {
        "kl_bits": scores.kl / math.log(2),
        "squared_error_a_pixel": ((again - x.to(again)) ** 2).mean().item(),
        "blurred_reconstruction": blurred(again),
        "blurred_sample": blurred(drawn),
        "parameters": sum(p.numel() for p in pair.parameters()),
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The comparison as text."""
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        "reconstr.": lambda row: f"{row['reconstruction']:.2f}",
        "KL": lambda row: f"{row['kl']:.2f}",
        "KL bits": lambda row: f"{row['kl_bits']:.1f}",
        "−ELBO": lambda row: f"{-row['elbo']:.2f}",
        "MSE": lambda row: f"{row['squared_error_a_pixel']:.4f}",
        "blurred": lambda row: f"{row['blurred_reconstruction']:.2%}",
        "in draws": lambda row: f"{row['blurred_sample']:.2%}",
    }
    lines = [f"{'':<24}" + "".join(f"{name:>10}" for name in columns)]
    lines += [f"{label:<24}" + "".join(f"{show(row):>10}" for show in columns.values()) for label, row in rows.items()]
    return "\n".join([*lines, "nats per image, but where it says bits; MSE a pixel; blurred: pixels in 0.1 to 0.9"])


def draw(
    args: argparse.Namespace, pairs: dict[str, Any], rows: dict[str, Any], fits: dict[str, Any], test: Any
) -> None:
    """The figures."""
    x = test.images(torch.arange(SHOWN)).to(args.device)
    images = {"held-out image": x.cpu()}
    samples: dict[str, Tensor] = {}
    torch.manual_seed(args.seed)
    for label, pair in pairs.items():
        row = rows[label]
        if label != "VQ-VAE, learned prior":
            images[f"{label}\n{row['kl_bits']:.0f} bits"] = pair.reconstruct(x).cpu()
        samples[f"{label}\n−ELBO {-row['elbo']:.1f} nats"] = pair.sample(SHOWN).cpu()
    vaes = [label for label in pairs if label.startswith("VAE")]
    points = {"VAE": [(rows[label]["kl"], rows[label]["reconstruction"]) for label in vaes]}
    notes = {"VAE": [label.removeprefix("VAE, ") for label in vaes]}
    for label in ("VQ-VAE, uniform prior", "VQ-VAE, learned prior"):
        points[label] = [(rows[label]["kl"], rows[label]["reconstruction"])]
    update = {"ema": "moving average", "loss": "loss"}[args.update]
    figures = {
        "reconstructions": pg.plots.image_rows(images),
        "samples": pg.plots.image_rows(samples),
        "rate_distortion": pg.plots.rate_distortion(points, notes),
        "codebook": pg.plots.codebook_use({f"by {update}": fits["VQ-VAE, uniform prior"].history}, args.codes),
    }
    for name, figure in figures.items():
        figure.savefig(args.out / f"{name}.png")


def main(argv: list[str] | None = None) -> None:
    """Train, measure, draw."""
    args = arguments(argv)
    try:
        pg.report.check_writable(args.out)
        train_set, test = load(args)
        pairs: dict[str, Any] = {f"VAE, β = {beta:g}": make_vae(args, beta) for beta in args.betas}
        quantized = pairs["VQ-VAE, uniform prior"] = make_vq_vae(args)
        fits: dict[str, pg.training.Fit] = {}
        for label, pair in pairs.items():
            fits[label] = train(args, pair, train_set, args.steps, 2e-3)
            if fits[label].stopped:
                leave(args.out, fits)
        label = "VQ-VAE, learned prior"
        pairs[label] = with_learned_prior(args, quantized)
        fits[label] = train(args, pairs[label], train_set, args.prior_steps, 4e-3)
        if fits[label].stopped:
            leave(args.out, fits)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")

    rows = {label: measure(args, pair, test) for label, pair in pairs.items()}
    draw(args, pairs, rows, fits, test)
    text = table(rows)
    if args.smoke:
        text += "\n\nThis was a smoke run of a few steps: its numbers mean nothing."
    facts = {"data": args.data, "grid": quantized.grid, "codes": args.codes, "rate": quantized.rate, "models": rows}
    pg.report.write_atomically(
        args.out / "vq_vae.json", (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
    )
    pg.report.write_atomically(args.out / "table.txt", f"{text}\n".encode())
    tokens, rate = math.prod(quantized.grid), quantized.rate
    print(
        f"\n{text}\n\nUnder the uniform prior {tokens} tokens of log {args.codes} nats cost {rate:.1f} nats an image."
    )
    print(f"Figures and numbers: {args.out}")


if __name__ == "__main__":
    main()
