"""Result files and the page made of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lowshot.errors import DataError
from lowshot.evaluate.results import FOLDER, PAGE, Budget, Published, Result, render, write_results

ROOT = Path(__file__).parents[2]


def result(**changes: Any) -> Result:
    fields: dict[str, Any] = {
        "section": "Omniglot",
        "title": "Prototypical Networks, 20-way 1-shot",
        "data": "omniglot:vinyals-test",
        "protocol": "N-way K-shot",
        "measure": "accuracy",
        "figures": {"accuracy": 0.9581, "ci95": 0.0012, "auroc": 0.98, "fpr95": None},
        "target": 0.96,
        "published": Published(value=0.96, source="Snell 2017, Table 1", sure="recalled"),
        "seed": 0,
        "episodes": 1000,
        "budget": Budget(seconds=600, steps=9000, hardware="2 CPU cores"),
        "command": "lowshot train omniglot:vinyals-trainval",
        "date": "2026-11-23",
        "version": "0.1.0",
    }
    return Result(**fields | changes)


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "protonet.json"
    result().save(path)
    assert Result.load(path).model_dump(exclude_none=True) == result().model_dump(exclude_none=True)
    assert [each.name for each in path.parent.iterdir()] == ["protonet.json"]


def test_date_and_version_are_filled_in() -> None:
    made = Result(**{k: v for k, v in result().model_dump().items() if k not in ("date", "version")})
    assert made.date.startswith("20") and made.version


def test_a_row_has_the_number_its_interval_and_everything_beside_it() -> None:
    page = render([result()])
    row = next(line for line in page.splitlines() if line.startswith("| Prototypical"))
    assert [cell.strip() for cell in row.strip("|").split(" | ")] == [
        "Prototypical Networks, 20-way 1-shot",
        "omniglot:vinyals-test: N-way K-shot, 1000 episodes, seed 0",
        "95.81 ± 0.12 %",
        "96.00 % (Snell 2017, Table 1, *recalled*)",
        "≥ 96.00 %: missed by 0.19 points",
        "600 s, 9000 steps, 2 CPU cores",
        "`lowshot train omniglot:vinyals-trainval` (2026-11-23, 0.1.0)",
    ]


def test_what_was_missed_is_said_first() -> None:
    reached = result(figures={"accuracy": 0.97}, title="better")
    page = render([reached, result(), result(target=None, title="free")])
    assert (
        page.index("1 of 2 targets reached. Not reached:")
        < page.index("missed by 0.19 points")
        < page.index("## Omniglot")
    )
    assert "1 of 1 targets reached.\n" in render([reached])


def test_lower_is_better_for_errors_and_times() -> None:
    error = result(figures={"error": 0.0575}, measure="error", better="lower", target=0.05)
    assert error.verdict == "missed by 0.75 points"
    time = result(figures={"us": 13.9}, measure="us", unit="µs", better="lower", target=40, published=None)
    assert time.verdict == "reached"
    assert "| 13.9 µs | – | ≤ 40 µs: reached |" in render([time])


def test_sections_are_sorted_and_cells_cannot_break_the_table() -> None:
    page = render([result(section="B"), result(section="A", title="a | b\nc", note="compare with care")])
    assert page.index("## A") < page.index("## B")
    assert r"| a \| b c |" in page
    assert "compare with care" in page


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"measure": "recall"}, "recall"),
        ({"figures": {"accuracy": None}}, "accuracy"),
        ({"figures": {"accuracy": float("nan")}}, "finite"),
        ({"figurs": {}}, "figurs"),
        ({"date": "yesterday"}, "date"),
        ({"better": "faster"}, "better"),
        ({"published": {"value": 0.96, "source": "Snell 2017"}}, "sure"),
    ],
)
def test_what_is_no_result_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        result(**changes)


def test_a_bad_file_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    with pytest.raises(DataError, match="no results in"):
        write_results(tmp_path, page)
    result().save(tmp_path / "a.json")
    (tmp_path / "b.json").write_text('{"section": "x"}')
    with pytest.raises(DataError, match=r"b\.json is no result: title"):
        write_results(tmp_path, page)
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(DataError, match=r"b\.json is no result"):
        write_results(tmp_path, page)
    assert not page.exists()
    with pytest.raises(DataError, match=r"c\.json"):
        Result.load(tmp_path / "c.json")


def test_the_command_makes_the_page(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "lowshot.evaluate.results"]
    empty = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (empty.returncode, empty.stdout) == (2, "") and len(empty.stderr.splitlines()) == 1
    result().save(tmp_path / FOLDER / "a.json")
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    assert (tmp_path / PAGE).read_text(encoding="utf-8") == render([result()])


def test_the_page_in_the_repository_is_what_the_files_give(tmp_path: Path) -> None:
    if not (ROOT / FOLDER).is_dir() or not (ROOT / PAGE).is_file():
        pytest.skip("there are no results yet")
    write_results(ROOT / FOLDER, tmp_path / "results.md")
    assert (ROOT / PAGE).read_text(encoding="utf-8") == (tmp_path / "results.md").read_text(encoding="utf-8"), (
        "run python -m lowshot.evaluate.results"
    )
