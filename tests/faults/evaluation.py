"""Faults in the scores: bounds, their errors, and what evaluation leaves behind."""

from faults.fault import Fault

ASKED, BOUNDS, EVALUATE = (f"evaluation/{name}.py" for name in ("metric_calls", "bounds", "evaluate"))
OF_BOUNDS = "evaluation/test_bounds.py::"
OF_EVALUATE = "evaluation/test_evaluate.py::"

FAULTS = [
    Fault(
        "the importance-weighted bound misses log K",
        BOUNDS,
        "return total - math.log(samples)",
        "return total",
        OF_BOUNDS + "test_under_the_exact_posterior_every_bound_is_the_evidence",
    ),
    Fault(
        "the importance weights leave the prior out",
        BOUNDS,
        "log_prob(x) + p.log_prob(z) - q.log_prob(z)",
        "log_prob(x) - q.log_prob(z)",
        OF_BOUNDS + "test_under_the_exact_posterior_every_bound_is_the_evidence",
    ),
    Fault(
        "the importance weights are averaged as logarithms",
        BOUNDS,
        "weights.logsumexp(0)",
        "weights.mean(0) + math.log(len(weights))",
        OF_BOUNDS + "test_the_bound_of_one_and_of_two_draws_is_what_quadrature_gives",
    ),
    Fault(
        "beta weighs the importance weights",
        BOUNDS,
        "log_prob(x) + p.log_prob(z) - q.log_prob(z)",
        "log_prob(x) + pair.beta * (p.log_prob(z) - q.log_prob(z))",
        OF_BOUNDS + "test_under_the_exact_posterior_every_bound_is_the_evidence",
    ),
    Fault(
        "the reconstruction is that of the posterior mean",
        BOUNDS,
        "z = q.rsample()",
        "z = q.mean",
        OF_BOUNDS + "test_the_reconstruction_of_each_image_averages_to_the_closed_form",
    ),
    Fault(
        "the KL of an image is the mean of its latents",
        BOUNDS,
        "kl.sum(-1) if kl.dim() > 1",
        "kl.mean(-1) if kl.dim() > 1",
        OF_BOUNDS + "test_the_kl_of_each_image_and_latent_is_the_closed_form",
    ),
    Fault(
        "beta leaks into the ELBO",
        EVALUATE,
        'row["elbo"] = -(row["reconstruction"] + row["kl"])',
        'row["elbo"] = -(row["reconstruction"] + pair.beta * row["kl"])',
        OF_EVALUATE + "test_the_terms_are_consistent_with_one_another",
    ),
    Fault(
        "the objective that is reported has no beta",
        EVALUATE,
        "sum((site.weighted() for site in sites), torch.zeros(()))",
        "sum((site.per_image() for site in sites), torch.zeros(()))",
        OF_EVALUATE + "test_the_terms_are_consistent_with_one_another",
    ),
    Fault(
        "the NLL has the wrong sign",
        EVALUATE,
        'terms["nll"] = -_bound(',
        'terms["nll"] = _bound(',
        OF_EVALUATE + "test_every_term_agrees_with_its_closed_form_within_its_own_standard_error",
    ),
    Fault(
        "the standard error is the standard deviation",
        EVALUATE,
        "values.std() / math.sqrt(len(values))",
        "values.std()",
        OF_EVALUATE + "test_kl_and_its_standard_error_are_those_of_the_images",
    ),
    Fault(
        "the KL of each latent is summed over the images",
        EVALUATE,
        "kl_per_latent.mean(0)",
        "kl_per_latent.sum(0)",
        OF_EVALUATE + "test_the_terms_are_consistent_with_one_another",
    ),
    Fault(
        "evaluation moves a weight by one bit",
        EVALUATE,
        "        pair.eval()\n",
        "        pair.eval()\n"
        "        for weight in pair.parameters():\n"
        "            weight.data = torch.nextafter(weight.data, 2 * weight.data)\n",
        OF_EVALUATE + "test_it_leaves_everything_as_it_was",
    ),
    Fault(
        "evaluation leaves the pair in evaluation mode",
        EVALUATE,
        "            module.training = mode",
        "            pass",
        OF_EVALUATE + "test_it_leaves_everything_as_it_was",
    ),
    Fault(
        "dropout stays on while a pair is scored",
        EVALUATE,
        "        pair.eval()\n",
        "",
        OF_EVALUATE + "test_dropout_is_off_while_it_scores",
    ),
    Fault(
        "evaluation moves the caller's random numbers",
        EVALUATE,
        'with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():',
        "with torch.no_grad():",
        OF_EVALUATE + "test_it_leaves_everything_as_it_was",
    ),
    Fault(
        "the seed does not choose the images",
        EVALUATE,
        "torch.Generator().manual_seed(seed)",
        "torch.Generator().manual_seed(0)",
        OF_EVALUATE + "test_the_seed_alone_decides",
    ),
    Fault(
        "the first images are scored and not a random choice",
        EVALUATE,
        "index = torch.randperm(len(source), generator=generator)[:images]",
        "index = torch.arange(len(source))[:images]",
        OF_EVALUATE + "test_the_seed_alone_decides",
    ),
    Fault(
        "active units are counted on the scales",
        EVALUATE,
        "(units.var(0) > ACTIVE)",
        "(scales.var(0) > ACTIVE)",
        OF_EVALUATE + "test_active_units_are_the_latents_whose_means_move",
    ),
    Fault(
        "metrics get the factors of other images",
        ASKED,
        "data.factors(index).cpu()",
        "data.factors(torch.arange(len(index))).cpu()",
        OF_EVALUATE + "test_metrics_get_posterior_means_factors_and_what_they_ask_for",
    ),
    Fault(
        "metrics get variances for standard deviations",
        ASKED,
        '"scale": scales.numpy()',
        '"scale": scales.square().numpy()',
        OF_EVALUATE + "test_metrics_get_posterior_means_factors_and_what_they_ask_for",
    ),
    Fault(
        "a metric's signature is not looked at",
        ASKED,
        'if _is_ours(metric) and names != ["codes", "factors"]:',
        "if False:",
        OF_EVALUATE + "test_what_is_no_metric_is_refused_before_any_work",
    ),
    Fault(
        "a metric's settings are first looked at when it runs",
        ASKED,
        "_check_settings(metric, factors, arguments | _fixed(metric))",
        "pass",
        OF_EVALUATE + "test_factors_that_cannot_be_scored_are_refused_before_any_work",
    ),
    Fault(
        "a metric that fails is not named",
        ASKED,
        'kind(f"the metric {name!r} failed: {error}")',
        "kind(str(error))",
        OF_EVALUATE + "test_a_metric_that_fails_is_named",
    ),
    Fault(
        "no bar over the metrics",
        ASKED,
        "leave=False, shown=progress)",
        "leave=False, shown=False)",
        OF_EVALUATE + "test_the_bar_says_which_metric_runs",
    ),
]
