"""Train, save and load one pair from the wheel that `make wheel` installed in a fresh environment."""

import sys
from importlib.metadata import metadata
from pathlib import Path

import torch

import pyrogen as pg

package = Path(pg.__file__).parent
assert Path(sys.prefix) in package.parents, f"{package} is not the installed wheel"
assert (package / "py.typed").is_file()
assert "](docs/" not in metadata("pyrogen").get_payload()

x = pg.datasets.Digits(levels="binary").images(torch.arange(500))
encoder, decoder = pg.nn.MLPEncoder(x.shape[1:], latent=4), pg.nn.MLPDecoder(x.shape[1:], latent=4)
pair = pg.models.VAE(encoder, decoder)
before = pg.evaluate(pair, x).elbo
pg.fit(pair, x, steps=300, batch_size=50, seed=0, progress=False)
scores = pg.evaluate(pair, x, metrics=[])
assert before is not None
assert scores.elbo is not None
assert scores.elbo > before
pg.save(pair, "pair.safetensors")
assert torch.equal(pg.load("pair.safetensors").beta, pair.beta)
assert len(pg.pretrained()) == 9
assert pg.pretrained("dsprites-tcvae").sample(2).shape == (2, 1, 64, 64)
print(f"pyrogen {pg.__version__} with torch {torch.__version__}: ELBO {before:.1f} -> {scores.elbo:.1f} nats per image")
