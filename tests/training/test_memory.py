"""Memory between steps: no new pages while it is kept, and all given back."""

import ctypes
import resource

import pytest
import torch

from pyrogen.training.memory import kept_memory

SIZE = 10_000_000  # float32: 40 MB, which glibc asks the system for anew each time


def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(SIZE)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_freed_memory_stays_for_the_next_step_and_no_longer():
    with kept_memory():
        kept = min(new_pages() for _ in range(40))  # a heap finds its place after some ten calls
    assert kept < 100  # huge pages may make the first one cheap too
    assert new_pages() > 15  # 40 MB in huge pages are 20
