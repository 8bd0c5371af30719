#!/usr/bin/env python
"""A Markov network: its maximal cliques, its joint distribution, and the independences it asserts.

Nodes A to G with the cliques {A,B,C}, {B,D,E}, {C,D,F}, {E,G}. Each claim is computed in several ways (ours, pgmpy's,
networkx's, and random networks), and shown with its evidence; the potential on E and G times 5 is shown in numbers.
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
    add(
        "--exercise",
        type=Path,
        default=DATA / "markov_network.json",
        help="a JSON file of claims about a Markov network",
    )
    add("--draws", type=int, default=5, help="random networks behind the numbers (default: %(default)s)")
    add("--seed", type=int, default=0, help="of these (default: %(default)s)")
    add("--out", type=Path, default=Path("out/markov_network"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="two random networks, to see in seconds that it runs")
    return parser.parse_args(argv)


def cutting(network: Any, x: list[str], y: list[str], given: list[str]) -> list[str]:
    """The observed nodes that paths from x to y meet first."""
    path = pg.graphs.path
    near = [node for node in given if path(network, x, node, [one for one in given if one != node]) is not None]
    return [node for node in near if path(network, node, y, x) is not None]


def draw(exercise: Any) -> dict[str, Any]:
    """The figures: the graph, its cliques computed and stated, a path for each separation, the potentials."""
    network = exercise.network
    figures = {
        "network": pg.plots.graph(network, title="The Markov network"),
        "maximal_cliques": pg.plots.graph(
            network, cliques=pg.graphs.maximal_cliques(network), title="Its maximal cliques"
        ),
    }
    for number, claim in enumerate(exercise.claims, 1):
        if claim["kind"] == "maximal_cliques" and claim["stated"]:
            sets, title = claim["stated"], "The maximal cliques as stated"
            figures["stated_cliques"] = pg.plots.graph(network, cliques=sets, title=title)
        if claim["kind"] in ("separation", "independence"):
            x, y, given = claim["x"], claim["y"], claim["given"]
            path = pg.graphs.path(network, x, y, given)
            verdict = "independent" if path is None else "dependent"
            title = f"{', '.join(x)} and {', '.join(y)}{' given ' + ', '.join(given) if given else ''}: {verdict}"
            figures[f"claim_{number}"] = pg.plots.graph(
                network, given=given, trail=path or (), title=title, ends=[*x, *y],
                blocking=() if path else cutting(network, x, y, given),
            )  # fmt: skip
    if network.factors:
        figures["potentials"] = pg.plots.conditional_tables(network, title=exercise.note.split(".")[0])
    return figures


def main(argv: list[str] | None = None) -> None:
    """Check, print, draw."""
    args = arguments(argv)
    try:
        pg.report.check_writable(args.out)
        exercise = pg.exercises.read_exercise(args.exercise)
        if exercise.network.is_directed():
            raise ValueError(f"{args.exercise}: expected a Markov network, got a Bayesian network")
        draws = min(args.draws, 2) if args.smoke else args.draws
        verdicts = pg.exercises.check_exercise(args.exercise, draws=draws, seed=args.seed)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    product = pg.graphs.factorization(exercise.network)
    lines = [f"The joint distribution: {product.text}", f"in LaTeX: {product.latex}", "", str(verdicts)]
    for name, figure in draw(exercise).items():
        figure.savefig(args.out / f"{name}.png")
    content = {**verdicts.to_dict(), "factorization": {"text": product.text, "latex": product.latex}}
    pg.report.write_atomically(
        args.out / "claims.json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    )
    pg.report.write_atomically(args.out / "claims.md", verdicts.to_markdown().encode())
    print("\n".join([*lines, f"\nFigures, table and JSON: {args.out}"]))


if __name__ == "__main__":
    main()
