"""Of reports: what they call themselves, what a picture holds, and errors of 0."""

import torch

import pyrogen as pg
from pyrogen.report.markdown import render_markdown
from pyrogen.report.numbers import with_error
from pyrogen.report.text import to_html


def test_a_report_counts_and_its_pictures_hold_no_version():
    report = pg.report.Report("t")
    assert repr(report) == "Report('t', 0 tables, 0 figures)"
    report.table(["a"], [[1]]).figure(pg.plots.samples(torch.rand(2, 1, 4, 4)), "one", caption="c", alt="two squares")
    assert repr(report) == "Report('t', 1 table, 1 figure)"
    assert b"matplotlib" not in report._blocks[-1].png.lower()
    assert "![two squares](one.png)" in render_markdown("t", "", "", report._blocks)


def test_an_error_of_nothing_has_no_digits():
    assert with_error(2.0, 0.0) == "2.000 ± 0"


def test_links_go_to_the_web_alone():
    assert "href" in to_html("[a](https://pyro.ai)")
    assert "href" not in to_html("[a](javascript:x)")
