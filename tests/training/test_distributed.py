"""Two processes under torchrun against one: the same numbers where nothing is random, and exact resumption."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from helpers.processes import point
from helpers.small import SHAPE, binary

import pyrogen as pg
from pyrogen.training.data.sources import Order
from pyrogen.training.distributed import Processes, _Share, team_of


def two_processes(what, folder):
    script = Path(__file__).parents[1] / "helpers" / "processes.py"
    path = os.pathsep.join(map(str, (Path(pg.__file__).parents[1], script.parents[1])))
    done = subprocess.run(
        [sys.executable, script, what, folder],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def read(path):
    return json.loads(Path(path).read_text())


def largest(a, b):
    if isinstance(a, list):
        return max((largest(p, q) for p, q in zip(a, b, strict=True)), default=0.0)
    return 0.0 if a != a and b != b else abs(a - b)


def test_two_halves_of_a_batch_are_the_whole_and_what_goes_wrong_is_said_on_both(tmp_path):
    # Catches gradients that are summed or not reduced, shares that overlap, weights that are not spread, a clip before
    # the reduction: all to 1e-10 in float64.
    said = two_processes("halves", tmp_path).stderr
    one, first, second = point(), read(tmp_path / "two-0.json"), read(tmp_path / "two-1.json")
    assert first[0] == second[0]
    for part in (0, 1):
        assert max(largest(one[part][name], first[part][name]) for name in one[part]) < 1e-10

    assert said.count("every process must have the same data and settings, and process 1 has another") == 2
    assert said.count("batch_size must be a multiple of the 2 processes, got 15") == 2
    assert "process 0: ZeroDivisionError: mine" in said  # of a callback, which the first process alone has
    assert "process 1: PyrogenError: a callback raised on the first process" in said
    assert said.count("holds the run at step 18") == 2  # the other process learns of it in the next step
    kept = pg.training.checkpoints.checkpoint.read_state(tmp_path / "wrong" / "checkpoint.safetensors")
    assert kept.facts["step"] == 18
    assert "random.process 1" in kept.tensors


def test_a_run_on_two_processes_is_resumed_exactly_and_survives_a_kill(tmp_path):
    start = time.monotonic()
    assert two_processes("killed", tmp_path).stdout == "14\n"
    assert time.monotonic() - start < 180  # the other process ends too
    whole, part = read(tmp_path / "whole-0.json"), read(tmp_path / "part-0.json")
    assert whole == part
    assert read(tmp_path / "part-1.json")[0] == part[0]


def test_the_shares_of_a_batch_are_disjoint_and_whole():
    order = Order(100, 20, seed=0)
    shares = [_Share(order, rank, 4) for rank in range(4)]
    for step in range(7):
        assert torch.equal(torch.cat([share(step) for share in shares]), order(step))
    assert shares[0].batch_size == 20
    assert shares[0].steps_per_epoch == 5


def test_the_gradient_of_two_halves_has_the_expectation_of_the_whole():
    """The mean over the noise of the average of two half-batch gradients and of the whole one: a test by z-scores.

    Each of 200 pairs of draws has noise of its own. There are 41 weights, and the bound is 6.5 standard errors. The
    false-alarm rate is below 41 · 8e-11 < 1e-6 for normal means, and below 41 · 7e-10 for t with 199 degrees.
    """
    torch.manual_seed(0)
    pair = pg.models.VAE(pg.nn.MLPEncoder(SHAPE, 2, hidden=(2,)), pg.nn.MLPDecoder(SHAPE, 2, hidden=(2,))).double()
    x = binary(20).double()
    weights = [pair.encoder.network[-1].weight, pair.decoder.network[0].weight]

    def gradient(batch):
        terms = pg.training.elbo_terms(pair, batch, 100)
        return torch.cat([g.flatten() for g in torch.autograd.grad(terms.objective, weights)])

    differences = []
    for _ in range(200):
        halves = (gradient(x[:10]) + gradient(x[10:])) / 2
        differences.append(halves - gradient(x))
    differences = torch.stack(differences)
    z = differences.mean(0) / (differences.std(0) / 200**0.5 + 1e-12)
    assert z.abs().max() < 6.5


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    team = team_of(pg.models.VAE(pg.nn.MLPEncoder(SHAPE, 2), pg.nn.MLPDecoder(SHAPE, 2)), torch.device("cpu"))
    assert (team.rank, team.size, team.leads) == (0, 1, True)
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    assert team_of(None, torch.device("cpu")).size == 1
    three = object.__new__(Processes)
    three.rank, three.size = 0, 3
    with pytest.raises(ValueError, match="multiple of the 3 processes"):
        three.share(Order(100, 20, 0))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: torch.zeros(1))
    three.rank = 1
    kept = {"random.cuda": "the first's", "random.process 1 cuda": "its own"}
    assert three.own_random(kept, torch.device("cuda")) == {"cuda": "its own"}
