#!/usr/bin/env python
"""Learn a dictionary for sparse codes, in which most entries are exactly zero, and measure what is claimed of them.

Part one, the code. The learned dictionary is kept. ISTA, FISTA and a trained LISTA go towards the minimum F* of the
lasso, which coordinate descent finds with a certificate. The theorems' bounds are drawn beside them.

Part two, sparsity. One trained pair, its Laplace rate set to several shares of zeros. It shows the error on held-out
images by the number of active entries, beside PCA with as many components, and the reconstructions.

Part three asks whether each active entry is "one interpretable feature". It shows for each atom how many digits (or
values of another factor) it is used for: exp of the entropy of the digit where it is active. It shows how much its
activity says about the digit (mutual information in bits), and the cosine of the nearest atom of another seed.

Part four, the same on a convolutional feature map with LISTA, as in Xiao et al. 2023
(https://arxiv.org/abs/2303.16666).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

import pyrogen as pg

SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
FIXED = (1, 2, 3, 5, 8, 13, 20, 30, 50, 80, 130, 200)  # steps of ISTA and FISTA
LEARNED = (1, 2, 3, 5, 8)  # steps of LISTA, a network each


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", choices=("digits", "dsprites"), default="digits", help="of part four (default: %(default)s)")
    add("--atoms", type=int, default=96, help="of the dictionary of pixels (default: %(default)s)")
    add("--sparsity", type=float, default=0.9, help="share of exact zeros in training (default: %(default)s)")
    add("--noise", type=float, default=0.1, help="σ of the pixels, in [0, 1] (default: %(default)s)")
    add("--steps", type=int, default=1000, help="training steps of each pair (default: %(default)s)")
    add("--seed", type=int, default=0, help="of split, weights and batches (default: %(default)s)")
    add("--device", default="cpu", help="such as cpu or cuda (default: %(default)s)")
    add("--out", type=Path, default=Path("out/sc_vae"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="a few steps and images, to see in seconds that it runs")
    return parser.parse_args(argv)


def on_pixels(args: argparse.Namespace, coder: type[pg.nn.SparseCoder] = pg.nn.FISTA) -> pg.models.SCVAE:
    """The pair with a linear dictionary."""
    dictionary = pg.nn.Dictionary(64, args.atoms)
    encoder = pg.nn.SparseLinearEncoder((1, 8, 8), coder(dictionary, 2 if args.smoke else 20))
    decoder = pg.nn.SparseLinearDecoder((1, 8, 8), dictionary, pg.nn.Gaussian(args.noise))
    return pg.models.SCVAE(encoder, decoder, sparsity=args.sparsity)


def on_features(args: argparse.Namespace, shape: tuple[int, ...]) -> pg.models.SCVAE:
    """The pair with a convolutional feature map."""
    dictionary, channels = pg.nn.Dictionary(16, atoms=32), (32,) if shape[-1] == 8 else (16, 32, 32)
    encoder = pg.nn.SparseConvEncoder(shape, pg.nn.LISTA(dictionary, steps=2 if args.smoke else 5), channels)
    likelihood = pg.nn.Gaussian(args.noise) if shape[-1] == 8 else pg.nn.Bernoulli()
    decoder = pg.nn.SparseConvDecoder(shape, dictionary, likelihood, channels)
    return pg.models.SCVAE(encoder, decoder, sparsity=args.sparsity)


def trained(pair: pg.models.SCVAE, x: Tensor, args: argparse.Namespace, seed: int) -> pg.models.SCVAE:
    """The pair after training, without what training alone does."""
    steps = 12 if args.smoke else args.steps
    batch, progress = min(100, len(x)), not args.smoke
    fit = pg.fit(pair, x, steps=steps, batch_size=batch, lr=3e-3, seed=seed, device=args.device, progress=progress)
    if fit.stopped:
        pg.save(pair, args.out / "stopped.safetensors")
        fit.history.to_csv(args.out / "stopped.csv")
        sys.exit(f"Stopped: weights and history of the pair as it is are in {args.out}.")
    return pair.cpu().eval()


@torch.no_grad()
def codes_of(pair: pg.models.SCVAE, x: Tensor) -> Tensor:
    """The codes (N, ..., atoms) of images."""
    return torch.cat([pair.encode(part).mean for part in x.split(500)])


def mean_objective(pair: pg.models.SCVAE, x: Tensor, z: Tensor, penalty: float) -> Tensor:
    """F(z), averaged over the images."""
    left = pair.dictionary.centered(x.flatten(1)) - z @ pair.dictionary.atoms.T
    return (0.5 * left.square().sum(1) + penalty * z.abs().sum(1)).mean()


def convergence(pair: pg.models.SCVAE, train: Tensor, test: Tensor, smoke: bool) -> dict[str, Any]:
    """F(zₖ) − F* of held-out images by coder and k, its bounds, and the slopes at the end; dictionary and λ held."""
    penalty, dictionary = pair.penalty().item(), pair.dictionary.double().requires_grad_(False)
    train, test = train.double(), test.double()[: 10 if smoke else 200]
    d, x = dictionary.atoms.numpy(), dictionary.centered(test.flatten(1)).numpy()
    best = pg.oracles.lasso.minimum(x, d, penalty, gap=1e-3 if smoke else 1e-7)
    least = pg.oracles.lasso.objective(x, d, best, penalty).mean()
    found: dict[str, Any] = {"ISTA": {}, "FISTA": {}, "LISTA, trained": {}}
    learned = LEARNED[:2] if smoke else LEARNED
    bar = tqdm(learned, desc="LISTA", unit="network", disable=smoke)
    for name, coder in (("ISTA", pg.nn.ISTA), ("FISTA", pg.nn.FISTA)):
        for k in FIXED[:6] if smoke else FIXED:
            z = coder(dictionary, k).code(test.flatten(1), penalty)
            found[name][k] = mean_objective(pair, test, z, penalty).item() - least
    for k in bar:
        lista = pg.nn.LISTA(dictionary, k).double()
        lista.reset()
        optimizer = torch.optim.Adam([p for p in lista.parameters() if p.requires_grad], lr=2e-3)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3 if smoke else 600)
        for step in range(3 if smoke else 600):
            batch = train[torch.arange(100 * step, 100 * step + 100) % len(train)]
            loss = mean_objective(pair, batch, lista.code(batch.flatten(1), penalty), penalty)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            falling.step()
        with torch.no_grad():
            z = lista.code(test.flatten(1), penalty)
        found["LISTA, trained"][k] = mean_objective(pair, test, z, penalty).item() - least
    distance, largest = np.sqrt((best**2).sum(1).mean()), dictionary.largest_eigenvalue().item()
    steps = np.array(list(found["ISTA"]))
    bounds = {
        "ISTA": (steps, pg.oracles.lasso.ista_bound(largest, distance, steps)),
        "FISTA": (steps, pg.oracles.lasso.fista_bound(largest, distance, steps)),
    }
    pair.float()
    return {"excess": found, "bounds": {k: v[1].tolist() for k, v in bounds.items()}, "minimum": float(least)}


def by_sparsity(pair: pg.models.SCVAE, train: Tensor, test: Tensor) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Held-out zeros, active entries and squared error at each sparsity set on the training images; its images."""
    rows, images, before = {}, {}, pair.log_rate.clone()
    for sparsity in SPARSITIES:
        reached = pair.set_sparsity(train[:500], sparsity)
        z = codes_of(pair, test)
        with torch.no_grad():
            mean = pair.decode(z).mean
        rows[str(sparsity)] = {
            "training zeros": reached,
            "zeros": (z == 0).float().mean().item(),
            "active": (z != 0).flatten(1).sum(1).float().mean().item(),
            "error": (mean - test).square().mean().item(),
            "error, refitted": refitted(pair, test, z),
        }
        images[f"{sparsity:.0%} zeros"] = mean
    pair.log_rate.copy_(before)
    return rows, images


def refitted(pair: pg.models.SCVAE, x: Tensor, z: Tensor) -> float:
    """The squared error per pixel of least squares on the entries that are active: without the lasso's shrinkage."""
    d, left = pair.dictionary.atoms.detach().double(), pair.dictionary.centered(x.flatten(1)).detach().double()
    total = 0.0
    for row, code in zip(left, z, strict=True):
        used = d[:, code != 0]
        fitted = (
            torch.linalg.lstsq(used, row[:, None], driver="gelsd").solution if used.shape[1] else row.new_zeros(0, 1)
        )
        total += (row - (used @ fitted)[:, 0]).square().mean().item()
    return total / len(x)


def principal(train: Tensor, test: Tensor, components: list[int]) -> list[float]:
    """The squared error per pixel of PCA with so many components on held-out images."""
    train, test = train.flatten(1).double(), test.flatten(1).double()
    axes = torch.linalg.svd(train - train.mean(0), full_matrices=False).Vh
    centered = test - train.mean(0)
    return [(centered - centered @ axes[:k].T @ axes[:k]).square().mean().item() for k in components]


def interpretability(z: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """Of each atom that is used in at least ten images: in effect how many classes, and bits on the class.

    The activity of an atom is its sign, −, 0 or +, where codes lie on a grid that of its largest entry there. The
    mutual information is that of counts, too large by about (3 − 1)(10 − 1) / 2N nats; a shuffle of the labels says
    by how much.
    """
    if z.ndim > 2:
        z = z.reshape(len(z), -1, z.shape[-1])
        z = np.take_along_axis(z, np.abs(z).argmax(1)[:, None], 1)[:, 0]
    sign, rng = np.sign(z), np.random.default_rng(0)
    used = np.flatnonzero((sign != 0).sum(0) >= 10)
    classes = np.unique(labels)
    effective, bits, shuffled = [], [], []
    for a in used:
        share = np.array([(labels[sign[:, a] != 0] == c).mean() for c in classes])
        effective.append(float(np.exp(-(share[share > 0] * np.log(share[share > 0])).sum())))
        bits.append(_information(sign[:, a], labels))
        shuffled.append(_information(sign[:, a], rng.permutation(labels)))
    return {
        "atoms used": len(used),
        "classes per atom": effective,
        "bits": bits,
        "bits, labels shuffled": float(np.mean(shuffled)) if shuffled else 0.0,
        "one class (under 1.5 in effect)": float(np.mean([e < 1.5 for e in effective])) if effective else 0.0,
        "entropy of the class, bits": _information(labels, labels),
    }


def zeros_among_used(z: Tensor) -> float:
    """The share of zeros if the atoms that no image uses are left out."""
    z = z.flatten(0, -2)
    return (z[:, (z != 0).any(0)] == 0).float().mean().item()


def _information(a: NDArray[Any], b: NDArray[Any]) -> float:
    joint = np.array([[np.mean((a == i) & (b == j)) for j in np.unique(b)] for i in np.unique(a)])
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    return float((joint[joint > 0] * np.log2(joint[joint > 0] / independent[joint > 0])).sum())


@torch.no_grad()
def responses(pair: pg.models.SCVAE) -> Tensor:
    """What one entry of a feature map's code adds to the image: the mean with it less the mean without, per atom."""
    height, width, atoms = pair.code_shape
    z = torch.zeros(atoms + 1, height, width, atoms)
    z[range(atoms), height // 2, width // 2, range(atoms)] = 2.0
    mean = pair.decode(z).mean
    return mean[:-1] - mean[-1]


def load(args: argparse.Namespace) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """(images, labels) to train on and held out, of the digits and of what part four is on."""

    def plain(part: Any) -> tuple[Tensor, NDArray[np.int64]]:
        index = torch.arange(len(part))
        return part.images(index).float(), part.factors(index)[:, 0].numpy()

    digits = [
        plain(part)
        for part in pg.datasets.Digits().split(*((300, 100) if args.smoke else (1_297, 500)), seed=args.seed)
    ]
    if args.data == "digits":
        return (digits[0], digits[1]), (digits[0], digits[1])
    whole = pg.datasets.DSprites(cache=not args.smoke)
    sprites = [plain(part) for part in whole.split(200 if args.smoke else 5_000, 500, seed=args.seed)]
    return (digits[0], digits[1]), (sprites[0], sprites[1])


def main(argv: list[str] | None = None) -> None:
    """Train, measure, draw."""
    args = arguments(argv)
    try:
        pg.report.check_writable(args.out)
        torch.manual_seed(args.seed)
        first = on_pixels(args)
        (train, test), (train_features, test_features) = load(args)
        pair = trained(first, train[0], args, args.seed)
        torch.manual_seed(args.seed + 1)
        again = trained(on_pixels(args), train[0], args, args.seed + 1)
        torch.manual_seed(args.seed)
        shape = tuple(train_features[0].shape[1:])
        features = trained(on_features(args, shape), train_features[0], args, args.seed)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")

    z = codes_of(pair, test[0])
    rates = convergence(pair, train[0], test[0], args.smoke)
    sparsities, images = by_sparsity(pair, train[0], test[0])
    active = [row["active"] for row in sparsities.values()]
    components = [k for k in (1, 2, 3, 5, 8, 12, 20, 32) if k <= max(active) * 1.2]
    with torch.no_grad():
        likeness = (pair.dictionary.atoms.T @ again.dictionary.atoms).abs().max(1).values
        found = features.encode(test_features[0]).mean
        reconstruction = features.decode(found).mean
    meaning = {
        "pixels": interpretability(z.numpy(), test[1]),
        "feature map": interpretability(found.numpy(), test_features[1]),
        "cosine to the nearest atom of another seed": likeness.tolist(),
    }
    content = {
        "settings": {k: v for k, v in vars(args).items() if k not in ("out", "device")},
        "zeros asked": args.sparsity,
        "zeros held out": {
            "pixels": (z == 0).float().mean().item(),
            "feature map": (found == 0).float().mean().item(),
        },
        "rates": rates,
        "by sparsity": sparsities,
        "pca": dict(zip(map(str, components), principal(train[0], test[0], components), strict=True)),
        "meaning": meaning,
        "feature map": {
            "code": list(features.code_shape),
            "error": (reconstruction - test_features[0]).square().mean().item(),
            "share of images by atom": (found != 0).flatten(1, -2).any(1).float().mean(0).tolist(),
            "zeros among the atoms used": zeros_among_used(found),
            "scores": json.loads(pg.evaluate(features, test_features[0], images=500).to_json()),
        },
    }
    draw(args.out, pair, features, content, test[0], images, (test_features[0], reconstruction), z)
    lines = table(content)
    if args.smoke:
        lines += ["", "This was a smoke run of a few steps: its numbers mean nothing."]
    pg.report.write_atomically(
        args.out / "sc_vae.json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    )
    pg.report.write_atomically(args.out / "table.txt", ("\n".join(lines) + "\n").encode())
    print("\n".join([*lines, f"\nFigures and numbers: {args.out}"]))


def draw(
    out: Path,
    pair: pg.models.SCVAE,
    features: pg.models.SCVAE,
    content: dict[str, Any],
    x: Tensor,
    images: dict[str, Tensor],
    pictures: tuple[Tensor, Tensor],
    z: Tensor,
) -> None:
    """The five figures."""
    order = (z != 0).float().mean(0).argsort(descending=True)[:64]
    used = pair.dictionary.atoms.detach().T[order].reshape(-1, *pair.shape)
    effect = responses(features)
    often = content["feature map"]["share of images by atom"]
    used_atoms = [a for a in range(len(often)) if often[a] > 0] or range(len(often))
    strongest = sorted(used_atoms, key=lambda a: -often[a])
    excess, bounds = content["rates"]["excess"], content["rates"]["bounds"]
    rows = list(content["by sparsity"].values())
    figures = {
        "atoms": pg.plots.atoms(
            {
                "atoms of pixels, most used first": used,
                "feature map: what one entry of an atom in use adds": effect[strongest],
            }
        ),
        "rates": pg.plots.convergence(
            {name: (list(values), list(values.values())) for name, values in excess.items()},
            {name: (FIXED[: len(values)], values) for name, values in bounds.items()},
        ),
        "error": pg.plots.error_by_active(
            {
                f"sparse code, {pair.latent} atoms": ([row["active"] for row in rows], [row["error"] for row in rows]),
                "the same entries, refitted": (
                    [row["active"] for row in rows],
                    [row["error, refitted"] for row in rows],
                ),
                "PCA, as many components": (list(map(float, content["pca"])), list(content["pca"].values())),
            }
        ),
        "reconstructions": pg.plots.reconstructions(x[:8], {label: mean[:8] for label, mean in images.items()}),
        "feature_map": pg.plots.reconstructions(pictures[0][:8], {"from the sparse map": pictures[1][:8]}),
    }
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png")


def table(content: dict[str, Any]) -> list[str]:
    """What is printed."""
    lines = [f"{'k':>5} {'ISTA':>10} {'FISTA':>10} {'LISTA':>10}   F(zₖ) − F* on held-out digits, λ and D held"]
    excess = content["rates"]["excess"]
    for k in excess["ISTA"]:
        cells = (f"{excess[name][k]:10.2e}" if k in excess[name] else " " * 10 for name in excess)
        lines.append(f"{k:5d} " + " ".join(cells))
    lines += ["", f"{'zeros asked':>11} {'held out':>9} {'active':>7} {'error per pixel':>16} {'refitted':>9}"]
    for asked, row in content["by sparsity"].items():
        lines.append(
            f"{float(asked):11.0%} {row['zeros']:9.1%} {row['active']:7.1f} {row['error']:16.5f} "
            f"{row['error, refitted']:9.5f}"
        )
    cosines = content["meaning"]["cosine to the nearest atom of another seed"]
    lines += [
        "",
        f"trained at {content['zeros asked']:.0%}: zeros held out "
        + ", ".join(f"{name} {share:.1%}" for name, share in content["zeros held out"].items())
        + f" (among the atoms that any image uses, {content['feature map']['zeros among the atoms used']:.1%})",
        "",
    ]
    for name in ("pixels", "feature map"):
        row = content["meaning"][name]
        classes, bits = row["classes per atom"] or [0.0], row["bits"] or [0.0]
        lines.append(
            f"{name}: {row['atoms used']} atoms used; classes per atom, in effect: median {np.median(classes):.1f}, "
            f"least {min(classes):.1f}; one class: {row['one class (under 1.5 in effect)']:.0%}; bits on the class: "
            f"median {np.median(bits):.2f}, most {max(bits):.2f} of {row['entropy of the class, bits']:.2f} "
            f"(shuffled {row['bits, labels shuffled']:.2f})"
        )
    lines.append(
        f"atoms of pixels found again by another seed: median cosine {np.median(cosines):.2f}, "
        f"{np.mean(np.array(cosines) > 0.9):.0%} above 0.9"
    )
    return lines


if __name__ == "__main__":
    main()
