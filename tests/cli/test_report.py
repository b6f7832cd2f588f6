"""The demo's page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lowshot import Encoder, __version__
from lowshot.cli.demo import Shown
from lowshot.cli.report import write_report
from lowshot.gallery import Answer
from lowshot.gallery.records import Candidate

ENROLLED = {"Old_Church/character07": b"first", "<b>&\x1b": b"second"}
FIRST, SECOND = ENROLLED


def shown(truth: str | None, label: str | None, confidence: float = 0.5) -> Shown:
    known = 1 - confidence if label is None else confidence
    answer = Answer(label, confidence, known, (Candidate(label or FIRST, 0.4),), (), "prototype", 3, {})
    return Shown(b"query", answer, truth)


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., str]:
    """Writes a report and reads it."""

    def write(*answers: Shown) -> str:
        write_report(tmp_path / "page.html", "my <encoder>", ENROLLED, answers, 7, "lowshot demo --out 'a&b.html'")
        return (tmp_path / "page.html").read_text()

    return write


def test_what_went_wrong_comes_first_with_the_truth(page: Callable[..., str]) -> None:
    text = page(
        *[shown(FIRST, FIRST), shown(FIRST, None, 0.61), shown(FIRST, SECOND, 0.34)],
        *[shown(None, None), shown(None, FIRST), shown(None, None)],
    )
    known, unknown = text.split("<h2>")[2:]
    assert re.findall(r'class="answer (\w+)"', known) == ["bad", "none", "good"]
    assert re.findall(r'class="answer (\w+)"', unknown) == ["bad", "good", "good"]
    wrong, right = known.split("<details>")
    assert wrong.count("Zmlyc3Q=") == 2, "beside each wrong answer stands the picture of the true class"
    assert "✗" in wrong and "✓" not in wrong and "✓" in right and "✗" not in right
    assert "61%" in wrong and "34%" in wrong
    assert "of no enrolled class" in unknown.split("<details>")[0]


def test_the_figures(page: Callable[..., str]) -> None:
    text = page(
        *[shown(FIRST, FIRST)] * 5,
        *[shown(FIRST, SECOND)] * 2,
        shown(FIRST, None),
        shown(None, None),
        shown(None, FIRST),
    )
    assert re.findall(r"<strong>(.*?)</strong>", text) == ["62%", "50%"]
    assert re.findall(r">. ([\w ]+): (\d+)<", text) == [
        *[("answered right", "5"), ("named wrongly", "2"), ("called unknown", "1")],
        *[("called unknown", "1"), ("named wrongly", "1")],
    ]


def test_nothing_went_wrong(page: Callable[..., str]) -> None:
    text = page(shown(FIRST, FIRST), shown(None, None))
    assert text.count("None went wrong") == 2 and text.count("<details open>") == 2


def test_names_are_text_and_long_ones_break(page: Callable[..., str]) -> None:
    text = page(shown(SECOND, SECOND), shown(None, None))
    assert "Old_<wbr>Church/<wbr>character07" in text and 'alt="Old_Church/character07"' in text
    assert r"&lt;b&gt;&amp;\x1b" in text and "<b>&" not in text and "\x1b" not in text
    assert "my &lt;encoder&gt;" in text


def test_the_last_line_says_how_it_was_made(page: Callable[..., str]) -> None:
    footer = page(shown(FIRST, FIRST), shown(None, None)).split("<footer>")[1]
    assert re.search(r"\d{4}-\d\d-\d\d", footer) and f"lowshot {__version__}" in footer
    assert "lowshot demo --out &#x27;a&amp;b.html&#x27;" in footer and "seed 7" in footer


def test_a_place_that_takes_no_file_is_refused_before_the_work(
    fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Encoder, "load", lambda _: pytest.fail("the work had begun"))
    (tmp_path / "folder").mkdir()
    for out in [tmp_path / "folder", tmp_path / "none" / "x.html"]:
        assert "--out" in fails("demo", "--out", out)
    for system in [Path("/dev/full"), Path("/proc/lowshot-demo.html")]:  # root, too, can write no file there
        if system.parent.is_dir():
            assert f"{system} cannot be written" in fails("demo", "--out", system)
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
