"""Say: a word is taught from a file or the microphone, and said again it is recognized."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PHONE, Service, launched, photograph, teach, verdict
from playwright.sync_api import expect

from lowshot import Encoder
from lowshot.data import fsdd
from lowshot.errors import EncoderError

Visit = Callable[..., Any]
Clip = Callable[[str], Path]


@pytest.fixture
def clip(tmp_path: Path, data_folder: Path) -> Clip:
    """``clip("7_theo_1")`` is the file of a spoken digit."""
    if not (data_folder / fsdd.FILE).is_file():
        pytest.skip("needs the spoken digits: set LOWSHOT_DATA to the folder that holds fsdd/")
    return lambda name: Path(zipfile.ZipFile(data_folder / fsdd.FILE).extract(f"recordings/{name}.wav", tmp_path))


@pytest.fixture
def sounds(tmp_path: Path) -> Iterator[Service]:
    """A service of spoken words, with an empty gallery."""
    try:
        Encoder.load("speech")
    except EncoderError as error:
        pytest.skip(str(error))
    with launched(tmp_path / "sounds.gallery", "--encoder", "speech") as url:
        yield Service(url)


def test_a_word_is_taught_and_known_when_said_again(sounds: Service, clip: Clip, visit: Visit) -> None:
    page = visit(sounds.url)
    expect(page.get_by_role("tab")).to_have_text(["Say", "Classes", "Health"])
    for label, name in (("seven", "7_theo_1"), ("three", "3_theo_1")):
        page.get_by_label("Sound", exact=True).set_input_files(clip(name))
        page.locator(".verdict").wait_for()
        if not page.get_by_label("Name this").is_visible():
            page.get_by_role("button", name="No, it is").click()
        teach(page, label)
        expect(page.locator(".outcome")).to_have_count(0)
        expect(page.get_by_role("button", name="Record")).to_be_focused()
    page.get_by_label("Sound", exact=True).set_input_files(clip("7_theo_2"))
    enrolled = page.locator(".decided audio[aria-label='Enrolled example of seven: 7_theo_1.wav']")
    enrolled.wait_for()
    assert verdict(page) == "seven"
    expect(page.locator("#spoken")).to_contain_text("seven, ")
    for each in (page.get_by_label("Your sound"), enrolled):
        each.evaluate("(audio) => new Promise((done) => { audio.onended = done; audio.play(); })")
    photograph(page, "say")
    page.set_viewport_size(PHONE)
    photograph(page, "say-phone")
    assert all(each.bounding_box()["width"] > 120 for each in page.locator("audio").all())  # narrower: no button
    assert sounds.classes() == {"seven": 1, "three": 1}


def test_the_microphone_is_recorded(sounds: Service, visit: Visit) -> None:
    page = visit(sounds.url, permissions=["microphone"])
    page.get_by_role("button", name="Record").press("Enter")
    page.get_by_role("button", name="Stop").press("Enter")
    page.get_by_label("Your sound").wait_for()
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Record").wait_for()  # it ends by itself
    page.locator(".verdict").wait_for()
    seconds = page.get_by_label("Your sound").evaluate(
        "(audio) => new Promise((done) => { audio.onloadedmetadata = () => done(audio.duration); audio.load(); })"
    )
    assert seconds == pytest.approx(2, abs=0.01)
    teach(page, "beep")
    assert sounds.classes() == {"beep": 1}


def test_a_refused_microphone_is_told(sounds: Service, visit: Visit) -> None:
    page = visit(sounds.url)
    page.get_by_role("button", name="Record").click()
    page.locator("#notice").get_by_text("The microphone may not be used").wait_for()
    expect(page.get_by_role("button", name="Record")).to_be_enabled()
