r"""What drawings of graphs and tables show, and that nothing in them overlaps."""

import io
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.patches import Ellipse, FancyArrowPatch, Patch, Polygon

from pyrogen import graphs, plots
from pyrogen.plots.graphs.drawing import SHADE, TRAIL
from pyrogen.plots.graphs.layout import layout, widths

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

PART_1 = nx.DiGraph(["MI", "SI", "IT", "FT", "ID", "TD"])
PART_2 = nx.DiGraph(["OS", "AT", "OT", "SB", "AM", "BM", "TM"])
PART_2.add_node("C")
PART_3 = nx.Graph(["AB", "AC", "BC", "BD", "BE", "DE", "CD", "CF", "DF", "EG"])


@pytest.fixture(scope="module")
def alarm():
    return graphs.bundled("alarm")


def ellipses(fig):
    found = [patch for patch in fig.axes[0].patches if isinstance(patch, Ellipse)]
    return {patch.get_gid().removeprefix("node "): patch for patch in found}


def lines(fig):
    return [patch for patch in fig.axes[0].patches if isinstance(patch, FancyArrowPatch)]


def along(line):
    r"""Points on a line as drawn, in data units, its arrow head left out."""

    path = line._path_original
    return path.interpolated(20).vertices if path.codes is None else curve(path)


def curve(path):
    points = [path.vertices[:1]]
    t = np.linspace(0, 1, 25)[:, None]
    for i in range(1, len(path.vertices), 3):
        a, (b, c, d) = path.vertices[i - 1], path.vertices[i : i + 3]
        points.append((1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d)
    return np.concatenate(points)


def inside(ellipse, points, more=0.0):
    center, half = np.array(ellipse.center), np.array([ellipse.width, ellipse.height]) / 2 + more
    return (np.hypot(*((points - center) / half).T) < 1).any()


def untidy(graph, fig):
    r"""Nodes that overlap, lines over nodes that are not theirs, and nodes out of the picture."""

    nodes, found = ellipses(fig), []
    assert list(nodes) == list(map(str, graph))
    turn = np.linspace(0, 2 * np.pi, 60)
    for a, b in combinations(nodes, 2):
        one = nodes[a]
        rim = np.array(one.center) + np.stack([np.cos(turn) * one.width, np.sin(turn) * one.height], -1) / 2
        if inside(nodes[b], rim) or inside(one, np.array([nodes[b].center])):
            found.append((a, b))
    for (a, b), line in zip(graph.edges, lines(fig), strict=True):
        points = along(line)
        found += [(a, b, node) for node in nodes if node not in (str(a), str(b)) and inside(nodes[node], points)]
        (left, right), (low, high) = fig.axes[0].get_xlim(), fig.axes[0].get_ylim()
        if (
            points[:, 0].min() < left
            or points[:, 0].max() > right
            or points[:, 1].min() < low
            or points[:, 1].max() > high
        ):
            found.append((a, b, "out"))
    return found


@pytest.mark.parametrize("graph", [PART_1, PART_2, graphs.moral_graph(PART_2), PART_3], ids=["1", "2", "moral", "3"])
def test_nothing_overlaps_in_the_exercises(graph):
    fig = plots.graph(graph, title="A title")
    assert untidy(graph, fig) == []
    FigureCanvasAgg(fig).print_png(io.BytesIO())


def test_nothing_overlaps_in_a_network_of_37_nodes(alarm):
    fig = plots.graph(alarm)
    assert untidy(alarm, fig) == []
    renderer = FigureCanvasAgg(fig).get_renderer()
    for text in fig.axes[0].texts:  # each name fits into its node
        node = ellipses(fig)[text.get_text()].get_window_extent(renderer)
        assert text.get_window_extent(renderer).width < node.width


def test_nothing_overlaps_in_random_graphs():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        number = int(rng.integers(1, 14))
        graph = nx.DiGraph()
        graph.add_nodes_from(f"n{i}" for i in range(number))
        graph.add_edges_from((f"n{i}", f"n{j}") for i, j in combinations(range(number), 2) if rng.random() < 0.2)
        for one in (graph, graph.to_undirected()):
            fig = plots.graph(one)
            assert [pair for pair in untidy(one, fig) if len(pair) == 2] == [], seed


@pytest.mark.parametrize("graph", [nx.complete_graph(9), nx.star_graph(14), nx.complete_bipartite_graph(4, 7)])
def test_long_names_do_not_overlap_either(graph):
    graph = nx.relabel_nodes(graph, lambda node: f"a rather long name {node}")
    assert [pair for pair in untidy(graph, plots.graph(graph)) if len(pair) == 2] == []


def test_all_arrows_point_down(alarm):
    for graph in (PART_1, PART_2, alarm):
        at, _ = layout(graph)
        assert all(at[a][1] > at[b][1] + 0.5 for a, b in graph.edges)


def test_crossings_are_avoided_where_they_can_be():
    tangled = nx.DiGraph([("a", "z"), ("b", "y"), ("c", "x"), ("a", "y"), ("b", "x")])
    at, _ = layout(tangled)
    for (a, b), (c, d) in combinations(tangled.edges, 2):
        assert (at[a][0] - at[c][0]) * (at[b][0] - at[d][0]) >= 0


def test_few_arrows_cross_in_a_network_of_37_nodes(alarm):
    """46 arrows, and 17 crossings as drawn when this was written; many more with another of the orders tried."""
    at, bends = layout(alarm)
    ways = [np.array([at[a], *bends.get((a, b), []), at[b]]) for a, b in alarm.edges]

    def left(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0

    crossings = sum(
        left(a, b, c) != left(a, b, d) and left(c, d, a) != left(c, d, b)
        for one, other in combinations(ways, 2)
        for a, b in pairwise(one)
        for c, d in pairwise(other)
        if not any((p == q).all() for p in (a, b) for q in (c, d))
    )
    assert crossings <= 25


def test_observed_nodes_are_shaded_and_the_trail_is_colored():
    trail = graphs.active_trail(PART_1, "M", "F", "T")
    fig = plots.graph(PART_1, given="T", trail=trail)
    nodes = ellipses(fig)
    assert {name for name, patch in nodes.items() if to_hex(patch.get_facecolor()).upper() == SHADE} == {"T"}
    assert {name for name, patch in nodes.items() if to_hex(patch.get_edgecolor()).upper() == TRAIL} == set("MITF")
    colored = [to_hex(line.get_edgecolor()).upper() == TRAIL for line in lines(fig)]
    assert {edge for edge, on in zip(PART_1.edges, colored, strict=True) if on} == {("M", "I"), ("I", "T"), ("F", "T")}
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["observed", "active trail M → I → T ← F"]


def test_arrows_only_in_directed_graphs():
    heads = [{type(line.get_arrowstyle()).__name__ for line in lines(plots.graph(graph))} for graph in (PART_1, PART_3)]
    assert heads[0] != heads[1]
    assert [len(head) for head in heads] == [1, 1]


def test_cliques_are_outlined_around_all_their_nodes():
    cliques = graphs.maximal_cliques(PART_3)
    fig = plots.graph(PART_3, cliques=cliques)
    outlines = [patch for patch in fig.axes[0].patches if isinstance(patch, Polygon)]
    hatched = [patch for patch in outlines if patch.get_hatch()]
    assert len(hatched) == len(cliques)
    assert len({patch.get_hatch() for patch in hatched}) == len(cliques)
    for clique, patch in zip(cliques, hatched, strict=True):
        path = patch.get_path()
        assert clique <= {name for name, node in ellipses(fig).items() if path.contains_point(node.center)}
    assert [text.get_text() for text in fig.legends[0].get_texts()][1] == "{B, C, D}"
    assert all(isinstance(handle, Patch) for handle in fig.legends[0].legend_handles)


def test_a_cycle_may_be_drawn_and_nodes_alone_are_seen():
    moral = graphs.moral_graph(PART_2)
    fig = plots.graph(moral, trail=["O", "S", "B", "T", "O"])
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["cycle O – S – B – T – O"]
    assert "C" in ellipses(fig)
    lonely = nx.Graph()
    lonely.add_nodes_from("abcdefg")
    assert untidy(lonely, plots.graph(lonely)) == []


def legend(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()]


def test_a_trail_is_called_active_only_if_it_is():
    assert legend(plots.graph(PART_1, trail="MITF")) == ["trail M → I → T ← F, blocked at T"]
    assert legend(plots.graph(PART_1, given="T", trail="MITF")) == ["observed", "active trail M → I → T ← F"]
    assert legend(plots.graph(PART_1, given="D", trail="MITF")) == ["observed", "active trail M → I → T ← F"]
    assert legend(plots.graph(PART_1, given=["T", "I"], trail="MITF"))[1] == "trail M → I → T ← F, blocked at I"
    assert legend(plots.graph(PART_3, trail="GEB")) == ["path G – E – B"]
    assert legend(plots.graph(PART_3, given="E", trail="GEB"))[1] == "path G – E – B, cut at E"


def test_what_is_asked_about_and_what_blocks_is_marked():
    fig = plots.graph(PART_1, given="I", ends=["M", "T"], blocking=["I", "D"])
    assert legend(fig) == ["asked about", "observed", "blocks a trail"]
    rings = {patch.get_gid() for patch in fig.axes[0].patches if (patch.get_gid() or "").startswith("ring")}
    assert rings == {"ring M", "ring T"}
    dotted = {name for name, node in ellipses(fig).items() if node.get_linestyle() == ":"}
    assert {name for name in dotted if not name.startswith("ring")} == {"I", "D"}


def test_dashed_edges_are_those_named():
    moral = graphs.moral_graph(PART_2)
    fig = plots.graph(moral, dashed=[("A", "B"), ("O", "A")], dashes="new")
    dashed = {
        frozenset(edge) for edge, line in zip(moral.edges, lines(fig), strict=True) if line.get_linestyle() == "--"
    }
    assert dashed == {frozenset("AB"), frozenset("OA")}
    assert legend(fig) == ["new"]
    with pytest.raises(ValueError, match="dashed must name edges"):
        plots.graph(moral, dashed=[("C", "A")])


def test_a_set_has_one_color_in_all_drawings():
    moral = graphs.moral_graph(PART_2)
    stated = [set("C"), set("TMA"), set("TMB"), set("TAO"), set("SO"), set("BS")]

    def colors(cliques):
        drawn = [patch for patch in plots.graph(moral, cliques=cliques).axes[0].patches if isinstance(patch, Polygon)]
        hatched = [patch for patch in drawn if patch.get_hatch()]
        return {frozenset(one): to_hex(patch.get_edgecolor()) for one, patch in zip(cliques, hatched, strict=True)}

    ours, theirs = colors(list(graphs.maximal_cliques(moral))), colors(stated)
    both = set(ours) & set(theirs)
    assert len(both) == 4
    assert all(ours[one] == theirs[one] for one in both)
    assert len(set(theirs.values())) == len(stated)
    assert not {theirs[one] for one in theirs if one not in both} & {ours[one] for one in both}


def test_probabilities_are_shaded_from_0_to_1():
    network = graphs.generic_network(nx.DiGraph(["AB"]), np.random.default_rng(0))
    network.get_cpds("A").values[:] = [0.2, 0.8]
    network.get_cpds("B").values[:] = [[0.2, 0.3], [0.8, 0.7]]
    first, second = (axes.tables[0].get_celld() for axes in plots.conditional_tables(network).axes)
    assert first[1, 0].get_facecolor() == second[1, 1].get_facecolor()  # 0.2 in a table whose largest is 0.8
    network.get_cpds("A").values[:] = [0.5, 0.5]
    half = plots.conditional_tables(network).axes[0].tables[0].get_celld()[1, 0].get_facecolor()
    assert half != first[1, 1].get_facecolor()
    assert sum(first[1, 1].get_facecolor()[:3]) < sum(half[:3]) < sum(first[1, 0].get_facecolor()[:3])


def test_positions_may_come_from_elsewhere():
    graph = nx.Graph([("a", "b"), ("b", "c")])
    fig = plots.graph(graph, positions={"a": (0, 0), "b": (1, 0), "c": (2, 0)})
    assert untidy(graph, fig) == []
    centers = [node.center for node in ellipses(fig).values()]
    assert centers[2][0] == pytest.approx(2 * centers[1][0])


def test_names_may_be_of_any_kind():
    graph = nx.DiGraph([(0, ("rain", 1)), ("a longer name", ("rain", 1))])
    fig = plots.graph(graph, given=0)
    assert untidy(graph, fig) == []
    assert widths(graph)["a longer name"] > widths(graph)[0]


def test_tables_show_every_probability():
    network = graphs.generic_network(PART_1, np.random.default_rng(0))
    fig = plots.conditional_tables(network, ["T", "M"])
    assert [ax.get_title() for ax in fig.axes] == ["P(M)", "P(T | I, F)"]
    cells = {key: cell.get_text().get_text() for key, cell in fig.axes[1].tables[0].get_celld().items()}
    assert [cells[0, column] for column in range(4)] == ["I", "F", "T = 0", "T = 1"]
    table = network.get_cpds("T")
    for row in range(4):
        i, f = divmod(row, 2)
        assert [cells[row + 1, 0], cells[row + 1, 1]] == [str(i), str(f)]
        assert float(cells[row + 1, 2]) == pytest.approx(table.values[0, i, f], rel=1e-3)
    FigureCanvasAgg(fig).print_png(io.BytesIO())


def test_tables_of_a_markov_network_are_its_potentials(alarm):
    network = graphs.generic_network(PART_3, np.random.default_rng(0))
    assert len(plots.conditional_tables(network).axes) == 5
    assert [ax.get_title() for ax in plots.conditional_tables(network, "G").axes] == ["φ(E, G)"]
    long = plots.conditional_tables(alarm, "CATECHOL", rows=3).axes[0].tables[0].get_celld()
    assert long[4, 0].get_text().get_text() == "… 54 rows"


@pytest.mark.parametrize(
    ("draw", "error", "words"),
    [
        (lambda: plots.graph(nx.DiGraph()), ValueError, "at least one node"),
        (lambda: plots.graph("A"), TypeError, "the graph must be one of pgmpy or networkx"),
        (lambda: plots.graph(nx.DiGraph(["AB", "BA"])), ValueError, "no cycle, got A → B → A"),
        (lambda: plots.graph(PART_1, given="X"), ValueError, "given must name nodes of the graph .*, got 'X'"),
        (lambda: plots.graph(PART_1, trail=["M", "D"]), ValueError, "edges of the graph"),
        (lambda: plots.graph(PART_1, trail=["M", "X"]), ValueError, "trail must name nodes of the graph .*, got 'X'"),
        (
            lambda: plots.graph(PART_3, cliques=[["A", "X"]]),
            ValueError,
            "a clique must name nodes of the graph .*, got 'X'",
        ),
        (lambda: plots.graph(PART_3, cliques=[[]]), ValueError, "a clique must name at least one"),
        (lambda: plots.graph(nx.path_graph(601)), ValueError, "at most 600 nodes"),
        (lambda: plots.graph(nx.path_graph(2), positions={0: (0, 0)}), ValueError, "got none for 1"),
        (lambda: plots.graph(nx.path_graph(2), positions={0: (0, 0), 1: (0, 0)}), ValueError, "different"),
        (lambda: plots.graph(nx.path_graph(1), positions={0: (0, float("nan"))}), ValueError, "finite"),
        (lambda: plots.conditional_tables(PART_1), TypeError, "discrete Bayesian or Markov network"),
        (
            lambda: plots.conditional_tables(graphs.generic_network(PART_1, np.random.default_rng(0)), rows=0),
            ValueError,
            "rows must be a whole number of at least 1",
        ),
        (
            lambda: plots.conditional_tables(graphs.generic_network(nx.path_graph(42), np.random.default_rng(0))),
            ValueError,
            "at most 40 tables",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(draw, error, words):
    with pytest.raises(error, match=words):
        draw()
