#!/usr/bin/env python
"""Time one training step of programs after Pyro's tutorials: `SVI.step`, `pg.fit`'s two ways, NumPyro's jitted update.

One thread, processor time. The contenders take turns in short blocks, so that a machine whose speed drifts slows them
alike. A ratio is the median over the blocks of ratios taken next to each other. NumPyro is timed where it is installed
and the program is in `numpyro_programs.py`. Before they are timed, SVI and the recorded step must give the same losses.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np
import pyro
import torch
from pyro.infer import SVI
from pyro.optim import Adam  # type: ignore[attr-defined]
from pyro_programs import PROGRAMS

import pyrogen as pg
from pyrogen.files import write_atomically
from pyrogen.training.step import First, ProgramsObjective, trainable
from pyrogen.training.step.compiled import CompiledStep
from pyrogen.training.step.proof import proven

Block = Callable[[int], Any]


def by_svi(name: str) -> Block:
    """`SVI.step`."""
    pyro.clear_param_store()
    torch.manual_seed(0)
    model, guide, loss, data = PROGRAMS[name]()
    svi = SVI(model, guide, Adam({"lr": 0.01}), loss)
    pyro.set_rng_seed(0)
    return lambda n: [svi.step(*data) for _ in range(n)]


def by_fit(name: str, compiled: bool) -> Block:
    """The step of `fit` with its optimizer, recorded or compiled."""
    torch.manual_seed(0)
    model, guide, loss, data = PROGRAMS[name]()
    pair = pg.models.Programs(model, guide, loss)
    objective, batch = ProgramsObjective(pair, 1), data or None
    First.take(objective, batch)
    step = proven(objective, batch, True, 1.0)
    parameters = list(trainable(pair).values())
    optimizer = torch.optim.Adam(parameters, lr=0.01, fused=True)
    if compiled:
        program = CompiledStep(step, parameters, optimizer, batch)
        return lambda n: [program(batch, 1.0, 0.01) for _ in range(n)]

    @torch.no_grad()
    def block(n: int) -> None:
        for _ in range(n):
            _, gradients = step(batch, 1.0)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()
            optimizer.zero_grad()

    return block


def by_numpyro(name: str) -> Block | None:
    """NumPyro's jitted `update`, or None where it is not installed or lacks the program."""
    try:
        import jax
        import numpyro
        from numpyro_programs import PROGRAMS as THEIRS
    except ImportError:
        return None
    if name not in THEIRS:
        return None
    model, guide, loss = THEIRS[name]()
    data = [jax.numpy.array(tensor.numpy()) for tensor in PROGRAMS[name]()[3]]
    svi = numpyro.infer.SVI(model, guide, numpyro.optim.Adam(0.01), loss)
    state = [svi.init(jax.random.PRNGKey(0), *data)]
    update = jax.jit(svi.update)

    def block(n: int) -> None:
        for _ in range(n):
            state[0], loss = update(state[0], *data)
        loss.block_until_ready()

    return block


def largest_difference(name: str) -> float:
    """Return how far, relatively, the losses of ten steps of `fit` are from those of SVI from the same seed."""
    expected = np.array(by_svi(name)(10))
    pyro.clear_param_store()  # a pair would start from what SVI has trained there
    torch.manual_seed(0)
    model, guide, loss, data = PROGRAMS[name]()
    fit = pg.fit(pg.models.Programs(model, guide, loss), data or None, steps=10, lr=0.01, seed=0, progress=False)
    assert fit.way == "recorded"
    return float(np.abs(fit.history["loss"] - expected).max() / np.abs(expected).max())


def measure(name: str, blocks: int, ways: list[str]) -> dict[str, float]:
    """Time one program in some ways."""
    results = {"largest_relative_difference_of_losses": largest_difference(name)}
    makers: dict[str, Callable[[], Block | None]] = {
        "svi": lambda: by_svi(name),
        "recorded": lambda: by_fit(name, False),
        "compiled": lambda: by_fit(name, True),
        "numpyro": lambda: by_numpyro(name),
    }
    contenders = {kind: block for kind, make in makers.items() if kind in ways and (block := make())}
    times: dict[str, list[float]] = {kind: [] for kind in contenders}
    for number in range(-2, blocks):  # two to warm up
        for kind, block in contenders.items():
            steps = {"svi": 5, "recorded": 20}.get(kind, 50)
            began = time.process_time()
            block(steps)
            if number >= 0:
                times[kind].append((time.process_time() - began) / steps * 1e3)
    results |= {f"{kind}_ms": round(statistics.median(values), 4) for kind, values in times.items()}
    for kind in contenders:
        for other in ("svi", "numpyro"):
            if other in times and kind != other:
                ratios = [b / a for a, b in zip(times[kind], times[other], strict=True)]
                results[f"{kind}_times_faster_than_{other}"] = round(statistics.median(ratios), 2)
    return results


def main() -> None:
    """Time all programs and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=21, help="blocks of each contender (default: %(default)s)")
    parser.add_argument("--programs", nargs="*", default=list(PROGRAMS), metavar="NAME", help="default: all")
    parser.add_argument("--ways", nargs="*", default=["svi", "recorded", "compiled", "numpyro"], metavar="WAY")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/program_steps.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {"date": date.today().isoformat(), "torch": torch.__version__, "pyro": pyro.__version__}
    results |= {"threads": 1, "device": "cpu", "blocks": args.blocks, "programs": {}}
    for name in args.programs:
        results["programs"][name] = measure(name, args.blocks, args.ways)
        print(name, json.dumps(results["programs"][name]), flush=True)
    write_atomically(args.out, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
