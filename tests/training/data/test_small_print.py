"""Of data: entries that fit no pair, pictures of other depths, seeds and epochs, and what is left behind."""

import signal

import numpy as np
import pytest
import torch
from helpers.small import binary, make_pair
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import pyrogen as pg
from pyrogen.training.data import items, loading
from pyrogen.training.data.context_data import as_context_source
from pyrogen.training.data.program_data import ProgramSource
from pyrogen.training.data.sources import Order
from pyrogen.training.data.streams import StreamSource, as_stream


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


def test_workers_go_when_the_run_ends_and_leave_signals_to_it():
    source = loading.DatasetSource(TensorDataset(binary()), make_pair())
    source._batches, source._next = iter(()), 3
    source.stop()
    assert (source._batches, source._next) == (None, -1)
    before = signal.getsignal(signal.SIGINT)
    try:
        loading._ignore_interrupts(0)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_digest_of_programs_data_has_their_shapes():
    digests = {ProgramSource(torch.zeros(shape)).fingerprint() for shape in [(4,), (2, 2), (4, 1)]}
    assert len(digests) == 3


def test_programs_get_data_of_inference_mode_as_usual_tensors():
    with torch.inference_mode():
        x = torch.zeros(3)
    assert not ProgramSource((x, 1)).data[0].is_inference()


def test_a_batch_may_be_all_images_and_no_two_seeds_share_an_order():
    assert sorted(Order(5, 5, 0)(0).tolist()) == list(range(5))
    orders = {tuple(Order(50, 50, seed)(epoch).tolist()) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


class Epochs(TensorDataset):
    """A data set that is told of epochs."""

    def __init__(self):
        super().__init__(binary())
        self.told = []

    def set_epoch(self, epoch):
        self.told.append(epoch)


class Sampler(torch.utils.data.SequentialSampler):
    """A sampler that is told of them too."""

    def set_epoch(self, epoch):
        self.told = [*getattr(self, "told", []), epoch]


def test_samplers_and_data_sets_of_a_stream_hear_of_each_epoch():
    data = Epochs()
    sampler = Sampler(data)
    source = StreamSource(DataLoader(data, batch_size=50, sampler=sampler), make_pair())
    for step in range(5):
        source.images(step)
    assert data.told == sampler.told == [0, 1, 2]


class Endless(IterableDataset):
    def __iter__(self):
        return iter(binary(200))


def test_an_iterable_data_set_has_batches_of_64():
    assert as_stream(Endless(), make_pair(), None, 0, 0).batch_size == 64


def test_batches_from_before_a_checkpoint_are_not_handed_out_after_it():
    source = as_stream(Endless(), make_pair(), 10, 0, 0)
    source.images(0)
    with pytest.warns(UserWarning, match="begins with its first batch"):
        source.load_state_dict({})
    assert not source._ahead
