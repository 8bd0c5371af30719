"""The examples on labels, two layers and missing pixels: what they write, say and refuse."""

import json
import runpy
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("labels", ["--labels", "5"], "--labels must be from 10, one of each digit, to 1297"),
        ("missing_pixels", ["--missing", "1"], "--missing must be between 0 and 1, got 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(script, arguments, message, capsys):
    with pytest.raises(SystemExit):
        runpy.run_path(str(EXAMPLES / f"{script}.py"))["main"](arguments)
    assert message in capsys.readouterr().err
