"""Digests of data, by which a checkpoint knows whether it is resumed with the data that it began with."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset, TensorDataset

from pyrogen.random_numbers import kept_random_numbers
from pyrogen.training.data.items import as_tensor, parts_of
from pyrogen.training.data.loading import DatasetSource
from pyrogen.training.data.program_data import ProgramSource, add_entry, tensors_of
from pyrogen.training.data.sources import Source, TensorSource
from pyrogen.training.data.streams import StreamSource

WHOLE = 2**25  # bytes of images of a pyrogen data set that are all looked at
SAMPLED = 4096  # images of a larger one
ITEMS = 64  # items of a torch Dataset
TWICE = 16  # those among them that are read twice, to see whether they are random
BLOCK = 2**24  # bytes that are hashed at a time


def digest_data(source: Source) -> str:
    """Return a digest of a run's data.

    What is in memory counts whole: a tensor, the arguments of programs, a torch ``TensorDataset``, a ``Subset`` of one.
    Of a pyrogen data set 32 MB of images count whole, and of a larger one a seeded sample of 4,096. Of another torch
    ``Dataset`` a seeded sample of 64 items counts. A ``Dataset`` whose items differ when they are read twice, such as
    one that augments, is known by its length alone. The number of images and their type always count.
    """
    if isinstance(source, StreamSource):
        return "a stream, which is not compared"
    digest = hashlib.sha256(f"{len(source)}".encode())
    if isinstance(source, TensorSource):
        _add(digest, source.x)
    elif isinstance(source, DatasetSource):
        if kind := _add_dataset(digest, source.dataset, source.names):
            return kind
    elif isinstance(source, ProgramSource):
        digest.update(source.fingerprint().encode())
    else:
        first = tensors_of(source.images(torch.tensor([0]))).values()
        whole = len(source) * sum(part.numel() * part.element_size() for part in first) <= WHOLE
        for index in _sample(len(source), len(source) if whole else SAMPLED).split(1024):
            for part in tensors_of(source.images(index)).values():
                _add(digest, part)
    return digest.hexdigest()[:32]


def _add_dataset(digest: Any, dataset: Any, names: tuple[str, ...]) -> str:
    """Add a torch ``Dataset``; return the text that stands for it where its items are random."""
    while isinstance(dataset, Subset):
        _add(digest, torch.as_tensor(list(dataset.indices)))
        dataset = dataset.dataset
    if isinstance(dataset, TensorDataset):
        for tensor in dataset.tensors[: len(names)]:
            _add(digest, tensor)
        return ""
    index = _sample(len(dataset), ITEMS).tolist()
    with kept_random_numbers():
        once, again = (
            [torch.as_tensor(part) for i in places for part in parts_of(dataset[i], names)]
            for places in (index, index[:TWICE])
        )
    if not all(map(_equal, once, again)):
        return f"{len(dataset)} items that are random, and are not compared"
    for part in once:
        _add(digest, part)
    return ""


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


def _sample(size: int, most: int) -> Tensor:
    """Return the indices of the sample, int64, all of them where there are few."""
    if size <= most:
        return torch.arange(size)
    return torch.randint(size, (most,), generator=torch.Generator().manual_seed(size))


def _add(digest: Any, x: Tensor) -> None:
    """Add type, shape and every byte, in blocks, so that no copy of the whole is made."""
    digest.update(f"{x.dtype} {tuple(x.shape)}".encode())
    rows = max(1, BLOCK // max(1, x[:1].numel() * x.element_size())) if x.dim() else 1
    for block in x.detach().split(rows) if x.dim() else (x.detach(),):
        digest.update(block.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def digest_tree(data: Any) -> str:
    """Return a digest of data in whatever form a caller has them.

    What `ProgramSource.fingerprint` takes whole counts whole, of other data the class and the length.
    """
    digest = hashlib.sha256()
    if isinstance(data, np.ndarray):
        data = as_tensor(data)
    if isinstance(data, Tensor):
        _add(digest, data)
    elif callable(getattr(data, "images", None)) and hasattr(data, "__len__"):
        return digest_data(data)
    else:
        digest.update(f"{type(data).__qualname__} {len(data) if hasattr(data, '__len__') else ''}".encode())
        add_entry(digest, "data", data)
    return digest.hexdigest()[:32]
