"""Reading a safetensors file that a stranger may have written.

The library can map a file into memory; a file that is cut or overwritten afterwards then kills the process, or changes
tensors that were read long before. Here the bytes are read once, into memory of their own, and the library checks them.
"""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from pyrogen.errors import CheckpointError
from pyrogen.files import bounded_json

LONGEST_HEADER = 16 * 2**20  # bytes: names, shapes and the facts of a run; those of large runs have some 100 kB
MOST_DIMENSIONS = 64  # of a tensor that torch can compute with
TYPES = ("BOOL", "U8", "I8", "I16", "I32", "I64", "F16", "BF16", "F32", "F64")


def read_tensor_file(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the metadata and the tensors of a safetensors file.

    At most twice the file's size is held in memory, beside a header of bounded size.

    Raises:
        FileNotFoundError: if the file does not exist.
        CheckpointError: if it is damaged, or is not a safetensors file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        return _read(path)
    except Exception as error:  # the library's, and torch's for what it cannot make
        raise CheckpointError(f"{path} is damaged, or not a safetensors file ({error}): choose another") from error


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LONGEST_HEADER:
            raise ValueError(f"its header takes {length:,} bytes, and at most {LONGEST_HEADER:,} are read")
        file.seek(0)
        content = file.read()
    header = bounded_json(content[8 : 8 + length].decode(), "its header")
    tensors = safetensors.torch.load(content)
    for name, tensor in tensors.items():
        if header[name]["dtype"] not in TYPES:
            raise ValueError(f"tensor {name!r} is of type {header[name]['dtype']!r}, which pyrogen does not write")
        if tensor.dim() > MOST_DIMENSIONS:
            raise ValueError(f"tensor {name!r} has {tensor.dim()} dimensions")
        if tensor.dtype == torch.bool and tensor.numel() and tensor.view(torch.uint8).max() > 1:
            raise ValueError("a truth value is neither 0 nor 1")
    return header.get("__metadata__") or {}, tensors  # null counts as none in the library
