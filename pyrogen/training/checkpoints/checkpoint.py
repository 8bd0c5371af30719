"""Pairs and training states as files: tensors and JSON in one safetensors file, no pickle, replaced atomically."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from pyrogen import checks
from pyrogen._version import __version__
from pyrogen.config import describe, difference, opaque_parts
from pyrogen.errors import CheckpointError
from pyrogen.files import bounded_json, write_atomically
from pyrogen.models import Pair
from pyrogen.models.base import check_pair
from pyrogen.training.checkpoints.bounded_build import build
from pyrogen.training.checkpoints.tensor_file import read_tensor_file

FORMAT = 2  # of the files that are written; 1 knew its data by 64 images, and optimizers by their defaults
OLDEST = 1  # of those that are read
FILE_NAME = "checkpoint.safetensors"


@dataclass
class State:
    """The content of a file: tensors by name, and what JSON can hold."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def size(self) -> int:
        """The bytes of all tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with ``prefix.``, without it."""
        return {name[len(prefix) + 1 :]: t for name, t in self.tensors.items() if name.startswith(f"{prefix}.")}


def save(pair: Pair, path: str | os.PathLike[str]) -> None:
    """Write a pair to one file, which `load` turns back into it.

    Args:
        pair: the pair.
        path: the file; missing folders are made. An existing file is replaced in one step.

    Raises:
        TypeError: if it is not a pair.
        ValueError: if the place cannot be written.
    """
    check_pair("pair", pair)
    path = checks.path("path", path)
    for name, weight in pair.named_parameters():
        if not torch.isfinite(weight).all():
            raise ValueError(f"the weights {name!r} must be finite to be saved: load would refuse the file")
    write_state(State(weights_of(pair), {"pair": describe(pair)}), path)


def load(path: str | os.PathLike[str], into: Pair | None = None) -> Pair:
    """Return the pair of a file that `save` or ``pg.fit(checkpoint=...)`` wrote.

    The file may come from a stranger: it can name no code to run. Whatever is wrong with it ends in `CheckpointError`.
    Loading takes at most some twice the file's size of memory.

    Args:
        path: the file, or the checkpoint folder of a training run.
        into: a pair of the same make that receives the weights; needed for networks that pyrogen does not know. Of
            these the classes and torch's own layers are compared with the file's, and not the code of their classes.

    Raises:
        FileNotFoundError: if the file does not exist.
        CheckpointError: if it is damaged, is not a file of ours, or holds another pair.
    """
    if into is not None:
        check_pair("into", into)
    path = checks.path("path", path)
    try:
        path = path / FILE_NAME if path.is_dir() else path
    except OSError as error:
        raise CheckpointError(f"{str(path)[:80]!r} cannot be the path of a file: {error.strerror}") from error
    state = read_state(path)
    description = state.facts.get("pair")
    if into is None:
        into = _built(description, state, path)
    else:
        buffers = frozenset(name for name, _ in into.named_buffers(recurse=False))  # such as beta, which the file sets
        if differing := difference(description, describe(into), travels=buffers):
            where, was, now = differing
            raise CheckpointError(
                f"{path} holds another pair: its {where} is {was}, and that of the pair here is {now}"
            )
    set_weights(into, state.part("pair"), path)
    return into


def _built(description: Any, state: State, path: Path) -> Pair:
    """Return the pair of a description, with fresh weights."""
    try:
        missing = opaque_parts(description)
    except Exception as error:
        raise CheckpointError(f"{path} does not describe a pair: {error}") from error
    if missing:
        raise CheckpointError(
            f"{path} holds a pair with a part that pyrogen cannot rebuild ({str(missing[0])[:80]}): build the pair "
            "yourself and pass it as load(path, into=pair)"
        )
    try:
        with torch.random.fork_rng(devices=[]):  # fresh weights are drawn, and then replaced
            pair = build(description, state.size)
    except Exception as error:  # whatever a constructor does with what it cannot take
        reason = str(error)[:300] or type(error).__name__
        raise CheckpointError(f"{path} does not describe a pair that this version can build: {reason}") from error
    if not isinstance(pair, Pair):
        raise CheckpointError(
            f"{path} does not describe a pair that this version can build: it is {checks.shown(pair)}"
        )
    return pair


def write_state(state: State, path: str | os.PathLike[str]) -> None:
    """Write a state to one file, atomically."""
    facts = json.dumps(state.facts)
    tensors = {name: t.detach().cpu().contiguous() for name, t in state.tensors.items()}
    metadata = {
        "format": f"pyrogen {FORMAT}",
        "version": __version__,
        "facts": facts,
        "digest": _digest(facts, tensors),
    }
    write_atomically(path, safetensors.torch.save(tensors, metadata))


def read_state(path: Path) -> State:
    """Return the state of a file; `CheckpointError` if it is not one of ours, or not whole."""
    metadata, tensors = read_tensor_file(path)
    name, _, number = metadata.get("format", "").partition(" ")
    if name != "pyrogen" or not {"facts", "digest"} <= set(metadata):
        raise CheckpointError(f"{path} is a safetensors file that pyrogen did not write: it cannot be read as a pair")
    if number not in map(str, range(OLDEST, FORMAT + 1)):
        by = f", by pyrogen {metadata['version'][:20]}" if "version" in metadata else ""
        raise CheckpointError(
            f"{path} was written in format {number[:20]}{by}, and pyrogen {__version__} reads formats {OLDEST} to "
            f"{FORMAT}: use the version that wrote it"
        )
    if metadata["digest"] != _digest(metadata["facts"], tensors):
        raise CheckpointError(f"{path} is damaged (its content does not match its digest): choose another")
    try:
        facts = bounded_json(metadata["facts"], "its facts", constants=True)
    except ValueError as error:
        raise CheckpointError(f"{path} is not sound: {error}") from error
    if not isinstance(facts, dict):
        raise CheckpointError(f"{path} is not sound: its facts are {checks.shown(facts)}, not an object")
    return State(tensors, facts, int(number))


def _digest(facts: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(facts.encode(errors="replace"))
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def weights_of(pair: Pair) -> dict[str, Tensor]:
    """Parameters and buffers under the prefix ``pair.``; what two modules share is kept once."""
    unique = {id(t): (f"pair.{name}", t) for name, t in reversed(pair.state_dict(keep_vars=True).items())}
    return {name: t.detach().clone() for name, t in unique.values()}


@torch.no_grad()
def set_weights(pair: Pair, weights: dict[str, Tensor], path: Path) -> None:
    """Copy `weights` (named without the prefix) into `pair`; `CheckpointError` if they are another pair's."""
    own = pair.state_dict(keep_vars=True)
    names = set({id(t): name for name, t in reversed(own.items())}.values())  # once what two modules share
    problems = [f"{name} is missing" for name in sorted(names - set(weights))]
    problems += [f"{name} is unknown" for name in sorted(set(weights) - names)]
    for name in sorted(names & set(weights)):
        problems += _problem(name, weights[name], own[name])
    if problems:
        raise CheckpointError(f"{path} holds the weights of another pair: {'; '.join(problems[:3])}")
    dtypes = {t.dtype for t in weights.values() if t.is_floating_point()}
    if len(dtypes) == 1:
        pair.to(dtypes.pop())
    own = pair.state_dict(keep_vars=True)
    for name, value in weights.items():
        own[name].copy_(value)


def _problem(name: str, there: Tensor, here: Tensor) -> list[str]:
    """Why weights cannot be copied, if so."""
    if there.shape != here.shape:
        return [f"{name} is {tuple(there.shape)} there and {tuple(here.shape)} here"]
    same_kind = there.is_floating_point() if here.is_floating_point() else there.dtype == here.dtype
    if not same_kind:
        return [f"{name} is {there.dtype} there and {here.dtype} here"]
    weight = isinstance(here, torch.nn.Parameter)
    if there.is_floating_point() and not (torch.isfinite(there).all() if weight else not there.isnan().any()):
        return [f"{name} is not finite there"]
    if name == "beta" and not 0 <= float(there) < float("inf"):
        return [f"beta is {float(there):g} there, and it must be finite and at least 0"]
    return []
