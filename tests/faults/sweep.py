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
    Fault(
        "a sweep takes 1 and 1.0 for two values",
        SWEEP,
        "            keys.append({value}.pop())",
        "            pass",
        TESTS + "test_what_cannot_be_swept_over_is_refused_before_any_run",
    ),
    Fault(
        "a sweep finds equal lists different",
        SWEEP,
        'keys: list[Any] = [("named", _slug(value))]',
        "keys: list[Any] = []",
        TESTS + "test_what_cannot_be_swept_over_is_refused_before_any_run",
    ),
    Fault(
        "a sweep takes any setting of evaluate",
        SWEEP,
        'checks.one_of("a key of evaluation", name, known)',
        "pass",
        TESTS + "test_what_cannot_be_swept_over_is_refused_before_any_run",
    ),
    Fault(
        "a sweep has a process for more than there are runs",
        SWEEP,
        "n_jobs=min(workers, len(runs))",
        "n_jobs=workers",
        "fuzz/test_fuzz.py::test_slow_callables_refuse_too",
    ),
    Fault(
        "a sweep learns ten times as fast as fit",
        "sweep.py",
        '"lr": 1e-3}',
        '"lr": 1e-2}',
        "test_sweep.py::test_a_sweep_is_known_by_all_that_it_is_of_and_draws_nothing",
    ),
    Fault(
        "a sweep is known by its training data alone",
        "sweep.py",
        "[digest_tree(train), digest_tree(test)]",
        "[digest_tree(train)]",
        "test_sweep.py::test_a_sweep_is_known_by_all_that_it_is_of_and_draws_nothing",
    ),
    Fault(
        "a sweep shows a bar for each run",
        "sweep.py",
        '{"progress": False} |',
        '{"progress": True} |',
        "test_sweep.py::test_a_sweep_is_known_by_all_that_it_is_of_and_draws_nothing",
    ),
    Fault(
        "a sweep moves the caller's random numbers",
        "sweep.py",
        "    with torch.random.fork_rng():\n        torch.manual_seed(seed)",
        "    if True:\n        torch.manual_seed(seed)",
        "test_sweep.py::test_a_sweep_is_known_by_all_that_it_is_of_and_draws_nothing",
    ),
    Fault(
        "a sweep with another metric takes the results that lack it",
        "sweep.py",
        '[getattr(metric, "__name__", str(metric)) for metric in metrics]',
        "[]",
        "test_sweep.py::test_a_sweep_with_another_metric_is_another",
    ),
    Fault(
        "a run that was interrupted counts as done",
        "sweep.py",
        "        if result.stopped:",
        "        if False:",
        "test_sweep.py::test_a_run_that_was_interrupted_is_not_done",
    ),
]
