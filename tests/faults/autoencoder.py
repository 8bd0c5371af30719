"""Faults in the plain autoencoder, its prior and oracle, the digits, the two-sample tests and their figures."""

from faults.fault import Fault

AUTOENCODER, FLAT = "models/autoencoder.py", "distributions/flat.py"
ORACLE, DISTANCES = "oracles/linear_autoencoder.py", "oracles/two_sample.py"
DIGITS, TESTS = "datasets/digits.py", "metrics/two_sample.py"
OF_AUTOENCODER = "models/test_autoencoder.py::"
OF_ORACLE = "oracles/test_linear_autoencoder_oracle.py::"
OF_DIGITS = "datasets/test_digits.py::"
OF_TESTS = "metrics/test_two_sample.py::"

FAULTS = [
    Fault(
        "an autoencoder takes an encoder whose variance nothing trains",
        AUTOENCODER,
        'if not getattr(encoder, "point", True):',
        "if False:",
        OF_AUTOENCODER + "test_an_encoder_that_is_no_point_is_refused",
    ),
    Fault(
        "an autoencoder draws its codes where an encoder did not say that it is a Normal",
        AUTOENCODER,
        "if not isinstance(base, dist.Delta):",
        "if False:",
        OF_AUTOENCODER + "test_an_encoder_that_is_no_point_is_refused",
    ),
    Fault(
        "an autoencoder's model forgets N / B",
        AUTOENCODER,
        "with self.plate(x, size):\n            with",
        "with self.plate(x):\n            with",
        OF_AUTOENCODER + "test_the_loss_is_the_cross_entropy_or_the_squared_error",
    ),
    Fault(
        "an autoencoder has the prior of a VAE",
        AUTOENCODER,
        "return Flat(self.latent)",
        "return dist.Normal(self.beta * 0, self.beta).expand([self.latent]).to_event(1)",
        OF_AUTOENCODER + "test_the_loss_is_the_cross_entropy_or_the_squared_error",
    ),
    Fault(
        "the flat prior counts one density for all vectors",
        FLAT,
        "value.shape[:-1]",
        "value.shape[:0]",
        "distributions/test_flat.py::test_the_log_density_is_zero_for_each_vector_in_the_type_of_z",
    ),
    Fault(
        "the flat prior is always float32",
        FLAT,
        "value.new_zeros(())",
        "torch.zeros(())",
        "distributions/test_flat.py::test_the_log_density_is_zero_for_each_vector_in_the_type_of_z",
    ),
    Fault(
        "the residual is what is kept",
        ORACLE,
        "np.delete(values, kept).sum()",
        "values[kept].sum()",
        OF_ORACLE + "test_the_optimum_is_scikit_learns_pca",
    ),
    Fault(
        "squared error is not halved",
        ORACLE,
        "self.residual / (2 * sigma**2)",
        "self.residual / sigma**2",
        OF_ORACLE + "test_the_objective_is_the_mean_of_minus_the_log_density",
    ),
    Fault(
        "a gray digit is a fifteenth of its count",
        DIGITS,
        "gray / GRAYS",
        "gray / (GRAYS - 1)",
        OF_DIGITS + "test_gray_pixels_are_sixteenths_of_the_original_and_digits_are_its_targets",
    ),
    Fault(
        "a pixel of exactly half is white",
        DIGITS,
        "gray >= GRAYS / 2",
        "gray > GRAYS / 2",
        OF_DIGITS + "test_binary_pixels_are_dark_from_half_on",
    ),
    Fault(
        "the held-out digits are labeled as the training ones",
        DIGITS,
        "self._with(self._pixels[test], self._digits[test])",
        "self._with(self._pixels[test], self._digits[train[: len(test)]])",
        OF_DIGITS + "test_a_split_is_disjoint_repeatable_and_keeps_image_and_digit_together",
    ),
    Fault(
        "an unbiased distance counts draws with themselves",
        TESTS,
        'np.diagonal(kernel).copy() if estimator == "unbiased"',
        'np.zeros(size) if estimator == "unbiased"',
        OF_TESTS + "test_the_distances_are_their_sums_by_hand",
    ),
    Fault(
        "draws of different samples count once",
        TESTS,
        "values: Array = same - 2 * (across - inside)",
        "return same - (across - inside)",
        OF_TESTS + "test_the_distances_are_their_sums_by_hand",
    ),
    Fault(
        "the second sample is averaged as the first",
        TESTS,
        "(itself.sum() - own)) / pairs[1]",
        "(itself.sum() - own)) / pairs[0]",
        OF_TESTS + "test_the_distances_are_their_sums_by_hand",
    ),
    Fault(
        "a kernel is wider than its bandwidth",
        TESTS,
        "-0.5 * np.square(distance / width)",
        "-0.25 * np.square(distance / width)",
        OF_TESTS + "test_the_unbiased_mmd_of_gaussians_has_the_closed_form_as_its_mean",
    ),
    Fault(
        "the median distance counts draws with themselves",
        TESTS,
        "np.triu_indices(len(distance), 1)",
        "np.triu_indices(len(distance), 0)",
        OF_TESTS + "test_the_median_heuristic_is_the_median_distance_of_the_pooled_draws",
    ),
    Fault(
        "the observed grouping is not among the permutations",
        TESTS,
        "(1 + at_least) / (1 + permutations)",
        "at_least / permutations",
        OF_TESTS + "test_samples_that_differ_are_told_apart",
    ),
    Fault(
        "a tie does not count against the observed distance",
        TESTS,
        "null >= value - rounding",
        "null > value + rounding",
        OF_TESTS + "test_equal_draws_are_ties_and_no_evidence",
    ),
    Fault(
        "a permutation may draw a member twice",
        TESTS,
        "rng.permuted(np.tile(grouping, (k, 1)), axis=1)",
        "rng.choice(grouping, (k, size))",
        OF_TESTS + "test_p_values_are_uniform_under_the_null",
    ),
    Fault(
        "a folded normal has the spread of one draw",
        DISTANCES,
        "scale**2 + other_scale**2",
        "scale**2",
        OF_TESTS + "test_the_oracles_agree_with_quadrature",
    ),
    Fault(
        "the mean of a kernel forgets its norm",
        DISTANCES,
        "-0.5 * (log_determinant + shift @",
        "-0.5 * (shift @",
        OF_TESTS + "test_the_oracles_agree_with_quadrature",
    ),
    Fault(
        "the prior is drawn around the codes",
        "plots/codes/latent_space.py",
        "_draw_ellipses(ax, -mean @ axis, deviation)",
        "_draw_ellipses(ax, 0 * mean @ axis, deviation)",
        "plots/codes/test_latent_space.py::test_the_ellipses_are_two_standard_deviations_of_the_prior_and_of_the_codes",
    ),
    Fault(
        "a fitted ellipse is of one standard deviation",
        "plots/codes/latent_space.py",
        "*(4 * deviation)",
        "*(2 * deviation)",
        "plots/codes/test_latent_space.py::test_the_ellipses_are_two_standard_deviations_of_the_prior_and_of_the_codes",
    ),
    Fault(
        "distances are taken from draws in their own unit",
        TESTS,
        "pdist(draws[:, span > 0] / unit)) * unit",
        "pdist(draws[:, span > 0]))",
        OF_TESTS + "test_the_unit_of_the_draws_is_no_matter",
    ),
    Fault(
        "sums of distances may overflow",
        TESTS,
        "np.isfinite([span.max(), most])",
        "np.isfinite([0.0])",
        OF_TESTS + "test_bad_input_is_refused_in_one_sentence",
    ),
]
