"""What is put back after a step, and batches of numbers."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import torch

from pyrogen.training.step.proof import resampled
from pyrogen.training.step.state import Snapshot


class Log(list):
    def update(self, entry):
        self.append(entry)


def test_queues_lists_arrays_and_legacy_generators_are_put_back():
    held = SimpleNamespace(queue=deque([1, 2]), log=Log([1]), array=np.zeros(2), legacy=np.random.RandomState(0))
    before = Snapshot(held=held)
    held.queue.append(3)
    held.log.update(2)
    held.array += 1
    drawn = held.legacy.rand()
    before.restore()
    assert (list(held.queue), held.log) == ([1, 2], [1])
    assert held.array.tolist() == [0.0, 0.0]
    assert held.legacy.rand() == drawn


def test_a_batch_of_numbers_alone_stays_as_it_is():
    batch = (torch.tensor(1.0), "a")
    assert resampled(batch, torch.Generator()) is batch
