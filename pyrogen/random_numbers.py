"""Random numbers of torch, NumPy and Python: drawn from a seed without moving the caller's, kept and put back."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

NUMPYS = "MT19937"  # the generator of NumPy whose state is known here
WORDS = 624  # of its state, and of Python's


@contextmanager
def torchs_kept(device: torch.device | None = None) -> Iterator[None]:
    """Put torch's generators, on the CPU and on `device`, back to where they were."""
    with torch.random.fork_rng([device] if device is not None and device.type == "cuda" else []):
        yield


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Draw torch's numbers of `seed` in this context, on the CPU and on `device`, and put its generators back then.

    Example:
        >>> with seeded(0):
        ...     once = torch.rand(3)
        >>> with seeded(0):
        ...     bool((torch.rand(3) == once).all())
        True
    """
    with torchs_kept(device):
        torch.manual_seed(seed)
        yield


@contextmanager
def all_seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Draw the numbers of `seed` as after ``pyro.set_rng_seed``, those of NumPy and Python too."""
    with kept_random_numbers(device):
        seed_all(seed)
        yield


@contextmanager
def kept_random_numbers(device: torch.device | None = None) -> Iterator[None]:
    """Put the generators of torch (on the CPU and on `device`), NumPy and Python back to where they were."""
    pythons, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 (items may use it)
    try:
        with torchs_kept(device):
            yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)  # noqa: NPY002


def seed_all(seed: int) -> None:
    """Seed the generators of torch, NumPy and Python."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's generators on the CPU and on `device`, of Python and of NumPy, for a file."""
    _, words, normal = random.getstate()
    states = {"cpu": torch.get_rng_state(), "python": _numbers(*words, math.nan if normal is None else normal)}
    numpys = np.random.get_state(legacy=False)  # noqa: NPY002
    if numpys["bit_generator"] == NUMPYS:
        inner = numpys["state"]
        states["numpy"] = _numbers(*inner["key"].tolist(), inner["pos"], numpys["has_gauss"], numpys["gauss"])
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Put the generators where `random_states` found them; one that `states` lack stays.

    Raises:
        ValueError, TypeError, RuntimeError: if a state is not one of such a generator.
    """
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if "python" in states:
        *words, normal = states["python"].tolist()
        random.setstate((3, tuple(map(int, words)), None if math.isnan(normal) else normal))
    if "numpy" in states:
        *words, place, has_normal, normal = states["numpy"].tolist()
        key = np.array([int(word) % 2**32 for word in words], dtype=np.uint32)
        if len(key) != WORDS or not 0 <= place <= WORDS:  # else NumPy reads memory that is not its own
            raise ValueError(f"the state of NumPy's generator has {len(key)} words and stands at {place}")
        np.random.set_state((NUMPYS, key, int(place), int(has_normal), normal))  # noqa: NPY002


def _numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)  # which holds 32-bit words exactly
