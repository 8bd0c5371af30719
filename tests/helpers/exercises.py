"""Exercises as the tests write them: networks with and without numbers, and a claim judged from a file."""

import json

from pyrogen.exercises import check_exercise

COLLIDER = {
    "kind": "bayesian",
    "nodes": {"a": [0, 1], "b": [0, 1], "m": [0, 1], "d": ["low", "mid", "high"]},
    "edges": [["a", "m"], ["b", "m"], ["m", "d"]],
    "tables": [
        {"node": "a", "values": [0.3, 0.7]},
        {"node": "b", "values": [0.6, 0.4]},
        {"node": "m", "parents": ["a", "b"], "values": [[[0.9, 0.1], [0.4, 0.6]], [[0.2, 0.8], [0.5, 0.5]]]},
        {"node": "d", "parents": ["m"], "values": [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]},
    ],
}


def bare(kind, edges, nodes=None):
    """A network without numbers; edges as words of two letters."""
    return {"kind": kind, "nodes": list(nodes or dict.fromkeys("".join(edges))), "edges": [list(one) for one in edges]}


def judge(tmp_path, network, *claims):
    """The rows of some claims on a network, each sound; one row for one claim."""
    path = tmp_path / "exercise.json"
    raw = [claim for claim in claims if isinstance(claim, str)]
    text = json.dumps({"title": "t", "network": network, "claims": [one for one in claims if not isinstance(one, str)]})
    path.write_text(text.replace('"claims": []', f'"claims": [{", ".join(raw)}]') if raw else text, encoding="utf-8")
    verdicts = check_exercise(path, draws=2)
    assert verdicts.sound, str(verdicts)
    return verdicts.rows if len(claims) > 1 else verdicts.rows[0]
