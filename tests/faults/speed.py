"""Faults in what makes a step fast: rewritten convolutions and kept memory."""

from faults.fault import Fault

CONVOLUTIONS, MEMORY = "training/step/convolutions.py", "training/memory.py"
OF = "training/step/test_convolutions.py::test_"

FAULTS = [
    Fault(
        "a weight without a gradient stands still",
        "training/step/elbo.py",
        "id(parameter) in again and id(parameter) not in put",
        "False",
        "models/test_faithful_programs.py::test_a_weight_without_a_gradient_in_some_steps_moves_as_under_svi",
    ),
    Fault(
        "what a callback changes is not looked for",
        "training/step/choice.py",
        "        path = changed_between(self._held, now)",
        '        path = ""',
        "models/test_faithful_programs.py::test_what_a_callback_changes_counts_from_the_next_step",
    ),
    Fault(
        "a weight that a callback replaces is not seen",
        "training/step/choice.py",
        "        held += [(id(p), p.requires_grad) for p in module._parameters.values() if p is not None]\n",
        "",
        "models/test_faithful_programs.py::test_what_a_callback_changes_counts_from_the_next_step",
    ),
    Fault(
        "a transposed convolution is cut at the wrong rows",
        CONVOLUTIONS,
        "image = image[:, :, padding[0] :",
        "image = image[:, :, padding[1] :",
        OF + "a_transposed_convolution_to_few_channels",
    ),
    Fault(
        "a transposed convolution with output padding is rewritten without it",
        CONVOLUTIONS,
        " and not any(output_padding)",
        "",
        OF + "others_stay_torchs",
    ),
    Fault(
        "the bias's gradient is a mean",
        CONVOLUTIONS,
        "gradient.sum(over",
        "gradient.mean(over",
        OF + "the_bias_apart",
    ),
    Fault(
        "kept memory is not given back",
        MEMORY,
        "        adjust(MMAP_THRESHOLD, USUAL[1])\n        trim(0)\n",
        "",
        "training/test_memory.py::test_freed_memory_stays_for_the_next_step_and_no_longer",
    ),
]
