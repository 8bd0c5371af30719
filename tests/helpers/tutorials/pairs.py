"""Sound model/guide pairs after Pyro's own tutorials, one line each: what `pg.testing` must not complain of."""

import helpers.tutorials.deep as deep
import helpers.tutorials.discrete as discrete
import helpers.tutorials.globals as few
import helpers.tutorials.locals as local
from helpers.tutorials.base import Case, Pair

__all__ = ["CASE", "CASES", "Case", "Pair"]

CASES = [
    Case("coin", few.Coin),
    Case("regression", few.Regression),
    Case("regression, multivariate", few.RegressionMultivariate),
    Case("regression, low rank", few.RegressionLowRank),
    Case("regression, flow", few.RegressionFlow),
    Case("Bayesian network", few.BayesianNetwork),
    Case("eight schools", few.EightSchools),
    Case("logistic", few.Logistic),
    Case("logistic, list", few.LogisticList),
    Case("growth", few.Growth),
    Case("missing", few.Missing),
    Case("subsampled", few.Subsampled),
    Case("subsampled, local", local.SubsampledLocal),
    Case("states", local.States),
    Case("gmm", discrete.GMM),
    Case("gmm, normal", discrete.GMMNormal),
    Case("hmm", discrete.HMM),
    Case("ss-vae", discrete.SSVAE),
    Case("reinforce", discrete.Reinforce),
    Case("lda", discrete.LDA),
    Case("vae", deep.VAE),
    Case("beta-vae", deep.BetaVAE),
    Case("beta-vae, sampled", deep.BetaVAESampled),
    Case("dmm", deep.DMM),
    Case("gamma def", deep.GammaDEF),
    Case("prodlda", deep.ProdLDA),
]

CASE = {case.name: case for case in CASES}
