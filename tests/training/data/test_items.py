"""Items of a data set: entries that fit no pair, and pictures of other depths."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

import pyrogen as pg
from pyrogen.training.data import items
from pyrogen.training.data.digest import digest_data, digest_tree
from pyrogen.training.data.sources import as_source


def labeled():
    networks = pg.nn.MLPEncoder((8, 8), latent=2), pg.nn.MLPDecoder((8, 8), latent=2 + 3)
    return pg.models.ConditionalVAE(*networks, classes=3)


class Folder:
    """A data set of the caller's own, which calls its pictures what pyrogen's call a method."""

    def __init__(self):
        self.images, self.labels = torch.zeros(4, 8, 8), torch.arange(4) % 3

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.images[i], int(self.labels[i])


class Drawn:
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.rand(8, 8).round(), i % 3


def test_entries_that_no_pair_knows_are_refused():
    x, y = torch.zeros(4, 8, 8), torch.arange(4) % 3
    assert len(as_source({"x": x, "y": y}, labeled(), None)) == 4
    with pytest.raises(ValueError, match="must have the entries x, y, got x, y, w"):
        as_source({"x": x, "y": y, "w": y}, labeled(), None)


def test_items_may_have_more_entries_than_the_pair_takes():
    x, y = torch.zeros(4, 8, 8), torch.arange(4) % 3
    source = as_source(TensorDataset(x, y, y), labeled())
    assert [part.shape for part in source.images(torch.arange(2))] == [(2, 8, 8), (2,)]


def test_a_data_set_may_keep_its_pictures_as_images():
    assert [len(part) for part in as_source(Folder(), labeled()).images(torch.arange(3))] == [3, 3]
    assert len(digest_tree(Folder())) == 32


@pytest.mark.parametrize("workers", [0, 1])
def test_items_with_labels_are_seeded_by_the_step_and_compared(workers):
    x, first = torch.zeros(4, 8, 8), torch.arange(4)
    source = as_source([(noise, 1) for noise in x], labeled(), None, workers, seed=3)
    assert digest_data(source) != digest_data(as_source([(noise, 2) for noise in x], labeled()))
    random = as_source(Drawn(), labeled(), None, workers, seed=3)
    assert "random" in digest_data(random)
    random.start(lambda step: first, 5, 6)
    assert torch.equal(random.at(5, first)[0], as_source(Drawn(), labeled(), seed=3).at(5, first)[0])
    random.stop()


def test_the_image_of_an_item_is_the_entry_of_that_name():
    x, image = torch.zeros(2), torch.ones(2)
    assert items.image_of({"x": x, "image": image}) is image


def test_pictures_of_16_bits_end_in_1_and_cmyk_becomes_rgb():
    deep = Image.fromarray(np.full((2, 2), 65_535, dtype=np.uint16))
    assert items.image_of(deep).max() == 1.0
    assert items.image_of(Image.new("CMYK", (2, 2))).shape == (3, 2, 2)


def test_unsigned_numbers_of_32_bits_stay_what_they_are():
    assert items.as_tensor(np.array([2**32 - 1], dtype=np.uint32)).item() == 2**32 - 1


def test_tables_and_dicts_of_a_sweep_are_compared():
    tables = [pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": [1.0, 3.0]})]
    dicts = [{"x": torch.zeros(2)}, {"x": torch.ones(2)}]
    assert len({digest_tree(data) for data in (*tables, *dicts)}) == 4
