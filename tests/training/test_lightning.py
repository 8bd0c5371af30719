"""A pair under Lightning's trainer, on the CPU."""

import logging
import sys

import pytest
import torch
from helpers.small import binary, make_pair, weights
from torch.utils.data import DataLoader, TensorDataset

import pyrogen as pg

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's, of workers and checkpoints


def test_lightning_trains_a_pair_on_its_objective(tmp_path):
    lightning = pytest.importorskip("lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    pair, mine = make_pair(), make_pair()
    module = pg.training.lightning_module(pair, lr=0.01)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=15,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    train = DataLoader(TensorDataset(binary(), torch.arange(100)), batch_size=10)
    torch.manual_seed(3)
    trainer.fit(module, train, DataLoader(TensorDataset(binary(20)), batch_size=10))
    logged = trainer.callback_metrics
    assert {"train_objective", "train_kl", "val_elbo"} <= set(logged)
    # its last batch by hand, from the weights before the last step, needs its noise; the direction is what counts
    before = pg.training.elbo_terms(mine, binary()).objective.item()
    assert pg.training.elbo_terms(pair, binary()).objective.item() < before
    assert module.pair is pair
    assert not all(torch.equal(a, b) for a, b in zip(weights(pair), weights(mine), strict=True))


def test_the_loss_of_a_step_is_the_objective():
    pytest.importorskip("lightning")
    pair, x = make_pair(), binary(20)
    module = pg.training.lightning_module(pair)
    module.log_dict = lambda *args, **settings: None
    for batch in (x, [x, torch.zeros(20)], {"image": x}):
        torch.manual_seed(0)
        loss = module.training_step(batch, 0)
        torch.manual_seed(0)
        assert loss.item() == pg.training.elbo_terms(pair, x).objective.item()
    assert isinstance(module.configure_optimizers(), torch.optim.Adam)


def test_what_lightning_cannot_train_is_refused(monkeypatch):
    pytest.importorskip("lightning")
    with pytest.raises(TypeError, match="pair must be a pyrogen pair"):
        pg.training.lightning_module(torch.nn.Linear(2, 2))
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(ImportError, match="pip install lightning"):
        pg.training.lightning_module(make_pair())
