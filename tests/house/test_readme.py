"""The README's Python runs as it stands, on fewer images and steps."""

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
