"""Reports about data: each mistake is found with a sentence that helps, and the mended one is not called faulty."""

import pytest
from helpers.reports import data
from helpers.reports.base import REPORTS, found, mended

every_report = pytest.mark.parametrize("report", REPORTS[data.__name__], ids=lambda report: report.name)


@every_report
def test_a_mistake_is_found_with_a_sentence_that_helps(report):
    assert found(report)


@every_report
def test_the_mended_one_is_sound(report):
    assert mended(report) == []
