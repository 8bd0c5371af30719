"""What a data set's items may be, and how they become tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from pyrogen.models import Pair

KEYS = ("image", "images", "img", "x", "pixel_values", "data")


def image_of(item: Any) -> Tensor:
    """Return the image of an item as a tensor.

    An item may be a tensor, an array or a PIL image. It may be a tuple or list that begins with one of these, or a dict
    with one of them under ``"image"``, ``"x"`` or the like. A PIL image becomes ``(channels, height, width)`` in
    [0, 1].

    Raises:
        TypeError: for anything else.
    """
    if isinstance(item, Mapping):
        return image_of(item[_key_of(item)])
    if isinstance(item, tuple | list) and len(item) and not isinstance(item[0], bool | int | float | str):
        return image_of(item[0])
    if isinstance(item, Tensor):
        return item
    if isinstance(item, np.ndarray | np.generic):
        return as_tensor(np.asarray(item))
    if hasattr(item, "getbands") and hasattr(item, "convert"):
        return _of_pil(item)
    raise TypeError(
        "the data set's items must be tensors, arrays or PIL images, tuples that begin with one, or dicts with "
        f"one, got a {type(item).__name__}: convert them in the data set's __getitem__"
    )


def parts_of(item: Any, names: Sequence[str]) -> list[Any]:
    """Return what a pair takes of an item: its image alone, or what the names of the pair's arguments say.

    Raises:
        TypeError, ValueError: for an item without these.
    """
    if len(names) == 1:
        return [image_of(item)]
    if isinstance(item, Mapping):
        if any(name not in item for name in names):
            wanted, got = ", ".join(names), ", ".join(map(str, item))
            raise ValueError(f"the data set's items must have the entries {wanted}, got {got}")
        item = [item[name] for name in names]
    if not isinstance(item, tuple | list) or len(item) < len(names):
        raise TypeError(
            f"the data set's items must be tuples ({', '.join(names)}) or dicts with these names, got "
            f"{type(item).__name__}"
        )
    return [image_of(item[0]), *item[1 : len(names)]]


def batch_of(items: Sequence[Any], names: Sequence[str] = ("x",)) -> Any:
    """Return the images of items as one tensor ``(B, *shape)``, or a tuple of tensors for the arguments `names`.

    Raises:
        TypeError, ValueError: for items that do not hold these, and for images of several shapes.
    """
    columns: list[Any] = list(zip(*(parts_of(item, names) for item in items), strict=True))
    images, others = columns[0], columns[1:]
    if len({image.shape for image in images}) > 1:
        shapes = sorted({tuple(image.shape) for image in images})
        raise ValueError(f"the data set's images must have one shape, got {shapes[0]} and {shapes[1]}: resize them")
    x = torch.stack(images)
    return (x, *(torch.as_tensor(default_collate(other)) for other in others)) if others else x


def checked(batch: Any, pair: Pair) -> Any:
    """Return a batch of images, or of the pair's arguments, that the pair can take.

    Raises:
        ValueError: with the remedy, where there is one.
    """
    parts = batch if isinstance(batch, tuple) else (batch,)
    found, shape = tuple(parts[0].shape), pair.shape
    if found[1:] != shape:
        said = remedy(found, shape, "tensor").replace("data", "batch")
        raise ValueError(f"a batch of data must have shape (B, {', '.join(map(str, shape))}), got {found}{said}")
    pair.check(*parts)
    return batch


def as_tensor(array: np.ndarray[Any, Any]) -> Tensor:
    """Return an array as a tensor, whatever its strides, byte order or width.

    Raises:
        TypeError: if it does not hold numbers.
    """
    if array.dtype.kind not in "biuf":
        raise TypeError(f"data must be numbers, got an array of {array.dtype}: convert it to float")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64 if array.dtype.itemsize > 2 else np.int32)
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(np.ascontiguousarray(array))


def of_frame(frame: Any) -> Tensor:
    """Return a DataFrame of numbers as ``(N, columns)``, float32.

    Raises:
        TypeError: if a column does not hold numbers.
    """
    for name, kind in frame.dtypes.items():
        if getattr(kind, "kind", "O") not in "biuf":
            raise TypeError(f"data must be numbers, got {kind} in column {name!r}: drop or encode it")
    return torch.from_numpy(frame.to_numpy(dtype=np.float32, na_value=np.nan).copy())


def remedy(found: tuple[int, ...], shape: tuple[int, ...], how: str) -> str:
    """Return what to do with data of another shape, "" where nothing is known.

    Args:
        found: the shape of the data, ``(N, ...)``.
        shape: that of one x of the pair.
        how: ``"tensor"`` or ``"array"``.
    """
    one = found[1:]
    if len(found) == 1:
        return ": these look like labels or indices, pass the images"
    if len(shape) == 3 and one == (*shape[1:], shape[0]) and one != shape:
        move = "permute(0, 3, 1, 2)" if how == "tensor" else "transpose(0, 3, 1, 2)"
        return f": these have their channels last, pass data.{move}"
    if one == shape[1:] and shape[0] == 1:
        return ": pass data[:, None] to add the channel"
    if len(one) == 1 and one[0] == int(np.prod(shape)):
        return f": pass data.reshape(-1, {', '.join(map(str, shape))})"
    if (1, *shape) == one:
        return ": pass data[:, 0] to drop the channel"
    return ""


def _key_of(item: Mapping[Any, Any]) -> Any:
    for key in KEYS:
        if key in item:
            return key
    large = [key for key, value in item.items() if getattr(value, "ndim", 0) > 0 or hasattr(value, "getbands")]
    if len(large) == 1:
        return large[0]
    raise TypeError(
        f"data must have items whose image can be told, got dicts with {', '.join(map(repr, item))}: "
        'name the image "image" or "x"'
    )


def _of_pil(picture: Any) -> Tensor:
    if picture.mode in ("P", "PA", "CMYK", "YCbCr"):
        picture = picture.convert("RGB")
    array = np.asarray(picture)
    scale = {"u": 255.0 if array.dtype.itemsize == 1 else 65535.0}.get(array.dtype.kind, 1.0)
    x = as_tensor(array).float() / scale
    return x[None] if x.dim() == 2 else x.permute(2, 0, 1).contiguous()
