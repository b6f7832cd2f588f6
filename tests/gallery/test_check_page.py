"""The page of a check: what it shows, and that nothing in a gallery can break it."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from lowshot.data import Form, ImageForm, SoundForm, TextForm
from lowshot.data.sounds import wav
from lowshot.errors import GalleryError
from lowshot.gallery.check import Check
from lowshot.gallery.check_page import check_page
from lowshot.gallery.duplicates import Duplicates
from lowshot.gallery.findings import Confused, Gain, Mislabeled, Taken, Unknowns
from lowshot.gallery.shots import Shots
from lowshot.recognize.gate import GateReport

PICTURES = ImageForm(height=28, width=28, channels=1)
EVIL = "<script>alert(1)</script>\x1b\"'&/x"


def found(number: int = 1, accuracy: tuple[Shots, ...] = ()) -> Check:
    return Check(
        examples=12,
        classes=1,
        recognizer="prototype",
        asked=12 * (number > 0),
        accuracy=accuracy,
        unknowns=Unknowns(0.91, 0.2, 5, 5, "held out") if number else None,
        confused=(Confused(("a", EVIL), 0.5, 2, 4, (Taken(1, EVIL, 2),), "held out"),) * number,
        confused_in_all=number,
        mislabeled=(Mislabeled(1, EVIL, "b", 2, 3.5, True),) * number,
        mislabeled_in_all=10 * number,
        duplicates=(Duplicates(tuple(range(9)), ("a",) * 8 + (EVIL,), True, 0.0),) * number,
        duplicates_in_all=number,
        gains=(Gain(EVIL, 1, 0.0123),) * number,
        gates={EVIL: GateReport(0.99, 12, 12, 3, 0.9, 0.995, 0.98, 1.0, 1.2, 0.4)} if number else {},
        notes=(EVIL,),
        seed=3,
    )


def png(id: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((300, 900), id, np.uint8)).save(file, "PNG")
    return file.getvalue()


def shown(check: Check, original: Callable[[int], bytes] = png, form: Form = PICTURES, described: str = "") -> str:
    return check_page(
        check,
        place=EVIL,
        encoder=EVIL,
        form=form,
        original=original,
        names={1: EVIL},
        described={2: described} if described else {},
        command=EVIL,
    ).decode()


def _gone(id: int) -> bytes:
    raise GalleryError(f"{id} is not kept")


class _Tags(HTMLParser):
    """Collects the elements, and the places that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_nothing_runs_and_nothing_is_fetched() -> None:
    text = shown(found())
    tags = _Tags()
    tags.feed(text)
    assert not {"script", "iframe", "link", "object"} & set(tags.tags)
    assert tags.fetched and all(each.startswith("data:image/png;base64,") for each in tags.fetched)
    assert "url(" not in text and "\x1b" not in text and "&lt;script&gt;" in text


def test_every_finding_is_there() -> None:
    text = shown(
        found(accuracy=(Shots(1, 0.8, 0.7, 0.9, 5, 10, "held out"), Shots(2, 0.9, 0.7, 1, 5, 10, "extrapolated")))
    )
    assert "3.5 × as clear" in text and "the other example of its class" in text
    assert "9 times, under different labels" in text and "the same file" in text and "and 5 more" in text
    assert "2 of 4 examples" in text and "+1.23 points" in text and "1 class," in text
    assert re.findall(r"<strong.*?>(.*?)</strong>", text) == ["90%", "80%", "10", "1", "1"]
    assert "1.2 of 3" in text and "60%" in text
    assert "The 1 gravest of 10" in text and "scale from 70% to 100%" in text


def test_texts_are_read_there_and_nothing_in_them_runs() -> None:
    text = shown(found(), lambda id: f"{EVIL} {id}\n{'very ' * 100}far".encode(), TextForm(tokens=9))
    tags = _Tags()
    tags.feed(text)
    assert tags.tags.count("blockquote") == 2 + 4 + 2 and not {"script", "img", "audio"} & set(tags.tags)
    assert (
        "The same text twice" in text
        and "reads like" in text
        and "the text poor" in text
        and "…</blockquote>" in text
        and "very far" not in text
    )
    assert not tags.fetched and "\x1b" not in text and "picture" not in text


def test_sounds_are_played_there_as_the_encoder_hears_them() -> None:
    long = wav(np.random.default_rng(0).integers(-999, 999, 80_000).astype(np.int16), 8000)
    text = shown(found(), lambda id: long, SoundForm(seconds=0.5))
    tags = _Tags()
    tags.feed(text)
    assert tags.tags.count("audio") == 2 + 4 + 2 and "The same sound twice" in text and "picture" not in text
    assert "sounds like b" in text and "looks like" not in text
    assert all(each.startswith("data:audio/wav;base64,") for each in tags.fetched)
    assert {len(base64.b64decode(each.partition(",")[2])) for each in tags.fetched} == {44 + 2 * 8000}
    assert "no sound kept" in shown(found(), lambda id: b"damaged", SoundForm())


def test_a_description_stands_there_in_its_words() -> None:
    text = shown(found(), described="tail=long, " + EVIL)
    assert text.count("<blockquote>tail=long, &lt;script&gt;") == 3  # in each kind of finding
    assert "no picture kept" not in text and "<script" not in text


@pytest.mark.parametrize("form", [PICTURES, SoundForm(), TextForm(tokens=9)])
def test_a_description_needs_no_file(form: Form) -> None:
    assert shown(found(), _gone, form, "tail=long").count("<blockquote>tail=long</blockquote>") == 3


def test_as_good_as_nothing_saved_is_no_loss() -> None:
    check = replace(found(), gates={"a": GateReport(0.99, 12, 12, 3, 0.9, 0.995, 0.98, 1.0, 3.0, 1 + 1e-12)})
    assert ">0%</td>" in shown(check) and "-0%" not in shown(check)


def test_the_number_of_pictures_is_bounded() -> None:
    assert shown(found(500)).count("<img") == 24 * (2 + 4 + 2)


def test_a_gallery_without_pictures_or_findings() -> None:
    assert "<img" not in shown(found(), _gone) and "no picture kept" in shown(found(), _gone)
    assert "<img" not in shown(found(), lambda id: b"damaged")
    text = shown(found(0))
    assert text.count("None found.") == 2 and text.count("cannot be said") == 3 and "Probably mislabeled" not in text


@pytest.mark.parametrize("low", [0.0, 0.05, 0.3, 0.95, 1.0])
def test_bars_stay_on_their_track(low: float) -> None:
    text = shown(
        found(accuracy=(Shots(1, 1.0, low, 1.0, 5, 10, "stand-in"), Shots(2, 1.0, low, 1.0, 5, 10, "stand-in")))
    )
    for place in re.findall(r"(?:left|width):(-?[\d.]+)%", text):
        assert 0 <= float(place) <= 100
