"""Faults in what makes a step fast: rewritten convolutions and kept memory."""

from faults.fault import Fault

CONVOLUTIONS, MEMORY = "training/step/convolutions.py", "training/memory.py"
OF = "training/step/test_convolutions.py::test_"

FAULTS = [
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
