#!/usr/bin/env python
"""A Bayesian network: which independences does it assert, and are the stated answers right?

Immune strength M, season S and financial means F are roots. The severity of illness I depends on M and S, the choice of
drug T on I and F, death D on I and T. Each claim is computed by d-separation (ours, pgmpy's and networkx's) and from
numbers: the conditional mutual information in random networks, by exact inference. Where two variables are dependent
the active trail is shown and drawn; where they are not, the node that blocks each trail.
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
        default=DATA / "bayesian_network.json",
        help="an exercise's file, with a Bayesian network",
    )
    add("--draws", type=int, default=5, help="random networks behind the numbers (default: %(default)s)")
    add("--seed", type=int, default=0, help="of these (default: %(default)s)")
    add("--out", type=Path, default=Path("out/bayesian_network"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="two random networks, to see in seconds that it runs")
    return parser.parse_args(argv)


def blocking(network: Any, x: list[str], y: list[str], given: list[str]) -> list[str]:
    """The nodes that block the trails between x and y; none if there are too many trails to list them."""
    try:
        blocked = pg.graphs.blocked_trails(network, x, y, given, limit=1000)
    except ValueError:
        return []
    return [node for node in network if any(node == trail.node for trail in blocked)]


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
    network, product = exercise.network, pg.graphs.factorization(exercise.network)
    lines = [f"The joint distribution: {product.text}", f"in LaTeX: {product.latex}", "", str(verdicts)]

    figures = {"network": pg.plots.graph(network, title="The network")}
    for number, claim in enumerate(exercise.claims, 1):
        if claim["kind"] == "independence" and claim["graph"] == "network":
            x, y, given = claim["x"], claim["y"], claim["given"]
            trail = pg.graphs.active_trail(network, x, y, given)
            verdict = "independent" if trail is None else "dependent"
            title = f"{', '.join(x)} and {', '.join(y)}{' given ' + ', '.join(given) if given else ''}: {verdict}"
            figures[f"claim_{number}"] = pg.plots.graph(
                network, given=given, trail=trail or (), title=title, ends=[*x, *y],
                blocking=() if trail else blocking(network, x, y, given),
            )  # fmt: skip
    if network.cpds:
        figures["tables"] = pg.plots.conditional_tables(network, title=exercise.note.split(".")[0])
        belief = pg.graphs.marginals(network)
        note = exercise.note.split(".")[0].lower()
        lines += ["", f"With the tables of the file{f' ({note})' if note else ''}:"]
        for node in network:
            lines += [f"P({node} = {state}) = {p:.4f}" for state, p in list(belief[node].as_dict().items())[1:]]
    for name, figure in figures.items():
        figure.savefig(args.out / f"{name}.png")
    content = {**verdicts.to_dict(), "factorization": {"text": product.text, "latex": product.latex}}
    pg.report.write_atomically(
        args.out / "claims.json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    )
    pg.report.write_atomically(args.out / "claims.md", verdicts.to_markdown().encode())
    print("\n".join([*lines, f"\nFigures, table and JSON: {args.out}"]))


if __name__ == "__main__":
    main()
