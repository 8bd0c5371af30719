"""Faults in the pretrained pairs: in which precision and mode they come."""

from faults.fault import Fault

WEIGHTS = "weights/__init__.py"
TESTS = "test_weights.py::"

FAULTS = [
    Fault(
        "a pretrained pair comes in half precision",
        WEIGHTS,
        '.safetensors").float().eval()',
        '.safetensors").eval()',
        TESTS + "test_a_pair_is_as_its_name_says",
    ),
    Fault(
        "a pretrained pair comes in training mode",
        WEIGHTS,
        '.safetensors").float().eval()',
        '.safetensors").float().train()',
        TESTS + "test_a_pair_is_as_its_name_says",
    ),
    Fault(
        "any file beside the weights has a card",
        WEIGHTS,
        'known: str = checks.one_of("name", name, names())',
        "known = name",
        TESTS + "test_another_name_is_refused",
    ),
]
