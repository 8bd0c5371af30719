"""The world outside: a full disk, a folder that goes away, a place that becomes read-only."""

import contextlib
import os
import shutil
import subprocess

import pytest
import torch
from helpers.small import binary, make_pair, quiet, same

import pyrogen as pg
from pyrogen.training.checkpoints.checkpoint import FILE_NAME


@contextlib.contextmanager
def small_disk(folder, size="200k"):
    """A file system of its own, where the tests may mount one."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        while os.path.ismount(folder):  # one may be mounted over another
            subprocess.run(["umount", "-l", str(folder)], check=True)


class Hook:
    """A callback-like data set that does something to the world when its 300th item is read."""

    def __init__(self, x, act):
        self.x, self.act, self.reads = x, act, 0

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        self.reads += 1
        if self.reads == 300:
            self.act()
        return self.x[i]


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount command here")
def test_a_full_disk_is_told_and_the_last_checkpoint_is_kept(tmp_path):
    with small_disk(tmp_path / "disk") as disk:

        def fill():
            free = shutil.disk_usage(disk).free
            (disk / "filler").write_bytes(bytes(max(0, free - 4096)))

        with pytest.raises(
            OSError, match=rf"could not be written to {disk}.*No space left.*the checkpoint of step \d+ is"
        ):
            quiet(make_pair(), Hook(binary(), fill), steps=80, checkpoint=disk, checkpoint_every=4)
        kept = pg.training.checkpoints.checkpoint.read_state(disk / FILE_NAME)
        assert kept.facts["step"] % 4 == 0
        assert not list(disk.glob(".*.tmp"))
        (disk / "filler").unlink()
        on = quiet(make_pair(), Hook(binary(), list), steps=80, checkpoint=disk, resume=True)
        assert same(on.pair, quiet(make_pair(), binary(), steps=80).pair)


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount command here")
def test_a_disk_that_becomes_read_only_is_told(tmp_path):
    with small_disk(tmp_path / "disk", "2m") as disk:

        def close():
            # over itself, since the run's lock is open for writing, and the mount beneath stays busy
            subprocess.run(["mount", "--bind", str(disk), str(disk)], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)

        with pytest.raises((OSError, ValueError), match=r"(?i)disk.*read-only"):
            quiet(make_pair(), Hook(binary(), close), steps=80, checkpoint=disk, checkpoint_every=4)
        assert pg.training.checkpoints.checkpoint.read_state(disk / FILE_NAME).facts["step"] % 4 == 0


def test_a_folder_that_is_deleted_is_made_anew(tmp_path):
    folder = tmp_path / "run"
    fit = quiet(
        make_pair(), Hook(binary(), lambda: shutil.rmtree(folder)), steps=60, checkpoint=folder, checkpoint_every=4
    )
    assert fit.steps == 60
    assert same(pg.load(folder), fit.pair)
    assert os.listdir(folder)
    assert torch.isfinite(torch.tensor(fit.history["objective"])).all()
