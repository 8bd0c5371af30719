"""Files that hold pairs and runs: whole or not there, and clear about what is wrong."""

import os

import pytest
import safetensors.torch
import torch
from helpers.small import binary, make_pair, quiet, same

import pyrogen as pg
from pyrogen.training.checkpoints.checkpoint import FILE_NAME


@pytest.fixture
def run(tmp_path):
    quiet(make_pair(), binary(), steps=20, checkpoint=tmp_path)
    return tmp_path


def test_a_checkpoint_is_not_overwritten_by_accident(run):
    content = (run / FILE_NAME).read_bytes()
    with pytest.raises(pg.CheckpointError, match="resume=True"):
        quiet(make_pair(), binary(), steps=20, checkpoint=run)
    assert (run / FILE_NAME).read_bytes() == content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 20}, "batch_size is 10, and now it is 20"),
        ({"lr": 0.5}, "lr is 0.001, and now it is 0.5"),
        ({"seed": 3}, "seed is 0, and now it is 3"),
        ({"schedule": pg.training.LinearWarmup(3)}, "schedule is Constant, and now it is LinearWarmup"),
        ({"optimizer": lambda parameters: torch.optim.SGD(parameters, lr=1e-3)}, "optimizer is Adam"),
        ({"optimizer": lambda parameters: torch.optim.Adam(parameters, lr=0.5)}, "lr is 0.001, and now it is 0.5"),
    ],
)
def test_another_runs_checkpoint_is_refused(run, change, message):
    with pytest.raises(pg.CheckpointError, match=message):
        quiet(make_pair(), binary(), steps=40, checkpoint=run, resume=True, **change)


def test_another_pairs_checkpoint_is_refused(run):
    with pytest.raises(pg.CheckpointError, match=r"its beta is 2.0, and now it is 5.0"):
        quiet(make_pair(beta=5.0), binary(), steps=40, checkpoint=run, resume=True)
    with pytest.raises(pg.CheckpointError, match="images is 100, and now it is 50"):
        quiet(make_pair(), binary(50), steps=40, checkpoint=run, resume=True)
    with pytest.raises(pg.CheckpointError, match="its data is"):
        quiet(make_pair(), 1 - binary(), steps=40, checkpoint=run, resume=True)


def test_fewer_steps_than_the_checkpoint_has_are_refused(run):
    content = (run / FILE_NAME).read_bytes()
    pair, untouched = make_pair(seed=5), make_pair(seed=5)
    with pytest.raises(pg.CheckpointError, match="is at step 20, beyond steps=10"):
        quiet(pair, binary(), steps=10, checkpoint=run, resume=True)
    assert same(pair, untouched)
    assert (run / FILE_NAME).read_bytes() == content


def test_a_flipped_byte_is_noticed(run):
    content = bytearray((run / FILE_NAME).read_bytes())
    content[-100] ^= 1
    (run / FILE_NAME).write_bytes(content)
    with pytest.raises(pg.CheckpointError, match="does not match its digest"):
        pg.load(run)


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_a_damaged_checkpoint_is_refused_and_left_alone(run, keep):
    path = run / FILE_NAME
    path.write_bytes(path.read_bytes()[:keep])
    damaged = path.read_bytes()
    with pytest.raises(pg.CheckpointError, match="damaged"):
        pg.load(run)
    with pytest.raises(pg.CheckpointError, match="damaged"):
        quiet(make_pair(), binary(), steps=40, checkpoint=run, resume=True)
    assert path.read_bytes() == damaged


def test_foreign_files_are_refused(tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(2)}, foreign)
    with pytest.raises(pg.CheckpointError, match="pyrogen did not write"):
        pg.load(foreign)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(pg.CheckpointError, match="damaged, or not a safetensors"):
        pg.load(tmp_path / "text")
    with pytest.raises(FileNotFoundError, match="no file"):
        pg.load(tmp_path / "absent")


def test_weights_of_another_pair_do_not_load_into_one(run):
    other = pg.models.VAE(pg.nn.MLPEncoder((4, 4), 3, hidden=(9,)), pg.nn.MLPDecoder((4, 4), 3, hidden=(8,)))
    before = [p.clone() for p in other.parameters()]
    with pytest.raises(pg.CheckpointError, match=r"its hidden is \[8\], and that of the pair here is \[9\]"):
        pg.load(run, into=other)
    assert all(torch.equal(a, b) for a, b in zip(before, other.parameters(), strict=True))


def test_a_write_that_fails_leaves_the_checkpoint_before_it(run, monkeypatch):
    content = (run / FILE_NAME).read_bytes()

    def refuse(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match="No space"):
            quiet(make_pair(), binary(), steps=40, checkpoint=run, resume=True, checkpoint_every=5)
    assert (run / FILE_NAME).read_bytes() == content
    assert sorted(p.name for p in run.iterdir()) == [FILE_NAME, "history.csv"]
    resumed = quiet(make_pair(), binary(), steps=40, checkpoint=run, resume=True)
    whole = quiet(make_pair(), binary(), steps=40)
    assert same(resumed.pair, whole.pair)


def test_an_unwritable_folder_is_refused_before_training(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match="cannot write in"):
        quiet(make_pair(), binary(), steps=5, checkpoint=file)
    with pytest.raises(ValueError, match="is a folder"):
        pg.save(make_pair(), tmp_path)
    with pytest.raises(TypeError, match="pair must be a pyrogen pair"):
        pg.save(pg.models.GammaExponential(), tmp_path / "gamma")


def test_leftovers_of_a_killed_process_are_removed(run):
    (run / f".{FILE_NAME}.abc.tmp").write_bytes(b"half")
    quiet(make_pair(), binary(), steps=25, checkpoint=run, resume=True)
    assert sorted(p.name for p in run.iterdir()) == [FILE_NAME, "history.csv"]


def test_resuming_a_finished_run_changes_nothing(run):
    before = pg.load(run)
    fit = quiet(make_pair(), binary(), steps=20, checkpoint=run, resume=True)
    assert same(fit.pair, before)
    assert len(fit.history) == 20
    assert not fit.stopped


def test_a_run_with_other_weights_frozen_is_another_run(tmp_path):
    pair = make_pair()
    pair.encoder.requires_grad_(False)
    quiet(pair, binary(), steps=2, checkpoint=tmp_path)
    with pytest.raises(pg.CheckpointError, match="another run: its frozen weights is"):
        quiet(make_pair(), binary(), steps=4, checkpoint=tmp_path, resume=True)
