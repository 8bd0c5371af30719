"""The planted faults of reports."""

from faults.fault import Fault

FAULTS = [
    Fault(
        "one table are tables",
        "report/builder.py",
        "{'s' * (tables != 1)}",
        "s",
        "report/test_report.py::test_a_report_counts_and_its_pictures_hold_no_version",
    ),
    Fault(
        "a picture says which matplotlib drew it",
        "report/builder.py",
        ', metadata={"Software": None}',
        "",
        "report/test_report.py::test_a_report_counts_and_its_pictures_hold_no_version",
    ),
    Fault(
        "a picture in Markdown is read by its caption",
        "report/markdown.py",
        "![{escape_markdown(block.alt)}]",
        "![{escape_markdown(block.caption)}]",
        "report/test_report.py::test_a_report_counts_and_its_pictures_hold_no_version",
    ),
    Fault(
        "an error of 0 has digits",
        "report/numbers.py",
        "and error > 0):",
        "and error >= 0):",
        "report/test_report.py::test_an_error_of_nothing_has_no_digits",
    ),
    Fault(
        "a link of a report may be a script",
        "report/text.py",
        'url.startswith(("https://", "http://"))',
        "True",
        "report/test_report.py::test_links_go_to_the_web_alone",
    ),
]
