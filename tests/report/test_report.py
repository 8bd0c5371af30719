import base64
import json
import os
import re
import stat
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import pyrogen as pg
from pyrogen.metrics import Score
from pyrogen.report import Report, check_writable, format_column, format_number, with_error
from pyrogen.report.markdown import render_markdown
from pyrogen.report.text import to_html

NASTY = '<script>alert("1")</script> & | `x` *y* [a](javascript://1)'


class Reader(HTMLParser):
    r"""Reads a page strictly: every element closed in order; keeps tags, attributes and text."""

    VOID = ("meta", "img")

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and data.strip():
            self.words.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def drawing(height=1.0):
    fig = Figure(figsize=(2, height), dpi=50)
    fig.subplots().plot([0, 1], [1, 0])
    return fig


def example():
    report = Report("Title", summary="A **summary**.", date="1 May")
    report.heading("One").text("Some text.\n\n- first\n- `second`").heading("Two", level=3)
    report.table(["model", "nats per image"], [["a", 18.3141], ["b", None]], "What it shows.")
    report.figure(drawing(), "curve-1", "A curve.", alt="A line that falls.")
    return report.scores({"mig": Score(0.25, "mig", "histogram", {"bins": 20}), "elbo": {"β = 1": -46.5}})


def test_a_report_is_a_page_a_text_with_pictures_and_scores(tmp_path):
    page = example().save(tmp_path / "new" / "folder")
    assert page == tmp_path / "new" / "folder" / "report.html"
    assert sorted(os.listdir(page.parent)) == ["curve-1.png", "report.html", "report.md", "scores.json"]
    picture = (page.parent / "curve-1.png").read_bytes()
    assert picture.startswith(b"\x89PNG")

    reader = Reader(page.read_text())
    (image,) = reader.all("img")
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) == picture
    assert (image["alt"], image["width"], image["height"]) == ("A line that falls.", "100", "50")
    assert reader.words == [
        "Title", "Title", "1 May", "A", "summary", ".", "One", "Some text.", "first", "second", "Two",
        "Table 1. What it shows.", "model", "nats per image", "a", "18.31", "b", "–", "Figure 1. A curve.",
    ]  # fmt: skip
    assert [tag for tag, _ in reader.tags if tag in ("h1", "h2", "h3")] == ["h1", "h2", "h3"]

    assert (page.parent / "report.md").read_text() == (
        "# Title\n\n1 May\n\nA **summary**.\n\n## One\n\nSome text.\n\n- first\n- `second`\n\n### Two\n\n"
        "Table 1. What it shows.\n\n| model | nats per image |\n| --- | ---: |\n| a | 18.31 |\n| b | – |\n\n"
        "![A line that falls.](curve-1.png)\n\nFigure 1. A curve.\n"
    )
    scores = json.loads((page.parent / "scores.json").read_text())
    assert scores["elbo"] == {"β = 1": -46.5}
    assert scores["mig"] == {
        "value": 0.25, "metric": "mig", "estimator": "histogram", "settings": {"bins": 20}, "details": {},
    }  # fmt: skip


def test_tables_and_figures_are_each_numbered_from_one(tmp_path):
    report = Report("Title")
    for name in ("first", "second"):
        report.table(["a"], [[1]], f"{name} table").table(["a"], [[1]], f"{name} more")
        report.figure(drawing(), name, f"{name} figure")
    page = report.save(tmp_path)
    expected = ["Table 1. first table", "Table 2. first more", "Figure 1. first figure"]
    expected += ["Table 3. second table", "Table 4. second more", "Figure 2. second figure"]
    captions = [word for word in Reader(page.read_text()).words if word.startswith(("Table", "Figure"))]
    assert captions == expected
    lines = (tmp_path / "report.md").read_text().splitlines()
    assert [line for line in lines if line.startswith(("Table", "Figure"))] == expected


def test_the_page_needs_nothing_beside_it_and_runs_nothing(tmp_path):
    text = example().save(tmp_path).read_text()
    reader = Reader(text)
    assert not reader.all("script")
    assert not reader.all("link")
    assert all(image["src"].startswith("data:") for image in reader.all("img"))
    assert "default-src 'none'" in reader.all("meta")[1]["content"]
    assert not re.search(r"url\(|@import|https?://", text)
    assert "prefers-color-scheme: dark" in text
    assert reader.all("html") == [{"lang": "en"}]


def test_everything_is_escaped(tmp_path):
    report = Report(NASTY, summary=NASTY, date=NASTY).heading(NASTY).text(NASTY)
    report.table([NASTY, NASTY], [[NASTY, NASTY]], NASTY).figure(drawing(), "a", NASTY, alt=NASTY).scores(
        {NASTY: NASTY}
    )
    reader = Reader(report.save(tmp_path).read_text())
    assert not reader.all("script")
    assert not reader.all("a")
    assert reader.all("img")[0]["alt"] == NASTY
    assert reader.words.count(NASTY) == 8  # title (twice), date, heading, headers, cells; captions begin otherwise
    assert json.loads((tmp_path / "scores.json").read_text()) == {NASTY: NASTY}
    markdown = (tmp_path / "report.md").read_text()
    assert not re.search(r"(?<!\\)<script", markdown)
    table = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in table)


def test_text_marks(tmp_path):
    text = "a *b* **c** `d *e* <f>` [g](https://h.org/i?j=k&l=m) 2 * 3 * 4 n**2\nnext line\n- item\n- other\n\nlast"
    page = Report("t").text(text).save(tmp_path).read_text()
    assert (
        "<p>a <em>b</em> <strong>c</strong> <code>d *e* &lt;f&gt;</code> "
        '<a href="https://h.org/i?j=k&amp;l=m">g</a> 2 * 3 * 4 n**2\nnext line</p>\n'
        "<ul>\n<li>item</li>\n<li>other</li>\n</ul>\n<p>last</p>"
    ) in page


def test_the_same_calls_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        example().save(tmp_path / name)
    for file in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_figure_is_kept_as_it_looked_when_added(tmp_path):
    fig = drawing()
    report = Report("t").figure(fig, "a")
    before = report.save(tmp_path).read_bytes()
    fig.axes[0].plot([0, 1], [0, 5])
    assert report.save(tmp_path).read_bytes() == before


def test_columns_of_numbers_stand_right(tmp_path):
    rows = [["a", 1, "18.3 ± 0.1", "x", True], ["b", np.float32(2), "−1.0 ± 0.2", "3", False]]
    reader = Reader(Report("t").table(["m", "n", "o", "p", "q"], rows).save(tmp_path).read_text())
    cells = [attributes.get("class") for tag, attributes in reader.tags if tag in ("th", "td")]
    assert cells == [None, "number", "number", None, None] * 3
    assert [attributes.get("scope") for attributes in reader.all("th")] == ["col"] * 5 + ["row"] * 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.16421, "0.1642"), (18.3141, "18.31"), (40.0, "40.00"), (-75.0, "−75.00"),
        (1234.56, "1,235"), (9999.9, "10,000"),
        (999.96, "1,000"), (737280, "737,280"), (-12, "−12"), (0.0, "0"), (-0.0, "0"),
        (1e-7, "1.000e−07"), (3e15, "3.000e+15"),
        (float("nan"), "NaN"), (float("-inf"), "−∞"), (None, "–"), (True, "yes"),
        (np.float32(0.5), "0.5000"), (np.int64(1500), "1,500"),
        (torch.tensor(2.5), "2.500"), (Score(0.25, "mig", "histogram"), "0.2500"), ("β = 4", "β = 4"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_reading(value, text):
    assert format_number(value) == text


def test_a_column_has_one_number_of_decimals():
    assert format_column([0.3529, 0.0734, 0.2]) == ["0.3529", "0.0734", "0.2000"]
    assert format_column([-18.3141, 7.0, None, 3]) == ["−18.31", "7.00", "–", "3"]
    assert format_column([1234.5, 20.25, 0.0]) == ["1,234", "20", "0"]
    assert format_column([5.0, 1e-5]) == ["5.000", "1.000e−05"]
    assert format_column([float("nan"), 2.0]) == ["NaN", "2.000"]
    assert format_column([]) == []


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (18.3141, 0.1234, "18.31 ± 0.12"),
        (-2041.7, 31, "−2042 ± 31"),
        (1.0, 0.0, "1.000 ± 0"),
        (2.0, float("nan"), "2.000 ± NaN"),
    ],
)
def test_an_error_says_how_many_digits_count(value, error, text):
    assert with_error(value, error) == text


def test_scores_take_arrays_and_results_and_write_nan_as_null(tmp_path):
    class Result:
        def to_json(self):
            return '{"elbo": -3.5}'

    scores = {
        "a": np.arange(3),
        "b": torch.tensor([1.0, float("nan")]),
        3: (np.float64("inf"), None, True),
        "r": Result(),
    }
    Report("t").scores(scores).scores({"more": 1}).save(tmp_path)
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written == {"a": [0, 1, 2], "b": [1.0, None], "3": [None, None, True], "r": {"elbo": -3.5}, "more": 1}


def test_a_folder_that_cannot_be_written_is_said_before_any_work(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for folder in (file, file / "below"):
        with pytest.raises(ValueError, match=r"cannot write in .*file"):
            check_writable(folder)
        with pytest.raises(ValueError, match=r"cannot write in .*file"):
            example().save(folder)
    assert file.read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes in read-only folders")
def test_a_read_only_folder_is_said_before_any_work(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(ValueError, match="cannot write in"):
            check_writable(tmp_path)
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    page = example().save(tmp_path)
    before = {file: (tmp_path / file).read_bytes() for file in os.listdir(tmp_path)}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        Report("Another").save(tmp_path)
    assert {file: (tmp_path / file).read_bytes() for file in os.listdir(tmp_path)} == before
    monkeypatch.undo()
    (tmp_path / "notes.txt").write_text("mine")
    Report("Another").save(tmp_path)
    assert "Another" in page.read_text()
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("add", "error", "words"),
    [
        (lambda report: Report("  "), ValueError, "title must be a text that is not empty"),
        (lambda report: report.heading("a", level=1), ValueError, "level must be 2 or 3, got 1"),
        (lambda report: report.table([], []), ValueError, "at least one column"),
        (lambda report: report.table(["a", "b"], [[1, 2], [3]]), ValueError, "row 1 .* expected 2, got 1"),
        (lambda report: report.figure("a.png", "a"), TypeError, "matplotlib figure, got str"),
        (lambda report: report.figure(drawing(), "../a"), ValueError, "letters, digits.*got '../a'"),
        (lambda report: report.figure(drawing(), "Curve-1"), ValueError, "name must be new, got 'Curve-1'"),
        (lambda report: report.scores({"mig": 1}), ValueError, "scores must have new names, got 'mig'"),
        (lambda report: report.scores({"new": object()}), TypeError, "got object"),
    ],
)
def test_what_cannot_be_added_is_said_in_one_sentence(add, error, words):
    with pytest.raises(error, match=words) as caught:
        add(example())
    assert "\n" not in str(caught.value)


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
