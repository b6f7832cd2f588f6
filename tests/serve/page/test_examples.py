"""Enrolled examples of every kind: sounds are played one at a time, descriptions say what they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import Service, launched, photograph
from playwright.sync_api import expect

from lowshot import Gallery, load

Visit = Callable[..., Any]

_LISTEN = """() => {
  const play = HTMLMediaElement.prototype.play;
  window.heard = new Set();
  HTMLMediaElement.prototype.play = function () { window.heard.add(this); return play.call(this); };
}"""
_SOUNDING = "[...window.heard].filter((audio) => !audio.paused).map((audio) => audio.duration)"


def pressed(page: Any) -> list[str]:
    """The names of the buttons of what is playing."""
    buttons = page.locator(".play[aria-pressed=true]").all()
    return [str(each.get_attribute("aria-label")) for each in buttons]


def _wait_for_one(page: Any) -> None:
    """Until one sound is heard. (Playwright's own waiting needs what the page's policy forbids.)"""
    for _ in range(200):
        if len(page.evaluate(_SOUNDING)) == 1:
            return
        page.wait_for_timeout(50)
    pytest.fail("no single sound is heard")


def test_tiles_are_played_one_at_a_time(sounds: Service, visit: Visit) -> None:
    page = visit(f"{sounds.url}/#classes")
    page.evaluate(_LISTEN)
    low, high = (page.get_by_role("button", name=f"Play {label}", exact=True) for label in ("low", "high"))
    low.click()
    _wait_for_one(page)
    assert pressed(page) == ["Play low"] and page.evaluate(_SOUNDING) == [3]
    high.press("Enter")
    _wait_for_one(page)
    assert pressed(page) == ["Play high"]
    high.press(" ")
    assert pressed(page) == page.evaluate(_SOUNDING) == []
    low.click()
    page.get_by_role("link", name="high 4 examples").click()
    dialog = page.get_by_role("dialog", name="high")
    dialog.get_by_role("button", name="Play high: 1500.wav").click()
    _wait_for_one(page)
    assert pressed(page) == ["Play high: 1500.wav"]
    page.keyboard.press("Escape")
    expect(page.locator(".play[aria-pressed=true]")).to_have_count(0)
    assert page.evaluate(_SOUNDING) == []


def test_the_map_is_heard_by_mouse_and_by_keys(sounds: Service, visit: Visit) -> None:
    page = visit(f"{sounds.url}/#health")
    page.evaluate(_LISTEN)
    gallery_map = page.get_by_role("application", name="Map of 8 examples")
    gallery_map.scroll_into_view_if_needed()
    spot = page.locator(".mark").first.bounding_box()
    page.mouse.click(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)
    _wait_for_one(page)
    photograph(page, "map-of-sounds")
    assert len(pressed(page)) == 1
    expect(page.locator(".chosen a")).to_have_text("Open “low”")
    page.keyboard.press("Tab")  # keys were used last
    gallery_map.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    expect(page.locator(".chosen a")).to_have_text(f"Open “{page.locator('.map-card b').inner_text()}”")
    assert page.evaluate(_SOUNDING.replace("!audio.paused", "true")) != []
    page.locator(".chosen a").click()
    page.locator("#one-class").wait_for()


def test_what_is_found_of_sounds_can_be_heard(sounds: Service, visit: Visit) -> None:
    page = visit(f"{sounds.url}/#health")
    twice = page.locator("#findings > section").filter(has=page.get_by_role("heading", name="The same sound twice"))
    twice.scroll_into_view_if_needed()  # players come in where one looks
    twice.get_by_role("button", name="Play Example 7 of high").click()
    expect(twice.locator(".play[aria-pressed=true]")).to_have_count(1)
    page.locator("#classes-tab").click()
    expect(page.locator(".play[aria-pressed=true]")).to_have_count(0)


@pytest.mark.parametrize("kind", ["sounds", "texts"])
def test_a_deleted_example_comes_back(request: pytest.FixtureRequest, visit: Visit, tmp_path: Path, kind: str) -> None:
    label = {"sounds": "low", "texts": "find"}[kind]
    with launched(shutil.copy(request.getfixturevalue(f"{kind}_described"), tmp_path)) as url:
        service = Service(url)
        before = service.classes()
        page = visit(f"{url}/#classes/{label}")
        page.locator("#examples").get_by_role("button", name="Delete").first.click()
        page.locator("#notice").get_by_text("Deleted an example").wait_for()
        assert service.classes()[label] == before[label] - 1
        page.get_by_role("button", name="Undo", exact=True).click()
        page.locator("#one-class-count", has_text=f"{before[label]} examples").wait_for()
        assert service.classes() == before
        page.close()


@pytest.mark.parametrize(
    ("kind", "label", "says"), [("sounds", "deep", "pitch=low"), ("texts", "lost card", "i lost my card")]
)
def test_a_description_says_that_it_is_one(
    request: pytest.FixtureRequest, visit: Visit, tmp_path: Path, kind: str, label: str, says: str
) -> None:
    with launched(shutil.copy(request.getfixturevalue(f"{kind}_described"), tmp_path)) as url:
        page = visit(f"{url}/#classes")
        expect(page.locator(".class", has_text=label).locator(".described")).to_have_text(f"Described as{says}")
        page.get_by_role("link", name=label).click()
        expect(page.locator("#one-class-count")).to_have_text("1 description")
        expect(page.locator("#examples .described")).to_have_text(f"Described as{says}")
        expect(page.locator("#examples .play")).to_have_count(0)
        photograph(page, f"described-{kind}")
        page.locator("#examples").get_by_role("button", name="Delete").click()
        page.get_by_role("alertdialog", name=f"Delete the description of “{label}”?").wait_for()
        page.get_by_role("button", name="Delete", exact=True).last.click()
        page.locator("#notice").get_by_text("Deleted the description").wait_for()
        assert label not in Service(url).classes()
        page.close()


def test_an_answer_says_what_was_described(texts: Service, visit: Visit) -> None:
    page = visit(texts.url)
    page.get_by_label("Text to recognize").fill("i lost my card")
    decided = page.locator(".decided")
    expect(decided.locator(".described")).to_have_text("Described asi lost my card")
    expect(decided.locator("figcaption")).to_have_text("lost carddescribed")


@pytest.mark.parametrize("images", [True, False])
def test_pictures_and_a_description_stand_side_by_side(visit: Visit, tmp_path: Path, images: bool) -> None:
    digits = load("digits")
    facts = [{"parity": "odd" if digit % 2 else "even"} for digit in digits.labels[:20]]
    with Gallery.open(tmp_path / "digits.gallery", create=True, images=images) as gallery:
        gallery.enroll(list(digits.items[:20]), [str(digit) for digit in digits.labels[:20]], None, facts)
        gallery.describe({"odd": {"parity": "odd"}})
    with launched(tmp_path / "digits.gallery") as url:
        page = visit(f"{url}/#classes")
        expect(page.locator(".class", has_text="odd").locator(".described")).to_have_text("Described asparity=odd")
        expect(page.locator(".class img[src]" if images else ".class .blank")).to_have_count(10)
        page.close()
