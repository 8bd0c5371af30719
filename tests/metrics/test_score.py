import copy
import json
import pickle

import numpy as np
import pytest

from pyrogen.metrics import Score


@pytest.fixture
def score():
    return Score(0.25, "mig", "histogram", {"bins": np.int64(20)}, {"gaps": np.array([0.2, 0.3]), 3: (1, 2)})


def test_a_score_is_a_plain_float_in_use(score):
    assert isinstance(score, float)
    assert score == 0.25
    assert type(score + 1) is float
    assert f"{score:.1f} {score}" == "0.2 0.25"
    assert json.dumps([score]) == "[0.25]"
    assert np.asarray([score]).dtype == np.float64


def test_the_repr_names_the_estimator(score):
    assert repr(score) == "Score(0.25, metric='mig', estimator='histogram')"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_keep_what_the_number_means(score, again):
    other = again(score)
    assert other == score
    assert other.to_dict() == score.to_dict()


def test_to_dict_is_plain_json(score):
    expected = {
        "value": 0.25,
        "metric": "mig",
        "estimator": "histogram",
        "settings": {"bins": 20},
        "details": {"gaps": [0.2, 0.3], "3": [1, 2]},
    }
    assert json.loads(json.dumps(score.to_dict())) == expected
