"""Reports: each mistake is found with a sentence that helps, and the mended one is not called faulty."""

import pytest
from helpers.reports import data, parameters, sites
from helpers.reports.base import REPORTS, found, mended

every_report = pytest.mark.parametrize(
    "report", [r for m in (data, parameters, sites) for r in REPORTS[m.__name__]], ids=lambda report: report.name
)


@every_report
def test_a_mistake_is_found_with_a_sentence_that_helps(report):
    assert found(report)


@every_report
def test_the_mended_one_is_sound(report):
    assert mended(report) == []
