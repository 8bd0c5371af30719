"""The planted faults still fit today's sources, and the script that plants them tells caught from survived."""

import ast
import functools
from pathlib import Path

import planted_faults
import pytest
from faults import Fault, StaleFault, all_faults, read_faults

ROOT = Path(__file__).parents[2]
FAULTS = all_faults()


def test_every_planted_fault_applies_exactly_once_and_leaves_python():
    """Where this fails the source has changed under a fault: give it the new text."""
    found = []
    for fault in FAULTS:
        try:
            compile(fault.applied(ROOT / "pyrogen"), fault.file, "exec")
            if fault.old.split() == fault.new.split():
                found.append(f"the fault {fault.name!r} changes nothing")
        except (OSError, StaleFault, SyntaxError) as error:
            found.append(f"{fault.name}: {error}")
    assert found == []


def test_every_planted_fault_names_tests_that_exist():
    assert [fault.name for fault in FAULTS if not fault.tests] == []
    assert [test for fault in FAULTS for test in fault.tests if not is_there(test)] == []


def is_there(test):
    path, *names = test.split("::")
    if not (ROOT / "tests" / path).is_file():
        return False
    node = parsed(ROOT / "tests" / path)
    for name in names:
        node = next((n for n in node.body if getattr(n, "name", None) == name.partition("[")[0]), None)
        if node is None:
            return False
    return True


@functools.cache
def parsed(path):
    return ast.parse(path.read_text())


def test_planted_faults_have_names_of_their_own_and_meet_every_part_of_the_suite():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40
    parts = {Path(fault.file).parts[0] for fault in FAULTS}
    assert {"models", "training", "nn", "evaluation", "metrics", "datasets", "oracles", "plots", "report"} <= parts


def test_a_planted_fault_is_read_from_text():
    about, lines = (
        "Faults in doubling.\n\n# double.py\n\n",
        "it trebles\n-     return 2 * x\n-\n+     return 3 * x\n+\n",
    )
    assert list(read_faults(f"{about}{lines}> a.py\n> b.py\n")) == [
        Fault("it trebles", "double.py", "    return 2 * x\n", "    return 3 * x\n", ("a.py", "b.py"))
    ]
    for bad in (lines, f"{lines}? a.py", "it trebles\n> a.py"):
        with pytest.raises(ValueError, match="must have a source, a text and a test, got 'it trebles"):
            list(read_faults(about + bad))


# --- the script, on a package of one function

SOURCE = """
def double(x):
    return 2 * x

def half(x):
    return x / 2
"""
TESTS = """
import pyrogen
import pytest

@pytest.fixture
def four():
    return pyrogen.double(2)

def test_double():
    assert pyrogen.double(3) == 6

def test_half():
    pyrogen.half(4)

def test_with_a_fixture(four):
    pass

def test_that_fails_anyway():
    assert False

@pytest.mark.skip
def test_that_is_skipped():
    pass
"""
CAUGHT = Fault("double trebles", "__init__.py", "2 * x", "3 * x", ("test_it.py::test_double",))
SURVIVOR = Fault("half doubles", "__init__.py", "x / 2", "x * 2", ("test_it.py::test_half",))


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    for name, text in {
        "pyrogen/__init__.py": SOURCE,
        "tests/test_it.py": TESTS,
        "setup.cfg": "[tool:pytest]\naddopts = -q --import-mode=importlib\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def contents(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_survivor_is_told_from_a_fault_that_is_caught(checkout, capsys):
    before = contents(checkout)
    assert planted_faults.main(["--quiet"], checkout, [CAUGHT, SURVIVOR], imported=["pytest"]) == 1
    printed = capsys.readouterr().out
    assert [line.split()[-2:-1] for line in printed.splitlines()[2:4]] == [["caught"], ["survived"]]
    assert "2 faults: 1 caught, 1 survived\nsurvived: half doubles." in printed
    assert planted_faults.main(["--quiet", "--only", "trebles"], checkout, [CAUGHT, SURVIVOR], imported=["pytest"]) == 0
    assert contents(checkout) == before  # nothing is written there, no bytecode either


def test_only_a_test_that_fails_catches_a_fault(checkout):
    (checkout / "tests" / "test_other.py").write_text("def test_other():\n    pass\n")
    cases = [  # new text, test, what is said
        ("1 / 0", "test_it.py::test_with_a_fixture", "exit code 1 without a failed test"),  # the fixture falls over
        ("2 *", "test_it.py::test_double", "without a failed test"),  # no Python: nothing can be imported
        ("3 * x", "test_it.py::test_that_fails_anyway", "without the fault too"),
        ("3 * x", "test_it.py::test_that_is_skipped", "all are skipped"),
        ("3 * x", "test_other.py::test_that_is_not_there", "exit code 4"),
        ("__import__('os').kill(0, 9) or 2 * x", "test_it.py::test_double", "exit code -9"),  # as for want of memory
    ]
    faults = [Fault("it is wrong", "__init__.py", "2 * x", new, (test,)) for new, test, _ in cases]
    faults.append(Fault("it crashes", "__init__.py", "2 * x", "__import__('os').abort()", ("test_it.py::test_double",)))
    stale = Fault("it is stale", "__init__.py", "return", "yield", ("test_it.py::test_double",))
    *results, crashed, last = planted_faults.plant([*faults, stale], checkout, progress=False, imported=["pytest"])
    for result, (_, _, words) in zip(results, cases, strict=True):
        assert result.verdict == "broken"
        assert words in result.note
    assert (crashed.verdict, crashed.note) == ("caught", "the process crashed")
    assert last.verdict == "stale"
    assert "occurs 2 times in pyrogen/__init__.py, and it should occur once" in last.note


def test_a_run_on_another_package_than_the_copy_proves_nothing(checkout):
    (checkout / "pyrogen" / "__init__.py").write_text(SOURCE + "__file__ = '/elsewhere/pyrogen/__init__.py'\n")
    (result,) = planted_faults.plant([CAUGHT], checkout, progress=False, imported=["pytest"])
    assert result.verdict == "broken"
    assert "imported pyrogen from /elsewhere/pyrogen/__init__.py, not from the copy" in result.note


def test_the_first_that_is_not_caught_can_end_it(checkout):
    results = planted_faults.plant(
        [SURVIVOR, *[CAUGHT] * 8], checkout, jobs=1, keep_going=False, progress=False, imported=["pytest"]
    )
    assert results[0].verdict == "survived"
    assert len(results) <= 2  # the second may have begun


def test_a_fault_that_no_longer_applies_says_so(tmp_path):
    with pytest.raises(StaleFault, match=r"'half doubles' no longer applies: its text occurs in no file pyrogen/__in"):
        SURVIVOR.applied(tmp_path)


def test_wrong_arguments_are_refused(capsys):
    for arguments, words in ((["--jobs", "0"], "--jobs must be at least 1"), (["--only", "?"], "no fault is called")):
        with pytest.raises(SystemExit):
            planted_faults.main(arguments, faults=[CAUGHT])
        assert words in capsys.readouterr().err
