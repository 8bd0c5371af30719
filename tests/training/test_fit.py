"""`pg.fit` against a hand-written loop, and everything that it promises about runs that stop."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyro
import pytest
import torch
from helpers.small import SHAPE, binary, make_pair, quiet, same, weights
from torch.utils.data import Dataset, TensorDataset

import pyrogen as pg
from pyrogen.training.checkpoints.checkpoint import FILE_NAME
from pyrogen.training.data.sources import Order


def test_fit_is_the_hand_written_loop():
    # Catches β dropped or squared, N/B forgotten, a wrong sign, a term in the wrong axis, stale gradients.
    x, pair = binary().double(), make_pair(beta=3.0).double()
    mine = copy.deepcopy(pair)
    fit = quiet(pair, x, steps=25, lr=1e-2, seed=7)

    optimizer, order, losses = torch.optim.Adam(mine.parameters(), lr=1e-2), Order(100, 10, 7), []
    torch.manual_seed(7)
    for step in range(25):
        batch = x[order(step)]
        loc, log_variance = mine.encoder.network(batch.flatten(1)).chunk(2, -1)
        z = loc + (0.5 * log_variance).exp() * torch.empty_like(loc).normal_()
        logits = mine.decoder.network(z)
        cross_entropy = (logits.exp().log1p() - batch.flatten(1) * logits).sum(1)
        kl = 0.5 * (loc**2 + log_variance.exp() - 1 - log_variance).sum(1)
        loss = (cross_entropy + 3.0 * kl).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append([loss.item(), cross_entropy.mean().item(), kl.mean().item()])
    for ours, theirs in zip(pair.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    columns = torch.tensor([fit.history[name].tolist() for name in ("objective", "reconstruction", "kl")]).T
    torch.testing.assert_close(columns.double(), torch.tensor(losses).double(), rtol=1e-6, atol=1e-6)


def test_history_has_a_row_a_step_and_the_latents_add_up():
    fit = quiet(make_pair(), binary(), steps=123)
    history = fit.history
    assert len(history) == fit.steps == 123
    assert history["step"].tolist() == list(range(1, 124))
    assert history["epoch"][9] == 1.0
    assert set(history["beta"]) == {2.0}
    torch.testing.assert_close(
        torch.from_numpy(history["kl_per_latent"].sum(1)), torch.from_numpy(history["kl"]), rtol=1e-5, atol=1e-6
    )
    assert (abs(history["objective"] - history["reconstruction"] - 2 * history["kl"]) < 1e-4).all()
    assert history["objective"][-20:].mean() < history["objective"][:20].mean()


def test_fit_leaves_nothing_behind():
    before, listener = torch.get_rng_state(), signal.getsignal(signal.SIGINT)
    pair = make_pair()
    pair.encoder.eval()
    torch.set_rng_state(before)
    quiet(pair, binary(), steps=5)
    assert torch.equal(torch.get_rng_state(), before)
    assert not list(pyro.get_param_store().keys())
    assert not any(module.training for module in pair.modules())  # evaluation mode, as fit says
    assert all(p.grad is None for p in pair.parameters())
    assert signal.getsignal(signal.SIGINT) is listener
    assert pyro.settings.get("validate_distributions_pyro")


def test_equal_arguments_give_equal_weights_and_seeds_matter():
    a, b, c = make_pair(), make_pair(), make_pair()
    for pair, seed in ((a, 0), (b, 0), (c, 1)):
        quiet(pair, binary(), steps=30, seed=seed)
    assert same(a, b)
    assert not same(a, c)


def test_a_schedule_scales_beta_and_gives_it_back():
    pair = make_pair(beta=2.0)
    history = quiet(pair, binary(), steps=10, schedule=pg.training.LinearWarmup(4)).history
    assert history["beta"].tolist() == [0.0, 0.5, 1.0, 1.5, *[2.0] * 6]
    assert pair.beta.item() == 2.0
    kl, gap = history["kl"], history["objective"] - history["reconstruction"]
    assert (abs(gap - history["beta"] * kl) < 1e-4).all()


def test_every_kind_of_data_trains_alike():
    x = binary()

    class Images(Dataset):
        def __len__(self):
            return len(x)

        def __getitem__(self, i):
            return x[i]

    pairs = []
    for data in (x, x.to(torch.uint8), TensorDataset(x, torch.arange(100)), Images()):
        pairs.append(make_pair())
        quiet(pairs[-1], data, steps=15)
    assert all(same(pairs[0], other) for other in pairs[1:])


def test_dsprites_trains():
    train, _ = pg.datasets.DSprites(cache=None).split(64, 8)
    torch.manual_seed(0)
    networks = pg.nn.MLPEncoder((1, 64, 64), 2, hidden=(4,)), pg.nn.MLPDecoder((1, 64, 64), 2, hidden=(4,))
    assert quiet(pg.models.VAE(*networks), train, steps=3).steps == 3


@pytest.mark.parametrize("break_at", [1, 49, 50, 51, 130])
def test_resume_is_bit_exact(tmp_path, break_at):
    whole, parts, schedule = make_pair(), make_pair(), pg.training.Cyclical(40)
    one = quiet(whole, binary(), steps=200, schedule=schedule)
    quiet(parts, binary(), steps=break_at, checkpoint=tmp_path, schedule=schedule)
    torch.rand(5)  # what the process does in between must not matter
    fresh = make_pair(seed=99)
    two = quiet(fresh, binary(), steps=200, checkpoint=tmp_path, resume=True, schedule=schedule)
    assert same(whole, fresh)
    for column in ("step", "beta", "objective", "kl_2"):
        assert (one.history[column] == two.history[column]).all()
    assert same(pg.load(tmp_path), fresh)
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 201


KILLED = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from helpers.small import binary, make_pair
import pyrogen as pg
torch.set_num_threads(1)
print("ready", flush=True)
pg.fit(make_pair(), binary(), steps=int(sys.argv[3]), batch_size=10, progress=False,
       checkpoint=sys.argv[2], checkpoint_every=7, resume=True)
print("done", flush=True)
"""


def test_resume_after_kill_9_is_bit_exact(tmp_path):
    # Killed at whatever moment comes, in training or half way through writing a checkpoint.
    steps, survivor = 1500, make_pair()
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1]), str(tmp_path), str(steps)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while not (tmp_path / FILE_NAME).exists():
            time.sleep(0.01)
        time.sleep(0.2)
        process.kill()
    reached = pg.training.checkpoints.checkpoint.read_state(tmp_path / FILE_NAME).facts["step"]
    assert reached > 0
    if reached == steps:
        pytest.skip("the machine finished before it could be killed")
    quiet(make_pair(), binary(), steps=steps, checkpoint=tmp_path, checkpoint_every=7, resume=True)
    quiet(survivor, binary(), steps=steps)
    assert same(pg.load(tmp_path), survivor)
    assert not list(tmp_path.glob(".*.tmp"))


class Interrupting(Dataset):
    """Raises SIGINT while step `at` reads its batch."""

    def __init__(self, x, at, times=1):
        self.x, self.left, self.times = x, 10 * at, times

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        self.left -= 1
        if -self.times <= self.left < 0:
            signal.raise_signal(signal.SIGINT)
        return self.x[i]


def test_sigint_stops_cleanly_and_the_run_can_go_on(tmp_path):
    whole, part = make_pair(), make_pair()
    quiet(whole, binary(), steps=60)
    fit = quiet(part, Interrupting(binary(), at=20), steps=60, checkpoint=tmp_path)
    assert fit.stopped
    assert 0 < fit.steps < 60
    assert len(fit.history) == fit.steps
    on = quiet(make_pair(), Interrupting(binary(), at=1000), steps=60, checkpoint=tmp_path, resume=True)
    assert not on.stopped
    assert same(on.pair, whole)


def test_a_checkpoint_on_the_way_has_a_row_for_each_step_before_it(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        quiet(make_pair(), Interrupting(binary(), at=20, times=2), steps=60, checkpoint=tmp_path, checkpoint_every=7)
    kept = pg.training.checkpoints.checkpoint.read_state(tmp_path / FILE_NAME)
    assert kept.facts["step"] % 7 == 0 < kept.facts["step"]
    assert kept.tensors["history"][:, 0].tolist() == list(range(1, kept.facts["step"] + 1))


def test_a_second_sigint_interrupts_at_once():
    listener = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        quiet(make_pair(), Interrupting(binary(), at=20, times=2), steps=60)
    assert signal.getsignal(signal.SIGINT) is listener


def test_divergence_names_step_and_site_and_keeps_the_last_good_checkpoint(tmp_path):
    x = torch.randn(100, *SHAPE)
    x[42] = 1e30  # finite, but its square is not
    order = Order(100, 10, 0)
    step = next(t for t in range(10) if 42 in order(t))
    assert step > 0
    pair = make_pair(likelihood="gaussian")
    with pytest.raises(pg.DivergenceError, match=rf"at step {step + 1} the reconstruction term of site 'x'"):
        quiet(pair, x, steps=100, checkpoint=tmp_path, checkpoint_every=1)
    kept = pg.load(tmp_path)
    assert all(torch.isfinite(p).all() for p in kept.parameters())
    assert pg.training.checkpoints.checkpoint.read_state(tmp_path / FILE_NAME).facts["step"] == step


def test_weights_that_overflow_are_never_kept(tmp_path):
    quiet(make_pair(), binary(), steps=3, checkpoint=tmp_path)
    good = (tmp_path / FILE_NAME).read_bytes()

    def overflow(parameters):
        return torch.optim.Adam(parameters, lr=1e39, fused=True)  # step 1 has finite terms, and infinite weights

    with pytest.raises(pg.DivergenceError, match="after step 1 the weights"):
        quiet(make_pair(), binary(), steps=5, checkpoint=tmp_path / "b", checkpoint_every=1, optimizer=overflow)
    assert not (tmp_path / "b" / FILE_NAME).exists()
    assert (tmp_path / FILE_NAME).read_bytes() == good


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"steps": 5, "lr": -1.0}, "lr must be a finite number above 0"),
        ({"steps": 5, "lr": float("nan")}, "lr must be a finite number above 0"),
        ({"steps": 5, "checkpoint_every": -3}, "checkpoint_every must be a whole number of at least 1"),
        ({"steps": 5, "clip_norm": 0.0}, "clip_norm must be a finite number above 0"),
        ({"steps": 5, "validate_every": 5}, "validation must be held-out images for validate_every, got None"),
        ({"steps": 5, "batch_size": 101}, "batch_size must lie between 1 and the data set's 100 images"),
        ({"steps": 5, "batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        quiet(make_pair(), binary(), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 2.5}, "steps must be a whole number of at least 1, got 2.5"),
        ({"steps": "10"}, "steps must be a whole number"),
        ({"steps": True}, "steps must be a whole number"),
        ({"batch_size": 32.0}, "batch_size must be a whole number"),
        ({"seed": None}, "seed must be a whole number"),
        ({"lr": "1e-3"}, "lr must be a finite number above 0"),
        ({"checkpoint_every": 2.5}, "checkpoint_every must be a whole number"),
        ({"resume": "weight"}, "resume must be True or False"),
        ({"callbacks": pg.training.EarlyStopping()}, "callbacks must be a list"),
        ({"callbacks": [pg.training.EarlyStopping]}, "callbacks must be callables of the run's state"),
        ({"callbacks": [3]}, "callbacks must be callables of the run's state"),
        ({"schedule": 0.5}, "schedule must be a Schedule"),
        ({"schedule": pg.training.LinearWarmup}, "schedule must be a Schedule"),
        ({"optimizer": torch.optim.SGD([torch.zeros(1)], lr=0.1)}, "optimizer must be a torch optimizer class"),
        ({"optimizer": pyro.optim.Adam({"lr": 0.1})}, "pyro.optim: pass the class itself"),
        ({"optimizer": pyro.optim.Adam}, "pyro.optim: pass the class itself"),
        ({"optimizer": pyro.optim.ClippedAdam}, "pyro.optim: pass the class itself"),
        ({"optimizer": lambda parameters: pyro.optim.Adam({"lr": 0.1})}, "must return a torch optimizer"),
        ({"optimizer": lambda parameters: None}, "must return a torch optimizer, got None"),
        ({"optimizer": torch.optim.LBFGS}, "LBFGS, which evaluates the objective many times"),
        ({"optimizer": torch.optim.SparseAdam}, "must take dense gradients, got SparseAdam: pass"),
        (
            {"steps": 9, "lr_schedule": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=8)},
            "must last 9 steps, got a OneCycleLR of 8: pass total_steps=9",
        ),
        (
            {"optimizer": lambda parameters: torch.optim.LBFGS(parameters)},
            "LBFGS, which evaluates the objective many times",
        ),
        ({"optimizer": "adam"}, "optimizer must be a torch optimizer class"),
    ],
)
def test_settings_of_the_wrong_kind_are_refused(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        quiet(make_pair(), binary(), **({"steps": 5} | settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "abacus"}, "device must be one that can be used here, got 'abacus'"),
        ({"resume": True}, "folder to go on from with resume=True"),
        ({"resume": "weights"}, "folder to go on from with resume='weights'"),
        ({"checkpoint_every": 0}, "checkpoint_every must be a whole number of at least 1"),
        ({"optimizer": lambda parameters: torch.optim.SGD([torch.zeros(1)], lr=1.0)}, "moves none"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        quiet(make_pair(), binary(), **({"steps": 5} | settings))
    frozen = make_pair().requires_grad_(False)
    with pytest.raises(ValueError, match="frozen"):
        quiet(frozen, binary(), steps=5)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (torch.zeros(0, *SHAPE), ValueError, "empty"),
        (torch.zeros(*SHAPE), ValueError, r"data must be images \(N, 4, 4\)"),
        (torch.zeros(50, 5, 5), ValueError, r"\(\*batch, 4, 4\), got \(50, 5, 5\)"),
        (torch.full((50, *SHAPE), float("nan")), ValueError, "NaN"),
        (torch.full((50, *SHAPE), 0.5), ValueError, "continuous_bernoulli"),
        (torch.full((50, *SHAPE), 255, dtype=torch.uint8), ValueError, "divide 8-bit images by 255"),
        (torch.full((50, *SHAPE), -1.0), ValueError, r"pixels must be in \[0, 1\]"),
        (TensorDataset(torch.full((50, *SHAPE), 0.5)), ValueError, "continuous_bernoulli"),
        (TensorDataset(torch.zeros(0, *SHAPE)), ValueError, "empty"),
        (["a"] * 50, TypeError, "items must be tensors"),
        (3, TypeError, "data must be a tensor"),
        ((binary(), torch.zeros(100)), TypeError, "pass its first entry"),
        (iter([1]), TypeError, "data must be a tensor"),
    ],
)
def test_bad_data_are_refused_before_any_work(data, error, message, tmp_path):
    pair = make_pair()
    before = weights(pair)
    with pytest.raises(error, match=message):
        quiet(pair, data, steps=5, checkpoint=tmp_path / "run")
    assert all(torch.equal(a, b) for a, b in zip(before, weights(pair), strict=True))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mapped", [False, True])
def test_a_gray_pixel_in_a_later_batch_of_a_dataset_is_refused(mapped, tmp_path):
    x = binary()
    x[77, 2, 2] = 0.5
    np.save(tmp_path / "x.npy", x.numpy())
    data = np.load(tmp_path / "x.npy", mmap_mode="r") if mapped else TensorDataset(x)
    with pytest.raises(ValueError, match="continuous_bernoulli"):
        quiet(make_pair(), data, steps=10)


def test_only_pairs_are_fitted():
    with pytest.raises(TypeError, match="Programs"):
        pg.fit(torch.nn.Linear(2, 2), binary(), steps=1)


def test_another_optimizer_can_be_chosen():
    pair, mine = make_pair(), make_pair()
    quiet(pair, binary(), steps=1, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.0))
    assert same(pair, mine)


@pytest.mark.parametrize("name", ["AdamW", "SGD", "RMSprop", "NAdam", "Adagrad", "RAdam"])
def test_an_optimizer_class_gets_the_rate_and_is_resumed_bit_for_bit(name, tmp_path):
    optimizer = getattr(torch.optim, name)
    by_class, by_hand, resumed = make_pair(), make_pair(), make_pair()
    quiet(by_class, binary(), steps=12, optimizer=optimizer, lr=0.02)
    quiet(by_hand, binary(), steps=12, optimizer=lambda parameters: optimizer(parameters, lr=0.02))
    assert same(by_class, by_hand)
    quiet(resumed, binary(), steps=5, optimizer=optimizer, lr=0.02, checkpoint=tmp_path)
    quiet(resumed, binary(), steps=12, optimizer=optimizer, lr=0.02, checkpoint=tmp_path, resume=True)
    assert same(by_class, resumed)


def test_numbers_of_numpy_are_numbers(tmp_path):
    settings = {"steps": np.int64(4), "batch_size": np.int32(10), "lr": np.float32(1e-3), "seed": np.uint8(1)}
    quiet(make_pair(), binary(), **settings, checkpoint=tmp_path)
    assert quiet(make_pair(), binary(), **settings, checkpoint=tmp_path, resume=True).steps == 4


def test_a_data_set_smaller_than_the_usual_batch_is_one_batch():
    fit = pg.fit(make_pair(), binary(20), steps=3, progress=False)
    assert fit.history["epoch"].tolist() == [1.0, 2.0, 3.0]
