"""Say: a word is taught from a file or the microphone, and said again it is recognized."""

from __future__ import annotations

import io
import wave
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
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
def words(tmp_path: Path) -> Iterator[Service]:
    """A service of spoken words, with an empty gallery."""
    yield from _empty(tmp_path, "speech")


@pytest.fixture
def voices(tmp_path: Path) -> Iterator[Service]:
    """A service of voices, with an empty gallery."""
    yield from _empty(tmp_path, "voices")


def _empty(folder: Path, encoder: str) -> Iterator[Service]:
    try:
        Encoder.load(encoder)
    except EncoderError as error:
        pytest.skip(str(error))
    with launched(folder / "sounds.gallery", "--encoder", encoder) as url:
        yield Service(url)


def test_a_word_is_taught_and_known_when_said_again(words: Service, clip: Clip, visit: Visit) -> None:
    page = visit(words.url)
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
    enrolled = page.get_by_role("button", name="Play Enrolled example of seven: 7_theo_1.wav")
    enrolled.wait_for()
    assert verdict(page) == "seven"
    expect(page.locator("#spoken")).to_contain_text("seven, ")
    for each in (page.get_by_role("button", name="Play your sound"), enrolled):
        each.click()
        expect(each).to_have_attribute("aria-pressed", "true")
        expect(each).to_have_attribute("aria-pressed", "false")  # at its end
    photograph(page, "say")
    page.set_viewport_size(PHONE)
    photograph(page, "say-phone")
    assert words.classes() == {"seven": 1, "three": 1}


def test_the_microphone_is_recorded(words: Service, visit: Visit) -> None:
    page = visit(words.url, permissions=["microphone"])
    page.get_by_text("ends by itself after 2 seconds").wait_for()
    page.get_by_role("button", name="Record").press("Enter")
    page.get_by_role("button", name="Stop").press("Enter")
    page.get_by_role("button", name="Play your sound").wait_for()
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Record").wait_for()  # it ends by itself
    page.locator(".verdict").wait_for()
    teach(page, "beep")
    assert words.classes() == {"beep": 1}
    assert _seconds_recorded(words) == pytest.approx(2, abs=0.01)


def test_a_recording_is_as_long_as_the_encoder_hears(voices: Service, visit: Visit) -> None:
    page = visit(voices.url, permissions=["microphone"])
    page.get_by_text("ends by itself after 3.2 seconds").wait_for()
    page.get_by_role("button", name="Record").click()
    page.locator(".verdict").wait_for()
    teach(page, "a voice")
    assert _seconds_recorded(voices) == pytest.approx(3.2, abs=0.01)


def _seconds_recorded(service: Service) -> float:
    """How long the first example is."""
    recorded = httpx.get(f"{service.url}/v1/examples/1/file").content
    with wave.open(io.BytesIO(recorded)) as file:
        return file.getnframes() / file.getframerate()


def test_a_refused_microphone_is_told(words: Service, visit: Visit) -> None:
    page = visit(words.url)
    page.get_by_role("button", name="Record").click()
    page.locator("#notice").get_by_text("The microphone may not be used").wait_for()
    expect(page.get_by_role("button", name="Record")).to_be_enabled()


def _before_the_microphone(clip: Path) -> Path:
    """A file of the clip after a second of silence, and before another: so much may pass until the recording begins."""
    with wave.open(str(clip)) as file:
        format, samples = file.getparams(), file.readframes(file.getnframes())
    silence = bytes(format.framerate * format.sampwidth)
    place = clip.with_name(f"spoken {clip.name}")
    with wave.open(str(place), "wb") as file:
        file.setparams(format)
        file.writeframes(silence + samples + silence)
    return place


def test_a_word_said_into_the_microphone_is_known_when_another_says_it(
    words: Service, clip: Clip, visit: Visit, start: Callable[..., Any]
) -> None:
    for digit, label in enumerate(["zero", "one", "two", "three", "four", "five", "six"]):
        words.enroll(label, clip(f"{digit}_theo_1").read_bytes())
    for said, heard in (("7_theo_1", None), ("7_yweweler_0", "seven")):
        microphone = _before_the_microphone(clip(said))
        chromium = start("--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}")
        page = visit(words.url, by=chromium)
        page.get_by_role("button", name="Record").click()
        page.locator(".verdict").wait_for()
        if heard is None:
            if not page.get_by_label("Name this").is_visible():
                page.get_by_role("button", name="No, it is").click()
            teach(page, "seven")
        else:
            photograph(page, "say-microphone")
            assert verdict(page) == heard
        chromium.close()
    assert words.classes()["seven"] == 1
