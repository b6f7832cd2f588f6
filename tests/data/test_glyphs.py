from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from lowshot.data import ImageForm, glyphs, load


@pytest.fixture(scope="module")
def letters() -> dict[str, list[Path]]:
    return glyphs._letters(glyphs._is_whole)


@pytest.fixture
def few(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One short script, so that drawing takes a second."""
    monkeypatch.setattr(glyphs, "SCRIPTS", ("COPTIC",))


def test_about_as_many_letters_as_promised(letters: dict[str, list[Path]]) -> None:
    scripts = {glyphs._script(letter) for letter in letters}
    assert scripts == set(glyphs.SCRIPTS) and len(scripts) == 15
    assert 1500 < len(letters) < 1700
    assert "about 1600 letters of 15 scripts × 20" in glyphs.VARIANTS[""]
    assert {unicodedata.category(letter) for letter in letters} == {"Lu", "Ll", "Lo"}
    assert "α" in letters and "ά" not in letters and "א" in letters and "1" not in letters


def test_letters_printed_alike_are_one_class(letters: dict[str, list[Path]]) -> None:
    assert "A" in letters and "Α" not in letters and "А" not in letters  # Latin, Greek, Cyrillic
    prints = {glyphs._print(letter, fonts[0]).tobytes() for letter, fonts in letters.items()}
    assert len(prints) == len(letters)


def test_only_fonts_with_letters_of_their_own(letters: dict[str, list[Path]]) -> None:
    fonts = {font.stem for fonts in letters.values() for font in fonts}
    assert len(fonts) == 16
    assert all(font.startswith(("DejaVu", "STIXGeneral")) for font in fonts)


@pytest.mark.usefixtures("few")
def test_twenty_different_dark_drawings_a_letter() -> None:
    examples = load("glyphs")
    assert examples.items.shape == (280, 105, 105, 1) and examples.items.dtype == np.uint8
    assert set(examples.counts.tolist()) == {20}
    assert "COPTIC SMALL LETTER SHEI" in examples.classes
    assert set(examples.attributes["script"]) == {"Coptic"}
    upper = np.array(["CAPITAL" in name for name in examples.names])
    assert (examples.attributes["case"] == np.where(upper, "upper", "lower")).all()
    assert len({item.tobytes() for item in examples.items}) == 280
    ink = (examples.items < 128).mean(axis=(1, 2, 3))
    assert ink.min() > 0.003 and ink.max() < 0.5
    border = np.concatenate([examples.items[:, [0, -1]].ravel(), examples.items[:, :, [0, -1]].ravel()])
    assert (border == 255).mean() > 0.99


@pytest.mark.usefixtures("few")
def test_the_same_pixels_every_time_and_packed() -> None:
    first = load("glyphs")
    assert (glyphs._draw("", glyphs.NATIVE).items == first.items).all()
    assert isinstance(load("glyphs").items, np.memmap)


@pytest.mark.usefixtures("few")
def test_another_form_shows_the_same_drawings() -> None:
    native = load("glyphs").items[..., 0].astype(float)
    small = load("glyphs", ImageForm(height=21, width=21, channels=1)).items[..., 0]
    boxes = native.reshape(-1, 21, 5, 21, 5).mean(axis=(2, 4))
    assert np.abs(small - boxes).mean() < 1


def test_drawings_of_a_letter_look_alike(letters: dict[str, list[Path]]) -> None:
    """Distorted, but recognizable: the nearest class mean of other drawings is right far above chance."""
    chosen = list("aegmqstBDGKRSW")
    ink = np.repeat(np.stack([glyphs._print(letter, letters[letter][0]) for letter in chosen]), 40, axis=0)
    drawn = 255.0 - glyphs._distort(ink, np.random.default_rng(1)).reshape(len(chosen), 40, -1)
    means = drawn[:, :20].mean(axis=1)
    guess = ((drawn[:, 20:, None] - means) ** 2).sum(axis=-1).argmin(axis=-1)
    assert (guess == np.arange(len(chosen))[:, None]).mean() > 0.6


def test_no_distortion_keeps_the_print() -> None:
    """Sampling at each pixel's own place gives the pixel back."""
    ink = np.random.default_rng(0).integers(0, 256, (2, 105, 105), np.uint8)
    side = np.linspace(-1, 1, 105, dtype=np.float32)
    place = np.broadcast_to(np.stack(np.meshgrid(side, side, indexing="ij")), (2, 2, 105, 105))
    assert np.abs(glyphs._sample(ink, place) - ink / 255).max() < 1e-3
    outside = glyphs._sample(ink, place + 3)
    assert (outside < 1e-2).all()


def test_marked_letters_are_described_by_parts_that_tell_them_apart() -> None:
    letters = glyphs._letters(glyphs._is_marked)
    parts = [tuple(glyphs._parts(letter).values()) for letter in letters]
    assert 390 < len(letters) < 420 and len(set(parts)) == len(letters)
    assert glyphs._parts("É") == {"case": "upper", "letter": "e", "mark": "acute"}
    assert glyphs._parts("z") == {"case": "lower", "letter": "z", "mark": "none"}
    assert "ё" not in letters and "ǖ" not in letters and "ß" not in letters  # Cyrillic, two marks, no part
    marks = [mark for *_, mark in parts]
    assert min(marks.count(mark) for mark in glyphs.MARKS.values()) >= 6


@pytest.mark.usefixtures("no_data")
def test_marked_letters_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glyphs, "_is_marked", lambda letter: letter in "éÉeE")
    examples = load("glyphs:marked", ImageForm(height=42, width=42, channels=1))
    assert examples.items.shape == (80, 42, 42, 1)
    assert "LATIN SMALL LETTER E WITH ACUTE" in examples.classes
    assert sorted(set(examples.attributes["mark"])) == ["acute", "none"]
    assert sorted(examples.attributes) == ["case", "font", "letter", "mark"]
