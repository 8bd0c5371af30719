#!/usr/bin/env python
"""Train the digits pairs that ship with the package, and write their weights in half precision and their cards.

Each is the pair of an example, some seconds on one core: `vamp_prior.py`, `vq_vae.py`, `sc_vae.py`, `ae_vs_vae.py`.
What a card states is measured on the 500 held-out images of ``Digits(...).split(1_297, 500, seed=0)``, of the weights
as they ship; `half_precision` sets the objective of these beside that of the weights before they were rounded.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

import pyrogen as pg

SHAPE, HELD_OUT = (1, 8, 8), 500
CHECK = {"images": 200, "nll_images": 1, "importance_samples": 1, "seed": 0}


@dataclass(frozen=True)
class Recipe:
    """What a pair is made of: a title, its networks in words, its images, its maker and how it is trained."""

    title: str
    networks: str
    levels: Literal["gray", "binary"]
    build: Callable[[Tensor], pg.models.Pair]
    steps: int
    batch_size: int
    lr: float
    example: str


def vamp_prior(x: Tensor) -> pg.models.Pair:
    """A VAE whose prior is made of the posteriors at 50 learned images."""
    encoder, decoder = pg.nn.MLPEncoder(SHAPE, 10, (128, 128)), pg.nn.MLPDecoder(SHAPE, 10, hidden=(128, 128))
    return pg.models.VAE(encoder, decoder, prior=pg.distributions.VampPrior(encoder, x[torch.randperm(len(x))[:50]]))


def vq_vae(x: Tensor) -> pg.models.Pair:
    """Codes on a grid of 4 × 4, each one of 8."""
    networks = pg.nn.ConvGridEncoder(SHAPE, 4, (32,)), pg.nn.ConvGridDecoder(SHAPE, 4, channels=(32,))
    return pg.models.VQVAE(*networks, pg.nn.Codebook(8, 4, update="ema", decay=0.95), commitment=1.0)


def sc_vae(x: Tensor) -> pg.models.Pair:
    """Sparse codes of pixels, by 20 steps of FISTA."""
    dictionary = pg.nn.Dictionary(64, 96)
    encoder = pg.nn.SparseLinearEncoder(SHAPE, pg.nn.FISTA(dictionary, 20))
    return pg.models.SCVAE(encoder, pg.nn.SparseLinearDecoder(SHAPE, dictionary, pg.nn.Gaussian(0.1)), sparsity=0.9)


def autoencoder(x: Tensor) -> pg.models.Pair:
    """Points in place of posteriors."""
    encoder = pg.nn.MLPEncoder(SHAPE, 10, (128,), point=True)
    return pg.models.Autoencoder(encoder, pg.nn.MLPDecoder(SHAPE, 10, hidden=(128,)))


MLP = "MLPEncoder((1, 8, 8), 10, {0}) and MLPDecoder((1, 8, 8), 10, hidden={0})"
RECIPES = {
    "digits-vampprior": Recipe(
        "VAE with a VampPrior on digits",
        MLP.format("(128, 128)") + ", VampPrior of 50 training images",
        "binary",
        vamp_prior,
        1500,
        100,
        1e-3,
        "vamp_prior.py",
    ),
    "digits-vqvae": Recipe(
        "VQ-VAE on digits",
        "ConvGridEncoder((1, 8, 8), 4, (32,)) and its mirror, Codebook(8, 4) by moving averages",
        "binary",
        vq_vae,
        1000,
        32,
        2e-3,
        "vq_vae.py",
    ),
    "digits-scvae": Recipe(
        "SC-VAE on the pixels of digits",
        "Dictionary(64, 96) with 20 steps of FISTA, Gaussian noise of 0.1",
        "gray",
        sc_vae,
        1000,
        100,
        3e-3,
        "sc_vae.py",
    ),
    "digits-autoencoder": Recipe(
        "Autoencoder on digits", MLP.format("(128,)"), "binary", autoencoder, 2000, 64, 1e-3, "ae_vs_vae.py"
    ),
}


def scores(pair: pg.models.Pair, test: Any, **sizes: Any) -> dict[str, float]:
    """The terms that the pair has, in nats per image."""
    found = pg.evaluate(pair, test, [], **sizes)
    names = ("elbo", "reconstruction", "kl", "objective", "nll")
    return {name: value for name in names if (value := getattr(found, name)) is not None}


def make(name: str, folder: Path, smoke: bool = False) -> dict[str, Any]:
    """Train the pair, save its weights and card, and return the card."""
    recipe = RECIPES[name]
    train, test = pg.datasets.Digits(recipe.levels).split(1_297, HELD_OUT, seed=0)
    torch.manual_seed(0)
    pair = recipe.build(train.images(torch.arange(len(train))))
    steps = 2 if smoke else recipe.steps
    pg.fit(pair, train, steps=steps, batch_size=recipe.batch_size, lr=recipe.lr, seed=0, progress=False)
    pg.save(copy.deepcopy(pair).half(), folder / f"{name}.safetensors")
    ships = pg.load(folder / f"{name}.safetensors").float().eval()
    single = scores(pair, test, **CHECK | {"images": HELD_OUT})
    half = scores(ships, test, **CHECK | {"images": HELD_OUT})
    card = {
        "title": recipe.title,
        "data": f"Digits({recipe.levels!r}): 1,297 images to train, 500 held out by split(1_297, 500, seed=0)",
        "networks": recipe.networks,
        "recipe": {"batch_size": recipe.batch_size, "steps": steps, "optimizer": f"Adam, lr {recipe.lr:g}", "seed": 0},
        "hardware": f"one CPU core ({platform.machine()}), torch {torch.__version__}",
        "held_out": {"images": HELD_OUT, "unit": "nats per image; the weights as they ship"}
        | scores(ships, test, images=HELD_OUT, nll_images=20 if smoke else HELD_OUT),
        "half_precision": {"images": HELD_OUT, "objective": half["objective"]}
        | {"objective_of_single": single["objective"]}
        | ({"elbo": half["elbo"], "elbo_of_single": single["elbo"]} if "elbo" in half else {}),
        "check": CHECK | {"levels": recipe.levels} | scores(ships, test, **CHECK),
        "limits": "Binary or gray digits of 8 × 8 pixels by 13 writers, who wrote the training images too. One seed.",
        "license": "MIT, as the package",
        "again": f"python benchmarks/digits_pairs.py; examples/{recipe.example} tells of the pair",
    }
    (folder / f"{name}.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return card


def main() -> None:
    """Train all pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=pg.weights.FOLDER, help="folder of the pairs (default: the package's)"
    )
    parser.add_argument("--only", choices=tuple(RECIPES), nargs="+", default=tuple(RECIPES), help="these pairs alone")
    parser.add_argument("--smoke", action="store_true", help="two steps each, to see that it runs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        card = make(name, args.out, args.smoke)
        print(name, card["held_out"], card["half_precision"])


if __name__ == "__main__":
    main()
