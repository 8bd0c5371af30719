"""Reports by themselves: what counts as a fault, and what they say."""

import pytest

from pyrogen.testing.findings import Finding, Report, Result


def report(*levels: str) -> Report:
    findings = [Finding("c", f"number {i}", "z", level) for i, level in enumerate(levels)]
    return Report((Result.of("c", "a question", findings),))


def test_warnings_are_shown_and_do_not_count():
    assert report("warning").ok
    report("warning", "warning").assert_ok()
    assert not report("warning", "fault").ok


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ((), "sound, as far as was asked"),
        (("warning",), "sound, as far as was asked, 1 warning"),
        (("fault",), "1 fault"),
        (("fault", "fault", "warning"), "2 faults, 1 warning"),
        (("fault", "warning", "warning"), "1 fault, 2 warnings"),
    ],
)
def test_a_verdict_counts_faults_and_warnings_apart(levels, said):
    assert str(report(*levels)).splitlines()[-1] == said
