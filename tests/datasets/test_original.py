"""Reading the published file, on small files of its kind."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyrogen.datasets.bitpacked import unpack
from pyrogen.datasets.original import check_original, read_original

SIZES = (3, 2, 4, 3, 5)
COUNT = 360


class Bomb:
    """Unpickling this fails the test."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise AssertionError('a pickle was loaded')",)


def arrays(**changes: Any) -> dict[str, Any]:
    classes = np.stack(np.unravel_index(np.arange(COUNT), (1, *SIZES)), axis=-1).astype(np.int64)
    images = np.random.default_rng(0).integers(0, 2, (COUNT, 64, 64), dtype=np.uint8)
    metadata = np.array({"bomb": Bomb()}, dtype=object)
    made = {"metadata": metadata, "imgs": images, "latents_classes": classes, "latents_values": classes * 1.0}
    made.update(changes)
    return {name: array for name, array in made.items() if array is not None}


def write(path: Path, **changes: Any) -> Path:
    np.savez_compressed(path, **arrays(**changes))
    return path


def test_pictures_come_out_in_order_and_nothing_is_unpickled(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz")
    with zipfile.ZipFile(path) as archive:  # the bomb is in there
        assert b"a pickle was loaded" in archive.read("metadata.npy")
    check_original(path, SIZES)
    blocks = list(read_original(path, SIZES))
    np.testing.assert_array_equal(unpack(torch.cat(blocks))[:, 0].numpy(), arrays()["imgs"])


def test_blocks_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyrogen.datasets.original._BLOCK", 100)
    blocks = list(read_original(write(tmp_path / "a.npz"), SIZES))
    assert [len(block) for block in blocks] == [100, 100, 100, 60]
    np.testing.assert_array_equal(unpack(torch.cat(blocks))[:, 0].numpy(), arrays()["imgs"])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no dSprites file at .*nothing\.npz"):
        check_original(tmp_path / "nothing.npz")


def test_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(ValueError, match=r"not an \.npz archive, or is cut short"):
        check_original(path, SIZES)


def test_a_cut_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"not an \.npz archive, or is cut short"):
        check_original(path, SIZES)


@pytest.mark.parametrize("name", ["imgs", "latents_classes"])
def test_a_missing_array(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.npz", **{name: None})
    with pytest.raises(ValueError, match=f"has no array '{name}', it has .*'latents_values', 'metadata'"):
        check_original(path, SIZES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imgs": arrays()["imgs"].astype(np.float32)}, "'imgs' .* is float32 .* expected uint8"),
        ({"imgs": arrays()["imgs"][:-1]}, r"'imgs' .* shape \(359, 64, 64\), expected uint8 of shape \(360, 64, 64\)"),
        ({"imgs": arrays()["imgs"][:, :32]}, r"'imgs' .* shape \(360, 32, 64\)"),
        ({"imgs": np.array([{}] * COUNT)}, "'imgs' .* is object"),
        ({"imgs": np.asfortranarray(arrays()["imgs"])}, "'imgs' .* in Fortran order"),
        ({"latents_classes": arrays()["latents_classes"][:, 1:]}, r"'latents_classes' .* shape \(360, 5\)"),
        ({"latents_classes": arrays()["latents_classes"] * 1.0}, "'latents_classes' .* is float64 .* expected int64"),
    ],
)
def test_an_array_of_another_kind(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_original(write(tmp_path / "a.npz", **changes), SIZES)


def test_another_order(tmp_path: Path) -> None:
    classes = arrays()["latents_classes"]
    classes[[7, 8]] = classes[[8, 7]]
    path = write(tmp_path / "a.npz", latents_classes=classes)
    with pytest.raises(ValueError, match=r"row 7 of 'latents_classes' is \[0, 0, 0, 0, 1, 3\], expected \[0, .*, 2\]"):
        check_original(path, SIZES)


def test_a_value_other_than_zero_and_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", imgs=arrays()["imgs"] * 255)
    check_original(path, SIZES)
    with pytest.raises(ValueError, match=r"'imgs' .* holds the value 255"):
        list(read_original(path, SIZES))


def test_damage_in_the_middle(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz")
    with zipfile.ZipFile(path) as archive:
        middle = archive.getinfo("imgs.npy").header_offset + archive.getinfo("imgs.npy").compress_size // 2
    octets = bytearray(path.read_bytes())
    octets[middle : middle + 100] = bytes(100)
    path.write_bytes(octets)
    with pytest.raises(ValueError, match=r"'imgs' .* is damaged"):
        list(read_original(path, SIZES))


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz")
    short = tmp_path / "short.npz"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(short, "w") as other:
        for name in archive.namelist():
            octets = archive.read(name)
            other.writestr(name, octets[:-5] if name == "imgs.npy" else octets)
    with pytest.raises(ValueError, match=r"'imgs' .* ends 5 bytes early"):
        list(read_original(short, SIZES))


def test_a_garbled_header(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("imgs.npy", pickle.dumps([1]))
    with pytest.raises(ValueError, match=r"'imgs' .* has no readable header"):
        check_original(path, SIZES)
