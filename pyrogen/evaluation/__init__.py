"""Scores of trained pairs on held-out data."""

from pyrogen.evaluation.bounds import ElboTerms, elbo_terms_per_image, importance_weighted_bound
from pyrogen.evaluation.draws import Draws
from pyrogen.evaluation.evaluate import evaluate
from pyrogen.evaluation.pareto import pareto_k
from pyrogen.evaluation.scores import Scores

__all__ = ["Draws", "ElboTerms", "Scores", "elbo_terms_per_image", "evaluate", "importance_weighted_bound", "pareto_k"]
