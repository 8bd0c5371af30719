"""Pairs and training states as files: tensors and JSON in one safetensors file, no pickle, replaced atomically."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from pyrogen.config import describe, opaque_parts, rebuild
from pyrogen.errors import CheckpointError
from pyrogen.files import write_atomically
from pyrogen.models import Pair

FORMAT = "pyrogen 1"
FILE_NAME = "checkpoint.safetensors"


@dataclass
class State:
    """The content of a file: tensors by name, and what JSON can hold."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with ``prefix.``, without it."""
        return {name[len(prefix) + 1 :]: t for name, t in self.tensors.items() if name.startswith(f"{prefix}.")}


def save(pair: Pair, path: str | os.PathLike[str]) -> None:
    """Write a pair to one file, which `load` turns back into it.

    Args:
        pair: the pair.
        path: the file; missing folders are made. An existing file is replaced in one step.

    Raises:
        TypeError: if it is no pair.
        ValueError: if the place cannot be written.
    """
    if not isinstance(pair, Pair):
        raise TypeError(f"save writes a pyrogen pair, and this is a {type(pair).__name__}: keep its state_dict instead")
    write_state(State(weights_of(pair), {"pair": describe(pair)}), path)


def load(path: str | os.PathLike[str], into: Pair | None = None) -> Pair:
    """The pair of a file that `save` or ``pg.fit(checkpoint=...)`` wrote.

    Args:
        path: the file, or the checkpoint folder of a training run.
        into: a pair of the same make that receives the weights; needed for networks that pyrogen does not know.

    Raises:
        FileNotFoundError: if there is no such file.
        CheckpointError: if it is damaged, is no file of ours, or holds another pair.
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    state = read_state(path)
    if into is None:
        description = state.facts.get("pair")
        missing = opaque_parts(description)
        if missing:
            raise CheckpointError(
                f"{path} holds a pair with a part that pyrogen cannot rebuild ({missing[0]}): build the pair yourself "
                "and pass it as load(path, into=pair)"
            )
        try:
            into = rebuild(description)
            assert isinstance(into, Pair)
        except (AssertionError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise CheckpointError(f"{path} does not describe a pair that this version can build: {error}") from error
    set_weights(into, state.part("pair"), path)
    return into


def write_state(state: State, path: str | os.PathLike[str]) -> None:
    """Write a state to one file, atomically."""
    facts = json.dumps(state.facts)
    tensors = {name: t.detach().cpu().contiguous() for name, t in state.tensors.items()}
    metadata = {"format": FORMAT, "facts": facts, "digest": _digest(facts, tensors)}
    write_atomically(path, safetensors.torch.save(tensors, metadata))


def read_state(path: Path) -> State:
    """The state of a file; `CheckpointError` if it is not one of ours, or not whole."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or is no safetensors file ({error}): choose another") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} is a safetensors file that pyrogen did not write: it cannot be read as a pair")
    if metadata.get("digest") != _digest(metadata["facts"], tensors):
        raise CheckpointError(f"{path} is damaged (its content does not match its digest): choose another")
    return State(tensors, json.loads(metadata["facts"]))


def _digest(facts: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def weights_of(pair: Pair) -> dict[str, Tensor]:
    """Parameters and buffers under the prefix ``pair.``; what two modules share is kept once."""
    unique = {id(t): (f"pair.{name}", t) for name, t in reversed(pair.state_dict(keep_vars=True).items())}
    return {name: t.detach().clone() for name, t in unique.values()}


@torch.no_grad()
def set_weights(pair: Pair, weights: dict[str, Tensor], path: Path) -> None:
    """Copy `weights` (named without the prefix) into `pair`; `CheckpointError` if they are another pair's."""
    own = pair.state_dict(keep_vars=True)
    names = {name.removeprefix("pair.") for name in weights_of(pair)}
    problems = [f"{name} is missing" for name in sorted(names - set(weights))]
    problems += [f"{name} is unknown" for name in sorted(set(weights) - names)]
    problems += [
        f"{name} is {tuple(weights[name].shape)} there and {tuple(own[name].shape)} here"
        for name in sorted(names & set(weights))
        if weights[name].shape != own[name].shape
    ]
    if problems:
        raise CheckpointError(f"{path} holds the weights of another pair: {'; '.join(problems[:3])}")
    dtypes = {t.dtype for t in weights.values() if t.is_floating_point()}
    if len(dtypes) == 1:
        pair.to(dtypes.pop())
    own = pair.state_dict(keep_vars=True)
    for name, value in weights.items():
        own[name].copy_(value)
