r"""One look for all figures: a color-blind-safe palette, fonts legible at 100 to 150 dpi, panels in a row."""

import io
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast

from pyrogen.signatures import checked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), its yellow left out: too faint for lines on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
FAINT = "#B3B3B3"
WIDTH = 9.6  # inches

STYLE: dict[Any, Any] = {
    "figure.dpi": 120,
    "savefig.dpi": "figure",
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures look alike everywhere; it has Greek
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": False,
    "grid.color": "#E2E2E2",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "text.color": "#1A1A1A",
    "axes.labelcolor": "#1A1A1A",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
}


def styled(plot: Callable[P, R]) -> Callable[P, R]:
    r"""Check a plotting function's arguments, run it under this style, and restore what the user had."""
    plot = checked(plot)

    @wraps(plot)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        from matplotlib import rc_context, rcParamsDefault

        defaults: dict[Any, Any] = {
            key: value for key, value in rcParamsDefault.items() if not key.startswith("backend")
        }
        with rc_context({**defaults, **STYLE}):
            return plot(*args, **kwargs)

    return wrapper


def figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> "Figure":
    r"""Return an empty figure of that size in inches, by default its layout constrained so that no label is cut.

    A notebook shows it, without `%matplotlib inline` and without pyplot.
    """
    from matplotlib.figure import Figure

    made: Any = Figure(figsize=(width, height), layout=layout)
    made._repr_png_ = partial(_png, made)  # which IPython calls
    return cast("Figure", made)


def _png(fig: "Figure") -> bytes:
    r"""Return the picture as a file."""
    file = io.BytesIO()
    fig.savefig(file, format="png")
    return file.getvalue()


def panels(number: int, height: float, columns: int = 3, **settings: Any) -> tuple["Figure", list["Axes"]]:
    r"""Return a figure with that many panels, at most `columns` in a row, each `height` inches high."""
    columns = min(number, columns)
    rows = -(-number // columns)
    fig = figure(min(WIDTH, 4.8 * columns), height * rows)
    axes = list(fig.subplots(rows, columns, squeeze=False, **settings).flat)
    for unused in axes[number:]:
        unused.remove()
    return fig, axes[:number]
