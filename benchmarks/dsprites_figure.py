#!/usr/bin/env python
"""Draw MIG against reconstruction along training, from results/dsprites_tables.json, for docs/results/dsprites.md."""

import json
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
TARGET = HERE.parent / "docs" / "results" / "dsprites" / "mig_and_reconstruction.png"


def main() -> None:
    """Draw the medians over the seeds of each method, a point at every tenth of the run."""
    runs = json.loads((HERE / "results" / "dsprites_tables.json").read_text(encoding="utf-8"))["field"]
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for number, method in enumerate(dict.fromkeys(run["method"] for run in runs)):
        curves = np.array([run["curve"] for run in runs if run["method"] == method])
        _, reconstruction, _, mig = np.median(curves, axis=0).T
        axes.plot(reconstruction, mig, "o-", color=f"C{number}", linewidth=1.2, markersize=3, label=method)
        axes.plot(curves[:, -1, 1], curves[:, -1, 3], "x", color=f"C{number}", markersize=5)
    axes.set_xlabel("reconstruction, nats per held-out image")
    axes.set_ylabel("MIG, histogram of 20 bins")
    axes.set_xlim(170, 35)
    axes.legend(fontsize="small", ncols=2)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, dpi=110)


if __name__ == "__main__":
    main()
