#!/usr/bin/env python
"""What a second layer of latents buys on digits or dSprites: a VAE beside a TwoLayerVAE with the same lower layer.

Both are trained for the same number of steps from several seeds. The table has their ELBO and importance-weighted NLL,
and the KL of each layer: a second layer that is not used has a KL of 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

import pyrogen as pg

SHAPES = {"digits": (1, 8, 8), "dsprites": (1, 64, 64)}


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", choices=SHAPES, default="digits", help="1,297 digits, or 20,000 dSprites (default: %(default)s)")
    add("--steps", type=int, default=2500, help="training steps of each pair (default: %(default)s)")
    add("--latent", type=int, default=16, help="latents of the lower layer (default: %(default)s)")
    add("--top", type=int, default=8, help="latents of the upper layer (default: %(default)s)")
    add("--hidden", type=int, default=128, help="width of the hidden layers (default: %(default)s)")
    add("--seeds", type=int, default=3, help="number of seeds (default: %(default)s)")
    add("--importance-samples", type=int, default=500, help="K of the NLL (default: %(default)s)")
    add("--out", type=Path, default=Path("out/two_layer"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="a few steps, to see in seconds that it runs")
    args = parser.parse_args(argv)
    if args.smoke:
        args.steps, args.hidden, args.seeds, args.importance_samples = 5, 16, 1, 5
    return args


def build(args: argparse.Namespace, seed: int) -> dict[str, pg.models.Pair]:
    """Both pairs, with the same weights in the lower layer."""

    def bottom() -> tuple[pg.nn.MLPEncoder, pg.nn.MLPDecoder]:
        torch.manual_seed(seed)
        shape, hidden = SHAPES[args.data], (args.hidden,)
        return pg.nn.MLPEncoder(shape, args.latent, hidden), pg.nn.MLPDecoder(shape, args.latent, hidden=hidden)

    top = (
        pg.nn.MLPEncoder((args.latent,), args.top, (args.hidden,)),
        pg.nn.MLPEncoder((args.top,), args.latent, (args.hidden,)),
    )
    return {"one layer": pg.models.VAE(*bottom()), "two layers": pg.models.TwoLayerVAE(*bottom(), *top)}


def images(args: argparse.Namespace) -> tuple[Any, Any]:
    """Images to train on, and 500 that are held out."""
    if args.data == "digits":
        return pg.datasets.Digits(levels="binary").split(1_297, 500, seed=0)
    train, test = pg.datasets.DSprites(cache=False).split(500 if args.smoke else 20_000, 500, seed=0)
    return train.images(torch.arange(len(train))), test.images(torch.arange(len(test)))


def main(argv: list[str] | None = None) -> None:
    """Train, measure, draw, say."""
    args = arguments(argv)
    rows: dict[str, list[dict[str, float]]] = {}
    errors: dict[str, list[dict[str, float]]] = {}
    weights: dict[str, int] = {}
    samples: dict[str, torch.Tensor] = {}
    try:
        pg.report.check_writable(args.out)
        train, test = images(args)
        for seed in range(args.seeds):
            for name, pair in build(args, seed).items():
                pg.fit(pair, train, steps=args.steps, batch_size=100, seed=seed)
                scores = pg.evaluate(pair, test, importance_samples=args.importance_samples)
                row = {"elbo": scores.elbo, "nll": scores.nll}
                row |= {k: s["kl"] for k, s in scores.sites.items() if "kl" in s}
                errors.setdefault(name, []).append({k: scores.standard_errors[k] for k in ("elbo", "nll")})
                weights[name] = sum(weight.numel() for weight in pair.parameters())
                samples[name] = pair.sample(20)
                rows.setdefault(name, []).append({key: float(value or 0.0) for key, value in row.items()})
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    lines = []
    for name, runs in rows.items():
        parts = []
        for key in runs[0]:
            values = torch.tensor([run[key] for run in runs])
            label = f"KL of {key}" if key.startswith("z") else key
            parts.append(f"{label} {values.mean():.2f} ({values.min():.2f} to {values.max():.2f})")
        lines.append(f"{name:<11} " + ", ".join(parts))
    seeds = "one seed" if args.seeds == 1 else f"mean and range of {args.seeds} seeds"
    text = "\n".join([*lines, f"nats per image, 500 held-out images of {args.data}, {seeds}"])
    if args.smoke:
        text += "\n\nThis was a smoke run of a few steps: its numbers mean nothing."
    pg.plots.samples(samples).savefig(args.out / "samples.png")
    result: dict[str, Any] = {"settings": {k: str(v) if k == "out" else v for k, v in vars(args).items()}}
    result |= {"unit": "nats per image", "scores": rows, "standard_errors": errors, "weights": weights}
    pg.report.write_atomically(
        args.out / "two_layer.json", (json.dumps(result, indent=2, ensure_ascii=False) + "\n").encode()
    )
    pg.report.write_atomically(args.out / "table.txt", f"{text}\n".encode())
    print(f"\n{text}\n\nFigure, table and JSON: {args.out}")


if __name__ == "__main__":
    main()
