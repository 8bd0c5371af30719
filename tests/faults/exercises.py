"""Faults in the exercises: digits, interventions, separators, triangulations, chain rule and grading."""

from faults.fault import Fault

OF = "exercises/claims/"

FAULTS = [
    Fault(
        "a stated number may miss by a whole unit of its last digit",
        "exercises/claims/probabilities.py",
        "half = 0.0 if whole else 0.5 * 10.0",
        "half = 0.0 if whole else 1.0 * 10.0",
        OF + "test_probabilities.py::test_a_probability_is_right_to_the_digits_stated",
    ),
    Fault(
        "zeros at the end of a number do not count",
        "exercises/exercise.py",
        "        number.text = text\n",
        "        number.text = str(float(text))\n",
        OF + "test_probabilities.py::test_the_digits_of_a_json_number_count_zeros_too",
    ),
    Fault(
        "an intervention leaves the arrows into its node",
        "exercises/claims/probabilities.py",
        "network = intervened(subject.network, do)\n    joint",
        "network = subject.network\n    joint",
        OF + "test_probabilities.py::test_an_intervention_cuts_the_arrows_and_observing_does_not",
    ),
    Fault(
        "only the first of several best explanations is right",
        "exercises/claims/probabilities.py",
        "agrees, reason = own >= top * (1 - bound), f",
        "agrees, reason = stated == first, f",
        OF + "test_probabilities.py::test_each_of_several_best_explanations_is_right",
    ),
    Fault(
        "the sets of joined nodes are counted as pairs",
        "exercises/claims/parameters.py",
        "for size in range(1, len(clique) + 1):",
        "for size in range(1, min(len(clique), 2) + 1):",
        OF + "test_parameters.py::test_the_count_is_the_one_by_hand",
    ),
    Fault(
        "a separator with a superfluous node is minimal",
        "exercises/claims/separators.py",
        "agrees = holds and minimal and small",
        "agrees = holds and small",
        OF + "test_separators.py::test_a_separator_is_judged_by_what_it_does",
    ),
    Fault(
        "a larger separator passes for the smallest",
        "exercises/claims/separators.py",
        'small = not claim["smallest"] or len(stated) == len(least)',
        "small = True",
        OF + "test_separators.py::test_a_separator_is_judged_by_what_it_does",
    ),
    Fault(
        "the treewidth is the size of the largest clique",
        "exercises/claims/triangulations.py",
        "    return max(width, 0), order[::-1]",
        "    return max(width, 0) + 1, order[::-1]",
        OF + "test_triangulations.py::test_known_treewidths",
    ),
    Fault(
        "cliques of a node may lie apart in the tree",
        "exercises/claims/junction_trees.py",
        "if own and not nx.is_connected(made.subgraph(own)):",
        "if False:",
        OF + "test_junction_trees.py::test_a_tree_is_judged_by_its_properties",
    ),
    Fault(
        "a stated v-structure needs no arrows",
        "exercises/claims/equivalence.py",
        'wrong += [f"the list misses {_drawn(*one)}" for one in found',
        'wrong = [f"the list misses {_drawn(*one)}" for one in found',
        OF + "test_equivalence.py::test_v_structures",
    ),
    Fault(
        "the chain rule forgets the nodes before",
        "exercises/products.py",
        "(*self.before[:place], *self.after)",
        "self.after",
        "exercises/test_claims.py::test_a_stated_product_is_judged_whatever_its_form",
    ),
    Fault(
        "a witness stated in the file is taken for each student's",
        "exercises/grading.py",
        'if key != "witness"}',
        "}",
        "exercises/test_grading.py::test_a_witness_of_the_file_is_not_the_students",
    ),
    Fault(
        "a network may lie outside of the exercise's folder",
        "exercises/exercise.py",
        "if not (folder / name).resolve().is_relative_to(folder.resolve()):",
        "if False:",
        "exercises/test_hostile.py",
    ),
    Fault(
        "a cell may be a formula",
        "exercises/grading.py",
        'if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell',
        "if False else cell",
        "exercises/test_grading.py::test_a_cell_is_no_formula",
    ),
]
