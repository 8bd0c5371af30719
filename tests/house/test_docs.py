"""The documentation's Python runs and prints what the pages say, and its links lead somewhere. Sphinx is not run."""

import contextlib
import io
import re
from pathlib import Path

import pytest
import torch

from pyrogen.oracles import gamma_exponential

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", flags=re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def blocks(page: Path) -> list[tuple[str, str]]:
    """(code, what it should print or "") of each Python block, the line numbers those of the page."""
    text = page.read_text(encoding="utf-8")
    return [
        ("\n" * (text.count("\n", 0, found.start()) + 1) + found[1], found[2] or "") for found in BLOCK.finditer(text)
    ]


def same(stated: str, printed: str) -> bool:
    """Equal texts, but that a number may differ by one in its last stated digit: another processor rounds otherwise."""
    numbers, others = NUMBER.findall(stated), NUMBER.findall(printed)
    if NUMBER.sub("#", stated).split() != NUMBER.sub("#", printed).split() or len(numbers) != len(others):
        return False
    for number, other in zip(numbers, others, strict=True):
        step = 10.0 ** -len(number.partition(".")[2]) if "." in number else 0.0
        if abs(float(number) - float(other)) > 1.01 * step:
            return False
    return True


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page)], ids=lambda page: page.relative_to(DOCS).as_posix()
)
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(DOCS.parent))  # for the processes that a page starts
    names: dict[str, object] = {"__name__": "__main__"}
    for code, stated in blocks(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(page), "exec"), names)
        assert same(stated, printed.getvalue()), (
            f"{page.name} says\n{stated}\nand its code prints\n{printed.getvalue()}"
        )


@pytest.mark.parametrize(
    ("stated", "printed", "equal"),
    [
        ("KL = 0.17 nats\n", "KL = 0.17 nats\n", True),
        ("KL = 0.17 nats\n", "KL = 0.18 nats\n", True),
        ("KL = 0.17 nats\n", "KL = 0.19 nats\n", False),
        ("KL = 0.17 nats\n", "KL = -0.17 nats\n", False),
        ("10 batches\n", "11 batches\n", False),
        ("KL = 0.17 nats\n", "kl = 0.17 nats\n", False),
        ("", "KL = 0.17 nats\n", False),
        ("KL = 0.17 nats\n", "", False),
        ("1.0 2.0\n", "1.0\n", False),
    ],
)
def test_the_comparison_of_outputs_sees_a_difference(stated, printed, equal):
    assert same(stated, printed) is equal


def targets(page: Path) -> list[str]:
    """The local files that a page names: links, images, toctree entries, included files and paths of this project."""
    text = re.sub(r"^```(?:python|sh|text)\n.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    here = page.parent
    linked = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    named = re.findall(r"^```\{(?:image|figure|literalinclude|include)\} (\S+)$", text, flags=re.MULTILINE)
    found = [str(here / path) for path in [*linked, *named] if not re.match(r"[a-z]+:", path)]
    for tree in re.findall(r"^```\{toctree\}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
        found += [str(here / f"{entry}.md") for entry in tree.split("\n") if entry and not entry.startswith(":")]
    project = re.findall(r"`((?:pyrogen|tests|examples|benchmarks)/[\w./]+)`", text)
    return found + [str(DOCS.parent / path) for path in project]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_what_a_page_names_is_there(page):
    assert [path for path in targets(page) if not Path(path).exists()] == []


def test_links_and_paths_are_found_at_all():
    found = {Path(path).resolve().relative_to(DOCS.parent).as_posix() for page in PAGES for path in targets(page)}
    assert {
        "docs/concepts/oracles.md",
        "docs/tutorials/gamma/elbo.png",
        "docs/tutorials/gamma/table.txt",
        "docs/api/models.md",
        "pyrogen/models/vae.py",
    } <= found


def test_the_gamma_table_is_of_the_closed_forms():
    """θ may have any value within six standard errors; all that follows from it follows from the printed digits."""
    rows = (DOCS / "tutorials" / "gamma" / "table.txt").read_text("utf-8").split("n observations of 1")
    one, many = (
        [[float(number) for number in line.split()] for line in part.splitlines() if re.match(r" +[\d.]+ +\d", line)]
        for part in rows
    )
    assert len(one) == 7
    assert len(many) == 3
    checked = [(torch.tensor([x]), theta, best, elbo, evidence) for x, theta, best, _, _, elbo, evidence in one]
    checked += [(torch.ones(int(n)), theta, best, elbo, evidence) for n, theta, best, _, elbo, evidence, _ in many]
    for x, theta, best, elbo, evidence in checked:
        assert best == pytest.approx(gamma_exponential.optimum(x).item(), rel=1e-6)
        assert theta == pytest.approx(best, rel=6 * 0.00071)
        assert elbo == pytest.approx(gamma_exponential.elbo(theta, x).item(), abs=1.1e-6)
        assert evidence == pytest.approx(gamma_exponential.evidence(x).item(), abs=0.6e-6)
    for n, theta, *_, kl in many:
        assert kl == pytest.approx(gamma_exponential.kl(theta, torch.ones(int(n))).item(), abs=1.1e-6)
