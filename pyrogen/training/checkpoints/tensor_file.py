"""Reading a safetensors file that a stranger may have written: checked before it is read, and read once.

The library maps the file into memory; a file that is cut or overwritten afterwards then kills the process, or changes
tensors that were read long before. Here the bytes are read into memory of their own.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from pyrogen.errors import CheckpointError
from pyrogen.files import bounded_json

LONGEST_HEADER = 16 * 2**20  # bytes: names, shapes and the facts of a run; those of large runs have some 100 kB
TYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


def read_tensor_file(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the metadata and the tensors of a safetensors file.

    At most the file's size is held in memory, beside a header of bounded size.

    Raises:
        FileNotFoundError: if the file does not exist.
        CheckpointError: if it is damaged, or is not a safetensors file.
    """
    try:
        found = path.is_file()
    except (OSError, ValueError) as error:  # a name too long, a null character
        raise CheckpointError(f"{str(path)[:80]!r} cannot be the path of a file: {error}") from error
    if not found:
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size)
    except (OSError, ValueError, MemoryError) as error:
        raise CheckpointError(f"{path} is damaged, or not a safetensors file ({error}): choose another") from error


def _read(file: IO[bytes], size: int) -> tuple[dict[str, str], dict[str, Tensor]]:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or not 0 < length <= size - 8:
        raise ValueError(f"it has {size} bytes, and its header should take {length}")
    if length > LONGEST_HEADER:
        raise ValueError(f"its header takes {length:,} bytes, and at most {LONGEST_HEADER:,} are read")
    header = bounded_json(file.read(length).decode(), "its header")
    if not isinstance(header, dict):
        raise ValueError("its header is not an object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not texts by name")
    entries = [(name, *_entry(name, entry)) for name, entry in header.items()]
    entries.sort(key=lambda entry: entry[3])
    at = 0
    for name, _, _, begin, end in entries:  # checked before a byte of them is read
        if begin != at:
            raise ValueError(f"tensor {name!r} begins at byte {begin}, and the one before it ends at {at}")
        at = end
    if at != size - 8 - length:
        raise ValueError(f"its tensors take {at} bytes, and {size - 8 - length} are there")
    return metadata, {name: _tensor(file, dtype, shape) for name, dtype, shape, _, _ in entries}


def _entry(name: str, entry: Any) -> tuple[torch.dtype, list[int], int, int]:
    """Type, shape, and first and last byte of a tensor."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in TYPES:
        raise ValueError(f"tensor {name!r} is of type {str(dtype)[:40]!r}, which pyrogen does not write")
    for numbers in (shape, offsets):
        whole = isinstance(numbers, list) and all(type(number) is int and 0 <= number < 2**63 for number in numbers)
        if not whole or (numbers is offsets and len(offsets) != 2) or len(numbers) > 64:
            raise ValueError(f"tensor {name!r} has a shape or place that cannot be")
    if offsets[1] - offsets[0] != math.prod(shape) * TYPES[dtype].itemsize:
        raise ValueError(f"tensor {name!r} of shape {shape} does not take {offsets[1] - offsets[0]} bytes")
    return TYPES[dtype], shape, offsets[0], offsets[1]


def _tensor(file: IO[bytes], dtype: torch.dtype, shape: list[int]) -> Tensor:
    tensor = torch.empty(shape, dtype=dtype)
    if tensor.numel():
        content = tensor.reshape(-1).view(torch.uint8).numpy()  # the same memory
        if file.readinto(content) != len(content):  # type: ignore[attr-defined]
            raise ValueError("it became shorter while it was read")
        if dtype == torch.bool and content.max() > 1:
            raise ValueError("a truth value is neither 0 nor 1")
    return tensor
