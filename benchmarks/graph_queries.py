#!/usr/bin/env python
"""Time all single-node posteriors of bundled networks: ours, and pgmpy's belief propagation and variable elimination.

Ours is `pg.graphs.marginals`, once without evidence and once with every leaf observed (at its state in the most
probable assignment); `pg.graphs.query` by elimination, node by node, is the check and timed too. Networks are loaded
beforehand.
pgmpy runs at its defaults, each case in a process of its own with a limit of time and of memory: `BeliefPropagation`
calibrates once and is asked for each node, `VariableElimination` is asked for each node.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import time
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from pyrogen import graphs
from pyrogen.files import write_atomically

NETWORKS = ("alarm", "insurance", "hailfinder", "win95pts")
AIM = 1.0  # seconds for all single-node posteriors


def ours(network: Any, repeats: int) -> dict[str, Any]:
    """Seconds (median and worst of `repeats`) and how far the two methods are from each other."""
    leaves = [node for node in network if network.out_degree(node) == 0]
    best = graphs.map_assignment(network).states
    result: dict[str, Any] = {}
    for name, evidence in (("marginals", {}), ("marginals_leaves_observed", {leaf: best[leaf] for leaf in leaves})):
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            answers = graphs.marginals(network, evidence)
            times.append(time.perf_counter() - began)
        result[f"{name}_s"] = round(statistics.median(times), 4)
        result[f"{name}_worst_s"] = round(max(times), 4)
        began = time.perf_counter()
        singly = {node: graphs.query(network, node, evidence) for node in answers}
        result[f"{name.replace('marginals', 'elimination_node_by_node')}_s"] = round(time.perf_counter() - began, 4)
        gap = max(np.abs(singly[node].table - answers[node].table).max() for node in answers)
        result[f"{name}_largest_difference_to_elimination"] = float(f"{gap:.2g}")
    tree = graphs.junction_tree(network, sizes=dict(network.get_cardinality()))
    sizes = [int(np.prod([network.get_cardinality(node) for node in clique])) for clique in tree]
    return result | {"cliques": len(sizes), "largest_clique_entries": max(sizes), "all_clique_entries": sum(sizes)}


def theirs(name: str, method: str, seconds: int, gigabytes: float) -> dict[str, Any]:
    """pgmpy on one network in a process of its own: seconds and distance to ours, or what stopped it."""
    command = [sys.executable, __file__, "--child", method, "--networks", name]
    command += ["--seconds", str(seconds), "--gigabytes", str(gigabytes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 300, check=False)
    if done.returncode == -signal.SIGALRM:
        return {"stopped": f"after {seconds} s"}
    if done.returncode == 0:
        content: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return content
    last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return {
        "stopped": f"address space limited to {gigabytes} GB" if "Memory" in last else "by an error",
        "message": last,
    }


def child(name: str, method: str, seconds: int, gigabytes: float) -> None:
    """Print pgmpy's time as JSON; killed by the alarm when it is over its time."""
    warnings.simplefilter("ignore")
    from pgmpy.inference import BeliefPropagation, VariableElimination

    network = graphs.bundled(name)
    expected = graphs.marginals(network)
    limit = int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.alarm(seconds)  # no handler: the default action ends the process, even in the middle of a numpy call
    began = time.perf_counter()
    engine = BeliefPropagation(network) if method == "belief_propagation" else VariableElimination(network)
    if method == "belief_propagation":
        engine.calibrate()
    answers = {node: engine.query([node], show_progress=False).values for node in network}
    spent = time.perf_counter() - began
    signal.alarm(0)
    gap = max(np.abs(answers[node] - expected[node].table).max() for node in network)
    print(json.dumps({"s": round(spent, 3), "largest_difference_to_ours": float(f"{gap:.2g}")}))


def main() -> None:
    """Run all cases and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="names of bundled networks (default: the four)")
    parser.add_argument("--repeats", type=int, default=15, help="runs of ours (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=60, help="pgmpy's time for a network (default: %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="pgmpy's address space (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/graph_queries.json"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.networks[0], args.child, args.seconds, args.gigabytes)
        return
    results: dict[str, Any] = {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "pgmpy": importlib.metadata.version("pgmpy"),
        "numpy": np.__version__,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS", "unset"),
        "repeats": args.repeats,
        "aim_s": AIM,
        "pgmpy_limits": {"seconds": args.seconds, "gigabytes": args.gigabytes},
        "networks": {},
    }
    for name in args.networks:
        began = time.perf_counter()
        network = graphs.bundled(name)
        loaded = round(time.perf_counter() - began, 2)
        case = {
            "nodes": len(network),
            "edges": network.number_of_edges(),
            "load_s": loaded,
            "pyrogen": ours(network, args.repeats),
        }
        for method in ("belief_propagation", "variable_elimination"):
            case[f"pgmpy_{method}"] = theirs(name, method, args.seconds, args.gigabytes)
        results["networks"][name] = case
        print(name, json.dumps(case, indent=1), flush=True)
    write_atomically(args.out, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
