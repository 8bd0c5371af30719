"""Arrays as pictures for a page: images pixel by pixel, vectors as bars, each a data URI of a PNG or SVG."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

WIDTH = 640  # of a strip, in pixels
Span = tuple[float, float] | None


def picture(values: Any, alt: str, width: int = 256, span: Span = None) -> str:
    """Return an ``<img>`` of an image (H, W), (1, H, W) or (3, H, W) in [0, 1], or of a vector (D,) as bars.

    Args:
        values: the image; other shapes are drawn as the bars of their entries.
        alt: what it shows, in words.
        width: of the picture on the page, in pixels.
        span: the lowest and highest value of a vector's axis; by default its own.
    """
    array = np.asarray(values, dtype=np.float64)
    uri = _png(array) if _is_image(array) else _bars(array.reshape(-1), span, width >= 100)
    smooth = "pixelated" if _is_image(array) else "auto"
    return (
        f'<img src="{uri}" alt="{alt}" '
        f'style="width:100%;max-width:{width}px;image-rendering:{smooth};border:1px solid #888"/>'
    )


def strip(images: Any, alt: str) -> str:
    """Return images side by side, none wider than a sixth of the strip; vectors as bars side by side, on one axis."""
    array = np.asarray(images, dtype=np.float64)
    if not _is_image(array[0]):
        span, each = (float(array.min()), float(array.max())), f"flex:0 1 {WIDTH // len(array)}px;min-width:0"
        bars = (picture(one, f"{alt}, {place}", WIDTH // len(array), span) for place, one in enumerate(array))
        return f'<div style="display:flex">{"".join(f"<div style={each!r}>{one}</div>" for one in bars)}</div>'
    first = array[0]
    gap = np.ones((*first.shape[:-1], 1))
    parts = [part for one in array for part in (one, gap)]
    return picture(np.concatenate(parts[:-1], axis=-1), alt, min(WIDTH, len(array) * WIDTH // 6))


def _is_image(array: Any) -> bool:
    return array.ndim == 2 or (array.ndim == 3 and array.shape[0] in (1, 3))


def _png(array: Any) -> str:
    from PIL import Image

    scaled = (np.clip(array, 0.0, 1.0) * 255).round().astype(np.uint8)
    if scaled.ndim == 3:
        scaled = scaled[0] if scaled.shape[0] == 1 else np.moveaxis(scaled, 0, -1)
    file = io.BytesIO()
    Image.fromarray(scaled).save(file, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _bars(values: Any, span: Span, ends: bool) -> str:
    least, most = span or (values.min(), values.max())
    low, high = min(least, values.min(), 0.0), max(most, values.max(), 0.0)
    unit = 100.0 / (high - low if high > low else 1.0)
    zero = high * unit
    step = 200.0 / len(values)
    bars = "".join(
        f'<rect x="{place * step:.2f}" y="{zero - max(value, 0) * unit:.2f}" width="{step * 0.9:.2f}" '
        f'height="{abs(value) * unit:.2f}" fill="#0b5fa5"/>'
        for place, value in enumerate(values)
    )
    line = f'<line x1="0" x2="200" y1="{zero:.2f}" y2="{zero:.2f}" stroke="#333" stroke-width="0.5"/>'
    said = f'<text x="1" y="8" font-size="7">{high:.3g}</text><text x="1" y="98" font-size="7">{low:.3g}</text>' * ends
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100">{bars}{line}{said}</svg>'
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
