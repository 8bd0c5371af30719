#!/usr/bin/env python
"""Time one training step: `pg.fit`'s, a hand-written PyTorch loop's and `pyro.infer.SVI.step`, as ratios in one run.

(a) a tiny host-bound network, (b) the convolutional pair at batch 64. The hand-written loop is the fastest plain one:
it uses the same fused Adam, draws its batches from the same tensor in the same way, and logs nothing.
The three take turns in short blocks, so that a machine whose speed drifts slows them alike; a ratio is the median
over the blocks of ratios taken next to each other.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyro
import torch
from pyro.infer import SVI, TraceMeanField_ELBO
from torch import Tensor, nn
from torch.nn import functional as F

import pyrogen as pg
from pyrogen.files import write_atomically
from pyrogen.training.data import Order, TensorSource
from pyrogen.training.run import Run


def tiny() -> tuple[pg.models.VAE, Tensor, int]:
    """(a): 64 pixels, 16 hidden units, 2 latents, batch 32."""
    networks = pg.nn.MLPEncoder((64,), 2, hidden=(16,)), pg.nn.MLPDecoder((64,), 2, hidden=(16,))
    return pg.models.VAE(*networks), torch.bernoulli(torch.full((10_000, 64), 0.3)), 32


def conv() -> tuple[pg.models.VAE, Tensor, int]:
    """(b): the convolutional pair on 64 × 64 images, 10 latents, batch 64."""
    images = pg.datasets.DSprites(cache=None).split(2000, 1)[0].images(torch.arange(2000)).float()
    return pg.models.VAE(pg.nn.ConvEncoder((1, 64, 64), 10), pg.nn.ConvDecoder((1, 64, 64), 10)), images, 64


def ours(pair: pg.models.VAE, x: Tensor, batch_size: int) -> Callable[[int], None]:
    """A block of `fit`'s own loop, its looks at the terms included."""
    optimizer = torch.optim.Adam(pair.parameters(), lr=1e-3, fused=True)
    run = Run(pair, TensorSource(x), Order(len(x), batch_size, 0), optimizer)
    stop = threading.Event()
    return lambda n: run.train(run.step + n, stop, None, False)


def by_hand(pair: pg.models.VAE, x: Tensor, batch_size: int) -> Callable[[int], None]:
    """A block of the loop that one would write without Pyro."""
    encoder, decoder = network(pair.encoder), network(pair.decoder)
    optimizer = torch.optim.Adam(pair.parameters(), lr=1e-3, fused=True)
    order, done = Order(len(x), batch_size, 0), [0]

    def block(n: int) -> None:
        for _ in range(n):
            batch = x.index_select(0, order(done[0]))
            done[0] += 1
            loc, log_variance = encoder(batch).chunk(2, -1)
            z = loc + (0.5 * log_variance).exp() * torch.randn_like(loc)
            logits = decoder(z)
            reconstruction = F.binary_cross_entropy_with_logits(logits, batch, reduction="sum")
            kl = -0.5 * (1 + log_variance - loc.square() - log_variance.exp()).sum()
            loss = (reconstruction + kl) / batch_size
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return block


def network(part: nn.Module) -> nn.Module:
    """The plain torch module inside one of our networks."""
    inner = part.network
    assert isinstance(inner, nn.Module)
    return inner


def by_svi(pair: pg.models.VAE, x: Tensor, batch_size: int) -> Callable[[int], None]:
    """A block of Pyro's own loop."""
    optimizer = pyro.optim.Adam({"lr": 1e-3})  # type: ignore[attr-defined]
    svi = SVI(pair.model, pair.guide, optimizer, TraceMeanField_ELBO())
    order, done = Order(len(x), batch_size, 0), [0]

    def block(n: int) -> None:
        for _ in range(n):
            svi.step(x.index_select(0, order(done[0])))
            done[0] += 1

    return block


def compare(make: Callable[[], tuple[pg.models.VAE, Tensor, int]], steps: int, blocks: int) -> dict[str, Any]:
    """Milliseconds a step and ratios to the hand-written loop; medians over the blocks."""
    contenders: dict[str, Callable[[int], None]] = {}
    for name, start in (("fit", ours), ("by_hand", by_hand), ("svi", by_svi)):
        torch.manual_seed(0)
        contenders[name] = start(*make())
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for block in range(-2, blocks):  # two to warm up
        for name, loop in contenders.items():
            began = time.perf_counter()
            loop(steps)
            if block >= 0:
                times[name].append((time.perf_counter() - began) / steps * 1e3)
    result: dict[str, Any] = {f"{name}_ms": round(statistics.median(values), 4) for name, values in times.items()}
    for name in ("fit", "svi"):
        ratios = sorted(a / b for a, b in zip(times[name], times["by_hand"], strict=True))
        result[f"{name}_to_by_hand"] = round(statistics.median(ratios), 3)
        result[f"{name}_to_by_hand_quartiles"] = [round(ratios[len(ratios) * q // 4], 3) for q in (1, 3)]
    return result


def main() -> None:
    """Run both comparisons and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=31, help="blocks of each loop (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/step_time.json"))
    args = parser.parse_args()
    threads = torch.get_num_threads()
    results: dict[str, Any] = {
        "date": date.today().isoformat(),
        "torch": torch.__version__,
        "pyro": pyro.__version__,
        "python": platform.python_version(),
        "threads": {"a_tiny": 1, "b_conv": threads},
        "device": "cpu",
        "blocks": args.blocks,
    }
    for name, make, steps, limit in (("a_tiny", tiny, 200, 1.3), ("b_conv", conv, 5, 1.05)):
        torch.set_num_threads(1 if make is tiny else threads)  # a second thread has nothing to do on the tiny network
        results[name] = compare(make, steps, args.blocks) | {"steps_a_block": steps, "aim": limit}
        print(name, json.dumps(results[name], indent=1))
    write_atomically(args.out, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
