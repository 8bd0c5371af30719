"""The example of part 7: what it compares, writes and refuses."""

import json
import runpy
from pathlib import Path

main = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "ae_vs_vae.py"))["main"]


def test_ae_vs_vae_smoke(tmp_path, capsys):
    main(["--smoke", "--latent", "2", "--seed", "3", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert (tmp_path / "table.txt").read_text() in printed
    assert "its numbers mean nothing" in printed
    assert "refused, pixels must be 0 or 1 for a Bernoulli likelihood" in printed
    assert {path.name for path in tmp_path.glob("*.png")} == {"samples.png", "latent_space.png", "reconstructions.png"}

    result = json.loads((tmp_path / "ae_vs_vae.json").read_text())
    assert result["settings"] | {"data": "digits", "latent": 2, "seed": 3, "held_out": 500} == result["settings"]
    baseline, vae, ae, fitted, *_ = result["samples"]["gray, Gaussian, noise learned"].values()
    for row in (vae, ae, fitted):  # hardly trained: nothing that they draw is near the data
        for kind in ("draws", "means"):
            for name, tested in row[kind].items():
                assert tested["value"] > 10 * abs(baseline[kind][name]["value"])
                assert tested["details"]["p_value"] == 1 / 20
                assert tested["settings"]["sizes"] == [500, 500]
    qualities = result["likelihoods"]
    assert {name.split(",")[0] for name in qualities} == {"VAE", "AE"}
    for name, row in qualities.items():
        assert row["squared_error"] > 0
        assert (row["kl"] is None) == (row["scores"]["elbo"] is None) == name.startswith("AE")
        assert (row["cross_entropy"] is None) == ("gray" in name)
