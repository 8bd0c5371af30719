"""The digits: scikit-learn's own, level by level, and the contract of a data set."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader

import pyrogen as pg
from pyrogen.datasets import Digits

ORIGINAL = load_digits()
ALL = torch.arange(1797)


def test_the_contract():
    ds = Digits()
    assert len(ds) == 1797
    assert (ds.factor_names, ds.factor_sizes, ds.image_shape) == (("digit",), (10,), (1, 8, 8))
    images, factors = ds.images([3, 0]), ds.factors([3, 0])
    assert (images.shape, images.dtype, factors.shape, factors.dtype) == (
        (2, 1, 8, 8),
        torch.float32,
        (2, 1),
        torch.int64,
    )
    assert ds.device == torch.device("cpu")


def test_gray_pixels_are_sixteenths_of_the_original_and_digits_are_its_targets():
    ds = Digits("gray")
    assert np.array_equal(16 * ds.images(ALL)[:, 0].double().numpy(), ORIGINAL.images)
    assert ds.images(ALL).max() == 1
    assert np.array_equal(ds.factors(ALL)[:, 0].numpy(), ORIGINAL.target)


def test_binary_pixels_are_dark_from_half_on():
    ds = Digits("binary")
    assert np.array_equal(ds.images(ALL)[:, 0].numpy(), (ORIGINAL.images >= 8).astype(np.float32))
    assert (ORIGINAL.images == 8).any()  # so that "from half on" says something
    assert ds.images(ALL).mean().item() == pytest.approx(0.323, abs=5e-4)  # as the docstring says
    assert torch.equal(ds.factors(ALL), Digits().factors(ALL))


def test_an_item_is_an_image_and_its_digit():
    ds = Digits()
    image, digit = ds[-1]
    assert torch.equal(image, ds.images(1796)[0])
    assert digit.tolist() == [int(ORIGINAL.target[-1])]
    images, digits = next(iter(DataLoader(ds, batch_size=4)))
    assert torch.equal(images, ds.images([0, 1, 2, 3]))
    assert torch.equal(digits, ds.factors([0, 1, 2, 3]))


def rows(part):
    """Each picture of a part as bytes; all 1,797 gray ones differ."""
    return [image.numpy().tobytes() for image in part.images(torch.arange(len(part)))]


def test_a_split_is_disjoint_repeatable_and_keeps_image_and_digit_together():
    ds = Digits()
    train, test = ds.split(1297, 500, seed=3)
    assert (len(train), len(test)) == (1297, 500)
    assert set(rows(train)).isdisjoint(rows(test))
    assert set(rows(train)) | set(rows(test)) == set(rows(ds))
    again, other = ds.split(1297, 500, seed=3)[0], ds.split(1297, 500, seed=4)[0]
    assert rows(again) == rows(train) != rows(other)
    digit = dict(zip(rows(ds), ORIGINAL.target.tolist(), strict=True))
    for part in (train, test):
        assert [digit[row] for row in rows(part)] == part.factors(torch.arange(len(part)))[:, 0].tolist()
    assert part.levels == "gray"
    assert {int(d) for d in test.factors(torch.arange(500))} == set(range(10))
    inner, _ = train.split(10, 10)
    assert set(rows(inner)) < set(rows(train))


def test_a_copy_elsewhere_and_from_a_pickle_is_the_same():
    _, test = Digits("binary").split(100, 50)
    for copy in (test.to("cpu"), pickle.loads(pickle.dumps(test))):
        assert rows(copy) == rows(test)
        assert copy.levels == "binary"
        assert torch.equal(copy.factors(torch.arange(50)), test.factors(torch.arange(50)))


def test_a_bernoulli_pair_takes_the_binary_and_refuses_the_gray():
    encoder, decoder = pg.nn.MLPEncoder((1, 8, 8), 2, hidden=(4,)), pg.nn.MLPDecoder((1, 8, 8), 2, hidden=(4,))
    vae = pg.models.VAE(encoder, decoder)
    assert pg.fit(vae, Digits("binary"), steps=1, progress=False).steps == 1
    with pytest.raises(ValueError, match="pixels must be 0 or 1 for a Bernoulli likelihood"):
        pg.fit(vae, Digits("gray"), steps=1, progress=False)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: Digits("mono"), ValueError, "levels must be one of 'gray', 'binary', got 'mono'"),
        (lambda: Digits().images(1797), ValueError, "index must be from 0 to 1796, got 1797"),
        (lambda: Digits().factors([-1]), ValueError, "index must be from 0 to 1796, got -1"),
        (lambda: Digits().images([0.5]), TypeError, "index must be integers, got torch.float32"),
        (lambda: Digits().images([[0]]), ValueError, "index must have one dimension, got shape (1, 1)"),
        (lambda: Digits()[1797], IndexError, "index 1797 is out of range for 1797 pictures"),
        (
            lambda: Digits().split(1797, 1),
            ValueError,
            "n_train + n_test must be at most the 1797 pictures, got 1798",
        ),
        (
            lambda: Digits().split(5, 0),
            ValueError,
            "n_test must be a whole number of at least 1, got 0",
        ),
        (
            lambda: Digits().split(5, 5, seed="a"),
            TypeError,
            "seed must be a whole number from 0 to 4294967295, got 'a'",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, kind, message):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == message
