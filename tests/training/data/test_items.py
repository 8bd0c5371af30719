"""Items of a data set: entries that fit no pair, and pictures of other depths."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

import pyrogen as pg
from pyrogen.training.data import items
from pyrogen.training.data.context_data import as_context_source


def labeled():
    networks = pg.nn.MLPEncoder((8, 8), latent=2), pg.nn.MLPDecoder((8, 8), latent=2 + 3)
    return pg.models.ConditionalVAE(*networks, classes=3)


def test_entries_that_no_pair_knows_are_refused():
    x, y = torch.zeros(4, 8, 8), torch.arange(4) % 3
    assert len(as_context_source({"x": x, "y": y}, labeled(), None)) == 4
    with pytest.raises(ValueError, match="must have the entries x, y, got x, y, w"):
        as_context_source({"x": x, "y": y, "w": y}, labeled(), None)


def test_items_may_have_more_entries_than_the_pair_takes():
    x, y = torch.zeros(4, 8, 8), torch.arange(4) % 3
    source = as_context_source(TensorDataset(x, y, y), labeled(), None)
    assert [part.shape for part in source.images(torch.arange(2))] == [(2, 8, 8), (2,)]


def test_the_image_of_an_item_is_the_entry_of_that_name():
    x, image = torch.zeros(2), torch.ones(2)
    assert items.image_of({"x": x, "image": image}) is image


def test_pictures_of_16_bits_end_in_1_and_cmyk_becomes_rgb():
    deep = Image.fromarray(np.full((2, 2), 65_535, dtype=np.uint16))
    assert items.image_of(deep).max() == 1.0
    assert items.image_of(Image.new("CMYK", (2, 2))).shape == (3, 2, 2)


def test_unsigned_numbers_of_32_bits_stay_what_they_are():
    assert items.as_tensor(np.array([2**32 - 1], dtype=np.uint32)).item() == 2**32 - 1
