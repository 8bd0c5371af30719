"""Streams and orders: seeds, epochs, workers, and what is left behind."""

import signal

import pytest
import torch
from helpers.small import binary, make_pair
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from pyrogen.training.data import loading
from pyrogen.training.data.sources import Order
from pyrogen.training.data.streams import StreamSource, as_stream


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


class Endless(IterableDataset):
    def __iter__(self):
        return iter(binary(200))


def test_workers_go_when_the_run_ends_and_leave_signals_to_it():
    source = loading.DatasetSource(TensorDataset(binary()), make_pair())
    source._batches, source._next = iter(()), 3
    source.stop()
    assert (source._batches, source._next) == (None, -1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it already
    try:
        loading._ignore_interrupts(0)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_batch_may_be_all_images_and_no_two_seeds_share_an_order():
    assert sorted(Order(5, 5, 0)(0).tolist()) == list(range(5))
    orders = {tuple(Order(50, 50, seed)(epoch).tolist()) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_samplers_and_data_sets_of_a_stream_hear_of_each_epoch():
    data = Epochs()
    sampler = Sampler(data)
    source = StreamSource(DataLoader(data, batch_size=50, sampler=sampler), make_pair())
    for step in range(5):
        source.images(step)
    assert data.told == sampler.told == [0, 1, 2]


def test_an_iterable_data_set_has_batches_of_64():
    assert as_stream(Endless(), make_pair(), None, 0, 0).batch_size == 64


def test_batches_from_before_a_checkpoint_are_not_handed_out_after_it():
    source = as_stream(Endless(), make_pair(), 10, 0, 0)
    source.images(0)
    with pytest.warns(UserWarning, match="begins with its first batch"):
        source.load_state_dict({})
    assert not source._ahead
