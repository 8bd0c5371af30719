r"""A score that carries what its number means."""

from collections.abc import Mapping
from typing import Any

import numpy as np


class Score(float):
    r"""A float that names its metric, its estimator and its settings.

    Two estimators of one metric give two different numbers, so a number alone says too little. In arithmetic,
    formatting, comparison and `json.dumps` a score is a plain float; the result of arithmetic is a plain float as well.

    Args:
        value: The number itself.
        metric: The metric's name, such as `"mig"`.
        estimator: The name of the estimator of the mutual information.
        settings: What else the number depends on (bins, samples, seed, factors left out, number of points).
        details: Parts of the number, such as the gap of each factor.

    Example:
        >>> from pyrogen.metrics import Score
        >>> score = Score(0.25, metric="mig", estimator="histogram", settings={"bins": 20})
        >>> score + 1
        1.25
        >>> score
        Score(0.25, metric='mig', estimator='histogram')
        >>> score.to_dict()
        {'value': 0.25, 'metric': 'mig', 'estimator': 'histogram', 'settings': {'bins': 20}, 'details': {}}
    """

    metric: str
    estimator: str
    settings: dict[str, Any]
    details: dict[str, Any]

    def __new__(
        cls,
        value: float,
        metric: str,
        estimator: str,
        settings: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> "Score":
        score = super().__new__(cls, value)
        score.metric = metric
        score.estimator = estimator
        score.settings = dict(settings or {})
        score.details = dict(details or {})
        return score

    def __getnewargs__(self) -> tuple[Any, ...]:  # float's own would lose the names in a pickle or a copy
        return float(self), self.metric, self.estimator, self.settings, self.details

    def __repr__(self) -> str:
        return f"Score({float(self)!r}, metric={self.metric!r}, estimator={self.estimator!r})"

    def __str__(self) -> str:
        return float.__repr__(self)

    def to_dict(self) -> dict[str, Any]:
        r"""Return the number and its meaning as plain Python values, ready for JSON."""

        return {
            "value": float(self),
            "metric": self.metric,
            "estimator": self.estimator,
            "settings": _plain(self.settings),
            "details": _plain(self.details),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value
