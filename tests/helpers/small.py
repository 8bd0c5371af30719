"""A pair and data small enough for a step to take half a millisecond."""

from typing import Any

import torch

import pyrogen as pg

SHAPE = (4, 4)


def make_pair(beta: float = 2.0, likelihood: Any = "bernoulli", seed: int = 1) -> pg.models.VAE:
    torch.manual_seed(seed)
    encoder = pg.nn.MLPEncoder(SHAPE, latent=3, hidden=(8,))
    return pg.models.VAE(encoder, pg.nn.MLPDecoder(SHAPE, latent=3, likelihood=likelihood, hidden=(8,)), beta=beta)


def binary(n: int = 100) -> torch.Tensor:
    return torch.bernoulli(torch.full((n, *SHAPE), 0.3), generator=torch.Generator().manual_seed(0))


def weights(pair: pg.models.VAE) -> list[torch.Tensor]:
    return [p.detach().clone() for p in pair.parameters()]


def same(a: pg.models.VAE, b: pg.models.VAE) -> bool:
    return all(torch.equal(p, q) for p, q in zip(weights(a), weights(b), strict=True))


def quiet(pair: pg.models.VAE, data: Any, **settings: Any) -> pg.training.Fit:
    return pg.fit(pair, data, **({"batch_size": 10, "progress": False} | settings))
