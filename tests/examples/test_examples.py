"""The example scripts run, say what they do, and refuse what they cannot do before they begin."""

import importlib.util
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))


def main_of(script: str):
    """The script's main, without the seconds that a process of its own takes to import torch."""
    spec = importlib.util.spec_from_file_location(f"example_{script.removesuffix('.py')}", EXAMPLES / script)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module.main


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_names_every_option(script, capsys):
    with pytest.raises(SystemExit) as ended:
        main_of(script)(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    options = re.findall(r'add\(\s*"(--[a-z-]+)"', (EXAMPLES / script).read_text())
    assert "--smoke" in options
    assert all(option in shown for option in options)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[str] = []
        self.references: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "img":
            self.images.append(values["src"])
        self.references += [values[key] for key in ("src", "href") if values.get(key) and tag != "a"]


def test_beta_vae_dsprites(tmp_path, capsys):
    def run(*options: str) -> None:
        main_of("beta_vae_dsprites.py")(["--smoke", "--out", str(tmp_path), *options])

    run("--betas", "0.5", "4", "--latent", "3", "--seeds", "2")
    assert "Report:" in capsys.readouterr().out
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert list(scores["models"]) == ["β = 0.5", "β = 4", "β-TCVAE"]
    for label, model in scores["models"].items():
        if label != "β-TCVAE":  # whose objective has the total correlation beside these
            assert model["objective"] == pytest.approx(model["reconstruction"] + model["beta"] * model["kl"], rel=1e-6)
        assert model["metrics"]["mig"]["estimator"] == "histogram"
        assert model["metrics"]["mig_posterior"]["estimator"] == "posterior"
    assert len(list((tmp_path / "runs" / "seeds").glob("*/result.json"))) == 4
    page = Page(text := (tmp_path / "report.html").read_text())
    assert "no latent of its own for position x, position y, scale" in text  # after five steps
    pictures = {path.stem for path in tmp_path.glob("*.png")}
    assert len(page.images) == len(pictures) == 10
    assert all(reference.startswith("data:image/png;base64,") for reference in page.references)
    assert {"loss_curves", "reconstructions", "samples", "kl_per_latent", "pca_by_shape", "seeds"} <= pictures

    # The second run finds the first one's checkpoints and more steps go on from there.
    weights = tmp_path / "runs" / "beta-4" / "checkpoint.safetensors"
    before = weights.read_bytes()
    run("--betas", "4", "--latent", "3", "--tc-steps", "0")
    assert weights.read_bytes() == before
    with pytest.raises(SystemExit, match="belongs to another run"):
        run("--betas", "4", "--latent", "2")
    assert weights.read_bytes() == before


def test_vae_dsprites(tmp_path, capsys):
    main_of("vae_dsprites.py")(["--smoke", "--latent", "3", "--warmup", "2", "--out", str(tmp_path)])
    assert "nats per image" in capsys.readouterr().out
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["images"] == 200
    assert {"loss_curves.png", "vae.safetensors", "history.csv"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("tc_vae", ["--beta", "10"], "--higher must be another β than --beta, and both are 10"),
        ("tc_vae", ["--beta", "-1"], "beta must be a finite number of at least 0, got -1"),
        ("tc_vae", ["--batch-size", "1"], "a batch must have at least two images to estimate"),
        ("tc_vae", ["--device", "abacus"], "abacus"),
        ("sc_vae", ["--sparsity", "1"], "below 1"),
        ("sc_vae", ["--noise", "0"], "must be a finite number above 0"),
        ("sc_vae", ["--atoms", "0"], "whole number of at least 1"),
        ("sc_vae", ["--steps", "many"], "--steps"),
        ("vamp_prior", ["--components", "0"], "at least 1"),
        ("vamp_prior", ["--steps", "0"], "steps must be a whole number"),
        ("vamp_prior", ["--latent", "0"], "latent must be a whole number of at least 1"),
        ("vamp_prior", ["--device", "abacus"], "must be one that can be used here"),
        ("ae_vs_vae", ["--latent", "1"], "--latent must be at least 2"),
        ("ae_vs_vae", ["--steps", "0"], "steps must be a whole number"),
        ("ae_vs_vae", ["--permutations", "0"], "--permutations must be at least 1, got 0"),
        ("elbo_gamma", ["--x", "-1"], "finite and at least 0"),
        ("elbo_gamma", ["--x", "nan"], "finite and at least 0"),
        ("elbo_gamma", ["--steps", "0"], "--steps"),
        ("vq_vae", ["--data", "digits", "--codes", "0"], "codes must be a whole number of at least 1"),
        ("vq_vae", ["--data", "digits", "--codes", "99999"], "distinct vectors, one a code"),
        ("vq_vae", ["--data", "digits", "--commitment", "-1"], "commitment must be a finite number of at least 0"),
        ("vq_vae", ["--data", "digits", "--steps", "0"], "steps must be a whole number"),
        ("labels", ["--labels", "5"], "--labels must be from 10, one of each digit, to 1297"),
        ("missing_pixels", ["--missing", "1"], "--missing must be between 0 and 1, got 1"),
        ("beta_vae_dsprites", ["--betas", "-1"], "--betas must be"),
        ("beta_vae_dsprites", ["--betas", "4", "4"], "--betas must be different"),
        ("beta_vae_dsprites", ["--device", "abacus"], "--device abacus cannot be used"),
        ("beta_vae_dsprites", ["--steps", "0"], "steps must be a whole number"),
        ("beta_vae_dsprites", ["--latent", "0"], "latent must be a whole number of at least 1, got 0"),
        ("beta_vae_dsprites", ["--data", "no-such-file.npz"], "no-such-file.npz"),
    ],
)
def test_bad_options_give_one_sentence(tmp_path, capsys, script, arguments, message):
    with pytest.raises(SystemExit) as refused:  # with a sentence, which Python prints and exits with 1
        main_of(f"{script}.py")(["--smoke", *arguments, "--out", str(tmp_path)])
    assert refused.value.code not in (0, None)
    assert message in (said := f"{refused.value.code} {capsys.readouterr().err}")
    assert "Traceback" not in said


@pytest.mark.parametrize("script", ["vae_dsprites.py", "beta_vae_dsprites.py"])
def test_an_output_folder_that_cannot_be_written_is_refused_at_once(tmp_path, script):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="cannot write in"):
        main_of(script)(["--smoke", "--out", str(tmp_path / "file" / "out")])
