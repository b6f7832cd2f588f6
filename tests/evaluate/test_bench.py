"""Training and measuring every system: what is kept, what is made anew, and the page."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lowshot.data import load
from lowshot.encoder import Encoder
from lowshot.errors import ConfigError
from lowshot.evaluate import nway_of
from lowshot.evaluate.bench import Bench, Column, Track, find_tracks
from lowshot.evaluate.results import Result, write_results
from lowshot.learn.methods.meta_lstm import MetaLSTM
from lowshot.learn.methods.prototypical import PrototypicalNetworks


def measure(model: Any, ways: int) -> Any:
    form = model.card.form if isinstance(model, Encoder) else model.form
    return nway_of(model, load("digits?classes=0.5:1", form), ways=ways, episodes=20, queries=2)


COLUMNS = tuple(
    Column(f"{ways}-way 1-shot", f"digits --ways {ways}", "digits", partial(measure, ways=ways), "accuracy", ways)
    for ways in (2, 4)
)
TRACK = Track("small", "Digits", "digits?classes=0:0.5", COLUMNS)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setitem(
        PrototypicalNetworks.presets,
        "cpu",
        {"method": {"filters": 8, "ways": 4, "queries": 2}, "recipe": {"steps": 2}},
    )
    return Bench("cpu", tmp_path / "runs", tmp_path / "results")


def test_what_was_measured_is_kept(bench: Bench, tmp_path: Path) -> None:
    bench.run(["prototypical"], [TRACK])
    files = sorted(bench.results.iterdir())
    assert [file.name for file in files] == [f"small-prototypical-cpu-{ways}-way-1-shot.json" for ways in (2, 4)]
    assert Result.load(files[0]).budget.steps == 2
    before = [file.stat().st_mtime_ns for file in files]
    for trained in bench.trained.iterdir():
        trained.unlink()
    bench.run(["prototypical"], [TRACK])
    assert [file.stat().st_mtime_ns for file in files] == before and not list(bench.trained.iterdir())
    page = tmp_path / "docs" / "results.md"
    write_results(bench.results, page)
    head, _, row = (line for line in page.read_text().splitlines() if line.startswith("|"))
    assert head.startswith("| system | 2-way 1-shot, accuracy (%) | 4-way 1-shot, accuracy (%) | trained for")
    assert row.startswith("| Prototypical Networks, `cpu` preset |") and "--method prototypical" in row


def test_other_settings_are_trained_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run(["prototypical"], [TRACK])
    recipe = {"steps": 3}
    monkeypatch.setitem(PrototypicalNetworks.presets, "cpu", {**PrototypicalNetworks.presets["cpu"], "recipe": recipe})
    bench.run(["prototypical"], [TRACK])
    assert {Result.load(file).budget.steps for file in bench.results.iterdir()} == {3}


def test_a_wrong_name_is_known_before_training(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="no method"):
        bench.run(["prototypical", "prototypal"], [TRACK])
    assert not bench.trained.exists()
    with pytest.raises(ConfigError, match="vinyals, lake"):
        find_tracks(["vinyls"])


def test_what_a_method_cannot_be_asked_is_not_trained_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        MetaLSTM.presets,
        "cpu",
        {"method": MetaLSTM.presets["cpu"]["method"] | {"ways": 2}, "recipe": {"steps": 1}},
    )
    bench.run(["meta-lstm"], [replace(TRACK, columns=COLUMNS[1:])])
    one_by_one = replace(COLUMNS[0], one_by_one=True)
    bench.run(["meta-lstm"], [replace(TRACK, columns=(one_by_one,))])
    assert not bench.trained.exists() and not bench.results.exists()
    bench.run(["meta-lstm"], [TRACK])
    assert [file.name for file in bench.results.iterdir()] == ["small-meta-lstm-cpu-2-way-1-shot.json"]


def test_the_figure_shows_every_system(tmp_path: Path) -> None:
    result = Result.load(Path(__file__).parents[2] / "results" / "prototypical-20-1-omniglot-vinyals-test.json")
    result.model_copy(update={"column": "20-way 1-shot", "title": "Proto"}).save(tmp_path / "results" / "one.json")
    write_results(tmp_path / "results", tmp_path / "page.md")
    assert "Proto" in (tmp_path / "accuracy.svg").read_text() and "accuracy.svg" in (tmp_path / "page.md").read_text()
