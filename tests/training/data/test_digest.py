"""What a checkpoint knows of its data and of its optimizer, and the folder that one run has at a time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small import binary, make_pair, quiet, same
from torch.utils.data import Dataset, Subset, TensorDataset

import pyrogen as pg
from pyrogen.locks import FolderLock
from pyrogen.training.checkpoints.checkpoint import FILE_NAME
from pyrogen.training.data.digest import ITEMS, digest_data
from pyrogen.training.data.sources import TensorSource, as_source


class Items(Dataset):
    """A map-style data set; `noise` makes its items random."""

    def __init__(self, x, noise=False):
        self.x, self.noise = x, noise

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return (1 - self.x[i] if self.noise and torch.rand(()) < 0.5 else self.x[i]), 3


def digest(data):
    return digest_data(as_source(data, make_pair()))


@pytest.mark.parametrize("kind", [lambda x: x, TensorDataset, lambda x: Subset(TensorDataset(x), range(len(x)))])
@pytest.mark.parametrize("at", [0, 1, 499, 998, 999])
def test_each_image_in_memory_counts(kind, at):
    x = binary(1000)
    other = x.clone()
    other[at, 3, 3] = 1 - other[at, 3, 3]
    assert digest(kind(x)) == digest(kind(x.clone()))
    assert digest(kind(x)) != digest(kind(other))


def test_most_images_inverted_is_another_data_set():
    x, other = binary(1000), binary(1000)
    kept = torch.linspace(0, 999, 64).long()
    other = 1 - other
    other[kept] = x[kept]
    for kind in (lambda x: x, TensorDataset, Items):
        assert digest(kind(x)) != digest(kind(other))


def test_type_and_shape_count():
    x = binary(64)
    others = (x.double(), x.byte(), x.view(torch.int32), x.view(64, 2, 8), x[:63])
    assert len({digest_data(TensorSource(y)) for y in (x, *others)}) == 6


def test_another_order_is_another_data_set():
    data = TensorDataset(binary(100))
    assert digest(Subset(data, range(100))) != digest(Subset(data, range(99, -1, -1)))


def test_data_with_random_items_is_known_by_its_length():
    assert digest(Items(binary(100), noise=True)) == "100 items that are random, and are not compared"
    assert digest(Items(binary(100))) == digest(Items(binary(100)))


def test_a_digest_reads_few_items_and_leaves_the_random_numbers_alone():
    class Counting(Items):
        reads = 0

        def __getitem__(self, i):
            Counting.reads += 1
            return super().__getitem__(i)

    data = as_source(Counting(binary(5000), noise=True), make_pair())
    Counting.reads = 0
    before = torch.get_rng_state()
    digest_data(data)
    assert 0 < Counting.reads < 2 * ITEMS
    assert torch.equal(torch.get_rng_state(), before)


def test_parts_of_dsprites_are_told_apart():
    data = pg.datasets.DSprites(cache=None)
    (one, _), (same_again, _), (other, _) = (data.split(200, 10, seed=seed) for seed in (0, 0, 1))
    assert digest_data(one) == digest_data(same_again) != digest_data(other)


def test_a_map_style_data_set_is_compared(tmp_path):
    quiet(make_pair(), Items(binary()), steps=3, checkpoint=tmp_path)
    with pytest.raises(pg.CheckpointError, match="another run: its data is"):
        quiet(make_pair(), Items(1 - binary()), steps=5, checkpoint=tmp_path, resume=True)
    quiet(make_pair(), Items(binary()), steps=5, checkpoint=tmp_path, resume=True)


def two_groups(lr):
    def make(parameters):
        return torch.optim.Adam([{"params": parameters[:2], "lr": lr}, {"params": parameters[2:]}], lr=1e-3)

    return make


def test_the_settings_of_an_optimizers_groups_are_compared(tmp_path):
    quiet(make_pair(), binary(), steps=3, checkpoint=tmp_path, optimizer=two_groups(1e-2))
    with pytest.raises(pg.CheckpointError, match=r"another run: its lr is 0.01, and now it is 0.02"):
        quiet(make_pair(), binary(), steps=5, checkpoint=tmp_path, resume=True, optimizer=two_groups(2e-2))
    on = quiet(make_pair(), binary(), steps=5, checkpoint=tmp_path, resume=True, optimizer=two_groups(1e-2))
    assert same(on.pair, quiet(make_pair(), binary(), steps=5, optimizer=two_groups(1e-2)).pair)


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9, nesterov=True),
    "plain SGD": lambda p: torch.optim.SGD(p, lr=1e-3),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-3, amsgrad=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-3),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=1e-3, centered=True, momentum=0.5),
    "Adafactor": lambda p: torch.optim.Adafactor(p, lr=1e-3),
    "Rprop": lambda p: torch.optim.Rprop(p),
    "ASGD": lambda p: torch.optim.ASGD(p),
    "NAdam": lambda p: torch.optim.NAdam(p),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_each_of_torchs_optimizers_is_kept_and_put_back(tmp_path, make):
    pair = make_pair()
    quiet(pair, binary(), steps=3, checkpoint=tmp_path, optimizer=make)
    on = quiet(make_pair(), binary(), steps=5, checkpoint=tmp_path, resume=True, optimizer=make)
    assert same(on.pair, quiet(make_pair(), binary(), steps=5, optimizer=make).pair)


def test_numpy_numbers_are_settings_like_any_other(tmp_path):
    settings = {
        "lr": np.float32(1e-3),
        "seed": np.int64(0),
        "batch_size": np.int64(10),
        "checkpoint_every": np.int32(2),
    }
    quiet(make_pair(), binary(), steps=np.int64(3), checkpoint=tmp_path, **settings)
    on = quiet(make_pair(), binary(), steps=torch.tensor(5), checkpoint=tmp_path, resume=np.bool_(True), **settings)
    assert on.steps == 5


HOLD = """if True:
    import sys, time
    from pathlib import Path
    from pyrogen.locks import FolderLock
    lock = FolderLock(Path(sys.argv[1]))
    lock.acquire()
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_one_processes_until_it_ends_by_a_kill_too(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(pg.CheckpointError, match=rf"is in use by another run \(process {process.pid} on "):
                quiet(make_pair(), binary(), steps=3, checkpoint=tmp_path)
            assert not (tmp_path / FILE_NAME).exists()
        finally:
            process.kill()
    quiet(make_pair(), binary(), steps=3, checkpoint=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME, "history.csv"]


def test_two_runs_of_one_process_do_not_share_a_folder_either(tmp_path):
    with FolderLock(tmp_path), pytest.raises(pg.CheckpointError, match=f"process {os.getpid()} on .* since 20"):
        quiet(make_pair(), binary(), steps=3, checkpoint=tmp_path)
    quiet(make_pair(), binary(), steps=3, checkpoint=tmp_path)


def test_a_run_that_fails_gives_its_folder_back(tmp_path):
    quiet(make_pair(), binary(), steps=4, checkpoint=tmp_path)
    for settings in ({"steps": 2}, {"steps": 8, "lr": 0.5}):
        with pytest.raises(pg.CheckpointError):
            quiet(make_pair(), binary(), checkpoint=tmp_path, resume=True, **settings)
        assert FolderLock(tmp_path).acquire()


def test_a_lock_that_is_released_twice_or_taken_twice_is_one_lock(tmp_path):
    lock = FolderLock(tmp_path)
    assert lock.acquire()
    assert lock.acquire()
    assert not FolderLock(tmp_path).acquire()
    lock.release()
    lock.release()
    assert FolderLock(tmp_path).acquire()


def test_a_folder_that_was_made_anew_keeps_its_new_holders_lock(tmp_path):
    lock, other = FolderLock(tmp_path), FolderLock(tmp_path)
    lock.acquire()
    lock.path.unlink()
    assert other.acquire()
    lock.release()
    assert other.path.exists()
    assert not FolderLock(tmp_path).acquire()


class Ending(Items):
    """Raises a signal when its 300th item is read."""

    reads = 0

    def __getitem__(self, i):
        self.reads += 1
        if self.reads == 300:
            signal.raise_signal(signal.SIGTERM)
        return super().__getitem__(i)


def test_sigterm_ends_a_run_with_a_checkpoint(tmp_path):
    listener = signal.getsignal(signal.SIGTERM)
    fit = quiet(make_pair(), Ending(binary()), steps=60, checkpoint=tmp_path)
    assert fit.stopped
    assert 0 < fit.steps < 60
    assert signal.getsignal(signal.SIGTERM) is listener
    on = quiet(make_pair(), Items(binary()), steps=60, checkpoint=tmp_path, resume=True)
    assert same(on.pair, quiet(make_pair(), binary(), steps=60).pair)


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    jumps = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    fit = quiet(make_pair(), binary(), steps=10, checkpoint=tmp_path, checkpoint_every=2)
    assert (fit.history["seconds"] >= 0).all()
    assert fit.steps == 10


def test_a_lock_that_cannot_be_removed_is_given_back(tmp_path, monkeypatch):
    lock, other = FolderLock(tmp_path), FolderLock(tmp_path)
    assert lock.acquire()

    def refuse(path, **settings):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    lock.release()
    assert other.acquire()
    monkeypatch.undo()
    other.release()
