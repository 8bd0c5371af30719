"""The β-TCVAE example: what it writes, says and refuses."""

import json
import runpy
from pathlib import Path

main = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "tc_vae.py"))["main"]


def test_tc_vae_smoke(tmp_path, capsys):
    main(["--smoke", "--warmup", "2", "--latent", "3", "--out", str(tmp_path)])
    result = json.loads((tmp_path / "tc_vae.json").read_text())
    assert list(result["models"]) == ["VAE", "β-VAE, β = 4", "β-TCVAE, β = 4", "β-TCVAE, β = 10"]
    for row in result["models"].values():
        assert {"kl", "mutual_information", "total_correlation", "dimension_wise_kl", "mig"} <= row.keys()
    printed = capsys.readouterr().out
    assert (tmp_path / "table.txt").read_text() in printed
    assert "its numbers mean nothing" in printed
    pictures = {path.stem for path in tmp_path.glob("*.png")}
    assert pictures == {"training", "reconstructions", "mutual_information", "traversals_beta_vae", "traversals_tc_vae"}
    assert "total_correlation" in (tmp_path / "history_0.csv").read_text().splitlines()[0]
