r"""Latent traversals: what an image does when one latent moves."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pyrogen import checks
from pyrogen.plots.canvas.inputs import to_array, to_images
from pyrogen.plots.canvas.montage import centers, labeled_rows
from pyrogen.plots.canvas.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def traversals(
    decode: Callable[[Tensor], Any],
    base: Any,
    latents: Sequence[int] | None = None,
    span: float = 3.0,
    steps: int = 9,
    kl: Any = None,
) -> "Figure":
    r"""Draw the images decoded while one latent moves from -span to span and the others stay at the base.

    .. math:: x_{js} = \mathrm{decode}(z^{(js)}) , \quad z^{(js)}_j = v_s , \quad z^{(js)}_i = z_i \ (i \neq j) .

    The decoder is called once, without gradients.

    Args:
        decode: A function of codes (M, L) that returns images, (M, H, W), (M, 1, H, W) or (M, 3, H, W).
        base: The code to start from, (L,) or (1, L); its dtype and device are those `decode` gets.
        latents: The latents to move, in the order of rows. By default all, by falling KL where it is given, else by
            index.
        span: The end of the range, in units of z (for a standard normal prior, its standard deviations).
        steps: The number of values in the range.
        kl: The KL of each latent, (L,) in nats, to label and order the rows.

    Returns:
        A figure with one row a latent and one column a value.

    Raises:
        TypeError: If decode returns no array of images, such as a distribution.
        ValueError: If shapes disagree, a latent does not exist, or a value is not finite.

    Example:
        >>> import torch
        >>> from pyrogen.plots import traversals
        >>> decode = lambda z: z.sigmoid()[:, None, :, None].expand(-1, 1, 2, 2)
        >>> fig = traversals(decode, torch.zeros(2), kl=[0.1, 2.0])
        >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
        ['$z_{1}$  2.00 nats', '$z_{0}$  0.10 nats']
    """
    start = checks.tensor("base", base)
    if not isinstance(base, Tensor) or not start.is_floating_point():
        start = start.to(torch.get_default_dtype())
    start = start.detach().reshape(-1) if start.ndim == 2 and len(start) == 1 else start.detach()
    size = len(to_array(start, "base", 1))
    cost = None if kl is None else to_array(kl, "kl", 1)
    if cost is not None and len(cost) != size:
        raise ValueError(f"kl must have one value a latent, expected {size}, got {len(cost)}")
    steps = checks.whole("steps", steps, 2, 1000)
    span = checks.real("span", span, above=0, most=torch.finfo(start.dtype).max)
    rows = _rows(latents, size, cost)

    values = torch.linspace(-span, span, steps, dtype=start.dtype, device=start.device)
    z = start.repeat(len(rows), steps, 1)  # (R, S, L)
    for r, j in enumerate(rows):
        z[r, :, j] = values
    with torch.no_grad():
        decoded = decode(z.reshape(-1, size))
    if not isinstance(decoded, Tensor | np.ndarray):
        raise TypeError(
            f"decode must return images, got {type(decoded).__name__}; of a distribution pass the mean, as in "
            "decode=lambda z: pair.decode(z).mean"
        )
    images = to_images(decoded, "the decoded images")
    if len(images) != len(rows) * steps:
        raise ValueError(f"decode must return one image a code, expected {len(rows) * steps}, got {len(images)}")

    labels = [f"$z_{{{j}}}$" + ("" if cost is None else f"  {cost[j]:.2f} nats") for j in rows]
    tile = max(0.85, 3.2 / steps)  # no narrower than the label below
    fig, ax = labeled_rows(images, labels, tile, margin=0.45 if cost is None else 1.1, below=0.55)
    ax.set_xticks(centers(steps, images.shape[2]), [f"{v:.3g}".replace("-", "−") for v in values.tolist()])
    ax.set_xlabel("value of the latent, the others at the base")
    return fig


def _rows(latents: Sequence[int] | None, size: int, cost: np.ndarray | None) -> list[int]:
    if latents is None:
        return list(range(size)) if cost is None else np.argsort(-cost, kind="stable").tolist()
    rows = [int(j) for j in latents]
    if not rows or not all(0 <= j < size for j in rows):
        raise ValueError(f"latents must name latents of 0..{size - 1}, got {rows}")
    return rows
