"""``lowshot gallery check``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowshot import Encoder, Gallery
from lowshot.data.sounds import wav


@pytest.fixture
def gallery(tmp_path: Path, tiny_model: Callable[..., bytes]) -> Path:
    """Noisy copies of six patterns, four each; the first of the first class is also enrolled under the last."""
    encoder = tmp_path / "tiny.onnx"
    encoder.write_bytes(tiny_model())
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(6), 4)
    items = np.clip(rng.integers(0, 256, (6, 8, 8))[codes] + rng.normal(0, 25, (24, 8, 8)), 0, 255).astype(np.uint8)
    with Gallery.open(tmp_path / "my.gallery", encoder, create=True) as opened:
        opened.enroll([*items, items[0]], [f"class {code}" for code in [*codes, 5]], [f"{i}.png" for i in range(25)])
    return tmp_path / "my.gallery"


def test_tables(lowshot: Callable[..., Any], gallery: Path) -> None:
    ran = lowshot("gallery", "check", gallery)
    assert ran.status == 0 and ran.err == "" and "25 examples of 6 classes" in ran.out
    assert "the same picture twice: 1" in ran.out and "1 0.png, 25 24.png" in ran.out and "same file" in ran.out
    assert "25 24.png" in ran.out.split("probably mislabeled: 1")[1].split("twice")[0]


def test_json_and_page(lowshot: Callable[..., Any], gallery: Path, tmp_path: Path) -> None:
    ran = lowshot("gallery", "check", gallery, "--json", "--html", tmp_path / "page.html", "--seed", "4")
    found = json.loads(ran.out)
    assert found["examples"] == 25 and found["seed"] == 4 and found["duplicates"][0]["across"]
    assert found["duplicates"][0]["exact"] and found["mislabeled"][0]["id"] == 25
    page = (tmp_path / "page.html").read_text()
    assert page.count("<img") >= 4 and "24.png" in page and "gallery check" in page


def test_sounds_and_descriptions_are_called_so(
    lowshot: Callable[..., Any], tmp_path: Path, tiny_sound_model: Callable[..., bytes]
) -> None:
    encoder, place, page = tmp_path / "tiny.onnx", tmp_path / "sounds.gallery", tmp_path / "page.html"
    encoder.write_bytes(tiny_sound_model(4000))
    rng = np.random.default_rng(0)
    sounds = [wav(rng.integers(-9999, 9999, 400).astype(np.int16), 4000) for _ in range(6)]
    with Gallery.open(place, encoder, create=True) as opened:
        facts = [{"pitch": "low"}] * 3 + [{"pitch": "high"}] * 3
        opened.enroll(sounds, ["a"] * 3 + ["b"] * 3, attributes=facts)
        opened.enroll(sounds[:1], ["b"])
        opened.describe({"c": {"pitch": "low"}, "d": {"pitch": "low"}})
    ran = lowshot("gallery", "check", place, "--html", page)
    assert "the same sound twice: 2" in ran.out and "The sounds, side by side" in ran.out
    assert "described: pitch=low" in ran.out and "<blockquote>pitch=low</blockquote>" in page.read_text()
    assert "picture" not in (ran.out + page.read_text()).lower()


def test_errors(fails: Callable[..., str], gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no gallery" in fails("gallery", "check", tmp_path / "none.gallery")
    monkeypatch.setattr(Encoder, "load", lambda _: pytest.fail("the work had begun"))
    assert "--html" in fails("gallery", "check", gallery, "--html", tmp_path / "none" / "page.html")
