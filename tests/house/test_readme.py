"""The README's Python runs as it stands, on fewer images and steps; what it names is there."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_code_runs(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 3
    code = "\n".join(blocks)
    for large, small in (("DSprites()", "DSprites(cache=None)"), ("700_000", "200"), ("10_000", "20"), ("2000", "2")):
        assert large in code
        code = code.replace(large, small)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(README), "exec"), {})
    assert {"history.csv", "vae.safetensors", "runs"} <= {path.name for path in tmp_path.iterdir()}


def test_the_readme_has_no_relative_link_and_names_files_that_exist():
    """It is also the page of the package index, where relative links lead nowhere."""
    text = README.read_text(encoding="utf-8")
    assert [link for link in re.findall(r"\]\(([^)]*)\)", text) if not link.startswith("https://")] == []
    named = re.findall(r"`((?:pyrogen|docs|tests|examples|benchmarks)/[\w./]+)`", text)
    named += [f"examples/{name}" for name in re.findall(r"`(\w+\.py)`", text)] + re.findall(r"`([A-Z]+\.md)`", text)
    assert len(named) >= 8
    assert [path for path in named if not (README.parent / path).exists()] == []
