"""How each public callable is called with sound arguments. A new public callable needs a line here.

An entry makes its arguments anew for each call. ``"*"`` holds positional arguments, which are not attacked: where a
method is fuzzed, they hold its object. Only what is cheap belongs here: small arrays, few steps.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import torch
from pyro import distributions as dist

import pyrogen as pg

Arguments = dict[str, Any]
SHAPE = (4, 4)


def args(*positional: Any, **arguments: Any) -> Arguments:
    """The arguments of a call."""
    return {"*": positional, **arguments} if positional else arguments


RECORDS = {  # what functions return: nobody makes these by hand
    "CheckpointError",
    "DivergenceError",
    "PyrogenError",
    "Described",
    "distributions.CodeDistribution",
    "distributions.Decomposition",
    "evaluation.Draws",
    "evaluation.ElboTerms",
    "evaluation.Scores",
    "exercises.Exercise",
    "exercises.Grades",
    "exercises.Mark",
    "exercises.Row",
    "exercises.Verdicts",
    "explore.explore",  # serves a page
    "explore.explorer",  # makes one
    "graphs.Assignment",
    "graphs.BlockedTrail",
    "graphs.Dependence",
    "graphs.Factorization",
    "graphs.Independence",
    "graphs.Learned",
    "graphs.Maximized",
    "graphs.Posterior",
    "graphs.PyroNetwork",
    "metrics.Score",
    "metrics.TwoSampleScore",
    "models.Pair",
    "nn.Autoregressive",
    "nn.Decoder",
    "nn.Encoder",
    "nn.GridDecoder",
    "nn.GridEncoder",
    "nn.Likelihood",
    "nn.SparseCoder",
    "nn.SparseDecoder",
    "nn.SparseEncoder",
    "oracles.labels.Optimum",
    "oracles.linear_autoencoder.LinearAutoencoder",
    "oracles.ppca.PPCA",
    "oracles.total_correlation.Split",
    "testing.Calibration",
    "testing.Finding",
    "testing.Report",
    "testing.Result",
    "training.Callback",
    "training.Feedback",
    "training.Fit",
    "training.Schedule",
    "training.State",
    "training.Terms",
}


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def codes(n: int = 60) -> np.ndarray:
    return rng().normal(size=(n, 3))


def factors(n: int = 60) -> np.ndarray:
    return np.stack([np.arange(n) % 3, np.arange(n) // 3 % 2], axis=1)


def binary(n: int = 12) -> torch.Tensor:
    return (torch.arange(n * 16).reshape(n, *SHAPE) % 3 == 0).float()


def encoder(**more: Any) -> pg.nn.MLPEncoder:
    return pg.nn.MLPEncoder(SHAPE, 2, hidden=(4,), **more)


def decoder() -> pg.nn.MLPDecoder:
    return pg.nn.MLPDecoder(SHAPE, 2, hidden=(4,))


def vae() -> pg.models.VAE:
    return pg.models.VAE(encoder(), decoder())


def lit() -> pg.models.VAE:
    with contextlib.suppress(ImportError):
        importlib.import_module("lightning")  # outside of a call's time limit
    return vae()


def labelled_encoder() -> pg.nn.MLPEncoder:
    return pg.nn.MLPEncoder((19,), 2, hidden=(4,))


def labelled_decoder() -> pg.nn.MLPDecoder:
    return pg.nn.MLPDecoder(SHAPE, 5, hidden=(4,))


def labelled(**more: Any) -> pg.models.ConditionalVAE:
    return pg.models.ConditionalVAE(labelled_encoder(), labelled_decoder(), 3, **more)


def classifier() -> pg.nn.MLPClassifier:
    return pg.nn.MLPClassifier(SHAPE, 3, hidden=(4,))


def sparse() -> pg.models.SCVAE:
    shared = dictionary()
    coder = pg.nn.SparseLinearEncoder(SHAPE, pg.nn.FISTA(shared, steps=2))
    return pg.models.SCVAE(coder, pg.nn.SparseLinearDecoder(SHAPE, shared))


def two_layers() -> pg.models.TwoLayerVAE:
    top = pg.nn.MLPEncoder((2,), 2, hidden=(4,)), pg.nn.MLPEncoder((2,), 2, hidden=(4,))
    return pg.models.TwoLayerVAE(encoder(), decoder(), *top)


def quantizing() -> pg.models.VQVAE:
    sizes: Arguments = {"grid": (2, 2), "dim": 3, "hidden": (4,)}
    return pg.models.VQVAE(pg.nn.MLPGridEncoder(SHAPE, **sizes), pg.nn.MLPGridDecoder(SHAPE, **sizes), codebook())


def codebook() -> pg.nn.Codebook:
    return pg.nn.Codebook(5, 3)


def masked() -> pg.nn.PixelCNN:
    return pg.nn.PixelCNN((2, 2), 5, channels=4, layers=1)


def normal(*shape: int) -> dist.TorchDistribution:
    return dist.Normal(torch.zeros(shape), torch.ones(shape)).to_event(1)


def dictionary(size: int = 16) -> pg.nn.Dictionary:
    return pg.nn.Dictionary(size, atoms=6)


def dag() -> Any:
    from pgmpy.base import DAG

    return DAG([("a", "b"), ("b", "c"), ("d", "c")])


def ug() -> Any:
    import networkx as nx

    return nx.Graph([("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")])


def network() -> Any:
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    made = DiscreteBayesianNetwork([("a", "b")])
    made.add_cpds(TabularCPD("a", 2, [[0.3], [0.7]]), TabularCPD("b", 2, [[0.2, 0.6], [0.8, 0.4]], ["a"], [2]))
    return made


def records() -> Any:
    import pandas

    return pandas.DataFrame({"a": [0, 1, 1, 0, None], "b": [1, 1, 0, 0, 1]})


def swept() -> Any:
    import pandas

    return pandas.DataFrame({"beta": [1, 1, 4, 4], "seed": [0, 1, 0, 1], "kl": [9.0, 8.0, 4.0, 5.0], "error": ""})


def model(x: torch.Tensor) -> None:
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


def guide(x: torch.Tensor) -> None:
    loc = pyro.param("loc", torch.tensor(0.0))
    pyro.sample("z", dist.Normal(loc, 0.5))


def tested(**more: Any) -> Arguments:
    return {
        "model": model,
        "guide": guide,
        "args": (torch.zeros(3),),
        "kwargs": {},
        "seed": 0,
        "progress": False,
        **more,
    }


@functools.cache
def folder() -> Path:
    """A folder with a network, an exercise and a pair in files."""
    made = Path(tempfile.mkdtemp())
    pg.graphs.write_network(network(), made / "network.bif")
    pg.save(vae(), made / "pair.safetensors")
    return made


def history(*more: str) -> pg.training.History:
    made = pg.training.History(("objective", "reconstruction", "kl", "kl_0", "kl_1", *more), monitored=more)
    made.append(np.abs(rng().normal(size=(20, 9 + len(more)))))
    return made


def kept() -> pg.training.KeepBest:
    made = pg.training.KeepBest()
    weights = {f"pair.{name}": weight for name, weight in vae().state_dict().items()}
    made.load_state_dict({"best": 1.0, "best_step": 1, "weights": weights})
    return made


def gaussians() -> Arguments:
    return {"x": rng().normal(size=(3, 4)), "w": rng().normal(size=(4, 2)), "b": np.zeros(4), "sigma": 0.5}


def scored(**more: Any) -> Arguments:
    return {"codes": codes(), "factors": factors(), **more}


NAMES = ["shape", "size"]
RULES: Arguments = {"continuous": (), "leave_out": (), "factor_names": NAMES}
INFO: Arguments = {**RULES, "bins": 5, "seed": 0}
W = rng().normal(size=(4, 2))
RATE: Arguments = {"false_alarm": 1e-6}
TOP: Arguments = {"a": np.eye(2), "loc": np.zeros(2), "scale": 1.0}
P3 = np.array([0.2, 0.3, 0.5])

ENTRIES: dict[str, Callable[[], Arguments]] = {
    "datasets.DSprites": lambda: args(path="absent.npz", cache=None, progress=False),
    "datasets.DSprites.images": lambda: args(pg.datasets.DSprites(cache=None), index=np.arange(3)),
    "datasets.DSprites.factors": lambda: args(pg.datasets.DSprites(cache=None), index=np.arange(3)),
    "datasets.DSprites.index": lambda: args(pg.datasets.DSprites(cache=None), factors=np.ones((2, 5), int)),
    "datasets.DSprites.split": lambda: args(pg.datasets.DSprites(cache=None), n_train=20, n_test=10, seed=0),
    "datasets.Digits": lambda: args(levels="binary"),
    "distributions.AutoregressiveCodes": lambda: args(codebook=codebook(), network=masked()),
    "distributions.AutoregressivePrior": lambda: args(codebook=codebook(), network=masked()),
    "distributions.Flat": lambda: args(latent=3, batch_shape=(2,)),
    "distributions.GaussianMixture": lambda: args(components=3, latent=2),
    "distributions.Quantized": lambda: args(features=torch.randn(2, 2, 2, 3), codebook=codebook(), grid_dim=2),
    "distributions.UniformCodes": lambda: args(codebook=codebook(), grid=(2, 2)),
    "distributions.VampPrior": lambda: args(encoder=encoder(), pseudo_inputs=binary(3), bounds=(0.0, 1.0)),
    "distributions.decompose": lambda: args(
        q=normal(5, 2),
        p=normal(2),
        z=torch.randn(5, 2),
        size=10,
        estimator="weighted",
    ),
    "distributions.decompose_all": lambda: args(
        posteriors=[normal(5, 2)],
        p=normal(2),
        z=torch.randn(5, 2),
    ),
    "distributions.log_aggregate": lambda: args(log_q=torch.randn(4, 4, 2), log_weights=torch.zeros(4, 4)),
    "distributions.log_weights": lambda: args(batch=4, size=10, estimator="weighted", rows=None),
    "distributions.pairwise_log_prob": lambda: args(q=normal(5, 2), z=torch.randn(5, 2)),
    "evaluate": lambda: args(
        pair=vae(),
        data=binary(),
        metrics=(),
        images=8,
        nll_images=4,
        importance_samples=2,
        batch_size=4,
        seed=0,
        progress=False,
    ),
    "evaluation.pareto_k": lambda: args(log_weights=torch.randn(200, 3)),
    "evaluation.elbo_terms_per_image": lambda: args(pair=vae(), x=binary()),
    "evaluation.importance_weighted_bound": lambda: args(pair=vae(), x=binary(), samples=3, at_once=2),
    "exercises.check_exercise": lambda: args(path=folder() / "absent.json", draws=2, seed=0),
    "exercises.grade": lambda: args(
        path=folder() / "absent.json", answers=folder() / "absent.json", draws=2, seed=0, progress=False
    ),
    "explore.View": lambda: args(pair=vae(), data=binary(), samples=10, seed=0),
    "exercises.read_exercise": lambda: args(path=folder() / "absent.json"),
    "fit": lambda: args(
        pair=vae(),
        data=binary(),
        steps=1,
        batch_size=4,
        lr=1e-3,
        seed=0,
        schedule=None,
        optimizer=None,
        lr_schedule=None,
        clip_norm=None,
        validation=binary(),
        validate_every=1,
        callbacks=(),
        workers=0,
        device=None,
        checkpoint=None,
        checkpoint_every=None,
        resume=False,
        precision="float32",
        progress=False,
    ),
    "graphs.active_trail": lambda: args(dag=dag(), x=["a"], y=["c"], given=["b"]),
    "graphs.blocked_trails": lambda: args(dag=dag(), x=["a"], y=["d"], given=[], limit=5),
    "graphs.bundled": lambda: args(name=pg.graphs.bundled_names()[0]),
    "graphs.bundled_names": dict,
    "graphs.chordless_cycle": lambda: args(ug=ug()),
    "graphs.chords": lambda: args(ug=ug(), cycle=["a", "b", "c", "d"]),
    "graphs.CompiledNetwork": lambda: args(network=network(), memory=2**20),
    "graphs.compile": lambda: args(network=network(), memory=2**20),
    "graphs.most_probable": lambda: args(network=network(), k=2, evidence={"b": 0}, do=None, memory=None),
    "graphs.sample": lambda: args(network=network(), n=5, evidence={"b": 0}, do=None, seed=0, memory=None),
    "graphs.conditional_mutual_information": lambda: args(network=network(), x=["a"], y=["b"], given=[]),
    "graphs.cpdag": lambda: args(dag=dag()),
    "graphs.d_separated": lambda: args(dag=dag(), x=["a"], y=["c"], given=["b"]),
    "graphs.disagreement": lambda: args(a=dag(), b=dag()),
    "graphs.draw_trail": lambda: args(graph=dag(), trail=["a", "b", "c"]),
    "graphs.elimination_order": lambda: args(ug=ug(), heuristic="min_fill", sizes=None),
    "graphs.evidence_probability": lambda: args(network=network(), evidence={"b": 1}, log=False, memory=2**20),
    "graphs.factorization": lambda: args(graph=dag()),
    "graphs.generic_network": lambda: args(graph=dag(), rng=rng()),
    "graphs.is_chordal": lambda: args(ug=ug()),
    "graphs.is_i_map": lambda: args(map=dag(), of=dag()),
    "graphs.is_perfect_map": lambda: args(map=dag(), of=dag()),
    "graphs.junction_tree": lambda: args(graph=ug(), order=None, heuristic="min_fill", sizes=None),
    "graphs.expectation_maximization": lambda: args(
        structure=network(), data=records(), prior=1.0, states=None, steps=4, tolerance=1.0, seed=0
    ),
    "graphs.learn": lambda: args(
        structure=network(), data=records(), prior=1.0, states=None, steps=4, particles=2, seed=0, progress=False
    ),
    "graphs.log_partition": lambda: args(network=network(), memory=2**20),
    "graphs.map_assignment": lambda: args(network=network(), variables=["a"], evidence={"b": 0}, memory=2**20),
    "graphs.marginals": lambda: args(network=network(), evidence={"b": 0}, memory=2**20),
    "graphs.markov_blanket": lambda: args(graph=dag(), v="b"),
    "graphs.markov_equivalent": lambda: args(a=dag(), b=dag()),
    "graphs.maximal_cliques": lambda: args(ug=ug()),
    "graphs.minimal_i_map": lambda: args(of=dag(), directed=True, order=None),
    "graphs.minimum_d_separator": lambda: args(dag=dag(), x=["a"], y=["c"], among=None),
    "graphs.moral_graph": lambda: args(dag=dag()),
    "graphs.network_from_dict": lambda: args(content=pg.graphs.network_to_dict(network())),
    "graphs.network_to_dict": lambda: args(network=network()),
    "graphs.path": lambda: args(ug=ug(), x=["a"], y=["c"], given=["b"]),
    "graphs.query": lambda: args(network=network(), variables=["a"], evidence={"b": 0}, do=None, memory=2**20),
    "graphs.read_network": lambda: args(path=folder() / "network.bif"),
    "graphs.separated": lambda: args(ug=ug(), x=["a"], y=["c"], given=["b", "d"]),
    "graphs.to_pyro": lambda: args(network=network(), limit=1000),
    "graphs.triangulate": lambda: args(ug=ug(), order=None, heuristic="min_fill", sizes=None),
    "graphs.v_structures": lambda: args(dag=dag()),
    "graphs.write_network": lambda: args(network=network(), path="network.bif"),
    "load": lambda: args(path=folder() / "pair.safetensors", into=vae()),
    "metrics.beta_vae_score": lambda: scored(points=30, evaluation=10, batch_size=4, **RULES, seed=0),
    "metrics.dci": lambda: scored(part="disentanglement", **RULES, train=30, test=20, seed=0),
    "metrics.energy_distance": lambda: args(x=codes(20), y=codes(15) + 1, permutations=5, seed=0),
    "metrics.entropy": lambda: args(factors=factors()),
    "metrics.explicitness": lambda: scored(bins=3, **RULES, train=30, test=20, seed=0),
    "metrics.factor_vae_score": lambda: scored(votes=30, evaluation=10, batch_size=4, threshold=0.05, **RULES, seed=0),
    "metrics.info_compactness": lambda: scored(estimator="histogram", neighbors=3, active=None, **INFO),
    "metrics.info_explicitness": lambda: scored(balanced=True, iterations=50, **RULES),
    "metrics.info_modularity": lambda: scored(estimator="histogram", neighbors=3, active=None, **INFO),
    "metrics.latent_gap": lambda: scored(estimator="histogram", **INFO),
    "metrics.mig": lambda: scored(estimator="histogram", **INFO),
    "metrics.modularity": lambda: scored(estimator="histogram", **INFO),
    "metrics.mutual_information": lambda: scored(estimator="histogram", bins=5, seed=0),
    "metrics.sap": lambda: scored(**RULES, train=30, test=20, seed=0),
    "metrics.squared_mmd": lambda: args(x=codes(20), y=codes(15) + 1, bandwidth=1.0, permutations=5, seed=0),
    "models.Autoencoder": lambda: args(encoder=encoder(point=True), decoder=decoder()),
    "models.ConditionalVAE": lambda: args(
        encoder=labelled_encoder(), decoder=labelled_decoder(), classes=3, beta=1.0, prior=None
    ),
    "models.DIPVAE": lambda: args(encoder=encoder(), decoder=decoder(), off_diagonal=10.0, diagonal=10.0, beta=1.0),
    "models.FactorVAE": lambda: args(encoder=encoder(), decoder=decoder(), gamma=10.0, beta=1.0, hidden=(4, 4)),
    "models.SemiSupervisedVAE": lambda: args(
        encoder=labelled_encoder(),
        decoder=labelled_decoder(),
        classifier=pg.nn.MLPClassifier(SHAPE, 3, hidden=(4,)),
        alpha=1.0,
        beta=1.0,
    ),
    "models.TwoLayerVAE": lambda: args(
        encoder=encoder(),
        decoder=decoder(),
        top_encoder=pg.nn.MLPEncoder((2,), 2, hidden=(4,)),
        top_decoder=pg.nn.MLPEncoder((2,), 2, hidden=(4,)),
        beta=1.0,
    ),
    "models.GammaExponential": lambda: args(theta=1.5),
    "models.MissingVAE": lambda: args(encoder=encoder(), decoder=decoder(), beta=1.0, prior=None),
    "models.Programs": lambda: args(model=model, guide=guide, loss=None),
    "models.SCVAE": lambda: args(
        encoder=pg.nn.SparseLinearEncoder(SHAPE, pg.nn.FISTA(shared := dictionary(), steps=2)),
        decoder=pg.nn.SparseLinearDecoder(SHAPE, shared),
        rate=1.0,
        sparsity=None,
        beta=1.0,
    ),
    "models.TCVAE": lambda: args(
        encoder=encoder(), decoder=decoder(), beta=4.0, alpha=1.0, gamma=1.0, estimator="weighted"
    ),
    "models.VAE": lambda: args(encoder=encoder(), decoder=decoder(), beta=1.0, prior=None),
    "models.VQVAE": lambda: args(
        encoder=pg.nn.ConvGridEncoder((1, 4, 4), dim=3, channels=(4,)),
        decoder=pg.nn.ConvGridDecoder((1, 4, 4), dim=3, channels=(4,)),
        codebook=codebook(),
        commitment=0.25,
        prior=None,
        beta=1.0,
    ),
    "nn.Bernoulli": dict,
    "nn.BroadcastDecoder": lambda: args(shape=(1, 8, 8), latent=2, likelihood="bernoulli", hidden=(4,), patch=2),
    "nn.MLPClassifier": lambda: args(shape=SHAPE, classes=3, hidden=(4,)),
    "nn.Codebook": lambda: args(codes=5, dim=3, update="ema", decay=0.99, revive=0.0),
    "nn.ContinuousBernoulli": dict,
    "nn.ConvDecoder": lambda: args(shape=(1, 8, 8), latent=2, likelihood="bernoulli", channels=(4, 4), hidden=8),
    "nn.ConvEncoder": lambda: args(shape=(1, 8, 8), latent=2, channels=(4, 4), hidden=8, point=False),
    "nn.ConvGridDecoder": lambda: args(shape=(1, 8, 8), dim=3, likelihood="bernoulli", channels=(4, 4)),
    "nn.ConvGridEncoder": lambda: args(shape=(1, 8, 8), dim=3, channels=(4, 4)),
    "nn.Dictionary": lambda: args(size=8, atoms=6, bias=True),
    "nn.FISTA": lambda: args(dictionary=dictionary(), steps=3),
    "nn.Gaussian": lambda: args(scale=0.5, learned=True),
    "nn.ISTA": lambda: args(dictionary=dictionary(), steps=3),
    "nn.LISTA": lambda: args(dictionary=dictionary(), steps=3, tied=True),
    "nn.LinearDecoder": lambda: args(shape=(5,), latent=2, likelihood="gaussian"),
    "nn.LinearEncoder": lambda: args(shape=(5,), latent=2, point=False),
    "nn.MLPDecoder": lambda: args(shape=SHAPE, latent=2, likelihood="bernoulli", hidden=(4,)),
    "nn.MLPEncoder": lambda: args(shape=SHAPE, latent=2, hidden=(4,), point=False),
    "nn.MLPGridDecoder": lambda: args(shape=SHAPE, grid=(2, 2), dim=3, likelihood="bernoulli", hidden=(4,)),
    "nn.MLPGridEncoder": lambda: args(shape=SHAPE, grid=(2, 2), dim=3, hidden=(4,)),
    "nn.PixelCNN": lambda: args(grid=(2, 2), codes=5, channels=4, layers=1, reach=3),
    "nn.TwoHeads": lambda: args(mean=decoder(), spread=decoder(), least=0.01),
    "nn.SparseConvDecoder": lambda: args(
        shape=(1, 8, 8), dictionary=dictionary(4), likelihood="bernoulli", channels=(4, 4)
    ),
    "nn.SparseConvEncoder": lambda: args(
        shape=(1, 8, 8), coder=pg.nn.ISTA(dictionary(4), 2), channels=(4, 4), scale=0.5
    ),
    "nn.SparseLinearDecoder": lambda: args(shape=SHAPE, dictionary=dictionary(), likelihood="gaussian"),
    "nn.SparseLinearEncoder": lambda: args(shape=SHAPE, coder=pg.nn.ISTA(dictionary(), 2)),
    "oracles.gamma_exponential.elbo": lambda: args(theta=2.0, x=torch.tensor([1.0, 2.0])),
    "oracles.gamma_exponential.elbo_gradient": lambda: args(theta=2.0, x=torch.tensor([1.0, 2.0])),
    "oracles.gamma_exponential.evidence": lambda: args(x=torch.tensor([1.0, 2.0])),
    "oracles.gamma_exponential.kl": lambda: args(theta=2.0, x=torch.tensor([1.0, 2.0])),
    "oracles.gamma_exponential.optimum": lambda: args(x=torch.tensor([1.0, 2.0])),
    "oracles.gamma_exponential.posterior": lambda: args(x=torch.tensor([1.0, 2.0])),
    "oracles.gaussian.elbo": lambda: args(**gaussians(), loc=np.zeros((3, 2)), scale=np.ones(2), beta=1.0),
    "oracles.gaussian.evidence": gaussians,
    "oracles.gaussian.kl_diagonal": lambda: args(loc_q=np.zeros(3), scale_q=np.ones(3), loc_p=np.ones(3), scale_p=0.5),
    "oracles.gaussian.log_density": lambda: args(x=codes(4), loc=np.zeros(3), covariance=np.eye(3)),
    "oracles.gaussian.posterior": gaussians,
    "oracles.importance_weighted.bound": lambda: args(x=0.5, w=1.0, b=0.0, sigma=0.5, loc=0.1, scale=0.7, samples=2),
    "oracles.importance_weighted.evidence": lambda: args(x=0.5, w=1.0, b=0.0, sigma=0.5),
    "oracles.importance_weighted.gap": lambda: args(x=0.5, w=1.0, b=0.0, sigma=0.5, loc=0.1, scale=0.7, samples=2),
    "oracles.labels.discriminant": lambda: args(w=W, v=np.ones((4, 3)), b=np.zeros(4), sigma=0.5),
    "oracles.labels.evidence": lambda: args(**gaussians(), y=[0, 1, 2], v=np.ones((4, 3))),
    "oracles.labels.marginal": lambda: args(**gaussians(), v=np.ones((4, 3))),
    "oracles.labels.of_each_label": lambda: args(**gaussians(), v=np.ones((4, 3))),
    "oracles.labels.optimum": lambda: args(
        x=rng().normal(size=(9, 4)), y=np.arange(9) % 3, classes=3, latent=2, sigma=0.5
    ),
    "oracles.labels.posterior": lambda: args(**gaussians(), v=np.ones((4, 3))),
    "oracles.two_layer.evidence": lambda: args(**gaussians(), **TOP),
    "oracles.two_layer.posterior": lambda: args(**gaussians(), **TOP),
    "oracles.two_layer.posterior_of_top": lambda: args(z=codes(3)[:, :2], **TOP),
    "oracles.two_layer.prior_of_z": lambda: dict(TOP),
    "oracles.lasso.duality_gap": lambda: args(x=codes(2), d=np.eye(3), z=codes(2) / 2, penalty=0.1),
    "oracles.lasso.fista_bound": lambda: args(largest=2.0, distance=1.0, steps=5),
    "oracles.lasso.ista_bound": lambda: args(largest=2.0, distance=1.0, steps=5),
    "oracles.lasso.largest_penalty": lambda: args(x=codes(2), d=np.eye(3)),
    "oracles.lasso.minimum": lambda: args(x=codes(2), d=np.eye(3), penalty=0.1, gap=1e-6, sweeps=50),
    "oracles.lasso.objective": lambda: args(x=codes(2), d=np.eye(3), z=codes(2) / 2, penalty=0.1),
    "oracles.lasso.optimality": lambda: args(x=codes(2), d=np.eye(3), z=codes(2) / 2, penalty=0.1),
    "oracles.lasso.planted": lambda: args(d=np.eye(3), z=codes(2), penalty=0.1, slack=0.5),
    "oracles.lasso.soft_threshold": lambda: args(v=codes(2), threshold=0.3),
    "oracles.linear_autoencoder.optimum": lambda: args(x=codes(9), latent=2),
    "oracles.linear_autoencoder.stationary": lambda: args(x=codes(9), kept=[0, 2]),
    "oracles.mixture.evidence": lambda: args(**gaussians(), weights=P3, locs=codes(3)[:, :2], scales=np.ones((3, 2))),
    "oracles.mixture.log_prior": lambda: args(z=codes(4), weights=P3, locs=codes(3), scales=np.ones((3, 3))),
    "oracles.mixture_kl.kl": lambda: args(loc=np.zeros(2), scale=np.ones(2), weights=P3, locs=P3, scales=np.ones(3)),
    "oracles.mixture_kl.mutual_information": lambda: args(locs=codes(4)[:, 0], scales=np.ones(4)),
    "oracles.ppca.optimum": lambda: args(x=codes(9), latent=2, sigma=0.5, beta=1.0),
    "oracles.total_correlation.gaussian": lambda: args(covariance=np.eye(3)),
    "oracles.total_correlation.linear": lambda: args(
        a=np.ones((2, 3)) + np.eye(2, 3), bias=np.zeros(2), scale=np.ones(2), loc=np.zeros(3), covariance=np.eye(3)
    ),
    "oracles.two_sample.energy_distance": lambda: args(mean=0.0, scale=1.0, other_mean=1.0, other_scale=2.0),
    "oracles.two_sample.squared_mmd": lambda: args(
        mean=np.zeros(2), covariance=np.eye(2), other_mean=np.ones(2), other_covariance=np.eye(2), bandwidth=1.0
    ),
    "oracles.vector_quantization.inertia": lambda: args(points=codes(9), codes=codes(3)),
    "oracles.vector_quantization.lloyd_step": lambda: args(points=codes(9), codes=codes(3)),
    "oracles.vector_quantization.nearest": lambda: args(points=codes(9), codes=codes(3)),
    "oracles.vector_quantization.perplexity": lambda: args(counts=np.array([3, 0, 1])),
    "oracles.vector_quantization.rate": lambda: args(tokens=4, codes=8),
    "plots.atoms": lambda: args(images=torch.rand(4, 1, 5, 5), columns=2),
    "plots.codebook_use": lambda: args(histories={"a": history("perplexity", "usage")}, codes=4),
    "plots.conditional_tables": lambda: args(network=network(), nodes=["a"], rows=4, title="a"),
    "plots.convergence": lambda: args(gaps={"a": ([1, 2], [1.0, 0.5])}, bounds={"a": ([1, 2], [2.0, 1.0])}),
    "plots.elbo_paths": lambda: args(
        elbo={"a": lambda theta: -((theta - 1) ** 2)},
        paths={"a": np.array([2.0, 1.5, 1.1])},
        optimum={"a": 1.0},
        average=1,
        span=3.0,
    ),
    "plots.error_by_active": lambda: args(curves={"a": [(1.0, 0.5), (2.0, 0.3)]}, ylabel="error", logarithmic=False),
    "plots.graph": lambda: args(graph=dag(), given=["b"], trail=["a", "b", "c"], cliques=[["a", "b"]], title="a"),
    "plots.guide_and_posterior": lambda: args(pairs={"a": (dist.Gamma(2.0, 1.0), dist.Gamma(2.0, 2.0))}, kl=None),
    "plots.image_rows": lambda: args(rows={"a": torch.rand(3, 1, 5, 5)}),
    "plots.kl_per_latent": lambda: args(kl=np.array([0.1, 2.0]), threshold=0.01),
    "plots.latent_space": lambda: args(
        codes=codes()[:, :2], labels=factors()[:, 0], names=["a", "b", "c"], factor="shape", gaussians=None
    ),
    "plots.loss_curves": lambda: args(histories={"a": history()}, x="step", smooth=0.3, skip=0),
    "plots.mutual_information": lambda: args(
        matrix=rng().random((3, 2)), factor_names=NAMES, entropies=np.array([1.0, 2.0])
    ),
    "plots.prior_plane": lambda: args(
        codes={"a": codes()[:, :2]},
        log_density={"a": lambda z: -(z**2).sum(-1)},
        labels=factors()[:, 0],
        factor="shape",
        names=("a", "b"),
    ),
    "plots.ranks": lambda: args(calibration={"z": np.arange(40) % 11}, draws=10, prob=0.9, bins=5),
    "plots.rate_distortion": lambda: args(models={"a": [(10.0, 50.0)]}, notes=None),
    "plots.reconstructions": lambda: args(originals=torch.rand(3, 1, 5, 5), models={"a": torch.rand(3, 1, 5, 5)}),
    "plots.samples": lambda: args(images=torch.rand(4, 1, 5, 5), columns=2),
    "plots.sweep": lambda: args(table=swept(), x="beta", terms=["kl"], by=None),
    "plots.traversals": lambda: args(
        decode=lambda z: decoder()(z).mean, base=torch.zeros(2), latents=[0], span=2.0, steps=3, kl=None
    ),
    "pretrained": lambda: args(name=pg.pretrained()[0]),
    "weights.card": lambda: args(name=pg.pretrained()[0]),
    "weights.names": dict,
    "report.Report": lambda: args(title="a", summary="b", date="2026-01-01"),
    "report.check_writable": lambda: args(folder="folder"),
    "report.format_column": lambda: args(values=[1.0, 2.5], digits=3),
    "report.format_number": lambda: args(value=1.5, digits=3),
    "report.with_error": lambda: args(value=1.5, error=0.1),
    "report.write_atomically": lambda: args(path="file", content=b"abc"),
    "save": lambda: args(pair=vae(), path="pair.safetensors"),
    "sweep": lambda: args(
        build=lambda **settings: vae(),
        grid={"beta": [1.0]},
        train=binary(),
        test=binary(),
        steps=1,
        folder="runs",
        workers=1,
        metrics=(),
        evaluation=None,
    ),
    "testing.against_nuts": lambda: tested(num_samples=100, warmup=10, chains=1, **RATE, tolerance=0.3),
    "testing.assert_sound": lambda: tested(time_limit=1.0),
    "testing.calibrate": lambda: tested(
        simulations=10, num_samples=9, train=2, lr=0.1, simulate=None, loss=None, **RATE, tolerance=0.03
    ),
    "testing.check": lambda: tested(loss=None, size=None, batch=None, fitted=True, time_limit=1.0, **RATE),
    "testing.compare": lambda: tested(
        exact={"z": dist.Normal(0.0, 0.5)}, evidence=-3.0, num_samples=100, **RATE, tolerance=0.1
    ),
    "training.Constant": dict,
    "training.Cyclical": lambda: args(period=10, ramp=0.5),
    "training.CsvLog": lambda: args(path="log.csv", every=5),
    "training.EarlyStopping": lambda: args(patience=2, min_delta=0.0, monitor="objective"),
    "training.Geometric": lambda: args(start=0.1, steps=10, end=1.0),
    "training.HoldKL": lambda: args(target=5.0, proportional=0.01, integral=0.001, lowest=0.0, highest=10.0),
    "training.KeepBest": lambda: args(monitor="objective", path="best", restore=False),
    "training.MovingAverage": lambda: args(decay=0.99, every=2),
    "training.TargetKL": lambda: args(end=5.0, steps=10, gamma=10.0, start=0.0),
    "training.TensorBoard": lambda: args(folder="board", every=5),
    "training.History": lambda: args(columns=("objective", "kl"), monitored=("kl",)),
    "training.LinearWarmup": lambda: args(steps=10),
    "training.lightning_module": lambda: args(pair=lit(), lr=1e-3, optimizer=torch.optim.Adam, size=20),
    "training.elbo_terms": lambda: args(pair=vae(), x=binary(), size=20),
}

Y = torch.arange(12) % 3
PAIRS: dict[str, tuple[Callable[[], Any], Arguments]] = {  # how to make one, and its context
    "Autoencoder": (lambda: pg.models.Autoencoder(encoder(point=True), decoder()), {}),
    "ConditionalVAE": (labelled, {"y": Y}),
    "DIPVAE": (lambda: pg.models.DIPVAE(encoder(), decoder()), {}),
    "MissingVAE": (lambda: pg.models.MissingVAE(encoder(), decoder()), {}),
    "SCVAE": (sparse, {}),
    "SemiSupervisedVAE": (
        lambda: pg.models.SemiSupervisedVAE(labelled_encoder(), labelled_decoder(), classifier()),
        {"y": Y},
    ),
    "TCVAE": (lambda: pg.models.TCVAE(encoder(), decoder()), {}),
    "TwoLayerVAE": (two_layers, {}),
    "VAE": (vae, {}),
    "VQVAE": (quantizing, {}),
}
CODES = {"SCVAE": (12, 6), "VQVAE": (12, 2, 2, 3)}


def of_object(make: Callable[[], Any], arguments: Callable[[], Arguments]) -> Callable[[], Arguments]:
    """The arguments of a method: its object first."""
    return lambda: args(make(), **arguments())


for pair, (make, context) in PAIRS.items():
    shape = CODES.get(pair, (12, 2))
    methods: dict[str, Callable[[], Arguments]] = {
        "model": lambda context=context: args(x=binary(), **context, size=20),
        "guide": lambda context=context: args(x=binary(), **context, size=20),
        "encode": lambda context=context: args(x=binary(), **context),
        "decode": lambda context=context, shape=shape: args(z=torch.randn(shape), **context),
        "reconstruct": lambda context=context: args(x=binary(), **context),
        "sample": lambda context=context: args(n=12, mean=True, **context),
        "check": lambda: args(x=binary()),
        "initialize": lambda: args(x=binary()),
    }
    for method, arguments in methods.items():
        ENTRIES[f"models.{pair}.{method}"] = of_object(make, arguments)

NETWORKS: dict[str, tuple[Callable[[], Any], Arguments]] = {
    "BroadcastDecoder": (lambda: pg.nn.BroadcastDecoder((1, 8, 8), 2, hidden=(4,)), {"z": torch.randn(3, 2)}),
    "MLPClassifier": (classifier, {"x": binary()}),
    "ConvDecoder": (lambda: pg.nn.ConvDecoder((1, 8, 8), 2, channels=(4, 4), hidden=8), {"z": torch.randn(3, 2)}),
    "ConvEncoder": (
        lambda: pg.nn.ConvEncoder((1, 8, 8), 2, channels=(4, 4), hidden=8),
        {"x": torch.rand(3, 1, 8, 8)},
    ),
    "ConvGridDecoder": (
        lambda: pg.nn.ConvGridDecoder((1, 8, 8), dim=3, channels=(4, 4)),
        {"z": torch.randn(2, 2, 2, 3)},
    ),
    "ConvGridEncoder": (
        lambda: pg.nn.ConvGridEncoder((1, 8, 8), dim=3, channels=(4, 4)),
        {"x": torch.rand(2, 1, 8, 8)},
    ),
    "Dictionary": (dictionary, {"z": torch.randn(3, 6)}),
    "ISTA": (lambda: pg.nn.ISTA(dictionary(), 3), {"x": torch.randn(3, 16), "penalty": torch.tensor(0.1)}),
    "LISTA": (lambda: pg.nn.LISTA(dictionary(), 3), {"x": torch.randn(3, 16), "penalty": 0.1}),
    "LinearDecoder": (lambda: pg.nn.LinearDecoder((5,), 2), {"z": torch.randn(3, 2)}),
    "LinearEncoder": (lambda: pg.nn.LinearEncoder((5,), 2), {"x": torch.randn(3, 5)}),
    "MLPDecoder": (decoder, {"z": torch.randn(3, 2)}),
    "MLPEncoder": (encoder, {"x": binary()}),
    "PixelCNN": (
        lambda: masked(),
        {"indices": torch.arange(12).reshape(3, 2, 2) % 5},
    ),
    "SparseConvEncoder": (
        lambda: pg.nn.SparseConvEncoder((1, 8, 8), pg.nn.ISTA(dictionary(4), 2), channels=(4, 4)),
        {"x": torch.rand(2, 1, 8, 8), "penalty": 0.1},
    ),
    "SparseConvDecoder": (
        lambda: pg.nn.SparseConvDecoder((1, 8, 8), dictionary(4), channels=(4, 4)),
        {"z": torch.randn(2, 2, 2, 6)},
    ),
    "TwoHeads": (lambda: pg.nn.TwoHeads(decoder(), decoder()), {"z": torch.randn(3, 2)}),
    "Bernoulli": (pg.nn.Bernoulli, {"output": torch.randn(3, 4), "event_dim": 1}),
    "ContinuousBernoulli": (pg.nn.ContinuousBernoulli, {"output": torch.randn(3, 4), "event_dim": 1}),
    "Gaussian": (lambda: pg.nn.Gaussian([0.1, 0.2, 0.3, 0.4]), {"output": torch.randn(3, 4), "event_dim": 1}),
}
for network_name, (make, inputs) in NETWORKS.items():
    ENTRIES[f"nn.{network_name}.__call__"] = of_object(make, lambda inputs=inputs: dict(inputs))


def flat() -> pg.distributions.Flat:
    return pg.distributions.Flat(3, (2,))


def uniform() -> pg.distributions.UniformCodes:
    return pg.distributions.UniformCodes(codebook(), (2, 2))


def learned() -> pg.distributions.AutoregressiveCodes:
    return pg.distributions.AutoregressiveCodes(codebook(), masked())


def quantized() -> pg.distributions.Quantized:
    return pg.distributions.Quantized(torch.randn(2, 2, 2, 3), codebook())


for kind, make in {
    "Flat": flat,
    "UniformCodes": uniform,
    "AutoregressiveCodes": learned,
    "Quantized": quantized,
}.items():
    value = torch.randn(4, 2, 3) if kind == "Flat" else torch.randn(2, 2, 2, 3)
    ENTRIES[f"distributions.{kind}.log_prob"] = of_object(make, lambda value=value: args(value=value))
    ENTRIES[f"distributions.{kind}.sample"] = of_object(make, lambda: args(sample_shape=(2,)))
    ENTRIES[f"distributions.{kind}.expand"] = of_object(make, lambda: args(batch_shape=(3, 2)))

METHODS: dict[str, tuple[Callable[[], Any], Arguments]] = {
    "models.GammaExponential.model": (pg.models.GammaExponential, {"x": torch.ones(3)}),
    "models.GammaExponential.guide": (pg.models.GammaExponential, {"x": torch.ones(3)}),
    "models.SCVAE.set_sparsity": (sparse, {"x": binary(), "sparsity": 0.5}),
    "models.SemiSupervisedVAE.classify": (PAIRS["SemiSupervisedVAE"][0], {"x": binary()}),
    "training.History.append": (history, {"rows": np.zeros((2, 9))}),
    "training.History.to_csv": (history, {"path": "history.csv"}),
    "training.KeepBest.load_into": (kept, {"pair": vae()}),
    "nn.Bernoulli.check": (pg.nn.Bernoulli, {"x": binary()}),
    "nn.Gaussian.check": (pg.nn.Gaussian, {"x": binary()}),
    "nn.Codebook.nearest": (codebook, {"features": torch.randn(4, 3)}),
    "nn.Codebook.lookup": (codebook, {"indices": torch.arange(4)}),
    "nn.Codebook.learn": (codebook, {"features": torch.randn(4, 3)}),
    "nn.Codebook.initialize": (codebook, {"features": torch.randn(40, 3)}),
    "nn.Dictionary.set_atoms": (dictionary, {"atoms": torch.randn(16, 6)}),
    "nn.Dictionary.initialize": (dictionary, {"x": torch.randn(30, 16)}),
    "nn.SparseLinearEncoder.code": (lambda: sparse().encoder, {"x": binary(), "penalty": 0.1}),
}
for method, (make, inputs) in METHODS.items():
    ENTRIES[method] = of_object(make, lambda inputs=inputs: dict(inputs))

SLOW = {  # calls of a second: the suite makes few of them
    "fit",
    "evaluate",
    "graphs.learn",
    "sweep",
    "training.lightning_module",
    "metrics.dci",
    "metrics.explicitness",
    "testing.against_nuts",
    "testing.assert_sound",
    "testing.calibrate",
    "testing.check",
    "testing.compare",
    "datasets.DSprites.images",
}
