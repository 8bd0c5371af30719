"""Faults in the checks that networks, pairs and distributions share."""

from faults.fault import Fault

FUZZ = "fuzz/test_fuzz.py::test_an_argument_of_another_kind_is_converted_or_refused"

FAULTS = [
    Fault("networks take rows in another type", "nn/base.py", "        x = x.to(weights)\n", "        pass\n", FUZZ),
    Fault(
        "networks take values that are not finite",
        "nn/base.py",
        "if dist.is_validation_enabled() and not torch.isfinite(x).all():",
        "if False:",
        FUZZ,
    ),
    Fault(
        "a pair takes a batch of no images", "models/base.py", "        if not len(x):\n", "        if False:\n", FUZZ
    ),
    Fault(
        "indices out of range reach the device",
        "tensors.py",
        "if is_validation_enabled():",
        "if False:",
        FUZZ,
    ),
    Fault(
        "a value of another shape is taken by a distribution over codes",
        "distributions/code_distribution.py",
        "if split < 0 or checked.shape[split:] != self.event_shape:",
        "if False:",
        FUZZ,
    ),
    Fault(
        "a prior over other codes is decomposed",
        "distributions/aggregate.py",
        "if p.event_shape != q.event_shape or p.batch_shape.numel() != 1:",
        "if False:",
        FUZZ,
    ),
    Fault(
        "a run of more steps than memory holds is begun",
        "training/settings.py",
        'checks.whole("steps", self.steps, least=1, most=checks.LARGEST_SIZE)',
        'checks.whole("steps", self.steps, least=1)',
        "fuzz/test_fuzz.py::test_slow_callables_refuse_too",
    ),
    Fault(
        "a class that is not an optimizer is called for one",
        "training/optimizers.py",
        "other = isinstance(optimizer, type) and not issubclass(optimizer, Optimizer)",
        "other = False",
        "fuzz/test_fuzz.py::test_slow_callables_refuse_too",
    ),
    Fault(
        "a tuple of too many arguments goes on to the guide",
        "models/base.py",
        "if not 1 <= len(args) <= 1 + len(self.context):",
        "if False:",
        FUZZ,
    ),
    Fault(
        "anything is a pair",
        "models/base.py",
        "if not isinstance(value, Pair):",
        "if False:",
        "evaluation/test_evaluate.py::test_what_is_no_pair_or_no_data_is_refused",
    ),
]
