#!/usr/bin/env python
"""Digits with missing pixels: train on what was seen, and fill in the rest.

Of one half of the training images a share of the pixels is removed at random, of the others one of four halves. A
MissingVAE learns from what is left. It fills in held-out digits of which a share, or the lower half, is missing. Its
error is compared with that of the mean image of what was seen in training.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import torch
from torch import Tensor

import pyrogen as pg

SHAPE = (1, 8, 8)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--missing", type=float, default=0.3, help="share of the pixels that are missing (default: %(default)s)")
    add("--steps", type=int, default=2500, help="training steps (default: %(default)s)")
    add("--latent", type=int, default=10, help="latent dimensions (default: %(default)s)")
    add("--hidden", type=int, default=128, help="width of the hidden layers (default: %(default)s)")
    add("--seed", type=int, default=0, help="of weights, batches and missing pixels (default: %(default)s)")
    add("--out", type=Path, default=Path("out/missing_pixels"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="a few steps, to see in seconds that it runs")
    args = parser.parse_args(argv)
    if not 0 < args.missing < 1:
        parser.error(f"--missing must be between 0 and 1, got {args.missing:g}")
    if args.smoke:
        args.steps, args.hidden = 5, 16
    return args


def main(argv: list[str] | None = None) -> None:
    """Train, fill in, draw, say."""
    args = arguments(argv)
    try:
        pg.report.check_writable(args.out)
        train, test = (part.images(range(len(part))) for part in pg.datasets.Digits(levels="gray").split(1_297, 500))
        torch.manual_seed(args.seed)
        holes = torch.where(torch.rand_like(train) < args.missing, math.nan, train)
        holes[::2] = without_a_side(train[::2])
        encoder = pg.nn.MLPEncoder(SHAPE, args.latent, (args.hidden,))
        decoder = pg.nn.MLPDecoder(SHAPE, args.latent, pg.nn.Gaussian(0.2, learned=True), hidden=(args.hidden,))
        pair = pg.models.MissingVAE(encoder, decoder)
        fit = pg.fit(pair, holes, steps=args.steps, batch_size=100, seed=args.seed)
        if fit.stopped:
            sys.exit("Stopped.")
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    half = test.clone()
    half[..., 4:, :] = math.nan
    cases = {"at random": torch.where(torch.rand_like(test) < args.missing, math.nan, test), "lower half": half}
    usual = holes.nanmean(0)
    rows = {name: errors(pair, x, test, usual) for name, x in cases.items()}
    lines = [f"{'missing':<12}{'MissingVAE':>12}{'mean image':>12}   (root mean squared error of the missing pixels)"]
    lines += [f"{name:<12}{row['pair']:>12.3f}{row['mean_image']:>12.3f}" for name, row in rows.items()]
    text = "\n".join(lines)
    if args.smoke:
        text += "\n\nThis was a smoke run of a few steps: its numbers mean nothing."
    shown = {f"{name}, {what}": x for name, images in cases.items() for what, x in panels(pair, images[:8])}
    pg.plots.reconstructions(test[:8], shown).savefig(args.out / "filled.png")
    result = {"settings": {k: str(v) if k == "out" else v for k, v in vars(args).items()}, "errors": rows}
    pg.report.write_atomically(args.out / "missing_pixels.json", (json.dumps(result, indent=2) + "\n").encode())
    pg.report.write_atomically(args.out / "table.txt", f"{text}\n".encode())
    print(f"\n{text}\n\nFigure, table and JSON: {args.out}")


def without_a_side(x: Tensor) -> Tensor:
    """The images without their upper, lower, left or right half, by turns."""
    x = x.clone()
    x[0::4, :, :4], x[1::4, :, 4:], x[2::4, ..., :4], x[3::4, ..., 4:] = (math.nan,) * 4
    return x


def panels(pair: pg.models.MissingVAE, x: Tensor) -> list[tuple[str, Tensor]]:
    """What was seen, its missing pixels gray, and what the pair fills in."""
    return [("seen", x.nan_to_num(0.5)), ("filled in", pair.reconstruct(x).clamp(0, 1))]


def errors(pair: pg.models.MissingVAE, x: Tensor, truth: Tensor, usual: Tensor) -> dict[str, float]:
    """Root mean squared errors of the missing pixels."""
    missing = x.isnan()
    fills = {"pair": pair.reconstruct(x), "mean_image": torch.where(missing, usual.expand_as(x), x)}
    return {name: float((fill - truth)[missing].square().mean().sqrt()) for name, fill in fills.items()}


if __name__ == "__main__":
    main()
