"""Faults in the graphs: separation, cliques, maps, exact inference, files, the bridge to Pyro and learning."""

from faults.fault import Fault

BOUNDARY, SEPARATION, TRAILS = (
    "graphs/structure/validation.py",
    "graphs/structure/separation.py",
    "graphs/structure/trails.py",
)
SEPARATORS, MORAL, CLIQUES = (
    "graphs/structure/separators.py",
    "graphs/structure/moral.py",
    "graphs/structure/cliques.py",
)
TRIANGULATION, MAPS, EQUIVALENCE = (
    "graphs/structure/triangulation.py",
    "graphs/structure/maps.py",
    "graphs/structure/equivalence.py",
)
FACTORS, JUNCTION, INFERENCE = (
    "graphs/inference/factors.py",
    "graphs/inference/calibrated_tree.py",
    "graphs/inference/queries.py",
)
ELIMINATION = "graphs/inference/elimination.py"
POSTERIOR = "graphs/inference/posterior.py"
NETWORKS = "graphs/files/networks.py"
JSON_FORM, BIF, BIF_WRITER = "graphs/files/json_form.py", "graphs/files/bif.py", "graphs/files/bif_writer.py"
BIF_SOURCE, CONTENT = "graphs/files/bif_source.py", "graphs/files/content.py"
BRIDGE = "graphs/pyro/to_pyro.py"
PLAN = "graphs/pyro/enumeration.py"
LEARN = "graphs/pyro/learn.py"
DIRICHLET = "graphs/pyro/dirichlet.py"
RECORDS = "graphs/pyro/records.py"
OF_BOUNDARY = "graphs/structure/test_validation.py::"
OF_SEPARATION = "graphs/structure/test_separation.py::"
OF_MORAL = "graphs/structure/test_moral.py::"
OF_CLIQUES = "graphs/structure/test_cliques.py::"
OF_TRIANGULATION = "graphs/structure/test_triangulation.py::"
OF_MAPS = "graphs/structure/test_maps.py::"
OF_FACTORS = "graphs/inference/test_factors.py::"
OF_JUNCTION = "graphs/inference/test_calibrated_tree.py::"
OF_INFERENCE = "graphs/inference/test_queries.py::"
OF_NETWORKS = "graphs/files/test_networks.py::"
OF_BIF = "graphs/files/test_bif.py::"
OF_HOSTILE = "graphs/files/test_hostile_files.py::"
OF_BRIDGE = "graphs/pyro/test_to_pyro.py::"
OF_LEARN = "graphs/pyro/test_learn.py::"

FAULTS = [
    Fault(
        "a string is taken apart into letters",
        BOUNDARY,
        "isinstance(value, str | bytes) or not isinstance(value, Iterable)",
        "not isinstance(value, Iterable)",
        OF_BOUNDARY + "test_a_query_names_known_nodes_each_on_one_side",
    ),
    Fault(
        "evidence of a state called 0 is none",
        BOUNDARY,
        "        checked[node] = known[node]",
        "        if state:\n            checked[node] = known[node]",
        OF_BOUNDARY + "test_states_and_evidence",
    ),
    Fault(
        "a node may be asked for and observed",
        BOUNDARY,
        "            if node in seen:",
        "            if False:",
        OF_INFERENCE + "test_bad_questions_are_refused",
    ),
    Fault(
        "a collider is open although nothing is observed",
        SEPARATION,
        "if node in opens if along else node not in shut:",
        "if node not in shut:",
        OF_SEPARATION + "test_a_chain_a_fork_and_a_collider",
    ),
    Fault(
        "a collider's descendants do not open it",
        SEPARATION,
        "opens = ancestors(dag, shut)  #",
        "opens = shut  #",
        OF_SEPARATION + "test_a_chain_a_fork_and_a_collider",
    ),
    Fault(
        "an observed fork stays open",
        SEPARATION,
        "if node not in shut:  # on to the children",
        "if not along or node not in shut:  # on to the children",
        OF_SEPARATION + "test_a_chain_a_fork_and_a_collider",
    ),
    Fault(
        "a path passes observed nodes",
        SEPARATION,
        "for neighbor in () if node in shut else ug.neighbors(node):",
        "for neighbor in ug.neighbors(node):",
        OF_SEPARATION + "test_separation_in_an_undirected_graph_is_what_removing_the_observed_leaves",
    ),
    Fault(
        "the active trail takes detours",
        SEPARATION,
        "        visit = waiting.popleft()",
        "        visit = waiting.pop()",
        OF_SEPARATION + "test_an_active_trail_is_active_and_as_short_as_any",
    ),
    Fault(
        "a trail through an opened collider is called blocked",
        TRAILS,
        'if node not in opens if how == "collider" else node in shut:',
        'if node not in shut if how == "collider" else node in shut:',
        OF_SEPARATION + "test_blocked_trails_are_all_that_are_blocked_and_their_blockers_block",
    ),
    Fault(
        "chains are called forks",
        TRAILS,
        '"chain" if any(into) else "fork"',
        '"fork" if any(into) else "chain"',
        OF_SEPARATION + "test_a_blocked_trail_reads_as_a_sentence",
    ),
    Fault(
        "one trail fewer than the limit is allowed",
        TRAILS,
        "    if len(trails) > limit:",
        "    if len(trails) >= limit:",
        OF_SEPARATION + "test_more_trails_than_the_limit_are_refused",
    ),
    Fault(
        "a separator holds nodes that it may not",
        SEPARATORS,
        '**({"capacity": 1} if node in allowed else {})',
        "capacity=1",
        OF_SEPARATION + "test_the_minimum_d_separator_is_a_smallest_set_that_separates[True]",
    ),
    Fault(
        "separators are cut from the whole moral graph",
        SEPARATORS,
        "relevant = ancestors(dag, ends)",
        "relevant = set(dag)",
        OF_SEPARATION + "test_the_minimum_d_separator_is_a_smallest_set_that_separates[False]",
    ),
    Fault(
        "the parents of a child stay unmarried",
        MORAL,
        "for parent in family), *combinations(family, 2)]:",
        "for parent in family)]:",
        OF_MORAL + "test_the_moral_graph_is_that_of_networkx_and_pgmpy",
    ),
    Fault(
        "the Markov blanket forgets the other parents of the children",
        MORAL,
        "*children, *others} - {v}",
        "*children} - {v}",
        OF_MORAL + "test_the_exercise",
    ),
    Fault(
        "cliques that another node can join are listed",
        CLIQUES,
        "            if not listed:",
        "            if True:",
        OF_CLIQUES + "test_maximal_cliques_are_those_of_all_subsets_and_of_networkx",
    ),
    Fault(
        "cliques with the pivot are lost",
        CLIQUES,
        "for node in joining - near[pivot]:",
        "for node in joining - near[pivot] - {pivot}:",
        OF_CLIQUES + "test_maximal_cliques_are_those_of_all_subsets_and_of_networkx",
    ),
    Fault(
        "a graph is chordal if one chord is there",
        CLIQUES,
        "if all(node == last or ug.has_edge(node, last) for node in before):",
        "if not before or any(node == last or ug.has_edge(node, last) for node in before):",
        OF_CLIQUES + "test_a_graph_is_chordal_unless_a_chordless_cycle_shows_that_it_is_not",
    ),
    Fault(
        "the edge from the last node to the first is a chord",
        CLIQUES,
        "cycle[i + 2 : len(cycle) - (i == 0)]",
        "cycle[i + 2 : len(cycle)]",
        OF_CLIQUES + "test_the_chords_of_a_cycle",
    ),
    Fault(
        "a new edge saves its common neighbors two",
        TRIANGULATION,
        "fill[other] -= 1",
        "fill[other] -= 2",
        OF_TRIANGULATION + "test_the_next_node_is_the_cheapest[min_fill]",
    ),
    Fault(
        "sizes do not decide between equal fill-ins",
        TRIANGULATION,
        "        if sizes is None:\n            return len(near[node])",
        "        if True:\n            return len(near[node])",
        OF_TRIANGULATION + "test_sizes_decide_between_equal_fill_ins",
    ),
    Fault(
        "the weight of a node leaves its own states out",
        TRIANGULATION,
        "start=states[node])",
        "start=1)",
        OF_TRIANGULATION + "test_the_next_node_is_the_cheapest[min_weight]",
    ),
    Fault(
        "a junction tree holds cliques within cliques",
        TRIANGULATION,
        "if above is not None and rest == cliques[above]:",
        "if False:",
        OF_TRIANGULATION + "test_a_junction_tree_has_the_running_intersection",
    ),
    Fault(
        "a clique hangs on the last that shares a node",
        TRIANGULATION,
        "home[next(other for other in later if other in rest)]",
        "home[next(other for other in reversed(later) if other in rest)]",
        OF_TRIANGULATION + "test_a_junction_tree_has_the_running_intersection",
    ),
    Fault(
        "a node is to be independent of its descendants",
        MAPS,
        "later = {node, *nx.descendants(a, node)}",
        "later = {node}",
        OF_MAPS + "test_i_maps_perfect_maps_and_what_they_disagree_on",
    ),
    Fault(
        "an I-map of a directed graph need not join the parents",
        MAPS,
        "joined = moral_graph(b) if b.is_directed() else b",
        "joined = b.to_undirected() if b.is_directed() else b",
        OF_MAPS + "test_i_maps_perfect_maps_and_what_they_disagree_on",
    ),
    Fault(
        "a witness observes more than it needs",
        MAPS,
        "given, left_out = fewer, True",
        "left_out = False",
        OF_MAPS + "test_no_node_of_a_larger_witness_can_be_left_out",
    ),
    Fault(
        "every I-map is perfect",
        MAPS,
        "return disagreement(map, of) is None and disagreement(of, map) is None",
        "return disagreement(map, of) is None",
        OF_MAPS + "test_the_exercise",
    ),
    Fault(
        "all nodes before a node are its parents",
        MAPS,
        "for parent in before if parent in reached)",
        "for parent in before)",
        OF_MAPS + "test_from_a_minimal_i_map_no_edge_can_go[True]",
    ),
    Fault(
        "a directed map is not in the order given",
        MAPS,
        "order = _causes_first(of) if order is None else validation.ordering(of, order)",
        "order = _causes_first(of)",
        OF_MAPS + "test_from_a_minimal_i_map_no_edge_can_go[True]",
    ),
    Fault(
        "parents that are joined make a v-structure",
        EQUIVALENCE,
        "nx.dag.v_structures(",
        "nx.dag.colliders(",
        OF_MAPS + "test_v_structures_and_cpdags_of_random_graphs",
    ),
    Fault(
        "an arrow that would make a new v-structure is not compelled",
        EQUIVALENCE,
        "    if any((c, a) in arrows and not",
        "    if False and any((c, a) in arrows and not",
        OF_MAPS + "test_equivalent_graphs_are_those_that_assert_the_same",
    ),
    Fault(
        "an arrow that would close a cycle is not compelled",
        EQUIVALENCE,
        "    if any((a, c) in arrows and (c, b) in arrows",
        "    if False and any((a, c) in arrows and (c, b) in arrows",
        OF_MAPS + "test_equivalent_graphs_are_those_that_assert_the_same",
    ),
    Fault(
        "an arrow between two ways into a node is not compelled",
        EQUIVALENCE,
        "return any(not _joined(dag, c, d)",
        "return False and any(not _joined(dag, c, d)",
        OF_MAPS + "test_equivalent_graphs_are_those_that_assert_the_same",
    ),
    Fault(
        "a sum of zeros is no number",
        FACTORS,
        "top = np.where(np.isneginf(top), 0.0, top)",
        "pass",
        OF_FACTORS + "test_sums_and_maxima_over_some_and_all_axes",
    ),
    Fault(
        "states are known by their place",
        FACTORS,
        "if tuple(here) != states[name]:",
        "if False:",
        OF_FACTORS + "test_a_state_is_known_by_its_name_and_not_by_its_place",
    ),
    Fault(
        "only parents bear on a node",
        FACTORS,
        "                waiting.extend(own[node].names[1:])",
        "                kept.update(own[node].names[1:])",
        OF_FACTORS + "test_what_bears_on_a_node_are_its_ancestors",
    ),
    Fault(
        "rounded columns stay as they are",
        FACTORS,
        "_log(table / table.sum(axis=0))",
        "_log(table)",
        OF_INFERENCE + "test_rounded_tables_are_divided_by_their_sum_so_that_barren_nodes_do_not_matter",
    ),
    Fault(
        "columns may miss one by a tenth",
        FACTORS,
        "ROUNDED = 0.01",
        "ROUNDED = 0.1",
        OF_FACTORS + "test_bad_tables_are_refused",
    ),
    Fault(
        "messages count twice on their way back",
        JUNCTION,
        "self._multiply(number, belief.without(sent))",
        "self._multiply(number, belief)",
        OF_JUNCTION + "test_every_belief_is_a_marginal_of_the_joint",
    ),
    Fault(
        "what evidence has made a number is lost from the total",
        JUNCTION,
        "                self.log_total += float(factor.log)",
        "                pass",
        OF_INFERENCE + "test_impossible_evidence_is_named",
    ),
    Fault(
        "the probability of evidence in a Markov network has no Z",
        INFERENCE,
        "answer -= _log_partition(known, limit)",
        "pass",
        OF_INFERENCE + "test_every_answer_is_that_of_the_joint_written_out",
    ),
    Fault(
        "the best assignment has its joint probability with the evidence",
        INFERENCE,
        "sum(float(factor.log) for factor in top) - log_evidence",
        "sum(float(factor.log) for factor in top)",
        OF_INFERENCE + "test_every_answer_is_that_of_the_joint_written_out",
    ),
    Fault(
        "evidence below what is asked for is barren",
        INFERENCE,
        "known.relevant([*asked, *observed])",
        "known.relevant(asked)",
        OF_INFERENCE + "test_every_answer_is_that_of_the_joint_written_out",
    ),
    Fault(
        "impossible evidence is not noticed",
        INFERENCE,
        "    if log_total > -math.inf:",
        "    if True:",
        OF_INFERENCE + "test_impossible_evidence_is_named",
    ),
    Fault(
        "elimination does not begin at the leaves",
        ELIMINATION,
        "cliques = rooted_cliques(inside, sizes, border)",
        "cliques = rooted_cliques(inside, sizes)",
        OF_JUNCTION + "test_elimination_around_kept_nodes_makes_no_larger_tables_than_their_junction_tree",
        OF_INFERENCE + "test_a_chain_needs_no_table_beyond_two_variables_wherever_one_asks",
    ),
    Fault(
        "a marginal keeps the order of the table",
        POSTERIOR,
        "summed.transpose([kept.index(axis) for axis in axes])",
        "summed",
        OF_INFERENCE + "test_a_posterior_gives_marginals_in_the_order_asked_for",
    ),
    Fault(
        "the parents in a JSON table stand in reverse",
        JSON_FORM,
        "np.moveaxis(values, -1, 0).reshape",
        "values.T.reshape",
        OF_NETWORKS + "test_a_bayesian_network_in_json",
    ),
    Fault(
        "a second table takes the place of the first",
        JSON_FORM,
        "if directed and table.variable in seen:",
        "if False:",
        OF_NETWORKS + "test_each_fault_in_json_has_its_sentence",
    ),
    Fault(
        "a BIF table runs over the first parent fastest",
        BIF,
        "row = row * len(known) + place",
        "row = row + place * (1 + len(known) * (len(parents) > 1))",
        OF_BIF + "test_tables_run_over_the_last_parent_fastest",
    ),
    Fault(
        "a repeated BIF entry takes the place of the first",
        BIF,
        "if row in found:",
        "if False:",
        OF_BIF + "test_refusals_name_line_and_column",
    ),
    Fault(
        "default numbers overwrite the entries",
        BIF,
        "            if found:\n                table[list(found)]",
        "            if found and default is None:\n                table[list(found)]",
        OF_BIF + "test_tables_run_over_the_last_parent_fastest",
    ),
    Fault(
        "BIF sums may miss one by anything",
        BIF,
        "> slack(table[:, row])",
        "> 1",
        OF_BIF + "test_refusals_name_line_and_column",
    ),
    Fault(
        "columns are counted from zero",
        BIF_SOURCE,
        "at - self.text.rfind(chr(10), 0, at)",
        "at - self.text.rfind(chr(10), 0, at) - 1",
        OF_BIF + "test_refusals_name_line_and_column",
    ),
    Fault(
        "probabilities are written with six digits",
        BIF_WRITER,
        "map(repr, row.tolist())",
        "(f'{value:.6g}' for value in row.tolist())",
        OF_BIF + "test_what_is_written_is_read_back_to_the_last_digit",
    ),
    Fault(
        "a packed file is unpacked whole before its size is looked at",
        CONTENT,
        "file.read(largest + 1)",
        "file.read()",
        OF_HOSTILE + "test_a_packed_file_of_one_letter_costs_little_memory",
    ),
    Fault(
        "a name twice in a JSON object is taken",
        JSON_FORM,
        "if len(found) != len(pairs):",
        "if False:",
        OF_HOSTILE + "test_hostile_json_is_refused_in_a_sentence",
    ),
    Fault(
        "a node may stand in evidence and in data",
        BRIDGE,
        "            validation.apart(evidence=seen, data=rows)",
        "            pass",
        OF_BRIDGE + "test_bad_input_is_told_in_a_sentence",
    ),
    Fault(
        "the uniform proposals of a Markov network are not taken back",
        BRIDGE,
        'weigh("volume", torch.tensor(volume',
        'weigh("volume", torch.tensor(0 * volume',
        OF_BRIDGE + "test_the_loss_is_the_log_weight_of_the_evidence",
    ),
    Fault(
        "two parents change places on the way to Pyro",
        BRIDGE,
        ".movedim(0, -1)",
        ".transpose(0, -1)",
        OF_BRIDGE + "test_the_loss_is_the_log_weight_of_the_evidence",
    ),
    Fault(
        "what is missing in a row agrees with nothing",
        PLAN,
        "agrees = (value == seen) | (seen < 0)",
        "agrees = value == seen",
        OF_BRIDGE + "test_rows_with_gaps_are_each_marginalised",
    ),
    Fault(
        "two variables of a table share a dimension",
        PLAN,
        "earlier = [other for other in self._avoid[node] if other not in used]",
        "earlier = []",
        OF_BRIDGE + "test_pyro_pgmpy_and_the_joint_written_out_agree",
    ),
    Fault(
        "a site is called as another's observation",
        PLAN,
        'while {name, f"{name} seen"} & taken:',
        "while name in taken:",
        OF_BRIDGE + "test_site_names_are_strings_and_each_is_used_once",
    ),
    Fault(
        "an enumeration beyond the limit is begun",
        PLAN,
        "            if largest > self.limit:",
        "            if False:",
        OF_BRIDGE + "test_an_enumeration_beyond_the_limit_is_refused_and_evidence_may_bring_it_within",
    ),
    Fault(
        "counts are filed under the parents in reverse",
        LEARN,
        "for parent in (*parents[node], node):",
        "for parent in (*reversed(parents[node]), node):",
        OF_LEARN + "test_with_nothing_missing_the_posterior_is_prior_plus_counts_and_the_elbo_the_evidence",
    ),
    Fault(
        "rows that are alike count once",
        LEARN,
        "(problem.plan.log_prob(rows, plates=2) * problem.weights).sum()",
        "problem.plan.log_prob(rows, plates=2).sum()",
        OF_LEARN + "test_the_means_are_those_of_em_where_entries_are_missing",
    ),
    Fault(
        "the ELBO lacks the complete rows",
        LEARN,
        "linear = {node: problem.counts[node] + extra[node] for node in base}",
        "linear = {node: extra[node] for node in base}",
        OF_LEARN + "test_on_little_data_the_elbo_is_just_below_the_exact_evidence",
    ),
    Fault(
        "learning moves the caller's random numbers",
        LEARN,
        "with torch.random.fork_rng(devices=[]):",
        "with pyro.validation_enabled(True):",
        OF_LEARN + "test_the_seed_decides_and_the_callers_random_numbers_are_left_alone",
    ),
    Fault(
        "the steps before the average are averaged too",
        LEARN,
        "                if step >= burn_in:",
        "                if True:",
        OF_LEARN + "test_a_row_in_which_nothing_is_seen_leaves_the_posterior_as_it_was",
    ),
    Fault(
        "the natural gradient takes the rows' sums for nothing",
        DIRICHLET,
        "return scaled + common *",
        "return scaled + 0 * common *",
        OF_LEARN + "test_the_natural_gradient_of_a_linear_function_of_log_theta_is_its_slope",
    ),
    Fault(
        "a missing entry is the first state",
        RECORDS,
        "[*(places[state] for state in seen), -1]",
        "[*(places[state] for state in seen), 0]",
        OF_BRIDGE + "test_rows_with_gaps_are_each_marginalised",
    ),
    Fault(
        "states that the data show stand as they come",
        RECORDS,
        "tuple(sorted(values))",
        "tuple(values)",
        OF_LEARN + "test_gaps_may_be_none_nan_or_na_and_columns_of_any_dtype",
    ),
]
