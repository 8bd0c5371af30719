r"""The tables of a discrete network as a person writes them, a row for each state of the parents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrogen import checks
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.factorization import term
from pyrogen.plots.canvas.style import COLORS, STYLE, figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def conditional_tables(network: Any, nodes: Any = None, rows: int = 24, title: str = "") -> "Figure":
    r"""Draw the tables of a discrete network: P(node | parents) with a row for each state of the parents, or φ.

    Args:
        network: A discrete Bayesian or Markov network of pgmpy with tables.
        nodes: Whose tables, one name or several; of a Markov network all potentials with one of them; None for all.
        rows: The most rows of a table; what is beyond is left out, and the table says so.
        title: Above them all, such as where the numbers are from.

    Returns:
        A figure with one table a panel, its cells darker the larger their number is: from 0 to 1 for probabilities,
        from 0 to the table's largest for potentials.

    Raises:
        TypeError: If `network` has no tables.
        ValueError: For unknown names, a node without a table, more than 40 tables, or rows below 1.

    Example:
        >>> import networkx as nx
        >>> import numpy as np
        >>> from pyrogen.graphs import generic_network
        >>> from pyrogen.plots import conditional_tables
        >>> fig = conditional_tables(generic_network(nx.DiGraph([("A", "B")]), np.random.default_rng(0)))
        >>> [axes.get_title() for axes in fig.axes]
        ['P(A)', 'P(B | A)']
    """
    validation.states(network)  # refuses a network without tables
    asked = set(validation.names(network, list(network) if nodes is None else nodes, "nodes"))
    rows = checks.whole("rows", rows, least=1)
    if network.is_directed():
        tables = [network.get_cpds(node) for node in network if node in asked]
    else:
        tables = [factor for factor in network.factors if asked & set(factor.variables)]
    grids = list(map(_grid, tables))
    if len(grids) > 40:
        raise ValueError(
            f"network must have at most 40 tables, as more cannot be read, got {len(grids)}: name some nodes"
        )
    shown = [(name, head, body[:rows], len(body)) for name, head, body in grids]
    wide = [max(sum(_column_widths(head, body)), 0.085 * len(name) + 0.3) for name, head, body, _ in shown]
    lines: list[list[int]] = [[]]
    for number in range(len(shown)):  # as many in a line as fit
        if lines[-1] and sum(wide[other] + 0.5 for other in lines[-1]) + wide[number] > 10.5:
            lines.append([])
        lines[-1].append(number)
    high = [max(0.27 * (len(shown[i][2]) + 1 + (shown[i][3] > rows)) + 0.62 for i in line) for line in lines]
    width = max(*(sum(wide[i] + 0.5 for i in line) + 0.2 for line in lines), 0.082 * len(title) + 0.4)
    top = sum(high)
    total_height = top + (0.35 if title else 0.0)
    fig = figure(width, total_height, layout=None)
    if title:
        fig.text(0.5, 1 - 0.2 / total_height, title, ha="center", va="center", fontsize=11)
    for line, height in zip(lines, high, strict=True):
        x = 0.3
        for i in line:
            name, head, body, total = shown[i]
            tall = 0.27 * (len(body) + 1 + (total > rows))
            ax = fig.add_axes((x / width, (top - 0.42 - tall) / total_height, wide[i] / width, tall / total_height))
            _draw_table(ax, name, head, body, total)
            x += wide[i] + 0.5
        top -= height
    return fig


def _grid(table: Any) -> tuple[str, list[str], list[list[Any]]]:
    r"""Return a title, column heads and rows: names of states as text and values as numbers."""
    conditional = hasattr(table, "variable")
    names = [*table.variables[1:], table.variables[0]] if conditional else list(table.variables)
    values = np.moveaxis(table.values, 0, -1) if conditional else table.values
    own = names[-1]
    outer = names[:-1]
    known = {name: list(table.state_names[name]) for name in names}
    head = [*map(str, outer), *(f"{own} = {state}" for state in known[own])]
    body = [
        [*(str(known[name][i]) for name, i in zip(outer, index, strict=True)), *map(float, values[index])]
        for index in np.ndindex(*(len(known[name]) for name in outer))
    ]
    return term("P", [own], outer) if conditional else term("φ", names), head, body


def _column_widths(head: Sequence[str], body: Sequence[Sequence[Any]]) -> list[float]:
    longest = [
        max(len(name), *(len(_cell(row[column])) for row in body)) if body else len(name)
        for column, name in enumerate(head)
    ]
    return [0.078 * characters + 0.26 for characters in longest]


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _draw_table(ax: "Axes", title: str, head: list[str], body: list[list[Any]], total: int) -> None:
    from matplotlib.transforms import Bbox

    ax.set_axis_off()
    ax.set_title(title, fontsize=STYLE["axes.titlesize"], pad=6)
    lines = [head, *([_cell(value) for value in row] for row in body)]
    if total > len(body):
        lines.append([f"… {total} rows" if column == 0 else "" for column in range(len(head))])
    most = 1.0
    if not title.startswith("P("):
        most = max((value for row in body for value in row if isinstance(value, float)), default=1.0) or 1.0
    colors: list[Any] = [["#E9ECEF"] * len(head)]
    for row in body:
        colors.append(["#F6F7F8" if isinstance(value, str) else _tint(value / most) for value in row])
    colors += [["white"] * len(head)] * (len(lines) - len(colors))
    share = np.array(_column_widths(head, body))
    made = ax.table(
        cellText=lines, cellColours=colors, colWidths=(share / share.sum()).tolist(), cellLoc="center",
        bbox=Bbox.unit(),
    )  # fmt: skip
    made.auto_set_font_size(False)
    made.set_fontsize(9)
    for cell in made.get_celld().values():
        cell.set(edgecolor="#BBBBBB", linewidth=0.6)


def _tint(part: float) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    r, g, b = to_rgb(COLORS[4])
    weight = 0.75 * min(max(part, 0.0), 1.0)
    return 1 - weight * (1 - r), 1 - weight * (1 - g), 1 - weight * (1 - b)
