"""The examples on graphs: what they print, write and refuse."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

EXAMPLES = Path(__file__).parents[2] / "examples"
MAIN = {
    name: runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]
    for name in ("bayesian_network", "markov_blanket_and_moral_graph", "markov_network")
}


@pytest.mark.parametrize(
    ("name", "wrong", "words", "figures"),
    [
        (
            "bayesian_network",
            ["M ⊥ T | D, I"],
            [
                "P(M) P(S) P(F) P(I | M, S) P(T | F, I) P(D | I, T)",
                r"P(D \mid I, T)",
                "active trail M → I → T ← F",
                "M → I → D ← T is blocked at I",
                "5 of 6 stated answers are right",
                "P(D = yes) = 0.0638",
            ],
            {"network", "tables", "claim_2", "claim_3", "claim_4", "claim_5", "claim_6"},
        ),
        (
            "markov_blanket_and_moral_graph",
            ["maximal cliques", "joint distribution", "φ(C) drops out"],
            [
                r"\frac{1}{Z}\,\phi(C)\,\phi(O, A, T)\,\phi(O, S)\,\phi(A, T, B, M)\,\phi(S, B)",
                "the cycle O – S – B – T – O has no chord",
                "φ = (0.5, 2), which sums to 2.5",
                "6 of 9 stated answers are right",
            ],
            {"network", "moral_graph", "maximal_cliques", "stated_cliques", "cycle", "blanket_T", "tables"},
        ),
        (
            "markov_network",
            ["maximal cliques", "joint distribution"],
            [
                r"\frac{1}{Z}\,\phi(A, B, C)\,\phi(B, C, D)\,\phi(B, D, E)\,\phi(C, D, F)\,\phi(E, G)",
                "Z = 1914.495000 before and 9572.475000 after, 5 times as much",
                "the path G – E – B – A is open",
                "5 of 7 stated answers are right",
            ],
            {"network", "maximal_cliques", "stated_cliques", "claim_3", "claim_4", "claim_5", "potentials"},
        ),
    ],
)
def test_claims_are_printed_and_written(tmp_path, capsys, name, wrong, words, figures):
    MAIN[name](["--out", str(tmp_path), "--draws", "2"])
    printed = " ".join(capsys.readouterr().out.split())
    for word in words:
        assert word in printed
    result = json.loads((tmp_path / "claims.json").read_text())
    assert result["sound"]
    found = [row["claim"] for row in result["rows"] if row["agrees"] is False]
    assert len(found) == len(wrong)
    assert all(claim.startswith(start) for claim, start in zip(found, wrong, strict=True))
    assert "| claim | stated | computed |" in (tmp_path / "claims.md").read_text()
    assert {path.stem for path in tmp_path.glob("*.png")} == figures


def test_the_joint_is_worked_out_by_hand():
    """P(D = yes) of the made-up tables, summed over all others."""
    content = json.loads((EXAMPLES.parent / "data" / "bayesian_network.json").read_text())
    tables = {table["node"]: table["values"] for table in content["network"]["tables"]}
    two = range(2)
    total = sum(
        tables["M"][m] * tables["S"][s] * tables["F"][f] * tables["I"][m][s][i] * tables["T"][i][f][t]
        * tables["D"][i][t][1]
        for m in two for s in two for f in two for i in two for t in two
    )  # fmt: skip
    assert f"{total:.4f}" == "0.0638"


@pytest.mark.parametrize("name", MAIN)
def test_bad_files_are_refused_in_one_sentence(tmp_path, name):
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    (tmp_path / "file").write_text("")
    other = "markov_network" if name != "markov_network" else "bayesian_network"
    for arguments, message in (
        (["--exercise", str(bad)], "line 1 column 2"),
        (["--exercise", str(tmp_path / "none.json")], "there is no such file"),
        (["--exercise", str(EXAMPLES.parent / "data" / f"{other}.json")], "expected a "),
        (["--draws", "0"], "draws must be a whole number"),
        (["--out", str(tmp_path / "file" / "out")], "cannot write in"),
    ):
        with pytest.raises(SystemExit) as stopped:
            MAIN[name](["--out", str(tmp_path / "out"), *arguments])
        assert message in str(stopped.value.code)
        assert "\n" not in str(stopped.value.code)


def test_a_script_runs_from_anywhere(tmp_path):
    command = [sys.executable, str(EXAMPLES / "markov_network.py"), "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (tmp_path / "out" / "markov_network" / "claims.json").is_file()
