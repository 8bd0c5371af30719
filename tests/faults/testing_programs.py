"""Faults in what the checks make of anyone's programs: legal idioms that they call wrong, and mistakes they miss."""

from faults.fault import Fault

IDIOMS, MISSED = "testing/test_legal_idioms.py::", "testing/test_missed_faults.py::"
FAULTS = [
    Fault(
        "rows that start equal count as deaf to the plate",
        "testing/checks/indices.py",
        "parameter += size * noise * (0.5 + parameter.abs())",
        "parameter += 0 * noise",
        MISSED + "TestLocalParametersOfABatch::test_automatic",
        IDIOMS + "TestSubsampling::test_local_parameters_that_start_equal",
        MISSED + "test_a_guide_that_draws_from_the_prior",
        IDIOMS + "TestShapes::test_a_dimension_between_the_plates",
    ),
    Fault(
        "noise on the data counts as rows",
        "testing/checks/subsampling.py",
        " or not are_rows(values, sources)",
        "",
        IDIOMS + "TestSubsampling::test_noise_that_is_added_to_the_data",
    ),
    Fault(
        "a plate without a size has one",
        "testing/checks/structure.py",
        "plates.get(dim) == -1 or ",
        "",
        IDIOMS + "TestSubsampling::test_a_plate_without_a_size",
    ),
    Fault(
        "what is idle in this call is a fault",
        "testing/checks/reach.py",
        "(cut if _matters(tested, loss, parameters[name]) else idle)",
        "cut",
        IDIOMS + "TestIdleParameters::test_one_warning_a_module",
    ),
    Fault(
        "what the store holds counts as trained",
        "testing/checks/parameters.py",
        "registered = set(known)",
        "registered = set(known) | {id(p) for p in pyro.get_param_store()._params.values()}",
        MISSED + "test_what_is_registered_outside_alone",
    ),
    Fault(
        "a frozen parameter stays thawed",
        "testing/running/isolation.py",
        "if tensor.requires_grad != trained:",
        "if False:",
        MISSED + "test_a_frozen_parameter_that_pyro_trains",
    ),
    Fault(
        "few rows of local parameters pass",
        "testing/checks/rows.py",
        "if kept is None and not isinstance(program, AutoContinuous):",
        "if True:",
        MISSED + "TestLocalParametersOfABatch",
    ),
    Fault(
        "a guide may be the prior",
        "testing/checks/prior.py",
        "same &= {name for name in same if",
        "same &= {name for name in () if",
        MISSED + "test_a_guide_that_draws_from_the_prior",
    ),
    Fault(
        "an error of a question is the programs' own",
        "testing/check.py",
        "        tested.together()\n    except OutOfTime:",
        "        raise ValueError\n    except OutOfTime:",
        IDIOMS + "test_an_error_in_a_question_is_not_the_programs_fault",
    ),
    Fault(
        "programs are checked without the parameters that they own",
        "testing/check.py",
        "    pair = own_pair(model, guide)\n",
        "    pair = None\n",
        "testing/test_ways_in.py::test_programs_of_the_package_keep_their_parameters",
    ),
    Fault(
        "the loss of programs is not theirs in check",
        "testing/check.py",
        "loss = pair.given_loss if",
        "loss = None if",
        "testing/test_ways_in.py::test_programs_of_the_package_are_checked_with_their_loss",
    ),
    Fault(
        "a wrong sign passes where the guide has no parameter",
        "testing/checks/terms.py",
        "        return _of_their_sum(design, target)",
        "        return _UNKNOWN",
        "testing/test_missed_faults.py::TestLosses::test_an_elbo_of_your_own_with_the_other_sign",
    ),
]
