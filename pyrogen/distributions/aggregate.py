r"""The aggregated posterior q(z) = 1/N Σₙ q(z | xₙ), estimated from a batch, and what the KL splits into with it.

With z ~ q(z | x) and images drawn uniformly,

    KL(q(z | x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ Πₗ q(zₗ)) + Σₗ KL(q(zₗ) ‖ p(zₗ))

on average: mutual information, total correlation and dimension-wise KL. p must factorize. (Hoffman and Johnson 2016,
http://approximateinference.org/accepted/HoffmanJohnson2016.pdf; Chen et al. 2018, https://arxiv.org/abs/1802.04942).
Everything is in nats. The functions are pure and do not branch on values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import torch
from pyro.distributions import Normal
from torch import Tensor
from torch.distributions import Distribution, Independent

from pyrogen import checks, tensors
from pyrogen.distributions.wrappers import is_point

Estimator: TypeAlias = Literal["stratified", "weighted"]
ESTIMATORS: tuple[str, ...] = get_args(Estimator)


@dataclass(frozen=True)
class Decomposition:
    """The parts of log q(z | x) − log p(z) at draws z, one value a draw; their mean is the parts of the KL.

    Attributes:
        mutual_information: log q(z | x) − log q(z), (…, M) nats.
        total_correlation: log q(z) − Σₗ log q(zₗ), (…, M) nats.
        dimension_wise_kl: Σₗ log q(zₗ) − log p(z), (…, M) nats.
    """

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise_kl: Tensor


def decompose(
    q: Distribution, p: Distribution, z: Tensor, size: int | None = None, estimator: Estimator = "stratified"
) -> Decomposition:
    """Split log q(z | x) − log p(z) into its three parts, with q(z) estimated from the batch that q belongs to.

    Args:
        q: q(z | x) of B images, a product over the latents: batch shape (B,), event shape (L,).
        p: p(z), event shape (L,).
        z: draws (…, M, L), the i-th from the i-th image's posterior. M is B, or less if only the first images have a
            draw and the rest serve to estimate q(z).
        size: N, the number of images from which the B were drawn without replacement; ``None`` means that these
            are all, and then "stratified" is exact.
        estimator: see `log_weights`.

    Returns:
        The three parts, each (…, M): mutual information, total correlation and dimension-wise KL.

    Raises:
        TypeError: if q is a point, or does not factorize over the latents.
        ValueError: for an unknown estimator, N < B, or one image that stands for several.

    Example:
        >>> import torch
        >>> from pyro import distributions as dist
        >>> from pyrogen.distributions import decompose
        >>> q = dist.Normal(torch.tensor([[-9.0, -9.0], [9.0, 9.0]]), 1.0).to_event(1)  # two clusters on a diagonal
        >>> parts = decompose(q, dist.Normal(torch.zeros(2), 1.0).to_event(1), q.mean)
        >>> parts.total_correlation  # log 2: one latent tells the other
        tensor([0.6931, 0.6931])
    """
    z = _draws(q, z)
    _check_prior(p, q)
    log_q = pairwise_log_prob(q, z)  # (…, M, B, L)
    rows, batch = log_q.shape[-3:-1]
    weights = log_weights(batch, batch if size is None else size, estimator, rows).to(log_q)
    joint, product = log_aggregate(log_q, weights)
    own = log_q.sum(-1).diagonal(dim1=-2, dim2=-1)  # (…, M)
    with _within_support():
        return Decomposition(own - joint, joint - product, product - p.log_prob(z))


def decompose_all(
    posteriors: Sequence[Independent[Distribution]],
    p: Distribution,
    z: Tensor,
    size: int | None = None,
    estimator: Estimator = "stratified",
    at_once: int = 2_000_000,
) -> Decomposition:
    """Split the KL with q(z) estimated from the images of many batches, whatever the batches' sizes.

    It is `decompose` of all of them together, in bounded memory.

    Args:
        posteriors: q(z | x) of each batch, products over the latents; B images in all.
        p: p(z), event shape (L,).
        z: one draw (M, L) from the posterior of each of the first M images, M ≤ B.
        size: N, as for `decompose`.
        estimator: see `log_weights`.
        at_once: how many log q(zₗ | x) are held at a time.

    Returns:
        The three parts at each draw, each (M,), as `decompose` has them.

    Raises:
        TypeError, ValueError: as `decompose`.

    Example:
        >>> import torch
        >>> from pyro import distributions as dist
        >>> from pyrogen.distributions import decompose, decompose_all
        >>> q = dist.Normal(torch.randn(6, 2), 1.0).to_event(1)
        >>> halves = [dist.Normal(part, 1.0).to_event(1) for part in q.mean.split(3)]
        >>> p, z = dist.Normal(torch.zeros(2), 1.0).to_event(1), q.sample()
        >>> whole, parts = decompose(q, p, z), decompose_all(halves, p, z)
        >>> torch.allclose(whole.total_correlation, parts.total_correlation, atol=1e-5)
        True
    """
    if isinstance(posteriors, torch.Tensor | str | Distribution) or not isinstance(posteriors, Sequence):
        raise TypeError(f"posteriors must be a list of distributions, got {checks.shown(posteriors)}")
    if not posteriors:
        raise ValueError("posteriors must be one batch or more, got none")
    at_once = checks.whole("at_once", at_once, least=1)
    for q in posteriors:
        z = _draws(q, z)
        pairwise_log_prob(q, z[:0] if z.dim() else z)  # refuses what is not a product
        _check_prior(p, q)
    batch = sum(int(q.batch_shape[0]) for q in posteriors)
    if z.dim() != 2 or not 1 <= len(z) <= batch:
        raise ValueError(f"z must be draws (M, L) of the first M of {batch} images, got {tuple(z.shape)}")
    weights = log_weights(batch, batch if size is None else size, estimator, rows=min(2, batch))
    own_weight, other = float(weights[0, 0]), float(weights[0, -1])
    rows = max(1, at_once // max(1, max(int(q.batch_shape[0]) for q in posteriors) * z.shape[-1]))
    parts = []
    for start in range(0, len(z), rows):
        block = z[start : start + rows]
        joints, marginals, own, before = [], [], torch.zeros(len(block)).to(z), 0
        for q in posteriors:
            with _within_support():
                log_q = q.base_dist.log_prob(block.unsqueeze(-2))  # (m, B of this batch, L)
            logs = log_q.new_full(log_q.shape[:2], other)
            for i in range(max(start, before), min(start + len(block), before + log_q.shape[1])):
                logs[i - start, i - before] = own_weight
                own[i - start] = log_q[i - start, i - before].sum()
            joints.append((log_q.sum(-1) + logs).logsumexp(-1))
            marginals.append((log_q + logs.unsqueeze(-1)).logsumexp(-2))
            before += log_q.shape[1]
        all_joint = torch.stack(joints).logsumexp(0)
        all_product = torch.stack(marginals).logsumexp(0).sum(-1)
        with _within_support():
            parts.append((own - all_joint, all_joint - all_product, all_product - p.log_prob(block)))
    return Decomposition(*(torch.cat(part) for part in zip(*parts, strict=True)))


def pairwise_log_prob(q: Distribution, z: Tensor) -> Tensor:
    """Return log q(zᵢₗ | xⱼ) for draws z (…, M, L) and posteriors of B images: (…, M, B, L) nats.

    Args:
        q: the posteriors, batch shape (B,), event shape (L,), a product over the latents.
        z: the draws, (…, M, L) with M ≤ B.

    Raises:
        TypeError: if q does not factorize over the latents (``.to_event(1)``), or is a point, which has no density.
        ValueError: if q is not one distribution over (L,) for each of B images, or z has another L, or M > B.
    """
    z = _draws(q, z)
    if not (isinstance(q, Independent) and q.reinterpreted_batch_ndims == 1 and len(q.event_shape) == 1):
        raise TypeError(
            f"q(z | x) must be a product over the latents, such as Normal(loc, scale).to_event(1), got a "
            f"{type(q).__name__} over {tuple(q.event_shape)}"
        )
    if is_point(q):
        raise TypeError("q(z | x) must have a density, got a point (a Delta): use an encoder that returns a Normal")
    if len(q.batch_shape) != 1 or z.dim() < 2 or z.shape[-1:] != q.event_shape or z.shape[-2] > q.batch_shape[0]:
        raise ValueError(
            f"q must have batch shape (B,) and z the shape (…, M, L) with M ≤ B, got {tuple(q.batch_shape)} "
            f"with L = {q.event_shape[0]}, and {tuple(z.shape)}"
        )
    base, z = q.base_dist, z.unsqueeze(-2)
    with _within_support():
        if type(base) is not Normal:
            output: Tensor = base.log_prob(z)
            return output
        if base._validate_args:
            base._validate_sample(z)
    rate = base.scale.reciprocal()  # one division a posterior and none a pair
    return rate.log() - 0.5 * math.log(2 * math.pi) - 0.5 * ((z - base.loc) * rate).square()


def _draws(q: Any, z: Any) -> Tensor:
    """Return draws in the type of the posterior's means."""
    if not isinstance(q, Distribution):
        raise TypeError(f"q must be a distribution, got {checks.shown(q)}")
    z = checks.tensor("z", z)
    mean = getattr(q, "mean", None)
    return tensors.like("z", z, mean) if isinstance(mean, Tensor) else z


def _check_prior(p: Any, q: Any) -> None:
    if not isinstance(p, Distribution):
        raise TypeError(f"p must be a distribution, got {checks.shown(p)}")
    if p.event_shape != q.event_shape or p.batch_shape.numel() != 1:
        found = f"event shape {tuple(p.event_shape)} and batch shape {tuple(p.batch_shape)}"
        raise ValueError(f"p must be one distribution with the event shape {tuple(q.event_shape)} of q, got {found}")


@contextmanager
def _within_support() -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # with validation on
        raise ValueError("z must be finite and within the support of q and p, and some of it is not") from error


def log_aggregate(log_q: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """log Σⱼ wᵢⱼ Πₗ q(zᵢₗ | xⱼ) and Σₗ log Σⱼ wᵢⱼ q(zᵢₗ | xⱼ), the estimates of log q(zᵢ) and log Πₗ q(zᵢₗ).

    Args:
        log_q: log q(zᵢₗ | xⱼ), (…, M, B, L).
        log_weights: log wᵢⱼ, (M, B).

    Returns:
        Two tensors (…, M), in nats.
    """
    log_q = checks.tensor("log_q", log_q)
    log_weights = tensors.like("log_weights", log_weights, log_q) if log_q.is_floating_point() else log_weights
    if log_q.dim() < 3 or not log_q.is_floating_point() or tuple(log_weights.shape) != tuple(log_q.shape[-3:-1]):
        raise ValueError(
            f"log_q must be floating-point numbers (…, M, B, L) and log_weights (M, B), got {checks.shown(log_q)} and "
            f"{checks.shown(log_weights)}"
        )
    joint = _log_sum_exp(log_q.sum(-1) + log_weights, -1)
    marginals = _log_sum_exp(log_q + log_weights.unsqueeze(-1), -2)  # (…, M, L)
    return joint, marginals.sum(-1)


def _log_sum_exp(values: Tensor, dim: int) -> Tensor:
    """``logsumexp``, whose gradient takes each exponential from the forward pass."""
    if not values.numel():
        return values.logsumexp(dim)
    limits = torch.finfo(values.dtype)
    most = values.detach().amax(dim, keepdim=True).clamp(limits.min, limits.max)
    return (values - most).exp().sum(dim).log() + most.squeeze(dim)


def log_weights(batch: int, size: int, estimator: Estimator = "stratified", rows: int | None = None) -> Tensor:
    r"""Return log wᵢⱼ, (B, B) float64, with which Σⱼ wᵢⱼ q(z | xⱼ) estimates q(z) at a z of image i.

    *Stratified*: image i is certain to be in the batch, any other has the chance (B − 1) / (N − 1). So its own
    posterior counts 1/N, and the others share the rest:

        wᵢᵢ = 1 / N,    wᵢⱼ = (N − 1) / (N (B − 1)) for j ≠ i.

    Each row sums to one, q(z) and each q(zₗ) are estimated without bias at given z, and for B = N exactly. Their
    logarithms are biased by −Var/2 to first order, as any logarithm of a mean. Chen et al. (2018, appendix C.2) give
    one of the other images (N − B + 1) / (N (B − 1)) and the rest 1 / (B − 1). These weights are the mean over which
    image that is, so they have the same expectation and less variance. (Code in wide use fills the columns 0 and 1 of
    the matrix in place of the diagonal and the one beside it. Then its own image is weighed like any other, one row
    does not sum to one, and the estimate is biased.)

    *Weighted*: wᵢⱼ = 1 / (N B). It is low: each log q by log N where posteriors overlap wholly and by log B where they
    do not at all. A constant does not matter to a gradient. As a number the total correlation is then off by (L − 1)
    log N in the first case. It is off by L log N − log B where the latents overlap one by one and not together.

    Args:
        batch: B.
        size: N ≥ B.
        estimator: ``"stratified"`` or ``"weighted"``.
        rows: how many of the B rows to make, the first ones; by default all.

    Raises:
        ValueError: for another estimator, N < B, or one image that stands for several.

    Example:
        >>> from pyrogen.distributions import log_weights
        >>> log_weights(3, 10).exp()
        tensor([[0.1000, 0.4500, 0.4500],
                [0.4500, 0.1000, 0.4500],
                [0.4500, 0.4500, 0.1000]], dtype=torch.float64)
    """
    checks.one_of("estimator", estimator, ESTIMATORS)
    batch, size = checks.whole("batch", batch), checks.whole("size", size)
    if not 1 <= batch <= size:
        raise ValueError(f"batch must be from 1 to the size of the data, {size}, got {batch}")
    if batch == 1 < size:
        raise ValueError(f"a batch must have at least two images to estimate q(z), got one of {size}")
    checks.whole("batch", batch, most=30_000)  # the weights are a matrix
    rows = batch if rows is None else checks.whole("rows", rows, least=0, most=batch)
    shape = (rows, batch)
    if estimator == "weighted":
        return torch.full(shape, -math.log(size * batch), dtype=torch.float64)
    others = (size - 1) / (size * (batch - 1)) if batch > 1 else 1.0
    return torch.full(shape, math.log(others), dtype=torch.float64).fill_diagonal_(-math.log(size))
