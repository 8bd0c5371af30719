r"""The boundary of the figures: tensors and arrays are checked and made plain numpy arrays here."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrogen import checks

LARGEST = 1e100  # squares of it are finite


def refuse_pair(value: Any, name: str) -> None:
    r"""Raise a sentence that says what to pass where a figure is handed a pair or a fit in place of what it made."""
    if hasattr(value, "history") and hasattr(value, "pair"):
        raise TypeError(f"{name} must be numbers, got a {type(value).__name__}: pass .history or what .pair makes")
    if callable(getattr(value, "model", None)) and callable(getattr(value, "guide", None)):
        raise TypeError(
            f"{name} must be numbers, got the pair {type(value).__name__}: pass codes (pair.encode(x).mean), images "
            "(pair.reconstruct(x) or pair.sample(36)), curves (fit.history) or the KL (scores.kl_per_latent)"
        )


def to_array(value: Any, name: str, ndim: int) -> NDArray[np.float64]:
    r"""Return a finite, non-empty float64 array of that many dimensions."""
    refuse_pair(value, name)
    array = checks.array(name, value).astype(np.float64)
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension{'s' * (ndim > 1)}, got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite, got {int((~np.isfinite(array)).sum())} values that are NaN or infinite"
        )
    if np.abs(array).max() > LARGEST:
        raise ValueError(f"{name} must lie within ±{LARGEST:g}, which an axis can show, got {np.abs(array).max():g}")
    return array


def to_images(value: Any, name: str) -> NDArray[np.float64]:
    r"""Return images as RGB in [0, 1], (n, H, W, 3).

    Accepted are (n, H, W), (n, 1, H, W) and (n, 3, H, W). Values lie in [0, 1]; what is outside is clipped, as the
    mean of a Gaussian likelihood may be. Bytes (uint8) above 1 are taken as 0 to 255.
    """
    refuse_pair(value, name)
    array = checks.array(name, value)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[1] not in (1, 3):
        raise ValueError(f"{name} must have shape (n, H, W), (n, 1, H, W) or (n, 3, H, W), got {array.shape}")
    bytes_ = array.dtype == np.uint8 and array.size > 0 and array.max() > 1
    pixels = to_array(array, name, 4)
    pixels = np.clip(pixels / 255 if bytes_ else pixels, 0.0, 1.0)
    return np.broadcast_to(np.moveaxis(pixels, 1, -1), (len(pixels), *pixels.shape[2:], 3))


def runs(value: Any, name: str) -> dict[str, Any]:
    r"""Return histories by label; one history alone, or a dict of its columns, has the label ""."""
    if hasattr(value, "columns") or (isinstance(value, Mapping) and "objective" in value):
        value = {"": value}
    result = labeled(value, name)
    for run in result.values():
        if not isinstance(run, Mapping) and not hasattr(run, "columns"):
            raise TypeError(f"{name} must be histories by label, got {checks.shown(run)}: pass fit.history")
    return result


def columns(run: Any) -> list[str]:
    r"""Return the names of the columns that a history has."""
    return [str(name) for name in getattr(run, "columns", run) if run[name] is not None]


def curve(run: Any, x: str, term: str, label: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return two columns of a history, (T,) each."""
    for name in (x, term):
        if name not in columns(run):
            raise ValueError(f"the run {label!r} must have a column {name!r}, got {', '.join(columns(run))}")
    step, value = (to_array(run[name], f"{name} of {label!r}", 1) for name in (x, term))
    if len(value) != len(step):
        raise ValueError(
            f"{term} of {label!r} must have one value a step, got {len(value)} values of {len(step)} steps"
        )
    return step, value


def arrays(value: Any, name: str, ndim: int) -> dict[str, NDArray[np.float64]]:
    r"""Return arrays by label, each as `to_array` has it; a single one has the label ""."""
    return {
        label: to_array(one, f"{name} of {label!r}" if label else name, ndim)
        for label, one in labeled(value, name).items()
    }


def images_by_label(value: Any, name: str, label: str = "") -> dict[str, NDArray[np.float64]]:
    r"""Return images by label, each as `to_images` has them; a single group has that label."""
    return {
        key: to_images(one, f"the images of {key!r}" if key else name)
        for key, one in labeled(value, name, label).items()
    }


def labeled(value: Any, name: str, label: str = "") -> dict[str, Any]:
    r"""Return a mapping of labels as a dict, and a single thing as a dict with that one label."""
    if not isinstance(value, Mapping):
        refuse_pair(value, name)
        return {label: value}
    if not value:
        raise ValueError(f"{name} must hold at least one, got none")
    for item in value.values():
        refuse_pair(item, name)
    return {str(key): item for key, item in value.items()}
