"""Files as a stranger would write them: a sound one whose content is changed, with a digest that agrees."""

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from pyrogen.training.checkpoints.checkpoint import _digest


def parts(path: Path) -> tuple[dict[str, str], dict[str, Any], dict[str, torch.Tensor]]:
    """Metadata, facts and tensors of a file."""
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    return metadata, json.loads(metadata["facts"]), tensors


def write(path: Path, facts: Any, tensors: dict[str, torch.Tensor], **metadata: str) -> None:
    """Write a file whose digest agrees; facts may be any text in place of JSON."""
    text = facts if isinstance(facts, str) else json.dumps(facts)
    metadata = {"format": "pyrogen 2", "facts": text, "digest": _digest(text, tensors)} | metadata
    safetensors.torch.save_file(tensors, path, metadata)


def set_in(value: Any, at: tuple[Any, ...], new: Any) -> None:
    """Set the entry at a path of keys; ``...`` for `new` removes it."""
    for key in at[:-1]:
        value = value[key]
    if new is ...:
        del value[at[-1]]
    else:
        value[at[-1]] = new
