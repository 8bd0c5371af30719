"""Faults in pairs with several latents or with labels, and in their oracles."""

from faults.fault import Fault

SEMI, CONDITIONAL, TWO, OBJECTIVES = (
    "models/semi_supervised.py",
    "models/conditional.py",
    "models/two_layer.py",
    "training/objectives.py",
)
OTHERS, LABELS, LAYERS = (f"models/test_{name}.py::" for name in ("contract_others", "labels", "two_layer"))

FAULTS = [
    Fault(
        "a label that is known may be another one",
        SEMI,
        "(known >= 0) & (label != known), NEVER, 0.0",
        "(known >= 0) & (label != known), 0.0, 0.0",
        LABELS + "test_labels_are_summed_out_where_they_are_missing",
    ),
    Fault(
        "a label that is known is not certain in the guide",
        SEMI,
        "torch.where((known >= 0)[:, None], certain, q.logits)",
        "torch.where((known >= 0)[:, None], q.logits, q.logits)",
        LABELS + "test_the_enumerated_bound_is_the_sum_written_out",
    ),
    Fault(
        "the classification of missing labels is charged",
        SEMI,
        "torch.where(known >= 0, -q.log_prob(known.clamp(min=0)), 0.0)",
        "-q.log_prob(known.clamp(min=0))",
        OTHERS + "test_every_parameter_gets_a_gradient",
        LABELS + "test_missing_labels_are_not_classified",
    ),
    Fault(
        "samples of a label are of any",
        SEMI,
        'given={"y": label}',
        "given={}",
        LABELS + "test_samples_are_of_the_label_asked_for",
    ),
    Fault(
        "the decoder of a conditional pair does not see the label",
        CONDITIONAL,
        "torch.cat((z, code.expand(*z.shape[:-1], -1)), -1)",
        "torch.cat((z, 0 * code.expand(*z.shape[:-1], -1)), -1)",
        LABELS + "test_the_conditional_bound_is_the_evidence_of_each_label",
    ),
    Fault(
        "the expectation over labels is their plain sum",
        "training/divergence.py",
        "weight = sum(logs[1:], logs[0]).exp()",
        "weight = sum(logs[1:], logs[0]).exp() * 0 + 1",
        LABELS + "test_the_enumerated_bound_is_the_sum_written_out",
    ),
    Fault(
        "the upper layer's beta is left out of the guide",
        TWO,
        '            z = pyro.sample("z", self.encode(x))\n            pyro.sample("z2", self.top_encoder(z))',
        '            z = pyro.sample("z", self.encode(x))\n        with self.plate(x, size):\n'
        '            pyro.sample("z2", self.top_encoder(z))',
        OTHERS + "test_the_objective_is_pyros_loss_on_average",
    ),
    Fault(
        "an analytic KL is taken at a draw that depends on it",
        OBJECTIVES,
        "exact = all(drawn[earlier] < drawn[name] for earlier in before)",
        "exact = True",
        LAYERS + "test_the_elbo_is_the_evidence_though_the_guide_draws_the_layers_in_the_other_order",
    ),
    Fault(
        "the posterior of a layer forgets the one above",
        "oracles/two_layer.py",
        "found = np.linalg.inv(precision + w.T @ w / sigma**2)",
        "found = np.linalg.inv(np.eye(len(precision)) + w.T @ w / sigma**2)",
        LAYERS + "test_the_oracle_is_the_integral",
    ),
    Fault(
        "the evidence of a label forgets its mean",
        "oracles/labels.py",
        "gaussian.evidence(gaussian.as_array(x) - column, w, b, sigma)",
        "gaussian.evidence(gaussian.as_array(x), w, b, sigma)",
        LABELS + "test_the_oracle_is_the_integral_and_its_optimum_the_best",
    ),
]
