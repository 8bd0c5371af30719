"""The data set: its contract, its parts, its cache, and what it says to bad input."""

import itertools
import math
import pickle
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import pyrogen.datasets.dsprites as module
from pyrogen.datasets import DSprites
from pyrogen.datasets.bitpacked import pack, unpack
from pyrogen.datasets.renderer import render, render_packed

COUNT = 737280


@pytest.fixture(scope="module")
def drawn() -> DSprites:
    return DSprites(cache=None)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DSprites]:
    folder = tmp_path_factory.mktemp("dsprites")
    yield DSprites(cache=folder, progress=False)
    shutil.rmtree(folder)  # 377 MB


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The cache's files shrunk to 2048 pictures; the list counts how often they were drawn."""
    times: list[int] = []

    def blocks() -> Iterator[torch.Tensor]:
        times.append(1)
        yield from render_packed(module.factors_of(torch.arange(2048))).split(1024)

    monkeypatch.setattr(module, "_COUNT", 2048)
    monkeypatch.setattr(module, "render_all", blocks)
    return times


def some(n: int, seed: int = 0, count: int = COUNT) -> torch.Tensor:
    return torch.randint(count, (n,), generator=torch.Generator().manual_seed(seed))


def test_the_contract(drawn: DSprites) -> None:
    assert len(drawn) == COUNT
    assert drawn.factor_names == ("shape", "scale", "orientation", "posX", "posY")
    assert drawn.factor_sizes == (3, 6, 40, 32, 32)
    assert drawn.image_shape == (1, 64, 64)
    index = some(10)
    images, factors = drawn.images(index), drawn.factors(index)
    assert images.shape == (10, 1, 64, 64)
    assert images.dtype == torch.uint8
    assert factors.shape == (10, 5)
    assert factors.dtype == torch.int64
    assert torch.equal(images, render(factors))


def test_the_order_is_the_original_one(drawn: DSprites) -> None:
    expected = np.stack(np.unravel_index(np.arange(COUNT), (3, 6, 40, 32, 32)), axis=-1)
    np.testing.assert_array_equal(drawn.factors(torch.arange(COUNT)).numpy(), expected)
    assert drawn.factors([0, 1, 32, 1024, 40960, 245760, COUNT - 1]).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [2, 5, 39, 31, 31],
    ]


def test_index_is_the_inverse_of_factors(drawn: DSprites) -> None:
    every = torch.arange(COUNT)
    assert torch.equal(drawn.index(drawn.factors(every)), every)
    assert drawn.index([2, 5, 39, 31, 31]).tolist() == [COUNT - 1]


def test_stored_and_drawn_are_the_same(stored: DSprites, drawn: DSprites) -> None:
    index = torch.cat([some(5000), torch.tensor([0, COUNT - 1])])
    assert torch.equal(stored.images(index), drawn.images(index))


def test_other_kinds_of_index(drawn: DSprites) -> None:
    expected = drawn.images(torch.tensor([5, 9]))
    for index in ([5, 9], (5, 9), np.array([5, 9]), np.array([5, 9], dtype=np.uint8), torch.tensor([5, 9]).int()):
        assert torch.equal(drawn.images(index), expected)
    assert torch.equal(drawn.images(5), expected[:1])
    assert drawn.images([]).shape == (0, 1, 64, 64)
    assert drawn.factors([]).shape == (0, 5)


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        ([0, COUNT], ValueError, "index must be from 0 to 737279, got 737280"),
        ([-1], ValueError, "index must be from 0 to 737279, got -1"),
        ([0.0], TypeError, "index must be integers, got torch.float32"),
        ([True], TypeError, "index must be integers, got torch.bool"),
        ("one", TypeError, "index must be integers, got str"),
        (None, TypeError, "index must be integers, got NoneType"),
        ([[1]], ValueError, r"index must have one dimension, got shape \(1, 1\)"),
    ],
)
def test_bad_index(drawn: DSprites, index: Any, error: type[Exception], message: str) -> None:
    for method in (drawn.images, drawn.factors):
        with pytest.raises(error, match=message):
            method(index)


@pytest.mark.parametrize(
    ("factors", "error", "message"),
    [
        ([[0, 6, 0, 0, 0]], ValueError, "factor 'scale' must be from 0 to 5, got 6"),
        ([[0, 0, 0, 0, 0], [0, 0, 0, -1, 0]], ValueError, "factor 'posX' must be from 0 to 31, got -1 in row 1"),
        ([[0, 0, 0, 0]], ValueError, r"factors must have shape \(B, 5\), got \(1, 4\)"),
        ([[0.5, 0, 0, 0, 0]], TypeError, "factors must be integers"),
    ],
)
def test_bad_factors(drawn: DSprites, factors: Any, error: type[Exception], message: str) -> None:
    for part in (drawn, drawn.split(10, 10)[0]):
        with pytest.raises(error, match=message):
            part.index(factors)


def test_a_split_is_disjoint_and_repeatable(drawn: DSprites) -> None:
    train, test = drawn.split(500_000, 200_000, seed=3)
    numbers = [drawn.index(part.factors(torch.arange(len(part)))) for part in (train, test)]
    assert [len(number) for number in numbers] == [500_000, 200_000]
    assert len(torch.cat(numbers).unique()) == 700_000
    again = drawn.split(500_000, 200_000, seed=3)[1]
    assert torch.equal(again.factors(torch.arange(1000)), test.factors(torch.arange(1000)))
    other = drawn.split(500_000, 200_000, seed=4)[1]
    assert not torch.equal(other.factors(torch.arange(1000)), test.factors(torch.arange(1000)))
    # A random part: mean posX is 15.5 with standard deviation sqrt((32^2 - 1)/12); 5 standard errors are 6e-7.
    mean = test.factors(torch.arange(len(test)))[:, 3].double().mean()
    assert abs(mean - 15.5) < 5 * math.sqrt(1023 / 12 / 200_000)


def test_a_part_has_the_same_methods(stored: DSprites, drawn: DSprites) -> None:
    for whole in (stored, drawn):
        train, _ = whole.split(1000, 100)
        index = some(50, count=1000)
        factors = train.factors(index)
        assert torch.equal(train.images(index), render(factors))
        assert torch.equal(train.index(factors), index)
        assert (train.factor_names, train.factor_sizes, train.image_shape) == (
            drawn.factor_names,
            drawn.factor_sizes,
            drawn.image_shape,
        )
        half, rest = train.split(600, 400)
        assert torch.equal(half.images(index % 600), render(half.factors(index % 600)))
        inside = torch.cat([train.index(part.factors(torch.arange(len(part)))) for part in (half, rest)])
        assert torch.equal(inside.sort().values, torch.arange(1000))


def test_a_part_says_what_is_not_in_it(drawn: DSprites) -> None:
    train, test = drawn.split(100, 100)
    with pytest.raises(ValueError, match="index must be from 0 to 99, got 100"):
        train.images([100])
    with pytest.raises(ValueError, match=r"factors must be those of a picture in this part of the data, got \["):
        train.index(test.factors([0]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 5), ValueError, "n_train must be a whole number of at least 1, got 0"),
        ((5, -1), ValueError, "n_test must be a whole number of at least 1"),
        ((COUNT, 1), ValueError, "must be at most the 737280 pictures, got 737281"),
        ((0.5, 5), TypeError, "n_train must be a whole number of at least 1, got 0.5"),
        ((5, 5, None), TypeError, "seed must be a whole number from 0 to 4294967295, got None"),
    ],
)
def test_bad_splits(drawn: DSprites, arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        drawn.split(*arguments)


def test_it_is_a_torch_data_set(drawn: DSprites) -> None:
    train, _ = drawn.split(10, 5)
    for data in (drawn, train):
        image, factors = data[3]
        assert torch.equal(image, data.images(3)[0])
        assert torch.equal(factors, data.factors(3)[0])
        assert torch.equal(data[-1][0], data.images(len(data) - 1)[0])
        with pytest.raises(IndexError, match="out of range"):
            data[len(data)]
    assert len(list(train)) == 10
    images, factors = next(iter(DataLoader(train, batch_size=4)))
    assert torch.equal(images, train.images(range(4)))
    assert torch.equal(factors, train.factors(range(4)))


def test_a_stored_data_set_pickles_as_a_file_name(stored: DSprites) -> None:
    train, _ = stored.split(100, 10)
    octets = pickle.dumps(train)
    assert len(octets) < 20_000
    assert torch.equal(pickle.loads(octets).images(range(100)), train.images(range(100)))


def devices() -> list[str]:
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.mark.parametrize(("kind", "device"), list(itertools.product(["stored", "drawn"], devices())))
def test_to_a_device(kind: str, device: str, request: pytest.FixtureRequest) -> None:
    whole = request.getfixturevalue(kind)
    train, _ = whole.split(300, 10)
    index = some(50, count=300)
    there = train.to(device)
    for data, wanted in ((there, train), (there.split(100, 10)[0], train.split(100, 10)[0])):
        i = index % len(data)
        for where in ("cpu", device):
            assert data.images(i.to(where)).device.type == device
            assert torch.equal(data.images(i.to(where)).cpu(), wanted.images(i))
        assert torch.equal(data.factors(i).cpu(), wanted.factors(i))
        assert torch.equal(data.index(data.factors(i)).cpu(), i)
        assert torch.equal(data[0][0].cpu(), wanted[0][0])
    assert torch.equal(whole.to(device).images(index).cpu(), whole.images(index))


def test_the_cache_is_filled_once(tmp_path: Path, small: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    first = DSprites(cache=tmp_path)
    assert "dSprites: 100%" in capsys.readouterr().err
    second = DSprites(cache=str(tmp_path))
    assert len(small) == 1
    assert len(list(tmp_path.iterdir())) == 1
    index = some(50, count=2048)
    assert torch.equal(first.images(index), render(first.factors(index)))
    assert torch.equal(second.images(index), first.images(index))


def test_a_cut_cache_is_made_anew(tmp_path: Path, small: list[int]) -> None:
    DSprites(cache=tmp_path, progress=False)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-512])
    ds = DSprites(cache=tmp_path, progress=False)
    assert len(small) == 2
    assert torch.equal(ds.images([2047]), render(ds.factors([2047])))


def test_a_changed_renderer_does_not_read_an_old_cache(
    tmp_path: Path, small: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    DSprites(cache=tmp_path, progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(module, "VERSION", 0)
        DSprites(cache=tmp_path, progress=False)
    assert len(small) == 2
    with monkeypatch.context() as patch:
        patch.setattr("pyrogen.datasets.sprites.ASPECT", 1.331)
        DSprites(cache=tmp_path, progress=False)
    assert len(small) == 3


def test_where_the_default_cache_is(tmp_path: Path, small: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("PYROGEN_CACHE", raising=False)
    assert module.default_cache() == tmp_path / "home" / ".cache" / "pyrogen"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert module.default_cache() == tmp_path / "xdg" / "pyrogen"
    monkeypatch.setenv("PYROGEN_CACHE", str(tmp_path / "named"))
    DSprites(progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["named"]


def test_nothing_is_written_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYROGEN_CACHE", str(tmp_path / "named"))
    for cache in (None, False):
        assert DSprites(cache=cache).images([3]).shape == (1, 1, 64, 64)
    assert list(tmp_path.iterdir()) == []


def test_a_named_cache_that_cannot_be_is_an_error_and_the_default_a_warning(
    tmp_path: Path, small: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "sub"
    with pytest.raises(OSError, match=r"the cache folder .* cannot be written"):
        DSprites(cache=folder)
    monkeypatch.setenv("PYROGEN_CACHE", str(folder))
    with pytest.warns(UserWarning, match="dSprites is not cached: the cache folder .* cannot be written"):
        ds = DSprites()
    assert ds.images([3]).shape == (1, 1, 64, 64)
    assert small == []


def test_bad_cache_argument() -> None:
    with pytest.raises(TypeError, match="cache must be True, False, None or a folder, got 3"):
        DSprites(cache=3)  # type: ignore[arg-type]


@pytest.fixture
def original(tmp_path: Path, small: list[int], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of the published kind with 2048 pictures, each unlike the drawn one."""
    monkeypatch.setattr(module, "check_original", lambda path: real_check(path, (2, 1, 1, 32, 32)))
    monkeypatch.setattr(module, "read_original", lambda path: real_read(path, (2, 1, 1, 32, 32)))
    images = np.random.default_rng(0).integers(0, 2, (2048, 64, 64), dtype=np.uint8)
    classes = np.stack(np.unravel_index(np.arange(2048), (1, 2, 1, 1, 32, 32)), axis=-1).astype(np.int64)
    np.savez(tmp_path / "original.npz", imgs=images, latents_classes=classes)
    return tmp_path / "original.npz"


real_check, real_read = module.check_original, module.read_original


def test_the_original_is_read_once_for_each_state_of_it(original: Path, tmp_path: Path) -> None:
    with np.load(original) as file:
        images = file["imgs"]
    uncached = DSprites(original, cache=None, progress=False)
    cached = DSprites(str(original), cache=tmp_path / "cache", progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = DSprites(original, cache=tmp_path / "cache")
    index = some(50, count=2048)
    for ds in (uncached, cached, again):
        np.testing.assert_array_equal(ds.images(index)[:, 0].numpy(), images[index.numpy()])
    assert len(list((tmp_path / "cache").iterdir())) == 1
    with np.load(original) as file:
        np.savez(original, imgs=1 - images, latents_classes=file["latents_classes"])
    changed = DSprites(original, cache=tmp_path / "cache", progress=False)
    np.testing.assert_array_equal(changed.images(index)[:, 0].numpy(), 1 - images[index.numpy()])


def test_a_bad_original_leaves_nothing(original: Path, tmp_path: Path) -> None:
    original.write_bytes(original.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cut short"):
        DSprites(original, cache=tmp_path / "cache", progress=False)
    assert not (tmp_path / "cache").exists() or list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(FileNotFoundError, match="no dSprites file"):
        DSprites(tmp_path / "nothing.npz")


def test_pack_agrees_with_what_is_stored(stored: DSprites) -> None:
    images = stored.images(some(100))
    assert torch.equal(unpack(pack(images[:, 0])), images)
