"""Packing, and the file of packed pictures."""

import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pyrogen.datasets.bitpacked import check_folder, open_words, pack, unpack, write_words
from pyrogen.datasets.storage import Stored


def some_words(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(-(2**63), 2**63 - 1, (n, 64), generator=torch.Generator().manual_seed(seed))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bit_j_of_a_word_is_column_j() -> None:
    images = torch.zeros(1, 64, 64, dtype=torch.uint8)
    images[0, 3, 0] = images[0, 4, 5] = images[0, 5, 63] = 1
    words = pack(images)
    assert words[0, 3:6].tolist() == [1, 32, -(2**63)]
    assert torch.equal(unpack(words)[:, 0], images)


def test_unpacking_undoes_packing() -> None:
    words = some_words(50)
    images = unpack(words)
    assert images.shape == (50, 1, 64, 64)
    assert images.dtype == torch.uint8
    assert images.max() == 1
    assert torch.equal(pack(images[:, 0]), words)
    expected = np.unpackbits(words.numpy().view(np.uint8), bitorder="little").reshape(50, 1, 64, 64)
    np.testing.assert_array_equal(images.numpy(), expected)


def test_a_file_gives_back_its_words_and_a_change_does_not_reach_it(tmp_path: Path) -> None:
    words, path = some_words(30), tmp_path / "a.words"
    write_words(path, words.split(7), 30)
    read = open_words(path, 30)
    assert read is not None
    assert torch.equal(read, words)
    read.zero_()
    again = open_words(path, 30)
    assert again is not None
    assert torch.equal(again, words)
    assert files(tmp_path) == ["a.words"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_missing_or_cut_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.words"
    assert open_words(path, 30) is None
    write_words(path, [some_words(30)], 30)
    with path.open("r+b") as file:
        file.truncate(30 * 512 - 1)
    assert open_words(path, 30) is None


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    words, path = some_words(30), tmp_path / "a.words"
    write_words(path, [words], 30)

    def blocks():
        yield some_words(10, seed=1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_words(path, blocks(), 30)
    assert files(tmp_path) == ["a.words"]
    kept = open_words(path, 30)
    assert kept is not None
    assert torch.equal(kept, words)


def test_a_wrong_number_of_pictures_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must hold 30 pictures .* got 20"):
        write_words(tmp_path / "a.words", [some_words(20)], 30)
    assert files(tmp_path) == []


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path, mine, theirs = tmp_path / "a.words", some_words(30, seed=1), some_words(30, seed=2)

    def blocks():
        yield mine[:10]
        write_words(path, [theirs], 30)  # another process, from start to end, in the middle of ours
        seen = open_words(path, 30)
        assert seen is not None
        assert torch.equal(seen, theirs)
        yield mine[10:]

    write_words(path, blocks(), 30)
    last = open_words(path, 30)
    assert last is not None
    assert torch.equal(last, mine)
    assert files(tmp_path) == ["a.words"]


def test_a_folder_is_made(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b", 1)
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"the cache folder '.*file.sub' cannot be written .* cache=None"):
        check_folder(tmp_path / "file" / "sub", 1)


def test_a_full_disk_is_refused_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    with pytest.raises(OSError, match="has 1 MB free and needs 377 MB"):
        check_folder(tmp_path, 737280)


@pytest.mark.parametrize("at", [0, 1, 2**20 - 1, 2**20, 4000 * 512 - 1, 4000 * 512, 4000 * 512 + 40, -1])
def test_a_byte_that_changed_is_noticed(tmp_path: Path, at: int) -> None:
    path = tmp_path / "a.words"
    words = some_words(4000)  # some blocks of 1 MiB
    write_words(path, words.split(700), 4000)
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert open_words(path, 4000, spots=0) is None


def test_every_opening_looks_at_the_ends_and_at_other_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.words"
    write_words(path, [some_words(10_000)], 10_000)  # 5 blocks
    content = bytearray(path.read_bytes())
    content[2 * 2**20 + 5] ^= 1
    path.write_bytes(content)
    assert open_words(path, 10_000) is None  # 8 spots are all of them
    state = torch.get_rng_state()
    seen = [open_words(path, 10_000, spots=1) is None for _ in range(200)]
    assert any(seen)  # each sees it with probability 1/5: none does with 4e-20
    assert not all(seen)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("content", [lambda size: bytes(size), lambda size: b"\xff" * size])
def test_a_file_of_zeros_of_the_right_length_is_no_cache(tmp_path: Path, content) -> None:
    path = tmp_path / "a.words"
    write_words(path, [some_words(30)], 30)
    path.write_bytes(content(path.stat().st_size))
    assert open_words(path, 30) is None


def test_what_killed_writers_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.words"
    (tmp_path / ".a.words.dead.tmp").write_bytes(b"half")
    (tmp_path / ".b.words.dead.tmp").write_bytes(b"another's")

    def blocks():
        yield some_words(10)
        write_words(path, [some_words(30, seed=2)], 30)  # must not remove the file of the writer that is under way
        yield some_words(20, seed=1)

    write_words(path, blocks(), 30)
    assert files(tmp_path) == [".b.words.dead.tmp", "a.words"]
    assert open_words(path, 30, spots=0) is not None


def test_a_file_that_is_cut_while_in_use_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.words"
    write_words(path, [some_words(3000)], 3000)
    words = open_words(path, 3000)
    assert words is not None
    stored = Stored(words, path)
    index = torch.tensor([2999])
    assert torch.equal(stored.words(index, index), some_words(3000)[2999:])
    copied = pickle.loads(pickle.dumps(stored))
    assert torch.equal(copied.words(index, index), some_words(3000)[2999:])
    with path.open("r+b") as file:
        file.truncate(4096)
    for source in (stored, copied):
        with pytest.raises(OSError, match=r"a.words' were cut while in use; make the data set anew"):
            source.words(index, index)


def test_a_write_that_fails_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match=r"No space left on device: .*a.words was not written"):
        write_words(tmp_path / "a.words", [some_words(30)], 30)
    assert files(tmp_path) == []
