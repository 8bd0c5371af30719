"""Faults in figures and reports: a label that is wrong, a curve that is shifted, a cell in the wrong place."""

from faults.fault import Fault

OF_PLOTS = "plots/test_plots.py::"
OF_ELBO = "plots/runs/test_elbo.py::"
OF_REPORT = "report/test_report.py::"

FAULTS = [
    Fault(
        "reconstruction and KL change titles",
        "plots/runs/curves.py",
        '"reconstruction": "Reconstruction term",\n    "kl": "KL term"',
        '"kl": "Reconstruction term",\n    "reconstruction": "KL term"',
        OF_PLOTS + "test_loss_curves_draw_the_three_terms_of_each_run",
    ),
    Fault(
        "the moving average lags behind",
        "plots/runs/curves.py",
        "stop = np.minimum(np.arange(len(value)) + reach + 1, len(value))",
        "stop = np.arange(len(value)) + 1",
        OF_PLOTS + "test_loss_curves_draw_the_three_terms_of_each_run",
    ),
    Fault(
        "the start of training flattens the rest",
        "plots/runs/curves.py",
        "value[int(skip * len(value)) :]",
        "value",
        OF_PLOTS + "test_the_start_of_training_does_not_flatten_the_rest",
    ),
    Fault(
        "the bars of KL are labeled in order and not by latent",
        "plots/codes/kl.py",
        "order.tolist())",
        "sorted(order.tolist()))",
        OF_PLOTS + "test_kl_bars_fall_and_active_latents_are_counted",
    ),
    Fault(
        "a latent at the threshold counts as active",
        "plots/codes/kl.py",
        "value[order] > threshold",
        "value[order] >= threshold",
        OF_PLOTS + "test_kl_bars_fall_and_active_latents_are_counted",
    ),
    Fault(
        "the numbers of the heat map are transposed",
        "plots/codes/information.py",
        "ax.text(k, j, ",
        "ax.text(j, k, ",
        OF_PLOTS + "test_mutual_information_cells_are_latents_by_factors",
    ),
    Fault(
        "the heat map of shares is labeled in nats",
        "plots/codes/information.py",
        'unit = "share of entropy"',
        'unit = "nats"',
        OF_PLOTS + "test_mutual_information_as_a_share_of_entropy_on_one_scale",
    ),
    Fault(
        "a traversal moves the first latent whatever the row",
        "plots/images/traversal.py",
        "z[r, :, j] = values",
        "z[r, :, 0] = values",
        OF_PLOTS + "test_traversals_move_one_latent_at_a_time",
    ),
    Fault(
        "traversals are in the order of rising KL",
        "plots/images/traversal.py",
        "np.argsort(-cost, ",
        "np.argsort(cost, ",
        OF_PLOTS + "test_traversals_are_in_the_order_of_their_kl",
    ),
    Fault(
        "points have the colors of other images",
        "plots/codes/latent_space.py",
        "c=color[order]",
        "c=color",
        OF_PLOTS + "test_pca_points_are_scikit_learns_in_the_color_of_their_label",
    ),
    Fault(
        "a montage runs down its columns",
        "plots/canvas/montage.py",
        "top, left = (i // columns) * (height + GAP), (i % columns) * (width + GAP)",
        "top, left = (i % rows) * (height + GAP), (i // rows) * (width + GAP)",
        OF_PLOTS + "test_samples_fill_a_grid_for_each_label_row_by_row",
    ),
    Fault(
        "the path of SVI is drawn a step late",
        "plots/runs/elbo.py",
        "np.arange(1, len(way) + 1), way / best",
        "np.arange(2, len(way) + 2), way / best",
        OF_ELBO + "test_elbo_paths_draws_the_curve_its_path_and_its_maximum",
    ),
    Fault(
        "the star of the maximum stands at the end of the path",
        "plots/runs/elbo.py",
        "left.plot([best], [peaks[label]]",
        "left.plot([way[-1]], [peaks[label] - 0.1]",
        OF_ELBO + "test_elbo_paths_draws_the_curve_its_path_and_its_maximum",
    ),
    Fault(
        "guide and posterior change places in the legend",
        "plots/runs/elbo.py",
        '["guide q(z)", "exact posterior p(z | x)"]',
        '["exact posterior p(z | x)", "guide q(z)"]',
        OF_ELBO + "test_guide_and_posterior_draws_both_densities_inside_their_support",
    ),
    Fault(
        "the posterior's shade is the guide's",
        "plots/runs/elbo.py",
        "_density(posterior, z), color=RED",
        "_density(guide, z), color=RED",
        OF_ELBO + "test_guide_and_posterior_draws_both_densities_inside_their_support",
    ),
    Fault(
        "cells of a table are not escaped",
        "report/page.py",
        "<td{k}>{escape_html(cell)}</td>",
        "<td{k}>{cell}</td>",
        OF_REPORT + "test_everything_is_escaped",
    ),
    Fault(
        "figures are numbered as tables",
        "report/page.py",
        "body.append(_figure(block, figure))",
        "body.append(_figure(block, table))",
        OF_REPORT + "test_tables_and_figures_are_each_numbered_from_one",
    ),
    Fault(
        "a column with one number stands right",
        "report/builder.py",
        "bool(cells) and all(is_number",
        "bool(cells) and any(is_number",
        OF_REPORT + "test_columns_of_numbers_stand_right",
    ),
    Fault(
        "a standard error has a digit too many",
        "report/numbers.py",
        "decimals = max(0, 1 - math.floor(math.log10(error)))",
        "decimals = max(0, 2 - math.floor(math.log10(error)))",
        OF_REPORT + "test_an_error_says_how_many_digits_count",
    ),
    Fault(
        "thousands are cut off a number",
        "report/numbers.py",
        'text = f"{value:,.0f}" if 10 ** (digits - 1) <= rounded < 1e12',
        'text = f"{value / 1000:,.0f}" if 10 ** (digits - 1) <= rounded < 1e12',
        OF_REPORT + "test_numbers_are_written_for_reading",
    ),
]
