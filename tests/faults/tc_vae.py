"""Faults in the β-TCVAE, its estimates of the aggregated posterior and the closed forms of the total correlation."""

from faults.fault import Fault

AGGREGATE, PAIR, ORACLE = "distributions/aggregate.py", "models/tc_vae.py", "oracles/total_correlation.py"
OF_AGGREGATE = "distributions/test_aggregate.py::"
OF_PAIR = "models/test_tc_vae.py::"
OF_ORACLE = "oracles/test_total_correlation_oracle.py::"
BATCHES = OF_AGGREGATE + "test_the_stratified_estimate_averages_to_the_mixture_over_all_batches"
PARTS = OF_AGGREGATE + "test_the_parts_sum_to_the_log_ratio_of_posterior_and_prior"
WHOLE = OF_AGGREGATE + "test_the_whole_data_set_gives_the_exact_mixture"
SPLIT = OF_ORACLE + "test_the_parts_are_entropies_and_sum_to_the_kl_of_the_encoder"
OWN_PART = OF_PAIR + "test_each_weight_is_on_its_own_part"
STRATIFIED = "return torch.full(shape, math.log(others), dtype=torch.float64).fill_diagonal_(-math.log(size))"

FAULTS = [
    Fault(
        "the stratified weights fill the columns 0 and 1, as published code does",
        AGGREGATE,
        STRATIFIED,
        "w = torch.full((batch, batch), 1 / (batch - 1), dtype=torch.float64)\n"
        "    w.view(-1)[::batch] = 1 / size\n"
        "    w.view(-1)[1::batch] = (size - batch + 1) / (size * (batch - 1))\n"
        "    w[batch - 2, 0] = (size - batch + 1) / (size * (batch - 1))\n"
        "    return w.log()[:rows]",
        BATCHES,
    ),
    Fault(
        "the stratified weights fill the columns 0 and 1, and their rows sum to one",
        AGGREGATE,
        STRATIFIED,
        "w = torch.full((batch, batch), 1 / (batch - 1), dtype=torch.float64)\n"
        "    w[:, 0], w[:, 1] = 1 / size, (size - batch + 1) / (size * (batch - 1))\n"
        "    return w.log()[:rows]",
        BATCHES,
    ),
    Fault(
        "the own image weighs as much as any other",
        AGGREGATE,
        ".fill_diagonal_(-math.log(size))",
        ".fill_diagonal_(-math.log(batch))",
        BATCHES,
    ),
    Fault(
        "the other images share all of the weight",
        AGGREGATE,
        "others = (size - 1) / (size * (batch - 1))",
        "others = 1 / (batch - 1)",
        BATCHES,
    ),
    Fault(
        "the weighted estimate forgets the batch",
        AGGREGATE,
        "-math.log(size * batch)",
        "-math.log(size)",
        OF_AGGREGATE + "test_the_weighted_estimate_has_the_bias_it_is_known_for",
    ),
    Fault(
        "draws and images change places in the aggregated posterior",
        AGGREGATE,
        "_log_sum_exp(log_q.sum(-1) + log_weights, -1)",
        "_log_sum_exp(log_q.sum(-1) + log_weights, -2)",
        WHOLE,
    ),
    Fault(
        "the marginals are summed over the images and not over the draws' row",
        AGGREGATE,
        "_log_sum_exp(log_q + log_weights.unsqueeze(-1), -2)",
        "_log_sum_exp(log_q + log_weights.unsqueeze(-1), -3)",
        WHOLE,
    ),
    Fault(
        "the product of the marginals is weighed once and not once a latent",
        AGGREGATE,
        "marginals = _log_sum_exp(log_q + log_weights.unsqueeze(-1), -2)",
        "marginals = _log_sum_exp(log_q + log_weights.unsqueeze(-1) / log_q.shape[-1], -2)",
        WHOLE,
    ),
    Fault(
        "the total correlation has the opposite sign",
        AGGREGATE,
        "joint - product,",
        "product - joint,",
        PARTS,
    ),
    Fault(
        "the mutual information is to the product of the marginals",
        AGGREGATE,
        "Decomposition(own - joint,",
        "Decomposition(own - product,",
        PARTS,
    ),
    Fault(
        "the guide leaves the size of the data out of the estimates",
        PAIR,
        "decompose(q, self.prior(), z, size, self.estimator)",
        "decompose(q, self.prior(), z, None, self.estimator)",
        OF_PAIR + "test_training_takes_the_size_of_the_data_for_the_estimates",
        OWN_PART,
    ),
    Fault(
        "the pair always takes the stratified estimate",
        PAIR,
        "z, size, self.estimator)",
        "z, size)",
        OF_PAIR + "test_training_takes_the_size_of_the_data_for_the_estimates",
    ),
    Fault(
        "the total correlation has weight beta beside the KL",
        PAIR,
        "weight=self.beta - 1)",
        "weight=self.beta)",
        OF_PAIR + "test_at_weights_of_one_it_is_the_vae",
    ),
    Fault(
        "beta weighs the whole KL too",
        PAIR,
        '            z = pyro.sample("z", q)\n',
        '            with self.kl_weight():\n                z = pyro.sample("z", q)\n',
        OF_PAIR + "test_a_schedule_moves_the_weight_of_the_total_correlation_alone",
        OWN_PART,
    ),
    Fault(
        "alpha and gamma change places",
        PAIR,
        "parts.mutual_information, weight=self.alpha - 1)",
        "parts.mutual_information, weight=self.gamma - 1)",
        OWN_PART,
    ),
    Fault(
        "the total correlation is detached",
        PAIR,
        'self.charge("total_correlation", parts.total_correlation,',
        'self.charge("total_correlation", parts.total_correlation.detach(),',
        OF_PAIR + "test_training_finds_the_trade_that_the_closed_forms_have",
    ),
    Fault(
        "a batch of one image is taken in training",
        PAIR,
        "if len(x) == 1 and self.training:",
        "if len(x) == 0 and self.training:",
        OF_PAIR + "test_a_batch_of_one_image_is_refused_in_training_alone",
    ),
    Fault(
        "the TCVAE's prior is twice as wide",
        PAIR,
        "torch.ones_like(self.origin)",
        "2 * torch.ones_like(self.origin)",
        "models/test_contract.py::test_the_prior_is_one_distribution_over_codes_with_the_density_it_should_have",
    ),
    Fault(
        "the closed total correlation is of the covariance and not of the correlations",
        ORACLE,
        "np.linalg.slogdet(sigma / np.outer(scale, scale))[1]",
        "np.linalg.slogdet(sigma)[1]",
        OF_ORACLE + "test_total_correlation_is_the_integral_that_defines_it",
        OF_ORACLE + "test_total_correlation_is_the_entropy_of_the_latents_less_that_of_the_whole",
    ),
    Fault(
        "the aggregated posterior is as wide as the codes alone",
        ORACLE,
        "sigma = matrix @ c @ matrix.T + np.diag(s**2)",
        "sigma = matrix @ c @ matrix.T + 1e-9 * np.diag(s**2)",
        SPLIT,
    ),
    Fault(
        "the closed mutual information lacks its half",
        ORACLE,
        "mutual_information=float(0.5 * np.linalg",
        "mutual_information=float(np.linalg",
        SPLIT,
    ),
    Fault(
        "the first-order bias has the wrong sign of the variance",
        ORACLE,
        "rate = 1 / size - (1",
        "rate = 1 / size + (1",
        OF_AGGREGATE + "test_the_estimates_tend_to_the_gaussian_closed_forms_as_fast_as_they_should",
    ),
]
