#!/usr/bin/env python
"""From a Bayesian network to a Markov network: blanket, moral graph, I-maps, chords, cliques, and a node removed.

C stands alone; O and A are roots; S ← O; T ← A, O; B ← S; M ← A, B, T. Each claim is computed in several ways (ours,
pgmpy's, networkx's, and random networks), and shown with its evidence. The removal of C is shown in numbers, with its
potential summing to one and not, with Z kept and with Z computed anew.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pyrogen as pg

DATA = Path(__file__).resolve().parents[1] / "data"


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    file = DATA / "markov_blanket_and_moral_graph.json"
    add("--exercise", type=Path, default=file, help="a JSON file of claims about a Bayesian network")
    add("--draws", type=int, default=5, help="random networks behind the numbers (default: %(default)s)")
    add("--seed", type=int, default=0, help="of these (default: %(default)s)")
    folder = Path("out/markov_blanket_and_moral_graph")
    add("--out", type=Path, default=folder, help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="two random networks, to see in seconds that it runs")
    return parser.parse_args(argv)


def draw(exercise: Any) -> dict[str, Any]:
    """The figures: both graphs, blankets, the chordless cycle, the cliques computed and stated, the tables."""
    network = exercise.network
    moral = pg.graphs.moral_graph(network)
    new = [(a, b) for a, b in moral.edges if not (network.has_edge(a, b) or network.has_edge(b, a))]
    figures = {
        "network": pg.plots.graph(network, title="The Bayesian network"),
        "moral_graph": pg.plots.graph(
            moral, title="Its Markov network: the moral graph", dashed=new, dashes="joins two parents of a node"
        ),
        "maximal_cliques": pg.plots.graph(moral, cliques=pg.graphs.maximal_cliques(moral), title="Its maximal cliques"),
    }
    cycle = pg.graphs.chordless_cycle(moral)
    for claim in exercise.claims:
        if claim["kind"] == "markov_blanket":
            (node,) = claim["of"]
            blanket = pg.graphs.markov_blanket(network, node)
            figures[f"blanket_{node}"] = pg.plots.graph(
                network, given=blanket, cliques=[{node}], title=f"{node} and its blanket", shaded="Markov blanket"
            )
        if claim["kind"] == "chordal":
            cycle = claim.get("witness") or cycle
        if claim["kind"] == "maximal_cliques" and claim["stated"]:
            sets, title = claim["stated"], "The maximal cliques as stated"
            figures["stated_cliques"] = pg.plots.graph(moral, cliques=sets, title=title)
    if cycle and not pg.graphs.is_chordal(moral):
        way = [*cycle, cycle[0]]
        title = f"The cycle {' – '.join(map(str, way))}"
        figures["cycle"] = pg.plots.graph(moral, trail=way, title=title)
    if network.cpds:
        figures["tables"] = pg.plots.conditional_tables(network, title=exercise.note.split(".")[0])
    return figures


def main(argv: list[str] | None = None) -> None:
    """Check, print, draw."""
    args = arguments(argv)
    try:
        pg.report.check_writable(args.out)
        exercise = pg.exercises.read_exercise(args.exercise)
        if not exercise.network.is_directed():
            raise ValueError(f"{args.exercise}: expected a Bayesian network, got a Markov network")
        draws = min(args.draws, 2) if args.smoke else args.draws
        verdicts = pg.exercises.check_exercise(args.exercise, draws=draws, seed=args.seed)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    moral = pg.graphs.moral_graph(exercise.network)
    directed, undirected = pg.graphs.factorization(exercise.network), pg.graphs.factorization(moral)
    lines = [
        f"The joint of the Bayesian network: {directed.text}",
        f"in LaTeX: {directed.latex}",
        f"The joint of its Markov network: {undirected.text}",
        f"in LaTeX: {undirected.latex}",
        "",
        str(verdicts),
    ]
    for name, figure in draw(exercise).items():
        figure.savefig(args.out / f"{name}.png")
    both = {"directed": directed, "undirected": undirected}
    products = {name: {"text": one.text, "latex": one.latex} for name, one in both.items()}
    content = {**verdicts.to_dict(), "factorization": products}
    pg.report.write_atomically(
        args.out / "claims.json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    )
    pg.report.write_atomically(args.out / "claims.md", verdicts.to_markdown().encode())
    print("\n".join([*lines, f"\nFigures, table and JSON: {args.out}"]))


if __name__ == "__main__":
    main()
