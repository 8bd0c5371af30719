"""The examples on labels, two layers and missing pixels: what they write, say and refuse."""

import json
import runpy
from pathlib import Path

import pytest
import torch

import pyrogen as pg

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("script", "pictures", "key"),
    [
        ("labels", {"samples_by_digit"}, "accuracy"),
        ("two_layer", {"samples"}, "scores"),
        ("missing_pixels", {"filled"}, "errors"),
    ],
)
def test_a_smoke_run_writes_table_figures_and_numbers(script, pictures, key, tmp_path, capsys):
    runpy.run_path(str(EXAMPLES / f"{script}.py"))["main"](["--smoke", "--out", str(tmp_path)])
    assert json.loads((tmp_path / f"{script}.json").read_text())[key]
    printed = capsys.readouterr().out
    assert (tmp_path / "table.txt").read_text() in printed
    assert "its numbers mean nothing" in printed
    assert {path.stem for path in tmp_path.glob("*.png")} == pictures


def test_the_second_layer_is_measured_on_dsprites_too(tmp_path):
    runpy.run_path(str(EXAMPLES / "two_layer.py"))["main"](["--smoke", "--data", "dsprites", "--out", str(tmp_path)])
    result = json.loads((tmp_path / "two_layer.json").read_text())
    assert result["weights"]["one layer"] > 2 * 4096 * 16
    assert set(result["standard_errors"]["two layers"][0]) == {"elbo", "nll"}


def test_settings_are_chosen_without_the_held_out_digits(tmp_path, monkeypatch):
    example = runpy.run_path(str(EXAMPLES / "labels.py"))
    arguments = example["arguments"](["--smoke", "--choose"])
    seen = []

    def few_labels(args, train, test, number, seed):
        seen.append((train[0], test[0]))
        return {"semi_supervised": args.alpha}

    monkeypatch.setitem(example["choose"].__globals__, "few_labels", few_labels)
    train = pg.datasets.Digits(levels="binary").split(1_297, 500, seed=0)[0]
    table = example["choose"](arguments, train)
    assert [row["alpha"] for row in table] == [1.0, 0.1]  # the best first
    rows = {tuple(row) for row in train.images(range(1_297)).flatten(1).tolist()}
    for trained, validated in seen:
        assert (len(trained), len(validated)) == (1_047, 250)
        assert all(tuple(row) in rows for row in torch.cat((trained, validated)).flatten(1).tolist())
