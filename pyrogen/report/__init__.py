r"""Scores and figures as JSON, Markdown and one self-contained HTML page."""

from pyrogen.files import check_writable, write_atomically
from pyrogen.report.builder import Report
from pyrogen.report.numbers import format_column, format_number, with_error

__all__ = ["Report", "check_writable", "format_column", "format_number", "with_error", "write_atomically"]
