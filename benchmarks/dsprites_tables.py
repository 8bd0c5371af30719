#!/usr/bin/env python
"""Train the pairs of docs/results/dsprites.md: many VAEs at once, as one step that a CUDA graph captures.

The members of an ensemble have the same networks and each its own seed, batches and weights of the objective. Their
matrices are stacked, so that a step is a few batched products. A trained member becomes a pyrogen pair (`pair_of`),
and what is stated of it comes from `pg.evaluate` and `pg.metrics` on the held-out images of
``DSprites().split(727_280, 10_000, seed=0)``. Some eight minutes on one H200; --smoke runs a few steps on the CPU.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import pyrogen as pg
from pyrogen.files import check_writable

SHAPE, LATENT, HELD_OUT = (1, 64, 64), 10, 10_000
WEIGHTS = ("lr", "beta", "capacity_weight", "capacity", "tc", "off_diagonal", "diagonal", "set_point")
Member = dict[str, Any]


def one_cycle(top: float, steps: int) -> np.ndarray:
    """Up from top / 25 over a tenth of the run, then down to top / 100, both along a cosine."""
    s = np.arange(steps) / max(1, steps - 1)
    up = top / 25 + (top - top / 25) * (1 - np.cos(np.pi * np.clip(s / 0.1, 0, 1))) / 2
    down = top / 100 + (top - top / 100) * (1 + np.cos(np.pi * np.clip((s - 0.1) / 0.9, 0, 1))) / 2
    return np.where(s < 0.1, up, down)


def table(spec: Any, steps: int) -> np.ndarray:
    """The values over the steps of a number, ("geometric" | "linear", from, to, share of the run) or ("cycle", top)."""
    if isinstance(spec, int | float):
        return np.full(steps, float(spec))
    if spec[0] == "cycle":
        return one_cycle(spec[1], steps)
    kind, first, last, share = spec
    s = np.minimum(1, np.arange(steps) / max(1, steps - 1) / share)
    values: np.ndarray = first * (last / first) ** s if kind == "geometric" else first + (last - first) * s
    return values


class Ensemble:
    """VAEs with the same networks: an MLP encoder of pooled images, and an MLP or broadcast decoder.

    Args:
        encoder: (hidden units, pool).
        decoder: ("mlp" | "broadcast", widths of the hidden layers).
        members: one dict a member: its seed, and any of `WEIGHTS` as a number or a schedule (see `table`).
        batch_size, steps, beta2: of each member; beta2 is Adam's.
        bfloat16: whether the networks compute in bfloat16; the weights stay float32.
        words: the images as 512 octets each, (N, 512) uint8, on the device that is to train.
        train: numbers of the training images.
    """

    def __init__(
        self,
        encoder: tuple[int, int],
        decoder: tuple[str, Sequence[int]],
        members: list[Member],
        batch_size: int,
        steps: int,
        words: Tensor,
        train: Tensor,
        beta2: float = 0.999,
        bfloat16: bool = False,
    ) -> None:
        self.members, self.batch_size, self.steps, self.beta2 = members, batch_size, steps, beta2
        self.words, self.train, self.bfloat16, self.device = words, train, bfloat16, words.device
        self.pool, self.kind, hidden = encoder[1], decoder[0], list(decoder[1])
        in_sizes = [4096 // self.pool**2, encoder[0]]
        out_sizes = [*hidden, 4096 if self.kind == "mlp" else 4]
        layers = [*zip(in_sizes, [encoder[0], 2 * LATENT], strict=True)]
        layers += [(LATENT + (0 if self.kind == "mlp" else 2), hidden[0]), *zip(hidden, out_sizes[1:], strict=True)]
        self.layers = [self._layer(*sizes, number) for number, sizes in enumerate(layers)]
        self.parameters = [part for layer in self.layers for part in layer]
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]
        centers = (2 * torch.arange(32, device=self.device) + 1) / 32 - 1
        v, u = torch.meshgrid(centers, centers, indexing="ij")
        self.places = torch.stack((u, v), -1).flatten(0, 1)
        rows = [np.stack([table(member.get(name, 0.0), steps) for member in members]) for name in WEIGHTS]
        self.weights = torch.tensor(np.stack(rows), dtype=torch.float32, device=self.device)  # (8, M, steps)
        self.controlled = torch.tensor(["set_point" in member for member in members], device=self.device)
        self.integral = torch.zeros(len(members), device=self.device)
        self.at = torch.zeros((), dtype=torch.long, device=self.device)
        self.count = torch.zeros((), device=self.device)

    def _layer(self, inputs: int, outputs: int, number: int) -> tuple[Tensor, Tensor]:
        """Weight (M, inputs, outputs) and bias (M, 1, outputs), drawn as torch.nn.Linear draws them."""
        generators = [torch.Generator().manual_seed(1000 * member["seed"] + number) for member in self.members]
        bound = 1 / math.sqrt(inputs)
        parts = [
            torch.stack([(2 * torch.rand(*shape, generator=g) - 1) * bound for g in generators]).to(self.device)
            for shape in ((inputs, outputs), (1, outputs))
        ]
        return parts[0].requires_grad_(), parts[1].requires_grad_()

    def images(self, numbers: Tensor) -> Tensor:
        """Pixels (..., 4096) of image numbers (...)."""
        bits = torch.arange(8, device=self.device, dtype=torch.uint8)
        return ((self.words[numbers][..., None] >> bits) & 1).flatten(-2).float()

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances (M, B, L) of images (M, B, 4096)."""
        if self.pool > 1:
            x = F.avg_pool2d(x.reshape(-1, *SHAPE), self.pool).view(*x.shape[:-1], -1)
        (w, b), (w2, b2) = self.layers[:2]
        mean, log_variance = torch.baddbmm(b2, torch.baddbmm(b, x, w).relu(), w2).float().chunk(2, -1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Logits (M, B, 4096) of codes (M, B, L)."""
        (w, b), *rest = self.layers[2:]
        if self.kind == "mlp":
            h = torch.baddbmm(b, z, w)
        else:
            places = self.places.expand(len(z), -1, -1).bmm(w[:, LATENT:])
            h = (torch.baddbmm(b, z, w[:, :LATENT])[:, :, None] + places[:, None]).flatten(1, 2)
        for w, b in rest:
            h = torch.baddbmm(b.to(h.dtype), h.relu(), w.to(h.dtype))
        if self.kind == "broadcast":
            h = h.view(*z.shape[:2], 32, 32, 2, 2).transpose(3, 4)
        return h.reshape(*z.shape[:2], 4096).float()

    def step(self) -> None:
        """One step of Adam of every member, with nothing that waits for the device."""
        numbers = torch.randint(len(self.train), (len(self.members), self.batch_size), device=self.device)
        x = self.images(self.train[numbers])
        now = self.weights.index_select(2, self.at.view(1)).squeeze(2)
        lr, beta, capacity_weight, capacity, tc, off_diagonal, diagonal, set_point = now
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            mean, log_variance = self.encode(x)
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            logits = self.decode(z)
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1).mean(1)
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1).mean(1)
        if self.controlled.numel():  # ControlVAE's controller: proportional and integral parts
            short = set_point - kl.detach()
            self.integral.sub_(1e-3 * short).clamp_(min=0)
            beta = torch.where(self.controlled, 1e-2 / (1 + short.clamp(-50, 50).exp()) + self.integral, beta)
        loss = reconstruction + beta * kl + capacity_weight * (kl - capacity).abs()
        loss = loss + tc * self.total_correlation(mean, log_variance, z)
        centered = mean - mean.mean(1, keepdim=True)
        covariance = centered.mT @ centered / self.batch_size + torch.diag_embed(log_variance.exp().mean(1))
        variances = covariance.diagonal(dim1=1, dim2=2)
        loss = loss + off_diagonal * (covariance.square().sum((1, 2)) - variances.square().sum(1))
        loss = loss + diagonal * (variances - 1).square().sum(1)
        gradients = torch.autograd.grad(loss.sum(), self.parameters)
        with torch.no_grad():
            self.count += 1
            for p, g, (m, v) in zip(self.parameters, gradients, self.moments, strict=True):
                m.lerp_(g, 0.1)
                v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
                rate = (lr / (1 - 0.9**self.count))[:, None, None]
                p -= rate * m / ((v / (1 - self.beta2**self.count)).sqrt() + 1e-8)
            self.at += 1

    def total_correlation(self, mean: Tensor, log_variance: Tensor, z: Tensor) -> Tensor:
        """The stratified estimate of `pg.distributions.log_weights`, (M,)."""
        size, batch = len(self.train), self.batch_size
        log_q = -0.5 * ((z[:, :, None] - mean[:, None]) ** 2 * (-log_variance[:, None]).exp() + log_variance[:, None])
        log_q = log_q - 0.5 * math.log(2 * math.pi)  # (M, B, B, L)
        weights = pg.distributions.log_weights(batch, size).to(log_q) if not self.weights.is_cuda else self._cached()
        joint = (log_q.sum(-1) + weights).logsumexp(-1)
        return (joint - (log_q + weights[..., None]).logsumexp(2).sum(-1)).mean(1)

    def _cached(self) -> Tensor:
        if not hasattr(self, "_log_weights"):  # made in the warm-up: a copy from the host cannot be captured
            self._log_weights = pg.distributions.log_weights(self.batch_size, len(self.train)).to(self.weights)
        return self._log_weights

    def run(self) -> None:
        """Train to the last step; on a GPU by replaying a captured step."""
        if self.device.type != "cuda":
            for _ in range(self.steps):
                self.step()
            return
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        for _ in range(self.steps - 3):
            graph.replay()
        torch.cuda.synchronize()

    def pair_of(self, number: int) -> pg.models.VAE:
        """A member as a pyrogen pair, on the CPU."""
        encoder = pg.nn.MLPEncoder(SHAPE, LATENT, hidden=(self.layers[0][0].shape[2],), pool=self.pool)
        widths = [w.shape[2] for w, _ in self.layers[2:-1]]
        decoder: pg.nn.Decoder
        if self.kind == "mlp":
            decoder = pg.nn.MLPDecoder(SHAPE, LATENT, hidden=widths)
        else:
            decoder = pg.nn.BroadcastDecoder(SHAPE, LATENT, hidden=widths)
        linear = [part for net in (encoder, decoder) for part in net.modules() if isinstance(part, torch.nn.Linear)]
        with torch.no_grad():
            for layer, (w, b) in zip(linear, self.layers, strict=True):
                layer.weight.copy_(w[number].T)
                layer.bias.copy_(b[number, 0])
        return pg.models.VAE(encoder, decoder, beta=float(table(self.members[number].get("beta", 1.0), self.steps)[-1]))


SOURCE = [
    {"beta": ("linear", 0.1, beta, 0.5), "seed": seed, "lr": ("cycle", 3e-3)}
    for beta in (1.0, 4.0, 8.0)
    for seed in range(3)
]
METHODS: dict[str, Member] = {
    "VAE": {"beta": 1.0},
    "β-VAE, β = 4": {"beta": 4.0},
    "β-VAE, β = 8": {"beta": 8.0},
    "β falling from 30 to 2": {"beta": ("geometric", 30.0, 2.0, 0.9)},
    "annealed capacity": {"capacity_weight": 30.0, "capacity": ("linear", 0.0, 20.0, 0.8)},
    "controlled KL": {"set_point": ("linear", 0.5, 18.0, 0.8)},
    "β-TCVAE, β = 6": {"beta": 1.0, "tc": 5.0},
    "β-TCVAE, β falling from 61 to 2": {"beta": 1.0, "tc": ("geometric", 60.0, 1.0, 0.7)},
    "DIP-VAE-II": {"beta": 1.0, "off_diagonal": 10.0, "diagonal": 10.0},
}
FIELD = [{"method": m, "seed": s, "lr": ("cycle", 2e-3)} | METHODS[m] for m in METHODS for s in range(5)]


def main() -> None:
    """Train the tables' pairs and save them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/dsprites_tables"), help="folder of the pairs and scores")
    parser.add_argument("--device", default="cuda", help="where to train (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="three steps of small batches on the CPU")
    args = parser.parse_args()
    check_writable(args.out)
    device = torch.device("cpu" if args.smoke else args.device)
    torch.backends.cuda.matmul.allow_tf32 = True
    data = pg.datasets.DSprites()
    train, test = data.split(2_000 if args.smoke else len(data) - HELD_OUT, HELD_OUT, seed=0)
    numbers = data.index(train.factors(torch.arange(len(train)))).to(device)
    blocks = [np.packbits(data.images(part).flatten(1).numpy(), axis=1, bitorder="little") for part in
              torch.arange(len(data)).split(8192)]  # fmt: skip
    words = torch.from_numpy(np.concatenate(blocks)).to(device)
    sizes: dict[str, Any] = {"images": 50, "nll_images": 2} if args.smoke else {}
    broadcast: tuple[str, Sequence[int]] = ("broadcast", (64, 64, 64))
    for name, networks, members, batch, steps, beta2 in (
        ("source", ((1024, 2), ("mlp", (256, 1024))), SOURCE, 256, 70_000, 0.99),
        ("field", ((512, 2), broadcast), FIELD, 64, 20_000, 0.999),
    ):
        size = (4, 3) if args.smoke else (batch, steps)
        ensemble = Ensemble(*networks, members, *size, words, numbers, beta2, bfloat16=name == "field")
        ensemble.run()
        for number, member in enumerate(members):
            pair, path = ensemble.pair_of(number), args.out / f"{name}-{number:02d}"
            pg.save(pair, path.with_suffix(".safetensors"))
            scores = pg.evaluate(pair, test, [pg.metrics.mig], **sizes)
            scores.to_json(path.with_suffix(".json"))
            print(name, member, scores.reconstruction, scores.kl, float(scores.metrics["mig"]))
            if args.smoke and number == 1:
                break


if __name__ == "__main__":
    main()
