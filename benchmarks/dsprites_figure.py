#!/usr/bin/env python
"""Draw the figures of docs/results/dsprites.md, from the results and from the pairs that ship."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import pyplot as plt

import pyrogen as pg

HERE = Path(__file__).parent
TARGET = HERE.parent / "docs" / "results" / "dsprites"
HEART = [2, 5, 8, 16, 16]  # numbers of shape, scale, orientation and both positions


def mig_and_reconstruction() -> None:
    """Draw the medians over the seeds of each method, a point at every tenth of the run."""
    runs = json.loads((HERE / "results" / "dsprites_tables.json").read_text(encoding="utf-8"))["field"]
    figure, axes = plt.subplots(figsize=(8, 5.5), layout="constrained")
    for number, method in enumerate(dict.fromkeys(run["method"] for run in runs)):
        curves = np.array([run["curve"] for run in runs if run["method"] == method])
        _, reconstruction, _, mig = np.median(curves, axis=0).T
        axes.plot(reconstruction, mig, "o-", color=f"C{number}", linewidth=1.2, markersize=3, label=method)
        axes.plot(curves[:, -1, 1], curves[:, -1, 3], "x", color=f"C{number}", markersize=5)
    parts = json.loads((HERE / "results" / "dsprites_broadcast.json").read_text(encoding="utf-8"))["runs"]
    rows = [row for run in parts if run["part"].startswith("tc") for row in run["curve_of_3000_images"]]
    _, reconstruction, _, mig = np.array(rows).T
    said = "β-TCVAE on from β = 1: to 6, then 1.5"
    axes.plot(reconstruction, mig, "s-", color="black", linewidth=1.2, markersize=3, label=said)
    axes.set_xlabel("reconstruction, nats per held-out image")
    axes.set_ylabel("MIG, histogram of 20 bins")
    axes.set_xlim(170, 20)
    figure.legend(loc="outside lower center", fontsize="small", ncols=3)
    figure.savefig(TARGET / "mig_and_reconstruction.png", dpi=110)


def reconstructions(data: pg.datasets.DSprites) -> None:
    """Draw eight held-out images above what each pair makes of them."""
    images = data.split(len(data) - 10_000, 10_000, seed=0)[1].images(range(8))
    names = ("vae-beta1", "vae-beta4", "vae-beta8", "tcvae", "dipvae")
    drawn = {name: pg.pretrained(f"dsprites-{name}").reconstruct(images) for name in names}
    pg.plots.reconstructions(images, drawn).savefig(TARGET / "reconstructions.png", dpi=90)


def traversals(data: pg.datasets.DSprites) -> None:
    """Draw the latents of the β-TCVAE one at a time, from a heart."""
    view = pg.explore.View(pg.pretrained("dsprites-tcvae"), data)
    start = torch.as_tensor(view.code(int(data.index(torch.tensor([HEART])))))
    decode: Any = view.decode_all
    figure = pg.plots.traversals(decode, start, latents=view.order.tolist(), kl=view.kl)
    figure.savefig(TARGET / "traversals_tcvae.png", dpi=90)


def main() -> None:
    """Draw all three."""
    TARGET.mkdir(parents=True, exist_ok=True)
    data = pg.datasets.DSprites()
    mig_and_reconstruction()
    reconstructions(data)
    traversals(data)


if __name__ == "__main__":
    main()
