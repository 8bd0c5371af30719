"""Files are replaced whole or not at all, and a place that cannot be written is told before the work."""

import os
import stat

import pytest

from pyrogen.files import check_writable, remove_leftovers, write_atomically


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_content_is_written_and_replaced(tmp_path):
    file = tmp_path / "a" / "b" / "file"
    for content in (b"old", b"new and longer", b""):
        write_atomically(file, content)
        assert file.read_bytes() == content
    assert names(file.parent) == ["file"]


def test_a_path_may_be_a_string(tmp_path):
    write_atomically(str(tmp_path / "file"), b"x")
    assert (tmp_path / "file").read_bytes() == b"x"


@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "os.chmod"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interruption_at_any_step_leaves_the_old_file_whole_and_nothing_else(tmp_path, monkeypatch, step, error):
    file = tmp_path / "file"
    write_atomically(file, b"old")

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(step, fail)
    with pytest.raises(type(error)):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole_on_disk(tmp_path, monkeypatch):
    file, order = tmp_path / "file", []
    write_atomically(file, b"old")
    fsync, replace = os.fsync, os.replace

    def watched_fsync(handle):
        order.append(("fsync", file.read_bytes(), os.fstat(handle).st_size))
        fsync(handle)

    def watched_replace(source, target):
        order.append(("replace", file.read_bytes(), os.stat(source).st_size))
        assert os.path.dirname(source) == os.path.dirname(target)  # a rename within one file system
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_atomically(file, b"newer")
    assert order == [("fsync", b"old", 5), ("replace", b"old", 5)]
    assert file.read_bytes() == b"newer"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_mode_is_that_of_any_new_file(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", b"x")
        assert os.umask(umask) == umask  # and the mask itself is left alone
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_folder_in_the_files_place_is_told(tmp_path):
    (tmp_path / "place").mkdir()
    with pytest.raises(ValueError, match="place is a folder: give the path of a file in it"):
        write_atomically(tmp_path / "place", b"x")
    assert names(tmp_path) == ["place"]


def test_a_file_in_the_folders_place_is_told_and_stays(tmp_path):
    (tmp_path / "place").write_bytes(b"kept")
    for folder in (tmp_path / "place", tmp_path / "place" / "deeper"):
        with pytest.raises(ValueError, match=r"cannot write in .*place.* \(.+\): choose another folder"):
            check_writable(folder)
        with pytest.raises(ValueError, match="cannot write in"):
            write_atomically(folder / "file", b"x")
    assert (tmp_path / "place").read_bytes() == b"kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="to root every folder is writable")
def test_a_folder_that_is_read_only_is_told(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(ValueError, match=r"cannot write in .* \(Permission denied\): choose another folder"):
            check_writable(tmp_path)
    finally:
        tmp_path.chmod(0o755)


def test_the_systems_reason_is_told(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(ValueError, match=r"cannot write in .* \(Read-only file system\): choose another folder"):
        check_writable(tmp_path)
    with pytest.raises(ValueError, match="Read-only file system"):
        write_atomically(tmp_path / "file", b"x")
    assert names(tmp_path) == []


def test_a_folder_that_is_checked_is_made_and_left_empty(tmp_path):
    assert check_writable(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    assert names(tmp_path / "a" / "b") == []
    assert check_writable(tmp_path / "a" / "b") == tmp_path / "a" / "b"


def test_leftovers_of_one_file_are_removed_and_nothing_else(tmp_path):
    for name in (".file.abc.tmp", ".file.1.tmp", ".other.abc.tmp", "file", "file.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, "file")
    assert names(tmp_path) == [".other.abc.tmp", "file", "file.tmp"]


def test_what_a_killed_writer_leaves_counts_as_a_leftover(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", lambda *args, **kwargs: None)  # as if killed before it could tidy up
        patch.setattr("os.replace", lambda *args: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            write_atomically(tmp_path / "file", b"half")
    assert len(names(tmp_path)) == 1
    remove_leftovers(tmp_path, "file")
    assert names(tmp_path) == []
