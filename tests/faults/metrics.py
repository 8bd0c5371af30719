"""Faults in the disentanglement scores: axes, bases of logarithms, ranks, and the two estimators."""

from faults.fault import Fault

GAP, INFORMATION, HISTOGRAM, POSTERIOR = (
    f"metrics/{name}.py" for name in ("gap", "information", "histogram", "posterior")
)
OF_GAP = "metrics/test_gap.py::"
OF_INFORMATION = "metrics/test_information.py::"

FAULTS = [
    Fault(
        "MIG is taken along the factors",
        GAP,
        "best, second, gaps = _gaps(information, axis=0)",
        "best, second, gaps = _gaps(information, axis=1)",
        OF_GAP + "test_the_gap_is_over_latents_for_each_factor_and_not_the_transpose",
    ),
    Fault(
        "the gap is to the third best",
        GAP,
        "ranked[0] - ranked[1]",
        "ranked[0] - ranked[min(2, len(ranked) - 1)]",
        OF_GAP + "test_one_of_three_duplicated_scores_two_thirds",
    ),
    Fault(
        "every gap is a share of the greatest entropy",
        GAP,
        "    gaps = gaps / bounds\n",
        "    gaps = gaps / bounds.max()\n",
        OF_GAP + "test_each_gap_is_over_the_factors_own_entropy",
    ),
    Fault(
        "a latent's gap is a share of the first factor's entropy",
        GAP,
        "gaps = gaps / bounds[best]",
        "gaps = gaps / bounds[0 * best]",
        "metrics/test_gap.py",
    ),
    Fault(
        "MIG is the median of the gaps",
        GAP,
        'Score(gaps.mean(), "mig"',
        'Score(np.median(gaps), "mig"',
        OF_GAP + "test_one_of_three_duplicated_scores_two_thirds",
    ),
    Fault(
        "the standard error of a MIG is a standard deviation",
        GAP,
        ".std(ddof=1) / np.sqrt(len(draws))",
        ".std(ddof=1)",
        OF_GAP + "test_the_standard_error_is_that_of_repeated_draws",
    ),
    Fault(
        "factors that are left out are scored",
        "metrics/arrays.py",
        "kept = [k for k in range(number) if k not in out]",
        "kept = list(range(number))",
        OF_GAP + "test_factors_are_left_out_by_name_or_index",
    ),
    Fault(
        "entropy is in bits",
        INFORMATION,
        "-(p * np.log(p)).sum()",
        "-(p * np.log2(p)).sum()",
        OF_INFORMATION + "test_entropy_is_that_of_the_counts",
    ),
    Fault(
        "the histogram's information is in bits",
        HISTOGRAM,
        "np.log(joint[full] / independent[full])",
        "np.log2(joint[full] / independent[full])",
        OF_INFORMATION + "test_histogram_agrees_with_scikit_learn_on_digitised_codes",
    ),
    Fault(
        "the histogram has a bin too few",
        HISTOGRAM,
        "np.linspace(code.min(), code.max(), bins + 1)[1:-1]",
        "np.linspace(code.min(), code.max(), bins)[1:-1]",
        OF_INFORMATION + "test_histogram_agrees_with_scikit_learn_on_digitised_codes",
    ),
    Fault(
        "the histogram has bins of equal counts",
        HISTOGRAM,
        "np.linspace(code.min(), code.max(), bins + 1)[1:-1]",
        "np.quantile(code, np.linspace(0, 1, bins + 1)[1:-1])",
        OF_INFORMATION + "test_histogram_agrees_with_scikit_learn_on_digitised_codes",
    ),
    Fault(
        "the posterior's information has the wrong sign",
        POSTERIOR,
        "conditional - marginal[drawn]",
        "marginal[drawn] - conditional",
        OF_INFORMATION + "test_posterior_agrees_with_quadrature_for_a_binary_factor",
    ),
    Fault(
        "codes are drawn with the variance for a scale",
        POSTERIOR,
        "scale[image] * rng.standard_normal",
        "scale[image] ** 2 * rng.standard_normal",
        OF_INFORMATION + "test_posterior_agrees_with_quadrature_for_uneven_groups_and_scales",
    ),
    Fault(
        "the aggregate posterior forgets the parts' own scales",
        POSTERIOR,
        "    weight = 1.0 / (len(mean) * np.sqrt(2 * np.pi) * scale)\n",
        "    weight = 1.0 / (len(mean) * np.sqrt(2 * np.pi) * scale.mean() * np.ones_like(scale))\n",
        OF_INFORMATION + "test_posterior_agrees_with_quadrature_for_uneven_groups_and_scales",
    ),
    Fault(
        "the densities lack the half in their exponent",
        POSTERIOR,
        "inverse = np.sqrt(0.5) / scale",
        "inverse = 1.0 / scale",
        OF_INFORMATION + "test_posterior_agrees_with_quadrature_for_a_binary_factor",
    ),
    Fault(
        "few draws take some images twice",
        POSTERIOR,
        "rng.permutation(n)[:rest]",
        "rng.integers(n, size=rest)",
        OF_INFORMATION + "test_fewer_draws_than_images_take_each_image_once_at_most",
    ),
]
