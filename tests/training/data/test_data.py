"""Data of all kinds: the same batches whatever form they come in, read by workers or not, and resumed exactly."""

import random
import re

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.small import SHAPE, binary, make_pair, quiet, same, weights
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import pyrogen as pg
from pyrogen.training.data.items import as_tensor, image_of
from pyrogen.training.data.loading import PREFETCH, DatasetSource

X = binary()


class Items(Dataset):
    """Items of any kind."""

    def __init__(self, make, n=100):
        self.make, self.n = make, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.make(i)


class Several(Items):
    """Items that are fetched together."""

    def __getitem__(self, i):
        raise AssertionError("one by one")

    def __getitems__(self, index):
        return [X[i] for i in index]


def pil(i):
    image = pytest.importorskip("PIL.Image")
    return image.fromarray((X[i].numpy() * 255).astype(np.uint8))


KINDS = {
    "tensor": lambda: X,
    "float64 array": lambda: X.numpy().astype(np.float64),
    "bool array": lambda: X.numpy().astype(bool),
    "uint16 array": lambda: X.numpy().astype(np.uint16),
    "strided array": lambda: np.ascontiguousarray(X.numpy()[:, ::-1])[:, ::-1],
    "big-endian array": lambda: X.numpy().astype(">f4"),
    "tensors": lambda: Items(lambda i: X[i]),
    "tuples": lambda: Items(lambda i: (X[i], i)),
    "lists": lambda: Items(lambda i: [X[i], "label"]),
    "dicts": lambda: Items(lambda i: {"label": i, "image": X[i]}),
    "dicts with one image": lambda: Items(lambda i: {"name": "a", "scan": X[i].numpy()}),
    "arrays": lambda: Items(lambda i: X[i].numpy()),
    "uint8 arrays": lambda: Items(lambda i: X[i].numpy().astype(np.uint8)),
    "fetched together": lambda: Several(None),
    "list of arrays": lambda: [x.numpy() for x in X],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_the_same_data_trains_alike(kind):
    pair, plain = make_pair(), make_pair()
    quiet(plain, X, steps=12)
    quiet(pair, KINDS[kind](), steps=12)
    assert same(pair, plain)


def test_a_memory_map_is_read_batch_by_batch(tmp_path):
    np.save(tmp_path / "x.npy", X.numpy())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    pair, plain = make_pair(), make_pair()
    quiet(plain, X, steps=12)
    quiet(pair, mapped, steps=7, checkpoint=tmp_path / "run")
    quiet(pair, mapped, steps=12, checkpoint=tmp_path / "run", resume=True)
    assert same(pair, plain)


def test_a_pil_image_has_its_channels_first_and_its_values_in_0_1():
    image = pytest.importorskip("PIL.Image")
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    x = image_of(image.fromarray(array))
    assert x.shape == (3, 2, 4)
    assert torch.equal(x, torch.from_numpy(array).permute(2, 0, 1).float() / 255)
    assert image_of(pil(0)).shape == (1, *SHAPE)
    assert torch.equal(
        image_of(image.fromarray(array[..., 0] > 50)), torch.from_numpy(array[..., 0] > 50)[None].float()
    )


def test_a_table_of_numbers_trains():
    frame = pd.DataFrame({"a": np.arange(50), "b": np.linspace(0, 1, 50), "c": np.arange(50) % 2 == 0})
    pair = pg.models.VAE(pg.nn.MLPEncoder((3,), 2, hidden=(4,)), pg.nn.MLPDecoder((3,), 2, "gaussian", hidden=(4,)))
    assert quiet(pair, frame, steps=3).steps == 3
    with pytest.raises(TypeError, match="in column 'd'"):
        quiet(pair, frame.assign(d="x"), steps=3)
    with pytest.raises(TypeError, match="pass a DataFrame"):
        quiet(pair, frame["a"], steps=3)
    with pytest.raises(ValueError, match="NaN"):
        quiet(pair, frame.assign(b=np.nan), steps=3)


class Noisy(Dataset):
    """Augments with all three generators."""

    def __len__(self):
        return 40

    def __getitem__(self, i):
        flips = (random.random() < 0.5, np.random.rand() < 0.5, bool(torch.rand(()) < 0.5))  # noqa: NPY002
        x = X[i]
        for axis, flip in enumerate(flips[:2]):
            x = x.flip(axis) if flip else x
        return 1 - x if flips[2] else x


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with one core
def test_augmentation_is_resumed_exactly_and_does_not_depend_on_workers(tmp_path):
    whole, parts, worked = make_pair(), make_pair(), make_pair()
    quiet(whole, Noisy(), steps=25)
    quiet(parts, Noisy(), steps=11, checkpoint=tmp_path)
    random.random(), np.random.rand(), torch.rand(3)  # noqa: NPY002
    quiet(parts, Noisy(), steps=18, checkpoint=tmp_path, resume=True, workers=1)
    quiet(parts, Noisy(), steps=25, checkpoint=tmp_path, resume=True)
    assert same(whole, parts)
    quiet(worked, Noisy(), steps=25, workers=2)
    assert same(whole, worked)


def test_reading_leaves_the_callers_random_numbers_alone():
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    pair = make_pair()
    torch.set_rng_state(before[2])
    quiet(pair, Noisy(), steps=5)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    assert before[0] == after[0]
    assert before[1] == after[1]
    assert torch.equal(before[2], after[2])


def test_an_error_in_a_worker_comes_through():
    def broken(i):
        if i == 57:
            raise OSError("no such file: 57.png")
        return X[i]

    with pytest.raises(OSError, match=r"57\.png"):
        quiet(make_pair(), Items(broken), steps=20, workers=1)


def test_workers_read_ahead_of_the_training():
    source = DatasetSource(TensorDataset(X), make_pair(), workers=1)
    source.start(lambda step: torch.arange(10) + step, 3, 8)
    assert torch.equal(source.at(3, torch.arange(10) + 3), X[3:13])
    assert torch.equal(source.at(4, torch.arange(10) + 4), X[4:14])
    assert PREFETCH >= 2
    source.stop()


def close(a, b):
    """Equal but for rounding: the number of images behind a batch, which cancels, is another."""
    return all(torch.allclose(p, q, rtol=1e-4, atol=1e-6) for p, q in zip(weights(a), weights(b), strict=True))


class Stream(IterableDataset):
    def __init__(self, n=35):
        self.n = n

    def __iter__(self):
        return iter(X[: self.n])


def test_a_loader_of_ones_own_keeps_its_order_and_starts_anew_when_resumed(tmp_path):
    seen, pair = [], make_pair()
    loader = DataLoader(Items(lambda i: (seen.append(i), X[i])[1], 35), batch_size=10)
    fit = pg.fit(pair, loader, steps=7, progress=False, checkpoint=tmp_path)
    assert seen[:30] == list(range(30))
    assert fit.history["epoch"][-1] == pytest.approx(7 / 4)
    with pytest.warns(UserWarning, match="the resumed run begins with its first batch"):
        pg.fit(pair, loader, steps=9, progress=False, checkpoint=tmp_path, resume=True)
    by_hand = make_pair()
    batches = [X[10 * (t % 3) : 10 * (t % 3) + 10] for t in (0, 1, 2, 0, 1, 2, 0)]
    other = [(batch, 0) for batch in batches]
    quiet(by_hand, DataLoader(Items(lambda i: other[i][0], 7), batch_size=None), steps=7, batch_size=None)
    fresh = make_pair()
    pg.fit(fresh, loader, steps=7, progress=False)
    assert close(fresh, by_hand)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stream_is_cut_into_batches(workers):
    pair, plain = make_pair(), make_pair()
    quiet(pair, Stream(), steps=3, workers=workers)
    quiet(plain, DataLoader(TensorDataset(X[:30]), batch_size=10), steps=3)
    assert close(pair, plain)


class Placed(DataLoader):
    """A loader that keeps its place, by the two methods of torchdata's StatefulDataLoader."""

    at = 0

    def __iter__(self):
        for i, batch in enumerate(super().__iter__()):
            if i >= self.at:
                self.at = i + 1
                yield batch
        self.at = 0

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


def test_a_loader_that_keeps_its_place_is_resumed_exactly(tmp_path):
    def loader():
        return Placed(TensorDataset(X), batch_size=10)

    whole, parts = make_pair(), make_pair()
    quiet(whole, loader(), steps=15)
    quiet(parts, loader(), steps=7, checkpoint=tmp_path)
    quiet(parts, loader(), steps=15, checkpoint=tmp_path, resume=True)
    assert same(whole, parts)


RGB = np.zeros((20, 32, 32, 3), dtype=np.float32)


def rgb_pair():
    networks = pg.nn.MLPEncoder((3, 32, 32), 2, hidden=(4,)), pg.nn.MLPDecoder((3, 32, 32), 2, hidden=(4,))
    return pg.models.VAE(*networks)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (RGB, "these have their channels last, pass data.transpose(0, 3, 1, 2)"),
        (torch.from_numpy(RGB), "these have their channels last, pass data.permute(0, 3, 1, 2)"),
        (np.arange(20), "these look like labels or indices"),
        (torch.zeros(20, 3 * 32 * 32), "pass data.reshape(-1, 3, 32, 32)"),
        (torch.zeros(20, 1, 3, 32, 32), "pass data[:, 0] to drop the channel"),
        (Items(lambda i: RGB[i]), "these have their channels last"),
        (Items(lambda i: "a.png"), "items must be tensors"),
        (Items(lambda i: {"a": RGB[i], "b": RGB[i]}), "must have items whose image can be told"),
        (Items(lambda i: torch.zeros(3, 32, 32 + i % 2)), "must have one shape"),
        (np.array(["a", "b"]), "these look like labels"),
        (np.full((20, 3, 32, 32), "a"), "data must be numbers"),
        ({"x": X}, "got a dict"),
        (DataLoader(Items(lambda i: RGB[i]), batch_size=5), "channels last"),
        (DataLoader(Items(lambda i: X[i], 0), batch_size=5, shuffle=False), "empty"),
        (DataLoader(TensorDataset(X), batch_size=5), "must have shape"),
    ],
)
def test_data_that_cannot_be_used_get_a_sentence_with_the_remedy(data, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        pg.fit(rgb_pair(), data, steps=5, progress=False)


def test_settings_that_a_loader_has_itself_are_refused():
    loader = DataLoader(TensorDataset(X), batch_size=5)
    with pytest.raises(ValueError, match="batch_size must be left out, or 5"):
        pg.fit(make_pair(), loader, steps=5, batch_size=10, progress=False)
    with pytest.raises(ValueError, match="workers must be left out"):
        pg.fit(make_pair(), loader, steps=5, workers=1, progress=False)
    with pytest.raises(TypeError, match="got a DataLoader: pass its data set"):
        quiet(make_pair(), X, steps=5, validation=loader)
    with pytest.raises(ValueError, match="workers must be a whole number of at least 0"):
        quiet(make_pair(), X, steps=5, workers=-1)


def test_a_missing_channel_is_named():
    pair = pg.models.VAE(pg.nn.MLPEncoder((1, 4, 4), 2, hidden=(4,)), pg.nn.MLPDecoder((1, 4, 4), 2, hidden=(4,)))
    with pytest.raises(ValueError, match=r"pass data\[:, None\] to add the channel"):
        quiet(pair, X, steps=5)


def test_arrays_of_odd_kinds_become_tensors():
    assert as_tensor(np.arange(3, dtype=np.uint32)).tolist() == [0, 1, 2]
    assert as_tensor(np.arange(3, dtype=np.longdouble)).dtype == torch.float64
    frozen = np.ones(3)
    frozen.flags.writeable = False
    assert as_tensor(frozen).sum() == 3
