#!/usr/bin/env python
"""Time one training step of `pg.fit` against a hand-written PyTorch loop, as ratios in one run.

(a) a tiny host-bound network, (b) the convolutional pair at batch 64, (c) an MLP pair with 512 hidden units at batch
128, (d) a TC-VAE with 512 hidden units at batch 256. The hand-written loop is the fastest plain one: eager float32 with
fused Adam; it draws its batches from the same tensor in the same way, and logs nothing. (d) is compared with `fit`'s
recorded step as it was before `fit` kept freed memory. Each contender has a process of its own, for `fit` keeps freed
memory and a plain loop does not. They take turns in short blocks, so that a machine whose speed drifts slows all. A
ratio is the median over the blocks of ratios taken next to each other. With one thread the clock is the process's
processor time, which other work on the machine disturbs less; with more threads it is wall time. A result replaces that
of its case in the JSON, and the other cases stay.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pyro
import torch
from pyro.infer import SVI, TraceMeanField_ELBO
from torch import Tensor, nn
from torch.nn import functional as F

import pyrogen as pg
from pyrogen.files import write_atomically
from pyrogen.training.data.sources import Order, TensorSource
from pyrogen.training.memory import kept_memory
from pyrogen.training.run import Run
from pyrogen.training.step import Precision

Block = Callable[[int], None]
Task = tuple[pg.models.Pair, Tensor, int]
TURN = 0.25  # seconds that a block takes, about


def tiny() -> Task:
    """(a): 64 pixels, 16 hidden units, 2 latents, batch 32."""
    networks = pg.nn.MLPEncoder((64,), 2, hidden=(16,)), pg.nn.MLPDecoder((64,), 2, hidden=(16,))
    return pg.models.VAE(*networks), torch.bernoulli(torch.full((10_000, 64), 0.3)), 32


def conv() -> Task:
    """(b): the convolutional pair on 64 × 64 images, 10 latents, batch 64."""
    return pg.models.VAE(pg.nn.ConvEncoder((1, 64, 64), 10), pg.nn.ConvDecoder((1, 64, 64), 10)), sprites(), 64


def mlp() -> Task:
    """(c): 64 × 64 images, one layer of 512 hidden units, 10 latents, batch 128."""
    networks = pg.nn.MLPEncoder((1, 64, 64), 10, hidden=(512,)), pg.nn.MLPDecoder((1, 64, 64), 10, hidden=(512,))
    return pg.models.VAE(*networks), sprites(), 128


def tc_vae() -> Task:
    """(d): the networks of (c) in a TC-VAE with β = 6, batch 256."""
    networks = pg.nn.MLPEncoder((1, 64, 64), 10, hidden=(512,)), pg.nn.MLPDecoder((1, 64, 64), 10, hidden=(512,))
    return pg.models.TCVAE(*networks, beta=6.0), sprites(), 256


def sprites() -> Tensor:
    """2000 images of dSprites."""
    return pg.datasets.DSprites(cache=None).split(2000, 1)[0].images(torch.arange(2000)).float()


class Turns(Run):
    """`fit`'s own loop, whose compiled program stays from one call of `train` to the next."""

    @contextmanager
    def _programmed(self, steps: int) -> Iterator[None]:
        self._steps = steps
        self._program = self._program or self._compiled()
        yield


def by_fit(task: Task, compile: bool | None = None, precision: Precision = "float32") -> Block:
    """Return a block of `fit`'s loop, its looks at the terms included."""
    pair, x, batch_size = task
    optimizer = torch.optim.Adam(pair.parameters(), lr=1e-3, fused=True)
    order = Order(len(x), batch_size, 0)
    run = Turns(pair, TensorSource(x), order, optimizer, compile=compile, precision=precision)
    stop = threading.Event()
    run.train(1, stop, None, False)
    if run.way == "plain" or (compile and run.way != "compiled"):
        raise RuntimeError(f"the step is {run.way}")
    return lambda n: run.train(run.step + n, stop, None, False)


def by_hand(task: Task, wrap: Callable[..., Any] = lambda loss: loss) -> Block:
    """Return a block of the loop that one would write without Pyro; `wrap` may compile its loss."""
    pair, x, batch_size = task
    assert isinstance(pair, pg.models.VAE)
    encoder, decoder = network(pair.encoder), network(pair.decoder)
    optimizer = torch.optim.Adam(pair.parameters(), lr=1e-3, fused=True)
    order, done = Order(len(x), batch_size, 0), [0]

    def loss(batch: Tensor) -> Tensor:
        loc, log_variance = encoder(batch).chunk(2, -1)
        z = loc + (0.5 * log_variance).exp() * torch.randn_like(loc)
        logits = decoder(z).view(batch.shape)
        reconstruction = F.binary_cross_entropy_with_logits(logits, batch, reduction="sum")
        kl = -0.5 * (1 + log_variance - loc.square() - log_variance.exp()).sum()
        objective: Tensor = (reconstruction + kl) / batch_size
        return objective

    loss = wrap(loss)

    def block(n: int) -> None:
        for _ in range(n):
            batch = x.index_select(0, order(done[0]).to(x.device, non_blocking=True))
            done[0] += 1
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()

    return block


def network(part: nn.Module) -> nn.Module:
    """Return the plain torch module inside one of our networks."""
    inner = part.network
    assert isinstance(inner, nn.Module)
    flatten = isinstance(part, pg.nn.MLPEncoder) and len(part.shape) > 1
    return nn.Sequential(nn.Flatten(), *inner.children()) if flatten else inner


def by_svi(task: Task) -> Block:
    """Return a block of Pyro's own loop."""
    pair, x, batch_size = task
    optimizer = pyro.optim.Adam({"lr": 1e-3})  # type: ignore[attr-defined]
    svi = SVI(pair.model, pair.guide, optimizer, TraceMeanField_ELBO())
    order, done = Order(len(x), batch_size, 0), [0]

    def block(n: int) -> None:
        for _ in range(n):
            svi.step(x.index_select(0, order(done[0])))
            done[0] += 1

    return block


def by_pythae(task: Task) -> Block:
    """Return a block of pythae's trainer on the same networks (``pip install pythae==0.1.2``): a block is an epoch."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    pair, x, batch_size = task
    assert isinstance(pair, pg.models.VAE)
    first, second = network(pair.encoder), network(pair.decoder)

    class Encode(BaseEncoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = first

        def forward(self, batch: Tensor) -> Any:
            loc, log_variance = self.layers(batch).chunk(2, -1)
            return ModelOutput(embedding=loc, log_covariance=log_variance)

    class Decode(BaseDecoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = second

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    settings = VAEConfig(input_dim=tuple(x.shape[1:]), latent_dim=10, reconstruction_loss="bce")
    config = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=batch_size, learning_rate=1e-3, no_cuda=True
    )
    trainer = BaseTrainer(
        VAE(settings, Encode(), Decode()), BaseDataset(x, torch.zeros(len(x))), training_config=config
    )
    trainer.prepare_training()

    def block(n: int) -> None:
        rows = BaseDataset(x[: n * batch_size], torch.zeros(n * batch_size))
        trainer.train_loader = trainer.get_train_dataloader(rows)
        trainer.train_step(1)

    return block


class Case(NamedTuple):
    """What is timed: the task, the contenders (the baseline first) and the largest ratios that are aimed at."""

    task: Callable[[], Task]
    contenders: tuple[str, ...]
    aims: dict[str, float]


START: dict[str, Callable[[Task], Block]] = {
    "by_hand": by_hand,
    "recorded": by_fit,
    "recorded_before": by_fit,
    "compiled": lambda task: by_fit(task, True),
    "compiled_bf16": lambda task: by_fit(task, True, "bf16"),
    "svi": by_svi,
    "pythae": by_pythae,
}
OURS = ("recorded", "compiled", "compiled_bf16")
CASES = {
    "a": Case(tiny, ("by_hand", *OURS, "svi"), {"compiled": 0.4}),
    "b": Case(conv, ("by_hand", *OURS, "pythae"), {"compiled": 0.85, "compiled_bf16": 0.5}),
    "c": Case(mlp, ("by_hand", *OURS), {"compiled": 0.95, "compiled_bf16": 0.65}),
    "d": Case(tc_vae, ("recorded_before", *OURS), {"compiled": 0.45}),
}


def serve(pipe: Any, case: str, contender: str, threads: int) -> None:
    """Start a contender in a process of its own, and time as many steps as each message asks for."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    clock = time.process_time if threads == 1 else time.perf_counter
    with kept_memory() if contender in OURS else nullcontext():
        try:
            loop = START[contender](CASES[case].task())
            loop(2)  # warms up
        except Exception as error:  # the others are still worth their time
            pipe.send(str(error).splitlines()[0])
            return
        pipe.send("")
        while steps := pipe.recv():
            began = clock()
            loop(steps)
            pipe.send((clock() - began) / steps * 1e3)


def compare(name: str, seconds: float, threads: int) -> dict[str, Any]:
    """Return milliseconds a step and ratios to the first contender: medians and quartiles over the blocks."""
    case, context = CASES[name], multiprocessing.get_context("spawn")
    pipes: dict[str, Any] = {}
    result: dict[str, Any] = {"load_average_before": [round(load, 1) for load in os.getloadavg()]}
    for contender in case.contenders:
        began = time.perf_counter()
        pipe, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, name, contender, threads), daemon=True).start()
        if failure := pipe.recv():
            result[f"{contender}_failed"] = failure
        else:
            pipes[contender] = pipe
        result[f"{contender}_seconds_to_start"] = round(time.perf_counter() - began, 1)

    def block(contender: str, steps: int) -> float:
        pipes[contender].send(steps)
        return float(pipes[contender].recv())

    steps = {contender: max(1, round(TURN * 1e3 / block(contender, 5))) for contender in pipes}
    times: dict[str, list[float]] = {contender: [] for contender in pipes}
    base, end = case.contenders[0], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[base]) < 3:
        for contender in pipes:
            times[contender].append(block(contender, steps[contender]))
    for pipe in pipes.values():
        pipe.send(0)
    result |= {"compared_with": base, "blocks": len(times[base]), "steps_a_block": steps, "aims": case.aims}
    for contender, values in times.items():
        result[f"{contender}_ms"] = round(statistics.median(values), 4)
        if contender != base:
            low, middle, high = statistics.quantiles([a / b for a, b in zip(values, times[base], strict=True)], n=4)
            result[f"{contender}_ratio"] = round(middle, 3)
            result[f"{contender}_ratio_quartiles"] = [round(low, 3), round(high, 3)]
    result["load_average_after"] = [round(load, 1) for load in os.getloadavg()]
    return result


def main() -> None:
    """Time the cases that are asked for and write the JSON after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="default: all")
    parser.add_argument("--seconds", type=float, default=120, help="of turns in each case (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of torch (default: %(default)s)")
    parser.add_argument("--note", default="", help="a sentence on the machine for the JSON")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/step_time.json"))
    args = parser.parse_args()
    results: dict[str, Any] = json.loads(args.out.read_text()) if args.out.exists() else {}
    for name in args.cases:
        result = {
            "date": date.today().isoformat(),
            "torch": torch.__version__,
            "pyro": pyro.__version__,
            "python": platform.python_version(),
            "device": "cpu",
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": args.threads,
            "clock": "processor time" if args.threads == 1 else "wall time",
            "note": args.note,
        }
        results[name] = result | compare(name, args.seconds, args.threads)
        print(name, json.dumps(results[name], indent=1), flush=True)
        write_atomically(args.out, (json.dumps(dict(sorted(results.items())), indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
