"""Faults in the scores: bounds, their errors, and what evaluation leaves behind."""

from faults.fault import Fault

FILES = ("metric_calls", "bounds", "evaluate", "passes", "runs", "terms", "posterior")
ASKED, BOUNDS, EVALUATE, PASSES, RUNS, TERMS, POSTERIOR = (f"evaluation/{name}.py" for name in FILES)
OF_BOUNDS = "evaluation/test_bounds.py::"
OF_EVALUATE = "evaluation/test_evaluate.py::"
OF_PROGRAMS = "evaluation/test_programs.py::"

FAULTS = [
    Fault(
        "the importance-weighted bound misses log K",
        BOUNDS,
        "return weights.logsumexp(0) - math.log(samples)",
        "return weights.logsumexp(0)",
        OF_BOUNDS + "test_under_the_exact_posterior_every_bound_is_the_evidence",
    ),
    Fault(
        "the importance weights leave the latents' prior out",
        "evaluation/weights.py",
        "        total = total + by_row(log_prob(site), run, dim)",
        '        total = total + by_row(log_prob(site), run, dim) * site["is_observed"]',
        OF_BOUNDS + "test_under_the_exact_posterior_every_bound_is_the_evidence",
    ),
    Fault(
        "the importance weights are averaged as logarithms",
        BOUNDS,
        "return weights.logsumexp(0) - math.log(samples)",
        "return weights.mean(0)",
        OF_BOUNDS + "test_the_bound_of_one_and_of_two_draws_is_what_quadrature_gives",
    ),
    Fault(
        "beta weighs the importance weights",
        RUNS,
        'return masked(site["fn"].log_prob(site["value"]), site["mask"])',
        'return masked(site["fn"].log_prob(site["value"]), site["mask"]) * site["scale"]',
        OF_PROGRAMS + "test_another_prior_in_the_programs_has_the_evidence_of_the_programs",
    ),
    Fault(
        "the noise of the draws is counted as active",
        PASSES,
        "    if codes.halves is None:\n",
        "    if True:\n",
        OF_PROGRAMS + "test_the_noise_of_the_draws_is_not_counted_as_active",
    ),
    Fault(
        "several draws are made at once without a proof",
        BOUNDS,
        "at_once = agree and torch.allclose(together.expand(TRIED, -1), torch.cat(alone), rtol=1e-4, atol=1e-3)",
        "at_once = agree",
        OF_PROGRAMS + "test_several_draws_are_made_at_once_where_they_give_the_weights_of_each",
    ),
    Fault(
        "the KL of an image is the mean of its latents",
        TERMS,
        "return self.nats.flatten(1).sum(1) if",
        "return self.nats.flatten(1).mean(1) if",
        OF_BOUNDS + "test_the_kl_of_each_image_and_latent_is_the_closed_form",
    ),
    Fault(
        "beta leaks into the ELBO",
        PASSES,
        "row[term.kind] = row.get(term.kind, zero) + term.per_row()",
        "row[term.kind] = row.get(term.kind, zero) + term.weighted",
        OF_EVALUATE + "test_the_terms_are_consistent_with_one_another",
    ),
    Fault(
        "the objective that is reported has no beta",
        PASSES,
        '(term.weighted for term in terms if term.kind != "charge")',
        '(term.per_row() for term in terms if term.kind != "charge")',
        OF_EVALUATE + "test_the_terms_are_consistent_with_one_another",
    ),
    Fault(
        "the NLL has the wrong sign",
        EVALUATE,
        'found.rows["nll"] = -weights.bound',
        'found.rows["nll"] = weights.bound',
        OF_EVALUATE + "test_every_term_agrees_with_its_closed_form_within_its_own_standard_error",
    ),
    Fault(
        "the standard error is the standard deviation",
        PASSES,
        "values.std() / math.sqrt(len(values))",
        "values.std()",
        OF_EVALUATE + "test_kl_and_its_standard_error_are_those_of_the_images",
    ),
    Fault(
        "the KL of each latent is summed over the images",
        PASSES,
        "return torch.cat(each, 1).mean(0).tolist()",
        "return torch.cat(each, 1).sum(0).tolist()",
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
        PASSES,
        "return int((codes.means.var(0) > ACTIVE).sum())",
        "return int((codes.scales.var(0) > ACTIVE).sum())",
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
    Fault(
        "the parts of the KL are those of a batch",
        PASSES,
        "    if posteriors:\n",
        "    if False:\n",
        "evaluation/test_data_charges.py",
    ),
    Fault(
        "an image's own posterior counts like any other over many batches",
        "distributions/aggregate.py",
        "logs[i - start, i - before] = own_weight",
        "logs[i - start, i - before] = other",
        "evaluation/test_data_charges.py",
    ),
    Fault(
        "a latent in another plate counts as one of the data's",
        RUNS,
        "return all(plates & {f.name for f",
        "return all(plates and {f.name for f",
        "evaluation/test_anyones_programs.py::test_labels_of_the_model_are_summed_out",
    ),
    Fault(
        "a latent that is enumerated is not summed out but drawn",
        BOUNDS,
        'enumerated = any(site["infer"].get("enumerate") == "parallel" for site in marked)',
        "enumerated = False",
        "evaluation/test_anyones_programs.py::test_labels_of_the_guide_are_averaged_over",
    ),
    Fault(
        "ArviZ gets the joint density for the likelihood",
        "evaluation/draws.py",
        "_compact(log_prob(site), site, run, 0) for name, site in run.observed.items()",
        "_compact(log_prob(site), site, run, 0) * 2 for name, site in run.observed.items()",
        "evaluation/test_anyones_programs.py::test_arviz_has_the_posterior_and_leave_one_out_of_a_level",
    ),
]
