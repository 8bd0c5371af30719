"""Faults in the scores made from batches that share a factor (FactorVAE, β-VAE) and in InfoMEC."""

from faults.fault import Fault

BATCHES, BETA_VAE, FACTOR_VAE, INFOMEC, INFOMEC_INFORMATION, INFOE = (
    f"metrics/{name}.py"
    for name in ("batches", "beta_vae", "factor_vae", "infomec", "infomec_information", "infomec_explicitness")
)
OF_BETA_VAE = "metrics/test_beta_vae.py::"
OF_FACTOR_VAE = "metrics/test_factor_vae.py::"
OF_INFOMEC = "metrics/test_infomec.py::"

FAULTS = [
    Fault(
        "variances are not normalised",
        FACTOR_VAE,
        "scaled = scaled[:, active] / spread[active]",
        "scaled = means[:, active]",
        OF_FACTOR_VAE + "test_votes_are_those_of_all_batches_by_enumeration",
    ),
    Fault(
        "the latent that varies most has the vote",
        FACTOR_VAE,
        ".argmin(axis=1)",
        ".argmax(axis=1)",
        OF_FACTOR_VAE + "test_votes_are_those_of_all_batches_by_enumeration",
    ),
    Fault(
        "the majority is over latents",
        FACTOR_VAE,
        "best = table.argmax(axis=1)",
        "best = np.resize(table.argmax(axis=0), len(table))",
        OF_FACTOR_VAE + "test_votes_are_those_of_all_batches_by_enumeration",
    ),
    Fault(
        "the votes that made the classifier judge it",
        FACTOR_VAE,
        'judged[active] = _votes(scaled, shared, settings["evaluation"], settings["batch_size"], rng)',
        "judged = table",
        OF_FACTOR_VAE + "test_codes_that_know_nothing_score_one_over_the_number_of_factors",
    ),
    Fault(
        "the threshold of dead latents is on the variance",
        FACTOR_VAE,
        "(spread * span >= settings",
        "((spread * span) ** 2 >= settings",
        OF_FACTOR_VAE + "test_dead_latents_take_no_part",
    ),
    Fault(
        "constant latents vote",
        FACTOR_VAE,
        "(span > 0) & (spread",
        "(span >= 0) & (spread",
        OF_FACTOR_VAE + "test_dead_latents_take_no_part",
    ),
    Fault(
        "a value is drawn as often as any other, whatever its rows",
        BATCHES,
        "rows = np.flatnonzero(counts[value] >= least_rows)",
        "rows = np.unique(value, return_index=True)[1]",
        OF_FACTOR_VAE + "test_votes_are_those_of_all_batches_by_enumeration",
    ),
    Fault(
        "batches repeat their first rows' neighbours",
        BATCHES,
        "(rng.random(rows.shape) * counts[value])",
        "(rng.random(rows.shape) * (counts[value] - 1))",
        OF_FACTOR_VAE + "test_votes_are_those_of_all_batches_by_enumeration",
    ),
    Fault(
        "values of too few rows are drawn",
        BATCHES,
        "counts[value] >= least_rows",
        "counts[value] >= 0",
        OF_FACTOR_VAE + "test_values_of_too_few_rows_are_left_out",
    ),
    Fault(
        "continuous factors are cut at equal widths",
        BATCHES,
        "np.quantile(values, np.linspace(0.0, 1.0, bins + 1)[1:-1])",
        "np.linspace(values.min(), values.max(), bins + 1)[1:-1]",
        "metrics/test_infomec.py::test_a_continuous_factor_is_cut_into_parts_of_equal_counts",
    ),
    Fault(
        "distances keep their sign",
        BETA_VAE,
        "np.abs(codes[first] - codes[second])",
        "(codes[first] - codes[second])",
        OF_BETA_VAE + "test_one_binary_latent_is_right_as_often_as_its_pairs_differ",
    ),
    Fault(
        "all pairs of a point have the same value",
        BETA_VAE,
        "size=shape)]",
        "size=(shape[0], 1))] + np.zeros(shape, dtype=np.int64)",
        OF_BETA_VAE + "test_each_pair_has_a_value_of_its_own",
    ),
    Fault(
        "the rows of a pair share nothing",
        BETA_VAE,
        "second = shared.alike(k, first, rng)",
        "second = rng.permuted(first)",
        OF_BETA_VAE + "test_with_holes_pairs_are_those_of_the_rows_there_are",
    ),
    Fault(
        "the penalty is its inverse",
        BETA_VAE,
        "C=1 / penalty if penalty else np.inf",
        "C=penalty if penalty else np.inf",
        OF_BETA_VAE + "test_a_penalty_weighs_more_on_codes_of_small_scale",
    ),
    Fault(
        "the points that the classifier was fitted to are its score",
        BETA_VAE,
        "value = float(right.mean())",
        "value = float(train_right.mean())",
        OF_BETA_VAE + "test_codes_that_know_nothing_score_one_over_the_number_of_factors",
    ),
    Fault(
        "InfoM is taken along the latents",
        INFOMEC,
        "shares = _shares(information)\n",
        "shares = _shares(information.T)[: len(found)]\n",
        OF_INFOMEC + "test_quantised_codes_score_what_their_counts_say",
    ),
    Fault(
        "the share of chance stays in InfoM and InfoC",
        INFOMEC,
        "(known.mean() - 1 / ways) / (1 - 1 / ways)",
        "known.mean()",
        OF_INFOMEC + "test_known_values",
    ),
    Fault(
        "chance counts the latents that are not active",
        INFOMEC,
        "_above_chance(shares, len(found))",
        "_above_chance(shares, table.shape[1])",
        OF_INFOMEC + "test_quantised_codes_score_what_their_counts_say",
    ),
    Fault(
        "a latent that knows nothing has a share of 0",
        INFOMEC,
        "np.full(len(table), np.nan)",
        "np.zeros(len(table))",
        OF_INFOMEC + "test_a_factor_that_no_latent_knows_is_left_to_explicitness",
    ),
    Fault(
        "what rounding leaves of no information is shared out",
        INFOMEC_INFORMATION,
        "np.where(information < _NOTHING, 0.0, information)",
        "np.abs(information)",
        OF_INFOMEC + "test_what_rounding_leaves_of_no_information_is_not_shared_out",
    ),
    Fault(
        "information is not a share of the factor's entropy",
        INFOMEC_INFORMATION,
        " / entropy(labels), active",
        ", active",
        OF_INFOMEC + "test_quantised_codes_score_what_their_counts_say",
    ),
    Fault(
        "the neighbours are always three",
        INFOMEC_INFORMATION,
        "n_neighbors=neighbours",
        "n_neighbors=3",
        OF_INFOMEC + "test_continuous_codes_score_what_their_neighbours_say",
    ),
    Fault(
        "all latents are active",
        INFOMEC_INFORMATION,
        "(spans > 0) & (spans >= least)",
        "spans > 0",
        OF_INFOMEC + "test_latents_of_a_small_range_are_not_active",
    ),
    Fault(
        "joint values of a latent and a factor collide",
        INFOMEC_INFORMATION,
        "level[:, None] * (labels.max() + 1) + labels",
        "level[:, None] * labels.max() + labels",
        OF_INFOMEC + "test_quantised_codes_score_what_their_counts_say",
    ),
    Fault(
        "the plain fit weights its values too",
        INFOE,
        '"balanced" if balanced else None',
        '"balanced"',
        OF_INFOMEC + "test_explicitness_of_one_quantised_latent_is_that_of_its_counts",
    ),
    Fault(
        "the constant predictor of a weighted fit is the unweighted one",
        INFOE,
        'if settings["balanced"] else float(entropy',
        "if False else float(entropy",
        OF_INFOMEC + "test_the_authors_weights_change_the_score_of_uneven_values",
    ),
    Fault(
        "the explicitness has a penalty",
        INFOE,
        "C=np.inf",
        "C=0.1",
        OF_INFOMEC + "test_explicitness_of_one_quantised_latent_is_that_of_its_counts",
    ),
    Fault(
        "least squares have no intercept",
        INFOE,
        "    features = features - features.mean(axis=0)\n    weight",
        "    features = features + 1.0\n    weight",
        OF_INFOMEC + "test_rotations_and_scales_of_the_codes_change_nothing",
        OF_INFOMEC + "test_explicitness_of_a_continuous_factor_is_the_coefficient_of_determination",
    ),
]
