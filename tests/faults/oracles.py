"""Faults in the closed forms: a sign, a factor of two, a digamma; an oracle that is wrong proves nothing."""

from faults.fault import Fault

GAMMA, GAUSSIAN, PPCA = "oracles/gamma_exponential.py", "oracles/gaussian.py", "oracles/ppca.py"
MIXTURE, WEIGHTED = "oracles/mixture.py", "oracles/importance_weighted.py"
OF_GAMMA = "oracles/test_gamma_exponential_oracle.py::test_gamma_"
OF_GAUSSIAN = "oracles/test_gaussian_oracles.py::"
OPTIMUM = OF_GAUSSIAN + "test_the_ppca_optimum_has_its_objective_and_every_step_away_is_worse"
TWO_DRAWS = OF_GAUSSIAN + "test_the_importance_weighted_bound_of_two_draws_is_a_double_integral"

FAULTS = [
    Fault(
        "digamma of 2 is that of 1",
        GAMMA,
        "DIGAMMA_2 = 1 - 0.577",
        "DIGAMMA_2 = -0.577",
        OF_GAMMA + "elbo_is_the_integral_that_defines_it",
    ),
    Fault(
        "the gamma ELBO counts digamma twice too often",
        GAMMA,
        "return (n - 1) * DIGAMMA_2",
        "return (n + 1) * DIGAMMA_2",
        OF_GAMMA + "elbo_is_the_integral_that_defines_it",
    ),
    Fault(
        "the gamma ELBO loses a factor of two",
        GAMMA,
        "- 2 * (total + 1) / theta + 2",
        "- (total + 1) / theta + 2",
        OF_GAMMA + "elbo_is_the_integral_that_defines_it",
    ),
    Fault(
        "the gamma gradient has the wrong sign",
        GAMMA,
        "return -(n + 1) / theta + 2 * (total + 1) / theta**2",
        "return (n + 1) / theta - 2 * (total + 1) / theta**2",
        OF_GAMMA + "gradient_is_that_of_autograd_and_vanishes_at_the_optimum_alone",
    ),
    Fault(
        "the gamma optimum is right for one observation alone",
        GAMMA,
        "return 2 * (total + 1) / (n + 1)",
        "return (total + 1) / n",
        OF_GAMMA + "gradient_is_that_of_autograd_and_vanishes_at_the_optimum_alone",
    ),
    Fault(
        "the gamma evidence has log of (n - 1)!",
        GAMMA,
        "return math.lgamma(n + 1) - (n + 1) * torch.log1p(total)",
        "return math.lgamma(n) - (n + 1) * torch.log1p(total)",
        OF_GAMMA + "evidence_is_the_integral_of_the_joint",
    ),
    Fault(
        "the gamma posterior forgets the prior's rate",
        GAMMA,
        "dtype=torch.float64), 1 + total)",
        "dtype=torch.float64), total + 1e-9)",
        OF_GAMMA + "posterior_is_the_joint_over_the_evidence",
    ),
    Fault(
        "the gamma KL has digamma with the wrong sign",
        GAMMA,
        "return (1 - n) * DIGAMMA_2",
        "return (n - 1) * DIGAMMA_2",
        OF_GAMMA + "elbo_plus_kl_is_the_evidence",
    ),
    Fault(
        "the Gaussian KL has its logarithm upside down",
        GAUSSIAN,
        "np.log(sigma / s)",
        "np.log(s / sigma)",
        OF_GAUSSIAN + "test_the_kl_of_diagonal_gaussians_is_that_of_torch",
    ),
    Fault(
        "the Gaussian KL loses a factor of two",
        GAUSSIAN,
        "(s**2 + (m - mu) ** 2) / (2 * sigma**2) - 0.5",
        "(s**2 + (m - mu) ** 2) / sigma**2 - 0.5",
        OF_GAUSSIAN + "test_the_kl_of_diagonal_gaussians_is_that_of_torch",
    ),
    Fault(
        "the log-density has half its log-determinant",
        GAUSSIAN,
        "- np.log(np.diag(root)).sum()",
        "- 0.5 * np.log(np.diag(root)).sum()",
        OF_GAUSSIAN + "test_the_evidence_is_scipys_and_bayes_rule_holds",
    ),
    Fault(
        "the evidence takes sigma for a variance",
        GAUSSIAN,
        "w @ w.T + sigma**2 * np.eye(len(w))",
        "w @ w.T + sigma * np.eye(len(w))",
        OF_GAUSSIAN + "test_the_evidence_is_scipys_and_bayes_rule_holds",
    ),
    Fault(
        "the posterior covariance lacks sigma squared",
        GAUSSIAN,
        "@ w @ inverse, sigma**2 * inverse",
        "@ w @ inverse, inverse",
        OF_GAUSSIAN + "test_the_evidence_is_scipys_and_bayes_rule_holds",
    ),
    Fault(
        "the Gaussian ELBO takes scales for variances",
        GAUSSIAN,
        "(s**2) @ (w**2).sum(0)",
        "s @ (w**2).sum(0)",
        OF_GAUSSIAN + "test_the_elbo_is_the_evidence_less_the_kl_to_the_posterior",
    ),
    Fault(
        "the Gaussian ELBO forgets beta",
        GAUSSIAN,
        "values: Array = -reconstruction - beta * kl_diagonal",
        "return -reconstruction - kl_diagonal",
        OPTIMUM,
    ),
    Fault(
        "pPCA forgets beta in its noise",
        PPCA,
        "tau, kept = beta * sigma**2, values[:latent]",
        "tau, kept = sigma**2, values[:latent]",
        OPTIMUM,
    ),
    Fault(
        "pPCA divides the covariance by N - 1",
        PPCA,
        "(x - mean).T @ (x - mean) / len(x)",
        "(x - mean).T @ (x - mean) / (len(x) - 1)",
        OF_GAUSSIAN + "test_ppca_at_its_own_noise_is_scikit_learns",
    ),
    Fault(
        "pPCA keeps the least axes",
        PPCA,
        "values[::-1].clip(0), vectors[:, ::-1]",
        "values.clip(0), vectors",
        OF_GAUSSIAN + "test_ppca_at_its_own_noise_is_scikit_learns",
    ),
    Fault(
        "pPCA gives variances for scales",
        PPCA,
        "scale=np.sqrt(tau / kept.clip(tau))",
        "scale=tau / kept.clip(tau)",
        OPTIMUM,
    ),
    Fault(
        "the KL of pPCA loses a factor of two",
        PPCA,
        "kl = 0.5 * np.log(kept.clip(tau) / tau)",
        "kl = np.log(kept.clip(tau) / tau)",
        OPTIMUM,
    ),
    Fault(
        "collapsed axes of pPCA keep a weight",
        PPCA,
        "np.sqrt((kept - tau).clip(0))",
        "np.sqrt(np.abs(kept - tau))",
        OPTIMUM,
    ),
    Fault(
        "the mixture forgets its weights",
        MIXTURE,
        "values: Array = top + np.log(weights @ np.exp(log_parts - top))",
        "return top + np.log(np.exp(log_parts - top).mean(0))",
        OF_GAUSSIAN + "test_the_mixture_evidence_is_the_integral_over_z",
    ),
    Fault(
        "the mixture evidence takes scales for variances",
        MIXTURE,
        "(w * s**2) @ w.T + noise",
        "(w * s) @ w.T + noise",
        OF_GAUSSIAN + "test_the_mixture_evidence_is_the_integral_over_z",
    ),
    Fault(
        "the importance-weighted oracle misses log K",
        WEIGHTED,
        "center - math.log(samples) + integrand",
        "center + integrand",
        TWO_DRAWS,
    ),
    Fault(
        "the importance-weighted oracle leaves the guide's scale out",
        WEIGHTED,
        "        + math.log(scale)\n",
        "",
        TWO_DRAWS,
    ),
    Fault(
        "the importance-weighted gap loses a factor of two",
        WEIGHTED,
        "return (second - 1) / (2 * samples)",
        "return (second - 1) / samples",
        OF_GAUSSIAN + "test_the_importance_weighted_bound_rises_to_the_evidence_at_the_rate_of_one_over_k",
    ),
    Fault(
        "labels with a gap are fitted",
        "oracles/labels.py",
        " or seen[-1] != classes - 1:",
        ":",
        "oracles/test_linear_vae.py::test_oracles_at_their_limits",
    ),
    Fault(
        "a guide at the limit has a finite gap",
        "oracles/importance_weighted.py",
        "if room <= 0:",
        "if room < 0:",
        "oracles/test_linear_vae.py::test_oracles_at_their_limits",
    ),
]
