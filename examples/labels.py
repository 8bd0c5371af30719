#!/usr/bin/env python
"""Digits with labels: samples of a class from a conditional VAE, and a classifier that learns from few labels.

The first part trains a VAE and a ConditionalVAE on the digits of scikit-learn, and compares their −log p.

The second part keeps the labels of a few images and removes the others. It compares a SemiSupervisedVAE, which sees all
images, with the same classifier trained on the labeled ones alone. With --choose, α and the number of latents of the
SemiSupervisedVAE are chosen first, by the accuracy on 250 of the training images. The 500 held-out images are then
looked at once, with the settings that were chosen.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import pyrogen as pg

SHAPE, CLASSES = (1, 8, 8), 10
PIXELS = 64
VALIDATION, SEED = 250, 100  # how many images choose, and the seed of their split, the labels kept and the weights
ALPHAS, LATENTS = (0.1, 1.0, 5.0, 20.0), (4, 8)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--labels", type=int, nargs="+", default=[10, 30, 100], help="how many labels are kept (default: 10 30 100)")
    add("--steps", type=int, default=800, help="training steps of each pair (default: %(default)s)")
    add("--latent", type=int, default=4, help="latent dimensions (default: %(default)s)")
    add("--hidden", type=int, default=128, help="width of the hidden layers (default: %(default)s)")
    add("--alpha", type=float, default=5.0, help="weight of the classification, a labeled image (default: %(default)s)")
    add("--choose", action="store_true", help="choose --alpha and --latent by 250 validation images")
    add("--seeds", type=int, default=3, help="choices of the labels that are kept (default: %(default)s)")
    add("--out", type=Path, default=Path("out/labels"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="a few steps, to see in seconds that it runs")
    args = parser.parse_args(argv)
    if min(args.labels) < CLASSES or max(args.labels) > 1_297:
        parser.error(f"--labels must be from {CLASSES}, one of each digit, to 1297")
    if args.smoke:
        args.steps, args.hidden, args.labels, args.seeds = 5, 16, args.labels[:1], 1
    return args


def networks(args: argparse.Namespace) -> tuple[pg.nn.MLPEncoder, pg.nn.MLPDecoder]:
    """q(z | x, y) and p(x | z, y)."""
    hidden = (args.hidden,)
    encoder = pg.nn.MLPEncoder((PIXELS + CLASSES,), args.latent, hidden)
    return encoder, pg.nn.MLPDecoder(SHAPE, args.latent + CLASSES, hidden=hidden)


def conditional(args: argparse.Namespace, train: Any, test: Any) -> tuple[dict[str, float], Tensor]:
    """Train a VAE and a ConditionalVAE; their scores, and samples of each digit."""
    torch.manual_seed(0)
    hidden = (args.hidden,)
    plain = pg.models.VAE(
        pg.nn.MLPEncoder(SHAPE, args.latent, hidden), pg.nn.MLPDecoder(SHAPE, args.latent, hidden=hidden)
    )
    pair = pg.models.ConditionalVAE(*networks(args), classes=CLASSES)
    scores = {}
    for name, one in {"VAE": plain, "ConditionalVAE": pair}.items():
        pg.fit(one, train, steps=args.steps, batch_size=100, lr=2e-3)
        scores[name] = pg.evaluate(one, test, importance_samples=5 if args.smoke else 200).nll or 0.0
    return scores, torch.cat([pair.sample(10, y=digit) for digit in range(CLASSES)])


def labeled(data: Any) -> tuple[Tensor, Tensor]:
    """All images and their digits."""
    index = torch.arange(len(data))
    return data.images(index), data.factors(index)[:, 0]


def choose(args: argparse.Namespace, train: Any) -> list[dict[str, float]]:
    """The accuracy of each setting on the validation images, mean over the numbers of labels; the best comes first."""
    x, y = labeled(train)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(SEED))
    held, rest = order[:VALIDATION], order[VALIDATION:]
    table = []
    for latent in LATENTS[: 1 if args.smoke else None]:
        for alpha in ALPHAS[: 2 if args.smoke else None]:
            setting = argparse.Namespace(**vars(args) | {"latent": latent, "alpha": alpha})
            runs = [few_labels(setting, (x[rest], y[rest]), (x[held], y[held]), n, SEED) for n in args.labels]
            accuracy = sum(run["semi_supervised"] for run in runs) / len(runs)
            table.append({"latent": latent, "alpha": alpha, "accuracy": accuracy})
    return sorted(table, key=lambda row: -row["accuracy"])


def few_labels(
    args: argparse.Namespace, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], number: int, seed: int
) -> dict[str, float]:
    """Accuracy on `test` with `number` labels: with all images, and with the labeled ones alone."""
    x, y = train
    kept = chosen(y, number, seed)
    known = torch.full_like(y, -1)
    known[kept] = y[kept]
    torch.manual_seed(seed)
    classifier = pg.nn.MLPClassifier(SHAPE, CLASSES, hidden=(args.hidden,))
    alone = pg.nn.MLPClassifier(SHAPE, CLASSES, hidden=(args.hidden,))
    pair = pg.models.SemiSupervisedVAE(*networks(args), classifier, alpha=args.alpha * len(x) / number)
    pg.fit(pair, (x, known), steps=args.steps, batch_size=100, lr=2e-3, seed=seed)
    optimizer = torch.optim.Adam(alone.parameters(), lr=1e-3, weight_decay=1e-4)
    for _ in range(5 if args.smoke else 500):
        optimizer.zero_grad()
        (-alone(x[kept]).log_prob(y[kept]).mean()).backward()
        optimizer.step()
    images, digits = test
    with torch.no_grad():
        baseline = alone(images).logits.argmax(-1)
    return {
        "semi_supervised": float((pair.classify(images) == digits).double().mean()),
        "labels_alone": float((baseline == digits).double().mean()),
    }


def chosen(y: Tensor, number: int, seed: int) -> Tensor:
    """Indices of `number` images, as equally many of each digit as that allows."""
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    place = torch.zeros(len(y), dtype=torch.int64)
    for digit in range(CLASSES):
        rows = order[y[order] == digit]
        place[rows] = torch.arange(len(rows)) * CLASSES + digit
    return place.argsort()[:number]


def main(argv: list[str] | None = None) -> None:
    """Train, measure, draw, say."""
    args = arguments(argv)
    try:
        pg.report.check_writable(args.out)
        train, test = pg.datasets.Digits(levels="binary").split(1_297, 500, seed=0)
        nll, images = conditional(args, train, test)
        table = choose(args, train) if args.choose else []
        best = {"latent": int(table[0]["latent"]), "alpha": table[0]["alpha"]} if table else {}
        used = argparse.Namespace(**vars(args) | best)
        seen, held = labeled(train), labeled(test)
        rows = {n: [few_labels(used, seen, held, n, s) for s in range(args.seeds)] for n in args.labels}
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    pg.plots.samples(images, columns=10).savefig(args.out / "samples_by_digit.png")
    lines = [
        f"{name:<16}{value:8.2f} nats per image, −log p({'x' if name == 'VAE' else 'x | y'})"
        for name, value in nll.items()
    ]
    lines += ["", f"{'labels':>6}  {'SemiSupervisedVAE':>18}  {'labels alone':>18}   (accuracy on 500 held-out digits)"]
    for number, runs in rows.items():
        cells = []
        for key in ("semi_supervised", "labels_alone"):
            values = torch.tensor([run[key] for run in runs])
            cells.append(f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})")
        lines.append(f"{number:>6}  " + "  ".join(f"{cell:>22}" for cell in cells))
    lines.append(f"{used.latent} latents, α = {used.alpha:g} images per label; mean and range of {args.seeds} seeds")
    if table:
        lines += ["", f"latents  α     accuracy on {VALIDATION} validation digits, mean over the numbers of labels"]
        lines += [f"{row['latent']:>7}  {row['alpha']:<4g}  {row['accuracy']:.3f}" for row in table]
    text = "\n".join(lines)
    if args.smoke:
        text += "\n\nThis was a smoke run of a few steps: its numbers mean nothing."
    result: dict[str, Any] = {"settings": {k: str(v) if k == "out" else v for k, v in vars(args).items()}, "nll": nll}
    result |= {"accuracy": rows, "chosen": best, "validation": table}
    pg.report.write_atomically(
        args.out / "labels.json", (json.dumps(result, indent=2, ensure_ascii=False) + "\n").encode()
    )
    pg.report.write_atomically(args.out / "table.txt", f"{text}\n".encode())
    print(f"\n{text}\n\nFigure, table and JSON: {args.out}")


if __name__ == "__main__":
    main()
