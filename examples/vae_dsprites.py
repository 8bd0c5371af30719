#!/usr/bin/env python
"""Train one VAE on dSprites and look at it: loss curves, reconstructions, samples, traversals, scores.

The ELBO is reconstruction minus KL; its gradient passes through z = μ + σε. See vae.model and vae.guide in
pyrogen/models/vae.py for the pair, and beta_vae_dsprites.py for the sweep over β.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

import pyrogen as pg

SHAPE = (1, 64, 64)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--beta", type=float, default=1.0, help="weight of the KL term (default: %(default)s)")
    add("--warmup", type=int, default=0, help="steps over which β rises from 0 (default: none)")
    add("--steps", type=int, default=2000, help="training steps (default: %(default)s)")
    add("--latent", type=int, default=20, help="latent dimensions (default: %(default)s)")
    add("--device", default="cpu", help="such as cpu or cuda (default: %(default)s)")
    add("--out", type=Path, default=Path("out/vae_dsprites"), help="output folder (default: %(default)s)")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--smoke", action="store_true", help="a few steps and images, to see in seconds that it runs")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train, evaluate, draw."""
    args = arguments(argv)
    steps = min(args.steps, 5) if args.smoke else args.steps
    try:
        pg.report.check_writable(args.out)
        data = pg.datasets.DSprites(cache=not args.smoke)
        train, test = data.split(2000, 500) if args.smoke else data.split(len(data) - 10_000, 10_000)

        torch.manual_seed(0)
        encoder = pg.nn.MLPEncoder(SHAPE, latent=args.latent, hidden=(512,))
        decoder = pg.nn.MLPDecoder(SHAPE, latent=args.latent, hidden=(512,), likelihood="bernoulli")
        vae = pg.models.VAE(encoder, decoder, beta=args.beta)
        fit = pg.fit(
            vae,
            train,
            steps=steps,
            batch_size=128,
            schedule=pg.training.LinearWarmup(args.warmup) if args.warmup else None,
            device=args.device,
            checkpoint=args.out / "run",
            resume=args.resume,
        )
    except pg.CheckpointError as error:
        sys.exit(f"{error} (--resume goes on; --out names another folder)")
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    if fit.stopped:
        print("Stopped: what follows is of the pair as it is. --resume goes on from the checkpoint.", file=sys.stderr)

    sizes = {"images": 200, "nll_images": 20, "importance_samples": 4} if args.smoke else {}
    scores = pg.evaluate(vae, test, metrics=[pg.metrics.mig], **sizes, progress=True)
    images = test.images(torch.arange(8)).to(args.device)
    with torch.no_grad():
        base = vae.encode(images).mean[0].cpu()
    figures = {
        "loss_curves": pg.plots.loss_curves({f"β = {args.beta:g}": fit.history}),
        "reconstructions": pg.plots.reconstructions(images.cpu(), vae.reconstruct(images).cpu()),
        "samples": pg.plots.samples(vae.sample(36).cpu()),
        "traversals": pg.plots.traversals(partial(mean_image, vae), base, kl=scores.kl_per_latent),
        "kl_per_latent": pg.plots.kl_per_latent(scores.kl_per_latent),
    }
    for name, figure in figures.items():
        figure.savefig(args.out / f"{name}.png")
    scores.to_json(args.out / "scores.json")
    fit.history.to_csv(args.out / "history.csv")
    pg.save(vae, args.out / "vae.safetensors")
    pg.report.write_atomically(args.out / "summary.txt", f"{fit.history}\n{scores}\n".encode())
    print(f"\n{fit.history}\n\nheld out:\n{scores}\n\nFigures, scores and weights: {args.out}")


def mean_image(vae: pg.models.VAE, z: torch.Tensor) -> torch.Tensor:
    """The mean of p(x | z), on the CPU for a figure."""
    return vae.decode(z.to(vae.beta)).mean.cpu()


if __name__ == "__main__":
    main()
