"""Faults in sweeps over many runs."""

from faults.fault import Fault

SWEEP, TESTS = "sweep.py", "test_sweep.py::"

FAULTS = [
    Fault(
        "a sweep trains what is done again",
        SWEEP,
        "if known is not None:",
        "if False:",
        TESTS + "test_what_is_done_is_not_done_again_and_what_is_not_goes_on",
    ),
    Fault(
        "a sweep takes the results of other data for its own",
        SWEEP,
        'row = content["row"] if content["key"] == json.loads(json.dumps(key)) else None',
        'row = content["row"]',
        TESTS + "test_other_data_or_settings_are_another_sweep",
    ),
    Fault(
        "all runs of a sweep have the same seed",
        SWEEP,
        'seed = parameters.get("seed", task.fit_settings.get("seed", 0))',
        "seed = 0",
        TESTS + "test_every_combination_is_a_run_of_its_own",
    ),
    Fault(
        "one failed run ends the sweep",
        SWEEP,
        "    except Exception as error:\n        where",
        "    except OSError as error:\n        where",
        TESTS + "test_a_run_that_fails_is_a_row_with_its_error",
    ),
]
