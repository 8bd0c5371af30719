"""Runs on two processes under torchrun's launcher: ``python processes.py halves|killed FOLDER``.

The launcher forks, so torch is imported once and not in each process.
"""

import atexit
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import torch
from helpers.small import SHAPE, binary, make_pair
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import pyrogen as pg
from pyrogen.training.checkpoints.checkpoint import read_state

SETTINGS = {"batch_size": 20, "progress": False, "lr": 0.01}


def point_pair(rank=0):
    torch.manual_seed(1 + rank)  # the first process's weights count
    encoder = pg.nn.MLPEncoder(SHAPE, 3, hidden=(8,), point=True)
    return pg.models.Autoencoder(encoder, pg.nn.MLPDecoder(SHAPE, 3, hidden=(8,))).double()


def point(rank=0):
    """Parameters and history of a run without noise."""
    x = binary().double()
    settings = SETTINGS | {"steps": 30, "validation": x[:20], "validate_every": 10, "clip_norm": 0.5}
    return numbers(pg.fit(point_pair(rank), x, **settings))


def numbers(fit):
    state = {name: value.tolist() for name, value in fit.pair.state_dict().items()}
    return [state, {name: fit.history[name].tolist() for name in fit.history if name != "seconds"}]


def keep(path, fitted):
    with open(path, "w") as file:
        json.dump(fitted, file)


def halves(out):
    rank, x = int(os.environ["RANK"]), binary().double()
    keep(f"{out}/two-{rank}.json", point(rank))

    def fail(state):
        if state.step == 17:
            raise ZeroDivisionError("mine")

    for other, more in (
        ((x + rank > 0.5).double(), {}),
        (x, {"batch_size": 15}),
        (x, {"checkpoint": f"{out}/wrong", "callbacks": [fail]}),
    ):
        try:
            pg.fit(point_pair(rank), other, steps=40, **(SETTINGS | more))
        except (ValueError, ZeroDivisionError, pg.PyrogenError) as error:
            notes = getattr(error, "__notes__", "")
            print(f"process {rank}: {type(error).__name__}: {error} {notes}", file=sys.stderr, flush=True)
    leave()


def vae(out, name, killed_at=None):
    def die(state):
        if state.step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = SETTINGS | {"checkpoint": f"{out}/{name}", "checkpoint_every": 7, "resume": True}
    keep(
        f"{out}/{name}-{os.environ['RANK']}.json",
        numbers(pg.fit(make_pair(), binary(), steps=40, callbacks=[die], **settings)),
    )
    leave()


def leave():
    """End as an interpreter does, which a forked process skips; an open group would abort it at random."""
    atexit._run_exitfuncs()
    assert not torch.distributed.is_initialized()


def launch(function, *arguments):
    one = {"min_nodes": 1, "max_nodes": 1, "nproc_per_node": 2, "max_restarts": 0, "monitor_interval": 0.1}
    where = {"run_id": "tests", "rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0", "start_method": "fork"}
    elastic_launch(LaunchConfig(**one, **where), function)(sys.argv[2], *arguments)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "halves":
        launch(halves)
    else:
        with contextlib.suppress(ChildFailedError):
            launch(vae, "part", 17)
            sys.exit("no process was killed")
        print(read_state(Path(sys.argv[2]) / "part" / "checkpoint.safetensors").facts["step"])
        launch(vae, "whole")
        launch(vae, "part")
