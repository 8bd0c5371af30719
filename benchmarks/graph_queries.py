#!/usr/bin/env python
"""Time exact inference on bundled networks: ours, pyAgrum's lazy propagation and pgmpy, one thread each.

The question is all single-node posteriors. ``first_s`` is of a network not seen before, with our compiling and checking
or the making of pyAgrum's engine included. ``again_s`` is with other states of the same observed nodes. ``query_s`` is
of one node with its evidence. Reading the file is timed apart. Every case runs in a process of its own under limits of
time and memory. Figures are seconds of CPU time, the least of several runs, since a busy machine falsifies wall time.
pyAgrum (``pip install pyagrum``) is only needed here.

    OMP_NUM_THREADS=1 python benchmarks/graph_queries.py
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from pyrogen import graphs
from pyrogen.files import write_atomically

AIM = 1.2  # times pyAgrum's time, at most
OBSERVED = 5  # leaves with evidence
SMALL = ("asia", "alarm", "child", "insurance", "hailfinder", "win95pts")  # pgmpy's engines are asked of these
ENGINES = ("pyrogen", "pyagrum", "pgmpy_variable_elimination", "pgmpy_belief_propagation")


def timed(ask: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The least CPU time of several runs, and the last answer; a long run is not repeated."""
    least, answer = float("inf"), None
    for _ in range(repeats):
        began = time.process_time()
        answer = ask()
        least = min(least, time.process_time() - began)
        if least > 5:
            break
    return least, answer


def question(network: Any) -> tuple[list[dict[str, int]], str]:
    """Two sets of evidence on the same leaves, as places of states from two draws, and a node to ask for."""
    leaves = [node for node in network if network.out_degree(node) == 0][:OBSERVED]
    draws = graphs.sample(network, 2, seed=0)
    places = {node: list(network.get_cpds(node).state_names[node]) for node in leaves}
    evidence = [{node: places[node].index(draws[node][row]) for node in leaves} for row in (0, 1)]
    asked = next(node for node in network if node not in leaves)
    return evidence, asked


def renamed(network: Any) -> Any:
    """The same network with states s0, s1, …, as pyAgrum does not read all names."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    copy = DiscreteBayesianNetwork()
    copy.add_nodes_from(network)
    copy.add_edges_from(network.edges)
    for cpd in network.cpds:
        node, *parents = cpd.variables
        own, *sizes = cpd.values.shape
        states = {
            name: [f"s{place}" for place in range(size)]
            for name, size in zip(cpd.variables, cpd.values.shape, strict=True)
        }
        values = cpd.values.reshape(own, -1)
        copy.add_cpds(TabularCPD(node, own, values, parents or None, sizes or None, state_names=states))
    return copy


def pyrogen(path: str, evidence: list[dict[str, int]], asked: str, repeats: int) -> dict[str, Any]:
    """Our figures on a file."""
    read, network = timed(lambda: graphs.read_network(path), 1)
    seen: list[dict[Any, Any]] = [{node: f"s{place}" for node, place in one.items()} for one in evidence]
    first, answers = timed(lambda: graphs.compile(network).marginals(), repeats)
    ready = graphs.compile(network)
    prior, _ = timed(ready.marginals, repeats)
    ready.marginals(seen[0])
    again, after = timed(lambda: ready.marginals(seen[1]), repeats)
    one, _ = timed(lambda: ready.query(asked, seen[1]), 5 * repeats)
    return {
        "read_s": read,
        "first_s": first,
        "prior_again_s": prior,
        "again_s": again,
        "query_s": one,
        "tables": [[answers[node].table.tolist() for node in network], [after[n].table.tolist() for n in after]],
    }


def pyagrum(path: str, evidence: list[dict[str, int]], asked: str, repeats: int) -> dict[str, Any]:
    """pyAgrum's figures on a file."""
    import pyagrum as gum

    gum.setNumberOfThreads(1)
    read, network = timed(lambda: gum.loadBN(path), 1)
    nodes = graphs.read_network(path)
    free = [node for node in nodes if node not in evidence[0]]

    def first() -> Any:
        engine = gum.LazyPropagation(network)
        engine.makeInference()
        return engine, [engine.posterior(node) for node in nodes]

    spent, (_, answers) = timed(first, repeats)
    engine = gum.LazyPropagation(network)
    engine.setEvidence(evidence[0])
    engine.makeInference()
    turn = [0]

    def again() -> Any:
        turn[0] = 1 - turn[0]
        for node, place in evidence[turn[0]].items():
            engine.chgEvidence(node, place)
        engine.makeInference()
        return [engine.posterior(node) for node in free]

    changed, after = timed(again, 2 * (repeats // 2) + 1)
    single = gum.LazyPropagation(network)
    single.setTargets({asked})
    single.setEvidence(evidence[0])
    single.makeInference()

    def one() -> Any:
        turn[0] = 1 - turn[0]
        for node, place in evidence[turn[0]].items():
            single.chgEvidence(node, place)
        single.makeInference()
        return single.posterior(asked)

    query, _ = timed(one, 5 * repeats)
    tables = [[table.tolist() for table in answers], [table.tolist() for table in after] if turn[0] else []]
    return {"read_s": read, "first_s": spent, "again_s": changed, "query_s": query, "tables": tables}


def pgmpy(path: str, method: str) -> dict[str, Any]:
    """pgmpy's figures on a file."""
    from pgmpy.inference import BeliefPropagation, VariableElimination

    network = graphs.read_network(path)

    def first() -> Any:
        engine = BeliefPropagation(network) if method == "belief_propagation" else VariableElimination(network)
        if method == "belief_propagation":
            engine.calibrate()
        return [engine.query([node], show_progress=False).values.tolist() for node in network]

    spent, tables = timed(first, 1)
    return {"first_s": spent, "tables": [tables, []]}


def child(task: dict[str, Any]) -> None:
    """Run one engine on one file and print its figures; the alarm ends it when it is over its time."""
    warnings.simplefilter("ignore")
    limit = int(task["gigabytes"] * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.alarm(task["seconds"])  # no handler: the default action ends the process, even in the middle of a numpy call
    graphs.bundled("cancer")  # what is imported when it is first needed
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if task["engine"] == "pyrogen":
        found = pyrogen(task["path"], task["evidence"], task["asked"], task["repeats"])
    elif task["engine"] == "pyagrum":
        found = pyagrum(task["path"], task["evidence"], task["asked"], task["repeats"])
    else:
        found = pgmpy(task["path"], task["engine"].removeprefix("pgmpy_"))
    found["imported_megabytes"] = imported // 1024
    found["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(found))


def run(task: dict[str, Any]) -> dict[str, Any]:
    """One engine on one file in a process of its own: its figures, or what stopped it."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(task)], capture_output=True, text=True, check=False
    )
    if done.returncode == -signal.SIGALRM:
        return {"stopped": f"after {task['seconds']} s"}
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]
    last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    memory = "alloc" in done.stderr or "Memory" in done.stderr
    return {"stopped": f"at {task['gigabytes']} GB of memory" if memory else "by an error", "message": last[:200]}


def compared(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures without the tables, with the largest difference between them and the ratios of the times."""
    ours = results["pyrogen"].pop("tables", None)
    for name, figures in results.items():
        theirs = figures.pop("tables", None)
        if ours and theirs:
            pairs = [
                (a, b) for mine, other in zip(ours, theirs, strict=True) for a, b in zip(mine, other, strict=False)
            ]
            gap = max(float(np.abs(np.array(a) - np.array(b)).max()) for a, b in pairs)
            figures["largest_difference_to_ours"] = float(f"{gap:.2g}")
        for key in [key for key in figures if key.endswith("_s")]:
            figures[key] = float(f"{figures[key]:.3g}")
            if name == "pyagrum" and key in results["pyrogen"]:
                ratio = results["pyrogen"][key] / max(figures[key], 1e-9)
                results["pyrogen"][f"{key.removesuffix('_s')}_times_pyagrum"] = float(f"{ratio:.2g}")
    return results


def main() -> None:
    """Run all cases and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=graphs.bundled_names(), help="bundled networks (default: all)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=300, help="time for one engine (default: %(default)s)")
    parser.add_argument("--pgmpy-seconds", type=int, default=15, help="time for pgmpy's (default: %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="address space of each (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/graph_queries.json"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(json.loads(args.child))
        return
    results: dict[str, Any] = {
        "command": "OMP_NUM_THREADS=1 python benchmarks/graph_queries.py",
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "pgmpy": importlib.metadata.version("pgmpy"),
        "pyagrum": importlib.metadata.version("pyagrum"),
        "numpy": np.__version__,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS", "unset"),
        "unit": "seconds of CPU time, the least of the runs",
        "repeats": args.repeats,
        "observed_leaves": OBSERVED,
        "aim_times_pyagrum": AIM,
        "limits": {"seconds": args.seconds, "pgmpy_seconds": args.pgmpy_seconds, "gigabytes": args.gigabytes},
        "networks": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        for name in args.networks:
            network = renamed(graphs.bundled(name))
            path = str(Path(folder) / f"{name}.bif")
            graphs.write_network(network, path)
            evidence, asked = question(network)
            case = {}
            for engine in ENGINES if name in SMALL else ENGINES[:2]:
                seconds = args.pgmpy_seconds if engine.startswith("pgmpy") else args.seconds
                case[engine] = run(
                    {
                        "engine": engine,
                        "path": path,
                        "evidence": evidence,
                        "asked": asked,
                        "repeats": args.repeats,
                        "seconds": seconds,
                        "gigabytes": args.gigabytes,
                    }
                )
            counts = {"nodes": len(network), "edges": network.number_of_edges()}
            results["networks"][name] = counts | compared(case)
            print(name, json.dumps(results["networks"][name]), flush=True)
            write_atomically(args.out, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
